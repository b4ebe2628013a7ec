/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "cli/context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "report/report.h"

#define DEFAULT_INVENTORY "/etc/migprep/inventory.ini"
#define DEFAULT_PROFILE "nova-nfs"

static int load_profile(struct mp_cli *cli, struct mp_err *err)
{
	const char *env = getenv("MIGPREP_PROFILE_PATH"), *name = cli->opt.profile;
	const char *dirs[] = { env, "/etc/migprep/profiles", MP_DATADIR "/profiles" };
	size_t skip = env ? 0 : 1;

	if (!name)
		name = cli->inv->profile ? cli->inv->profile : DEFAULT_PROFILE;
	if (mp_profile_load(name, dirs + skip, MP_N_ELEMS(dirs) - skip, &cli->profile, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->inv->set.n; i++)
		if (mp_profile_set(cli->profile, cli->inv->set.v[i], cli->inv->set_places.v[i],
				   err) < 0)
			return -1;
	for (size_t i = 0; i < cli->opt.set.n; i++)
		if (mp_profile_set(cli->profile, cli->opt.set.v[i], "--set", err) < 0)
			return -1;
	return mp_profile_validate(cli->profile, err);
}

/* --local: exactly one host, the one that is this machine or that was named. */
static int select_local(struct mp_cli *cli, const char *const *words, size_t n_words, bool *mask,
			struct mp_err *err)
{
	char name[256] = "";
	const char *self[] = { name };
	size_t n = 0, index = 0;

	gethostname(name, sizeof(name) - 1);
	if (n_words == 0 && mp_inventory_select(cli->inv, self, 1, mask, err) < 0)
		return mp_err_set(
			err, MP_E_INPUT,
			"%s: --local: this machine calls itself '%s', which is no host of the "
			"inventory; name the host: migprep --local %s HOST",
			cli->inv->path, name, cli->command->name);
	if (n_words > 0 && mp_inventory_select(cli->inv, words, n_words, mask, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->inv->n_hosts; i++)
		if (mask[i]) {
			n++;
			index = i;
		}
	if (n != 1)
		return mp_err_set(err, MP_E_INPUT, "--local takes exactly one host, not %zu", n);
	cli->inv->hosts[index].transport = MP_TRANSPORT_LOCAL;
	return 0;
}

static int select_hosts(struct mp_cli *cli, const char *const *words, size_t n_words,
			struct mp_err *err)
{
	mp_auto_free bool *mask = mp_xcalloc(cli->inv->n_hosts, sizeof(*mask));

	if (cli->opt.local) {
		if (select_local(cli, words, n_words, mask, err) < 0)
			return -1;
	} else if (mp_inventory_select(cli->inv, words, n_words, mask, err) < 0) {
		return -1;
	}
	for (size_t i = 0; i < cli->inv->n_hosts; i++)
		cli->world.hosts[i].selected = mask[i];
	return 0;
}

static const char *inventory_path(const struct mp_cli *cli)
{
	const char *env = getenv("MIGPREP_INVENTORY");

	if (cli->opt.inventory)
		return cli->opt.inventory;
	return env && *env ? env : DEFAULT_INVENTORY;
}

/* What is not there cannot be mended by editing it: say how another one is named. */
static int check_inventory(const char *path, struct mp_err *err)
{
	if (access(path, F_OK) == 0 || errno != ENOENT)
		return 0;
	return mp_err_set(err, MP_E_INPUT,
			  "no inventory: %s does not exist; name one with -i FILE or in "
			  "$MIGPREP_INVENTORY",
			  path);
}

/* Said once here, and not by ssh for each host. "none" stands for no file: ssh(1), -F. */
static int check_ssh_config(const char *path, struct mp_err *err)
{
	if (path && strcmp(path, "none") != 0 && access(path, R_OK) < 0)
		return mp_err_sys(err, errno, "--ssh-config %s", path);
	return 0;
}

int mp_cli_load(struct mp_cli *cli, const char *const *words, size_t n_words, struct mp_err *err)
{
	const char *agent_dir = getenv("MIGPREP_AGENT_DIR");

	if (check_ssh_config(cli->opt.ssh_config, err) < 0 ||
	    check_inventory(inventory_path(cli), err) < 0 ||
	    mp_inventory_load(inventory_path(cli), &cli->inv, err) < 0 ||
	    load_profile(cli, err) < 0)
		return -1;
	cli->world = (struct mp_world){
		.inv = cli->inv,
		.profile = cli->profile,
		.hosts = mp_xcalloc(cli->inv->n_hosts, sizeof(*cli->world.hosts)),
	};
	cli->run.world = &cli->world;
	if (select_hosts(cli, words, n_words, err) < 0 ||
	    mp_bundle_load(agent_dir && *agent_dir ? agent_dir : MP_AGENTDIR, &cli->bundle, err) <
		    0)
		return -1;
	cli->dial = (struct mp_dial){
		.connect_timeout_ms = cli->opt.connect_timeout_s * 1000,
		.ssh_program = "ssh",
		.ssh_config = cli->opt.ssh_config,
		.cancel = &cli->cancel,
	};
	cli->fleet = (struct mp_fleet){
		.dial = &cli->dial,
		.bundle = &cli->bundle,
		.inv = cli->inv,
		.forks = (size_t)cli->opt.forks,
		.host_timeout_ms = cli->opt.timeout_s * 1000,
	};
	return 0;
}

void mp_cli_fini(struct mp_cli *cli)
{
	mp_run_fini(&cli->run);
	mp_world_fini(&cli->world);
	mp_bundle_fini(&cli->bundle);
	mp_profile_free(cli->profile);
	mp_inventory_free(cli->inv);
	mp_options_fini(&cli->opt);
}

static bool want_colour(const struct mp_cli *cli, FILE *out)
{
	const char *no = getenv("NO_COLOR");

	switch (cli->opt.colour) {
	case MP_COLOUR_ALWAYS:
		return true;
	case MP_COLOUR_NEVER:
		return false;
	case MP_COLOUR_AUTO:
		break;
	}
	return !(no && *no) && isatty(fileno(out));
}

int mp_cli_reports_open(struct mp_cli *cli, struct mp_err *err)
{
	for (size_t i = 0; i < cli->opt.n_reports; i++) {
		struct mp_report_out *r = &cli->opt.reports[i];

		r->file = strcmp(r->path, "-") == 0 ? stdout : fopen(r->path, "we");
		if (!r->file)
			return mp_err_sys(err, errno, "--report %s:%s", r->report->name, r->path);
	}
	return 0;
}

/* The text report goes to standard output, unless a report was asked for there or all is quiet. */
static bool text_wanted(const struct mp_cli *cli)
{
	for (size_t i = 0; i < cli->opt.n_reports; i++)
		if (cli->opt.reports[i].file == stdout)
			return false;
	return !cli->opt.quiet || mp_run_exit_status(&cli->run) != 0;
}

static const struct mp_report *text_report(void)
{
	for (size_t i = 0; mp_reports[i]; i++)
		if (strcmp(mp_reports[i]->name, "text") == 0)
			return mp_reports[i];
	abort();
}

int mp_cli_reports_write(struct mp_cli *cli, struct mp_err *err)
{
	struct mp_report_opts opts = { .verbose = cli->opt.verbose,
				       .colour = want_colour(cli, stdout) };

	if (text_wanted(cli) && text_report()->write(&cli->run, &opts, stdout, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->opt.n_reports; i++) {
		struct mp_report_out *r = &cli->opt.reports[i];

		opts.colour = r->file == stdout && want_colour(cli, stdout);
		if (r->report->write(&cli->run, &opts, r->file, err) < 0)
			return mp_err_wrap(err, "--report %s:%s", r->report->name, r->path);
		if (fflush(r->file) != 0)
			return mp_err_sys(err, errno, "--report %s:%s", r->report->name, r->path);
	}
	return 0;
}
