/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy-nova: Nova's numbers, for the policy and its tests. Pure. */
#ifndef MP_MIGRATE_POLICY_NOVA_H
#define MP_MIGRATE_POLICY_NOVA_H

#include "migrate/policy.h"

struct mp_nova_rung {
	long long after_s, downtime_ms; /* in force when more seconds than that have passed */
};

/* GiB that Nova reckons with: memory and each disk count as at least 2. */
double mp_nova_data_gib(const struct mp_policy_nova *c);

/*
 * The i-th rung of the downtime ladder, 0 <= i <= downtime_steps: linear since Ocata (15),
 * exponential before.
 */
struct mp_nova_rung mp_nova_rung(const struct mp_policy_nova *c, long i);

/* Seconds after which the timeout action is taken; 0: never. */
long long mp_nova_timeout_s(const struct mp_policy_nova *c);

#endif
