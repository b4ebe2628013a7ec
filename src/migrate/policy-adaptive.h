/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy-adaptive: what else reckons with it. Pure. */
#ifndef MP_MIGRATE_POLICY_ADAPTIVE_H
#define MP_MIGRATE_POLICY_ADAPTIVE_H

#include "migrate/policy.h"

/*
 * The smallest auto-converge throttle, 20 to 99 percent, with which the copy is
 * forecast to end under that downtime limit; -1: none.
 */
int mp_adaptive_throttle(const struct mp_forecast_in *base, double limit_ms);

#endif
