/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wait: poll(2) that ends at a deadline and notices the operator's wish to stop. */
#ifndef MP_TRANSPORT_WAIT_H
#define MP_TRANSPORT_WAIT_H

#include <poll.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/err.h"

#define MP_CANCEL_CHECK_MS 150 /* longest sleep without a look at the cancel flag */

/* 0 when a descriptor is ready; -1 with MP_E_TIMEOUT or MP_E_CANCELLED. cancel may be NULL. */
int mp_wait_fds(struct pollfd *fds, nfds_t n, mp_ms deadline, const atomic_bool *cancel,
		struct mp_err *err);

/* -1 with MP_E_CANCELLED when the flag is set. */
int mp_wait_cancelled(const atomic_bool *cancel, struct mp_err *err);

#endif
