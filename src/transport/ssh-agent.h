/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ssh-agent: asks the operator's ssh-agent for its keys and for signatures. libssh2 has this too,
 * but without deadlines: an agent that waits for a confirmation would hold a worker for ever.
 */
#ifndef MP_TRANSPORT_SSH_AGENT_H
#define MP_TRANSPORT_SSH_AGENT_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/err.h"

struct mp_agent_key {
	unsigned char *blob;
	size_t blob_size;
	char type[64];
};

struct mp_ssh_agent {
	int fd;
	struct mp_agent_key *keys;
	size_t n_keys;
};

/* Connects to the socket at path and lists the keys. */
int mp_ssh_agent_open(const char *path, mp_ms deadline, const atomic_bool *cancel,
		      struct mp_ssh_agent *ret, struct mp_err *err);

/* Lets the agent sign data with a key: the signature without its type, malloc()ed, in *ret. */
int mp_ssh_agent_sign(struct mp_ssh_agent *a, const struct mp_agent_key *key,
		      const unsigned char *data, size_t size, mp_ms deadline,
		      const atomic_bool *cancel, unsigned char **ret, size_t *ret_size,
		      struct mp_err *err);

void mp_ssh_agent_close(struct mp_ssh_agent *a);

#endif
