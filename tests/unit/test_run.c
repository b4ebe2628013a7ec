/* SPDX-License-Identifier: GPL-3.0-or-later */
/* model: what a run adds up to. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "model/run.h"

/* Things that may be in a run, as bits, with the exit status each alone has. */
enum thing {
	DRIFT = 1 << 0,
	FAILED = 1 << 1,
	PAIR_FAILED = 1 << 2,
	UNREACHABLE = 1 << 3,
	MOVE_FAILED = 1 << 4,
	APPLY_FAILED = 1 << 5,
	INTERRUPTED = 1 << 6,
};
#define N_THINGS 7

/* The manual page: "the worst wins in the order 130, 6, 5, 3, 4, 2". */
static int want_of(unsigned things)
{
	if (things & INTERRUPTED)
		return 130;
	if (things & APPLY_FAILED)
		return 6;
	if (things & MOVE_FAILED)
		return 5;
	if (things & (FAILED | PAIR_FAILED))
		return 3;
	if (things & UNREACHABLE)
		return 4;
	return things & DRIFT ? 2 : 0;
}

struct stage {
	struct mp_inventory inv;
	struct mp_host_state hosts[3]; /* 0 and 1 reached; 2 as the test says */
	struct mp_world world;
	struct mp_run run;
};

static void start(struct stage *s)
{
	memset(s, 0, sizeof(*s));
	s->inv.n_hosts = 3;
	for (int i = 0; i < 3; i++) {
		s->hosts[i].selected = true;
		s->hosts[i].reached = true;
	}
	s->world.inv = &s->inv;
	s->world.hosts = s->hosts;
	s->run.world = &s->world;
}

static void lose(struct stage *s)
{
	s->hosts[2].reached = false;
	mp_err_set(&s->hosts[2].err, MP_E_TIMEOUT, "connect: timeout");
}

static void find(struct stage *s, enum mp_scope scope, ssize_t host, ssize_t peer,
		 enum mp_status status)
{
	mp_findings_add(&s->run.findings, "id", scope, host, peer, status, NULL, NULL);
}

static void add_pair(struct stage *s, bool tried, bool first_ok, bool second_ok)
{
	struct mp_pair *p = mp_run_add_pair(&s->run);

	p->tried = tried;
	p->n_trials = 2;
	p->trials = mp_xcalloc(2, sizeof(*p->trials));
	p->trials[0].ok = first_ok;
	p->trials[1].ok = second_ok;
	p->trials[0].kind = mp_xstrdup("ssh");
}

static void finish(struct stage *s, int want)
{
	assert_int_equal(mp_run_exit_status(&s->run), want);
	mp_run_fini(&s->run);
	assert_int_equal(s->run.n_moves, 0);
}

static void test_every_mixture(void **state)
{
	(void)state;
	for (unsigned things = 0; things < 1u << N_THINGS; things++) {
		struct stage s;

		start(&s);
		find(&s, MP_SCOPE_HOST, 0, -1, MP_OK);
		find(&s, MP_SCOPE_HOST, 1, -1, MP_WARN);
		find(&s, MP_SCOPE_CLUSTER, -1, -1, MP_SKIP);
		add_pair(&s, true, true, true);
		mp_run_add_move(&s.run)->outcome = mp_xstrdup("ok");
		mp_run_add_applied(&s.run)->resource = "r";
		if (things & DRIFT)
			find(&s, MP_SCOPE_HOST, 1, -1, MP_DRIFT);
		if (things & FAILED)
			find(&s, MP_SCOPE_PAIR, 0, 1, MP_FAIL);
		if (things & PAIR_FAILED)
			add_pair(&s, true, true, false);
		if (things & UNREACHABLE)
			lose(&s);
		if (things & MOVE_FAILED)
			mp_run_add_move(&s.run)->outcome = mp_xstrdup("failed");
		if (things & APPLY_FAILED)
			mp_err_set(&mp_run_add_applied(&s.run)->err, MP_E_SYS, "write");
		s.run.interrupted = things & INTERRUPTED;
		finish(&s, want_of(things));
	}
}

/* A host that answered but could not be judged fails; one that did not answer counts as unreachable
 * only. */
static void test_unknown(void **state)
{
	static const struct {
		enum mp_scope scope;
		ssize_t host, peer;
		bool lost; /* host 2 did not answer */
		int want;
	} rows[] = {
		{ MP_SCOPE_HOST, 0, -1, false, 3 },     { MP_SCOPE_HOST, 0, -1, true, 3 },
		{ MP_SCOPE_HOST, 2, -1, false, 3 },     { MP_SCOPE_HOST, 2, -1, true, 4 },
		{ MP_SCOPE_PAIR, 0, 1, true, 3 },       { MP_SCOPE_PAIR, 0, 2, false, 3 },
		{ MP_SCOPE_PAIR, 0, 2, true, 4 },       { MP_SCOPE_PAIR, 2, 0, true, 4 },
		{ MP_SCOPE_CLUSTER, -1, -1, false, 3 }, { MP_SCOPE_CLUSTER, -1, -1, true, 4 },
		{ MP_SCOPE_CLUSTER, 0, -1, true, 3 },
	};

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(rows); i++) {
		struct stage s;

		start(&s);
		if (rows[i].lost)
			lose(&s);
		find(&s, rows[i].scope, rows[i].host, rows[i].peer, MP_UNKNOWN);
		finish(&s, rows[i].want);
	}
}

static void test_edges(void **state)
{
	static const char *const outcomes[] = { "failed", "unproved", "aborted", "refused", NULL };
	struct stage s;

	(void)state;
	start(&s); /* not selected, and not asked, is not unreachable */
	lose(&s);
	s.hosts[2].selected = false;
	finish(&s, 0);
	start(&s);
	s.hosts[2].reached = false;
	finish(&s, 0);
	start(&s); /* host-reach of a lost host is status 4; another host's FAIL stands */
	lose(&s);
	find(&s, MP_SCOPE_HOST, 2, -1, MP_FAIL);
	finish(&s, 4);
	start(&s);
	lose(&s);
	find(&s, MP_SCOPE_HOST, 1, -1, MP_FAIL);
	finish(&s, 3);
	start(&s); /* a pair that was not tried did not fail */
	add_pair(&s, false, false, false);
	finish(&s, 0);
	for (size_t i = 0; i < MP_N_ELEMS(outcomes); i++) {
		start(&s);
		mp_run_add_move(&s.run)->outcome = outcomes[i] ? mp_xstrdup(outcomes[i]) : NULL;
		finish(&s, 5);
	}
	start(&s); /* without a world */
	s.run.world = NULL;
	find(&s, MP_SCOPE_HOST, 0, -1, MP_UNKNOWN);
	finish(&s, 3);
}

static void test_add(void **state)
{
	struct mp_run r = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct mp_move *m = mp_run_add_move(&r);

		assert_int_equal(m->total_ms, -1);
		assert_int_equal(m->downtime_ms, -1);
		assert_int_equal(m->guest_pause_ms, -1);
		assert_int_equal(m->transferred_bytes, -1);
		assert_int_equal(m->memory_verified, -1);
		assert_null(m->outcome);
		m->domain = mp_xasprintf("d%d", i);
		m->proof = json_object();
		mp_run_add_applied(&r)->changes = json_array();
		mp_run_add_pair(&r)->target = (size_t)i;
	}
	assert_string_equal(r.moves[0].domain, "d0");
	assert_string_equal(r.moves[99].domain, "d99");
	assert_int_equal(r.pairs[99].target, 99);
	assert_int_equal(r.n_applied, 100);
	mp_run_fini(&r);
	mp_run_fini(&r);
}

/* What a host reports is bounded, and only what is a change is kept. */
static void test_reported_changes(void **state)
{
	char longest[MP_MAX_CHANGE_TEXT + 2];
	json_t *said = json_array(), *c;
	struct mp_applied a = { 0 };

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memcpy(longest + MP_MAX_CHANGE_TEXT - 1, "\xc3\xa9", 2); /* over the edge */
	json_array_append_new(said, json_pack("{s:s,s:i,s:s,s:s}", "what", "a", "before", 7,
					      "after", longest, "other", "no"));
	json_array_append_new(said, json_pack("{s:i}", "what", 1));
	json_array_append_new(said, json_null());
	for (int i = 0; i < MP_MAX_CHANGES + 4; i++)
		json_array_append_new(said, json_pack("{s:s}", "what", "b"));
	mp_applied_take(&a, said);
	assert_int_equal(json_array_size(a.changes), MP_MAX_CHANGES + 1);
	c = json_array_get(a.changes, 0);
	assert_int_equal(json_object_size(c), 3);
	assert_true(json_is_null(json_object_get(c, "before")));
	assert_string_equal(mp_json_str(c, "what", ""), "a");
	assert_int_equal(strlen(mp_json_str(c, "after", "")), MP_MAX_CHANGE_TEXT - 1);
	c = json_array_get(a.changes, MP_MAX_CHANGES);
	assert_string_equal(mp_json_str(c, "what", ""), "and 5 more");
	json_decref(a.changes);
	json_decref(said);
	said = json_string("no list");
	mp_applied_take(&a, said);
	assert_int_equal(json_array_size(a.changes), 0);
	json_decref(a.changes);
	json_decref(said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_mixture),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_reported_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
