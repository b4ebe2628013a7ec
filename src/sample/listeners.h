/* SPDX-License-Identifier: GPL-3.0-or-later */
/* listeners: who listens on TCP ports, as sock_diag(7) tells it. */
#ifndef MP_SAMPLE_LISTENERS_H
#define MP_SAMPLE_LISTENERS_H

#include <sys/types.h>

#include "base/err.h"

/*
 * Calls found() for every listening TCP socket, IPv4 and IPv6, of this network namespace. Unlike
 * /proc/net/tcp, which walks the table of all connections (10 ms and more), this walks the
 * listeners alone. MP_E_UNSUPPORTED where the kernel has no such interface.
 */
int mp_listeners(void (*found)(int port, uid_t uid, unsigned long inode, void *arg), void *arg,
		 struct mp_err *err);

#endif
