/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy-internal: what the policies share (policy.c). */
#ifndef MP_MIGRATE_POLICY_INTERNAL_H
#define MP_MIGRATE_POLICY_INTERNAL_H

#include "migrate/policy.h"

enum mp_policy_phase {                    /* names: mp_policy_phases */
		       MP_PHASE_STEERING, /* the policy decides; its own state is told */
		       MP_PHASE_ABORTING,
		       MP_PHASE_PAUSED,
		       MP_PHASE_POSTCOPY,
		       MP_PHASE_BROKEN,
		       MP_PHASE_LOST,
};

struct mp_pilot {
	const struct mp_policy *policy;
	struct mp_policy_conf conf;
	struct mp_policy_ground ground;
	struct mp_policy_plan plan;
	enum mp_policy_phase phase;
	int state;    /* index of policy->states */
	void *own;    /* policy->size zero bytes at first; owned */
	bool refused; /* libvirt refused the last action */
	bool force;   /* the operator asked for the end, and it was not tried yet */
	enum mp_act last;
	int recoveries;
	long long recovered_ms;            /* when last tried */
	long long seen_bytes, progress_ms; /* when bytes last got through */
};

/* Fills a decision: the action, and a sentence. */
void mp_decide(struct mp_decision *d, enum mp_act act, long long value, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Ends the copying by what is permitted: post-copy, else (if "pause" is true) by suspending the
 * guest, else by giving up.
 */
void mp_pilot_end(struct mp_pilot *p, const struct mp_policy_sample *s, bool pause,
		  const char *because, struct mp_decision *d);

/* Whether the whole move has taken conf.max_ms. */
bool mp_pilot_overdue(const struct mp_pilot *p, const struct mp_policy_sample *s);

/* A readable size: "1.5 GiB". */
struct mp_size_text {
	char s[24];
};
struct mp_size_text mp_size_text(double bytes);

#endif
