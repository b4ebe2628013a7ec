/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ports-kernel: what the kernel's packet filter does with migration data, and the rules of ours
 * that let it in. Ours are those with the comment "migprep", and the sets migprep4 and migprep6 of
 * the same table.
 */
#ifndef MP_RESOURCE_PORTS_KERNEL_H
#define MP_RESOURCE_PORTS_KERNEL_H

#include <jansson.h>
#include <netinet/in.h>

#include "base/buf.h"
#include "host/host.h"
#include "nft/ruleset.h"

#define MP_PORTS_COMMENT "migprep"
#define MP_PORTS_SET4 "migprep4"
#define MP_PORTS_SET6 "migprep6"

#define MP_PORTS_V4 1u
#define MP_PORTS_V6 2u
#define MP_PORTS_ANY 4u /* from anywhere: one rule without a set */

/* The parameters of the resource, as the controller sends them. */
struct mp_ports {
	uint16_t from, to;
	bool any;           /* everybody may connect */
	struct in_addr *v4; /* sources, ascending, without duplicates */
	struct in6_addr *v6;
	size_t n4, n6;
	char *self;   /* this host's migration address; NULL: not a literal */
	char *config; /* the file that is loaded at boot */
};

int mp_ports_parse(const json_t *params, struct mp_ports *ret, struct mp_err *err);
void mp_ports_fini(struct mp_ports *p);

/* A base chain of hook input that would keep migration data out, or that has rules of ours. */
struct mp_ports_chain {
	const struct mp_nft_chain *chain;
	const char *owner; /* who else manages it: "firewalld", "ufw", "iptables"; NULL: nobody */
	unsigned needs;    /* MP_PORTS_*: rules that are missing, or that a drop stands before */
	bool blocked;      /* some packet certainly ends there */
	unsigned wanted;   /* rules that are to be there */
	bool right;        /* they are, once each, and the sets hold the sources */
	char *state;       /* what is wrong with our rules, in words; NULL: nothing */
	json_t *sets;      /* those that differ; below; NULL: none */
};

/*
 * A set of ours that differs: {"set": "inet filter set migprep4", "n": sources wanted, "state":
 * "missing" or "of another type" or null, "lacks" and "stale": [at most 8 addresses], "n_lacks",
 * "n_stale"}.
 */

struct mp_ports_view {
	struct mp_nft_ruleset *rs;
	size_t n_filters; /* base chains of hook input */
	struct mp_ports_chain *chains;
	size_t n_chains;
	json_t *judged; /* [{fate, by, why, early, ports, from: [at most 8], n}] */
};

/* config_text: of the boot ruleset; NULL: none. */
int mp_ports_look(const struct mp_ports *p, const char *config_text, struct mp_ports_view *ret,
		  struct mp_err *err);
void mp_ports_view_fini(struct mp_ports_view *v);

/* Makes ours right in every chain that has no other owner: a journal note, then one transaction. */
int mp_ports_open(struct mp_sys *sys, const struct mp_ports *p, const struct mp_ports_view *v,
		  struct mp_err *err);

/* The rule for one of MP_PORTS_* in nft's words, without the comment. */
void mp_ports_rule_text(const struct mp_ports *p, unsigned which, struct mp_buf *out);

/* "inet filter input" */
char *mp_ports_chain_name(const struct mp_nft_chain *c);

#endif
