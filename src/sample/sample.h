/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sample: an observation of a host that only checks need. The only code, beside the observe
 * functions of resources, that looks at a host; it changes nothing. One file, one descriptor each.
 */
#ifndef MP_SAMPLE_SAMPLE_H
#define MP_SAMPLE_SAMPLE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "host/host.h"
#include "model/world.h"

struct mp_sample {
	const char *id;
	const char *summary;
	bool may_hang; /* runs in a child with a deadline: name service, libvirt, remote mounts */

	/* Controller, pure: what to look at; new reference or NULL. */
	json_t *(*params)(const struct mp_world *w, const struct mp_host *h);
	/* Agent: the fact; new reference in *ret. */
	int (*observe)(struct mp_sys *sys, const json_t *params, json_t **ret, struct mp_err *err);
};

extern const struct mp_sample *const mp_samples[]; /* NULL-terminated; generated from samples.mk */

#endif
