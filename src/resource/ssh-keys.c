/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh-keys: a key pair for each user that logs in to the other hosts. */
#include "config.h"
#include "resource/resource.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "model/ssh-text.h"
#include "resource/ssh-pair.h"
#include "resource/ssh-user.h"

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	(void)h;
	return json_pack("{s:o,s:s}", "users", mp_ssh_users(w), "type",
			 mp_profile_str(w->profile, "ssh", "key_type"));
}

static int look_user(struct mp_sys *sys, const struct mp_user *u, const json_t *p, json_t *fact,
		     struct mp_err *err)
{
	return mp_ssh_pairs_look(sys, u, mp_json_str(p, "type", "ed25519"), fact, err);
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	return mp_ssh_users_observe(sys, p, look_user, ret, err);
}

/* What the other hosts take over from the owner of the shared pair: {USER: {"fingerprint", "type",
 * "line", "private"}}. */
static json_t *shared_keys(const struct mp_world *w, size_t owner)
{
	const json_t *secret = mp_world_fact(w, owner, MP_SSH_SHARED_FACT);
	const json_t *fact = mp_world_fact(w, owner, "ssh-keys");
	json_t *ret = json_object(), *user;
	const char *name;

	json_object_foreach(json_object_get(fact, "users"), name, user)
	{
		const json_t *key = json_array_get(json_object_get(user, "keys"), 0);
		const char *private = mp_json_str(json_object_get(secret, name), "private", NULL);
		const char *line = mp_json_str(key, "line", "");
		struct mp_ssh_pub pub;
		json_t *entry;

		if (!mp_ssh_pub_parse(line, strlen(line), &pub) || pub.key_len != strlen(line))
			continue;
		entry = json_pack("{s:s,s:s,s:s}", "type", pub.type, "fingerprint", pub.fingerprint,
				  "line", line);
		if (private)
			json_object_set_new(entry, "private", json_string(private));
		json_object_set_new(ret, name, entry);
	}
	return ret;
}

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	mp_auto_free char *comment = mp_xasprintf(MP_SSH_COMMENT "%s", h->name);
	bool shared = strcmp(mp_profile_str(w->profile, "ssh", "keys"), "shared") == 0;
	ssize_t owner = mp_ssh_shared_owner(w);
	json_t *ret = json_pack("{s:o,s:s,s:s}", "users", mp_ssh_users(w), "type",
				mp_profile_str(w->profile, "ssh", "key_type"), "comment",
				shared ? MP_SSH_SHARED_COMMENT : comment);

	if (owner >= 0 && (size_t)owner != h->index) {
		json_object_set_new(ret, "owner", json_string(w->inv->hosts[owner].name));
		json_object_set_new(ret, "shared", shared_keys(w, (size_t)owner));
	}
	return ret;
}

static const json_t *find_key(const json_t *keys, const char *fingerprint)
{
	json_t *key;
	size_t i;

	json_array_foreach((json_t *)keys, i, key)
	{
		if (mp_str_eq(mp_json_str(key, "fingerprint", NULL), fingerprint))
			return key;
	}
	return NULL;
}

/* The pair of the user that counts: the owner's where it is shared, else the first usable one. */
static const json_t *wanted_key(const json_t *fact, const json_t *w, const char *user)
{
	const json_t *keys = json_object_get(fact, "keys"), *shared;

	if (!json_object_get(w, "owner"))
		return json_array_get(keys, 0);
	shared = json_object_get(json_object_get(w, "shared"), user);
	return shared ? find_key(keys, mp_json_str(shared, "fingerprint", NULL)) : NULL;
}

static void diff_missing(const json_t *fact, const json_t *w, const char *user, const char *dir,
			 struct mp_diff *ret)
{
	const json_t *shared = json_object_get(json_object_get(w, "shared"), user);
	const char *owner = mp_json_str(w, "owner", NULL), *type = mp_json_str(w, "type", "");
	const char *file = mp_ssh_default_file(mp_json_str(shared, "type", "")), *before = NULL;
	mp_auto_free char *what = NULL, *after = NULL;
	json_t *key;
	size_t i;

	if (owner) {
		json_array_foreach(json_object_get(fact, "keys"), i, key)
		{
			if (mp_str_eq(mp_json_str(key, "file", NULL), file))
				before = mp_json_str(key, "fingerprint", NULL);
		}
		what = mp_xasprintf("%s/%s", dir, file ? file : "id_*");
		after = mp_xasprintf("shared key of %s %s", owner,
				     mp_json_str(shared, "fingerprint", "(not made yet)"));
	} else {
		type = mp_ssh_free_type(fact, type);
		if (!type) {
			mp_diff_verdict(
				ret, MP_FAIL,
				"Remove or rename one of the key files, or take its passphrase "
				"off with ssh-keygen -p; then run apply",
				"%s has no key that works without a passphrase, and every "
				"default key file in %s is taken",
				user, dir);
			return;
		}
		what = mp_xasprintf("%s/id_%s", dir, type);
		after = mp_xasprintf("new %s key pair, comment %s", type,
				     mp_json_str(w, "comment", ""));
	}
	mp_diff_change(ret, what, before, after);
}

static void diff_key(const json_t *key, const char *user, const char *dir, struct mp_diff *ret)
{
	mp_auto_free char *file = mp_xasprintf("%s/%s", dir, mp_json_str(key, "file", ""));
	mp_auto_free char *pub = mp_xasprintf("%s.pub", file);
	mp_auto_free char *after = mp_xasprintf("mode 0600, owner %s", user);
	const char *public = mp_json_str(key, "public", ""), *attr = mp_json_str(key, "attr", NULL);

	if (attr)
		mp_diff_change(ret, file, attr, after);
	if (strcmp(public, "ok") != 0)
		mp_diff_change(ret, pub,
			       strcmp(public, "missing") == 0 ? NULL : "belongs to another key",
			       mp_json_str(key, "fingerprint", ""));
}

static void diff_user(const json_t *fact, const json_t *w, const char *user, struct mp_diff *ret)
{
	mp_auto_free char *dir = mp_xasprintf("%s/.ssh", mp_json_str(fact, "home", ""));
	mp_auto_free char *after = mp_xasprintf("mode 0700, owner %s", user);
	const char *home_mode = mp_json_str(fact, "home_mode", NULL);
	const char *attr = mp_json_str(fact, "dir", NULL);
	const json_t *key;

	if (!mp_ssh_user_diff(fact, user, dir, ret))
		return;
	if (home_mode)
		mp_diff_change(ret, mp_json_str(fact, "home", ""), home_mode,
			       "not writable by group and others");
	if (attr)
		mp_diff_change(ret, dir, attr, after);
	key = wanted_key(fact, w, user);
	if (key)
		diff_key(key, user, dir, ret);
	else
		diff_missing(fact, w, user, dir, ret);
}

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	json_t *name;
	size_t i;

	json_array_foreach(json_object_get(w, "users"), i, name)
		diff_user(json_object_get(json_object_get(fact, "users"), json_string_value(name)),
			  w, json_string_value(name), ret);
}

static int mend_dirs(struct mp_sys *sys, const struct mp_user *u, const json_t *fact,
		     struct mp_err *err)
{
	mp_auto_free char *dir = mp_ssh_path(u, NULL);
	bool exists = false;
	struct stat st;

	if (json_object_get(fact, "home_mode")) {
		if (mp_sys_stat(sys, u->home, &exists, &st, err) < 0)
			return -1;
		struct mp_attr home = { st.st_mode & 07755, st.st_uid, st.st_gid };

		if (exists && mp_sys_chattr(sys, u->home, &home, err) < 0)
			return -1;
	}
	if (json_object_get(fact, "dir"))
		return mp_ssh_attr_mend(sys, u, dir, 0700, err);
	return mp_ssh_dir_make(sys, u, err);
}

static int mend_key(struct mp_sys *sys, const struct mp_user *u, const json_t *key,
		    const char *comment, struct mp_err *err)
{
	mp_auto_free char *path = mp_ssh_path(u, mp_json_str(key, "file", ""));
	mp_auto_free char *pub = mp_xasprintf("%s.pub", path);
	mp_auto_free char *line = mp_xasprintf("%s %s\n", mp_json_str(key, "line", ""), comment);
	struct mp_attr open = { 0644, u->uid, u->gid };

	if (json_object_get(key, "attr") && mp_ssh_attr_mend(sys, u, path, 0600, err) < 0)
		return -1;
	if (strcmp(mp_json_str(key, "public", ""), "ok") == 0)
		return 0;
	return mp_sys_write(sys, pub, line, strlen(line), &open, false, err);
}

static int make_key(struct mp_sys *sys, const struct mp_user *u, const json_t *fact,
		    const json_t *w, const char *user, struct mp_err *err)
{
	const json_t *shared = json_object_get(json_object_get(w, "shared"), user);
	const char *owner = mp_json_str(w, "owner", NULL), *comment = mp_json_str(w, "comment", "");
	const char *private = mp_json_str(shared, "private", NULL);
	const char *file = mp_ssh_default_file(mp_json_str(shared, "type", ""));
	mp_auto_free char *line = mp_xasprintf("%s %s\n", mp_json_str(shared, "line", ""), comment);

	if (!owner)
		return mp_ssh_pair_generate(
			sys, u, mp_ssh_free_type(fact, mp_json_str(w, "type", "ed25519")), comment,
			err);
	if (!private || !file)
		return mp_err_set(
			err, MP_E_INPUT,
			"the shared key of user %s could not be had from %s; look at what "
			"its ssh-keys says",
			user, owner);
	return mp_ssh_pair_install(sys, u, file, private, line, err);
}

static int apply(struct mp_sys *sys, const json_t *p, const json_t *fact, const json_t *w,
		 struct mp_err *err)
{
	json_t *name;
	size_t i;

	(void)p;
	json_array_foreach(json_object_get(w, "users"), i, name)
	{
		const char *user = json_string_value(name);
		const json_t *mine = json_object_get(json_object_get(fact, "users"), user);
		const json_t *key = wanted_key(mine, w, user);
		struct mp_user u;

		if (mp_ssh_user_get(sys, user, &u, err) < 0 || mend_dirs(sys, &u, mine, err) < 0)
			return -1;
		if (key ? mend_key(sys, &u, key, mp_json_str(w, "comment", ""), err)
			: make_key(sys, &u, mine, w, user, err))
			return -1;
	}
	return 0;
}

const struct mp_resource mp_resource_ssh_keys = {
	.id = "ssh-keys",
	.summary = "SSH key pairs of root and nova",
	.prevents = "Without a key that needs no passphrase, a host cannot log in to its peers: "
		    "\"Permission denied (publickey)\" from libvirt over SSH, and \"not able to "
		    "execute "
		    "ssh command\" from Nova when it resizes or migrates a stopped instance.",
	.checked =
		"Reads the default key files in ~/.ssh of root and of the nova user: a private key "
		"without a passphrase, its public half beside it, and the owners and modes that "
		"StrictModes of sshd asks for. Private keys are looked at on the host only.",
	.remedy = "Run as the user: ssh-keygen -t ed25519 -N '' ; chmod 0700 ~/.ssh ; "
		  "chmod 0600 ~/.ssh/id_ed25519.",
	.source = "Nova admin guide, Configure SSH between compute nodes; sshd_config(5), "
		  "StrictModes",
	.roles = MP_ROLE_COMPUTE,
	.stage = 0,
	.params = params,
	.observe = observe,
	.want = want,
	.diff = diff,
	.apply = apply,
};
