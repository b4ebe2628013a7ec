/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * encode: changes as the bytes of one netlink transaction. Pure. The rule has the form that nft(8)
 * gives to "ip saddr @SET tcp dport A-B accept", so that nft lists it as such.
 */
#include "config.h"
#include "nft/netlink.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

#define ELEMS_PER_MESSAGE 400 /* an attribute holds 64 KiB; an IPv6 element takes 32 bytes */
#define TYPE_IPADDR 7         /* nft's numbers of set key types (include/datatype.h) */
#define TYPE_IP6ADDR 8

struct mp_nft_batch {
	struct mp_buf buf;
	uint32_t seq;
	size_t count;
	bool closed;
};

/* Adds the message that was built in place. */
static void take(struct mp_nft_batch *b, const struct nlmsghdr *nlh)
{
	static const char zero[MNL_ALIGNTO];
	size_t pad = MNL_ALIGN(nlh->nlmsg_len) - nlh->nlmsg_len;

	mp_buf_add(&b->buf, nlh, nlh->nlmsg_len);
	if (pad)
		mp_buf_add(&b->buf, zero, pad);
}

struct mp_nft_batch *mp_nft_batch_new(void)
{
	struct mp_nft_batch *b = mp_xcalloc(1, sizeof(*b));
	char msg[256];

	mp_buf_init(&b->buf, 0);
	nftnl_batch_begin(msg, ++b->seq);
	take(b, (struct nlmsghdr *)msg);
	return b;
}

void mp_nft_batch_free(struct mp_nft_batch *b)
{
	if (!b)
		return;
	mp_buf_fini(&b->buf);
	free(b);
}

size_t mp_nft_batch_count(const struct mp_nft_batch *b)
{
	return b->count;
}

const void *mp_nft_batch_bytes(struct mp_nft_batch *b, size_t *ret_size)
{
	char msg[256];

	if (!b->closed) {
		nftnl_batch_end(msg, ++b->seq);
		take(b, (struct nlmsghdr *)msg);
		b->closed = true;
	}
	*ret_size = b->buf.size;
	return b->buf.data;
}

static struct nlmsghdr *begin(struct mp_nft_batch *b, char *msg, uint16_t type, int family,
			      uint16_t flags)
{
	b->count++;
	return nftnl_nlmsg_build_hdr(msg, type, (uint16_t)family, flags | NLM_F_ACK, ++b->seq);
}

static struct nftnl_set *new_set(int table_family, const char *table, const char *name)
{
	struct nftnl_set *s = nftnl_set_alloc();

	if (!s)
		abort();
	nftnl_set_set_u32(s, NFTNL_SET_FAMILY, (uint32_t)table_family);
	nftnl_set_set_str(s, NFTNL_SET_TABLE, table);
	nftnl_set_set_str(s, NFTNL_SET_NAME, name);
	return s;
}

void mp_nft_batch_add_set(struct mp_nft_batch *b, int table_family, const char *table,
			  const char *set, int family)
{
	char msg[MNL_NLMSG_HDRLEN + 4096];
	struct nftnl_set *s = new_set(table_family, table, set);
	struct nlmsghdr *nlh;

	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, family == AF_INET ? TYPE_IPADDR : TYPE_IP6ADDR);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, family == AF_INET ? 4 : 16);
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, 0);
	nftnl_set_set_u32(s, NFTNL_SET_ID, b->seq + 1);
	nlh = begin(b, msg, NFT_MSG_NEWSET, table_family, NLM_F_CREATE);
	nftnl_set_nlmsg_build_payload(nlh, s);
	take(b, nlh);
	nftnl_set_free(s);
}

void mp_nft_batch_del_set(struct mp_nft_batch *b, int table_family, const char *table,
			  const char *set)
{
	char msg[MNL_NLMSG_HDRLEN + 4096];
	struct nftnl_set *s = new_set(table_family, table, set);
	struct nlmsghdr *nlh = begin(b, msg, NFT_MSG_DELSET, table_family, 0);

	nftnl_set_nlmsg_build_payload(nlh, s);
	take(b, nlh);
	nftnl_set_free(s);
}

void mp_nft_batch_elems(struct mp_nft_batch *b, bool add, int table_family, const char *table,
			const char *set, const void *addrs, size_t size, size_t n)
{
	static const size_t room = 1 << 16;
	mp_auto_free char *msg = mp_xmalloc(room);
	const uint8_t *p = addrs;
	size_t i, part;

	for (; n; n -= part, p += part * size) {
		struct nftnl_set *s = new_set(table_family, table, set);
		struct nlmsghdr *nlh;

		part = n < ELEMS_PER_MESSAGE ? n : ELEMS_PER_MESSAGE;
		for (i = 0; i < part; i++) {
			struct nftnl_set_elem *e = nftnl_set_elem_alloc();

			if (!e)
				abort();
			nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, p + i * size, (uint32_t)size);
			nftnl_set_elem_add(s, e);
		}
		nlh = begin(b, msg, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM, table_family,
			    add ? NLM_F_CREATE : 0);
		nftnl_set_elems_nlmsg_build_payload(nlh, s);
		take(b, nlh);
		nftnl_set_free(s);
	}
}

static struct nftnl_rule *new_rule(int table_family, const char *table, const char *chain)
{
	struct nftnl_rule *r = nftnl_rule_alloc();

	if (!r)
		abort();
	nftnl_rule_set_u32(r, NFTNL_RULE_FAMILY, (uint32_t)table_family);
	nftnl_rule_set_str(r, NFTNL_RULE_TABLE, table);
	nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain);
	return r;
}

void mp_nft_batch_del_rule(struct mp_nft_batch *b, int table_family, const char *table,
			   const char *chain, uint64_t handle)
{
	char msg[MNL_NLMSG_HDRLEN + 4096];
	struct nftnl_rule *r = new_rule(table_family, table, chain);
	struct nlmsghdr *nlh = begin(b, msg, NFT_MSG_DELRULE, table_family, 0);

	nftnl_rule_set_u64(r, NFTNL_RULE_HANDLE, handle);
	nftnl_rule_nlmsg_build_payload(nlh, r);
	take(b, nlh);
	nftnl_rule_free(r);
}

static struct nftnl_expr *add_expr(struct nftnl_rule *r, const char *name)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);

	if (!e)
		abort();
	nftnl_rule_add_expr(r, e);
	return e;
}

static void add_cmp(struct nftnl_rule *r, enum nft_cmp_ops op, const void *v, uint32_t n)
{
	struct nftnl_expr *e = add_expr(r, "cmp");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, v, n);
}

static void add_meta(struct nftnl_rule *r, uint32_t key, uint8_t value)
{
	struct nftnl_expr *e = add_expr(r, "meta");

	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
	add_cmp(r, NFT_CMP_EQ, &value, 1);
}

static void add_payload(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint32_t len)
{
	struct nftnl_expr *e = add_expr(r, "payload");

	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
}

static void add_source(struct nftnl_rule *r, int table_family, const struct mp_nft_accept *a)
{
	bool v4 = a->family == AF_INET;
	struct nftnl_expr *e;

	if (table_family == NFPROTO_INET)
		add_meta(r, NFT_META_NFPROTO, v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	add_payload(r, NFT_PAYLOAD_NETWORK_HEADER, v4 ? 12 : 8, v4 ? 4 : 16);
	e = add_expr(r, "lookup");
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, a->set);
}

struct nftnl_rule *mp_nft_accept_rule(int table_family, const char *table, const char *chain,
				      const struct mp_nft_accept *a)
{
	struct nftnl_rule *r = new_rule(table_family, table, chain);
	struct nftnl_udata_buf *u = nftnl_udata_buf_alloc(256);
	uint16_t from = htons(a->from), to = htons(a->to);
	struct nftnl_expr *e;

	if (!u)
		abort();
	if (a->set)
		add_source(r, table_family, a);
	add_meta(r, NFT_META_L4PROTO, IPPROTO_TCP);
	add_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
	add_cmp(r, from == to ? NFT_CMP_EQ : NFT_CMP_GTE, &from, 2);
	if (from != to)
		add_cmp(r, NFT_CMP_LTE, &to, 2);
	e = add_expr(r, "immediate");
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, NF_ACCEPT);
	if (a->comment) {
		nftnl_udata_put_strz(u, NFTNL_UDATA_RULE_COMMENT, a->comment);
		nftnl_rule_set_data(r, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(u),
				    nftnl_udata_buf_len(u));
	}
	nftnl_udata_buf_free(u);
	return r;
}

void mp_nft_batch_insert_accept(struct mp_nft_batch *b, int table_family, const char *table,
				const char *chain, const struct mp_nft_accept *a)
{
	char msg[MNL_NLMSG_HDRLEN + 8192];
	struct nftnl_rule *r = mp_nft_accept_rule(table_family, table, chain, a);
	/* Without NLM_F_APPEND and without a position it goes to the head. */
	struct nlmsghdr *nlh = begin(b, msg, NFT_MSG_NEWRULE, table_family, NLM_F_CREATE);

	nftnl_rule_nlmsg_build_payload(nlh, r);
	take(b, nlh);
	nftnl_rule_free(r);
}
