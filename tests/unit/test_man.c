/* SPDX-License-Identifier: GPL-3.0-or-later */
/* migprep.1 against the tables of the program: nothing undocumented, nothing invented. */
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
#include "base/str.h"
#include "check/check.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "model/topic.h"
#include "report/report.h"
#include "resource/resource.h"

static int setup_page(void **state)
{
	const char *srcdir = getenv("SRCDIR");
	mp_auto_free char *path = mp_xasprintf("%s/man/migprep.1", srcdir ? srcdir : ".");
	char *text = mp_xcalloc(1, 1 << 18);
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_true(fread(text, 1, (1 << 18) - 1, f) > 0);
	fclose(f);
	*state = text;
	return 0;
}

static int teardown_page(void **state)
{
	free(*state);
	return 0;
}

static void assert_says(const char *page, const char *line)
{
	if (!strstr(page, line))
		fail_msg("man/migprep.1 does not have: %s", line);
}

static void test_options(void **state)
{
	for (size_t i = 0; i < mp_n_options; i++) {
		const struct mp_option *o = &mp_options[i];
		mp_auto_free char *line =
			o->letter ? mp_xasprintf("\n.It Fl %c , Fl -%s%s", o->letter, o->name,
						 o->arg ? " " : "\n")
				  : mp_xasprintf("\n.It Fl -%s%s", o->name, o->arg ? " " : "\n");

		assert_says(*state, line);
	}
}

static void test_commands(void **state)
{
	for (size_t i = 0; mp_commands[i]; i++) {
		const struct mp_command *c = mp_commands[i];
		mp_auto_free char *line =
			mp_xasprintf("\n.It Ic %s%s", c->name, *c->args ? " Op Ar " : "\n");

		assert_says(*state, line);
	}
}

static void test_formats(void **state)
{
	for (size_t i = 0; mp_reports[i]; i++) {
		mp_auto_free char *line = mp_xasprintf("\n.Cm %s", mp_reports[i]->name);

		assert_says(*state, line);
	}
}

static void add_item(struct mp_strv *items, const char *id, const char *summary)
{
	mp_strv_take(items, mp_xasprintf(".It Cm %s\n%s\n", id, summary));
}

/* Every finding with the words of its own table; and the section has no other. */
static void test_findings(void **state)
{
	const char *page = *state, *from = strstr(page, "\n.Sh FINDINGS\n"), *to;
	mp_auto_strv struct mp_strv items = { 0 };
	size_t documented = 0;

	assert_non_null(from);
	to = strstr(from + 1, "\n.Sh ");
	assert_non_null(to);
	for (size_t i = 0; mp_resources[i]; i++)
		add_item(&items, mp_resources[i]->id, mp_resources[i]->summary);
	for (size_t i = 0; mp_checks[i]; i++)
		add_item(&items, mp_checks[i]->id, mp_checks[i]->summary);
	for (size_t i = 0; i < mp_n_topics; i++)
		add_item(&items, mp_topics[i].id, mp_topics[i].summary);
	for (size_t i = 0; i < items.n; i++)
		assert_says(from, items.v[i]);
	for (const char *p = from; (p = strstr(p, "\n.It Cm ")) && p < to; p++)
		documented++;
	assert_int_equal(documented, items.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_findings),
	};

	return cmocka_run_group_tests(tests, setup_page, teardown_page);
}
