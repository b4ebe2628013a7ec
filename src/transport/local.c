/* SPDX-License-Identifier: GPL-3.0-or-later */
/* local: the command runs on this machine, as whoever runs migprep. */
#include "config.h"
#include "transport/transport.h"

#include "transport/child.h"

static int local_open(const struct mp_dial *dial, const struct mp_host *host, const char *command,
		      struct mp_stream **ret, struct mp_err *err)
{
	const char *const argv[] = { "/bin/sh", "-c", command, NULL };
	const struct mp_child_opts opts = { .cancel = dial->cancel };

	(void)host;
	return mp_child_stream(argv, &opts, ret, err);
}

const struct mp_transport mp_transport_local = {
	.name = "local",
	.open = local_open,
};
