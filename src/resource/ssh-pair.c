/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "resource/ssh-pair.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "model/ssh-text.h"
#include "model/world.h"
#include "resource/ssh-user.h"

#define KEYGEN_DIR "/run/migprep-keygen" /* tmpfs: a key that was not installed leaves no trace */
#define KEYGEN_MS 60000                  /* a large RSA key on a slow, busy host */

#define MAX_KEPT 20 /* old private keys beside one file */

/* ssh(1), IdentityFile; in the order of preference where the profile's type is not there. */
static const struct {
	const char *type, *file, *key_prefix;
} kinds[] = {
	{ "ed25519", "id_ed25519", "ssh-ed25519" },
	{ "ecdsa", "id_ecdsa", "ecdsa-sha2-" },
	{ "rsa", "id_rsa", "ssh-rsa" },
};

const char *mp_ssh_default_file(const char *key_type)
{
	for (size_t i = 0; i < MP_N_ELEMS(kinds); i++)
		if (strncmp(key_type, kinds[i].key_prefix, strlen(kinds[i].key_prefix)) == 0)
			return kinds[i].file;
	return NULL;
}

const char *mp_ssh_free_type(const json_t *fact, const char *type)
{
	const json_t *occupied = json_object_get(fact, "occupied");
	const char *other = NULL;

	for (size_t i = 0; i < MP_N_ELEMS(kinds); i++) {
		if (json_object_get(occupied, kinds[i].file))
			continue;
		if (strcmp(kinds[i].type, type) == 0)
			return kinds[i].type;
		if (!other)
			other = kinds[i].type;
	}
	return other;
}

static void wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	mp_cleanup_free(text);
}

#define auto_wipe __attribute__((cleanup(wipe)))

int mp_ssh_private_read(struct mp_sys *sys, const struct mp_user *u, const char *file, char **ret,
			struct mp_err *err)
{
	mp_auto_free char *path = mp_ssh_path(u, file);

	return mp_sys_read(sys, path, ret, NULL, NULL, err);
}

static int run(struct mp_sys *sys, const char *const *argv, const char *user,
	       struct mp_run_result *ret, struct mp_err *err)
{
	const struct mp_run_opts opts = { .timeout_ms = KEYGEN_MS, .user = user };

	return mp_sys_run(sys, argv, &opts, ret, err);
}

/*
 * Lets ssh-keygen tell the public half of a key in another format than OpenSSH's own. NULL: it
 * cannot. As the user, whose file it is: root would parse, and say something about, any file that
 * the user puts there.
 */
static int ask_keygen(struct mp_sys *sys, const struct mp_user *u, const char *path, char **ret_key,
		      struct mp_err *err)
{
	const char *const argv[] = { "ssh-keygen", "-y", "-P", "", "-f", path, NULL };
	struct mp_run_result r = { 0 };
	struct mp_ssh_pub pub;

	if (!mp_sys_is_real(sys))
		return 0;
	if (run(sys, argv, u->name, &r, err) < 0)
		return -1;
	if (r.status == 0 && mp_ssh_pub_parse(r.out, strlen(r.out), &pub))
		*ret_key = mp_xstrndup(pub.key, pub.key_len);
	mp_run_result_fini(&r);
	return 0;
}

/* "ok", "missing" or "differs" for FILE.pub beside a private key with this public half. */
static int look_public(struct mp_sys *sys, const char *path, const struct mp_ssh_pub *want,
		       const char **ret, struct mp_err *err)
{
	mp_auto_free char *file = mp_xasprintf("%s.pub", path), *text = NULL;
	struct mp_ssh_pub have;
	size_t size;

	if (mp_sys_read(sys, file, &text, &size, NULL, err) < 0)
		return -1;
	if (!text)
		*ret = "missing";
	else if (mp_ssh_pub_parse(text, size, &have) && strcmp(have.ref, want->ref) == 0)
		*ret = "ok";
	else
		*ret = "differs";
	return 0;
}

/* ssh(1) refuses a key that others may read, and cannot read one that is not the user's. */
static bool is_loose(const struct mp_user *u, const struct stat *st)
{
	return st->st_uid != u->uid || (st->st_mode & 077);
}

/* Adds one usable pair to keys; the one of the profile's type goes first. */
static int add_pair(struct mp_sys *sys, const struct mp_user *u, size_t kind, const char *type,
		    const char *path, const char *key, const struct stat *st, json_t *keys,
		    struct mp_err *err)
{
	const char *public = NULL;
	struct mp_ssh_pub pub;
	json_t *entry;

	if (!mp_ssh_pub_parse(key, strlen(key), &pub))
		return mp_err_set(err, MP_E_INPUT,
				  "%s: ssh-keygen reads it, but its type is unknown", path);
	if (look_public(sys, path, &pub, &public, err) < 0)
		return -1;
	entry = json_pack("{s:s,s:s,s:i,s:s,s:s,s:s}", "file", kinds[kind].file, "type", pub.type,
			  "bits", pub.bits, "fingerprint", pub.fingerprint, "line", key, "public",
			  public);
	if (is_loose(u, st)) {
		mp_auto_free char *attr = mp_ssh_attr_text(u, st);

		json_object_set_new(entry, "attr", json_string(attr));
	}
	if (strcmp(kinds[kind].type, type) == 0)
		json_array_insert_new(keys, 0, entry);
	else
		json_array_append_new(keys, entry);
	return 0;
}

static int look_kind(struct mp_sys *sys, const struct mp_user *u, size_t kind, const char *type,
		     json_t *fact, struct mp_err *err)
{
	json_t *keys = json_object_get(fact, "keys"), *occupied = json_object_get(fact, "occupied");
	mp_auto_free char *path = mp_ssh_path(u, kinds[kind].file), *key = NULL;
	auto_wipe char *text = NULL;
	const char *why = "is no private key, or is damaged";
	struct stat st;
	size_t size;

	if (mp_sys_read(sys, path, &text, &size, &st, err) < 0)
		return -1;
	if (!text)
		return 0;
	if (is_loose(u, &st) && mp_ssh_file_refuse(u, path, &st, fact))
		return 0;
	switch (mp_ssh_private_parse(text, size, &key)) {
	case MP_SSH_PRIVATE_PLAIN:
		return add_pair(sys, u, kind, type, path, key, &st, keys, err);
	case MP_SSH_PRIVATE_OTHER:
		if (ask_keygen(sys, u, path, &key, err) < 0)
			return -1;
		if (key)
			return add_pair(sys, u, kind, type, path, key, &st, keys, err);
		why = is_loose(u, &st) ? "may be read by others, so that ssh-keygen refuses it"
				       : "cannot be read by ssh-keygen without a passphrase";
		break;
	case MP_SSH_PRIVATE_LOCKED:
		why = "has a passphrase";
		break;
	case MP_SSH_PRIVATE_BROKEN:
		break;
	}
	json_object_set_new(occupied, kinds[kind].file, json_string(why));
	return 0;
}

/* Owner and modes of the home directory and ~/.ssh, as StrictModes (sshd_config(5)) wants them. */
static int look_dirs(struct mp_sys *sys, const struct mp_user *u, json_t *fact, struct mp_err *err)
{
	mp_auto_free char *dir = mp_ssh_path(u, NULL);
	bool exists = false;
	struct stat st;

	if (mp_sys_stat(sys, u->home, &exists, &st, err) < 0)
		return -1;
	if (exists && (st.st_mode & 022)) {
		mp_auto_free char *mode = mp_xasprintf("mode %04o", (unsigned)st.st_mode & 07777);

		json_object_set_new(fact, "home_mode", json_string(mode));
	}
	if (mp_sys_stat(sys, dir, &exists, &st, err) < 0)
		return -1;
	if (exists && ((st.st_mode & 07777) != 0700 || st.st_uid != u->uid) &&
	    !mp_ssh_file_refuse(u, dir, &st, fact)) {
		mp_auto_free char *attr = mp_ssh_attr_text(u, &st);

		json_object_set_new(fact, "dir", json_string(attr));
	}
	return 0;
}

int mp_ssh_pairs_look(struct mp_sys *sys, const struct mp_user *u, const char *type, json_t *fact,
		      struct mp_err *err)
{
	json_object_set_new(fact, "keys", json_array());
	json_object_set_new(fact, "occupied", json_object());
	if (look_dirs(sys, u, fact, err) < 0)
		return -1;
	for (size_t i = 0; i < MP_N_ELEMS(kinds); i++)
		if (look_kind(sys, u, i, type, fact, err) < 0)
			return -1;
	return 0;
}

/* Keeps a key that another one replaces; what an earlier run has kept stays. */
static int keep_old(struct mp_sys *sys, const char *path, const char *old,
		    const struct mp_attr *secret, struct mp_err *err)
{
	for (int i = 1; i <= MAX_KEPT; i++) {
		mp_auto_free char *name = i == 1 ? mp_xasprintf("%s.migprep-old", path)
						 : mp_xasprintf("%s.migprep-old.%d", path, i);
		auto_wipe char *there = NULL;

		if (mp_sys_read(sys, name, &there, NULL, NULL, err) < 0)
			return -1;
		if (!there)
			return mp_sys_write(sys, name, old, strlen(old), secret, true, err);
		if (strcmp(there, old) == 0)
			return 0;
	}
	return mp_err_set(err, MP_E_LIMIT,
			  "%s.migprep-old has %d successors; remove those that nobody needs", path,
			  MAX_KEPT);
}

int mp_ssh_pair_install(struct mp_sys *sys, const struct mp_user *u, const char *file,
			const char *private_key, const char *public_line, struct mp_err *err)
{
	mp_auto_free char *path = mp_ssh_path(u, file), *pub = mp_xasprintf("%s.pub", path);
	auto_wipe char *old = NULL;
	struct mp_attr secret = { 0600, u->uid, u->gid }, open = { 0644, u->uid, u->gid };

	if (mp_ssh_dir_make(sys, u, err) < 0 || mp_ssh_private_read(sys, u, file, &old, err) < 0)
		return -1;
	if (old && strcmp(old, private_key) != 0 && keep_old(sys, path, old, &secret, err) < 0)
		return -1;
	/* The public half last: where it is, the private one is whole. */
	if (mp_sys_write(sys, path, private_key, strlen(private_key), &secret, true, err) < 0)
		return -1;
	return mp_sys_write(sys, pub, public_line, strlen(public_line), &open, false, err);
}

static int clear_keygen_dir(struct mp_sys *sys, struct mp_err *err)
{
	static const char *const argv[] = { "rm", "-rf", KEYGEN_DIR, NULL };
	struct mp_run_result r = { 0 };
	int rc = run(sys, argv, NULL, &r, err);

	if (rc == 0 && r.status != 0)
		rc = mp_err_set(err, MP_E_SYS, "rm -rf %s: %.200s", KEYGEN_DIR, r.errtext);
	mp_run_result_fini(&r);
	return rc;
}

static int keygen(struct mp_sys *sys, const char *type, const char *comment, struct mp_err *err)
{
	const char *const mkdir[] = { "mkdir", "-m", "0700", KEYGEN_DIR, NULL };
	const char *const gen[] = { "ssh-keygen", "-q", "-t",    type, "-N",
				    "",           "-C", comment, "-f", KEYGEN_DIR "/key",
				    NULL };
	struct mp_run_result r = { 0 };
	int rc = run(sys, mkdir, NULL, &r, err);

	if (rc == 0 && r.status != 0)
		rc = mp_err_set(err, MP_E_SYS, "mkdir %s: %.200s", KEYGEN_DIR, r.errtext);
	mp_run_result_fini(&r);
	if (rc < 0)
		return -1;
	r = (struct mp_run_result){ 0 };
	rc = run(sys, gen, NULL, &r, err);
	if (rc == 0 && r.timed_out)
		rc = mp_err_set(err, MP_E_TIMEOUT, "ssh-keygen -t %s took longer than %d s", type,
				KEYGEN_MS / 1000);
	else if (rc == 0 && r.status != 0)
		rc = mp_err_set(err, MP_E_SYS, "ssh-keygen -t %s: %.200s", type, r.errtext);
	mp_run_result_fini(&r);
	return rc;
}

static int take_generated(struct mp_sys *sys, const char *type, char **ret_key, char **ret_pub,
			  struct mp_err *err)
{
	if (mp_sys_read(sys, KEYGEN_DIR "/key", ret_key, NULL, NULL, err) < 0 ||
	    mp_sys_read(sys, KEYGEN_DIR "/key.pub", ret_pub, NULL, NULL, err) < 0)
		return -1;
	if (!*ret_key || !*ret_pub)
		return mp_err_set(err, MP_E_SYS, "ssh-keygen -t %s made no key pair", type);
	return 0;
}

int mp_ssh_pair_generate(struct mp_sys *sys, const struct mp_user *u, const char *type,
			 const char *comment, struct mp_err *err)
{
	mp_auto_free char *file = mp_xasprintf("id_%s", type), *pub = NULL;
	auto_wipe char *key = NULL;
	int rc;

	/* What an earlier, killed run may have left is never used. */
	if (clear_keygen_dir(sys, err) < 0)
		return -1;
	rc = keygen(sys, type, comment, err);
	if (rc == 0)
		rc = take_generated(sys, type, &key, &pub, err);
	/* Before the pair is installed: once it is, no later run would come here to clear up. */
	if (clear_keygen_dir(sys, rc == 0 ? err : NULL) < 0 || rc < 0)
		return -1;
	return mp_ssh_pair_install(sys, u, file, key, pub, err);
}
