/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mesh/causes: why a trial failed: from what ssh said to one word, and from the word to what to do.
 * Pure. */
#ifndef MP_MESH_CAUSES_H
#define MP_MESH_CAUSES_H

#include <jansson.h>

struct mp_mesh_cause {
	const char *word;   /* "refused": trials[].cause in reports */
	const char *phrase; /* "the connection is refused" */
	const char *remedy; /* an imperative sentence */
};

/* Of one login: {"exit", "echo", "out", "err", "timed_out", "no_user", "error"}; see
 * agent/verb-try.c. NULL: it succeeded. */
const struct mp_mesh_cause *mp_mesh_ssh_cause(const json_t *trial);

/* Of one connection: {"result", "text"}. NULL: it succeeded. */
const struct mp_mesh_cause *mp_mesh_tcp_cause(const json_t *trial);

/* By word; the one for "other" for a word that is not there. */
const struct mp_mesh_cause *mp_mesh_ssh_cause_find(const char *word);
const struct mp_mesh_cause *mp_mesh_tcp_cause_find(const char *word);

#endif
