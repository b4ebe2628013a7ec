/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The packet filter's model against the kernel: each ruleset of tests/nft is loaded by nft(8) or
 * iptables-nft into a namespace of its own, real connections show what happens, and the evaluation
 * of the dump must say the same.
 */
#include "config.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "nft-net.h"
#include "nft/eval.h"
#include "nft/netlink.h"
#include "nft/regs.h"

static const char *const sources[] = { "10.9.0.2", "10.9.0.3", "10.77.0.9", "fd00:9::2" };
static const uint16_t ports[] = { 22, 49152, 49200, 49261 };
#define N_CELLS (MP_N_ELEMS(sources) * MP_N_ELEMS(ports))

static char *srcdir(const char *path)
{
	const char *dir = getenv("SRCDIR");

	return mp_xasprintf("%s/%s", dir ? dir : ".", path);
}

static void make_packet(const char *source, uint16_t port, struct mp_nft_packet *p)
{
	memset(p, 0, sizeof(*p));
	p->family = strchr(source, ':') ? AF_INET6 : AF_INET;
	p->saddr_known = p->daddr_known = true;
	p->dport = port;
	inet_pton(p->family, source, p->saddr);
	inet_pton(p->family, p->family == AF_INET ? "10.9.0.1" : "fd00:9::1", p->daddr);
	mp_nft_route_iif(p->family, p->saddr, &p->iif_index, p->iif);
	assert_string_equal(p->iif, "mig0");
}

static const char *fate_name(enum mp_nft_fate f)
{
	return f == MP_NFT_ACCEPTED   ? "accept"
	       : f == MP_NFT_DROPPED  ? "drop"
	       : f == MP_NFT_REJECTED ? "reject"
				      : "unknown";
}

/* The number of cells that may be unknown: "# unknown: N" as the first line. */
static unsigned long allowed_unknown(const char *path)
{
	char line[256] = "";
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	return strncmp(line, "# unknown: ", 11) == 0 ? strtoul(line + 11, NULL, 10) : 0;
}

static void load(const char *path)
{
	const char *ext = strrchr(path, '.');

	assert_true(net_sh("nft flush ruleset"));
	if (!strcmp(ext, ".nft")) {
		assert_true(net_sh("nft -f '%s'", path));
	} else {
		assert_true(net_sh("iptables-nft-restore < '%s'", path));
	}
}

static enum fate expected(enum mp_nft_fate f)
{
	return f == MP_NFT_ACCEPTED ? FATE_ACCEPT : f == MP_NFT_REJECTED ? FATE_REJECT : FATE_DROP;
}

static unsigned compare(struct net *n, const char *path)
{
	mp_auto_ruleset struct mp_nft_ruleset *rs = NULL;
	enum mp_nft_fate judged[N_CELLS];
	enum fate expect[N_CELLS];
	char *why[N_CELLS];
	struct try tries[N_CELLS];
	struct mp_err err = { 0 };
	unsigned long unknown = 0, allowed = allowed_unknown(path);
	unsigned bad = 0;
	size_t i;

	load(path);
	if (mp_nft_dump(&rs, &err) < 0)
		fail_msg("%s: %s", path, err.text);
	for (i = 0; i < N_CELLS; i++) {
		struct mp_nft_packet p;
		struct mp_nft_judgement j;
		struct mp_buf text;

		tries[i].source = sources[i / MP_N_ELEMS(ports)];
		tries[i].port = ports[i % MP_N_ELEMS(ports)];
		make_packet(tries[i].source, tries[i].port, &p);
		mp_nft_eval(rs, &p, &j, NULL);
		judged[i] = mp_nft_fate(&j);
		expect[i] = expected(judged[i]);
		mp_buf_init(&text, 0);
		mp_nft_place_text(mp_nft_blame(&j), &text);
		if (judged[i] == MP_NFT_UNSURE)
			mp_buf_printf(&text, " because of %s", mp_nft_blame(&j)->why);
		why[i] = mp_buf_take(&text);
	}
	net_try(n, tries, N_CELLS, expect, 150);
	for (i = 0; i < N_CELLS; i++) {
		if (judged[i] == MP_NFT_UNSURE)
			unknown++;
		if (judged[i] != MP_NFT_UNSURE && tries[i].fate != expect[i])
			bad++;
		if (getenv("MP_NFT_VERBOSE") ||
		    (judged[i] != MP_NFT_UNSURE && tries[i].fate != expect[i]))
			print_message("%s: %s -> %u: judged %s by %s; truth %s\n",
				      strrchr(path, '/') + 1, tries[i].source, tries[i].port,
				      fate_name(judged[i]), why[i],
				      tries[i].fate == FATE_ACCEPT ? "accept"
				      : tries[i].fate == FATE_DROP ? "drop"
								   : "reject");
		free(why[i]);
	}
	if (unknown != allowed) {
		print_message("%s: %lu unknown, %lu expected\n", path, unknown, allowed);
		bad++;
	}
	return bad;
}

static void test_truth(void **state)
{
	struct net n;
	mp_auto_free char *dir = srcdir("tests/nft");
	struct mp_strv files = { 0 };
	struct dirent *d;
	int listeners[MP_N_ELEMS(ports)];
	unsigned bad = 0;
	size_t i;
	DIR *dp;

	(void)state;
	if (net_up(&n) < 0) {
		net_down(&n);
		print_message("# skipped: %s\n", NET_ROOT_ONLY);
		skip();
	}
	for (i = 0; i < MP_N_ELEMS(ports); i++) {
		listeners[i] = net_listen(ports[i]);
		assert_true(listeners[i] >= 0);
	}
	dp = opendir(dir);
	assert_non_null(dp);
	while ((d = readdir(dp))) {
		const char *ext = strrchr(d->d_name, '.');

		if (ext && (!strcmp(ext, ".nft") || !strcmp(ext, ".ipt")))
			mp_strv_take(&files, mp_xasprintf("%s/%s", dir, d->d_name));
	}
	closedir(dp);
	mp_strv_sort(&files);
	assert_true(files.n >= 35);
	for (i = 0; i < files.n; i++)
		bad += compare(&n, files.v[i]);
	print_message("# %zu rulesets, %zu connections each, %u disagreements\n", files.n,
		      (size_t)N_CELLS, bad);
	for (i = 0; i < MP_N_ELEMS(ports); i++)
		close(listeners[i]);
	mp_strv_fini(&files);
	net_down(&n);
	assert_int_equal(bad, 0);
}

/* ---- the pure parts ---- */

/* tests/nft/NAME.payload is what `nft --debug=netlink` says of the same rule. */
static void check_payload(const char *name, int family, const struct mp_nft_accept *a)
{
	mp_auto_free char *path = mp_xasprintf("tests/nft/%s.payload", name);
	mp_auto_free char *full = srcdir(path);
	struct nftnl_rule *r = mp_nft_accept_rule(family, "t", "c", a);
	char want[2048] = "", now[2048] = "", tight[2048] = "";
	FILE *f = fopen(full, "re");
	size_t i, n = 0;

	assert_non_null(f);
	assert_true(fread(want, 1, sizeof(want) - 1, f) > 0);
	fclose(f);
	nftnl_rule_snprintf(now, sizeof(now), r, NFTNL_OUTPUT_DEFAULT, 0);
	nftnl_rule_free(r);
	/* The library puts a blank before each line end. */
	for (i = 0; now[i]; i++) {
		if (now[i] == ' ' && (now[i + 1] == '\n' || !now[i + 1]))
			continue;
		tight[n++] = now[i];
	}
	while (n && tight[n - 1] == '\n')
		tight[--n] = '\0';
	for (n = strlen(want); n && want[n - 1] == '\n';)
		want[--n] = '\0';
	assert_string_equal(tight, want);
}

static void test_payloads(void **state)
{
	struct mp_nft_accept a = { AF_INET, "migprep4", 49152, 49261, "migprep" };

	(void)state;
	check_payload("accept-inet4", NFPROTO_INET, &a);
	a.to = 49152;
	check_payload("accept-ip-one", NFPROTO_IPV4, &a);
	a = (struct mp_nft_accept){ AF_INET6, "migprep6", 49152, 49261, "migprep" };
	check_payload("accept-inet6", NFPROTO_INET, &a);
	a = (struct mp_nft_accept){ AF_UNSPEC, NULL, 1, 65535, NULL };
	check_payload("accept-any", NFPROTO_INET, &a);
}

static void test_regs(void **state)
{
	struct mp_nft_regs r;
	static const uint8_t v[4] = { 10, 9, 0, 0 }, known[4] = { 255, 255, 255, 0 };
	static const uint8_t lo[4] = { 10, 9, 0, 0 }, hi[4] = { 10, 9, 0, 255 };
	static const uint8_t mid[4] = { 10, 9, 0, 7 }, far[4] = { 10, 10, 0, 0 };
	static const uint8_t p1023[2] = { 3, 255 }, p0[2] = { 0, 0 }, p1024[2] = { 4, 0 },
			     max[2] = { 255, 255 }, none[2] = { 0, 0 };
	static const uint8_t ifname[16] = "lo", other[16] = "eth0", blank[16];

	(void)state;
	mp_nft_regs_reset(&r);
	mp_nft_regs_put(&r, 0, v, known, 4);
	assert_int_equal(mp_nft_regs_in(&r, 0, 4, lo, hi), MP_NFT_YES);
	assert_int_equal(mp_nft_regs_in(&r, 0, 4, mid, mid), MP_NFT_MAYBE_SO);
	assert_int_equal(mp_nft_regs_in(&r, 0, 4, lo, mid), MP_NFT_MAYBE_SO);
	assert_int_equal(mp_nft_regs_in(&r, 0, 4, far, far), MP_NFT_NO);
	assert_int_equal(mp_nft_regs_in(&r, 0, 3, lo, lo), MP_NFT_YES);
	/* A client's port is not a privileged one. */
	mp_nft_regs_put(&r, 16, none, none, 2);
	r.tag[16] = MP_NFT_TAG_SPORT;
	assert_int_equal(mp_nft_regs_in(&r, 16, 2, p0, p1023), MP_NFT_NO);
	assert_int_equal(mp_nft_regs_in(&r, 16, 2, p1024, max), MP_NFT_YES);
	/* An unknown interface is not the loopback; the rest of the word is zero as in the kernel.
	 */
	mp_nft_regs_put(&r, 32, blank, blank, 16);
	r.tag[32] = MP_NFT_TAG_IIFNAME;
	assert_int_equal(mp_nft_regs_in(&r, 32, 16, ifname, ifname), MP_NFT_NO);
	assert_int_equal(mp_nft_regs_in(&r, 32, 16, other, other), MP_NFT_MAYBE_SO);
	assert_false(mp_nft_regs_unknown(&r, 18, 2));
	assert_int_equal(mp_nft_regs_in(&r, MP_NFT_REGS - 2, 4, lo, hi), MP_NFT_MAYBE_SO);
}

/* A ruleset of one input chain with policy drop and these rules, for hand-made expressions. */
static struct mp_nft_ruleset *one_chain(void)
{
	struct mp_nft_ruleset *rs = mp_xcalloc(1, sizeof(*rs));

	rs->n_chains = 1;
	rs->chains = mp_xcalloc(1, sizeof(*rs->chains));
	rs->chains[0] = (struct mp_nft_chain){ .family = NFPROTO_INET,
					       .table = mp_xstrdup("t"),
					       .name = mp_xstrdup("c"),
					       .base = true,
					       .hook = NF_INET_LOCAL_IN,
					       .policy = NF_DROP };
	return rs;
}

static unsigned fates(const struct mp_nft_ruleset *rs)
{
	struct mp_nft_packet p = { .family = AF_INET, .dport = 49152 };
	struct mp_nft_judgement j;

	mp_nft_eval(rs, &p, &j, NULL);
	return j.fates;
}

/* What the kernel here cannot load: queues, expressions that nobody knows, chains that call
 * themselves. */
static void test_strange_rules(void **state)
{
	mp_auto_ruleset struct mp_nft_ruleset *rs = one_chain();
	struct mp_nft_rule *r = mp_nft_chain_add(&rs->chains[0]);

	(void)state;
	mp_nft_rule_add(r, MP_NFT_DIVERT, "queue");
	mp_nft_ruleset_link(rs);
	assert_int_equal(fates(rs), MP_NFT_UNSURE);
	r->exprs[0].kind = MP_NFT_OPAQUE;
	assert_int_equal(fates(rs), MP_NFT_UNSURE | MP_NFT_DROPPED);
	r->exprs[0].kind = MP_NFT_LOOKUP; /* a verdict map that is not in the dump */
	r->exprs[0].map = true;
	r->exprs[0].dreg = 0xff;
	assert_int_equal(fates(rs), MP_NFT_UNSURE | MP_NFT_DROPPED);
	r->exprs[0].kind = MP_NFT_VERDICT;
	r->exprs[0].verdict.code = NFT_JUMP;
	r->exprs[0].verdict.target = &rs->chains[0];
	assert_true(fates(rs) & MP_NFT_UNSURE);
}

static void test_port_classes(void **state)
{
	mp_auto_ruleset struct mp_nft_ruleset *rs = one_chain();
	struct mp_nft_rule *r = mp_nft_chain_add(&rs->chains[0]);
	mp_auto_free uint16_t *v = NULL;
	struct mp_nft_expr *e;
	size_t n;

	(void)state;
	v = mp_nft_port_classes(rs, 49152, 49261, &n);
	assert_int_equal(n, 1);
	assert_int_equal(v[0], 49152);
	free(v);
	e = mp_nft_rule_add(r, MP_NFT_CMP, "cmp");
	e->len = 2;
	e->a[0] = 49200 >> 8;
	e->a[1] = 49200 & 0xff;
	v = mp_nft_port_classes(rs, 49152, 49261, &n);
	/* 49152-49198, 49199, 49200, 49201-: cut on either side of the constant. */
	assert_true(n >= 3 && n <= 4);
	assert_int_equal(v[n - 1], 49201);
	assert_int_equal(v[n - 2], 49200);
	free(v);
	e = mp_nft_rule_add(r, MP_NFT_PAYLOAD, "payload");
	e->key = NFT_PAYLOAD_TRANSPORT_HEADER;
	e->offset = 2;
	e->len = 2;
	mp_nft_rule_add(r, MP_NFT_BITWISE, "bitwise")->len = 2;
	v = mp_nft_port_classes(rs, 49152, 49261, &n);
	assert_int_equal(n, 110); /* calculated with: each port for itself */
}

/* ---- the dump while others write ---- */

/* In one transaction the pair of both sets is exchanged, again and again. */
static void write_forever(void)
{
	static const uint16_t pairs[2][2] = { { 1, 2 }, { 3, 4 } };
	int now;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (now = 0;; now = !now) {
		struct mp_nft_batch *b = mp_nft_batch_new();

		mp_nft_batch_elems(b, false, NFPROTO_INET, "t", "ns1", pairs[!now], 2, 2);
		mp_nft_batch_elems(b, false, NFPROTO_INET, "t", "ns2", pairs[!now], 2, 2);
		mp_nft_batch_elems(b, true, NFPROTO_INET, "t", "ns1", pairs[now], 2, 2);
		mp_nft_batch_elems(b, true, NFPROTO_INET, "t", "ns2", pairs[now], 2, 2);
		if (mp_nft_send(b, NULL) < 0)
			_exit(1);
		mp_nft_batch_free(b);
	}
}

/* Two sets change together; no dump may see one of them before and the other after. */
static void test_dump_is_consistent(void **state)
{
	struct net n;
	struct mp_nft_batch *b;
	static uint16_t wide[4000];
	struct mp_err err = { 0 };
	pid_t writer;
	int i, seen = 0;
	uint32_t first = 0, made = 0;
	time_t start = time(NULL);

	(void)state;
	if (net_up(&n) < 0) {
		net_down(&n);
		print_message("# skipped: %s\n", NET_ROOT_ONLY);
		skip();
	}
	/*
	 * The kernel marks a dump that a change fell into, so there is one of many messages between
	 * the two sets; and many short ones, between which only the generation tells.
	 */
	assert_true(net_sh("{ echo 'add table inet t'; for s in s1 wide $(seq 60) s2; do "
			   "echo \"add set inet t n$s { type inet_service; }\"; done; "
			   "echo 'add element inet t ns1 { 768, 1024 }'; "
			   "echo 'add element inet t ns2 { 768, 1024 }'; } | "
			   "nft -f -"));
	for (i = 0; i < 4000; i++)
		wide[i] = (uint16_t)i;
	b = mp_nft_batch_new();
	mp_nft_batch_elems(b, true, NFPROTO_INET, "t", "nwide", wide, 2, 4000);
	if (mp_nft_send(b, &err) < 0)
		fail_msg("%s", err.text);
	mp_nft_batch_free(b);
	writer = fork();
	if (writer == 0)
		write_forever();
	/* Until enough changes were made meanwhile (the generation counts them), or ten seconds. */
	while (made < 250 && time(NULL) - start < 10) {
		mp_auto_ruleset struct mp_nft_ruleset *rs = NULL;
		const struct mp_nft_set *s1, *s2;

		if (mp_nft_dump(&rs, &err) < 0) { /* it may say that there is no quiet moment */
			assert_int_equal(err.code, MP_E_TIMEOUT);
			continue;
		}
		first = first ? first : rs->generation;
		made = rs->generation - first;
		s1 = mp_nft_set_find(rs, NFPROTO_INET, "t", "ns1");
		s2 = mp_nft_set_find(rs, NFPROTO_INET, "t", "ns2");
		assert_non_null(s1);
		assert_non_null(s2);
		assert_int_equal(s1->n_elems, 2);
		assert_int_equal(s2->n_elems, 2);
		assert_memory_equal(s1->elems[0].lo, s2->elems[0].lo, 2);
		seen |= s1->elems[0].lo[0] == 1 || s1->elems[0].lo[1] == 1 ? 2 : 1;
	}
	kill(writer, SIGKILL);
	assert_int_equal(waitpid(writer, &i, 0), writer);
	assert_true(WIFSIGNALED(i)); /* it was still writing */
	net_down(&n);
	assert_int_equal(seen, 3);
	assert_true(made > 50);
}

/* A batch is all or nothing, and the refusal says why. */
static void test_send(void **state)
{
	struct net n;
	struct mp_nft_batch *b;
	struct mp_nft_accept a = { AF_INET, "migprep4", 49152, 49261, "migprep" };
	struct mp_err err = { 0 };
	mp_auto_ruleset struct mp_nft_ruleset *rs = NULL, *again = NULL;
	uint32_t addrs[1000];
	size_t i;

	(void)state;
	if (net_up(&n) < 0) {
		net_down(&n);
		print_message("# skipped: %s\n", NET_ROOT_ONLY);
		skip();
	}
	assert_true(net_sh("nft 'table inet t { chain c { }; }'"));
	for (i = 0; i < 1000; i++)
		addrs[i] = htonl(0x0a000000u + (uint32_t)i);
	b = mp_nft_batch_new();
	mp_nft_batch_add_set(b, NFPROTO_INET, "t", a.set, AF_INET);
	mp_nft_batch_elems(b, true, NFPROTO_INET, "t", a.set, addrs, 4, 1000);
	mp_nft_batch_insert_accept(b, NFPROTO_INET, "t", "absent", &a);
	assert_int_equal(mp_nft_send(b, &err), -1);
	assert_non_null(strstr(err.text, "nothing was changed"));
	mp_nft_batch_free(b);
	assert_int_equal(mp_nft_dump(&rs, &err), 0);
	assert_int_equal(rs->n_sets, 0);
	b = mp_nft_batch_new();
	mp_nft_batch_add_set(b, NFPROTO_INET, "t", a.set, AF_INET);
	mp_nft_batch_elems(b, true, NFPROTO_INET, "t", a.set, addrs, 4, 1000);
	mp_nft_batch_insert_accept(b, NFPROTO_INET, "t", "c", &a);
	if (mp_nft_send(b, &err) < 0)
		fail_msg("%s", err.text);
	mp_nft_batch_free(b);
	assert_int_equal(mp_nft_dump(&again, &err), 0);
	assert_int_equal(mp_nft_set_find(again, NFPROTO_INET, "t", a.set)->n_elems, 1000);
	assert_true(net_sh("nft list chain inet t c | grep -qF 'ip saddr @migprep4 tcp dport "
			   "49152-49261 accept comment \"migprep\"'"));
	net_down(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_regs),
		cmocka_unit_test(test_strange_rules),
		cmocka_unit_test(test_port_classes),
		cmocka_unit_test(test_dump_is_consistent),
		cmocka_unit_test(test_send),
		cmocka_unit_test(test_truth),
	};

	return cmocka_run_group_tests_name("nft", tests, NULL, NULL);
}
