/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lock: one apply at a time on a host. */
#ifndef MP_AGENT_LOCK_H
#define MP_AGENT_LOCK_H

#include "base/err.h"

#define MP_LOCK_DIR "/var/lib/migprep"
#define MP_LOCK_NAME "lock"

/*
 * Takes the lock below root; *ret is a descriptor that holds it until it is closed. When somebody
 * has it, an error at once, with the number of the process.
 */
int mp_lock_take(const char *root, int *ret, struct mp_err *err);

#endif
