/* SPDX-License-Identifier: GPL-3.0-or-later */
/* users: the numbers behind the names that own the files of guests. */
#include "config.h"
#include "sample/sample.h"

#include "base/alloc.h"

/* The user that QEMU runs as: Debian's name first, then that of the RHEL family and SUSE. */
static const char *const qemu_users[] = { "libvirt-qemu", "qemu" };
static const char *const groups[] = { "kvm", "libvirt" };

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	(void)h;
	if (!mp_profile_bool(w->profile, "nova", "manage"))
		return json_object();
	return json_pack("{s:s}", "nova", mp_profile_str(w->profile, "nova", "user"));
}

/* {"name", "uid", "gid"}, or null for a user that is not there. */
static int look_user(struct mp_sys *sys, const char *name, json_t **ret, struct mp_err *err)
{
	bool exists = false;
	struct mp_user u;

	if (mp_sys_user(sys, name, &exists, &u, err) < 0)
		return -1;
	*ret = exists ? json_pack("{s:s,s:i,s:i}", "name", name, "uid", (int)u.uid, "gid",
				  (int)u.gid)
		      : json_null();
	return 0;
}

static int look_all(struct mp_sys *sys, const char *nova, json_t *fact, struct mp_err *err)
{
	json_t *user = NULL;

	if (nova) {
		if (look_user(sys, nova, &user, err) < 0)
			return -1;
		json_object_set_new(fact, "nova", user);
	}
	for (size_t i = 0; i < MP_N_ELEMS(qemu_users); i++) {
		if (look_user(sys, qemu_users[i], &user, err) < 0)
			return -1;
		json_object_set_new(fact, "qemu", user);
		if (!json_is_null(user))
			break;
	}
	for (size_t i = 0; i < MP_N_ELEMS(groups); i++) {
		bool exists = false;
		gid_t gid = 0;

		if (mp_sys_group(sys, groups[i], &exists, &gid, err) < 0)
			return -1;
		json_object_set_new(fact, groups[i],
				    exists ? json_integer((json_int_t)gid) : json_null());
	}
	return 0;
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	json_t *fact = json_object();

	if (look_all(sys, mp_json_str(p, "nova", NULL), fact, err) < 0) {
		json_decref(fact);
		return -1;
	}
	*ret = fact;
	return 0;
}

const struct mp_sample mp_sample_users = {
	.id = "users",
	.summary = "uid and gid of nova, of QEMU's user, and of the groups kvm and libvirt",
	.params = params,
	.observe = observe,
};
