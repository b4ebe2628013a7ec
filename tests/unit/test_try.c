/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_try: the logins of the verb "try", by the ssh program against a real sshd that has a long
 * banner. What differs are the options in authorized_keys. The source's root has a home directory
 * of its own, in a mount namespace of this program.
 */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/alloc.h"
#include "mesh/causes.h"
#include "model/world.h"
#include "sshd.h"

#define BANNER_LINES 60 /* longer than what is reported of standard error */

extern const struct mp_verb mp_verb_try;

struct mp_agent {
	struct mp_sys *sys;
	json_t *event;
};

struct mp_sys *mp_agent_sys(struct mp_agent *a)
{
	return a->sys;
}

int mp_agent_event(struct mp_agent *a, json_t *body, struct mp_err *err)
{
	(void)err;
	json_decref(a->event);
	a->event = body;
	return 0;
}

static struct test_sshd sshd;
static struct mp_agent agent;
static char dir[] = "/tmp/migprep-try-XXXXXX"; /* host key, banner, and what commands leave */

/* A home directory for root that nobody else sees; sshd was started before and has the real one. */
static void make_home(void)
{
	mp_auto_free char *id = test_path(&sshd, "id"), *hk = mp_xasprintf("%s/hk.pub", dir);
	mp_auto_free char *key = test_read(hk);

	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("tmpfs", "/root", "tmpfs", 0, "mode=0700"), 0);
	assert_int_equal(mkdir("/root/.ssh", 0700), 0);
	test_write("/root/.ssh/known_hosts", "[127.0.0.1]:%ld %s", sshd.port, key);
	test_write("/root/.ssh/config", "IdentityFile %s\nIdentitiesOnly yes\nIdentityAgent none\n",
		   id);
}

static int setup(void **state)
{
	mp_auto_free char *hk = NULL, *banner = NULL, *extra = NULL, *text = NULL;

	(void)state;
	if (geteuid() != 0)
		return 0;
	assert_non_null(mkdtemp(dir));
	hk = mp_xasprintf("%s/hk", dir);
	banner = mp_xasprintf("%s/banner", dir);
	extra = mp_xasprintf("HostKey %s\nBanner %s\n", hk, banner);
	text = mp_xcalloc(1, BANNER_LINES * 40);
	for (size_t i = 0; i < BANNER_LINES; i++)
		strcat(text, "Idle sessions are timed out. Keep out.\n");
	test_write(banner, "%s", text);
	TEST_RUN(NULL, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", hk);
	test_sshd_start(&sshd, NULL, extra);
	make_home();
	return mp_sys_open("/", &agent.sys, NULL);
}

static int teardown(void **state)
{
	(void)state;
	if (geteuid() != 0)
		return 0;
	mp_sys_close(agent.sys);
	json_decref(agent.event);
	test_sshd_stop(&sshd);
	TEST_RUN(NULL, "rm", "-rf", "--", dir);
	return 0;
}

/* One login with the key behind these options; the report stays in agent.event. */
static const json_t *log_in(const char *options)
{
	mp_auto_free char *keys = test_path(&sshd, "authorized_keys"),
			  *pub = test_path(&sshd, "id.pub");
	mp_auto_free char *key = test_read(pub);
	struct mp_err err = { 0 };
	json_t *reply = NULL, *body;

	if (geteuid() != 0) {
		print_message("skipped: needs root for a mount namespace\n");
		skip();
	}
	test_write(keys, "%s%s%s", options, *options ? " " : "", key);
	body = json_pack("{s:[{s:i,s:[s],s:s,s:[],s:s,s:I}],s:[s],s:i,s:i}", "peers", "peer", 1,
			 "names", "127.0.0.1", "address", "127.0.0.1", "ports", "nonce", "",
			 "ssh_port", (json_int_t)sshd.port, "users", "root", "timeout_ms", 10000,
			 "budget_ms", 60000);
	if (mp_verb_try.run(&agent, body, &reply, &err) < 0)
		fail_msg("%s", err.text);
	json_decref(body);
	json_decref(reply);
	return json_array_get(json_object_get(agent.event, "ssh"), 0);
}

static const char *cause_of(const json_t *login)
{
	const struct mp_mesh_cause *c = mp_mesh_ssh_cause(login);

	return c ? c->word : "none";
}

static void expect(const char *options, const char *cause, const char *out)
{
	const json_t *login = log_in(options);

	if (strcmp(cause_of(login), cause) != 0 || strcmp(mp_json_str(login, "out", ""), out) != 0)
		fail_msg("%s: %s", options, json_dumps(login, 0));
}

static void test_good_logins(void **state)
{
	(void)state;
	expect("", "none", "");
	expect("no-pty,restrict", "none", "");
	/* At LogLevel INFO, where ssh also tells why it was turned away, it shows the banner. */
	assert_non_null(strstr(mp_json_str(log_in(""), "err", ""), "Keep out."));
	/* Standard error is no part of libvirt's protocol. */
	expect("command=\"echo hi >&2; eval $SSH_ORIGINAL_COMMAND\"", "none", "");
}

static void test_forced_commands(void **state)
{
	(void)state;
	expect("command=\"/bin/true\"", "forced-command", "");
	expect("command=\"echo deadbeef\"", "forced-command", "deadbeef\n");
	expect("command=\"internal-sftp\"", "forced-command",
	       "This service allows sftp connections only.\n");
	expect("command=\"/bin/false\"", "shell", "");
}

static void test_noise(void **state)
{
	(void)state;
	expect("command=\"echo before; eval $SSH_ORIGINAL_COMMAND\"", "noise", "before\n");
	expect("command=\"eval $SSH_ORIGINAL_COMMAND; echo after\"", "noise", "after\n");
	expect("command=\"printf %s x; eval $SSH_ORIGINAL_COMMAND\"", "noise", "x");
}

/* A host that answers with what it was asked for the time before. */
static void test_word_is_fresh(void **state)
{
	mp_auto_free char *replay = mp_xasprintf(
		"command=\"cat %s/last; echo ${SSH_ORIGINAL_COMMAND#echo } >%s/last\"", dir, dir);

	(void)state;
	assert_string_equal(cause_of(log_in(replay)), "forced-command");
	assert_string_equal(cause_of(log_in(replay)), "forced-command");
	assert_int_equal(strspn(mp_json_str(log_in(replay), "out", ""), "0123456789abcdef"), 32);
}

/*
 * What sshd makes of the options that ssh-authorized fails on (limits[] in model/ssh-lines.c), and
 * of a line without them behind one that has them.
 */
static void test_limits(void **state)
{
	static const char *const refused[] = { "from=\"10.9.9.9\"", "expiry-time=\"20200101\"",
					       "principals=\"root\"" };
	mp_auto_free char *pub = NULL, *key = NULL, *forced = NULL;

	(void)state;
	expect("restrict,no-pty,no-agent-forwarding", "none", "");
	pub = test_path(&sshd, "id.pub");
	key = test_read(pub);
	for (size_t i = 0; i < MP_N_ELEMS(refused); i++) {
		mp_auto_free char *both = mp_xasprintf("%s %s", refused[i], key);

		assert_string_equal(cause_of(log_in(refused[i])), "authentication");
		expect(both, "none", "");
	}
	forced = mp_xasprintf("command=\"/bin/true\" %s", key);
	expect(forced, "forced-command", "");
}

/* Why ssh gave up is told behind the banner, whatever that speaks of. */
static void test_last_words(void **state)
{
	const json_t *login = log_in("from=\"10.9.9.9\"");
	const char *text = mp_json_str(login, "err", "");

	(void)state;
	assert_string_equal(cause_of(login), "authentication");
	assert_non_null(strstr(text, "Permission denied (publickey"));
	assert_true(strlen(text) <= 1000);
	login = log_in("command=\"kill -9 $PPID\"");
	assert_string_equal(cause_of(login), "closed");
	assert_non_null(strstr(mp_json_str(login, "err", ""), "closed by remote host"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_logins), cmocka_unit_test(test_forced_commands),
		cmocka_unit_test(test_noise),       cmocka_unit_test(test_word_is_fresh),
		cmocka_unit_test(test_last_words),  cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("try", tests, setup, teardown);
}
