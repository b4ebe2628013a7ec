/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy-nova: the engine of nova-compute (nova/virt/libvirt/driver.py, migration.py), as it was in
 * the release that is asked for. Time alone moves its ladder; it looks at no rate.
 *
 * Where Nova acts twice in one of its half seconds, the second action comes with the next look
 * here. Nova also repeats an abort and a pause at every look until the job ends; here they are
 * repeated only when libvirt refused them.
 */
#include "config.h"
#include "migrate/policy-nova.h"

#include <math.h>

#include "migrate/policy-internal.h"

#define GIB 1073741824.0
#define FIRST_WITH_LADDER 12   /* Liberty */
#define FIRST_WITH_POSTCOPY 14 /* Newton: with a switch of its own, until Rocky (18) */
#define FIRST_LINEAR 15        /* Ocata, commit bcd584f293 */
#define FIRST_STRICT 16      /* Pike: minima are of the option; before, the code raised the value */
#define FIRST_WITH_ACTION 19 /* Stein: timeout action; progress timeout and switch are gone */
#define FIRST_PAUSED 29      /* 2024.1: no post-copy flag for a paused guest */

enum { BEFORE_FIRST, LADDER, TOP, OVERDUE };
static const char *const states[] = { "before-first-rung", "ladder", "top-rung", "overdue", NULL };

struct own {
	struct mp_policy_nova c; /* as the release reads it */
	bool postcopy;           /* what the monitor believes */
	bool set;                /* downtime_ms was asked for */
	long long downtime_ms;
	bool force; /* queued by the timeout for the next look */
	bool marked;
	long long low, low_ms; /* lowest remaining data seen, and when */
	long long before;      /* remaining data at the look before; -1: none */
};

double mp_nova_data_gib(const struct mp_policy_nova *c)
{
	double gib = (double)c->memory_mib / 1024, disks = 0;

	gib = gib < 2 ? 2 : gib;
	for (size_t i = 0; i < c->n_disks; i++) {
		double disk = (double)c->disk_bytes[i] / GIB;

		disks += disk < 2 ? 2 : disk;
	}
	return gib + disks;
}

/*
 * As Python computes it: in doubles, each operation rounded by itself ("volatile" forbids a fused
 * multiply-add), and cut off towards zero.
 */
struct mp_nova_rung mp_nova_rung(const struct mp_policy_nova *c, long i)
{
	double d = (double)c->downtime_ms, s = (double)c->downtime_steps;
	volatile double delay = (double)c->downtime_delay_s * mp_nova_data_gib(c);
	struct mp_nova_rung r = { .after_s = (long long)delay * i };
	volatile double base, offset, part, value;

	if (c->release >= FIRST_LINEAR) {
		base = d / s;
		offset = (d - base) / s;
		part = offset * (double)i;
		value = base + part;
	} else {
		offset = d / (s + 1);
		base = pow(d - offset, 1 / s);
		part = pow(base, (double)i);
		value = offset + part;
	}
	r.downtime_ms = (long long)value;
	return r;
}

long long mp_nova_timeout_s(const struct mp_policy_nova *c)
{
	volatile double t = (double)c->completion_timeout_s * mp_nova_data_gib(c);

	return c->release >= FIRST_WITH_LADDER ? (long long)t : 0;
}

static int check(const struct mp_policy_nova *c, struct mp_err *err)
{
	if (c->release < 11 || c->release > 99)
		return mp_err_set(err, MP_E_INPUT, "Nova release %ld is not 11 to 99", c->release);
	if (c->memory_mib <= 0 || c->memory_mib > 1L << 30)
		return mp_err_set(err, MP_E_INPUT, "the flavor's memory is %ld MiB", c->memory_mib);
	if (c->downtime_ms < 100 || c->downtime_ms > 2000000)
		return mp_err_set(err, MP_E_INPUT,
				  "live_migration_downtime is %ld, not 100 to 2000000",
				  c->downtime_ms);
	if (c->downtime_steps < 3 || c->downtime_steps > 1000000)
		return mp_err_set(err, MP_E_INPUT,
				  "live_migration_downtime_steps is %ld, not 3 to 1000000",
				  c->downtime_steps);
	if (c->downtime_delay_s < 3 || c->downtime_delay_s > 1000000)
		return mp_err_set(err, MP_E_INPUT,
				  "live_migration_downtime_delay is %ld, not 3 to 1000000",
				  c->downtime_delay_s);
	if (c->completion_timeout_s < 0 || c->completion_timeout_s > 1000000000)
		return mp_err_set(err, MP_E_INPUT,
				  "live_migration_completion_timeout is %ld, not 0 to 1000000000",
				  c->completion_timeout_s);
	return 0;
}

static int init(struct mp_pilot *p, struct mp_err *err)
{
	struct own *o = p->own;
	struct mp_policy_nova *c = &o->c;
	bool postcopy = p->conf.may_postcopy && p->ground.postcopy_works;

	*c = p->conf.nova;
	if (c->release < FIRST_STRICT) {
		c->downtime_ms = c->downtime_ms < 100 ? 100 : c->downtime_ms;
		c->downtime_steps = c->downtime_steps < 3 ? 3 : c->downtime_steps;
		c->downtime_delay_s = c->downtime_delay_s < 10 ? 10 : c->downtime_delay_s;
	}
	if (check(c, err) < 0)
		return -1;
	if (c->progress_timeout_s < 0)
		c->progress_timeout_s = c->release < FIRST_LINEAR ? 150 : 0;
	if (c->release < FIRST_WITH_LADDER || c->release >= FIRST_WITH_ACTION)
		c->progress_timeout_s = 0;
	if (c->release < FIRST_WITH_ACTION)
		c->force_complete = false;
	if (c->release >= FIRST_WITH_POSTCOPY) {
		p->plan.postcopy = postcopy && !(p->ground.paused && c->release >= FIRST_PAUSED);
		p->plan.auto_converge = p->conf.may_converge && !postcopy;
	}
	/* The monitor goes by the configuration, not by the flags of this call. */
	o->postcopy = postcopy && c->release >= FIRST_WITH_POSTCOPY && !c->vpmem;
	o->before = -1;
	return 0;
}

/* A look with a rung above the one in force: the last one whose time is past. */
static bool climb(struct mp_pilot *p, const struct mp_policy_sample *s, struct mp_decision *d)
{
	struct own *o = p->own;
	struct mp_nova_rung now = { 0 };
	long at = -1;

	if (o->c.release < FIRST_WITH_LADDER)
		return false;
	for (long i = 0; i <= o->c.downtime_steps; i++) {
		struct mp_nova_rung rung = mp_nova_rung(&o->c, i);

		if (s->elapsed_ms <= rung.after_s * 1000)
			break;
		at = i;
		now = rung;
	}
	if (at < 0)
		return false;
	p->state = at == o->c.downtime_steps ? TOP : LADDER;
	if (o->set && o->downtime_ms == now.downtime_ms)
		return false;
	o->set = true; /* remembered as set also when libvirt refuses it */
	o->downtime_ms = now.downtime_ms;
	mp_decide(d, MP_ACT_SET_DOWNTIME, now.downtime_ms,
		  "more than %lld s have passed: rung %ld of %ld is %lld ms", now.after_s, at,
		  o->c.downtime_steps, now.downtime_ms);
	return true;
}

static void force(struct mp_pilot *p, const struct mp_policy_sample *s, const char *because,
		  struct mp_decision *d)
{
	const struct own *o = p->own;
	bool flag = p->plan.postcopy;

	p->plan.postcopy = o->postcopy;
	mp_pilot_end(p, s, true, because, d);
	p->plan.postcopy = flag;
}

/* The watch of Liberty to Rocky; bug 1644248 is why it went. */
static bool no_progress(struct own *o, const struct mp_policy_sample *s, long long data,
			struct mp_decision *d)
{
	if (!o->marked || o->low == 0 || data < o->low) {
		o->marked = true;
		o->low = data;
		o->low_ms = s->elapsed_ms;
	}
	if (o->c.progress_timeout_s == 0 ||
	    s->elapsed_ms - o->low_ms <= o->c.progress_timeout_s * 1000)
		return false;
	mp_decide(d, MP_ACT_ABORT, 0, "Live migration stuck for %lld sec: never less than %s left",
		  (s->elapsed_ms - o->low_ms) / 1000, mp_size_text((double)o->low).s);
	return true;
}

static bool timed_out(struct mp_pilot *p, const struct mp_policy_sample *s, struct mp_decision *d)
{
	struct own *o = p->own;
	long long t = mp_nova_timeout_s(&o->c);

	if (t == 0 || s->elapsed_ms <= t * 1000)
		return false;
	p->state = OVERDUE;
	if (o->c.force_complete) {
		o->force = true;
		return false;
	}
	mp_decide(d, MP_ACT_ABORT, 0, "Live migration not completed after %lld sec", t);
	return true;
}

/* Newton to Rocky: the second pass and later ones must each half second bring 10 percent. */
static bool slow(const struct own *o, const struct mp_policy_sample *s, long long data,
		 struct mp_decision *d)
{
	if (!o->postcopy || o->c.release >= FIRST_WITH_ACTION || o->before <= 0 ||
	    s->iteration <= 1 || (o->before - data) * 100 >= 10 * o->before)
		return false;
	mp_decide(d, MP_ACT_START_POSTCOPY, 0, "%s left after %s at the last look: less than 10 %%",
		  mp_size_text((double)data).s, mp_size_text((double)o->before).s);
	return true;
}

static void step(struct mp_pilot *p, const struct mp_policy_sample *s, struct mp_decision *d)
{
	struct own *o = p->own;
	long long data = s->remaining + s->disk_remaining;
	bool queued = p->force || o->force;

	if (queued) {
		p->force = o->force = false;
		force(p, s, "force-complete", d);
		return;
	}
	if (no_progress(o, s, data, d) || timed_out(p, s, d)) {
		p->phase = MP_PHASE_ABORTING;
		return;
	}
	if (!slow(o, s, data, d)) {
		int state = p->state;

		climb(p, s, d);
		if (state == OVERDUE)
			p->state = OVERDUE;
	}
	o->before = data;
}

const struct mp_policy mp_policy_nova = {
	.name = "nova",
	.summary = "the ladder and the timeouts of nova-compute",
	.source = "Nova, virt/libvirt/migration.py and driver.py, _live_migration_monitor",
	.states = states,
	.acts = 1 << MP_ACT_NONE | 1 << MP_ACT_SET_DOWNTIME | 1 << MP_ACT_START_POSTCOPY |
		1 << MP_ACT_PAUSE | 1 << MP_ACT_RECOVER | 1 << MP_ACT_ABORT |
		1 << MP_ACT_FINISH_WAIT,
	.size = sizeof(struct own),
	.init = init,
	.step = step,
};
