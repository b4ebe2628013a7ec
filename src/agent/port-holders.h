/* SPDX-License-Identifier: GPL-3.0-or-later */
/* agent/port-holders: which programs listen on the TCP ports of a range. */
#ifndef MP_AGENT_PORT_HOLDERS_H
#define MP_AGENT_PORT_HOLDERS_H

#include "host/host.h"

/*
 * "49152-49160 by qemu-system-x86 (pid 812), 49161 by ...": one entry per program, as many as fit a
 * message; "unknown programs" where /proc does not tell. The heap string belongs to the caller.
 */
char *mp_port_holders(struct mp_sys *sys, int from, int to);

#endif
