/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * host: the agent's hands. Everything that reads, changes or runs something on a host goes through
 * here: below one root directory (so that tests have a fake root), with limits, deadlines and the
 * journal. Single thread. Paths are absolute in the host's view and resolved inside the root.
 */
#ifndef MP_HOST_HOST_H
#define MP_HOST_HOST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

struct mp_sys; /* one host as seen from its agent */

/* root: "/" or a directory that plays one. journal_dir is inside it, made 0700 when first needed.
 */
int mp_sys_open(const char *root, struct mp_sys **ret, struct mp_err *err);
void mp_sys_close(struct mp_sys *sys);
bool mp_sys_is_real(const struct mp_sys *sys); /* root is "/": services, netlink, NSS may be used */

/* ---- looking ---- */

/*
 * The whole file (at most MP_MAX_FILE_BYTES, else MP_E_LIMIT), NUL-terminated, owned by the caller.
 * Absent: 0 with *ret NULL. ret_st may be NULL. Symbolic links are followed inside the root.
 */
int mp_sys_read(struct mp_sys *sys, const char *path, char **ret, size_t *ret_size,
		struct stat *ret_st, struct mp_err *err);

/* fstatat; absent: 0 with *ret_exists false. Follows links. */
int mp_sys_stat(struct mp_sys *sys, const char *path, bool *ret_exists, struct stat *ret_st,
		struct mp_err *err);

/* The names in a directory without "." and "..", in byte order. Absent: 0 and nothing is added. */
int mp_sys_list(struct mp_sys *sys, const char *path, struct mp_strv *ret, struct mp_err *err);

struct mp_user {
	char name[33], home[256], shell[128];
	uid_t uid;
	gid_t gid;
};

/* By NSS on a real root, from etc/passwd otherwise. No such user: 0 with *ret_exists false. */
int mp_sys_user(struct mp_sys *sys, const char *name, bool *ret_exists, struct mp_user *ret,
		struct mp_err *err);
int mp_sys_group(struct mp_sys *sys, const char *name, bool *ret_exists, gid_t *ret,
		 struct mp_err *err);

/* ---- changing; every call writes the journal first ---- */

/* The resource that the following changes belong to; starts a journal transaction. */
int mp_sys_begin(struct mp_sys *sys, const char *resource, struct mp_err *err);
/* Ends it; done: all of it happened. */
int mp_sys_end(struct mp_sys *sys, bool done, struct mp_err *err);

struct mp_attr {
	mode_t mode; /* permission bits */
	uid_t uid;
	gid_t gid;
};

/*
 * Replaces (or creates) a file atomically: temporary file in the same directory, owner, mode,
 * xattrs and label of the old file (or `fresh` for a new one; label by policy), fsync, rename,
 * fsync of the directory. A symbolic link is followed, and what it points at is replaced. secret:
 * the journal keeps only that it was created, never its bytes. Missing parent directories are an
 * error. Same bytes: nothing happens. Refused: a dangling link, a user's link to what that user
 * does not own, and a file that was changed by somebody else since mp_sys_read() saw it last,
 * or while the new one was made. So a file is read once for an edit, and not again before the
 * write.
 */
int mp_sys_write(struct mp_sys *sys, const char *path, const void *data, size_t size,
		 const struct mp_attr *fresh, bool secret, struct mp_err *err);

/*
 * Creates one directory (parents must exist) or changes owner and mode of what is there. The owner
 * of a file with several hard links is not changed.
 */
int mp_sys_mkdir(struct mp_sys *sys, const char *path, const struct mp_attr *attr,
		 struct mp_err *err);
int mp_sys_chattr(struct mp_sys *sys, const char *path, const struct mp_attr *attr,
		  struct mp_err *err);

/* Writes text to an existing file of /proc or /sys in place; its old text goes to the journal as a
 * note. */
int mp_sys_poke(struct mp_sys *sys, const char *path, const char *text, struct mp_err *err);

/* Changes the login shell in /etc/passwd under the lock of shadow(5)'s tools. MP_E_INPUT: not in
 * that file. */
int mp_sys_set_shell(struct mp_sys *sys, const char *user, const char *shell, struct mp_err *err);

/* Sets the SELinux context (raw form) of a file or directory; its old one goes to the journal. */
int mp_sys_label(struct mp_sys *sys, const char *path, const char *context, struct mp_err *err);

/* A note in the journal for changes that are no files (kernel rules, users): before and after. */
int mp_sys_note(struct mp_sys *sys, const char *what, const json_t *before, const json_t *after,
		struct mp_err *err);

/* ---- running ---- */

struct mp_run_result {
	int status;          /* exit status, or 128 + signal */
	char *out, *errtext; /* captured, at most 64 KiB each; owned */
	bool timed_out;
};

struct mp_run_opts {
	const char *user;  /* NULL: as we are; else initgroups, setgid, setuid, HOME, cwd / */
	const char *input; /* given on standard input; NULL: /dev/null */
	mp_ms timeout_ms;  /* the whole process group is killed after it */
	const char *const
		*env; /* further NAME=VALUE, NULL-terminated, or NULL; PATH and LC_ALL=C are set */
	bool outlive; /* the program goes on to its end when this process is killed */
};

/* Runs argv without a shell. -1 only when it could not be started; needs a real root. */
int mp_sys_run(struct mp_sys *sys, const char *const *argv, const struct mp_run_opts *opts,
	       struct mp_run_result *ret, struct mp_err *err);
void mp_run_result_fini(struct mp_run_result *r);

/*
 * Runs fn in a forked child and hands its JSON back; after timeout_ms the child is killed (or left
 * behind when it cannot die) and MP_E_TIMEOUT returned. For everything that may hang.
 */
int mp_sys_in_child(struct mp_sys *sys, mp_ms timeout_ms,
		    int (*fn)(struct mp_sys *, const json_t *, json_t **, struct mp_err *),
		    const json_t *params, json_t **ret, struct mp_err *err);

/* ---- services: systemd when it is process 1, /etc/init.d otherwise ---- */

/* True if a service manager knows the unit or script. */
bool mp_sys_service_known(struct mp_sys *sys, const char *name);
int mp_sys_service(struct mp_sys *sys, const char *name, const char *verb, struct mp_err *err);

#endif
