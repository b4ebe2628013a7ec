/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cli: the controller program. Options and commands are tables; --help and the man page are made
 * from (checked against) them. The only room beside agent that prints.
 */
#ifndef MP_CLI_CLI_H
#define MP_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "fleet/fleet.h"
#include "model/run.h"
#include "model/world.h"

struct mp_cli; /* one invocation: options, inventory, profile, world, fleet, run (cli/context.h) */

#define MP_CMD_NEEDS_INVENTORY (1u << 0) /* load inventory and profile first */
#define MP_CMD_MUTATES                                                                             \
	(1u << 1)                /* changes hosts: takes the controller's lock, honours --dry-run  \
				  */
#define MP_CMD_REPORTS (1u << 2) /* ends with reports and their exit status */

struct mp_command {
	const char *name;
	const char *args;    /* "[HOST...]" */
	const char *summary; /* one line, for the list */
	const char *help;    /* a paragraph, for `migprep help COMMAND` and the man page */
	unsigned flags;
	/* Exit status; ignored (taken from the run) when MP_CMD_REPORTS and 0. */
	int (*run)(struct mp_cli *cli, int argc, char **argv);
};

extern const struct mp_command
	*const mp_commands[]; /* NULL-terminated; generated from commands.mk */

#endif
