/* SPDX-License-Identifier: GPL-3.0-or-later */
/* text: rules and places in nft's own words, for people. Pure. */
#include "config.h"
#include "nft/eval.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "base/alloc.h"

enum type { T_HEX, T_NUMBER, T_HOST_NUMBER, T_PORT, T_ADDR, T_NAME, T_PROTO, T_NFPROTO, T_STATE };

/* What a register holds, in words. */
struct term {
	const char *name;
	enum type type;
	size_t whole; /* bytes of the whole field; a shorter load is a prefix of it */
	bool masked;
	uint8_t mask[16];
};

struct writer {
	const struct mp_nft_rule *rule;
	size_t at;
	struct term regs[MP_NFT_REGS / 4 + 1];
	struct mp_buf *out;
};

static const struct {
	uint32_t base, offset;
	uint8_t min, max; /* lengths of the load */
	struct term term;
} fields[] = {
	{ NFT_PAYLOAD_NETWORK_HEADER, 9, 1, 1, { "ip protocol", T_PROTO, 1 } },
	{ NFT_PAYLOAD_NETWORK_HEADER, 12, 1, 4, { "ip saddr", T_ADDR, 4 } },
	{ NFT_PAYLOAD_NETWORK_HEADER, 16, 1, 4, { "ip daddr", T_ADDR, 4 } },
	{ NFT_PAYLOAD_NETWORK_HEADER, 6, 1, 1, { "ip6 nexthdr", T_PROTO, 1 } },
	{ NFT_PAYLOAD_NETWORK_HEADER, 8, 2, 16, { "ip6 saddr", T_ADDR, 16 } },
	{ NFT_PAYLOAD_NETWORK_HEADER, 24, 1, 16, { "ip6 daddr", T_ADDR, 16 } },
	{ NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, 2, { "tcp sport", T_PORT, 2 } },
	{ NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 2, { "tcp dport", T_PORT, 2 } },
	{ NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, 1, { "tcp flags", T_HEX, 1 } },
};

static const struct {
	uint32_t key;
	struct term term;
} metas[] = {
	{ NFT_META_NFPROTO, { "meta nfproto", T_NFPROTO, 1 } },
	{ NFT_META_L4PROTO, { "meta l4proto", T_PROTO, 1 } },
	{ NFT_META_IIFNAME, { "iifname", T_NAME, 16 } },
	{ NFT_META_IIF, { "iif", T_HOST_NUMBER, 4 } },
	{ NFT_META_MARK, { "meta mark", T_HEX, 4 } },
	{ NFT_META_PKTTYPE, { "meta pkttype", T_NUMBER, 1 } },
};

static struct term *reg(struct writer *w, uint8_t off)
{
	return &w->regs[off / 4 < MP_NFT_REGS / 4 ? off / 4 : MP_NFT_REGS / 4];
}

static void word(struct writer *w, const char *s)
{
	if (w->out->size)
		mp_buf_puts(w->out, " ");
	mp_buf_puts(w->out, s);
}

static void load(struct writer *w, const struct mp_nft_expr *e)
{
	struct term *t = reg(w, e->dreg);
	size_t i;

	*t = (struct term){ "...", T_HEX, e->len };
	if (e->kind == MP_NFT_CT)
		*t = e->key == NFT_CT_STATE ? (struct term){ "ct state", T_STATE, 4 }
					    : (struct term){ "ct ...", T_HEX, 4 };
	for (i = 0; e->kind == MP_NFT_PAYLOAD && i < MP_N_ELEMS(fields); i++) {
		if (fields[i].base == e->key && fields[i].offset == e->offset &&
		    e->len >= fields[i].min && e->len <= fields[i].max) {
			*t = fields[i].term;
			return;
		}
	}
	for (i = 0; e->kind == MP_NFT_META && i < MP_N_ELEMS(metas); i++) {
		if (metas[i].key == e->key)
			*t = metas[i].term;
	}
}

static void put_number(struct mp_buf *out, const uint8_t *v, size_t n, bool host)
{
	unsigned long x = 0;
	size_t i;

	if (host && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
		for (i = n; i-- > 0;)
			x = x << 8 | v[i];
	} else {
		for (i = 0; i < n; i++)
			x = x << 8 | v[i];
	}
	mp_buf_printf(out, "%lu", x);
}

static void put_addr(struct mp_buf *out, const struct term *t, const uint8_t *v, size_t n)
{
	uint8_t full[16] = { 0 };
	char text[INET6_ADDRSTRLEN];
	size_t bits = n * 8, i;

	memcpy(full, v, n < sizeof(full) ? n : sizeof(full));
	if (!inet_ntop(t->whole == 4 ? AF_INET : AF_INET6, full, text, sizeof(text)))
		return;
	mp_buf_puts(out, text);
	for (i = 0, bits = t->masked ? 0 : bits; t->masked && i < n * 8; i++)
		bits += t->mask[i / 8] >> (7 - i % 8) & 1;
	if (bits < t->whole * 8)
		mp_buf_printf(out, "/%zu", bits);
}

static void put_name(struct mp_buf *out, const uint8_t *v, size_t n)
{
	size_t len = strnlen((const char *)v, n);

	mp_buf_puts(out, "\"");
	for (size_t i = 0; i < len; i++)
		mp_buf_printf(out, "%c", v[i] > ' ' && v[i] < 127 ? v[i] : '?');
	mp_buf_puts(out, len == n && n < 16 ? "*\"" : "\"");
}

static void put_state(struct mp_buf *out, const uint8_t *v)
{
	static const char *const names[] = { "invalid", "established", "related",  "new",
					     NULL,      NULL,          "untracked" };
	uint32_t x;
	size_t i;
	const char *sep = "";

	memcpy(&x, v, 4);
	for (i = 0; i < MP_N_ELEMS(names); i++) {
		if (!names[i] || !(x >> i & 1))
			continue;
		mp_buf_printf(out, "%s%s", sep, names[i]);
		sep = ",";
	}
	if (!x)
		mp_buf_puts(out, "0");
}

static void put_value(struct writer *w, const struct term *t, const uint8_t *v, size_t n)
{
	size_t i;

	switch (t->type) {
	case T_NUMBER:
	case T_PORT:
		put_number(w->out, v, n < 8 ? n : 8, false);
		return;
	case T_HOST_NUMBER:
		put_number(w->out, v, n < 8 ? n : 8, true);
		return;
	case T_ADDR:
		put_addr(w->out, t, v, n);
		return;
	case T_NAME:
		put_name(w->out, v, n);
		return;
	case T_PROTO:
		mp_buf_printf(w->out,
			      v[0] == IPPROTO_TCP    ? "tcp"
			      : v[0] == IPPROTO_UDP  ? "udp"
			      : v[0] == IPPROTO_ICMP ? "icmp"
						     : "%u",
			      v[0]);
		return;
	case T_NFPROTO:
		mp_buf_puts(w->out, v[0] == NFPROTO_IPV4 ? "ipv4" : "ipv6");
		return;
	case T_STATE:
		if (n == 4) {
			put_state(w->out, v);
			return;
		}
		break;
	case T_HEX:
		break;
	}
	mp_buf_puts(w->out, "0x");
	for (i = 0; i < n; i++)
		mp_buf_printf(w->out, "%02x",
			      v[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? n - 1 - i : i]);
}

/* nft leaves out the protocol where a header of it is matched further on. */
static bool implied(const struct writer *w, const struct term *t)
{
	uint32_t base =
		t->type == T_NFPROTO ? NFT_PAYLOAD_NETWORK_HEADER : NFT_PAYLOAD_TRANSPORT_HEADER;
	size_t i;

	if (strcmp(t->name, "meta nfproto") != 0 && strcmp(t->name, "meta l4proto") != 0)
		return false;
	for (i = w->at + 1; i < w->rule->n_exprs; i++) {
		const struct mp_nft_expr *e = &w->rule->exprs[i];

		if (e->kind == MP_NFT_PAYLOAD && e->key == base)
			return true;
	}
	return false;
}

static void put_cmp(struct writer *w, const struct mp_nft_expr *e)
{
	static const char *const ops[] = { "", "!= ", "< ", "<= ", "> ", ">= " };
	const struct term *t = reg(w, e->sreg);
	const struct mp_nft_expr *next = e + 1;
	bool state_set = t->type == T_STATE && t->masked;

	if (!t->name || implied(w, t))
		return;
	word(w, t->name);
	mp_buf_puts(w->out, " ");
	/* `x & mask != 0` is how "one of these states" is compiled. */
	if (state_set) {
		if (e->op == NFT_CMP_EQ)
			mp_buf_puts(w->out, "! ");
		put_state(w->out, t->mask);
		return;
	}
	if (e->op == NFT_CMP_GTE && w->at + 1 < w->rule->n_exprs && next->kind == MP_NFT_CMP &&
	    next->op == NFT_CMP_LTE && next->sreg == e->sreg) {
		put_value(w, t, e->a, e->len);
		mp_buf_puts(w->out, "-");
		put_value(w, t, next->a, next->len);
		w->at++;
		return;
	}
	if (t->masked && t->type != T_ADDR) {
		mp_buf_puts(w->out, "& ");
		put_value(w, t, t->mask, e->len < 16 ? e->len : 16);
		mp_buf_puts(w->out, e->op == NFT_CMP_EQ ? " == " : " ");
	}
	mp_buf_puts(w->out, ops[e->op <= NFT_CMP_GTE ? e->op : 0]);
	put_value(w, t, e->a, e->len);
}

static void put_elems(struct writer *w, const struct mp_nft_expr *e)
{
	const struct mp_nft_set *s = e->set;
	const struct term *t = reg(w, e->sreg);
	size_t i;

	mp_buf_puts(w->out, "{ ");
	for (i = 0; i < s->n_elems && i < 8; i++) {
		if (i)
			mp_buf_puts(w->out, ", ");
		put_value(w, t, s->elems[i].lo, s->key_len);
		if (memcmp(s->elems[i].lo, s->elems[i].hi, s->key_len) != 0) {
			mp_buf_puts(w->out, "-");
			put_value(w, t, s->elems[i].hi, s->key_len);
		}
	}
	mp_buf_puts(w->out, i < s->n_elems ? ", ... }" : " }");
}

static void put_lookup(struct writer *w, const struct mp_nft_expr *e)
{
	const struct term *t = reg(w, e->sreg);
	bool inlined = e->own || (e->set && (e->set->flags & NFT_SET_ANONYMOUS));

	word(w, t->name ? t->name : "...");
	mp_buf_puts(w->out, e->invert ? " != " : e->map ? " vmap " : " ");
	if (inlined && !e->map && e->set && !e->set->n_fields)
		put_elems(w, e);
	else if (inlined)
		mp_buf_puts(w->out, "{ ... }");
	else
		mp_buf_printf(w->out, "@%s", e->name ? e->name : "?");
}

static void put_verdict(struct writer *w, const struct mp_nft_verdict *v)
{
	switch (v->code) {
	case NF_ACCEPT:
		word(w, "accept");
		break;
	case NF_DROP:
		word(w, "drop");
		break;
	case NFT_RETURN:
		word(w, "return");
		break;
	case NFT_JUMP:
	case NFT_GOTO:
		word(w, v->code == NFT_JUMP ? "jump" : "goto");
		word(w, v->chain ? v->chain : "?");
		break;
	default:
		word(w, "...");
	}
}

static void put_bitwise(struct writer *w, const struct mp_nft_expr *e)
{
	struct term *t = reg(w, e->dreg);

	*t = *reg(w, e->sreg);
	t->masked = true;
	memcpy(t->mask, e->a, sizeof(t->mask));
}

static void put_range(struct writer *w, const struct mp_nft_expr *e)
{
	const struct term *t = reg(w, e->sreg);

	word(w, t->name ? t->name : "...");
	mp_buf_puts(w->out, e->invert ? " != " : " ");
	put_value(w, t, e->a, e->len);
	mp_buf_puts(w->out, "-");
	put_value(w, t, e->b, e->len);
}

static void put_expr(struct writer *w, const struct mp_nft_expr *e)
{
	switch (e->kind) {
	case MP_NFT_PAYLOAD:
	case MP_NFT_META:
	case MP_NFT_CT:
	case MP_NFT_FIB:
	case MP_NFT_UNKNOWN:
		load(w, e);
		break;
	case MP_NFT_BITWISE:
		put_bitwise(w, e);
		break;
	case MP_NFT_BYTEORDER:
		*reg(w, e->dreg) = *reg(w, e->sreg);
		break;
	case MP_NFT_CMP:
		put_cmp(w, e);
		break;
	case MP_NFT_RANGE:
		put_range(w, e);
		break;
	case MP_NFT_LOOKUP:
		put_lookup(w, e);
		break;
	case MP_NFT_VERDICT:
		put_verdict(w, &e->verdict);
		break;
	case MP_NFT_REJECT:
		word(w, "reject");
		break;
	case MP_NFT_MAYBE:
	case MP_NFT_NOTRACK:
	case MP_NFT_DIVERT:
	case MP_NFT_OPAQUE:
		word(w, e->name ? e->name : "...");
		break;
	case MP_NFT_UPDATE:
		mp_buf_printf(w->out, "%supdate @%s", w->out->size ? " " : "",
			      e->name ? e->name : "?");
		break;
	case MP_NFT_DATA:
	case MP_NFT_SET_MARK:
	case MP_NFT_SET_CTMARK:
	case MP_NFT_NOTHING:
		break;
	}
}

void mp_nft_rule_text(const struct mp_nft_rule *r, struct mp_buf *out)
{
	struct mp_buf b;
	struct writer w = { .rule = r, .out = &b };

	mp_buf_init(&b, 240);
	for (w.at = 0; w.at < r->n_exprs; w.at++)
		put_expr(&w, &r->exprs[w.at]);
	mp_buf_puts(out, mp_buf_peek(&b));
	if (b.full)
		mp_buf_puts(out, " ...");
	mp_buf_fini(&b);
}

void mp_nft_place_text(const struct mp_nft_place *p, struct mp_buf *out)
{
	const struct mp_nft_chain *c = p->chain;

	if (!c) {
		mp_buf_puts(out, "no packet filter");
		return;
	}
	mp_buf_printf(out, "%s %s %s ", mp_nft_family_name(c->family), c->table, c->name);
	if (!p->rule) {
		mp_buf_printf(out, "policy %s", c->policy == NF_DROP ? "drop" : "accept");
		return;
	}
	mp_buf_printf(out, "rule %zu (handle %llu, \"", p->rule->position,
		      (unsigned long long)p->rule->handle);
	mp_nft_rule_text(p->rule, out);
	mp_buf_puts(out, "\")");
}
