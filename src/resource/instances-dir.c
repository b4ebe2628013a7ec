/* SPDX-License-Identifier: GPL-3.0-or-later */
/* instances-dir: the directory of the instances belongs to nova, and QEMU can pass through it. */
#include "config.h"
#include "resource/resource.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
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

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	json_t *r = mp_want_no_nova(w);

	return r ? r : params(w, h);
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

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const char *path = mp_json_str(w, "path", "");
	mp_auto_free char *owner =
		mp_xasprintf("%s:%s", mp_json_str(w, "user", ""), mp_json_str(w, "group", ""));
	mp_auto_free char *fresh = mp_xasprintf("directory of %s, mode %04o", owner, FRESH_MODE);
	long long mode = mp_json_int(fact, "mode", 0);

	if (hopeless(fact, w, ret))
		return;
	if (!mp_json_bool(fact, "exists", false)) {
		mp_diff_change(ret, path, NULL, fresh);
		return;
	}
	if (!mp_json_bool(fact, "user_owns", false) || !mp_json_bool(fact, "group_owns", false)) {
		mp_auto_free char *what = mp_xasprintf("owner of %s", path);
		mp_auto_free char *now = owner_text(fact, w);

		mp_diff_change(ret, what, now, owner);
	}
	if (!(mode & S_IXOTH)) {
		mp_auto_free char *what = mp_xasprintf("mode of %s", path);
		mp_auto_free char *now = mp_xasprintf("%04llo", (unsigned long long)mode);
		mp_auto_free char *then =
			mp_xasprintf("%04llo", (unsigned long long)mode | S_IXOTH);

		mp_diff_change(ret, what, now, then);
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
		   "one is made with mode 0755; otherwise only o+x is added.",
	.remedy = "Run: chown nova:nova DIRECTORY; chmod o+x DIRECTORY",
	.source = "Nova admin guide, Configure live migrations, Shared storage, steps 2 and 3",
	.roles = MP_ROLE_COMPUTE | MP_ROLE_NFS,
	.params = params,
	.observe = observe,
	.want = want,
	.diff = diff,
	.apply = apply,
};
