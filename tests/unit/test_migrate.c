/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * migrate: the ring, the guest, URIs and the script for ssh, what libvirt's messages mean, and the
 * proof. The messages were printed by libvirt 9.0.0 between two real hosts.
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
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "migrate/proof.h"
#include "migrate/ring.h"
#include "migrate/uri.h"
#include "migrate-world.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
