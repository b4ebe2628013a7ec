/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "cli/context.h"

static int run(struct mp_cli *cli, int argc, char **argv)
{
	struct mp_err err = { 0 };

	(void)argc;
	(void)argv;
	if (mp_cli_look(cli, "check", NULL, &err) < 0)
		mp_cli_say(cli, "check: %s", err.text);
	mp_cli_judge(cli);
	return 0;
}

const struct mp_command mp_command_check = {
	.name = "check",
	.args = "[HOST...]",
	.summary = "compare hosts with the profile; changes nothing",
	.help = "Looks at every host of the inventory and judges those named (none: all) by the "
		"profile.\n"
		"Nothing is changed. Exit status 2 says that apply would mend something.",
	.flags = MP_CMD_NEEDS_INVENTORY | MP_CMD_REPORTS,
	.run = run,
};
