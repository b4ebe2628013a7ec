/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy-schedule: oVirt's convergence schedule, one step for each pass over memory that QEMU has
 * to begin again. A schedule is steps divided by ";":
 *
 *     init setDowntime 100; 1 setDowntime 150; 3 postcopy; -1 abort
 *
 * The step at the head is taken when its number is smaller than the count of passes begun anew, one
 * for each such pass, and is then gone, also when it failed; so -1 is taken at the pass after the
 * step before it. oVirt sees a new pass by the remaining bytes growing between two of its looks; we
 * are told.
 */
#include "config.h"
#include "migrate/policy-internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

/* "Minimal downtime", the policy that oVirt clusters begin with. */
#define MINIMAL_DOWNTIME                                                                           \
	"init setDowntime 100; 1 setDowntime 150; 2 setDowntime 200; 3 setDowntime 300; "          \
	"4 setDowntime 400; 6 setDowntime 500; -1 abort"
#define MAX_STEPS 64

enum { WAITING, EXHAUSTED };
static const char *const states[] = { "waiting", "exhausted", NULL };

struct entry {
	long limit;
	enum mp_act act;
	long ms;
};

struct own {
	struct entry v[MAX_STEPS];
	size_t n, next;
	int passes; /* begun anew */
};

static int bad(struct mp_err *err, const char *text, const char *why)
{
	return mp_err_set(err, MP_E_INPUT, "schedule, \"%s\": %s", text, why);
}

static int parse_action(const struct mp_strv *w, const char *text, struct entry *e,
			struct mp_err *err)
{
	if (strcmp(w->v[1], "setDowntime") == 0) {
		e->act = MP_ACT_SET_DOWNTIME;
		if (w->n != 3 || mp_str_long(w->v[2], 1, 2000000, &e->ms) < 0)
			return bad(err, text, "setDowntime needs 1 to 2000000 ms");
		return 0;
	}
	if (w->n != 2)
		return bad(err, text, "one word too many");
	if (strcmp(w->v[1], "postcopy") == 0)
		e->act = MP_ACT_START_POSTCOPY;
	else if (strcmp(w->v[1], "abort") == 0)
		e->act = MP_ACT_ABORT;
	else
		return bad(err, text, "the action is none of setDowntime, postcopy, abort");
	return 0;
}

static int parse_step(struct mp_pilot *p, const char *text, struct mp_err *err)
{
	struct own *o = p->own;
	mp_auto_strv struct mp_strv w = { 0 };
	struct entry e = { 0 };

	mp_str_split(text, " \t", &w);
	if (w.n == 0)
		return 0;
	if (w.n < 2)
		return bad(err, text, "a step is a number (or init) and an action");
	if (parse_action(&w, text, &e, err) < 0)
		return -1;
	if (strcmp(w.v[0], "init") == 0) {
		if (e.act != MP_ACT_SET_DOWNTIME || o->n > 0)
			return bad(err, text, "init comes first and can only set the downtime");
		p->plan.limit_ms = e.ms;
		return 0;
	}
	if (mp_str_long(w.v[0], -1, 1000000, &e.limit) < 0)
		return bad(err, text, "a step begins with init or a number from -1 on");
	if (o->n == MAX_STEPS)
		return bad(err, text, "there are more than 64 steps");
	if (e.act == MP_ACT_START_POSTCOPY && p->conf.may_postcopy && p->ground.postcopy_works)
		p->plan.postcopy = true;
	o->v[o->n++] = e;
	return 0;
}

static int init(struct mp_pilot *p, struct mp_err *err)
{
	mp_auto_strv struct mp_strv steps = { 0 };
	const struct own *o = p->own;

	mp_str_split(p->conf.schedule ? p->conf.schedule : MINIMAL_DOWNTIME, ";\n", &steps);
	for (size_t i = 0; i < steps.n; i++)
		if (parse_step(p, steps.v[i], err) < 0)
			return -1;
	if (o->n == 0)
		return mp_err_set(err, MP_E_INPUT, "the schedule has no step");
	p->plan.auto_converge = p->conf.may_converge;
	return 0;
}

static void take(struct mp_pilot *p, const struct mp_policy_sample *s, struct own *o,
		 struct mp_decision *d)
{
	const struct entry *e = &o->v[o->next];
	struct mp_size_text left = mp_size_text((double)s->remaining_start);

	if (e->limit >= o->passes)
		return;
	o->next++;
	if (e->act == MP_ACT_START_POSTCOPY && !p->plan.postcopy)
		return; /* as oVirt: the next action will do */
	mp_decide(d, e->act, e->act == MP_ACT_SET_DOWNTIME ? e->ms : 0,
		  "pass %d begins with %s left: step %zu of %zu of the schedule", s->iteration,
		  left.s, o->next, o->n);
	if (e->act == MP_ACT_ABORT)
		p->phase = MP_PHASE_ABORTING;
}

static void step(struct mp_pilot *p, const struct mp_policy_sample *s, struct mp_decision *d)
{
	struct own *o = p->own;

	if (p->force) {
		mp_pilot_end(p, s, true, "the operator asked for the end", d);
	} else if (mp_pilot_overdue(p, s)) {
		mp_pilot_end(p, s, false, "the time for the move is over", d);
	} else if (s->boundary && s->iteration > 1) {
		o->passes++;
		if (o->next < o->n)
			take(p, s, o, d);
	}
	p->force = false;
	p->state = o->next < o->n ? WAITING : EXHAUSTED;
}

const struct mp_policy mp_policy_schedule = {
	.name = "schedule",
	.summary = "a list of steps, one for each pass over memory",
	.source = "oVirt, vdsm lib/vdsm/virt/migration.py, _next_action",
	.states = states,
	.acts = 1 << MP_ACT_NONE | 1 << MP_ACT_SET_DOWNTIME | 1 << MP_ACT_START_POSTCOPY |
		1 << MP_ACT_PAUSE | 1 << MP_ACT_RECOVER | 1 << MP_ACT_ABORT |
		1 << MP_ACT_FINISH_WAIT,
	.watches_progress = true,
	.size = sizeof(struct own),
	.init = init,
	.step = step,
};
