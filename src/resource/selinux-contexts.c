/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * selinux-contexts: the files that sshd and QEMU must reach have the contexts that the host's
 * policy gives them, and nova's .ssh the type that sshd may read wherever its home lies.
 */
#include "config.h"
#include "resource/resource.h"

#include <errno.h>
#include <selinux/context.h>
#include <selinux/label.h>
#include <selinux/selinux.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "resource/want.h"

#define SSH_TYPE "ssh_home_t"

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	bool nova = mp_profile_bool(w->profile, "nova", "manage");
	json_t *p = json_pack("{s:[s,s]}", "paths", "/etc/hosts", "/root/.ssh");

	(void)h;
	if (nova) {
		json_array_append_new(
			json_object_get(p, "paths"),
			json_string(mp_profile_str(w->profile, "nova", "instances_path")));
		json_object_set_new(p, "user",
				    json_string(mp_profile_str(w->profile, "nova", "user")));
	}
	return p;
}

/* The context with another type; NULL when it is no context. For freecon(). */
static char *with_type(const char *con, const char *type)
{
	context_t c = context_new(con);
	char *r = NULL;

	if (c && context_type_set(c, type) == 0)
		r = strdup(context_str(c));
	if (c)
		context_free(c);
	return r;
}

/* Only the type decides here: restorecon(8) leaves user and range alone, too. */
static char *wanted_context(struct selabel_handle *h, const char *path, mode_t mode,
			    const char *now, const char *type)
{
	char *policy = NULL, *r = NULL;
	context_t c;

	if (type)
		return with_type(now, type);
	if (selabel_lookup_raw(h, &policy, path, (int)mode) < 0)
		return NULL;
	c = context_new(policy);
	if (c)
		r = with_type(now, context_type_get(c));
	if (c)
		context_free(c);
	freecon(policy);
	return r;
}

/* Adds {path, now, wanted} for what exists. type NULL: as the policy says. */
static int look_at(struct mp_sys *sys, struct selabel_handle *h, const char *path, const char *type,
		   json_t *list, struct mp_err *err)
{
	char *now = NULL, *wanted;
	struct stat st;
	bool exists;

	if (mp_sys_stat(sys, path, &exists, &st, err) < 0)
		return -1;
	if (!exists)
		return 0;
	if (getfilecon_raw(path, &now) < 0) {
		if (errno == ENOTSUP || errno == ENODATA)
			return 0; /* a file system without labels, such as plain NFS */
		return mp_err_sys(err, errno, "read the SELinux context of %s", path);
	}
	wanted = wanted_context(h, path, st.st_mode, now, type);
	if (wanted)
		json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "path", path, "now", now,
						      "wanted", wanted));
	freecon(wanted);
	freecon(now);
	return 0;
}

/* The directory and what lies in it: sshd reads authorized_keys, ssh the key and known_hosts. */
static int look_at_ssh(struct mp_sys *sys, struct selabel_handle *h, const char *user, json_t *list,
		       struct mp_err *err)
{
	mp_auto_strv struct mp_strv names = { 0 };
	mp_auto_free char *dir = NULL;
	struct mp_user u;
	bool exists;

	if (mp_sys_user(sys, user, &exists, &u, err) < 0)
		return -1;
	if (!exists)
		return 0;
	dir = mp_xasprintf("%s/.ssh", u.home);
	if (look_at(sys, h, dir, SSH_TYPE, list, err) < 0 || mp_sys_list(sys, dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		mp_auto_free char *path = mp_xasprintf("%s/%s", dir, names.v[i]);

		if (look_at(sys, h, path, SSH_TYPE, list, err) < 0)
			return -1;
	}
	return 0;
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	const char *user = mp_json_str(p, "user", NULL);
	struct selabel_handle *h;
	const json_t *path;
	json_t *list;
	size_t i;
	int r = 0;

	if (!mp_sys_is_real(sys) || is_selinux_enabled() <= 0) {
		*ret = json_pack("{s:b}", "enabled", 0);
		return 0;
	}
	h = selabel_open(SELABEL_CTX_FILE, NULL, 0);
	if (!h)
		return mp_err_sys(err, errno, "read the SELinux file contexts");
	list = json_array();
	json_array_foreach(json_object_get(p, "paths"), i, path) if (r == 0) r =
		look_at(sys, h, json_string_value(path), NULL, list, err);
	if (r == 0 && user)
		r = look_at_ssh(sys, h, user, list, err);
	selabel_close(h);
	if (r < 0) {
		json_decref(list);
		return -1;
	}
	*ret = json_pack("{s:b,s:o}", "enabled", 1, "files", list);
	return 0;
}

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	(void)h;
	if (!mp_profile_bool(w->profile, "selinux", "contexts"))
		return mp_want_skip("the profile says selinux.contexts = no");
	return json_object();
}

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const json_t *f;
	size_t i;

	(void)w;
	if (!mp_json_bool(fact, "enabled", false)) {
		mp_diff_verdict(ret, MP_SKIP, NULL, "SELinux is off on this host");
		return;
	}
	json_array_foreach(json_object_get(fact, "files"), i, f)
	{
		const char *now = mp_json_str(f, "now", ""), *wanted = mp_json_str(f, "wanted", "");
		mp_auto_free char *what =
			mp_xasprintf("SELinux context of %s", mp_json_str(f, "path", ""));

		if (strcmp(now, wanted) != 0)
			mp_diff_change(ret, what, now, wanted);
	}
}

static int apply(struct mp_sys *sys, const json_t *p, const json_t *fact, const json_t *w,
		 struct mp_err *err)
{
	const json_t *f;
	size_t i;

	(void)p;
	(void)w;
	json_array_foreach(json_object_get(fact, "files"), i, f)
	{
		const char *now = mp_json_str(f, "now", ""), *wanted = mp_json_str(f, "wanted", "");

		if (strcmp(now, wanted) != 0 &&
		    mp_sys_label(sys, mp_json_str(f, "path", ""), wanted, err) < 0)
			return -1;
	}
	return 0;
}

const struct mp_resource mp_resource_selinux_contexts = {
	.id = "selinux-contexts",
	.summary = "SELinux contexts of /etc/hosts, .ssh and the instances directory",
	.prevents = "With /var/lib/nova/.ssh labelled nova_var_lib_t, sshd may not read "
		    "authorized_keys and logins as nova end "
		    "with \"Permission denied (publickey).\" With a wrong label on /etc/hosts, "
		    "names do not resolve: \"Could "
		    "not resolve hostname\".",
	.checked = "The context of each path against the host's policy (as matchpathcon does), the "
		   "type only; .ssh of the nova "
		   "user and the files in it must be ssh_home_t. Skipped where SELinux is off. "
		   "apply sets the contexts; a rule "
		   "for nova's .ssh in the policy (semanage fcontext) is left to the "
		   "administrator, and without it a relabel "
		   "puts the old one back.",
	.remedy = "Run: restorecon -v /etc/hosts /root/.ssh; for nova: semanage fcontext -a -t "
		  "ssh_home_t "
		  "'/var/lib/nova/\\.ssh(/.*)?' and restorecon -Rv /var/lib/nova/.ssh",
	.source = "Nova admin guide, Configure live migrations: restorecon /etc/hosts; RDO, "
		  "Enabling Migrations",
	.params = params,
	.observe = observe,
	.want = want,
	.diff = diff,
	.apply = apply,
};
