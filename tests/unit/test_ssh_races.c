/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Packets that reach libssh2 at the worst moment: they are not waited for once more. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <libssh2.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "sshd.h"
#include "transport/transport.h"

static struct test_sshd sshd;
static struct mp_dial dial;
static char name_h[] = "h";

/* ---- libssh2, delayed until the other side has spoken ---- */

/* How many reads of each stream are still held up, until there is something on the socket. */
static int hold_stdout, hold_stderr;
static bool hold_after_write;

static int socket_to_sshd(void)
{
	for (int fd = 3; fd < 256; fd++) {
		struct sockaddr_in a = { 0 };
		socklen_t size = sizeof(a);

		if (getpeername(fd, (struct sockaddr *)&a, &size) == 0 && a.sin_family == AF_INET &&
		    ntohs(a.sin_port) == sshd.port)
			return fd;
	}
	return -1;
}

static void await_packet(int ms)
{
	struct pollfd p = { .fd = socket_to_sshd(), .events = POLLIN };

	assert_true(p.fd >= 0);
	poll(&p, 1, ms);
}

ssize_t libssh2_channel_read_ex(LIBSSH2_CHANNEL *channel, int stream, char *buf, size_t size)
{
	ssize_t (*real)(LIBSSH2_CHANNEL *, int, char *, size_t) =
		(ssize_t(*)(LIBSSH2_CHANNEL *, int, char *, size_t))(uintptr_t)dlsym(
			RTLD_NEXT, "libssh2_channel_read_ex");
	int *hold = stream ? &hold_stderr : &hold_stdout;

	if (*hold > 0) {
		--*hold;
		await_packet(5000);
	}
	return real(channel, stream, buf, size);
}

ssize_t libssh2_channel_write_ex(LIBSSH2_CHANNEL *channel, int stream, const char *buf, size_t size)
{
	ssize_t (*real)(LIBSSH2_CHANNEL *, int, const char *, size_t) =
		(ssize_t(*)(LIBSSH2_CHANNEL *, int, const char *, size_t))(uintptr_t)dlsym(
			RTLD_NEXT, "libssh2_channel_write_ex");
	ssize_t n = real(channel, stream, buf, size);

	if (hold_after_write && n == LIBSSH2_ERROR_EAGAIN &&
	    libssh2_channel_window_write(channel) == 0)
		hold_stdout = 1;
	return n;
}

/* ---- tests ---- */

static int setup(void **state)
{
	(void)state;
	test_sshd_start(&sshd, NULL, NULL);
	dial = (struct mp_dial){ .connect_timeout_ms = 20000, .ssh_config = sshd.config };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	test_sshd_stop(&sshd);
	return 0;
}

static struct mp_stream *open_or_fail(const char *command)
{
	static const struct mp_host h = { .name = name_h, .address = name_h };
	struct mp_stream *s = NULL;
	struct mp_err err = { 0 };

	if (mp_transport_libssh2.open(&dial, &h, command, &s, &err) < 0)
		fail_msg("open: %s", err.text);
	return s;
}

static void expect_read(struct mp_stream *s, const char *text)
{
	struct mp_err err = { 0 };
	char buf[100] = "";
	size_t got = 0;

	while (got < strlen(text)) {
		ssize_t n =
			s->ops->read(s, buf + got, sizeof(buf) - 1 - got, mp_now() + 10000, &err);

		if (n <= 0)
			fail_msg("read %zd: %s", n, err.text);
		got += (size_t)n;
	}
	assert_string_equal(buf, text);
}

static void write_or_fail(struct mp_stream *s, const char *data, size_t size)
{
	struct mp_err err = { 0 };

	if (s->ops->write(s, data, size, mp_now() + 20000, &err) < 0)
		fail_msg("write: %s", err.text);
}

/* The answer comes while standard error is looked at. */
static void test_answer_during_stderr(void **state)
{
	struct mp_stream *s = open_or_fail("echo first; read x; echo \"second $x\"; read x");

	(void)state;
	expect_read(s, "first\n");
	write_or_fail(s, "go\n", 3);
	hold_stderr = 1;
	expect_read(s, "second go\n");
	assert_int_equal(hold_stderr, 0);
	s->ops->close(s);
}

/* The same for the end of the stream, with and without last words. */
static void test_end_during_stderr(void **state)
{
	static const char *const commands[] = { "echo first; read x",
						"echo first; read x; echo bye >&2" };

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(commands); i++) {
		struct mp_stream *s = open_or_fail(commands[i]);
		struct mp_err err = { 0 };
		char c;

		expect_read(s, "first\n");
		write_or_fail(s, "go\n", 3);
		hold_stderr = 1;
		assert_int_equal(s->ops->read(s, &c, 1, mp_now() + 10000, &err), 0);
		assert_string_equal(s->ops->errtext(s), i ? "bye" : "");
		s->ops->close(s);
	}
}

/* The window opens again while the writer looks whether the other side says anything. */
static void test_window_during_read(void **state)
{
	size_t size = 8u << 20;
	mp_auto_free char *data = mp_xcalloc(size, 1);
	struct mp_stream *s = open_or_fail("head -c 8388608 | wc -c");

	(void)state;
	hold_after_write = true;
	write_or_fail(s, data, size);
	hold_after_write = false;
	expect_read(s, "8388608\n");
	s->ops->close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer_during_stderr),
		cmocka_unit_test(test_end_during_stderr),
		cmocka_unit_test(test_window_during_read),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
