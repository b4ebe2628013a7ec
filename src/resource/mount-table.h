/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mount-table: which file system a path lies on, from the text of /proc/self/mountinfo alone: to
 * look at the mount itself would wait for its server. Formats: proc(5), nfs(5).
 */
#ifndef MP_RESOURCE_MOUNT_TABLE_H
#define MP_RESOURCE_MOUNT_TABLE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "host/host.h"

struct mp_mount {
	char *point;   /* NULL: the host has no such table */
	char *type;    /* "nfs4" */
	char *source;  /* "10.0.0.1:/srv" */
	char *options; /* of the file system: "rw,vers=4.2,addr=10.0.0.1" */
};

#define mp_auto_mount __attribute__((cleanup(mp_mount_fini)))

void mp_mount_fini(struct mp_mount *m);

/*
 * The mount of the longest mount point that path begins with, of several at one point the last. st
 * (may be NULL): of path; where the table knows its device, that decides, for there may be links on
 * the way.
 */
int mp_mount_find(struct mp_sys *sys, const char *path, const struct stat *st, struct mp_mount *ret,
		  struct mp_err *err);

/* Whether files there belong to a server, or to all hosts together. */
bool mp_mount_is_remote(const struct mp_mount *m);

/* The same directory, but for slashes at the end. */
bool mp_mount_same_path(const char *a, const char *b);

/*
 * Splits "HOST:PATH" or "[ADDRESS]:PATH"; the heap string *ret_host belongs to the caller,
 * *ret_path points into source. False: it has no host.
 */
bool mp_mount_split(const char *source, char **ret_host, const char **ret_path);

/*
 * The comma-separated options have, without those that contradict wanted (ro and rw, X and noX,
 * another value), and then what is missing of wanted; `defaults` never is, beside others. The heap
 * string belongs to the caller.
 */
char *mp_mount_merge_options(const char *have, const char *wanted);

#endif
