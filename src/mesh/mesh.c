/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mesh: the three phases over the fleet: open listeners, try, end listeners. */
#include "config.h"
#include "mesh/mesh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "mesh/plan.h"

#define STOP_MS 10000   /* one host's whole conversation when ending its listener */
#define ENDING_MS 30000 /* what a conversation takes beside the trials */

static int make_nonce(char ret[33], struct mp_err *err)
{
	unsigned char raw[16];

	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		return mp_err_set(err, MP_E_SYS, "getrandom gave nothing");
	for (size_t i = 0; i < sizeof(raw); i++)
		sprintf(ret + 2 * i, "%02x", raw[i]);
	return 0;
}

/* ---- listen ---- */

struct listen {
	struct mp_mesh *m;
	mp_ms life_ms; /* the listener ends by itself after it */
};

static int take_ports(const struct mp_mesh *m, const json_t *reply, struct mp_mesh_listener *l,
		      struct mp_err *err)
{
	const json_t *list = json_object_get(reply, "ports"), *port;
	size_t i;

	json_array_foreach(list, i, port)
	{
		long long n = json_integer_value(port);

		if (i == MP_MESH_PORTS || n < m->from || n > m->to)
			return mp_err_set(err, MP_E_PROTO,
					  "the agent listens on port %lld, not in %d-%d", n,
					  m->from, m->to);
		l->ports[l->n_ports++] = (int)n;
	}
	return l->n_ports ? 0 : mp_err_set(err, MP_E_PROTO, "the agent listens on no port");
}

static int talk_listen(struct mp_session *s, const struct mp_host *h, mp_ms deadline, void *arg,
		       struct mp_err *err)
{
	struct listen *job = arg;
	struct mp_mesh_listener *l = &job->m->listeners[h->index];
	json_t *reply = NULL;
	int rc;

	if (make_nonce(l->nonce, err) < 0 ||
	    mp_session_call(s, "listen",
			    json_pack("{s:i,s:i,s:I,s:s}", "from", job->m->from, "to", job->m->to,
				      "seconds", (json_int_t)(job->life_ms / 1000), "nonce",
				      l->nonce),
			    deadline, NULL, NULL, &reply, err) < 0)
		return -1;
	rc = take_ports(job->m, reply, l, err);
	if (rc < 0)
		l->n_ports = 0;
	l->pid = mp_json_int(reply, "pid", 0);
	l->start = mp_xstrdup(mp_json_str(reply, "start", ""));
	json_decref(reply);
	return rc;
}

/* ---- try ---- */

struct reporter {
	struct mp_mesh *m;
	size_t source;
};

/* A source's pairs are touched by its own worker only, so there is nothing to lock. */
static int take_event(const json_t *event, void *arg, struct mp_err *err)
{
	struct reporter *r = arg;

	(void)err;
	mp_mesh_take(r->m, r->source, event);
	return 0;
}

static int talk_try(struct mp_session *s, const struct mp_host *h, mp_ms deadline, void *arg,
		    struct mp_err *err)
{
	struct reporter r = { .m = arg, .source = h->index };
	json_t *reply = NULL;

	if (mp_session_call(s, "try", mp_mesh_orders(r.m, r.source), deadline, take_event, &r,
			    &reply, err) < 0)
		return -1;
	json_decref(reply);
	return 0;
}

/* ---- end listeners ---- */

static int talk_stop(struct mp_session *s, const struct mp_host *h, mp_ms deadline, void *arg,
		     struct mp_err *err)
{
	const struct mp_mesh *m = arg;
	const struct mp_mesh_listener *l = &m->listeners[h->index];
	json_t *reply = NULL;

	if (mp_session_call(s, "listen",
			    json_pack("{s:{s:I,s:s}}", "stop", "pid", (json_int_t)l->pid, "start",
				      l->start),
			    deadline, NULL, NULL, &reply, err) < 0)
		return -1;
	json_decref(reply);
	return 0;
}

/*
 * Also after a cancellation: what we started on the hosts is ours to end. A listener that cannot be
 * ended now ends by itself, so errors are of no interest.
 */
static void stop_listeners(const struct mp_fleet *fleet, struct mp_mesh *m)
{
	size_t n = m->w->inv->n_hosts;
	mp_auto_free bool *mask = mp_xcalloc(n, sizeof(*mask));
	mp_auto_free struct mp_err *errs = mp_xcalloc(n, sizeof(*errs));
	struct mp_dial dial = *fleet->dial;
	struct mp_fleet f = *fleet;
	struct mp_err err = { 0 };
	bool any = false;

	for (size_t h = 0; h < n; h++)
		any |= mask[h] = m->listeners[h].pid != 0;
	if (!any)
		return;
	dial.cancel = NULL;
	f.dial = &dial;
	f.on_done = NULL;
	if (f.host_timeout_ms > STOP_MS)
		f.host_timeout_ms = STOP_MS;
	mp_fleet_run(&f, mask, talk_stop, m, errs, &err);
}

/* ---- all of it ---- */

static mp_ms longest_budget(const struct mp_mesh *m)
{
	mp_ms longest = 0;

	for (size_t h = 0; h < m->w->inv->n_hosts; h++)
		if (m->tries[h] && mp_mesh_budget(m, h) > longest)
			longest = mp_mesh_budget(m, h);
	return longest;
}

/* How long until the last of the sources is done, when the pool takes them in waves. */
static mp_ms whole_duration(const struct mp_mesh *m, const struct mp_fleet *fleet, mp_ms each)
{
	size_t forks = fleet->forks ? fleet->forks : MP_DEFAULT_FORKS, n = 0;

	for (size_t h = 0; h < m->w->inv->n_hosts; h++)
		n += m->tries[h];
	return (mp_ms)((n + forks - 1) / forks + 1) * each;
}

static int run_phases(const struct mp_fleet *fleet, struct mp_mesh *m, struct mp_err *err)
{
	size_t n = m->w->inv->n_hosts;
	mp_auto_free struct mp_err *errs = mp_xcalloc(n, sizeof(*errs));
	struct mp_fleet listen_fleet = *fleet, try_fleet = *fleet;
	mp_ms each = longest_budget(m) + ENDING_MS;
	struct listen job = { .m = m, .life_ms = whole_duration(m, fleet, each) };
	int rc;

	listen_fleet.on_done = NULL;
	rc = mp_fleet_run(&listen_fleet, m->is_target, talk_listen, &job, errs, err);
	for (size_t h = 0; h < n; h++)
		if (m->is_target[h])
			m->listeners[h].err = errs[h];
	if (rc == 0) {
		memset(errs, 0, n * sizeof(*errs));
		if (try_fleet.host_timeout_ms < each)
			try_fleet.host_timeout_ms = each;
		rc = mp_fleet_run(&try_fleet, m->tries, talk_try, m, errs, err);
		for (size_t h = 0; h < n; h++)
			if (m->tries[h])
				m->rows[h].err = errs[h];
	} else {
		for (size_t h = 0; h < n; h++)
			mp_err_set(&m->rows[h].err, MP_E_CANCELLED, "the mesh was not begun");
	}
	stop_listeners(fleet, m);
	return rc;
}

int mp_mesh_run(const struct mp_fleet *fleet, struct mp_world *world, struct mp_run *run,
		struct mp_err *err)
{
	struct mp_mesh m;
	int rc = 0;
	bool any = false;

	mp_mesh_plan(world, run, &m);
	for (size_t h = 0; h < world->inv->n_hosts; h++)
		any |= m.tries[h];
	if (any)
		rc = run_phases(fleet, &m, err);
	mp_mesh_judge(&m);
	mp_mesh_fini(&m);
	return rc;
}

int mp_mesh_try_port(const struct mp_fleet *fleet, const struct mp_world *world, size_t source,
		     size_t target, struct mp_trial *ret, struct mp_err *err)
{
	struct mp_fleet quiet = *fleet;
	struct mp_run run = { .world = world };
	struct mp_mesh m;
	int rc;

	quiet.on_done = NULL;
	mp_mesh_plan_port(world, &run, source, target, &m);
	rc = run_phases(&quiet, &m, err);
	if (rc == 0 && run.pairs[0].n_trials) {
		struct mp_trial *worst = &run.pairs[0].trials[0];

		for (size_t i = 1; i < run.pairs[0].n_trials && worst->ok; i++)
			worst = &run.pairs[0].trials[i];
		*ret = *worst;
		*worst = (struct mp_trial){ 0 };
	} else if (rc == 0) {
		const struct mp_err *why = m.listeners[target].err.code != MP_E_NONE
						   ? &m.listeners[target].err
						   : &m.rows[source].err;

		rc = mp_err_set(err, why->code ? why->code : MP_E_PROTO,
				"the port range could not be tried: %s",
				why->code ? why->text : "no report came");
	}
	mp_mesh_fini(&m);
	mp_run_fini(&run);
	return rc;
}
