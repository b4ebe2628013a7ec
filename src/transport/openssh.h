/* SPDX-License-Identifier: GPL-3.0-or-later */
/* openssh: what ssh(1) says when it fails, as an error code. Pure. */
#ifndef MP_TRANSPORT_OPENSSH_H
#define MP_TRANSPORT_OPENSSH_H

#include "base/err.h"

/* From the exit status of ssh and what it wrote to standard error. Always returns -1. */
int mp_openssh_explain(int status, const char *text, struct mp_err *err);

#endif
