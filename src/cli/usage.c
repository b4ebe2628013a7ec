/* SPDX-License-Identifier: GPL-3.0-or-later */
/* usage: the help texts, printed from the tables. */
#include "config.h"
#include "cli/context.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

void mp_cli_usage(FILE *out)
{
	fprintf(out,
		"usage: migprep [OPTION...] COMMAND [HOST...]\n\n"
		"Makes live migration between KVM/libvirt hosts work, and proves that it works.\n\n"
		"commands:\n");
	for (size_t i = 0; mp_commands[i]; i++)
		fprintf(out, "  %-10s %-12s %s\n", mp_commands[i]->name, mp_commands[i]->args,
			mp_commands[i]->summary);
	fprintf(out, "\noptions:\n");
	mp_options_print(out);
	fprintf(out,
		"\nexit status: 0 in order, 1 usage, 2 drift, 3 a check failed, 4 unreachable, "
		"5 a move failed,\n             6 apply stopped, 130 interrupted; "
		"see migprep(1)\n");
}

void mp_cli_usage_of(FILE *out, const struct mp_command *c)
{
	fprintf(out, "usage: migprep [OPTION...] %s%s%s\n\n%s\n\noptions:\n", c->name,
		*c->args ? " " : "", c->args, c->help);
	mp_options_print(out);
}

const struct mp_command *mp_cli_find_command(const char *word, struct mp_err *err)
{
	const char *names[32], *near;
	size_t n = 0;

	for (; mp_commands[n] && n < MP_N_ELEMS(names); n++) {
		names[n] = mp_commands[n]->name;
		if (strcmp(names[n], word) == 0)
			return mp_commands[n];
	}
	near = mp_str_nearest(word, names, n);
	mp_err_set(err, MP_E_INPUT, "no command '%.40s'%s%s%s; see migprep --help", word,
		   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	return NULL;
}
