/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dump: the only reader of the kernel's ruleset. The dump spans many messages, so it is done again
 * until the generation is the same before and after (NFT_MSG_GETGEN), as nft(8) does.
 */
#include "config.h"
#include "nft/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/gen.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/str.h"

#define MAX_TRIES 20

struct dump {
	struct mnl_socket *nl;
	uint32_t seq;
	struct mp_nft_ruleset *rs;
	struct mp_nft_set *set; /* whose elements are being read */
	size_t n_rules, n_elems;
	bool too_large;
};

static char *dup_or_null(const char *s)
{
	return s ? mp_xstrdup(s) : NULL;
}

static int on_gen(const struct nlmsghdr *nlh, void *arg)
{
	struct dump *d = arg;
	struct nftnl_gen *g = nftnl_gen_alloc();

	if (g && nftnl_gen_nlmsg_parse(nlh, g) == 0)
		d->rs->generation = nftnl_gen_get_u32(g, NFTNL_GEN_ID);
	if (g)
		nftnl_gen_free(g);
	return MNL_CB_OK;
}

static int on_table(const struct nlmsghdr *nlh, void *arg)
{
	struct dump *d = arg;
	struct mp_nft_ruleset *rs = d->rs;
	struct nftnl_table *t = nftnl_table_alloc();
	struct mp_nft_table *m;

	if (!t)
		return MNL_CB_ERROR;
	if (nftnl_table_nlmsg_parse(nlh, t) < 0) {
		nftnl_table_free(t);
		return MNL_CB_ERROR;
	}
	rs->tables = mp_xreallocarray(rs->tables, rs->n_tables + 1, sizeof(*rs->tables));
	m = &rs->tables[rs->n_tables++];
	m->family = (int)nftnl_table_get_u32(t, NFTNL_TABLE_FAMILY);
	m->name = dup_or_null(nftnl_table_get_str(t, NFTNL_TABLE_NAME));
	m->dormant = nftnl_table_get_u32(t, NFTNL_TABLE_FLAGS) & NFT_TABLE_F_DORMANT;
	nftnl_table_free(t);
	return MNL_CB_OK;
}

static char **chain_devices(const struct nftnl_chain *c)
{
	const char *const *devs;
	const char *one = nftnl_chain_get_str(c, NFTNL_CHAIN_DEV);
	struct mp_strv l = { 0 };

	devs = nftnl_chain_is_set(c, NFTNL_CHAIN_DEVICES)
		       ? nftnl_chain_get_array(c, NFTNL_CHAIN_DEVICES)
		       : NULL;
	for (; devs && *devs; devs++)
		mp_strv_add(&l, *devs);
	if (one && !mp_strv_has(&l, one))
		mp_strv_add(&l, one);
	return l.v;
}

static int on_chain(const struct nlmsghdr *nlh, void *arg)
{
	struct dump *d = arg;
	struct mp_nft_ruleset *rs = d->rs;
	struct nftnl_chain *c = nftnl_chain_alloc();
	const struct mp_nft_table *t;
	struct mp_nft_chain *m;

	if (!c)
		return MNL_CB_ERROR;
	if (nftnl_chain_nlmsg_parse(nlh, c) < 0) {
		nftnl_chain_free(c);
		return MNL_CB_ERROR;
	}
	rs->chains = mp_xreallocarray(rs->chains, rs->n_chains + 1, sizeof(*rs->chains));
	m = &rs->chains[rs->n_chains++];
	memset(m, 0, sizeof(*m));
	m->family = (int)nftnl_chain_get_u32(c, NFTNL_CHAIN_FAMILY);
	m->table = dup_or_null(nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE));
	m->name = dup_or_null(nftnl_chain_get_str(c, NFTNL_CHAIN_NAME));
	m->handle = nftnl_chain_get_u64(c, NFTNL_CHAIN_HANDLE);
	if (nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM)) {
		t = mp_nft_table_find(rs, m->family, m->table);
		m->base = !t || !t->dormant;
		m->hook = nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM);
		m->priority = nftnl_chain_get_s32(c, NFTNL_CHAIN_PRIO);
		m->policy = nftnl_chain_is_set(c, NFTNL_CHAIN_POLICY)
				    ? nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY)
				    : NF_ACCEPT;
		m->type = dup_or_null(nftnl_chain_get_str(c, NFTNL_CHAIN_TYPE));
		m->devices = chain_devices(c);
	}
	nftnl_chain_free(c);
	return MNL_CB_OK;
}

static int find_comment(const struct nftnl_udata *attr, void *arg)
{
	const char *v = nftnl_udata_get(attr);
	uint8_t len = nftnl_udata_len(attr);

	if (nftnl_udata_type(attr) == NFTNL_UDATA_RULE_COMMENT && len && v[len - 1] == '\0')
		*(const char **)arg = v;
	return 0;
}

static int on_expr(struct nftnl_expr *e, void *arg)
{
	mp_nft_decode_expr(e, arg);
	return 0;
}

static int on_rule(const struct nlmsghdr *nlh, void *arg)
{
	struct dump *d = arg;
	struct nftnl_rule *r = nftnl_rule_alloc();
	struct mp_nft_chain *c;
	struct mp_nft_rule *m;
	const char *comment = NULL;
	const void *udata;
	uint32_t len = 0;
	int bad;

	if (!r)
		return MNL_CB_ERROR;
	if (++d->n_rules > MP_NFT_MAX_RULES) {
		nftnl_rule_free(r);
		d->too_large = true;
		return MNL_CB_ERROR;
	}
	/* An expression that libnftnl does not know ends the parse; table, chain and handle are
	 * there. */
	bad = nftnl_rule_nlmsg_parse(nlh, r);
	c = mp_nft_chain_find(d->rs, (int)nftnl_rule_get_u32(r, NFTNL_RULE_FAMILY),
			      nftnl_rule_get_str(r, NFTNL_RULE_TABLE),
			      nftnl_rule_get_str(r, NFTNL_RULE_CHAIN));
	if (!c) { /* made while we read; the generation will show it */
		nftnl_rule_free(r);
		return MNL_CB_OK;
	}
	m = mp_nft_chain_add(c);
	m->handle = nftnl_rule_get_u64(r, NFTNL_RULE_HANDLE);
	if (bad < 0)
		mp_nft_rule_add(m, MP_NFT_OPAQUE, "an expression newer than migprep");
	else
		nftnl_expr_foreach(r, on_expr, m);
	udata = nftnl_rule_get_data(r, NFTNL_RULE_USERDATA, &len);
	if (udata)
		nftnl_udata_parse(udata, len, find_comment, &comment);
	m->comment = dup_or_null(comment);
	nftnl_rule_free(r);
	return MNL_CB_OK;
}

static int on_set(const struct nlmsghdr *nlh, void *arg)
{
	struct dump *d = arg;
	struct mp_nft_ruleset *rs = d->rs;
	struct nftnl_set *s = nftnl_set_alloc();
	struct mp_nft_set *m;
	const uint8_t *fields;
	uint32_t len = 0;

	if (!s)
		return MNL_CB_ERROR;
	if (nftnl_set_nlmsg_parse(nlh, s) < 0) {
		nftnl_set_free(s);
		return MNL_CB_ERROR;
	}
	rs->sets = mp_xreallocarray(rs->sets, rs->n_sets + 1, sizeof(*rs->sets));
	m = &rs->sets[rs->n_sets++];
	memset(m, 0, sizeof(*m));
	m->family = (int)nftnl_set_get_u32(s, NFTNL_SET_FAMILY);
	m->table = dup_or_null(nftnl_set_get_str(s, NFTNL_SET_TABLE));
	m->name = dup_or_null(nftnl_set_get_str(s, NFTNL_SET_NAME));
	m->flags = nftnl_set_get_u32(s, NFTNL_SET_FLAGS);
	m->key_type = nftnl_set_get_u32(s, NFTNL_SET_KEY_TYPE);
	m->key_len = nftnl_set_get_u32(s, NFTNL_SET_KEY_LEN);
	if ((m->flags & NFT_SET_MAP) && nftnl_set_is_set(s, NFTNL_SET_DATA_TYPE)) {
		m->verdicts = nftnl_set_get_u32(s, NFTNL_SET_DATA_TYPE) == NFT_DATA_VERDICT;
		m->data_len = m->verdicts ? 0 : nftnl_set_get_u32(s, NFTNL_SET_DATA_LEN);
	}
	fields = nftnl_set_get_data(s, NFTNL_SET_DESC_CONCAT, &len);
	/* Unused lengths are zero. Without intervals a concatenation is compared as a whole. */
	while (fields && (m->flags & NFT_SET_INTERVAL) && m->n_fields < len &&
	       m->n_fields < sizeof(m->fields) && fields[m->n_fields]) {
		m->fields[m->n_fields] = fields[m->n_fields];
		m->n_fields++;
	}
	if (m->key_len > MP_NFT_KEY || m->data_len > MP_NFT_KEY)
		m->key_len = m->data_len = 0; /* lookups in it are not judged */
	nftnl_set_free(s);
	return MNL_CB_OK;
}

static int on_elem(struct nftnl_set_elem *e, void *arg)
{
	struct dump *d = arg;
	struct mp_nft_set *s = d->set;
	uint32_t flags = 0, klen = 0, elen = 0, dlen = 0;
	const void *key, *end, *data;
	struct mp_nft_elem *m;

	if (++d->n_elems > MP_NFT_MAX_ELEMS) {
		d->too_large = true;
		return -1;
	}
	if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_FLAGS))
		flags = nftnl_set_elem_get_u32(e, NFTNL_SET_ELEM_FLAGS);
	key = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &klen);
	end = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY_END, &elen);
	data = nftnl_set_elem_get(e, NFTNL_SET_ELEM_DATA, &dlen);
	if (!(flags & NFT_SET_ELEM_CATCHALL) && (!key || klen != s->key_len))
		return 0;
	m = mp_nft_set_add(s, flags & NFT_SET_ELEM_CATCHALL ? NULL : key,
			   end && elen == s->key_len ? end : NULL,
			   data && dlen == s->data_len ? data : NULL);
	m->end = flags & NFT_SET_ELEM_INTERVAL_END;
	if (s->verdicts && !m->end) {
		m->verdict.code = (int)nftnl_set_elem_get_u32(e, NFTNL_SET_ELEM_VERDICT);
		m->verdict.chain = dup_or_null(nftnl_set_elem_get_str(e, NFTNL_SET_ELEM_CHAIN));
	}
	return 0;
}

static int on_elems(const struct nlmsghdr *nlh, void *arg)
{
	struct dump *d = arg;
	struct nftnl_set *s = nftnl_set_alloc();
	int rc;

	if (!s)
		return MNL_CB_ERROR;
	if (nftnl_set_elems_nlmsg_parse(nlh, s) < 0) {
		nftnl_set_free(s);
		return MNL_CB_ERROR;
	}
	rc = nftnl_set_elem_foreach(s, on_elem, d);
	nftnl_set_free(s);
	return rc < 0 ? MNL_CB_ERROR : MNL_CB_OK;
}

/* Sends the request in buf and hands every answer to cb. 0, or -1 with errno. */
static int talk(struct dump *d, struct nlmsghdr *nlh, mnl_cb_t cb)
{
	static const size_t size = 1 << 16;
	mp_auto_free char *buf = mp_xmalloc(size);
	ssize_t n;
	int rc = MNL_CB_OK;

	if (mnl_socket_sendto(d->nl, nlh, nlh->nlmsg_len) < 0)
		return -1;
	while (rc > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(d->nl, buf, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		errno = 0;
		rc = mnl_cb_run(buf, (size_t)n, nlh->nlmsg_seq, mnl_socket_get_portid(d->nl), cb,
				d);
		if (rc == MNL_CB_OK && !(nlh->nlmsg_flags & NLM_F_DUMP))
			return 0;
	}
	if (rc < 0 && !errno)
		errno = EBADMSG;
	return rc < 0 ? -1 : 0;
}

static int ask(struct dump *d, uint16_t type, uint16_t flags, mnl_cb_t cb)
{
	char buf[256];

	return talk(d, nftnl_nlmsg_build_hdr(buf, type, NFPROTO_UNSPEC, flags, ++d->seq), cb);
}

static int ask_elems(struct dump *d)
{
	char buf[4096];
	struct nlmsghdr *nlh;
	struct nftnl_set *s;
	size_t i;
	int rc = 0;

	for (i = 0; i < d->rs->n_sets && !rc; i++) {
		d->set = &d->rs->sets[i];
		if (!d->set->key_len)
			continue;
		s = nftnl_set_alloc();
		if (!s)
			return -1;
		nftnl_set_set_str(s, NFTNL_SET_TABLE, d->set->table);
		nftnl_set_set_str(s, NFTNL_SET_NAME, d->set->name);
		nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETSETELEM, (uint16_t)d->set->family,
					    NLM_F_DUMP, ++d->seq);
		nftnl_set_elems_nlmsg_build_payload(nlh, s);
		nftnl_set_free(s);
		rc = talk(d, nlh, on_elems);
	}
	return rc;
}

static int read_all(struct dump *d)
{
	if (ask(d, NFT_MSG_GETTABLE, NLM_F_DUMP, on_table) < 0 ||
	    ask(d, NFT_MSG_GETCHAIN, NLM_F_DUMP, on_chain) < 0 ||
	    ask(d, NFT_MSG_GETRULE, NLM_F_DUMP, on_rule) < 0 ||
	    ask(d, NFT_MSG_GETSET, NLM_F_DUMP, on_set) < 0)
		return -1;
	return ask_elems(d);
}

/* One attempt: 1 when it is whole, 0 when something changed meanwhile, -1 with errno. */
static int attempt(struct dump *d)
{
	uint32_t before;

	mp_nft_ruleset_free(d->rs);
	d->rs = mp_xcalloc(1, sizeof(*d->rs));
	d->n_rules = d->n_elems = 0;
	if (ask(d, NFT_MSG_GETGEN, 0, on_gen) < 0)
		return -1;
	before = d->rs->generation;
	if (read_all(d) < 0) {
		/* EINTR: the kernel's own mark of an inconsistent dump; ENOENT: a set went away. */
		return !d->too_large && (errno == EINTR || errno == ENOENT) ? 0 : -1;
	}
	if (ask(d, NFT_MSG_GETGEN, 0, on_gen) < 0)
		return -1;
	return before == d->rs->generation;
}

static int explain(const struct dump *d, int errnum, struct mp_err *err)
{
	if (d->too_large)
		return mp_err_set(err, MP_E_LIMIT,
				  "the packet filter has more than %d rules or %d set elements",
				  MP_NFT_MAX_RULES, MP_NFT_MAX_ELEMS);
	if (errnum == EPERM)
		return mp_err_set(err, MP_E_DENIED,
				  "read the packet filter: CAP_NET_ADMIN is missing; run as root");
	return mp_err_sys(err, errnum, "read the packet filter");
}

/* A fresh socket for each attempt: answers to a broken one must not be taken for those of the next.
 */
static int attempt_fresh(struct dump *d, int *errnum)
{
	int rc;

	d->nl = mnl_socket_open(NETLINK_NETFILTER);
	if (!d->nl || mnl_socket_bind(d->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		*errnum = errno;
		if (d->nl)
			mnl_socket_close(d->nl);
		return -1;
	}
	rc = attempt(d);
	*errnum = errno;
	mnl_socket_close(d->nl);
	return rc;
}

int mp_nft_dump(struct mp_nft_ruleset **ret, struct mp_err *err)
{
	struct dump d = { .seq = (uint32_t)time(NULL) };
	int i, rc = 0, errnum = 0;

	for (i = 0; i < MAX_TRIES && !rc; i++)
		rc = attempt_fresh(&d, &errnum);
	if (rc < 0 && !d.too_large && (errnum == EPROTONOSUPPORT || errnum == EINVAL) &&
	    (!d.rs || !d.rs->n_tables)) { /* nfnetlink has no nf_tables: nothing filters there */
		mp_nft_ruleset_free(d.rs);
		*ret = mp_xcalloc(1, sizeof(**ret));
		return 0;
	}
	if (rc <= 0) {
		mp_nft_ruleset_free(d.rs);
		if (!rc)
			return mp_err_set(
				err, MP_E_TIMEOUT,
				"read the packet filter: it changed %d times while it was read",
				MAX_TRIES);
		return explain(&d, errnum, err);
	}
	mp_nft_ruleset_link(d.rs);
	*ret = d.rs;
	return 0;
}
