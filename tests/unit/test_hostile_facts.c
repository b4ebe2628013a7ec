/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_hostile_facts: whatever a host says, the controller neither falls over nor passes it on as
 * it is. Facts of three real hosts (tests/hosts/) are spoiled, one place after the other, each in
 * every way of the table below; then all that judges or reports must still come to its end. To be
 * run with sanitizers.
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
#include "cli/context.h"
#include "mesh/plan.h"
#include "model/answer.h"
#include "model/ssh-text.h"
#include "report/report.h"
#include "sample/sample.h"

/* ---- ways to spoil a value ---- */

static const char *const ways[] = {
	"null",
	"true",
	"1",
	"-1",
	"9223372036854775807",
	"-9223372036854775808",
	"1.5",
	"\"\"",
	"\"/\"",
	"\"-oProxyCommand=x\"",
	"\"a b\\nc d,*,!x\\u001b[31m\\u009b31m\"",
	"\"%s%n%n\"",
	"\"0-99999\"",
	"\"10.0.0.1/33\"",
	"\"ssh-ed25519 AAAA\"",
	"[]",
	"{}",
	"[null,[],{}]",
	"[\"x\",\"x\",1]",
	"{\"\":\"\",\"users\":1,\"error\":{}}",
	"{\"\\u001b\":[{}]}",
	NULL, /* a text of 70000 characters */
	NULL, /* a list of 3000 */
	NULL, /* the member or element is not there */
	NULL, /* a list with 200 more of its first element, an object under 40 more names */
};
#define N_WAYS MP_N_ELEMS(ways)
#define WAY_TEXT (N_WAYS - 4)
#define WAY_LIST (N_WAYS - 3)
#define WAY_GONE (N_WAYS - 2)
#define WAY_MORE (N_WAYS - 1)

static json_t *more_of(const json_t *v)
{
	json_t *ret = json_deep_copy(v), *member;
	size_t n = 0;

	for (int i = 0; json_is_array(v) && i < 200; i++)
		json_array_append(ret, json_array_get(v, 0));
	if (json_is_object(v) && json_object_size(v)) {
		const char *key = json_object_iter_key(json_object_iter(ret));

		member = json_object_get(v, key);
		while (n++ < 40) {
			mp_auto_free char *other = mp_xasprintf("%s%zu", key, n);

			json_object_set(ret, other, member);
		}
	}
	return ret;
}

/* What takes the place of a value; NULL: nothing does. */
static json_t *spoiled(const json_t *v, size_t way)
{
	json_t *ret;

	if (way == WAY_GONE)
		return NULL;
	if (way == WAY_MORE)
		return more_of(v);
	if (way == WAY_TEXT) {
		mp_auto_free char *s = mp_xmalloc(70001);

		memset(s, 'a', 70000);
		s[70000] = '\0';
		return json_string(s);
	}
	if (way == WAY_LIST) {
		ret = json_array();
		for (int i = 0; i < 3000; i++)
			json_array_append_new(ret, json_sprintf("h%d", i));
		return ret;
	}
	ret = json_loads(ways[way], JSON_DECODE_ANY, NULL);
	assert_non_null(ret);
	return ret;
}

/* ---- places ---- */

#define ALIKE 3 /* of a list, so many elements; the others are like them */

/* Spoils the nth place of the tree (its members, deep), or says that there are less. */
static bool spoil(json_t *tree, size_t *n, size_t way)
{
	json_t *v, *new;
	const char *key;
	size_t i;
	void *next;

	json_object_foreach_safe(tree, next, key, v)
	{
		if ((*n)-- == 0) {
			new = spoiled(v, way);
			if (!new)
				json_object_del(tree, key);
			else
				json_object_set_new(tree, key, new);
			return true;
		}
		if (spoil(v, n, way))
			return true;
	}
	for (i = 0; json_is_array(tree) && i < json_array_size(tree) && i < ALIKE; i++) {
		v = json_array_get(tree, i);
		if ((*n)-- == 0) {
			new = spoiled(v, way);
			if (!new)
				json_array_remove(tree, i);
			else
				json_array_set_new(tree, i, new);
			return true;
		}
		if (spoil(v, n, way))
			return true;
	}
	return false;
}

/* ---- the cluster ---- */

struct stage {
	struct mp_cli cli;
	json_t *facts; /* {HOST: {ID: FACT}} */
};

static char *source(const char *name)
{
	const char *dir = getenv("SRCDIR");

	return mp_xasprintf("%s/%s", dir ? dir : ".", name);
}

static void stage_init(struct stage *s, const char *facts, const char *setting)
{
	mp_auto_free char *inv = source("tests/hosts/inventory.ini"), *file = source(facts);
	mp_auto_free char *profile = source("profiles/nova-nfs.ini");
	struct mp_err err = { 0 };

	*s = (struct stage){ 0 };
	s->cli.opt.quiet = true;
	if (mp_inventory_load(inv, &s->cli.inv, &err) < 0 ||
	    mp_profile_load(profile, NULL, 0, &s->cli.profile, &err) < 0 ||
	    (setting && mp_profile_set(s->cli.profile, setting, "test", &err) < 0))
		fail_msg("%s", err.text);
	s->facts = json_load_file(file, 0, NULL);
	assert_int_equal(json_object_size(s->facts), s->cli.inv->n_hosts);
	s->cli.world = (struct mp_world){ .inv = s->cli.inv,
					  .profile = s->cli.profile,
					  .hosts = mp_xcalloc(s->cli.inv->n_hosts,
							      sizeof(*s->cli.world.hosts)) };
	s->cli.run.world = &s->cli.world;
	for (size_t i = 0; i < s->cli.inv->n_hosts; i++) {
		s->cli.world.hosts[i].selected = s->cli.world.hosts[i].reached = true;
		mp_world_merge(&s->cli.world, i,
			       json_object_get(s->facts, s->cli.inv->hosts[i].name));
	}
}

static void stage_fini(struct stage *s)
{
	mp_run_fini(&s->cli.run);
	mp_world_fini(&s->cli.world);
	mp_profile_free(s->cli.profile);
	mp_inventory_free(s->cli.inv);
	json_decref(s->facts);
}

/* ---- what must hold ---- */

/* No control character but the line ends of the report's own, C1 (0x80 to 0x9f) included. */
static void assert_clean(const char *what, const char *text)
{
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p, next = (unsigned char)p[1];

		if ((c < 0x20 && c != '\n') || c == 0x7f ||
		    (c == 0xc2 && next >= 0x80 && next < 0xa0))
			fail_msg("%s has the byte 0x%02x in it: ...%.60s", what, c,
				 p - text > 40 ? p - 40 : text);
	}
}

/* What goes to a host to be done there: nothing that could end a line or a word of a file. */
static void assert_harmless(const char *id, const json_t *want)
{
	const json_t *v;
	const char *key;
	size_t i;

	if (json_is_string(want))
		assert_clean(id, json_string_value(want));
	if (json_is_string(want) && strchr(json_string_value(want), '\n'))
		fail_msg("%s wants a line end: %.80s", id, json_string_value(want));
	json_object_foreach((json_t *)want, key, v)
	{
		assert_clean(id, key);
		assert_harmless(id, v);
	}
	json_array_foreach((json_t *)want, i, v)
	{
		assert_harmless(id, v);
	}
}

static void check_known_hosts(const json_t *want)
{
	const json_t *e;
	size_t i;

	json_array_foreach(json_object_get(want, "entries"), i, e)
	{
		const char *names = mp_json_str(e, "names", ""), *key = mp_json_str(e, "key", "");
		struct mp_ssh_pub pub;

		if (strspn(names, "abcdefghijklmnopqrstuvwxyz0123456789.-_:,[]") != strlen(names))
			fail_msg("known_hosts of others would have: %.80s", names);
		assert_true(mp_ssh_pub_parse(key, strlen(key), &pub));
		assert_int_equal(pub.key_len, strlen(key));
	}
}

/* What a liar gets back of its own lies is its own affair. */
static void ask_and_want(struct stage *s, size_t liar)
{
	const struct mp_world *w = &s->cli.world;

	for (size_t h = 0; h < w->inv->n_hosts; h++) {
		const struct mp_host *host = &w->inv->hosts[h];

		for (size_t i = 0; mp_samples[i]; i++)
			if (mp_samples[i]->params)
				json_decref(mp_samples[i]->params(w, host));
		for (size_t i = 0; mp_resources[i]; i++) {
			const struct mp_resource *r = mp_resources[i];
			json_t *want, *params;

			if (!mp_cli_applies(r, host))
				continue;
			params = r->params ? r->params(w, host) : NULL;
			want = r->want(w, host);
			if (h != liar)
				assert_harmless(r->id, params);
			/* Reasons are for people, and cleaned where they are printed. */
			if (h != liar && !json_object_get(want, "fail") &&
			    !json_object_get(want, "skip"))
				assert_harmless(r->id, want);
			if (h != liar && strcmp(r->id, "ssh-known-hosts") == 0)
				check_known_hosts(want);
			json_decref(params);
			json_decref(want);
		}
	}
}

static void report(struct stage *s)
{
	struct mp_report_opts opts = { .verbose = true };
	struct mp_err err = { 0 };

	for (size_t i = 0; mp_reports[i]; i++) {
		mp_auto_free char *text = NULL;
		size_t size = 0;
		FILE *f = open_memstream(&text, &size);

		assert_non_null(f);
		assert_int_equal(mp_reports[i]->write(&s->cli.run, &opts, f, &err), 0);
		fclose(f);
		assert_int_equal(strlen(text), size);
		/* In JSON, what is beyond ASCII is data. */
		if (strcmp(mp_reports[i]->name, "json") != 0) {
			assert_clean(mp_reports[i]->name, text);
		} else {
			json_t *doc = json_loads(text, 0, NULL);

			assert_non_null(doc);
			json_decref(doc);
		}
	}
}

static void plan_mesh(struct stage *s)
{
	struct mp_run run = { .world = &s->cli.world };
	struct mp_mesh m;

	mp_mesh_plan(&s->cli.world, &run, &m);
	for (size_t i = 0; i < s->cli.inv->n_hosts; i++)
		json_decref(mp_mesh_orders(&m, i));
	mp_mesh_fini(&m);
	mp_run_fini(&run);
}

static void judge_all(struct stage *s, size_t liar, bool whole)
{
	struct mp_err errs[3];

	memset(errs, 0, sizeof(errs));
	mp_answers_judge(&s->cli.world, errs);
	ask_and_want(s, liar);
	mp_cli_judge(&s->cli);
	mp_run_exit_status(&s->cli.run);
	if (whole) {
		report(s);
		plan_mesh(s);
	}
}

/* ---- tests ---- */

/*
 * One place of one fact of the host, every way; false behind the last place. Unless HOSTILE_ALL is
 * set, a third of the ways, other ones at each place, is enough for further clusters.
 */
static bool try_place(struct stage *s, size_t host, const char *id, const json_t *fact,
		      size_t place, bool third, size_t *tried)
{
	for (size_t way = 0; way < N_WAYS; way++) {
		json_t *facts = json_object(),
		       *holder = json_pack("{s:o}", "x", json_deep_copy(fact));
		size_t n = place;
		bool there = spoil(holder, &n, way);

		if (there && json_object_get(holder, "x"))
			json_object_set(facts, id, json_object_get(holder, "x"));
		if (there && !(third && (place + way) % 3)) {
			mp_world_merge(&s->cli.world, host, facts);
			judge_all(s, host, *tried % 5 == 0);
			++*tried;
		}
		json_decref(holder);
		json_decref(facts);
		if (!there)
			return false;
	}
	return true;
}

static void spoil_all(const char *file, const char *setting, size_t host, bool third)
{
	const json_t *facts, *fact;
	size_t tried = 0;
	struct stage s;
	const char *id;

	stage_init(&s, file, setting);
	judge_all(&s, host, true);
	facts = json_object_get(s.facts, s.cli.inv->hosts[host].name);
	json_object_foreach((json_t *)facts, id, fact)
	{
		for (size_t place = 0; try_place(&s, host, id, fact, place, third, &tried); place++)
			;
		mp_world_merge(&s.cli.world, host, facts);
	}
	print_message("# %s, %s: %zu lies\n", file, s.cli.inv->hosts[host].name, tried);
	assert_true(tried > 1000);
	stage_fini(&s);
}

static void test_of_a_host_in_order(void **state)
{
	(void)state;
	spoil_all("tests/hosts/ready.json", NULL, 1, false);
}

static void test_of_a_fresh_host(void **state)
{
	(void)state;
	spoil_all("tests/hosts/fresh.json", NULL, 1, !getenv("HOSTILE_ALL"));
}

static void test_of_the_server_and_key_owner(void **state)
{
	(void)state;
	spoil_all("tests/hosts/ready.json", "ssh.keys=shared", 0, !getenv("HOSTILE_ALL"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_a_host_in_order),
		cmocka_unit_test(test_of_a_fresh_host),
		cmocka_unit_test(test_of_the_server_and_key_owner),
	};

	return cmocka_run_group_tests_name("hostile-facts", tests, NULL, NULL);
}
