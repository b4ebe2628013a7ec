/* SPDX-License-Identifier: GPL-3.0-or-later */
/* instances-dir: the directory of the instances belongs to nova, and QEMU can pass through it. */
#include "config.h"
#include "resource/resource.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "resource/mount-table.h"
#include "resource/want.h"

#define LOOK_MS 10000 /* it may lie on an NFS server that does not answer */
#define FRESH_MODE 0755

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	(void)h;
	return json_pack("{s:s,s:s,s:s}", "path",
			 mp_profile_str(w->profile, "nova", "instances_path"), "user",
			 mp_profile_str(w->profile, "nova", "user"), "group",
			 mp_profile_str(w->profile, "nova", "group"));
}

static int parent_of(struct mp_sys *sys, const char *path, bool *ret, struct mp_err *err)
{
	const char *slash = strrchr(path, '/');
	mp_auto_free char *dir = mp_xstrndup(path, slash > path ? (size_t)(slash - path) : 1);
	struct stat st;

	return mp_sys_stat(sys, dir, ret, &st, err);
}

/* On whose file system the directory lies, or would. */
static int look_at_mount(struct mp_sys *sys, const char *path, const struct stat *st, json_t *fact,
			 struct mp_err *err)
{
	mp_auto_mount struct mp_mount m = { 0 };

	if (mp_mount_find(sys, path, st, &m, err) < 0)
		return -1;
	if (mp_mount_is_remote(&m))
		json_object_set_new(fact, "remote",
				    json_pack("{s:s,s:s}", "type", m.type, "source", m.source));
	return 0;
}

static int look(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	const char *path = mp_json_str(p, "path", "/");
	bool exists, parent, user, group;
	struct mp_user u = { .name = "" };
	struct stat st = { 0 };
	gid_t gid = 0;

	if (mp_sys_stat(sys, path, &exists, &st, err) < 0 ||
	    parent_of(sys, path, &parent, err) < 0 ||
	    mp_sys_user(sys, mp_json_str(p, "user", ""), &user, &u, err) < 0 ||
	    mp_sys_group(sys, mp_json_str(p, "group", ""), &group, &gid, err) < 0)
		return -1;
	*ret = json_pack("{s:b,s:b,s:b,s:b}", "exists", exists, "parent", parent, "user", user,
			 "group", group);
	if (exists)
		json_object_update_new(*ret, json_pack("{s:b,s:i,s:i,s:i,s:b,s:b}", "directory",
						       S_ISDIR(st.st_mode), "mode",
						       (int)(st.st_mode & 07777), "uid",
						       (int)st.st_uid, "gid", (int)st.st_gid,
						       "user_owns", user && st.st_uid == u.uid,
						       "group_owns", group && st.st_gid == gid));
	if (look_at_mount(sys, path, exists ? &st : NULL, *ret, err) < 0) {
		json_decref(mp_steal(ret));
		return -1;
	}
	return 0;
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	if (mp_sys_in_child(sys, LOOK_MS, look, p, ret, err) == 0)
		return 0;
	if (err && err->code == MP_E_TIMEOUT)
		return mp_err_set(err, MP_E_TIMEOUT,
				  "%s did not answer in %d s; see whether its NFS server is up",
				  mp_json_str(p, "path", ""), LOOK_MS / 1000);
	return -1;
}

/* {UID: HOST}: the numbers that nova has on the other hosts. */
static json_t *nova_elsewhere(const struct mp_world *w, const struct mp_host *h)
{
	json_t *uids = json_object();

	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		const json_t *nova = json_object_get(mp_world_fact(w, i, "users"), "nova");
		long long uid = mp_json_int(nova, "uid", -1);
		char key[24];

		snprintf(key, sizeof(key), "%lld", uid);
		if (i != h->index && uid >= 0 && !json_object_get(uids, key))
			json_object_set_new(uids, key, json_string(w->inv->hosts[i].name));
	}
	return uids;
}

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	const struct mp_host *server = mp_nfs_server(w->inv, NULL);
	json_t *r = mp_want_no_nova(w);

	if (r)
		return r;
	r = params(w, h);
	json_object_set_new(r, "elsewhere", nova_elsewhere(w, h));
	json_object_set_new(r, "serves", json_boolean(h->roles & MP_ROLE_NFS));
	if (server)
		json_object_set_new(r, "server", json_string(server->name));
	return r;
}

/* What apply cannot mend. */
static bool hopeless(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const char *path = mp_json_str(w, "path", "");

	if (!mp_json_bool(fact, "user", false))
		mp_diff_verdict(ret, MP_FAIL,
				"Install nova-compute or make the user, with the uid it has on the "
				"other hosts",
				"there is no user %s to own %s", mp_json_str(w, "user", ""), path);
	else if (!mp_json_bool(fact, "group", false))
		mp_diff_verdict(
			ret, MP_FAIL,
			"Install nova-compute or make the group, with the gid it has on the "
			"other hosts",
			"there is no group %s to own %s", mp_json_str(w, "group", ""), path);
	else if (!mp_json_bool(fact, "parent", false))
		mp_diff_verdict(ret, MP_FAIL,
				"Make the directory above it, or correct nova.instances_path",
				"%s cannot be made: the directory above it does not exist", path);
	else if (mp_json_bool(fact, "exists", false) && !mp_json_bool(fact, "directory", false))
		mp_diff_verdict(ret, MP_FAIL, "Move that file away", "%s is not a directory", path);
	return ret->status == MP_FAIL;
}

static char *owner_text(const json_t *fact, const json_t *w)
{
	bool u = mp_json_bool(fact, "user_owns", false),
	     g = mp_json_bool(fact, "group_owns", false);
	mp_auto_free char *uid = mp_xasprintf("%lld", mp_json_int(fact, "uid", -1));
	mp_auto_free char *gid = mp_xasprintf("%lld", mp_json_int(fact, "gid", -1));

	return mp_xasprintf("%s:%s", u ? mp_json_str(w, "user", "") : uid,
			    g ? mp_json_str(w, "group", "") : gid);
}

/* Owner and mode on a server's file system are the same for all hosts, so only the server's agent
 * changes them. wrong: what is, in words. */
static bool diff_remote(const json_t *fact, const json_t *w, const char *wrong, struct mp_diff *ret)
{
	const json_t *remote = json_object_get(fact, "remote");
	const char *source = mp_json_str(remote, "source", ""), *path = mp_json_str(w, "path", "");
	const char *server = mp_json_str(w, "server", NULL);
	mp_auto_free char *where = server ? mp_xasprintf("the NFS server %s", server)
					  : mp_xasprintf("the server of %s", source);
	mp_auto_free char *remedy = mp_xasprintf(
		"Mend it on %s; where it is right there, compare the uids of %s and idmapd-conf",
		where, mp_json_str(w, "user", ""));

	if (!remote || mp_json_bool(w, "serves", false))
		return false;
	mp_diff_verdict(ret, MP_FAIL, remedy,
			"%s %s, and lies on %s (%s), which is not this host's", path, wrong, source,
			mp_json_str(remote, "type", ""));
	return true;
}

static void diff_owner(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const char *path = mp_json_str(w, "path", ""), *user = mp_json_str(w, "user", "");
	mp_auto_free char *owner = mp_xasprintf("%s:%s", user, mp_json_str(w, "group", ""));
	mp_auto_free char *what = mp_xasprintf("owner of %s", path), *now = owner_text(fact, w);
	mp_auto_free char *wrong = mp_xasprintf("belongs to %s, not to %s", now, owner);
	mp_auto_free char *uid = mp_xasprintf("%lld", mp_json_int(fact, "uid", -1));
	const char *host = mp_json_str(json_object_get(w, "elsewhere"), uid, NULL);
	bool user_owns = mp_json_bool(fact, "user_owns", false);

	if (user_owns && mp_json_bool(fact, "group_owns", false))
		return;
	if (!user_owns && host)
		mp_diff_verdict(ret, MP_FAIL,
				"Give the user one uid on all hosts first, then let apply give it "
				"the directory",
				"%s is owned by uid %s, which is %s on %s; see nova-ids-equal",
				path, uid, user, host);
	else if (!diff_remote(fact, w, wrong, ret))
		mp_diff_change(ret, what, now, owner);
}

static void diff_mode(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	unsigned long long mode = (unsigned long long)mp_json_int(fact, "mode", 0);
	mp_auto_free char *what = mp_xasprintf("mode of %s", mp_json_str(w, "path", ""));
	mp_auto_free char *now = mp_xasprintf("%04llo", mode);
	mp_auto_free char *then = mp_xasprintf("%04llo", mode | S_IXOTH);
	mp_auto_free char *wrong = mp_xasprintf("has the mode %s, not %s", now, then);

	if (!(mode & S_IXOTH) && !diff_remote(fact, w, wrong, ret))
		mp_diff_change(ret, what, now, then);
}

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	mp_auto_free char *fresh =
		mp_xasprintf("directory of %s:%s, mode %04o", mp_json_str(w, "user", ""),
			     mp_json_str(w, "group", ""), FRESH_MODE);

	if (hopeless(fact, w, ret))
		return;
	if (mp_json_bool(fact, "exists", false)) {
		diff_owner(fact, w, ret);
		diff_mode(fact, w, ret);
	} else if (!diff_remote(fact, w, "does not exist", ret)) {
		mp_diff_change(ret, mp_json_str(w, "path", ""), NULL, fresh);
	}
}

static int apply(struct mp_sys *sys, const json_t *p, const json_t *fact, const json_t *w,
		 struct mp_err *err)
{
	struct mp_attr attr = { .mode = FRESH_MODE };
	struct mp_user u;
	bool exists;

	(void)p;
	if (mp_sys_user(sys, mp_json_str(w, "user", ""), &exists, &u, err) < 0 ||
	    mp_sys_group(sys, mp_json_str(w, "group", ""), &exists, &attr.gid, err) < 0)
		return -1;
	attr.uid = u.uid;
	if (mp_json_bool(fact, "exists", false))
		attr.mode = (mode_t)mp_json_int(fact, "mode", 0) | S_IXOTH;
	return mp_sys_mkdir(sys, mp_json_str(w, "path", ""), &attr, err);
}

const struct mp_resource mp_resource_instances_dir = {
	.id = "instances-dir",
	.summary = "directory of the instances: owner, and search permission for QEMU",
	.prevents = "QEMU runs as another user than Nova and must pass through the directory. "
		    "Otherwise the "
		    "target refuses with \"Cannot access storage file '.../disk' (as uid:64055, "
		    "gid:64055): "
		    "Permission denied\".",
	.checked = "stat of the directory, in a child process with a deadline because it may lie "
		   "on NFS. A missing "
		   "one is made with mode 0755; otherwise only o+x is added. On a server's file "
		   "system (by /proc/self/mountinfo) only the host with the role nfs changes "
		   "anything, and a directory of the uid that nova has on another host stays.",
	.remedy = "Run: chown nova:nova DIRECTORY; chmod o+x DIRECTORY",
	.source = "Nova admin guide, Configure live migrations, Shared storage, steps 2 and 3",
	.roles = MP_ROLE_COMPUTE | MP_ROLE_NFS,
	.params = params,
	.observe = observe,
	.want = want,
	.diff = diff,
	.apply = apply,
};
