/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * text: the report for people. Equal results are folded, the worst of a section stands last, and
 * the last line is the verdict: on a terminal that is what remains in view.
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

#define MAX_TEXT 600    /* bytes of one reason or remedy */
#define MAX_VALUE 120   /* bytes of a value before or after a change */
#define MAX_LINES 20    /* detail lines of one entry, unless verbose */
#define MAX_ID_WIDTH 28 /* longer ids push their line to the right */
#define INDENT "             "

struct text {
	const struct mp_run *run;
	const struct mp_inventory *inv;
	const struct mp_report_opts *opts;
	struct mp_report_counts n;
	FILE *out;
	int id_width;
};

/* From harmless to worst; the order of a section. */
static const struct {
	int rank;
	const char *colour;
} looks[MP_N_STATUS] = {
	[MP_OK] = { 0, "32" },    [MP_SKIP] = { 1, "2" },     [MP_WARN] = { 2, "33" },
	[MP_DRIFT] = { 3, "33" }, [MP_UNKNOWN] = { 4, "35" }, [MP_FAIL] = { 5, "31" },
};

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void put_word(const struct text *t, const char *colour, const char *word)
{
	if (t->opts->colour)
		fprintf(t->out, "  \033[%sm%-8s\033[0m ", colour, word);
	else
		fprintf(t->out, "  %-8s ", word);
}

static void put_clean(const struct text *t, const char *s, size_t max)
{
	mp_auto_free char *clean = mp_report_clean(s, max, false);

	fputs(clean, t->out);
}

/* Indented lines under an entry, one for each line of s. */
static void put_detail(const struct text *t, const char *label, const char *s)
{
	mp_auto_free char *clean = mp_report_clean(s, MAX_TEXT, true);
	mp_auto_strv struct mp_strv lines = { 0 };

	mp_str_split(clean, "\n", &lines);
	for (size_t i = 0; i < lines.n; i++)
		fprintf(t->out, INDENT "%s%s\n", i ? "" : label, lines.v[i]);
}

static void put_more(const struct text *t, size_t n)
{
	fprintf(t->out, INDENT "... and %zu more (--verbose shows them)\n", n);
}

/* The first line of an entry: what, where, why. */
static void put_entry(const struct text *t, const char *colour, const char *word, const char *id,
		      const char *subject, const char *reason)
{
	put_word(t, colour, word);
	fprintf(t->out, "%-*s  ", t->id_width, id);
	put_clean(t, subject, 0);
	if (reason && *reason) {
		fputs(": ", t->out);
		put_clean(t, reason, MAX_TEXT);
	}
	fputc('\n', t->out);
}

/* ---- what differs only in the host's own name ---- */

#define MAX_OWN 4

static size_t own_of_host(const struct mp_host *h, struct mp_report_own ret[MAX_OWN])
{
	ret[0] = (struct mp_report_own){ h->name, "<host>" };
	ret[1] = (struct mp_report_own){ h->address, "<address>" };
	ret[2] = (struct mp_report_own){ h->migration_address, "<migration address>" };
	return 3;
}

static size_t own_of_finding(const struct text *t, const struct mp_finding *f,
			     struct mp_report_own ret[MAX_OWN])
{
	const struct mp_host *hosts = t->inv->hosts;

	if (f->host < 0)
		return 0;
	if (f->peer < 0)
		return own_of_host(&hosts[f->host], ret);
	ret[0] = (struct mp_report_own){ hosts[f->host].name, "<source>" };
	ret[1] = (struct mp_report_own){ hosts[f->peer].name, "<target>" };
	return 2;
}

/* Folds, lets mark() rewrite the text of every item that stayed alone, and folds again. */
static void fold_twice(size_t *items, size_t n, int (*cmp)(size_t a, size_t b, const void *arg),
		       void (*mark)(size_t item, void *arg), void *arg, struct mp_fold *ret)
{
	mp_auto_fold struct mp_fold first = { 0 };

	mp_fold_make(items, n, cmp, arg, &first);
	for (size_t g = 0; g < first.n_groups; g++)
		if (first.groups[g + 1] - first.groups[g] == 1)
			mark(first.order[first.groups[g]], arg);
	mp_fold_make(mp_steal(&first.order), n, cmp, arg, ret);
}

/* ---- changes ---- */

static void put_value(const struct text *t, const char *s, size_t max,
		      const struct mp_report_own *own, size_t n_own)
{
	mp_auto_free char *text = mp_report_own(s ? s : "", own, n_own);

	put_clean(t, text, max);
}

static void put_change(const struct text *t, const json_t *change, const struct mp_report_own *own,
		       size_t n_own)
{
	const char *before = json_string_value(json_object_get(change, "before"));
	const char *after = json_string_value(json_object_get(change, "after"));
	const char *what = json_string_value(json_object_get(change, "what"));

	fputs(INDENT, t->out);
	put_value(t, what, MAX_TEXT, own, n_own);
	fputs(": ", t->out);
	put_value(t, before ? before : "(absent)", MAX_VALUE, own, n_own);
	fputs(" -> ", t->out);
	put_value(t, after ? after : "(removed)", MAX_VALUE, own, n_own);
	fputc('\n', t->out);
}

static void put_changes(const struct text *t, const json_t *changes,
			const struct mp_report_own *own, size_t n_own)
{
	size_t n = json_array_size(changes), shown = n;

	if (!t->opts->verbose && shown > MAX_LINES)
		shown = MAX_LINES;
	for (size_t i = 0; i < shown; i++)
		put_change(t, json_array_get(changes, i), own, n_own);
	if (shown < n)
		put_more(t, n - shown);
}

/* One resource of one host, made or only foreseen. */
struct entry {
	const char *id;
	size_t host;
	const struct mp_err *err; /* NULL: no error */
	const json_t *changes;
	char *key;   /* the changes as text, for comparison; owned */
	bool marked; /* the host's own name in key is replaced */
};

struct entries {
	const struct text *t;
	struct entry *v;
	size_t n, n_changes, n_failed;
};

static void entries_fini(struct entries *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->v[i].key);
	free(e->v);
}

static void add_entry(struct entries *e, struct entry entry)
{
	entry.key = json_dumps(entry.changes, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	if (entry.err)
		e->n_failed++;
	else
		e->n_changes += json_array_size(entry.changes);
	e->v[e->n++] = entry;
}

static void collect_applied(const struct mp_run *run, struct entries *ret)
{
	ret->v = mp_xcalloc(run->n_applied + 1, sizeof(*ret->v));
	for (size_t i = 0; i < run->n_applied; i++) {
		const struct mp_applied *a = &run->applied[i];

		add_entry(ret, (struct entry){ .id = a->resource,
					       .host = a->host,
					       .err = a->err.code ? &a->err : NULL,
					       .changes = a->changes });
	}
}

static void collect_foreseen(const struct mp_run *run, struct entries *ret)
{
	ret->v = mp_xcalloc(run->findings.n + 1, sizeof(*ret->v));
	for (size_t i = 0; i < run->findings.n; i++) {
		const struct mp_finding *f = &run->findings.v[i];

		if (f->status == MP_DRIFT && f->host >= 0 && json_array_size(f->changes))
			add_entry(ret, (struct entry){ .id = f->id,
						       .host = (size_t)f->host,
						       .changes = f->changes });
	}
}

static int cmp_entries(size_t ia, size_t ib, const void *arg)
{
	const struct entries *e = arg;
	const struct entry *a = &e->v[ia], *b = &e->v[ib];
	int c = (a->err != NULL) - (b->err != NULL);

	if (c == 0)
		c = strcmp(a->id, b->id);
	if (c == 0 && a->err)
		c = strcmp(a->err->text, b->err->text);
	return c ? c : strcmp(a->key ? a->key : "", b->key ? b->key : "");
}

static void mark_entry(size_t i, void *arg)
{
	struct entries *e = arg;
	struct entry *entry = &e->v[i];
	struct mp_report_own own[MAX_OWN];
	size_t n = own_of_host(&e->t->inv->hosts[entry->host], own);
	char *marked;

	if (!entry->key)
		return;
	marked = mp_report_own(entry->key, own, n);
	free(entry->key);
	entry->key = marked;
	entry->marked = true;
}

static size_t *count_up(size_t n)
{
	size_t *v = mp_xcalloc(n + 1, sizeof(*v));

	for (size_t i = 0; i < n; i++)
		v[i] = i;
	return v;
}

static void put_entry_group(const struct text *t, const struct entry *v, const size_t *order,
			    size_t n, const char *done)
{
	const struct entry *e = &v[order[0]];
	mp_auto_free size_t *hosts = mp_xcalloc(n, sizeof(*hosts));
	mp_auto_free char *names = NULL;
	struct mp_report_own own[MAX_OWN];
	size_t n_own = n > 1 && e->marked ? own_of_host(&t->inv->hosts[e->host], own) : 0;

	for (size_t i = 0; i < n; i++)
		hosts[i] = v[order[i]].host;
	names = mp_fold_hosts(t->inv, hosts, n);
	put_entry(t, looks[e->err ? MP_FAIL : MP_OK].colour, e->err ? "failed" : done, e->id, names,
		  e->err ? e->err->text : NULL);
	put_changes(t, e->changes, own, n_own);
}

static void put_section_changes(struct text *t)
{
	const struct mp_run *run = t->run;
	bool foreseen = run->dry_run && run->n_applied == 0;
	mp_auto_fold struct mp_fold fold = { 0 };
	struct entries e = { .t = t };

	if (foreseen)
		collect_foreseen(run, &e);
	else
		collect_applied(run, &e);
	if (e.n) {
		fprintf(t->out, "\nChanges: %zu %s", e.n_changes,
			run->dry_run ? "would be made by apply; nothing was touched" : "made");
		if (e.n_failed)
			fprintf(t->out, ", %zu resource%s failed", e.n_failed, plural(e.n_failed));
		fputc('\n', t->out);
		fold_twice(count_up(e.n), e.n, cmp_entries, mark_entry, &e, &fold);
		for (size_t g = 0; g < fold.n_groups; g++)
			put_entry_group(t, e.v, fold.order + fold.groups[g],
					fold.groups[g + 1] - fold.groups[g],
					run->dry_run ? "would" : "done");
	} else if (run->dry_run) {
		fputs("\nChanges: apply would change nothing\n", t->out);
	}
	entries_fini(&e);
}

/* ---- findings ---- */

/* The findings, and what is said in place of a reason: the same without the host's own name. */
struct marks {
	const struct text *t;
	const struct mp_finding *v;
	char **said; /* by finding; NULL: its reason */
};

static int cmp_findings(size_t ia, size_t ib, const void *arg)
{
	const struct marks *m = arg;
	const struct mp_finding *a = &m->v[ia], *b = &m->v[ib];
	int c = looks[a->status].rank - looks[b->status].rank;

	if (c == 0)
		c = strcmp(a->id, b->id);
	if (c == 0)
		c = (int)a->scope - (int)b->scope;
	if (c == 0)
		c = strcmp(m->said[ia] ? m->said[ia] : a->reason,
			   m->said[ib] ? m->said[ib] : b->reason);
	return c ? c : strcmp(a->remedy, b->remedy);
}

static void mark_finding(size_t i, void *arg)
{
	struct marks *m = arg;
	struct mp_report_own own[MAX_OWN];
	size_t n = own_of_finding(m->t, &m->v[i], own);

	if (n)
		m->said[i] = mp_report_own(m->v[i].reason, own, n);
}

/* Who a group of equal findings is about; several lines of pairs go to `lines`. */
static char *subject_of(const struct text *t, const size_t *order, size_t n, struct mp_strv *lines)
{
	const struct mp_finding *v = t->run->findings.v, *f = &v[order[0]];
	mp_auto_free size_t *hosts = NULL;
	mp_auto_free struct mp_fold_pair *pairs = NULL;

	if (f->scope == MP_SCOPE_PAIR) {
		pairs = mp_xcalloc(n, sizeof(*pairs));
		for (size_t i = 0; i < n; i++)
			pairs[i] = (struct mp_fold_pair){ (size_t)v[order[i]].host,
							  (size_t)v[order[i]].peer };
		mp_fold_pairs(t->inv, pairs, n, lines);
		return lines->n == 1 ? mp_xstrdup(lines->v[0]) : mp_xasprintf("%zu pairs", n);
	}
	hosts = mp_xcalloc(n, sizeof(*hosts));
	for (size_t i = 0; i < n; i++) {
		if (v[order[i]].host < 0)
			return mp_xstrdup("all hosts");
		hosts[i] = (size_t)v[order[i]].host;
	}
	return mp_fold_hosts(t->inv, hosts, n);
}

static void put_lines(const struct text *t, const struct mp_strv *lines)
{
	size_t shown = t->opts->verbose || lines->n <= MAX_LINES ? lines->n : MAX_LINES;

	if (lines->n < 2)
		return;
	for (size_t i = 0; i < shown; i++)
		fprintf(t->out, INDENT "%s\n", lines->v[i]);
	if (shown < lines->n)
		put_more(t, lines->n - shown);
}

/* The remedy of drift is apply, and the verdict says so once. */
static bool wants_remedy(const struct text *t, enum mp_status status)
{
	return status == MP_WARN || status == MP_UNKNOWN || status == MP_FAIL ||
	       (status == MP_DRIFT && t->opts->verbose);
}

static void put_finding_group(const struct text *t, const size_t *order, size_t n, const char *said)
{
	const struct mp_finding *f = &t->run->findings.v[order[0]];
	mp_auto_strv struct mp_strv lines = { 0 };
	mp_auto_free char *subject = NULL;

	if (f->status == MP_OK && !t->opts->verbose)
		return;
	subject = subject_of(t, order, n, &lines);
	put_entry(t, looks[f->status].colour, mp_status_name(f->status), f->id, subject,
		  n > 1 && said ? said : f->reason);
	put_lines(t, &lines);
	if (wants_remedy(t, f->status))
		put_detail(t, "remedy: ", f->remedy);
}

/* A move says itself what its finding says. */
static bool is_said_by_move(const struct mp_run *run, const struct mp_finding *f)
{
	return run->n_moves && f->scope == MP_SCOPE_PAIR && strcmp(f->id, "verify") == 0;
}

/* The findings of the pairs, or all the others. */
static void put_findings(const struct text *t, bool of_pairs)
{
	const struct mp_findings *all = &t->run->findings;
	size_t *items = mp_xcalloc(all->n + 1, sizeof(*items)), n = 0;
	struct marks m = { t, all->v, mp_xcalloc(all->n + 1, sizeof(*m.said)) };
	mp_auto_fold struct mp_fold fold = { 0 };

	for (size_t i = 0; i < all->n; i++)
		if ((all->v[i].scope == MP_SCOPE_PAIR) == of_pairs &&
		    !is_said_by_move(t->run, &all->v[i]))
			items[n++] = i;
	fold_twice(items, n, cmp_findings, mark_finding, &m, &fold);
	for (size_t g = 0; g < fold.n_groups; g++) {
		const size_t *group = fold.order + fold.groups[g];

		put_finding_group(t, group, fold.groups[g + 1] - fold.groups[g], m.said[*group]);
	}
	for (size_t i = 0; i < all->n; i++)
		free(m.said[i]);
	free(m.said);
}

static void put_section_hosts(const struct text *t)
{
	fprintf(t->out, "\nHosts: %zu of %zu reached", t->n.reached, t->n.selected);
	if (t->n.statuses[MP_OK])
		fprintf(t->out, ", %zu finding%s ok", t->n.statuses[MP_OK],
			plural(t->n.statuses[MP_OK]));
	fputc('\n', t->out);
	put_findings(t, false);
}

/* ---- pairs ---- */

static int cmp_untried(size_t ia, size_t ib, const void *arg)
{
	const struct mp_pair *v = arg;
	const char *a = v[ia].why, *b = v[ib].why;

	return strcmp(a ? a : "", b ? b : "");
}

static void put_untried_group(const struct text *t, const size_t *order, size_t n)
{
	const struct mp_pair *v = t->run->pairs;
	mp_auto_free struct mp_fold_pair *pairs = mp_xcalloc(n, sizeof(*pairs));
	mp_auto_strv struct mp_strv lines = { 0 };
	mp_auto_free char *subject = NULL;

	for (size_t i = 0; i < n; i++)
		pairs[i] = (struct mp_fold_pair){ v[order[i]].source, v[order[i]].target };
	mp_fold_pairs(t->inv, pairs, n, &lines);
	subject = lines.n == 1 ? mp_xstrdup(lines.v[0]) : mp_xasprintf("%zu pairs", n);
	put_entry(t, looks[MP_UNKNOWN].colour, "untried", "mesh", subject, v[order[0]].why);
	put_lines(t, &lines);
}

static void put_untried(const struct text *t)
{
	size_t *items = mp_xcalloc(t->run->n_pairs + 1, sizeof(*items)), n = 0;
	mp_auto_fold struct mp_fold fold = { 0 };

	for (size_t i = 0; i < t->run->n_pairs; i++)
		if (!t->run->pairs[i].tried)
			items[n++] = i;
	mp_fold_make(items, n, cmp_untried, t->run->pairs, &fold);
	for (size_t g = 0; g < fold.n_groups; g++)
		put_untried_group(t, fold.order + fold.groups[g],
				  fold.groups[g + 1] - fold.groups[g]);
}

/* One that will be shown. */
static bool any_pair_finding(const struct text *t)
{
	for (size_t i = 0; i < t->run->findings.n; i++) {
		const struct mp_finding *f = &t->run->findings.v[i];

		if (f->scope == MP_SCOPE_PAIR && (f->status != MP_OK || t->opts->verbose) &&
		    !is_said_by_move(t->run, f))
			return true;
	}
	return false;
}

static void put_section_pairs(const struct text *t)
{
	if (t->run->n_pairs) {
		fprintf(t->out, "\nPairs: %zu of %zu tried, %zu in order\n", t->n.pairs_tried,
			t->n.pairs, t->n.pairs_tried - t->n.pairs_failed);
		put_untried(t);
	} else if (any_pair_finding(t)) {
		fputs("\nPairs\n", t->out);
	}
	put_findings(t, true);
}

/* ---- moves ---- */

static void add_ms(struct mp_buf *b, const char *label, long long ms)
{
	if (ms >= 10000)
		mp_buf_printf(b, ", %s %lld.%lld s", label, ms / 1000, ms % 1000 / 100);
	else if (ms >= 0)
		mp_buf_printf(b, ", %s %lld ms", label, ms);
}

static void put_move(const struct text *t, const struct mp_move *m)
{
	bool ok = mp_str_eq(m->outcome, "ok");
	mp_auto_buf struct mp_buf b;

	mp_buf_init(&b, 0);
	mp_buf_printf(&b, "%s -> %s: %s", t->inv->hosts[m->source].name,
		      t->inv->hosts[m->target].name, m->mode ? m->mode : "precopy");
	add_ms(&b, "total", m->total_ms);
	add_ms(&b, "downtime", m->downtime_ms);
	add_ms(&b, "guest pause", m->guest_pause_ms);
	if (m->memory_verified >= 0)
		mp_buf_puts(&b, m->memory_verified ? ", memory verified" : ", memory differs");
	if (!ok && m->running_on)
		mp_buf_printf(&b, ", guest now on %s", m->running_on);
	if (!ok && m->reason)
		mp_buf_printf(&b, ": %s", m->reason);
	put_word(t, looks[ok ? MP_OK : MP_FAIL].colour, m->outcome ? m->outcome : "failed");
	put_clean(t, mp_buf_peek(&b), MAX_TEXT);
	fputc('\n', t->out);
	if (!ok && m->remedy)
		put_detail(t, "remedy: ", m->remedy);
}

static void put_section_moves(const struct text *t)
{
	if (!t->run->n_moves)
		return;
	fprintf(t->out, "\nMoves: %zu of %zu ok\n", t->n.moves_ok, t->n.moves);
	for (size_t i = 0; i < t->run->n_moves; i++)
		put_move(t, &t->run->moves[i]);
}

/* ---- head and foot ---- */

static void put_head(const struct text *t)
{
	const struct mp_run *run = t->run;
	const struct mp_world *w = run->world;
	char when[32] = "";
	struct tm tm;

	if (gmtime_r(&run->started, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	fprintf(t->out, "migprep %s %s, %s, %lld.%lld s\n", run->version ? run->version : "",
		run->command, when, run->duration_ms / 1000, run->duration_ms % 1000 / 100);
	fputs("inventory ", t->out);
	put_clean(t, w->inv->path, MAX_TEXT);
	fprintf(t->out, ", profile %s, %zu of %zu host%s selected\n",
		w->profile ? mp_profile_name(w->profile) : "-", t->n.selected, t->n.hosts,
		plural(t->n.hosts));
}

static void put_foot(const struct text *t)
{
	int status = mp_run_exit_status(t->run);
	const char *on = "", *off = "";

	fputs("\nSummary:", t->out);
	for (int s = 0; s < MP_N_STATUS; s++)
		fprintf(t->out, "%s %zu %s", s ? "," : "", t->n.statuses[s],
			mp_status_name((enum mp_status)s));
	fputc('\n', t->out);
	if (t->opts->colour) {
		on = status ? "\033[31m" : "\033[32m";
		off = "\033[0m";
	}
	fprintf(t->out, "%sVerdict: %s (exit status %d)%s\n", on, mp_report_verdict(status), status,
		off);
}

/* The width of the id column: the longest id that will be shown. */
static int id_width(const struct mp_run *run, const struct mp_report_opts *opts)
{
	size_t width = 4;

	for (size_t i = 0; i < run->findings.n; i++) {
		const struct mp_finding *f = &run->findings.v[i];

		if ((f->status != MP_OK || opts->verbose) && strlen(f->id) > width)
			width = strlen(f->id);
	}
	for (size_t i = 0; i < run->n_applied; i++)
		if (strlen(run->applied[i].resource) > width)
			width = strlen(run->applied[i].resource);
	return width > MAX_ID_WIDTH ? MAX_ID_WIDTH : (int)width;
}

static int write_text(const struct mp_run *run, const struct mp_report_opts *opts, FILE *out,
		      struct mp_err *err)
{
	struct text t = { .run = run,
			  .inv = run->world->inv,
			  .opts = opts,
			  .out = out,
			  .id_width = id_width(run, opts) };

	mp_report_count(run, &t.n);
	put_head(&t);
	put_section_hosts(&t);
	put_section_changes(&t);
	put_section_pairs(&t);
	put_section_moves(&t);
	put_foot(&t);
	if (fflush(out) != 0 || ferror(out))
		return mp_err_sys(err, errno, "write text report");
	return 0;
}

const struct mp_report mp_report_text = {
	.name = "text",
	.summary = "for people: equal results of many hosts folded, the verdict last",
	.write = write_text,
};
