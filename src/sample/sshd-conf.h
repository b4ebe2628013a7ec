/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sshd-conf: the few settings of sshd that other hosts depend on, read from its files without
 * starting it. */
#ifndef MP_SAMPLE_SSHD_CONF_H
#define MP_SAMPLE_SSHD_CONF_H

#include "base/str.h"
#include "host/host.h"

struct mp_sshd_conf {
	struct mp_strv host_keys; /* private key files; sshd's defaults where none is said */
	long ports[8];            /* sorted as said; 22 where none is said */
	size_t n_ports;
};

/* Reads /etc/ssh/sshd_config and what it includes, up to the first Match. */
int mp_sshd_conf_read(struct mp_sys *sys, struct mp_sshd_conf *ret, struct mp_err *err);
void mp_sshd_conf_fini(struct mp_sshd_conf *c);

#endif
