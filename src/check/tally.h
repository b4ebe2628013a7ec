/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tally: which hosts have which value; for checks that compare many hosts. Pure. */
#ifndef MP_CHECK_TALLY_H
#define MP_CHECK_TALLY_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/str.h"

struct mp_tally {
	struct mp_tally_row {
		char *value;
		struct mp_strv hosts;
	} * v;
	size_t n;
	json_t *index; /* value: row number */
};

#define mp_auto_tally __attribute__((cleanup(mp_tally_fini)))

void mp_tally_fini(struct mp_tally *t);
void mp_tally_add(struct mp_tally *t, const char *value, const char *host);

/* The row with more hosts than any other; -1 if there is none. */
ssize_t mp_tally_most(const struct mp_tally *t);

/* "h[1-3] VERB A; h4 VERB B": rows with at least min hosts, without row skip (-1: none left out).
 * Heap. */
char *mp_tally_text(const struct mp_tally *t, const char *verb, size_t min, ssize_t skip);

/* {VALUE: [HOST...]} of rows with at least min hosts. New reference. */
json_t *mp_tally_json(const struct mp_tally *t, size_t min);

/* Rows with at least two hosts. */
size_t mp_tally_shared(const struct mp_tally *t);

#endif
