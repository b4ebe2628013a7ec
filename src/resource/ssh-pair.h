/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh-pair: the key pairs in one user's ~/.ssh, on the host. */
#ifndef MP_RESOURCE_SSH_PAIR_H
#define MP_RESOURCE_SSH_PAIR_H

#include <jansson.h>

#include "host/host.h"

/*
 * The pairs that ssh(1) would offer by itself and that need no passphrase, that of type first:
 *   "keys": [{"file": "id_ed25519", "type", "bits", "fingerprint", "line": "TYPE BASE64",
 *             "public": "ok"|"missing"|"differs", "attr": TEXT if others may read it or it is not
 * the user's}] "occupied": {"id_rsa": "has a passphrase"}  files that are there and of no use
 *   "dir": TEXT if ~/.ssh is not as it should be; "home_mode": TEXT likewise
 *   "fail", "remedy": where mp_ssh_file_refuse() says so
 * into fact. Public parts only.
 */
int mp_ssh_pairs_look(struct mp_sys *sys, const struct mp_user *u, const char *type, json_t *fact,
		      struct mp_err *err);

/* The private key file, for the shared pair (heap; wipe it). NULL: absent. */
int mp_ssh_private_read(struct mp_sys *sys, const struct mp_user *u, const char *file, char **ret,
			struct mp_err *err);

/* Generates a pair of type and installs it as id_TYPE. */
int mp_ssh_pair_generate(struct mp_sys *sys, const struct mp_user *u, const char *type,
			 const char *comment, struct mp_err *err);

/* Installs both halves under file; a different private key that is there is kept as
 * FILE.migprep-old, or FILE.migprep-old.2 and so on. */
int mp_ssh_pair_install(struct mp_sys *sys, const struct mp_user *u, const char *file,
			const char *private_key, const char *public_line, struct mp_err *err);

/* The type of key (ed25519, ecdsa, rsa) whose file is free, type itself first. NULL: none. */
const char *mp_ssh_free_type(const json_t *fact, const char *type);

/* "id_ed25519" for "ssh-ed25519"; NULL for a type that has no default file. */
const char *mp_ssh_default_file(const char *key_type);

#endif
