/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the command line says: of a host that did not answer, and of its own options. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libvirt/libvirt.h>

#include "base/alloc.h"
#include "cli/context.h"
#include "migrate/virt.h"

static void expect_reach(enum mp_code code, const char *text, const char *reason,
			 const char *remedy)
{
	mp_auto_free char *got_reason = NULL, *got_remedy = NULL;
	struct mp_err err = { 0 };

	mp_err_set(&err, code, "%s", text);
	mp_cli_reach_texts(&err, &got_reason, &got_remedy);
	assert_string_equal(got_reason, reason);
	assert_string_equal(got_remedy, remedy);
}

static void test_reach(void **state)
{
	(void)state;
	/* The error's own remedy, and no other beside it. */
	expect_reach(
		MP_E_DENIED,
		"the file system of /x is mounted noexec; run: mount -o remount,exec <its mount "
		"point>",
		"the file system of /x is mounted noexec",
		"Run: mount -o remount,exec <its mount point>");
	expect_reach(MP_E_UNSUPPORTED, "the program tar is missing; install coreutils and tar",
		     "the program tar is missing", "Install coreutils and tar");
	expect_reach(MP_E_DENIED, "ssh: (a; b; put the key there (or; not)", "ssh: (a; b",
		     "Put the key there (or; not)");
	/* Who waited for what says which option gives more time. */
	expect_reach(MP_E_TIMEOUT, "connect to h: no answer; look at the host",
		     "connect to h: no answer",
		     "Look at the host; a host that is only slow needs more --connect-timeout");
	expect_reach(MP_E_TIMEOUT,
		     "the agent did not finish 'observe' in time; look, or give it more time with "
		     "--timeout",
		     "the agent did not finish 'observe' in time",
		     "Look, or give it more time with --timeout");
	expect_reach(MP_E_TIMEOUT, "send 'observe': no answer in time",
		     "send 'observe': no answer in time",
		     "Look at the load of the host and at the way to it, or give it more time with "
		     "--timeout");
	/* An error without a remedy gets one by its kind; a bracket is none. */
	expect_reach(MP_E_REFUSED, "refused (a; b)", "refused (a; b)",
		     "Start sshd on the host, or mend ssh_port in the inventory");
	expect_reach(MP_E_PROTO, "nonsense; ", "nonsense; ",
		     "Try by hand: ssh to the host as the SSH user of the inventory");
}

/* Every option begins its help in the same column. */
static void test_columns(void **state)
{
	mp_auto_free char *text = NULL;
	size_t size, options = 0;
	FILE *f = open_memstream(&text, &size);
	const char *line, *next;

	(void)state;
	assert_non_null(f);
	mp_options_print(f);
	assert_int_equal(fclose(f), 0);
	for (line = text; *line; line = next) {
		const char *help = mp_options[options++].help;

		next = strchr(line, '\n');
		assert_non_null(next++);
		assert_true(strlen(line) > 33);
		if (strncmp(line + 33, help, strlen(help)) != 0 || line[32] != ' ')
			fail_msg("'%.*s' does not say '%s' in column 33", (int)(next - line - 1),
				 line, help);
	}
	assert_int_equal(options, mp_n_options);
}

static void test_no_inventory(void **state)
{
	struct mp_cli cli = { .opt.inventory = "/nowhere/inventory.ini" };
	struct mp_err err = { 0 };

	(void)state;
	assert_int_equal(mp_cli_load(&cli, NULL, 0, &err), -1);
	assert_string_equal(err.text,
			    "no inventory: /nowhere/inventory.ini does not exist; name one "
			    "with -i FILE or in $MIGPREP_INVENTORY");
	cli.opt.inventory = NULL;
	assert_int_equal(setenv("MIGPREP_INVENTORY", "/nowhere/else.ini", 1), 0);
	assert_int_equal(mp_cli_load(&cli, NULL, 0, &err), -1);
	assert_non_null(strstr(err.text, "no inventory: /nowhere/else.ini does not exist"));
	unsetenv("MIGPREP_INVENTORY");
}

/* What a phase says at its end, by standard error of this process. */
static char *ending(struct mp_cli *cli, mp_ms last_ms, size_t total)
{
	const struct mp_host h = { .name = (char[]){ "compute7" } };
	const struct mp_err good = { 0 };
	struct mp_progress p;
	int saved = dup(STDERR_FILENO), pipes[2];
	char *text = mp_xcalloc(1, 512);

	assert_int_equal(pipe(pipes), 0);
	mp_progress_begin(&p, cli, "check");
	p.started -= last_ms;
	mp_progress_host(&h, &good, total, total, &p);
	fflush(stderr);
	assert_int_equal(dup2(pipes[1], STDERR_FILENO), STDERR_FILENO);
	mp_progress_end(&p, total);
	fflush(stderr);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	close(pipes[1]);
	close(saved);
	assert_true(read(pipes[0], text, 511) > 0);
	close(pipes[0]);
	return text;
}

static void test_slowest(void **state)
{
	struct mp_cli cli = { .fleet.forks = 64 };
	mp_auto_free char *quick = ending(&cli, 4000, 8), *slow = ending(&cli, 9800, 8);
	mp_auto_free char *many = ending(&cli, 9800, 65);

	(void)state;
	assert_null(strstr(quick, "compute7"));
	assert_non_null(strstr(slow, ", slowest compute7 9.8 s\n"));
	assert_non_null(strstr(many, ", last compute7 9.8 s\n"));
}

static void test_reason_words(void **state)
{
	(void)state;
	assert_string_equal(mp_virt_reason_word(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED),
			    "booted");
	assert_string_equal(mp_virt_reason_word(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATED),
			    "migrated");
	assert_string_equal(mp_virt_reason_word(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_POSTCOPY),
			    "in post-copy");
	assert_string_equal(mp_virt_reason_word(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR),
			    "I/O error");
	assert_string_equal(mp_virt_reason_word(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP),
			    "starting up");
	assert_string_equal(mp_virt_reason_word(VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DAEMON),
			    "daemon");
	assert_null(mp_virt_reason_word(VIR_DOMAIN_RUNNING, 0));
	assert_null(mp_virt_reason_word(VIR_DOMAIN_PAUSED, 99));
	assert_null(mp_virt_reason_word(VIR_DOMAIN_CRASHED, 1));
	assert_null(mp_virt_reason_word(VIR_DOMAIN_RUNNING, -1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reach),        cmocka_unit_test(test_columns),
		cmocka_unit_test(test_no_inventory), cmocka_unit_test(test_slowest),
		cmocka_unit_test(test_reason_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
