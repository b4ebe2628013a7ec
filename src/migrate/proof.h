/* SPDX-License-Identifier: GPL-3.0-or-later */
/* proof: judges a move by what was seen afterwards, and explains what libvirt said. Pure. */
#ifndef MP_MIGRATE_PROOF_H
#define MP_MIGRATE_PROOF_H

#include "migrate/engine.h"
#include "model/run.h"

/* One look at one host. */
struct mp_seen {
	bool asked; /* false: it could not be asked, and why is in err */
	struct mp_virt_err err;
	struct mp_virt_look look;
};

struct mp_proof {
	const char *source, *target; /* host names, for the texts */
	const char *name, *uuid;     /* of the guest */
	const struct mp_engine_result *call;
	long long timeout_ms;
	long long ticks_before; /* the guest's own clock on the source; -1: unreadable */
	struct mp_seen on_source, on_target; /* the last looks */
	long long ticks_first;               /* the guest's clock at the first look on the target */
	const json_t *leftovers;     /* {"processes": [...], "files": [...]}; NULL: not looked */
	const char *leftovers_error; /* why not */
};

struct mp_judgement {
	const char *outcome;   /* as in struct mp_move */
	char *reason, *remedy; /* owned; NULL when ok */
	json_t *proof;         /* owned: what was looked at and seen */
};

void mp_proof_judge(const struct mp_proof *p, struct mp_judgement *ret);
void mp_judgement_fini(struct mp_judgement *j);

/* What is behind something that libvirt said, from a table; NULL pointers when the table does not
 * know. */
struct mp_virt_cause {
	char *cause, *remedy; /* owned heap strings or NULL */
	bool before_start;    /* libvirt refused; no data was moved */
	const char *phase;    /* "begin", "prepare", "perform", "finish"; NULL: unknown */
	const char *side;     /* where the cause is: "source", "target", "either"; NULL: unknown */
	int row;              /* of the table; -1: none */
};

size_t mp_virt_n_causes(void); /* rows of the table */

void mp_virt_explain(const struct mp_virt_err *e, const char *source, const char *target,
		     struct mp_virt_cause *ret);
void mp_virt_cause_fini(struct mp_virt_cause *c);

/* Adds what is behind e to "outer", raw text kept: "outer: RAW (CAUSE)". Heap string. */
char *mp_virt_reason(const char *outer, const struct mp_virt_err *e,
		     const struct mp_virt_cause *cause);

#endif
