/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/words: texts that every format shares: cleaning of what hosts said, and the verdict. */
#ifndef MP_REPORT_WORDS_H
#define MP_REPORT_WORDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "model/run.h"

/*
 * s as valid UTF-8 that neither moves a terminal's cursor nor breaks XML: control characters,
 * direction overrides and invalid bytes become '?'; a tab becomes a blank, and so does a newline
 * unless lines is set. Cut at max bytes with "..." (0: no limit). NULL counts as "". The heap
 * string belongs to the caller.
 */
char *mp_report_clean(const char *s, size_t max, bool lines);

/* A JSON string of the same with newlines kept; never NULL. */
json_t *mp_report_json_text(const char *s);

/* One word and what stands for it in a text that is said of many hosts. */
struct mp_report_own {
	const char *word; /* NULL or "": none */
	const char *mark;
};

/* text with each whole word replaced by its mark; the heap string belongs to the caller. */
char *mp_report_own(const char *text, const struct mp_report_own *own, size_t n);

/* What an exit status of mp_run_exit_status() says, as a clause without a full stop. */
const char *mp_report_verdict(int exit_status);

struct mp_report_counts {
	size_t statuses[MP_N_STATUS];
	size_t hosts, selected, reached; /* reached: of those selected */
	size_t pairs, pairs_tried, pairs_failed;
	size_t moves, moves_ok;
	size_t applied, applied_failed; /* resources of a host */
};
void mp_report_count(const struct mp_run *run, struct mp_report_counts *ret);

/* True if a trial of the pair failed. */
bool mp_report_pair_failed(const struct mp_pair *p);

#endif
