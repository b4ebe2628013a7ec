/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_host_races: what happens when somebody else works on a file at the very moment when it is
 * changed. The moments are made by standing in for the system calls that come before them.
 */
#include "config.h"

#include "fake-root.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- moments ---- */

static struct {
	const struct env *env; /* NULL: nothing is to happen */
	const char *name;      /* when a file of this name is opened for reading */
	bool on_sync;          /* or before the new file gets its name */
	const char *command;   /* what somebody else does then, in the root */
	int n;
} moment;

static void happen(void)
{
	const struct env *e = moment.env;

	moment.env = NULL;
	moment.n++;
	run("cd %s && %s", e->root, moment.command);
}

int openat(int dir, const char *path, int flags, ...)
{
	unsigned mode = 0;
	va_list ap;

	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = va_arg(ap, unsigned);
		va_end(ap);
	}
	if (moment.env && moment.name && strcmp(path, moment.name) == 0 && !(flags & O_PATH))
		happen();
	return (int)syscall(SYS_openat, dir, path, flags, mode);
}

int fsync(int fd)
{
	struct stat st;

	/* The new file; directories and the journal's log, which grows, are synced too. */
	if (moment.env && moment.on_sync && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size == 4)
		happen();
	return (int)syscall(SYS_fsync, fd);
}

static void at_open(const struct env *e, const char *name, const char *command)
{
	moment.env = e;
	moment.name = name;
	moment.on_sync = false;
	moment.command = command;
	moment.n = 0;
}

static void at_sync(const struct env *e, const char *command)
{
	at_open(e, NULL, command);
	moment.on_sync = true;
}

static void begin(struct env *e)
{
	struct mp_err err = { 0 };

	assert_int_equal(mp_sys_begin(e->sys, "a", &err), 0);
}

static void end(struct env *e)
{
	struct mp_err err = { 0 };

	assert_int_equal(mp_sys_end(e->sys, true, &err), 0);
}

static void expect_refused(struct env *e, const char *path, const char *text)
{
	const struct mp_attr attr = { .mode = 0644 };
	struct mp_err err = { 0 };

	assert_int_equal(mp_sys_write(e->sys, path, "new\n", 4, &attr, false, &err), -1);
	assert_int_equal(moment.n, 1);
	if (!strstr(err.text, "changed by somebody else meanwhile; run apply again"))
		fail_msg("%s", err.text);
	if (text) {
		mp_auto_free char *now = slurp(e->root, path);

		assert_string_equal(now, text);
	}
	run("! ls -A %s/etc | grep migprep", e->root);
}

/* ---- tests ---- */

static void write_before_the_rename(void **state)
{
	struct env *e = *state;
	struct mp_err err = { 0 };

	put(e->root, "/etc/a", "old\n");
	begin(e);
	at_sync(e, "echo added >>etc/a");
	expect_refused(e, "/etc/a", "old\nadded\n");
	/* Replaced as an editor does, with the same bytes and time. */
	put(e->root, "/etc/a", "old\n");
	at_sync(e, "cp -p etc/a etc/a2 && mv etc/a2 etc/a");
	expect_refused(e, "/etc/a", "old\n");
	at_sync(e, "rm etc/a");
	expect_refused(e, "/etc/a", NULL);
	run("test ! -e %s/etc/a", e->root);
	/* One that was not there. */
	at_sync(e, "echo theirs >etc/b");
	expect_refused(e, "/etc/b", "theirs\n");
	assert_int_equal(
		mp_sys_write(e->sys, "/etc/c", "new\n", 4, &(struct mp_attr){ 0 }, false, &err), 0);
	end(e);
}

static void replaced_before_it_is_opened(void **state)
{
	struct env *e = *state;

	put(e->root, "/etc/a", "old\n");
	put(e->root, "/etc/secret", "secret\n");
	begin(e);
	at_open(e, "a", "mv etc/secret etc/a");
	expect_refused(e, "/etc/a", "secret\n");
	end(e);
}

static void owner_of_another_file(void **state)
{
	const struct mp_attr attr = { 0600, 64060, 64060 };
	struct env *e = *state;
	struct mp_err err = { 0 };
	struct stat st;

	if (geteuid() != 0) {
		print_message("skipped: needs root to give files away\n");
		skip();
	}
	put(e->root, "/etc/a", "x\n");
	put(e->root, "/etc/shadow", "secret\n");
	run("chown 64060 %s/etc/a", e->root);
	begin(e);
	at_open(e, "a", "mv etc/shadow etc/a");
	assert_int_equal(mp_sys_chattr(e->sys, "/etc/a", &attr, &err), -1);
	assert_int_equal(moment.n, 1);
	assert_non_null(strstr(err.text, "somebody else meanwhile"));
	st = st_of(e->root, "/etc/a");
	assert_int_equal(st.st_uid, 0);
	/* A second name of a file that is not to be given away. */
	put(e->root, "/etc/shadow", "secret\n");
	run("ln %s/etc/shadow %s/etc/b", e->root, e->root);
	assert_int_equal(mp_sys_chattr(e->sys, "/etc/b", &attr, &err), -1);
	assert_non_null(strstr(err.text, "2 names (hard links)"));
	st = st_of(e->root, "/etc/shadow");
	assert_int_equal(st.st_uid, 0);
	end(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(write_before_the_rename),
		T(replaced_before_it_is_opened),
		T(owner_of_another_file),
	};

	return cmocka_run_group_tests_name("host-races", tests, NULL, NULL);
}
