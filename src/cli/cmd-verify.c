/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "cli/context.h"

static int run(struct mp_cli *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	mp_cli_trial(cli, mp_cli_verify);
	return 0;
}

const struct mp_command mp_command_verify = {
	.name = "verify",
	.args = "[HOST...]",
	.summary = "live-migrate a guest of our own round the hosts, and prove it",
	.help = "Starts a small guest and live-migrates it round the ring of hosts, so that each "
		"is a source\n"
		"and a target. After each move it is proved where the guest runs, that the source "
		"copy is\n"
		"gone and that nothing is left behind.",
	.flags = MP_CMD_NEEDS_INVENTORY | MP_CMD_REPORTS,
	.run = run,
};
