/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * decode: libnftnl's expressions into the model's kinds. Pure. Operators and keys that are newer
 * than this file become UNKNOWN, MAYBE or OPAQUE, never something else.
 */
#include "config.h"
#include "nft/netlink.h"

#include <stdio.h> /* libnftnl/expr.h needs FILE */
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

/* Byte offset of a register (nft_parse_register() in the kernel); 0xff: it has none. */
static uint8_t reg_offset(uint32_t reg)
{
	if (reg >= NFT_REG_1 && reg <= NFT_REG_4)
		return (uint8_t)((reg - NFT_REG_1) * NFT_REG_SIZE);
	if (reg >= NFT_REG32_00 && reg <= NFT_REG32_15)
		return (uint8_t)((reg - NFT_REG32_00) * NFT_REG32_SIZE);
	return 0xff;
}

static bool fits(uint8_t reg, uint32_t len)
{
	return reg != 0xff && len > 0 && reg + len <= MP_NFT_SCRATCH;
}

/* What may be in any register afterwards: for results that have no place. */
static void add_opaque(struct mp_nft_rule *r, const char *name)
{
	mp_nft_rule_add(r, MP_NFT_OPAQUE, name);
}

static void add_unknown(struct mp_nft_rule *r, const char *name, uint32_t reg, bool may_miss)
{
	struct mp_nft_expr *e;
	uint8_t off = reg_offset(reg);

	if (may_miss)
		mp_nft_rule_add(r, MP_NFT_MAYBE, name);
	if (off == 0xff)
		return;
	e = mp_nft_rule_add(r, MP_NFT_UNKNOWN, name);
	e->dreg = off;
	e->len = (uint8_t)(MP_NFT_SCRATCH - off < 16 ? MP_NFT_SCRATCH - off : 16);
}

static bool get_data(struct nftnl_expr *x, uint16_t attr, uint8_t *out, uint32_t *len)
{
	const void *d = nftnl_expr_get(x, attr, len);

	if (!d || *len > MP_NFT_KEY)
		return false;
	memcpy(out, d, *len);
	return true;
}

static void dec_payload(struct nftnl_expr *x, const char *name, struct mp_nft_rule *r)
{
	struct mp_nft_expr *e;
	uint32_t len = nftnl_expr_get_u32(x, NFTNL_EXPR_PAYLOAD_LEN);
	uint8_t dreg;

	if (nftnl_expr_is_set(x, NFTNL_EXPR_PAYLOAD_SREG)) {
		/* DSCP and the like decide nothing; anything beyond may change addresses or ports.
		 */
		bool harmless = nftnl_expr_get_u32(x, NFTNL_EXPR_PAYLOAD_BASE) ==
					NFT_PAYLOAD_NETWORK_HEADER &&
				nftnl_expr_get_u32(x, NFTNL_EXPR_PAYLOAD_OFFSET) + len <= 8;

		mp_nft_rule_add(r, harmless ? MP_NFT_NOTHING : MP_NFT_OPAQUE, "payload set");
		return;
	}
	dreg = reg_offset(nftnl_expr_get_u32(x, NFTNL_EXPR_PAYLOAD_DREG));
	if (!fits(dreg, len)) {
		add_opaque(r, name);
		return;
	}
	e = mp_nft_rule_add(r, MP_NFT_PAYLOAD, name);
	e->dreg = dreg;
	e->len = (uint8_t)len;
	e->key = nftnl_expr_get_u32(x, NFTNL_EXPR_PAYLOAD_BASE);
	e->offset = nftnl_expr_get_u32(x, NFTNL_EXPR_PAYLOAD_OFFSET);
}

static void dec_meta(struct nftnl_expr *x, const char *name, struct mp_nft_rule *r)
{
	struct mp_nft_expr *e;
	uint32_t key = nftnl_expr_get_u32(x, NFTNL_EXPR_META_KEY);

	if (nftnl_expr_is_set(x, NFTNL_EXPR_META_SREG)) {
		e = mp_nft_rule_add(r, key == NFT_META_MARK ? MP_NFT_SET_MARK : MP_NFT_NOTHING,
				    name);
		e->sreg = reg_offset(nftnl_expr_get_u32(x, NFTNL_EXPR_META_SREG));
		return;
	}
	e = mp_nft_rule_add(r, MP_NFT_META, name);
	e->dreg = reg_offset(nftnl_expr_get_u32(x, NFTNL_EXPR_META_DREG));
	e->key = key;
	if (!fits(e->dreg, 16) && !fits(e->dreg, 4))
		e->kind = MP_NFT_OPAQUE;
}

static void dec_ct(struct nftnl_expr *x, const char *name, struct mp_nft_rule *r)
{
	struct mp_nft_expr *e;
	uint32_t key = nftnl_expr_get_u32(x, NFTNL_EXPR_CT_KEY);

	if (nftnl_expr_is_set(x, NFTNL_EXPR_CT_SREG)) {
		e = mp_nft_rule_add(r, key == NFT_CT_MARK ? MP_NFT_SET_CTMARK : MP_NFT_NOTHING,
				    name);
		e->sreg = reg_offset(nftnl_expr_get_u32(x, NFTNL_EXPR_CT_SREG));
		return;
	}
	e = mp_nft_rule_add(r, MP_NFT_CT, name);
	e->dreg = reg_offset(nftnl_expr_get_u32(x, NFTNL_EXPR_CT_DREG));
	e->key = key;
	if (nftnl_expr_is_set(x, NFTNL_EXPR_CT_DIR))
		e->offset = 1u + nftnl_expr_get_u8(x, NFTNL_EXPR_CT_DIR);
	if (!fits(e->dreg, 4))
		e->kind = MP_NFT_OPAQUE;
}

static void dec_fib(struct nftnl_expr *x, const char *name, struct mp_nft_rule *r)
{
	struct mp_nft_expr *e = mp_nft_rule_add(r, MP_NFT_FIB, name);

	e->dreg = reg_offset(nftnl_expr_get_u32(x, NFTNL_EXPR_FIB_DREG));
	e->key = nftnl_expr_get_u32(x, NFTNL_EXPR_FIB_RESULT);
	e->offset = nftnl_expr_get_u32(x, NFTNL_EXPR_FIB_FLAGS);
	if (!fits(e->dreg, e->key == NFT_FIB_RESULT_OIFNAME ? 16 : 4))
		e->kind = MP_NFT_OPAQUE;
}

static void dec_bitwise(struct nftnl_expr *x, const char *name, struct mp_nft_rule *r)
{
	struct mp_nft_expr *e = mp_nft_rule_add(r, MP_NFT_BITWISE, name);
	uint32_t len = nftnl_expr_get_u32(x, NFTNL_EXPR_BITWISE_LEN), la = 0, lb = 0;

	e->sreg = reg_offset(nftnl_expr_get_u32(x, NFTNL_EXPR_BITWISE_SREG));
	e->dreg = reg_offset(nftnl_expr_get_u32(x, NFTNL_EXPR_BITWISE_DREG));
	e->len = (uint8_t)len;
	if (!fits(e->dreg, len)) {
		e->kind = MP_NFT_OPAQUE;
		return;
	}
	if (nftnl_expr_get_u32(x, NFTNL_EXPR_BITWISE_OP) != NFT_BITWISE_BOOL ||
	    !fits(e->sreg, len) || !get_data(x, NFTNL_EXPR_BITWISE_MASK, e->a, &la) ||
	    !get_data(x, NFTNL_EXPR_BITWISE_XOR, e->b, &lb) || la != len || lb != len)
		e->kind = MP_NFT_UNKNOWN;
}

static void dec_byteorder(struct nftnl_expr *x, const char *name, struct mp_nft_rule *r)
{
	struct mp_nft_expr *e = mp_nft_rule_add(r, MP_NFT_BYTEORDER, name);
	uint32_t len = nftnl_expr_get_u32(x, NFTNL_EXPR_BYTEORDER_LEN);

	e->sreg = reg_offset(nftnl_expr_get_u32(x, NFTNL_EXPR_BYTEORDER_SREG));
	e->dreg = reg_offset(nftnl_expr_get_u32(x, NFTNL_EXPR_BYTEORDER_DREG));
	e->offset = nftnl_expr_get_u32(x, NFTNL_EXPR_BYTEORDER_SIZE);
	e->len = (uint8_t)len;
	if (!fits(e->dreg, len))
		e->kind = MP_NFT_OPAQUE;
	else if (!fits(e->sreg, len) || !e->offset || len % e->offset)
		e->kind = MP_NFT_UNKNOWN;
}

static void dec_cmp(struct nftnl_expr *x, const char *name, struct mp_nft_rule *r)
{
	struct mp_nft_expr *e = mp_nft_rule_add(r, MP_NFT_CMP, name);
	uint32_t len = 0, op = nftnl_expr_get_u32(x, NFTNL_EXPR_CMP_OP);

	e->sreg = reg_offset(nftnl_expr_get_u32(x, NFTNL_EXPR_CMP_SREG));
	e->op = (uint8_t)op;
	if (!get_data(x, NFTNL_EXPR_CMP_DATA, e->a, &len) || !fits(e->sreg, len) ||
	    op > NFT_CMP_GTE)
		e->kind = MP_NFT_MAYBE;
	e->len = (uint8_t)len;
}

static void dec_range(struct nftnl_expr *x, const char *name, struct mp_nft_rule *r)
{
	struct mp_nft_expr *e = mp_nft_rule_add(r, MP_NFT_RANGE, name);
	uint32_t la = 0, lb = 0;

	e->sreg = reg_offset(nftnl_expr_get_u32(x, NFTNL_EXPR_RANGE_SREG));
	e->invert = nftnl_expr_get_u32(x, NFTNL_EXPR_RANGE_OP) == NFT_RANGE_NEQ;
	if (!get_data(x, NFTNL_EXPR_RANGE_FROM_DATA, e->a, &la) ||
	    !get_data(x, NFTNL_EXPR_RANGE_TO_DATA, e->b, &lb) || la != lb || !fits(e->sreg, la))
		e->kind = MP_NFT_MAYBE;
	e->len = (uint8_t)la;
}

static void dec_lookup(struct nftnl_expr *x, const char *name, struct mp_nft_rule *r)
{
	const char *set = nftnl_expr_get_str(x, NFTNL_EXPR_LOOKUP_SET);
	struct mp_nft_expr *e = mp_nft_rule_add(r, MP_NFT_LOOKUP, set ? set : name);

	e->sreg = reg_offset(nftnl_expr_get_u32(x, NFTNL_EXPR_LOOKUP_SREG));
	e->map = nftnl_expr_is_set(x, NFTNL_EXPR_LOOKUP_DREG);
	if (e->map)
		e->dreg = reg_offset(nftnl_expr_get_u32(x, NFTNL_EXPR_LOOKUP_DREG));
	e->invert = nftnl_expr_is_set(x, NFTNL_EXPR_LOOKUP_FLAGS) &&
		    (nftnl_expr_get_u32(x, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV);
}

static void dec_immediate(struct nftnl_expr *x, const char *name, struct mp_nft_rule *r)
{
	struct mp_nft_expr *e;
	uint32_t len = 0;

	if (nftnl_expr_is_set(x, NFTNL_EXPR_IMM_VERDICT)) {
		const char *chain = nftnl_expr_get_str(x, NFTNL_EXPR_IMM_CHAIN);

		e = mp_nft_rule_add(r, MP_NFT_VERDICT, name);
		e->verdict.code = (int)nftnl_expr_get_u32(x, NFTNL_EXPR_IMM_VERDICT);
		e->verdict.chain = chain ? mp_xstrdup(chain) : NULL;
		return;
	}
	e = mp_nft_rule_add(r, MP_NFT_DATA, name);
	e->dreg = reg_offset(nftnl_expr_get_u32(x, NFTNL_EXPR_IMM_DREG));
	if (!get_data(x, NFTNL_EXPR_IMM_DATA, e->a, &len) || !fits(e->dreg, len))
		e->kind = MP_NFT_OPAQUE;
	e->len = (uint8_t)len;
}

static int note_limit(struct nftnl_expr *x, void *arg)
{
	const char *name = nftnl_expr_get_str(x, NFTNL_EXPR_NAME);

	if (!mp_str_eq(name, "counter") && !mp_str_eq(name, "last"))
		*(bool *)arg = true;
	return 0;
}

static void dec_dynset(struct nftnl_expr *x, const char *name, struct mp_nft_rule *r)
{
	const char *set = nftnl_expr_get_str(x, NFTNL_EXPR_DYNSET_SET_NAME);
	struct mp_nft_expr *e = mp_nft_rule_add(r, MP_NFT_UPDATE, set ? set : name);

	nftnl_expr_expr_foreach(x, note_limit, &e->invert);
	/* A map that is updated while the packet passes: its values are nobody's to tell. */
	if (nftnl_expr_is_set(x, NFTNL_EXPR_DYNSET_SREG_DATA))
		e->invert = true;
}

static void dec_objref(struct nftnl_expr *x, const char *name, struct mp_nft_rule *r)
{
	(void)name;
	if (!nftnl_expr_is_set(x, NFTNL_EXPR_OBJREF_IMM_TYPE)) {
		mp_nft_rule_add(r, MP_NFT_MAYBE, "object map");
		return;
	}
	switch (nftnl_expr_get_u32(x, NFTNL_EXPR_OBJREF_IMM_TYPE)) {
	case NFT_OBJECT_COUNTER:
	case NFT_OBJECT_CT_HELPER:
	case NFT_OBJECT_CT_TIMEOUT:
	case NFT_OBJECT_CT_EXPECT:
	case NFT_OBJECT_SECMARK:
		mp_nft_rule_add(r, MP_NFT_NOTHING, "object");
		break;
	case NFT_OBJECT_QUOTA:
	case NFT_OBJECT_LIMIT:
	case NFT_OBJECT_CONNLIMIT:
		mp_nft_rule_add(r, MP_NFT_MAYBE, "limit");
		break;
	default:
		add_opaque(r, "object");
	}
}

static void dec_nat(struct nftnl_expr *x, const char *name, struct mp_nft_rule *r)
{
	bool dnat = nftnl_expr_get_u32(x, NFTNL_EXPR_NAT_TYPE) == NFT_NAT_DNAT;

	(void)name;
	mp_nft_rule_add(r, dnat ? MP_NFT_DIVERT : MP_NFT_VERDICT, dnat ? "dnat" : "snat");
	r->exprs[r->n_exprs - 1].verdict.code =
		NF_ACCEPT; /* nft_nat.c: the verdict of nf_nat_setup_info() */
}

static void dec_match(struct nftnl_expr *x, const char *name, struct mp_nft_rule *r)
{
	uint32_t len = 0;
	const void *info = nftnl_expr_get(x, NFTNL_EXPR_MT_INFO, &len);

	(void)name;
	mp_nft_decode_match(nftnl_expr_get_str(x, NFTNL_EXPR_MT_NAME),
			    nftnl_expr_get_u32(x, NFTNL_EXPR_MT_REV), info, info ? len : 0, r);
}

static void dec_target(struct nftnl_expr *x, const char *name, struct mp_nft_rule *r)
{
	uint32_t len = 0;
	const void *info = nftnl_expr_get(x, NFTNL_EXPR_TG_INFO, &len);

	(void)name;
	mp_nft_decode_target(nftnl_expr_get_str(x, NFTNL_EXPR_TG_NAME),
			     nftnl_expr_get_u32(x, NFTNL_EXPR_TG_REV), info, info ? len : 0, r);
}

static const struct {
	const char *name;
	void (*decode)(struct nftnl_expr *x, const char *name, struct mp_nft_rule *r);
} decoders[] = {
	{ "payload", dec_payload }, { "meta", dec_meta },
	{ "ct", dec_ct },           { "fib", dec_fib },
	{ "bitwise", dec_bitwise }, { "byteorder", dec_byteorder },
	{ "cmp", dec_cmp },         { "range", dec_range },
	{ "lookup", dec_lookup },   { "immediate", dec_immediate },
	{ "dynset", dec_dynset },   { "objref", dec_objref },
	{ "nat", dec_nat },         { "match", dec_match },
	{ "target", dec_target },
};

/* Expressions whose name says all that matters. */
static const struct {
	const char *name;
	enum mp_nft_kind kind;
} plain[] = {
	{ "counter", MP_NFT_NOTHING }, { "log", MP_NFT_NOTHING },     { "last", MP_NFT_NOTHING },
	{ "dup", MP_NFT_NOTHING },     { "notrack", MP_NFT_NOTRACK }, { "reject", MP_NFT_REJECT },
	{ "limit", MP_NFT_MAYBE },     { "quota", MP_NFT_MAYBE },     { "connlimit", MP_NFT_MAYBE },
	{ "redir", MP_NFT_DIVERT },    { "queue", MP_NFT_DIVERT },    { "tproxy", MP_NFT_DIVERT },
	{ "synproxy", MP_NFT_DIVERT }, { "fwd", MP_NFT_DIVERT },
};

/* Expressions that load something nobody can know here, and the attribute of their register. */
static const struct {
	const char *name;
	uint16_t dreg;
	bool may_miss; /* the rule may end there */
} foreign[] = {
	{ "rt", NFTNL_EXPR_RT_DREG, true },         { "socket", NFTNL_EXPR_SOCKET_DREG, true },
	{ "exthdr", NFTNL_EXPR_EXTHDR_DREG, true }, { "osf", NFTNL_EXPR_OSF_DREG, true },
	{ "xfrm", NFTNL_EXPR_XFRM_DREG, true },     { "tunnel", NFTNL_EXPR_TUNNEL_DREG, true },
	{ "hash", NFTNL_EXPR_HASH_DREG, false },    { "numgen", NFTNL_EXPR_NG_DREG, false },
};

void mp_nft_decode_expr(struct nftnl_expr *x, struct mp_nft_rule *r)
{
	const char *name = nftnl_expr_get_str(x, NFTNL_EXPR_NAME);
	size_t i;

	for (i = 0; i < MP_N_ELEMS(decoders); i++) {
		if (mp_str_eq(name, decoders[i].name)) {
			decoders[i].decode(x, name, r);
			return;
		}
	}
	for (i = 0; i < MP_N_ELEMS(plain); i++) {
		if (mp_str_eq(name, plain[i].name)) {
			mp_nft_rule_add(r, plain[i].kind, name);
			return;
		}
	}
	for (i = 0; i < MP_N_ELEMS(foreign); i++) {
		if (mp_str_eq(name, foreign[i].name)) {
			add_unknown(r, name,
				    nftnl_expr_is_set(x, foreign[i].dreg)
					    ? nftnl_expr_get_u32(x, foreign[i].dreg)
					    : 0,
				    foreign[i].may_miss);
			return;
		}
	}
	/* masq, flow_offload and what is not known at all */
	if (mp_str_eq(name, "masq"))
		mp_nft_rule_add(r, MP_NFT_VERDICT, name)->verdict.code = NF_ACCEPT;
	else
		add_opaque(r, name);
}
