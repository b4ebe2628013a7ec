/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * engine: one live migration, from the call to its end: peer-to-peer pre-copy in a thread of its
 * own, watched by the caller's thread, which reports progress and aborts at the timeout or when the
 * operator asks.
 */
#ifndef MP_MIGRATE_ENGINE_H
#define MP_MIGRATE_ENGINE_H

#include "migrate/virt.h"

enum mp_engine_end {
	MP_ENGINE_DONE,      /* libvirt says that it worked; nothing is proved by that */
	MP_ENGINE_FAILED,    /* libvirt says why not, in err */
	MP_ENGINE_TIMEOUT,   /* it took too long and was aborted */
	MP_ENGINE_CANCELLED, /* the operator asked us to stop */
};

struct mp_engine_move {
	const char *uuid, *peer_uri, *migrate_uri; /* as in struct mp_virt_move */
	mp_ms timeout_ms;                          /* abort after this */
	mp_ms grace_ms;            /* for the abort to come through; then the connection is ended */
	mp_ms poll_ms;             /* how often the job is looked at */
	const atomic_bool *cancel; /* NULL: never */
	void (*progress)(const struct mp_virt_stats *st, mp_ms elapsed, void *arg); /* or NULL */
	void *progress_arg;
};

struct mp_engine_result {
	enum mp_engine_end end;
	struct mp_virt_err err; /* what the migration call said; code 0 when it worked */
	struct mp_virt_stats stats;
	long long total_ms; /* from the call to the completed job, by our clock */
};

void mp_engine_run(const struct mp_virt_ops *ops, struct mp_virt_conn *source,
		   const struct mp_engine_move *move, struct mp_engine_result *ret);

#endif
