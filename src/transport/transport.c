/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "transport/transport.h"

const struct mp_transport *mp_transport_of(const struct mp_host *host)
{
	switch (host->transport) {
	case MP_TRANSPORT_OPENSSH:
		return &mp_transport_openssh;
	case MP_TRANSPORT_LOCAL:
		return &mp_transport_local;
	case MP_TRANSPORT_LIBSSH2:
		break;
	}
	return &mp_transport_libssh2;
}
