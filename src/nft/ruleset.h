/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ruleset: what the kernel's packet filter holds, as plain data: tables, chains, rules, sets. An
 * expression is one of a small closed set of kinds; whatever else a rule says becomes MAYBE, DIVERT
 * or OPAQUE, so that judging (nft/eval.h) is never wrong about what it does not know.
 */
#ifndef MP_NFT_RULESET_H
#define MP_NFT_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define MP_NFT_KEY                                                                                 \
	64 /* longest set key or register value: the kernel's sixteen 32-bit registers             \
	    */
#define MP_NFT_REGS                                                                                \
	128 /* bytes of registers: the kernel's 64, then scratch for xtables matches               \
	     */
#define MP_NFT_SCRATCH 64

#define MP_NFT_MAX_RULES 200000  /* of all tables; larger rulesets are refused, not half read */
#define MP_NFT_MAX_ELEMS 1000000 /* of all sets */

enum mp_nft_kind {
	/* loads: dreg becomes ... */
	MP_NFT_PAYLOAD,   /* bytes of the packet: base key, offset, len */
	MP_NFT_META,      /* a property of the packet: key is NFT_META_* */
	MP_NFT_CT,        /* of its connection: key is NFT_CT_* */
	MP_NFT_FIB,       /* of its route: key is NFT_FIB_RESULT_*, offset the flags */
	MP_NFT_BITWISE,   /* sreg & a ^ b */
	MP_NFT_BYTEORDER, /* sreg, each `offset` bytes swapped */
	MP_NFT_DATA,      /* a */
	MP_NFT_UNKNOWN,   /* something that cannot be known */
	/* matches: the rule ends here unless ... */
	MP_NFT_CMP,    /* sreg op a */
	MP_NFT_RANGE,  /* a <= sreg <= b */
	MP_NFT_LOOKUP, /* sreg in set; a map loads dreg, a verdict map decides */
	MP_NFT_MAYBE,  /* something that cannot be known holds: limits, quotas, foreign matches */
	/* effects */
	MP_NFT_SET_MARK,   /* packet mark = sreg */
	MP_NFT_SET_CTMARK, /* connection mark = sreg */
	MP_NFT_NOTRACK,
	MP_NFT_UPDATE,  /* the key goes into set; with `invert`, limits inside decide whether to go
			   on */
	MP_NFT_NOTHING, /* counter, log and whatever else decides nothing */
	/* decisions */
	MP_NFT_VERDICT,
	MP_NFT_REJECT,
	MP_NFT_DIVERT, /* the packet goes elsewhere: DNAT, queue, proxy */
	MP_NFT_OPAQUE, /* anything may happen */
};

struct mp_nft_chain;
struct mp_nft_set;

struct mp_nft_verdict {
	int code; /* NF_DROP, NF_ACCEPT, NF_QUEUE, NFT_JUMP, NFT_GOTO, NFT_RETURN, NFT_CONTINUE */
	char *chain; /* of a jump or goto */
	const struct mp_nft_chain *target;
};

struct mp_nft_expr {
	enum mp_nft_kind kind;
	uint8_t dreg, sreg; /* byte offsets in the registers */
	uint8_t len;        /* bytes that are compared, loaded or changed */
	uint8_t op;         /* NFT_CMP_* */
	bool invert;        /* RANGE, LOOKUP */
	bool map;           /* LOOKUP with a result */
	uint32_t key, offset;
	uint8_t a[MP_NFT_KEY], b[MP_NFT_KEY];
	struct mp_nft_verdict verdict;
	char *name;                   /* the kernel's name of it, or the set's name */
	const struct mp_nft_set *set; /* LOOKUP, UPDATE; NULL when it is not in the dump */
	struct mp_nft_set *own;       /* a set that is part of the expression; `set` points at it */
};

struct mp_nft_rule {
	uint64_t handle;
	size_t position; /* 1 is the first of its chain */
	char *comment;   /* NULL: none */
	struct mp_nft_expr *exprs;
	size_t n_exprs;
};

struct mp_nft_chain {
	int family; /* NFPROTO_* */
	char *table, *name;
	uint64_t handle;
	bool base;     /* hooked, and its table not dormant */
	uint32_t hook; /* NF_INET_*, or NF_NETDEV_INGRESS */
	int32_t priority;
	uint32_t policy;
	char *type;     /* "filter", "nat", "route" */
	char **devices; /* of an ingress chain; NULL-terminated or NULL */
	struct mp_nft_rule *rules;
	size_t n_rules;
};

struct mp_nft_elem {
	uint8_t *lo, *hi;              /* both inclusive; one allocation, owned by lo */
	uint8_t *data;                 /* inside the same allocation; NULL: none */
	struct mp_nft_verdict verdict; /* of a verdict map */
	bool end;                      /* only while being read: the end mark of an interval */
};

struct mp_nft_set {
	int family;
	char *table, *name;
	uint32_t flags;    /* NFT_SET_* */
	uint32_t key_type; /* nft's number of the type; 0 unknown */
	uint32_t key_len, data_len;
	bool verdicts;
	uint8_t fields[16];        /* lengths of the parts of a concatenated key */
	size_t n_fields;           /* 0: not concatenated */
	struct mp_nft_elem *elems; /* ordered by lo */
	size_t n_elems;
	struct mp_nft_elem *catchall; /* owned; NULL: none */
};

struct mp_nft_table {
	int family;
	char *name;
	bool dormant;
};

struct mp_nft_ruleset {
	uint32_t generation;
	struct mp_nft_table *tables; /* in the kernel's order: oldest first */
	size_t n_tables;
	struct mp_nft_chain *chains;
	size_t n_chains;
	struct mp_nft_set *sets;
	size_t n_sets;
};

void mp_nft_ruleset_free(struct mp_nft_ruleset *rs);
void mp_nft_cleanup_ruleset(struct mp_nft_ruleset **rs);
#define mp_auto_ruleset __attribute__((cleanup(mp_nft_cleanup_ruleset)))

/* By name, or NULL. */
const struct mp_nft_table *mp_nft_table_find(const struct mp_nft_ruleset *rs, int family,
					     const char *name);
struct mp_nft_chain *mp_nft_chain_find(const struct mp_nft_ruleset *rs, int family,
				       const char *table, const char *name);
struct mp_nft_set *mp_nft_set_find(const struct mp_nft_ruleset *rs, int family, const char *table,
				   const char *name);

/* Room for one more, zeroed; valid until the next addition to the same list. */
struct mp_nft_expr *mp_nft_rule_add(struct mp_nft_rule *r, enum mp_nft_kind kind, const char *name);
struct mp_nft_rule *mp_nft_chain_add(struct mp_nft_chain *c);
struct mp_nft_elem *mp_nft_set_add(struct mp_nft_set *s, const void *lo, const void *hi,
				   const void *data);

/*
 * Finishes what was read: intervals get their ends, elements their order, jumps and lookups their
 * targets. Called once; nothing is added afterwards.
 */
void mp_nft_ruleset_link(struct mp_nft_ruleset *rs);
void mp_nft_set_finish(struct mp_nft_set *s);

/* "ip", "ip6", "inet", "netdev", "bridge", "arp". */
const char *mp_nft_family_name(int family);

/* The rule in nft's own words as far as the model knows them, "..." for the rest. */
void mp_nft_rule_text(const struct mp_nft_rule *r, struct mp_buf *out);

#endif
