/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent: what one request makes happen on a host. One file and one descriptor per verb (verbs.mk).
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

/* Sends {"event": body} at once; steals body. */
int mp_agent_event(struct mp_agent *a, json_t *body, struct mp_err *err);

#endif
