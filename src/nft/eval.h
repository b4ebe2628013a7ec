/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * eval: what the packet filter would do with the first packet of a TCP connection to this host.
 * Pure. The walk follows the kernel (nf_tables_core.c): base chains of a hook in order of priority,
 * an accept ends only its own base chain, a drop ends everything. What cannot be known (the limit
 * that is reached, the interface when it is not given) splits the walk, and every end that remains
 * possible is reported.
 */
#ifndef MP_NFT_EVAL_H
#define MP_NFT_EVAL_H

#include "base/buf.h"
#include "base/str.h"
#include "nft/ruleset.h"

enum mp_nft_fate {
	MP_NFT_ACCEPTED = 1 << 0,
	MP_NFT_DROPPED = 1 << 1,
	MP_NFT_REJECTED = 1 << 2,
	MP_NFT_UNSURE = 1 << 3, /* not to be said: diverted, or more than one end is possible */
};

struct mp_nft_packet {
	int family; /* AF_INET, AF_INET6 */
	uint8_t saddr[16], daddr[16];
	bool saddr_known, daddr_known; /* false: any address of the family */
	uint16_t dport;
	char iif[16]; /* "": not known, but not the loopback */
	uint32_t iif_index;
};

struct mp_nft_place {
	const struct mp_nft_chain *chain; /* NULL: no such place */
	const struct mp_nft_rule *rule;   /* NULL: the policy of the base chain */
	const struct mp_nft_chain *base;  /* the base chain that led there */
	const char *why; /* what could not be known; NULL: the rule matches for certain */
};

struct mp_nft_judgement {
	unsigned fates; /* every enum mp_nft_fate that is possible */
	struct mp_nft_place accepted, dropped, rejected, unsure; /* the first place of each */
};

/*
 * Judges all hooks that the packet passes. chain_fates, if not NULL, has room for rs->n_chains and
 * receives the possible fates in each base chain taken by itself (0: the packet does not pass it).
 */
void mp_nft_eval(const struct mp_nft_ruleset *rs, const struct mp_nft_packet *pkt,
		 struct mp_nft_judgement *ret, uint8_t *chain_fates);

/* The one fate, or MP_NFT_UNSURE when several are possible. */
enum mp_nft_fate mp_nft_fate(const struct mp_nft_judgement *j);

/* The place to blame for the fate of mp_nft_fate(). */
const struct mp_nft_place *mp_nft_blame(const struct mp_nft_judgement *j);

/* "inet filter input policy drop", "inet filter input rule 3 (handle 12, "tcp dport 49200 drop")".
 */
void mp_nft_place_text(const struct mp_nft_place *p, struct mp_buf *out);

/*
 * The ports of from..to where the judgement may change, from included: every port of the ruleset's
 * own constants, and the one after it. Ports between two neighbours share their fate. The heap
 * array is the caller's.
 */
uint16_t *mp_nft_port_classes(const struct mp_nft_ruleset *rs, uint16_t from, uint16_t to,
			      size_t *ret_n);

#endif
