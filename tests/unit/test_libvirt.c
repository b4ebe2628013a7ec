/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The host's libvirt: its process, the restart after a change, and what guests leave. The files and
 * the command line are those of libvirt 9.0.0 with one running guest.
 */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libvirt/libvirt.h>

#include "agent/leftovers.h"
#include "base/alloc.h"
#include "host/libvirt.h"
#include "resource/resource.h"

extern const struct mp_resource mp_resource_libvirt_restart;

#define NAME "migprep-verify-1234abcd-1"
#define UUID "6f6f1111-2222-4333-8444-555566667777"

static char root[64];
static struct mp_sys *sys;

/* Writes a file below the root, with its directories. */
static void put(const char *path, const char *data, size_t size)
{
	mp_auto_free char *real = mp_xasprintf("%s%s", root, path);
	FILE *f;

	for (char *s = real + strlen(root) + 1; (s = strchr(s, '/')) != NULL; s++) {
		*s = '\0';
		mkdir(real, 0755);
		*s = '/';
	}
	f = fopen(real, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	fclose(f);
}

#define PUT(path, text) put(path, text, strlen(text))

static int start(void **state)
{
	struct mp_err err = { 0 };

	(void)state;
	snprintf(root, sizeof(root), "/tmp/migprep-test-XXXXXX");
	assert_non_null(mkdtemp(root));
	if (mp_sys_open(root, &sys, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int stop(void **state)
{
	mp_auto_free char *command = mp_xasprintf("rm -rf '%s'", root);

	(void)state;
	mp_sys_close(sys);
	return system(command);
}

/* ---- the daemon ---- */

static void test_daemon(void **state)
{
	struct mp_libvirt_daemon d;

	(void)state;
	mp_libvirt_daemon(sys, &d);
	assert_false(d.installed);
	assert_null(d.name);

	PUT("/usr/sbin/libvirtd", "");
	mp_libvirt_daemon(sys, &d);
	assert_true(d.installed);
	assert_null(d.name);

	/* A pid file of a daemon that is gone, its number now another program's. */
	PUT("/run/libvirtd.pid", "123\n");
	PUT("/proc/123/comm", "cron\n");
	mp_libvirt_daemon(sys, &d);
	assert_null(d.name);

	PUT("/proc/123/comm", "libvirtd\n");
	mp_libvirt_daemon(sys, &d);
	assert_string_equal(d.name, "libvirtd");

	PUT("/run/virtqemud.pid", "124\n");
	PUT("/proc/124/comm", "virtqemud\n");
	mp_libvirt_daemon(sys, &d);
	assert_string_equal(d.name, "virtqemud");
}

/* When a real process was started is known to the second from outside: it is a child of ours. */
static void test_started(void **state)
{
	struct timespec before, after;
	mp_auto_free char *from = NULL;
	char text[1024];
	struct mp_libvirt_daemon d;
	int pipes[2], status;
	FILE *f;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	clock_gettime(CLOCK_REALTIME, &before);
	pid = fork();
	if (pid == 0) {
		char c;

		close(pipes[1]);
		_exit(read(pipes[0], &c, 1) < 0);
	}
	clock_gettime(CLOCK_REALTIME, &after);
	from = mp_xasprintf("/proc/%d/stat", (int)pid);
	f = fopen(from, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	close(pipes[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pipes[0]);

	PUT("/run/libvirtd.pid", "125\n");
	PUT("/proc/125/comm", "libvirtd\n");
	PUT("/proc/125/stat", text);
	mp_libvirt_daemon(sys, &d);
	assert_string_equal(d.name, "libvirtd");
	/* A tick of 10 ms earlier at most, and a little for reading two clocks. */
	assert_true(d.started_ms >= before.tv_sec * 1000LL + before.tv_nsec / 1000000 - 15);
	assert_true(d.started_ms <= after.tv_sec * 1000LL + after.tv_nsec / 1000000 + 15);
}

/* ---- the restart ---- */

static void check_diff(const char *fact, enum mp_status status, const char *after)
{
	json_t *f = json_loads(fact, 0, NULL), *want = json_pack("{s:s}", "config", "/etc/q.conf");
	mp_auto_diff struct mp_diff d;

	assert_non_null(f);
	mp_diff_init(&d);
	mp_resource_libvirt_restart.diff(f, want, &d);
	assert_int_equal(d.status, status);
	assert_int_equal(d.n_changes, after ? 1 : 0);
	if (after)
		assert_string_equal(d.changes[0].after, after);
	json_decref(f);
	json_decref(want);
}

static void check_diff_pending(const char *fact, int seen_ms, enum mp_status status)
{
	json_t *f = json_loads(fact, 0, NULL),
	       *want = json_pack("{s:s, s:i}", "config", "/etc/q.conf", "changes_after_ms",
				 seen_ms);
	mp_auto_diff struct mp_diff d;

	mp_diff_init(&d);
	mp_resource_libvirt_restart.diff(f, want, &d);
	assert_int_equal(d.status, status);
	json_decref(want);
	json_decref(f);
}

static void test_restart(void **state)
{
	(void)state;
	check_diff("{\"installed\": false, \"daemon\": null}", MP_SKIP, NULL);
	check_diff("{\"installed\": true, \"daemon\": null, \"config_ms\": 5}", MP_SKIP, NULL);
	check_diff("{\"installed\": true, \"daemon\": \"libvirtd\", \"started_ms\": 5, "
		   "\"config_ms\": null}",
		   MP_OK, NULL);
	check_diff("{\"installed\": true, \"daemon\": \"libvirtd\", \"started_ms\": 6, "
		   "\"config_ms\": 5}",
		   MP_OK, NULL);
	check_diff(
		"{\"installed\": true, \"daemon\": \"virtqemud\", \"started_ms\": 1795170868332, "
		"\"config_ms\": 1795170868333}",
		MP_DRIFT, "restarted");
	check_diff("{\"installed\": true, \"daemon\": \"libvirtd\", \"started_ms\": 5, "
		   "\"config_ms\": 9, "
		   "\"future\": true}",
		   MP_WARN, NULL);
	/* The file is going to change (foreseen), and has changed since (no more foreseen). */
	check_diff_pending("{\"installed\": true, \"daemon\": \"libvirtd\", \"started_ms\": 6, "
			   "\"config_ms\": 5}",
			   5, MP_DRIFT);
	check_diff_pending("{\"installed\": true, \"daemon\": \"libvirtd\", \"started_ms\": 9, "
			   "\"config_ms\": 8}",
			   5, MP_OK);
}

static void test_restart_looks(void **state)
{
	json_t *fact = NULL, *params = json_pack("{s:s}", "config", "/etc/q.conf");
	const struct timespec times[2] = { { 1000, 250000000 }, { 1000, 250000000 } };
	mp_auto_free char *config = mp_xasprintf("%s/etc/q.conf", root);
	struct mp_err err = { 0 };

	(void)state;
	PUT("/etc/q.conf", "x");
	assert_int_equal(utimensat(AT_FDCWD, config, times, 0), 0);
	PUT("/run/libvirtd.pid", "123\n");
	PUT("/proc/123/comm", "libvirtd\n");
	assert_int_equal(mp_resource_libvirt_restart.observe(sys, params, &fact, &err), 0);
	assert_int_equal(json_integer_value(json_object_get(fact, "config_ms")), 1000250);
	assert_string_equal(json_string_value(json_object_get(fact, "daemon")), "libvirtd");
	json_decref(fact);
	json_decref(params);
}

/* Which guests a restart may break; what a target shows in a real move,
 * tests/scenario/restart-gate.sh. */
static void test_busy(void **state)
{
	static const struct {
		int state, reason;
		bool told;
		int job;
		bool busy;
	} rows[] = {
		{ VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED, true, VIR_DOMAIN_JOB_NONE, false },
		{ VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATED, true, VIR_DOMAIN_JOB_NONE,
		  false },
		{ VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER, true, VIR_DOMAIN_JOB_NONE, false },
		{ VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR, true, VIR_DOMAIN_JOB_NONE, false },
		/* The source of a move, and a guest whose libvirt does not tell. */
		{ VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED, true, VIR_DOMAIN_JOB_UNBOUNDED,
		  true },
		{ VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED, false, VIR_DOMAIN_JOB_NONE, true },
		/* Its target: while memory comes, and in post-copy. */
		{ VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, true, VIR_DOMAIN_JOB_NONE, true },
		{ VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, false, VIR_DOMAIN_JOB_NONE,
		  true },
		{ VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_POSTCOPY, true, VIR_DOMAIN_JOB_NONE,
		  true },
		{ VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY, true, VIR_DOMAIN_JOB_NONE, true },
		{ VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP, true, VIR_DOMAIN_JOB_NONE,
		  true },
		{ VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SNAPSHOT, true, VIR_DOMAIN_JOB_NONE, true },
	};

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(rows); i++)
		if (mp_libvirt_is_busy(rows[i].state, rows[i].reason, rows[i].told, rows[i].job) !=
		    rows[i].busy)
			fail_msg("row %zu", i);
}

/* ---- leftovers ---- */

static void check_left(const char *name, const char *uuid, const char *want)
{
	struct mp_err err = { 0 };
	mp_auto_free char *text = NULL;
	json_t *got = NULL;

	if (mp_leftovers_look(root, name, uuid, &got, &err) < 0)
		fail_msg("%s", err.text);
	text = json_dumps(got, JSON_SORT_KEYS | JSON_COMPACT);
	assert_string_equal(text, want);
	json_decref(got);
}

#define NONE "{\"files\":[],\"processes\":[]}"

static void test_no_libvirt(void **state)
{
	(void)state;
	PUT("/proc/1/cmdline", "init");
	check_left(NAME, UUID, NONE);
}

static void test_leftovers(void **state)
{
	static const char qemu[] = "/usr/bin/qemu-system-x86_64\0-name\0guest=" NAME
				   ",debug-threads=on\0-S\0-uuid\0" UUID;
	static const char other[] =
		"/usr/bin/qemu-system-x86_64\0-name\0guest=" NAME
		"1,debug-threads=on\0-uuid\0006f6f1111-2222-4333-8444-555566667778";

	(void)state;
	put("/proc/12/cmdline", qemu, sizeof(qemu));
	put("/proc/13/cmdline", other, sizeof(other)); /* its name begins like ours */
	put("/proc/14/cmdline", "", 0);                /* a thread of the kernel */
	PUT("/run/libvirt/qemu/" NAME "1.pid", "13");
	PUT("/run/libvirt/qemu/driver.pid", "9");
	PUT("/var/log/libvirt/qemu/" NAME ".log", "");
	PUT("/var/lib/libvirt/qemu/domain-3-migprep-verify-5678f/master-key.aes", "");
	check_left(NAME, UUID, "{\"files\":[],\"processes\":[\"12 /usr/bin/qemu-system-x86_64\"]}");
	/* By name alone, and by UUID alone. */
	check_left(NAME, "00000000-0000-4000-8000-000000000000",
		   "{\"files\":[],\"processes\":[\"12 /usr/bin/qemu-system-x86_64\"]}");
	check_left("x", UUID, "{\"files\":[],\"processes\":[\"12 /usr/bin/qemu-system-x86_64\"]}");
	put("/proc/12/cmdline", "", 0);
	check_left(NAME, UUID, NONE);

	PUT("/run/libvirt/qemu/" NAME ".pid", "12");
	check_left(NAME, UUID, "{\"files\":[\"/run/libvirt/qemu/" NAME ".pid\"],\"processes\":[]}");
}

static void test_leftover_directory(void **state)
{
	(void)state;
	PUT("/proc/1/cmdline", "init");
	/* libvirt cuts the name to 20 characters here. */
	PUT("/var/lib/libvirt/qemu/channel/target/domain-3-migprep-verify-1234a/x", "");
	check_left(NAME, UUID,
		   "{\"files\":[\"/var/lib/libvirt/qemu/channel/target/"
		   "domain-3-migprep-verify-1234a\"],\"processes\":[]}");
	check_left("migprep-verify-1234", UUID, NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_daemon),    TEST(test_started),
		TEST(test_restart),   TEST(test_restart_looks),
		TEST(test_busy),      TEST(test_no_libvirt),
		TEST(test_leftovers), TEST(test_leftover_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
