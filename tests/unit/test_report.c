/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reports: whole outputs against files written by hand (tests/report/), folding, cleaning. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "report/fold.h"
#include "report/report.h"
#include "report/words.h"

/* ---- a run, made without the parsers ---- */

struct scene {
	struct mp_inventory inv;
	struct mp_world world;
	struct mp_run run;
};

static void scene_init(struct scene *s, size_t n, const char *name_format)
{
	*s = (struct scene){ 0 };
	s->inv.path = mp_xstrdup("lab.ini");
	s->inv.n_hosts = n;
	s->inv.hosts = mp_xcalloc(n, sizeof(*s->inv.hosts));
	for (size_t i = 0; i < n; i++) {
		struct mp_host *h = &s->inv.hosts[i];

		h->index = i;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		h->name = mp_xasprintf(name_format, (int)i + 1);
#pragma GCC diagnostic pop
		h->address = mp_xasprintf("10.0.0.%zu", i + 1);
	}
	s->world.inv = &s->inv;
	s->world.hosts = mp_xcalloc(n, sizeof(*s->world.hosts));
	for (size_t i = 0; i < n; i++)
		s->world.hosts[i].selected = s->world.hosts[i].reached = true;
	s->run.world = &s->world;
	s->run.command = "run";
	s->run.version = "0.1.0";
	s->run.started = 1767323045; /* date -u -d '2026-01-02 03:04:05' +%s */
	s->run.duration_ms = 12345;
}

static void scene_fini(struct scene *s)
{
	mp_run_fini(&s->run);
	for (size_t i = 0; i < s->inv.n_hosts; i++) {
		free(s->inv.hosts[i].name);
		free(s->inv.hosts[i].address);
		free(s->inv.hosts[i].migration_address);
	}
	free(s->inv.hosts);
	free(s->inv.path);
	free(s->world.hosts);
}

static json_t *change(const char *what, const char *before, const char *after)
{
	return json_pack("{s:s,s:s?,s:s?}", "what", what, "before", before, "after", after);
}

static void host_finding(struct scene *s, const char *id, ssize_t h, enum mp_status status,
			 const char *reason, const char *remedy)
{
	mp_findings_add(&s->run.findings, id, MP_SCOPE_HOST, h, -1, status, remedy, "%s", reason);
}

static void add_findings(struct scene *s)
{
	struct mp_findings *all = &s->run.findings;

	for (ssize_t h = 0; h < 2; h++) {
		host_finding(s, "host-reach", h, MP_OK, "", "");
		host_finding(s, "nova-shell", h, MP_OK, "", "");
		host_finding(s, "selinux-contexts", h, MP_SKIP, "SELinux is off", "");
		host_finding(s, "ssh-known-hosts", h, MP_DRIFT, "2 names are missing",
			     "run migprep apply");
		all->v[all->n - 1].changes =
			json_pack("[o]", change("known_hosts compute03", NULL, "SHA256:abc"));
	}
	host_finding(s, "userfaultfd", 1, MP_WARN, "post-copy is not possible",
		     "set vm.unprivileged_userfaultfd = 1");
	host_finding(s, "libvirt-version", 1, MP_UNKNOWN, "libvirtd did not answer",
		     "start libvirtd");
	host_finding(s, "host-reach", 2, MP_FAIL, "connect to 10.0.0.3 port 22: no answer",
		     "look whether the host is up");
	mp_findings_add(all, "host-uuid", MP_SCOPE_CLUSTER, -1, -1, MP_FAIL,
			"set host_uuid in libvirtd.conf", "two hosts have the UUID 1234 <&>");
	mp_findings_add(all, "mesh-ssh", MP_SCOPE_PAIR, 0, 1, MP_FAIL,
			"give the user a real login shell",
			"login as nova by every name: the login shell on the target does not run "
			"commands")
		->data = json_pack("{s:s}", "cause", "shell");
	mp_findings_add(all, "mesh-port", MP_SCOPE_CLUSTER, -1, -1, MP_OK, NULL,
			"2 of 6 pairs, 2 connections")
		->data = json_pack("{s:i}", "pairs", 6);
}

static void add_trial(struct mp_pair *p, const char *kind, const char *user, const char *target,
		      const char *cause, const char *text, long ms)
{
	p->trials = mp_xreallocarray(p->trials, p->n_trials + 1, sizeof(*p->trials));
	p->trials[p->n_trials++] = (struct mp_trial){ .kind = mp_xstrdup(kind),
						      .user = user ? mp_xstrdup(user) : NULL,
						      .target = mp_xstrdup(target),
						      .ok = !cause,
						      .cause = cause ? mp_xstrdup(cause) : NULL,
						      .text = text ? mp_xstrdup(text) : NULL,
						      .ms = ms };
}

static void add_pairs(struct scene *s)
{
	for (size_t a = 0; a < 3; a++)
		for (size_t b = 0; b < 3; b++) {
			struct mp_pair *p;

			if (a == b)
				continue;
			p = mp_run_add_pair(&s->run);
			p->source = a;
			p->target = b;
			p->tried = a != 2 && b != 2;
			if (!p->tried)
				p->why = mp_xstrdup("compute03 was not reached");
			else if (a == 1)
				add_trial(p, "ssh", "nova", "compute01", NULL, NULL, 190);
			else {
				add_trial(p, "ssh", "nova", "compute02", "shell",
					  "This account is currently not available.", 210);
				add_trial(p, "tcp", NULL, "10.0.0.2:49200", NULL, NULL, 1);
			}
		}
	s->run.n_pairs_untried = 4;
}

static void add_moves(struct scene *s)
{
	struct mp_move *m = mp_run_add_move(&s->run);

	m->target = 1;
	m->mode = mp_xstrdup("precopy");
	m->domain = mp_xstrdup("migprep-probe");
	m->uuid = mp_xstrdup("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
	m->outcome = mp_xstrdup("ok");
	m->running_on = mp_xstrdup("compute02");
	m->total_ms = 2104;
	m->downtime_ms = 87;
	m->guest_pause_ms = 92;
	m->transferred_bytes = 12345678;
	m->memory_verified = 1;
	m->proof = json_pack("{s:b}", "source_gone", 1);
	m = mp_run_add_move(&s->run);
	m->source = 1;
	m->mode = mp_xstrdup("precopy");
	m->domain = mp_xstrdup("migprep-probe");
	m->outcome = mp_xstrdup("failed");
	m->reason = mp_xstrdup("guest\033[2J lost\nits \303\251 \377 \342\200\256way");
	m->remedy = mp_xstrdup("look at the link\nand at the target");
	m->running_on = mp_xstrdup("compute02");
	m->total_ms = 60000;
}

static void add_applied(struct scene *s)
{
	struct mp_applied *a;

	for (size_t h = 0; h < 2; h++) {
		a = mp_run_add_applied(&s->run);
		a->host = h;
		a->resource = "nova-shell";
		a->changes = json_pack(
			"[o]", change("/etc/passwd nova shell", "/usr/sbin/nologin", "/bin/bash"));
	}
	a = mp_run_add_applied(&s->run);
	a->host = 1;
	a->resource = "nova-conf";
	a->changes = json_pack("[o,o]", change("[vnc] server_listen", NULL, "0.0.0.0"),
			       change("[vnc] vncserver_listen", "127.0.0.1", NULL));
	mp_err_set(&a->err, MP_E_SYS, "write /etc/nova/nova.conf: No space left on device");
}

/* Three hosts, the third one down, and one that was not asked for. */
static void scene_whole(struct scene *s)
{
	scene_init(s, 4, "compute%02d");
	free(s->inv.hosts[3].name);
	s->inv.hosts[3].name = mp_xstrdup("nfs1");
	s->inv.hosts[0].migration_address = mp_xstrdup("10.1.0.1");
	s->world.hosts[3].selected = s->world.hosts[3].reached = false;
	s->world.hosts[2].reached = false;
	mp_err_set(&s->world.hosts[2].err, MP_E_TIMEOUT, "connect to 10.0.0.3 port 22: no answer");
	add_findings(s);
	add_pairs(s);
	add_moves(s);
	add_applied(s);
}

/* ---- writing and comparing ---- */

static char *written(const struct scene *s, const char *format, struct mp_report_opts opts)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	struct mp_err err = { 0 };

	for (size_t i = 0; mp_reports[i]; i++)
		if (strcmp(mp_reports[i]->name, format) == 0)
			assert_int_equal(mp_reports[i]->write(&s->run, &opts, f, &err), 0);
	fclose(f);
	assert_true(size > 0);
	return text;
}

static char *golden_path(const char *name)
{
	const char *srcdir = getenv("SRCDIR");

	return mp_xasprintf("%s/tests/report/%s", srcdir ? srcdir : ".", name);
}

static void assert_golden(const char *text, const char *name)
{
	mp_auto_free char *path = golden_path(name), *want = mp_xcalloc(1, 65536);
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(want, 1, 65535, f);
	fclose(f);
	assert_true(n > 0);
	assert_string_equal(text, want);
}

static void test_text(void **state)
{
	struct scene s;
	char *text;

	(void)state;
	scene_whole(&s);
	text = written(&s, "text", (struct mp_report_opts){ 0 });
	assert_golden(text, "whole.txt");
	free(text);
	scene_fini(&s);
}

static void test_text_verbose_and_colour(void **state)
{
	struct scene s;
	char *text;

	(void)state;
	scene_whole(&s);
	text = written(&s, "text", (struct mp_report_opts){ .verbose = true });
	assert_non_null(strstr(text, "\n  ok       host-reach        compute[01-02]\n"));
	assert_non_null(strstr(text, "\n  ok       mesh-port         all hosts: 2 of 6 pairs, 2 "
				     "connections\n"));
	assert_null(strchr(text, '\033'));
	free(text);
	text = written(&s, "text", (struct mp_report_opts){ .colour = true });
	assert_non_null(strstr(text, "  \033[31mfail    \033[0m host-reach"));
	assert_null(strstr(text, "\033[2J")); /* what the guest said */
	free(text);
	scene_fini(&s);
}

static void test_dry_run(void **state)
{
	struct scene s;
	char *text;

	(void)state;
	scene_init(&s, 2, "h%d");
	s.run.dry_run = true;
	text = written(&s, "text", (struct mp_report_opts){ 0 });
	assert_non_null(strstr(text, "\nChanges: apply would change nothing\n"));
	assert_non_null(strstr(text, "\nVerdict: all in order (exit status 0)\n"));
	free(text);
	host_finding(&s, "nova-shell", 1, MP_DRIFT, "differs", "run migprep apply");
	s.run.findings.v[0].changes = json_pack("[o]", change("shell", "a\nb", "c"));
	text = written(&s, "text", (struct mp_report_opts){ 0 });
	assert_non_null(strstr(text, "\nChanges: 1 would be made by apply; nothing was touched\n"
				     "  would    nova-shell  h2\n"
				     "             shell: a b -> c\n"));
	free(text);
	scene_fini(&s);
}

static void test_json(void **state)
{
	struct scene s;
	json_error_t where;
	json_t *doc;
	char *text;

	(void)state;
	scene_whole(&s);
	text = written(&s, "json", (struct mp_report_opts){ 0 });
	doc = json_loads(text, JSON_REJECT_DUPLICATES, &where);
	assert_non_null(doc);
	assert_int_equal(json_integer_value(json_object_get(doc, "schema")), 1);
	assert_int_equal(json_array_size(json_object_get(doc, "pairs")), 6);
	json_decref(doc);
	assert_golden(text, "whole.json");
	free(text);
	scene_fini(&s);
}

/* An empty run is a document too. */
static void test_json_empty(void **state)
{
	struct scene s;
	json_t *doc;
	char *text;

	(void)state;
	scene_init(&s, 1, "h%d");
	s.run.interrupted = true;
	text = written(&s, "json", (struct mp_report_opts){ 0 });
	doc = json_loads(text, 0, NULL);
	assert_non_null(doc);
	assert_true(json_is_array(json_object_get(doc, "moves")));
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(doc, "summary"), "exit_status")),
		130);
	json_decref(doc);
	free(text);
	scene_fini(&s);
}

/* Pair findings of checks without a mesh: a pair that was not tried is not one that failed. */
static void test_json_pairs_without_mesh(void **state)
{
	struct scene s;
	json_t *doc, *pair;
	char *text;

	(void)state;
	scene_init(&s, 3, "h%d");
	mp_findings_add(&s.run.findings, "cpu", MP_SCOPE_PAIR, 2, 0, MP_FAIL, "r", "b");
	mp_findings_add(&s.run.findings, "cpu", MP_SCOPE_PAIR, 0, 1, MP_OK, NULL, NULL);
	mp_findings_add(&s.run.findings, "abi", MP_SCOPE_PAIR, 2, 0, MP_OK, NULL, NULL);
	text = written(&s, "json", (struct mp_report_opts){ 0 });
	doc = json_loads(text, 0, NULL);
	assert_non_null(doc);
	assert_int_equal(json_array_size(json_object_get(doc, "pairs")), 2);
	pair = json_array_get(json_object_get(doc, "pairs"), 1);
	assert_string_equal(json_string_value(json_object_get(pair, "source")), "h3");
	assert_true(json_is_null(json_object_get(pair, "ok")));
	assert_int_equal(json_array_size(json_object_get(pair, "results")), 2);
	json_decref(doc);
	free(text);
	scene_fini(&s);
}

/* A second opinion on the bytes: the tools that people will read them with. */
static void assert_tool(const char *command, const char *text)
{
	FILE *p = popen(command, "w");

	assert_non_null(p);
	assert_true(fputs(text, p) >= 0);
	assert_int_equal(pclose(p), 0);
}

static void test_junit(void **state)
{
	struct scene s;
	char *text;

	(void)state;
	scene_whole(&s);
	text = written(&s, "junit", (struct mp_report_opts){ 0 });
	assert_golden(text, "whole.xml");
	free(text);
	scene_fini(&s);
}

static void test_tools_read_it(void **state)
{
	struct scene s;
	char *xml, *json;

	(void)state;
	if (system("command -v xmllint >/dev/null && command -v jq >/dev/null") != 0) {
		print_message("xmllint or jq is not installed\n");
		skip();
	}
	scene_whole(&s);
	xml = written(&s, "junit", (struct mp_report_opts){ 0 });
	json = written(&s, "json", (struct mp_report_opts){ 0 });
	assert_tool("xmllint --noout -", xml);
	assert_tool("xmllint --xpath 'count(//testcase)' - | grep -qx 24", xml);
	assert_tool("xmllint --xpath 'count(//failure)' - | grep -qx 7", xml);
	assert_tool("xmllint --xpath 'count(//testsuite/testcase/skipped)' - | grep -qx 6", xml);
	assert_tool("jq -e '.schema == 1 and ([.hosts[].results[] | select(.status == \"drift\")]"
		    " | length) == 2 and .moves[0].memory_verified' >/dev/null",
		    json);
	assert_tool("jq -e '[.pairs[] | select(.tried | not) | .why] | unique =="
		    " [\"compute03 was not reached\"]' >/dev/null",
		    json);
	free(xml);
	free(json);
	scene_fini(&s);
}

static void test_full_disk(void **state)
{
	struct mp_report_opts opts = { 0 };
	struct scene s;

	(void)state;
	scene_whole(&s);
	for (size_t i = 0; mp_reports[i]; i++) {
		FILE *f = fopen("/dev/full", "w");
		struct mp_err err = { 0 };

		assert_non_null(f);
		assert_int_equal(mp_reports[i]->write(&s.run, &opts, f, &err), -1);
		assert_int_equal(err.code, MP_E_SYS);
		fclose(f);
	}
	scene_fini(&s);
}

/* ---- folding ---- */

static void test_fold_many(void **state)
{
	struct scene s;
	char *text;

	(void)state;
	scene_init(&s, 998, "compute%03d");
	for (ssize_t h = 0; h < 998; h++)
		host_finding(&s, "nova-shell", h, h < 98 ? MP_DRIFT : MP_OK, "is nologin",
			     "run migprep apply");
	text = written(&s, "text", (struct mp_report_opts){ .verbose = true });
	assert_non_null(strstr(text, "  drift    nova-shell  compute[001-098]: is nologin\n"));
	assert_non_null(strstr(text, "  ok       nova-shell  compute[099-998]"));
	free(text);
	scene_fini(&s);
}

/* The same of one host twice is one host. */
static void test_fold_same_host(void **state)
{
	static const size_t hosts[] = { 1, 1, 2, 1 };
	mp_auto_free char *text = NULL;
	struct scene s;

	(void)state;
	scene_init(&s, 3, "h%d");
	text = mp_fold_hosts(&s.inv, hosts, MP_N_ELEMS(hosts));
	assert_string_equal(text, "h[2-3]");
	scene_fini(&s);
}

/* What differs only in the host's own name is one line; a text that is said of one host stays as it
 * is. */
static void test_fold_own_names(void **state)
{
	struct scene s;
	char *text;

	(void)state;
	scene_init(&s, 12, "h%d");
	for (ssize_t h = 0; h < 12; h++) {
		mp_auto_free char *reason =
			mp_xasprintf("key of h%zd (10.0.0.%zd) is not there", h + 1, h + 1);
		struct mp_applied *a = mp_run_add_applied(&s.run);

		host_finding(&s, "ssh-keys", h, MP_DRIFT, reason, "run migprep apply");
		a->host = (size_t)h;
		a->resource = "nova-conf";
		a->changes = json_pack("[o]", change("addr", NULL, s.inv.hosts[h].address));
	}
	host_finding(&s, "versions", 10, MP_FAIL, "h1 and h11 and h111 differ", "");
	text = written(&s, "text", (struct mp_report_opts){ 0 });
	assert_non_null(strstr(text,
			       "  drift    ssh-keys   h[1-12]: key of <host> (<address>) is not "
			       "there\n"));
	assert_non_null(strstr(text, "  done     nova-conf  h[1-12]\n"
				     "             addr: (absent) -> <address>\n"));
	assert_non_null(strstr(text, "  fail     versions   h11: h1 and h11 and h111 differ\n"));
	free(text);
	scene_fini(&s);
}

static void test_own_words(void **state)
{
	static const struct mp_report_own own[] = {
		{ "h1", "<host>" }, { "10.0.0.1", "<address>" }, { NULL, "<none>" }, { "", "<e>" }
	};
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "" },
		{ "h1", "<host>" },
		{ "h1.", "<host>." },
		{ "h1.lab", "h1.lab" },
		{ "xh1 h11 h1-mig ah1", "xh1 h11 h1-mig ah1" },
		{ "root@h1,h1: 10.0.0.1:22 10.0.0.11 110.0.0.1", "root@<host>,<host>: <address>:22 "
								 "10.0.0.11 110.0.0.1" },
	};

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(rows); i++) {
		mp_auto_free char *got = mp_report_own(rows[i].in, own, MP_N_ELEMS(own));

		assert_string_equal(got, rows[i].want);
	}
}

static char *fold(const struct scene *s, const struct mp_fold_pair *pairs, size_t n)
{
	mp_auto_strv struct mp_strv lines = { 0 };
	mp_auto_buf struct mp_buf b;

	mp_buf_init(&b, 0);
	mp_fold_pairs(&s->inv, pairs, n, &lines);
	for (size_t i = 0; i < lines.n; i++)
		mp_buf_printf(&b, "%s%s", i ? "; " : "", lines.v[i]);
	return mp_buf_take(&b);
}

static void test_fold_pairs(void **state)
{
	static const struct {
		struct mp_fold_pair pairs[20];
		size_t n;
		const char *want;
	} rows[] = {
		{ { { 0, 1 } }, 1, "h1 -> h2" },
		{ { { 0, 1 }, { 1, 0 } }, 2, "h[1-2] -> h[1-2]" },
		{ { { 0, 4 }, { 1, 4 }, { 3, 4 } }, 3, "h[1-2,4] -> h5" },
		{ { { 4, 0 }, { 4, 1 }, { 4, 2 }, { 4, 3 } }, 4, "h5 -> h[1-4]" },
		{ { { 0, 2 }, { 1, 2 }, { 0, 3 }, { 1, 3 } }, 4, "h[1-2] -> h[3-4]" },
		{ { { 0, 1 }, { 0, 2 }, { 1, 0 }, { 1, 2 }, { 2, 0 }, { 2, 1 } },
		  6,
		  "h[1-3] -> h[1-3]" },
		{ { { 0, 1 }, { 2, 3 } }, 2, "h1 -> h2; h3 -> h4" },
	};
	struct scene s;

	(void)state;
	scene_init(&s, 5, "h%d");
	for (size_t i = 0; i < MP_N_ELEMS(rows); i++) {
		mp_auto_free char *got = fold(&s, rows[i].pairs, rows[i].n);

		assert_string_equal(got, rows[i].want);
	}
	scene_fini(&s);
}

#define SIDE 7

static size_t number_of(const char *name)
{
	return (size_t)strtol(name + 1, NULL, 10) - 1;
}

/* The pairs that a line stands for, by the rule of the header, with the inverse of the fold. */
static void unfold(const char *line, bool got[SIDE][SIDE])
{
	mp_auto_strv struct mp_strv from = { 0 }, to = { 0 };
	const char *arrow = strstr(line, " -> ");
	mp_auto_free char *left = mp_xstrndup(line, (size_t)(arrow - line));

	assert_int_equal(mp_range_expand(left, 100, &from, NULL), 0);
	assert_int_equal(mp_range_expand(arrow + 4, 100, &to, NULL), 0);
	for (size_t i = 0; i < from.n; i++)
		for (size_t k = 0; k < to.n; k++) {
			size_t a = number_of(from.v[i]), b = number_of(to.v[k]);

			if (a == b)
				continue;
			assert_false(got[a][b]); /* no pair twice */
			got[a][b] = true;
		}
}

static void test_fold_is_exact(void **state)
{
	struct scene s;
	unsigned int seed = 1;

	(void)state;
	scene_init(&s, SIDE, "h%d");
	for (int round = 0; round < 2000; round++) {
		bool want[SIDE][SIDE] = { 0 }, got[SIDE][SIDE] = { 0 };
		struct mp_fold_pair pairs[SIDE * SIDE];
		mp_auto_strv struct mp_strv lines = { 0 };
		int density = round % 10;
		size_t n = 0;

		for (size_t a = 0; a < SIDE; a++)
			for (size_t b = 0; b < SIDE; b++)
				if (a != b && (int)(rand_r(&seed) % 10) <= density) {
					want[a][b] = true;
					pairs[n++] = (struct mp_fold_pair){ a, b };
				}
		mp_fold_pairs(&s.inv, pairs, n, &lines);
		for (size_t i = 0; i < lines.n; i++)
			unfold(lines.v[i], got);
		assert_memory_equal(want, got, sizeof(want));
	}
	scene_fini(&s);
}

/* ---- cleaning ---- */

static void test_clean(void **state)
{
	static const struct {
		const char *in;
		size_t max;
		bool lines;
		const char *want;
	} rows[] = {
		{ NULL, 0, false, "" },
		{ "plain", 0, false, "plain" },
		{ "a\tb\nc", 0, false, "a b c" },
		{ "a\tb\nc", 0, true, "a b\nc" },
		{ "\r\a\033]0;x\a\177", 0, false, "???]0;x??" },
		{ "\303\251", 0, false, "\303\251" }, /* e acute */
		{ "\300\257", 0, false, "??" },       /* slash in two bytes */
		{ "\355\240\200", 0, false, "???" },  /* a surrogate */
		{ "\302\233[2J", 0, false, "?[2J" },  /* C1 CSI */
		{ "\342\200\256x", 0, false, "?x" },  /* right-to-left override */
		{ "\357\277\277", 0, false, "?" },    /* U+FFFF: not in XML */
		{ "\360\237\230\200", 0, false, "\360\237\230\200" },
		{ "\360\237", 0, false, "??" }, /* cut short */
		{ "abcdef", 3, false, "abc..." },
		{ "ab\303\251", 3, false, "ab..." },
		{ "abc", 3, false, "abc" },
	};

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(rows); i++) {
		mp_auto_free char *got = mp_report_clean(rows[i].in, rows[i].max, rows[i].lines);

		assert_string_equal(got, rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_verbose_and_colour),
		cmocka_unit_test(test_dry_run),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_empty),
		cmocka_unit_test(test_json_pairs_without_mesh),
		cmocka_unit_test(test_junit),
		cmocka_unit_test(test_tools_read_it),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_fold_many),
		cmocka_unit_test(test_fold_same_host),
		cmocka_unit_test(test_fold_own_names),
		cmocka_unit_test(test_own_words),
		cmocka_unit_test(test_fold_pairs),
		cmocka_unit_test(test_fold_is_exact),
		cmocka_unit_test(test_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
