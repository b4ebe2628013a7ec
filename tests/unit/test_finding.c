/* SPDX-License-Identifier: GPL-3.0-or-later */
/* model: findings and diffs. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "model/finding.h"

static void test_status_names(void **state)
{
	static const char *const names[] = { "ok", "skip", "warn", "drift", "unknown", "fail" };

	(void)state;
	for (int i = 0; i < MP_N_STATUS; i++)
		assert_string_equal(mp_status_name((enum mp_status)i), names[i]);
	assert_string_equal(mp_status_name((enum mp_status)42), "unknown");
}

static void test_diff_status(void **state)
{
	mp_auto_diff struct mp_diff d;

	(void)state;
	mp_diff_init(&d);
	assert_int_equal(d.status, MP_OK);
	mp_diff_verdict(&d, MP_OK, NULL, "fine");
	assert_null(d.reason);
	mp_diff_verdict(&d, MP_WARN, NULL, "look at %s", "this");
	assert_int_equal(d.status, MP_WARN);
	assert_string_equal(d.reason, "look at this");
	mp_diff_change(&d, "shell", "/bin/false", "/bin/bash");
	assert_int_equal(d.status, MP_DRIFT);
	mp_diff_verdict(&d, MP_SKIP, NULL, "too late");
	assert_string_equal(d.reason, "look at this");
	mp_diff_verdict(&d, MP_FAIL, "Do it by hand.", "worse");
	assert_int_equal(d.status, MP_FAIL);
	assert_string_equal(d.reason, "worse");
	assert_string_equal(d.remedy, "Do it by hand.");
	mp_diff_verdict(&d, MP_FAIL, NULL, "as bad, but later");
	assert_string_equal(d.reason, "worse; as bad, but later");
	assert_string_equal(d.remedy, "Do it by hand.");
	mp_diff_change(&d, "x", NULL, "y");
	assert_int_equal(d.status, MP_FAIL);
	assert_int_equal(d.n_changes, 2);
}

/* A reason for drift that changes made is taken: nothing else was said. */
static void test_diff_reason_after_change(void **state)
{
	mp_auto_diff struct mp_diff d;

	(void)state;
	mp_diff_init(&d);
	mp_diff_change(&d, "a", "1", "2");
	mp_diff_verdict(&d, MP_DRIFT, "Run apply.", "own words");
	assert_string_equal(d.reason, "own words");
	assert_string_equal(d.remedy, "Run apply.");
}

/* Of reasons that are equally bad none is lost, and none is said twice. */
static void test_diff_reasons_add_up(void **state)
{
	mp_auto_diff struct mp_diff d;

	(void)state;
	mp_diff_init(&d);
	mp_diff_verdict(&d, MP_WARN, "Gone.", "gone");
	mp_diff_verdict(&d, MP_FAIL, NULL, "port %d is taken", 10);
	mp_diff_verdict(&d, MP_FAIL, "End it", "port %d is taken", 1);
	mp_diff_verdict(&d, MP_FAIL, "End it", "port %d is taken", 10);
	mp_diff_verdict(&d, MP_FAIL, "Move it", "port %d is taken", 1);
	mp_diff_verdict(&d, MP_FAIL, "Move it", "port");
	mp_diff_verdict(&d, MP_WARN, "Not this", "nor this");
	assert_string_equal(d.reason, "port 10 is taken; port 1 is taken; port");
	assert_string_equal(d.remedy, "End it; Move it");
}

static void test_diff_reasons_end(void **state)
{
	mp_auto_diff struct mp_diff d;

	(void)state;
	mp_diff_init(&d);
	for (int i = 0; i < 100000; i++)
		mp_diff_verdict(&d, MP_FAIL, NULL, "reason %d", i);
	assert_true(strlen(d.reason) < 1600);
	assert_memory_equal(d.reason, "reason 0; reason 1; ", 20);
	assert_string_equal(strrchr(d.reason, ';'), "; and more");
}

/* Drift that has a warning beside it says both, the drift first. */
static void test_diff_warning_and_change(void **state)
{
	mp_auto_diff struct mp_diff d;
	struct mp_findings f = { 0 };

	(void)state;
	mp_diff_init(&d);
	mp_diff_verdict(&d, MP_WARN, "Look.", "odd");
	mp_diff_change(&d, "a", "1", "2");
	assert_string_equal(mp_findings_add_diff(&f, "id", 0, &d)->reason,
			    "a is '1', should be '2'; odd");
	mp_diff_verdict(&d, MP_DRIFT, NULL, "own words");
	assert_string_equal(mp_findings_add_diff(&f, "id", 0, &d)->reason, "odd; own words");
	mp_findings_fini(&f);
}

static void test_add(void **state)
{
	struct mp_findings f = { 0 };
	const struct mp_finding *last;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		last = mp_findings_add(&f, "id", MP_SCOPE_PAIR, i, i + 1, MP_WARN, "Mend it.",
				       "number %d", i);
		assert_ptr_equal(last, &f.v[i]);
	}
	assert_int_equal(f.n, 1000);
	assert_string_equal(f.v[999].reason, "number 999");
	assert_string_equal(f.v[0].reason, "number 0");
	assert_int_equal(f.v[7].host, 7);
	assert_int_equal(f.v[7].peer, 8);
	last = mp_findings_add(&f, "id", MP_SCOPE_CLUSTER, -1, -1, MP_OK, NULL, NULL);
	assert_string_equal(last->reason, "");
	assert_string_equal(last->remedy, "");
	assert_null(last->changes);
	/* What hosts say may not steer a terminal. */
	last = mp_findings_add(&f, "id", MP_SCOPE_CLUSTER, -1, -1, MP_FAIL, "a\nb", "%s",
			       "\x1b]0;x\a\xff");
	assert_string_equal(last->reason, "?]0;x??");
	assert_string_equal(last->remedy, "a b");
	mp_findings_fini(&f);
	assert_int_equal(f.n, 0);
}

static void expect_reason(const char *before, const char *after, const char *want)
{
	mp_auto_diff struct mp_diff d;
	struct mp_findings f = { 0 };
	const struct mp_finding *got;

	mp_diff_init(&d);
	mp_diff_change(&d, "port", before, after);
	got = mp_findings_add_diff(&f, "qemu-conf", 3, &d);
	assert_string_equal(got->reason, want);
	assert_int_equal(got->status, MP_DRIFT);
	assert_int_equal(got->host, 3);
	assert_int_equal(got->peer, -1);
	assert_int_equal(got->scope, MP_SCOPE_HOST);
	assert_string_equal(got->id, "qemu-conf");
	mp_findings_fini(&f);
}

static void test_reasons_of_changes(void **state)
{
	(void)state;
	expect_reason("1", "2", "port is '1', should be '2'");
	expect_reason(NULL, "2", "port is missing, should be '2'");
	expect_reason("1", NULL, "port is '1', should not be there");
	expect_reason(NULL, NULL, "port");
}

static void test_add_diff(void **state)
{
	mp_auto_diff struct mp_diff d;
	struct mp_findings f = { 0 };
	const struct mp_finding *got;
	json_t *want = json_loads("[{\"what\":\"a\",\"before\":null,\"after\":\"1\"},"
				  "{\"what\":\"b\",\"before\":\"x?y\",\"after\":null}]",
				  0, NULL);

	(void)state;
	mp_diff_init(&d);
	got = mp_findings_add_diff(&f, "id", 0, &d);
	assert_int_equal(got->status, MP_OK);
	assert_string_equal(got->reason, "");
	assert_null(got->changes);
	mp_diff_change(&d, "a", NULL, "1");
	mp_diff_change(&d, "b", "x\xfey", NULL);
	got = mp_findings_add_diff(&f, "id", 0, &d);
	assert_string_equal(got->reason, "a is missing, should be '1'; and 1 more");
	assert_true(json_equal(got->changes, want));
	json_decref(want);
	mp_findings_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status_names),
		cmocka_unit_test(test_diff_status),
		cmocka_unit_test(test_diff_reason_after_change),
		cmocka_unit_test(test_diff_reasons_add_up),
		cmocka_unit_test(test_diff_reasons_end),
		cmocka_unit_test(test_diff_warning_and_change),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_reasons_of_changes),
		cmocka_unit_test(test_add_diff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
