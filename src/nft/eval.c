/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * eval: an abstract run of the kernel's rule machine. Every register bit is 0, 1 or not known;
 * every match is yes, no or maybe. After a maybe both ways are walked, with one state that is true
 * on both.
 */
#include "config.h"
#include "nft/eval.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "nft/regs.h"

/* Ways a chain or rule can end, beside the fates. */
#define FALLS (1u << 8)    /* the chain ends without a verdict, or returns */
#define NEXT (1u << 9)     /* the next rule */
#define RETURNS (1u << 10) /* the rule leaves its chain */

#define STATE_INVALID 1 /* NF_CT_STATE_* as nft's `ct state` has them */
#define STATE_NEW 8
#define STATE_UNTRACKED 64

#define MAX_DEPTH 32       /* the kernel allows 16 jumps (NFT_JUMP_STACK_SIZE) */
#define MAX_STEPS 20000000 /* expressions per packet; a ruleset beyond it is not judged */
#define MAX_TOUCHED 8

struct eval {
	const struct mp_nft_packet *pkt;
	struct mp_nft_judgement *j;
	struct mp_nft_regs regs;
	struct mp_nft_word mark, ctmark;
	bool tracked; /* conntrack has seen the packet: the hook is after it */
	enum mp_nft_tri notrack;
	bool weak;       /* some way may have left the walk already: changes of state are maybes */
	const char *why; /* of the first maybe in the present rule */
	const char *base_why; /* of the present base chain as a whole */
	const struct mp_nft_set *touched[MAX_TOUCHED];
	size_t n_touched, steps;
	const struct mp_nft_chain *base, *chain;
	const struct mp_nft_rule *rule;
};

/* ---- what the packet looks like ---- */

static void load_u32(struct eval *ev, uint8_t dreg, uint32_t v, uint32_t known)
{
	mp_nft_regs_put(&ev->regs, dreg, &v, &known, sizeof(v));
}

static void load_u8(struct eval *ev, uint8_t dreg, uint8_t v)
{
	uint8_t known = 0xff;

	mp_nft_regs_put(&ev->regs, dreg, &v, &known, 1);
}

static void load_u16(struct eval *ev, uint8_t dreg, uint16_t v)
{
	uint16_t known = 0xffff;

	mp_nft_regs_put(&ev->regs, dreg, &v, &known, 2);
}

/* The bytes of the packet that are known: an unfragmented SYN to this host. */
static void headers(const struct mp_nft_packet *p, uint8_t net[40], uint8_t net_known[40],
		    uint8_t tcp[20], uint8_t tcp_known[20])
{
	size_t alen = p->family == AF_INET ? 4 : 16, at = p->family == AF_INET ? 12 : 8;

	memset(net, 0, 40);
	memset(net_known, 0, 40);
	memset(tcp, 0, 20);
	memset(tcp_known, 0, 20);
	net[0] = p->family == AF_INET ? 0x40 : 0x60;
	net_known[0] = 0xf0;
	if (p->family == AF_INET) {
		net_known[6] = 0x3f; /* no more fragments, offset 0 */
		net_known[7] = 0xff;
	}
	net[p->family == AF_INET ? 9 : 6] = IPPROTO_TCP;
	net_known[p->family == AF_INET ? 9 : 6] = 0xff;
	memcpy(net + at, p->saddr, alen);
	memset(net_known + at, p->saddr_known ? 0xff : 0, alen);
	memcpy(net + at + alen, p->daddr, alen);
	memset(net_known + at + alen, p->daddr_known ? 0xff : 0, alen);
	tcp[2] = (uint8_t)(p->dport >> 8);
	tcp[3] = (uint8_t)p->dport;
	memset(tcp_known + 2, 0xff, 2);
	memset(tcp_known + 8, 0xff, 4); /* no acknowledgement number */
	tcp[13] = 0x02;                 /* SYN; ECN bits may be there */
	tcp_known[13] = 0x3f;
}

static void do_payload(struct eval *ev, const struct mp_nft_expr *e)
{
	uint8_t net[40], net_known[40], tcp[20], tcp_known[20];
	uint8_t v[MP_NFT_KEY] = { 0 }, known[MP_NFT_KEY] = { 0 };
	size_t i;

	headers(ev->pkt, net, net_known, tcp, tcp_known);
	for (i = 0; i < e->len; i++) {
		size_t at = (size_t)e->offset + i;

		if (e->key == NFT_PAYLOAD_NETWORK_HEADER && at < 40) {
			v[i] = net[at];
			known[i] = net_known[at];
		} else if (e->key == NFT_PAYLOAD_TRANSPORT_HEADER && at < 20) {
			v[i] = tcp[at];
			known[i] = tcp_known[at];
		}
	}
	mp_nft_regs_put(&ev->regs, e->dreg, v, known, e->len);
	if (e->key == NFT_PAYLOAD_TRANSPORT_HEADER && e->offset == 0 && e->len >= 2)
		ev->regs.tag[e->dreg] = MP_NFT_TAG_SPORT;
	if (!ev->why && mp_nft_regs_unknown(&ev->regs, e->dreg, e->len))
		ev->regs.blame = e->key == NFT_PAYLOAD_NETWORK_HEADER
					 ? "addresses or header fields that are not known"
					 : "header fields that are not known";
}

static void load_iif(struct eval *ev, uint8_t dreg)
{
	load_u32(ev, dreg, ev->pkt->iif_index, ev->pkt->iif_index ? UINT32_MAX : 0);
	if (!ev->pkt->iif_index) {
		ev->regs.tag[dreg] = MP_NFT_TAG_IIF;
		ev->regs.blame = "the input interface";
	}
}

static void load_iifname(struct eval *ev, uint8_t dreg)
{
	uint8_t known[16];

	memset(known, ev->pkt->iif[0] ? 0xff : 0, sizeof(known));
	mp_nft_regs_put(&ev->regs, dreg, ev->pkt->iif, known, sizeof(known));
	if (!ev->pkt->iif[0]) {
		ev->regs.tag[dreg] = MP_NFT_TAG_IIFNAME;
		ev->regs.blame = "the input interface";
	}
}

static void do_meta(struct eval *ev, const struct mp_nft_expr *e)
{
	bool v4 = ev->pkt->family == AF_INET;

	switch (e->key) {
	case NFT_META_NFPROTO:
		load_u8(ev, e->dreg, v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
		break;
	case NFT_META_L4PROTO:
		load_u8(ev, e->dreg, IPPROTO_TCP);
		break;
	case NFT_META_PROTOCOL:
		load_u16(ev, e->dreg, htons(v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6));
		break;
	case NFT_META_MARK:
		load_u32(ev, e->dreg, ev->mark.v, ev->mark.known);
		ev->regs.blame = "the packet mark";
		break;
	case NFT_META_IIF:
		load_iif(ev, e->dreg);
		break;
	case NFT_META_IIFNAME:
		load_iifname(ev, e->dreg);
		break;
	case NFT_META_PKTTYPE:
		load_u8(ev, e->dreg, 0); /* PACKET_HOST */
		break;
	default:
		mp_nft_regs_forget(&ev->regs, e->dreg, 16);
		ev->regs.blame = "a property of the packet that is not known";
	}
}

static uint32_t ct_state(const struct eval *ev, uint32_t *known)
{
	*known = UINT32_MAX;
	if (!ev->tracked)
		return ev->notrack == MP_NFT_YES ? STATE_UNTRACKED : STATE_INVALID;
	if (ev->notrack == MP_NFT_MAYBE_SO)
		*known = ~(uint32_t)(STATE_NEW | STATE_UNTRACKED);
	return ev->notrack == MP_NFT_YES ? STATE_UNTRACKED : STATE_NEW;
}

/* Connection properties exist once conntrack has seen the packet. */
static void do_ct(struct eval *ev, const struct mp_nft_expr *e)
{
	const struct mp_nft_packet *p = ev->pkt;
	uint32_t v, known;
	uint8_t mask[16];

	ev->regs.blame = "the connection's state";
	if (e->key == NFT_CT_STATE) {
		v = ct_state(ev, &known);
		load_u32(ev, e->dreg, v, known);
		return;
	}
	mp_nft_regs_forget(&ev->regs, e->dreg, 16);
	if (!ev->tracked || ev->notrack != MP_NFT_NO)
		return;
	memset(mask, p->saddr_known ? 0xff : 0, sizeof(mask));
	if (e->key == NFT_CT_DIRECTION)
		load_u8(ev, e->dreg, 0); /* IP_CT_DIR_ORIGINAL */
	else if (e->key == NFT_CT_MARK)
		load_u32(ev, e->dreg, ev->ctmark.v, ev->ctmark.known);
	else if (e->key == NFT_CT_STATUS) /* no reply seen, not translated: IPS_SEEN_REPLY, _NAT */
		load_u32(ev, e->dreg, 0, 2 | 16 | 32);
	else if (e->key == NFT_CT_L3PROTOCOL)
		load_u8(ev, e->dreg, p->family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
	else if (e->key == NFT_CT_PROTOCOL)
		load_u8(ev, e->dreg, IPPROTO_TCP);
	else if (e->key == NFT_CT_PROTO_DST && e->offset != 2)
		load_u16(ev, e->dreg, htons(p->dport));
	else if (e->key == NFT_CT_SRC_IP && e->offset != 2)
		mp_nft_regs_put(&ev->regs, e->dreg, p->saddr, mask, 4);
	else if (e->key == NFT_CT_SRC_IP6 && e->offset != 2)
		mp_nft_regs_put(&ev->regs, e->dreg, p->saddr, mask, 16);
}

/* The receiver is this host, and the sender is reached by the interface that the packet came in on.
 */
static void do_fib(struct eval *ev, const struct mp_nft_expr *e)
{
	mp_nft_regs_forget(&ev->regs, e->dreg, 16);
	ev->regs.blame = "a route lookup";
	if (e->key == NFT_FIB_RESULT_ADDRTYPE && (e->offset & NFTA_FIB_F_DADDR))
		load_u32(ev, e->dreg, RTN_LOCAL, UINT32_MAX);
	else if (e->key == NFT_FIB_RESULT_ADDRTYPE && (e->offset & NFTA_FIB_F_SADDR))
		load_u32(ev, e->dreg, RTN_UNICAST, UINT32_MAX);
	else if (e->key == NFT_FIB_RESULT_OIF && (e->offset & NFTA_FIB_F_SADDR) &&
		 ev->pkt->iif_index)
		load_u32(ev, e->dreg, e->offset & NFTA_FIB_F_PRESENT ? 1 : ev->pkt->iif_index,
			 UINT32_MAX);
	else if (e->key == NFT_FIB_RESULT_OIFNAME && (e->offset & NFTA_FIB_F_SADDR))
		load_iifname(ev, e->dreg);
}

/* ---- matches ---- */

static enum mp_nft_tri not(enum mp_nft_tri t) {
	return t == MP_NFT_YES  ? MP_NFT_NO
	       : t == MP_NFT_NO ? MP_NFT_YES
				: t;
}

static enum mp_nft_tri do_cmp(const struct eval *ev, const struct mp_nft_expr *e)
{
	static const uint8_t low[MP_NFT_KEY];
	uint8_t high[MP_NFT_KEY];

	memset(high, 0xff, sizeof(high));
	switch (e->op) {
	case NFT_CMP_EQ:
		return mp_nft_regs_in(&ev->regs, e->sreg, e->len, e->a, e->a);
	case NFT_CMP_NEQ:
		return not(mp_nft_regs_in(&ev->regs, e->sreg, e->len, e->a, e->a));
	case NFT_CMP_GTE:
		return mp_nft_regs_in(&ev->regs, e->sreg, e->len, e->a, high);
	case NFT_CMP_LT:
		return not(mp_nft_regs_in(&ev->regs, e->sreg, e->len, e->a, high));
	case NFT_CMP_LTE:
		return mp_nft_regs_in(&ev->regs, e->sreg, e->len, low, e->a);
	case NFT_CMP_GT:
		return not(mp_nft_regs_in(&ev->regs, e->sreg, e->len, low, e->a));
	default:
		return MP_NFT_MAYBE_SO;
	}
}

static enum mp_nft_tri in_elem(const struct eval *ev, const struct mp_nft_expr *e,
			       const struct mp_nft_elem *el)
{
	const struct mp_nft_set *s = e->set;
	enum mp_nft_tri all = MP_NFT_YES, t;
	size_t i, at = 0;

	if (!s->n_fields)
		return mp_nft_regs_in(&ev->regs, e->sreg, s->key_len, el->lo, el->hi);
	for (i = 0; i < s->n_fields; i++) {
		t = mp_nft_regs_in(&ev->regs, e->sreg + at, s->fields[i], el->lo + at, el->hi + at);
		if (t == MP_NFT_NO)
			return MP_NFT_NO;
		if (t == MP_NFT_MAYBE_SO)
			all = t;
		at += (s->fields[i] + 3u) & ~3u;
	}
	return all;
}

static bool is_touched(const struct eval *ev, const struct mp_nft_set *s)
{
	size_t i;

	for (i = 0; i < ev->n_touched && i < MAX_TOUCHED; i++) {
		if (ev->touched[i] == s)
			return true;
	}
	return ev->n_touched > MAX_TOUCHED;
}

/* Elements of a simple set do not overlap and are ordered: where the key is known there is one
 * candidate. */
static void candidates(const struct eval *ev, const struct mp_nft_expr *e, size_t *from, size_t *to)
{
	const struct mp_nft_set *s = e->set;
	size_t lo = 0, hi = s->n_elems;

	*from = 0;
	*to = s->n_elems;
	if (s->n_fields || mp_nft_regs_unknown(&ev->regs, e->sreg, s->key_len))
		return;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (memcmp(s->elems[mid].lo, ev->regs.v + e->sreg, s->key_len) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*from = lo ? lo - 1 : 0;
	*to = lo;
}

/*
 * Whether the key is in the set. Every element that may be the one is handed to visit() (NULL: not
 * asked for), which returns false when it wants no more.
 */
static enum mp_nft_tri
do_lookup(struct eval *ev, const struct mp_nft_expr *e,
	  bool (*visit)(struct eval *ev, const struct mp_nft_elem *el, void *arg), void *arg)
{
	const struct mp_nft_set *s = e->set;
	enum mp_nft_tri found = MP_NFT_NO, t;
	size_t i, from, to;

	if (!s || !s->key_len || e->sreg + s->key_len > MP_NFT_REGS) {
		ev->regs.blame = "a set that could not be read";
		return MP_NFT_MAYBE_SO;
	}
	candidates(ev, e, &from, &to);
	for (i = from; i < to && found != MP_NFT_YES; i++) {
		t = in_elem(ev, e, &s->elems[i]);
		if (t == MP_NFT_NO)
			continue;
		found = t;
		if (visit && !visit(ev, &s->elems[i], arg))
			break;
	}
	ev->steps += to - from;
	if (s->catchall && found != MP_NFT_YES) {
		if (visit)
			visit(ev, s->catchall, arg);
		return MP_NFT_YES;
	}
	if (found == MP_NFT_NO && is_touched(ev, s)) {
		ev->regs.blame = "a set that the packet itself changes";
		return MP_NFT_MAYBE_SO;
	}
	return found;
}

/* ---- effects ---- */

/* The new value where the change is certain, what both agree on otherwise. */
static void set_word(const struct eval *ev, struct mp_nft_word *w, uint8_t sreg, bool certain)
{
	struct mp_nft_word n = { 0, 0 };

	if (sreg <= MP_NFT_REGS - 4) {
		memcpy(&n.v, ev->regs.v + sreg, 4);
		memcpy(&n.known, ev->regs.known + sreg, 4);
	}
	if (!certain)
		n.known &= w->known & ~(n.v ^ w->v);
	*w = n;
}

static void do_bitwise(struct eval *ev, const struct mp_nft_expr *e)
{
	uint8_t v[MP_NFT_KEY], known[MP_NFT_KEY];
	size_t i;

	for (i = 0; i < e->len; i++) {
		v[i] = (uint8_t)((ev->regs.v[e->sreg + i] & e->a[i]) ^ e->b[i]);
		known[i] = (uint8_t)(ev->regs.known[e->sreg + i] | (uint8_t)~e->a[i]);
	}
	mp_nft_regs_put(&ev->regs, e->dreg, v, known, e->len);
}

static void do_byteorder(struct eval *ev, const struct mp_nft_expr *e)
{
	uint8_t v[MP_NFT_KEY], known[MP_NFT_KEY];
	size_t i, size = e->offset;

	for (i = 0; i < e->len; i++) {
		size_t from = i / size * size + (size - 1 - i % size);

		if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
			from = i;
		v[i] = ev->regs.v[e->sreg + from];
		known[i] = ev->regs.known[e->sreg + from];
	}
	mp_nft_regs_put(&ev->regs, e->dreg, v, known, e->len);
}

/* ---- the walk ---- */

static unsigned eval_chain(struct eval *ev, const struct mp_nft_chain *c, unsigned depth);

/* Remembers the first place of each fate. */
static void record(struct eval *ev, unsigned fates, const char *why)
{
	struct mp_nft_place here = { ev->chain, ev->rule, ev->base, why ? why : ev->base_why };
	struct {
		unsigned fate;
		struct mp_nft_place *p;
	} places[] = { { MP_NFT_ACCEPTED, &ev->j->accepted },
		       { MP_NFT_DROPPED, &ev->j->dropped },
		       { MP_NFT_REJECTED, &ev->j->rejected },
		       { MP_NFT_UNSURE, &ev->j->unsure } };
	size_t i;

	for (i = 0; i < MP_N_ELEMS(places); i++) {
		if ((fates & places[i].fate) && !places[i].p->chain)
			*places[i].p = here;
	}
}

/* What a verdict does to the walk; maybe: it is not certain that it is reached. */
static unsigned take_verdict(struct eval *ev, const struct mp_nft_verdict *v, bool maybe,
			     unsigned depth)
{
	const char *why = maybe ? ev->why : NULL;
	const struct mp_nft_chain *chain = ev->chain;
	const struct mp_nft_rule *rule = ev->rule;
	unsigned ends;

	if (maybe)
		ev->weak = true;
	switch (v->code) {
	case NF_ACCEPT:
		record(ev, MP_NFT_ACCEPTED, why);
		return MP_NFT_ACCEPTED;
	case NF_DROP:
		record(ev, MP_NFT_DROPPED, why);
		return MP_NFT_DROPPED;
	case NFT_RETURN:
		return RETURNS;
	case NFT_CONTINUE:
	case NFT_BREAK:
		return NEXT;
	case NFT_JUMP:
	case NFT_GOTO:
		if (!v->target || depth >= MAX_DEPTH)
			break;
		ends = eval_chain(ev, v->target, depth + 1);
		ev->chain = chain;
		ev->rule = rule;
		if (ends & ~FALLS && ends & FALLS)
			ev->weak = true;
		if (!(ends & FALLS))
			return ends;
		return (ends & ~FALLS) | (v->code == NFT_GOTO ? RETURNS : NEXT);
	default:
		break;
	}
	record(ev, MP_NFT_UNSURE, why);
	return MP_NFT_UNSURE;
}

struct vmap_walk {
	unsigned ends, depth;
	bool maybe;
	size_t visited;
};

static bool vmap_visit(struct eval *ev, const struct mp_nft_elem *el, void *arg)
{
	struct vmap_walk *w = arg;

	w->ends |= take_verdict(ev, &el->verdict, w->maybe, w->depth);
	return ++w->visited < 256;
}

/* A lookup in a verdict map: the union over every element that may be the one. */
static unsigned eval_vmap(struct eval *ev, const struct mp_nft_expr *e, bool maybe, unsigned depth)
{
	struct vmap_walk w = { .depth = depth };
	enum mp_nft_tri found;

	if (!ev->why)
		ev->why = ev->regs.blame;
	/* First only whether it is certain, so that the places are recorded rightly. */
	found = do_lookup(ev, e, NULL, NULL);
	w.maybe = maybe || found != MP_NFT_YES ||
		  mp_nft_regs_unknown(&ev->regs, e->sreg, e->set ? e->set->key_len : 0);
	if (found == MP_NFT_NO)
		return NEXT;
	do_lookup(ev, e, vmap_visit, &w);
	if (!e->set || w.visited >= 256) {
		record(ev, MP_NFT_UNSURE, ev->why);
		w.ends |= MP_NFT_UNSURE;
	}
	if (found != MP_NFT_YES)
		w.ends |= NEXT;
	return w.ends;
}

static bool map_visit(struct eval *ev, const struct mp_nft_elem *el, void *arg)
{
	(void)ev;
	*(const struct mp_nft_elem **)arg = el;
	return false;
}

static enum mp_nft_tri eval_lookup(struct eval *ev, const struct mp_nft_expr *e)
{
	const struct mp_nft_elem *el = NULL;
	enum mp_nft_tri found = do_lookup(ev, e, e->map ? map_visit : NULL, &el);
	uint8_t known[MP_NFT_KEY];

	if (!e->map)
		return e->invert ? not(found) : found;
	memset(known, 0xff, sizeof(known));
	if (found == MP_NFT_YES && el && el->data && e->set->data_len <= MP_NFT_KEY &&
	    !mp_nft_regs_unknown(&ev->regs, e->sreg, e->set->key_len))
		mp_nft_regs_put(&ev->regs, e->dreg, el->data, known, e->set->data_len);
	else
		mp_nft_regs_forget(&ev->regs, e->dreg, 16);
	return found;
}

static void touch(struct eval *ev, const struct mp_nft_set *s)
{
	if (ev->n_touched < MAX_TOUCHED)
		ev->touched[ev->n_touched] = s;
	ev->n_touched++;
}

/* Loads, matches and effects: whether the rule goes on. */
static enum mp_nft_tri eval_expr(struct eval *ev, const struct mp_nft_expr *e, bool certain)
{
	switch (e->kind) {
	case MP_NFT_PAYLOAD:
		do_payload(ev, e);
		break;
	case MP_NFT_META:
		do_meta(ev, e);
		break;
	case MP_NFT_CT:
		do_ct(ev, e);
		break;
	case MP_NFT_FIB:
		do_fib(ev, e);
		break;
	case MP_NFT_BITWISE:
		do_bitwise(ev, e);
		break;
	case MP_NFT_BYTEORDER:
		do_byteorder(ev, e);
		break;
	case MP_NFT_DATA:
		mp_nft_regs_set(&ev->regs, e->dreg, e->a, e->len);
		break;
	case MP_NFT_UNKNOWN:
		mp_nft_regs_forget(&ev->regs, e->dreg, e->len);
		ev->regs.blame = e->name;
		break;
	case MP_NFT_CMP:
		return do_cmp(ev, e);
	case MP_NFT_RANGE:
		return e->invert ? not(mp_nft_regs_in(&ev->regs, e->sreg, e->len, e->a, e->b))
				 : mp_nft_regs_in(&ev->regs, e->sreg, e->len, e->a, e->b);
	case MP_NFT_LOOKUP:
		return eval_lookup(ev, e);
	case MP_NFT_MAYBE:
		ev->regs.blame = e->name;
		return MP_NFT_MAYBE_SO;
	case MP_NFT_SET_MARK:
		set_word(ev, &ev->mark, e->sreg, certain);
		break;
	case MP_NFT_SET_CTMARK:
		set_word(ev, &ev->ctmark, e->sreg, certain);
		break;
	case MP_NFT_NOTRACK:
		/* nft_notrack.c leaves alone what conntrack has seen already. */
		if (!ev->tracked && ev->notrack != MP_NFT_YES)
			ev->notrack = certain ? MP_NFT_YES : MP_NFT_MAYBE_SO;
		break;
	case MP_NFT_UPDATE:
		touch(ev, e->set);
		ev->regs.blame = "a limit per address";
		return e->invert ? MP_NFT_MAYBE_SO : MP_NFT_YES;
	case MP_NFT_NOTHING:
	case MP_NFT_VERDICT:
	case MP_NFT_REJECT:
	case MP_NFT_DIVERT:
	case MP_NFT_OPAQUE:
		break;
	}
	return MP_NFT_YES;
}

static bool decides(const struct mp_nft_expr *e)
{
	return e->kind == MP_NFT_VERDICT || e->kind == MP_NFT_REJECT || e->kind == MP_NFT_DIVERT ||
	       e->kind == MP_NFT_OPAQUE ||
	       (e->kind == MP_NFT_LOOKUP && e->map && e->dreg >= MP_NFT_REGS);
}

static unsigned decide(struct eval *ev, const struct mp_nft_expr *e, bool maybe, unsigned depth)
{
	if (maybe)
		ev->weak = true;
	if (e->kind == MP_NFT_VERDICT)
		return take_verdict(ev, &e->verdict, maybe, depth);
	if (e->kind == MP_NFT_LOOKUP)
		return eval_vmap(ev, e, maybe, depth);
	if (e->kind == MP_NFT_REJECT) {
		record(ev, MP_NFT_REJECTED, maybe ? ev->why : NULL);
		return MP_NFT_REJECTED;
	}
	record(ev, MP_NFT_UNSURE, e->name);
	ev->weak = true;
	return e->kind == MP_NFT_OPAQUE ? MP_NFT_UNSURE | NEXT : MP_NFT_UNSURE;
}

static unsigned eval_rule(struct eval *ev, const struct mp_nft_rule *r, unsigned depth)
{
	bool maybe = false;
	unsigned ends;
	size_t i;

	mp_nft_regs_reset(&ev->regs);
	ev->rule = r;
	ev->why = NULL;
	for (i = 0; i < r->n_exprs; i++) {
		const struct mp_nft_expr *e = &r->exprs[i];
		enum mp_nft_tri t;

		ev->steps++;
		if (decides(e)) {
			ends = decide(ev, e, maybe, depth);
			if (maybe)
				ends |= NEXT;
			/* `continue` goes on inside the rule; nothing that matters follows it. */
			return ends;
		}
		t = eval_expr(ev, e, !maybe && !ev->weak);
		if (t == MP_NFT_NO)
			return NEXT;
		if (t == MP_NFT_MAYBE_SO && !maybe) {
			maybe = true;
			ev->why = ev->regs.blame ? ev->regs.blame : "what is not known";
		}
	}
	return NEXT;
}

/* MP_NFT_* of every end inside the chain, and FALLS where it may reach its end or return. */
static unsigned eval_chain(struct eval *ev, const struct mp_nft_chain *c, unsigned depth)
{
	unsigned out = 0, ends;
	size_t i;

	for (i = 0; i < c->n_rules; i++) {
		ev->chain = c;
		if (ev->steps > MAX_STEPS) {
			ev->rule = &c->rules[i];
			record(ev, MP_NFT_UNSURE, "the size of the ruleset");
			return out | MP_NFT_UNSURE;
		}
		ends = eval_rule(ev, &c->rules[i], depth);
		if (ends & RETURNS)
			out |= FALLS;
		out |= ends & ~(NEXT | RETURNS);
		if (!(ends & NEXT))
			return out;
		if (ends & ~NEXT)
			ev->weak = true;
	}
	return out | FALLS;
}

/* ---- base chains ---- */

struct hooked {
	const struct mp_nft_chain *chain;
	int stage;    /* ingress, prerouting, input */
	size_t index; /* in the ruleset: age */
	bool maybe;   /* an ingress chain of a device that the packet may not come in on */
};

static int hook_stage(const struct mp_nft_chain *c, int family)
{
	if (c->family == NFPROTO_NETDEV)
		return c->hook == NF_NETDEV_INGRESS ? 0 : -1;
	if (c->family != NFPROTO_INET &&
	    c->family != (family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6))
		return -1;
	if (c->family == NFPROTO_INET && c->hook == NF_INET_INGRESS)
		return 0;
	if (c->hook == NF_INET_PRE_ROUTING)
		return 1;
	return c->hook == NF_INET_LOCAL_IN ? 2 : -1;
}

/* By priority; of equals the kernel runs the younger first (nf_hook_entries_grow()). */
static int hooked_cmp(const void *pa, const void *pb)
{
	const struct hooked *a = pa, *b = pb;

	if (a->stage != b->stage)
		return a->stage - b->stage;
	if (a->chain->priority != b->chain->priority)
		return a->chain->priority < b->chain->priority ? -1 : 1;
	return a->index > b->index ? -1 : 1;
}

static bool on_device(const struct mp_nft_chain *c, const char *iif)
{
	size_t i;

	for (i = 0; c->devices && c->devices[i]; i++) {
		if (iif[0] && !strcmp(c->devices[i], iif))
			return true;
	}
	return false;
}

static struct hooked *collect(const struct mp_nft_ruleset *rs, const struct mp_nft_packet *pkt,
			      size_t *ret_n)
{
	struct hooked *v = mp_xcalloc(rs->n_chains + 1, sizeof(*v));
	size_t i, n = 0;
	int stage;

	for (i = 0; i < rs->n_chains; i++) {
		const struct mp_nft_chain *c = &rs->chains[i];

		stage = c->base ? hook_stage(c, pkt->family) : -1;
		if (stage < 0)
			continue;
		v[n++] = (struct hooked){ c, stage, i, stage == 0 && !on_device(c, pkt->iif) };
	}
	qsort(v, n, sizeof(*v), hooked_cmp);
	*ret_n = n;
	return v;
}

/* NF_IP_PRI_CONNTRACK: what runs before it in prerouting sees no connection. */
static bool after_conntrack(const struct hooked *h)
{
	return h->stage == 2 || (h->stage == 1 && h->chain->priority > NF_IP_PRI_CONNTRACK);
}

static unsigned eval_base(struct eval *ev, const struct hooked *h)
{
	unsigned ends;

	ev->tracked = after_conntrack(h);
	if (h->maybe)
		ev->weak = true;
	ev->base_why = h->maybe ? "whether it passes the device of that chain" : NULL;
	ev->base = h->chain;
	ends = eval_chain(ev, h->chain, 0);
	if (ends & FALLS) {
		bool only = !(ends & ~FALLS);

		ev->chain = h->chain;
		ev->rule = NULL;
		record(ev, h->chain->policy == NF_DROP ? MP_NFT_DROPPED : MP_NFT_ACCEPTED,
		       only ? NULL : "the rules before it");
		ends |= h->chain->policy == NF_DROP ? MP_NFT_DROPPED : MP_NFT_ACCEPTED;
	}
	ends &= ~FALLS;
	return h->maybe ? ends | MP_NFT_ACCEPTED : ends;
}

void mp_nft_eval(const struct mp_nft_ruleset *rs, const struct mp_nft_packet *pkt,
		 struct mp_nft_judgement *ret, uint8_t *chain_fates)
{
	struct eval ev = { .pkt = pkt,
			   .j = ret,
			   .mark.known = UINT32_MAX,
			   .ctmark.known = UINT32_MAX,
			   .notrack = MP_NFT_NO };
	struct mp_nft_judgement unused;
	mp_auto_free struct hooked *v = NULL;
	struct mp_nft_place before;
	size_t i, n = 0;
	bool alive = true;

	memset(ret, 0, sizeof(*ret));
	memset(&unused, 0, sizeof(unused));
	if (chain_fates)
		memset(chain_fates, 0, rs->n_chains);
	v = collect(rs, pkt, &n);
	for (i = 0; i < n; i++) {
		unsigned ends;

		ev.j = alive ? ret : &unused;
		/* While nothing else is possible, the last chain's accept is the one that counts.
		 */
		before = ret->accepted;
		if (alive && !ret->fates)
			memset(&ret->accepted, 0, sizeof(ret->accepted));
		ends = eval_base(&ev, &v[i]);
		if (before.rule && !ret->accepted.rule)
			ret->accepted = before;
		if (chain_fates)
			chain_fates[v[i].index] = (uint8_t)ends;
		if (alive)
			ret->fates |= ends & ~(unsigned)MP_NFT_ACCEPTED;
		if (!(ends & MP_NFT_ACCEPTED))
			alive = false;
		if (ends & ~(unsigned)MP_NFT_ACCEPTED)
			ev.weak = true;
	}
	if (alive)
		ret->fates |= MP_NFT_ACCEPTED;
}

enum mp_nft_fate mp_nft_fate(const struct mp_nft_judgement *j)
{
	switch (j->fates) {
	case MP_NFT_ACCEPTED:
	case MP_NFT_DROPPED:
	case MP_NFT_REJECTED:
		return (enum mp_nft_fate)j->fates;
	default:
		return MP_NFT_UNSURE;
	}
}

/* With several fates possible: the rule that is not certain, the harmful one before the helpful
 * one. */
const struct mp_nft_place *mp_nft_blame(const struct mp_nft_judgement *j)
{
	switch (mp_nft_fate(j)) {
	case MP_NFT_ACCEPTED:
		return &j->accepted;
	case MP_NFT_DROPPED:
		return &j->dropped;
	case MP_NFT_REJECTED:
		return &j->rejected;
	case MP_NFT_UNSURE:
		break;
	}
	if (j->unsure.chain)
		return &j->unsure;
	if (j->dropped.why && (j->dropped.rule || !j->accepted.why))
		return &j->dropped;
	if (j->rejected.why)
		return &j->rejected;
	return j->accepted.why || !j->dropped.chain ? &j->accepted : &j->dropped;
}
