/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * place: where a path leads inside the root. Walked component by component, so that a link can
 * neither leave the root nor, when a plain user owns it, send root to a file that is not that
 * user's.
 */
#include "config.h"
#include "host/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

#define MAX_LINKS 40 /* as the kernel: path_resolution(7) */

struct walk {
	struct mp_sys *sys;
	const char *asked;   /* what the caller named, for messages */
	char done[PATH_MAX]; /* resolved so far, "" is the root; no links inside */
	char todo[PATH_MAX]; /* still to resolve */
	int dir;             /* descriptor of `done` */
	int links;
	bool foreign;  /* went through a link that a plain user owns: */
	uid_t owner;   /* this one */
	bool dangling; /* the last component came from a link */
};

void mp_place_fini(struct mp_place *p)
{
	if (p->dir >= 0)
		close(p->dir);
	p->dir = -1;
}

static int too_long(const struct walk *w, struct mp_err *err)
{
	return mp_err_sys(err, ENAMETOOLONG, "%.200s", w->asked);
}

static int open_dir(struct walk *w, int at, const char *name, struct mp_err *err)
{
	int fd = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return mp_err_sys(err, errno, "look up %s", w->asked);
	if (w->dir >= 0)
		close(w->dir);
	w->dir = fd;
	return 0;
}

/* Back to the root, or one level up: from the root again, because `done` has no links in it. */
static int reopen(struct walk *w, struct mp_err *err)
{
	const char *rel = w->done[0] ? w->done + 1 : ".";

	return open_dir(w, w->sys->root, rel, err);
}

static int up(struct walk *w, struct mp_err *err)
{
	char *slash = strrchr(w->done, '/');

	if (!slash)
		return 0;
	*slash = '\0';
	return reopen(w, err);
}

/* Puts what the link says before what is still to do. */
static int follow(struct walk *w, const char *name, const struct stat *st, bool last,
		  struct mp_err *err)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t n = readlinkat(w->dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return mp_err_sys(err, errno, "read link %s/%s", w->done, name);
	target[n] = '\0';
	if (++w->links > MAX_LINKS)
		return mp_err_sys(err, ELOOP, "%s", w->asked);
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		w->foreign = true;
		w->owner = st->st_uid;
	}
	w->dangling = w->dangling || last;
	memcpy(rest, w->todo, sizeof(rest));
	n = snprintf(w->todo, sizeof(w->todo), "%s/%s", target, rest);
	if (last && n > 0 && (size_t)n < sizeof(w->todo))
		w->todo[n - 1] = '\0'; /* no slash after the last component */
	if (n < 0 || (size_t)n >= sizeof(w->todo))
		return too_long(w, err);
	if (target[0] == '/') {
		w->done[0] = '\0';
		return reopen(w, err);
	}
	return 0;
}

/* Cuts the first component off todo. False at the end. */
static bool next_name(struct walk *w, char *name, size_t size, bool *ret_last)
{
	size_t skip = strspn(w->todo, "/"), n = strcspn(w->todo + skip, "/");
	size_t after = skip + n + strspn(w->todo + skip + n, "/");

	if (!n || n >= size)
		return false;
	memcpy(name, w->todo + skip, n);
	name[n] = '\0';
	*ret_last = !w->todo[after];
	memmove(w->todo, w->todo + after, strlen(w->todo + after) + 1);
	return true;
}

static int enter(struct walk *w, const char *name, struct mp_err *err)
{
	size_t used = strlen(w->done);

	if (used + strlen(name) + 2 > sizeof(w->done))
		return too_long(w, err);
	if (open_dir(w, w->dir, name, err) < 0)
		return -1;
	snprintf(w->done + used, sizeof(w->done) - used, "/%s", name);
	return 0;
}

/* A plain user's link may lead only to what that user owns (or to a new file in such a directory).
 */
static int check_foreign(const struct walk *w, const struct mp_place *p, struct mp_err *err)
{
	struct stat st = p->st;

	if (!w->foreign)
		return 0;
	if (!p->exists && fstat(w->dir, &st) < 0)
		return mp_err_sys(err, errno, "stat %s", w->done);
	if (st.st_uid == w->owner)
		return 0;
	return mp_err_set(err, MP_E_DENIED,
			  "%s leads through a link of uid %u to %s, which that user does not own; "
			  "remove the link",
			  w->asked, (unsigned)w->owner, p->path);
}

/* name NULL: the directory itself, after "/", "." or "..". */
static int finish(struct walk *w, const char *name, struct mp_place *ret, struct mp_err *err)
{
	size_t used = strlen(w->done);

	if (used + (name ? strlen(name) : 0) + 2 > sizeof(ret->path))
		return too_long(w, err);
	memcpy(ret->path, w->done, used + 1);
	if (name || !used)
		snprintf(ret->path + used, sizeof(ret->path) - used, "/%s", name ? name : "");
	ret->name = name ? ret->path + used + 1 : ".";
	if (check_foreign(w, ret, err) < 0)
		return -1;
	ret->dir = w->dir;
	w->dir = -1;
	return 0;
}

/* 1: resolved into ret; 0: go on; -1: error; 2: a parent is missing. */
static int step(struct walk *w, struct mp_place *ret, struct mp_err *err)
{
	char name[NAME_MAX + 1];
	struct stat st;
	bool last;

	if (!next_name(w, name, sizeof(name), &last)) {
		if (w->todo[strspn(w->todo, "/")])
			return too_long(w, err);
		/* The path ended in "/", "." or "..": the directory itself. */
		ret->exists = true;
		if (fstat(w->dir, &ret->st) < 0)
			return mp_err_sys(err, errno, "stat %s", w->asked);
		return finish(w, NULL, ret, err) < 0 ? -1 : 1;
	}
	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0)
		return up(w, err);
	if (fstatat(w->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return mp_err_sys(err, errno, "stat %s/%s", w->done, name);
		if (!last)
			return 2;
		ret->exists = false;
		return finish(w, name, ret, err) < 0 ? -1 : 1;
	}
	if (S_ISLNK(st.st_mode))
		return follow(w, name, &st, last, err);
	if (last) {
		ret->exists = true;
		ret->st = st;
		return finish(w, name, ret, err) < 0 ? -1 : 1;
	}
	return enter(w, name, err);
}

int mp_place_find(struct mp_sys *sys, const char *path, bool for_change, bool *ret_no_parent,
		  struct mp_place *ret, struct mp_err *err)
{
	struct walk w = { .sys = sys, .asked = path, .dir = -1 };
	mp_auto_close int dir = -1;
	int r;

	if (path[0] != '/' || strlen(path) >= sizeof(w.todo))
		return mp_err_set(err, MP_E_INPUT, "'%.200s' is not an absolute path", path);
	strcpy(w.todo, path);
	if (reopen(&w, err) < 0)
		return -1;
	do {
		r = step(&w, ret, err);
	} while (r == 0);
	dir = w.dir;
	if (r < 0)
		return -1;
	if (for_change && w.dangling && (r == 2 || !ret->exists))
		return mp_err_set(err, MP_E_INPUT,
				  "%s is a symbolic link to something that does not exist; "
				  "make its target or remove the link",
				  path);
	if (r == 2 && !ret_no_parent)
		return mp_err_sys(err, ENOENT, "%s: its directory", path);
	if (r == 2)
		*ret_no_parent = true;
	return 0;
}
