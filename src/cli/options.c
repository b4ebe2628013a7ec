/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "cli/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "report/report.h"

#define LEFT_WIDTH 30 /* of --help: "    --connect-timeout SECONDS" */

static int set_inventory(struct mp_options *o, const char *v, struct mp_err *err)
{
	(void)err;
	o->inventory = v;
	return 0;
}

static int set_profile(struct mp_options *o, const char *v, struct mp_err *err)
{
	(void)err;
	o->profile = v;
	return 0;
}

static int set_set(struct mp_options *o, const char *v, struct mp_err *err)
{
	(void)err;
	mp_strv_add(&o->set, v);
	return 0;
}

static int set_report(struct mp_options *o, const char *v, struct mp_err *err)
{
	const char *colon = strchr(v, ':'), *words[16];
	mp_auto_free char *format = colon ? mp_xstrndup(v, (size_t)(colon - v)) : mp_xstrdup(v);
	const char *near;
	size_t n = 0;

	for (; mp_reports[n] && n < MP_N_ELEMS(words); n++) {
		words[n] = mp_reports[n]->name;
		if (strcmp(format, words[n]) != 0)
			continue;
		if (!colon || !colon[1])
			return mp_err_set(err, MP_E_INPUT, "write --report %s:FILE (FILE may be -)",
					  format);
		o->reports = mp_xreallocarray(o->reports, o->n_reports + 1, sizeof(*o->reports));
		o->reports[o->n_reports++] = (struct mp_report_out){
			.report = mp_reports[n],
			.path = mp_xstrdup(colon + 1),
		};
		return 0;
	}
	near = mp_str_nearest(format, words, n);
	return mp_err_set(err, MP_E_INPUT, "no report format '%s'; did you mean '%s'?", format,
			  near ? near : words[0]);
}

static int set_number(const char *name, const char *v, long min, long max, long *ret,
		      struct mp_err *err)
{
	if (mp_str_long(v, min, max, ret) == 0)
		return 0;
	return mp_err_set(err, MP_E_INPUT, "--%s '%s': give a number from %ld to %ld", name, v, min,
			  max);
}

static int set_forks(struct mp_options *o, const char *v, struct mp_err *err)
{
	return set_number("forks", v, 1, 1024, &o->forks, err);
}

static int set_timeout(struct mp_options *o, const char *v, struct mp_err *err)
{
	return set_number("timeout", v, 1, 86400, &o->timeout_s, err);
}

static int set_connect_timeout(struct mp_options *o, const char *v, struct mp_err *err)
{
	return set_number("connect-timeout", v, 1, 3600, &o->connect_timeout_s, err);
}

static int set_ssh_config(struct mp_options *o, const char *v, struct mp_err *err)
{
	(void)err;
	o->ssh_config = v;
	return 0;
}

static int set_color(struct mp_options *o, const char *v, struct mp_err *err)
{
	static const char *const words[] = { "auto", "always", "never" };

	for (size_t i = 0; i < MP_N_ELEMS(words); i++)
		if (strcmp(v, words[i]) == 0) {
			o->colour = (enum mp_colour)i;
			return 0;
		}
	return mp_err_set(err, MP_E_INPUT, "--color '%s': give auto, always or never", v);
}

#define FLAG(field)                                                                                \
	static int set_##field(struct mp_options *o, const char *v, struct mp_err *err)            \
	{                                                                                          \
		(void)v;                                                                           \
		(void)err;                                                                         \
		o->field = true;                                                                   \
		return 0;                                                                          \
	}
FLAG(dry_run)
FLAG(local)
FLAG(verbose)
FLAG(quiet)
FLAG(help)
FLAG(version)
FLAG(list)

const struct mp_option mp_options[] = {
	{ 'i', "inventory", "FILE",
	  "hosts (default: $MIGPREP_INVENTORY, /etc/migprep/inventory.ini)", set_inventory },
	{ 'p', "profile", "NAME", "what a host must look like: a name or a path", set_profile },
	{ 's', "set", "S.KEY=VALUE", "one profile parameter; may be repeated", set_set },
	{ 'r', "report", "FORMAT:FILE",
	  "also write a report; may be repeated; - is standard output", set_report },
	{ 'n', "dry-run", NULL, "apply, run: show what would change, and change nothing",
	  set_dry_run },
	{ 'l', "local", NULL, "this machine only, without SSH (for configuration management)",
	  set_local },
	{ 'f', "forks", "N", "hosts talked to at once (default 64)", set_forks },
	{ 't', "timeout", "SECONDS", "one conversation with one host (default 60)", set_timeout },
	{ 0, "connect-timeout", "SECONDS", "TCP connect and SSH handshake of one host (default 10)",
	  set_connect_timeout },
	{ 'F', "ssh-config", "FILE", "configuration file for ssh, as in ssh -F", set_ssh_config },
	{ 0, "list", NULL, "explain: every id, one a line", set_list },
	{ 0, "color", "WHEN", "auto, always or never (default auto; NO_COLOR is honoured)",
	  set_color },
	{ 'v', "verbose", NULL, "also list what is in order", set_verbose },
	{ 'q', "quiet", NULL, "no progress, and no text report when everything is in order",
	  set_quiet },
	{ 'h', "help", NULL, "this text, or that of the command", set_help },
	{ 'V', "version", NULL, "the version", set_version },
};
const size_t mp_n_options = MP_N_ELEMS(mp_options);

/* getopt's own tables, made from ours. */
static void make_getopt(struct option longs[], char *shorts)
{
	*shorts++ = ':'; /* tell a missing argument from an unknown option */
	for (size_t i = 0; i < mp_n_options; i++) {
		const struct mp_option *o = &mp_options[i];

		longs[i] = (struct option){ .name = o->name,
					    .has_arg = o->arg ? required_argument : no_argument,
					    .val = (int)(1000 + i) };
		if (!o->letter)
			continue;
		*shorts++ = o->letter;
		if (o->arg)
			*shorts++ = ':';
	}
	*shorts = '\0';
}

static const struct mp_option *find_option(int c)
{
	for (size_t i = 0; i < mp_n_options; i++)
		if (c == (int)(1000 + i) || (mp_options[i].letter && c == mp_options[i].letter))
			return &mp_options[i];
	return NULL;
}

static int unknown_option(const char *arg, struct mp_err *err)
{
	const char *names[MP_N_ELEMS(mp_options)], *near;
	mp_auto_free char *word = NULL;

	if (strncmp(arg, "--", 2) != 0)
		return mp_err_set(err, MP_E_INPUT, "no option '%.40s'; see migprep --help", arg);
	for (size_t i = 0; i < mp_n_options; i++)
		names[i] = mp_options[i].name;
	word = mp_xstrndup(arg + 2, strcspn(arg + 2, "="));
	near = mp_str_nearest(word, names, mp_n_options);
	if (near)
		return mp_err_set(err, MP_E_INPUT, "no option '--%.40s'; did you mean '--%s'?",
				  word, near);
	return mp_err_set(err, MP_E_INPUT, "no option '--%.40s'; see migprep --help", word);
}

int mp_options_parse(int argc, char **argv, struct mp_options *ret, struct mp_strv *words,
		     struct mp_err *err)
{
	struct option longs[MP_N_ELEMS(mp_options) + 1] = { 0 };
	char shorts[2 * MP_N_ELEMS(mp_options) + 2];
	int c;

	*ret = (struct mp_options){
		.forks = MP_DEFAULT_FORKS,
		.timeout_s = MP_DEFAULT_HOST_MS / 1000,
		.connect_timeout_s = MP_DEFAULT_CONNECT_MS / 1000,
	};
	make_getopt(longs, shorts);
	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct mp_option *o = find_option(c);

		if (c == ':')
			return mp_err_set(err, MP_E_INPUT, "option '%s' needs a value",
					  argv[optind - 1]);
		if (!o && optopt && optopt < 1000 && strncmp(argv[optind - 1], "--", 2) != 0)
			return mp_err_set(err, MP_E_INPUT, "no option '-%c'; see migprep --help",
					  optopt);
		if (!o)
			return unknown_option(argv[optind - 1], err);
		if (o->set(ret, optarg, err) < 0)
			return -1;
	}
	for (; optind < argc; optind++)
		mp_strv_add(words, argv[optind]);
	return 0;
}

void mp_options_fini(struct mp_options *o)
{
	mp_strv_fini(&o->set);
	for (size_t i = 0; i < o->n_reports; i++) {
		if (o->reports[i].file && o->reports[i].file != stdout)
			fclose(o->reports[i].file);
		free(o->reports[i].path);
	}
	free(o->reports);
	*o = (struct mp_options){ 0 };
}

void mp_options_print(FILE *out)
{
	for (size_t i = 0; i < mp_n_options; i++) {
		const struct mp_option *o = &mp_options[i];
		mp_auto_free char *left =
			o->letter ? mp_xasprintf("-%c, --%s %s", o->letter, o->name,
						 o->arg ? o->arg : "")
				  : mp_xasprintf("    --%s %s", o->name, o->arg ? o->arg : "");

		fprintf(out, "  %-*s %s\n", LEFT_WIDTH, left, o->help);
	}
}
