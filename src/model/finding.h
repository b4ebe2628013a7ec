/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * finding: one verdict about a host, a directed pair or the cluster, with a reason and a remedy.
 * diff: what separates a resource of one host from what is wanted; it becomes one finding.
 */
#ifndef MP_MODEL_FINDING_H
#define MP_MODEL_FINDING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum mp_status {
	MP_OK,      /* as it should be */
	MP_SKIP,    /* does not apply here; the reason says why */
	MP_WARN,    /* works, but somebody should know; does not change the exit status */
	MP_DRIFT,   /* differs, and apply would mend it */
	MP_UNKNOWN, /* could not be found out */
	MP_FAIL,    /* wrong, and migprep cannot (or may not) mend it */
};
#define MP_N_STATUS 6

enum mp_scope {
	MP_SCOPE_HOST,
	MP_SCOPE_PAIR,    /* host -> peer, directed */
	MP_SCOPE_CLUSTER, /* all hosts together */
};

/* "ok", "skip", "warn", "drift", "unknown", "fail". */
const char *mp_status_name(enum mp_status s);

/* One difference, in words. Secrets are never put here: a key is named by its fingerprint. */
struct mp_change {
	char *what;   /* "/etc/nova/nova.conf [vnc] server_listen" */
	char *before; /* NULL: absent */
	char *after;  /* NULL: to be removed */
};

struct mp_diff {
	enum mp_status status; /* starts as MP_OK */
	enum mp_status told;   /* of reason: lower than status where changes made it worse */
	char *reason;          /* NULL while MP_OK, or made from the changes */
	char *remedy;
	struct mp_change *changes;
	size_t n_changes;
};

#define mp_auto_diff __attribute__((cleanup(mp_diff_fini)))

void mp_diff_init(struct mp_diff *d);
void mp_diff_fini(struct mp_diff *d);

/* Adds a difference; the status becomes at least MP_DRIFT. Texts are copied. */
void mp_diff_change(struct mp_diff *d, const char *what, const char *before, const char *after);

/*
 * Sets the verdict if it is worse than the present one; adds reason and remedy to those that are
 * there
 * ("A; B", each once, up to a limit) if it is as bad. remedy may be NULL. Texts are copied.
 */
void mp_diff_verdict(struct mp_diff *d, enum mp_status status, const char *remedy,
		     const char *reason_fmt, ...) __attribute__((format(printf, 4, 5)));

struct mp_finding {
	const char *id; /* of the check or resource; static */
	enum mp_scope scope;
	ssize_t host, peer; /* inventory indices; -1: none */
	enum mp_status status;
	char *reason;    /* "" when there is nothing to say */
	char *remedy;    /* "" likewise; an imperative sentence */
	json_t *changes; /* [{what,before,after}] or NULL; owned */
	json_t *data;    /* machine-readable detail or NULL; owned */
};

struct mp_findings {
	struct mp_finding *v;
	size_t n;
};

void mp_findings_fini(struct mp_findings *f);

/*
 * Adds a finding and returns it (valid until the next addition). reason may be NULL; remedy may be
 * NULL. peer -1 for host scope, both -1 for the cluster.
 */
struct mp_finding *mp_findings_add(struct mp_findings *f, const char *id, enum mp_scope scope,
				   ssize_t host, ssize_t peer, enum mp_status status,
				   const char *remedy, const char *reason_fmt, ...)
	__attribute__((format(printf, 8, 9)));

/* Adds the diff of a resource on a host as a finding. */
struct mp_finding *mp_findings_add_diff(struct mp_findings *f, const char *id, ssize_t host,
					const struct mp_diff *d);

#endif
