/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy-static: one downtime limit for the whole move, as a plain "virsh migrate" has it, with its
 * --timeout (--timeout-postcopy, --timeout-suspend).
 */
#include "config.h"
#include "migrate/policy-internal.h"

enum { WATCHING };
static const char *const states[] = { "watching", NULL };

static int init(struct mp_pilot *p, struct mp_err *err)
{
	/* 2 000 000 ms is the most that QEMU takes (migrate-set-parameters, downtime-limit). */
	if (p->conf.static_ms < 1 || p->conf.static_ms > 2000000)
		return mp_err_set(err, MP_E_INPUT,
				  "the downtime limit is %lld ms, not 1 to 2000000",
				  p->conf.static_ms);
	p->plan.limit_ms = p->conf.static_ms;
	p->plan.postcopy = p->conf.may_postcopy && p->ground.postcopy_works;
	p->plan.auto_converge = p->conf.may_converge;
	return 0;
}

static void step(struct mp_pilot *p, const struct mp_policy_sample *s, struct mp_decision *d)
{
	p->state = WATCHING;
	if (p->force)
		mp_pilot_end(p, s, true, "the operator asked for the end", d);
	else if (mp_pilot_overdue(p, s))
		mp_pilot_end(p, s, p->conf.may_disrupt, "the time for the move is over", d);
	p->force = false;
}

const struct mp_policy mp_policy_static = {
	.name = "static",
	.summary = "one downtime limit for the whole move",
	.source = "libvirt, tools/virsh-domain.c, cmdMigrate",
	.states = states,
	.acts = 1 << MP_ACT_NONE | 1 << MP_ACT_START_POSTCOPY | 1 << MP_ACT_PAUSE |
		1 << MP_ACT_RECOVER | 1 << MP_ACT_ABORT | 1 << MP_ACT_FINISH_WAIT,
	.watches_progress = true,
	.init = init,
	.step = step,
};
