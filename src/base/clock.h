/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clock: the monotonic clock in milliseconds, and deadlines on it. */
#ifndef MP_BASE_CLOCK_H
#define MP_BASE_CLOCK_H

#include <stdint.h>

typedef int64_t mp_ms; /* milliseconds of CLOCK_MONOTONIC, or a span of them */

mp_ms mp_now(void);

/* Milliseconds left until deadline: 0 when it has passed; never more than INT_MAX, for poll(2). */
int mp_ms_left(mp_ms deadline);

#endif
