/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * migration-ports on a real kernel: network and mount namespaces of our own, real nft(8), real
 * connections from a peer. The inventory: a (this host, 10.9.0.1), b (10.9.0.2), c (10.9.0.3, and
 * fd00:9::2); 10.77.0.9 is a stranger.
 */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "nft-net.h"
#include "resource/ports-boot.h"
#include "resource/resource.h"

#define CONFIG "/etc/nftables.conf"
#define SNIPPET "/etc/nftables.d/migprep.nft"
#define PATTERN "/etc/nftables.d/migprep.nf[t]" /* as it is included */

extern const struct mp_resource mp_resource_migration_ports;
static const struct mp_resource *const res = &mp_resource_migration_ports;

static const char three[] = "[host a]\naddress=10.9.0.1\n[host b]\naddress=10.9.0.2\n"
			    "[host c]\naddress=10.9.0.3\nmigration_address=fd00:9::2\n";
static const char two[] = "[host a]\naddress=10.9.0.1\n[host b]\naddress=10.9.0.2\n";

/* The lab's: only SSH gets in. */
static const char drop_config[] = "#!/usr/sbin/nft -f\n"
				  "# kept: every byte of this\n"
				  "flush ruleset\n"
				  "table inet filter {\n"
				  "\tchain input {\n"
				  "\t\ttype filter hook input priority filter; policy drop;\n"
				  "\t\tiif lo accept\n"
				  "\t\tct state established,related accept\n"
				  "\t\tmeta l4proto ipv6-icmp accept\n"
				  "\t\ttcp dport 22 accept\n"
				  "\t}\n"
				  "}"; /* no newline at the end */

struct fix {
	struct net net;
	bool usable;
	int listeners[3];
	struct mp_inventory *inv;
	struct mp_profile *profile;
	struct mp_world world;
	struct mp_sys *sys;
};

/* ---- the world ---- */

static void set_world(struct fix *f, const char *inventory, const char *setting)
{
	struct mp_err err = { 0 };

	mp_inventory_free(f->inv);
	mp_profile_free(f->profile);
	f->profile = mp_profile_new();
	if (mp_inventory_parse(inventory, strlen(inventory), "inv", &f->inv, &err) < 0 ||
	    (setting && mp_profile_set(f->profile, setting, "test", &err) < 0))
		fail_msg("%s", err.text);
	f->world = (struct mp_world){ .inv = f->inv, .profile = f->profile };
}

static void put_file(const char *path, const char *text)
{
	FILE *fp = fopen(path, "we");

	assert_non_null(fp);
	assert_true(fputs(text, fp) >= 0);
	assert_int_equal(fclose(fp), 0);
}

static char *get_file(const char *path)
{
	char *text = mp_xcalloc(1, 65536);
	FILE *fp = fopen(path, "re");

	if (fp) {
		text[fread(text, 1, 65535, fp)] = '\0';
		fclose(fp);
	}
	return text;
}

/* A host as it would be: this configuration, loaded; nothing of ours. */
static void fresh(struct fix *f, const char *config)
{
	/* A conversation with another agent: what the last one read and wrote is forgotten. */
	mp_sys_close(f->sys);
	f->sys = NULL;
	assert_int_equal(mp_sys_open("/", &f->sys, NULL), 0);
	assert_true(net_sh("nft flush ruleset && rm -rf /etc/nftables.d"));
	put_file(CONFIG, config);
	assert_true(net_sh("nft -f " CONFIG));
	set_world(f, three, NULL);
}

static int setup(void **state)
{
	struct fix *f = mp_xcalloc(1, sizeof(*f));
	static const uint16_t ports[] = { 49152, 49200, 49261 };

	*state = f;
	f->usable = net_up(&f->net) == 0 && unshare(CLONE_NEWNS) == 0 &&
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		    mount("tmpfs", "/var/lib", "tmpfs", 0, NULL) == 0 &&
		    mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0 &&
		    net_sh("mkdir /run/up /run/work && mount -t overlay overlay "
			   "-o lowerdir=/etc,upperdir=/run/up,workdir=/run/work /etc");
	if (!f->usable)
		return 0;
	for (size_t i = 0; i < MP_N_ELEMS(ports); i++)
		f->listeners[i] = net_listen(ports[i]);
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	for (size_t i = 0; f->usable && i < MP_N_ELEMS(f->listeners); i++)
		close(f->listeners[i]);
	mp_sys_close(f->sys);
	mp_inventory_free(f->inv);
	mp_profile_free(f->profile);
	net_down(&f->net);
	free(f);
	return 0;
}

static struct fix *need(void **state)
{
	struct fix *f = *state;

	if (!f->usable) {
		print_message("# skipped: %s, CLONE_NEWNS and overlay mounts\n", NET_ROOT_ONLY);
		skip();
	}
	return f;
}

/* ---- steps ---- */

static enum mp_status look(struct fix *f, struct mp_diff *d, json_t **ret_fact)
{
	const struct mp_host *h = &f->inv->hosts[0];
	json_t *params = res->params(&f->world, h), *want = res->want(&f->world, h), *fact = NULL;
	struct mp_err err = { 0 };

	if (res->observe(f->sys, params, &fact, &err) < 0)
		fail_msg("observe: %s", err.text);
	mp_diff_init(d);
	if (json_object_get(want, "skip"))
		d->status = MP_SKIP;
	else if (json_object_get(want, "fail"))
		d->status = MP_FAIL;
	else
		res->diff(fact, want, d);
	json_decref(params);
	json_decref(want);
	if (ret_fact)
		*ret_fact = fact;
	else
		json_decref(fact);
	return d->status;
}

/* The status and reason, when they are not as expected the test fails. reason: a part of it; NULL:
 * any. */
static void expect(struct fix *f, enum mp_status status, const char *reason)
{
	mp_auto_diff struct mp_diff d;

	look(f, &d, NULL);
	if (d.status != status || (reason && (!d.reason || !strstr(d.reason, reason))))
		fail_msg("is %s \"%s\" (%s), should be %s \"%s\"", mp_status_name(d.status),
			 d.reason ? d.reason : "", d.n_changes ? d.changes[0].what : "",
			 mp_status_name(status), reason ? reason : "");
}

static void expect_remedy(struct fix *f, enum mp_status status, const char *remedy)
{
	mp_auto_diff struct mp_diff d;

	assert_int_equal(look(f, &d, NULL), status);
	assert_non_null(d.remedy);
	if (!strstr(d.remedy, remedy))
		fail_msg("remedy '%s', should have '%s'", d.remedy, remedy);
}

/* One of the changes is this one; NULL: absent. */
static void expect_change(struct fix *f, const char *what, const char *before, const char *after)
{
	mp_auto_diff struct mp_diff d;
	bool found = false;

	look(f, &d, NULL);
	for (size_t i = 0; i < d.n_changes; i++)
		found |= mp_str_eq(d.changes[i].what, what) &&
			 mp_str_eq(d.changes[i].before, before) &&
			 mp_str_eq(d.changes[i].after, after);
	for (size_t i = 0; !found && i < d.n_changes; i++)
		print_error("%s: %s -> %s\n", d.changes[i].what,
			    d.changes[i].before ? d.changes[i].before : "(absent)",
			    d.changes[i].after ? d.changes[i].after : "(removed)");
	if (!found)
		fail_msg("no change %s: %s -> %s among %zu", what, before ? before : "(absent)",
			 after ? after : "(removed)", d.n_changes);
}

static int apply_err(struct fix *f, struct mp_err *err)
{
	const struct mp_host *h = &f->inv->hosts[0];
	json_t *params = res->params(&f->world, h), *want = res->want(&f->world, h), *fact = NULL;
	int rc;

	assert_int_equal(res->observe(f->sys, params, &fact, err), 0);
	assert_int_equal(mp_sys_begin(f->sys, res->id, err), 0);
	rc = res->apply(f->sys, params, fact, want, err);
	assert_int_equal(mp_sys_end(f->sys, rc == 0, NULL), 0);
	json_decref(params);
	json_decref(want);
	json_decref(fact);
	return rc;
}

static void apply(struct fix *f)
{
	struct mp_err err = { 0 };

	if (apply_err(f, &err) < 0)
		fail_msg("apply: %s", err.text);
}

static char *output(const char *cmd)
{
	char *text = mp_xcalloc(1, 65536);
	FILE *p = popen(cmd, "re");

	assert_non_null(p);
	text[fread(text, 1, 65535, p)] = '\0';
	pclose(p);
	return text;
}

/* "AAD": the fates of 49152, 49200, 49261 for packets from source. */
static void expect_net(struct fix *f, const char *source, const char *fates)
{
	struct try t[3] = { { source, 49152, 0 }, { source, 49200, 0 }, { source, 49261, 0 } };
	enum fate e[3];
	char now[4] = "";

	for (size_t i = 0; i < 3; i++)
		e[i] = fates[i] == 'A' ? FATE_ACCEPT : fates[i] == 'R' ? FATE_REJECT : FATE_DROP;
	net_try(&f->net, t, 3, e, 150);
	for (size_t i = 0; i < 3; i++)
		now[i] = t[i].fate == FATE_ACCEPT ? 'A' : t[i].fate == FATE_REJECT ? 'R' : 'D';
	if (strcmp(now, fates) != 0)
		fail_msg("from %s: %s, should be %s", source, now, fates);
}

/* The second apply of everything: nothing differs, and if it were called it would change nothing.
 */
static void expect_stable(struct fix *f)
{
	mp_auto_free char *rules = output("nft -a list ruleset"), *again = NULL;
	struct stat a, b, sa, sb;
	json_t *fact = NULL, *fact2 = NULL;
	mp_auto_diff struct mp_diff d, d2;

	assert_int_equal(stat(CONFIG, &a), 0);
	assert_int_equal(stat(SNIPPET, &sa), 0);
	assert_int_equal(look(f, &d, &fact), MP_OK);
	assert_int_equal(d.n_changes, 0);
	apply(f);
	again = output("nft -a list ruleset");
	assert_string_equal(rules, again);
	assert_int_equal(stat(CONFIG, &b), 0);
	assert_int_equal(stat(SNIPPET, &sb), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(sa.st_ino, sb.st_ino);
	assert_memory_equal(&a.st_mtim, &b.st_mtim, sizeof(a.st_mtim));
	assert_memory_equal(&sa.st_mtim, &sb.st_mtim, sizeof(sa.st_mtim));
	look(f, &d2, &fact2);
	assert_true(json_equal(fact, fact2));
	json_decref(fact);
	json_decref(fact2);
}

/* ---- tests ---- */

static void test_default_drop(void **state)
{
	struct fix *f = need(state);
	mp_auto_free char *config = NULL, *rules = NULL;

	fresh(f, drop_config);
	expect_net(f, "10.9.0.2", "DDD");
	expect(f, MP_DRIFT,
	       "TCP 49152-49261 from 2 other hosts is dropped by inet filter input policy drop");
	expect_change(f, "inet filter set migprep4", NULL, "2 addresses of other hosts");
	expect_change(f, "inet filter set migprep6", NULL, "1 address of other hosts");
	apply(f);
	expect(f, MP_OK, NULL);
	expect_net(f, "10.9.0.2", "AAA");
	expect_net(f, "10.9.0.3", "AAA");
	expect_net(f, "fd00:9::2", "AAA");
	expect_net(f, "10.77.0.9", "DDD");
	expect_stable(f);
	config = get_file(CONFIG);
	assert_memory_equal(config, drop_config, strlen(drop_config));
	assert_string_equal(config + strlen(drop_config), "\ninclude \"" PATTERN "\"\n");
	rules = output("nft list chain inet filter input");
	assert_non_null(strstr(rules,
			       "policy drop;\n"
			       "\t\tip saddr @migprep4 tcp dport 49152-49261 accept comment "
			       "\"migprep\"\n"
			       "\t\tip6 saddr @migprep6 tcp dport 49152-49261 accept comment "
			       "\"migprep\"\n"));
}

/* As after a boot: the kernel empty, the configuration loaded, twice. */
static void test_boot(void **state)
{
	struct fix *f = need(state);
	mp_auto_free char *before = NULL, *after = NULL;

	fresh(f, drop_config);
	apply(f);
	before = output("nft list ruleset");
	assert_true(net_sh("nft flush ruleset && nft -f " CONFIG " && nft -f " CONFIG));
	/* Our file removed by hand: the host still boots with its own filter. */
	assert_true(net_sh("mv " SNIPPET " " SNIPPET ".away && nft flush ruleset && nft -f " CONFIG
			   " && nft list chain inet filter input | grep -q 'policy drop' && "
			   "mv " SNIPPET ".away " SNIPPET " && nft -f " CONFIG));
	after = output("nft list ruleset");
	assert_string_equal(before, after);
	expect(f, MP_OK, NULL);
	expect_net(f, "10.9.0.2", "AAA");
	expect_net(f, "10.77.0.9", "DDD");
	/* The operator renames the chain: the file still loads, and the drift is found. */
	assert_true(net_sh("sed -i 's/chain input/chain incoming/' " CONFIG " && nft -f " CONFIG));
	expect_net(f, "10.9.0.2", "DDD");
	expect(f, MP_DRIFT, "inet filter incoming policy drop");
	apply(f);
	expect(f, MP_OK, NULL);
	assert_true(net_sh("nft flush ruleset && nft -f " CONFIG));
	expect_net(f, "10.9.0.2", "AAA");
}

static void test_drop_before_ours(void **state)
{
	struct fix *f = need(state);
	mp_auto_free char *ino = NULL;

	fresh(f, drop_config);
	apply(f);
	assert_true(net_sh("nft insert rule inet filter input tcp dport 49200 drop"));
	expect_net(f, "10.9.0.2", "ADA");
	expect(f, MP_DRIFT,
	       "TCP 49200 from 2 other hosts is dropped by inet filter input rule 1 (handle");
	apply(f);
	expect_net(f, "10.9.0.2", "AAA");
	expect_stable(f);
}

static void test_sources_change(void **state)
{
	struct fix *f = need(state);
	mp_auto_free char *set = NULL;

	fresh(f, drop_config);
	apply(f);
	set_world(f, two, NULL);
	expect(f, MP_DRIFT, "from inet filter set migprep4 would be removed: 10.9.0.3");
	expect_change(f, "inet filter set migprep4", "10.9.0.3", NULL);
	apply(f);
	expect_stable(f);
	set = output("nft list table inet filter");
	assert_null(strstr(set, "10.9.0.3"));
	assert_null(strstr(set, "ip6 saddr"));
	expect_net(f, "10.9.0.2", "AAA");
	expect_net(f, "10.9.0.3", "DDD");
	/* One of several sources: told by its address, in the change and in the reason. */
	set_world(f, three, NULL);
	expect(f, MP_DRIFT, "TCP 49152-49261 from 10.9.0.3, fd00:9::2 is dropped");
	expect_change(f, "inet filter set migprep4", NULL, "10.9.0.3");
	set_world(f, two, "firewall.ports=49152-49215");
	expect(f, MP_DRIFT, NULL);
	apply(f);
	expect_stable(f);
	expect_net(f, "10.9.0.2", "AAD");
	assert_true(net_sh("nft add element inet filter migprep4 '{ 10.77.0.9, 10.77.0.8 }'"));
	expect(f, MP_DRIFT, "would be removed: 10.77.0.8, 10.77.0.9");
	apply(f);
	expect_net(f, "10.77.0.9", "DDD");
	expect_stable(f);
}

static void test_anybody(void **state)
{
	struct fix *f = need(state);

	fresh(f, drop_config);
	set_world(f, three, "firewall.sources=any");
	expect(f, MP_DRIFT, "from anywhere");
	apply(f);
	expect_stable(f);
	expect_net(f, "10.77.0.9", "AAA");
	assert_true(net_sh("nft flush ruleset && nft -f " CONFIG));
	expect(f, MP_OK, NULL);
}

static void test_no_filter(void **state)
{
	struct fix *f = need(state);
	mp_auto_free char *rules = NULL;

	fresh(f, "flush ruleset\n");
	expect(f, MP_OK, NULL);
	apply(f);
	rules = output("nft list ruleset");
	assert_string_equal(rules, "");
	assert_int_equal(access(SNIPPET, F_OK), -1);
	/* An open chain needs nothing either. */
	assert_true(
		net_sh("nft 'table inet t { chain i { type filter hook input priority 0; }; }'"));
	expect(f, MP_OK, NULL);
}

static void test_two_tables(void **state)
{
	struct fix *f = need(state);

	fresh(f,
	      "flush ruleset\n"
	      "table ip one { chain in { type filter hook input priority -5; policy accept; tcp "
	      "dport 49152-49261 reject; }\n}\n"
	      "table inet two {\n chain a { type filter hook input priority 0; policy accept; "
	      "ip saddr 10.9.0.3 limit rate 1/second accept; ip saddr 10.9.0.3 drop; }\n"
	      " chain b { type filter hook input priority 5; policy accept; tcp dport 49261 drop; "
	      "}\n}\n");
	expect(f, MP_DRIFT, "is rejected by ip one in rule 1");
	apply(f);
	expect_stable(f);
	expect_net(f, "10.9.0.2", "AAA");
	expect_net(f, "10.9.0.3", "AAA");
	expect_net(f, "fd00:9::2", "AAA");
	expect_net(f, "10.77.0.9", "RRR");
	assert_true(net_sh("nft flush ruleset && nft -f " CONFIG));
	expect_net(f, "10.9.0.3", "AAA");
	expect(f, MP_OK, NULL);
}

static void test_not_from_config(void **state)
{
	struct fix *f = need(state);
	mp_auto_free char *config = NULL;

	fresh(f, "flush ruleset\n");
	assert_true(
		net_sh("nft 'table inet x { chain i { type filter hook input priority 0; policy "
		       "drop; }; }'"));
	expect(f, MP_DRIFT, "inet x i policy drop");
	apply(f);
	expect(f, MP_WARN, "does not define the chain");
	expect_net(f, "10.9.0.2", "AAA");
	config = get_file(CONFIG);
	assert_string_equal(config, "flush ruleset\n");
	assert_int_equal(access(SNIPPET, F_OK), -1);
}

static void test_broken_config(void **state)
{
	struct fix *f = need(state);
	mp_auto_free char *config = NULL;

	fresh(f, drop_config);
	put_file(CONFIG, "table inet filter { chain input { tpye filter } }\n");
	apply(f);
	expect(f, MP_WARN, "nft refuses line 1 of " CONFIG ": syntax error");
	expect_remedy(f, MP_WARN, "Mend line 1 of " CONFIG);
	expect_remedy(f, MP_WARN, "the host boots without any filter");
	expect_net(f, "10.9.0.2", "AAA");
	config = get_file(CONFIG);
	assert_string_equal(config, "table inet filter { chain input { tpye filter } }\n");
	/* A file that is not there, and an include by pattern that is. */
	assert_int_equal(unlink(CONFIG), 0);
	expect(f, MP_WARN, "does not exist");
}

/* What was right when it was written, and broken since. */
static void test_broken_later(void **state)
{
	struct fix *f = need(state);
	mp_auto_free char *config = NULL, *broken = NULL;

	fresh(f, drop_config);
	apply(f);
	expect(f, MP_OK, NULL);
	config = get_file(CONFIG);
	broken = mp_xasprintf("%s\ninclude \"/etc/other.nft\"\n", config);
	put_file(CONFIG, broken);
	put_file("/etc/other.nft", "# fine\n\ntable inet filter { chian }\n");
	expect(f, MP_WARN, "nft refuses line 3 of /etc/other.nft: ");
	expect_remedy(f, MP_WARN, "Mend line 3 of /etc/other.nft (nft -c -f " CONFIG " tells");
	put_file(CONFIG, config);
	expect(f, MP_OK, NULL);
	assert_int_equal(unlink("/etc/other.nft"), 0);
}

/* Each host leaves itself out, and yet all hosts say the same. */
static void test_said_alike(void **state)
{
	static const char inventory[] = "[host a]\naddress=10.9.0.1\n[host b]\naddress=10.9.0.2\n"
					"[host c]\naddress=10.9.0.3\n[host d]\naddress=10.9.0.4\n"
					"[host e]\naddress=10.9.0.5\n[host f]\naddress=10.9.0.6\n";
	struct fix f = { 0 };

	(void)state;
	set_world(&f, inventory, NULL);
	for (size_t i = 0; i < f.inv->n_hosts; i++) {
		json_t *want = res->want(&f.world, &f.inv->hosts[i]);
		json_t *sources = json_object_get(want, "sources"), *fact;
		mp_auto_diff struct mp_diff d;

		fact = json_pack("{s:[{s:s,s:s,s:s,s:O,s:i},{s:s,s:s,s:s,s:O,s:i}],"
				 "s:[{s:s,s:b,s:s,s:[s],s:[{s:s,s:i,s:s,s:i,s:i}]}]}",
				 "judged", "fate", "drop", "by", "x policy drop", "ports", "1-9",
				 "from", sources, "n", 5, "fate", "reject", "by", "y", "ports", "4",
				 "from", sources, "n", 4, "chains", "chain", "x", "right", 0,
				 "state", "the rule is missing", "rules", "accept", "sets", "set",
				 "s", "n", 5, "state", "missing", "n_lacks", 0, "n_stale", 0);
		assert_non_null(fact);
		mp_diff_init(&d);
		res->diff(fact, want, &d);
		assert_string_equal(
			d.reason, "TCP 1-9 from 5 other hosts is dropped by x policy drop; TCP 4 "
				  "from 4 of the 5 addresses of the other hosts is rejected by y");
		assert_int_equal(d.n_changes, 2);
		assert_string_equal(d.changes[1].after, "5 addresses of other hosts");
		assert_null(d.changes[1].before);
		json_decref(fact);
		json_decref(want);
	}
	mp_inventory_free(f.inv);
	mp_profile_free(f.profile);
}

static void test_include_by_pattern(void **state)
{
	struct fix *f = need(state);
	mp_auto_free char *text =
		mp_xasprintf("%s\ninclude \"/etc/nftables.d/*.nft\"\n", drop_config);
	mp_auto_free char *config = NULL;

	fresh(f, text);
	apply(f);
	expect_stable(f);
	config = get_file(CONFIG);
	assert_string_equal(config, text);
	assert_true(net_sh("nft flush ruleset && nft -f " CONFIG));
	expect_net(f, "10.9.0.2", "AAA");
}

/* The trial was fine, the whole is not: here because the pattern includes us before the chain is
 * there. */
static void test_refused_whole(void **state)
{
	struct fix *f = need(state);
	mp_auto_free char *text =
		mp_xasprintf("flush ruleset\ninclude \"/etc/nftables.d/*.nft\"\n%s",
			     strstr(drop_config, "table"));
	mp_auto_free char *config = NULL, *snippet = NULL;
	struct mp_err err = { 0 };

	fresh(f, text);
	assert_int_equal(apply_err(f, &err), -1);
	assert_non_null(strstr(err.text, "it was put back"));
	config = get_file(CONFIG);
	assert_string_equal(config, text);
	assert_true(net_sh("nft flush ruleset && nft -f " CONFIG));
}

static void test_managed_by_others(void **state)
{
	struct fix *f = need(state);
	mp_auto_free char *src =
		mp_xasprintf("%s/tests/nft", getenv("SRCDIR") ? getenv("SRCDIR") : ".");
	mp_auto_free char *before = NULL, *after = NULL;

	fresh(f, "flush ruleset\n");
	assert_true(net_sh("nft -f '%s/20-firewalld.nft'", src));
	expect(f, MP_FAIL, "inet firewalld filter_INPUT is managed by firewalld");
	assert_true(net_sh("nft flush ruleset && iptables-nft-restore < '%s/50-ufw.ipt'", src));
	before = output("nft list ruleset 2>&1");
	expect(f, MP_FAIL, "ip filter INPUT is managed by ufw");
	apply(f);
	after = output("nft list ruleset 2>&1");
	assert_string_equal(before, after);
	assert_true(net_sh("nft flush ruleset && iptables-nft -P INPUT DROP"));
	expect(f, MP_FAIL, "ip filter INPUT is managed by iptables");
}

static void test_early_drop(void **state)
{
	struct fix *f = need(state);

	fresh(f, drop_config);
	assert_true(
		net_sh("nft 'table ip raw { chain p { type filter hook prerouting priority raw; "
		       "}; }' && nft add rule ip raw p ip saddr 10.9.0.3 tcp dport 49200 drop"));
	expect(f, MP_FAIL, "TCP 49200 from 10.9.0.3 is dropped by ip raw p rule 1");
	assert_true(net_sh("nft flush chain ip raw p && nft add rule ip raw p ip saddr 10.9.0.3 "
			   "limit rate over 5/second drop"));
	apply(f);
	expect(f, MP_WARN, "depends on limit in ip raw p rule 1");
}

static void test_interfaces(void **state)
{
	struct fix *f = need(state);

	/* Judged by the route towards the peer. */
	fresh(f,
	      "flush ruleset\ntable inet f { chain i { type filter hook input priority 0; policy "
	      "drop; iifname \"mig0\" accept; }\n}\n");
	expect(f, MP_OK, NULL);
	fresh(f,
	      "flush ruleset\ntable inet f { chain i { type filter hook input priority 0; policy "
	      "drop; iifname \"eth*\" accept; }\n}\n");
	expect(f, MP_DRIFT, "policy drop");
}

static void test_boot_disabled(void **state)
{
	struct fix *f = need(state);

	fresh(f, drop_config);
	apply(f);
	/* As if systemd were running. */
	assert_true(net_sh("mkdir -p /run/systemd/system && "
			   "rm -f /etc/systemd/system/*.wants/nftables.service"));
	expect(f, MP_WARN, "nftables.service is not enabled");
	assert_true(net_sh("mkdir -p /etc/systemd/system/sysinit.target.wants && ln -s /etc/passwd "
			   "/etc/systemd/system/sysinit.target.wants/nftables.service"));
	expect(f, MP_OK, NULL);
	assert_true(net_sh("rm -r /run/systemd"));
}

/* Without nft(8), in our mount namespace, the kernel is still changed, and the rest is said. */
static void test_no_nft(void **state)
{
	struct fix *f = need(state);
	mp_auto_free char *nft = output("command -v nft"), *config = NULL;

	nft[strcspn(nft, "\n")] = '\0';
	fresh(f, drop_config);
	assert_int_equal(mount("/dev/null", nft, NULL, MS_BIND, NULL), 0);
	expect(f, MP_DRIFT, "policy drop");
	apply(f);
	expect(f, MP_WARN, "the rules will be gone after the next reboot: nft cannot be run");
	expect_remedy(f, MP_WARN, "Install nftables");
	assert_int_equal(umount(nft), 0);
	expect_net(f, "10.9.0.2", "AAA");
	config = get_file(CONFIG);
	assert_string_equal(config, drop_config);
	expect(f, MP_DRIFT, NULL); /* now the file can follow */
}

static void test_old_iptables(void **state)
{
	struct fix *f = need(state);

	if (!net_sh("command -v iptables-legacy >/dev/null && iptables-legacy -A INPUT -p udp -j "
		    "DROP "
		    "2>/dev/null")) {
		print_message("# skipped: needs iptables-legacy and its kernel modules\n");
		skip();
	}
	fresh(f, "flush ruleset\n");
	expect(f, MP_WARN, "rules of the old iptables are loaded");
}

static void test_journal(void **state)
{
	struct fix *f = need(state);

	fresh(f, drop_config);
	apply(f);
	assert_true(net_sh("grep -rqs 'nftables inet filter input' /var/lib/migprep && "
			   "grep -rqs 'ip saddr @migprep4 tcp dport 49152-49261 accept' "
			   "/var/lib/migprep"));
}

static void test_wants(void **state)
{
	struct fix f = { 0 };
	mp_auto_diff struct mp_diff d;

	(void)state;
	set_world(&f, "[host a]\naddress=10.9.0.1\n[host b]\n", NULL);
	assert_int_equal(look(&f, &d, NULL), MP_FAIL);
	mp_diff_fini(&d);
	set_world(&f, "[host a]\naddress=10.9.0.1\n[host b]\nroles=nfs\naddress=10.0.0.2\n", NULL);
	assert_int_equal(look(&f, &d, NULL), MP_SKIP);
	mp_diff_fini(&d);
	set_world(&f, three, "firewall.manage=no");
	assert_int_equal(look(&f, &d, NULL), MP_SKIP);
	mp_inventory_free(f.inv);
	mp_profile_free(f.profile);
}

static void test_texts(void **state)
{
	mp_auto_free char *path = mp_ports_snippet_path("/etc/sysconfig/nftables.conf");
	mp_auto_free char *text = mp_ports_add_include("a", SNIPPET);

	(void)state;
	assert_string_equal(path, "/etc/sysconfig/nftables.d/migprep.nft");
	assert_string_equal(text, "a\ninclude \"" PATTERN "\"\n");
	assert_true(mp_ports_includes(text, SNIPPET));
	assert_true(mp_ports_includes("  include '/etc/nftables.d/*.nft';", SNIPPET));
	assert_true(mp_ports_includes("\tinclude\"/etc/*/migprep.nft\"", SNIPPET));
	assert_false(mp_ports_includes("# include \"" SNIPPET "\"\n", SNIPPET));
	assert_false(mp_ports_includes("include \"/etc/*.nft\"\ninclude \"\ninclude", SNIPPET));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wants),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_default_drop),
		cmocka_unit_test(test_boot),
		cmocka_unit_test(test_drop_before_ours),
		cmocka_unit_test(test_sources_change),
		cmocka_unit_test(test_anybody),
		cmocka_unit_test(test_no_filter),
		cmocka_unit_test(test_two_tables),
		cmocka_unit_test(test_not_from_config),
		cmocka_unit_test(test_broken_config),
		cmocka_unit_test(test_broken_later),
		cmocka_unit_test(test_said_alike),
		cmocka_unit_test(test_include_by_pattern),
		cmocka_unit_test(test_refused_whole),
		cmocka_unit_test(test_managed_by_others),
		cmocka_unit_test(test_early_drop),
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_boot_disabled),
		cmocka_unit_test(test_no_nft),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_old_iptables), /* last: its tables stay */
	};

	return cmocka_run_group_tests_name("migration-ports", tests, setup, teardown);
}
