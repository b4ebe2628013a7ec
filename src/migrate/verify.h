/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * verify: live-migrate a guest of our own round the ring of hosts and prove each move. The only
 * caller of libvirt is migrate/virt.c.
 */
#ifndef MP_MIGRATE_VERIFY_H
#define MP_MIGRATE_VERIFY_H

#include "fleet/fleet.h"
#include "model/run.h"

struct mp_verify_opts {
	long memory_mib;       /* guest size */
	mp_ms move_timeout_ms; /* abort a move after this */
	/* For progress lines on standard error: one short sentence at a time; may be NULL. */
	void (*progress)(const char *text, void *arg);
	void *progress_arg;
};

/*
 * Hosts: the selected and reached compute hosts. N hosts give a ring h0 -> h1 -> ... -> h0, so that
 * each is a source and a target; two hosts give there and back. Adds moves to run, and findings (id
 * "verify") where no move could be tried. Leaves no guest behind, also after an error or
 * cancellation. -1 only when cancelled or on a bug.
 */
int mp_verify_run(const struct mp_fleet *fleet, struct mp_world *world,
		  const struct mp_verify_opts *opts, struct mp_run *run, struct mp_err *err);

#endif
