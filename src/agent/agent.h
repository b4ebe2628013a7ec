/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent: what one request makes happen on a host. One file and one descriptor per verb (verbs.mk).
 * One request at a time, in one thread.
 */
#ifndef MP_AGENT_AGENT_H
#define MP_AGENT_AGENT_H

#include <jansson.h>

#include "base/err.h"
#include "host/host.h"

struct mp_agent; /* the running agent: its sys, its channel */

struct mp_verb {
	const char *name;
	const char *summary;
	/* On success a new reference in *ret. */
	int (*run)(struct mp_agent *a, const json_t *body, json_t **ret, struct mp_err *err);
};

extern const struct mp_verb *const mp_verbs[]; /* NULL-terminated; generated from verbs.mk */

struct mp_sys *mp_agent_sys(struct mp_agent *a);

/* "/", or the directory that plays the root of a host. */
const char *mp_agent_root(const struct mp_agent *a);

/*
 * Whether nobody waits for an answer any more: our input was closed. Asked before each piece of
 * work, so that what a controller left behind ends there.
 */
bool mp_agent_gone(struct mp_agent *a);

/* Sends {"event": body} at once; steals body. */
int mp_agent_event(struct mp_agent *a, json_t *body, struct mp_err *err);

/*
 * Serves requests from the descriptor in, answers on out, until in ends or out is closed. 0: ended
 * in order. nonce: greets with it first; NULL: no greeting.
 */
int mp_agent_serve(const char *root, const char *nonce, int in, int out, struct mp_err *err);

#endif
