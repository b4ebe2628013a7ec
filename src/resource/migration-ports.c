/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * migration-ports: migration data from the other hosts is let in by the packet filter, in the
 * kernel now and after the next boot, whatever the host's own rules say. A host without a packet
 * filter stays without one.
 */
#include "config.h"
#include "resource/resource.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "resource/ports-boot.h"
#include "resource/ports-kernel.h"
#include "resource/want.h"

#define FEW 3 /* addresses told one by one in a reason */

/* ---- wanted ---- */

static bool is_literal(const char *s)
{
	struct in6_addr a;

	return s && (inet_pton(AF_INET, s, &a) == 1 || inet_pton(AF_INET6, s, &a) == 1);
}

/*
 * The addresses that migration data of the other hosts may come from, how many those are, and a
 * host that has none.
 */
static json_t *sources(const struct mp_world *w, const struct mp_host *h, int *ret_peers,
		       const char **ret_nameless)
{
	json_t *list = json_array();

	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		const struct mp_host *o = &w->inv->hosts[i];
		const char *mig = mp_host_migration_address(o);

		if (o == h || !(o->roles & MP_ROLE_COMPUTE))
			continue;
		++*ret_peers;
		if (is_literal(mig))
			json_array_append_new(list, json_string(mig));
		if (is_literal(o->address) && !mp_str_eq(mig, o->address))
			json_array_append_new(list, json_string(o->address));
		if (!is_literal(mig) && !is_literal(o->address) && !*ret_nameless)
			*ret_nameless = o->name;
	}
	return list;
}

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	const char *self = mp_host_migration_address(h), *nameless = NULL;
	bool any = !strcmp(mp_profile_str(w->profile, "firewall", "sources"), "any");
	json_t *list, *o;
	int from, to, peers = 0;

	if (!mp_profile_bool(w->profile, "firewall", "manage"))
		return mp_want_skip("the profile says firewall.manage = no");
	list = sources(w, h, &peers, &nameless);
	if (!any && (nameless || !json_array_size(list))) {
		json_decref(list);
		if (!nameless)
			return mp_want_skip("there is no other compute host to let in");
		return mp_want_fail("Give that host a migration_address in the inventory",
				    "neither the address nor the migration_address of %s is an IP "
				    "address, so it cannot be let in",
				    nameless);
	}
	mp_profile_ports(w->profile, "firewall", "ports", &from, &to);
	o = json_pack("{s:i,s:i,s:b,s:o,s:i,s:s}", "from", from, "to", to, "any", any, "sources",
		      list, "peers", peers, "config",
		      mp_profile_str(w->profile, "firewall", "config"));
	if (is_literal(self))
		json_object_set_new(o, "self", json_string(self));
	return o;
}

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	json_t *o = want(w, h);

	if (json_object_get(o, "skip") || json_object_get(o, "fail")) {
		json_decref(o);
		return NULL;
	}
	return o;
}

/* ---- observed ---- */

static json_t *chain_json(const struct mp_ports *p, const struct mp_ports_chain *pc)
{
	static const unsigned kinds[] = { MP_PORTS_V4, MP_PORTS_V6, MP_PORTS_ANY };
	mp_auto_free char *name = mp_ports_chain_name(pc->chain);
	json_t *rules = json_array();
	json_t *o = json_pack("{s:s,s:b,s:b,s:b,s:s?,s:s?,s:o}", "chain", name, "needed",
			      pc->needs != 0, "blocked", pc->blocked, "right", pc->right, "owner",
			      pc->owner, "state", pc->state, "rules", rules);

	if (pc->sets)
		json_object_set(o, "sets", pc->sets);
	for (size_t i = 0; i < MP_N_ELEMS(kinds); i++) {
		mp_auto_buf struct mp_buf text;

		mp_buf_init(&text, 0);
		mp_ports_rule_text(p, kinds[i], &text);
		if (pc->wanted & kinds[i])
			json_array_append_new(rules, json_string(mp_buf_peek(&text)));
	}
	return o;
}

/* Rules of the old iptables are in no dump. The file lists the tables of this network namespace. */
static bool legacy_rules(struct mp_sys *sys)
{
	static const char *const files[] = { "/proc/net/ip_tables_names",
					     "/proc/net/ip6_tables_names" };
	struct mp_err ignored;

	for (size_t i = 0; i < MP_N_ELEMS(files); i++) {
		mp_auto_free char *text = NULL;
		size_t size = 0;

		if (mp_sys_read(sys, files[i], &text, &size, NULL, &ignored) == 0 && text &&
		    strstr(text, "filter"))
			return true;
	}
	return false;
}

static bool places_rules(const struct mp_ports_view *v)
{
	for (size_t i = 0; i < v->n_chains; i++) {
		if (!v->chains[i].owner && v->chains[i].wanted)
			return true;
	}
	return false;
}

static int fact_of(struct mp_sys *sys, const struct mp_ports *p, const struct mp_ports_view *v,
		   const char *config, json_t **ret, struct mp_err *err)
{
	json_t *boot = NULL, *chains;

	if (places_rules(v) && mp_ports_boot_look(sys, p, v, config, &boot, err) < 0)
		return -1;
	chains = json_array();
	for (size_t i = 0; i < v->n_chains; i++)
		json_array_append_new(chains, chain_json(p, &v->chains[i]));
	*ret = json_pack("{s:i,s:b,s:O,s:o}", "filters", (int)v->n_filters, "legacy",
			 legacy_rules(sys), "judged", v->judged, "chains", chains);
	if (boot)
		json_object_set_new(*ret, "boot", boot);
	return 0;
}

static int look(struct mp_sys *sys, const json_t *prm, struct mp_ports *p, struct mp_ports_view *v,
		char **ret_config, struct mp_err *err)
{
	size_t size;

	memset(v, 0, sizeof(*v));
	if (mp_ports_parse(prm, p, err) < 0)
		return -1;
	if (!mp_sys_is_real(sys))
		return mp_err_set(err, MP_E_UNSUPPORTED,
				  "the packet filter is the running kernel's, not a directory's");
	if (mp_sys_read(sys, p->config, ret_config, &size, NULL, err) < 0)
		return -1;
	return mp_ports_look(p, *ret_config, v, err);
}

static int observe(struct mp_sys *sys, const json_t *prm, json_t **ret, struct mp_err *err)
{
	mp_auto_free char *config = NULL;
	struct mp_ports p = { 0 };
	struct mp_ports_view v = { 0 };
	int rc;

	if (!json_object_size(prm)) { /* nothing is wanted here */
		*ret = json_object();
		return 0;
	}
	rc = look(sys, prm, &p, &v, &config, err);
	if (rc == 0)
		rc = fact_of(sys, &p, &v, config, ret, err);
	mp_ports_view_fini(&v);
	mp_ports_fini(&p);
	return rc;
}

/* ---- compared ---- */

static void put_list(const json_t *list, long long n, struct mp_buf *out)
{
	long long shown = (long long)json_array_size(list);
	const json_t *s;
	size_t i;

	json_array_foreach((json_t *)list, i, s)
	{
		mp_buf_printf(out, "%s%s", i ? ", " : "", json_string_value(s));
	}
	if (n > shown)
		mp_buf_printf(out, " and %lld more", n - shown);
}

/*
 * Who is kept out. Each host leaves out its own addresses, so that all of them, or many, are
 * counted: the same on every host.
 */
static void put_sources(const json_t *group, const json_t *w, struct mp_buf *out)
{
	const json_t *from = json_object_get(group, "from");
	long long n = mp_json_int(group, "n", 0), peers = mp_json_int(w, "peers", 0);
	long long all = (long long)json_array_size(json_object_get(w, "sources"));

	if (mp_json_bool(w, "any", false) || (n <= FEW && n < all))
		put_list(from, n, out);
	else if (n == all)
		mp_buf_printf(out, "%lld other host%s", peers, peers == 1 ? "" : "s");
	else
		mp_buf_printf(out, "%lld of the %lld addresses of the other hosts", n, all);
}

/* "TCP 49152-49261 from 4 other hosts is dropped by inet filter input policy drop" */
static char *sentence(const json_t *group, const json_t *w)
{
	const char *fate = mp_json_str(group, "fate", ""), *by = mp_json_str(group, "by", "");
	const char *ports = mp_json_str(group, "ports", "");
	mp_auto_buf struct mp_buf out;

	mp_buf_init(&out, 2000);
	if (!strcmp(fate, "unknown")) {
		mp_buf_printf(&out, "whether TCP %s gets in from ", ports);
		put_sources(group, w, &out);
		mp_buf_printf(&out, " depends on %s in %s", mp_json_str(group, "why", ""), by);
	} else {
		mp_buf_printf(&out, "TCP %s from ", ports);
		put_sources(group, w, &out);
		mp_buf_printf(&out, " is %s by %s", !strcmp(fate, "drop") ? "dropped" : "rejected",
			      by);
	}
	return mp_buf_take(&out);
}

/* All that is not accepted, early (before the input chains) or there; NULL when all of it is. */
static char *obstacles(const json_t *fact, const json_t *w, bool early, bool *ret_certain)
{
	const json_t *list = json_object_get(fact, "judged"), *g;
	mp_auto_buf struct mp_buf out;
	size_t i;

	mp_buf_init(&out, 4000);
	*ret_certain = false;
	json_array_foreach(list, i, g)
	{
		const char *fate = mp_json_str(g, "fate", "");
		mp_auto_free char *text = NULL;

		if (!strcmp(fate, "accept") || mp_json_bool(g, "early", false) != early)
			continue;
		text = sentence(g, w);
		mp_buf_printf(&out, "%s%s", out.size ? "; " : "", text);
		*ret_certain |= strcmp(fate, "unknown") != 0;
	}
	return out.size ? mp_buf_take(&out) : NULL;
}

static void diff_early(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	bool certain;
	mp_auto_free char *text = obstacles(fact, w, true, &certain);

	if (text)
		mp_diff_verdict(ret, certain ? MP_FAIL : MP_WARN,
				"Delete or narrow that rule by hand: it comes before the input "
				"chains, where "
				"migprep puts its own",
				"%s", text);
}

/* Chains that somebody else's program writes: said, not changed. */
static void diff_owned(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const json_t *list = json_object_get(fact, "chains"), *c;
	size_t i;

	json_array_foreach(list, i, c)
	{
		const char *owner = mp_json_str(c, "owner", NULL), *remedy;
		bool certain;
		mp_auto_free char *text = NULL;

		if (!owner || !mp_json_bool(c, "needed", false))
			continue;
		text = obstacles(fact, w, false, &certain);
		remedy = !strcmp(owner, "firewalld")
				 ? "Open the range with firewalld: firewall-cmd --permanent "
				   "--add-rich-rule for "
				   "each other host, then firewall-cmd --reload"
			 : !strcmp(owner, "ufw") ? "Open the range with ufw: ufw allow proto tcp "
						   "from ADDRESS to any port FROM:TO "
						   "for each other host"
						 : "Open the range with iptables -I INPUT and save "
						   "it the way this host does";
		mp_diff_verdict(
			ret, mp_json_bool(c, "blocked", false) ? MP_FAIL : MP_WARN, remedy,
			"%s; %s is managed by %s, which this release of migprep does not drive",
			text ? text : "migration data may be kept out", mp_json_str(c, "chain", ""),
			owner);
	}
}

/* Sets of ours: what is missing is counted where it is all, and listed where it is a part. */
static void diff_sets(const json_t *chain, struct mp_diff *ret)
{
	const json_t *list = json_object_get(chain, "sets"), *s;
	size_t i;

	json_array_foreach((json_t *)list, i, s)
	{
		const char *set = mp_json_str(s, "set", ""), *state = mp_json_str(s, "state", NULL);
		long long n = mp_json_int(s, "n", 0), n_lacks = mp_json_int(s, "n_lacks", 0);
		long long n_stale = mp_json_int(s, "n_stale", 0);
		mp_auto_buf struct mp_buf lacks, stale;

		mp_buf_init(&lacks, 1000);
		mp_buf_init(&stale, 1000);
		if (state || n_lacks == n)
			mp_buf_printf(&lacks, "%lld address%s of other hosts", n,
				      n == 1 ? "" : "es");
		else if (n_lacks)
			put_list(json_object_get(s, "lacks"), n_lacks, &lacks);
		if (lacks.size)
			mp_diff_change(ret, set, mp_str_eq(state, "missing") ? NULL : state,
				       mp_buf_peek(&lacks));
		if (!n_stale)
			continue;
		put_list(json_object_get(s, "stale"), n_stale, &stale);
		mp_diff_change(ret, set, mp_buf_peek(&stale), NULL);
		mp_diff_verdict(ret, MP_DRIFT, NULL, "from %s would be removed: %s", set,
				mp_buf_peek(&stale));
	}
}

static void diff_kernel(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const json_t *list = json_object_get(fact, "chains"), *c;
	bool certain, drift = false;
	mp_auto_free char *text = obstacles(fact, w, false, &certain);
	size_t i, k;

	json_array_foreach((json_t *)list, i, c)
	{
		const char *state = mp_json_str(c, "state", NULL);
		const json_t *rules = json_object_get(c, "rules"), *r;
		mp_auto_buf struct mp_buf after;

		mp_buf_init(&after, 1000);
		if (mp_json_str(c, "owner", NULL) || mp_json_bool(c, "right", true))
			continue;
		drift = true;
		json_array_foreach((json_t *)rules, k, r)
		{
			mp_buf_printf(&after, "%s%s", k ? "; " : "", json_string_value(r));
		}
		if (state)
			mp_diff_change(ret, mp_json_str(c, "chain", ""), state,
				       after.size ? mp_buf_peek(&after) : NULL);
		diff_sets(c, ret);
	}
	if (drift && text)
		mp_diff_verdict(ret, MP_DRIFT, NULL, "%s", text);
}

/* Why the rules cannot be kept for the next boot, and what to do about it. */
static void diff_problem(const json_t *boot, const char *config, struct mp_diff *ret)
{
	const char *cause = mp_json_str(boot, "cause", "");
	const char *problem = mp_json_str(boot, "problem", "");
	const char *place = mp_json_str(boot, "place", config);
	mp_auto_free char *remedy = NULL;

	if (!strcmp(cause, "refused")) {
		remedy = mp_xasprintf("Mend %s (nft -c -f %s tells when it is right): as it is, "
				      "the host boots without any filter",
				      place, config);
		mp_diff_verdict(ret, MP_WARN, remedy, "%s", problem);
		return;
	}
	if (!strcmp(cause, "no-nft"))
		remedy = mp_xasprintf("Install nftables, or mend nft(8), so that %s can be checked "
				      "and completed, then run apply",
				      config);
	mp_diff_verdict(ret, MP_WARN,
			remedy ? remedy
			       : "Add the accept rule to whatever loads this host's rules at boot, "
				 "or set firewall.config in the profile to its file",
			"the rules will be gone after the next reboot: %s", problem);
}

static void diff_boot(const json_t *fact, const char *config, struct mp_diff *ret)
{
	const json_t *boot = json_object_get(fact, "boot");
	const char *snippet = mp_json_str(boot, "snippet", "absent");
	mp_auto_free char *path = mp_ports_snippet_path(config);
	mp_auto_free char *line = mp_ports_include_line(path);

	if (!boot)
		return;
	if (json_object_get(boot, "problem")) {
		diff_problem(boot, config, ret);
		return;
	}
	if (strcmp(snippet, "current") != 0)
		mp_diff_change(ret, path, !strcmp(snippet, "absent") ? NULL : "other rules",
			       "the rules above");
	if (!mp_json_bool(boot, "included", false))
		mp_diff_change(ret, config, NULL, line);
	if (mp_str_eq(mp_json_str(boot, "boot", NULL), "no"))
		mp_diff_verdict(ret, MP_WARN, "Enable it: systemctl enable nftables.service",
				"nftables.service is not enabled: %s is not loaded at boot",
				config);
}

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	diff_kernel(fact, w, ret);
	diff_boot(fact, mp_json_str(w, "config", ""), ret);
	diff_owned(fact, w, ret);
	diff_early(fact, w, ret);
	if (mp_json_bool(fact, "legacy", false))
		mp_diff_verdict(ret, MP_WARN,
				"List them with iptables-legacy-save, and move them to nftables",
				"rules of the old iptables are loaded beside nftables, and migprep "
				"does not "
				"judge those");
}

/* ---- made so ---- */

static int apply(struct mp_sys *sys, const json_t *prm, const json_t *fact, const json_t *w,
		 struct mp_err *err)
{
	mp_auto_free char *config = NULL;
	struct mp_ports p = { 0 };
	struct mp_ports_view v = { 0 };
	const json_t *boot = json_object_get(fact, "boot");
	int rc = look(sys, w, &p, &v, &config, err);

	(void)prm;
	if (rc == 0)
		rc = mp_ports_open(sys, &p, &v, err);
	if (rc == 0 && boot && !json_object_get(boot, "problem"))
		rc = mp_ports_boot_write(sys, &p, &v, err);
	mp_ports_view_fini(&v);
	mp_ports_fini(&p);
	return rc;
}

const struct mp_resource mp_resource_migration_ports = {
	.id = "migration-ports",
	.summary = "packet filter lets migration data in from the other hosts",
	.prevents = "The move fails with \"unable to connect to server at 'HOST:49152': Connection "
		    "refused\" or \"No "
		    "route to host\" where the packet is rejected, and with \"Connection timed "
		    "out\" where it is "
		    "dropped: the job then stands still for more than two minutes first.",
	.checked = "The kernel's whole nftables ruleset is read and a new TCP connection from each "
		   "other host to each "
		   "port of the range is followed through it: every base chain of input, "
		   "prerouting and ingress, "
		   "in the kernel's order. Without any filter on input there is nothing to open. "
		   "The rules must "
		   "also stand in the ruleset that is loaded at boot. Rules of firewalld, ufw and "
		   "iptables are "
		   "judged and left alone.",
	.remedy = "Put \"ip saddr { OTHER HOSTS } tcp dport 49152-49261 accept\" at the head of "
		  "the input chain, in "
		  "the kernel and in /etc/nftables.conf",
	.source = "Nova admin guide, Configure live migrations: TCP 49152 to 49261 open between "
		  "the hosts. RDO, "
		  "libvirt's qemu.conf and Nova's TLS guide say 49152 to 49215: what counts is "
		  "that firewall.ports "
		  "and qemu.conf (qemu-conf) agree",
	.roles = MP_ROLE_COMPUTE,
	.params = params,
	.observe = observe,
	.want = want,
	.diff = diff,
	.apply = apply,
};
