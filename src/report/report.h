/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report: one file per format; a run in, bytes to a FILE out. Judges nothing, looks at nothing. */
#ifndef MP_REPORT_REPORT_H
#define MP_REPORT_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "model/run.h"

struct mp_report_opts {
	bool colour;  /* text: ANSI colours */
	bool verbose; /* text: also what is ok, by id */
};

struct mp_report {
	const char *name; /* "text", "json", "junit" */
	const char *summary;
	/* Returns -1 when the file could not be written. */
	int (*write)(const struct mp_run *run, const struct mp_report_opts *opts, FILE *out,
		     struct mp_err *err);
};

extern const struct mp_report *const mp_reports[]; /* NULL-terminated; generated from reports.mk */

#endif
