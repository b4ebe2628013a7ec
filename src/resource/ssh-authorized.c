/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh-authorized: who may log in as root and nova: the same user of every compute host. */
#include "config.h"
#include "resource/resource.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "model/ssh-text.h"
#include "resource/ssh-user.h"

#define FILE_NAME "authorized_keys"
#define MANY 8 /* more differences than this are told as one */

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	(void)h;
	return json_pack("{s:o}", "users", mp_ssh_users(w));
}

static int look_user(struct mp_sys *sys, const struct mp_user *u, const json_t *p, json_t *fact,
		     struct mp_err *err)
{
	mp_auto_free char *text = NULL;
	json_t *grants;

	(void)p;
	if (mp_ssh_file_look(sys, u, FILE_NAME, &text, fact, err) < 0)
		return -1;
	grants = mp_ssh_authorized_fact(text);
	json_object_update(fact, grants);
	json_decref(grants);
	return 0;
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	return mp_ssh_users_observe(sys, p, look_user, ret, err);
}

/* Enters the key of a host's user, or, where the host has none yet, its name. */
static void want_key(const struct mp_world *w, size_t host, const char *user, const char *comment,
		     json_t *keys, json_t *pending)
{
	const json_t *fact = mp_world_fact(w, host, "ssh-keys");
	const json_t *mine = json_object_get(json_object_get(fact, "users"), user);
	const json_t *key = json_array_get(json_object_get(mine, "keys"), 0);
	const char *line = mp_json_str(key, "line", "");
	struct mp_ssh_pub pub;

	if (key) {
		/* It will stand in files of other hosts: nothing but a key may get through. */
		if (mp_ssh_pub_parse(line, strlen(line), &pub) && pub.key_len == strlen(line))
			json_array_append_new(keys, json_pack("{s:s,s:s,s:s}", "comment", comment,
							      "key", line, "ref", pub.ref));
	} else if (mine && !json_object_get(mine, "fail") && w->hosts[host].selected) {
		/* apply makes it there in an earlier stage */
		json_array_append_new(pending, json_string(w->inv->hosts[host].name));
	}
}

/* Whether a host has taken the shared pair over, so that its own is not needed any more. */
static bool has_shared(const struct mp_world *w, size_t host, const char *user,
		       const json_t *shared)
{
	const json_t *fact = mp_world_fact(w, host, "ssh-keys");
	const json_t *mine = json_object_get(json_object_get(fact, "users"), user);
	json_t *key;
	size_t i;

	json_array_foreach(json_object_get(mine, "keys"), i, key)
	{
		if (mp_str_eq(mp_json_str(key, "line", NULL), mp_json_str(shared, "key", "")))
			return true;
	}
	return false;
}

/*
 * Whether some compute host may still log in with an earlier shared key: it was not reached, or has
 * not the present one (NULL: none is shared any more).
 */
static bool old_is_in_use(const struct mp_world *w, const char *user, const json_t *shared)
{
	for (size_t i = 0; i < w->inv->n_hosts; i++)
		if ((w->inv->hosts[i].roles & MP_ROLE_COMPUTE) &&
		    (!w->hosts[i].reached || (shared && !has_shared(w, i, user, shared))))
			return true;
	return false;
}

static json_t *want_user(const struct mp_world *w, const char *user)
{
	json_t *keys = json_array(), *pending = json_array(), *stale = json_array();
	bool shared = strcmp(mp_profile_str(w->profile, "ssh", "keys"), "shared") == 0;
	ssize_t owner = mp_ssh_shared_owner(w);

	if (owner >= 0)
		want_key(w, (size_t)owner, user, MP_SSH_SHARED_COMMENT, keys, pending);
	if (old_is_in_use(w, user, json_array_get(keys, 0)))
		json_object_set_new(json_array_get(keys, 0), "keep", json_true());
	else if (!shared)
		json_array_append_new(stale, json_string(MP_SSH_SHARED_COMMENT));
	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		mp_auto_free char *comment = NULL;

		if (!w->hosts[i].reached || !(w->inv->hosts[i].roles & MP_ROLE_COMPUTE))
			continue;
		comment = mp_xasprintf(MP_SSH_COMMENT "%s", w->inv->hosts[i].name);
		if (!shared)
			want_key(w, i, user, comment, keys, pending);
		else if (has_shared(w, i, user, json_array_get(keys, 0)))
			json_array_append_new(stale, json_string(comment));
	}
	return json_pack("{s:o,s:o,s:o}", "keys", keys, "pending", pending, "stale", stale);
}

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	json_t *names = mp_ssh_users(w), *users = json_object(), *name;
	size_t i;

	(void)h;
	json_array_foreach(names, i, name)
	{
		const char *user = json_string_value(name);

		json_object_set_new(users, user, want_user(w, user));
	}
	json_decref(names);
	return json_pack("{s:o}", "users", users);
}

static const char *host_of(const char *comment)
{
	return comment + strlen(MP_SSH_COMMENT);
}

/* Keys that are not granted: each by itself while they are few, else folded. */
static void diff_missing(const struct mp_strv *hosts, const struct mp_strv *refs, const char *path,
			 struct mp_diff *ret)
{
	mp_auto_free char *folded = NULL, *after = NULL;

	if (hosts->n > MANY) {
		folded = mp_range_fold(hosts);
		after = mp_xasprintf("keys of %zu hosts: %s", hosts->n, folded);
		mp_diff_change(ret, path, NULL, after);
		return;
	}
	for (size_t i = 0; i < hosts->n; i++) {
		mp_auto_free char *what = mp_xasprintf("%s key of %s", path, hosts->v[i]);

		mp_diff_change(ret, what, NULL, refs->v[i]);
	}
}

/* Lines of ours whose key is not wanted any more. */
static void diff_stale(const json_t *fact, const json_t *w, const json_t *refs, const char *path,
		       struct mp_diff *ret)
{
	json_t *comments = json_object(), *list, *ref, *k;
	const char *comment;
	size_t i;

	json_array_foreach(json_object_get(w, "keys"), i, k)
	{
		if (!mp_json_bool(k, "keep", false))
			json_object_set(comments, mp_json_str(k, "comment", ""),
					json_object_get(k, "ref"));
	}
	json_array_foreach(json_object_get(w, "stale"), i, k)
		json_object_set_new(comments, json_string_value(k), json_null());
	json_object_foreach(json_object_get(fact, "ours"), comment, list)
	{
		if (!json_object_get(comments, comment))
			continue;
		json_array_foreach(list, i, ref)
		{
			mp_auto_free char *what = NULL;

			if (json_object_get(refs, json_string_value(ref)))
				continue;
			what = mp_xasprintf("%s old key of %s", path, host_of(comment));
			mp_diff_change(ret, what, json_string_value(ref), NULL);
		}
	}
	json_decref(comments);
}

/* A line of somebody, with an option that forbids what a migration needs: not ours to change. */
static void tell_limit(const char *path, const char *option, const char *host, const char *ref,
		       struct mp_diff *ret)
{
	const char *effect = strcmp(option, "command") == 0
				     ? "migrations from there cannot run their commands"
				     : "logins from there may be refused";
	mp_auto_free char *remedy = mp_xasprintf(
		"Remove the option %s=, or put an unrestricted line with that key before it",
		option);

	mp_diff_verdict(ret, MP_FAIL, remedy,
			"a line of %s has the option %s= before the key of %s (%s), so that %s",
			path, option, host, ref, effect);
}

static void diff_user(const json_t *fact, const json_t *w, const char *user, struct mp_diff *ret)
{
	mp_auto_free char *path = mp_xasprintf("%s/.ssh/" FILE_NAME, mp_json_str(fact, "home", ""));
	mp_auto_strv struct mp_strv hosts = { 0 }, absent = { 0 };
	const json_t *have = json_object_get(fact, "keys");
	json_t *refs, *k;
	size_t i;

	if (!mp_ssh_user_diff(fact, user, path, ret))
		return;
	refs = json_object();
	json_array_foreach(json_object_get(w, "keys"), i, k)
	{
		const char *ref = mp_json_str(k, "ref", ""), *state = mp_json_str(have, ref, NULL);
		const char *host = host_of(mp_json_str(k, "comment", MP_SSH_COMMENT));

		json_object_set_new(refs, ref, json_true());
		if (!state) {
			mp_strv_add(&hosts, host);
			mp_strv_add(&absent, ref);
		} else if (strcmp(state, "ok") != 0) {
			tell_limit(path, state, host, ref, ret);
		}
	}
	json_array_foreach(json_object_get(w, "pending"), i, k)
	{
		mp_strv_add(&hosts, json_string_value(k));
		mp_strv_add(&absent, "the key that apply makes there");
	}
	diff_missing(&hosts, &absent, path, ret);
	diff_stale(fact, w, refs, path, ret);
	json_decref(refs);
}

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const json_t *users = json_object_get(fact, "users");
	const char *name;
	json_t *wanted;

	json_object_foreach(json_object_get(w, "users"), name, wanted)
		diff_user(json_object_get(users, name), wanted, name, ret);
}

static int apply(struct mp_sys *sys, const json_t *p, const json_t *fact, const json_t *w,
		 struct mp_err *err)
{
	const char *name;
	json_t *wanted;
	int rc = 0;

	(void)p;
	(void)fact;
	json_object_foreach(json_object_get(w, "users"), name, wanted)
	{
		mp_auto_free char *path = NULL, *old = NULL, *edited = NULL;
		const json_t *pending = json_object_get(wanted, "pending");
		struct mp_user u;

		if (mp_ssh_user_get(sys, name, &u, err) < 0)
			return -1;
		path = mp_ssh_path(&u, FILE_NAME);
		if (mp_sys_read(sys, path, &old, NULL, NULL, err) < 0)
			return -1;
		edited = mp_ssh_authorized_edit(old, json_object_get(wanted, "keys"),
						json_object_get(wanted, "stale"));
		if (mp_ssh_file_write(sys, &u, FILE_NAME, edited, 0600, err) < 0)
			return -1;
		if (rc == 0 && json_array_size(pending))
			rc = mp_err_set(err, MP_E_INPUT,
					"%s has no usable key pair of user %s; look at what its "
					"ssh-keys says, then run apply again",
					json_string_value(json_array_get(pending, 0)), name);
	}
	return rc;
}

const struct mp_resource mp_resource_ssh_authorized = {
	.id = "ssh-authorized",
	.summary = "authorized_keys of root and nova, with the keys of all compute hosts",
	.prevents = "A host whose key is not authorised on a peer is refused there: \"Permission "
		    "denied "
		    "(publickey)\" when libvirt connects as root, or Nova copies files as nova.",
	.checked = "Reads ~/.ssh/authorized_keys of root and of the nova user on every compute "
		   "host and "
		   "looks for the public key that the same user has on each reached compute host, "
		   "behind no option that forces a command or refuses logins (command=, from=, "
		   "expiry-time=, principals=). Lines of others are never touched; ours end in "
		   "migprep@HOST.",
	.remedy = "Append the public key of the user of every compute host to "
		  "~/.ssh/authorized_keys of "
		  "that user on every other one, owner the user, mode 0600.",
	.source = "Nova admin guide, Configure SSH between compute nodes; sshd(8), AUTHORIZED_KEYS "
		  "FILE "
		  "FORMAT",
	.roles = MP_ROLE_COMPUTE,
	.stage = 1,
	.params = params,
	.observe = observe,
	.want = want,
	.diff = diff,
	.apply = apply,
};
