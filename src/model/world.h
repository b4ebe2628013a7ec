/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * world: all that is known when judging: inventory, profile, and the facts of every host.
 * Facts are JSON, by observer id (sample or resource). An observer that failed left {"error":
 * {"code": WORD, "text": TEXT}} in its place. Equal facts of many hosts share one tree, so treat
 * them as read-only.
 */
#ifndef MP_MODEL_WORLD_H
#define MP_MODEL_WORLD_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "model/inventory.h"
#include "model/profile.h"

struct mp_host_state {
	bool selected;     /* the operator asked for it */
	bool reached;      /* facts hold what it answered */
	struct mp_err err; /* why it was not reached; code NONE if it was not asked */
	json_t *facts;     /* object by observer id; NULL if never reached; owned by the world */
};

struct mp_world {
	const struct mp_inventory *inv;
	const struct mp_profile *profile;
	struct mp_host_state *hosts;  /* inv->n_hosts of them; owned (heap) */
	struct mp_interned *interned; /* private: the trees that hosts share */
};

/* The fact of an observer on a host, or NULL if the host was not reached or the observer failed. */
const json_t *mp_world_fact(const struct mp_world *w, size_t host, const char *id);

/* The text of the observer's error, or of the host's; NULL if the fact is there. */
const char *mp_world_fact_error(const struct mp_world *w, size_t host, const char *id);

/*
 * Replaces the facts named in facts (an object by observer id). Trees are shared, with facts and
 * with equal ones of other hosts, so nobody changes them afterwards. Not thread-safe: call it under
 * the lock that guards the world.
 */
void mp_world_merge(struct mp_world *w, size_t host, const json_t *facts);

/* Forgets all that a host said. */
void mp_world_forget(struct mp_world *w, size_t host);

/* Releases the facts, the shared trees and the hosts array; inventory and profile stay the
 * caller's. */
void mp_world_fini(struct mp_world *w);

/*
 * Every name that libvirt or Nova may dial for a host: name, address, migration address, aliases,
 * what the host itself said (short host name, FQDN; "identity" fact) where the first label is one
 * that the inventory has for it and no other host says the same, and what its nova.conf tells
 * Nova to dial ("dial" in the fact "nova-conf"). Without duplicates, loopback and "localhost"
 * names; what another host of the inventory owns is left out, and so is what more than one
 * nova.conf claims (the packager's my_ip), and a word of the host that is no valid name. Sorted.
 */
void mp_world_names(const struct mp_world *w, size_t host, struct mp_strv *ret);

/* JSON conveniences: the member, or the default when absent or of another type. */
const char *mp_json_str(const json_t *o, const char *key, const char *def);
long long mp_json_int(const json_t *o, const char *key, long long def);
bool mp_json_bool(const json_t *o, const char *key, bool def);

#endif
