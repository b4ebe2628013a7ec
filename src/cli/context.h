/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * context: one invocation, from options to exit status, and the phases that commands are made of.
 * Single thread but for what fleet calls back, which the phases lock.
 */
#ifndef MP_CLI_CONTEXT_H
#define MP_CLI_CONTEXT_H

#include <stdatomic.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "resource/resource.h"

struct mp_cli {
	struct mp_options opt;
	const struct mp_command *command;
	struct mp_inventory *inv;
	struct mp_profile *profile;
	struct mp_world world;
	struct mp_dial dial;
	struct mp_bundle bundle;
	struct mp_fleet fleet;
	struct mp_run run;
	atomic_bool cancel;
	bool stderr_tty;
};

/* Loads inventory, profile and agent, and selects words (hosts, groups; none: all). */
int mp_cli_load(struct mp_cli *cli, const char *const *words, size_t n_words, struct mp_err *err);
void mp_cli_fini(struct mp_cli *cli);

/* ---- phases; each prints its progress on standard error; -1 only when cancelled or on a bug ----
 */

/* Looks at the hosts of mask (NULL: all that this run may contact) and merges their facts. */
int mp_cli_look(struct mp_cli *cli, const char *what, const bool *mask, struct mp_err *err);

/* Replaces the findings of reach, resources and checks by those of the present facts. Pure but for
 * memory. */
void mp_cli_judge(struct mp_cli *cli);
void mp_cli_judge_reach(struct mp_cli *cli); /* only who answered */
/*
 * What is said of a host that did not answer: an error "CAUSE; REMEDY" is taken apart, another one
 * gets a remedy by its code. Heap strings. Pure.
 */
void mp_cli_reach_texts(const struct mp_err *e, char **ret_reason, char **ret_remedy);

/* Brings the selected hosts into line by stages, then looks again where something was changed. */
int mp_cli_change(struct mp_cli *cli, struct mp_err *err);

int mp_cli_mesh(struct mp_cli *cli, struct mp_err *err);
int mp_cli_verify(struct mp_cli *cli, struct mp_err *err);

/* A command that is one trial: looks who answers, then runs the phase; says what ended it early. */
void mp_cli_trial(struct mp_cli *cli, int (*phase)(struct mp_cli *cli, struct mp_err *err));

/* Whether a resource applies to a host, by its roles. */
bool mp_cli_applies(const struct mp_resource *r, const struct mp_host *h);

/* ---- progress ---- */

/* A line on standard error, unless --quiet. */
void mp_cli_say(const struct mp_cli *cli, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

struct mp_progress {
	struct mp_cli *cli;
	const char *what;
	mp_ms started, drawn, last_ms;
	size_t failed;
	const char *last; /* the host that ended last, last_ms after the beginning */
};
void mp_progress_begin(struct mp_progress *p, struct mp_cli *cli, const char *what);
void mp_progress_end(struct mp_progress *p, size_t total);
/* For mp_fleet.on_done; arg is the struct mp_progress. */
void mp_progress_host(const struct mp_host *h, const struct mp_err *err, size_t done, size_t total,
		      void *arg);

/* ---- help, from the tables ---- */

void mp_cli_usage(FILE *out);
void mp_cli_usage_of(FILE *out, const struct mp_command *c);
/* The command of that name; NULL with *err naming the nearest one. */
const struct mp_command *mp_cli_find_command(const char *word, struct mp_err *err);

/* ---- reports ---- */

/* Opens every --report file, so that a bad path ends the run before any host is contacted. */
int mp_cli_reports_open(struct mp_cli *cli, struct mp_err *err);
/* Writes text to standard output and all the others. Returns -1 if one could not be written. */
int mp_cli_reports_write(struct mp_cli *cli, struct mp_err *err);

#endif
