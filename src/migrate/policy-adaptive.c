/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy-adaptive: ours. QEMU ends pre-copy when what is left is less than its measured rate times
 * the downtime limit, and then sends that at the speed of the link, whatever the bandwidth limit;
 * so the limit to set is the pause wanted, times link over rate. What is left at the beginning of
 * each pass, and how long the pass took, tell how much the guest dirties in a time; from that the
 * smallest pause that will do is forecast, before the start and at each pass. Where none within the
 * budget will do, the ladder of act() is gone down, each rung once.
 */
#include "config.h"
#include "migrate/policy-adaptive.h"

#include <stdio.h>

#include "migrate/policy-internal.h"

/*
 * Below this, less pause is not worth more passes; and Nova begins with 50 ms, so we are never
 * behind it.
 */
#define MIN_TRANSFER_MS 50.0
#define STEP 1.1      /* from one candidate to the next; also the hysteresis of changes */
#define PATIENCE 1.25 /* of the time that the whole budget would take */
#define SHRINKS 0.9   /* a pass that leaves less than this of the last one brings something */
#define MARGIN 1.05   /* over what is left, so that QEMU stops at once */
#define STALLED_PASSES 2
#define NEARLY 4.0      /* budgets: so near to it a few more passes may do */
#define NO_NEWS_NEAR 10 /* passes without a new low, and time */
#define NO_NEWS_MS 10000
#define NO_NEWS_FAR 3
#define NEW_LOW 0.98
#define SAME_THROTTLE_PASSES 10 /* QEMU raises it every second pass that it finds slow */
#define LONG_STALLS 2
#define MAX_THROTTLE 99 /* QEMU's own maximum, 10 percent at a time from the first */
#define MAX_INITIAL 90
#define DOUBT 1.5 /* a guest may dirty so much more than it did when measured */
#define NEAR 1.25 /* so much too much is no reason to refuse: the forecast is not that good */
#define EARLY 0.2 /* and may have dirtied what was measured in this part of the time */
#define MAX_LIMIT_MS 2000000 /* QEMU's own maximum */
#define POSTCOPY_TRIES 3     /* refused while the job is still being set up */
#define POSTCOPY_RETRY_MS 500
#define DISRUPT_TRIES 5

enum { BULK, SHRINK, ACCEPT, STALL, RAISE, THROTTLE, DISRUPT };
static const char *const states[] = { "bulk",  "shrink",   "accept",  "stall",
				      "raise", "throttle", "disrupt", NULL };

struct own {
	struct mp_curve curve;
	double rate, link; /* bytes/s */
	long long start;   /* what the pass that runs began with; 0: none seen */
	long long begun_ms;
	int stalled, same_throttle, long_stalls;
	long long low, low_ms; /* least that a pass began with, since when, for how many */
	int low_passes;
	int throttle;
	bool raised; /* this rung was taken */
	bool forced; /* the operator permitted whatever pause it takes */
	int postcopy_tries, disrupt_tries;
	long long postcopy_ms;
};

/* ---- the forecast ---- */

static double transfer_max(const struct mp_pilot *p)
{
	double ms = (double)(p->conf.budget_ms - p->ground.handover_ms);

	return ms > 1 ? ms : 1;
}

static long long limit_for(double transfer_ms, double link, double rate)
{
	double ms = transfer_ms * link / rate;

	return ms >= MAX_LIMIT_MS ? MAX_LIMIT_MS : ms < 1 ? 1 : (long long)(ms + 0.999);
}

static struct mp_forecast look_ahead(const struct mp_forecast_in *base, double limit_ms)
{
	struct mp_forecast_in in = *base;
	struct mp_forecast f;

	in.limit_ms = limit_ms;
	mp_forecast(&in, &f);
	return f;
}

/* It finishes, in time, and not much later than with the whole budget. */
static bool soon_enough(const struct mp_pilot *p, const struct mp_forecast *f,
			const struct mp_forecast *whole, long long spent)
{
	return f->finishes && (p->conf.max_ms <= 0 || spent + f->total_ms <= p->conf.max_ms) &&
	       (double)(spent + f->total_ms) <= PATIENCE * (double)(spent + whole->total_ms);
}

/*
 * The smallest transfer time of the last part, in ms, that is forecast to do, soon enough; 0: none
 * within the budget. *ret: its forecast, or that of the whole budget.
 */
static double smallest(const struct mp_pilot *p, const struct mp_forecast_in *base, long long spent,
		       struct mp_forecast *ret)
{
	double max = transfer_max(p), scale = base->link_bps / base->rate_bps;
	struct mp_forecast whole = look_ahead(base, max * scale);

	*ret = whole;
	if (!soon_enough(p, &whole, &whole, spent))
		return 0;
	for (double ms = MIN_TRANSFER_MS; ms < max; ms *= STEP) {
		struct mp_forecast f = look_ahead(base, ms * scale);

		if (!soon_enough(p, &f, &whole, spent))
			continue;
		*ret = f;
		return ms;
	}
	return max;
}

/* The link that would do: U(t) bytes within the budget's t. */
static long long link_needed(const struct mp_pilot *p, const struct mp_curve *curve,
			     double throttle)
{
	double t = transfer_max(p) / 1000;

	return curve->n ? (long long)(mp_curve_at(curve, t * (1 - throttle)) / t) : -1;
}

int mp_adaptive_throttle(const struct mp_forecast_in *base, double limit_ms)
{
	struct mp_forecast_in in = *base;

	for (int percent = 20; percent <= MAX_THROTTLE; percent += percent < 95 ? 5 : 4) {
		in.throttle = percent / 100.0;
		if (look_ahead(&in, limit_ms).finishes)
			return percent;
	}
	return -1;
}

/* ---- before the start ---- */

/*
 * QEMU measures dirtied memory over 1 s at least, and the last passes are shorter: a set that was
 * dirtied as a whole in that time may be dirtied as a whole in the last pass, too.
 */
static long long pause_at_most(const struct mp_pilot *p, const struct mp_forecast_in *in,
			       const struct mp_forecast *f)
{
	double set = in->curve->p[0].bytes / in->link_bps * 1000 + in->handover_ms;

	if (set > (double)p->conf.budget_ms)
		set = (double)p->conf.budget_ms;
	return set > (double)f->pause_ms ? (long long)set : f->pause_ms;
}

/* Whether a guest somewhat better than measured would do. */
static bool near(const struct mp_forecast_in *in, double limit_ms)
{
	struct mp_curve better = { 0 };
	struct mp_forecast_in b = *in;

	for (size_t i = 0; i < in->curve->n; i++)
		mp_curve_add(&better, in->curve->p[i].s, in->curve->p[i].bytes / NEAR);
	b.curve = &better;
	return look_ahead(&b, limit_ms).finishes;
}

/* What to do about a guest that no pause within the budget will do for. */
static void plan_help(struct mp_pilot *p, const struct mp_forecast_in *in,
		      const struct mp_forecast *f)
{
	struct mp_policy_plan *plan = &p->plan;
	double max = transfer_max(p), scale = in->link_bps / in->rate_bps;
	double pause = (double)f->floor_bytes / in->link_bps * 1000 + in->handover_ms;
	int throttle = mp_adaptive_throttle(in, max * scale);
	struct mp_forecast_in uncapped = *in;
	struct mp_forecast g;
	bool capped = in->link_bps > in->rate_bps;

	uncapped.rate_bps = uncapped.link_bps;
	g = look_ahead(&uncapped, max);
	plan->limit_ms = limit_for(max, in->link_bps, in->rate_bps);
	if (p->conf.cap_is_soft && capped && g.finishes) {
		snprintf(
			plan->text, sizeof(plan->text),
			"go; the bandwidth limit of %s/s will be raised, as %s would be left again "
			"and again",
			mp_size_text(in->rate_bps).s, mp_size_text((double)f->floor_bytes).s);
	} else if (plan->postcopy) {
		snprintf(plan->text, sizeof(plan->text),
			 "go; it will end in post-copy, as %s would "
			 "be left again and again",
			 mp_size_text((double)f->floor_bytes).s);
	} else if (p->conf.may_converge && throttle > 0) {
		plan->auto_converge = true;
		plan->throttle_initial = throttle < MAX_INITIAL ? throttle : MAX_INITIAL;
		plan->throttle_increment = 10;
		snprintf(plan->text, sizeof(plan->text),
			 "go; auto-converge begins with %d %%, as %s would be left again and again",
			 plan->throttle_initial, mp_size_text((double)f->floor_bytes).s);
	} else if (near(in, max * scale)) {
		snprintf(
			plan->text, sizeof(plan->text),
			"go; by the forecast it just fails, with %s left again and again, and that "
			"is too near to say",
			mp_size_text((double)f->floor_bytes).s);
	} else if (p->conf.may_disrupt && pause <= (double)p->conf.disrupt_max_ms) {
		snprintf(plan->text, sizeof(plan->text),
			 "go; the guest will stand still for about %.0f ms, as %s would be left "
			 "again and again",
			 pause, mp_size_text((double)f->floor_bytes).s);
	} else {
		plan->refuse = true;
		snprintf(plan->text, sizeof(plan->text),
			 "%s would be left again and again: a pause of %.0f ms, where %lld ms are "
			 "permitted; it needs a link of %s/s (here are %s/s), or %s, or post-copy",
			 mp_size_text((double)f->floor_bytes).s, pause, p->conf.budget_ms,
			 mp_size_text((double)link_needed(p, in->curve, 0)).s,
			 mp_size_text(in->link_bps).s,
			 throttle > 0 ? "the guest slowed down by auto-converge"
				      : "a longer pause");
	}
}

/* It would end, but not in time. */
static void plan_late(struct mp_pilot *p, const struct mp_forecast *f)
{
	p->plan.refuse = !p->plan.postcopy;
	snprintf(p->plan.text, sizeof(p->plan.text),
		 "%s: it takes %lld s by the forecast, where %lld s are permitted%s",
		 p->plan.refuse ? "too slow" : "go", f->total_ms / 1000, p->conf.max_ms / 1000,
		 p->plan.refuse ? "; give it more time or a faster link"
				: ", and will end in post-copy");
}

/*
 * Whether it ends also when the guest turns out worse than measured. If not, auto-converge has to
 * be there from the start: it cannot be switched on later, and does nothing unless it is needed.
 */
static bool surely(const struct mp_pilot *p, const struct mp_forecast_in *in)
{
	struct mp_curve worse = { 0 };
	struct mp_forecast_in w = *in;
	struct mp_forecast f;

	mp_curve_add(&worse, in->curve->p[0].s * EARLY, in->curve->p[0].bytes);
	for (size_t i = 0; i < in->curve->n; i++)
		mp_curve_add(&worse, in->curve->p[i].s, DOUBT * in->curve->p[i].bytes);
	w.curve = &worse;
	return smallest(p, &w, 0, &f) > 0;
}

static int init(struct mp_pilot *p, struct mp_err *err)
{
	const struct mp_policy_ground *g = &p->ground;
	struct own *o = p->own;
	struct mp_policy_plan *plan = &p->plan;
	double cap = (double)g->cap_bps;
	struct mp_forecast_in in;
	double ms;

	(void)err;
	o->curve = g->curve;
	o->link = (double)g->link_bps;
	o->rate = cap > 0 && (cap < o->link || o->link <= 0) ? cap : o->link;
	if (o->link <= 0)
		o->link = o->rate;
	plan->postcopy = p->conf.may_postcopy && g->postcopy_works && !g->paused;
	in = (struct mp_forecast_in){ .curve = &o->curve,
				      .total = (double)g->total,
				      .remaining = (double)g->total,
				      .rate_bps = o->rate,
				      .link_bps = o->link,
				      .handover_ms = (double)g->handover_ms };
	ms = smallest(p, &in, 0, &plan->forecast);
	if (!plan->forecast.known) {
		/* Auto-converge cannot be switched on later, so a blind start has it. */
		plan->auto_converge = p->conf.may_converge && !plan->postcopy;
		ms = MIN_TRANSFER_MS < transfer_max(p) ? MIN_TRANSFER_MS : transfer_max(p);
		plan->limit_ms = o->rate > 0 ? limit_for(ms, o->link, o->rate) : (long long)ms;
		snprintf(plan->text, sizeof(plan->text),
			 "go; nothing was measured, so it is measured on the way");
	} else if (ms > 0) {
		plan->limit_ms = limit_for(ms, o->link, o->rate);
		plan->auto_converge = p->conf.may_converge && !plan->postcopy && !surely(p, &in);
		snprintf(plan->text, sizeof(plan->text),
			 "go; %lld s and a pause of %lld to %lld ms by the forecast",
			 (plan->forecast.total_ms + 500) / 1000, plan->forecast.pause_ms,
			 pause_at_most(p, &in, &plan->forecast));
		plan->forecast.pause_max_ms = pause_at_most(p, &in, &plan->forecast);
	} else if (plan->forecast.finishes) {
		plan->limit_ms = limit_for(transfer_max(p), o->link, o->rate);
		plan_late(p, &plan->forecast);
	} else {
		struct mp_forecast whole = plan->forecast;

		plan_help(p, &in, &whole);
	}
	return 0;
}

/* ---- while it runs ---- */

/* A pass is over: what it began with and how long it took gives a point of the curve. */
static void learn(struct mp_pilot *p, const struct mp_policy_sample *s)
{
	struct own *o = p->own;
	double seconds = (double)(s->elapsed_ms - o->begun_ms) / 1000;
	double left, set, dirtied;

	/* Of the link only what was seen is believed, unless a limit hides it. */
	if (s->rate_bps > 0) {
		o->rate = o->rate > 0 && o->start > 0 ? 0.6 * o->rate + 0.4 * (double)s->rate_bps
						      : (double)s->rate_bps;
		if (s->cap_bps <= 0 || o->link < o->rate)
			o->link = o->rate;
	}
	if (o->start > 0 && seconds > 0.01) {
		left = o->rate * (double)s->limit_ms / 1000;
		left = left < (double)o->start ? left : (double)o->start;
		set = s->iteration == 2 ? (double)s->total : mp_curve_set(&o->curve);
		if (set < (double)s->remaining_start)
			set = (double)s->remaining_start;
		/* What was left over and what was dirtied overlap (policy-forecast.c). */
		dirtied = ((double)s->remaining_start - left) / (1 - left / set);
		if (left < 0.8 * set)
			mp_curve_add(&o->curve, seconds * (1 - s->throttle / 100.0),
				     dirtied > 0 ? dirtied : 0);
	}
	o->stalled = o->start > 0 && s->iteration > 2 &&
				     (double)s->remaining_start >= SHRINKS * (double)o->start
			     ? o->stalled + 1
			     : 0;
	o->low_passes++;
	if (o->low == 0 || (double)s->remaining_start < NEW_LOW * (double)o->low) {
		o->low = s->remaining_start;
		o->low_ms = s->elapsed_ms;
		o->low_passes = 0;
	}
	o->same_throttle = s->throttle == o->throttle ? o->same_throttle + 1 : 0;
	o->throttle = s->throttle;
	o->start = s->remaining_start;
	o->begun_ms = s->elapsed_ms;
}

static struct mp_forecast_in from_here(const struct mp_pilot *p, const struct mp_policy_sample *s)
{
	const struct own *o = p->own;

	return (struct mp_forecast_in){ .curve = &o->curve,
					.total = (double)s->total,
					.remaining = (double)s->remaining_start,
					.rate_bps = o->rate,
					.link_bps = o->link,
					.limit_ms = (double)s->limit_ms,
					.handover_ms = (double)p->ground.handover_ms,
					.throttle = s->throttle / 100.0 };
}

static bool set_limit(struct mp_pilot *p, const struct mp_policy_sample *s, int state, long long ms,
		      const char *because, struct mp_decision *d)
{
	struct mp_size_text left = mp_size_text((double)d->why.remaining);

	p->state = state;
	if ((double)ms < STEP * (double)s->limit_ms)
		return false;
	mp_decide(d, MP_ACT_SET_DOWNTIME, ms, "%s: %s left, limit %lld ms, was %lld", because,
		  left.s, ms, s->limit_ms);
	return true;
}

static void give_up(struct mp_pilot *p, const struct mp_policy_sample *s, const char *because,
		    struct mp_decision *d)
{
	struct own *o = p->own;
	struct mp_forecast_in in = from_here(p, s);

	in.throttle = 0;
	d->why.need_bps = link_needed(p, &o->curve, 0);
	d->why.need_throttle =
		o->rate > 0 ? mp_adaptive_throttle(&in, transfer_max(p) * o->link / o->rate) : -1;
	if (d->why.need_bps > 0)
		mp_decide(d, MP_ACT_ABORT, 0,
			  "%s: %s left, a pause of %lld ms where %lld are permitted; it needs a "
			  "link of %s/s%s",
			  because, mp_size_text((double)d->why.remaining).s, d->why.pause_ms,
			  p->conf.budget_ms, mp_size_text((double)d->why.need_bps).s,
			  d->why.need_throttle > 0 ? ", or auto-converge from the start" : "");
	else
		mp_decide(d, MP_ACT_ABORT, 0, "%s: %s left", because,
			  mp_size_text((double)d->why.remaining).s);
	p->phase = MP_PHASE_ABORTING;
}

/*
 * Raises a soft bandwidth limit. The downtime limit was scaled for the slow copy and would permit a
 * multiple of the budget on the fast one, so it goes down first.
 */
static bool raise_cap(struct mp_pilot *p, const struct mp_policy_sample *s, struct mp_decision *d)
{
	struct own *o = p->own;
	long long ms = (long long)transfer_max(p);

	if (!p->conf.cap_is_soft || s->cap_bps <= 0 || o->raised ||
	    o->link < STEP * (double)s->cap_bps)
		return false;
	p->state = RAISE;
	if (s->limit_ms > ms && !(p->refused && p->last == MP_ACT_SET_DOWNTIME)) {
		mp_decide(d, MP_ACT_SET_DOWNTIME, ms,
			  "before the bandwidth limit is raised: limit %lld ms, was %lld", ms,
			  s->limit_ms);
		return true;
	}
	o->raised = true;
	if (s->limit_ms > ms)
		return false;
	mp_decide(d, MP_ACT_SET_SPEED, (long long)o->link,
		  "%s would be left again and again with %s/s; the link gives %s/s",
		  mp_size_text((double)d->why.remaining).s, mp_size_text((double)s->cap_bps).s,
		  mp_size_text(o->link).s);
	o->rate = o->link;
	o->stalled = 0;
	return true;
}

static bool switch_over(struct mp_pilot *p, const struct mp_policy_sample *s, bool asked,
			struct mp_decision *d)
{
	struct own *o = p->own;
	double eta = o->link > 0 ? (double)s->remaining / o->link * 1000 : 0;

	if (!p->plan.postcopy || o->postcopy_tries >= POSTCOPY_TRIES ||
	    (!asked && eta > (double)p->conf.postcopy_max_ms))
		return false;
	o->postcopy_tries++;
	o->postcopy_ms = s->elapsed_ms;
	mp_decide(d, MP_ACT_START_POSTCOPY, 0, "%s left, about %.0f ms on two hosts",
		  mp_size_text((double)s->remaining).s, eta);
	return true;
}

/* Waits while auto-converge still takes more from the guest, and the guest is not the worse off. */
static bool throttled(struct mp_pilot *p, const struct mp_policy_sample *s)
{
	struct own *o = p->own;

	if (!p->plan.auto_converge || o->same_throttle >= SAME_THROTTLE_PASSES)
		return false;
	o->long_stalls =
		s->throttle > 0 && s->stall_ms > p->conf.budget_ms ? o->long_stalls + 1 : 0;
	if (o->long_stalls >= LONG_STALLS)
		return false;
	p->state = THROTTLE;
	return true;
}

static bool disrupt(struct mp_pilot *p, const struct mp_policy_sample *s, bool asked,
		    struct mp_decision *d)
{
	struct own *o = p->own;
	double pause = o->link > 0 ? (double)d->why.remaining / o->link * 1000 : 0;

	if (pause <= 0 || o->disrupt_tries >= DISRUPT_TRIES ||
	    (!asked && (!p->conf.may_disrupt ||
			pause + (double)p->ground.handover_ms > (double)p->conf.disrupt_max_ms)))
		return false;
	o->disrupt_tries++;
	if (set_limit(p, s, DISRUPT, limit_for(pause * MARGIN, o->link, o->rate),
		      "a longer pause than the budget is permitted", d))
		return true;
	return s->limit_ms >= limit_for(pause, o->link, o->rate); /* it is in force: wait */
}

/* No pause within the budget will do. */
static void act(struct mp_pilot *p, const struct mp_policy_sample *s, const char *because,
		struct mp_decision *d)
{
	p->state = STALL;
	if (raise_cap(p, s, d) || switch_over(p, s, false, d) || throttled(p, s) ||
	    disrupt(p, s, false, d))
		return;
	give_up(p, s, because, d);
}

/*
 * Whether the ladder has to wait for more passes without a new low: where it is near, or where the
 * forecast still sees an end, since a copy hardly faster than its guest gains little each time.
 */
static bool hopeful(const struct mp_pilot *p, const struct mp_policy_sample *s, double pause_ms,
		    double forecast_ms)
{
	const struct own *o = p->own;

	if (pause_ms <= NEARLY * transfer_max(p))
		return o->low_passes < NO_NEWS_NEAR || s->elapsed_ms - o->low_ms < NO_NEWS_MS;
	return o->low_passes < (forecast_ms > 0 ? NO_NEWS_FAR : 1);
}

/* The limit under which what is left now is sent at once, and somewhat more than the last one. */
static long long accepted(const struct mp_pilot *p, const struct mp_policy_sample *s,
			  double pause_ms)
{
	const struct own *o = p->own;
	double ms = pause_ms * MARGIN > MIN_TRANSFER_MS ? pause_ms * MARGIN : MIN_TRANSFER_MS;
	double last = (double)s->limit_ms * o->rate / o->link * STEP * MARGIN;

	ms = ms > last ? ms : last;
	return limit_for(ms < transfer_max(p) ? ms : transfer_max(p), o->link, o->rate);
}

/* A pass has begun: the one moment when what is left means something. */
static void judge(struct mp_pilot *p, const struct mp_policy_sample *s, struct mp_decision *d)
{
	struct own *o = p->own;
	struct mp_forecast_in in = from_here(p, s);
	double pause = (double)s->remaining_start / o->link * 1000, ms;
	struct mp_forecast now = look_ahead(&in, in.limit_ms), f;
	bool trusted;

	ms = smallest(p, &in, s->elapsed_ms, &f);
	/* A forecast that promised more than the passes bring is not believed. */
	trusted = ms > 0 && soon_enough(p, &now, &f, s->elapsed_ms) && o->stalled < STALLED_PASSES;
	d->why.pause_ms = (long long)(pause + in.handover_ms);
	d->why.link_bps = (long long)o->link;
	if (trusted) {
		p->state = SHRINK;
	} else if (o->stalled > 0 && pause * MARGIN <= transfer_max(p)) {
		set_limit(p, s, ACCEPT, accepted(p, s, pause), "this fits the budget", d);
	} else if (ms > 0 && set_limit(p, s, SHRINK, limit_for(ms, o->link, o->rate),
				       "the smallest that is forecast to do", d)) {
		o->low_passes = 0;
	} else if (o->stalled > 0 && pause <= NEARLY * transfer_max(p) &&
		   set_limit(p, s, ACCEPT, limit_for(transfer_max(p), o->link, o->rate),
			     "the whole budget", d)) {
		o->low_passes = 0;
	} else {
		p->state = o->stalled > 0 ? STALL : SHRINK;
		if (o->stalled >= STALLED_PASSES && !hopeful(p, s, pause, ms))
			act(p, s, "no more progress", d);
	}
}

/* Between passes: what cannot wait for the next. */
static void between(struct mp_pilot *p, const struct mp_policy_sample *s, struct mp_decision *d)
{
	struct own *o = p->own;
	bool refused_switch = o->postcopy_tries > 0 && o->postcopy_tries < POSTCOPY_TRIES &&
			      s->elapsed_ms - o->postcopy_ms >= POSTCOPY_RETRY_MS;

	if (p->state == RAISE && !o->raised)
		raise_cap(p, s, d);
	else if (refused_switch)
		switch_over(p, s, true, d);
}

/* What the move comes to from here, under the limit that is in force after this decision. */
static void foretell(const struct mp_pilot *p, const struct mp_policy_sample *s,
		     struct mp_decision *d)
{
	struct mp_forecast_in in = from_here(p, s);
	struct mp_forecast f;

	if (d->act == MP_ACT_SET_DOWNTIME)
		in.limit_ms = (double)d->value;
	/* It lands at once, whatever the forecast of more passes says. */
	if ((double)s->remaining_start < in.rate_bps * in.limit_ms / 1000) {
		d->why.forecast_ms = d->why.forecast_pause_ms = d->why.pause_ms;
		return;
	}
	f = look_ahead(&in, in.limit_ms);
	if (f.finishes) {
		d->why.forecast_ms = f.total_ms;
		d->why.forecast_pause_ms = f.pause_ms;
	}
}

static void step(struct mp_pilot *p, const struct mp_policy_sample *s, struct mp_decision *d)
{
	struct own *o = p->own;

	if (s->boundary)
		learn(p, s);
	if (o->link > 0) {
		d->why.link_bps = (long long)o->link;
		d->why.pause_ms = (long long)((double)d->why.remaining / o->link * 1000) +
				  p->ground.handover_ms;
	}
	/* Before a rate is known nothing can be done; then it is tried at the next look. */
	if (p->force && (switch_over(p, s, true, d) || disrupt(p, s, true, d))) {
		p->force = false;
		o->forced = d->act != MP_ACT_START_POSTCOPY;
	} else if (o->forced && s->boundary && disrupt(p, s, true, d)) {
		/* What is left has grown over the limit once more. */
	} else if (mp_pilot_overdue(p, s)) {
		if (!switch_over(p, s, false, d) && !disrupt(p, s, false, d))
			give_up(p, s, "the time for the move is over", d);
	} else if (!s->boundary) {
		between(p, s, d);
	} else if (s->iteration >= 2 && o->link > 0 && o->rate > 0) {
		judge(p, s, d);
		foretell(p, s, d);
	} else {
		p->state = BULK;
	}
}

const struct mp_policy mp_policy_adaptive = {
	.name = "adaptive",
	.summary = "measures, forecasts, and takes the smallest pause that will do",
	.source = "QEMU, migration/migration.c, migration_update_counters and "
		  "migration_iteration_run",
	.states = states,
	.acts = 1 << MP_ACT_NONE | 1 << MP_ACT_SET_DOWNTIME | 1 << MP_ACT_SET_SPEED |
		1 << MP_ACT_START_POSTCOPY | 1 << MP_ACT_RECOVER | 1 << MP_ACT_ABORT |
		1 << MP_ACT_FINISH_WAIT,
	.watches_progress = true,
	.size = sizeof(struct own),
	.init = init,
	.step = step,
};
