/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy-sim: a pre-copy of QEMU in fixed steps of time, for policies to steer: passes over memory,
 * working sets, auto-converge, post-copy, links that break, calls that are refused. It shares no
 * code with the forecast.
 */
#ifndef MP_TEST_POLICY_SIM_H
#define MP_TEST_POLICY_SIM_H

#include "migrate/policy.h"

#define SIM_MIB 1048576.0
#define SIM_GIB 1073741824.0
#define SIM_EVENTS 4

struct sim_conf {
	double total;
	struct {
		double size, rate; /* bytes, bytes/s: a walk over its pages, each once in a round */
	} hot[3];
	double link, cap;   /* bytes/s; cap 0: none */
	double handover_ms; /* 0: 25 */
	double sync_ms;     /* reading the dirty bitmap */
	bool measured;      /* the policy is told link and curve (1, 4 and 16 s) before */
	bool postcopy_works, paused;
	long long link_down_ms, link_up_ms; /* the link is gone from..to; 0: never */
	int refuse[MP_N_ACTS];              /* how many of these actions libvirt refuses */
	struct {
		long long at_ms;
		unsigned event;
	} events[SIM_EVENTS];
	double change_ms, change_factor; /* rates are multiplied from then on */
	long long give_up_ms;            /* 0: 10 000 s */
	bool silent_boundaries;          /* the caller polls only, and sees no pass begin in time */
};

enum sim_end { SIM_DONE, SIM_ABORTED, SIM_NOT_STARTED, SIM_UNRECOVERED, SIM_ENDLESS };

struct sim_result {
	enum sim_end end;
	double total_ms, pause_ms;           /* pause: the guest ran nowhere */
	double throttled_ms;                 /* time times throttle */
	int passes, limit_changes_in_a_pass; /* the most */
	int throttle;
	bool postcopy;
	long long told_pause_ms; /* forecast at the last pass; at first: of the plan */
	unsigned acts;           /* bits 1 << act */
	char states[256];        /* names seen, each between spaces */
	char last_text[320];
	struct mp_policy_plan plan;
};

/* cb (or NULL) is called for each decision. */
void sim_run(const struct mp_policy *policy, const struct mp_policy_conf *conf,
	     const struct sim_conf *sim, struct sim_result *ret,
	     void (*cb)(const struct mp_policy_sample *s, const struct mp_decision *d, void *arg),
	     void *arg);

const char *sim_end_name(enum sim_end end);

#endif
