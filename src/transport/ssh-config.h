/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh-config: what the operator's ssh_config says about one host, asked of ssh -G. */
#ifndef MP_TRANSPORT_SSH_CONFIG_H
#define MP_TRANSPORT_SSH_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "transport/transport.h"

struct mp_ssh_config {
	char *hostname, *user;
	long port;
	char *host_key_alias; /* NULL: none */
	char *proxy_jump;     /* NULL: none */
	char *proxy_command;  /* NULL: none; tokens not expanded */
	char *identity_agent; /* NULL: SSH_AUTH_SOCK; "none": do not ask one */
	char *unsupported;    /* an option in use that only ssh itself can serve; NULL: none */
	bool identities_only;
	int family;                 /* AF_UNSPEC, AF_INET, AF_INET6 */
	long connect_timeout;       /* seconds; 0: not said */
	struct mp_strv identities;  /* key files, expanded, in order */
	struct mp_strv known_hosts; /* files, user's before global, expanded */
};

#define mp_auto_ssh_config __attribute__((cleanup(mp_ssh_config_fini)))

/* Parses the output of ssh -G. home: for ~ and %d; local_user: for %u. Pure but for ${VAR} of the
 * environment. */
int mp_ssh_config_parse(char *text, const char *home, const char *local_user, const char *original,
			struct mp_ssh_config *ret, struct mp_err *err);

/* Runs ssh -G for the host; what the inventory says comes first. */
int mp_ssh_config_load(const struct mp_dial *dial, const struct mp_host *host, mp_ms deadline,
		       struct mp_ssh_config *ret, struct mp_err *err);

void mp_ssh_config_fini(struct mp_ssh_config *c);

/*
 * Expands ~, ${VAR} and %-tokens (ssh_config(5), TOKENS: %% %d %h %n %p %r %u) as a heap string. An
 * unknown token stays as it is.
 */
char *mp_ssh_config_expand(const struct mp_ssh_config *c, const char *s, const char *home,
			   const char *local_user, const char *original);

#endif
