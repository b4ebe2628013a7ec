/* SPDX-License-Identifier: GPL-3.0-or-later */
/* model: facts of many hosts, and their names. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "model/answer.h"
#include "model/world.h"

static void start(struct mp_world *w, const char *text)
{
	struct mp_inventory *inv;
	struct mp_err err = { 0 };

	if (mp_inventory_parse(text, strlen(text), "inv", &inv, &err) < 0)
		fail_msg("%s", err.text);
	*w = (struct mp_world){ .inv = inv, .hosts = mp_xcalloc(inv->n_hosts, sizeof(*w->hosts)) };
}

static void stop(struct mp_world *w)
{
	struct mp_inventory *inv = (struct mp_inventory *)(uintptr_t)w->inv;

	mp_world_fini(w);
	mp_world_fini(w); /* a second time is nothing */
	mp_inventory_free(inv);
}

static void merge(struct mp_world *w, size_t host, const char *facts)
{
	json_t *tree = json_loads(facts, 0, NULL);

	assert_non_null(tree);
	mp_world_merge(w, host, tree);
	w->hosts[host].reached = true;
	json_decref(tree);
}

static void test_facts(void **state)
{
	struct mp_world w;
	const json_t *fact;

	(void)state;
	start(&w, "[host a]\n[host b]\n");
	merge(&w, 0,
	      "{\"x\": {\"n\": 5, \"s\": \"t\", \"b\": true}, \"y\": {\"error\": {\"code\": "
	      "\"timeout\", \"text\": \"took too long\"}}, \"z\": {\"error\": 1}}");
	fact = mp_world_fact(&w, 0, "x");
	assert_non_null(fact);
	assert_null(mp_world_fact_error(&w, 0, "x"));
	assert_int_equal(mp_json_int(fact, "n", 0), 5);
	assert_int_equal(mp_json_int(fact, "s", -1), -1);
	assert_string_equal(mp_json_str(fact, "s", ""), "t");
	assert_string_equal(mp_json_str(fact, "n", "def"), "def");
	assert_true(mp_json_bool(fact, "b", false));
	assert_true(mp_json_bool(fact, "n", true));
	assert_null(mp_json_str(NULL, "n", NULL));
	assert_null(mp_world_fact(&w, 0, "y"));
	assert_string_equal(mp_world_fact_error(&w, 0, "y"), "took too long");
	assert_null(mp_world_fact(&w, 0, "z"));
	assert_string_equal(mp_world_fact_error(&w, 0, "z"), "the host did not say why");
	assert_string_equal(mp_world_fact_error(&w, 0, "w"), "not observed");
	assert_null(mp_world_fact(&w, 1, "x"));
	assert_string_equal(mp_world_fact_error(&w, 1, "x"), "the host was not asked");
	mp_err_set(&w.hosts[1].err, MP_E_REFUSED, "connect: refused");
	assert_string_equal(mp_world_fact_error(&w, 1, "x"), "connect: refused");
	/* A later look replaces what it names, and nothing else. */
	merge(&w, 0, "{\"x\": {\"n\": 6}, \"y\": {}}");
	assert_int_equal(mp_json_int(mp_world_fact(&w, 0, "x"), "n", 0), 6);
	assert_non_null(mp_world_fact(&w, 0, "y"));
	assert_string_equal(mp_world_fact_error(&w, 0, "z"), "the host did not say why");
	merge(&w, 0, "[1]"); /* what is no object names nothing */
	stop(&w);
}

static void test_sharing(void **state)
{
	struct mp_world w;
	const json_t *first;

	(void)state;
	start(&w, "[host h[1-1000]]\n");
	for (size_t i = 0; i < 1000; i++) {
		mp_auto_free char *text = mp_xasprintf(
			"{\"same\": {\"k\": [1, \"a\", {\"deep\": null}], \"l\": 2.5}, \"own\": "
			"{\"i\": %zu}, "
			"\"other\": {\"k\": [1, \"a\", {\"deep\": null}], \"l\": 2.5}}",
			i);

		merge(&w, i, text);
	}
	first = mp_world_fact(&w, 0, "same");
	for (size_t i = 1; i < 1000; i++) {
		assert_ptr_equal(mp_world_fact(&w, i, "same"), first);
		assert_int_equal(mp_json_int(mp_world_fact(&w, i, "own"), "i", -1), i);
	}
	/* Members in another order are the same tree. */
	merge(&w, 5, "{\"same\": {\"l\": 2.5, \"k\": [1, \"a\", {\"deep\": null}]}}");
	assert_ptr_equal(mp_world_fact(&w, 5, "same"), first);
	/* An integer is no real, and a small difference is one. */
	merge(&w, 6, "{\"same\": {\"k\": [1, \"a\", {\"deep\": false}], \"l\": 2.5}}");
	assert_ptr_not_equal(mp_world_fact(&w, 6, "same"), first);
	merge(&w, 6, "{\"same\": {\"k\": [1.0, \"a\", {\"deep\": null}], \"l\": 2.5}}");
	assert_ptr_not_equal(mp_world_fact(&w, 6, "same"), first);
	/* Looking again and again does not pile up what nobody holds any more. */
	for (size_t i = 0; i < 20000; i++) {
		mp_auto_free char *text = mp_xasprintf("{\"own\": {\"again\": %zu}}", i);

		merge(&w, i % 1000, text);
	}
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(mp_json_int(mp_world_fact(&w, i, "own"), "again", -1), 19000 + i);
	assert_ptr_equal(mp_world_fact(&w, 999, "same"), first);
	stop(&w);
}

static void expect_names(const struct mp_world *w, size_t host, const char *want)
{
	mp_auto_strv struct mp_strv names = { 0 };
	mp_auto_buf struct mp_buf text;

	mp_buf_init(&text, 0);
	mp_world_names(w, host, &names);
	for (size_t i = 0; i < names.n; i++)
		mp_buf_printf(&text, "%s%s", i ? " " : "", names.v[i]);
	assert_string_equal(mp_buf_peek(&text), want);
}

static void test_names(void **state)
{
	struct mp_world w;

	(void)state;
	start(&w,
	      "[host c1]\naddress = 10.0.0.1\nmigration_address = 10.1.0.1\naliases = m1 c1.mig\n"
	      "[host c2]\n[host c10.example.org]\naddress=127.0.0.5\naliases=localhost c10\n");
	expect_names(&w, 0, "10.0.0.1 10.1.0.1 c1 c1.mig m1");
	expect_names(&w, 1, "c2");
	expect_names(&w, 2, "c10 c10.example.org");
	merge(&w, 0, "{\"identity\": {\"hostname\": \"C1\", \"fqdn\": \"c1.example.org.\"}}");
	expect_names(&w, 0, "10.0.0.1 10.1.0.1 c1 c1.example.org c1.mig m1");
	/* Installed from one image: it calls itself by the name of another host, or worse. */
	merge(&w, 1, "{\"identity\": {\"hostname\": \"c1\", \"fqdn\": \"localhost.localdomain\"}}");
	expect_names(&w, 1, "c2");
	merge(&w, 1, "{\"identity\": {\"hostname\": \"C2.dc1\", \"fqdn\": \"10.0.0.9\"}}");
	expect_names(&w, 1, "C2.dc1 c2");
	/* A name that the inventory has nothing to do with: nobody is to know it as this host. */
	merge(&w, 1, "{\"identity\": {\"hostname\": \"vault\", \"fqdn\": \"vault.dc1\"}}");
	expect_names(&w, 1, "c2");
	merge(&w, 1, "{\"identity\": {\"hostname\": \"x,* y\", \"fqdn\": \"-oProxyCommand=z\"}}");
	expect_names(&w, 1, "c2");
	merge(&w, 1, "{\"identity\": {\"hostname\": 7, \"fqdn\": \"m1.example.org\"}}");
	expect_names(&w, 1, "c2");
	merge(&w, 1, "{\"identity\": {\"error\": {\"code\": \"system\", \"text\": \"t\"}}}");
	expect_names(&w, 1, "c2");
	stop(&w);
}

/* Two hosts that may call themselves so, because the inventory has their labels. */
static void test_names_said_twice(void **state)
{
	struct mp_world w;

	(void)state;
	start(&w, "[host a.dc1]\naddress = 10.0.0.1\n[host a.dc2]\naddress = 10.0.0.2\n"
		  "[host b]\naddress = 10.0.0.3\naliases = b-mig\n");
	merge(&w, 0, "{\"identity\": {\"hostname\": \"a\", \"fqdn\": \"a.dc1.example.org\"}}");
	expect_names(&w, 0, "10.0.0.1 a a.dc1 a.dc1.example.org");
	merge(&w, 1, "{\"identity\": {\"hostname\": \"A\", \"fqdn\": \"a.dc2.example.org\"}}");
	expect_names(&w, 0, "10.0.0.1 a.dc1 a.dc1.example.org");
	expect_names(&w, 1, "10.0.0.2 a.dc2 a.dc2.example.org");
	/* Looking again changes nothing; one that may not say it takes nothing away. */
	merge(&w, 1, "{\"identity\": {\"hostname\": \"A\", \"fqdn\": \"a.dc2.example.org\"}}");
	merge(&w, 2,
	      "{\"identity\": {\"hostname\": \"a.dc1.example.org\", \"fqdn\": \"B-MIG.x\"}}");
	expect_names(&w, 0, "10.0.0.1 a.dc1 a.dc1.example.org");
	expect_names(&w, 2, "10.0.0.3 B-MIG.x b b-mig");
	mp_world_forget(&w, 1);
	expect_names(&w, 0, "10.0.0.1 a a.dc1 a.dc1.example.org");
	mp_world_forget(&w, 1);
	merge(&w, 1, "{\"identity\": {\"hostname\": \"a\", \"fqdn\": \"a.dc2\"}}");
	expect_names(&w, 0, "10.0.0.1 a.dc1 a.dc1.example.org");
	stop(&w);
}

/* The options that Nova on the source takes the target's name from. */
static void test_names_of_nova(void **state)
{
	struct mp_world w;

	(void)state;
	start(&w, "[host a]\naddress = 10.0.0.1\n[host b]\naddress = 10.0.0.2\naliases = bb\n"
		  "[host c]\n");
	merge(&w, 0,
	      "{\"nova-conf\": {\"dial\": {\"host\": \"nova-a\", \"my_ip\": \"10.9.0.1\", "
	      "\"migration_inbound_addr\": \"10.9.0.1\", \"live_migration_inbound_addr\": "
	      "\"a.mig.example.org\"}}}");
	expect_names(&w, 0, "10.0.0.1 10.9.0.1 a a.mig.example.org nova-a");
	/* As it came from the package, on two hosts; and names of other hosts. */
	merge(&w, 1,
	      "{\"nova-conf\": {\"dial\": {\"host\": \"nova-b\", \"my_ip\": \"10.9.0.1\"}}}");
	merge(&w, 2, "{\"nova-conf\": {\"dial\": {\"host\": \"BB\", \"my_ip\": \"10.0.0.1\"}}}");
	expect_names(&w, 0, "10.0.0.1 a a.mig.example.org nova-a");
	expect_names(&w, 1, "10.0.0.2 b bb nova-b");
	expect_names(&w, 2, "c");
	/* The same address in two spellings; what is no name. */
	merge(&w, 1, "{\"nova-conf\": {\"dial\": {\"my_ip\": \"fd00:0::7\"}}}");
	expect_names(&w, 0, "10.0.0.1 10.9.0.1 a a.mig.example.org nova-a");
	merge(&w, 2, "{\"nova-conf\": {\"dial\": {\"my_ip\": \"fd00::7\", \"host\": \"-oX\"}}}");
	expect_names(&w, 1, "10.0.0.2 b bb");
	merge(&w, 2,
	      "{\"nova-conf\": {\"dial\": {\"my_ip\": \"127.0.0.1\", \"host\": \"localhost\", "
	      "\"migration_inbound_addr\": \"$my_ip\", \"live_migration_inbound_addr\": 7}}}");
	expect_names(&w, 2, "c");
	expect_names(&w, 1, "10.0.0.2 b bb fd00:0::7");
	merge(&w, 1, "{\"nova-conf\": {\"error\": {\"code\": \"system\", \"text\": \"t\"}}}");
	expect_names(&w, 1, "10.0.0.2 b bb");
	merge(&w, 1, "{\"nova-conf\": {\"exists\": true, \"values\": []}}");
	expect_names(&w, 1, "10.0.0.2 b bb");
	stop(&w);
}

/* Names are added to what the list holds already, sorted among themselves. */
static void test_names_append(void **state)
{
	mp_auto_strv struct mp_strv names = { 0 };
	struct mp_world w;

	(void)state;
	start(&w, "[host b]\naliases = a\n");
	mp_strv_add(&names, "z");
	mp_world_names(&w, 0, &names);
	assert_int_equal(names.n, 3);
	assert_string_equal(names.v[0], "z");
	assert_string_equal(names.v[1], "a");
	assert_string_equal(names.v[2], "b");
	stop(&w);
}

/* ---- who answered ---- */

/* What a host says of itself; keys may be NULL. */
static void says(struct mp_world *w, size_t host, const char *name, const char *fqdn,
		 const char *boot, const char *machine, const char *key)
{
	json_t *keys = key ? json_pack("[{s:s}]", "fingerprint", key) : json_array();
	json_t *facts =
		json_pack("{s:{s:s,s:s,s:s?,s:s?,s:o}}", "identity", "hostname", name, "fqdn", fqdn,
			  "boot_id", boot, "machine_id", machine, "host_keys", keys);

	assert_non_null(facts);
	mp_world_merge(w, host, facts);
	w->hosts[host].reached = true;
	json_decref(facts);
}

static void expect_answers(const struct mp_world *w, const char *const texts[], size_t n)
{
	struct mp_err errs[8] = { 0 };
	size_t bad = mp_answers_judge(w, errs);

	assert_true(w->inv->n_hosts <= MP_N_ELEMS(errs));
	assert_int_equal(bad, n);
	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		if (!texts[i] && errs[i].code != MP_E_NONE)
			fail_msg("host %zu: %s", i, errs[i].text);
		if (texts[i] && strncmp(errs[i].text, texts[i], strlen(texts[i])) != 0)
			fail_msg("host %zu: '%s', should be '%s'", i, errs[i].text, texts[i]);
	}
}

static void test_answer_names(void **state)
{
	struct mp_world w;

	(void)state;
	start(&w, "[host a]\naddress=10.0.0.1\naliases=a.example.org\n"
		  "[host b]\naddress=10.0.0.2\n[host b.two]\naddress=10.0.0.3\n");
	says(&w, 0, "A", "a.example.org.", "1", "1", "k1");
	says(&w, 1, "b.example.org", "b.example.org", "2", "2", "k2");
	says(&w, 2, "b.two.example.org", "b.two.example.org", "3", "3", "k3");
	expect_answers(&w, (const char *[]){ NULL, NULL, NULL }, 0);

	/* Two addresses interchanged; the third was not reached. */
	says(&w, 0, "b", "b.example.org", "2", "2", "k2");
	says(&w, 1, "a", "a", "1", "1", "k1");
	w.hosts[2].reached = false;
	expect_answers(
		&w,
		(const char *[]){
			"10.0.0.1 answers as b, which is another host of the inventory; mend",
			"10.0.0.2 answers as a, which is another host of the inventory; mend",
			NULL },
		2);
	/* By a long name alone; and by a short name that a longer one outweighs. */
	says(&w, 0, "node17", "b.two.example.org", "3", "3", "k3");
	says(&w, 1, "b", "b", "2", "2", "k2");
	says(&w, 2, "b", "b.two", "4", "4", "k4");
	expect_answers(&w, (const char *[]){ "10.0.0.1 answers as b.two, ", NULL, NULL }, 1);
	/* Names of nobody, and what is no name. */
	says(&w, 0, "node17", "node17.example.org", "3", "3", "k3");
	says(&w, 1, "localhost", "localhost.localdomain", "2", "2", "k2");
	says(&w, 2, "10.0.0.1", "-a.b", "4", "4", "k4");
	expect_answers(&w, (const char *[]){ NULL, NULL, NULL }, 0);
	stop(&w);
}

static void test_answer_twins(void **state)
{
	struct mp_world w;

	(void)state;
	start(&w, "[host a]\n[host b]\n[host c]\n");
	says(&w, 0, "node17", "node17", "1", "1", "k1");
	says(&w, 1, "node18", "node18", "2", "2", "k2");
	says(&w, 2, "node17", "node17", "1", "1", "k1");
	expect_answers(&w, (const char *[]){ "a,c are one machine", NULL, "a,c are one machine" },
		       2);
	/* Containers of one kernel, a clone, and two that cannot tell. */
	says(&w, 2, "node17", "node17", "1", "1", "k3");
	expect_answers(&w, (const char *[]){ NULL, NULL, NULL }, 0);
	says(&w, 2, "node17", "node17", "3", "1", "k1");
	expect_answers(&w, (const char *[]){ NULL, NULL, NULL }, 0);
	says(&w, 2, "node19", "node19", "1", "1", "k1");
	expect_answers(&w, (const char *[]){ NULL, NULL, NULL }, 0);
	says(&w, 0, "node17", "node17", NULL, "1", "k1");
	says(&w, 2, "node17", "node17", NULL, "1", "k1");
	expect_answers(&w, (const char *[]){ NULL, NULL, NULL }, 0);
	says(&w, 0, "node17", "node17", "1", "1", NULL);
	says(&w, 2, "node17", "node17", "1", "1", NULL);
	expect_answers(&w, (const char *[]){ NULL, NULL, NULL }, 0);
	stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_of_nova),
		cmocka_unit_test(test_names_said_twice),
		cmocka_unit_test(test_names_append),
		cmocka_unit_test(test_answer_names),
		cmocka_unit_test(test_answer_twins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
