/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh-auth: public keys only, from ssh-agent and from files; never a password, never a prompt. */
#include "config.h"
#include "transport/ssh-link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "transport/ssh-agent.h"
#include "transport/ssh-key.h"

#define MAX_NOTES 260 /* bytes of the reasons in the final error */

struct auth {
	struct mp_ssh_link *link;
	struct mp_ssh_agent agent;
	struct mp_ssh_key *files; /* one for each of link->config.identities */
	struct mp_buf notes;      /* why each key did not do */
	bool no_rsa_sha2;         /* an RSA key was tried in vain */
	int offered;
	struct mp_err sign_err;
	const struct mp_agent_key *signing;
};

static void note(struct auth *a, const char *what, const char *why)
{
	mp_buf_printf(&a->notes, "%s%s: %s", a->notes.size ? "; " : "", what, why);
}

static bool same_blob(const struct mp_agent_key *k, const struct mp_ssh_key *f)
{
	return f->blob && f->blob_size == k->blob_size &&
	       memcmp(f->blob, k->blob, k->blob_size) == 0;
}

static bool is_configured(const struct auth *a, const struct mp_agent_key *k)
{
	for (size_t i = 0; i < a->link->config.identities.n; i++)
		if (same_blob(k, &a->files[i]))
			return true;
	return false;
}

static bool in_agent(const struct auth *a, const struct mp_ssh_key *f)
{
	for (size_t i = 0; i < a->agent.n_keys; i++)
		if (same_blob(&a->agent.keys[i], f))
			return true;
	return false;
}

static void load_files(struct auth *a)
{
	const struct mp_strv *paths = &a->link->config.identities;

	a->files = mp_xcalloc(paths->n, sizeof(*a->files));
	for (size_t i = 0; i < paths->n; i++) {
		struct mp_err why = { 0 };

		if (mp_ssh_key_load(paths->v[i], &a->files[i], &why) < 0)
			note(a, "key file", why.text);
		else if (!a->files[i].text && !a->files[i].blob && a->link->host->ssh_key)
			note(a, paths->v[i], "no such file");
	}
}

static void open_agent(struct auth *a)
{
	const char *path = a->link->config.identity_agent;
	struct mp_err why = { 0 };
	mp_ms until = mp_now() + mp_ms_left(a->link->deadline) / 2; /* the files get the rest */

	a->agent.fd = -1;
	if (!path || strcmp(path, "SSH_AUTH_SOCK") == 0)
		path = getenv("SSH_AUTH_SOCK");
	else if (*path == '$')
		path = getenv(path + 1);
	if (!path || !*path || strcmp(path, "none") == 0)
		return;
	if (mp_ssh_agent_open(path, until, a->link->cancel, &a->agent, &why) < 0)
		note(a, "ssh-agent", why.text);
}

static int sign_by_agent(LIBSSH2_SESSION *session, unsigned char **sig, size_t *sig_len,
			 const unsigned char *data, size_t data_len, void **abstract)
{
	struct auth *a = *abstract;

	(void)session;
	return mp_ssh_agent_sign(&a->agent, a->signing, data, data_len, a->link->deadline,
				 a->link->cancel, sig, sig_len, &a->sign_err);
}

/* 1: accepted; 0: not this one; -1: the connection is of no further use. */
static int outcome(struct auth *a, int rc, const char *what, const char *type, struct mp_err *err)
{
	if (rc == 0)
		return 1;
	if (rc == MP_SSH_GAVE_UP)
		return mp_ssh_error(a->link, rc, "authentication", err);
	a->offered++;
	if (rc == LIBSSH2_ERROR_SOCKET_DISCONNECT || rc == LIBSSH2_ERROR_SOCKET_RECV ||
	    rc == LIBSSH2_ERROR_SOCKET_SEND)
		return mp_err_set(
			err, MP_E_DENIED,
			"the host closed the connection after %d key(s) were offered; name "
			"the right one with ssh_key in the inventory",
			a->offered);
	if (strcmp(type, "ssh-rsa") == 0 && !mp_ssh_has_rsa_sha2()) {
		a->no_rsa_sha2 = true;
		note(a, what, "RSA not accepted");
	} else if (a->sign_err.code) {
		note(a, what, a->sign_err.text);
	} else {
		note(a, what, "not accepted");
	}
	a->sign_err.code = MP_E_NONE;
	return 0;
}

static int try_agent_key(struct auth *a, const struct mp_agent_key *k, struct mp_err *err)
{
	struct mp_ssh_link *l = a->link;
	char print[64], what[96];
	void *arg = a;

	mp_ssh_blob_fingerprint(k->blob, k->blob_size, print);
	snprintf(what, sizeof(what), "agent key %.22s", print);
	if (strncmp(k->type, "sk-", 3) == 0 || strstr(k->type, "-cert-v01@")) {
		note(a, what, "needs transport = openssh");
		return 0;
	}
	a->signing = k;
	return outcome(a,
		       MP_SSH_RETRY(l, err,
				    libssh2_userauth_publickey(l->session, l->config.user, k->blob,
							       k->blob_size, sign_by_agent, &arg)),
		       what, k->type, err);
}

static int try_file(struct auth *a, const struct mp_ssh_key *f, const char *path,
		    struct mp_err *err)
{
	struct mp_ssh_link *l = a->link;

	if (f->encrypted) {
		note(a, path, "needs a passphrase (ssh-add it)");
		return 0;
	}
	if (strncmp(f->type, "sk-", 3) == 0) {
		note(a, path, "needs transport = openssh");
		return 0;
	}
	return outcome(a,
		       MP_SSH_RETRY(l, err,
				    libssh2_userauth_publickey_frommemory(
					    l->session, l->config.user, strlen(l->config.user),
					    NULL, 0, f->text, f->size, NULL)),
		       path, f->type, err);
}

/* All keys of one kind in the order of ssh(1): agent keys that are configured, other agent keys,
 * files. */
static int try_keys(struct auth *a, bool rsa, struct mp_err *err)
{
	const struct mp_ssh_config *c = &a->link->config;
	int rc = 0;

	for (int configured = 1; configured >= (c->identities_only ? 1 : 0); configured--)
		for (size_t i = 0; i < a->agent.n_keys && rc == 0; i++) {
			const struct mp_agent_key *k = &a->agent.keys[i];

			if ((strcmp(k->type, "ssh-rsa") == 0) == rsa &&
			    is_configured(a, k) == configured)
				rc = try_agent_key(a, k, err);
		}
	for (size_t i = 0; i < c->identities.n && rc == 0; i++) {
		const struct mp_ssh_key *f = &a->files[i];

		if (f->text && !in_agent(a, f) && (strcmp(f->type, "ssh-rsa") == 0) == rsa)
			rc = try_file(a, f, c->identities.v[i], err);
	}
	return rc;
}

static int denied(struct auth *a, struct mp_err *err)
{
	struct mp_ssh_link *l = a->link;
	const char *remedy = "put the operator's public key into that user's authorized_keys, or "
			     "name another with ssh_key";

	if (a->no_rsa_sha2)
		remedy = "this libssh2 cannot sign with rsa-sha2: use an ed25519 key, or set "
			 "transport = openssh";
	return mp_err_set(err, MP_E_DENIED, "%s@%s: no key was accepted (%.*s%s); %s",
			  l->config.user, l->config.hostname, MAX_NOTES, mp_buf_peek(&a->notes),
			  a->notes.size ? "" : "there is none: neither in ssh-agent nor in a file",
			  remedy);
}

int mp_ssh_authenticate(struct mp_ssh_link *l, struct mp_err *err)
{
	struct auth a = { .link = l };
	/* RSA last: an sshd since 8.8 counts it as a failure, and permits few of them. */
	bool rsa_last = !mp_ssh_has_rsa_sha2();
	int rc;

	mp_buf_init(&a.notes, 2 * MAX_NOTES);
	load_files(&a);
	open_agent(&a);
	rc = try_keys(&a, !rsa_last, err);
	if (rc == 0)
		rc = try_keys(&a, rsa_last, err);
	if (rc == 0)
		rc = denied(&a, err);
	for (size_t i = 0; i < l->config.identities.n; i++)
		mp_ssh_key_fini(&a.files[i]);
	free(a.files);
	mp_ssh_agent_close(&a.agent);
	mp_buf_fini(&a.notes);
	return rc < 0 ? -1 : 0;
}
