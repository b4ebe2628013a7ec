/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy-forecast: what QEMU's pre-copy will do, from the link and from how much memory the guest
 * dirties in a time. Pure.
 */
#ifndef MP_MIGRATE_POLICY_FORECAST_H
#define MP_MIGRATE_POLICY_FORECAST_H

#include <stdbool.h>
#include <stddef.h>

#define MP_CURVE_POINTS 16

/* Distinct bytes dirtied within a time, as points; between them it is straight. */
struct mp_curve {
	struct {
		double s, bytes;
	} p[MP_CURVE_POINTS]; /* by time, bytes never fall */
	size_t n;
};

/*
 * Adds an observation; the newer one is right where two contradict. Times and sizes that are not
 * positive and finite are ignored.
 */
void mp_curve_add(struct mp_curve *c, double s, double bytes);

double mp_curve_at(const struct mp_curve *c, double s);

/* The memory that the guest comes back to, as far as it was seen; 0: nothing was. */
double mp_curve_set(const struct mp_curve *c);

struct mp_forecast_in {
	const struct mp_curve *curve;
	double total;       /* bytes of memory */
	double remaining;   /* left at the beginning of the pass */
	double rate_bps;    /* of the copy */
	double link_bps;    /* of the last part, which no bandwidth limit slows down */
	double limit_ms;    /* downtime limit: it ends when less than rate * limit is left */
	double handover_ms; /* of the pause */
	double throttle;    /* 0..1 */
};

struct mp_forecast {
	bool known; /* false: there was too little to go by */
	bool finishes;
	long long total_ms; /* from that pass on, with the pause */
	long long pause_ms;
	long long pause_max_ms; /* of a plan: if the guest dirties faster than could be measured */
	int passes;
	long long floor_bytes; /* if it does not finish: what is left again and again */
};

void mp_forecast(const struct mp_forecast_in *in, struct mp_forecast *ret);

/* What is left after one more pass over remaining. */
double mp_forecast_pass(const struct mp_forecast_in *in, double remaining);

#endif
