/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy_sim: every policy steers a simulated QEMU (policy-sim.c) through good and bad days. Each
 * row says how it ends; together the rows reach every state and every action of every policy, and
 * no policy does what it does not declare. Then the policies race over a grid of guests.
 */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "policy-sim.h"

#define M SIM_MIB
#define G SIM_GIB
#define GBIT 117e6 /* what 1 Gbit/s carries */

enum { POSTCOPY = 1, CONVERGE = 2, DISRUPT = 4, SOFT = 8, FORCE = 16, LATE = 32, VPMEM = 64 };

struct day {
	const char *policy, *what;
	unsigned may;
	struct sim_conf sim;
	enum sim_end end;
	const char *states; /* that must be seen, between spaces */
	unsigned acts;      /* that must be taken */
	long release;
	long long max_ms;
	const char *schedule;
};

#define ACT(name) (1u << MP_ACT_##name)
#define IDLE .total = 1 * G, .link = GBIT, .measured = true
#define FITS .total = 1 * G, .link = GBIT, .hot = { { 40 * M, 400e6 } }
#define NEVER .total = 1 * G, .link = GBIT, .hot = { { 600 * M, 400e6 } }
#define CAPPED .total = 1 * G, .link = 10 * GBIT, .cap = 50 * M, .hot = { { 900 * M, 400e6 } }
#define PC .postcopy_works = true

static const struct day days[] = {
	/* static */
	{ "static", "idle", 0, { IDLE }, SIM_DONE, " watching ", .acts = 0 },
	{ "static",
	  "time is over",
	  0,
	  { NEVER },
	  SIM_ABORTED,
	  " aborting ",
	  .acts = ACT(ABORT),
	  .max_ms = 60000 },
	{ "static",
	  "time is over, pause",
	  DISRUPT,
	  { NEVER },
	  SIM_DONE,
	  " paused ",
	  .acts = ACT(PAUSE),
	  .max_ms = 60000 },
	{ "static",
	  "time is over, post-copy",
	  POSTCOPY,
	  { NEVER, PC },
	  SIM_DONE,
	  " post-copy ",
	  .acts = ACT(START_POSTCOPY) | ACT(FINISH_WAIT),
	  .max_ms = 60000 },
	{ "static",
	  "the operator stops it",
	  0,
	  { NEVER, .events = { { 5000, MP_EVENT_ASK_ABORT } } },
	  SIM_ABORTED,
	  " aborting ",
	  .acts = ACT(ABORT) },
	{ "static",
	  "the operator forces it",
	  0,
	  { NEVER, .events = { { 15000, MP_EVENT_ASK_FORCE } } },
	  SIM_DONE,
	  " paused ",
	  .acts = ACT(PAUSE) },
	{ "static",
	  "link gone for ever",
	  0,
	  { NEVER, .link_down_ms = 3000, .link_up_ms = 9000000 },
	  SIM_ABORTED,
	  " aborting ",
	  .acts = ACT(ABORT) },
	{ "static",
	  "link gone for 10 s",
	  0,
	  { IDLE, .link_down_ms = 3000, .link_up_ms = 13000 },
	  SIM_DONE,
	  " watching ",
	  .acts = 0 },
	{ "static",
	  "post-copy breaks, comes back",
	  POSTCOPY,
	  { NEVER, PC, .link_down_ms = 61000, .link_up_ms = 72000 },
	  SIM_DONE,
	  " broken ",
	  .acts = ACT(RECOVER),
	  .max_ms = 60000 },
	{ "static",
	  "post-copy breaks for ever",
	  POSTCOPY,
	  { NEVER, PC, .link_down_ms = 61000, .link_up_ms = 9000000 },
	  SIM_UNRECOVERED,
	  " lost ",
	  .acts = ACT(RECOVER),
	  .max_ms = 60000 },
	{ "static",
	  "paused, and the link goes for ever",
	  DISRUPT,
	  { NEVER, .link_down_ms = 60700, .link_up_ms = 9000000 },
	  SIM_ABORTED,
	  " paused ",
	  .acts = ACT(PAUSE) | ACT(ABORT),
	  .max_ms = 60000 },
	{ "static",
	  "libvirt refuses the first aborts",
	  0,
	  { NEVER, .refuse = { [MP_ACT_ABORT] = 3 } },
	  SIM_ABORTED,
	  " aborting ",
	  .acts = ACT(ABORT),
	  .max_ms = 60000 },
	{ "static",
	  "libvirt refuses a pause",
	  DISRUPT,
	  { NEVER, .refuse = { [MP_ACT_PAUSE] = 2 } },
	  SIM_DONE,
	  " paused ",
	  .acts = ACT(PAUSE),
	  .max_ms = 60000 },
	/* schedule */
	{ "schedule", "fits", 0, { FITS }, SIM_DONE, " waiting ", .acts = ACT(SET_DOWNTIME) },
	{ "schedule", "all steps", 0, { NEVER }, SIM_ABORTED, " aborting ", .acts = ACT(ABORT) },
	{ "schedule",
	  "post-copy is a step",
	  POSTCOPY,
	  { NEVER, PC },
	  SIM_DONE,
	  " post-copy ",
	  .acts = ACT(START_POSTCOPY) | ACT(FINISH_WAIT),
	  .schedule = "init setDowntime 50; 1 postcopy" },
	{ "schedule",
	  "post-copy is not permitted",
	  0,
	  { NEVER },
	  SIM_ABORTED,
	  " aborting ",
	  .acts = ACT(ABORT),
	  .schedule = "1 postcopy; 2 abort" },
	{ "schedule",
	  "post-copy is refused",
	  POSTCOPY,
	  { NEVER, PC, .refuse = { [MP_ACT_START_POSTCOPY] = 1 } },
	  SIM_ABORTED,
	  " aborting ",
	  .acts = ACT(START_POSTCOPY) | ACT(ABORT),
	  .schedule = "1 postcopy; 2 abort" },
	{ "schedule",
	  "no step is left",
	  0,
	  { NEVER, .give_up_ms = 100000 },
	  SIM_ENDLESS,
	  " exhausted ",
	  .acts = ACT(SET_DOWNTIME),
	  .schedule = "1 setDowntime 100" },
	{ "schedule",
	  "time is over",
	  0,
	  { NEVER },
	  SIM_ABORTED,
	  " aborting ",
	  .acts = ACT(ABORT),
	  .max_ms = 60000,
	  .schedule = "1 setDowntime 100" },
	{ "schedule",
	  "the operator forces it",
	  0,
	  { NEVER, .events = { { 13000, MP_EVENT_ASK_FORCE } } },
	  SIM_DONE,
	  " paused ",
	  .acts = ACT(PAUSE),
	  .schedule = "1 setDowntime 100" },
	{ "schedule",
	  "post-copy breaks",
	  POSTCOPY,
	  { NEVER, PC, .link_down_ms = 15000, .link_up_ms = 30000 },
	  SIM_DONE,
	  " broken ",
	  .acts = ACT(RECOVER),
	  .schedule = "1 postcopy" },
	/* nova */
	{ "nova",
	  "idle",
	  0,
	  { IDLE },
	  SIM_DONE,
	  " before-first-rung  ladder ",
	  .acts = ACT(SET_DOWNTIME) },
	{ "nova", "never: abort", 0, { NEVER }, SIM_ABORTED, " top-rung ", .acts = ACT(ABORT) },
	{ "nova",
	  "never: force-complete pauses",
	  FORCE,
	  { NEVER },
	  SIM_DONE,
	  " overdue  paused ",
	  .acts = ACT(PAUSE) },
	{ "nova",
	  "never: force-complete post-copies",
	  FORCE | POSTCOPY,
	  { NEVER, PC },
	  SIM_DONE,
	  " overdue  post-copy ",
	  .acts = ACT(START_POSTCOPY) | ACT(FINISH_WAIT) },
	{ "nova",
	  "force-complete with vpmem pauses",
	  FORCE | POSTCOPY | VPMEM,
	  { NEVER, PC },
	  SIM_DONE,
	  " paused ",
	  .acts = ACT(PAUSE) },
	{ "nova",
	  "post-copy refused, and again",
	  FORCE | POSTCOPY,
	  { NEVER, PC, .refuse = { [MP_ACT_START_POSTCOPY] = 3 } },
	  SIM_DONE,
	  " overdue ",
	  .acts = ACT(START_POSTCOPY) },
	{ "nova",
	  "auto-converge",
	  CONVERGE,
	  { NEVER },
	  SIM_DONE,
	  " ladder ",
	  .acts = ACT(SET_DOWNTIME) },
	{ "nova",
	  "Newton switches by itself",
	  POSTCOPY,
	  { NEVER, PC },
	  SIM_DONE,
	  " post-copy ",
	  .acts = ACT(START_POSTCOPY),
	  .release = 14 },
	{ "nova",
	  "Mitaka sees no progress",
	  0,
	  { NEVER },
	  SIM_ABORTED,
	  " aborting ",
	  .acts = ACT(ABORT),
	  .release = 13 },
	{ "nova",
	  "Kilo has no ladder",
	  0,
	  { NEVER, .give_up_ms = 2000000 },
	  SIM_ENDLESS,
	  " before-first-rung ",
	  .acts = 0,
	  .release = 11 },
	{ "nova",
	  "the operator forces it",
	  0,
	  { NEVER, .events = { { 20000, MP_EVENT_ASK_FORCE } } },
	  SIM_DONE,
	  " paused ",
	  .acts = ACT(PAUSE) },
	{ "nova",
	  "post-copy breaks",
	  FORCE | POSTCOPY,
	  { NEVER, PC, .link_down_ms = 1602000, .link_up_ms = 1615000 },
	  SIM_DONE,
	  " broken ",
	  .acts = ACT(RECOVER) },
	/* adaptive */
	{ "adaptive", "idle", 0, { IDLE }, SIM_DONE, " bulk ", .acts = 0 },
	{ "adaptive",
	  "fits the budget",
	  0,
	  { FITS },
	  SIM_DONE,
	  " bulk  shrink ",
	  .acts = ACT(SET_DOWNTIME) },
	{ "adaptive",
	  "fits, and stalls under the forecast",
	  0,
	  { FITS, .measured = true },
	  SIM_DONE,
	  " accept ",
	  .acts = ACT(SET_DOWNTIME) },
	{ "adaptive",
	  "never, and nothing is known",
	  0,
	  { NEVER },
	  SIM_ABORTED,
	  " aborting ",
	  .acts = ACT(ABORT) },
	{ "adaptive",
	  "never, and that is known",
	  0,
	  { NEVER, .measured = true },
	  SIM_NOT_STARTED,
	  "",
	  .acts = 0 },
	{ "adaptive",
	  "never: post-copy",
	  POSTCOPY,
	  { NEVER, PC, .measured = true },
	  SIM_DONE,
	  " post-copy ",
	  .acts = ACT(START_POSTCOPY) | ACT(FINISH_WAIT) },
	{ "adaptive",
	  "never: post-copy, refused at first",
	  POSTCOPY,
	  { NEVER, PC, .refuse = { [MP_ACT_START_POSTCOPY] = 2 } },
	  SIM_DONE,
	  " post-copy ",
	  .acts = ACT(START_POSTCOPY) },
	{ "adaptive",
	  "never: post-copy, refused for good",
	  POSTCOPY,
	  { NEVER, PC, .refuse = { [MP_ACT_START_POSTCOPY] = 99 } },
	  SIM_ABORTED,
	  " aborting ",
	  .acts = ACT(START_POSTCOPY) | ACT(ABORT) },
	{ "adaptive",
	  "never: slowed down",
	  CONVERGE,
	  { NEVER, .measured = true },
	  SIM_DONE,
	  "",
	  .acts = 0 },
	{ "adaptive",
	  "never: slowed down, unmeasured",
	  CONVERGE,
	  { NEVER },
	  SIM_DONE,
	  " throttle ",
	  .acts = 0 },
	{ "adaptive",
	  "never: longer pause",
	  DISRUPT,
	  { NEVER },
	  SIM_DONE,
	  " disrupt ",
	  .acts = ACT(SET_DOWNTIME) },
	{ "adaptive",
	  "a soft bandwidth limit is raised",
	  SOFT,
	  { CAPPED, .measured = true },
	  SIM_DONE,
	  " raise ",
	  .acts = ACT(SET_SPEED) },
	{ "adaptive",
	  "a hard one is not",
	  0,
	  { CAPPED, .measured = true },
	  SIM_NOT_STARTED,
	  "",
	  .acts = 0 },
	{ "adaptive",
	  "the guest gets busy on the way",
	  0,
	  { .total = 1 * G,
	    .link = GBIT,
	    .hot = { { 300 * M, 40e6 } },
	    .measured = true,
	    .change_ms = 8000,
	    .change_factor = 10 },
	  SIM_ABORTED,
	  " stall  aborting ",
	  .acts = ACT(ABORT) },
	{ "adaptive",
	  "time is over: post-copy",
	  POSTCOPY,
	  { NEVER, PC },
	  SIM_DONE,
	  " post-copy ",
	  .acts = ACT(START_POSTCOPY),
	  .max_ms = 5000 },
	{ "adaptive",
	  "time is over: abort",
	  0,
	  { NEVER },
	  SIM_ABORTED,
	  " aborting ",
	  .acts = ACT(ABORT),
	  .max_ms = 5000 },
	{ "adaptive",
	  "it is known to be late",
	  0,
	  { IDLE },
	  SIM_NOT_STARTED,
	  "",
	  .acts = 0,
	  .max_ms = 5000 },
	{ "adaptive",
	  "the operator forces it",
	  0,
	  { NEVER, .events = { { 12000, MP_EVENT_ASK_FORCE } } },
	  SIM_DONE,
	  " disrupt ",
	  .acts = ACT(SET_DOWNTIME) },
	{ "adaptive",
	  "the operator forces post-copy",
	  POSTCOPY,
	  { NEVER, PC, .events = { { 2000, MP_EVENT_ASK_FORCE } } },
	  SIM_DONE,
	  " post-copy ",
	  .acts = ACT(START_POSTCOPY) },
	{ "adaptive",
	  "post-copy breaks",
	  POSTCOPY,
	  { NEVER, PC, .link_down_ms = 22000, .link_up_ms = 35000 },
	  SIM_DONE,
	  " broken ",
	  .acts = ACT(RECOVER) },
	{ "adaptive",
	  "abort in post-copy is not asked for",
	  POSTCOPY,
	  { NEVER, PC, .events = { { 22000, MP_EVENT_ASK_ABORT } } },
	  SIM_DONE,
	  " post-copy ",
	  .acts = 0 },
};

static void conf_of(const struct day *day, struct mp_policy_conf *c)
{
	mp_policy_conf_init(c);
	c->may_postcopy = day->may & POSTCOPY;
	c->may_converge = day->may & CONVERGE;
	c->may_disrupt = day->may & DISRUPT;
	c->cap_is_soft = day->may & SOFT;
	c->nova.force_complete = day->may & FORCE;
	c->nova.vpmem = day->may & VPMEM;
	c->nova.memory_mib = (long)(day->sim.total / M);
	if (day->release)
		c->nova.release = day->release;
	c->max_ms = day->max_ms;
	c->schedule = day->schedule;
}

/* Limits that the rows share: one change of the downtime limit in a pass, budgets kept. */
static void sane(const struct day *day, const struct mp_policy_conf *c, const struct sim_result *r)
{
	bool adaptive = strcmp(day->policy, "adaptive") == 0;
	bool forced = day->sim.events[0].event == MP_EVENT_ASK_FORCE;

	if (adaptive && r->limit_changes_in_a_pass > 1 && !strstr(r->states, " raise "))
		fail_msg("%s, %s: %d limits in one pass", day->policy, day->what,
			 r->limit_changes_in_a_pass);
	if (adaptive && r->end == SIM_DONE && !(day->may & DISRUPT) && !forced &&
	    !day->sim.link_up_ms && r->pause_ms > (double)c->budget_ms + 1)
		fail_msg("%s, %s: a pause of %.0f ms", day->policy, day->what, r->pause_ms);
}

static void add_words(const char *words, struct mp_strv *set)
{
	mp_auto_strv struct mp_strv w = { 0 };

	mp_str_split(words, " ", &w);
	for (size_t i = 0; i < w.n; i++)
		if (!mp_strv_has(set, w.v[i]))
			mp_strv_add(set, w.v[i]);
}

/* One day; what was seen is added. */
static void live(const struct day *day, struct mp_strv *states, unsigned *acts)
{
	mp_auto_strv struct mp_strv seen = { 0 }, wanted = { 0 };
	struct mp_policy_conf c;
	struct sim_result r;

	conf_of(day, &c);
	sim_run(mp_policy_find(day->policy), &c, &day->sim, &r, NULL, NULL);
	if (r.end != day->end)
		fail_msg("%s, %s: it ended %s after %.1f s in%s, \"%s\", plan \"%s\"", day->policy,
			 day->what, sim_end_name(r.end), r.total_ms / 1000, r.states, r.last_text,
			 r.plan.text);
	add_words(r.states, &seen);
	add_words(day->states, &wanted);
	for (size_t i = 0; i < wanted.n; i++)
		if (!mp_strv_has(&seen, wanted.v[i]))
			fail_msg("%s, %s: %s was not reached, but%s(%s)", day->policy, day->what,
				 wanted.v[i], r.states, r.last_text);
	if ((r.acts & day->acts) != day->acts)
		fail_msg("%s, %s: actions %#x, not %#x", day->policy, day->what, r.acts, day->acts);
	if (r.end == SIM_NOT_STARTED)
		assert_true(r.plan.refuse && r.plan.text[0]);
	sane(day, &c, &r);
	add_words(r.states, states);
	*acts |= r.acts;
}

/* Every state and every action of every policy is reached, and no action that is not declared. */
static void every_day(void **state)
{
	mp_auto_strv struct mp_strv all = { 0 };

	(void)state;
	for (size_t k = 0; mp_policies[k]; k++) {
		const struct mp_policy *p = mp_policies[k];
		mp_auto_strv struct mp_strv seen = { 0 };
		unsigned acts = 0;

		for (size_t i = 0; i < MP_N_ELEMS(days); i++)
			if (strcmp(days[i].policy, p->name) == 0)
				live(&days[i], &seen, &acts);
		for (size_t i = 0; p->states[i]; i++)
			if (!mp_strv_has(&seen, p->states[i]))
				fail_msg("%s: state %s is never reached", p->name, p->states[i]);
		for (int a = 0; a < MP_N_ACTS; a++)
			if ((acts ^ p->acts) & 1u << a)
				fail_msg("%s: action %s is %s", p->name,
					 mp_act_name((enum mp_act)a),
					 acts & 1u << a ? "taken, and not declared"
							: "declared, and never taken");
		for (size_t i = 0; i < seen.n; i++)
			if (!mp_strv_has(&all, seen.v[i]))
				mp_strv_add(&all, seen.v[i]);
	}
	/* The first is told by the policy's own state. */
	for (size_t i = 1; mp_policy_phases[i]; i++)
		if (!mp_strv_has(&all, mp_policy_phases[i]))
			fail_msg("phase %s is never reached", mp_policy_phases[i]);
}

/* ---- the race ---- */

struct tally {
	int cells, both, slower, missed, five_times;
	double total_error[512], pause_error[512];
	size_t n;
};

static bool lands(const struct sim_result *r)
{
	return r->end == SIM_DONE && r->pause_ms <= 501;
}

static double off(long long forecast, double truth)
{
	double e = (double)forecast / truth - 1;

	return e < 0 ? -e : e;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void race(const struct sim_conf *c, bool converge, struct tally *t)
{
	struct mp_policy_conf conf;
	struct sim_result nova, fixed, ours;

	mp_policy_conf_init(&conf);
	conf.may_converge = converge;
	conf.nova.memory_mib = (long)(c->total / M);
	conf.static_ms = 475; /* the budget, without the 25 ms of handing over */
	sim_run(mp_policy_find("nova"), &conf, c, &nova, NULL, NULL);
	sim_run(mp_policy_find("static"), &conf, c, &fixed, NULL, NULL);
	sim_run(mp_policy_find("adaptive"), &conf, c, &ours, NULL, NULL);
	t->cells++;
	assert_true(ours.end != SIM_DONE || lands(&ours));
	if ((lands(&nova) || lands(&fixed)) && !lands(&ours)) {
		t->missed++;
		print_message("missed: %.0f MiB at %.0f MB/s, hot %.0f MiB at %.0f MB/s: %s\n",
			      c->total / M, c->link / 1e6, c->hot[0].size / M, c->hot[0].rate / 1e6,
			      ours.last_text);
	}
	if (lands(&nova) && lands(&ours)) {
		t->both++;
		t->slower += ours.total_ms > 1.05 * nova.total_ms;
		t->five_times += nova.total_ms > 5 * ours.total_ms;
	}
	if (lands(&ours) && ours.plan.forecast.finishes && t->n < MP_N_ELEMS(t->total_error)) {
		t->total_error[t->n] = off(ours.plan.forecast.total_ms, ours.total_ms);
		t->pause_error[t->n++] = off(ours.told_pause_ms, ours.pause_ms);
	}
}

/*
 * What the engine has to show (issue 3), here without a hypervisor: at most 5 percent slower than
 * nova where both end, ends wherever another does within the budget, five times faster where the
 * ladder is blind, forecasts within 20 percent (median). Guests so small that they land before
 * Nova's first look are left out: the limit of 300 ms that QEMU begins with is in force then.
 */
static void grid(void **state)
{
	static const double sizes[] = { 1, 2, 8 }, links[] = { GBIT, 10 * GBIT };
	static const double hot_s[] = { 0.1, 0.4, 2 }; /* of the link */
	static const double rates[] = { 0.25, 0.9, 1.5, 4 }, caps[] = { 0, 0.3 };
	static struct tally t[2];

	(void)state;
	for (size_t i = 0; i < 3 * 2 * 3 * 4 * 2; i++) {
		double link = links[i / 3 % 2];
		struct sim_conf c = {
			.total = sizes[i % 3] * G,
			.link = link,
			.cap = caps[i / 72] * link,
			.hot = { { hot_s[i / 6 % 3] * link, rates[i / 18 % 4] * link } },
			.sync_ms = 2,
			.measured = true,
		};

		if (c.hot[0].size > c.total)
			c.hot[0].size = c.total;
		race(&c, false, &t[0]);
		race(&c, true, &t[1]);
	}
	for (int k = 0; k < 2; k++) {
		qsort(t[k].total_error, t[k].n, sizeof(double), by_value);
		qsort(t[k].pause_error, t[k].n, sizeof(double), by_value);
		print_message(
			"%s: %d guests, nova and adaptive both end %d, slower %d, missed %d, "
			"five times faster %d; forecast off by %.1f %% (time), %.1f %% (pause)\n",
			k ? "with auto-converge" : "plain", t[k].cells, t[k].both, t[k].slower,
			t[k].missed, t[k].five_times, 100 * t[k].total_error[t[k].n / 2],
			100 * t[k].pause_error[t[k].n / 2]);
		assert_int_equal(t[k].missed, 0);
		assert_int_equal(t[k].slower, 0);
		assert_true(t[k].both > 40 && t[k].n > 40);
		assert_true(t[k].total_error[t[k].n / 2] < 0.2);
		assert_true(t[k].pause_error[t[k].n / 2] < 0.2);
	}
	assert_true(t[0].five_times >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_day),
		cmocka_unit_test(grid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
