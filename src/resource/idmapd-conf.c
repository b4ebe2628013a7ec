/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * idmapd-conf: the NFSv4 domain is the same on server and clients. idmapd.conf.d overrides
 * idmapd.conf (seen with `nfsidmap -d`), so every file that sets the domain must agree.
 */
#include "config.h"
#include "resource/resource.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "resource/edit-ini.h"
#include "resource/want.h"

#define CONFIG "/etc/idmapd.conf"
#define DROP_INS "/etc/idmapd.conf.d"

static const struct mp_ini_option domain = { MP_INI_IDMAPD, "General", "Domain" };

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	(void)w;
	(void)h;
	return NULL;
}

static int list_files(struct mp_sys *sys, struct mp_strv *ret, struct mp_err *err)
{
	mp_auto_strv struct mp_strv names = { 0 };

	mp_strv_add(ret, CONFIG);
	if (mp_sys_list(sys, DROP_INS, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		size_t n = strlen(names.v[i]);

		if (n > 5 && strcmp(names.v[i] + n - 5, ".conf") == 0)
			mp_strv_take(ret, mp_xasprintf("%s/%s", DROP_INS, names.v[i]));
	}
	return 0;
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	mp_auto_strv struct mp_strv files = { 0 };
	json_t *values = json_array();

	(void)p;
	if (list_files(sys, &files, err) < 0) {
		json_decref(values);
		return -1;
	}
	for (size_t i = 0; i < files.n; i++) {
		mp_auto_free char *text = NULL, *v = NULL;
		size_t size;

		if (mp_sys_read(sys, files.v[i], &text, &size, NULL, err) < 0) {
			json_decref(values);
			return -1;
		}
		v = text ? mp_ini_get(text, size, &domain, NULL) : NULL;
		if (v)
			json_array_append_new(
				values, json_pack("{s:s,s:s}", "file", files.v[i], "value", v));
	}
	*ret = json_pack("{s:o}", "domains", values);
	return 0;
}

/* The value that counts on a host: the last, for drop-ins override the file. NULL: none is set. */
static const char *set_on(const struct mp_world *w, size_t host)
{
	const json_t *values = json_object_get(mp_world_fact(w, host, "idmapd-conf"), "domains");
	size_t n = json_array_size(values);

	return n ? mp_json_str(json_array_get(values, n - 1), "value", NULL) : NULL;
}

/* What the reached hosts have set already, or the default; where they disagree, a failure. */
static json_t *want_as_found(const struct mp_world *w, const char *def)
{
	const struct mp_host *hosts = w->inv->hosts, *first = NULL;
	const char *found = NULL;

	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		const char *here = set_on(w, i);

		if (!here)
			continue;
		if (found && strcasecmp(found, here) != 0)
			return mp_want_fail(
				"Set storage.idmap_domain in the profile to the domain of all "
				"hosts",
				"the hosts have different NFSv4 domains: %s on %s, %s on %s", found,
				first->name, here, hosts[i].name);
		if (!found) {
			found = here;
			first = &hosts[i];
		}
	}
	return json_pack("{s:s}", "domain", found ? found : def);
}

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	const char *name = mp_profile_str(w->profile, "storage", "idmap_domain");
	const struct mp_param *row = mp_param_find("storage.idmap_domain");

	(void)h;
	if (strcmp(mp_profile_str(w->profile, "storage", "kind"), "nfs") != 0)
		return mp_want_skip("the profile says storage.kind = %s",
				    mp_profile_str(w->profile, "storage", "kind"));
	if (!name[0])
		return mp_want_skip("the profile leaves storage.idmap_domain alone");
	if (strcmp(mp_profile_origin(w->profile, row), "default") == 0)
		return want_as_found(w, name);
	return json_pack("{s:s}", "domain", name);
}

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const json_t *values = json_object_get(fact, "domains"), *v;
	const char *then = mp_json_str(w, "domain", "");
	size_t i;

	if (!json_array_size(values))
		mp_diff_change(ret, CONFIG " [General] Domain", NULL, then);
	json_array_foreach(values, i, v)
	{
		const char *now = mp_json_str(v, "value", "");
		mp_auto_free char *what =
			mp_xasprintf("%s [General] Domain", mp_json_str(v, "file", ""));

		if (strcasecmp(now, then) != 0)
			mp_diff_change(ret, what, now, then);
	}
}

static int set_in(struct mp_sys *sys, const char *file, const char *value, struct mp_err *err)
{
	static const struct mp_attr fresh = { .mode = 0644 };
	mp_auto_free char *text = NULL, *new = NULL;
	size_t size, new_size;

	if (mp_sys_read(sys, file, &text, &size, NULL, err) < 0)
		return -1;
	new = mp_ini_set(text ? text : "", size, &domain, value, &new_size);
	return mp_sys_write(sys, file, new, new_size, &fresh, false, err);
}

static int apply(struct mp_sys *sys, const json_t *p, const json_t *fact, const json_t *w,
		 struct mp_err *err)
{
	const json_t *values = json_object_get(fact, "domains"), *v;
	const char *then = mp_json_str(w, "domain", "");
	size_t i;

	(void)p;
	if (!json_array_size(values))
		return set_in(sys, CONFIG, then, err);
	json_array_foreach(values, i,
			   v) if (strcasecmp(mp_json_str(v, "value", ""), then) != 0 &&
				  set_in(sys, mp_json_str(v, "file", ""), then, err) < 0) return -1;
	return 0;
}

const struct mp_resource mp_resource_idmapd_conf = {
	.id = "idmapd-conf",
	.summary = "NFSv4 domain, equal on server and clients",
	.prevents = "With different domains the owner of a file on NFS shows as nobody or "
		    "4294967294 and chown ends with "
		    "\"Invalid argument\"; the log says \"nss_getpwnam: name 'nova@x' does not map "
		    "into domain "
		    "'localdomain'\".",
	.checked = "[General] Domain in /etc/idmapd.conf and in /etc/idmapd.conf.d/*.conf, which "
		   "override it. Unless the profile says which, it is the one that the hosts have "
		   "set already; where they disagree, a person must decide. A missing "
		   "/etc/idmapd.conf is made. Ids that the kernel keeps are forgotten by `nfsidmap "
		   "-c`, which migprep does "
		   "not run.",
	.remedy = "Set Domain in the section General of /etc/idmapd.conf to the same name on every "
		  "host, then run: "
		  "nfsidmap -c",
	.source = "idmapd.conf(5); OpenStack configuration reference, migrations, step 4 (idmapd "
		  "restart)",
	.roles = MP_ROLE_COMPUTE | MP_ROLE_NFS,
	.params = params,
	.observe = observe,
	.want = want,
	.diff = diff,
	.apply = apply,
};
