/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nova-shell: the nova user can log in, so that peers can run commands as it. */
#include "config.h"
#include "resource/resource.h"

#include <string.h>

#include "base/alloc.h"
#include "resource/want.h"

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	(void)h;
	return json_pack("{s:s,s:s}", "user", mp_profile_str(w->profile, "nova", "user"), "shell",
			 mp_profile_str(w->profile, "nova", "shell"));
}

/* Whether /etc/passwd itself has the user: what comes from a directory cannot be changed here. */
static int is_local(struct mp_sys *sys, const char *user, bool *ret, struct mp_err *err)
{
	mp_auto_free char *text = NULL, *start = mp_xasprintf("%s:", user);
	mp_auto_strv struct mp_strv lines = { 0 };

	if (mp_sys_read(sys, "/etc/passwd", &text, NULL, NULL, err) < 0)
		return -1;
	*ret = false;
	mp_str_split(text ? text : "", "\n", &lines);
	for (size_t i = 0; i < lines.n; i++)
		if (strncmp(lines.v[i], start, strlen(start)) == 0)
			*ret = true;
	return 0;
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	const char *user = mp_json_str(p, "user", ""), *shell = mp_json_str(p, "shell", "");
	bool exists, there = false, local = false;
	struct mp_user u = { .name = "" };
	struct stat st;

	if (mp_sys_user(sys, user, &exists, &u, err) < 0 || is_local(sys, user, &local, err) < 0 ||
	    mp_sys_stat(sys, shell, &there, &st, err) < 0)
		return -1;
	*ret = json_pack("{s:b,s:s,s:b,s:b}", "exists", exists, "shell", u.shell, "local", local,
			 "wanted_runs", there && S_ISREG(st.st_mode) && (st.st_mode & 0111));
	return 0;
}

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	json_t *r = mp_want_no_nova(w);

	return r ? r : params(w, h);
}

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const char *user = mp_json_str(w, "user", ""), *shell = mp_json_str(w, "shell", "");
	const char *now = mp_json_str(fact, "shell", "");
	mp_auto_free char *what = mp_xasprintf("/etc/passwd login shell of %s", user);

	if (!mp_json_bool(fact, "exists", false)) {
		mp_diff_verdict(ret, MP_FAIL,
				"Install nova-compute, which makes the user, or set nova.user or "
				"nova.manage in the profile",
				"there is no user %s", user);
		return;
	}
	if (strcmp(now, shell) == 0)
		return;
	if (!mp_json_bool(fact, "wanted_runs", false))
		mp_diff_verdict(
			ret, MP_FAIL,
			"Install that shell, or set nova.shell in the profile to one that is there",
			"%s has the shell %s, and %s is not a program on this host", user, now,
			shell);
	else if (!mp_json_bool(fact, "local", false))
		mp_diff_verdict(ret, MP_FAIL,
				"Change the shell where the user is kept (LDAP, sssd)",
				"%s has the shell %s and is not in /etc/passwd", user, now);
	else
		mp_diff_change(ret, what, now, shell);
}

static int apply(struct mp_sys *sys, const json_t *p, const json_t *fact, const json_t *w,
		 struct mp_err *err)
{
	(void)p;
	(void)fact;
	return mp_sys_set_shell(sys, mp_json_str(w, "user", ""), mp_json_str(w, "shell", ""), err);
}

const struct mp_resource mp_resource_nova_shell = {
	.id = "nova-shell",
	.summary = "login shell of the nova user",
	.prevents =
		"Cold migration and resize run ssh and scp as nova on the peer. With a shell such "
		"as "
		"/usr/sbin/nologin they end with \"This account is currently not available.\" or "
		"\"scp: protocol error: mtime.sec not present\".",
	.checked =
		"The user's entry by the name service, and that the wanted shell is a program on "
		"the "
		"host. apply changes /etc/passwd under its lock; a user from LDAP is not changed.",
	.remedy = "Run: usermod -s /bin/bash nova",
	.source = "RDO, Enabling Migrations: usermod -s /bin/bash nova",
	.roles = MP_ROLE_COMPUTE,
	.params = params,
	.observe = observe,
	.want = want,
	.diff = diff,
	.apply = apply,
};
