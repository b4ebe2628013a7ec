/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * check: a pure judgement over facts. It opens nothing, prints nothing. One file, one descriptor,
 * one vector file (tests/check/ID.vec), one man item each.
 */
#ifndef MP_CHECK_CHECK_H
#define MP_CHECK_CHECK_H

#include "model/finding.h"
#include "model/world.h"

struct mp_check {
	const char *id;
	const char *summary;
	const char *prevents;
	const char *checked;
	const char *remedy;
	const char *source;
	enum mp_scope scope;
	unsigned roles;           /* host and pair scope: hosts it applies to; 0 means all */
	const char *const *needs; /* observer ids, NULL-terminated */

	/*
	 * Adds findings with this id, MP_OK included: one per host (scope host: h set, peer NULL),
	 * per directed pair (h, peer), or for the cluster (both NULL; findings may name single
	 * hosts). The caller has made sure that every needed fact is there for h and peer; for the
	 * cluster, look with mp_world_fact().
	 */
	void (*judge)(const struct mp_world *w, const struct mp_host *h, const struct mp_host *peer,
		      struct mp_findings *out);

	/*
	 * Pair scope: what of a host the judgement goes by, as a text (heap); hosts with the same
	 * text are not told apart, so that 1000 equal hosts cost one judgement. NULL: nothing can
	 * be said about this host because of something that another check reports; *ret_why says
	 * what.
	 */
	char *(*class_of)(const struct mp_world *w, const struct mp_host *h, const char **ret_why);
};

extern const struct mp_check *const mp_checks[]; /* NULL-terminated; generated from checks.mk */

/*
 * Runs every check over the selected hosts, and turns missing facts into MP_UNKNOWN of that host.
 * Hosts that were not reached are passed over; what is said about the cluster names them. Pairs:
 * only those that are not MP_OK get a finding of their own; when all are in order, one finding of
 * the cluster says so. Pure.
 */
void mp_checks_judge(const struct mp_world *w, struct mp_findings *out);

#endif
