/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the values (profile.c) and the files (profile-load.c) of a profile share. */
#ifndef MP_MODEL_PROFILE_INTERNAL_H
#define MP_MODEL_PROFILE_INTERNAL_H

#include "model/profile.h"

struct mp_value {
	char *text;   /* fits its row, always */
	char *origin; /* "default", "FILE:LINE", "--set" */
};

struct mp_profile {
	char *name;
	struct mp_value *values; /* one for each row of mp_params */
};

/* Sets a row after looking at the value. */
int mp_profile_assign(struct mp_profile *p, const struct mp_param *row, const char *value,
		      const char *place, struct mp_err *err);

/* The error for a parameter that does not exist, with the nearest that does. Returns -1. */
int mp_profile_unknown(const char *name, const char *place, struct mp_err *err);

#endif
