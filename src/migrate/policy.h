/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy: how a running live migration is steered. A policy is a pure state machine: it plans the
 * start from what was measured before, and then answers each look at the job with at most one
 * action and the numbers that justify it. No libvirt, no clock, no I/O: the caller looks, steps and
 * acts. One file per policy (policies.mk).
 */
#ifndef MP_MIGRATE_POLICY_H
#define MP_MIGRATE_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "migrate/policy-forecast.h"

enum mp_act {
	MP_ACT_NONE,
	MP_ACT_SET_DOWNTIME,   /* value: ms; virDomainMigrateSetMaxDowntime */
	MP_ACT_SET_SPEED,      /* value: bytes/s; virDomainMigrateSetMaxSpeed */
	MP_ACT_START_POSTCOPY, /* virDomainMigrateStartPostCopy */
	MP_ACT_PAUSE,          /* suspend the guest on the source, so that the rest is copied */
	MP_ACT_RECOVER,        /* post-copy lost its link: migrate again with POSTCOPY_RESUME */
	MP_ACT_ABORT,          /* virDomainAbortJob */
	MP_ACT_FINISH_WAIT,    /* nothing is left to decide: wait for the end of the job */
};
#define MP_N_ACTS 8

const char *mp_act_name(enum mp_act act); /* "set-downtime", for reports and tests */

/* What happened since the last step, as bits of mp_policy_sample.events. */
enum {
	MP_EVENT_REFUSED = 1,   /* libvirt refused the last action */
	MP_EVENT_ASK_ABORT = 2, /* the operator wants it ended */
	MP_EVENT_ASK_FORCE = 4, /* the operator wants it finished, by whatever is permitted */
	MP_EVENT_BROKEN = 8,    /* the job is paused in post-copy: its link broke */
};

/* One look at the job. Bytes are bytes of memory unless told otherwise. */
struct mp_policy_sample {
	long long elapsed_ms;      /* since the policy was started */
	int iteration;             /* QEMU's count of passes over memory; the first is 1 */
	bool boundary;             /* a pass began since the last step */
	long long remaining_start; /* left when this pass began */
	long long remaining;       /* left now; only good between two boundaries for progress */
	long long disk_remaining;  /* of storage that is copied along */
	long long total, transferred;
	long long rate_bps;  /* what the job moves now; <= 0: unknown */
	long long cap_bps;   /* bandwidth limit in force; 0: none */
	long long dirty_bps; /* QEMU's dirty rate: distinct pages of a pass, so no judge of it */
	long long limit_ms;  /* downtime limit in force */
	int throttle;        /* percent that auto-converge takes from the guest now */
	bool postcopy;       /* the guest runs on the target already */
	bool paused;
	long long stall_ms; /* longest gap in the guest's beats since the last step; -1: unknown */
	unsigned events;
};

/* The numbers behind a decision; -1: does not matter here. */
struct mp_policy_figures {
	long long remaining, link_bps, rate_bps, limit_ms;
	long long forecast_ms, forecast_pause_ms; /* to the end, under the limit after this */
	long long pause_ms;                       /* of the guest, when it ended now */
	long long need_bps;                       /* link that would do */
	int throttle, need_throttle;              /* percent */
};

struct mp_decision {
	enum mp_act act;
	long long value;
	const char *state; /* of the policy, after this step */
	struct mp_policy_figures why;
	char text[320]; /* one sentence with the numbers; "" for NONE */
};

/* What Nova is configured with (facts of nova.conf), for the policy "nova". */
struct mp_policy_nova {
	long release; /* 11 Kilo, 29 2024.1, ...; the algorithm changed at 12, 14, 15 and 19 */
	long downtime_ms, downtime_steps, downtime_delay_s; /* live_migration_downtime* */
	long completion_timeout_s;                          /* per GiB; 0: never */
	long progress_timeout_s;     /* releases 12 to 18; -1: the default of the release */
	bool force_complete;         /* live_migration_timeout_action, since 19 */
	long memory_mib;             /* of the flavor */
	const long long *disk_bytes; /* apparent sizes of the disks that are copied along */
	size_t n_disks;
	bool vpmem; /* the guest has virtual persistent memory: no post-copy */
};

/* What the operator wants and permits. Set by mp_policy_conf_init(), then changed. */
struct mp_policy_conf {
	long long budget_ms; /* how long the guest may stand still at the end: 500 */
	long long max_ms;    /* the whole move may take this long; 0: for ever (nova has its own) */
	long long stuck_ms;  /* no byte got through for so long: give up; 30 000 (nova: never) */
	bool may_postcopy, may_converge;
	bool may_disrupt;           /* a longer pause than the budget, rather than no move */
	bool cap_is_soft;           /* the bandwidth limit may be raised to what the link gives */
	long long disrupt_max_ms;   /* the longest such pause: 10 000 */
	long long postcopy_max_ms;  /* the longest time on two hosts: 60 000 */
	int recoveries;             /* attempts after post-copy broke: 10 */
	long long recover_every_ms; /* between two of them: 5 000 */
	long long static_ms;        /* policy "static": downtime limit; 300 as in QEMU */
	const char *schedule;       /* policy "schedule": see policy-schedule.c; NULL: oVirt's */
	struct mp_policy_nova nova;
};

void mp_policy_conf_init(struct mp_policy_conf *c);

/* What was measured and found out before the start. */
struct mp_policy_ground {
	long long total;       /* bytes of guest memory that have to be sent at least once */
	long long link_bps;    /* what the network gives; 0: not measured */
	long long cap_bps;     /* bandwidth limit that the move starts with; 0: none */
	long long handover_ms; /* pause that does not depend on memory; 25 when 0 */
	struct mp_curve curve; /* distinct bytes that the guest dirties in a time; may be empty */
	bool postcopy_works;   /* both ends can, and no other mode excludes it (precheck.h) */
	bool paused;           /* the guest is paused */
};

/* How to start. */
struct mp_policy_plan {
	bool refuse;        /* do not start: text says why, with the numbers */
	long long limit_ms; /* downtime limit to set before the start; -1: leave QEMU's (300) */
	bool postcopy, auto_converge;             /* flags of the call */
	int throttle_initial, throttle_increment; /* percent; 0: QEMU's (20, 10) */
	struct mp_forecast forecast;              /* known is false where nothing was measured */
	char text[480];
};

struct mp_pilot; /* one policy at work on one move */

struct mp_policy {
	const char *name, *summary, *source;
	const char *const *states; /* its own, NULL after the last; beside mp_policy_phases */
	unsigned acts;             /* bits 1 << enum mp_act that it may answer */
	bool watches_progress;     /* conf.stuck_ms applies */
	size_t size;               /* of what it remembers */
	/* Plans, and checks its configuration (MP_E_INPUT). */
	int (*init)(struct mp_pilot *p, struct mp_err *err);
	void (*step)(struct mp_pilot *p, const struct mp_policy_sample *s, struct mp_decision *ret);
};

extern const struct mp_policy *const mp_policies[]; /* NULL after the last */

/* States that every policy has: while it ends, or while the guest is on the target already. */
extern const char *const mp_policy_phases[];

const struct mp_policy *mp_policy_find(const char *name); /* NULL: there is none */

/* Strings and arrays of conf must outlive the pilot; everything else is copied. */
int mp_pilot_new(const struct mp_policy *policy, const struct mp_policy_conf *conf,
		 const struct mp_policy_ground *ground, struct mp_pilot **ret, struct mp_err *err);
void mp_pilot_free(struct mp_pilot *p);

const struct mp_policy_plan *mp_pilot_plan(const struct mp_pilot *p);

/*
 * Call it at each look, and at once when a pass begins. The action of a decision is carried out
 * before the next step; if libvirt refuses it, the next sample has MP_EVENT_REFUSED.
 */
void mp_pilot_step(struct mp_pilot *p, const struct mp_policy_sample *s, struct mp_decision *ret);

#endif
