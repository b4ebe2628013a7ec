/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions with the real agent, its way onto a host, and the pool. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "fleet/bootstrap.h"
#include "fleet/fleet.h"
#include "sshd.h"
#include "wire/greeting.h"

#define NONCE "00112233445566778899aabbccddeeff"

static struct mp_bundle bundle;
static struct mp_dial dial = { .connect_timeout_ms = 10000, .ssh_program = "ssh" };
static char dir[64];
static char name_h[] = "h";

static int setup(void **state)
{
	const char *build = getenv("BUILDDIR");
	struct mp_err err = { 0 };

	(void)state;
	if (mp_bundle_load(build ? build : ".", &bundle, &err) < 0)
		fail_msg("%s", err.text);
	snprintf(dir, sizeof(dir), "/tmp/migprep-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mp_bundle_fini(&bundle);
	TEST_RUN(NULL, "rm", "-rf", "--", dir);
	return 0;
}

static char *in_dir(const char *name)
{
	return mp_xasprintf("%s/%s", dir, name);
}

/* ---- the bundle ---- */

static void test_bundle_address(void **state)
{
	const char *build = getenv("BUILDDIR");
	mp_auto_free char *sums = mp_xasprintf("%s/SHA256SUMS", build ? build : "."), *out = NULL;
	const char *const argv[] = { "sha256sum", sums, NULL };

	(void)state;
	out = test_output(dir, argv);
	assert_int_equal(strncmp(out, bundle.address, 64), 0);
	assert_int_equal(strlen(bundle.address), 64);
	/* glibc is never brought along: it must match the host's loader. */
	assert_null(strstr(bundle.sums, "libc.so"));
	assert_null(strstr(bundle.sums, "ld-linux"));
	assert_non_null(strstr(bundle.sums, "libjansson.so"));
}

static void test_bundle_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"short\n",
		"0000000000000000000000000000000000000000000000000000000000000000  a'b\n",
		"0000000000000000000000000000000000000000000000000000000000000000  ../x\n",
		"0000000000000000000000000000000000000000000000000000000000000000  a",
		"0000000000000000000000000000000000000000000000000000000000000000  $(id)\n",
		"0000000000000000000000000000000000000000000000000000000000000000  -x\n",
	};
	mp_auto_free char *tar = in_dir("migprep-agent.tar"), *sums = in_dir("SHA256SUMS");
	struct mp_bundle b;
	struct mp_err err = { 0 };

	(void)state;
	assert_int_equal(mp_bundle_load("/nonexistent", &b, &err), -1);
	assert_int_equal(err.code, MP_E_SYS);
	test_write(tar, "x");
	for (size_t i = 0; i < MP_N_ELEMS(bad); i++) {
		test_write(sums, "%s", bad[i]);
		assert_int_equal(mp_bundle_load(dir, &b, &err), -1);
		assert_int_equal(err.code, MP_E_INPUT);
	}
}

/* ---- the bootstrap, in the shells that users have ---- */

/* Runs the bootstrap for base below shell; whether the host asked for the archive goes to *pushed.
 */
static enum mp_greeting bootstrap(const char *shell, const char *base, bool *pushed, char *text,
				  size_t text_size)
{
	mp_auto_free char *command = mp_bootstrap_command(&bundle, base, NONCE);
	mp_auto_free char *file = in_dir("command"), *line = NULL;
	struct mp_host h = { .name = name_h, .address = name_h, .transport = MP_TRANSPORT_LOCAL };
	struct mp_stream *s = NULL;
	struct mp_err err = { 0 };
	mp_ms deadline = mp_now() + 20000;
	enum mp_greeting g;
	struct mp_buf in;
	char chunk[4096];

	assert_null(strchr(command, '\n')); /* csh takes no line breaks in quotes, */
	assert_null(strchr(command, '!'));  /* and sees its history in exclamation marks */
	test_write(file, "%s", command);
	line = mp_xasprintf("exec %s -c \"$(cat %s)\"", shell, file);
	assert_int_equal(mp_transport_local.open(&dial, &h, line, &s, &err), 0);
	mp_buf_init(&in, 0);
	*pushed = false;
	for (;;) {
		ssize_t n;

		assert_int_equal(mp_greeting_scan(&in, NONCE, &g, text, text_size, &err), 0);
		if (g == MP_GREETING_PUSH) {
			*pushed = true;
			s->ops->write(s, bundle.tar, bundle.tar_size, deadline, &err);
			continue;
		}
		if (g != MP_GREETING_NONE)
			break;
		n = s->ops->read(s, chunk, sizeof(chunk), deadline, &err);
		if (n <= 0)
			fail_msg("%s: ended: %s %s", shell, err.text, s->ops->errtext(s));
		mp_buf_add(&in, chunk, (size_t)n);
	}
	s->ops->close(s);
	mp_buf_fini(&in);
	return g;
}

static void test_bootstrap_in_shells(void **state)
{
	static const char *const shells[] = { "sh", "bash", "csh", "fish", "zsh", "busybox sh" };
	char text[400];
	int tried = 0;

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(shells); i++) {
		mp_auto_free char *base = mp_xasprintf("%s/base%zu/agent", dir, i);
		mp_auto_free char *probe = mp_xasprintf("command -v %s >/dev/null", shells[i]);
		bool pushed;

		if (system(probe) != 0) {
			print_message("%s is not installed: not tried\n", shells[i]);
			continue;
		}
		tried++;
		assert_int_equal(bootstrap(shells[i], base, &pushed, text, sizeof(text)),
				 MP_GREETING_READY);
		assert_true(pushed);
		assert_string_equal(text, PACKAGE_VERSION);
		assert_int_equal(bootstrap(shells[i], base, &pushed, text, sizeof(text)),
				 MP_GREETING_READY);
		assert_false(pushed);
	}
	assert_true(tried >= 2);
}

static void test_bootstrap_mends_and_tidies(void **state)
{
	mp_auto_free char *base = in_dir("mend"), *agent = NULL, *script = NULL, *out = NULL;
	const char *argv[] = { "sh", "-c", NULL, NULL };
	struct stat st;
	char text[400];
	bool pushed;

	(void)state;
	assert_int_equal(bootstrap("sh", base, &pushed, text, sizeof(text)), MP_GREETING_READY);
	agent = mp_xasprintf("%s/%s/migprep-agent", base, bundle.address);
	assert_int_equal(stat(agent, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	*strrchr(agent, '/') = '\0';
	assert_int_equal(stat(agent, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	agent[strlen(agent)] = '/';
	/* One byte too many, and it is not trusted. Old versions go, the newest two stay. */
	script = mp_xasprintf(
		"echo >>%s; cd %s; for i in 1 2 3 4; do mkdir $i; touch -d 2001-01-0$i $i; "
		"done",
		agent, base);
	TEST_RUN(NULL, "sh", "-c", script);
	assert_int_equal(bootstrap("sh", base, &pushed, text, sizeof(text)), MP_GREETING_READY);
	assert_true(pushed);
	free(script);
	script = mp_xasprintf("ls -A %s", base);
	argv[2] = script;
	out = test_output(dir, argv);
	assert_non_null(strstr(out, bundle.address));
	assert_int_equal(strlen(out), 64 + 1 + 2); /* two lines: the address, and "4" */
	assert_non_null(strstr(out, "4\n"));
}

/* ---- over SSH; /var/lib is a file system of the test's own ---- */

static struct mp_host ssh_host(void)
{
	return (struct mp_host){ .name = name_h, .address = name_h };
}

static struct mp_session *open_or_fail(const struct mp_dial *d, const struct mp_bundle *b,
				       const struct mp_host *h)
{
	struct mp_session *s = NULL;
	struct mp_err err = { 0 };

	if (mp_session_open(d, b, h, mp_now() + 30000, &s, &err) < 0)
		fail_msg("%s: %s", mp_code_name(err.code), err.text);
	return s;
}

static json_t *empty_look(void)
{
	return json_pack("{s:{}, s:{s:n}}", "resources", "samples", "no-such-sample");
}

static void expect_answers(struct mp_session *s)
{
	struct mp_err err = { 0 };
	json_t *reply = NULL, *fact;

	if (mp_session_call(s, "observe", empty_look(), mp_now() + 20000, NULL, NULL, &reply,
			    &err) < 0)
		fail_msg("%s", err.text);
	fact = json_object_get(json_object_get(reply, "facts"), "no-such-sample");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(fact, "error"), "code")),
		"unsupported");
	json_decref(reply);
}

static void test_session_over_ssh(void **state)
{
	struct test_sshd sshd;
	struct mp_dial d = dial;
	struct mp_host h = ssh_host();

	(void)state;
	/* Twice each: pushing, and finding it there. A noisy login, without a last line break. */
	test_sshd_start(&sshd, "mount -t tmpfs -o mode=755 tmpfs /var/lib", NULL);
	d.ssh_config = sshd.config;
	for (int i = 0; i < 4; i++) {
		struct mp_session *s;

		h.transport = i % 2 ? MP_TRANSPORT_OPENSSH : MP_TRANSPORT_LIBSSH2;
		s = open_or_fail(&d, &bundle, &h);
		expect_answers(s);
		expect_answers(s);
		mp_session_close(s);
	}
	test_sshd_stop(&sshd);
}

static void test_session_through_noise(void **state)
{
	mp_auto_free char *extra = NULL;
	struct test_sshd sshd;
	struct mp_session *s;
	struct mp_dial d = dial;
	struct mp_host h = ssh_host();
	mp_auto_free char *keys = in_dir("noise"), *script = NULL;

	(void)state;
	/* The server keeps its own keys: extra lines replace the HostKey lines of the fixture. */
	TEST_RUN(NULL, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys);
	script = in_dir("noise.sh");
	test_write(script, "head -c 40000 /dev/zero | tr '\\0' x; printf welcome; "
			   "eval \"$SSH_ORIGINAL_COMMAND\"\n");
	extra = mp_xasprintf("HostKey %s\nForceCommand sh %s\n", keys, script);
	test_sshd_start(&sshd, "mount -t tmpfs -o mode=755 tmpfs /var/lib", extra);
	{
		mp_auto_free char *pub = mp_xasprintf("%s.pub", keys), *text = test_read(pub);

		test_write(sshd.known, "[127.0.0.1]:%ld %s", sshd.port, text);
	}
	d.ssh_config = sshd.config;
	s = open_or_fail(&d, &bundle, &h);
	expect_answers(s);
	mp_session_close(s);
	test_sshd_stop(&sshd);
}

/* A host whose /var/lib was prepared by prelude cannot take the agent, and says why. */
static void expect_no_room(const char *prelude, enum mp_code code, const char *text)
{
	struct test_sshd sshd;
	struct mp_dial d = dial;
	struct mp_host h = ssh_host();

	test_sshd_start(&sshd, prelude, NULL);
	d.ssh_config = sshd.config;
	for (int i = 0; i < 2; i++) {
		struct mp_session *s = NULL;
		struct mp_err err = { 0 };

		h.transport = i ? MP_TRANSPORT_OPENSSH : MP_TRANSPORT_LIBSSH2;
		assert_int_equal(mp_session_open(&d, &bundle, &h, mp_now() + 20000, &s, &err), -1);
		if (err.code != code || !strstr(err.text, text))
			fail_msg("wanted %s (%s), got %s: %s", mp_code_name(code), text,
				 mp_code_name(err.code), err.text);
	}
	test_sshd_stop(&sshd);
}

static void test_no_room_for_the_agent(void **state)
{
	(void)state;
	expect_no_room("mount -t tmpfs -o size=64k tmpfs /var/lib", MP_E_SYS, "No space left");
	expect_no_room("mount -t tmpfs -o ro tmpfs /var/lib", MP_E_SYS, "Read-only file system");
	expect_no_room("mount -t tmpfs -o noexec tmpfs /var/lib", MP_E_DENIED, "noexec");
	expect_no_room("mount -t tmpfs tmpfs /var/lib; mkdir -p /var/lib/migprep/agent; "
		       "chown 65534 /var/lib/migprep/agent",
		       MP_E_DENIED, "does not belong to root");
	expect_no_room("mount -t tmpfs tmpfs /var/lib; for p in /usr/bin/tar /bin/tar; do "
		       "[ -e $p ] && mount --bind /dev/null $p; done",
		       MP_E_UNSUPPORTED, "tar is missing");
}

/* ---- agents that misbehave: shell scripts in its place, started by the local transport ---- */

static struct mp_bundle script_agent(const char *body)
{
	char *path = in_dir("agent.sh");

	test_write(path, "#!/bin/sh\n# $2 is the nonce\n%s\n", body);
	assert_int_equal(chmod(path, 0700), 0);
	return (struct mp_bundle){ .local_agent = path };
}

static void expect_open_fails(const char *body, enum mp_code code, const char *text)
{
	struct mp_bundle b = script_agent(body);
	struct mp_host h = { .name = name_h, .address = name_h, .transport = MP_TRANSPORT_LOCAL };
	struct mp_session *s = NULL;
	struct mp_err err = { 0 };

	assert_int_equal(mp_session_open(&dial, &b, &h, mp_now() + 1500, &s, &err), -1);
	if (err.code != code || !strstr(err.text, text))
		fail_msg("wanted %s (%s), got %s: %s", mp_code_name(code), text,
			 mp_code_name(err.code), err.text);
	free(b.local_agent);
}

static void test_agent_that_does_not_start(void **state)
{
	(void)state;
	/* What ld.so, execve and sudo say (glibc elf/dl-version.c, strerror, sudo 1.9). */
	expect_open_fails(
		"echo \"x: /lib/libc.so.6: version \\`GLIBC_2.99' not found\" >&2; exit 1",
		MP_E_UNSUPPORTED, "C library");
	expect_open_fails("echo 'sh: 1: x: Exec format error' >&2; exit 126", MP_E_UNSUPPORTED,
			  "architecture");
	expect_open_fails("echo 'sudo: a password is required' >&2; exit 1", MP_E_DENIED, "root");
	expect_open_fails("exit 0", MP_E_GONE, "ended before");
	expect_open_fails("exec sleep 60", MP_E_TIMEOUT, "did not start in time");
	expect_open_fails("exec yes", MP_E_PROTO, "printed more than");
	expect_open_fails("echo migprep $2 fail system no luck", MP_E_SYS, "no luck");
	expect_open_fails("echo migprep $2 push; echo migprep $2 push; exec cat", MP_E_PROTO,
			  "twice");
}

static void expect_call_fails(const char *body, enum mp_code code, const char *text)
{
	mp_auto_free char *full = mp_xasprintf("echo migprep $2 ready x\n%s", body);
	struct mp_bundle b = script_agent(full);
	struct mp_host h = { .name = name_h, .address = name_h, .transport = MP_TRANSPORT_LOCAL };
	struct mp_session *s = open_or_fail(&dial, &b, &h);
	struct mp_err err = { 0 };
	json_t *reply = NULL;

	assert_int_equal(mp_session_call(s, "observe", empty_look(), mp_now() + 700, NULL, NULL,
					 &reply, &err),
			 -1);
	if (err.code != code || !strstr(err.text, text))
		fail_msg("wanted %s (%s), got %s: %s", mp_code_name(code), text,
			 mp_code_name(err.code), err.text);
	/* After that the stream is of no use, and says so at once. */
	assert_int_equal(mp_session_call(s, "observe", empty_look(), mp_now() + 700, NULL, NULL,
					 &reply, &err),
			 -1);
	assert_int_equal(err.code, MP_E_GONE);
	mp_session_close(s);
	free(b.local_agent);
}

static void test_agent_that_fails_later(void **state)
{
	(void)state;
	expect_call_fails("exec sleep 60", MP_E_TIMEOUT, "observe");
	expect_call_fails("head -c 4 >/dev/null; echo Killed >&2; exit 137", MP_E_GONE, "Killed");
	expect_call_fails("printf '\\377\\377\\377\\377'; exec sleep 60", MP_E_LIMIT, "larger");
	expect_call_fails("printf '\\000\\000\\000\\002[]'; exec sleep 60", MP_E_PROTO, "object");
	expect_call_fails("printf '\\000\\000\\000\\002{}'; exec sleep 60", MP_E_PROTO, "nonsense");
}

/* Events without an end: each is sound, together they are too many. */
static void test_flood_of_events(void **state)
{
	static const char frame[] = "{\"event\":{\"x\":\"";
	mp_auto_free char *path = in_dir("frame"), *body = NULL;
	struct mp_host h = { .name = name_h, .address = name_h, .transport = MP_TRANSPORT_LOCAL };
	FILE *f = fopen(path, "we");
	struct mp_bundle b;
	struct mp_session *s;
	struct mp_err err = { 0 };
	json_t *reply = NULL;

	(void)state;
	assert_non_null(f);
	/* 0x100000 bytes each: 65 of them are more than 64 MiB. */
	fwrite("\0\x10\0\0", 1, 4, f);
	fputs(frame, f);
	for (size_t i = 0; i < 0x100000 - strlen(frame) - 3; i++)
		putc('x', f);
	fputs("\"}}", f);
	assert_int_equal(fclose(f), 0);
	body = mp_xasprintf("echo migprep $2 ready x; while cat %s; do :; done", path);
	b = script_agent(body);
	s = open_or_fail(&dial, &b, &h);
	assert_int_equal(mp_session_call(s, "observe", empty_look(), mp_now() + 60000, NULL, NULL,
					 &reply, &err),
			 -1);
	assert_int_equal(err.code, MP_E_LIMIT);
	assert_non_null(strstr(err.text, "more than 64 MiB during 'observe'"));
	mp_session_close(s);
	free(b.local_agent);
}

/* ---- the agent itself ---- */

static struct mp_bundle rooted_agent(const char *root)
{
	struct mp_bundle b;
	mp_auto_free char *body =
		mp_xasprintf("exec %s --root %s \"$@\"", bundle.local_agent, root);

	assert_true(mkdir(root, 0700) == 0 || errno == EEXIST);
	b = script_agent(body);
	return b;
}

static int count_event(const json_t *event, void *arg, struct mp_err *err)
{
	(void)err;
	assert_string_equal(json_string_value(json_object_get(event, "status")), "failed");
	++*(int *)arg;
	return 0;
}

static json_t *two_steps(void)
{
	return json_pack("{s:[{s:s, s:n, s:{}}, {s:s, s:n, s:{}}]}", "steps", "id", "no-such-one",
			 "params", "want", "id", "no-such-two", "params", "want");
}

static void test_apply_and_errors(void **state)
{
	mp_auto_free char *root = in_dir("root");
	struct mp_bundle b = rooted_agent(root);
	struct mp_host h = { .name = name_h, .address = name_h, .transport = MP_TRANSPORT_LOCAL };
	struct mp_session *s = open_or_fail(&dial, &b, &h);
	struct mp_err err = { 0 };
	json_t *reply = NULL, *body;
	int events = 0;

	(void)state;
	assert_int_equal(mp_session_call(s, "apply", two_steps(), mp_now() + 20000, count_event,
					 &events, &reply, &err),
			 0);
	assert_int_equal(events, 2);
	assert_int_equal(json_array_size(json_object_get(reply, "results")), 2);
	json_decref(reply);
	body = two_steps();
	json_object_set_new(body, "stop", json_true());
	assert_int_equal(mp_session_call(s, "apply", body, mp_now() + 20000, count_event, &events,
					 &reply, &err),
			 0);
	assert_int_equal(events, 3);
	json_decref(reply);
	/* An error of one request is not the end of the session. */
	assert_int_equal(mp_session_call(s, "no-such-verb", json_object(), mp_now() + 20000, NULL,
					 NULL, &reply, &err),
			 -1);
	assert_int_equal(err.code, MP_E_UNSUPPORTED);
	assert_int_equal(mp_session_call(s, "apply", json_object(), mp_now() + 20000, NULL, NULL,
					 &reply, &err),
			 -1);
	assert_int_equal(err.code, MP_E_PROTO);
	expect_answers(s);
	mp_session_close(s);
	free(b.local_agent);
}

static void test_one_apply_at_a_time(void **state)
{
	mp_auto_free char *root = in_dir("root"), *path = in_dir("root/var/lib/migprep/lock");
	struct mp_bundle b = rooted_agent(root);
	struct mp_host h = { .name = name_h, .address = name_h, .transport = MP_TRANSPORT_LOCAL };
	struct mp_session *s = open_or_fail(&dial, &b, &h);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct mp_err err = { 0 };
	json_t *reply = NULL;
	char pid[32];
	int fd;

	(void)state;
	assert_int_equal(mp_session_call(s, "apply", two_steps(), mp_now() + 20000, NULL, NULL,
					 &reply, &err),
			 0);
	json_decref(reply);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETLK, &lock), 0);
	assert_int_equal(mp_session_call(s, "apply", two_steps(), mp_now() + 20000, NULL, NULL,
					 &reply, &err),
			 -1);
	assert_int_equal(err.code, MP_E_DENIED);
	snprintf(pid, sizeof(pid), "process %ld ", (long)getpid());
	assert_non_null(strstr(err.text, pid));
	close(fd);
	assert_int_equal(mp_session_call(s, "apply", two_steps(), mp_now() + 20000, NULL, NULL,
					 &reply, &err),
			 0);
	json_decref(reply);
	mp_session_close(s);
	free(b.local_agent);
}

static void test_agent_ends_with_its_input(void **state)
{
	mp_auto_free char *root = in_dir("root");
	int pair[2], status;
	pid_t pid;

	(void)state;
	mkdir(root, 0700);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		dup2(pair[1], 0);
		dup2(pair[1], 1);
		execl(bundle.local_agent, "migprep-agent", "--root", root, "--greet", NONCE, NULL);
		_exit(127);
	}
	close(pair[1]);
	close(pair[0]); /* the controller is gone, perhaps before the greeting */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- the pool ---- */

#define N_HOSTS 60

struct tally {
	atomic_int talks, inside, most;
	int done; /* on_done is called without overlap */
	size_t last;
	atomic_bool *cancel;
};

static int talk(struct mp_session *s, const struct mp_host *h, mp_ms deadline, void *arg,
		struct mp_err *err)
{
	struct tally *t = arg;
	int inside = atomic_fetch_add(&t->inside, 1) + 1, most = atomic_load(&t->most);
	json_t *reply = NULL;
	int rc;

	while (inside > most && !atomic_compare_exchange_weak(&t->most, &most, inside))
		;
	atomic_fetch_add(&t->talks, 1);
	rc = mp_session_call(s, "observe", empty_look(), deadline, NULL, NULL, &reply, err);
	json_decref(reply);
	if (rc == 0 && h->index % 10 == 3)
		rc = mp_err_set(err, MP_E_INPUT, "host %zu", h->index);
	atomic_fetch_sub(&t->inside, 1);
	return rc;
}

static void on_done(const struct mp_host *h, const struct mp_err *err, size_t done, size_t total,
		    void *arg)
{
	struct tally *t = arg;

	(void)h;
	(void)err;
	assert_int_equal(done, t->last + 1);
	assert_true(done <= total);
	t->last = done;
	t->done++;
	if (t->cancel && done == 5)
		atomic_store(t->cancel, true);
}

static void make_hosts(struct mp_host *hosts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hosts[i] = (struct mp_host){
			.index = i, .name = dir, .address = dir, .transport = MP_TRANSPORT_LOCAL
		};
}

static void test_pool(void **state)
{
	mp_auto_free char *root = in_dir("root");
	struct mp_bundle b = rooted_agent(root);
	struct mp_host hosts[N_HOSTS];
	struct mp_inventory inv = { .hosts = hosts, .n_hosts = N_HOSTS };
	struct mp_err errs[N_HOSTS], err = { 0 };
	struct tally t = { 0 };
	bool selected[N_HOSTS];
	struct mp_fleet f = { .dial = &dial,
			      .bundle = &b,
			      .inv = &inv,
			      .forks = 7,
			      .host_timeout_ms = 30000,
			      .on_done = on_done,
			      .on_done_arg = &t };

	(void)state;
	make_hosts(hosts, N_HOSTS);
	for (size_t i = 0; i < N_HOSTS; i++)
		selected[i] = i % 4 != 0;
	assert_int_equal(mp_fleet_run(&f, selected, talk, &t, errs, &err), 0);
	assert_int_equal(t.talks, 45);
	assert_int_equal(t.done, 45);
	assert_in_range(t.most, 2, 7);
	for (size_t i = 0; i < N_HOSTS; i++)
		assert_int_equal(errs[i].code, selected[i] && i % 10 == 3 ? MP_E_INPUT : MP_E_NONE);
	free(b.local_agent);
}

static void test_pool_cancelled(void **state)
{
	mp_auto_free char *root = in_dir("root");
	struct mp_bundle b = rooted_agent(root);
	atomic_bool cancel = false;
	struct mp_dial d = dial;
	struct mp_host hosts[N_HOSTS];
	struct mp_inventory inv = { .hosts = hosts, .n_hosts = N_HOSTS };
	struct mp_err errs[N_HOSTS], err = { 0 };
	struct tally t = { .cancel = &cancel };
	bool selected[N_HOSTS];
	struct mp_fleet f = { .dial = &d,
			      .bundle = &b,
			      .inv = &inv,
			      .forks = 2,
			      .host_timeout_ms = 30000,
			      .on_done = on_done,
			      .on_done_arg = &t };
	size_t stopped = 0;

	(void)state;
	d.cancel = &cancel;
	make_hosts(hosts, N_HOSTS);
	memset(selected, 1, sizeof(selected));
	assert_int_equal(mp_fleet_run(&f, selected, talk, &t, errs, &err), -1);
	assert_int_equal(err.code, MP_E_CANCELLED);
	for (size_t i = 0; i < N_HOSTS; i++)
		stopped += errs[i].code == MP_E_CANCELLED;
	assert_in_range(stopped, N_HOSTS - 8, N_HOSTS - 5);
	free(b.local_agent);
}

/* Good hosts among a silent one, a refusing one and one with a stuck agent: nobody waits for them.
 */
static void test_pool_bad_hosts_cost_themselves(void **state)
{
	enum { N = 12 };
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t size = sizeof(sa);
	int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct test_sshd sshd;
	struct mp_dial d = dial;
	struct mp_bundle b = bundle;
	struct mp_host hosts[N];
	struct mp_inventory inv = { .hosts = hosts, .n_hosts = N };
	struct mp_err errs[N], err = { 0 };
	struct tally t = { 0 };
	bool selected[N];
	struct mp_fleet f = {
		.dial = &d, .bundle = &b, .inv = &inv, .forks = N, .host_timeout_ms = 9000
	};
	struct mp_bundle stuck;
	mp_ms start;

	(void)state;
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(silent, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(silent, 8), 0);
	assert_int_equal(getsockname(silent, (struct sockaddr *)&sa, &size), 0);
	test_sshd_start(&sshd, "mount -t tmpfs -o mode=755 tmpfs /var/lib", NULL);
	d.ssh_config = sshd.config;
	d.connect_timeout_ms = 5000;
	make_hosts(hosts, N);
	for (size_t i = 0; i < N; i++)
		hosts[i].transport = MP_TRANSPORT_LIBSSH2;
	memset(selected, 1, sizeof(selected));
	stuck = script_agent("exec sleep 60");
	b.local_agent = stuck.local_agent;
	hosts[0].ssh_port = ntohs(sa.sin_port);
	hosts[1].ssh_port = test_free_port();
	hosts[2].transport = MP_TRANSPORT_LOCAL;
	/* The archive is there already; how long a push takes is not the question here. */
	mp_session_close(open_or_fail(&d, &b, &hosts[3]));
	start = mp_now();
	assert_int_equal(mp_fleet_run(&f, selected, talk, &t, errs, &err), 0);
	assert_true(mp_now() - start < 11000);
	assert_int_equal(errs[0].code, MP_E_TIMEOUT);
	assert_int_equal(errs[1].code, MP_E_REFUSED);
	assert_int_equal(errs[2].code, MP_E_TIMEOUT);
	for (size_t i = 3; i < N; i++)
		if (errs[i].code != (i == 3 ? MP_E_INPUT : MP_E_NONE))
			fail_msg("host %zu: %s", i, errs[i].text);
	test_sshd_stop(&sshd);
	free(stuck.local_agent);
	close(silent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bundle_address),
		cmocka_unit_test(test_bundle_refuses),
		cmocka_unit_test(test_bootstrap_in_shells),
		cmocka_unit_test(test_bootstrap_mends_and_tidies),
		cmocka_unit_test(test_session_over_ssh),
		cmocka_unit_test(test_session_through_noise),
		cmocka_unit_test(test_no_room_for_the_agent),
		cmocka_unit_test(test_agent_that_does_not_start),
		cmocka_unit_test(test_agent_that_fails_later),
		cmocka_unit_test(test_flood_of_events),
		cmocka_unit_test(test_apply_and_errors),
		cmocka_unit_test(test_one_apply_at_a_time),
		cmocka_unit_test(test_agent_ends_with_its_input),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_pool_cancelled),
		cmocka_unit_test(test_pool_bad_hosts_cost_themselves),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
