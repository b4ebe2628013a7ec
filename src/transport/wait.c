/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "transport/wait.h"

#include <errno.h>

int mp_wait_cancelled(const atomic_bool *cancel, struct mp_err *err)
{
	if (cancel && atomic_load(cancel))
		return mp_err_set(err, MP_E_CANCELLED, "stopped by the operator");
	return 0;
}

int mp_wait_fds(struct pollfd *fds, nfds_t n, mp_ms deadline, const atomic_bool *cancel,
		struct mp_err *err)
{
	for (;;) {
		int left = mp_ms_left(deadline), rc;

		if (mp_wait_cancelled(cancel, err) < 0)
			return -1;
		rc = poll(fds, n, left < MP_CANCEL_CHECK_MS ? left : MP_CANCEL_CHECK_MS);
		if (rc > 0)
			return 0;
		if (rc < 0 && errno != EINTR)
			return mp_err_sys(err, errno, "poll");
		if (left == 0)
			return mp_err_set(err, MP_E_TIMEOUT, "no answer in time");
	}
}
