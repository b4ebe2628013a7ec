/* SPDX-License-Identifier: GPL-3.0-or-later */
/* host/internal: what the files of this room share: the root, and where a path leads inside it. */
#ifndef MP_HOST_INTERNAL_H
#define MP_HOST_INTERNAL_H

#include <limits.h>

#include "host/host.h"

/* What mp_sys_read() saw, so that mp_sys_write() notices a change by somebody else. */
struct mp_seen {
	char *path; /* as resolved */
	bool exists;
	struct stat st;
};

struct mp_sys {
	int root; /* directory descriptor */
	bool real;
	struct mp_seen *seen;
	size_t n_seen;
	struct mp_journal *journal; /* NULL until the first mp_sys_begin() */
};

/* Where a path leads: every link followed inside the root, the last component not opened. */
struct mp_place {
	int dir;             /* descriptor of the directory that holds it; owned */
	char path[PATH_MAX]; /* in the host's view, without links */
	const char *name;    /* last component, within path; "." for the root itself */
	bool exists;         /* and st says what it is; never a link */
	struct stat st;
};

#define mp_auto_place __attribute__((cleanup(mp_place_fini)))
#define MP_PLACE_INIT                                                                              \
	{                                                                                          \
		.dir = -1                                                                          \
	}

void mp_place_fini(struct mp_place *p);

/*
 * Resolves path. A missing last component is a place that does not exist; a missing parent is
 * *ret_no_parent true and 0 (if ret_no_parent is NULL: an error). A dangling link is an error only
 * where for_change says so, otherwise it counts as absent.
 */
int mp_place_find(struct mp_sys *sys, const char *path, bool for_change, bool *ret_no_parent,
		  struct mp_place *ret, struct mp_err *err);

/* Reads a regular file up to limit. ret_st may be NULL. */
int mp_fd_read(int fd, const char *path, size_t limit, char **ret, size_t *ret_size,
	       struct mp_err *err);
/* Writes all of it. */
int mp_fd_write(int fd, const void *data, size_t size);

void mp_seen_set(struct mp_sys *sys, const char *path, const struct stat *st);
const struct mp_seen *mp_seen_get(const struct mp_sys *sys, const char *path);

#endif
