/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * fleet: a bounded pool of workers; each talks to one host at a time through a session with its
 * agent. Memory is bounded by the pool, not by the cluster. One host never delays another past its
 * deadline.
 */
#ifndef MP_FLEET_FLEET_H
#define MP_FLEET_FLEET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "transport/transport.h"

/* The agent that is pushed: a tar archive and the SHA256SUMS text that names its content. */
struct mp_bundle {
	char *tar;
	size_t tar_size;
	char *sums; /* `sha256sum` lines; their own SHA-256 is the content address */
	char address[65];
	char *local_agent; /* path of the agent program for MP_TRANSPORT_LOCAL */
};

/* Loads the bundle from dir (migprep-agent.tar, SHA256SUMS). */
int mp_bundle_load(const char *dir, struct mp_bundle *ret, struct mp_err *err);
void mp_bundle_fini(struct mp_bundle *b);

/* ---- a session: greeting done, agent ready ---- */

struct mp_session;

/* Connects, pushes the agent if its content is not there, and reads the greeting. */
int mp_session_open(const struct mp_dial *dial, const struct mp_bundle *bundle,
		    const struct mp_host *host, mp_ms deadline, struct mp_session **ret,
		    struct mp_err *err);

/*
 * One request and its reply (a new reference). on_event, if not NULL, is called with each event
 * that comes before the reply, in the calling thread; when it returns -1 (and sets *err), the call
 * fails and the session is of no further use. At most MP_MAX_EVENT_BYTES of events. The agent is
 * told when we shall have gone. body is stolen.
 */
int mp_session_call(struct mp_session *s, const char *verb, json_t *body, mp_ms deadline,
		    int (*on_event)(const json_t *event, void *arg, struct mp_err *err), void *arg,
		    json_t **ret, struct mp_err *err);

void mp_session_close(struct mp_session *s);

/* ---- the pool ---- */

struct mp_fleet {
	const struct mp_dial *dial;
	const struct mp_bundle *bundle;
	const struct mp_inventory *inv;
	size_t forks;          /* workers; 0 means MP_DEFAULT_FORKS */
	mp_ms host_timeout_ms; /* one host's whole conversation, connecting included */
	/* Called without overlap, from worker threads, as hosts finish; may be NULL. */
	void (*on_done)(const struct mp_host *h, const struct mp_err *err, size_t done,
			size_t total, void *arg);
	void *on_done_arg;
};

/*
 * Calls talk() once for every host with selected[index], in a worker thread, with an open session.
 * errs[index] receives what went wrong with it (connect, session, or what talk() reported); code
 * NONE otherwise. Returns -1 only when cancelled or no thread could be started; hosts not begun
 * then carry MP_E_CANCELLED.
 */
int mp_fleet_run(const struct mp_fleet *f, const bool *selected,
		 int (*talk)(struct mp_session *s, const struct mp_host *h, mp_ms deadline,
			     void *arg, struct mp_err *err),
		 void *arg, struct mp_err *errs, struct mp_err *err);

#endif
