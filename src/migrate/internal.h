/* SPDX-License-Identifier: GPL-3.0-or-later */
/* internal: what verify uses of the world outside, so that a test can put its own there. */
#ifndef MP_MIGRATE_INTERNAL_H
#define MP_MIGRATE_INTERNAL_H

#include "migrate/verify.h"
#include "migrate/virt.h"

struct mp_verify_env {
	struct mp_virt *virt;
	/*
	 * What a guest left on a host: {"processes": [TEXT], "files": [PATH]}, a new reference.
	 * Looks again until nothing is left or the deadline has passed.
	 */
	int (*leftovers)(void *arg, const struct mp_host *h, const char *name, const char *uuid,
			 mp_ms deadline, json_t **ret, struct mp_err *err);
	/* One trial of the target's migration ports from the source, as mp_mesh_try_port(). */
	int (*try_port)(void *arg, size_t source, size_t target, struct mp_trial *ret,
			struct mp_err *err);
	void *arg;                 /* of both */
	const atomic_bool *cancel; /* NULL: never */
	size_t forks;              /* connections opened at once */
	mp_ms connect_ms;          /* one connection */
	mp_ms settle_ms; /* for what must follow a move: source gone, guest alive, nothing left */
	mp_ms boot_ms;   /* for the guest's first sign of life */
	mp_ms grace_ms;  /* for libvirt to let go of a guest after an abort */
	mp_ms poll_ms;   /* between two looks */
};

int mp_verify_with(const struct mp_verify_env *env, struct mp_world *world,
		   const struct mp_verify_opts *opts, struct mp_run *run, struct mp_err *err);

#endif
