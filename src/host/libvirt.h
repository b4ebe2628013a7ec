/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libvirt: the local libvirt as the agent sees it. Its library is loaded where it is installed;
 * nothing is linked against it, so the agent also runs where it is not.
 */
#ifndef MP_HOST_LIBVIRT_H
#define MP_HOST_LIBVIRT_H

#include "host/host.h"

struct mp_libvirt_daemon {
	bool installed;       /* a daemon's program is there */
	const char *name;     /* "virtqemud" or "libvirtd": the one that runs; NULL: none does */
	long long started_ms; /* wall clock, since the epoch; of the process that runs */
};

void mp_libvirt_daemon(struct mp_sys *sys, struct mp_libvirt_daemon *ret);

/*
 * Asks read-only over the local socket: {"running": bool, "socket_error": TEXT or null, "libvirt":
 * n, "qemu": n, "capabilities": XML, "busy": [GUEST...]}. What was not answered in time is missing;
 * a guest that does not answer counts as busy, because libvirt is silent while it is. Leaves a
 * thread behind when libvirt hangs, so call it in a child (mp_sys_in_child). MP_E_UNSUPPORTED: no
 * libvirt library here.
 */
int mp_libvirt_ask(mp_ms timeout_ms, json_t **ret, struct mp_err *err);

/*
 * Whether a restart of libvirt may break what a guest is in the middle of, by libvirt's own numbers
 * for its state, the reason for that, and the type of its job, if libvirt told it. Pure.
 */
bool mp_libvirt_is_busy(int state, int reason, bool job_told, int job_type);

#endif
