/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * record: reads what the probe guest says (format.h) out of the bytes of a console, each record
 * stamped with the observer's clock, and keeps the history of one console. Pure: no clock, no file.
 * The bytes are a guest's and may be anything.
 */
#ifndef MP_PROBE_RECORD_H
#define MP_PROBE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/format.h"

#define MP_PROBE_MAX_BEATS (1u << 20)  /* 17 minutes of fast beats, 32 MiB */
#define MP_PROBE_MAX_OTHERS (1u << 14) /* other records of one console */

struct mp_probe_record {
	int64_t at_us; /* observer's clock, when its last byte came */
	uint64_t ticks;
	uint32_t seq, c;
	uint32_t place; /* how many records this console had before this one */
	uint16_t a, b;
	uint8_t type; /* enum mp_probe_type, or a number that we do not know */
};

/* One console. Zero it with mp_probe_track_init(). */
struct mp_probe_track {
	struct mp_probe_record *beats, *others; /* owned; BEAT and REST, and all else */
	size_t n_beats, n_others;
	bool full;        /* a limit was reached; what came later is missing here */
	bool backwards;   /* sequence, time, pages written or faults went back */
	uint64_t skipped; /* bytes that belong to no record */
	uint32_t records; /* valid ones */
	struct mp_probe_record first, last; /* of the valid ones; type 0: none yet */
	/* private */
	uint8_t part[MP_PROBE_RECORD];
	size_t part_size, beats_alloc, others_alloc;
};

void mp_probe_track_init(struct mp_probe_track *t);
void mp_probe_track_fini(struct mp_probe_track *t);

/*
 * Bytes that came at at_us. A chunk that ends inside a record is continued by the next one; bytes
 * that are no record are skipped until one begins. Returns how many records were completed.
 */
size_t mp_probe_track_feed(struct mp_probe_track *t, const void *data, size_t size, int64_t at_us);

/* Encodes a record as the guest does; for tests and tools that make streams. */
void mp_probe_record_encode(const struct mp_probe_record *r, uint8_t ret[MP_PROBE_RECORD]);

/* The latest record of a type with this a (-1: any); NULL: there is none. */
const struct mp_probe_record *mp_probe_track_find(const struct mp_probe_track *t,
						  enum mp_probe_type type, int a);

/* ---- what the beats say ---- */

struct mp_probe_spread {
	size_t n;
	int64_t p50_us, p99_us, max_us;
};

/* A stretch of one console's beats. */
struct mp_probe_window {
	size_t beats;
	/* Between neighbouring fast beats with nothing lost between them; by the guest's run time,
	 * and by the observer's clock, which sees pauses of the machine and of the path too. */
	struct mp_probe_spread guest, observer;
	int64_t longest_stall_us; /* run time that the guest's loop lost at once */
	uint32_t missing;         /* records that never arrived */
	unsigned lost_permille; /* of the worst half second: run time that the guest did not get */
};

/* The beats that came in [from_us, to_us). beat_us: how often fast beats should come. */
void mp_probe_window(const struct mp_probe_track *t, int64_t from_us, int64_t to_us,
		     uint32_t beat_us, struct mp_probe_window *ret);

/*
 * The hand-over from one console to the other. A record arrives at its run time plus an offset: the
 * pauses of the machine so far, plus the delay of the path. The least offsets of the last beats
 * before and of the first beats after are nearly without delay: their difference is the blackout.
 */
struct mp_probe_switch {
	bool seen;               /* both sides have records, and they fit together */
	int64_t observer_gap_us; /* from the last record of the source to the first of the target */
	int64_t guest_gap_us;    /* run time between the same two */
	int64_t pair_us;         /* blackout by these two alone */
	int64_t blackout_us;     /* blackout by the least offsets */
	int64_t doubt_us;        /* usual delay above the least, both sides together */
	uint32_t missing;        /* records between the two that never arrived */
};

void mp_probe_switch(const struct mp_probe_track *source, const struct mp_probe_track *target,
		     struct mp_probe_switch *ret);

/*
 * Brown-out: from the first to the last beat in [from_us, to_us) of either console whose stall is
 * above twice the usual (usual_us) and above one beat, by the observer's clock; 0: none.
 */
int64_t mp_probe_brownout_us(const struct mp_probe_track *source,
			     const struct mp_probe_track *target, int64_t from_us, int64_t to_us,
			     int64_t usual_us, uint32_t beat_us);

int64_t mp_probe_us(uint64_t ticks); /* of guest run time, in microseconds */

#endif
