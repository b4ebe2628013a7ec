/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The host room below a pretended root, and running programs on the real one. */
#include "config.h"

#include "host-env.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <sys/xattr.h>

/* ---- looking ---- */

static void test_read(void **state)
{
	struct env *e = *state;
	struct mp_err err = { 0 };
	mp_auto_free char *text = NULL, *linked = NULL, *none = (char *)"x";
	size_t size = 9;
	struct stat st;

	put(e, "/etc/a", "hello\n");
	make_link(e, "/etc/l", "/etc/a"); /* absolute: from the root, not from ours */
	make_link(e, "/etc/out", "../../../../../../../../etc/a");
	make_link(e, "/etc/nowhere", "b");
	assert_int_equal(mp_sys_read(e->sys, "/etc/a", &text, &size, &st, &err), 0);
	assert_string_equal(text, "hello\n");
	assert_int_equal(size, 6);
	assert_int_equal(st.st_ino, stat_of(e, "/etc/a").st_ino);
	assert_int_equal(mp_sys_read(e->sys, "/etc/l", &linked, NULL, NULL, &err), 0);
	assert_string_equal(linked, "hello\n");
	free(linked);
	assert_int_equal(mp_sys_read(e->sys, "/etc/out", &linked, NULL, NULL, &err), 0);
	assert_string_equal(linked, "hello\n");
	assert_int_equal(mp_sys_read(e->sys, "/etc/nowhere", &none, &size, NULL, &err), 0);
	assert_null(none);
	assert_int_equal(size, 0);
	none = (char *)"x";
	assert_int_equal(mp_sys_read(e->sys, "/no/such/dir/f", &none, NULL, NULL, &err), 0);
	assert_null(none);
	assert_int_equal(mp_sys_read(e->sys, "/etc", &none, NULL, NULL, &err), -1);
	assert_non_null(strstr(err.text, "/etc is not a regular file"));
	assert_int_equal(mp_sys_read(e->sys, "etc/a", &none, NULL, NULL, &err), -1);
	assert_int_equal(err.code, MP_E_INPUT);
}

static void test_read_limits(void **state)
{
	struct env *e = *state;
	struct mp_err err = { 0 };
	char *text = NULL;
	mp_auto_free char *p = at(e, "/etc/big"), *fifo = at(e, "/etc/fifo");

	put(e, "/etc/big", "");
	assert_int_equal(truncate(p, (4 << 20) + 1), 0);
	assert_int_equal(mp_sys_read(e->sys, "/etc/big", &text, NULL, NULL, &err), -1);
	assert_int_equal(err.code, MP_E_LIMIT);
	assert_int_equal(truncate(p, 4 << 20), 0);
	assert_int_equal(mp_sys_read(e->sys, "/etc/big", &text, NULL, NULL, &err), 0);
	free(text);
	assert_int_equal(mkfifo(fifo, 0600), 0); /* must not block */
	assert_int_equal(mp_sys_read(e->sys, "/etc/fifo", &text, NULL, NULL, &err), -1);
	make_link(e, "/etc/loop1", "loop2");
	make_link(e, "/etc/loop2", "loop1");
	assert_int_equal(mp_sys_read(e->sys, "/etc/loop1", &text, NULL, NULL, &err), -1);
	assert_int_equal(err.sys, ELOOP);
}

static void test_list(void **state)
{
	struct env *e = *state;
	mp_auto_strv struct mp_strv l = { 0 };
	struct mp_err err = { 0 };

	make_dir(e, "/etc/d");
	put(e, "/etc/d/b10", "");
	put(e, "/etc/d/b2", "");
	put(e, "/etc/d/A", "");
	assert_int_equal(mp_sys_list(e->sys, "/etc/d", &l, &err), 0);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.v[0], "A");
	assert_string_equal(l.v[1], "b10");
	assert_string_equal(l.v[2], "b2");
	assert_int_equal(mp_sys_list(e->sys, "/etc/none", &l, &err), 0);
	assert_int_equal(l.n, 3);
}

static void test_users(void **state)
{
	struct env *e = *state;
	struct mp_err err = { 0 };
	struct mp_user u;
	bool exists = true;
	gid_t g = 0;

	assert_int_equal(mp_sys_user(e->sys, "nova", &exists, &u, &err), 0);
	assert_false(exists);
	put(e, "/etc/passwd",
	    "root:x:0:0::/root:/bin/bash\nnova:x:64060:64061:a,b:/var/lib/nova:/bin/sh\n");
	put(e, "/etc/group", "root:x:0:\nnova:x:64061:x,y\n");
	assert_int_equal(mp_sys_user(e->sys, "nova", &exists, &u, &err), 0);
	assert_true(exists);
	assert_int_equal(u.uid, 64060);
	assert_int_equal(u.gid, 64061);
	assert_string_equal(u.home, "/var/lib/nova");
	assert_string_equal(u.shell, "/bin/sh");
	assert_int_equal(mp_sys_group(e->sys, "nova", &exists, &g, &err), 0);
	assert_true(exists);
	assert_int_equal(g, 64061);
	assert_int_equal(mp_sys_group(e->sys, "nov", &exists, &g, &err), 0);
	assert_false(exists);
}

/* ---- changing ---- */

static void test_write_needs_transaction(void **state)
{
	struct env *e = *state;
	struct mp_err err = { 0 };

	assert_int_equal(write_text(e, "/etc/a", "x", &err), -1);
	assert_int_equal(err.code, MP_E_BUG);
	assert_text(e, "/etc/a", NULL);
	assert_int_equal(count(e, "/etc/.a.migprep-*"), 0);
}

static void test_write_keeps_attributes(void **state)
{
	struct env *e = *state;
	mp_auto_free char *p = at(e, "/etc/a");
	struct mp_err err = { 0 };
	char value[16] = "";
	struct stat before, after;

	put(e, "/etc/a", "old\n");
	assert_int_equal(chmod(p, 02751), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(p, 123, 456), 0);
		assert_int_equal(chmod(p, 02751), 0);
	}
	assert_int_equal(setxattr(p, "user.migprep", "kept", 4, 0), 0);
	before = stat_of(e, "/etc/a");
	begin(e);
	assert_int_equal(write_text(e, "/etc/a", "new\n", &err), 0);
	end(e);
	after = stat_of(e, "/etc/a");
	assert_text(e, "/etc/a", "new\n");
	assert_int_equal(after.st_mode, before.st_mode);
	assert_int_equal(after.st_uid, before.st_uid);
	assert_int_equal(after.st_gid, before.st_gid);
	assert_int_not_equal(after.st_ino, before.st_ino);
	assert_int_equal(getxattr(p, "user.migprep", value, sizeof(value)), 4);
	assert_memory_equal(value, "kept", 4);
	assert_int_equal(count(e, "/etc/.a.migprep-*"), 0);
}

/* An ACL as setfacl(1) would make it: user 7 may read. Little-endian, version 2 (acl(5),
 * posix_acl_xattr.h). */
static void test_write_keeps_acl(void **state)
{
	static const unsigned char acl[] = { 2,   0,   0,   0,   1,   0,   6,  0,   255, 255, 255,
					     255, 2,   0,   4,   0,   7,   0,  0,   0,   4,   0,
					     0,   0,   255, 255, 255, 255, 16, 0,   4,   0,   255,
					     255, 255, 255, 32,  0,   0,   0,  255, 255, 255, 255 };
	static const char name[] = "system.posix_acl_access";
	struct env *e = *state;
	mp_auto_free char *p = at(e, "/etc/a");
	unsigned char got[128];
	struct mp_err err = { 0 };

	put(e, "/etc/a", "old\n");
	if (setxattr(p, name, acl, sizeof(acl), 0) < 0 && errno == ENOTSUP) {
		print_message("skip: this file system has no access lists\n");
		skip();
	}
	begin(e);
	assert_int_equal(write_text(e, "/etc/a", "new\n", &err), 0);
	assert_int_equal(getxattr(p, name, got, sizeof(got)), (int)sizeof(acl));
	assert_memory_equal(got, acl, sizeof(acl));
	/* A secret is never readable through an access list. */
	assert_int_equal(mp_sys_write(e->sys, "/etc/a", "s", 1, &plain, true, &err), 0);
	assert_int_equal(getxattr(p, name, got, sizeof(got)), -1);
	assert_int_equal(stat_of(e, "/etc/a").st_mode & 07777, 0600);
	end(e);
}

static void test_write_new(void **state)
{
	struct env *e = *state;
	const struct mp_attr odd = { .mode = 0666,
				     .uid = geteuid() ? geteuid() : 99,
				     .gid = getegid() };
	struct mp_err err = { 0 };
	struct stat st;
	mode_t mask = umask(077);

	begin(e);
	assert_int_equal(mp_sys_write(e->sys, "/etc/n", "n", 1, &odd, false, &err), 0);
	umask(mask);
	st = stat_of(e, "/etc/n");
	assert_int_equal(st.st_mode & 07777, 0666);
	assert_int_equal(st.st_uid, odd.uid);
	assert_int_equal(write_text(e, "/no/n", "n", &err), -1);
	assert_non_null(strstr(err.text, "/no/n"));
	assert_int_equal(mp_sys_write(e->sys, "/etc/m", "n", 1, NULL, false, &err), -1);
	end(e);
}

static void test_write_same_bytes(void **state)
{
	struct env *e = *state;
	struct mp_err err = { 0 };
	struct stat before, after;

	put(e, "/etc/a", "old\n");
	before = stat_of(e, "/etc/a");
	begin(e);
	assert_int_equal(write_text(e, "/etc/a", "old\n", &err), 0);
	end(e);
	after = stat_of(e, "/etc/a");
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	assert_int_equal(count(e, "/var/lib/migprep/journal/0*"), 0);
}

static void test_write_links(void **state)
{
	struct env *e = *state;
	struct mp_err err = { 0 };

	make_dir(e, "/etc/real");
	put(e, "/etc/real/a", "old\n");
	make_link(e, "/etc/a", "real/a");
	make_link(e, "/etc/dangling", "/etc/real/none");
	make_link(e, "/etc/d", "/etc/real");
	begin(e);
	assert_int_equal(write_text(e, "/etc/a", "new\n", &err), 0);
	assert_true(S_ISLNK(stat_of(e, "/etc/a").st_mode));
	assert_text(e, "/etc/real/a", "new\n");
	assert_int_equal(write_text(e, "/etc/dangling", "new\n", &err), -1);
	assert_non_null(strstr(err.text, "symbolic link to something that does not exist"));
	assert_text(e, "/etc/real/none", NULL);
	assert_int_equal(write_text(e, "/etc/d/b", "b", &err), 0);
	assert_text(e, "/etc/real/b", "b");
	assert_int_equal(write_text(e, "/etc/d/../../../../etc/c", "c", &err), 0);
	assert_text(e, "/etc/c", "c");
	end(e);
}

/* The nova user must not be able to point root at /etc/shadow. */
static void test_foreign_links(void **state)
{
	struct env *e = *state;
	mp_auto_free char *link = at(e, "/home/l"), *dirlink = at(e, "/home/d"),
			  *own = at(e, "/home/own");
	const struct mp_attr attr = { .mode = 0644, .uid = 123, .gid = 123 };
	struct mp_err err = { 0 };

	if (geteuid() != 0) {
		print_message("skip: needs root to make files of another user\n");
		skip();
	}
	put(e, "/etc/shadow", "secret\n");
	put(e, "/home/own", "mine\n");
	make_link(e, "/home/l", "/etc/shadow");
	make_link(e, "/home/d", "/etc");
	make_link(e, "/home/ok", "own");
	assert_int_equal(lchown(link, 123, 123), 0);
	assert_int_equal(lchown(dirlink, 123, 123), 0);
	assert_int_equal(chown(own, 123, 123), 0);
	begin(e);
	assert_int_equal(write_text(e, "/home/l", "x", &err), -1);
	assert_int_equal(err.code, MP_E_DENIED);
	assert_non_null(strstr(err.text, "remove the link"));
	assert_int_equal(write_text(e, "/home/d/new", "x", &err), -1);
	assert_int_equal(mp_sys_chattr(e->sys, "/home/l", &attr, &err), -1);
	assert_int_equal(stat_of(e, "/etc/shadow").st_uid, 0);
	assert_text(e, "/etc/shadow", "secret\n");
	assert_int_equal(write_text(e, "/home/ok", "x", &err), 0);
	assert_text(e, "/home/own", "x");
	end(e);
}

static void test_changed_meanwhile(void **state)
{
	struct env *e = *state;
	struct mp_err err = { 0 };
	char *text = NULL;

	put(e, "/etc/a", "old\n");
	assert_int_equal(mp_sys_read(e->sys, "/etc/a", &text, NULL, NULL, &err), 0);
	free(text);
	assert_int_equal(mp_sys_read(e->sys, "/etc/b", &text, NULL, NULL, &err), 0);
	put(e, "/etc/a", "somebody else's\n");
	put(e, "/etc/b", "came up\n");
	begin(e);
	assert_int_equal(write_text(e, "/etc/a", "new\n", &err), -1);
	assert_non_null(strstr(err.text, "changed by somebody else"));
	assert_int_equal(write_text(e, "/etc/b", "new\n", &err), -1);
	assert_text(e, "/etc/a", "somebody else's\n");
	assert_text(e, "/etc/b", "came up\n");
	/* Our own writes are not somebody else's. */
	assert_int_equal(mp_sys_read(e->sys, "/etc/a", &text, NULL, NULL, &err), 0);
	free(text);
	assert_int_equal(write_text(e, "/etc/a", "1\n", &err), 0);
	assert_int_equal(write_text(e, "/etc/a", "2\n", &err), 0);
	end(e);
}

static void test_directories(void **state)
{
	struct env *e = *state;
	const struct mp_attr a = { .mode = 0701,
				   .uid = geteuid() ? geteuid() : 5,
				   .gid = getegid() };
	const struct mp_attr b = { .mode = 0755, .uid = a.uid, .gid = a.gid };
	struct mp_err err = { 0 };
	struct stat st;

	begin(e);
	assert_int_equal(mp_sys_mkdir(e->sys, "/etc/d", &a, &err), 0);
	st = stat_of(e, "/etc/d");
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0701);
	assert_int_equal(st.st_uid, a.uid);
	assert_int_equal(mp_sys_mkdir(e->sys, "/etc/d", &b, &err), 0);
	assert_int_equal(stat_of(e, "/etc/d").st_mode & 07777, 0755);
	assert_int_equal(mp_sys_mkdir(e->sys, "/etc/x/y", &b, &err), -1);
	put(e, "/etc/f", "");
	assert_int_equal(mp_sys_mkdir(e->sys, "/etc/f", &b, &err), -1);
	assert_int_equal(mp_sys_chattr(e->sys, "/etc/none", &b, &err), -1);
	assert_int_equal(mp_sys_chattr(e->sys, "/etc/f", &b, &err), 0);
	assert_int_equal(stat_of(e, "/etc/f").st_mode & 07777, 0755);
	end(e);
}

static void test_poke(void **state)
{
	struct env *e = *state;
	struct mp_err err = { 0 };
	mp_auto_free char *log = NULL;
	ino_t ino;

	put(e, "/etc/k", "1000\n");
	ino = stat_of(e, "/etc/k").st_ino;
	begin(e);
	assert_int_equal(mp_sys_poke(e->sys, "/etc/k", "7\n", &err), 0);
	assert_int_equal(mp_sys_poke(e->sys, "/etc/none", "7\n", &err), -1);
	end(e);
	assert_text(e, "/etc/k", "7\n");
	assert_int_equal(stat_of(e, "/etc/k").st_ino, ino);
	log = get(e, "/var/lib/migprep/journal/000000000001-a-thing/log");
	assert_non_null(strstr(log, "\"before\":\"1000\\n\",\"after\":\"7\\n\""));
}

/* ---- running ---- */

static struct mp_sys *real_sys(void)
{
	struct mp_err err = { 0 };
	struct mp_sys *sys;

	assert_int_equal(mp_sys_open("/", &sys, &err), 0);
	return sys;
}

static void test_run(void **state)
{
	struct env *e = *state;
	struct mp_sys *sys = real_sys();
	const char *const argv[] = { "sh", "-c", "cat; echo $A >&2; pwd; exit 3", NULL };
	const char *const env[] = { "A=b", NULL };
	const char *const missing[] = { "no-such-program-here", NULL };
	const char *const killed[] = { "sh", "-c", "kill -9 $$", NULL };
	struct mp_run_opts opts = { .input = "in\n", .timeout_ms = 20000, .env = env };
	struct mp_run_result r;
	struct mp_err err = { 0 };

	assert_int_equal(mp_sys_run(sys, argv, &opts, &r, &err), 0);
	assert_int_equal(r.status, 3);
	assert_string_equal(r.out, "in\n/\n");
	assert_string_equal(r.errtext, "b\n");
	assert_false(r.timed_out);
	mp_run_result_fini(&r);
	assert_int_equal(mp_sys_run(sys, killed, &opts, &r, &err), 0);
	assert_int_equal(r.status, 128 + 9);
	mp_run_result_fini(&r);
	assert_int_equal(mp_sys_run(sys, missing, &opts, &r, &err), -1);
	assert_int_equal(err.sys, ENOENT);
	assert_int_equal(mp_sys_run(e->sys, argv, &opts, &r, &err), -1);
	assert_int_equal(err.code, MP_E_UNSUPPORTED);
	mp_sys_close(sys);
}

static void test_run_bounds_output(void **state)
{
	struct mp_sys *sys = real_sys();
	const char *const argv[] = { "sh", "-c", "yes | head -c 1000000", NULL };
	const struct mp_run_opts opts = { .timeout_ms = 20000 };
	struct mp_run_result r;
	struct mp_err err = { 0 };

	(void)state;
	assert_int_equal(mp_sys_run(sys, argv, &opts, &r, &err), 0);
	assert_int_equal(r.status, 0);
	assert_int_equal(strlen(r.out), 65536);
	mp_run_result_fini(&r);
	mp_sys_close(sys);
}

static void await_gone(pid_t pid)
{
	mp_ms deadline = mp_now() + 10000;

	while (kill(pid, 0) == 0) {
		assert_true(mp_ms_left(deadline) > 0);
		usleep(1000);
	}
	assert_int_equal(errno, ESRCH);
}

/* The child of the child must go as well, and nothing may wait for it. */
static void test_run_timeout(void **state)
{
	struct mp_sys *sys = real_sys();
	const char *const argv[] = { "sh", "-c", "sleep 600 & echo $!; wait", NULL };
	const struct mp_run_opts opts = { .timeout_ms = 500 };
	struct mp_run_result r;
	struct mp_err err = { 0 };
	mp_ms start = mp_now();

	(void)state;
	assert_int_equal(mp_sys_run(sys, argv, &opts, &r, &err), 0);
	assert_true(r.timed_out);
	assert_true(mp_now() - start < 10000);
	assert_true(atoi(r.out) > 0);
	await_gone(atoi(r.out));
	mp_run_result_fini(&r);
	mp_sys_close(sys);
}

/* A daemon that keeps our pipes open does not keep us. */
static void test_run_daemon(void **state)
{
	struct mp_sys *sys = real_sys();
	const char *const argv[] = { "sh", "-c", "sleep 600 & echo $!", NULL };
	const struct mp_run_opts opts = { .timeout_ms = 60000 };
	struct mp_run_result r;
	struct mp_err err = { 0 };
	mp_ms start = mp_now();

	(void)state;
	assert_int_equal(mp_sys_run(sys, argv, &opts, &r, &err), 0);
	assert_int_equal(r.status, 0);
	assert_true(mp_now() - start < 30000);
	assert_int_equal(kill(atoi(r.out), SIGKILL), 0);
	mp_run_result_fini(&r);
	mp_sys_close(sys);
}

static void test_run_as_user(void **state)
{
	struct mp_sys *sys = real_sys();
	const char *const argv[] = { "sh", "-c", "id -u; id -g; id -G; echo $HOME; echo $USER; pwd",
				     NULL };
	const struct mp_run_opts opts = { .user = "nobody", .timeout_ms = 20000 };
	const struct mp_run_opts none = { .user = "no-such-user", .timeout_ms = 20000 };
	struct mp_run_result r;
	struct mp_user u;
	struct mp_err err = { 0 };
	bool exists;
	mp_auto_free char *want = NULL;

	(void)state;
	if (geteuid() != 0) {
		print_message("skip: needs root to change the user\n");
		mp_sys_close(sys);
		skip();
	}
	assert_int_equal(mp_sys_user(sys, "nobody", &exists, &u, &err), 0);
	assert_true(exists);
	want = mp_xasprintf("%u\n%u\n%u\n%s\nnobody\n/\n", u.uid, u.gid, u.gid, u.home);
	assert_int_equal(mp_sys_run(sys, argv, &opts, &r, &err), 0);
	assert_string_equal(r.out, want);
	mp_run_result_fini(&r);
	assert_int_equal(mp_sys_run(sys, argv, &none, &r, &err), -1);
	assert_non_null(strstr(err.text, "no-such-user"));
	mp_sys_close(sys);
}

/* ---- in a child ---- */

static int fn_echo(struct mp_sys *sys, const json_t *params, json_t **ret, struct mp_err *err)
{
	(void)sys;
	(void)err;
	*ret = json_pack("{s:O}", "got", params);
	return 0;
}

static int fn_fail(struct mp_sys *sys, const json_t *params, json_t **ret, struct mp_err *err)
{
	(void)sys;
	(void)params;
	(void)ret;
	return mp_err_sys(err, ENOTDIR, "look at it");
}

static int fn_hang(struct mp_sys *sys, const json_t *params, json_t **ret, struct mp_err *err)
{
	(void)sys;
	(void)params;
	(void)ret;
	(void)err;
	for (;;)
		pause();
	return 0;
}

static int fn_die(struct mp_sys *sys, const json_t *params, json_t **ret, struct mp_err *err)
{
	(void)sys;
	(void)params;
	(void)ret;
	(void)err;
	raise(SIGKILL);
	return 0;
}

static void test_in_child(void **state)
{
	struct env *e = *state;
	struct mp_err err = { 0 };
	json_t *params = json_pack("{s:i}", "a", 1), *got = NULL;
	mp_ms start;

	begin(e);
	assert_int_equal(mp_sys_in_child(e->sys, 20000, fn_echo, params, &got, &err), 0);
	assert_true(json_equal(json_object_get(got, "got"), params));
	json_decref(got);
	json_decref(params);
	assert_int_equal(mp_sys_in_child(e->sys, 20000, fn_fail, NULL, &got, &err), -1);
	assert_int_equal(err.code, MP_E_SYS);
	assert_int_equal(err.sys, ENOTDIR);
	assert_string_equal(err.text, "look at it: Not a directory");
	start = mp_now();
	assert_int_equal(mp_sys_in_child(e->sys, 300, fn_hang, NULL, &got, &err), -1);
	assert_int_equal(err.code, MP_E_TIMEOUT);
	assert_true(mp_now() - start >= 300 && mp_now() - start < 10000);
	assert_int_equal(mp_sys_in_child(e->sys, 20000, fn_die, NULL, &got, &err), -1);
	assert_non_null(strstr(err.text, "signal 9"));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie */
	assert_int_equal(errno, ECHILD);
	end(e);
}

static void test_services(void **state)
{
	struct env *e = *state;
	struct mp_sys *sys = real_sys();
	struct mp_err err = { 0 };

	assert_false(mp_sys_service_known(sys, "no-such-service-here"));
	assert_false(mp_sys_service_known(sys, "../../bin/sh"));
	assert_int_equal(mp_sys_service(sys, "--force", "start", &err), -1);
	assert_int_equal(mp_sys_service(sys, "no-such-service-here", "status", &err), -1);
	assert_non_null(strstr(err.text, "no-such-service-here"));
	assert_false(mp_sys_service_known(e->sys, "cron"));
	assert_int_equal(mp_sys_service(e->sys, "cron", "start", &err), -1);
	mp_sys_close(sys);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_read),
		T(test_read_limits),
		T(test_list),
		T(test_users),
		T(test_write_needs_transaction),
		T(test_write_keeps_attributes),
		T(test_write_keeps_acl),
		T(test_write_new),
		T(test_write_same_bytes),
		T(test_write_links),
		T(test_foreign_links),
		T(test_changed_meanwhile),
		T(test_directories),
		T(test_poke),
		T(test_run),
		T(test_run_bounds_output),
		T(test_run_timeout),
		T(test_run_daemon),
		T(test_run_as_user),
		T(test_in_child),
		T(test_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
