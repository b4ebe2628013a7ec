/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * report/fold: what is equal on many hosts is said once. Groups of equal items, host lists in
 * bracket form, sets of directed pairs as few "A -> B" lines as they allow. Pure.
 */
#ifndef MP_REPORT_FOLD_H
#define MP_REPORT_FOLD_H

#include <stddef.h>

#include "base/str.h"
#include "model/run.h"

/* Indices of items in an order where equal ones stand together; groups[g]..groups[g + 1] is group
 * g. */
struct mp_fold {
	size_t *order;
	size_t *groups; /* n_groups + 1 of them */
	size_t n_groups;
};

#define mp_auto_fold __attribute__((cleanup(mp_fold_fini)))

/*
 * Sorts the n items of `items` by cmp (indices a and b, and arg), equal ones in the order they had.
 * Takes ownership of items, a heap array.
 */
void mp_fold_make(size_t *items, size_t n, int (*cmp)(size_t a, size_t b, const void *arg),
		  const void *arg, struct mp_fold *ret);
void mp_fold_fini(struct mp_fold *f);

/* Names of the hosts, in bracket form; the heap string belongs to the caller. */
char *mp_fold_hosts(const struct mp_inventory *inv, const size_t *hosts, size_t n);

struct mp_fold_pair {
	size_t source, target;
};

/*
 * Adds lines "SOURCES -> TARGETS" that stand for exactly these pairs (no pair twice in the input).
 * A host that stands on both sides of one line is not paired with itself.
 */
void mp_fold_pairs(const struct mp_inventory *inv, const struct mp_fold_pair *pairs, size_t n,
		   struct mp_strv *ret);

/* Findings in the order of their hosts: those of host h are order[start[h]]..order[start[h + 1]].
 */
struct mp_by_host {
	size_t *order;
	size_t *start; /* n_hosts + 1 of them */
};

#define mp_auto_by_host __attribute__((cleanup(mp_by_host_fini)))

/* Host scope only. */
void mp_by_host_make(const struct mp_run *run, struct mp_by_host *ret);
void mp_by_host_fini(struct mp_by_host *b);

#endif
