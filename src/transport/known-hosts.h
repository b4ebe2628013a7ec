/* SPDX-License-Identifier: GPL-3.0-or-later */
/* known-hosts: what a known_hosts file says about a host (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
 * Pure. */
#ifndef MP_TRANSPORT_KNOWN_HOSTS_H
#define MP_TRANSPORT_KNOWN_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

struct mp_known_key {
	bool revoked;   /* @revoked */
	bool authority; /* @cert-authority */
	char *type;     /* "ssh-ed25519" */
	char *key;      /* base64 */
	char *place;    /* "FILE:LINE" */
};

struct mp_known_keys {
	struct mp_known_key *v;
	size_t n;
};

#define mp_auto_known_keys __attribute__((cleanup(mp_known_keys_fini)))

void mp_known_keys_fini(struct mp_known_keys *k);

/* The name a host goes by in the file: lower case, "[host]:port" unless port is 22. A heap string.
 */
char *mp_known_hosts_name(const char *host, long port);

/* Does the comma-separated list of patterns (with * ? and !, or one hashed name) match name? */
bool mp_known_hosts_match(const char *patterns, const char *name);

/* Appends the keys of the lines in text that match name. file is for the places. */
void mp_known_hosts_find(const char *text, const char *file, const char *name,
			 struct mp_known_keys *ret);

enum mp_known_verdict {
	MP_KNOWN_MATCH,
	MP_KNOWN_UNKNOWN, /* no key of this host at all */
	MP_KNOWN_OTHER,   /* only keys of other types */
	MP_KNOWN_CHANGED, /* another key of the same type */
	MP_KNOWN_REVOKED,
	MP_KNOWN_AUTHORITY, /* only a certificate authority is known */
};

/* Judges a key that a host showed; *ret_why is the line that decided, or NULL. */
enum mp_known_verdict mp_known_hosts_judge(const struct mp_known_keys *known, const char *type,
					   const char *key, const struct mp_known_key **ret_why);

#endif
