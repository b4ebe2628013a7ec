/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy-forecast: the curve of dirtied memory, and QEMU's passes over it. Pure. */
#include "config.h"
#include "migrate/policy-forecast.h"

#include <string.h>

#define SAME_TIME 0.05 /* observations of nearly the same time are one */
#define MAX_PASSES 2000
#define STANDS_STILL 0.999
#define MAX_SECONDS 1e7
/* QEMU looks at what is left after 50 ms of sending (ram.c, MAX_WAIT), or each 100 ms
 * (BUFFER_DELAY) when a bandwidth limit holds it back. On average it looks half of that too late.
 */
#define LATE_FREE_S 0.025
#define LATE_CAPPED_S 0.05

/* Not finite compares false, too. */
static bool usable(double v)
{
	return v > 0 && v < 1e18;
}

static void drop(struct mp_curve *c, size_t i)
{
	memmove(&c->p[i], &c->p[i + 1], (c->n - i - 1) * sizeof(c->p[0]));
	c->n--;
}

/* Makes room by the point that its neighbour stands in for best. */
static void thin(struct mp_curve *c)
{
	size_t worst = 1;

	for (size_t i = 1; i + 1 < c->n; i++)
		if (c->p[i].s / c->p[i - 1].s < c->p[worst].s / c->p[worst - 1].s)
			worst = i;
	drop(c, worst);
}

void mp_curve_add(struct mp_curve *c, double s, double bytes)
{
	size_t at = 0;

	if (!usable(s) || !(bytes >= 0 && bytes < 1e18))
		return;
	for (size_t i = 0; i < c->n;) {
		bool same = c->p[i].s > s * (1 - SAME_TIME) && c->p[i].s < s * (1 + SAME_TIME);

		if (same || (c->p[i].s < s && c->p[i].bytes > bytes))
			drop(c, i);
		else
			i++;
	}
	if (c->n == MP_CURVE_POINTS)
		thin(c);
	while (at < c->n && c->p[at].s < s)
		at++;
	memmove(&c->p[at + 1], &c->p[at], (c->n - at) * sizeof(c->p[0]));
	c->p[at].s = s;
	c->p[at].bytes = bytes;
	c->n++;
	for (size_t i = at + 1; i < c->n; i++)
		if (c->p[i].bytes < bytes)
			c->p[i].bytes = bytes;
}

double mp_curve_at(const struct mp_curve *c, double s)
{
	double s0 = 0, b0 = 0, slope = 0;

	if (!(s > 0))
		return 0;
	for (size_t i = 0; i < c->n; i++) {
		slope = (c->p[i].bytes - b0) / (c->p[i].s - s0);
		if (s <= c->p[i].s)
			break;
		s0 = c->p[i].s;
		b0 = c->p[i].bytes;
	}
	return b0 + slope * (s - s0);
}

double mp_curve_set(const struct mp_curve *c)
{
	return c->n ? c->p[c->n - 1].bytes : 0;
}

/* What is not sent yet when QEMU sees that less than the threshold is left. */
static double leftover(const struct mp_forecast_in *in, double remaining)
{
	double late = in->link_bps > in->rate_bps * 1.01 ? LATE_CAPPED_S : LATE_FREE_S;
	double left = in->rate_bps * (in->limit_ms / 1000 - late);

	left = left > 0 ? left : 0;
	return left < remaining ? left : remaining;
}

/*
 * A pass ends when less than the threshold is left; then QEMU reads the dirty bitmap again. What
 * was not sent yet and what was dirtied overlap, as far as both are of the same working set.
 */
double mp_forecast_pass(const struct mp_forecast_in *in, double remaining)
{
	double left = leftover(in, remaining);
	double dirtied =
		mp_curve_at(in->curve, (remaining - left) / in->rate_bps * (1 - in->throttle));
	double set = mp_curve_set(in->curve);
	double next;

	if (dirtied > in->total)
		dirtied = in->total;
	/* In the pass over all memory what is left is of no working set. */
	if (remaining >= in->total)
		set = in->total;
	if (set < left)
		set = left;
	if (set < dirtied)
		set = dirtied;
	next = set > 0 ? left + dirtied - left * dirtied / set : 0;
	return next < in->total ? next : in->total;
}

void mp_forecast(const struct mp_forecast_in *in, struct mp_forecast *ret)
{
	double threshold = in->rate_bps * in->limit_ms / 1000, r = in->remaining, t = 0;
	int still = 0;

	*ret = (struct mp_forecast){ 0 };
	if (!usable(in->rate_bps) || !usable(in->link_bps) || !usable(in->total) ||
	    !(in->remaining >= 0) || in->curve->n == 0)
		return;
	ret->known = true;
	for (ret->passes = 1; ret->passes <= MAX_PASSES; ret->passes++) {
		double next;

		if (r < threshold) {
			double pause = r / in->link_bps + in->handover_ms / 1000;

			ret->finishes = t + pause < MAX_SECONDS;
			ret->pause_ms = (long long)(pause * 1000);
			ret->total_ms = (long long)((t + pause) * 1000);
			return;
		}
		next = mp_forecast_pass(in, r);
		t += (r - leftover(in, r)) / in->rate_bps;
		still = next >= STANDS_STILL * r ? still + 1 : 0;
		r = next;
		if (r >= threshold && (still >= 3 || t > MAX_SECONDS))
			break;
	}
	ret->floor_bytes = (long long)r;
}
