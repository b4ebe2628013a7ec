/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session: one conversation with one agent. */
#include "config.h"
#include "fleet/fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/str.h"
#include "fleet/bootstrap.h"
#include "wire/greeting.h"
#include "wire/wire.h"

/*
 * After our deadline the agent may still end the step under way. Then it must be gone: it holds the
 * lock of the host.
 */
#define AGENT_GRACE_MS 60000

struct mp_session {
	struct mp_stream *stream;
	struct mp_buf in;
	char nonce[MP_NONCE_CHARS + 1];
	bool broken; /* a call failed half way; replies can no longer be told apart */
};

static int make_nonce(char *ret, struct mp_err *err)
{
	unsigned char raw[MP_NONCE_CHARS / 2];

	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		return mp_err_sys(err, errno, "getrandom");
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(ret + 2 * i, 3, "%02x", raw[i]);
	return 0;
}

/* 1: bytes came; 0: end of stream; -1. */
static int receive(struct mp_session *s, mp_ms deadline, struct mp_err *err)
{
	char chunk[32768];
	ssize_t n = s->stream->ops->read(s->stream, chunk, sizeof(chunk), deadline, err);

	if (n <= 0)
		return (int)n;
	mp_buf_add(&s->in, chunk, (size_t)n);
	return 1;
}

/* The stream ended before a greeting: what standard error says decides. */
static int no_greeting(struct mp_session *s, struct mp_err *err)
{
	static const struct {
		const char *text;
		enum mp_code code;
		const char *remedy;
	} rows[] = {
		{ "GLIBC_", MP_E_UNSUPPORTED,
		  "the host's C library is older than the one migprep was built with; build "
		  "migprep on "
		  "the oldest system of the cluster" },
		{ "xec format error", MP_E_UNSUPPORTED,
		  "the host has another processor architecture; build migprep for it" },
		{ "sudo:", MP_E_DENIED,
		  "log in as root, or let that user run sudo without a password and terminal" },
		{ "needs root", MP_E_DENIED, "run migprep as root on this host" },
		{ "ermission denied", MP_E_DENIED, "let the user run programs there" },
	};
	const char *text = s->stream->ops->errtext(s->stream);
	mp_auto_free char *said = NULL;

	/* nologin(8) says why on standard output. */
	if (!*text && s->in.size) {
		said = mp_xstrndup(s->in.data, strnlen(s->in.data, 300));
		mp_str_clean(said);
		text = said;
	}
	for (size_t i = 0; i < MP_N_ELEMS(rows); i++)
		if (strstr(text, rows[i].text))
			return mp_err_set(err, rows[i].code, "the agent did not start: %.240s; %s",
					  text, rows[i].remedy);
	return mp_err_set(
		err, MP_E_GONE,
		"the connection ended before the agent started%s%.300s; look at the login "
		"shell of that user and at ForceCommand in sshd_config",
		*text ? ": " : "", text);
}

/* "CODE-WORD text" of a failed bootstrap. */
static int bootstrap_failed(const char *text, struct mp_err *err)
{
	char word[16] = "";
	int used = 0;

	if (sscanf(text, "%15[a-z] %n", word, &used) != 1 || !used)
		return mp_err_set(err, MP_E_PROTO, "the agent could not be started: %s", text);
	return mp_err_set(err, mp_code_parse(word), "%s", text + used);
}

static int greet(struct mp_session *s, const struct mp_bundle *bundle, mp_ms deadline,
		 struct mp_err *err)
{
	bool pushed = false;
	char text[400];

	for (;;) {
		enum mp_greeting g;
		int rc;

		if (mp_greeting_scan(&s->in, s->nonce, &g, text, sizeof(text), err) < 0)
			return -1;
		switch (g) {
		case MP_GREETING_READY:
			return 0;
		case MP_GREETING_FAIL:
			return bootstrap_failed(text, err);
		case MP_GREETING_PUSH:
			if (pushed)
				return mp_err_set(err, MP_E_PROTO, "the host asked twice");
			pushed = true;
			/* When it fails, the host has most likely said why. */
			if (s->stream->ops->write(s->stream, bundle->tar, bundle->tar_size,
						  deadline, err) < 0 &&
			    (!err || err->code != MP_E_GONE))
				return mp_err_wrap(err, "push the agent");
			continue;
		case MP_GREETING_NONE:
			break;
		}
		rc = receive(s, deadline, err);
		if (rc < 0 && err && err->code == MP_E_TIMEOUT)
			return mp_err_set(
				err, MP_E_TIMEOUT,
				"logged in, but the agent did not start in time; look at the "
				"load of the host and at its login shell, or give it more time "
				"with --timeout");
		if (rc <= 0)
			return rc < 0 ? -1 : no_greeting(s, err);
	}
}

int mp_session_open(const struct mp_dial *dial, const struct mp_bundle *bundle,
		    const struct mp_host *host, mp_ms deadline, struct mp_session **ret,
		    struct mp_err *err)
{
	mp_auto_free char *command = NULL;
	struct mp_dial bounded = *dial;
	struct mp_session *s;

	if (bounded.connect_timeout_ms <= 0)
		bounded.connect_timeout_ms = MP_DEFAULT_CONNECT_MS;
	if (bounded.connect_timeout_ms > mp_ms_left(deadline))
		bounded.connect_timeout_ms = mp_ms_left(deadline);
	s = mp_xcalloc(1, sizeof(*s));
	mp_buf_init(&s->in, 0);
	if (make_nonce(s->nonce, err) < 0) {
		free(s);
		return -1;
	}
	command = host->transport == MP_TRANSPORT_LOCAL
			  ? mp_bootstrap_local(bundle->local_agent, s->nonce)
			  : mp_bootstrap_command(bundle, MP_AGENT_DIR, s->nonce);
	if (mp_transport_of(host)->open(&bounded, host, command, &s->stream, err) < 0) {
		free(s);
		return -1;
	}
	if (greet(s, bundle, deadline, err) < 0) {
		mp_session_close(s);
		return -1;
	}
	*ret = s;
	return 0;
}

/* The next message; a new reference in *ret, and its size is added to *total. */
static int next_message(struct mp_session *s, const char *verb, mp_ms deadline, json_t **ret,
			size_t *total, struct mp_err *err)
{
	for (;;) {
		size_t before = s->in.size;
		int rc = mp_wire_decode(&s->in, ret, err);

		*total += before - s->in.size;
		if (rc)
			return rc < 0 ? mp_err_wrap(err, "answer of the agent to '%s'", verb) : 0;
		rc = receive(s, deadline, err);
		if (rc < 0 && err && err->code == MP_E_TIMEOUT)
			return mp_err_set(
				err, MP_E_TIMEOUT,
				"the agent did not finish '%s' in time; look at the load of "
				"the host and at what hangs there (mounts, libvirtd), or give "
				"it more time with --timeout",
				verb);
		if (rc < 0)
			return -1;
		if (rc == 0)
			return mp_err_set(
				err, MP_E_GONE,
				"the agent ended in the middle of '%s'%s%.200s; look at the "
				"host's journal (out of memory, reboot)",
				verb, *s->stream->ops->errtext(s->stream) ? ": " : "",
				s->stream->ops->errtext(s->stream));
	}
}

static int send_request(struct mp_session *s, const char *verb, json_t *body, mp_ms deadline,
			struct mp_err *err)
{
	json_t *request = mp_wire_request(verb, body);
	mp_auto_buf struct mp_buf out;
	int rc;

	mp_buf_init(&out, 0);
	if (!request)
		return mp_err_set(err, MP_E_BUG, "the request '%s' is not valid text", verb);
	json_object_set_new(request, "deadline_ms",
			    json_integer((json_int_t)mp_ms_left(deadline) + AGENT_GRACE_MS));
	rc = mp_wire_encode(request, &out, err);
	json_decref(request);
	if (rc == 0) {
		s->broken = true;
		rc = s->stream->ops->write(s->stream, out.data, out.size, deadline, err);
	}
	if (out.data) /* it may hold keys */
		explicit_bzero(out.data, out.size);
	return rc < 0 ? mp_err_wrap(err, "send '%s'", verb) : 0;
}

int mp_session_call(struct mp_session *s, const char *verb, json_t *body, mp_ms deadline,
		    int (*on_event)(const json_t *event, void *arg, struct mp_err *err), void *arg,
		    json_t **ret, struct mp_err *err)
{
	json_t *msg, *part;
	size_t told = 0;

	if (s->broken) {
		json_decref(body);
		return mp_err_set(err, MP_E_GONE, "the session ended with an earlier error");
	}
	if (send_request(s, verb, body, deadline, err) < 0)
		return -1;
	while (next_message(s, verb, deadline, &msg, &told, err) == 0) {
		if ((part = json_object_get(msg, "event"))) {
			int rc = on_event ? on_event(part, arg, err) : 0;

			json_decref(msg);
			if (rc < 0)
				return mp_err_wrap(err, "events of '%s'", verb);
			if (told > MP_MAX_EVENT_BYTES)
				return mp_err_set(err, MP_E_LIMIT,
						  "the agent tells more than %u MiB during '%s'",
						  MP_MAX_EVENT_BYTES >> 20, verb);
			continue;
		}
		if ((part = json_object_get(msg, "reply"))) {
			s->broken = false;
			*ret = json_incref(part);
			json_decref(msg);
			return 0;
		}
		if ((part = json_object_get(msg, "error"))) {
			s->broken = false;
			mp_wire_error_get(part, err);
		} else {
			mp_err_set(err, MP_E_PROTO, "the agent answered '%s' with nonsense", verb);
		}
		json_decref(msg);
		return -1;
	}
	return -1;
}

void mp_session_close(struct mp_session *s)
{
	if (!s)
		return;
	s->stream->ops->close(s->stream);
	mp_buf_fini(&s->in);
	free(s);
}
