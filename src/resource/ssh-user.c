/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "resource/ssh-user.h"

#include <string.h>

#include "base/alloc.h"

#define MAX_SHARED 8 /* keys that one host calls shared; more are not counted */

static void count(json_t *counts, const char *what)
{
	json_object_set_new(counts, what, json_integer(mp_json_int(counts, what, 0) + 1));
}

static const json_t *of_root(const struct mp_world *w, size_t host, const char *id)
{
	return json_object_get(json_object_get(mp_world_fact(w, host, id), "users"), "root");
}

/* "TYPE FINGERPRINT" of the pair of root that a host would share (heap); NULL: it has none. */
static char *first_key(const struct mp_world *w, size_t host)
{
	const json_t *keys = json_object_get(of_root(w, host, "ssh-keys"), "keys");
	const json_t *key = json_array_get(keys, 0);

	return key ? mp_xasprintf("%s %s", mp_json_str(key, "type", ""),
				  mp_json_str(key, "fingerprint", ""))
		   : NULL;
}

/* Which keys the hosts let in as the shared one, and which they have. */
static void count_keys(const struct mp_world *w, size_t host, json_t *granted, json_t *held)
{
	const json_t *ours = json_object_get(of_root(w, host, "ssh-authorized"), "ours"), *ref;
	mp_auto_free char *mine = first_key(w, host);
	size_t i;

	json_array_foreach(json_object_get(ours, MP_SSH_SHARED_COMMENT), i, ref)
	{
		if (json_is_string(ref) && i < MAX_SHARED)
			count(granted, json_string_value(ref));
	}
	if (mine)
		count(held, mine);
}

static bool is_candidate(const struct mp_world *w, size_t host)
{
	return w->hosts[host].reached && (w->inv->hosts[host].roles & MP_ROLE_COMPUTE);
}

ssize_t mp_ssh_shared_owner(const struct mp_world *w)
{
	long long best_granted = -1, best_held = 0;
	json_t *granted, *held;
	ssize_t owner = -1;

	if (strcmp(mp_profile_str(w->profile, "ssh", "keys"), "shared") != 0)
		return -1;
	granted = json_object();
	held = json_object();
	for (size_t i = 0; i < w->inv->n_hosts; i++)
		if (is_candidate(w, i))
			count_keys(w, i, granted, held);
	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		mp_auto_free char *mine = is_candidate(w, i) ? first_key(w, i) : NULL;
		long long g = mine ? mp_json_int(granted, mine, 0) : 0;
		long long n = mine ? mp_json_int(held, mine, 0) : 0;

		/* A key that only one host has is its own, and no reason to prefer it. */
		if (n < 2)
			n = 0;
		if (!is_candidate(w, i) || g < best_granted ||
		    (g == best_granted && n <= best_held))
			continue;
		best_granted = g;
		best_held = n;
		owner = (ssize_t)i;
	}
	json_decref(granted);
	json_decref(held);
	return owner;
}

json_t *mp_ssh_users(const struct mp_world *w)
{
	json_t *users = json_pack("[s]", "root");

	if (mp_profile_bool(w->profile, "nova", "manage"))
		json_array_append_new(users,
				      json_string(mp_profile_str(w->profile, "nova", "user")));
	return users;
}

static json_t *fail(const char *remedy, char *reason)
{
	json_t *ret = json_pack("{s:s,s:s}", "fail", reason, "remedy", remedy);

	mp_cleanup_free(&reason);
	return ret;
}

int mp_ssh_user_look(struct mp_sys *sys, const char *name, struct mp_user *ret, json_t **ret_fact,
		     struct mp_err *err)
{
	bool exists = false;
	struct stat st;

	if (mp_sys_user(sys, name, &exists, ret, err) < 0)
		return -1;
	if (!exists) {
		*ret_fact =
			fail("Install nova-compute, or create the user with the uid and gid that "
			     "it has on the other hosts",
			     mp_xasprintf("there is no user %s", name));
		return 0;
	}
	if (mp_sys_stat(sys, ret->home, &exists, &st, err) < 0)
		return -1;
	if (!exists || !S_ISDIR(st.st_mode)) {
		*ret_fact =
			fail("Create the home directory with the user as its owner, or correct it "
			     "with usermod -d",
			     mp_xasprintf("the home directory %s of user %s is missing", ret->home,
					  name));
		return 0;
	}
	if (st.st_uid != ret->uid && st.st_uid != 0) {
		*ret_fact =
			fail("Find out why, then chown the directory to the user",
			     mp_xasprintf("the home directory %s of user %s belongs to uid %u, so "
					  "that sshd refuses its keys (StrictModes)",
					  ret->home, name, (unsigned)st.st_uid));
		return 0;
	}
	*ret_fact = json_pack("{s:s}", "home", ret->home);
	return 0;
}

int mp_ssh_users_observe(struct mp_sys *sys, const json_t *params,
			 int (*look)(struct mp_sys *sys, const struct mp_user *u,
				     const json_t *params, json_t *fact, struct mp_err *err),
			 json_t **ret, struct mp_err *err)
{
	json_t *users = json_object(), *name;
	size_t i;

	json_array_foreach(json_object_get(params, "users"), i, name)
	{
		json_t *fact = NULL;
		struct mp_user u;
		int rc = mp_ssh_user_look(sys, json_string_value(name), &u, &fact, err);

		if (rc == 0 && !json_object_get(fact, "fail"))
			rc = look(sys, &u, params, fact, err);
		if (rc < 0) {
			json_decref(fact);
			json_decref(users);
			return -1;
		}
		json_object_set_new(users, json_string_value(name), fact);
	}
	*ret = json_pack("{s:o}", "users", users);
	return 0;
}

int mp_ssh_user_get(struct mp_sys *sys, const char *name, struct mp_user *ret, struct mp_err *err)
{
	json_t *fact = NULL;
	int rc = 0;

	if (mp_ssh_user_look(sys, name, ret, &fact, err) < 0)
		return -1;
	if (json_object_get(fact, "fail"))
		rc = mp_err_set(err, MP_E_INPUT, "%s", mp_json_str(fact, "fail", ""));
	json_decref(fact);
	return rc;
}

char *mp_ssh_path(const struct mp_user *u, const char *file)
{
	size_t n = strlen(u->home);

	while (n && u->home[n - 1] == '/')
		n--;
	return mp_xasprintf("%.*s/.ssh%s%s", (int)n, u->home, file ? "/" : "", file ? file : "");
}

char *mp_ssh_attr_text(const struct mp_user *u, const struct stat *st)
{
	unsigned mode = (unsigned)st->st_mode & 07777;

	if (st->st_uid == u->uid || st->st_uid == 0)
		return mp_xasprintf("mode %04o, owner %s", mode,
				    st->st_uid == u->uid ? u->name : "root");
	return mp_xasprintf("mode %04o, owner uid %u", mode, (unsigned)st->st_uid);
}

bool mp_ssh_file_refuse(const struct mp_user *u, const char *path, const struct stat *st,
			json_t *fact)
{
	mp_auto_free char *remedy = NULL;
	json_t *why = NULL;

	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode)) {
		why = fail("Look what it is, and move it away",
			   mp_xasprintf("%s is not a regular file", path));
	} else if (st->st_uid != u->uid) {
		remedy = mp_xasprintf("Find out whose it is and how it came there; if it is the "
				      "user's, run: chown %s: %s",
				      u->name, path);
		why = fail(remedy,
			   mp_xasprintf("%s belongs to uid %u and not to %s, and what another "
					"user owns is not given away",
					path, (unsigned)st->st_uid, u->name));
	} else if (S_ISREG(st->st_mode) && st->st_nlink > 1) {
		why = fail("Find the other names with find -samefile, and replace this one with a "
			   "copy",
			   mp_xasprintf("%s has %lu names (hard links), so that its mode is not "
					"changed",
					path, (unsigned long)st->st_nlink));
	}
	if (!why)
		return false;
	json_object_update(fact, why);
	json_decref(why);
	return true;
}

/* sshd (misc.c, safe_path) wants root or the user as owner and no writer beside. */
static bool is_loose(const struct mp_user *u, const struct stat *st)
{
	return (st->st_uid != u->uid && st->st_uid != 0) || (st->st_mode & 022) ||
	       (st->st_uid != u->uid && !(st->st_mode & 04));
}

int mp_ssh_file_look(struct mp_sys *sys, const struct mp_user *u, const char *file, char **ret,
		     json_t *fact, struct mp_err *err)
{
	mp_auto_free char *path = mp_ssh_path(u, file), *text = NULL, *attr = NULL;
	bool exists = false;
	struct stat st;
	size_t size;

	if (mp_sys_stat(sys, path, &exists, &st, err) < 0)
		return -1;
	if (exists && !S_ISREG(st.st_mode)) {
		mp_ssh_file_refuse(u, path, &st, fact);
		*ret = NULL;
		return 0;
	}
	if (mp_sys_read(sys, path, &text, &size, &st, err) < 0)
		return -1;
	if (text && strlen(text) != size)
		return mp_err_set(
			err, MP_E_INPUT,
			"%s holds NUL bytes and is no text file; look what happened to it, "
			"then repair or remove it",
			path);
	if (text && is_loose(u, &st) && !mp_ssh_file_refuse(u, path, &st, fact)) {
		attr = mp_ssh_attr_text(u, &st);
		json_object_set_new(fact, "attr", json_string(attr));
	}
	*ret = mp_steal(&text);
	return 0;
}

int mp_ssh_dir_make(struct mp_sys *sys, const struct mp_user *u, struct mp_err *err)
{
	mp_auto_free char *dir = mp_ssh_path(u, NULL);
	struct mp_attr attr = { 0700, u->uid, u->gid };
	bool exists = false;
	struct stat st;

	if (mp_sys_stat(sys, dir, &exists, &st, err) < 0)
		return -1;
	return exists ? 0 : mp_sys_mkdir(sys, dir, &attr, err);
}

int mp_ssh_attr_mend(struct mp_sys *sys, const struct mp_user *u, const char *path, mode_t mode,
		     struct mp_err *err)
{
	struct mp_attr attr = { mode, u->uid, u->gid };
	bool exists = false, refused;
	json_t *fact;
	struct stat st;

	if (mp_sys_stat(sys, path, &exists, &st, err) < 0)
		return -1;
	if (!exists)
		return mp_err_set(err, MP_E_INPUT, "%s went away meanwhile; run apply again", path);
	fact = json_object();
	refused = mp_ssh_file_refuse(u, path, &st, fact);
	if (refused)
		mp_err_set(err, MP_E_DENIED, "%s", mp_json_str(fact, "fail", ""));
	json_decref(fact);
	return refused ? -1 : mp_sys_chattr(sys, path, &attr, err);
}

/* The file is not read again: mp_sys_write() compares with what the caller has edited. */
int mp_ssh_file_write(struct mp_sys *sys, const struct mp_user *u, const char *file,
		      const char *text, mode_t mode, struct mp_err *err)
{
	mp_auto_free char *path = mp_ssh_path(u, file);
	struct mp_attr attr = { mode, u->uid, u->gid };
	bool exists = false;
	struct stat st;

	if (mp_ssh_dir_make(sys, u, err) < 0 || mp_sys_stat(sys, path, &exists, &st, err) < 0)
		return -1;
	/* Before the write, which gives the new file the owner of the old one. */
	if (exists && is_loose(u, &st) && mp_ssh_attr_mend(sys, u, path, mode, err) < 0)
		return -1;
	return mp_sys_write(sys, path, text, strlen(text), &attr, false, err);
}

bool mp_ssh_user_diff(const json_t *fact, const char *user, const char *path, struct mp_diff *ret)
{
	const char *failed = mp_json_str(fact, "fail", NULL),
		   *attr = mp_json_str(fact, "attr", NULL);

	if (!fact) {
		mp_diff_verdict(ret, MP_UNKNOWN, NULL, "nothing was observed about user %s", user);
		return false;
	}
	if (failed) {
		mp_diff_verdict(ret, MP_FAIL, mp_json_str(fact, "remedy", NULL), "%s", failed);
		return false;
	}
	if (attr) {
		mp_auto_free char *after = mp_xasprintf("not writable by others, owner %s", user);

		mp_diff_change(ret, path, attr, after);
	}
	return true;
}
