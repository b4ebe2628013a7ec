/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "cli/context.h"

static int run(struct mp_cli *cli, int argc, char **argv)
{
	struct mp_err err = { 0 };

	(void)argc;
	(void)argv;
	if (mp_cli_look(cli, "look", NULL, &err) == 0)
		mp_cli_judge_reach(cli);
	if (err.code == MP_E_NONE && mp_cli_mesh(cli, &err) < 0)
		mp_cli_say(cli, "mesh: %s", err.text);
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
