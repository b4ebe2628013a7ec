/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "transport/known-hosts.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/alloc.h"

void mp_known_keys_fini(struct mp_known_keys *k)
{
	for (size_t i = 0; i < k->n; i++) {
		free(k->v[i].type);
		free(k->v[i].key);
		free(k->v[i].place);
	}
	free(k->v);
	*k = (struct mp_known_keys){ 0 };
}

char *mp_known_hosts_name(const char *host, long port)
{
	char *name =
		port == 22 || port == 0 ? mp_xstrdup(host) : mp_xasprintf("[%s]:%ld", host, port);

	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return name;
}

/* Shell-like match of * and ?, without backtracking beyond the last star. */
static bool match_one(const char *pat, size_t n, const char *s)
{
	size_t p = 0, star = n;
	const char *back = NULL;

	while (*s) {
		if (p < n && pat[p] == '*') {
			star = p++;
			back = s;
		} else if (p < n &&
			   (pat[p] == '?' || tolower((unsigned char)pat[p]) == (unsigned char)*s)) {
			p++;
			s++;
		} else if (star < n) {
			p = star + 1;
			s = ++back;
		} else {
			return false;
		}
	}
	while (p < n && pat[p] == '*')
		p++;
	return p == n;
}

/* "|1|SALT|HASH": base64 of a salt and of HMAC-SHA1 of the name under it (hostfile.c, host_hash).
 */
static bool match_hashed(const char *pat, size_t n, const char *name)
{
	const char *sep = n > 3 ? memchr(pat + 3, '|', n - 3) : NULL;
	gnutls_datum_t salt64, hash64, salt = { 0 }, hash = { 0 };
	unsigned char mac[20];
	bool same = false;

	if (!sep)
		return false;
	salt64 = (gnutls_datum_t){ (unsigned char *)(uintptr_t)(pat + 3),
				   (unsigned int)(sep - pat - 3) };
	hash64 = (gnutls_datum_t){ (unsigned char *)(uintptr_t)(sep + 1),
				   (unsigned int)(pat + n - sep - 1) };
	if (gnutls_base64_decode2(&salt64, &salt) == 0 &&
	    gnutls_base64_decode2(&hash64, &hash) == 0 && hash.size == sizeof(mac) &&
	    gnutls_hmac_fast(GNUTLS_MAC_SHA1, salt.data, salt.size, name, strlen(name), mac) == 0)
		same = memcmp(mac, hash.data, sizeof(mac)) == 0;
	gnutls_free(salt.data);
	gnutls_free(hash.data);
	return same;
}

static bool match_list(const char *p, size_t n, const char *name)
{
	const char *end = p + n;
	bool found = false;

	if (n > 3 && strncmp(p, "|1|", 3) == 0)
		return match_hashed(p, n, name);
	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *stop = comma ? comma : end;
		bool negated = p < stop && *p == '!';

		if (negated)
			p++;
		if (p < stop && match_one(p, (size_t)(stop - p), name)) {
			if (negated)
				return false;
			found = true;
		}
		p = stop + 1;
	}
	return found;
}

bool mp_known_hosts_match(const char *patterns, const char *name)
{
	return match_list(patterns, strlen(patterns), name);
}

/* The next blank-separated word of [*p, end). */
static const char *next_word(const char **p, const char *end, size_t *ret_size)
{
	const char *start;

	while (*p < end && (**p == ' ' || **p == '\t'))
		(*p)++;
	start = *p;
	while (*p < end && **p != ' ' && **p != '\t' && **p != '\r')
		(*p)++;
	*ret_size = (size_t)(*p - start);
	return start;
}

static void find_in_line(const char *p, const char *end, const char *file, size_t line,
			 const char *name, struct mp_known_keys *ret)
{
	struct mp_known_key k = { 0 };
	size_t n, type_size, key_size;
	const char *word = next_word(&p, end, &n), *type, *key;

	if (n == 0 || *word == '#')
		return;
	if (*word == '@') {
		k.revoked = n == 8 && memcmp(word, "@revoked", n) == 0;
		k.authority = n == 15 && memcmp(word, "@cert-authority", n) == 0;
		if (!k.revoked && !k.authority)
			return;
		word = next_word(&p, end, &n);
	}
	type = next_word(&p, end, &type_size);
	key = next_word(&p, end, &key_size);
	if (!n || !type_size || !key_size || !match_list(word, n, name))
		return;
	k.type = mp_xstrndup(type, type_size);
	k.key = mp_xstrndup(key, key_size);
	k.place = mp_xasprintf("%s:%zu", file, line);
	ret->v = mp_xreallocarray(ret->v, ret->n + 1, sizeof(*ret->v));
	ret->v[ret->n++] = k;
}

void mp_known_hosts_find(const char *text, const char *file, const char *name,
			 struct mp_known_keys *ret)
{
	size_t line = 1;

	while (*text) {
		const char *end = text + strcspn(text, "\n");

		find_in_line(text, end, file, line++, name, ret);
		text = *end ? end + 1 : end;
	}
}

enum mp_known_verdict mp_known_hosts_judge(const struct mp_known_keys *known, const char *type,
					   const char *key, const struct mp_known_key **ret_why)
{
	enum mp_known_verdict verdict = MP_KNOWN_UNKNOWN;

	*ret_why = NULL;
	for (size_t i = 0; i < known->n; i++) {
		const struct mp_known_key *k = &known->v[i];
		bool same = strcmp(k->key, key) == 0;
		enum mp_known_verdict v;

		if (k->revoked && !same)
			continue;
		v = k->revoked                   ? MP_KNOWN_REVOKED
		    : k->authority               ? MP_KNOWN_AUTHORITY
		    : same                       ? MP_KNOWN_MATCH
		    : strcmp(k->type, type) == 0 ? MP_KNOWN_CHANGED
						 : MP_KNOWN_OTHER;
		if (v == MP_KNOWN_REVOKED) {
			*ret_why = k;
			return v;
		}
		/* A match beats a change: a file may hold the old and the new key. */
		if (verdict == MP_KNOWN_MATCH ||
		    (verdict == MP_KNOWN_CHANGED && v != MP_KNOWN_MATCH))
			continue;
		verdict = v;
		*ret_why = k;
	}
	return verdict;
}
