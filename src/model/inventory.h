/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * inventory: the hosts, as the operator wrote them. Plain data after parsing; nothing is resolved
 * or contacted here. One bad line makes the whole file an error with "FILE:LINE: what; remedy".
 */
#ifndef MP_MODEL_INVENTORY_H
#define MP_MODEL_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

enum mp_role {
	MP_ROLE_COMPUTE = 1 << 0, /* runs guests: everything of the profile applies */
	MP_ROLE_NFS = 1 << 1,     /* exports the instances directory */
};

enum mp_transport_kind {
	MP_TRANSPORT_LIBSSH2, /* built in; the default */
	MP_TRANSPORT_OPENSSH, /* the operator's ssh(1) as a child process */
	MP_TRANSPORT_LOCAL,   /* a child process on this machine (--local) */
};

struct mp_host {
	size_t index;  /* place in mp_inventory.hosts */
	char *name;    /* unique; the id in reports, and a name that peers dial */
	char *address; /* IP literal or name that migprep dials; never NULL (default: name) */
	char *migration_address; /* IP literal for migration data; NULL: same as address */
	struct mp_strv aliases;  /* further names that peers may dial */
	char *ssh_user;          /* NULL: as `ssh -G` says, else root */
	long ssh_port;           /* 0: as `ssh -G` says, else 22 */
	char *ssh_key;           /* private key file on the controller; NULL: as `ssh -G` says */
	enum mp_transport_kind transport;
	unsigned roles; /* enum mp_role, or-ed */
	int line;       /* in the inventory file */
};

struct mp_group {
	char *name;
	size_t *hosts; /* indices */
	size_t n_hosts;
};

/* A word that stands for one host, in canonical form (model/name.h). */
struct mp_ident {
	char *key;
	const char *what; /* "name", "address", "migration address", "alias" */
	size_t host;
	int line; /* where it is written */
};

struct mp_inventory {
	char *path;
	struct mp_host *hosts;
	size_t n_hosts;
	struct mp_group *groups;
	size_t n_groups;
	char *profile;             /* default profile name or path; NULL: not said */
	struct mp_strv set;        /* profile parameters "section.key=value" from [profile] */
	struct mp_strv set_places; /* "FILE:LINE" of each of them, same order */
	struct mp_ident *idents;   /* sorted by key; for mp_inventory_find() */
	size_t n_idents;
};

/* One row for each key of an inventory file, for the parser and the man page. */
struct mp_inventory_key {
	const char *sections; /* "defaults host": where it may stand */
	const char *key;
	const char *help; /* one sentence */
};
extern const struct mp_inventory_key mp_inventory_keys[];
extern const size_t mp_n_inventory_keys;

/* Reads and parses the file. On error -1, and nothing is returned. */
int mp_inventory_load(const char *path, struct mp_inventory **ret, struct mp_err *err);

/* The same from memory; path is only for messages. Pure. */
int mp_inventory_parse(const char *text, size_t size, const char *path, struct mp_inventory **ret,
		       struct mp_err *err);

void mp_inventory_free(struct mp_inventory *inv);

/* The host that owns a name, address, migration address or alias; NULL if none does. */
const struct mp_host *mp_inventory_find(const struct mp_inventory *inv, const char *word);

/*
 * Marks in selected[n_hosts] the hosts that words (names, aliases, addresses, groups, ranges; none:
 * all) stand for. One word may hold several, separated by commas or white space. An unknown word is
 * MP_E_INPUT with the nearest name.
 */
int mp_inventory_select(const struct mp_inventory *inv, const char *const *words, size_t n_words,
			bool *selected, struct mp_err *err);

/* The address that migration data goes to: migration_address, else address. */
const char *mp_host_migration_address(const struct mp_host *h);

#endif
