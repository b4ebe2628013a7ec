/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ssh-text: the text files of OpenSSH, as far as migprep reads and edits them: public keys, the
 * readable part of private keys, authorized_keys, known_hosts. Pure. Formats: sshd(8),
 * AUTHORIZED_KEYS FILE FORMAT and SSH_KNOWN_HOSTS FILE FORMAT; PROTOCOL.key of the OpenSSH sources.
 *
 * A key is named by its reference, "TYPE FINGERPRINT": "ssh-ed25519 SHA256:..." (as ssh-keygen -l
 * prints it).
 */
#ifndef MP_MODEL_SSH_TEXT_H
#define MP_MODEL_SSH_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define MP_SSH_COMMENT "migprep@" /* begins the comment of our own keys and lines */

struct mp_ssh_pub {
	char type[48];
	char fingerprint[51]; /* "SHA256:" and 43 characters of base64 */
	char ref[100];        /* "TYPE FINGERPRINT" */
	int bits;             /* 0: not known for this type */
	const char *key;      /* "TYPE BASE64" within the text that was parsed */
	size_t key_len;
	const char *comment; /* what follows it; may be empty */
	size_t comment_len;
};

/* Parses "TYPE BASE64 [COMMENT]" up to size or the end of the line. False if it is no public key.
 */
bool mp_ssh_pub_parse(const char *s, size_t size, struct mp_ssh_pub *ret);

enum mp_ssh_private {
	MP_SSH_PRIVATE_PLAIN,  /* usable without a passphrase */
	MP_SSH_PRIVATE_LOCKED, /* needs a passphrase */
	MP_SSH_PRIVATE_OTHER,  /* a format that only ssh-keygen can read */
	MP_SSH_PRIVATE_BROKEN, /* no private key, or cut short */
};

/*
 * Looks at a private key file without its secret part. ret_key receives "TYPE BASE64" of its public
 * half for PLAIN and LOCKED keys of OpenSSH's own format (heap), NULL otherwise.
 */
enum mp_ssh_private mp_ssh_private_parse(const char *text, size_t size, char **ret_key);

/*
 * What authorized_keys grants: {"keys": {REF: "ok"|OPTION}, "ours": {COMMENT: [REF...]}}. OPTION:
 * "command", "from", "expiry-time" or "principals" stands before the key in the line that decides,
 * and forces another command or refuses logins that we need.
 */
json_t *mp_ssh_authorized_fact(const char *text);

/*
 * The file with wanted lines added and stale ones gone. keys: [{"comment", "key", "ref", "keep"}];
 * stale: [COMMENT...]. A line with a comment of keys (but for those to "keep") or stale goes when
 * its key is not among keys. Others stay, byte by byte. text may be NULL. The heap string belongs
 * to the caller.
 */
char *mp_ssh_authorized_edit(const char *text, const json_t *keys, const json_t *stale);

/*
 * What known_hosts says: {"keys": {REF: "NAME,NAME..."}, "hashed": {REF: "NAME,..."}, "revoked":
 * [REF...]}; names sorted. Plain names are given as they stand (patterns left out); hashed ones are
 * known only where they are the hash of one of names (array of strings).
 */
json_t *mp_ssh_known_fact(const char *text, const json_t *names);

/*
 * The file with every entry ({"names": "A,B", "key", "ref"}; names sorted) covered by a plain line,
 * and without names of ours that stand, plain or hashed, before another key of the same type.
 * names: as for the fact.
 */
char *mp_ssh_known_edit(const char *text, const json_t *entries, const json_t *names);

/*
 * For every name of entries: {"NAME TYPE": "REF" or "REF,REF"...}. New reference. Without the names
 * that an entry has as "said" ("A,B"): they are a host's own word, which is no reason to remove
 * what stands there already.
 */
json_t *mp_ssh_known_map(const json_t *entries);

/* "NAME TYPE", as in that map, for a name and a key's reference (heap). */
char *mp_ssh_name_type(const char *name, const char *ref);

#endif
