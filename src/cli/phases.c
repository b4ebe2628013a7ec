/* SPDX-License-Identifier: GPL-3.0-or-later */
/* phases: mesh and verify with their progress. */
#include "config.h"
#include "cli/context.h"

#include "mesh/mesh.h"
#include "migrate/verify.h"

int mp_cli_mesh(struct mp_cli *cli, struct mp_err *err)
{
	struct mp_progress progress;
	size_t total = 0;
	int rc;

	for (size_t i = 0; i < cli->inv->n_hosts; i++)
		total += cli->world.hosts[i].reached;
	mp_progress_begin(&progress, cli, "mesh");
	cli->fleet.on_done = mp_progress_host;
	cli->fleet.on_done_arg = &progress;
	rc = mp_mesh_run(&cli->fleet, &cli->world, &cli->run, err);
	mp_progress_end(&progress, total);
	return rc;
}

static void say_progress(const char *text, void *arg)
{
	mp_cli_say(arg, "verify: %s", text);
}

int mp_cli_verify(struct mp_cli *cli, struct mp_err *err)
{
	struct mp_verify_opts opts = {
		.memory_mib = mp_profile_int(cli->profile, "verify", "memory_mib"),
		.move_timeout_ms = mp_profile_int(cli->profile, "verify", "timeout_s") * 1000,
		.progress = say_progress,
		.progress_arg = cli,
	};

	cli->fleet.on_done = NULL;
	return mp_verify_run(&cli->fleet, &cli->world, &opts, &cli->run, err);
}

void mp_cli_trial(struct mp_cli *cli, int (*phase)(struct mp_cli *cli, struct mp_err *err))
{
	struct mp_err err = { 0 };

	if (mp_cli_look(cli, "look", NULL, &err) == 0)
		mp_cli_judge_reach(cli);
	if (err.code == MP_E_NONE && phase(cli, &err) < 0)
		mp_cli_say(cli, "%s: %s", cli->command->name, err.text);
}
