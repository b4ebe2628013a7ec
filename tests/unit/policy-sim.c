/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy-sim: pre-copy in steps of 5 ms. As in QEMU 7.2 (facts/engine.md 5.1): a pass ends when
 * less than rate * limit is left; the dirty bitmap is read; if that is still less, the guest is
 * stopped and the rest is sent without a bandwidth limit. Pages that are left over and pages that
 * were dirtied overlap by chance within a working set. Auto-converge: at most once in a second, at
 * a reading of the bitmap; dirtied more than half of what was sent, twice.
 */
#include "config.h"
#include "policy-sim.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define TICK_MS 5
#define POLL_MS 500        /* as Nova; passes are told at once */
#define SETS 4             /* 0: the cold rest */
#define LOOK_MS 50         /* QEMU looks at what is left after so much sending (ram.c, MAX_WAIT), */
#define LOOK_CAPPED_MS 100 /* or when the window of the bandwidth limit ends (BUFFER_DELAY) */

struct sim {
	const struct sim_conf *c;
	const struct mp_policy_conf *conf;
	struct mp_pilot *pilot;
	struct sim_result *r;
	long long now, look_ms;
	double size[SETS], rate[SETS], left[SETS], walked[SETS];
	double cap, limit_ms, sent, pass_sent, pass_start;
	double ac_sent, ac_dirtied, syncing_ms;
	long long ac_ms;
	int ac_slow, iteration, throttle, limit_changes;
	int refused[MP_N_ACTS];
	bool paused, postcopy, broken, over;
	unsigned events;
	long long abort_ms;
	void (*cb)(const struct mp_policy_sample *s, const struct mp_decision *d, void *arg);
	void *arg;
};

const char *sim_end_name(enum sim_end end)
{
	static const char *const names[] = { "done", "aborted", "not-started", "unrecovered",
					     "endless" };

	return names[end];
}

static double sum(const double *v)
{
	return v[0] + v[1] + v[2] + v[3];
}

static bool link_up(const struct sim *m)
{
	return !(m->c->link_up_ms > 0 && m->now >= m->c->link_down_ms && m->now < m->c->link_up_ms);
}

static double rate_now(const struct sim *m)
{
	double b = m->cap > 0 && m->cap < m->c->link && !m->postcopy ? m->cap : m->c->link;

	return link_up(m) ? b : 0;
}

static void note(struct sim_result *r, const struct mp_decision *d)
{
	char word[40];

	r->acts |= 1u << d->act;
	snprintf(word, sizeof(word), " %s ", d->state);
	if (!strstr(r->states, word) && strlen(r->states) + strlen(word) < sizeof(r->states))
		strcat(r->states, word);
	if (d->act != MP_ACT_NONE && d->act != MP_ACT_FINISH_WAIT)
		snprintf(r->last_text, sizeof(r->last_text), "%s", d->text);
}

static void end(struct sim *m, enum sim_end how)
{
	m->over = true;
	m->r->end = how;
	m->r->total_ms = (double)m->now;
}

static void carry_out(struct sim *m, const struct mp_decision *d)
{
	if (m->refused[d->act] < m->c->refuse[d->act]) {
		m->refused[d->act]++;
		m->events |= MP_EVENT_REFUSED;
		return;
	}
	switch (d->act) {
	case MP_ACT_NONE:
	case MP_ACT_FINISH_WAIT:
		break;
	case MP_ACT_SET_DOWNTIME:
		assert_true(d->value > 0 && d->value <= 2000000);
		m->limit_ms = (double)d->value;
		m->limit_changes++;
		if (m->limit_changes > m->r->limit_changes_in_a_pass)
			m->r->limit_changes_in_a_pass = m->limit_changes;
		break;
	case MP_ACT_SET_SPEED:
		assert_true(d->value > 0);
		m->cap = (double)d->value;
		break;
	case MP_ACT_START_POSTCOPY:
		assert_false(m->postcopy);
		m->postcopy = m->r->postcopy = true;
		m->r->pause_ms += m->c->handover_ms;
		break;
	case MP_ACT_PAUSE:
		m->paused = true;
		break;
	case MP_ACT_RECOVER:
		assert_true(m->broken);
		m->broken = !link_up(m);
		break;
	case MP_ACT_ABORT:
		assert_false(m->postcopy);
		m->abort_ms = m->now + 200;
		break;
	}
}

static void step(struct sim *m, bool boundary)
{
	double p = m->throttle / 100.0;
	struct mp_policy_sample s = {
		.elapsed_ms = m->now,
		.iteration = m->iteration,
		.boundary = boundary,
		.remaining_start = (long long)m->pass_start,
		.remaining = (long long)sum(m->left),
		.total = (long long)m->c->total,
		.transferred = (long long)m->sent,
		.rate_bps = (long long)rate_now(m),
		.cap_bps = (long long)m->cap,
		.dirty_bps = -1,
		.limit_ms = (long long)m->limit_ms,
		.throttle = m->throttle,
		.postcopy = m->postcopy,
		.paused = m->paused,
		.stall_ms = p < 1 ? (long long)(p / (1 - p) * 10) : 990,
		.events = m->events | (m->broken ? MP_EVENT_BROKEN : 0),
	};
	struct mp_decision d;

	m->events = 0;
	mp_pilot_step(m->pilot, &s, &d);
	assert_true(d.act == MP_ACT_NONE || d.text[0]);
	note(m->r, &d);
	if (d.why.forecast_pause_ms >= 0)
		m->r->told_pause_ms = d.why.forecast_pause_ms;
	if (m->cb)
		m->cb(&s, &d, m->arg);
	if (strcmp(d.state, "lost") == 0) {
		end(m, SIM_UNRECOVERED);
		return;
	}
	carry_out(m, &d);
}

/* What the guest dirtied is joined with what was not sent. */
static void sync_bitmap(struct sim *m)
{
	double dirtied = 0;

	for (int i = 0; i < SETS; i++) {
		double u = m->walked[i] < m->size[i] ? m->walked[i] : m->size[i];

		if (m->size[i] > 0)
			m->left[i] += u - m->left[i] * u / m->size[i];
		dirtied += u;
		m->walked[i] = 0;
	}
	m->ac_dirtied += dirtied;
	if (mp_pilot_plan(m->pilot)->auto_converge && m->now - m->ac_ms >= 1000) {
		const struct mp_policy_plan *plan = mp_pilot_plan(m->pilot);

		m->ac_slow = m->ac_dirtied > 0.5 * m->ac_sent ? m->ac_slow + 1 : 0;
		if (m->ac_slow == 2) {
			m->ac_slow = 0;
			m->throttle += m->throttle == 0 ? plan->throttle_initial ?: 20 :
							  plan->throttle_increment ?: 10;
			m->throttle = m->throttle > 99 ? 99 : m->throttle;
		}
		m->ac_ms = m->now;
		m->ac_dirtied = m->ac_sent = 0;
	}
}

static void land(struct sim *m)
{
	double pause = sum(m->left) / m->c->link * 1000 + m->c->handover_ms;

	m->r->pause_ms += pause;
	m->now += (long long)pause;
	m->r->passes = m->iteration;
	end(m, SIM_DONE);
}

static void pass_over(struct sim *m)
{
	m->now += (long long)m->c->sync_ms;
	for (int i = 0; i < SETS; i++)
		m->walked[i] += m->paused ? 0 : m->rate[i] * m->c->sync_ms / 1000;
	sync_bitmap(m);
	if (sum(m->left) < rate_now(m) * m->limit_ms / 1000) {
		land(m);
		return;
	}
	m->iteration++;
	m->limit_changes = 0;
	m->pass_start = sum(m->left);
	if (!m->c->silent_boundaries)
		step(m, true);
}

static void tick_postcopy(struct sim *m)
{
	double b = m->broken ? 0 : rate_now(m) * TICK_MS / 1000, l = sum(m->left);

	if (!link_up(m))
		m->broken = true;
	if (m->broken)
		m->r->pause_ms += TICK_MS;
	for (int i = 0; i < SETS && l > 0; i++)
		m->left[i] -= m->left[i] * (b < l ? b / l : 1);
	m->sent += b;
	if (sum(m->left) < 1)
		end(m, SIM_DONE);
}

static void tick(struct sim *m)
{
	double b = rate_now(m) * TICK_MS / 1000, l = sum(m->left);
	double run = m->paused ? 0 : TICK_MS / 1000.0 * (1 - m->throttle / 100.0);

	m->r->throttled_ms += TICK_MS * m->throttle / 100.0;
	if (m->paused)
		m->r->pause_ms += TICK_MS;
	b = b < l ? b : l;
	for (int i = 0; i < SETS; i++) {
		double f = m->c->change_ms > 0 && (double)m->now >= m->c->change_ms
				   ? m->c->change_factor
				   : 1;

		m->walked[i] += m->rate[i] * f * run;
		if (l > 0)
			m->left[i] -= m->left[i] * b / l;
	}
	m->sent += b;
	m->ac_sent += b;
	if (m->now < m->look_ms)
		return;
	m->look_ms = m->now + (m->cap > 0 ? LOOK_CAPPED_MS : LOOK_MS);
	if (sum(m->left) < rate_now(m) * m->limit_ms / 1000)
		pass_over(m);
}

static void ground_of(const struct sim_conf *c, struct mp_policy_ground *g)
{
	*g = (struct mp_policy_ground){ .total = (long long)c->total,
					.cap_bps = (long long)c->cap,
					.handover_ms = (long long)c->handover_ms,
					.postcopy_works = c->postcopy_works,
					.paused = c->paused };
	if (!c->measured)
		return;
	g->link_bps = (long long)c->link;
	for (int t = 1; t <= 16; t *= 4) {
		double u = 0;

		for (size_t i = 0; i < MP_N_ELEMS(c->hot); i++)
			u += fmin(c->hot[i].size, c->hot[i].rate * t);
		mp_curve_add(&g->curve, t, u);
	}
}

static void begin(struct sim *m)
{
	m->left[0] = m->size[0] = m->c->total;
	for (size_t i = 0; i < MP_N_ELEMS(m->c->hot); i++) {
		m->size[i + 1] = m->left[i + 1] = m->c->hot[i].size;
		m->rate[i + 1] = m->c->hot[i].rate;
		m->size[0] -= m->c->hot[i].size;
		m->left[0] = m->size[0];
	}
	m->pass_start = m->c->total;
	m->iteration = 1;
	m->cap = m->c->cap;
	m->limit_ms = m->r->plan.limit_ms > 0 ? (double)m->r->plan.limit_ms : 300;
	if (!m->c->silent_boundaries)
		step(m, true);
}

static void run(struct sim *m)
{
	long long give_up = m->c->give_up_ms ? m->c->give_up_ms : 10000000, poll = 0;

	while (!m->over) {
		m->now += TICK_MS;
		if (m->abort_ms > 0 && m->now >= m->abort_ms) {
			end(m, SIM_ABORTED);
		} else if (m->now >= give_up) {
			end(m, SIM_ENDLESS);
		} else if (m->postcopy) {
			tick_postcopy(m);
		} else {
			tick(m);
		}
		for (size_t i = 0; i < SIM_EVENTS; i++)
			if (m->c->events[i].event && m->now >= m->c->events[i].at_ms &&
			    m->now < m->c->events[i].at_ms + TICK_MS)
				m->events |= m->c->events[i].event;
		if (!m->over && m->now >= poll) {
			poll = m->now + POLL_MS;
			step(m, false);
		}
	}
}

void sim_run(const struct mp_policy *policy, const struct mp_policy_conf *conf,
	     const struct sim_conf *sim, struct sim_result *ret,
	     void (*cb)(const struct mp_policy_sample *s, const struct mp_decision *d, void *arg),
	     void *arg)
{
	struct sim_conf c = *sim;
	struct sim m = { .c = &c, .conf = conf, .r = ret, .cb = cb, .arg = arg };
	struct mp_policy_ground ground;
	struct mp_err err = { 0 };

	c.handover_ms = c.handover_ms > 0 ? c.handover_ms : 25;
	*ret = (struct sim_result){ 0 };
	ground_of(&c, &ground);
	if (mp_pilot_new(policy, conf, &ground, &m.pilot, &err) < 0)
		fail_msg("%s: %s", policy->name, err.text);
	ret->plan = *mp_pilot_plan(m.pilot);
	ret->told_pause_ms = ret->plan.forecast.pause_ms;
	if (ret->plan.refuse) {
		ret->end = SIM_NOT_STARTED;
	} else {
		begin(&m);
		run(&m);
		ret->passes = m.iteration;
		ret->throttle = m.throttle;
	}
	mp_pilot_free(m.pilot);
}
