/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bundle: the agent as it is pushed, from the files that build-aux/bundle-agent.sh made. */
#include "config.h"
#include "fleet/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/crypto.h>

#include "base/alloc.h"
#include "base/limits.h"

void mp_bundle_fini(struct mp_bundle *b)
{
	free(b->tar);
	free(b->sums);
	free(b->local_agent);
	*b = (struct mp_bundle){ 0 };
}

static int read_whole(const char *path, size_t limit, char **ret, size_t *ret_size,
		      struct mp_err *err)
{
	mp_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	mp_auto_free char *data = NULL;
	struct stat st;
	size_t size = 0;

	if (fd < 0 || fstat(fd, &st) < 0) {
		mp_err_sys(err, errno, "open %s", path);
		return mp_err_wrap(err,
				   "the agent's files are not complete; install migprep again");
	}
	if ((size_t)st.st_size > limit)
		return mp_err_set(err, MP_E_LIMIT, "%s is larger than %zu bytes", path, limit);
	data = mp_xmalloc((size_t)st.st_size + 1);
	while (size < (size_t)st.st_size) {
		ssize_t n = read(fd, data + size, (size_t)st.st_size - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mp_err_sys(err, errno, "read %s", path);
		if (n == 0)
			break;
		size += (size_t)n;
	}
	data[size] = '\0';
	*ret = mp_steal(&data);
	*ret_size = size;
	return 0;
}

/* "64 hex digits, two blanks, a plain file name" on every line: it is put into a shell command. */
static int check_sums(const char *path, const char *s, struct mp_err *err)
{
	static const char hex[] = "0123456789abcdef";
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._+-";

	if (!*s)
		return mp_err_set(err, MP_E_INPUT, "%s is empty; install migprep again", path);
	while (*s) {
		size_t name = strspn(s, hex) == 64 && strncmp(s + 64, "  ", 2) == 0
				      ? strspn(s + 66, plain)
				      : 0;

		if (!name || s[66] == '-' || s[66] == '.' || s[66 + name] != '\n')
			return mp_err_set(
				err, MP_E_INPUT,
				"%s is not in the form of sha256sum; install migprep again", path);
		s += 66 + name + 1;
	}
	return 0;
}

int mp_bundle_load(const char *dir, struct mp_bundle *ret, struct mp_err *err)
{
	mp_auto_free char *tar = mp_xasprintf("%s/migprep-agent.tar", dir);
	mp_auto_free char *sums = mp_xasprintf("%s/SHA256SUMS", dir);
	struct mp_bundle b = { 0 };
	unsigned char hash[32];
	size_t size;

	if (read_whole(tar, MP_MAX_BUNDLE_BYTES, &b.tar, &b.tar_size, err) < 0 ||
	    read_whole(sums, 65536, &b.sums, &size, err) < 0 || check_sums(sums, b.sums, err) < 0) {
		mp_bundle_fini(&b);
		return -1;
	}
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, b.sums, size, hash) < 0) {
		mp_bundle_fini(&b);
		return mp_err_set(err, MP_E_UNSUPPORTED, "GnuTLS has no SHA-256 here");
	}
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(b.address + 2 * i, 3, "%02x", hash[i]);
	b.local_agent = mp_xasprintf("%s/migprep-agent", dir);
	*ret = b;
	return 0;
}
