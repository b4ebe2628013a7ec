/* SPDX-License-Identifier: GPL-3.0-or-later */
/* main: options, the command, and the exit status. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cli/context.h"

#define EXIT_USAGE 1
#define EXIT_BUG 70
#define EXIT_INTERRUPTED 130

/* The one thing that a signal handler may reach; set before the handlers are. */
static atomic_bool *cancel_flag;

static void on_signal(int sig)
{
	if (atomic_exchange(cancel_flag, true))
		_exit(128 + sig); /* the second time: at once */
}

static void catch_signals(atomic_bool *flag)
{
	struct sigaction stop = { .sa_handler = on_signal }, ignore = { .sa_handler = SIG_IGN };

	cancel_flag = flag;
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static int complain(const struct mp_err *err, int status)
{
	fprintf(stderr, "migprep: %s\n", err->text);
	return status;
}

/* Ends a command that has findings: reports, and the status that they give. */
static int conclude(struct mp_cli *cli, int status, mp_ms began)
{
	struct mp_err err = { 0 };

	cli->run.duration_ms = mp_now() - began;
	cli->run.interrupted = atomic_load(&cli->cancel);
	if (cli->command->flags & MP_CMD_REPORTS) {
		if (mp_cli_reports_write(cli, &err) < 0)
			return complain(&err, EXIT_USAGE);
		if (status == 0)
			status = mp_run_exit_status(&cli->run);
	}
	return cli->run.interrupted ? EXIT_INTERRUPTED : status;
}

static int run_command(struct mp_cli *cli, struct mp_strv *words)
{
	const char *const *args = (const char *const *)words->v + 1;
	mp_ms began = mp_now();
	struct mp_err err = { 0 };

	cli->run.command = cli->command->name;
	cli->run.version = PACKAGE_VERSION;
	cli->run.started = time(NULL);
	cli->run.dry_run = cli->opt.dry_run;
	if (cli->command->flags & MP_CMD_NEEDS_INVENTORY)
		if (mp_cli_load(cli, args, words->n - 1, &err) < 0 ||
		    mp_cli_reports_open(cli, &err) < 0)
			return complain(&err, EXIT_USAGE);
	catch_signals(&cli->cancel);
	return conclude(cli, cli->command->run(cli, (int)words->n - 1, words->v + 1), began);
}

int main(int argc, char **argv)
{
	mp_auto_strv struct mp_strv words = { 0 };
	struct mp_cli cli = { .stderr_tty = isatty(STDERR_FILENO) };
	struct mp_err err = { 0 };
	int status;

	/* Keys pass through this memory. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	if (mp_options_parse(argc, argv, &cli.opt, &words, &err) < 0)
		return complain(&err, EXIT_USAGE);
	if (cli.opt.version) {
		printf("migprep %s\n", PACKAGE_VERSION);
		return 0;
	}
	if (words.n == 0) {
		mp_cli_usage(cli.opt.help ? stdout : stderr);
		return cli.opt.help ? 0 : EXIT_USAGE;
	}
	cli.command = mp_cli_find_command(words.v[0], &err);
	if (!cli.command)
		return complain(&err, EXIT_USAGE);
	if (cli.opt.help) {
		mp_cli_usage_of(stdout, cli.command);
		return 0;
	}
	status = run_command(&cli, &words);
	mp_cli_fini(&cli);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "migprep: standard output: %s\n", strerror(errno));
		return EXIT_USAGE;
	}
	return status;
}
