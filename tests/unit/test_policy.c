/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy: Nova's numbers against the vectors that Nova's own source and documents give, the
 * forecast against sums done by hand and a real guest, and every configuration that is refused.
 * What policies do: test_policy_moves.c (stories) and test_policy_sim.c (a simulated QEMU).
 */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "migrate/policy.h"
#include "migrate/policy-adaptive.h"
#include "migrate/policy-nova.h"

#define MIB 1048576LL
#define GIB 1073741824LL

/* ---- Nova's ladder ---- */

struct vector {
	const char *what;
	struct mp_policy_nova c;
	long long every_s; /* between two rungs */
	long long ms[12];
};

/* The third is in Nova's own source (migration.py, downtime_steps); Python gave the others. */
static const struct vector vectors[] = {
	{ "defaults, 2 GiB",
	  { .release = 29,
	    .downtime_ms = 500,
	    .downtime_steps = 10,
	    .downtime_delay_s = 75,
	    .memory_mib = 2048 },
	  150,
	  { 50, 95, 140, 185, 230, 275, 320, 365, 410, 455, 500 } },
	{ "defaults, 8 GiB",
	  { .release = 15,
	    .downtime_ms = 500,
	    .downtime_steps = 10,
	    .downtime_delay_s = 75,
	    .memory_mib = 8192 },
	  600,
	  { 50, 95, 140, 185, 230, 275, 320, 365, 410, 455, 500 } },
	{ "400 ms, 30 s, 3 GiB",
	  { .release = 29,
	    .downtime_ms = 400,
	    .downtime_steps = 10,
	    .downtime_delay_s = 30,
	    .memory_mib = 3072 },
	  90,
	  { 40, 76, 112, 148, 184, 220, 256, 292, 328, 364, 400 } },
	{ "vGPU, 8 GiB",
	  { .release = 31,
	    .downtime_ms = 500000,
	    .downtime_steps = 3,
	    .downtime_delay_s = 3,
	    .memory_mib = 8192 },
	  24,
	  { 166666, 277777, 388888, 500000 } },
	{ "Newton, 2 GiB",
	  { .release = 14,
	    .downtime_ms = 500,
	    .downtime_steps = 10,
	    .downtime_delay_s = 75,
	    .memory_mib = 2048 },
	  150,
	  { 46, 47, 48, 51, 57, 66, 84, 117, 179, 291, 500 } },
	{ "a small flavor counts as 2 GiB",
	  { .release = 29,
	    .downtime_ms = 500,
	    .downtime_steps = 10,
	    .downtime_delay_s = 75,
	    .memory_mib = 64 },
	  150,
	  { 50, 95, 140, 185, 230, 275, 320, 365, 410, 455, 500 } },
};

static void nova_ladder(void **state)
{
	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(vectors); i++) {
		const struct vector *v = &vectors[i];

		for (long k = 0; k <= v->c.downtime_steps; k++) {
			struct mp_nova_rung r = mp_nova_rung(&v->c, k);

			if (r.downtime_ms != v->ms[k] || r.after_s != v->every_s * k)
				fail_msg("%s, rung %ld: (%lld, %lld), not (%lld, %lld)", v->what, k,
					 r.after_s, r.downtime_ms, v->every_s * k, v->ms[k]);
		}
	}
}

static void nova_data(void **state)
{
	static const long long disks[] = { 10 * GIB, 100 * MIB, 5 * GIB / 2 };
	struct mp_policy_nova c = { .release = 29,
				    .completion_timeout_s = 800,
				    .memory_mib = 512,
				    .disk_bytes = disks,
				    .n_disks = 3 };

	(void)state;
	assert_true(mp_nova_data_gib(&c) == 2 + 10 + 2 + 2.5);
	assert_int_equal(mp_nova_timeout_s(&c), 13200);
	c.n_disks = 0;
	assert_int_equal(mp_nova_timeout_s(&c), 1600);
	c.memory_mib = 8192;
	assert_int_equal(mp_nova_timeout_s(&c), 6400);
	c.completion_timeout_s = 0;
	assert_int_equal(mp_nova_timeout_s(&c), 0);
	c.completion_timeout_s = 800;
	c.release = 11; /* Kilo had none */
	assert_int_equal(mp_nova_timeout_s(&c), 0);
}

/* ---- the forecast ---- */

static void curve(void **state)
{
	struct mp_curve c = { 0 };

	(void)state;
	assert_true(mp_curve_at(&c, 1) == 0 && mp_curve_set(&c) == 0);
	mp_curve_add(&c, 2, 150);
	mp_curve_add(&c, 1, 100);
	assert_true(mp_curve_at(&c, 0.5) == 50);
	assert_true(mp_curve_at(&c, 1.5) == 125);
	assert_true(mp_curve_at(&c, 4) == 250); /* as steep as at the end */
	assert_true(mp_curve_at(&c, 0) == 0 && mp_curve_at(&c, -1) == 0);
	mp_curve_add(&c, 1.5, 200); /* the later point cannot have less than the newer one */
	assert_int_equal(c.n, 3);
	assert_true(mp_curve_at(&c, 2) == 200 && mp_curve_at(&c, 9) == 200);
	mp_curve_add(&c, 1.8, 90); /* nor an earlier one more */
	assert_int_equal(c.n, 2);
	assert_true(mp_curve_at(&c, 1.8) == 90 && mp_curve_set(&c) == 200);
	mp_curve_add(&c, 1.81, 95); /* nearly the same time: it replaces */
	assert_int_equal(c.n, 2);
	mp_curve_add(&c, 0, 5);
	mp_curve_add(&c, 1, -1);
	mp_curve_add(&c, 0.0 / 0.0, 1);
	mp_curve_add(&c, 1, 1.0 / 0.0);
	assert_int_equal(c.n, 2);
	for (int i = 1; i < 100; i++)
		mp_curve_add(&c, i * 10, i * 1000);
	assert_int_equal(c.n, MP_CURVE_POINTS);
	assert_true(mp_curve_set(&c) == 99000);
}

static void forecast(void **state)
{
	struct mp_curve c = { 0 };
	struct mp_forecast_in in = { .curve = &c,
				     .total = 1000e6,
				     .remaining = 1000e6,
				     .rate_bps = 100e6,
				     .link_bps = 100e6,
				     .limit_ms = 225,
				     .handover_ms = 25 };
	struct mp_forecast f;

	(void)state;
	mp_forecast(&in, &f); /* nothing is known of the guest */
	assert_false(f.known || f.finishes);
	/*
	 * By hand, a guest that dirties nothing: the pass stops with 0.2 s of sending left (225 ms
	 * less half of the 50 ms between two looks), after 9.8 s; then 0.2 s and 25 ms of pause.
	 */
	mp_curve_add(&c, 1, 0);
	mp_forecast(&in, &f);
	assert_true(f.known && f.finishes);
	assert_int_equal(f.passes, 2);
	assert_in_range(f.total_ms, 10024, 10026);
	assert_in_range(f.pause_ms, 224, 226);
	/*
	 * 80 MB hot, dirtied within a second: pass 1 leaves 20 MB of 1000 + 80 MB dirtied - 1.6 MB
	 * of overlap = 98.4 MB.
	 */
	c = (struct mp_curve){ 0 };
	mp_curve_add(&c, 1, 80e6);
	mp_curve_add(&c, 4, 80e6);
	assert_true(mp_forecast_pass(&in, 1000e6) > 98.3e6 &&
		    mp_forecast_pass(&in, 1000e6) < 98.5e6);
	/* Twice as fast as the link, without bound: never, and what is left is all memory. */
	c = (struct mp_curve){ 0 };
	mp_curve_add(&c, 1, 200e6);
	mp_forecast(&in, &f);
	assert_true(f.known && !f.finishes);
	assert_int_equal(f.floor_bytes, 1000000000);
	/* Slowed down by 60 percent it is below the link. */
	in.throttle = 0.6;
	mp_forecast(&in, &f);
	assert_true(f.finishes);
	in.throttle = 0;
	assert_in_range(mp_adaptive_throttle(&in, 225), 50, 60);
	in.rate_bps = 0;
	mp_forecast(&in, &f);
	assert_false(f.known);
}

/*
 * A real QEMU 7.2 (facts/engine.md, finding 2): 64 MiB walked through at 100 MB/s, copied at
 * 50 MiB/s: with a limit of 300 or 500 ms it never ended, with 1100 and 1400 ms it did.
 */
static void forecast_of_a_real_guest(void **state)
{
	static const struct {
		double limit_ms;
		bool finishes;
	} seen[] = { { 300, false }, { 500, false }, { 1100, true }, { 1400, true } };
	struct mp_curve c = { 0 };

	(void)state;
	mp_curve_add(&c, 0.5, 50e6);
	mp_curve_add(&c, 0.67, 64.0 * MIB);
	mp_curve_add(&c, 4, 64.0 * MIB);
	for (size_t i = 0; i < MP_N_ELEMS(seen); i++) {
		struct mp_forecast_in in = { .curve = &c,
					     .total = 96.0 * MIB,
					     .remaining = 96.0 * MIB,
					     .rate_bps = 50.0 * MIB,
					     .link_bps = 1000.0 * MIB,
					     .limit_ms = seen[i].limit_ms,
					     .handover_ms = 25 };
		struct mp_forecast f;

		mp_forecast(&in, &f);
		if (f.finishes != seen[i].finishes)
			fail_msg("limit %.0f ms: finishes is %d", seen[i].limit_ms, f.finishes);
		if (f.finishes)
			assert_in_range(f.pause_ms, 50, 100); /* measured: 62 to 90 ms */
	}
}

/* ---- configurations that no policy takes ---- */

struct refused {
	const char *policy, *part;
	void (*spoil)(struct mp_policy_conf *c);
};

#define SPOIL(name, statement)                                                                     \
	static void name(struct mp_policy_conf *c)                                                 \
	{                                                                                          \
		statement;                                                                         \
	}
SPOIL(no_budget, c->budget_ms = 0)
SPOIL(no_limit, c->static_ms = 0)
SPOIL(long_limit, c->static_ms = 2000001)
SPOIL(old_release, c->nova.release = 10)
SPOIL(no_memory, c->nova.memory_mib = 0)
SPOIL(short_downtime, c->nova.downtime_ms = 99)
SPOIL(few_steps, c->nova.downtime_steps = 2)
SPOIL(short_delay, c->nova.downtime_delay_s = 2)
SPOIL(bad_timeout, c->nova.completion_timeout_s = -1)
SPOIL(no_steps, c->schedule = " ; ")
SPOIL(one_word, c->schedule = "1")
SPOIL(no_number, c->schedule = "one abort")
SPOIL(no_such_step, c->schedule = "1 explode")
SPOIL(no_ms, c->schedule = "1 setDowntime")
SPOIL(zero_ms, c->schedule = "1 setDowntime 0")
SPOIL(word_more, c->schedule = "1 abort now")
SPOIL(late_init, c->schedule = "1 abort; init setDowntime 5")
SPOIL(init_abort, c->schedule = "init abort")

static const struct refused refusals[] = {
	{ "static", "pause budget is 0 ms", no_budget },
	{ "static", "limit is 0 ms", no_limit },
	{ "static", "2000001 ms, not 1 to 2000000", long_limit },
	{ "nova", "release 10 is not 11", old_release },
	{ "nova", "memory is 0 MiB", no_memory },
	{ "nova", "live_migration_downtime is 99", short_downtime },
	{ "nova", "live_migration_downtime_steps is 2", few_steps },
	{ "nova", "live_migration_downtime_delay is 2", short_delay },
	{ "nova", "live_migration_completion_timeout is -1", bad_timeout },
	{ "schedule", "has no step", no_steps },
	{ "schedule", "\"1\": a step is a number", one_word },
	{ "schedule", "begins with init or a number", no_number },
	{ "schedule", "none of setDowntime, postcopy, abort", no_such_step },
	{ "schedule", "setDowntime needs", no_ms },
	{ "schedule", "setDowntime needs", zero_ms },
	{ "schedule", "one word too many", word_more },
	{ "schedule", "init comes first", late_init },
	{ "schedule", "can only set the downtime", init_abort },
};

static void refused_configurations(void **state)
{
	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(refusals); i++) {
		const struct mp_policy_ground g = { .total = GIB };
		struct mp_policy_conf c;
		struct mp_pilot *p = NULL;
		struct mp_err err = { 0 };

		mp_policy_conf_init(&c);
		refusals[i].spoil(&c);
		assert_int_equal(mp_pilot_new(mp_policy_find(refusals[i].policy), &c, &g, &p, &err),
				 -1);
		assert_null(p);
		assert_int_equal(err.code, MP_E_INPUT);
		if (!strstr(err.text, refusals[i].part))
			fail_msg("\"%s\" does not say \"%s\"", err.text, refusals[i].part);
	}
	assert_null(mp_policy_find("none"));
}

/* Before Pike, Nova raised what was too small, instead of refusing it. */
static void raised_minima(void **state)
{
	const struct mp_policy_ground g = { .total = GIB };
	struct mp_policy_conf c;
	struct mp_policy_sample s = { .elapsed_ms = 1, .iteration = 1, .remaining = GIB };
	struct mp_decision d;
	struct mp_pilot *p;
	struct mp_err err = { 0 };

	(void)state;
	mp_policy_conf_init(&c);
	c.nova.release = 15;
	c.nova.downtime_ms = 1;
	c.nova.downtime_steps = 1;
	c.nova.downtime_delay_s = 1;
	assert_int_equal(mp_pilot_new(mp_policy_find("nova"), &c, &g, &p, &err), 0);
	mp_pilot_step(p, &s, &d);
	assert_int_equal(d.act, MP_ACT_SET_DOWNTIME);
	assert_int_equal(d.value, 33); /* 100 ms in 3 steps */
	s.elapsed_ms = 20001;          /* 10 s for each of 2 GiB */
	mp_pilot_step(p, &s, &d);
	assert_int_equal(d.value, 55);
	mp_pilot_free(p);
}

static void names(void **state)
{
	(void)state;
	for (int a = 0; a < MP_N_ACTS; a++)
		for (int b = 0; b < a; b++)
			assert_string_not_equal(mp_act_name((enum mp_act)a),
						mp_act_name((enum mp_act)b));
	for (size_t i = 0; mp_policies[i]; i++) {
		assert_ptr_equal(mp_policy_find(mp_policies[i]->name), mp_policies[i]);
		assert_true(mp_policies[i]->summary[0] && mp_policies[i]->source[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nova_ladder),
		cmocka_unit_test(nova_data),
		cmocka_unit_test(curve),
		cmocka_unit_test(forecast),
		cmocka_unit_test(forecast_of_a_real_guest),
		cmocka_unit_test(refused_configurations),
		cmocka_unit_test(raised_minima),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
