/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Mesh: causes from what a real ssh printed (OpenSSH 9.2p1, each message provoked against a real
 * sshd), planning and judging from JSON, and the two verbs of the agent over loopback.
 */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "mesh/causes.h"
#include "mesh/mesh.h"
#include "mesh/plan.h"

extern const struct mp_verb mp_verb_listen;
extern const struct mp_verb mp_verb_try;

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

/* All listeners are open, on ports that tell the hosts apart. */
static void plan(struct scene *s)
{
	mp_mesh_plan(&s->world, &s->run, &s->mesh);
	for (size_t h = 0; h < s->inv.n_hosts; h++)
		if (s->mesh.is_target[h])
			s->mesh.listeners[h].port = 49200 + (int)h;
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
	return json_pack("{s:I,s:o,s:{s:s,s:i}}", "peer", (json_int_t)target, "ssh", ssh, "tcp",
			 "result", tcp, "ms", 1);
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
	assert_string_equal(find(&s, "mesh-port", MP_OK, 0)->reason, "20 pairs, 20 connections");
	assert_int_equal(mp_run_exit_status(&s.run), 0);
	assert_int_equal(s.run.pairs[0].n_trials, 5);
	assert_string_equal(s.run.pairs[0].trials[4].target, "10.0.0.2:49201");
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
	assert_string_equal(f->reason, "connection to a port of 49152-49261: no answer in time");
	assert_null(find(&s, "mesh-ssh", MP_OK, 0));
	assert_null(find(&s, "mesh-port", MP_OK, 0));
	assert_int_equal(mp_run_exit_status(&s.run), 3);
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
			    "6 of 12 pairs, 6 connections");
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
	s.mesh.listeners[1].port = 0;
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
	assert_int_equal(s.run.pairs[0].n_trials, 5);
	assert_int_equal(s.run.pairs[0].trials[0].ms, -1);
	for (size_t i = 0; i < 5; i++) {
		const struct mp_trial *t = &s.run.pairs[0].trials[i];

		for (const char *p = t->text ? t->text : ""; *p; p++)
			assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
	}
	assert_string_equal(s.run.pairs[0].trials[3].text, "?]0;owned? evil  line");
	assert_string_equal(s.run.pairs[0].trials[3].cause, "other");
	assert_string_equal(s.run.pairs[0].trials[4].cause, "other");
	/* Half a report: the trials that are missing failed. */
	take(&s, 0, json_pack("{s:i}", "peer", 2));
	assert_int_equal(s.run.pairs[1].n_trials, 5);
	assert_string_equal(s.run.pairs[1].trials[0].cause, "missing");
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
			assert_int_equal(mp_json_int(peer, "port", 0), 49200 + (int)target);
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
	assert_int_equal(s.run.pairs[0].n_trials, 5);
	for (size_t i = 1; i < 101; i++) {
		assert_true(s.run.pairs[i].tried);
		assert_int_equal(s.run.pairs[i].n_trials, 0);
	}
	assert_int_equal(s.mesh.rows[0].logins, 404);
	assert_int_equal(s.mesh.rows[0].ports, 100);
	scene_fini(&s);
}

/* ---- the verbs, over loopback ---- */

struct mp_agent {
	struct mp_sys *sys;
	json_t *events;
};

struct mp_sys *mp_agent_sys(struct mp_agent *a)
{
	return a->sys;
}

int mp_agent_event(struct mp_agent *a, json_t *body, struct mp_err *err)
{
	(void)err;
	json_array_append_new(a->events, body);
	return 0;
}

#define NONCE "0123456789abcdef"
#define PATIENCE_MS 10000

static int setup_agent(void **state)
{
	struct mp_agent *a = mp_xcalloc(1, sizeof(*a));

	a->events = json_array();
	*state = a;
	return mp_sys_open("/", &a->sys, NULL);
}

static int teardown_agent(void **state)
{
	struct mp_agent *a = *state;

	mp_sys_close(a->sys);
	json_decref(a->events);
	free(a);
	return 0;
}

static json_t *call(struct mp_agent *a, const struct mp_verb *verb, json_t *body,
		    struct mp_err *err)
{
	json_t *reply = NULL;
	int rc = verb->run(a, body, &reply, err);

	json_decref(body);
	assert_int_equal(rc, reply ? 0 : -1);
	return reply;
}

static json_t *listen_body(int from, int to, int seconds)
{
	return json_pack("{s:i,s:i,s:i,s:s}", "from", from, "to", to, "seconds", seconds, "nonce",
			 NONCE);
}

static json_t *stop_body(const json_t *listener)
{
	return json_pack("{s:{s:O,s:O}}", "stop", "pid", json_object_get(listener, "pid"), "start",
			 json_object_get(listener, "start"));
}

/* Until there is no such process to end any more: its sockets close a moment before it is gone. */
static void await_stopped(struct mp_agent *a, const json_t *listener)
{
	mp_ms deadline = mp_now() + PATIENCE_MS;
	struct mp_err err = { 0 };
	bool stopped = true;

	while (stopped) {
		json_t *reply = call(a, &mp_verb_listen, stop_body(listener), &err);

		assert_true(mp_ms_left(deadline) > 0);
		stopped = mp_json_bool(reply, "stopped", true);
		json_decref(reply);
	}
}

/* Tries one peer on loopback; returns the one event. */
static json_t *try_one(struct mp_agent *a, int port, const char *nonce)
{
	struct mp_err err = { 0 };
	json_t *reply, *event;

	json_array_clear(a->events);
	reply = call(a, &mp_verb_try,
		     json_pack("{s:[{s:i,s:[s],s:s,s:i,s:s,s:i}],s:[s],s:i,s:i}", "peers", "peer",
			       1, "names", "localhost", "address", "127.0.0.1", "port", port,
			       "nonce", nonce, "ssh_port", 1, "users", "no-such-user-here",
			       "timeout_ms", 2000, "budget_ms", 10000),
		     &err);
	assert_non_null(reply);
	assert_int_equal(mp_json_int(reply, "peers", -1), 1);
	json_decref(reply);
	assert_int_equal(json_array_size(a->events), 1);
	event = json_array_get(a->events, 0);
	assert_int_equal(mp_json_int(event, "peer", -1), 1);
	return event;
}

static void assert_tcp(struct mp_agent *a, int port, const char *nonce, const char *want)
{
	json_t *event = try_one(a, port, nonce);

	assert_string_equal(mp_json_str(json_object_get(event, "tcp"), "result", ""), want);
}

/* Until nothing listens there any more. */
static void await_free(int port)
{
	mp_ms deadline = mp_now() + PATIENCE_MS;
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int rc = connect(fd, (struct sockaddr *)&to, sizeof(to));

		close(fd);
		if (rc < 0)
			return;
		assert_true(mp_ms_left(deadline) > 0);
		poll(NULL, 0, 10);
	}
}

static void test_listen_and_try(void **state)
{
	struct mp_agent *a = *state;
	struct mp_err err = { 0 };
	json_t *listener, *reply, *ssh;
	int port;

	listener = call(a, &mp_verb_listen, listen_body(49152, 49261, 60), &err);
	assert_non_null(listener);
	port = (int)mp_json_int(listener, "port", 0);
	assert_in_range(port, 49152, 49261);
	assert_tcp(a, port, NONCE, "ok");
	assert_tcp(a, port, NONCE, "ok"); /* any number of times */
	assert_tcp(a, port, "fedcba9876543210", "wrong-answer");
	ssh = json_array_get(json_object_get(try_one(a, port, NONCE), "ssh"), 0);
	assert_string_equal(mp_mesh_ssh_cause(ssh)->word, "no-user");
	reply = call(a, &mp_verb_listen, stop_body(listener), &err);
	assert_true(mp_json_bool(reply, "stopped", false));
	json_decref(reply);
	await_free(port);
	assert_tcp(a, port, NONCE, "refused");
	await_stopped(a, listener);
	json_decref(listener);
}

/* The pid of another process that took its number is left alone. */
static void test_stop_spares_others(void **state)
{
	struct mp_agent *a = *state;
	struct mp_err err = { 0 };
	json_t *reply =
		call(a, &mp_verb_listen,
		     json_pack("{s:{s:i,s:s}}", "stop", "pid", (int)getpid(), "start", "1"), &err);

	assert_false(mp_json_bool(reply, "stopped", true));
	json_decref(reply);
}

static void test_listener_ends_by_itself(void **state)
{
	struct mp_agent *a = *state;
	struct mp_err err = { 0 };
	json_t *listener = call(a, &mp_verb_listen, listen_body(49152, 49261, 1), &err);

	assert_non_null(listener);
	await_free((int)mp_json_int(listener, "port", 0));
	json_decref(listener);
}

/* A port of ours on loopback that never answers, or closes at once. */
static int own_port(int *ret_fd)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	*ret_fd = fd;
	return ntohs(at.sin_port);
}

static void test_range_is_taken(void **state)
{
	struct mp_agent *a = *state;
	struct mp_err err = { 0 };
	mp_auto_close int fd = -1;
	int port = own_port(&fd);
	mp_auto_free char *pid = mp_xasprintf("(pid %d)", (int)getpid());
	mp_auto_free char *range =
		mp_xasprintf("no port of %d-%d is free: %d by ", port, port, port);

	assert_null(call(a, &mp_verb_listen, listen_body(port, port, 1), &err));
	assert_int_equal(err.code, MP_E_LIMIT);
	assert_non_null(strstr(err.text, range));
	assert_non_null(strstr(err.text, "test_mesh"));
	assert_non_null(strstr(err.text, pid));
	/* Something listens, takes the connection into its backlog and says nothing. */
	assert_tcp(a, port, NONCE, "wrong-answer");
}

static void test_bad_bodies(void **state)
{
	static const char *const listens[] = {
		"{}",
		"{\"from\":0,\"to\":1,\"seconds\":1,\"nonce\":\"0123456789\"}",
		"{\"from\":9,\"to\":8,\"seconds\":1,\"nonce\":\"0123456789\"}",
		"{\"from\":49152,\"to\":65536,\"seconds\":1,\"nonce\":\"0123456789\"}",
		"{\"from\":49152,\"to\":49153,\"seconds\":0,\"nonce\":\"0123456789\"}",
		"{\"from\":49152,\"to\":49153,\"seconds\":1,\"nonce\":\"a\\nb012345\"}",
		"{\"stop\":{\"pid\":1,\"start\":\"1\"}}",
		"{\"stop\":{}}",
	};
	static const char *const tries[] = {
		"{}",
		"{\"peers\":[],\"users\":[1],\"timeout_ms\":1000,\"budget_ms\":1000}",
		"{\"peers\":[1],\"users\":[],\"timeout_ms\":1000,\"budget_ms\":1000}",
		"{\"peers\":[],\"users\":[],\"timeout_ms\":1,\"budget_ms\":1000}",
	};
	struct mp_agent *a = *state;
	struct mp_err err = { 0 };

	for (size_t i = 0; i < MP_N_ELEMS(listens); i++) {
		assert_null(call(a, &mp_verb_listen, json_loads(listens[i], 0, NULL), &err));
		assert_int_equal(err.code, MP_E_PROTO);
	}
	for (size_t i = 0; i < MP_N_ELEMS(tries); i++) {
		assert_null(call(a, &mp_verb_try, json_loads(tries[i], 0, NULL), &err));
		assert_int_equal(err.code, MP_E_PROTO);
	}
}

#define AGENT_TEST(f) cmocka_unit_test_setup_teardown(f, setup_agent, teardown_agent)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ssh_causes),      cmocka_unit_test(test_odd_trials),
		cmocka_unit_test(test_all_well),        cmocka_unit_test(test_failures),
		cmocka_unit_test(test_two_causes),      cmocka_unit_test(test_unreached),
		cmocka_unit_test(test_selection),       cmocka_unit_test(test_nothing_to_try),
		cmocka_unit_test(test_silence),         cmocka_unit_test(test_no_listener),
		cmocka_unit_test(test_hostile_reports), cmocka_unit_test(test_tournament),
		cmocka_unit_test(test_large),           AGENT_TEST(test_listen_and_try),
		AGENT_TEST(test_stop_spares_others),    AGENT_TEST(test_listener_ends_by_itself),
		AGENT_TEST(test_range_is_taken),        AGENT_TEST(test_bad_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
