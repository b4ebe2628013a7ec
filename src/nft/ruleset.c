/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ruleset: building, finishing and releasing the model. */
#include "config.h"
#include "nft/ruleset.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

static void set_fini(struct mp_nft_set *s)
{
	size_t i;

	for (i = 0; i < s->n_elems; i++) {
		free(s->elems[i].lo);
		free(s->elems[i].verdict.chain);
	}
	free(s->elems);
	if (s->catchall) {
		free(s->catchall->lo);
		free(s->catchall->verdict.chain);
		free(s->catchall);
	}
	free(s->table);
	free(s->name);
}

static void rule_fini(struct mp_nft_rule *r)
{
	size_t i;

	for (i = 0; i < r->n_exprs; i++) {
		free(r->exprs[i].verdict.chain);
		free(r->exprs[i].name);
		if (r->exprs[i].own) {
			set_fini(r->exprs[i].own);
			free(r->exprs[i].own);
		}
	}
	free(r->exprs);
	free(r->comment);
}

static void chain_fini(struct mp_nft_chain *c)
{
	size_t i;

	for (i = 0; i < c->n_rules; i++)
		rule_fini(&c->rules[i]);
	free(c->rules);
	for (i = 0; c->devices && c->devices[i]; i++)
		free(c->devices[i]);
	free(c->devices);
	free(c->table);
	free(c->name);
	free(c->type);
}

void mp_nft_ruleset_free(struct mp_nft_ruleset *rs)
{
	size_t i;

	if (!rs)
		return;
	for (i = 0; i < rs->n_tables; i++)
		free(rs->tables[i].name);
	for (i = 0; i < rs->n_chains; i++)
		chain_fini(&rs->chains[i]);
	for (i = 0; i < rs->n_sets; i++)
		set_fini(&rs->sets[i]);
	free(rs->tables);
	free(rs->chains);
	free(rs->sets);
	free(rs);
}

void mp_nft_cleanup_ruleset(struct mp_nft_ruleset **rs)
{
	mp_nft_ruleset_free(*rs);
	*rs = NULL;
}

const struct mp_nft_table *mp_nft_table_find(const struct mp_nft_ruleset *rs, int family,
					     const char *name)
{
	size_t i;

	for (i = 0; i < rs->n_tables; i++) {
		if (rs->tables[i].family == family && mp_str_eq(rs->tables[i].name, name))
			return &rs->tables[i];
	}
	return NULL;
}

struct mp_nft_chain *mp_nft_chain_find(const struct mp_nft_ruleset *rs, int family,
				       const char *table, const char *name)
{
	size_t i;

	for (i = 0; i < rs->n_chains; i++) {
		struct mp_nft_chain *c = &rs->chains[i];

		if (c->family == family && mp_str_eq(c->table, table) && mp_str_eq(c->name, name))
			return c;
	}
	return NULL;
}

struct mp_nft_set *mp_nft_set_find(const struct mp_nft_ruleset *rs, int family, const char *table,
				   const char *name)
{
	size_t i;

	for (i = 0; i < rs->n_sets; i++) {
		struct mp_nft_set *s = &rs->sets[i];

		if (s->family == family && mp_str_eq(s->table, table) && mp_str_eq(s->name, name))
			return s;
	}
	return NULL;
}

/* Grows by doubling: the capacity is the power of two at or above the count. */
static void *grow(void *v, size_t n, size_t size)
{
	if (n & (n - 1) && n)
		return v;
	return mp_xreallocarray(v, n ? n * 2 : 1, size);
}

struct mp_nft_expr *mp_nft_rule_add(struct mp_nft_rule *r, enum mp_nft_kind kind, const char *name)
{
	struct mp_nft_expr *e;

	r->exprs = grow(r->exprs, r->n_exprs, sizeof(*r->exprs));
	e = &r->exprs[r->n_exprs++];
	memset(e, 0, sizeof(*e));
	e->kind = kind;
	e->name = name ? mp_xstrdup(name) : NULL;
	return e;
}

struct mp_nft_rule *mp_nft_chain_add(struct mp_nft_chain *c)
{
	struct mp_nft_rule *r;

	c->rules = grow(c->rules, c->n_rules, sizeof(*c->rules));
	r = &c->rules[c->n_rules++];
	memset(r, 0, sizeof(*r));
	r->position = c->n_rules;
	return r;
}

static void elem_fill(const struct mp_nft_set *s, struct mp_nft_elem *e, const void *lo,
		      const void *hi, const void *data)
{
	memset(e, 0, sizeof(*e));
	e->lo = mp_xcalloc(1, 2 * (size_t)s->key_len + s->data_len + 1);
	e->hi = e->lo + s->key_len;
	if (lo)
		memcpy(e->lo, lo, s->key_len);
	if (hi || lo)
		memcpy(e->hi, hi ? hi : lo, s->key_len);
	if (data) {
		e->data = e->hi + s->key_len;
		memcpy(e->data, data, s->data_len);
	}
}

struct mp_nft_elem *mp_nft_set_add(struct mp_nft_set *s, const void *lo, const void *hi,
				   const void *data)
{
	struct mp_nft_elem *e;

	if (!lo) {
		if (!s->catchall)
			s->catchall = mp_xcalloc(1, sizeof(*s->catchall));
		free(s->catchall->lo);
		elem_fill(s, s->catchall, NULL, NULL, data);
		return s->catchall;
	}
	s->elems = grow(s->elems, s->n_elems, sizeof(*s->elems));
	e = &s->elems[s->n_elems++];
	elem_fill(s, e, lo, hi, data);
	return e;
}

/* By key; where an interval ends at the key at which the next begins, the end comes first. */
static int elem_cmp(const void *pa, const void *pb, void *arg)
{
	const struct mp_nft_elem *a = pa, *b = pb;
	const struct mp_nft_set *s = arg;
	int c = memcmp(a->lo, b->lo, s->key_len);

	return c ? c : (int)b->end - (int)a->end;
}

static void minus_one(uint8_t *v, size_t n)
{
	while (n-- && v[n]-- == 0)
		;
}

/*
 * The kernel keeps intervals as a start and, where it is not followed by the next start, an end
 * mark that is the first key outside (nft_set_rbtree.c). Here each becomes one element with both
 * ends inside it.
 */
static void close_intervals(struct mp_nft_set *s)
{
	size_t i, n = 0;

	for (i = 0; i < s->n_elems; i++) {
		struct mp_nft_elem e = s->elems[i];

		if (e.end) {
			free(e.lo);
			free(e.verdict.chain);
			continue;
		}
		if (i + 1 < s->n_elems) {
			memcpy(e.hi, s->elems[i + 1].lo, s->key_len);
			minus_one(e.hi, s->key_len);
		} else {
			memset(e.hi, 0xff, s->key_len);
		}
		s->elems[n++] = e;
	}
	s->n_elems = n;
}

void mp_nft_set_finish(struct mp_nft_set *s)
{
	if (s->n_elems)
		qsort_r(s->elems, s->n_elems, sizeof(*s->elems), elem_cmp, s);
	if ((s->flags & NFT_SET_INTERVAL) && !s->n_fields)
		close_intervals(s);
}

static void link_verdict(const struct mp_nft_ruleset *rs, int family, const char *table,
			 struct mp_nft_verdict *v)
{
	if (v->chain)
		v->target = mp_nft_chain_find(rs, family, table, v->chain);
}

static void link_rule(const struct mp_nft_ruleset *rs, const struct mp_nft_chain *c,
		      struct mp_nft_rule *r)
{
	size_t i;

	for (i = 0; i < r->n_exprs; i++) {
		struct mp_nft_expr *e = &r->exprs[i];

		link_verdict(rs, c->family, c->table, &e->verdict);
		if (e->own)
			e->set = e->own;
		else if (e->kind == MP_NFT_LOOKUP || e->kind == MP_NFT_UPDATE)
			e->set = mp_nft_set_find(rs, c->family, c->table, e->name);
	}
}

void mp_nft_ruleset_link(struct mp_nft_ruleset *rs)
{
	size_t i, j;

	for (i = 0; i < rs->n_sets; i++) {
		struct mp_nft_set *s = &rs->sets[i];

		mp_nft_set_finish(s);
		for (j = 0; s->verdicts && j < s->n_elems; j++)
			link_verdict(rs, s->family, s->table, &s->elems[j].verdict);
		if (s->catchall)
			link_verdict(rs, s->family, s->table, &s->catchall->verdict);
	}
	for (i = 0; i < rs->n_chains; i++) {
		for (j = 0; j < rs->chains[i].n_rules; j++)
			link_rule(rs, &rs->chains[i], &rs->chains[i].rules[j]);
	}
}

const char *mp_nft_family_name(int family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_NETDEV:
		return "netdev";
	case NFPROTO_BRIDGE:
		return "bridge";
	case NFPROTO_ARP:
		return "arp";
	default:
		return "unknown";
	}
}
