/* SPDX-License-Identifier: GPL-3.0-or-later */
/* classes: which ports can differ in their fate, read off the constants of a ruleset. Pure. */
#include "config.h"
#include "nft/eval.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "base/alloc.h"

static void mark_port(bool *edge, uint16_t from, uint16_t to, unsigned port)
{
	if (port >= from && port <= to)
		edge[port - from] = true;
	if (port + 1 >= from && port + 1 <= to)
		edge[port + 1 - from] = true;
}

static void mark_bytes(bool *edge, uint16_t from, uint16_t to, const uint8_t *v, size_t n)
{
	size_t i;

	for (i = 0; i + 2 <= n; i += 2) {
		unsigned port = (unsigned)v[i] << 8 | v[i + 1];

		mark_port(edge, from, to, port);
		if (port)
			mark_port(edge, from, to, port - 1);
	}
}

static void mark_set(bool *edge, uint16_t from, uint16_t to, const struct mp_nft_set *s)
{
	size_t i;

	for (i = 0; i < s->n_elems; i++) {
		mark_bytes(edge, from, to, s->elems[i].lo, s->key_len);
		mark_bytes(edge, from, to, s->elems[i].hi, s->key_len);
	}
}

/* A rule that calculates with the port, so that its constants say nothing. */
static bool bends_port(const struct mp_nft_rule *r)
{
	bool loads = false, odd = false;
	size_t i;

	for (i = 0; i < r->n_exprs; i++) {
		const struct mp_nft_expr *e = &r->exprs[i];

		if (e->kind == MP_NFT_PAYLOAD && e->key == NFT_PAYLOAD_TRANSPORT_HEADER &&
		    e->offset < 4 && e->offset + e->len > 2) {
			loads = true;
			odd |= e->offset % 2 || e->len % 2;
		}
		odd |= loads && (e->kind == MP_NFT_BITWISE || e->kind == MP_NFT_BYTEORDER) &&
		       e->len <= 4;
	}
	return loads && odd;
}

uint16_t *mp_nft_port_classes(const struct mp_nft_ruleset *rs, uint16_t from, uint16_t to,
			      size_t *ret_n)
{
	size_t i, j, k, n = 0, span = (size_t)to - from + 1;
	mp_auto_free bool *edge = mp_xcalloc(span, sizeof(*edge));
	uint16_t *out = mp_xcalloc(span, sizeof(*out));

	edge[0] = true;
	for (i = 0; i < rs->n_sets; i++)
		mark_set(edge, from, to, &rs->sets[i]);
	for (i = 0; i < rs->n_chains; i++) {
		for (j = 0; j < rs->chains[i].n_rules; j++) {
			const struct mp_nft_rule *r = &rs->chains[i].rules[j];

			if (bends_port(r))
				memset(edge, true, span);
			for (k = 0; k < r->n_exprs; k++) {
				mark_bytes(edge, from, to, r->exprs[k].a, r->exprs[k].len);
				mark_bytes(edge, from, to, r->exprs[k].b, r->exprs[k].len);
				if (r->exprs[k].own)
					mark_set(edge, from, to, r->exprs[k].own);
			}
		}
	}
	for (i = 0; i < span; i++) {
		if (edge[i])
			out[n++] = (uint16_t)(from + i);
	}
	*ret_n = n;
	return out;
}
