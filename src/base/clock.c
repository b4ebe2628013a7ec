/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "base/clock.h"

#include <limits.h>
#include <time.h>

mp_ms mp_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (mp_ms)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int mp_ms_left(mp_ms deadline)
{
	mp_ms left = deadline - mp_now();

	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}
