/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "transport/ssh-key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/alloc.h"
#include "base/limits.h"

static const char openssh_magic[] = "openssh-key-v1"; /* with its NUL: PROTOCOL.key of OpenSSH */

static void wipe_free(char *p, size_t size)
{
	if (p)
		explicit_bzero(p, size);
	free(p);
}

void mp_ssh_key_fini(struct mp_ssh_key *k)
{
	wipe_free(k->text, k->size);
	free(k->blob);
	*k = (struct mp_ssh_key){ 0 };
}

/* The whole file; absent: 0 with *ret NULL. */
static int slurp(const char *path, bool secret, char **ret, size_t *ret_size, struct mp_err *err)
{
	mp_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	char *text;
	size_t size = 0;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0) {
		mp_err_sys(err, errno, "open %s", path);
		if (err && (err->sys == EACCES || err->sys == EPERM))
			err->code = MP_E_DENIED;
		return -1;
	}
	if (!S_ISREG(st.st_mode))
		return mp_err_set(err, MP_E_INPUT, "%s is not a regular file", path);
	if (secret && st.st_uid == getuid() && (st.st_mode & 077))
		return mp_err_set(err, MP_E_DENIED, "%s may be read by others; run: chmod 600 %s",
				  path, path);
	if (st.st_size > MP_MAX_KEY_FILE_BYTES)
		return mp_err_set(err, MP_E_LIMIT, "%s is too large for a key", path);
	text = mp_xcalloc((size_t)st.st_size + 1, 1);
	while (size < (size_t)st.st_size) {
		ssize_t n = read(fd, text + size, (size_t)st.st_size - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		size += (size_t)n;
	}
	*ret = text;
	*ret_size = size;
	return 0;
}

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* An SSH string at *p; false when it does not fit. */
static bool take_string(const unsigned char **p, size_t *left, const unsigned char **ret,
			size_t *ret_size)
{
	uint32_t n;

	if (*left < 4)
		return false;
	n = be32(*p);
	if (n > *left - 4)
		return false;
	*ret = *p + 4;
	*ret_size = n;
	*p += 4 + n;
	*left -= 4 + n;
	return true;
}

void mp_ssh_blob_type(const unsigned char *blob, size_t size, char *ret, size_t ret_size)
{
	const unsigned char *type;
	size_t n;

	*ret = '\0';
	if (!take_string(&blob, &size, &type, &n) || n >= ret_size)
		return;
	for (size_t i = 0; i < n; i++)
		if (type[i] <= ' ' || type[i] > '~')
			return;
	memcpy(ret, type, n);
	ret[n] = '\0';
}

void mp_ssh_blob_fingerprint(const unsigned char *blob, size_t size, char ret[64])
{
	unsigned char hash[32];
	gnutls_datum_t raw = { hash, sizeof(hash) }, text = { 0 };

	snprintf(ret, 64, "SHA256:?");
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, blob, size, hash) == 0 &&
	    gnutls_base64_encode2(&raw, &text) == 0) {
		while (text.size && text.data[text.size - 1] == '=')
			text.size--;
		snprintf(ret, 64, "SHA256:%.*s", (int)text.size, (const char *)text.data);
	}
	gnutls_free(text.data);
}

static void set_blob(struct mp_ssh_key *k, const unsigned char *blob, size_t size)
{
	k->blob = mp_xmalloc(size);
	memcpy(k->blob, blob, size);
	k->blob_size = size;
	mp_ssh_blob_type(blob, size, k->type, sizeof(k->type));
}

/* Header of the OpenSSH format: the public half and the cipher are readable without the passphrase.
 */
static int parse_openssh(struct mp_ssh_key *k, const char *body, const char *path,
			 struct mp_err *err)
{
	const char *end = strstr(body, "-----END");
	gnutls_datum_t text = { (unsigned char *)(uintptr_t)body,
				(unsigned int)(end ? end - body : 0) };
	gnutls_datum_t raw = { 0 };
	const unsigned char *p, *cipher, *skip, *blob;
	size_t left, cipher_size, skip_size, blob_size;
	bool good;

	if (!end || gnutls_base64_decode2(&text, &raw) < 0)
		return mp_err_set(err, MP_E_INPUT, "%s is damaged: not base64", path);
	p = raw.data;
	left = raw.size;
	good = left > sizeof(openssh_magic) && memcmp(p, openssh_magic, sizeof(openssh_magic)) == 0;
	if (good) {
		p += sizeof(openssh_magic);
		left -= sizeof(openssh_magic);
		good = take_string(&p, &left, &cipher, &cipher_size) &&
		       take_string(&p, &left, &skip, &skip_size) &&
		       take_string(&p, &left, &skip, &skip_size) && left >= 4;
	}
	if (good) {
		p += 4;
		left -= 4;
		good = take_string(&p, &left, &blob, &blob_size);
	}
	if (good) {
		k->encrypted = cipher_size != 4 || memcmp(cipher, "none", 4) != 0;
		set_blob(k, blob, blob_size);
	}
	gnutls_memset(raw.data, 0, raw.size);
	gnutls_free(raw.data);
	return good ? 0 : mp_err_set(err, MP_E_INPUT, "%s is damaged: bad header", path);
}

/* PATH.pub, "type base64 comment"; its absence or damage does not matter. */
static void read_public(struct mp_ssh_key *k, const char *path)
{
	mp_auto_free char *pub = mp_xasprintf("%s.pub", path), *text = NULL;
	gnutls_datum_t b64, raw = { 0 };
	size_t size;
	char *key;

	if (slurp(pub, false, &text, &size, NULL) < 0 || !text || !(key = strchr(text, ' ')))
		return;
	key++;
	b64 = (gnutls_datum_t){ (unsigned char *)key, (unsigned int)strcspn(key, " \r\n") };
	if (gnutls_base64_decode2(&b64, &raw) == 0)
		set_blob(k, raw.data, raw.size);
	gnutls_free(raw.data);
}

int mp_ssh_key_load(const char *path, struct mp_ssh_key *ret, struct mp_err *err)
{
	static const char openssh[] = "-----BEGIN OPENSSH PRIVATE KEY-----";
	mp_auto_ssh_key struct mp_ssh_key k = { 0 };
	const char *begin;

	if (slurp(path, true, &k.text, &k.size, err) < 0)
		return -1;
	begin = k.text ? strstr(k.text, "-----BEGIN ") : NULL;
	if (k.text && (!begin || !strstr(begin, "PRIVATE KEY-----")))
		return mp_err_set(err, MP_E_INPUT, "%s is not a private key", path);
	if (begin && strncmp(begin, openssh, sizeof(openssh) - 1) == 0) {
		if (parse_openssh(&k, begin + sizeof(openssh) - 1, path, err) < 0)
			return -1;
	} else if (begin) {
		k.encrypted = strstr(begin, "ENCRYPTED") != NULL;
		if (strncmp(begin, "-----BEGIN RSA ", 15) == 0)
			snprintf(k.type, sizeof(k.type), "ssh-rsa");
		read_public(&k, path);
	} else {
		read_public(&k, path);
	}
	*ret = k;
	k = (struct mp_ssh_key){ 0 };
	return 0;
}
