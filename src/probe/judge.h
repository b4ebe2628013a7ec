/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * judge: from the histories of both consoles of a move to what the guest lived through, and whether
 * it lived. Pure. Doubt is never called ok: each thing that was not seen is a reason.
 */
#ifndef MP_PROBE_JUDGE_H
#define MP_PROBE_JUDGE_H

#include "base/str.h"
#include "probe/probe.h"
#include "probe/record.h"

struct mp_probe_case {
	const struct mp_probe_params *params;
	/* What was heard on either side. Before the move the source (or, after the landing, the
	 * target) was told "hello", so that it holds the guest's own word about itself. */
	const struct mp_probe_track *source, *target;
	int64_t begin_us; /* when the move was asked for, by the clock of the records */
	uint16_t scan_id; /* of the scan that the target was told to do after the landing */
	unsigned fresh;   /* beats that must have come from the target; 0: 3 */
};

struct mp_probe_fault_seen {
	enum mp_probe_fault kind;
	enum mp_probe_where where; /* 0: not told */
	uint32_t page;             /* or block */
	uint32_t want, got;        /* generations */
	uint32_t from;             /* page that the contents belong to */
	uint16_t word, bits;       /* first wrong word of 8 bytes, differing bits */
};

struct mp_probe_verdict {
	bool ok;    /* all of the following, and nothing speaks against it */
	bool alive; /* the guest runs on the target, and continues what ran on the source */
	bool detector_proved; /* the guest found the faults that it made itself at its start */
	bool memory_verified; /* a whole scan there found nothing, by a proved detector */
	bool disk_verified;   /* so for the disk; false when there is none */
	uint32_t pages_checked, blocks_checked;
	struct mp_probe_fault_seen faults[MP_PROBE_MAX_FAULTS];
	size_t n_faults;
	uint32_t total_faults; /* as the guest counts */
	struct mp_probe_switch hand_over;
	int64_t guest_pause_us; /* blackout, never below 0; -1: not measured */
	struct mp_probe_window before, during, after;
	int64_t brownout_us;
	struct mp_strv reasons; /* why not ok, sentences for an operator */
};

void mp_probe_judge(const struct mp_probe_case *c, struct mp_probe_verdict *ret);
void mp_probe_verdict_fini(struct mp_probe_verdict *v);

#endif
