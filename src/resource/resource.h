/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * resource: something of a host that is kept in a wanted state. One file, one descriptor each;
 * table order (resources.mk) is the order of application.
 *
 *   controller: params()            what to look at (from inventory and profile alone)
 *   agent:      observe(params)     the fact
 *   controller: want(world, host)   the wanted state, once the facts of all hosts are there
 *   both:       diff(fact, want)    pure; the finding, the dry run, and what apply works off
 *   agent:      apply(...)          makes the fact as wanted in one call; a second diff is empty
 *
 * The agent runs observe, diff, apply, observe, diff; a diff that is not empty after apply is an
 * error.
 */
#ifndef MP_RESOURCE_RESOURCE_H
#define MP_RESOURCE_RESOURCE_H

#include <jansson.h>

#include "base/err.h"
#include "host/host.h"
#include "model/finding.h"
#include "model/world.h"

struct mp_resource {
	const char *id;       /* also file name, symbol, man item, JSON id */
	const char *summary;  /* a noun phrase: "known_hosts of root and nova over all names" */
	const char *prevents; /* what goes wrong without it, with the message a user would meet */
	const char *checked;  /* how it is looked at */
	const char *remedy;   /* what to do by hand, imperative */
	const char *source;   /* the document and step, or the program's source, it comes from */
	unsigned roles;       /* enum mp_role: hosts it applies to; 0 means all */
	int stage;            /* 0: needs facts of this host only; 1: needs facts of its peers */

	/* New reference, or NULL when nothing has to be said. Pure. */
	json_t *(*params)(const struct mp_world *w, const struct mp_host *h);

	/* Looks, changes nothing. On success a new reference in *ret. */
	int (*observe)(struct mp_sys *sys, const json_t *params, json_t **ret, struct mp_err *err);

	/*
	 * New reference: the wanted state for diff() and apply(). {"skip": REASON} when it does not
	 * apply here; {"fail": REASON, "remedy": TEXT} when it cannot even be wanted. Pure.
	 */
	json_t *(*want)(const struct mp_world *w, const struct mp_host *h);

	/* Pure, and the same on both sides. "skip" and "fail" of want are handled by the caller. */
	void (*diff)(const json_t *fact, const json_t *want, struct mp_diff *ret);

	/*
	 * Makes it so. Called only when diff() said MP_DRIFT. Changes files through host/host.h
	 * only (journal, atomic replacement). On error what was done stays journalled.
	 */
	int (*apply)(struct mp_sys *sys, const json_t *params, const json_t *fact,
		     const json_t *want, struct mp_err *err);
};

extern const struct mp_resource *const mp_resources[]; /* NULL-terminated; generated */

const struct mp_resource *mp_resource_find(const char *id); /* NULL: no such id */

/* diff() with the common answers of want ("skip", "fail") and a missing fact handled. Pure. */
void mp_resource_diff(const struct mp_resource *r, const json_t *fact, const char *fact_error,
		      const json_t *want, struct mp_diff *ret);

#endif
