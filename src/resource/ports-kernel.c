/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ports-kernel: judging the kernel's rules, and putting ours at the head of the chains that need
 * them. */
#include "config.h"
#include "resource/ports-kernel.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/str.h"
#include "model/world.h"
#include "nft/eval.h"
#include "nft/netlink.h"

#define SHOWN_SOURCES 8 /* addresses that a group names; the rest is a number */

/* ---- parameters ---- */

static int cmp4(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct in_addr));
}

static int cmp6(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct in6_addr));
}

/* Sorts and removes duplicates; the new number. */
static size_t unique(void *v, size_t n, size_t size, int (*cmp)(const void *, const void *))
{
	uint8_t *p = v;
	size_t i, out = 0;

	if (n)
		qsort(v, n, size, cmp);
	for (i = 0; i < n; i++) {
		if (out && !cmp(p + (out - 1) * size, p + i * size))
			continue;
		memmove(p + out++ * size, p + i * size, size);
	}
	return out;
}

int mp_ports_parse(const json_t *params, struct mp_ports *ret, struct mp_err *err)
{
	const json_t *list = json_object_get(params, "sources"), *s;
	long long from = mp_json_int(params, "from", 0), to = mp_json_int(params, "to", 0);
	const char *self = mp_json_str(params, "self", NULL);
	size_t i, n = json_array_size(list);

	memset(ret, 0, sizeof(*ret));
	if (from < 1 || to > 65535 || from > to || n > 2 * MP_MAX_HOSTS)
		return mp_err_set(err, MP_E_PROTO, "parameters of migration-ports");
	ret->from = (uint16_t)from;
	ret->to = (uint16_t)to;
	ret->any = mp_json_bool(params, "any", false);
	ret->self = self ? mp_xstrdup(self) : NULL;
	ret->config = mp_xstrdup(mp_json_str(params, "config", "/etc/nftables.conf"));
	ret->v4 = mp_xcalloc(n + 1, sizeof(*ret->v4));
	ret->v6 = mp_xcalloc(n + 1, sizeof(*ret->v6));
	json_array_foreach(list, i, s)
	{
		const char *text = json_string_value(s) ? json_string_value(s) : "";

		if (inet_pton(AF_INET, text, &ret->v4[ret->n4]) == 1)
			ret->n4++;
		else if (inet_pton(AF_INET6, text, &ret->v6[ret->n6]) == 1)
			ret->n6++;
	}
	ret->n4 = unique(ret->v4, ret->n4, sizeof(*ret->v4), cmp4);
	ret->n6 = unique(ret->v6, ret->n6, sizeof(*ret->v6), cmp6);
	return 0;
}

void mp_ports_fini(struct mp_ports *p)
{
	free(p->v4);
	free(p->v6);
	free(p->self);
	free(p->config);
	memset(p, 0, sizeof(*p));
}

char *mp_ports_chain_name(const struct mp_nft_chain *c)
{
	return mp_xasprintf("%s %s %s", mp_nft_family_name(c->family), c->table, c->name);
}

void mp_ports_rule_text(const struct mp_ports *p, unsigned which, struct mp_buf *out)
{
	if (which == MP_PORTS_V4)
		mp_buf_puts(out, "ip saddr @" MP_PORTS_SET4 " ");
	else if (which == MP_PORTS_V6)
		mp_buf_puts(out, "ip6 saddr @" MP_PORTS_SET6 " ");
	if (p->from == p->to)
		mp_buf_printf(out, "tcp dport %u accept", p->from);
	else
		mp_buf_printf(out, "tcp dport %u-%u accept", p->from, p->to);
}

/* ---- judging ---- */

struct group {
	char *key; /* fate, by, why, ports */
	json_t *o;
	size_t n;
};

struct judging {
	const struct mp_ports *p;
	const struct mp_nft_ruleset *rs;
	uint16_t *classes;
	size_t n_classes;
	uint8_t *fates; /* of each chain, for one packet */
	unsigned *needs;
	bool *blocked;
	struct group *groups;
	size_t n_groups;
};

static const char *fate_word(enum mp_nft_fate f)
{
	switch (f) {
	case MP_NFT_ACCEPTED:
		return "accept";
	case MP_NFT_DROPPED:
		return "drop";
	case MP_NFT_REJECTED:
		return "reject";
	case MP_NFT_UNSURE:
		break;
	}
	return "unknown";
}

static void make_packet(const struct judging *g, int family, const void *source,
			struct mp_nft_packet *pkt)
{
	size_t size = family == AF_INET ? 4 : 16;

	memset(pkt, 0, sizeof(*pkt));
	pkt->family = family;
	pkt->daddr_known = g->p->self && inet_pton(family, g->p->self, pkt->daddr) == 1;
	if (!source)
		return;
	memcpy(pkt->saddr, source, size);
	pkt->saddr_known = true;
	mp_nft_route_iif(family, source, &pkt->iif_index, pkt->iif);
}

/* Which rule of ours would help a packet of this family. */
static unsigned helper(const struct mp_ports *p, int family)
{
	return p->any ? MP_PORTS_ANY : family == AF_INET ? MP_PORTS_V4 : MP_PORTS_V6;
}

static void note_chains(struct judging *g, int family)
{
	size_t i;

	for (i = 0; i < g->rs->n_chains; i++) {
		if (!(g->fates[i] & ~(unsigned)MP_NFT_ACCEPTED))
			continue;
		g->needs[i] |= helper(g->p, family);
		g->blocked[i] |= !(g->fates[i] & MP_NFT_ACCEPTED);
	}
}

static void judge_port(struct judging *g, struct mp_nft_packet *pkt, uint16_t port, json_t **ret)
{
	struct mp_nft_judgement j;
	const struct mp_nft_place *place;
	enum mp_nft_fate fate;
	mp_auto_buf struct mp_buf by;

	mp_buf_init(&by, 0);
	pkt->dport = port;
	mp_nft_eval(g->rs, pkt, &j, g->fates);
	note_chains(g, pkt->family);
	fate = mp_nft_fate(&j);
	place = mp_nft_blame(&j);
	mp_nft_place_text(place, &by);
	*ret = json_pack("{s:s,s:s}", "fate", fate_word(fate), "by", mp_buf_peek(&by));
	if (fate == MP_NFT_UNSURE)
		json_object_set_new(*ret, "why", json_string(place->why ? place->why : ""));
	if (fate != MP_NFT_ACCEPTED && place->base &&
	    (place->base->hook != NF_INET_LOCAL_IN || place->base->family == NFPROTO_NETDEV))
		json_object_set_new(*ret, "early", json_true());
}

static void add_group(struct judging *g, json_t *o, const char *ports, const char *source)
{
	mp_auto_free char *text = json_dumps(o, JSON_SORT_KEYS);
	mp_auto_free char *key = mp_xasprintf("%s %s", text, ports);
	json_t *from;
	size_t i;

	for (i = 0; i < g->n_groups && strcmp(g->groups[i].key, key) != 0; i++)
		;
	if (i == g->n_groups) {
		g->groups = mp_xreallocarray(g->groups, i + 1, sizeof(*g->groups));
		g->groups[g->n_groups++] = (struct group){ mp_steal(&key), json_deep_copy(o), 0 };
		json_object_set_new(g->groups[i].o, "ports", json_string(ports));
		json_object_set_new(g->groups[i].o, "from", json_array());
	}
	from = json_object_get(g->groups[i].o, "from");
	if (json_array_size(from) < SHOWN_SOURCES)
		json_array_append_new(from, json_string(source));
	json_object_set_new(g->groups[i].o, "n", json_integer((json_int_t)++g->groups[i].n));
}

/* The ports whose outcome equals that of class at, as "A-B,C". Later equals are taken out of v. */
static void ports_like(const struct judging *g, json_t **v, size_t at, struct mp_buf *out)
{
	size_t i, first;
	unsigned last;

	for (i = at; i < g->n_classes; i++) {
		if (!v[i] || !json_equal(v[at], v[i]))
			continue;
		for (first = i; i + 1 < g->n_classes && v[i + 1] && json_equal(v[at], v[i + 1]);)
			i++;
		last = i + 1 < g->n_classes ? g->classes[i + 1] - 1u : g->p->to;
		mp_buf_printf(out, out->size ? ",%u" : "%u", g->classes[first]);
		if (last != g->classes[first])
			mp_buf_printf(out, "-%u", last);
		for (; first <= i; first++) {
			if (first != at) {
				json_decref(v[first]);
				v[first] = NULL;
			}
		}
	}
}

static void judge_source(struct judging *g, int family, const void *source)
{
	mp_auto_free json_t **v = mp_xcalloc(g->n_classes, sizeof(json_t *));
	struct mp_nft_packet pkt;
	char name[INET6_ADDRSTRLEN] = "anywhere";
	size_t i;

	make_packet(g, family, source, &pkt);
	if (source)
		inet_ntop(family, source, name, sizeof(name));
	else if (family == AF_INET6)
		memcpy(name, "anywhere (IPv6)", sizeof("anywhere (IPv6)"));
	for (i = 0; i < g->n_classes; i++)
		judge_port(g, &pkt, g->classes[i], &v[i]);
	for (i = 0; i < g->n_classes; i++) {
		mp_auto_buf struct mp_buf ports;

		mp_buf_init(&ports, 0);
		if (!v[i])
			continue;
		ports_like(g, v, i, &ports);
		add_group(g, v[i], mp_buf_peek(&ports), name);
		json_decref(v[i]);
		v[i] = NULL;
	}
}

static void judge_all(struct judging *g)
{
	const struct mp_ports *p = g->p;
	size_t i;

	if (p->any) {
		if (p->n4 || !p->n6)
			judge_source(g, AF_INET, NULL);
		if (p->n6)
			judge_source(g, AF_INET6, NULL);
		return;
	}
	for (i = 0; i < p->n4; i++)
		judge_source(g, AF_INET, &p->v4[i]);
	for (i = 0; i < p->n6; i++)
		judge_source(g, AF_INET6, &p->v6[i]);
}

/* ---- ours ---- */

static bool is_ours(const struct mp_nft_rule *r)
{
	return mp_str_eq(r->comment, MP_PORTS_COMMENT);
}

static size_t count_ours(const struct mp_nft_chain *c)
{
	size_t i, n = 0;

	for (i = 0; i < c->n_rules; i++)
		n += is_ours(&c->rules[i]);
	return n;
}

/* How often the chain has the rule as it should be. Compared in words: nft's own compilation
 * varies. */
static size_t count_like(const struct mp_ports *p, const struct mp_nft_chain *c, unsigned which)
{
	mp_auto_buf struct mp_buf want;
	size_t i, n = 0;

	mp_buf_init(&want, 0);
	mp_ports_rule_text(p, which, &want);
	for (i = 0; i < c->n_rules; i++) {
		mp_auto_buf struct mp_buf now;

		mp_buf_init(&now, 0);
		if (!is_ours(&c->rules[i]))
			continue;
		mp_nft_rule_text(&c->rules[i], &now);
		n += !strcmp(mp_buf_peek(&now), mp_buf_peek(&want));
	}
	return n;
}

/* Rules of ours of either kind that the chain has, right or not. */
static unsigned present(const struct mp_nft_chain *c)
{
	unsigned which = 0;
	size_t i, k;

	for (i = 0; i < c->n_rules; i++) {
		if (!is_ours(&c->rules[i]))
			continue;
		for (k = 0; k < c->rules[i].n_exprs; k++) {
			const struct mp_nft_expr *e = &c->rules[i].exprs[k];

			if (e->kind == MP_NFT_LOOKUP && mp_str_eq(e->name, MP_PORTS_SET6))
				which |= MP_PORTS_V6;
			else if (e->kind == MP_NFT_LOOKUP && mp_str_eq(e->name, MP_PORTS_SET4))
				which |= MP_PORTS_V4;
		}
	}
	return which;
}

/* One of the two sets of a table: what it should hold. */
struct side {
	unsigned which;
	int family;
	const char *set;
	const uint8_t *addrs;
	size_t size, n;
};

static struct side side_of(const struct mp_ports *p, unsigned which)
{
	if (which == MP_PORTS_V4)
		return (struct side){ which,          AF_INET, MP_PORTS_SET4, (uint8_t *)p->v4,
				      sizeof(*p->v4), p->n4 };
	return (struct side){ which,          AF_INET6, MP_PORTS_SET6, (uint8_t *)p->v6,
			      sizeof(*p->v6), p->n6 };
}

static bool has_elem(const struct mp_nft_set *s, const uint8_t *addr)
{
	size_t lo = 0, hi = s->n_elems;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = memcmp(s->elems[mid].lo, addr, s->key_len);

		if (!c)
			return true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static bool has_source(const struct side *s, const uint8_t *addr)
{
	return s->n && bsearch(addr, s->addrs, s->n, s->size, s->size == 4 ? cmp4 : cmp6);
}

static bool usable(const struct mp_nft_set *set, const struct side *s)
{
	return set->key_len == s->size && !(set->flags & (NFT_SET_INTERVAL | NFT_SET_MAP));
}

/* Appends an address to the list of at most SHOWN_SOURCES; counts it anyway. */
static void tell_address(json_t *list, size_t *n, const struct side *s, const uint8_t *addr)
{
	char name[INET6_ADDRSTRLEN];

	if ((*n)++ < SHOWN_SOURCES && inet_ntop(s->family, addr, name, sizeof(name)))
		json_array_append_new(list, json_string(name));
}

/* What is wrong with the set (see the header); NULL: nothing. */
static json_t *set_state(const struct mp_nft_ruleset *rs, const struct mp_nft_chain *c,
			 const struct side *s)
{
	const struct mp_nft_set *set = mp_nft_set_find(rs, c->family, c->table, s->set);
	mp_auto_free char *name =
		mp_xasprintf("%s %s set %s", mp_nft_family_name(c->family), c->table, s->set);
	json_t *lacks = json_array(), *stale = json_array();
	bool good = set && usable(set, s);
	size_t i, n_lacks = 0, n_stale = 0;

	for (i = 0; good && i < s->n; i++)
		if (!has_elem(set, s->addrs + i * s->size))
			tell_address(lacks, &n_lacks, s, s->addrs + i * s->size);
	for (i = 0; good && i < set->n_elems; i++)
		if (!has_source(s, set->elems[i].lo))
			tell_address(stale, &n_stale, s, set->elems[i].lo);
	if (good && !n_lacks && !n_stale) {
		json_decref(lacks);
		json_decref(stale);
		return NULL;
	}
	return json_pack("{s:s,s:I,s:s?,s:o,s:I,s:o,s:I}", "set", name, "n", (json_int_t)s->n,
			 "state",
			 good  ? NULL
			 : set ? "of another type"
			       : "missing",
			 "lacks", lacks, "n_lacks", (json_int_t)n_lacks, "stale", stale, "n_stale",
			 (json_int_t)n_stale);
}

/* Whether packets are dropped because the set has not all sources. */
static bool lacks(const json_t *set)
{
	return json_is_string(json_object_get(set, "state")) ||
	       json_integer_value(json_object_get(set, "n_lacks")) > 0;
}

static unsigned wanted_rules(const struct mp_ports *p, const struct mp_ports_chain *pc)
{
	unsigned which;

	if (p->any)
		return pc->needs || count_ours(pc->chain) ? MP_PORTS_ANY : 0;
	which = pc->needs | present(pc->chain);
	if (!p->n4)
		which &= ~MP_PORTS_V4;
	if (!p->n6)
		which &= ~MP_PORTS_V6;
	return which;
}

static void judge_ours(const struct mp_ports *p, const struct mp_nft_ruleset *rs,
		       struct mp_ports_chain *pc)
{
	static const unsigned kinds[] = { MP_PORTS_V4, MP_PORTS_V6, MP_PORTS_ANY };
	mp_auto_buf struct mp_buf text;
	size_t i, n = 0, have = count_ours(pc->chain);

	mp_buf_init(&text, 0);
	pc->wanted = wanted_rules(p, pc);
	for (i = 0; i < MP_N_ELEMS(kinds); i++) {
		json_t *set = NULL;

		if (!(pc->wanted & kinds[i]))
			continue;
		n++;
		if (kinds[i] != MP_PORTS_ANY) {
			const struct side s = side_of(p, kinds[i]);

			set = set_state(rs, pc->chain, &s);
		}
		if (count_like(p, pc->chain, kinds[i]) != 1)
			mp_buf_puts(&text, have ? "; the rule differs" : "; the rule is missing");
		else if ((pc->needs & kinds[i]) && !lacks(set))
			mp_buf_puts(&text, "; the rule comes too late");
		if (set && !pc->sets)
			pc->sets = json_array();
		if (set)
			json_array_append_new(pc->sets, set);
	}
	if (have > n)
		mp_buf_puts(&text, "; there are rules of migprep that are no longer wanted");
	pc->right = !text.size && !pc->sets;
	pc->state = text.size ? mp_xstrdup(mp_buf_peek(&text) + 2) : NULL;
}

/* ---- the view ---- */

/*
 * Rules in tables of others are theirs: firewalld rewrites its table, and iptables-nft can no
 * longer list a table that holds sets. A chain INPUT that the boot ruleset itself defines was
 * merely translated from iptables.
 */
static const char *owner_of(const struct mp_nft_ruleset *rs, const struct mp_nft_chain *c,
			    const char *config)
{
	static const char *const tables[] = { "filter", "mangle", "raw", "nat", "security" };
	bool standard = false;
	size_t i;

	if (!strcmp(c->table, "firewalld"))
		return "firewalld";
	if (c->family == NFPROTO_INET || strcmp(c->name, "INPUT") != 0)
		return NULL;
	for (i = 0; i < MP_N_ELEMS(tables); i++)
		standard |= !strcmp(c->table, tables[i]);
	if (!standard || (config && strstr(config, "chain INPUT")))
		return NULL;
	for (i = 0; i < rs->n_chains; i++) {
		if (rs->chains[i].family == c->family && !strncmp(rs->chains[i].name, "ufw", 3))
			return "ufw";
	}
	return "iptables";
}

static void build_view(const struct judging *g, const char *config, struct mp_ports_view *v)
{
	size_t i;

	v->chains = mp_xcalloc(g->rs->n_chains + 1, sizeof(*v->chains));
	for (i = 0; i < g->rs->n_chains; i++) {
		const struct mp_nft_chain *c = &g->rs->chains[i];
		struct mp_ports_chain *pc = &v->chains[v->n_chains];

		if (!c->base || c->hook != NF_INET_LOCAL_IN || c->family == NFPROTO_NETDEV ||
		    c->family == NFPROTO_BRIDGE || c->family == NFPROTO_ARP)
			continue;
		v->n_filters++;
		if (!g->needs[i] && !count_ours(c))
			continue;
		v->n_chains++;
		pc->chain = c;
		pc->needs = g->needs[i];
		pc->blocked = g->blocked[i];
		pc->owner = owner_of(g->rs, c, config);
		judge_ours(g->p, g->rs, pc);
	}
	v->judged = json_array();
	for (i = 0; i < g->n_groups; i++)
		json_array_append(v->judged, g->groups[i].o);
}

int mp_ports_look(const struct mp_ports *p, const char *config_text, struct mp_ports_view *ret,
		  struct mp_err *err)
{
	struct judging g = { .p = p };
	size_t i;

	memset(ret, 0, sizeof(*ret));
	if (mp_nft_dump(&ret->rs, err) < 0)
		return -1;
	g.rs = ret->rs;
	g.classes = mp_nft_port_classes(g.rs, p->from, p->to, &g.n_classes);
	g.fates = mp_xcalloc(g.rs->n_chains + 1, sizeof(*g.fates));
	g.needs = mp_xcalloc(g.rs->n_chains + 1, sizeof(*g.needs));
	g.blocked = mp_xcalloc(g.rs->n_chains + 1, sizeof(*g.blocked));
	judge_all(&g);
	build_view(&g, config_text, ret);
	for (i = 0; i < g.n_groups; i++) {
		free(g.groups[i].key);
		json_decref(g.groups[i].o);
	}
	free(g.groups);
	free(g.classes);
	free(g.fates);
	free(g.needs);
	free(g.blocked);
	return 0;
}

void mp_ports_view_fini(struct mp_ports_view *v)
{
	size_t i;

	for (i = 0; i < v->n_chains; i++) {
		free(v->chains[i].state);
		json_decref(v->chains[i].sets);
	}
	free(v->chains);
	json_decref(v->judged);
	mp_nft_ruleset_free(v->rs);
	memset(v, 0, sizeof(*v));
}

/* ---- changing ---- */

static void batch_set(struct mp_nft_batch *b, const struct mp_nft_ruleset *rs,
		      const struct mp_nft_chain *c, const struct side *s)
{
	const struct mp_nft_set *set = mp_nft_set_find(rs, c->family, c->table, s->set);
	size_t i;

	if (!set)
		mp_nft_batch_add_set(b, c->family, c->table, s->set, s->family);
	for (i = 0; set && i < set->n_elems; i++) {
		if (!has_source(s, set->elems[i].lo))
			mp_nft_batch_elems(b, false, c->family, c->table, s->set, set->elems[i].lo,
					   s->size, 1);
	}
	/* Elements that are there already are no error: NLM_F_EXCL is not given. */
	mp_nft_batch_elems(b, true, c->family, c->table, s->set, s->addrs, s->size, s->n);
}

static void batch_chain(struct mp_nft_batch *b, const struct mp_ports *p,
			const struct mp_ports_chain *pc)
{
	static const unsigned kinds[] = { MP_PORTS_V6, MP_PORTS_V4, MP_PORTS_ANY };
	const struct mp_nft_chain *c = pc->chain;
	size_t i;

	for (i = 0; i < c->n_rules; i++) {
		if (is_ours(&c->rules[i]))
			mp_nft_batch_del_rule(b, c->family, c->table, c->name, c->rules[i].handle);
	}
	for (i = 0; i < MP_N_ELEMS(kinds); i++) {
		const struct side s = side_of(p, kinds[i]);
		const struct mp_nft_accept a = {
			.family = s.family,
			.set = kinds[i] == MP_PORTS_ANY ? NULL : s.set,
			.from = p->from,
			.to = p->to,
			.comment = MP_PORTS_COMMENT,
		};

		if (pc->wanted & kinds[i])
			mp_nft_batch_insert_accept(b, c->family, c->table, c->name, &a);
	}
}

/* The sets of the chain's table, unless an earlier chain of the same table has seen to them. */
static void batch_sets(struct mp_nft_batch *b, const struct mp_ports *p,
		       const struct mp_ports_view *v, size_t at)
{
	static const unsigned kinds[] = { MP_PORTS_V4, MP_PORTS_V6 };
	const struct mp_nft_chain *c = v->chains[at].chain;
	unsigned wanted = 0, before = 0;
	size_t i;

	for (i = 0; i <= at; i++) {
		const struct mp_ports_chain *o = &v->chains[i];

		if (o->owner || o->right || o->chain->family != c->family ||
		    !mp_str_eq(o->chain->table, c->table))
			continue;
		if (i < at)
			before |= o->wanted;
		wanted |= o->wanted;
	}
	for (i = 0; i < MP_N_ELEMS(kinds); i++) {
		const struct side s = side_of(p, kinds[i]);

		if ((wanted & kinds[i]) && !(before & kinds[i]))
			batch_set(b, v->rs, c, &s);
	}
}

static json_t *set_json(const struct mp_nft_ruleset *rs, const struct mp_nft_chain *c,
			const char *name, int family)
{
	const struct mp_nft_set *s = mp_nft_set_find(rs, c->family, c->table, name);
	char text[INET6_ADDRSTRLEN];
	json_t *o = json_array();
	size_t i;

	for (i = 0; s && s->key_len == (family == AF_INET ? 4 : 16) && i < s->n_elems; i++) {
		if (inet_ntop(family, s->elems[i].lo, text, sizeof(text)))
			json_array_append_new(o, json_string(text));
	}
	return o;
}

/* Ours in a chain as they are in the kernel. */
static json_t *ours_json(const struct mp_ports_view *v, const struct mp_nft_chain *c)
{
	json_t *rules = json_array();
	size_t i;

	for (i = 0; i < c->n_rules; i++) {
		mp_auto_buf struct mp_buf text;

		mp_buf_init(&text, 0);
		mp_nft_rule_text(&c->rules[i], &text);
		if (is_ours(&c->rules[i]))
			json_array_append_new(rules, json_string(mp_buf_peek(&text)));
	}
	return json_pack("{s:o,s:o,s:o}", "rules", rules, MP_PORTS_SET4,
			 set_json(v->rs, c, MP_PORTS_SET4, AF_INET), MP_PORTS_SET6,
			 set_json(v->rs, c, MP_PORTS_SET6, AF_INET6));
}

static json_t *addrs_json(const struct side *s)
{
	char text[INET6_ADDRSTRLEN];
	json_t *o = json_array();
	size_t i;

	for (i = 0; i < s->n; i++) {
		if (inet_ntop(s->family, s->addrs + i * s->size, text, sizeof(text)))
			json_array_append_new(o, json_string(text));
	}
	return o;
}

/* Ours in a chain as they will be. */
static json_t *wanted_json(const struct mp_ports *p, const struct mp_ports_chain *pc)
{
	static const unsigned kinds[] = { MP_PORTS_V4, MP_PORTS_V6, MP_PORTS_ANY };
	json_t *rules = json_array(), *o = json_pack("{s:o}", "rules", rules);
	size_t i;

	for (i = 0; i < MP_N_ELEMS(kinds); i++) {
		const struct side s = side_of(p, kinds[i]);
		mp_auto_buf struct mp_buf text;

		mp_buf_init(&text, 0);
		if (!(pc->wanted & kinds[i]))
			continue;
		mp_ports_rule_text(p, kinds[i], &text);
		json_array_append_new(rules, json_string(mp_buf_peek(&text)));
		if (kinds[i] != MP_PORTS_ANY)
			json_object_set_new(o, s.set, addrs_json(&s));
	}
	return o;
}

static int note(struct mp_sys *sys, const struct mp_ports *p, const struct mp_ports_view *v,
		const struct mp_ports_chain *pc, struct mp_err *err)
{
	mp_auto_free char *name = mp_ports_chain_name(pc->chain);
	mp_auto_free char *what = mp_xasprintf("nftables %s", name);
	json_t *before = ours_json(v, pc->chain), *after = wanted_json(p, pc);
	int rc = mp_sys_note(sys, what, before, after, err);

	json_decref(before);
	json_decref(after);
	return rc;
}

/* A set of our name and another type is somebody else's. */
static int refuse_foreign_sets(const struct mp_ports *p, const struct mp_ports_view *v,
			       const struct mp_ports_chain *pc, struct mp_err *err)
{
	static const unsigned kinds[] = { MP_PORTS_V4, MP_PORTS_V6 };
	const struct mp_nft_chain *c = pc->chain;
	size_t i;

	for (i = 0; i < MP_N_ELEMS(kinds); i++) {
		const struct side s = side_of(p, kinds[i]);
		const struct mp_nft_set *set = mp_nft_set_find(v->rs, c->family, c->table, s.set);

		if ((pc->wanted & kinds[i]) && set && !usable(set, &s))
			return mp_err_set(
				err, MP_E_INPUT,
				"table %s %s has a set %s of another type; rename or delete it",
				mp_nft_family_name(c->family), c->table, s.set);
	}
	return 0;
}

int mp_ports_open(struct mp_sys *sys, const struct mp_ports *p, const struct mp_ports_view *v,
		  struct mp_err *err)
{
	struct mp_nft_batch *b = mp_nft_batch_new();
	size_t i;
	int rc = 0;

	for (i = 0; i < v->n_chains && rc == 0; i++) {
		if (v->chains[i].owner || v->chains[i].right)
			continue;
		rc = refuse_foreign_sets(p, v, &v->chains[i], err);
		if (rc == 0)
			rc = note(sys, p, v, &v->chains[i], err);
		batch_sets(b, p, v, i);
		batch_chain(b, p, &v->chains[i]);
	}
	if (rc == 0)
		rc = mp_nft_send(b, err);
	mp_nft_batch_free(b);
	return rc;
}
