/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "cli/context.h"

static int run(struct mp_cli *cli, int argc, char **argv)
{
	struct mp_err err = { 0 };

	(void)argc;
	(void)argv;
	if (mp_cli_look(cli, "check", NULL, &err) < 0 ||
	    (!cli->opt.dry_run && mp_cli_change(cli, &err) < 0))
		mp_cli_say(cli, "apply: %s", err.text);
	mp_cli_judge(cli);
	return 0;
}

const struct mp_command mp_command_apply = {
	.name = "apply",
	.args = "[HOST...]",
	.summary = "bring hosts into line; ends with a check",
	.help = "Changes on the hosts named (none: all) what differs from the profile, and checks "
		"again.\n"
		"With --dry-run the changes are shown and nothing is touched. Every change is\n"
		"journalled on the host first. A second apply finds nothing to do.",
	.flags = MP_CMD_NEEDS_INVENTORY | MP_CMD_REPORTS | MP_CMD_MUTATES,
	.run = run,
};
