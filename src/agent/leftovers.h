/* SPDX-License-Identifier: GPL-3.0-or-later */
/* leftovers: what a guest left behind on a host. */
#ifndef MP_AGENT_LEFTOVERS_H
#define MP_AGENT_LEFTOVERS_H

#include <jansson.h>

#include "base/err.h"

/*
 * Processes below root whose command line names the guest, and files that libvirt keeps only while
 * it runs:
 * {"processes": ["PID COMMAND"...], "files": [PATH...]}, a new reference.
 */
int mp_leftovers_look(const char *root, const char *name, const char *uuid, json_t **ret,
		      struct mp_err *err);

#endif
