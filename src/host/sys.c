/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sys: one host as its agent sees it: opening, and looking at files below the root. */
#include "config.h"
#include "host/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "host/internal.h"
#include "host/journal.h"

int mp_sys_open(const char *root, struct mp_sys **ret, struct mp_err *err)
{
	struct mp_sys *sys;
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return mp_err_sys(err, errno, "open root directory %s", root);
	sys = mp_xcalloc(1, sizeof(*sys));
	sys->root = fd;
	sys->real = strcmp(root, "/") == 0;
	*ret = sys;
	return 0;
}

void mp_sys_close(struct mp_sys *sys)
{
	if (!sys)
		return;
	mp_journal_close(sys->journal);
	for (size_t i = 0; i < sys->n_seen; i++)
		free(sys->seen[i].path);
	free(sys->seen);
	close(sys->root);
	free(sys);
}

bool mp_sys_is_real(const struct mp_sys *sys)
{
	return sys->real;
}

const struct mp_seen *mp_seen_get(const struct mp_sys *sys, const char *path)
{
	for (size_t i = 0; i < sys->n_seen; i++)
		if (strcmp(sys->seen[i].path, path) == 0)
			return &sys->seen[i];
	return NULL;
}

void mp_seen_set(struct mp_sys *sys, const char *path, const struct stat *st)
{
	struct mp_seen *s = (struct mp_seen *)mp_seen_get(sys, path);

	if (!s) {
		sys->seen = mp_xreallocarray(sys->seen, sys->n_seen + 1, sizeof(*sys->seen));
		s = &sys->seen[sys->n_seen++];
		s->path = mp_xstrdup(path);
	}
	s->exists = st != NULL;
	s->st = st ? *st : (struct stat){ 0 };
}

int mp_fd_read(int fd, const char *path, size_t limit, char **ret, size_t *ret_size,
	       struct mp_err *err)
{
	mp_auto_buf struct mp_buf b;
	char chunk[65536];
	ssize_t n;

	/* Read to the end instead of trusting st_size: files of /proc say 0. */
	mp_buf_init(&b, limit);
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mp_err_sys(err, errno, "read %s", path);
		if (!mp_buf_add(&b, chunk, (size_t)n))
			return mp_err_set(err, MP_E_LIMIT, "%s is larger than %zu bytes", path,
					  limit);
	}
	if (ret_size)
		*ret_size = b.size;
	*ret = mp_buf_take(&b);
	return 0;
}

int mp_fd_write(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int mp_sys_read(struct mp_sys *sys, const char *path, char **ret, size_t *ret_size,
		struct stat *ret_st, struct mp_err *err)
{
	mp_auto_place struct mp_place at = MP_PLACE_INIT;
	mp_auto_close int fd = -1;
	bool no_parent = false;
	char *text = NULL;
	size_t size = 0;

	if (mp_place_find(sys, path, false, &no_parent, &at, err) < 0)
		return -1;
	if (no_parent || !at.exists) {
		if (!no_parent)
			mp_seen_set(sys, at.path, NULL);
		*ret = NULL;
		if (ret_size)
			*ret_size = 0;
		return 0;
	}
	/* Not before opening: a FIFO or a device must neither block us nor be touched. */
	if (!S_ISREG(at.st.st_mode))
		return mp_err_set(err, MP_E_INPUT, "%s is not a regular file", path);
	fd = openat(at.dir, at.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &at.st) < 0)
		return mp_err_sys(err, errno, "open %s", path);
	if (mp_fd_read(fd, path, MP_MAX_FILE_BYTES, &text, &size, err) < 0)
		return -1;
	mp_seen_set(sys, at.path, &at.st);
	if (ret_st)
		*ret_st = at.st;
	if (ret_size)
		*ret_size = size;
	*ret = text;
	return 0;
}

int mp_sys_stat(struct mp_sys *sys, const char *path, bool *ret_exists, struct stat *ret_st,
		struct mp_err *err)
{
	mp_auto_place struct mp_place at = MP_PLACE_INIT;
	bool no_parent = false;

	if (mp_place_find(sys, path, false, &no_parent, &at, err) < 0)
		return -1;
	*ret_exists = !no_parent && at.exists;
	if (*ret_exists && ret_st)
		*ret_st = at.st;
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int mp_sys_list(struct mp_sys *sys, const char *path, struct mp_strv *ret, struct mp_err *err)
{
	mp_auto_place struct mp_place at = MP_PLACE_INIT;
	bool no_parent = false;
	size_t first = ret->n;
	struct dirent *e;
	DIR *d;
	int fd;

	if (mp_place_find(sys, path, false, &no_parent, &at, err) < 0)
		return -1;
	if (no_parent || !at.exists)
		return 0;
	fd = openat(at.dir, at.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		mp_err_sys(err, errno, "open directory %s", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			mp_strv_add(ret, e->d_name);
	closedir(d);
	if (ret->n > first)
		qsort(ret->v + first, ret->n - first, sizeof(*ret->v), by_bytes);
	return 0;
}
