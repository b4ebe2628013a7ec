/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy: what all policies have in common: what the operator asks for, a job that stands still, an
 * abort on its way, and post-copy, after which nothing can be taken back. Pure.
 */
#include "config.h"
#include "migrate/policy-internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define DEFAULT_HANDOVER_MS 25 /* libvirt 9, QEMU 7.2: 20 to 30 ms with an idle guest */

const char *const mp_policy_phases[] = { "steering", "aborting", "paused", "post-copy",
					 "broken",   "lost",     NULL };

static const char *const act_names[] = { "none",  "set-downtime", "set-speed", "start-postcopy",
					 "pause", "recover",      "abort",     "finish-wait" };
_Static_assert(MP_N_ELEMS(act_names) == MP_N_ACTS, "an action lacks its name");

const char *mp_act_name(enum mp_act act)
{
	return act_names[act];
}

const struct mp_policy *mp_policy_find(const char *name)
{
	for (size_t i = 0; mp_policies[i]; i++)
		if (strcmp(mp_policies[i]->name, name) == 0)
			return mp_policies[i];
	return NULL;
}

void mp_policy_conf_init(struct mp_policy_conf *c)
{
	*c = (struct mp_policy_conf){
		.budget_ms = 500,
		.stuck_ms = 30000,
		.disrupt_max_ms = 10000,
		.postcopy_max_ms = 60000,
		.recoveries = 10,
		.recover_every_ms = 5000,
		.static_ms = 300,
		.nova = { .release = 29,
			  .downtime_ms = 500,
			  .downtime_steps = 10,
			  .downtime_delay_s = 75,
			  .completion_timeout_s = 800,
			  .progress_timeout_s = -1,
			  .memory_mib = 2048 },
	};
}

struct mp_size_text mp_size_text(double bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	struct mp_size_text t;
	size_t u = 0;

	while (bytes >= 1024 && u + 1 < MP_N_ELEMS(units)) {
		bytes /= 1024;
		u++;
	}
	snprintf(t.s, sizeof(t.s), bytes < 10 && u > 0 ? "%.1f %s" : "%.0f %s", bytes, units[u]);
	return t;
}

void mp_decide(struct mp_decision *d, enum mp_act act, long long value, const char *fmt, ...)
{
	va_list ap;

	d->act = act;
	d->value = value;
	va_start(ap, fmt);
	vsnprintf(d->text, sizeof(d->text), fmt, ap);
	va_end(ap);
}

bool mp_pilot_overdue(const struct mp_pilot *p, const struct mp_policy_sample *s)
{
	return p->conf.max_ms > 0 && s->elapsed_ms > p->conf.max_ms;
}

void mp_pilot_end(struct mp_pilot *p, const struct mp_policy_sample *s, bool pause,
		  const char *because, struct mp_decision *d)
{
	struct mp_size_text left = mp_size_text((double)s->remaining);

	if (p->plan.postcopy) {
		mp_decide(d, MP_ACT_START_POSTCOPY, 0,
			  "%s; post-copy is permitted, %s are left to copy", because, left.s);
	} else if (pause) {
		mp_decide(d, MP_ACT_PAUSE, 0,
			  "%s; the guest stands still until the last %s are copied", because,
			  left.s);
		p->phase = MP_PHASE_PAUSED;
	} else {
		mp_decide(d, MP_ACT_ABORT, 0, "%s; %s are left to copy", because, left.s);
		p->phase = MP_PHASE_ABORTING;
	}
}

int mp_pilot_new(const struct mp_policy *policy, const struct mp_policy_conf *conf,
		 const struct mp_policy_ground *ground, struct mp_pilot **ret, struct mp_err *err)
{
	struct mp_pilot *p;

	if (conf->budget_ms <= 0)
		return mp_err_set(err, MP_E_INPUT, "the pause budget is %lld ms, not above 0",
				  conf->budget_ms);
	p = mp_xcalloc(1, sizeof(*p));
	p->policy = policy;
	p->conf = *conf;
	p->ground = *ground;
	if (p->ground.handover_ms <= 0)
		p->ground.handover_ms = DEFAULT_HANDOVER_MS;
	p->own = mp_xcalloc(1, policy->size ? policy->size : 1);
	p->plan.limit_ms = -1;
	p->seen_bytes = -1;
	if (policy->init(p, err) < 0) {
		mp_pilot_free(p);
		return -1;
	}
	*ret = p;
	return 0;
}

void mp_pilot_free(struct mp_pilot *p)
{
	if (!p)
		return;
	free(p->own);
	free(p);
}

const struct mp_policy_plan *mp_pilot_plan(const struct mp_pilot *p)
{
	return &p->plan;
}

/*
 * The guest runs on the target, and part of its memory is still on the source: neither may be ended
 * before they are one again. Nova leaves a broken link as it is; nobody is served by that.
 */
static void step_postcopy(struct mp_pilot *p, const struct mp_policy_sample *s,
			  struct mp_decision *d)
{
	struct mp_size_text left = mp_size_text((double)s->remaining);

	if (!(s->events & MP_EVENT_BROKEN)) {
		p->phase = MP_PHASE_POSTCOPY;
		mp_decide(d, MP_ACT_FINISH_WAIT, 0, "%spost-copy has %s left",
			  s->events & MP_EVENT_ASK_ABORT
				  ? "post-copy cannot be aborted, the guest runs on the target: "
				  : "",
			  left.s);
		return;
	}
	if (p->recoveries >= p->conf.recoveries) {
		p->phase = MP_PHASE_LOST;
		mp_decide(
			d, MP_ACT_FINISH_WAIT, 0,
			"post-copy is not recovered after %d attempts, %s left: mend the network, "
			"and destroy the guest on neither host",
			p->recoveries, left.s);
		return;
	}
	p->phase = MP_PHASE_BROKEN;
	if (p->recoveries > 0 && s->elapsed_ms - p->recovered_ms < p->conf.recover_every_ms) {
		mp_decide(d, MP_ACT_FINISH_WAIT, 0, "post-copy lost its link, %s left", left.s);
		return;
	}
	p->recoveries++;
	p->recovered_ms = s->elapsed_ms;
	mp_decide(d, MP_ACT_RECOVER, 0, "post-copy lost its link, %s left: attempt %d of %d",
		  left.s, p->recoveries, p->conf.recoveries);
}

/* True when no byte has got through for too long. */
static bool stuck(struct mp_pilot *p, const struct mp_policy_sample *s)
{
	if (s->transferred != p->seen_bytes) {
		p->seen_bytes = s->transferred;
		p->progress_ms = s->elapsed_ms;
	}
	/* A paused guest is never left to wait for a dead link, whatever the policy. */
	return (p->policy->watches_progress || p->phase == MP_PHASE_PAUSED) &&
	       p->conf.stuck_ms > 0 && s->elapsed_ms - p->progress_ms > p->conf.stuck_ms;
}

static void give_up(struct mp_pilot *p, struct mp_decision *d, const char *why)
{
	mp_decide(d, MP_ACT_ABORT, 0, "%s", why);
	p->phase = MP_PHASE_ABORTING;
}

/* What does not depend on the policy. True: decided. */
static bool step_common(struct mp_pilot *p, const struct mp_policy_sample *s, struct mp_decision *d)
{
	if (s->postcopy) {
		step_postcopy(p, s, d);
		return true;
	}
	if (p->refused && (p->last == MP_ACT_ABORT || p->last == MP_ACT_PAUSE ||
			   p->last == MP_ACT_START_POSTCOPY))
		p->phase = MP_PHASE_STEERING;
	if (p->phase == MP_PHASE_ABORTING) {
		mp_decide(d, MP_ACT_FINISH_WAIT, 0, "the abort is under way");
		return true;
	}
	/* Early in a job there is nothing to abort yet, so a refused abort is asked for again. */
	if ((s->events & MP_EVENT_ASK_ABORT) || (p->refused && p->last == MP_ACT_ABORT)) {
		give_up(p, d,
			s->events & MP_EVENT_ASK_ABORT ? "the operator asked for it"
						       : "the last attempt was refused");
		return true;
	}
	if (stuck(p, s)) {
		mp_auto_free char *why = mp_xasprintf("no byte got through for %lld s, %s are left",
						      (s->elapsed_ms - p->progress_ms) / 1000,
						      mp_size_text((double)s->remaining).s);

		give_up(p, d, why);
		return true;
	}
	if (p->phase == MP_PHASE_STEERING)
		return false;
	mp_decide(d, MP_ACT_FINISH_WAIT, 0, "%s",
		  p->phase == MP_PHASE_PAUSED ? "the guest is paused until all is copied"
					      : "the switch to post-copy is under way");
	return true;
}

void mp_pilot_step(struct mp_pilot *p, const struct mp_policy_sample *s, struct mp_decision *ret)
{
	*ret = (struct mp_decision){
		.why = { .remaining = s->boundary ? s->remaining_start : s->remaining,
			 .link_bps = -1,
			 .rate_bps = s->rate_bps > 0 ? s->rate_bps : -1,
			 .limit_ms = s->limit_ms,
			 .forecast_ms = -1,
			 .forecast_pause_ms = -1,
			 .pause_ms = -1,
			 .need_bps = -1,
			 .throttle = s->throttle,
			 .need_throttle = -1 },
	};
	p->refused = s->events & MP_EVENT_REFUSED;
	if (s->events & MP_EVENT_ASK_FORCE)
		p->force = true;
	if (!step_common(p, s, ret))
		p->policy->step(p, s, ret);
	if (ret->act == MP_ACT_START_POSTCOPY)
		p->phase = MP_PHASE_POSTCOPY;
	p->last = ret->act;
	ret->state = p->phase == MP_PHASE_STEERING ? p->policy->states[p->state]
						   : mp_policy_phases[p->phase];
}
