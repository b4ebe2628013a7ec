/* SPDX-License-Identifier: GPL-3.0-or-later */
/* agent: the loop of requests and replies. */
#include "config.h"
#include "agent/agent.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "wire/greeting.h"
#include "wire/wire.h"

#define MAX_DEADLINE_MS (24 * 3600 * 1000LL)

struct mp_agent {
	struct mp_sys *sys;
	const char *root;
	int in, out;
	struct mp_buf inbuf;
	bool gone; /* nobody reads our answers any more */
};

struct mp_sys *mp_agent_sys(struct mp_agent *a)
{
	return a->sys;
}

const char *mp_agent_root(const struct mp_agent *a)
{
	return a->root;
}

static int write_all(struct mp_agent *a, const char *p, size_t size, struct mp_err *err)
{
	while (size) {
		ssize_t n = write(a->out, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			a->gone = true;
			return mp_err_set(err, MP_E_GONE, "migprep went away");
		}
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Steals msg. */
static int send_message(struct mp_agent *a, json_t *msg, struct mp_err *err)
{
	mp_auto_buf struct mp_buf out;
	int rc;

	mp_buf_init(&out, 0);
	if (!msg)
		return mp_err_set(err, MP_E_BUG, "an answer that is not valid text");
	rc = mp_wire_encode(msg, &out, err);
	json_decref(msg);
	return rc < 0 ? -1 : write_all(a, out.data, out.size, err);
}

bool mp_agent_gone(struct mp_agent *a)
{
	struct pollfd p = { .fd = a->in, .events = POLLRDHUP };

	if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL)))
		a->gone = true;
	return a->gone;
}

int mp_agent_event(struct mp_agent *a, json_t *body, struct mp_err *err)
{
	return send_message(a, mp_wire_event(body), err);
}

static int run_verb(struct mp_agent *a, const json_t *msg, json_t **ret, struct mp_err *err)
{
	const char *name = json_string_value(json_object_get(msg, "verb"));
	const json_t *body = json_object_get(msg, "body");

	if (!name || !json_is_object(body))
		return mp_err_set(err, MP_E_PROTO, "a request needs a verb and a body");
	for (size_t i = 0; mp_verbs[i]; i++)
		if (strcmp(mp_verbs[i]->name, name) == 0)
			return mp_verbs[i]->run(a, body, ret, err);
	return mp_err_set(err, MP_E_UNSUPPORTED, "this agent has no verb '%.40s'", name);
}

/*
 * SIGALRM ends this process (agent/main.c) when the controller, and its patience, are long gone:
 * the lock is free then, and the next run settles the journal. 0: no more.
 */
static void set_deadline(long long ms)
{
	struct itimerval t = { .it_value = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 } };

	setitimer(ITIMER_REAL, &t, NULL);
}

/* A request that failed gets an error as its reply; -1 only when no reply can be sent. */
static int answer(struct mp_agent *a, const json_t *msg, struct mp_err *err)
{
	long long ms = json_integer_value(json_object_get(msg, "deadline_ms"));
	struct mp_err why = { 0 };
	json_t *reply = NULL;
	int rc;

	set_deadline(ms > 0 && ms < MAX_DEADLINE_MS ? ms : MAX_DEADLINE_MS);
	rc = run_verb(a, msg, &reply, &why);
	set_deadline(0);
	if (rc == 0 && send_message(a, mp_wire_reply(reply), &why) == 0)
		return 0;
	if (a->gone) {
		if (err)
			*err = why;
		return -1;
	}
	return send_message(a, mp_wire_error(&why), err);
}

/* 1: a message; 0: end of input; -1. */
static int next_request(struct mp_agent *a, json_t **ret, struct mp_err *err)
{
	char chunk[65536];

	for (;;) {
		int rc = mp_wire_decode(&a->inbuf, ret, err);
		ssize_t n;

		if (rc)
			return rc;
		n = read(a->in, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ECONNRESET)
			return mp_err_sys(err, errno, "read a request");
		if (n <= 0)
			return 0;
		mp_buf_add(&a->inbuf, chunk, (size_t)n);
	}
}

int mp_agent_serve(const char *root, const char *nonce, int in, int out, struct mp_err *err)
{
	struct mp_agent a = { .root = root, .in = in, .out = out };
	json_t *msg;
	int rc;

	if (mp_sys_open(root, &a.sys, err) < 0)
		return -1;
	mp_buf_init(&a.inbuf, 0);
	rc = 0;
	if (nonce) {
		mp_auto_free char *line = mp_greeting_line(nonce, "ready", PACKAGE_VERSION);

		rc = write_all(&a, line, strlen(line), err);
	}
	while (rc == 0 && (rc = next_request(&a, &msg, err)) > 0) {
		rc = answer(&a, msg, err);
		json_decref(msg);
	}
	/* Nobody is left to tell; what was begun is finished or in the journal. */
	if (a.gone)
		rc = 0;
	else if (rc < 0 && err)
		send_message(&a, mp_wire_error(err), NULL);
	mp_buf_fini(&a.inbuf);
	mp_sys_close(a.sys);
	return rc;
}
