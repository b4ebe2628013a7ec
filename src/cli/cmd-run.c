/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "cli/context.h"

static int whole_job(struct mp_cli *cli, struct mp_err *err)
{
	if (mp_cli_look(cli, "check", NULL, err) < 0)
		return -1;
	if (!cli->opt.dry_run && mp_cli_change(cli, err) < 0)
		return -1;
	mp_cli_judge(cli);
	if (cli->opt.dry_run)
		return 0;
	if (mp_cli_mesh(cli, err) < 0)
		return -1;
	return mp_cli_verify(cli, err);
}

static int run(struct mp_cli *cli, int argc, char **argv)
{
	struct mp_err err = { 0 };

	(void)argc;
	(void)argv;
	if (whole_job(cli, &err) < 0)
		mp_cli_say(cli, "run: %s", err.text);
	return 0;
}

const struct mp_command mp_command_run = {
	.name = "run",
	.args = "[HOST...]",
	.summary = "check, apply, mesh, verify: the whole job",
	.help = "The whole job: looks, brings into line, checks again, tries every directed pair, "
		"and\n"
		"live-migrates a guest round the hosts. With --dry-run nothing is changed, and "
		"what\n"
		"would be changed is shown in place of the trials.",
	.flags = MP_CMD_NEEDS_INVENTORY | MP_CMD_REPORTS | MP_CMD_MUTATES,
	.run = run,
};
