/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh-text: keys, public and private. The line files are in ssh-lines.c. */
#include "config.h"
#include "model/ssh-text.h"

#include <nettle/base64.h>
#include <nettle/sha2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

#define MAX_BLOB 16384 /* the largest public key that OpenSSH writes (RSA 16384) has 2071 bytes */
#define KEY_MAGIC "openssh-key-v1" /* PROTOCOL.key, with its NUL */

/* A cursor over the binary strings of RFC 4251, section 5. */
struct reader {
	const uint8_t *p;
	size_t left;
};

static bool get_u32(struct reader *r, uint32_t *ret)
{
	if (r->left < 4)
		return false;
	*ret = (uint32_t)r->p[0] << 24 | (uint32_t)r->p[1] << 16 | (uint32_t)r->p[2] << 8 | r->p[3];
	r->p += 4;
	r->left -= 4;
	return true;
}

static bool get_string(struct reader *r, const uint8_t **ret, size_t *ret_size)
{
	uint32_t n;

	if (!get_u32(r, &n) || n > r->left)
		return false;
	*ret = r->p;
	*ret_size = n;
	r->p += n;
	r->left -= n;
	return true;
}

/* Decodes base64 of at most max bytes into a new buffer. NULL: it is none. */
static uint8_t *decode(const char *s, size_t size, size_t max, size_t *ret_size)
{
	struct base64_decode_ctx ctx;
	mp_auto_free uint8_t *out = NULL;
	size_t n = BASE64_DECODE_LENGTH(size);

	if (!size || n > max)
		return NULL;
	out = mp_xmalloc(n + 1);
	base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &n, out, size, s) || !base64_decode_final(&ctx) || !n)
		return NULL;
	*ret_size = n;
	return mp_steal(&out);
}

static int mpint_bits(const uint8_t *p, size_t n)
{
	int bits;

	while (n && !*p) {
		p++;
		n--;
	}
	if (!n)
		return 0;
	bits = (int)(n - 1) * 8;
	for (unsigned top = *p; top; top >>= 1)
		bits++;
	return bits;
}

static int key_bits(const char *type, struct reader r)
{
	const uint8_t *p;
	size_t n;

	if (strcmp(type, "ssh-ed25519") == 0)
		return 256;
	if (strncmp(type, "ecdsa-sha2-nistp", 16) == 0)
		return strcmp(type + 16, "256") == 0   ? 256
		       : strcmp(type + 16, "384") == 0 ? 384
						       : 521;
	if (strcmp(type, "ssh-rsa") == 0 && get_string(&r, &p, &n) && get_string(&r, &p, &n))
		return mpint_bits(p, n);
	return 0;
}

static void fingerprint(const uint8_t *blob, size_t size, char ret[static 51])
{
	struct sha256_ctx ctx;
	uint8_t digest[SHA256_DIGEST_SIZE];
	char text[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE)];

	sha256_init(&ctx);
	sha256_update(&ctx, size, blob);
	sha256_digest(&ctx, sizeof(digest), digest);
	base64_encode_raw(text, sizeof(digest), digest);
	/* 44 characters, the last is padding, which ssh-keygen leaves out. */
	snprintf(ret, 51, "SHA256:%.43s", text);
}

static size_t blanks(const char *s, size_t size)
{
	size_t n = 0;

	while (n < size && (s[n] == ' ' || s[n] == '\t'))
		n++;
	return n;
}

static size_t word(const char *s, size_t size)
{
	size_t n = 0;

	while (n < size && !strchr(" \t\r\n", s[n]) && s[n])
		n++;
	return n;
}

bool mp_ssh_pub_parse(const char *s, size_t size, struct mp_ssh_pub *ret)
{
	mp_auto_free uint8_t *blob = NULL;
	size_t n_type = word(s, size), gap, n_b64, n_blob, n;
	struct mp_ssh_pub k = { .key = s };
	struct reader r;
	const uint8_t *p;

	if (!n_type || n_type >= sizeof(k.type))
		return false;
	gap = blanks(s + n_type, size - n_type);
	n_b64 = word(s + n_type + gap, size - n_type - gap);
	blob = decode(s + n_type + gap, n_b64, MAX_BLOB, &n_blob);
	if (!gap || !blob)
		return false;
	r = (struct reader){ blob, n_blob };
	if (!get_string(&r, &p, &n) || n != n_type || memcmp(p, s, n) != 0)
		return false;
	memcpy(k.type, s, n_type);
	k.bits = key_bits(k.type, r);
	k.key_len = n_type + gap + n_b64;
	fingerprint(blob, n_blob, k.fingerprint);
	snprintf(k.ref, sizeof(k.ref), "%s %s", k.type, k.fingerprint);
	k.comment = s + k.key_len + blanks(s + k.key_len, size - k.key_len);
	while (k.comment + k.comment_len < s + size && !strchr("\r\n", k.comment[k.comment_len]))
		k.comment_len++;
	while (k.comment_len && strchr(" \t", k.comment[k.comment_len - 1]))
		k.comment_len--;
	*ret = k;
	return true;
}

/* The public half and whether a cipher is used, from the decoded body of an OpenSSH private key. */
static enum mp_ssh_private openssh_key(struct reader r, char **ret_key)
{
	const uint8_t *cipher, *kdf, *opts, *pub, *type, *secret;
	size_t n_cipher, n_kdf, n_opts, n_pub, n_type, n_secret;
	mp_auto_free char *b64 = NULL;
	struct reader inner;
	uint32_t count;

	if (r.left < sizeof(KEY_MAGIC) || memcmp(r.p, KEY_MAGIC, sizeof(KEY_MAGIC)) != 0)
		return MP_SSH_PRIVATE_BROKEN;
	r.p += sizeof(KEY_MAGIC);
	r.left -= sizeof(KEY_MAGIC);
	if (!get_string(&r, &cipher, &n_cipher) || !get_string(&r, &kdf, &n_kdf) ||
	    !get_string(&r, &opts, &n_opts) || !get_u32(&r, &count) || count != 1 ||
	    !get_string(&r, &pub, &n_pub) || !get_string(&r, &secret, &n_secret) || !n_secret)
		return MP_SSH_PRIVATE_BROKEN;
	inner = (struct reader){ pub, n_pub };
	if (n_pub > MAX_BLOB || !get_string(&inner, &type, &n_type) || !n_type)
		return MP_SSH_PRIVATE_BROKEN;
	b64 = mp_xcalloc(1, BASE64_ENCODE_RAW_LENGTH(n_pub) + 1);
	base64_encode_raw(b64, n_pub, pub);
	*ret_key = mp_xasprintf("%.*s %s", (int)n_type, (const char *)type, b64);
	return n_cipher == 4 && memcmp(cipher, "none", 4) == 0 ? MP_SSH_PRIVATE_PLAIN
							       : MP_SSH_PRIVATE_LOCKED;
}

enum mp_ssh_private mp_ssh_private_parse(const char *text, size_t size, char **ret_key)
{
	static const char begin[] = "-----BEGIN OPENSSH PRIVATE KEY-----",
			  end[] = "-----END OPENSSH PRIVATE KEY-----";
	enum mp_ssh_private kind = MP_SSH_PRIVATE_BROKEN;
	mp_auto_free uint8_t *body = NULL;
	const char *stop;
	size_t n;

	*ret_key = NULL;
	if (strlen(text) != size)
		return MP_SSH_PRIVATE_BROKEN;
	if (strncmp(text, begin, sizeof(begin) - 1) != 0) {
		if (strncmp(text, "-----BEGIN ", 11) != 0 || !strstr(text, "PRIVATE KEY-----\n") ||
		    !strstr(text, "-----END "))
			return MP_SSH_PRIVATE_BROKEN;
		return strstr(text, "ENCRYPTED") ? MP_SSH_PRIVATE_LOCKED : MP_SSH_PRIVATE_OTHER;
	}
	stop = strstr(text, end);
	if (!stop)
		return MP_SSH_PRIVATE_BROKEN;
	text += sizeof(begin) - 1;
	body = decode(text, (size_t)(stop - text), 4 * MAX_BLOB, &n);
	if (body) {
		kind = openssh_key((struct reader){ body, n }, ret_key);
		explicit_bzero(body, n);
	}
	return kind;
}
