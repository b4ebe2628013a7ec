/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "cli/context.h"

static int run(struct mp_cli *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	mp_cli_trial(cli, mp_cli_mesh);
	return 0;
}

const struct mp_command mp_command_mesh = {
	.name = "mesh",
	.args = "[HOST...]",
	.summary = "try every directed pair as the real users: SSH, ports, names",
	.help = "Lets every host log in to every other one as root and as nova, with its own keys "
		"and\n"
		"known_hosts, under every name that libvirt or Nova may dial, and connect through "
		"the\n"
		"migration port range to a listener opened for the trial.",
	.flags = MP_CMD_NEEDS_INVENTORY | MP_CMD_REPORTS,
	.run = run,
};
