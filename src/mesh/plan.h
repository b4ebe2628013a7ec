/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mesh/plan: who tries whom, under which names and as which users; the orders that the hosts get,
 * and the judging of what they report. Pure, so that the tests feed it JSON.
 */
#ifndef MP_MESH_PLAN_H
#define MP_MESH_PLAN_H

#include <jansson.h>

#include "base/clock.h"
#include "model/run.h"

#define MP_MESH_TRIAL_MS 5000 /* one TCP connect, and each step of one login */

#define MP_MESH_PORTS 2 /* tried on each target: the ends of the range */

/* The listener on one host; no ports: none. */
struct mp_mesh_listener {
	int ports[MP_MESH_PORTS]; /* the lowest first */
	size_t n_ports;
	long long pid;
	char *start; /* start time of that process, so that no other one is ended */
	char nonce[33];
	struct mp_err err; /* why there is none */
};

/* The pairs of one source stand together in run->pairs. */
struct mp_mesh_row {
	size_t first, n;      /* in run->pairs */
	size_t logins, ports; /* trials that succeeded */
	struct mp_err err;    /* the conversation that did not end well */
};

struct mp_mesh {
	const struct mp_world *w;
	struct mp_run *run;
	struct mp_strv users;
	struct mp_strv *names;              /* by host */
	int from, to;                       /* migration ports */
	struct mp_mesh_listener *listeners; /* by host */
	struct mp_mesh_row *rows;           /* by host */
	bool *tries, *is_target;            /* by host: what it has to do */
	size_t n_pairs;
};

/* Enters every pair in run->pairs: those that cannot be tried with their reason, the others as not
 * tried yet. */
void mp_mesh_plan(const struct mp_world *w, struct mp_run *run, struct mp_mesh *ret);
/* The same for one pair (whose hosts were reached), and for its port alone. */
void mp_mesh_plan_port(const struct mp_world *w, struct mp_run *run, size_t source, size_t target,
		       struct mp_mesh *ret);
void mp_mesh_fini(struct mp_mesh *m);

/* How long a source may take with its peers. */
mp_ms mp_mesh_budget(const struct mp_mesh *m, size_t source);

/* The body of the request "try"; the peers in tournament order: the next host of the inventory
 * first. */
json_t *mp_mesh_orders(const struct mp_mesh *m, size_t source);

/*
 * Takes one report {"peer", "ssh": [...], "tcp": [...]} of a source. It fills places that the
 * orders made, so a host can neither add pairs nor trials. Reports for pairs that were not asked
 * for are ignored.
 */
void mp_mesh_take(struct mp_mesh *m, size_t source, const json_t *report);

/* Says of the pairs that were not reported why, and adds the findings. Called once, at the end. */
void mp_mesh_judge(struct mp_mesh *m);

#endif
