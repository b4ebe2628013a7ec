/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "host/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "host/internal.h"

struct mp_journal {
	int dir; /* MP_JOURNAL_DIR, locked until mp_journal_close() */
	char run[64];
	char *resource; /* of the open transaction; NULL: none is open */
	int txn;        /* its directory; -1 until its first entry */
	int log;
	int n;                    /* entries in it */
	long long last;           /* highest number ever seen */
	struct mp_strv unsettled; /* put aside by this run, and not yet noted */
};

static void time_text(time_t t, char *ret, size_t size)
{
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(ret, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static json_t *mtime_json(const struct stat *st)
{
	return json_sprintf("%lld.%09ld", (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
}

/* Opens name below at, making it with mode when it is missing. */
static int make_dir(int at, const char *name, mode_t mode, struct mp_err *err)
{
	int fd;

	if (mkdirat(at, name, mode) == 0) {
		if (fsync(at) < 0 && errno != EINVAL && errno != EBADF)
			return mp_err_sys(err, errno, "sync the directory of %s", name);
	} else if (errno != EEXIST) {
		return mp_err_sys(err, errno, "make directory %s", name);
	}
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return mp_err_sys(err, errno, "open directory %s", name);
	return fd;
}

/* MP_STATE_DIR with its parents (which every real host has). */
static int open_state_dir(struct mp_sys *sys, struct mp_err *err)
{
	mp_auto_close int var = make_dir(sys->root, "var", 0755, err);
	mp_auto_close int lib = var < 0 ? -1 : make_dir(var, "lib", 0755, err);

	return lib < 0 ? -1 : make_dir(lib, "migprep", 0700, err);
}

/* One writer at a time, whatever lock the agent has of its own: flock(2) on the directory itself.
 */
static int take_lock(int dir, struct mp_err *err)
{
	if (flock(dir, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return mp_err_sys(err, errno, "lock %s", MP_JOURNAL_DIR);
	return mp_err_set(err, MP_E_DENIED,
			  "another migprep is changing this host (it holds %s); wait until it has "
			  "ended",
			  MP_JOURNAL_DIR);
}

static bool is_transaction(const char *name)
{
	return strlen(name) > 13 && strspn(name, "0123456789") == 12 && name[12] == '-';
}

static int list(struct mp_sys *sys, struct mp_strv *ret, struct mp_err *err)
{
	mp_auto_strv struct mp_strv all = { 0 };

	if (mp_sys_list(sys, MP_JOURNAL_DIR, &all, err) < 0)
		return -1;
	for (size_t i = 0; i < all.n; i++)
		if (is_transaction(all.v[i]))
			mp_strv_add(ret, all.v[i]);
	return 0;
}

/* Appends one line and waits until it is on the disk. Steals line. */
static int add_line(int log, json_t *line, struct mp_err *err)
{
	mp_auto_free char *text = json_dumps(line, JSON_COMPACT);
	mp_auto_free char *whole = NULL;

	json_decref(line);
	if (!text)
		return mp_err_set(err, MP_E_BUG, "a journal entry is not valid JSON");
	whole = mp_xasprintf("%s\n", text);
	if (mp_fd_write(log, whole, strlen(whole)) < 0 || fsync(log) < 0)
		return mp_err_sys(err, errno, "write the journal in %s", MP_JOURNAL_DIR);
	return 0;
}

static json_t *state_line(const char *state)
{
	char now[32];

	time_text(time(NULL), now, sizeof(now));
	return json_pack("{s:s,s:s}", "state", state, "ended", now);
}

/* ---- what a crashed run left ---- */

/* Removes the temporary file that an unfinished write may have left beside its target. */
static void remove_temporary(struct mp_sys *sys, const json_t *entry)
{
	mp_auto_place struct mp_place at = MP_PLACE_INIT;
	const char *path = json_string_value(json_object_get(entry, "path"));
	const char *tmp = json_string_value(json_object_get(entry, "tmp"));
	bool no_parent = false;

	if (!path || !tmp || tmp[0] != '.' || strchr(tmp, '/') || !strstr(tmp, ".migprep-"))
		return;
	if (mp_place_find(sys, path, false, &no_parent, &at, NULL) < 0 || no_parent)
		return;
	if (unlinkat(at.dir, tmp, 0) < 0)
		unlinkat(at.dir, tmp, AT_REMOVEDIR);
}

/* One old transaction: if it has no closing line, cleans up after it and closes it. */
static int settle(struct mp_sys *sys, const char *name, struct mp_err *err)
{
	mp_auto_free char *path = mp_xasprintf("%s/%s/log", MP_JOURNAL_DIR, name);
	mp_auto_free char *rel = mp_xasprintf("%s/log", name);
	mp_auto_strv struct mp_strv lines = { 0 };
	mp_auto_free char *text = NULL;
	mp_auto_close int log = -1;
	size_t size = 0;

	log = openat(sys->journal->dir, rel, O_RDWR | O_APPEND | O_NOFOLLOW | O_CREAT | O_CLOEXEC,
		     0600);
	if (log < 0)
		return mp_err_sys(err, errno, "open %s", path);
	if (mp_fd_read(log, path, MP_MAX_FILE_BYTES, &text, &size, err) < 0)
		return -1;
	mp_str_split(text, "\n", &lines);
	for (size_t i = 0; i < lines.n; i++) {
		json_t *line = json_loads(lines.v[i], 0, NULL);
		bool ended = json_object_get(line, "state") != NULL;

		if (!ended)
			remove_temporary(sys, line);
		json_decref(line);
		if (ended)
			return 0;
	}
	if (size && text[size - 1] != '\n' && mp_fd_write(log, "\n", 1) < 0)
		return mp_err_sys(err, errno, "write %s", path);
	return add_line(log, state_line("crashed"), err);
}

/*
 * What cannot be settled (a damaged disk, a log that somebody has edited) must not keep every later
 * run from working: it is put aside under another name, for a person to look at.
 */
static void put_aside(struct mp_sys *sys, const char *name)
{
	mp_auto_free char *aside = mp_xasprintf("unsettled-%s", name);

	if (renameat(sys->journal->dir, name, sys->journal->dir, aside) == 0)
		mp_strv_add(&sys->journal->unsettled, aside);
	else
		mp_strv_add(&sys->journal->unsettled, name);
}

static long long number_of(const char *name)
{
	return strtoll(name, NULL, 10);
}

/* The numbers grow, so only the last few can be unfinished; all kept ones are looked at, 50 at
 * most. */
static int settle_all(struct mp_sys *sys, struct mp_err *err)
{
	mp_auto_strv struct mp_strv names = { 0 };

	if (list(sys, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		if (number_of(names.v[i]) > sys->journal->last)
			sys->journal->last = number_of(names.v[i]);
		if (settle(sys, names.v[i], NULL) < 0)
			put_aside(sys, names.v[i]);
	}
	return 0;
}

static void remove_transaction(struct mp_sys *sys, const char *name)
{
	mp_auto_free char *path = mp_xasprintf("%s/%s", MP_JOURNAL_DIR, name);
	mp_auto_strv struct mp_strv files = { 0 };
	mp_auto_close int fd =
		openat(sys->journal->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || mp_sys_list(sys, path, &files, NULL) < 0)
		return;
	for (size_t i = 0; i < files.n; i++)
		unlinkat(fd, files.v[i], 0);
	unlinkat(sys->journal->dir, name, AT_REMOVEDIR);
}

/* ---- transactions ---- */

static int journal_open(struct mp_sys *sys, struct mp_err *err)
{
	mp_auto_close int state = open_state_dir(sys, err);
	mp_auto_close int dir = state < 0 ? -1 : make_dir(state, "journal", 0700, err);
	struct mp_journal *j;
	char now[32];

	if (dir < 0 || take_lock(dir, err) < 0)
		return -1;
	j = mp_xcalloc(1, sizeof(*j));
	j->dir = dir;
	dir = -1;
	j->txn = j->log = -1;
	time_text(time(NULL), now, sizeof(now));
	snprintf(j->run, sizeof(j->run), "%s-%ld", now, (long)getpid());
	sys->journal = j;
	return settle_all(sys, err);
}

void mp_journal_close(struct mp_journal *j)
{
	if (!j)
		return;
	if (j->txn >= 0)
		close(j->txn);
	if (j->log >= 0)
		close(j->log);
	free(j->resource);
	mp_strv_fini(&j->unsettled);
	close(j->dir);
	free(j);
}

int mp_sys_begin(struct mp_sys *sys, const char *resource, struct mp_err *err)
{
	if (!sys->journal && journal_open(sys, err) < 0) {
		mp_journal_close(sys->journal);
		sys->journal = NULL;
		return mp_err_wrap(err, "journal");
	}
	if (sys->journal->resource)
		return mp_err_set(err, MP_E_BUG, "a transaction for %s is still open",
				  sys->journal->resource);
	sys->journal->resource = mp_xstrdup(resource);
	return 0;
}

/* The directory and the first line, once there is something to write. */
static int start(struct mp_sys *sys, struct mp_err *err)
{
	struct mp_journal *j = sys->journal;
	mp_auto_strv struct mp_strv names = { 0 };
	mp_auto_free char *name = NULL;
	json_t *first;
	char now[32];

	if (list(sys, &names, err) < 0)
		return -1;
	for (size_t i = 0; i + MP_JOURNAL_KEEP <= names.n; i++)
		remove_transaction(sys, names.v[i]);
	if (names.n && number_of(names.v[names.n - 1]) > j->last)
		j->last = number_of(names.v[names.n - 1]);
	name = mp_xasprintf("%012lld-%s", ++j->last, j->resource);
	j->txn = make_dir(j->dir, name, 0700, err);
	if (j->txn < 0)
		return -1;
	j->log = openat(j->txn, "log", O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (j->log < 0)
		return mp_err_sys(err, errno, "make %s/%s/log", MP_JOURNAL_DIR, name);
	time_text(time(NULL), now, sizeof(now));
	first = json_pack("{s:i,s:s,s:s,s:i,s:s}", "journal", 1, "resource", j->resource, "run",
			  j->run, "pid", (int)getpid(), "started", now);
	for (size_t i = 0; i < j->unsettled.n; i++) {
		if (i == 0)
			json_object_set_new(first, "unsettled", json_array());
		json_array_append_new(json_object_get(first, "unsettled"),
				      json_string(j->unsettled.v[i]));
	}
	mp_strv_fini(&j->unsettled);
	return add_line(j->log, first, err);
}

static int keep_old(struct mp_journal *j, const void *old, size_t size, struct mp_err *err)
{
	char name[32];
	mp_auto_close int fd = -1;

	snprintf(name, sizeof(name), "%d.old", j->n);
	fd = openat(j->txn, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || mp_fd_write(fd, old, size) < 0 || fsync(fd) < 0 || fsync(j->txn) < 0)
		return mp_err_sys(err, errno, "keep the old content in %s", MP_JOURNAL_DIR);
	return 0;
}

int mp_journal_entry(struct mp_sys *sys, json_t *entry, const void *old, size_t old_size,
		     int *ret_n, struct mp_err *err)
{
	struct mp_journal *j = sys->journal;

	if (!j || !j->resource) {
		json_decref(entry);
		return mp_err_set(err, MP_E_BUG, "a change was asked for outside a transaction");
	}
	if (j->txn < 0 && start(sys, err) < 0) {
		json_decref(entry);
		return mp_err_wrap(err, "journal");
	}
	j->n++;
	if (old && keep_old(j, old, old_size, err) < 0) {
		json_decref(entry);
		return -1;
	}
	json_object_set_new(entry, "n", json_integer(j->n));
	*ret_n = j->n;
	if (add_line(j->log, entry, err) < 0)
		return -1;
	/* The names of the log and of its directory must survive as well. */
	if (j->n == 1 && (fsync(j->txn) < 0 || fsync(j->dir) < 0))
		return mp_err_sys(err, errno, "sync %s", MP_JOURNAL_DIR);
	return 0;
}

int mp_journal_did(struct mp_sys *sys, int n, const struct stat *st, struct mp_err *err)
{
	json_t *line = json_pack("{s:i}", "did", n);

	if (st) {
		json_object_set_new(line, "ino", json_integer((json_int_t)st->st_ino));
		json_object_set_new(line, "mtime", mtime_json(st));
	}
	return add_line(sys->journal->log, line, err);
}

int mp_sys_note(struct mp_sys *sys, const char *what, const json_t *before, const json_t *after,
		struct mp_err *err)
{
	int n;

	return mp_journal_entry(sys,
				json_pack("{s:s,s:s,s:O?,s:O?}", "op", "note", "what", what,
					  "before", before, "after", after),
				NULL, 0, &n, err);
}

int mp_sys_end(struct mp_sys *sys, bool done, struct mp_err *err)
{
	struct mp_journal *j = sys->journal;
	int r = 0;

	if (!j || !j->resource)
		return mp_err_set(err, MP_E_BUG, "no transaction is open");
	if (j->log >= 0) {
		r = add_line(j->log, state_line(done ? "done" : "failed"), err);
		close(j->log);
		close(j->txn);
	}
	free(j->resource);
	j->resource = NULL;
	j->txn = j->log = -1;
	j->n = 0;
	return r;
}
