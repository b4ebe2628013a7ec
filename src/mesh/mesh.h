/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mesh: trial of directed pairs. The hosts do the trying; here are the orders (pure), and the
 * judging of what came back (pure). The agent's side is src/agent/verb-listen.c and verb-try.c.
 */
#ifndef MP_MESH_MESH_H
#define MP_MESH_MESH_H

#include "fleet/fleet.h"
#include "model/run.h"

/*
 * Opens a listener at both ends of the migration range on every reached compute host, lets the
 * hosts try each other (a tournament order, so that no host is dialled by all at once), ends the
 * listeners, and fills run->pairs and the findings "mesh-ssh" and "mesh-port": by pair where
 * something failed, one for the cluster where nothing did. Pairs are those of the compute hosts
 * with a selected host on either side; a pair with a host that was not reached is entered as not
 * tried, with the reason. Of more than MP_MESH_FULL_PAIRS pairs, only those that failed keep their
 * trials. Returns -1 only when cancelled or when no thread could be started; what was tried until
 * then stays in run.
 */
int mp_mesh_run(const struct mp_fleet *fleet, struct mp_world *world, struct mp_run *run,
		struct mp_err *err);

#define MP_MESH_FULL_PAIRS 10000 /* the pairs of 100 hosts: about 10 MiB of trials */

/*
 * Tries both ends of the migration ports of target from source, both reached. 0: *ret holds one of
 * the trials, one that failed if any did; the caller releases it with mp_trial_fini(). -1: it could
 * not be tried.
 */
int mp_mesh_try_port(const struct mp_fleet *fleet, const struct mp_world *world, size_t source,
		     size_t target, struct mp_trial *ret, struct mp_err *err);

#endif
