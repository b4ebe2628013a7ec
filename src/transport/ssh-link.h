/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh-link: one libssh2 connection while it is made; shared by the ssh-*.c files. */
#ifndef MP_TRANSPORT_SSH_LINK_H
#define MP_TRANSPORT_SSH_LINK_H

#include <libssh2.h>
#include <stdbool.h>

#include "transport/child.h"
#include "transport/known-hosts.h"
#include "transport/ssh-config.h"
#include "transport/transport.h"

struct mp_ssh_link {
	const struct mp_dial *dial;
	const struct mp_host *host;
	struct mp_ssh_config config;
	struct mp_known_keys known;
	char *known_name; /* what the host is called in known_hosts */
	LIBSSH2_SESSION *session;
	int fd; /* the socket; with a proxy, the same as proxy.fd */
	bool proxied;
	struct mp_child proxy; /* when proxied */
	const atomic_bool *cancel;
	mp_ms deadline; /* of the step under way */
};

/* Waits until libssh2 can go on after LIBSSH2_ERROR_EAGAIN; 0, or -1 at the deadline. */
int mp_ssh_wait(struct mp_ssh_link *l, struct mp_err *err);

/* rc = call, waiting as long as it says EAGAIN; LIBSSH2_ERROR_TIMEOUT with *err set when we gave
 * up. */
#define MP_SSH_RETRY(l, err, call)                                                                 \
	({                                                                                         \
		int mp_rc_;                                                                        \
		while ((mp_rc_ = (call)) == LIBSSH2_ERROR_EAGAIN)                                  \
			if (mp_ssh_wait((l), (err)) < 0) {                                         \
				mp_rc_ = MP_SSH_GAVE_UP;                                           \
				break;                                                             \
			}                                                                          \
		mp_rc_;                                                                            \
	})
#define MP_SSH_GAVE_UP (-1000) /* no code of libssh2: *err is set already */

/* libssh2 of this machine signs RSA with SHA-2 (1.11); what sshd since 8.8 asks for. */
bool mp_ssh_has_rsa_sha2(void);

/* The last error of libssh2, during `doing`, as an error of ours. Always -1. */
int mp_ssh_error(struct mp_ssh_link *l, int rc, const char *doing, struct mp_err *err);

/* ssh-proxy.c: starts the ProxyJump or ProxyCommand of the configuration; l->fd is its socket. */
int mp_ssh_proxy_start(struct mp_ssh_link *l, struct mp_err *err);

/* ssh-hostkey.c: reads known_hosts and asks for host keys that are known, as ssh(1) does. */
int mp_ssh_hostkey_prepare(struct mp_ssh_link *l, struct mp_err *err);
/* ssh-hostkey.c: judges the key that the host showed. */
int mp_ssh_hostkey_check(struct mp_ssh_link *l, struct mp_err *err);
/* ssh-hostkey.c: the error when no host key algorithm is common. */
int mp_ssh_hostkey_no_common(struct mp_ssh_link *l, struct mp_err *err);

/* ssh-auth.c: proves who we are, with ssh-agent and key files. */
int mp_ssh_authenticate(struct mp_ssh_link *l, struct mp_err *err);

#endif
