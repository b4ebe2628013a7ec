/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "cli/context.h"

static int run(struct mp_cli *cli, int argc, char **argv)
{
	struct mp_err err = { 0 };
	const struct mp_command *c;

	(void)cli;
	if (argc == 0) {
		mp_cli_usage(stdout);
		return 0;
	}
	c = mp_cli_find_command(argv[0], &err);
	if (!c) {
		fprintf(stderr, "migprep: %s\n", err.text);
		return 1;
	}
	mp_cli_usage_of(stdout, c);
	return 0;
}

const struct mp_command mp_command_help = {
	.name = "help",
	.args = "[COMMAND]",
	.summary = "this list, or the help of one command",
	.help = "Prints the list of commands and options, or the help of one command.",
	.run = run,
};
