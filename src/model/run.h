/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run: everything one invocation found; what reports are made from. Plain data. */
#ifndef MP_MODEL_RUN_H
#define MP_MODEL_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "model/finding.h"
#include "model/world.h"

/* One attempt of the mesh from source to target. */
struct mp_trial {
	char *kind;   /* "ssh", "tcp", "name" */
	char *user;   /* "root", "nova"; NULL for tcp and name */
	char *target; /* what was dialled: a name, ADDRESS:PORT */
	bool ok;
	char *cause; /* "refused", "timeout", "unreachable", "host-key", "authentication", "name",
			...; NULL if ok */
	char *text;  /* the raw message, sanitised; NULL if there is none */
	long ms;     /* how long it took */
};

struct mp_pair {
	size_t source, target; /* inventory indices */
	bool tried;            /* false: not tried, and why stands in `why` */
	char *why;
	struct mp_trial *trials;
	size_t n_trials;
};

/* One live migration. Times in ms; -1: not measured. */
struct mp_move {
	size_t source, target;
	char *mode; /* "precopy" */
	char *domain, *uuid;
	char *outcome;         /* "ok", "failed", "unproved", "aborted", "refused" */
	char *reason, *remedy; /* NULL when ok */
	char *running_on;      /* host name(s) where the guest is now; NULL: nowhere or unknown */
	long long total_ms, downtime_ms, guest_pause_ms;
	long long transferred_bytes;
	int memory_verified; /* 1 yes, 0 no, -1 not tried */
	json_t *proof;       /* object: what was looked at and seen; owned */
};

/* What apply did with one resource of one host. */
struct mp_applied {
	size_t host;
	const char *resource;
	json_t *changes;   /* [{what,before,after}]; owned */
	struct mp_err err; /* code NONE: done */
};

struct mp_run {
	const char *command; /* "check", "run", ... */
	const char *version;
	time_t started;
	long long duration_ms;
	const struct mp_world *world;
	struct mp_findings findings;
	struct mp_pair *pairs;
	size_t n_pairs, n_pairs_untried;
	struct mp_move *moves;
	size_t n_moves;
	struct mp_applied *applied;
	size_t n_applied;
	bool dry_run;
	bool interrupted;
};

void mp_run_fini(struct mp_run *r);
void mp_trial_fini(struct mp_trial *t);
void mp_pair_drop_trials(struct mp_pair *p);

struct mp_move *mp_run_add_move(struct mp_run *r); /* zeroed; times -1; valid until the next */
struct mp_pair *mp_run_add_pair(struct mp_run *r); /* zeroed; valid until the next */
struct mp_applied *mp_run_add_applied(struct mp_run *r); /* zeroed; valid until the next */

/*
 * Copies the changes that a host reports into a->changes: those that are changes, MP_MAX_CHANGES at
 * most and a line that counts the rest, each text cut at MP_MAX_CHANGE_TEXT.
 */
void mp_applied_take(struct mp_applied *a, const json_t *said);

/*
 * Exit status (man migprep.1, EXIT STATUS): 0 in order, 2 drift, 3 a check failed (or could not be
 * judged on a host that answered, or a pair failed), 4 some hosts unreachable, 5 a move failed, 6
 * apply stopped part way, 130 interrupted. The worst wins in the order 130, 6, 5, 3, 4, 2.
 */
int mp_run_exit_status(const struct mp_run *r);

#endif
