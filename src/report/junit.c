/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * junit: the report for continuous integration. One suite per host, and one each for the cluster,
 * the pairs, what apply did and the moves. drift and fail are failures, unknown is an error, skip
 * is skipped, warn passes with output.
 */
#include "config.h"
#include "report/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "report/fold.h"
#include "report/words.h"

struct tally {
	size_t tests, failures, errors, skipped;
};

struct out {
	const struct mp_run *run;
	const struct mp_inventory *inv;
	struct mp_by_host by_host;
	FILE *file;
	bool counting; /* nothing is written: the counts stand in front of what they count */
	struct tally n;
	char *suite;
};

static void put_escaped(FILE *f, const char *s)
{
	mp_auto_free char *clean = mp_report_clean(s, 0, true);

	for (const char *p = clean; *p; p++) {
		switch (*p) {
		case '&':
			fputs("&amp;", f);
			break;
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		case '\n':
			fputs("&#10;", f);
			break;
		default:
			fputc(*p, f);
		}
	}
}

static void put_attr(FILE *f, const char *name, const char *value)
{
	fprintf(f, " %s=\"", name);
	put_escaped(f, value);
	fputc('"', f);
}

static void put_time(FILE *f, long long ms)
{
	fprintf(f, " time=\"%lld.%03lld\"", ms / 1000, ms % 1000);
}

/* What a status becomes: an element's name, NULL for none. */
static const char *const elements[MP_N_STATUS] = {
	[MP_OK] = NULL,         [MP_SKIP] = "skipped",  [MP_WARN] = "system-out",
	[MP_DRIFT] = "failure", [MP_UNKNOWN] = "error", [MP_FAIL] = "failure",
};

static void count_case(struct tally *n, enum mp_status status)
{
	const char *e = elements[status];

	n->tests++;
	n->failures += e && strcmp(e, "failure") == 0;
	n->errors += e && strcmp(e, "error") == 0;
	n->skipped += e && strcmp(e, "skipped") == 0;
}

static void put_verdict(FILE *f, enum mp_status status, const char *reason, const char *remedy)
{
	const char *e = elements[status];

	fprintf(f, "   <%s", e);
	if (status != MP_WARN)
		put_attr(f, "message", reason);
	if (status == MP_SKIP) {
		fputs("/>\n", f);
		return;
	}
	if (status != MP_WARN)
		put_attr(f, "type", mp_status_name(status));
	fputc('>', f);
	put_escaped(f, reason);
	if (remedy && *remedy) {
		fputs("&#10;remedy: ", f);
		put_escaped(f, remedy);
	}
	fprintf(f, "</%s>\n", e);
}

/* One case, in either pass. ms -1: no time known. */
static void put_case(struct out *o, const char *name, enum mp_status status, const char *reason,
		     const char *remedy, long long ms)
{
	if (o->counting) {
		count_case(&o->n, status);
		return;
	}
	fputs("  <testcase", o->file);
	put_attr(o->file, "classname", o->suite);
	put_attr(o->file, "name", name);
	put_time(o->file, ms < 0 ? 0 : ms);
	if (!elements[status]) {
		fputs("/>\n", o->file);
		return;
	}
	fputs(">\n", o->file);
	put_verdict(o->file, status, reason ? reason : "", remedy);
	fputs("  </testcase>\n", o->file);
}

static const char *host_name(const struct out *o, ssize_t host)
{
	return o->inv->hosts[host].name;
}

static void host_cases(struct out *o, size_t h)
{
	for (size_t i = o->by_host.start[h]; i < o->by_host.start[h + 1]; i++) {
		const struct mp_finding *f = &o->run->findings.v[o->by_host.order[i]];

		put_case(o, f->id, f->status, f->reason, f->remedy, -1);
	}
}

static void cluster_cases(struct out *o, size_t unused)
{
	(void)unused;
	for (size_t i = 0; i < o->run->findings.n; i++) {
		const struct mp_finding *f = &o->run->findings.v[i];
		mp_auto_free char *name = NULL;

		if (f->scope != MP_SCOPE_CLUSTER)
			continue;
		name = f->host < 0 ? mp_xstrdup(f->id)
				   : mp_xasprintf("%s %s", f->id, host_name(o, f->host));
		put_case(o, name, f->status, f->reason, f->remedy, -1);
	}
}

/* Failed pairs stand here by their findings, the others by themselves. */
static void pair_cases(struct out *o, size_t unused)
{
	(void)unused;
	for (size_t i = 0; i < o->run->n_pairs; i++) {
		const struct mp_pair *p = &o->run->pairs[i];
		mp_auto_free char *name = NULL;

		if (mp_report_pair_failed(p))
			continue;
		name = mp_xasprintf("mesh %s -> %s", o->inv->hosts[p->source].name,
				    o->inv->hosts[p->target].name);
		put_case(o, name, p->tried ? MP_OK : MP_SKIP, p->why, NULL, -1);
	}
	for (size_t i = 0; i < o->run->findings.n; i++) {
		const struct mp_finding *f = &o->run->findings.v[i];
		mp_auto_free char *name = NULL;

		if (f->scope != MP_SCOPE_PAIR)
			continue;
		name = mp_xasprintf("%s %s -> %s", f->id, host_name(o, f->host),
				    host_name(o, f->peer));
		put_case(o, name, f->status, f->reason, f->remedy, -1);
	}
}

static void apply_cases(struct out *o, size_t unused)
{
	(void)unused;
	for (size_t i = 0; i < o->run->n_applied; i++) {
		const struct mp_applied *a = &o->run->applied[i];
		mp_auto_free char *name =
			mp_xasprintf("%s %s", a->resource, o->inv->hosts[a->host].name);

		put_case(o, name, a->err.code == MP_E_NONE ? MP_OK : MP_FAIL, a->err.text, NULL,
			 -1);
	}
}

static void move_cases(struct out *o, size_t unused)
{
	(void)unused;
	for (size_t i = 0; i < o->run->n_moves; i++) {
		const struct mp_move *m = &o->run->moves[i];
		mp_auto_free char *name =
			mp_xasprintf("%s -> %s %s", o->inv->hosts[m->source].name,
				     o->inv->hosts[m->target].name, m->mode ? m->mode : "precopy");
		bool ok = m->outcome && strcmp(m->outcome, "ok") == 0;

		put_case(o, name, ok ? MP_OK : MP_FAIL, m->reason ? m->reason : m->outcome,
			 m->remedy, m->total_ms);
	}
}

/* Counts, then writes; a suite without a case is left out. */
static void put_suite(struct out *o, char *name, void (*cases)(struct out *, size_t), size_t arg)
{
	free(o->suite);
	o->suite = name;
	o->n = (struct tally){ 0 };
	o->counting = true;
	cases(o, arg);
	if (!o->n.tests)
		return;
	o->counting = false;
	fputs(" <testsuite", o->file);
	put_attr(o->file, "name", name);
	fprintf(o->file, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\">\n",
		o->n.tests, o->n.failures, o->n.errors, o->n.skipped);
	cases(o, arg);
	fputs(" </testsuite>\n", o->file);
}

static struct tally count_all(struct out *o)
{
	o->n = (struct tally){ 0 };
	o->counting = true;
	for (size_t h = 0; h < o->inv->n_hosts; h++)
		host_cases(o, h);
	cluster_cases(o, 0);
	pair_cases(o, 0);
	apply_cases(o, 0);
	move_cases(o, 0);
	return o->n;
}

static int write_junit(const struct mp_run *run, const struct mp_report_opts *opts, FILE *file,
		       struct mp_err *err)
{
	struct out o = { .run = run, .inv = run->world->inv, .file = file };
	struct tally n;

	(void)opts;
	mp_by_host_make(run, &o.by_host);
	n = count_all(&o);
	fprintf(file,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"migprep\" "
		"tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"",
		n.tests, n.failures, n.errors, n.skipped);
	put_time(file, run->duration_ms);
	fputs(">\n", file);
	for (size_t h = 0; h < o.inv->n_hosts; h++)
		put_suite(&o, mp_xasprintf("host.%s", o.inv->hosts[h].name), host_cases, h);
	put_suite(&o, mp_xstrdup("cluster"), cluster_cases, 0);
	put_suite(&o, mp_xstrdup("pairs"), pair_cases, 0);
	put_suite(&o, mp_xstrdup("apply"), apply_cases, 0);
	put_suite(&o, mp_xstrdup("moves"), move_cases, 0);
	fputs("</testsuites>\n", file);
	free(o.suite);
	mp_by_host_fini(&o.by_host);
	if (fflush(file) != 0 || ferror(file))
		return mp_err_sys(err, errno, "write JUnit report");
	return 0;
}

const struct mp_report mp_report_junit = {
	.name = "junit",
	.summary = "for continuous integration: JUnit XML",
	.write = write_junit,
};
