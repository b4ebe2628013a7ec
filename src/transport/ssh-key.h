/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh-key: a private key file of the operator, as far as must be known before it is used. */
#ifndef MP_TRANSPORT_SSH_KEY_H
#define MP_TRANSPORT_SSH_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct mp_ssh_key {
	char *text; /* the file; wiped by fini */
	size_t size;
	char type[64];       /* "ssh-ed25519", ...; "" when not known without opening it */
	unsigned char *blob; /* public key in wire format; NULL when not known */
	size_t blob_size;
	bool encrypted; /* needs a passphrase */
};

#define mp_auto_ssh_key __attribute__((cleanup(mp_ssh_key_fini)))

/*
 * Reads a key file; the public half from the file itself or from PATH.pub. Absent: 0 with ret->text
 * NULL; the public half may be there all the same, of a key that only ssh-agent has. MP_E_INPUT:
 * not a private key; MP_E_DENIED: readable by others, or not by us.
 */
int mp_ssh_key_load(const char *path, struct mp_ssh_key *ret, struct mp_err *err);
void mp_ssh_key_fini(struct mp_ssh_key *k);

/* The type named in a public key blob, "" if it makes no sense. */
void mp_ssh_blob_type(const unsigned char *blob, size_t size, char *ret, size_t ret_size);

/* "SHA256:..." of a public key blob, as ssh-keygen -l prints it. */
void mp_ssh_blob_fingerprint(const unsigned char *blob, size_t size, char ret[64]);

#endif
