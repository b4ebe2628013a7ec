/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * netlink: the kernel's packet filter, read (dump.c), written in words (encode.c, pure) and changed
 * (send.c, the only sender). All of it concerns the network namespace of the caller.
 */
#ifndef MP_NFT_NETLINK_H
#define MP_NFT_NETLINK_H

#include <netinet/in.h>

#include "base/err.h"
#include "nft/ruleset.h"

struct nftnl_expr;
struct nftnl_rule;

/*
 * The whole ruleset as of one generation; a change during the dump starts it anew. A kernel without
 * nf_tables has an empty one. MP_E_DENIED without CAP_NET_ADMIN.
 */
int mp_nft_dump(struct mp_nft_ruleset **ret, struct mp_err *err);

/* The interface that the route to addr (family AF_INET or AF_INET6) leaves by; 0 and "" if there is
 * none. */
void mp_nft_route_iif(int family, const void *addr, uint32_t *ret_index, char ret_name[16]);

/* Translates one expression of a rule, appending to r. Pure. */
void mp_nft_decode_expr(struct nftnl_expr *e, struct mp_nft_rule *r);

/* The same for an xtables match or target (iptables-nft), by name, revision and its kernel
 * structure. Pure. */
void mp_nft_decode_match(const char *name, uint32_t rev, const void *info, size_t size,
			 struct mp_nft_rule *r);
void mp_nft_decode_target(const char *name, uint32_t rev, const void *info, size_t size,
			  struct mp_nft_rule *r);

/* ---- changes: one batch is one transaction ---- */

struct mp_nft_batch;

struct mp_nft_accept {
	int family;      /* AF_INET, AF_INET6; AF_UNSPEC: both */
	const char *set; /* of source addresses; NULL: from anywhere (family is then ignored) */
	uint16_t from, to;
	const char *comment;
};

struct mp_nft_batch *mp_nft_batch_new(void);
void mp_nft_batch_free(struct mp_nft_batch *b);
/* A set of addresses of family (AF_INET, AF_INET6); one that exists stays as it is. */
void mp_nft_batch_add_set(struct mp_nft_batch *b, int table_family, const char *table,
			  const char *set, int family);
void mp_nft_batch_del_set(struct mp_nft_batch *b, int table_family, const char *table,
			  const char *set);
/* n addresses of size bytes each, one after another; add or remove. */
void mp_nft_batch_elems(struct mp_nft_batch *b, bool add, int table_family, const char *table,
			const char *set, const void *addrs, size_t size, size_t n);
void mp_nft_batch_del_rule(struct mp_nft_batch *b, int table_family, const char *table,
			   const char *chain, uint64_t handle);
/* An accept at the head of the chain. */
void mp_nft_batch_insert_accept(struct mp_nft_batch *b, int table_family, const char *table,
				const char *chain, const struct mp_nft_accept *a);
/* The rule of it, for comparison with what is there; the caller frees it. */
struct nftnl_rule *mp_nft_accept_rule(int table_family, const char *table, const char *chain,
				      const struct mp_nft_accept *a);
/* Number of changes so far. */
size_t mp_nft_batch_count(const struct mp_nft_batch *b);
/* The bytes of the transaction, closed; valid until the batch is freed. */
const void *mp_nft_batch_bytes(struct mp_nft_batch *b, size_t *ret_size);

/* Sends the batch; all of it happens or nothing. The error text carries the kernel's own
 * explanation. */
int mp_nft_send(struct mp_nft_batch *b, struct mp_err *err);

#endif
