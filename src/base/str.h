/* SPDX-License-Identifier: GPL-3.0-or-later */
/* str: string lists, nearest words, host ranges. Pure. */
#ifndef MP_BASE_STR_H
#define MP_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct mp_strv {
	char **v; /* owned array of owned strings, NULL after the last */
	size_t n;
};

#define mp_auto_strv __attribute__((cleanup(mp_strv_fini)))

void mp_strv_fini(struct mp_strv *l);
void mp_strv_add(struct mp_strv *l, const char *s);       /* copies */
void mp_strv_take(struct mp_strv *l, char *s);            /* takes ownership of a heap string */
bool mp_strv_has(const struct mp_strv *l, const char *s); /* exact match */
void mp_strv_sort(struct mp_strv *l);                     /* natural order: h2 before h10 */

bool mp_str_eq(const char *a, const char *b); /* NULL equals only NULL */

/* strcmp with runs of digits compared as numbers. */
int mp_str_natcmp(const char *a, const char *b);

/* Appends the words of s, separated by any of seps, empty ones left out. */
void mp_str_split(const char *s, const char *seps, struct mp_strv *ret);

/* Whether the bytes are UTF-8 without control characters (a tab is none). */
bool mp_str_is_text(const char *s, size_t size);

/* Makes s so in place: line ends and tabs become spaces, other bytes that are no text become '?'.
 */
void mp_str_clean(char *s);

/* Whole string as a decimal number in min..max; 0 or -1 with *ret untouched. */
int mp_str_long(const char *s, long min, long max, long *ret);

/* The word of words (n of them) nearest to s by edit distance, or NULL if none is near. */
const char *mp_str_nearest(const char *s, const char *const *words, size_t n);

/*
 * How many names mp_range_expand() would make of s, without making them; a number that does not fit
 * is SIZE_MAX. MP_E_INPUT for a bad range.
 */
int mp_range_count(const char *s, size_t *ret_n, struct mp_err *err);

/*
 * Expands "compute[01-20,25]-mig" to its names in order, zero padding kept; a text without brackets
 * to itself. Several bracket groups (at most 8) multiply. MP_E_INPUT for a bad range, MP_E_LIMIT
 * beyond limit names (counting what ret holds already). On error ret is as before.
 */
int mp_range_expand(const char *s, size_t limit, struct mp_strv *ret, struct mp_err *err);

/*
 * Folds names to the shortest bracket form, "compute[001-098],db1"; the inverse of the expansion up
 * to order. The heap string belongs to the caller.
 */
char *mp_range_fold(const struct mp_strv *names);

#endif
