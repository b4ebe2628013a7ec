/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * migrate: the ring, the guest, URIs and the script for ssh, what libvirt's messages mean, the
 * proof, and engine and verify over a fake libvirt. The messages were printed by libvirt 9.0.0
 * between two real hosts.
 */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "migrate/internal.h"
#include "migrate/proof.h"
#include "migrate/ring.h"
#include "migrate/uri.h"

/* ---- a world ---- */

static void world_start(struct mp_world *w, const char *inventory)
{
	struct mp_inventory *inv;
	struct mp_err err = { 0 };

	if (mp_inventory_parse(inventory, strlen(inventory), "inv", &inv, &err) < 0)
		fail_msg("%s", err.text);
	*w = (struct mp_world){ .inv = inv,
				.profile = mp_profile_new(),
				.hosts = mp_xcalloc(inv->n_hosts, sizeof(*w->hosts)) };
	for (size_t i = 0; i < inv->n_hosts; i++)
		w->hosts[i].selected = true;
}

static void world_stop(struct mp_world *w)
{
	mp_profile_free((struct mp_profile *)(uintptr_t)w->profile);
	mp_inventory_free((struct mp_inventory *)(uintptr_t)w->inv);
	w->inv = NULL;
}

static void world_end(struct mp_world *w)
{
	struct mp_inventory *inv = (struct mp_inventory *)(uintptr_t)w->inv;

	mp_profile_free((struct mp_profile *)(uintptr_t)w->profile);
	mp_world_fini(w);
	mp_inventory_free(inv);
}

static void facts(struct mp_world *w, size_t host, const char *text)
{
	json_t *tree = json_loads(text, 0, NULL);

	assert_non_null(tree);
	mp_world_merge(w, host, tree);
	w->hosts[host].reached = true;
	json_decref(tree);
}

static void set(struct mp_world *w, const char *assignment)
{
	struct mp_err err = { 0 };

	if (mp_profile_set((struct mp_profile *)(uintptr_t)w->profile, assignment, "test", &err) <
	    0)
		fail_msg("%s", err.text);
}

#define RUNS "\"installed\": true, \"running\": true, \"arch\": \"x86_64\", "
#define TWO_TYPES "{\"virt\": {" RUNS "\"machines\": [\"pc-i440fx-7.2\", \"pc-q35-7.2\"]}}"

/* ---- ring ---- */

static void test_ring(void **state)
{
	struct mp_findings out = { 0 };
	struct mp_ring ring;
	struct mp_world w;

	(void)state;
	world_start(&w, "[host a]\n[host b]\n[host c]\n[host d]\n[host e]\n[host f]\n[host "
			"n]\nroles = nfs\n");
	facts(&w, 0, TWO_TYPES);
	facts(&w, 1, "{\"virt\": {\"installed\": false}}");
	facts(&w, 2,
	      "{\"virt\": {\"installed\": true, \"running\": false, \"socket_error\": \"no "
	      "socket\"}}");
	facts(&w, 4, "{\"virt\": {\"error\": {\"code\": \"timeout\", \"text\": \"too slow\"}}}");
	facts(&w, 5, TWO_TYPES);
	facts(&w, 6, TWO_TYPES);
	assert_int_equal(mp_ring_plan(&w, &ring, &out), 6);
	assert_int_equal(ring.n, 2);
	assert_int_equal(ring.hosts[0], 0);
	assert_int_equal(ring.hosts[1], 5);
	assert_int_equal(out.n, 4);
	assert_int_equal(out.v[0].host, 1);
	assert_int_equal(out.v[0].status, MP_FAIL);
	assert_int_equal(out.v[1].host, 2);
	assert_int_equal(out.v[1].status, MP_FAIL);
	assert_non_null(strstr(out.v[1].reason, "no socket"));
	assert_int_equal(out.v[2].host, 3); /* not reached: another finding says why */
	assert_int_equal(out.v[2].status, MP_SKIP);
	assert_int_equal(out.v[3].host, 4);
	assert_int_equal(out.v[3].status, MP_UNKNOWN);
	assert_non_null(strstr(out.v[3].reason, "too slow"));
	mp_ring_fini(&ring);
	mp_findings_fini(&out);
	world_end(&w);
}

static void check_machine(const char *a, const char *b, const char *want)
{
	mp_auto_free char *fact_a = mp_xasprintf("{\"virt\": {" RUNS "\"machines\": %s}}", a);
	mp_auto_free char *fact_b = mp_xasprintf("{\"virt\": {" RUNS "\"machines\": %s}}", b);
	mp_auto_free char *got = NULL;
	struct mp_findings out = { 0 };
	struct mp_ring ring;
	struct mp_world w;

	world_start(&w, "[host a]\n[host b]\n");
	facts(&w, 0, fact_a);
	facts(&w, 1, fact_b);
	mp_ring_plan(&w, &ring, &out);
	got = mp_guest_machine(&w, &ring);
	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
	mp_ring_fini(&ring);
	mp_findings_fini(&out);
	world_end(&w);
}

static void test_machine(void **state)
{
	(void)state;
	/* By number, not by letter: 2.12 is newer than 2.9. */
	check_machine("[\"pc-i440fx-2.9\", \"pc-i440fx-2.12\", \"pc-i440fx-7.2\"]",
		      "[\"pc-i440fx-2.12\", \"pc-i440fx-2.9\", \"pc-i440fx-2.4\"]",
		      "pc-i440fx-2.12");
	/* i440fx before a newer q35; aliases are no versions. */
	check_machine("[\"pc-i440fx-jammy\", \"pc-i440fx-6.0\", \"pc-q35-8.0\"]",
		      "[\"pc-i440fx-jammy\", \"pc-i440fx-6.0\", \"pc-q35-8.0\"]", "pc-i440fx-6.0");
	check_machine("[\"pc-i440fx-rhel7.6.0\", \"pc-q35-rhel9.0.0\", \"pc-q35-rhel9.2.0\"]",
		      "[\"pc-q35-rhel9.0.0\", \"pc-q35-rhel9.2.0\"]", "pc-q35-rhel9.2.0");
	check_machine("[\"pc-i440fx-7.2\"]", "[\"pc-i440fx-6.0\"]", NULL);
	check_machine("[]", "[\"pc-i440fx-6.0\"]", NULL);
}

static void test_kvm(void **state)
{
	struct mp_findings out = { 0 };
	struct mp_ring ring;
	struct mp_world w;

	(void)state;
	world_start(&w, "[host a]\n[host b]\n");
	facts(&w, 0, TWO_TYPES);
	facts(&w, 1, TWO_TYPES);
	mp_ring_plan(&w, &ring, &out);
	assert_false(mp_guest_kvm(&w, &ring));
	facts(&w, 0, "{\"kernel\": {\"kvm_usable\": true}}");
	assert_false(mp_guest_kvm(&w, &ring));
	facts(&w, 1, "{\"kernel\": {\"kvm_usable\": true}}");
	assert_true(mp_guest_kvm(&w, &ring));
	mp_ring_fini(&ring);
	mp_findings_fini(&out);
	world_end(&w);
}

/* ---- URIs and the script ---- */

static void check_text(char *got, const char *want)
{
	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
	free(got);
}

static void test_uris(void **state)
{
	struct mp_world w;
	const struct mp_host *h;

	(void)state;
	world_start(&w, "[host a]\naddress = 192.0.2.1\n"
			"[host b]\naddress = 2001:db8::2\nmigration_address = 2001:db8:1::2\n"
			"ssh_user = op\nssh_port = 2222\n");
	h = w.inv->hosts;
	check_text(mp_migrate_host_uri(&h[0], NULL), "qemu+ssh://192.0.2.1/system");
	check_text(mp_migrate_host_uri(&h[1], "/tmp/a b/x"),
		   "qemu+ssh://op@[2001:db8::2]:2222/system?no_tty=1&command=/tmp/a%20b/x");
	/* Nova, nova/virt/libvirt/driver.py: live_migration_uri % dest, or scheme; inbound_addr in
	 * place of dest. */
	check_text(mp_migrate_peer_uri(w.profile, &h[0]), "qemu+ssh://192.0.2.1/system");
	check_text(mp_migrate_data_uri(w.profile, &h[0]), "tcp://192.0.2.1");
	check_text(mp_migrate_peer_uri(w.profile, &h[1]), "qemu+ssh://[2001:db8:1::2]/system");
	check_text(mp_migrate_data_uri(w.profile, &h[1]), "tcp://[2001:db8:1::2]");
	set(&w, "nova.live_migration_inbound_addr=leave");
	check_text(mp_migrate_peer_uri(w.profile, &h[1]), "qemu+ssh://b/system");
	check_text(mp_migrate_data_uri(w.profile, &h[1]), NULL);
	set(&w, "nova.live_migration_scheme=tls");
	check_text(mp_migrate_peer_uri(w.profile, &h[0]), "qemu+tls://a/system");
	set(&w, "nova.live_migration_uri=qemu+ssh://nova@%s/system?keyfile=/k");
	check_text(mp_migrate_peer_uri(w.profile, &h[0]), "qemu+ssh://nova@a/system?keyfile=/k");
	world_stop(&w);
	free(w.hosts);
}

/* Runs the script as libvirt does, with a program for ssh that prints its arguments one a line. */
static char *run_script(const struct mp_dial *dial, const struct mp_host *h, const char *dir,
			char *ret_pid, size_t pid_size)
{
	mp_auto_free char *pidfile = mp_xasprintf("%s/p i'd", dir);
	mp_auto_free char *script = mp_xasprintf("%s/script", dir);
	mp_auto_free char *text = mp_migrate_ssh_script(dial, h, pidfile);
	mp_auto_free char *command =
		mp_xasprintf("sh '%s' -T -- '%s' 'echo \"far $((1+1))\"'", script, h->address);
	char *out = mp_xcalloc(1, 4096);
	FILE *f = fopen(script, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	f = popen(command, "r");
	assert_non_null(f);
	out[fread(out, 1, 4095, f)] = '\0';
	assert_int_equal(pclose(f), 0);
	f = fopen(pidfile, "r");
	assert_non_null(f);
	assert_non_null(fgets(ret_pid, (int)pid_size, f));
	fclose(f);
	unlink(pidfile);
	unlink(script);
	return out;
}

static void test_script(void **state)
{
	char dir[] = "/tmp/migprep-test-XXXXXX", pid[32];
	mp_auto_free char *program = NULL;
	struct mp_dial dial = { .connect_timeout_ms = 2500, .ssh_config = "/tmp/o'p $(x) config" };
	char address[] = "192.0.2.1", key[] = "/k e`y";
	struct mp_host h = { .address = address, .ssh_key = key };
	mp_auto_free char *out = NULL, *local = NULL;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	program = mp_xasprintf("%s/fake ssh", dir);
	f = fopen(program, "w");
	assert_non_null(f);
	/* Its own process id and process group (field 5 of proc(5) stat; its name has a blank). */
	fputs("#!/bin/sh\nprintf '<%s>' \"$@\"\n"
	      "echo; echo $$; cut -d' ' -f6 /proc/$$/stat\n",
	      f);
	fclose(f);
	assert_int_equal(chmod(program, 0700), 0);
	dial.ssh_program = program;
	out = run_script(&dial, &h, dir, pid, sizeof(pid));
	assert_ptr_equal(strstr(out, "<-F></tmp/o'p $(x) config>"), out);
	assert_non_null(strstr(out, "<-i></k e`y>"));
	assert_non_null(strstr(out, "<BatchMode=yes>"));
	assert_non_null(strstr(out, "<StrictHostKeyChecking=yes>"));
	assert_non_null(strstr(out, "<ConnectTimeout=3>"));
	assert_non_null(strstr(out, "<-T><--><192.0.2.1><echo \"far $((1+1))\">\n"));
	/* The noted process id is the program's, twice: as its id and as its group. */
	f = fmemopen(strchr(out, '\n') + 1, strlen(strchr(out, '\n') + 1), "r");
	for (int i = 0; i < 2; i++) {
		char line[32];

		assert_non_null(fgets(line, sizeof(line), f));
		assert_string_equal(line, pid);
	}
	fclose(f);
	h.transport = MP_TRANSPORT_LOCAL;
	local = run_script(&dial, &h, dir, pid, sizeof(pid));
	assert_string_equal(local, "far 2\n");
	unlink(program);
	rmdir(dir);
}

/* ---- messages ---- */

static const struct {
	int code, domain;
	const char *text;
	const char *cause, *remedy; /* parts of what has to be said; NULL: unknown to the table */
	bool before_start;
} messages[] = {
	{ 38, 7, "unable to connect to server at 'b.lab:49152': Connection timed out", "dropped",
	  "Open the migration ports on b", false },
	{ 38, 7, "unable to connect to server at 'b.lab:49152': Connection refused", "port of b",
	  "Open the migration ports on b", false },
	{ 9, 10,
	  "operation failed: job 'migration out' failed: Failed to connect to 'b:49152': "
	  "Connection refused",
	  "port of b", "Open the migration ports on b", false },
	{ 38, 7,
	  "Unable to resolve address 'b.lab' service '49152': Temporary failure in name resolution",
	  "a cannot resolve", "resolve on a", true },
	{ 38, 7,
	  "operation failed: Failed to connect to remote libvirt URI qemu+ssh://b/system: Cannot "
	  "recv "
	  "data: Host key verification failed.: Connection reset by peer",
	  "root on a does not have b's host key", "known_hosts on a", true },
	{ 38, 7,
	  "Cannot recv data: root@b: Permission denied (publickey).: Connection reset by peer",
	  "b does not accept the key of root on a", "authorized_keys on b", true },
	{ 38, 7,
	  "Cannot recv data: ssh: connect to host b port 22: Connection refused: Connection reset "
	  "by peer",
	  "no SSH connection to b", "from a to b", true },
	{ 38, 7,
	  "End of file while reading data: virt-ssh-helper: cannot connect to "
	  "'/var/run/libvirt/libvirt-sock': Failed to connect socket to "
	  "'/var/run/libvirt/libvirt-sock': "
	  "No such file or directory: Input/output error",
	  "libvirt does not run on b", "on b", true },
	{ 81, 10, "Unsafe migration: Migration without shared storage is unsafe", "not shared",
	  "shared storage", true },
	{ 1, 10,
	  "internal error: Attempt to migrate guest to the same host "
	  "4c4c4544-0000-4000-8000-000000000001",
	  "same host UUID", "host_uuid", true },
	{ 91, 31,
	  "the CPU is incompatible with host CPU: Host CPU does not provide required features: "
	  "avx512f",
	  "CPU of b", "CPU model", true },
	{ 67, 10,
	  "unsupported configuration: Emulator '/usr/bin/qemu-system-x86_64' does not support "
	  "machine type "
	  "'pc-i440fx-9.9'",
	  "machine type", "QEMU on b", true },
	{ 1, 0, "internal error: Unable to find an unused port in range 'migration' (49152-49215)",
	  "every migration port of b", "ss -tanp", true },
	{ 1, 10,
	  "internal error: unable to execute QEMU command 'object-add': Unable to access "
	  "credentials "
	  "/etc/pki/qemu/ca-cert.pem: No such file or directory",
	  "certificates", "/etc/pki/qemu", true },
	{ 38, 7, "End of file while reading data: : Input/output error", "b closed", "on b",
	  false },
	{ 38, 7,
	  "End of file while reading data: virt-ssh-helper: could not proxy traffic: End of file "
	  "while "
	  "reading data: Input/output error: Input/output error",
	  "on a went away", "on a", false },
	{ 1, 7, "internal error: client socket is closed", "broke", "between a and b", false },
	{ 1, 10, "internal error: something nobody has met", NULL, NULL, false },
};

static void test_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(messages); i++) {
		struct mp_virt_err e = { .code = messages[i].code, .domain = messages[i].domain };
		mp_auto_free char *reason = NULL;
		struct mp_virt_cause c;

		snprintf(e.text, sizeof(e.text), "%s", messages[i].text);
		mp_virt_explain(&e, "a", "b", &c);
		reason = mp_virt_reason("libvirt", &e, &c);
		assert_non_null(strstr(reason, messages[i].text));
		assert_int_equal(c.before_start, messages[i].before_start);
		if (!messages[i].cause) {
			assert_null(c.cause);
			assert_null(c.remedy);
		} else if (!c.cause || !strstr(c.cause, messages[i].cause) ||
			   !strstr(c.remedy, messages[i].remedy)) {
			fail_msg("'%s' is explained by '%s', '%s'", e.text, c.cause ? c.cause : "",
				 c.remedy ? c.remedy : "");
		}
		mp_virt_cause_fini(&c);
	}
}

static void test_message_is_sanitised(void **state)
{
	struct mp_virt_err e = { .code = 1, .text = "a\033[31m\nb" };
	struct mp_virt_cause none = { 0 };
	mp_auto_free char *got = mp_virt_reason("libvirt", &e, &none);

	(void)state;
	assert_string_equal(got, "libvirt: a [31m b");
}

/* ---- proof ---- */

struct seen_case {
	const char *title;
	enum mp_engine_end end;
	const char *error;
	const char *source, *target; /* "": not there; "?": not asked; else the state */
	long long first, last;       /* the guest's clock on the target */
	const char *leftovers;       /* JSON; NULL: could not look */
	const char *outcome, *part;  /* part of the reason; NULL: no reason */
};

#define NOTHING "{\"processes\": [], \"files\": []}"
#define MIGRATED "running (migrated)"

static const struct seen_case seen_cases[] = {
	{ "good", MP_ENGINE_DONE, NULL, "", MIGRATED, 5, 6, NOTHING, "ok", NULL },
	{ "domain on both", MP_ENGINE_DONE, NULL, "running (reason 1)", MIGRATED, 5, 6, NOTHING,
	  "failed", "running (reason 1) on a and running (migrated) on b" },
	{ "domain nowhere", MP_ENGINE_DONE, NULL, "", "", -1, -1, NOTHING, "failed",
	  "gone from both" },
	{ "still on the source", MP_ENGINE_DONE, NULL, "running (reason 1)", "", -1, -1, NOTHING,
	  "failed", "running (reason 1) on a" },
	{ "paused on the target", MP_ENGINE_DONE, NULL, "", "paused (reason 3)", -1, -1, NOTHING,
	  "failed", "paused (reason 3) on b" },
	{ "not there by migration", MP_ENGINE_DONE, NULL, "", "running (reason 1)", 5, 6, NOTHING,
	  "unproved", "not there by migration" },
	{ "clock stands still", MP_ENGINE_DONE, NULL, "", MIGRATED, 5, 5, NOTHING, "failed",
	  "stands still" },
	{ "clock unreadable", MP_ENGINE_DONE, NULL, "", MIGRATED, -1, -1, NOTHING, "unproved",
	  "cannot be read" },
	{ "target silent", MP_ENGINE_DONE, NULL, "", "?", -1, -1, NOTHING, "unproved",
	  "b could not be asked" },
	{ "source lost", MP_ENGINE_DONE, NULL, "?", MIGRATED, 5, 6, NOTHING, "unproved",
	  "a could not be asked" },
	{ "process left", MP_ENGINE_DONE, NULL, "", MIGRATED, 5, 6,
	  "{\"processes\": [\"12 qemu\"], \"files\": [\"/run/x\"]}", "unproved",
	  "12 qemu, /run/x" },
	{ "leftovers unknown", MP_ENGINE_DONE, NULL, "", MIGRATED, 5, 6, NULL, "unproved",
	  "agent gone" },
	{ "refused", MP_ENGINE_FAILED, "Host key verification failed.", "running (reason 1)", "",
	  -1, -1, NULL, "refused", "Host key verification failed." },
	{ "failed", MP_ENGINE_FAILED, "Lost connection to destination host", "running (reason 1)",
	  "", -1, -1, NULL, "failed", "running (reason 1) on a" },
	{ "failed, and there after all", MP_ENGINE_FAILED, "client socket is closed", "", MIGRATED,
	  -1, -1, NULL, "failed", "running (migrated) on b" },
	{ "failed, guest lost", MP_ENGINE_FAILED, "client socket is closed", "", "", -1, -1, NULL,
	  "failed", "gone from both" },
	{ "timed out", MP_ENGINE_TIMEOUT, "canceled by client", "running (reason 1)", "", -1, -1,
	  NULL, "aborted", "not finished after 7 s" },
	{ "timed out while connecting", MP_ENGINE_TIMEOUT,
	  "unable to connect to server at 'b:49152': Connection timed out", "running (reason 1)",
	  "", -1, -1, NULL, "aborted",
	  "aborted; libvirt: unable to connect to server at 'b:49152'" },
	{ "cancelled", MP_ENGINE_CANCELLED, "canceled by client", "running (reason 1)", "", -1, -1,
	  NULL, "aborted", "by the operator" },
};

static void see(const char *state, struct mp_seen *ret)
{
	*ret = (struct mp_seen){ .asked = strcmp(state, "?") != 0, .look.ticks = -1 };
	if (!ret->asked)
		snprintf(ret->err.text, sizeof(ret->err.text), "no route");
	if (!ret->asked || !*state)
		return;
	ret->look.by_uuid = ret->look.by_name = true;
	snprintf(ret->look.state, sizeof(ret->look.state), "%s", state);
	ret->look.running = strncmp(state, "running", 7) == 0;
	ret->look.migrated = strcmp(state, MIGRATED) == 0;
}

static void check_seen(const struct seen_case *c)
{
	struct mp_engine_result call = { .end = c->end, .total_ms = 7000 };
	json_t *left = c->leftovers ? json_loads(c->leftovers, 0, NULL) : NULL;
	struct mp_proof p = { .source = "a",
			      .target = "b",
			      .name = "g",
			      .uuid = "u",
			      .call = &call,
			      .timeout_ms = 7000,
			      .ticks_before = 4,
			      .ticks_first = c->first,
			      .leftovers = left,
			      .leftovers_error = "agent gone" };
	struct mp_judgement j;

	if (c->error) {
		call.err.code = strcmp(c->error, "canceled by client") == 0 ? 78 : 1;
		snprintf(call.err.text, sizeof(call.err.text), "%s", c->error);
	}
	see(c->source, &p.on_source);
	see(c->target, &p.on_target);
	p.on_target.look.ticks = c->last;
	mp_proof_judge(&p, &j);
	if (strcmp(j.outcome, c->outcome) != 0 || !j.reason != !c->part ||
	    (c->part && !strstr(j.reason, c->part)))
		fail_msg("%s: %s: %s", c->title, j.outcome, j.reason ? j.reason : "");
	assert_non_null(json_object_get(j.proof, "guest_clock"));
	mp_judgement_fini(&j);
	json_decref(left);
}

static void test_proof(void **state)
{
	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(seen_cases); i++)
		check_seen(&seen_cases[i]);
}

/* ---- a fake libvirt ---- */

enum story {
	GOOD,         /* moves are done */
	REFUSES,      /* libvirt says no at once */
	STALLS,       /* nothing ends before it is aborted */
	DEAF,         /* nothing ends, aborts are not accepted: until the deadline of the call */
	TARGET_DIES,  /* fails half-way; the guest stays */
	SOURCE_DIES,  /* fails half-way; nobody has the guest, the source is silent */
	TARGET_GOES,  /* success, and then the target is silent */
	SAYS_BOTH,    /* success, and the source still has it */
	SAYS_NOWHERE, /* success, and nobody has it */
	DEAD_GUEST,   /* success, and the guest's clock stands still */
};

#define MAX_HOSTS 4

struct fake {
	struct mp_virt base;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum story story; /* of the move with number story_at; the others are good */
	unsigned story_at;
	unsigned n_moves, n_created, n_aborts, n_open;
	bool down[MAX_HOSTS]; /* cannot be opened */
	bool aborted, moving;
	char guest[MAX_HOSTS][48]; /* name of the guest on each host; "" none */
	bool migrated[MAX_HOSTS], dead;
	long long ticks;
	atomic_bool cancel;
	bool cancel_while_moving;
};

struct mp_virt_conn {
	struct fake *f;
	size_t host;
};

static int say_no(struct mp_virt_err *err, int code, const char *text)
{
	*err = (struct mp_virt_err){ .code = code };
	snprintf(err->text, sizeof(err->text), "%s", text);
	return -1;
}

static int fake_open(struct mp_virt *v, const struct mp_host *h, mp_ms deadline,
		     struct mp_virt_conn **ret, struct mp_virt_err *err)
{
	struct fake *f = (struct fake *)v;

	(void)deadline;
	if (f->down[h->index])
		return say_no(err, 38, "Connection refused");
	*ret = mp_xcalloc(1, sizeof(**ret));
	**ret = (struct mp_virt_conn){ f, h->index };
	pthread_mutex_lock(&f->lock);
	f->n_open++;
	pthread_mutex_unlock(&f->lock);
	return 0;
}

static void fake_close(struct mp_virt_conn *c)
{
	pthread_mutex_lock(&c->f->lock);
	c->f->n_open--;
	pthread_mutex_unlock(&c->f->lock);
	free(c);
}

/* The text of an XML element. */
static void element(const char *xml, const char *open, char *ret, size_t size)
{
	const char *at = strstr(xml, open);

	assert_non_null(at);
	at += strlen(open);
	snprintf(ret, size, "%.*s", (int)strcspn(at, "<"), at);
}

static int fake_create(struct mp_virt_conn *c, const char *xml, mp_ms deadline,
		       struct mp_virt_err *err)
{
	(void)deadline;
	(void)err;
	pthread_mutex_lock(&c->f->lock);
	element(xml, "<name>", c->f->guest[c->host], sizeof(c->f->guest[0]));
	c->f->migrated[c->host] = false;
	c->f->dead = false;
	c->f->n_created++;
	pthread_mutex_unlock(&c->f->lock);
	return 0;
}

static int fake_look(struct mp_virt_conn *c, const char *uuid, const char *name, mp_ms deadline,
		     struct mp_virt_look *ret, struct mp_virt_err *err)
{
	struct fake *f = c->f;

	(void)uuid;
	(void)deadline;
	if (f->down[c->host])
		return say_no(err, 38, "client socket is closed");
	*ret = (struct mp_virt_look){ .ticks = -1 };
	pthread_mutex_lock(&f->lock);
	if (strcmp(f->guest[c->host], name) == 0) {
		ret->by_uuid = ret->by_name = ret->running = true;
		ret->migrated = f->migrated[c->host];
		snprintf(ret->state, sizeof(ret->state), "running (%s)",
			 ret->migrated ? "migrated" : "reason 1");
		ret->ticks = f->dead ? f->ticks : ++f->ticks;
	}
	pthread_mutex_unlock(&f->lock);
	return 0;
}

static int fake_list(struct mp_virt_conn *c, const char *prefix, mp_ms deadline,
		     struct mp_strv *ret, struct mp_virt_err *err)
{
	const char *name = c->f->guest[c->host];

	(void)deadline;
	if (c->f->down[c->host])
		return say_no(err, 38, "client socket is closed");
	if (*name && strncmp(name, prefix, strlen(prefix)) == 0)
		mp_strv_add(ret, name);
	return 0;
}

static int fake_destroy(struct mp_virt_conn *c, const char *name, mp_ms deadline,
			struct mp_virt_err *err)
{
	(void)deadline;
	if (c->f->down[c->host])
		return say_no(err, 38, "client socket is closed");
	pthread_mutex_lock(&c->f->lock);
	if (strcmp(c->f->guest[c->host], name) == 0)
		c->f->guest[c->host][0] = '\0';
	pthread_mutex_unlock(&c->f->lock);
	return 0;
}

/* Until it is aborted (true) or the deadline has passed. Called with the lock held. */
static bool wait_abort(struct fake *f, const _Atomic mp_ms *deadline)
{
	while (!f->aborted && mp_now() < atomic_load(deadline)) {
		mp_ms until = mp_now() + 5; /* the deadline may come nearer */
		struct timespec t = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 };

		pthread_cond_timedwait(&f->changed, &f->lock, &t);
	}
	return f->aborted;
}

static void arrive(struct fake *f, size_t from, size_t to)
{
	memcpy(f->guest[to], f->guest[from], sizeof(f->guest[0]));
	f->guest[from][0] = '\0';
	f->migrated[to] = true;
}

static int tell_story(struct fake *f, enum story story, size_t from, size_t to,
		      const _Atomic mp_ms *deadline, struct mp_virt_err *err)
{
	if (f->down[to])
		return say_no(err, 38, "unable to connect to server at 'x:22': No route to host");
	switch (story) {
	case REFUSES:
		return say_no(err, 81,
			      "Unsafe migration: Migration without shared storage is unsafe");
	case STALLS:
		if (!wait_abort(f, deadline))
			fail_msg("nobody aborted a move that stalls");
		return say_no(err, 78, "operation aborted: migration out job: canceled by client");
	case DEAF:
		wait_abort(f, deadline);
		return say_no(err, 68, "libvirt did not answer in time");
	case TARGET_DIES:
		return say_no(err, 9,
			      "job 'migration out' failed: Unable to write to socket: Broken pipe");
	case SOURCE_DIES:
		f->guest[from][0] = '\0';
		f->down[from] = true;
		return say_no(err, 1, "internal error: client socket is closed");
	case TARGET_GOES:
		arrive(f, from, to);
		f->down[to] = true;
		return 0;
	case SAYS_BOTH:
		memcpy(f->guest[to], f->guest[from], sizeof(f->guest[0]));
		f->migrated[to] = true;
		return 0;
	case SAYS_NOWHERE:
		f->guest[from][0] = '\0';
		return 0;
	case DEAD_GUEST:
		f->dead = true;
		arrive(f, from, to);
		return 0;
	case GOOD:
		arrive(f, from, to);
		return 0;
	}
	abort();
}

/* The target is the host whose name ends the peer URI: "qemu+ssh://b/system". */
static int fake_migrate(struct mp_virt_conn *c, const struct mp_virt_move *m,
			struct mp_virt_stats *ret, mp_ms *ret_done, struct mp_virt_err *err)
{
	struct fake *f = c->f;
	size_t to = (size_t)(m->peer_uri[strlen("qemu+ssh://")] - 'a');
	enum story story = GOOD;
	int r;

	pthread_mutex_lock(&f->lock);
	if (f->n_moves++ == f->story_at)
		story = f->story;
	f->aborted = false;
	f->moving = true;
	r = tell_story(f, story, c->host, to, m->deadline, err);
	f->moving = false;
	pthread_mutex_unlock(&f->lock);
	*ret = (struct mp_virt_stats){ 100, 0, 90, r == 0 ? 12 : -1 };
	*ret_done = mp_now();
	return r;
}

static int fake_job(struct mp_virt_conn *c, const char *uuid, mp_ms deadline,
		    struct mp_virt_stats *ret, struct mp_virt_err *err)
{
	(void)uuid;
	(void)deadline;
	(void)err;
	if (c->f->cancel_while_moving)
		atomic_store(&c->f->cancel, true);
	*ret = (struct mp_virt_stats){ 100, 50, 50, -1 };
	return 1;
}

static int fake_abort(struct mp_virt_conn *c, const char *uuid, mp_ms deadline,
		      struct mp_virt_err *err)
{
	struct fake *f = c->f;
	bool accepted;

	(void)uuid;
	(void)deadline;
	pthread_mutex_lock(&f->lock);
	/* The first request comes too early, as it may with libvirt. */
	accepted = f->moving && f->story != DEAF && f->n_aborts++ > 0;
	if (accepted)
		f->aborted = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	return accepted ? 0 : say_no(err, 55, "no job is active on the domain");
}

static const struct mp_virt_ops fake_ops = {
	.open = fake_open,
	.close = fake_close,
	.create = fake_create,
	.look = fake_look,
	.list = fake_list,
	.destroy = fake_destroy,
	.migrate = fake_migrate,
	.job = fake_job,
	.abort = fake_abort,
};

static void fake_init(struct fake *f, enum story story, unsigned at)
{
	pthread_condattr_t attr;

	*f = (struct fake){ .base.ops = &fake_ops, .story = story, .story_at = at };
	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->changed, &attr);
	pthread_condattr_destroy(&attr);
}

static int fake_leftovers(void *arg, const struct mp_host *h, const char *name, const char *uuid,
			  mp_ms deadline, json_t **ret, struct mp_err *err)
{
	(void)arg;
	(void)h;
	(void)deadline;
	(void)err;
	assert_int_equal(strncmp(name, "migprep-verify-", 15), 0);
	assert_int_equal(strlen(uuid), 36);
	*ret = json_loads(NOTHING, 0, NULL);
	return 0;
}

/* ---- engine ---- */

static void count_progress(const struct mp_virt_stats *st, mp_ms elapsed, void *arg)
{
	(void)elapsed;
	if (st->total_bytes == 100)
		++*(unsigned *)arg;
}

static void engine(struct fake *f, struct mp_engine_result *ret, unsigned *ret_progress,
		   mp_ms timeout_ms)
{
	struct mp_virt_conn source = { f, 0 };
	const struct mp_engine_move m = { .uuid = "u",
					  .peer_uri = "qemu+ssh://b/system",
					  .timeout_ms = timeout_ms,
					  .grace_ms = 60,
					  .poll_ms = 5,
					  .cancel = &f->cancel,
					  .progress = count_progress,
					  .progress_arg = ret_progress };

	*ret_progress = 0;
	snprintf(f->guest[0], sizeof(f->guest[0]), "g");
	mp_engine_run(&fake_ops, &source, &m, ret);
}

static void test_engine(void **state)
{
	struct mp_engine_result r;
	unsigned progress;
	struct fake f;

	(void)state;
	fake_init(&f, GOOD, 0);
	engine(&f, &r, &progress, 10000);
	assert_int_equal(r.end, MP_ENGINE_DONE);
	assert_int_equal(r.stats.downtime_ms, 12);
	assert_int_equal(r.err.code, 0);
	assert_string_equal(f.guest[1], "g");

	fake_init(&f, REFUSES, 0);
	engine(&f, &r, &progress, 10000);
	assert_int_equal(r.end, MP_ENGINE_FAILED);
	assert_int_equal(r.err.code, 81);
	assert_int_equal(f.n_aborts, 0);

	/* Stall, timeout, abort: asked twice, because the first request was not accepted. */
	fake_init(&f, STALLS, 0);
	engine(&f, &r, &progress, 100);
	assert_int_equal(r.end, MP_ENGINE_TIMEOUT);
	assert_int_equal(r.err.code, 78);
	assert_int_equal(f.n_aborts, 2);
	assert_true(r.total_ms >= 100);
	assert_true(progress > 0);

	/* Nobody listens: the call ends at its deadline, timeout and grace. */
	fake_init(&f, DEAF, 0);
	engine(&f, &r, &progress, 50);
	assert_int_equal(r.end, MP_ENGINE_TIMEOUT);
	assert_true(r.total_ms >= 110);

	fake_init(&f, STALLS, 0);
	f.cancel_while_moving = true;
	engine(&f, &r, &progress, 100000);
	assert_int_equal(r.end, MP_ENGINE_CANCELLED);
	assert_true(r.total_ms < 60000);
}

/* ---- verify ---- */

struct round {
	struct fake f;
	struct mp_world w;
	struct mp_run run;
	int r;
	struct mp_err err;
};

static void go(struct round *t, size_t n_hosts)
{
	static const char *const inventories[] = { "", "[host a]\n", "[host a]\n[host b]\n",
						   "[host a]\n[host b]\n[host c]\n" };
	const struct mp_verify_opts opts = { .memory_mib = 16, .move_timeout_ms = 200 };
	const struct mp_verify_env env = { .virt = &t->f.base,
					   .leftovers = fake_leftovers,
					   .cancel = &t->f.cancel,
					   .forks = 2,
					   .connect_ms = 1000,
					   .settle_ms = 60,
					   .boot_ms = 1000,
					   .grace_ms = 60,
					   .poll_ms = 2 };

	world_start(&t->w, inventories[n_hosts]);
	set(&t->w, "nova.live_migration_inbound_addr=leave");
	for (size_t i = 0; i < n_hosts; i++)
		facts(&t->w, i, TWO_TYPES);
	t->run = (struct mp_run){ .world = &t->w };
	t->err = (struct mp_err){ 0 };
	t->r = mp_verify_with(&env, &t->w, &opts, &t->run, &t->err);
	/* Whatever happened: no connection is left, and no guest where one could look. */
	for (size_t i = 0; i < n_hosts; i++)
		if (!t->f.down[i])
			assert_string_equal(t->f.guest[i], "");
	assert_int_equal(t->f.n_open, 0);
}

static void done(struct round *t)
{
	mp_run_fini(&t->run);
	world_end(&t->w);
}

static void check_move(const struct round *t, size_t i, size_t source, size_t target,
		       const char *outcome, const char *part)
{
	const struct mp_move *m = &t->run.moves[i];

	assert_true(i < t->run.n_moves);
	assert_int_equal(m->source, source);
	assert_int_equal(m->target, target);
	if (strcmp(m->outcome, outcome) != 0 || (part && (!m->reason || !strstr(m->reason, part))))
		fail_msg("move %zu: %s: %s", i, m->outcome, m->reason ? m->reason : "");
}

static void test_verify_good(void **state)
{
	struct round t;

	(void)state;
	fake_init(&t.f, GOOD, 0);
	go(&t, 3);
	assert_int_equal(t.r, 0);
	assert_int_equal(t.run.n_moves, 3);
	for (size_t i = 0; i < 3; i++) {
		check_move(&t, i, i, (i + 1) % 3, "ok", NULL);
		assert_int_equal(t.run.moves[i].downtime_ms, 12);
		assert_int_equal(t.run.moves[i].transferred_bytes, 90);
		assert_int_equal(t.run.moves[i].guest_pause_ms, -1);
		assert_string_equal(t.run.moves[i].running_on, t.w.inv->hosts[(i + 1) % 3].name);
		assert_int_equal(t.run.findings.v[i].status, MP_OK);
		assert_int_equal(t.run.findings.v[i].scope, MP_SCOPE_PAIR);
	}
	assert_int_equal(t.f.n_created, 1); /* one guest goes all the way */
	done(&t);
}

/* The first move goes wrong; a new guest tries the other two. */
static void bad_first(enum story story, const char *outcome, const char *part, const char *on)
{
	struct round t;

	fake_init(&t.f, story, 0);
	go(&t, 3);
	assert_int_equal(t.r, 0);
	assert_int_equal(t.run.n_moves, 3);
	check_move(&t, 0, 0, 1, outcome, part);
	if (on)
		assert_string_equal(t.run.moves[0].running_on, on);
	else
		assert_null(t.run.moves[0].running_on);
	check_move(&t, 1, 1, 2, "ok", NULL);
	check_move(&t, 2, 2, 0, "ok", NULL);
	assert_int_equal(t.f.n_created, 2);
	assert_int_equal(t.run.findings.v[0].status, MP_FAIL);
	assert_true(*t.run.findings.v[0].remedy);
	done(&t);
}

static void test_verify_bad(void **state)
{
	(void)state;
	bad_first(REFUSES, "refused", "Unsafe migration", "a");
	bad_first(STALLS, "aborted", "not finished after 0 s and aborted", "a");
	bad_first(TARGET_DIES, "failed", "Broken pipe", "a");
	bad_first(SAYS_BOTH, "failed", "on a and running (migrated) on b", "a,b");
	bad_first(SAYS_NOWHERE, "failed", "gone from both", NULL);
	bad_first(DEAD_GUEST, "failed", "stands still", "b");
}

/* Host gone goes away in the first move; the last finding names it, with what to do. */
static void check_lost(struct round *t, size_t gone)
{
	const struct mp_finding *last = &t->run.findings.v[t->run.findings.n - 1];

	assert_int_equal(t->r, 0);
	assert_int_equal(t->run.n_moves, 3);
	assert_int_equal(last->scope, MP_SCOPE_HOST);
	assert_int_equal(last->host, gone);
	assert_int_equal(last->status, MP_FAIL);
	assert_non_null(strstr(last->remedy, "virsh"));
	done(t);
}

static void test_verify_lost(void **state)
{
	struct round t;

	(void)state;
	fake_init(&t.f, SOURCE_DIES, 0);
	go(&t, 3);
	check_move(&t, 0, 0, 1, "failed", "unknown: a could not be asked");
	assert_null(t.run.moves[0].running_on);
	check_move(&t, 1, 1, 2, "ok", NULL);
	check_move(&t, 2, 2, 0, "failed", "No route to host");
	assert_string_equal(t.run.moves[2].running_on, "c");
	check_lost(&t, 0);

	fake_init(&t.f, TARGET_GOES, 0);
	go(&t, 3);
	check_move(&t, 0, 0, 1, "unproved", "b could not be asked");
	check_move(&t, 1, 1, 2, "failed", "could not be started on b");
	check_move(&t, 2, 2, 0, "ok", NULL);
	check_lost(&t, 1);
}

static void test_verify_unopened(void **state)
{
	struct round t;

	(void)state;
	fake_init(&t.f, GOOD, 0);
	t.f.down[1] = true;
	go(&t, 3);
	assert_int_equal(t.run.n_moves, 2);
	check_move(&t, 0, 0, 2, "ok", NULL);
	check_move(&t, 1, 2, 0, "ok", NULL);
	assert_int_equal(t.run.findings.v[0].host, 1);
	assert_int_equal(t.run.findings.v[0].status, MP_FAIL);
	assert_non_null(strstr(t.run.findings.v[0].reason, "Connection refused"));
	done(&t);

	fake_init(&t.f, GOOD, 0);
	t.f.down[1] = true;
	go(&t, 2);
	assert_int_equal(t.run.n_moves, 0);
	assert_int_equal(t.run.findings.n, 2);
	assert_int_equal(t.run.findings.v[1].scope, MP_SCOPE_CLUSTER);
	assert_int_equal(t.run.findings.v[1].status, MP_FAIL);
	done(&t);

	fake_init(&t.f, GOOD, 0);
	go(&t, 1);
	assert_int_equal(t.run.n_moves, 0);
	assert_int_equal(t.run.findings.v[0].status, MP_SKIP);
	done(&t);
}

static void test_verify_cancelled(void **state)
{
	struct round t;

	(void)state;
	fake_init(&t.f, STALLS, 1);
	t.f.cancel_while_moving = false;
	go(&t, 3);
	check_move(&t, 1, 1, 2, "aborted", "not finished");
	done(&t);

	fake_init(&t.f, STALLS, 0);
	t.f.cancel_while_moving = true;
	go(&t, 3);
	assert_int_equal(t.r, -1);
	assert_int_equal(t.err.code, MP_E_CANCELLED);
	assert_int_equal(t.run.n_moves, 1);
	check_move(&t, 0, 0, 1, "aborted", "by the operator");
	assert_int_equal(t.run.findings.v[0].status, MP_SKIP);
	done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_kvm),
		cmocka_unit_test(test_uris),
		cmocka_unit_test(test_script),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_message_is_sanitised),
		cmocka_unit_test(test_proof),
		cmocka_unit_test(test_engine),
		cmocka_unit_test(test_verify_good),
		cmocka_unit_test(test_verify_bad),
		cmocka_unit_test(test_verify_lost),
		cmocka_unit_test(test_verify_unopened),
		cmocka_unit_test(test_verify_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
