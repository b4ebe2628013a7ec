/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_listen: the verb "listen", and the connections of the verb "try", over loopback. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "mesh/causes.h"
#include "model/world.h"

extern const struct mp_verb mp_verb_listen;
extern const struct mp_verb mp_verb_try;

struct mp_agent {
	struct mp_sys *sys;
	json_t *events;
};

struct mp_sys *mp_agent_sys(struct mp_agent *a)
{
	return a->sys;
}

int mp_agent_event(struct mp_agent *a, json_t *body, struct mp_err *err)
{
	(void)err;
	json_array_append_new(a->events, body);
	return 0;
}

#define NONCE "0123456789abcdef"
#define PATIENCE_MS 10000

static int setup_agent(void **state)
{
	struct mp_agent *a = mp_xcalloc(1, sizeof(*a));

	a->events = json_array();
	*state = a;
	return mp_sys_open("/", &a->sys, NULL);
}

static int teardown_agent(void **state)
{
	struct mp_agent *a = *state;

	mp_sys_close(a->sys);
	json_decref(a->events);
	free(a);
	return 0;
}

static json_t *call(struct mp_agent *a, const struct mp_verb *verb, json_t *body,
		    struct mp_err *err)
{
	json_t *reply = NULL;
	int rc = verb->run(a, body, &reply, err);

	json_decref(body);
	assert_int_equal(rc, reply ? 0 : -1);
	return reply;
}

static json_t *listen_body(int from, int to, int seconds)
{
	return json_pack("{s:i,s:i,s:i,s:s}", "from", from, "to", to, "seconds", seconds, "nonce",
			 NONCE);
}

static json_t *stop_body(const json_t *listener)
{
	return json_pack("{s:{s:O,s:O}}", "stop", "pid", json_object_get(listener, "pid"), "start",
			 json_object_get(listener, "start"));
}

/* Until there is no such process to end any more: its sockets close a moment before it is gone. */
static void await_stopped(struct mp_agent *a, const json_t *listener)
{
	mp_ms deadline = mp_now() + PATIENCE_MS;
	struct mp_err err = { 0 };
	bool stopped = true;

	while (stopped) {
		json_t *reply = call(a, &mp_verb_listen, stop_body(listener), &err);

		assert_true(mp_ms_left(deadline) > 0);
		stopped = mp_json_bool(reply, "stopped", true);
		json_decref(reply);
	}
}

/* Tries one peer on loopback; returns the one event. */
static json_t *try_one(struct mp_agent *a, int port, const char *nonce)
{
	struct mp_err err = { 0 };
	json_t *reply, *event;

	json_array_clear(a->events);
	reply = call(a, &mp_verb_try,
		     json_pack("{s:[{s:i,s:[s],s:s,s:[i],s:s,s:i}],s:[s],s:i,s:i}", "peers", "peer",
			       1, "names", "localhost", "address", "127.0.0.1", "ports", port,
			       "nonce", nonce, "ssh_port", 1, "users", "no-such-user-here",
			       "timeout_ms", 2000, "budget_ms", 10000),
		     &err);
	assert_non_null(reply);
	assert_int_equal(mp_json_int(reply, "peers", -1), 1);
	json_decref(reply);
	assert_int_equal(json_array_size(a->events), 1);
	event = json_array_get(a->events, 0);
	assert_int_equal(mp_json_int(event, "peer", -1), 1);
	return event;
}

static void assert_tcp(struct mp_agent *a, int port, const char *nonce, const char *want)
{
	json_t *event = try_one(a, port, nonce);

	assert_string_equal(
		mp_json_str(json_array_get(json_object_get(event, "tcp"), 0), "result", ""), want);
}

/* Until nothing listens there any more. */
static void await_free(int port)
{
	mp_ms deadline = mp_now() + PATIENCE_MS;
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int rc = connect(fd, (struct sockaddr *)&to, sizeof(to));

		close(fd);
		if (rc < 0)
			return;
		assert_true(mp_ms_left(deadline) > 0);
		poll(NULL, 0, 10);
	}
}

static int port_at(const json_t *listener, size_t i)
{
	return (int)json_integer_value(json_array_get(json_object_get(listener, "ports"), i));
}

/* The first port from `port` on, upwards or downwards, that nothing is bound to. */
static int first_free(int port, int step)
{
	for (;; port += step) {
		struct sockaddr_in6 at = { .sin6_family = AF_INET6,
					   .sin6_port = htons((uint16_t)port) };
		int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, rc;

		assert_true(fd >= 0);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		rc = bind(fd, (struct sockaddr *)&at, sizeof(at));
		close(fd);
		if (rc == 0)
			return port;
	}
}

static void test_listen_and_try(void **state)
{
	struct mp_agent *a = *state;
	struct mp_err err = { 0 };
	json_t *listener, *reply, *ssh;
	int port, high, low_free = first_free(49152, 1), high_free = first_free(49261, -1);

	listener = call(a, &mp_verb_listen, listen_body(49152, 49261, 60), &err);
	assert_non_null(listener);
	assert_int_equal(json_array_size(json_object_get(listener, "ports")), 2);
	port = port_at(listener, 0);
	high = port_at(listener, 1);
	assert_int_equal(port, low_free);
	assert_int_equal(high, high_free);
	assert_tcp(a, high, NONCE, "ok");
	assert_tcp(a, port, NONCE, "ok");
	assert_tcp(a, port, NONCE, "ok"); /* any number of times */
	assert_tcp(a, port, "fedcba9876543210", "wrong-answer");
	ssh = json_array_get(json_object_get(try_one(a, port, NONCE), "ssh"), 0);
	assert_string_equal(mp_mesh_ssh_cause(ssh)->word, "no-user");
	reply = call(a, &mp_verb_listen, stop_body(listener), &err);
	assert_true(mp_json_bool(reply, "stopped", false));
	json_decref(reply);
	await_free(port);
	await_free(high);
	assert_tcp(a, port, NONCE, "refused");
	await_stopped(a, listener);
	json_decref(listener);
}

/* The pid of another process that took its number is left alone. */
static void test_stop_spares_others(void **state)
{
	struct mp_agent *a = *state;
	struct mp_err err = { 0 };
	json_t *reply =
		call(a, &mp_verb_listen,
		     json_pack("{s:{s:i,s:s}}", "stop", "pid", (int)getpid(), "start", "1"), &err);

	assert_false(mp_json_bool(reply, "stopped", true));
	json_decref(reply);
}

static void test_listener_ends_by_itself(void **state)
{
	struct mp_agent *a = *state;
	struct mp_err err = { 0 };
	json_t *listener = call(a, &mp_verb_listen, listen_body(49152, 49261, 1), &err);

	assert_non_null(listener);
	await_free(port_at(listener, 0));
	await_free(port_at(listener, 1));
	json_decref(listener);
}

/* A port of ours on loopback that never answers, or closes at once. */
static int own_port(int *ret_fd)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	*ret_fd = fd;
	return ntohs(at.sin_port);
}

static void test_range_is_taken(void **state)
{
	struct mp_agent *a = *state;
	struct mp_err err = { 0 };
	mp_auto_close int fd = -1;
	int port = own_port(&fd);
	mp_auto_free char *pid = mp_xasprintf("(pid %d)", (int)getpid());
	mp_auto_free char *range =
		mp_xasprintf("no port of %d-%d is free: %d by ", port, port, port);

	assert_null(call(a, &mp_verb_listen, listen_body(port, port, 1), &err));
	assert_int_equal(err.code, MP_E_LIMIT);
	assert_non_null(strstr(err.text, range));
	assert_non_null(strstr(err.text, "test_listen"));
	assert_non_null(strstr(err.text, pid));
	/* Something listens, takes the connection into its backlog and says nothing. */
	assert_tcp(a, port, NONCE, "wrong-answer");
}

/* What is held at an end is stepped over; where one port is free, that one is all there is. */
static void test_range_is_taken_in_part(void **state)
{
	struct mp_agent *a = *state;
	struct mp_err err = { 0 };
	mp_auto_close int fd = -1;
	int held = own_port(&fd), next = first_free(held + 1, 1);
	json_t *listener = call(a, &mp_verb_listen, listen_body(held, next, 60), &err);

	assert_non_null(listener);
	assert_int_equal(json_array_size(json_object_get(listener, "ports")), 1);
	assert_int_equal(port_at(listener, 0), next);
	json_decref(call(a, &mp_verb_listen, stop_body(listener), &err));
	await_stopped(a, listener);
	json_decref(listener);
}

static void test_bad_bodies(void **state)
{
	static const char *const listens[] = {
		"{}",
		"{\"from\":0,\"to\":1,\"seconds\":1,\"nonce\":\"0123456789\"}",
		"{\"from\":9,\"to\":8,\"seconds\":1,\"nonce\":\"0123456789\"}",
		"{\"from\":49152,\"to\":65536,\"seconds\":1,\"nonce\":\"0123456789\"}",
		"{\"from\":49152,\"to\":49153,\"seconds\":0,\"nonce\":\"0123456789\"}",
		"{\"from\":49152,\"to\":49153,\"seconds\":1,\"nonce\":\"a\\nb012345\"}",
		"{\"stop\":{\"pid\":1,\"start\":\"1\"}}",
		"{\"stop\":{}}",
	};
	static const char *const tries[] = {
		"{}",
		"{\"peers\":[],\"users\":[1],\"timeout_ms\":1000,\"budget_ms\":1000}",
		"{\"peers\":[1],\"users\":[],\"timeout_ms\":1000,\"budget_ms\":1000}",
		"{\"peers\":[],\"users\":[],\"timeout_ms\":1,\"budget_ms\":1000}",
		"{\"peers\":[{\"names\":[],\"ports\":[0]}],\"users\":[],\"timeout_ms\":1000,"
		"\"budget_ms\":1000}",
		"{\"peers\":[{\"names\":[],\"ports\":[1,2,3]}],\"users\":[],\"timeout_ms\":1000,"
		"\"budget_ms\":1000}",
	};
	struct mp_agent *a = *state;
	struct mp_err err = { 0 };

	for (size_t i = 0; i < MP_N_ELEMS(listens); i++) {
		assert_null(call(a, &mp_verb_listen, json_loads(listens[i], 0, NULL), &err));
		assert_int_equal(err.code, MP_E_PROTO);
	}
	for (size_t i = 0; i < MP_N_ELEMS(tries); i++) {
		assert_null(call(a, &mp_verb_try, json_loads(tries[i], 0, NULL), &err));
		assert_int_equal(err.code, MP_E_PROTO);
	}
}

#define AGENT_TEST(f) cmocka_unit_test_setup_teardown(f, setup_agent, teardown_agent)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AGENT_TEST(test_listen_and_try),          AGENT_TEST(test_stop_spares_others),
		AGENT_TEST(test_listener_ends_by_itself), AGENT_TEST(test_range_is_taken),
		AGENT_TEST(test_range_is_taken_in_part),  AGENT_TEST(test_bad_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
