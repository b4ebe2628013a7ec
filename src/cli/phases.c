/* SPDX-License-Identifier: GPL-3.0-or-later */
/* phases: mesh and verify with their progress. */
#include "config.h"
#include "cli/context.h"

#include "mesh/mesh.h"
#include "migrate/verify.h"

int mp_cli_mesh(struct mp_cli *cli, struct mp_err *err)
{
	cli->fleet.on_done = NULL;
	mp_cli_say(cli, "mesh: every host tries every other one");
	return mp_mesh_run(&cli->fleet, &cli->world, &cli->run, err);
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
