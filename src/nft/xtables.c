/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * xtables: matches and targets of iptables-nft, which the kernel keeps in their old structures
 * (linux/netfilter/xt_*.h). The common ones become expressions of the model; others stay MAYBE.
 * Pure.
 */
#include "config.h"
#include "nft/netlink.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define NFT_STATE_UNTRACKED 64 /* NF_CT_STATE_UNTRACKED_BIT as nft sees it */

/* scratch = load; keep only the bits of mask; rule ends unless op value */
static void add_masked(struct mp_nft_rule *r, enum mp_nft_kind load, uint32_t key, const char *name,
		       uint32_t mask, uint32_t value, enum nft_cmp_ops op)
{
	struct mp_nft_expr *e = mp_nft_rule_add(r, load, name);

	e->dreg = MP_NFT_SCRATCH;
	e->len = 4;
	e->key = key;
	e = mp_nft_rule_add(r, MP_NFT_BITWISE, name);
	e->dreg = e->sreg = MP_NFT_SCRATCH;
	e->len = 4;
	memcpy(e->a, &mask, 4);
	e = mp_nft_rule_add(r, MP_NFT_CMP, name);
	e->sreg = MP_NFT_SCRATCH;
	e->len = 4;
	e->op = (uint8_t)op;
	memcpy(e->a, &value, 4);
}

/* scratch = len bytes of the TCP header at offset */
static struct mp_nft_expr *add_tcp(struct mp_nft_rule *r, const char *name, uint32_t offset,
				   uint8_t len)
{
	struct mp_nft_expr *e = mp_nft_rule_add(r, MP_NFT_PAYLOAD, name);

	e->dreg = MP_NFT_SCRATCH;
	e->len = len;
	e->key = NFT_PAYLOAD_TRANSPORT_HEADER;
	e->offset = offset;
	return e;
}

static void add_port_range(struct mp_nft_rule *r, uint32_t offset, const uint16_t ports[2],
			   bool invert)
{
	struct mp_nft_expr *e;
	uint16_t lo = htons(ports[0]), hi = htons(ports[1]);

	add_tcp(r, "tcp", offset, 2);
	e = mp_nft_rule_add(r, MP_NFT_RANGE, "tcp");
	e->sreg = MP_NFT_SCRATCH;
	e->len = 2;
	e->invert = invert;
	memcpy(e->a, &lo, 2);
	memcpy(e->b, &hi, 2);
}

static bool match_conntrack(uint32_t rev, const void *info, size_t size, struct mp_nft_rule *r)
{
	struct xt_conntrack_mtinfo3 m;
	uint32_t mask;

	/* Revisions 2 and 3 agree up to state_mask; revision 1 has it narrower. */
	if (rev < 2 || rev > 3 || size < sizeof(struct xt_conntrack_mtinfo2))
		return false;
	memset(&m, 0, sizeof(m));
	memcpy(&m, info, size < sizeof(m) ? size : sizeof(m));
	if ((m.match_flags & ~XT_CONNTRACK_STATE_ALIAS) != XT_CONNTRACK_STATE)
		return false;
	mask = m.state_mask & 0xf;
	if (m.state_mask & XT_CONNTRACK_STATE_UNTRACKED)
		mask |= NFT_STATE_UNTRACKED;
	/* SNAT and DNAT ask for a connection that was translated; a diverted packet is not judged.
	 */
	add_masked(r, MP_NFT_CT, NFT_CT_STATE, "conntrack", mask, 0,
		   m.invert_flags & XT_CONNTRACK_STATE ? NFT_CMP_EQ : NFT_CMP_NEQ);
	return true;
}

static bool match_state(uint32_t rev, const void *info, size_t size, struct mp_nft_rule *r)
{
	struct xt_state_info m;

	if (rev != 0 || size < sizeof(m))
		return false;
	memcpy(&m, info, sizeof(m));
	add_masked(r, MP_NFT_CT, NFT_CT_STATE, "state", m.statemask & 0xf, 0, NFT_CMP_NEQ);
	return true;
}

static bool match_mark(uint32_t rev, const void *info, size_t size, struct mp_nft_rule *r)
{
	struct xt_mark_mtinfo1 m;

	if (rev != 1 || size < sizeof(m))
		return false;
	memcpy(&m, info, sizeof(m));
	add_masked(r, MP_NFT_META, NFT_META_MARK, "mark", m.mask, m.mark,
		   m.invert ? NFT_CMP_NEQ : NFT_CMP_EQ);
	return true;
}

static bool match_multiport(uint32_t rev, const void *info, size_t size, struct mp_nft_rule *r)
{
	struct xt_multiport_v1 m;
	struct mp_nft_expr *e;
	unsigned i;

	if (rev != 1 || size < sizeof(m))
		return false;
	memcpy(&m, info, sizeof(m));
	if (m.flags == XT_MULTIPORT_EITHER || m.count > XT_MULTI_PORTS)
		return false;
	add_tcp(r, "multiport", m.flags == XT_MULTIPORT_SOURCE ? 0 : 2, 2);
	e = mp_nft_rule_add(r, MP_NFT_LOOKUP, "multiport");
	e->sreg = MP_NFT_SCRATCH;
	e->invert = m.invert;
	e->own = mp_xcalloc(1, sizeof(*e->own));
	e->own->key_len = 2;
	for (i = 0; i < m.count; i++) {
		uint16_t lo = htons(m.ports[i]), hi = lo;

		if (m.pflags[i] && i + 1u < m.count)
			hi = htons(m.ports[++i]);
		mp_nft_set_add(e->own, &lo, &hi, NULL);
	}
	mp_nft_set_finish(e->own);
	return true;
}

static bool match_tcp(uint32_t rev, const void *info, size_t size, struct mp_nft_rule *r)
{
	struct xt_tcp m;
	struct mp_nft_expr *e;

	if (rev != 0 || size < sizeof(m))
		return false;
	memcpy(&m, info, sizeof(m));
	if (m.option)
		return false;
	add_port_range(r, 0, m.spts, m.invflags & XT_TCP_INV_SRCPT);
	add_port_range(r, 2, m.dpts, m.invflags & XT_TCP_INV_DSTPT);
	if (!m.flg_mask)
		return true;
	add_tcp(r, "tcp", 13, 1);
	e = mp_nft_rule_add(r, MP_NFT_BITWISE, "tcp");
	e->dreg = e->sreg = MP_NFT_SCRATCH;
	e->len = 1;
	e->a[0] = m.flg_mask;
	e = mp_nft_rule_add(r, MP_NFT_CMP, "tcp");
	e->sreg = MP_NFT_SCRATCH;
	e->len = 1;
	e->op = m.invflags & XT_TCP_INV_FLAGS ? NFT_CMP_NEQ : NFT_CMP_EQ;
	e->a[0] = m.flg_cmp;
	return true;
}

/* The sender is another host and the receiver is this one: unicast, and local. */
static bool match_addrtype(uint32_t rev, const void *info, size_t size, struct mp_nft_rule *r)
{
	struct xt_addrtype_info_v1 m;
	bool holds = true;

	if (rev != 1 || size < sizeof(m))
		return false;
	memcpy(&m, info, sizeof(m));
	if (m.flags & (XT_ADDRTYPE_LIMIT_IFACE_IN | XT_ADDRTYPE_LIMIT_IFACE_OUT))
		return false;
	if (m.source)
		holds &= !(m.source & (1u << RTN_UNICAST)) ==
			 !!(m.flags & XT_ADDRTYPE_INVERT_SOURCE);
	if (m.dest)
		holds &= !(m.dest & (1u << RTN_LOCAL)) == !!(m.flags & XT_ADDRTYPE_INVERT_DEST);
	if (holds)
		mp_nft_rule_add(r, MP_NFT_NOTHING, "addrtype");
	else
		mp_nft_rule_add(r, MP_NFT_VERDICT, "addrtype")->verdict.code = NFT_BREAK;
	return true;
}

static bool match_always(uint32_t rev, const void *info, size_t size, struct mp_nft_rule *r)
{
	(void)rev;
	(void)info;
	(void)size;
	mp_nft_rule_add(r, MP_NFT_NOTHING, "comment");
	return true;
}

static const struct {
	const char *name;
	bool (*decode)(uint32_t rev, const void *info, size_t size, struct mp_nft_rule *r);
} matches[] = {
	{ "conntrack", match_conntrack }, { "state", match_state }, { "mark", match_mark },
	{ "multiport", match_multiport }, { "tcp", match_tcp },     { "addrtype", match_addrtype },
	{ "comment", match_always },
};

void mp_nft_decode_match(const char *name, uint32_t rev, const void *info, size_t size,
			 struct mp_nft_rule *r)
{
	size_t i;

	for (i = 0; name && info && i < MP_N_ELEMS(matches); i++) {
		if (!strcmp(name, matches[i].name) && matches[i].decode(rev, info, size, r))
			return;
	}
	mp_nft_rule_add(r, MP_NFT_MAYBE, name ? name : "match");
}

static const struct {
	const char *name;
	enum mp_nft_kind kind;
} targets[] = {
	{ "REJECT", MP_NFT_REJECT },   { "LOG", MP_NFT_NOTHING },
	{ "NFLOG", MP_NFT_NOTHING },   { "AUDIT", MP_NFT_NOTHING },
	{ "TRACE", MP_NFT_NOTHING },   { "CHECKSUM", MP_NFT_NOTHING },
	{ "TCPMSS", MP_NFT_NOTHING },  { "CLASSIFY", MP_NFT_NOTHING },
	{ "SET", MP_NFT_NOTHING },     { "DNAT", MP_NFT_DIVERT },
	{ "REDIRECT", MP_NFT_DIVERT }, { "TPROXY", MP_NFT_DIVERT },
	{ "NFQUEUE", MP_NFT_DIVERT },
};

void mp_nft_decode_target(const char *name, uint32_t rev, const void *info, size_t size,
			  struct mp_nft_rule *r)
{
	struct mp_nft_expr *e;
	size_t i;

	(void)rev;
	(void)info;
	(void)size;
	for (i = 0; name && i < MP_N_ELEMS(targets); i++) {
		if (!strcmp(name, targets[i].name)) {
			mp_nft_rule_add(r, targets[i].kind, name);
			return;
		}
	}
	if (name && (!strcmp(name, "MARK") || !strcmp(name, "CONNMARK"))) {
		e = mp_nft_rule_add(r, MP_NFT_UNKNOWN, name);
		e->dreg = MP_NFT_SCRATCH;
		e->len = 4;
		/* CONNMARK may restore into the packet's mark as well as save from it. */
		mp_nft_rule_add(r, MP_NFT_SET_MARK, name)->sreg = MP_NFT_SCRATCH;
		mp_nft_rule_add(r, MP_NFT_SET_CTMARK, name)->sreg = MP_NFT_SCRATCH;
		return;
	}
	mp_nft_rule_add(r, MP_NFT_OPAQUE, name ? name : "target");
}
