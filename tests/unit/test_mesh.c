/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Mesh: causes from what a real ssh printed (OpenSSH 9.2p1, each message provoked against a real
 * sshd), planning and judging from JSON. The two verbs of the agent: test_listen.c, test_try.c.
 */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "mesh/causes.h"
#include "mesh/mesh.h"
#include "mesh/plan.h"

/* ---- causes ---- */

static const struct {
	int status;
	const char *out, *err, *want; /* NULL: no cause */
	const char *echo;             /* NULL: "none", and "alone" where there is no cause */
} said[] = {
	{ 0, "", "", NULL, NULL },
	{ 0, "", "bash: warning: setlocale: LC_ALL: cannot change locale (xx)\n", NULL, NULL },
	{ 0, "hi from bashrc\n", "", "noise", "among" },
	{ 0, "", "", "forced-command", "none" },
	{ 0, "Fri Nov 20 12:00:00 UTC 2026\n", "", "forced-command", "none" },
	{ 1, "This service allows sftp connections only.\n", "", "forced-command", "none" },
	{ 1, "", "Password change required but no TTY available.\n", "account", "none" },
	{ 254, "Maintenance until six.\n", "", "account", "none" },
	{ 1, "This account is currently not available.\n", "", "shell" },
	{ 127, "", "bash: line 1: true: command not found\n", "shell" },
	{ 255, "", "ssh: connect to host 127.0.0.1 port 2202: Connection refused\n", "refused" },
	{ 255, "", "ssh: connect to host 10.9.9.8 port 2201: Connection timed out\n", "timeout" },
	{ 255, "", "Connection timed out during banner exchange\n", "timeout" },
	{ 255, "", "ssh: connect to host 10.9.9.9 port 2201: Network is unreachable\n",
	  "unreachable" },
	{ 255, "", "ssh: connect to host 10.9.9.9 port 22: No route to host\n", "unreachable" },
	{ 255, "", "ssh: connect to host 10.9.9.9 port 22: Permission denied\n", "unreachable" },
	{ 255, "",
	  "ssh: Could not resolve hostname no-such.invalid: Temporary failure in name "
	  "resolution\n",
	  "name" },
	{ 255, "",
	  "No ED25519 host key is known for [127.0.0.1]:2201 and you have requested strict "
	  "checking.\nHost key verification failed.\n",
	  "host-key-unknown" },
	{ 255, "",
	  "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n"
	  "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n"
	  "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n"
	  "IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\n",
	  "host-key-changed" },
	{ 255, "", "Host key verification failed.\n", "host-key" },
	{ 255, "", "root@127.0.0.1: Permission denied (publickey,password,keyboard-interactive).\n",
	  "authentication" },
	{ 255, "",
	  "Load key \"/root/.ssh/id_ed25519\": Permission denied\n"
	  "root@127.0.0.1: Permission denied (publickey).\n",
	  "key-file" },
	{ 255, "",
	  "/root/.ssh/config: line 1: Bad configuration option: bogus\n"
	  "/root/.ssh/config: terminating, 1 bad configuration options\n",
	  "config" },
	{ 255, "", "kex_exchange_identification: Connection closed by remote host\n", "closed" },
	{ 255, "", "kex_exchange_identification: read: Connection reset by peer\n", "closed" },
	{ 255, "",
	  "Idle sessions are timed out. Connection refused to strangers.\n"
	  "Connection closed by 10.0.0.1 port 22\n",
	  "closed", NULL },
	{ 255, "",
	  "Your account has expired; please contact your system administrator.\n"
	  "Connection closed by 10.0.0.1 port 22\n",
	  "account", NULL },
	{ 255, "", "something never seen before\n", "other" },
	{ 255, "", "", "other" },
};

static void test_ssh_causes(void **state)
{
	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(said); i++) {
		const char *echo = said[i].echo ? said[i].echo : said[i].want ? "none" : "alone";
		json_t *trial = json_pack("{s:i,s:s,s:s,s:s}", "exit", said[i].status, "echo", echo,
					  "out", said[i].out, "err", said[i].err);
		const struct mp_mesh_cause *c = mp_mesh_ssh_cause(trial);

		if (said[i].want) {
			assert_non_null(c);
			assert_string_equal(c->word, said[i].want);
			assert_true(*c->phrase && *c->remedy);
		} else {
			assert_null(c);
		}
		json_decref(trial);
	}
}

/* What a host says may be missing, of another type or nonsense; nothing of it is a success. */
static void test_odd_trials(void **state)
{
	static const char *const texts[] = { "{}",
					     "[]",
					     "{\"exit\":\"0\"}",
					     "{\"exit\":0}",
					     "{\"exit\":-1}",
					     "{\"exit\":0,\"no_user\":true}",
					     "{\"exit\":0,\"timed_out\":true}",
					     "{\"exit\":0,\"error\":\"fork\"}",
					     "null" };

	(void)state;
	assert_string_equal(mp_mesh_ssh_cause(NULL)->word, "missing");
	assert_string_equal(mp_mesh_tcp_cause(NULL)->word, "missing");
	for (size_t i = 0; i < MP_N_ELEMS(texts); i++) {
		json_t *trial = json_loads(texts[i], JSON_DECODE_ANY, NULL);

		assert_non_null(trial);
		assert_non_null(mp_mesh_ssh_cause(trial));
		assert_non_null(mp_mesh_tcp_cause(trial));
		json_decref(trial);
	}
}

/* ---- planning and judging ---- */

struct scene {
	struct mp_inventory inv;
	struct mp_profile *profile;
	struct mp_world world;
	struct mp_run run;
	struct mp_mesh mesh;
};

static void scene_init(struct scene *s, size_t n)
{
	*s = (struct scene){ 0 };
	s->inv.n_hosts = n;
	s->inv.hosts = mp_xcalloc(n, sizeof(*s->inv.hosts));
	s->world.hosts = mp_xcalloc(n, sizeof(*s->world.hosts));
	for (size_t i = 0; i < n; i++) {
		struct mp_host *h = &s->inv.hosts[i];

		*h = (struct mp_host){ .index = i,
				       .name = mp_xasprintf("h%zu", i),
				       .address = mp_xasprintf("10.0.0.%zu", i + 1),
				       .roles = MP_ROLE_COMPUTE };
		s->world.hosts[i].selected = s->world.hosts[i].reached = true;
	}
	s->profile = mp_profile_new();
	s->world.inv = &s->inv;
	s->world.profile = s->profile;
	s->run.world = &s->world;
}

static void scene_fini(struct scene *s)
{
	mp_mesh_fini(&s->mesh);
	mp_run_fini(&s->run);
	mp_profile_free(s->profile);
	for (size_t i = 0; i < s->inv.n_hosts; i++) {
		free(s->inv.hosts[i].name);
		free(s->inv.hosts[i].address);
	}
	free(s->inv.hosts);
	free(s->world.hosts);
}

static void lose(struct scene *s, size_t h)
{
	s->world.hosts[h].reached = false;
	mp_err_set(&s->world.hosts[h].err, MP_E_TIMEOUT, "no answer");
}

#define HIGHEST 49261

/* All listeners are open, on ports of which the lower ones tell the hosts apart. */
static void plan(struct scene *s)
{
	mp_mesh_plan(&s->world, &s->run, &s->mesh);
	for (size_t h = 0; h < s->inv.n_hosts; h++)
		if (s->mesh.is_target[h]) {
			s->mesh.listeners[h].ports[0] = 49152 + (int)h;
			s->mesh.listeners[h].ports[1] = HIGHEST;
			s->mesh.listeners[h].n_ports = 2;
		}
}

/* A report as the agent of `source` makes it: all well, but for logins of `user` that end with err.
 */
static json_t *report(const struct scene *s, size_t target, const char *user, const char *name,
		      const char *err, const char *tcp)
{
	const struct mp_strv *names = &s->mesh.names[target];
	json_t *ssh = json_array();

	for (size_t u = 0; u < s->mesh.users.n; u++)
		for (size_t i = 0; i < names->n; i++) {
			bool bad = user && mp_str_eq(user, s->mesh.users.v[u]) &&
				   (!name || mp_str_eq(name, names->v[i]));

			json_array_append_new(ssh, json_pack("{s:s,s:s,s:i,s:s,s:s,s:s,s:i}",
							     "user", s->mesh.users.v[u], "name",
							     names->v[i], "exit", bad ? 255 : 0,
							     "echo", bad ? "none" : "alone", "out",
							     "", "err", bad ? err : "", "ms", 120));
		}
	return json_pack("{s:I,s:o,s:[{s:i,s:s,s:i},{s:i,s:s,s:i}]}", "peer", (json_int_t)target,
			 "ssh", ssh, "tcp", "port", HIGHEST, "result", tcp, "ms", 1, "port",
			 49152 + (int)target, "result", tcp, "ms", 1);
}

/* The highest port of the target has another result than the lowest. */
static json_t *port_report(const struct scene *s, size_t target, const char *low, const char *high)
{
	json_t *r = report(s, target, NULL, NULL, "", low);

	json_object_set_new(json_array_get(json_object_get(r, "tcp"), 0), "result",
			    json_string(high));
	return r;
}

static void take(struct scene *s, size_t source, json_t *r)
{
	mp_mesh_take(&s->mesh, source, r);
	json_decref(r);
}

static const struct mp_finding *find(const struct scene *s, const char *id, enum mp_status status,
				     size_t skip)
{
	for (size_t i = 0; i < s->run.findings.n; i++) {
		const struct mp_finding *f = &s->run.findings.v[i];

		if (strcmp(f->id, id) == 0 && f->status == status && skip-- == 0)
			return f;
	}
	return NULL;
}

static void test_all_well(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, 5);
	plan(&s);
	for (size_t a = 0; a < 5; a++)
		for (size_t b = 0; b < 5; b++)
			if (a != b)
				take(&s, a, report(&s, b, NULL, NULL, "", "ok"));
	mp_mesh_judge(&s.mesh);
	assert_int_equal(s.run.n_pairs, 20);
	assert_int_equal(s.run.n_pairs_untried, 0);
	assert_int_equal(s.run.findings.n, 2);
	/* 20 pairs, root and nova, the name and the address of each host */
	assert_string_equal(find(&s, "mesh-ssh", MP_OK, 0)->reason, "20 pairs, 2 users, 80 logins");
	assert_string_equal(find(&s, "mesh-port", MP_OK, 0)->reason, "20 pairs, 40 connections");
	assert_int_equal(mp_run_exit_status(&s.run), 0);
	assert_int_equal(s.run.pairs[0].n_trials, 6);
	assert_string_equal(s.run.pairs[0].trials[4].target, "10.0.0.2:49153");
	assert_string_equal(s.run.pairs[0].trials[5].target, "10.0.0.2:49261");
	assert_int_equal(s.run.pairs[0].trials[0].ms, 120);
	scene_fini(&s);
}

#define DENIED "nova@h1: Permission denied (publickey).\n"
#define UNKNOWN "No ED25519 host key is known for h2 and you have requested strict checking.\n"

static void test_failures(void **state)
{
	const struct mp_finding *f;
	struct scene s;

	(void)state;
	scene_init(&s, 3);
	plan(&s);
	take(&s, 0, report(&s, 1, "nova", NULL, DENIED, "ok"));
	take(&s, 0, report(&s, 2, "nova", NULL, DENIED, "ok"));
	take(&s, 1, report(&s, 0, NULL, NULL, "", "timeout"));
	take(&s, 1, report(&s, 2, "root", "h2", UNKNOWN, "ok"));
	take(&s, 2, report(&s, 0, NULL, NULL, "", "ok"));
	take(&s, 2, report(&s, 1, NULL, NULL, "", "ok"));
	mp_mesh_judge(&s.mesh);
	f = find(&s, "mesh-ssh", MP_FAIL, 0);
	assert_int_equal(f->scope, MP_SCOPE_PAIR);
	assert_int_equal(f->host, 0);
	assert_int_equal(f->peer, 1);
	assert_string_equal(f->reason, "login as nova by every name: the target does not accept "
				       "the source's key");
	/* The same words for another pair, so that the two fold into one line. */
	assert_string_equal(find(&s, "mesh-ssh", MP_FAIL, 1)->reason, f->reason);
	f = find(&s, "mesh-ssh", MP_FAIL, 2);
	assert_string_equal(f->reason, "login as root by h2 (1 of 2 names): the target's host key "
				       "is not in known_hosts under that name");
	assert_string_equal(json_string_value(json_object_get(f->data, "cause")),
			    "host-key-unknown");
	assert_null(find(&s, "mesh-ssh", MP_FAIL, 3));
	f = find(&s, "mesh-port", MP_FAIL, 0);
	assert_int_equal(f->host, 1);
	assert_string_equal(f->reason, "connection to ports 49152 and 49261: no answer in time");
	assert_null(find(&s, "mesh-ssh", MP_OK, 0));
	assert_null(find(&s, "mesh-port", MP_OK, 0));
	assert_int_equal(mp_run_exit_status(&s.run), 3);
	scene_fini(&s);
}

/* A firewall that lets part of the range through: which end is open, and which is not. */
static void test_part_of_range(void **state)
{
	const struct mp_finding *f;
	struct scene s;

	(void)state;
	scene_init(&s, 3);
	plan(&s);
	take(&s, 1, port_report(&s, 0, "ok", "timeout"));
	take(&s, 2, port_report(&s, 0, "ok", "timeout"));
	take(&s, 0, port_report(&s, 1, "refused", "ok"));
	take(&s, 0, port_report(&s, 2, "refused", "timeout"));
	mp_mesh_judge(&s.mesh);
	f = find(&s, "mesh-port", MP_FAIL, 0);
	assert_string_equal(f->reason,
			    "connection to port 49153: the connection is refused although "
			    "a listener was open, while 49261 is open: part of the range "
			    "49152-49261 is closed");
	assert_string_equal(find(&s, "mesh-port", MP_FAIL, 1)->reason,
			    "connection to port 49154: the connection is refused although a "
			    "listener was open");
	assert_string_equal(find(&s, "mesh-port", MP_FAIL, 2)->reason,
			    "connection to port 49261: no answer in time");
	f = find(&s, "mesh-port", MP_FAIL, 3);
	assert_string_equal(f->reason, "connection to port 49261: no answer in time, while 49152 "
				       "is open: part of the range 49152-49261 is closed");
	assert_int_equal(json_integer_value(json_array_get(json_object_get(f->data, "ports"), 0)),
			 49261);
	/* The same words for another pair, so that the two fold into one line. */
	assert_string_equal(find(&s, "mesh-port", MP_FAIL, 4)->reason, f->reason);
	assert_null(find(&s, "mesh-port", MP_FAIL, 5));
	assert_null(find(&s, "mesh-port", MP_OK, 0));
	scene_fini(&s);
}

/* Users that fail alike are named together; two causes are two findings. */
static void test_two_causes(void **state)
{
	struct scene s;
	json_t *r, *ssh;

	(void)state;
	scene_init(&s, 2);
	plan(&s);
	r = report(&s, 1, NULL, NULL, "", "ok");
	ssh = json_object_get(r, "ssh");
	for (size_t i = 0; i < 4; i++) {
		json_t *t = json_array_get(ssh, i);
		const char *name = json_string_value(json_object_get(t, "name"));

		json_object_set_new(t, "exit", json_integer(255));
		json_object_set_new(t, "err",
				    json_string(strcmp(name, "h1") == 0 ? UNKNOWN : DENIED));
	}
	take(&s, 0, r);
	mp_mesh_judge(&s.mesh);
	assert_non_null(strstr(find(&s, "mesh-ssh", MP_FAIL, 0)->reason,
			       "login as root and nova by 10.0.0.2 (1 of 2 names): "));
	assert_non_null(strstr(find(&s, "mesh-ssh", MP_FAIL, 1)->reason,
			       "login as root and nova by h1 (1 of 2 names): "));
	assert_null(find(&s, "mesh-ssh", MP_FAIL, 2));
	scene_fini(&s);
}

static void test_unreached(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, 4);
	lose(&s, 3);
	plan(&s);
	assert_false(s.mesh.tries[3] || s.mesh.is_target[3]);
	for (size_t a = 0; a < 3; a++)
		for (size_t b = 0; b < 3; b++)
			if (a != b)
				take(&s, a, report(&s, b, NULL, NULL, "", "ok"));
	mp_mesh_judge(&s.mesh);
	assert_int_equal(s.run.n_pairs, 12);
	assert_int_equal(s.run.n_pairs_untried, 6);
	assert_string_equal(s.run.pairs[2].why, "h3 was not reached");
	assert_string_equal(find(&s, "mesh-port", MP_OK, 0)->reason,
			    "6 of 12 pairs, 12 connections");
	/* Nothing but the host that is down: status 4, and no failed check. */
	assert_int_equal(mp_run_exit_status(&s.run), 4);
	scene_fini(&s);
}

/* One host named by the operator: every pair with it, in both directions, and no other. */
static void test_selection(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, 4);
	for (size_t h = 0; h < 4; h++)
		s.world.hosts[h].selected = h == 1;
	s.inv.hosts[3].roles = MP_ROLE_NFS; /* takes no guests */
	plan(&s);
	assert_int_equal(s.run.n_pairs, 4);
	for (size_t i = 0; i < 4; i++)
		assert_true(s.run.pairs[i].source == 1 || s.run.pairs[i].target == 1);
	scene_fini(&s);
}

static void test_nothing_to_try(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, 1);
	plan(&s);
	mp_mesh_judge(&s.mesh);
	assert_int_equal(s.run.n_pairs, 0);
	assert_non_null(find(&s, "mesh-ssh", MP_SKIP, 0));
	scene_fini(&s);
}

/* A source that stops half way: what it said counts, the rest is not tried and says so. */
static void test_silence(void **state)
{
	const struct mp_finding *f;
	struct scene s;

	(void)state;
	scene_init(&s, 3);
	plan(&s);
	take(&s, 0, report(&s, 1, NULL, NULL, "", "ok"));
	take(&s, 1, report(&s, 0, NULL, NULL, "", "ok"));
	take(&s, 1, json_pack("{s:i,s:b}", "peer", 2, "untried", 1));
	take(&s, 2, report(&s, 0, NULL, NULL, "", "ok"));
	take(&s, 2, report(&s, 1, NULL, NULL, "", "ok"));
	mp_err_set(&s.mesh.rows[0].err, MP_E_GONE, "connection lost");
	mp_mesh_judge(&s.mesh);
	assert_int_equal(s.run.n_pairs_untried, 2);
	assert_string_equal(s.run.pairs[1].why, "h0 did not report: connection lost");
	f = find(&s, "mesh-ssh", MP_UNKNOWN, 0);
	assert_int_equal(f->host, 0);
	assert_string_equal(f->reason, "1 pairs from this host were not tried: connection lost");
	f = find(&s, "mesh-ssh", MP_UNKNOWN, 1);
	assert_string_equal(f->reason, "1 pairs from this host were not tried: time ran out");
	assert_int_equal(mp_run_exit_status(&s.run), 3);
	scene_fini(&s);
}

static void test_no_listener(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, 2);
	plan(&s);
	s.mesh.listeners[1].n_ports = 0;
	mp_err_set(&s.mesh.listeners[1].err, MP_E_LIMIT,
		   "no port of 49152-49261 is free: 49152-49261 by qemu (pid 7)");
	take(&s, 0, report(&s, 1, NULL, NULL, "", "ok")); /* a tcp result that nobody asked for */
	take(&s, 1, report(&s, 0, NULL, NULL, "", "ok"));
	mp_mesh_judge(&s.mesh);
	assert_int_equal(s.run.pairs[0].n_trials, 4);
	assert_non_null(strstr(find(&s, "mesh-port", MP_FAIL, 0)->reason, "by qemu (pid 7)"));
	assert_int_equal(find(&s, "mesh-port", MP_FAIL, 0)->host, 1);
	scene_fini(&s);
}

/* A host can neither add pairs, nor trials, nor control characters, nor answer for another one. */
static void test_hostile_reports(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"null",
		"{\"peer\":-1}",
		"{\"peer\":0}", /* itself */
		"{\"peer\":99}",
		"{\"peer\":\"1\"}",
		"{\"peer\":9223372036854775807}",
	};
	struct scene s;
	json_t *r;

	(void)state;
	scene_init(&s, 3);
	plan(&s);
	for (size_t i = 0; i < MP_N_ELEMS(texts); i++)
		take(&s, 0, json_loads(texts[i], JSON_DECODE_ANY, NULL));
	for (size_t i = 0; i < s.run.n_pairs; i++)
		assert_false(s.run.pairs[i].tried);
	r = report(&s, 1, "nova", "h1", "\033]0;owned\a evil\r\nline", "\033[2J");
	json_array_append_new(json_object_get(r, "ssh"), json_string("x"));
	json_array_append_new(json_object_get(r, "ssh"),
			      json_pack("{s:s,s:s,s:i}", "user", "toor", "name", "h1", "exit", 0));
	json_object_set_new(json_array_get(json_object_get(r, "ssh"), 0), "ms",
			    json_integer(-9223372036854775807));
	take(&s, 0, r);
	take(&s, 0, report(&s, 1, NULL, NULL, "", "ok")); /* a second thought does not count */
	assert_int_equal(s.run.pairs[0].n_trials, 6);
	assert_int_equal(s.run.pairs[0].trials[0].ms, -1);
	for (size_t i = 0; i < 6; i++) {
		const struct mp_trial *t = &s.run.pairs[0].trials[i];

		for (const char *p = t->text ? t->text : ""; *p; p++)
			assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
	}
	assert_string_equal(s.run.pairs[0].trials[3].text, "?]0;owned? evil  line");
	assert_string_equal(s.run.pairs[0].trials[3].cause, "other");
	assert_string_equal(s.run.pairs[0].trials[4].cause, "other");
	/* Half a report: the trials that are missing failed. */
	take(&s, 0, json_pack("{s:i}", "peer", 2));
	assert_int_equal(s.run.pairs[1].n_trials, 6);
	assert_string_equal(s.run.pairs[1].trials[0].cause, "missing");
	assert_string_equal(s.run.pairs[1].trials[5].cause, "missing");
	scene_fini(&s);
}

/* Host i begins with host i + 1: in step k all hosts try different ones. */
static void test_tournament(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, 6);
	plan(&s);
	for (size_t step = 0; step < 5; step++) {
		bool hit[6] = { 0 };

		for (size_t h = 0; h < 6; h++) {
			json_t *orders = mp_mesh_orders(&s.mesh, h);
			json_t *peer = json_array_get(json_object_get(orders, "peers"), step);
			size_t target = (size_t)mp_json_int(peer, "peer", -1);

			assert_int_equal(target, (h + 1 + step) % 6);
			assert_false(hit[target]);
			hit[target] = true;
			assert_int_equal(json_integer_value(
						 json_array_get(json_object_get(peer, "ports"), 0)),
					 49152 + (int)target);
			json_decref(orders);
		}
	}
	scene_fini(&s);
}

/* More pairs than MP_MESH_FULL_PAIRS: pairs in order keep no trials, failed ones do; the counts
 * stand. */
static void test_large(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, 102);
	plan(&s);
	assert_true(s.run.n_pairs > MP_MESH_FULL_PAIRS);
	for (size_t b = 1; b < 102; b++)
		take(&s, 0, report(&s, b, NULL, NULL, "", b == 1 ? "refused" : "ok"));
	assert_int_equal(s.run.pairs[0].n_trials, 6);
	for (size_t i = 1; i < 101; i++) {
		assert_true(s.run.pairs[i].tried);
		assert_int_equal(s.run.pairs[i].n_trials, 0);
	}
	assert_int_equal(s.mesh.rows[0].logins, 404);
	assert_int_equal(s.mesh.rows[0].ports, 200);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ssh_causes),     cmocka_unit_test(test_odd_trials),
		cmocka_unit_test(test_all_well),       cmocka_unit_test(test_failures),
		cmocka_unit_test(test_part_of_range),  cmocka_unit_test(test_two_causes),
		cmocka_unit_test(test_unreached),      cmocka_unit_test(test_selection),
		cmocka_unit_test(test_nothing_to_try), cmocka_unit_test(test_silence),
		cmocka_unit_test(test_no_listener),    cmocka_unit_test(test_hostile_reports),
		cmocka_unit_test(test_tournament),     cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
