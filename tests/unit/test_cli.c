/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the command line says: of a host that did not answer, and of its own options. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/context.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
