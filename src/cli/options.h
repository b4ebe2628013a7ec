/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options: the table of options, and what they were set to. --help is printed from the table. */
#ifndef MP_CLI_OPTIONS_H
#define MP_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "base/str.h"

enum mp_colour { MP_COLOUR_AUTO, MP_COLOUR_ALWAYS, MP_COLOUR_NEVER };

struct mp_report_out {
	const struct mp_report *report;
	char *path; /* "-": standard output */
	FILE *file;
};

struct mp_options {
	const char *inventory; /* path */
	const char *profile;   /* name or path; NULL: the inventory's, else nova-nfs */
	struct mp_strv set;    /* "section.key=value" */
	struct mp_report_out *reports;
	size_t n_reports;
	const char *ssh_config;
	long forks, timeout_s, connect_timeout_s;
	enum mp_colour colour;
	bool dry_run, local, verbose, quiet, help, version, list;
};

struct mp_option {
	char letter;      /* 0: long form only */
	const char *name; /* "inventory" */
	const char *arg;  /* "FILE"; NULL: none */
	const char *help;
	int (*set)(struct mp_options *o, const char *value, struct mp_err *err);
};

extern const struct mp_option mp_options[];
extern const size_t mp_n_options;

/*
 * Reads options from anywhere in argv; what is left (command, hosts) goes to words. MP_E_INPUT with
 * the nearest option for an unknown one.
 */
int mp_options_parse(int argc, char **argv, struct mp_options *ret, struct mp_strv *words,
		     struct mp_err *err);
void mp_options_fini(struct mp_options *o);

/* The table as --help shows it. */
void mp_options_print(FILE *out);

#endif
