/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh-hostkey: is the host who it must be? Nothing here can be switched off. */
#include "config.h"
#include "transport/ssh-link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "transport/ssh-key.h"

#define OPENSSH_REMEDY "set transport = openssh for this host in the inventory"

/* A known_hosts file as text; NULL when it is not there. */
static int read_file(const char *path, char **ret, struct mp_err *err)
{
	mp_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	mp_auto_free char *text = NULL;
	struct stat st;
	size_t size = 0;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : mp_err_sys(err, errno, "open %s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0; /* /dev/null is a usual value */
	if (st.st_size > MP_MAX_KNOWN_HOSTS_BYTES)
		return mp_err_set(err, MP_E_LIMIT, "%s is larger than %u MiB", path,
				  MP_MAX_KNOWN_HOSTS_BYTES >> 20);
	text = mp_xmalloc((size_t)st.st_size + 1);
	while (size < (size_t)st.st_size &&
	       (n = read(fd, text + size, (size_t)st.st_size - size)) > 0)
		size += (size_t)n;
	text[size] = '\0';
	*ret = mp_steal(&text);
	return 0;
}

static int load_known(struct mp_ssh_link *l, const char *name, struct mp_known_keys *ret,
		      struct mp_err *err)
{
	for (size_t i = 0; i < l->config.known_hosts.n; i++) {
		const char *path = l->config.known_hosts.v[i];
		mp_auto_free char *text = NULL;

		if (read_file(path, &text, err) < 0)
			return -1;
		if (text)
			mp_known_hosts_find(text, path, name, ret);
	}
	return 0;
}

static bool is_known_type(const struct mp_ssh_link *l, const char *type)
{
	for (size_t i = 0; i < l->known.n; i++)
		if (strcmp(l->known.v[i].type, type) == 0)
			return true;
	return false;
}

/*
 * Asks for the algorithms whose keys are known first, as ssh(1) does. Only names that libssh2
 * supports may be given: libssh2 1.10 takes others out of its list with memcpy on overlapping
 * memory.
 */
static int prefer_known(struct mp_ssh_link *l, struct mp_err *err)
{
	static const struct {
		const char *name, *type;
	} rows[] = {
		{ "ssh-ed25519", "ssh-ed25519" },
		{ "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256" },
		{ "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384" },
		{ "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521" },
		{ "rsa-sha2-512", "ssh-rsa" },
		{ "rsa-sha2-256", "ssh-rsa" },
		{ "ssh-rsa", "ssh-rsa" },
	};
	const char **have = NULL;
	mp_auto_buf struct mp_buf pref;
	int n = libssh2_session_supported_algs(l->session, LIBSSH2_METHOD_HOSTKEY, &have), rc;

	mp_buf_init(&pref, 0);
	for (int known = 1; known >= 0; known--)
		for (size_t i = 0; i < MP_N_ELEMS(rows); i++)
			for (int j = 0; j < n; j++)
				if (strcmp(have[j], rows[i].name) == 0 &&
				    is_known_type(l, rows[i].type) == known)
					mp_buf_printf(&pref, "%s%s", pref.size ? "," : "",
						      rows[i].name);
	if (n > 0)
		libssh2_free(l->session, have);
	rc = libssh2_session_method_pref(l->session, LIBSSH2_METHOD_HOSTKEY, mp_buf_peek(&pref));
	return rc ? mp_err_set(err, MP_E_UNSUPPORTED, "libssh2 knows none of the host key types")
		  : 0;
}

int mp_ssh_hostkey_prepare(struct mp_ssh_link *l, struct mp_err *err)
{
	l->known_name = l->config.host_key_alias
				? mp_known_hosts_name(l->config.host_key_alias, 22)
				: mp_known_hosts_name(l->config.hostname, l->config.port);
	if (load_known(l, l->known_name, &l->known, err) < 0)
		return -1;
	if (!l->known.n && l->known_name[0] == '[') {
		/* As ssh(1) does: a host on another port may be known by its plain name. */
		mp_auto_free char *plain = mp_known_hosts_name(l->config.hostname, 22);

		if (load_known(l, plain, &l->known, err) < 0)
			return -1;
	}
	return prefer_known(l, err);
}

static const char *first_file(const struct mp_ssh_link *l)
{
	return l->config.known_hosts.n ? l->config.known_hosts.v[0] : "known_hosts";
}

int mp_ssh_hostkey_no_common(struct mp_ssh_link *l, struct mp_err *err)
{
	char *what = NULL;

	libssh2_session_last_error(l->session, &what, NULL, 0);
	return mp_err_set(err, MP_E_UNSUPPORTED,
			  "no algorithm in common with %s%s (%s); give the host an ed25519 host "
			  "key, or " OPENSSH_REMEDY,
			  l->known_name,
			  mp_ssh_has_rsa_sha2() ? ""
						: ": this libssh2 has no rsa-sha2, so a host that "
						  "has only an RSA host key cannot be verified",
			  what ? what : "key exchange");
}

static int hostkey_unknown(struct mp_ssh_link *l, enum mp_known_verdict v, const char *type,
			   const char *print, const struct mp_known_key *why, struct mp_err *err)
{
	if (v == MP_KNOWN_AUTHORITY)
		return mp_err_set(err, MP_E_HOSTKEY,
				  "%s is known by a certificate authority only (%s), which libssh2 "
				  "cannot check; " OPENSSH_REMEDY,
				  l->known_name, why->place);
	if (v == MP_KNOWN_OTHER)
		return mp_err_set(err, MP_E_HOSTKEY,
				  "%s showed a %s host key %s, and %s knows only a key of type %s; "
				  "verify it by a trusted way and add it, or " OPENSSH_REMEDY,
				  l->known_name, type, print, why->place, why->type);
	return mp_err_set(err, MP_E_HOSTKEY,
			  "host key of %s is unknown: %s %s; compare it with `ssh-keygen -lf "
			  "/etc/ssh/ssh_host_*_key.pub` on the host's console and add it to %s",
			  l->known_name, type, print, first_file(l));
}

int mp_ssh_hostkey_check(struct mp_ssh_link *l, struct mp_err *err)
{
	size_t size = 0;
	int kind = 0;
	const char *blob = libssh2_session_hostkey(l->session, &size, &kind);
	gnutls_datum_t raw = { (unsigned char *)(uintptr_t)blob, (unsigned int)size }, b64 = { 0 };
	const struct mp_known_key *why = NULL;
	enum mp_known_verdict verdict;
	char type[64], print[64];

	if (!blob || gnutls_base64_encode2(&raw, &b64) < 0)
		return mp_err_set(err, MP_E_PROTO, "%s showed no host key", l->known_name);
	mp_ssh_blob_type(raw.data, size, type, sizeof(type));
	mp_ssh_blob_fingerprint(raw.data, size, print);
	verdict = mp_known_hosts_judge(&l->known, type, (const char *)b64.data, &why);
	gnutls_free(b64.data);
	switch (verdict) {
	case MP_KNOWN_MATCH:
		return 0;
	case MP_KNOWN_CHANGED:
		return mp_err_set(
			err, MP_E_HOSTKEY,
			"host key of %s CHANGED: it showed %s %s, and %s has another; find "
			"out why (a new installation, or somebody in between), then replace "
			"that line",
			l->known_name, type, print, why->place);
	case MP_KNOWN_REVOKED:
		return mp_err_set(err, MP_E_HOSTKEY,
				  "host key of %s is revoked: %s %s (%s); give the host new keys",
				  l->known_name, type, print, why->place);
	case MP_KNOWN_UNKNOWN:
	case MP_KNOWN_OTHER:
	case MP_KNOWN_AUTHORITY:
		break;
	}
	return hostkey_unknown(l, verdict, type, print, why, err);
}
