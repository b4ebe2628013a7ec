/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_check_vectors: every check judges its vectors (tests/check/ID.vec) as they say. A check
 * without a vector file, or without a group that passes, one that does not, and one where a fact is
 * absent, fails here.
 *
 * Groups are separated by empty lines; the first comment is the title. Lines:
 *   set SECTION.KEY=VALUE                   profile
 *   host NAME [KEY=VALUE...]                a host of the inventory; a range is possible
 *   fact HOSTS OBSERVER JSON                what an observer said; HOSTS: names and ranges, with ;
 * between error HOSTS OBSERVER TEXT               it failed down HOSTS not reached unselected HOSTS
 * looked at, but not asked for verdict STATUS WHERE "PART OF REASON"   WHERE: HOST, HOST->HOST or
 * cluster; all findings must be listed
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
#include "base/buf.h"
#include "base/str.h"
#include "check/check.h"

struct group {
	const struct mp_check *check;
	char *title;
	struct mp_strv lines;
	bool passes, fails, absent;
};

struct groups {
	struct group *v;
	size_t n;
	bool complete; /* no check lacks its vectors */
};

static char *read_vectors(const char *id)
{
	const char *dir = getenv("SRCDIR");
	mp_auto_free char *path = mp_xasprintf("%s/tests/check/%s.vec", dir ? dir : ".", id);
	FILE *f = fopen(path, "re");
	mp_auto_buf struct mp_buf b;
	char chunk[4096];
	size_t n;

	mp_buf_init(&b, 0);
	if (!f)
		return NULL;
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		mp_buf_add(&b, chunk, n);
	fclose(f);
	return mp_buf_take(&b);
}

static void add_line(struct groups *gs, const struct mp_check *c, const char *line, bool *open)
{
	struct group *g;

	if (!*line) {
		*open = false;
		return;
	}
	if (!*open) {
		gs->v = mp_xreallocarray(gs->v, gs->n + 1, sizeof(*gs->v));
		gs->v[gs->n++] = (struct group){
			.check = c,
			.title = mp_xasprintf("%s: %s", c->id, line + strspn(line, "# ")),
		};
	}
	*open = true;
	g = &gs->v[gs->n - 1];
	if (*line == '#')
		return;
	mp_strv_add(&g->lines, line);
	if (strncmp(line, "error ", 6) == 0)
		g->absent = true;
	else if (strncmp(line, "verdict ok", 10) == 0)
		g->passes = true;
	else if (strncmp(line, "verdict fail", 12) == 0 || strncmp(line, "verdict warn", 12) == 0)
		g->fails = true;
}

/* False, with a word about it, if the check has no vectors worth the name. */
static bool load(const struct mp_check *c, struct groups *gs)
{
	mp_auto_free char *text = read_vectors(c->id);
	bool open = false, passes = false, fails = false, absent = false;
	size_t first = gs->n;

	if (!text) {
		print_error("tests/check/%s.vec is missing\n", c->id);
		return false;
	}
	for (char *p = text; *p;) {
		char *end = p + strcspn(p, "\n");
		bool last = !*end;

		*end = '\0';
		add_line(gs, c, p, &open);
		p = last ? end : end + 1;
	}
	for (size_t i = first; i < gs->n; i++) {
		passes |= gs->v[i].passes && !gs->v[i].fails;
		fails |= gs->v[i].fails;
		absent |= gs->v[i].absent;
	}
	if (passes && fails && absent)
		return true;
	print_error("tests/check/%s.vec lacks a group that %s\n", c->id,
		    !passes  ? "passes"
		    : !fails ? "fails or warns"
			     : "has an error line");
	return false;
}

/* ---- one group ---- */

static const char *rest_of(const char *line, size_t words)
{
	while (words--) {
		line += strcspn(line, " \t");
		line += strspn(line, " \t");
	}
	return line;
}

static char *inventory_text(const struct group *g)
{
	mp_auto_buf struct mp_buf b;

	mp_buf_init(&b, 0);
	for (size_t i = 0; i < g->lines.n; i++) {
		mp_auto_strv struct mp_strv w = { 0 };

		mp_str_split(g->lines.v[i], " \t", &w);
		if (strcmp(w.v[0], "host") != 0)
			continue;
		mp_buf_printf(&b, "[host %s]\n", w.v[1]);
		for (size_t j = 2; j < w.n; j++)
			mp_buf_printf(&b, "%s\n", w.v[j]);
	}
	return mp_buf_take(&b);
}

static size_t host_index(const struct mp_inventory *inv, const char *name)
{
	for (size_t i = 0; i < inv->n_hosts; i++)
		if (strcmp(inv->hosts[i].name, name) == 0)
			return i;
	fail_msg("no host %s in this group", name);
	return 0;
}

static json_t *line_fact(const char *line, bool error)
{
	const char *text = rest_of(line, 3);
	json_error_t e;
	json_t *v;

	if (error)
		return json_pack("{s:{s:s,s:s}}", "error", "code", "system", "text", text);
	v = json_loads(text, JSON_DECODE_ANY, &e);
	if (!v)
		fail_msg("%s: %s", line, e.text);
	return v;
}

static void set_host(struct mp_world *w, const char *line, const char *word, const char *names)
{
	bool error = strcmp(word, "error") == 0;
	mp_auto_strv struct mp_strv hosts = { 0 }, parts = { 0 }, ranges = { 0 };
	struct mp_err err = { 0 };

	mp_str_split(line, " \t", &parts);
	mp_str_split(names, ";", &ranges);
	for (size_t i = 0; i < ranges.n; i++)
		assert_int_equal(mp_range_expand(ranges.v[i], 100000, &hosts, &err), 0);
	for (size_t i = 0; i < hosts.n; i++) {
		size_t h = host_index(w->inv, hosts.v[i]);

		if (strcmp(word, "down") == 0) {
			w->hosts[h].reached = false;
			mp_err_set(&w->hosts[h].err, MP_E_TIMEOUT, "no answer within 10 s");
		} else if (strcmp(word, "unselected") == 0) {
			w->hosts[h].selected = false;
		} else if (error || strcmp(word, "fact") == 0) {
			json_t *facts = json_object();

			assert_true(parts.n > 3);
			json_object_set_new(facts, parts.v[2], line_fact(line, error));
			mp_world_merge(w, h, facts);
			json_decref(facts);
		} else {
			fail_msg("unknown word '%s'", word);
		}
	}
}

static char *where(const struct mp_world *w, const struct mp_finding *f)
{
	switch (f->scope) {
	case MP_SCOPE_HOST:
		assert_int_equal(f->peer, -1);
		return mp_xstrdup(w->inv->hosts[f->host].name);
	case MP_SCOPE_PAIR:
		return mp_xasprintf("%s->%s", w->inv->hosts[f->host].name,
				    w->inv->hosts[f->peer].name);
	case MP_SCOPE_CLUSTER:
		assert_int_equal(f->host, -1);
		break;
	}
	return mp_xstrdup("cluster");
}

/* Crosses the finding off that a verdict line stands for. */
static void match(const struct mp_world *w, struct mp_findings *out, const char *line, bool *seen,
		  const char *id)
{
	mp_auto_strv struct mp_strv p = { 0 };
	mp_auto_free char *part = mp_xstrdup(rest_of(line, 3));
	size_t len = strlen(part);

	mp_str_split(line, " \t", &p);
	if (len >= 2 && part[0] == '"' && part[len - 1] == '"') {
		part[len - 1] = '\0';
		memmove(part, part + 1, len - 1);
	}
	for (size_t i = 0; i < out->n; i++) {
		mp_auto_free char *at = where(w, &out->v[i]);

		if (seen[i] || strcmp(out->v[i].id, id) != 0 || strcmp(at, p.v[2]) != 0 ||
		    strcmp(mp_status_name(out->v[i].status), p.v[1]) != 0 ||
		    !strstr(out->v[i].reason, part))
			continue;
		seen[i] = true;
		/* Whoever is told that something is wrong is told what to do. */
		if (out->v[i].status > MP_SKIP)
			assert_true(out->v[i].remedy[0]);
		return;
	}
	for (size_t i = 0; i < out->n; i++) {
		mp_auto_free char *at = where(w, &out->v[i]);

		if (strcmp(out->v[i].id, id) == 0)
			print_error("found: %s %s \"%s\"\n", mp_status_name(out->v[i].status), at,
				    out->v[i].reason);
	}
	fail_msg("not found: %s", line);
}

static void compare(const struct group *g, const struct mp_world *w, struct mp_findings *out)
{
	mp_auto_free bool *seen = mp_xcalloc(out->n + 1, sizeof(*seen));

	for (size_t i = 0; i < g->lines.n; i++)
		if (strncmp(g->lines.v[i], "verdict ", 8) == 0)
			match(w, out, g->lines.v[i], seen, g->check->id);
	for (size_t i = 0; i < out->n; i++) {
		mp_auto_free char *at = where(w, &out->v[i]);

		if (!seen[i] && strcmp(out->v[i].id, g->check->id) == 0)
			fail_msg("one finding too many: %s %s \"%s\"",
				 mp_status_name(out->v[i].status), at, out->v[i].reason);
	}
}

static void judge_group(void **state)
{
	const struct group *g = *state;
	mp_auto_free char *text = inventory_text(g);
	struct mp_profile *profile = mp_profile_new();
	struct mp_inventory *inv = NULL;
	struct mp_findings out = { 0 };
	struct mp_err err = { 0 };
	struct mp_world w;

	if (mp_inventory_parse(text, strlen(text), g->check->id, &inv, &err) < 0)
		fail_msg("%s", err.text);
	w = (struct mp_world){ .inv = inv,
			       .profile = profile,
			       .hosts = mp_xcalloc(inv->n_hosts, sizeof(*w.hosts)) };
	for (size_t i = 0; i < inv->n_hosts; i++)
		w.hosts[i].selected = w.hosts[i].reached = true;
	for (size_t i = 0; i < g->lines.n; i++) {
		mp_auto_strv struct mp_strv p = { 0 };

		mp_str_split(g->lines.v[i], " \t", &p);
		assert_true(p.n > 1);
		if (strcmp(p.v[0], "set") == 0 && mp_profile_set(profile, p.v[1], "vec", &err) < 0)
			fail_msg("%s", err.text);
		if (strcmp(p.v[0], "set") != 0 && strcmp(p.v[0], "host") != 0 &&
		    strcmp(p.v[0], "verdict") != 0)
			set_host(&w, g->lines.v[i], p.v[0], p.v[1]);
	}
	mp_checks_judge(&w, &out);
	compare(g, &w, &out);
	mp_findings_fini(&out);
	mp_world_fini(&w);
	mp_profile_free(profile);
	mp_inventory_free(inv);
}

/* Every check has vectors worth the name, and its explain texts. */
static void complete(void **state)
{
	const struct groups *gs = *state;

	for (size_t i = 0; mp_checks[i]; i++) {
		const struct mp_check *c = mp_checks[i];

		assert_true(c->summary && c->prevents && c->checked && c->remedy && c->source);
		assert_true(c->judge && c->needs && c->needs[0]);
		assert_true(c->scope != MP_SCOPE_PAIR || c->class_of);
	}
	assert_true(gs->complete);
}

/* The number of pair judgements grows with the kinds of hosts, not with the square of the hosts. */
static void thousand_hosts(void **state)
{
	static const char text[] = "[host h[0001-1000]]\n";
	struct mp_profile *profile = mp_profile_new();
	struct mp_inventory *inv = NULL;
	struct mp_findings out = { 0 };
	struct mp_err err = { 0 };
	struct mp_world w;
	size_t pair_ok = 0, pairs = 0;

	(void)state;
	assert_int_equal(mp_inventory_parse(text, strlen(text), "inv", &inv, &err), 0);
	w = (struct mp_world){ .inv = inv,
			       .profile = profile,
			       .hosts = mp_xcalloc(inv->n_hosts, sizeof(*w.hosts)) };
	for (size_t i = 0; i < inv->n_hosts; i++) {
		mp_auto_free char *uuid = mp_xasprintf("uuid-%zu", i);
		json_t *facts = json_pack("{s:{s:b,s:I,s:I,s:s,s:s,s:[s,s]}}", "virt", "running", 1,
					  "libvirt", (json_int_t)9000000, "qemu",
					  (json_int_t)7002000, "host_uuid", uuid, "arch", "x86_64",
					  "machines", "pc-q35-7.1", "pc-q35-7.2");

		w.hosts[i].selected = w.hosts[i].reached = true;
		mp_world_merge(&w, i, facts);
		json_decref(facts);
	}
	mp_checks_judge(&w, &out);
	for (size_t i = 0; i < out.n; i++) {
		pairs += out.v[i].scope == MP_SCOPE_PAIR;
		pair_ok += (strcmp(out.v[i].id, "versions") == 0 ||
			    strcmp(out.v[i].id, "machine-types") == 0) &&
			   out.v[i].scope == MP_SCOPE_CLUSTER && out.v[i].status == MP_OK &&
			   strcmp(out.v[i].reason, "999000 directed pairs of 1000 hosts") == 0;
	}
	assert_int_equal(pairs, 0);
	assert_int_equal(pair_ok, 2);
	mp_findings_fini(&out);
	mp_world_fini(&w);
	mp_profile_free(profile);
	mp_inventory_free(inv);
}

int main(void)
{
	struct groups gs = { .complete = true };
	struct CMUnitTest *tests;
	int failed;

	for (size_t i = 0; mp_checks[i]; i++)
		gs.complete &= load(mp_checks[i], &gs);
	tests = mp_xcalloc(gs.n + 2, sizeof(*tests));
	tests[0] = (struct CMUnitTest){ "every check has vectors and texts", complete, NULL, NULL,
					&gs };
	tests[1] = (struct CMUnitTest){ "a thousand equal hosts cost one judgement", thousand_hosts,
					NULL, NULL, NULL };
	for (size_t i = 0; i < gs.n; i++)
		tests[i + 2] =
			(struct CMUnitTest){ gs.v[i].title, judge_group, NULL, NULL, &gs.v[i] };
	/* The macro wants an array whose size it can see. */
	failed = _cmocka_run_group_tests("checks", tests, gs.n + 2, NULL, NULL);
	for (size_t i = 0; i < gs.n; i++) {
		free(gs.v[i].title);
		mp_strv_fini(&gs.v[i].lines);
	}
	free(gs.v);
	free(tests);
	return failed;
}
