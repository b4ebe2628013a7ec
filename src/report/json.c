/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * json: the report for programs, schema 1 (man migprep.1, JSON REPORT). Written member by member,
 * one host, pair or move a line, so that memory does not grow with the cluster and grep finds its
 * way.
 */
#include "config.h"
#include "report/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "report/fold.h"
#include "report/words.h"

#define SCHEMA 1

struct out {
	const struct mp_run *run;
	const struct mp_inventory *inv;
	FILE *file;
	bool failed;
	bool first; /* of the array that is being written */
};

/* Writes and releases a value. */
static void put(struct out *o, json_t *v)
{
	if (json_dumpf(v, o->file, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
		o->failed = true;
	json_decref(v);
}

static void member(struct out *o, const char *key, json_t *v)
{
	fprintf(o->file, "%s\"%s\": ", o->first ? "{\n" : ",\n", key);
	o->first = false;
	put(o, v);
}

static void array_begin(struct out *o, const char *key)
{
	fprintf(o->file, ",\n\"%s\": [", key);
	o->first = true;
}

static void element(struct out *o, json_t *v)
{
	fputs(o->first ? "\n" : ",\n", o->file);
	o->first = false;
	put(o, v);
}

static void array_end(struct out *o)
{
	fputs(o->first ? "]" : "\n]", o->file);
	o->first = false;
}

static json_t *text_or_null(const char *s)
{
	return s ? mp_report_json_text(s) : json_null();
}

static json_t *number_or_null(long long n)
{
	return n < 0 ? json_null() : json_integer(n);
}

static json_t *name_of(const struct out *o, size_t host)
{
	return mp_report_json_text(o->inv->hosts[host].name);
}

static json_t *error_of(const struct mp_err *e)
{
	json_t *v;

	if (e->code == MP_E_NONE)
		return json_null();
	v = json_object();
	json_object_set_new(v, "code", json_string(mp_code_name(e->code)));
	json_object_set_new(v, "text", mp_report_json_text(e->text));
	return v;
}

static json_t *result_of(const struct mp_finding *f)
{
	json_t *v = json_object();

	json_object_set_new(v, "id", json_string(f->id));
	json_object_set_new(v, "status", json_string(mp_status_name(f->status)));
	json_object_set_new(v, "reason", mp_report_json_text(f->reason));
	json_object_set_new(v, "remedy", mp_report_json_text(f->remedy));
	if (f->changes)
		json_object_set(v, "changes", f->changes);
	if (f->data)
		json_object_set(v, "data", f->data);
	return v;
}

/* ---- hosts ---- */

/* What apply did on a host; applied[] comes host by host or not, so it is searched from an index.
 */
struct applied_by_host {
	size_t *order, *start;
};

static void applied_index(const struct mp_run *run, struct applied_by_host *ret)
{
	size_t n = run->world->inv->n_hosts;
	mp_auto_free size_t *next = mp_xcalloc(n + 1, sizeof(*next));

	ret->start = mp_xcalloc(n + 1, sizeof(*ret->start));
	ret->order = mp_xcalloc(run->n_applied + 1, sizeof(*ret->order));
	for (size_t i = 0; i < run->n_applied; i++)
		ret->start[run->applied[i].host + 1]++;
	for (size_t h = 0; h < n; h++) {
		ret->start[h + 1] += ret->start[h];
		next[h + 1] = ret->start[h + 1];
	}
	for (size_t i = 0; i < run->n_applied; i++)
		ret->order[next[run->applied[i].host]++] = i;
}

static json_t *applied_of(const struct mp_applied *a)
{
	json_t *v = json_object();

	json_object_set_new(v, "resource", json_string(a->resource));
	if (a->changes)
		json_object_set(v, "changes", a->changes);
	else
		json_object_set_new(v, "changes", json_array());
	json_object_set_new(v, "error", error_of(&a->err));
	return v;
}

static json_t *host_of(const struct out *o, size_t h, const struct mp_by_host *by,
		       const struct applied_by_host *done)
{
	const struct mp_host *host = &o->inv->hosts[h];
	const struct mp_host_state *state = &o->run->world->hosts[h];
	json_t *v = json_object(), *results = json_array(), *applied = json_array();

	json_object_set_new(v, "name", name_of(o, h));
	json_object_set_new(v, "address", text_or_null(host->address));
	json_object_set_new(v, "migration_address", text_or_null(mp_host_migration_address(host)));
	json_object_set_new(v, "reached", json_boolean(state->reached));
	json_object_set_new(v, "error", error_of(&state->err));
	for (size_t i = by->start[h]; i < by->start[h + 1]; i++)
		json_array_append_new(results, result_of(&o->run->findings.v[by->order[i]]));
	for (size_t i = done->start[h]; i < done->start[h + 1]; i++)
		json_array_append_new(applied, applied_of(&o->run->applied[done->order[i]]));
	json_object_set_new(v, "results", results);
	json_object_set_new(v, "applied", applied);
	return v;
}

static void put_hosts(struct out *o)
{
	mp_auto_by_host struct mp_by_host by = { 0 };
	struct applied_by_host done = { 0 };

	mp_by_host_make(o->run, &by);
	applied_index(o->run, &done);
	array_begin(o, "hosts");
	for (size_t h = 0; h < o->inv->n_hosts; h++)
		if (o->run->world->hosts[h].selected)
			element(o, host_of(o, h, &by, &done));
	array_end(o);
	free(done.order);
	free(done.start);
}

static void put_cluster(struct out *o)
{
	array_begin(o, "cluster");
	for (size_t i = 0; i < o->run->findings.n; i++) {
		const struct mp_finding *f = &o->run->findings.v[i];
		json_t *v;

		if (f->scope != MP_SCOPE_CLUSTER)
			continue;
		v = result_of(f);
		if (f->host >= 0)
			json_object_set_new(v, "host", name_of(o, (size_t)f->host));
		if (f->peer >= 0)
			json_object_set_new(v, "peer", name_of(o, (size_t)f->peer));
		element(o, v);
	}
	array_end(o);
}

/* ---- pairs ---- */

static int cmp_pair_findings(size_t ia, size_t ib, const void *arg)
{
	const struct mp_finding *v = arg, *a = &v[ia], *b = &v[ib];

	if (a->host != b->host)
		return a->host < b->host ? -1 : 1;
	return (a->peer > b->peer) - (a->peer < b->peer);
}

static json_t *trial_of(const struct mp_trial *t)
{
	json_t *v = json_object();

	json_object_set_new(v, "kind", text_or_null(t->kind));
	json_object_set_new(v, "user", text_or_null(t->user));
	json_object_set_new(v, "target", text_or_null(t->target));
	json_object_set_new(v, "ok", json_boolean(t->ok));
	json_object_set_new(v, "cause", text_or_null(t->cause));
	json_object_set_new(v, "text", text_or_null(t->text));
	json_object_set_new(v, "ms", number_or_null(t->ms));
	return v;
}

static json_t *pair_of(const struct out *o, size_t source, size_t target, const struct mp_pair *p)
{
	json_t *v = json_object(), *trials = json_array();
	bool tried = p && p->tried;

	json_object_set_new(v, "source", name_of(o, source));
	json_object_set_new(v, "target", name_of(o, target));
	json_object_set_new(v, "tried", json_boolean(tried));
	json_object_set_new(v, "why", tried || !p ? json_null() : text_or_null(p->why));
	json_object_set_new(v, "ok", tried ? json_boolean(!mp_report_pair_failed(p)) : json_null());
	for (size_t i = 0; p && i < p->n_trials; i++)
		json_array_append_new(trials, trial_of(&p->trials[i]));
	json_object_set_new(v, "trials", trials);
	return v;
}

static int cmp_pairs(size_t ia, size_t ib, const void *arg)
{
	const struct mp_pair *v = arg, *a = &v[ia], *b = &v[ib];

	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	return (a->target > b->target) - (a->target < b->target);
}

/* Groups of the pairs of the mesh and of the pair findings, merged by (source, target). */
static void put_pairs(struct out *o)
{
	const struct mp_findings *all = &o->run->findings;
	const struct mp_pair *pairs = o->run->pairs;
	size_t *f_items = mp_xcalloc(all->n + 1, sizeof(*f_items)), n_f = 0;
	size_t *p_items = mp_xcalloc(o->run->n_pairs + 1, sizeof(*p_items));
	mp_auto_fold struct mp_fold ff = { 0 }, pf = { 0 };

	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].scope == MP_SCOPE_PAIR && all->v[i].host >= 0 && all->v[i].peer >= 0)
			f_items[n_f++] = i;
	for (size_t i = 0; i < o->run->n_pairs; i++)
		p_items[i] = i;
	mp_fold_make(f_items, n_f, cmp_pair_findings, all->v, &ff);
	mp_fold_make(p_items, o->run->n_pairs, cmp_pairs, pairs, &pf);
	array_begin(o, "pairs");
	for (size_t f = 0, p = 0; f < ff.n_groups || p < pf.n_groups;) {
		const struct mp_finding *find =
			f < ff.n_groups ? &all->v[ff.order[ff.groups[f]]] : NULL;
		const struct mp_pair *pair =
			p < pf.n_groups ? &pairs[pf.order[pf.groups[p]]] : NULL;
		struct mp_pair key = { 0 };
		json_t *v, *results = json_array();
		int c = find ? -1 : 1;

		if (find)
			key = (struct mp_pair){ .source = (size_t)find->host,
						.target = (size_t)find->peer };
		if (find && pair) {
			struct mp_pair both[] = { key, *pair };

			c = cmp_pairs(0, 1, both);
		}
		v = c < 0 ? pair_of(o, key.source, key.target, NULL)
			  : pair_of(o, pair->source, pair->target, pair);
		for (size_t i = c <= 0 ? ff.groups[f] : 0; c <= 0 && i < ff.groups[f + 1]; i++)
			json_array_append_new(results, result_of(&all->v[ff.order[i]]));
		json_object_set_new(v, "results", results);
		element(o, v);
		f += c <= 0;
		p += c >= 0;
	}
	array_end(o);
}

/* ---- moves, summary ---- */

static json_t *verified_of(int verified)
{
	return verified < 0 ? json_null() : json_boolean(verified);
}

static json_t *move_of(const struct out *o, const struct mp_move *m)
{
	json_t *v = json_object();

	json_object_set_new(v, "source", name_of(o, m->source));
	json_object_set_new(v, "target", name_of(o, m->target));
	json_object_set_new(v, "mode", text_or_null(m->mode));
	json_object_set_new(v, "domain", text_or_null(m->domain));
	json_object_set_new(v, "uuid", text_or_null(m->uuid));
	json_object_set_new(v, "outcome", text_or_null(m->outcome));
	json_object_set_new(v, "reason", text_or_null(m->reason));
	json_object_set_new(v, "remedy", text_or_null(m->remedy));
	json_object_set_new(v, "running_on", text_or_null(m->running_on));
	json_object_set_new(v, "total_ms", number_or_null(m->total_ms));
	json_object_set_new(v, "downtime_ms", number_or_null(m->downtime_ms));
	json_object_set_new(v, "guest_pause_ms", number_or_null(m->guest_pause_ms));
	json_object_set_new(v, "transferred_bytes", number_or_null(m->transferred_bytes));
	json_object_set_new(v, "memory_verified", verified_of(m->memory_verified));
	if (m->proof)
		json_object_set(v, "proof", m->proof);
	return v;
}

static json_t *summary_of(const struct mp_run *run)
{
	struct mp_report_counts n;
	json_t *statuses = json_object(), *v = json_object();
	int status = mp_run_exit_status(run);

	mp_report_count(run, &n);
	for (int s = 0; s < MP_N_STATUS; s++)
		json_object_set_new(statuses, mp_status_name((enum mp_status)s),
				    json_integer((json_int_t)n.statuses[s]));
	json_object_set_new(v, "exit_status", json_integer(status));
	json_object_set_new(v, "verdict", json_string(mp_report_verdict(status)));
	json_object_set_new(v, "statuses", statuses);
	json_object_set_new(v, "hosts",
			    json_pack("{s:I,s:I,s:I}", "total", (json_int_t)n.hosts, "selected",
				      (json_int_t)n.selected, "reached", (json_int_t)n.reached));
	json_object_set_new(v, "pairs",
			    json_pack("{s:I,s:I,s:I}", "total", (json_int_t)n.pairs, "tried",
				      (json_int_t)n.pairs_tried, "failed",
				      (json_int_t)n.pairs_failed));
	json_object_set_new(
		v, "moves",
		json_pack("{s:I,s:I}", "total", (json_int_t)n.moves, "ok", (json_int_t)n.moves_ok));
	json_object_set_new(v, "applied",
			    json_pack("{s:I,s:I}", "total", (json_int_t)n.applied, "failed",
				      (json_int_t)n.applied_failed));
	return v;
}

static void put_head(struct out *o)
{
	const struct mp_run *run = o->run;
	char when[32] = "";
	struct tm tm;

	if (gmtime_r(&run->started, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	member(o, "schema", json_integer(SCHEMA));
	member(o, "version", text_or_null(run->version));
	member(o, "command", text_or_null(run->command));
	member(o, "started", json_string(when));
	member(o, "duration_ms", json_integer(run->duration_ms));
	member(o, "inventory", text_or_null(o->inv->path));
	member(o, "profile",
	       text_or_null(run->world->profile ? mp_profile_name(run->world->profile) : NULL));
	member(o, "dry_run", json_boolean(run->dry_run));
	member(o, "interrupted", json_boolean(run->interrupted));
}

static int write_json(const struct mp_run *run, const struct mp_report_opts *opts, FILE *file,
		      struct mp_err *err)
{
	struct out o = { .run = run, .inv = run->world->inv, .file = file, .first = true };

	(void)opts;
	put_head(&o);
	put_hosts(&o);
	put_cluster(&o);
	put_pairs(&o);
	array_begin(&o, "moves");
	for (size_t i = 0; i < run->n_moves; i++)
		element(&o, move_of(&o, &run->moves[i]));
	array_end(&o);
	member(&o, "summary", summary_of(run));
	fputs("\n}\n", file);
	if (fflush(file) != 0 || ferror(file) || o.failed)
		return mp_err_sys(err, errno, "write JSON report");
	return 0;
}

const struct mp_report mp_report_json = {
	.name = "json",
	.summary = "for programs: everything, schema 1 (man migprep, JSON REPORT)",
	.write = write_json,
};
