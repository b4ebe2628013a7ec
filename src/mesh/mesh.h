/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mesh: trial of directed pairs. The hosts do the trying; here are the orders (pure), and the judging of what came
 * back (pure). The agent's side is src/agent/verb-listen.c and verb-try.c.
 */
#ifndef MP_MESH_MESH_H
#define MP_MESH_MESH_H

#include "fleet/fleet.h"
#include "model/run.h"

/*
 * Opens a listener in the migration range on every reached host, lets every selected host try every other one (a
 * tournament order, so that no host is dialled by all at once), ends the listeners, and fills run->pairs and the
 * findings "mesh-ssh" and "mesh-port" and "mesh-names" (pair scope). Pairs with a host that was not reached
 * are entered as not tried, with the reason. Returns -1 only when cancelled.
 */
int mp_mesh_run(const struct mp_fleet *fleet, struct mp_world *world, struct mp_run *run,
		struct mp_err *err);

#endif
