/* SPDX-License-Identifier: GPL-3.0-or-later */
/* connect: a name and a port to a connected TCP socket, by a deadline, whatever the name service
 * does. */
#ifndef MP_TRANSPORT_CONNECT_H
#define MP_TRANSPORT_CONNECT_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/err.h"

/*
 * Tries all addresses of host in turn (family: AF_UNSPEC, AF_INET, AF_INET6). On success a
 * non-blocking socket in *ret. MP_E_REFUSED, MP_E_TIMEOUT, MP_E_UNREACHABLE (also: no such name),
 * MP_E_CANCELLED.
 */
int mp_connect_tcp(const char *host, long port, int family, mp_ms deadline,
		   const atomic_bool *cancel, int *ret, struct mp_err *err);

#endif
