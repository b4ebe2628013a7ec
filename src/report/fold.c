/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "report/fold.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct order {
	int (*cmp)(size_t a, size_t b, const void *arg);
	const void *arg;
};

static int cmp_items(const void *pa, const void *pb, void *arg)
{
	const struct order *o = arg;
	size_t a = *(const size_t *)pa, b = *(const size_t *)pb;
	int c = o->cmp(a, b, o->arg);

	return c ? c : (a > b) - (a < b);
}

void mp_fold_make(size_t *items, size_t n, int (*cmp)(size_t a, size_t b, const void *arg),
		  const void *arg, struct mp_fold *ret)
{
	struct order o = { .cmp = cmp, .arg = arg };

	*ret = (struct mp_fold){ .order = items,
				 .groups = mp_xcalloc(n + 1, sizeof(*ret->groups)) };
	if (n == 0)
		return;
	qsort_r(items, n, sizeof(*items), cmp_items, &o);
	for (size_t i = 1; i < n; i++)
		if (cmp(items[i - 1], items[i], arg) != 0)
			ret->groups[++ret->n_groups] = i;
	ret->groups[++ret->n_groups] = n;
}

void mp_fold_fini(struct mp_fold *f)
{
	free(f->order);
	free(f->groups);
	*f = (struct mp_fold){ 0 };
}

char *mp_fold_hosts(const struct mp_inventory *inv, const size_t *hosts, size_t n)
{
	mp_auto_free bool *there = mp_xcalloc(inv->n_hosts, sizeof(*there));
	mp_auto_strv struct mp_strv names = { 0 };

	for (size_t i = 0; i < n; i++) {
		if (!there[hosts[i]])
			mp_strv_add(&names, inv->hosts[hosts[i]].name);
		there[hosts[i]] = true;
	}
	return mp_range_fold(&names);
}

/* ---- pairs ---- */

/* The peers of one host, as bits. */
struct row {
	size_t host;
	unsigned char *peers;
};

struct rows {
	struct row *v;
	size_t n, bytes; /* bytes of one bit set */
	unsigned char *bits;
};

static void rows_fini(struct rows *r)
{
	free(r->v);
	free(r->bits);
}

static void flip(unsigned char *bits, size_t i)
{
	bits[i / 8] ^= (unsigned char)(1u << (i % 8));
}

/* One row per target with its sources, or (swap) per source with its targets. */
static void rows_make(size_t n_hosts, const struct mp_fold_pair *pairs, size_t n, bool swap,
		      struct rows *ret)
{
	mp_auto_free size_t *place = mp_xcalloc(n_hosts, sizeof(*place)); /* row + 1 */
	size_t rows = 0;

	for (size_t i = 0; i < n; i++) {
		size_t host = swap ? pairs[i].source : pairs[i].target;

		if (!place[host])
			place[host] = ++rows;
	}
	*ret = (struct rows){ .n = rows, .bytes = (n_hosts + 7) / 8 };
	ret->v = mp_xcalloc(rows, sizeof(*ret->v));
	ret->bits = mp_xcalloc(rows, ret->bytes);
	for (size_t i = 0; i < n; i++) {
		size_t host = swap ? pairs[i].source : pairs[i].target;
		size_t peer = swap ? pairs[i].target : pairs[i].source;
		struct row *r = &ret->v[place[host] - 1];

		r->host = host;
		r->peers = ret->bits + (place[host] - 1) * ret->bytes;
		r->peers[peer / 8] |= (unsigned char)(1u << (peer % 8));
	}
}

static int cmp_rows(const void *pa, const void *pb, void *arg)
{
	const struct row *a = pa, *b = pb;
	const size_t *bytes = arg;
	int c = memcmp(a->peers, b->peers, *bytes);

	return c ? c : (a->host > b->host) - (a->host < b->host);
}

/* The number of rows from i on that have the same peers. */
static size_t run_length(const struct rows *r, size_t i)
{
	size_t j = i + 1;

	while (j < r->n && memcmp(r->v[i].peers, r->v[j].peers, r->bytes) == 0)
		j++;
	return j - i;
}

static void add_line(const struct mp_inventory *inv, const struct row *rows, size_t n, bool swap,
		     struct mp_strv *ret)
{
	mp_auto_strv struct mp_strv peers = { 0 }, hosts = { 0 };
	mp_auto_free char *peer_text = NULL, *host_text = NULL;

	for (size_t i = 0; i < inv->n_hosts; i++)
		if (rows[0].peers[i / 8] & (1u << (i % 8)))
			mp_strv_add(&peers, inv->hosts[i].name);
	for (size_t i = 0; i < n; i++)
		mp_strv_add(&hosts, inv->hosts[rows[i].host].name);
	peer_text = mp_range_fold(&peers);
	host_text = mp_range_fold(&hosts);
	mp_strv_take(ret, swap ? mp_xasprintf("%s -> %s", host_text, peer_text)
			       : mp_xasprintf("%s -> %s", peer_text, host_text));
}

/*
 * Two rules, both exact. Hosts whose peers are the same set once each host is added to its own form
 * one line with that set (all against all). Of the rest, hosts with the very same peers form one
 * line.
 */
static void fold_rows(const struct mp_inventory *inv, struct rows *r, bool swap,
		      struct mp_strv *ret)
{
	size_t left = 0;

	for (size_t i = 0; i < r->n; i++)
		flip(r->v[i].peers, r->v[i].host);
	qsort_r(r->v, r->n, sizeof(*r->v), cmp_rows, &r->bytes);
	for (size_t i = 0, len; i < r->n; i += len) {
		len = run_length(r, i);
		if (len > 1)
			add_line(inv, &r->v[i], len, swap, ret);
		else
			r->v[left++] = r->v[i];
	}
	r->n = left;
	for (size_t i = 0; i < r->n; i++)
		flip(r->v[i].peers, r->v[i].host);
	if (r->n)
		qsort_r(r->v, r->n, sizeof(*r->v), cmp_rows, &r->bytes);
	for (size_t i = 0, len; i < r->n; i += len) {
		len = run_length(r, i);
		add_line(inv, &r->v[i], len, swap, ret);
	}
}

void mp_fold_pairs(const struct mp_inventory *inv, const struct mp_fold_pair *pairs, size_t n,
		   struct mp_strv *ret)
{
	mp_auto_strv struct mp_strv by_target = { 0 }, by_source = { 0 };
	struct mp_strv *best = &by_target;

	if (n == 0)
		return;
	for (int swap = 0; swap < 2; swap++) {
		struct rows rows;

		rows_make(inv->n_hosts, pairs, n, swap, &rows);
		fold_rows(inv, &rows, swap, swap ? &by_source : &by_target);
		rows_fini(&rows);
	}
	if (by_source.n < by_target.n)
		best = &by_source;
	mp_strv_sort(best);
	for (size_t i = 0; i < best->n; i++)
		mp_strv_add(ret, best->v[i]);
}

/* ---- findings by host ---- */

static bool is_of_host(const struct mp_finding *f)
{
	return f->scope == MP_SCOPE_HOST && f->host >= 0;
}

void mp_by_host_make(const struct mp_run *run, struct mp_by_host *ret)
{
	size_t n_hosts = run->world->inv->n_hosts;
	mp_auto_free size_t *next = mp_xcalloc(n_hosts + 1, sizeof(*next));

	ret->start = mp_xcalloc(n_hosts + 1, sizeof(*ret->start));
	ret->order = mp_xcalloc(run->findings.n + 1, sizeof(*ret->order));
	for (size_t i = 0; i < run->findings.n; i++)
		if (is_of_host(&run->findings.v[i]))
			ret->start[run->findings.v[i].host + 1]++;
	for (size_t h = 0; h < n_hosts; h++) {
		ret->start[h + 1] += ret->start[h];
		next[h + 1] = ret->start[h + 1];
	}
	for (size_t i = 0; i < run->findings.n; i++)
		if (is_of_host(&run->findings.v[i]))
			ret->order[next[run->findings.v[i].host]++] = i;
}

void mp_by_host_fini(struct mp_by_host *b)
{
	free(b->order);
	free(b->start);
	*b = (struct mp_by_host){ 0 };
}
