/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh-lines: authorized_keys and known_hosts, line by line. The prototypes are in model/ssh-text.h.
 */
#include "config.h"
#include "model/ssh-text.h"

#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "model/world.h"

/* Cuts the next line, with its newline, off *text. False at the end. */
static bool next_line(const char **text, const char **ret, size_t *ret_size)
{
	if (!*text || !**text)
		return false;
	*ret = *text;
	*ret_size = strcspn(*text, "\n");
	*ret_size += (*text)[*ret_size] == '\n';
	*text += *ret_size;
	return true;
}

static void add_to_list(json_t *object, const char *key, const char *value)
{
	json_t *list = json_object_get(object, key);

	if (!list) {
		list = json_array();
		json_object_set_new(object, key, list);
	}
	json_array_append_new(list, json_string(value));
}

/* ---- authorized_keys ---- */

struct grant {
	struct mp_ssh_pub pub;
	const char *limit; /* of limits[], or NULL */
	bool ca;           /* cert-authority: no key that logs in by itself */
	char *comment;     /* "" if none; owned */
};

/* Options that stand in the way of a login, or of what it runs; in this order where a line has more
 * than one. */
static const char *const limits[] = { "command", "from", "expiry-time", "principals" };

/* Length of the option field: to the first blank outside double quotes. */
static size_t options_size(const char *s, size_t size)
{
	bool quoted = false;
	size_t n;

	for (n = 0; n < size; n++) {
		if (s[n] == '\\' && n + 1 < size && s[n + 1] == '"')
			n++;
		else if (s[n] == '"')
			quoted = !quoted;
		else if (!quoted && (s[n] == ' ' || s[n] == '\t'))
			break;
	}
	return n;
}

/* Whether an option with this name, alone or before '=', stands in the field. */
static bool has_option(const char *s, size_t size, const char *name)
{
	size_t len = strlen(name), start = 0;
	bool quoted = false;

	for (size_t i = 0; i <= size; i++) {
		if (i < size && s[i] == '\\' && i + 1 < size && s[i + 1] == '"') {
			i++;
		} else if (i < size && s[i] == '"') {
			quoted = !quoted;
		} else if (i == size || (!quoted && s[i] == ',')) {
			if (i - start >= len && strncasecmp(s + start, name, len) == 0 &&
			    (i - start == len || s[start + len] == '='))
				return true;
			start = i + 1;
		}
	}
	return false;
}

static bool parse_grant(const char *s, size_t size, struct grant *ret)
{
	size_t skip = strspn(s, " \t"), n;

	if (skip >= size || strchr("#\r\n", s[skip]))
		return false;
	s += skip;
	size -= skip;
	*ret = (struct grant){ 0 };
	if (!mp_ssh_pub_parse(s, size, &ret->pub)) {
		n = options_size(s, size);
		skip = n + strspn(s + n, " \t");
		if (skip >= size || !mp_ssh_pub_parse(s + skip, size - skip, &ret->pub))
			return false;
		for (size_t i = 0; i < MP_N_ELEMS(limits) && !ret->limit; i++)
			if (has_option(s, n, limits[i]))
				ret->limit = limits[i];
		ret->ca = has_option(s, n, "cert-authority");
	}
	ret->comment = mp_xstrndup(ret->pub.comment, ret->pub.comment_len);
	return true;
}

/*
 * sshd takes the first line with the key that it does not refuse (auth2-pubkeyfile.c): one that
 * forces a command is final, behind one that refuses a source or a time another may follow.
 */
static bool is_decided(const char *state)
{
	return mp_str_eq(state, "ok") || mp_str_eq(state, "command");
}

json_t *mp_ssh_authorized_fact(const char *text)
{
	json_t *keys = json_object(), *ours = json_object();
	const char *line;
	struct grant g;
	size_t n;

	while (next_line(&text, &line, &n)) {
		if (!parse_grant(line, n, &g))
			continue;
		if (!g.ca && !is_decided(mp_json_str(keys, g.pub.ref, NULL)))
			json_object_set_new(keys, g.pub.ref, json_string(g.limit ? g.limit : "ok"));
		if (!g.ca && strncmp(g.comment, MP_SSH_COMMENT, strlen(MP_SSH_COMMENT)) == 0)
			add_to_list(ours, g.comment, g.pub.ref);
		free(g.comment);
	}
	return json_pack("{s:o,s:o}", "keys", keys, "ours", ours);
}

/* Both lists as sets, for look-ups. */
static void authorized_sets(const json_t *keys, const json_t *stale, json_t *refs, json_t *comments)
{
	const json_t *k;
	size_t i;

	json_array_foreach((json_t *)keys, i, k)
	{
		json_object_set_new(refs, mp_json_str(k, "ref", ""), json_true());
		if (!mp_json_bool(k, "keep", false))
			json_object_set_new(comments, mp_json_str(k, "comment", ""), json_true());
	}
	json_array_foreach((json_t *)stale, i, k)
		json_object_set_new(comments, json_string_value(k), json_true());
}

static void end_line(struct mp_buf *out)
{
	if (out->size && out->data[out->size - 1] != '\n')
		mp_buf_puts(out, "\n");
}

char *mp_ssh_authorized_edit(const char *text, const json_t *keys, const json_t *stale)
{
	json_t *refs = json_object(), *comments = json_object(), *have = json_object(), *k;
	mp_auto_buf struct mp_buf out;
	const char *line;
	struct grant g;
	size_t n, i;

	mp_buf_init(&out, 0);
	authorized_sets(keys, stale, refs, comments);
	while (next_line(&text, &line, &n)) {
		bool drop = false;

		if (parse_grant(line, n, &g)) {
			drop = !g.ca && json_object_get(comments, g.comment) &&
			       !json_object_get(refs, g.pub.ref);
			if (!g.ca)
				json_object_set_new(have, g.pub.ref, json_true());
			free(g.comment);
		}
		if (!drop)
			mp_buf_add(&out, line, n);
	}
	json_array_foreach((json_t *)keys, i, k)
	{
		const char *ref = mp_json_str(k, "ref", "");

		if (json_object_get(have, ref))
			continue;
		json_object_set_new(have, ref, json_true());
		end_line(&out);
		mp_buf_printf(&out, "%s %s\n", mp_json_str(k, "key", ""),
			      mp_json_str(k, "comment", ""));
	}
	json_decref(refs);
	json_decref(comments);
	json_decref(have);
	return mp_buf_take(&out);
}

/* ---- known_hosts ---- */

struct entry {
	enum { ENTRY_PLAIN, ENTRY_HASHED, ENTRY_REVOKED, ENTRY_OTHER } kind;
	const char *names;
	size_t n_names;
	struct mp_ssh_pub pub;
};

static bool parse_entry(const char *s, size_t size, struct entry *ret)
{
	size_t skip = strspn(s, " \t"), mark;
	struct entry e = { .kind = ENTRY_PLAIN };

	if (skip >= size || strchr("#\r\n", s[skip]))
		return false;
	if (s[skip] == '@') {
		mark = strcspn(s + skip, " \t\r\n");
		e.kind = mark == 8 && strncmp(s + skip, "@revoked", 8) == 0 ? ENTRY_REVOKED
									    : ENTRY_OTHER;
		skip += mark;
		skip += strspn(s + skip, " \t");
	}
	e.names = s + skip;
	e.n_names = strcspn(s + skip, " \t\r\n");
	skip += e.n_names;
	skip += strspn(s + skip, " \t");
	if (skip >= size || !mp_ssh_pub_parse(s + skip, size - skip, &e.pub))
		return false;
	if (e.kind == ENTRY_PLAIN && e.names[0] == '|')
		e.kind = ENTRY_HASHED;
	*ret = e;
	return true;
}

static bool b64_field(const char *s, size_t size, uint8_t *out, size_t want)
{
	struct base64_decode_ctx ctx;
	uint8_t bytes[BASE64_DECODE_LENGTH(64)];
	size_t n = sizeof(bytes);

	if (size > 64)
		return false;
	base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &n, bytes, size, s) || !base64_decode_final(&ctx) ||
	    n != want)
		return false;
	memcpy(out, bytes, want);
	return true;
}

/* Salt and hash of "|1|SALT|HASH" (hostfile.c of OpenSSH: HMAC-SHA1 of the name, keyed by the
 * salt). */
static bool parse_hashed(const char *s, size_t size, struct hmac_sha1_ctx *ctx,
			 uint8_t hash[static SHA1_DIGEST_SIZE])
{
	uint8_t salt[SHA1_DIGEST_SIZE];
	const char *bar;

	if (size < 3 || memcmp(s, "|1|", 3) != 0)
		return false;
	s += 3;
	size -= 3;
	bar = memchr(s, '|', size);
	if (!bar || !b64_field(s, (size_t)(bar - s), salt, sizeof(salt)) ||
	    !b64_field(bar + 1, size - (size_t)(bar - s) - 1, hash, SHA1_DIGEST_SIZE))
		return false;
	hmac_sha1_set_key(ctx, sizeof(salt), salt);
	return true;
}

static bool hashed_is(struct hmac_sha1_ctx *ctx, const uint8_t *hash, const char *name)
{
	uint8_t digest[SHA1_DIGEST_SIZE];

	hmac_sha1_update(ctx, strlen(name), (const uint8_t *)name);
	hmac_sha1_digest(ctx, sizeof(digest), digest); /* and resets to the key */
	return memcmp(digest, hash, sizeof(digest)) == 0;
}

/* The name that a hashed entry stands for, or NULL if it is none of names. */
static const char *unhash(const struct entry *e, const json_t *names)
{
	uint8_t hash[SHA1_DIGEST_SIZE];
	struct hmac_sha1_ctx ctx;
	const json_t *name;
	size_t i;

	if (!parse_hashed(e->names, e->n_names, &ctx, hash))
		return NULL;
	json_array_foreach(
		(json_t *)names, i,
		name) if (hashed_is(&ctx, hash,
				    json_string_value(name))) return json_string_value(name);
	return NULL;
}

static bool is_pattern(const char *name)
{
	return name[0] == '!' || strpbrk(name, "*?");
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Turns {REF: [name...]} into {REF: "name,name"}, sorted, without duplicates. */
static json_t *join_names(json_t *lists)
{
	json_t *ret = json_object(), *list, *name;
	const char *ref;
	size_t i;

	json_object_foreach(lists, ref, list)
	{
		mp_auto_strv struct mp_strv v = { 0 };
		mp_auto_buf struct mp_buf b;

		mp_buf_init(&b, 0);
		json_array_foreach(list, i, name)
		{
			mp_strv_add(&v, json_string_value(name));
		}
		qsort(v.v, v.n, sizeof(*v.v), by_bytes);
		for (i = 0; i < v.n; i++)
			if (i == 0 || strcmp(v.v[i], v.v[i - 1]) != 0)
				mp_buf_printf(&b, "%s%s", i ? "," : "", v.v[i]);
		json_object_set_new(ret, ref, json_string(mp_buf_peek(&b)));
	}
	json_decref(lists);
	return ret;
}

json_t *mp_ssh_known_fact(const char *text, const json_t *names)
{
	json_t *keys = json_object(), *hashed = json_object(), *revoked = json_object();
	json_t *list = json_array(), *value;
	const char *line, *name;
	struct entry e;
	size_t n;

	while (next_line(&text, &line, &n)) {
		mp_auto_strv struct mp_strv v = { 0 };
		mp_auto_free char *joined = NULL;

		if (!parse_entry(line, n, &e) || e.kind == ENTRY_OTHER)
			continue;
		if (e.kind == ENTRY_REVOKED) {
			json_object_set_new(revoked, e.pub.ref, json_true());
			continue;
		}
		if (e.kind == ENTRY_HASHED) {
			name = unhash(&e, names);
			if (name)
				add_to_list(hashed, e.pub.ref, name);
			continue;
		}
		joined = mp_xstrndup(e.names, e.n_names);
		mp_str_split(joined, ",", &v);
		for (size_t i = 0; i < v.n; i++)
			if (!is_pattern(v.v[i]))
				add_to_list(keys, e.pub.ref, v.v[i]);
	}
	json_object_foreach(revoked, name, value)
	{
		json_array_append_new(list, json_string(name));
	}
	json_decref(revoked);
	return json_pack("{s:o,s:o,s:o}", "keys", join_names(keys), "hashed", join_names(hashed),
			 "revoked", list);
}

char *mp_ssh_name_type(const char *name, const char *ref)
{
	return mp_xasprintf("%s %.*s", name, (int)strcspn(ref, " "), ref);
}

json_t *mp_ssh_known_map(const json_t *entries)
{
	json_t *map = json_object(), *e;
	size_t i;

	json_array_foreach((json_t *)entries, i, e)
	{
		const char *ref = mp_json_str(e, "ref", "");
		mp_auto_strv struct mp_strv v = { 0 }, said = { 0 };

		mp_str_split(mp_json_str(e, "names", ""), ",", &v);
		mp_str_split(mp_json_str(e, "said", ""), ",", &said);
		for (size_t j = 0; j < v.n; j++) {
			mp_auto_free char *at = NULL, *both = NULL;
			const char *had;

			if (mp_strv_has(&said, v.v[j]))
				continue;
			at = mp_ssh_name_type(v.v[j], ref);
			had = mp_json_str(map, at, NULL);
			both = had ? mp_xasprintf("%s,%s", had, ref) : mp_xstrdup(ref);

			json_object_set_new(map, at, json_string(both));
		}
	}
	return map;
}

/* Our name, and the key before it is another one than wanted. */
static bool is_wrong(const json_t *map, const char *name, const char *ref)
{
	mp_auto_free char *at = mp_ssh_name_type(name, ref);
	const char *wanted = mp_json_str(map, at, NULL);

	return wanted && !strstr(wanted, ref);
}

static bool all_within(const struct mp_strv *a, const struct mp_strv *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (!mp_strv_has(b, a->v[i]))
			return false;
	return true;
}

struct known_edit {
	const json_t *names;
	json_t *map;     /* mp_ssh_known_map() */
	json_t *by_ref;  /* REF: entry (borrowed) */
	json_t *missing; /* REF: true while its entry is not yet covered */
	struct mp_buf *out;
};

/* A plain line: without the wrong names, or, where it is part of a wanted one, as that one. */
static void edit_plain(struct known_edit *k, const char *line, size_t size, const struct entry *e)
{
	const json_t *want = json_object_get(k->by_ref, e->pub.ref);
	mp_auto_strv struct mp_strv v = { 0 }, keep = { 0 }, all = { 0 };
	mp_auto_free char *joined = mp_xstrndup(e->names, e->n_names);
	size_t head = (size_t)(e->names - line);

	mp_str_split(joined, ",", &v);
	for (size_t i = 0; i < v.n; i++)
		if (!is_wrong(k->map, v.v[i], e->pub.ref))
			mp_strv_add(&keep, v.v[i]);
	if (!keep.n)
		return;
	mp_str_split(mp_json_str(want, "names", ""), ",", &all);
	if (want && json_object_get(k->missing, e->pub.ref) && all_within(&keep, &all)) {
		json_object_del(k->missing, e->pub.ref);
		mp_buf_add(k->out, line, head);
		mp_buf_puts(k->out, mp_json_str(want, "names", ""));
	} else if (keep.n == v.n) {
		mp_buf_add(k->out, line, size);
		return;
	} else {
		mp_buf_add(k->out, line, head);
		for (size_t i = 0; i < keep.n; i++)
			mp_buf_printf(k->out, "%s%s", i ? "," : "", keep.v[i]);
	}
	mp_buf_add(k->out, line + head + e->n_names, size - head - e->n_names);
}

/* The entries that no set of plain lines covers yet. */
static void find_missing(struct known_edit *k, const json_t *entries, const json_t *fact)
{
	const json_t *keys = json_object_get(fact, "keys");
	json_t *e;
	size_t i;

	json_array_foreach((json_t *)entries, i, e)
	{
		const char *ref = mp_json_str(e, "ref", "");
		mp_auto_strv struct mp_strv want = { 0 }, have = { 0 };

		json_object_set(k->by_ref, ref, e);
		mp_str_split(mp_json_str(e, "names", ""), ",", &want);
		mp_str_split(mp_json_str(keys, ref, ""), ",", &have);
		if (!all_within(&want, &have))
			json_object_set_new(k->missing, ref, json_true());
	}
}

char *mp_ssh_known_edit(const char *text, const json_t *entries, const json_t *names)
{
	mp_auto_buf struct mp_buf out;
	struct known_edit k = { names, mp_ssh_known_map(entries), json_object(), json_object(),
				&out };
	json_t *fact = mp_ssh_known_fact(text, names), *want;
	const char *line, *name;
	struct entry e;
	size_t n, i;

	mp_buf_init(&out, 0);
	find_missing(&k, entries, fact);
	while (next_line(&text, &line, &n)) {
		if (!parse_entry(line, n, &e)) {
			mp_buf_add(&out, line, n);
		} else if (e.kind == ENTRY_PLAIN) {
			edit_plain(&k, line, n, &e);
		} else {
			name = e.kind == ENTRY_HASHED ? unhash(&e, names) : NULL;
			if (!name || !is_wrong(k.map, name, e.pub.ref))
				mp_buf_add(&out, line, n);
		}
	}
	json_array_foreach((json_t *)entries, i, want)
	{
		const char *ref = mp_json_str(want, "ref", "");

		if (!json_object_get(k.missing, ref))
			continue;
		end_line(&out);
		mp_buf_printf(&out, "%s %s\n", mp_json_str(want, "names", ""),
			      mp_json_str(want, "key", ""));
	}
	json_decref(fact);
	json_decref(k.map);
	json_decref(k.by_ref);
	json_decref(k.missing);
	return mp_buf_take(&out);
}
