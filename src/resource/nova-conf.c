/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * nova-conf: the options of nova-compute that live migration needs. nova-compute reads several
 * files and the order differs between distributions (Debian names nova-compute.conf last), so every
 * file that sets an option must agree; an option that no file sets goes into the main one.
 */
#include "config.h"
#include "resource/resource.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "model/name.h"
#include "resource/edit-ini.h"
#include "resource/mount-table.h"
#include "resource/want.h"

enum form { TEXT, NUMBER, BOOLEAN };

/* Options that carry a profile value as it is. since: the first release that knows it. */
static const struct row {
	const char *section, *key;
	int since;
	enum form form;
} rows[] = {
	{ "DEFAULT", "instances_path", 0, TEXT },
	{ "libvirt", "live_migration_downtime", 12, NUMBER },
	{ "libvirt", "live_migration_downtime_steps", 12, NUMBER },
	{ "libvirt", "live_migration_downtime_delay", 12, NUMBER },
	{ "libvirt", "live_migration_completion_timeout", 12, NUMBER },
	{ "libvirt", "live_migration_permit_post_copy", 14, BOOLEAN },
	{ "libvirt", "live_migration_permit_auto_converge", 14, BOOLEAN },
};

/* nova/conf/vnc.py: renamed in 12 and 17; 25 dropped both old names, without an error when it meets
 * them. */
static const struct spelling {
	int last; /* the last release that spells it so */
	const char *section, *key;
} listen_names[] = {
	{ 11, "DEFAULT", "vncserver_listen" },
	{ 16, "vnc", "vncserver_listen" },
	{ 99, "vnc", "server_listen" },
};
#define OLD_NAMES_DROPPED 25
#define SCHEME_SINCE 15
/* Where the RHEL family's packages put their defaults; read before nova.conf, and not ours to edit.
 */
#define DIST "/usr/share/nova/nova-dist.conf"
#define LIST_MS 10000 /* instances may lie on an NFS server that does not answer */
#define INBOUND_SINCE 13

/* ---- what to look at ---- */

static void add_name(json_t *list, const char *section, const char *key)
{
	json_array_append_new(list, json_pack("[s,s]", section, key));
}

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	json_t *names = json_array();

	(void)h;
	for (size_t i = 0; i < MP_N_ELEMS(listen_names); i++)
		add_name(names, listen_names[i].section, listen_names[i].key);
	for (size_t i = 0; i < MP_N_ELEMS(rows); i++)
		add_name(names, rows[i].section, rows[i].key);
	add_name(names, "libvirt", "live_migration_scheme");
	add_name(names, "libvirt", "live_migration_uri");
	add_name(names, "libvirt", "live_migration_inbound_addr");
	return json_pack("{s:s,s:o}", "config", mp_profile_str(w->profile, "nova", "config"),
			 "options", names);
}

static int add_dir(struct mp_sys *sys, const char *dir, const char *name, struct mp_strv *ret,
		   struct mp_err *err)
{
	mp_auto_free char *path = mp_xasprintf("%s/%s", dir, name);
	mp_auto_strv struct mp_strv all = { 0 };

	if (mp_sys_list(sys, path, &all, err) < 0)
		return -1;
	for (size_t i = 0; i < all.n; i++) {
		size_t n = strlen(all.v[i]);

		if (n > 5 && strcmp(all.v[i] + n - 5, ".conf") == 0)
			mp_strv_take(ret, mp_xasprintf("%s/%s", path, all.v[i]));
	}
	return 0;
}

/* Every file that nova-compute may read (oslo_config: find_config_files, find_config_dirs). */
static int list_files(struct mp_sys *sys, const char *config, struct mp_strv *ret,
		      struct mp_err *err)
{
	const char *slash = strrchr(config, '/');
	mp_auto_free char *dir = mp_xstrndup(config, slash ? (size_t)(slash - config) : 0);

	mp_strv_add(ret, config);
	mp_strv_take(ret, mp_xasprintf("%s/nova-compute.conf", dir));
	if (add_dir(sys, dir, "nova.conf.d", ret, err) < 0)
		return -1;
	return add_dir(sys, dir, "nova-compute.conf.d", ret, err);
}

/* `$state_path` and `$my_ip` in a value, the two that such options are commonly written with. */
static char *expand(const char *value, const json_t *substitutes)
{
	struct mp_buf out;
	const char *key;
	json_t *text;

	mp_buf_init(&out, 0);
	while (*value) {
		size_t used = 0;

		json_object_foreach((json_t *)substitutes, key, text)
		{
			size_t n = strlen(key);

			if (value[0] == '$' && strncmp(value + 1, key, n) == 0)
				used = n + 1;
			else if (strncmp(value, "${", 2) == 0 && strncmp(value + 2, key, n) == 0 &&
				 value[n + 2] == '}')
				used = n + 3;
			if (used) {
				mp_buf_puts(&out, json_string_value(text));
				break;
			}
		}
		if (!used)
			mp_buf_add(&out, value, used = 1);
		value += used;
	}
	return mp_buf_take(&out);
}

static char *get(const char *text, size_t size, const char *section, const char *key)
{
	const struct mp_ini_option o = { MP_INI_OSLO, section, key };

	return mp_ini_get(text, size, &o, NULL);
}

/* What the files say, in the order in which they are read. */
struct said {
	json_t *values;      /* [{file, section, key, value}] of the options that were asked for */
	json_t *dial;        /* {key: value}: what counts of dials[] */
	json_t *substitutes; /* {key: value} for expand() */
	char *dist_path;     /* instances_path of DIST */
};

/* Under these other hosts dial this one, or log in to it (nova/conf: netconf.py, libvirt.py). */
static const struct {
	const char *section, *key;
} dials[] = {
	{ "DEFAULT", "host" },
	{ "DEFAULT", "my_ip" },
	{ "libvirt", "migration_inbound_addr" },
	{ "libvirt", "live_migration_inbound_addr" },
};

static void look_at(const char *file, const char *text, size_t size, const json_t *options,
		    struct said *ret)
{
	static const char *const may_substitute[] = { "state_path", "my_ip" };
	json_t *o;
	size_t i;

	for (i = 0; i < MP_N_ELEMS(may_substitute); i++) {
		mp_auto_free char *v = get(text, size, "DEFAULT", may_substitute[i]);

		if (v)
			json_object_set_new(ret->substitutes, may_substitute[i], json_string(v));
	}
	for (i = 0; i < MP_N_ELEMS(dials); i++) {
		mp_auto_free char *v = get(text, size, dials[i].section, dials[i].key);

		if (v)
			json_object_set_new(ret->dial, dials[i].key, json_string(v));
	}
	if (strcmp(file, DIST) == 0) {
		ret->dist_path = get(text, size, "DEFAULT", "instances_path");
		return;
	}
	json_array_foreach((json_t *)options, i, o)
	{
		const char *section = json_string_value(json_array_get(o, 0));
		const char *key = json_string_value(json_array_get(o, 1));
		mp_auto_free char *v = get(text, size, section, key);

		if (v)
			json_array_append_new(ret->values, json_pack("{s:s,s:s,s:s,s:s}", "file",
								     file, "section", section,
								     "key", key, "value", v));
	}
}

static int look_at_all(struct mp_sys *sys, const json_t *p, struct said *ret, bool *ret_exists,
		       struct mp_err *err)
{
	const char *config = mp_json_str(p, "config", "");
	mp_auto_strv struct mp_strv files = { 0 };

	mp_strv_add(&files, DIST);
	if (list_files(sys, config, &files, err) < 0)
		return -1;
	for (size_t i = 0; i < files.n; i++) {
		mp_auto_free char *text = NULL;
		size_t size;

		if (mp_sys_read(sys, files.v[i], &text, &size, NULL, err) < 0)
			return -1;
		if (!text)
			continue;
		*ret_exists = *ret_exists || strcmp(files.v[i], config) == 0;
		look_at(files.v[i], text, size, json_object_get(p, "options"), ret);
		explicit_bzero(text, size);
	}
	return 0;
}

/* Values as they count; of dials only names and addresses, which are no secrets. */
static void expand_all(struct said *said)
{
	const char *key;
	json_t *v;
	void *tmp;
	size_t i;

	json_array_foreach(said->values, i, v)
	{
		mp_auto_free char *means = expand(mp_json_str(v, "value", ""), said->substitutes);

		json_object_set_new(v, "value", json_string(means));
	}
	json_object_foreach_safe(said->dial, tmp, key, v)
	{
		mp_auto_free char *means = expand(json_string_value(v), said->substitutes);

		if (mp_name_is_host(means) || mp_name_is_literal(means))
			json_object_set_new(said->dial, key, json_string(means));
		else
			json_object_del(said->dial, key);
	}
}

/* ---- where the instances are ---- */

static int list_instances(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	mp_auto_strv struct mp_strv names = { 0 };

	if (mp_sys_list(sys, json_string_value(p), &names, err) < 0)
		return -1;
	*ret = json_boolean(names.n > 0);
	return 0;
}

/* A directory that cannot be looked at counts as used. */
static bool is_used(struct mp_sys *sys, const char *path)
{
	json_t *p = json_string(path), *r = NULL;
	struct mp_err err = { 0 };
	bool used =
		mp_sys_in_child(sys, LIST_MS, list_instances, p, &r, &err) < 0 || json_is_true(r);

	json_decref(p);
	json_decref(r);
	return used;
}

static void add_path(struct mp_sys *sys, const char *path, const char *by, json_t *list)
{
	const json_t *known;
	size_t i;

	json_array_foreach(list, i, known)
	{
		if (strcmp(mp_json_str(known, "path", ""), path) == 0)
			return;
	}
	if (path[0] == '/')
		json_array_append_new(list, json_pack("{s:s,s:s,s:b}", "path", path, "by", by,
						      "used", is_used(sys, path)));
}

/* [{path, by, used}]: where nova-compute keeps instances now (nova/conf/compute.py: instances_path
 * is $state_path/instances unless it is set). */
static json_t *find_instances(struct mp_sys *sys, const struct said *said)
{
	const char *state = mp_json_str(said->substitutes, "state_path", NULL);
	json_t *list = json_array(), *v;
	mp_auto_free char *path = NULL;
	bool set = false;
	size_t i;

	json_array_foreach(said->values, i, v)
	{
		if (strcmp(mp_json_str(v, "key", ""), "instances_path") != 0)
			continue;
		set = true;
		add_path(sys, mp_json_str(v, "value", ""), "instances_path", list);
	}
	if (set || (!said->dist_path && !state))
		return list;
	path = said->dist_path ? expand(said->dist_path, said->substitutes)
			       : mp_xasprintf("%s/instances", state);
	add_path(sys, path, said->dist_path ? "instances_path" : "state_path", list);
	return list;
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	struct said said = { json_array(), json_object(), json_object(), NULL };
	bool exists = false;
	int r = look_at_all(sys, p, &said, &exists, err);

	if (r == 0) {
		expand_all(&said);
		*ret = json_pack("{s:b,s:O,s:O,s:o}", "exists", exists, "values", said.values,
				 "dial", said.dial, "instances", find_instances(sys, &said));
	}
	json_decref(said.values);
	json_decref(said.dial);
	json_decref(said.substitutes);
	free(said.dist_path);
	return r;
}

/* ---- what is wanted ---- */

static void want_set(json_t *want, const char *section, const char *key, const char *value,
		     enum form form)
{
	json_array_append_new(json_object_get(want, "set"),
			      json_pack("{s:s,s:s,s:s,s:i}", "section", section, "key", key,
					"value", value, "form", (int)form));
}

static void want_listen(const struct mp_world *w, int release, json_t *want)
{
	const char *value = mp_profile_str(w->profile, "nova", "server_listen");
	size_t i = 0;

	if (!value[0])
		return;
	while (release > listen_names[i].last) {
		json_array_append_new(json_object_get(want, "drop"),
				      json_pack("{s:s,s:s}", "section", listen_names[i].section,
						"key", listen_names[i].key));
		i++;
	}
	if (i)
		json_object_set_new(
			want, "why_drop",
			json_sprintf(release >= OLD_NAMES_DROPPED
					     ? "Nova %d ignores it; it is called [%s] %s"
					     : "in Nova %d it is called [%s] %s",
				     release, listen_names[i].section, listen_names[i].key));
	want_set(want, listen_names[i].section, listen_names[i].key, value, TEXT);
}

/* The scheme, or the URI that does the same where a release has no scheme yet. */
static void want_transport(const struct mp_world *w, int release, json_t *want)
{
	const char *uri = mp_profile_str(w->profile, "nova", "live_migration_uri");
	const char *scheme = mp_profile_str(w->profile, "nova", "live_migration_scheme");

	if (uri[0]) {
		want_set(want, "libvirt", "live_migration_uri", uri, TEXT);
	} else if (strcmp(scheme, "leave") == 0) {
		return;
	} else if (release < SCHEME_SINCE) {
		mp_auto_free char *made = mp_xasprintf("qemu+%s://%%s/system", scheme);

		want_set(want, "libvirt", "live_migration_uri", made, TEXT);
	} else {
		want_set(want, "libvirt", "live_migration_scheme", scheme, TEXT);
		json_object_set_new(want, "scheme", json_string(scheme));
	}
}

static void want_rows(const struct mp_world *w, int release, json_t *want)
{
	for (size_t i = 0; i < MP_N_ELEMS(rows); i++) {
		const char *value = mp_profile_str(w->profile, "nova", rows[i].key);

		if (!value[0] || strcmp(value, "leave") == 0)
			continue;
		if (release >= rows[i].since)
			want_set(want, rows[i].section, rows[i].key, value, rows[i].form);
		else
			json_array_append_new(
				json_object_get(want, "unknown"),
				json_sprintf("nova.%s is set, and Nova %d has no such "
					     "option",
					     rows[i].key, release));
	}
}

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	int release = (int)mp_profile_int(w->profile, "nova", "release");
	json_t *r = mp_want_no_nova(w);

	if (r)
		return r;
	r = json_pack("{s:s,s:[],s:[],s:[]}", "config",
		      mp_profile_str(w->profile, "nova", "config"), "set", "drop", "unknown");
	want_listen(w, release, r);
	want_transport(w, release, r);
	if (release >= INBOUND_SINCE &&
	    strcmp(mp_profile_str(w->profile, "nova", "live_migration_inbound_addr"), "host") == 0)
		want_set(r, "libvirt", "live_migration_inbound_addr", mp_host_migration_address(h),
			 TEXT);
	want_rows(w, release, r);
	return r;
}

/* ---- comparing ---- */

/* oslo_config/types.py: Boolean. -1: neither. */
static int truth(const char *s)
{
	static const char *const yes[] = { "true", "1", "on", "yes" };
	static const char *const no[] = { "false", "0", "off", "no" };

	for (size_t i = 0; i < MP_N_ELEMS(yes); i++) {
		if (strcasecmp(s, yes[i]) == 0)
			return 1;
		if (strcasecmp(s, no[i]) == 0)
			return 0;
	}
	return -1;
}

static bool same_value(const char *a, const char *b, enum form form)
{
	long x, y;

	if (form == BOOLEAN && truth(a) >= 0)
		return truth(a) == truth(b);
	if (form == NUMBER && mp_str_long(a, 0, 1L << 40, &x) == 0 &&
	    mp_str_long(b, 0, 1L << 40, &y) == 0)
		return x == y;
	return strcmp(a, b) == 0;
}

static bool names_option(const json_t *value, const json_t *option)
{
	return strcmp(mp_json_str(value, "section", ""), mp_json_str(option, "section", "")) == 0 &&
	       strcmp(mp_json_str(value, "key", ""), mp_json_str(option, "key", "")) == 0;
}

static bool right(const json_t *value, const json_t *option)
{
	return same_value(mp_json_str(value, "value", ""), mp_json_str(option, "value", ""),
			  (enum form)mp_json_int(option, "form", TEXT));
}

static void tell(const char *file, const json_t *option, const char *before, const char *after,
		 const char *more, struct mp_diff *ret)
{
	mp_auto_free char *what =
		mp_xasprintf("%s [%s] %s%s%s%s", file, mp_json_str(option, "section", ""),
			     mp_json_str(option, "key", ""), more ? " (" : "", more ? more : "",
			     more ? ")" : "");

	mp_diff_change(ret, what, before, after);
}

static void diff_set(const json_t *fact, const json_t *option, const char *config,
		     struct mp_diff *ret)
{
	const json_t *v;
	bool somewhere = false;
	size_t i;

	json_array_foreach(json_object_get(fact, "values"), i, v)
	{
		if (!names_option(v, option))
			continue;
		somewhere = true;
		if (!right(v, option))
			tell(mp_json_str(v, "file", ""), option, mp_json_str(v, "value", ""),
			     mp_json_str(option, "value", ""), NULL, ret);
	}
	if (!somewhere)
		tell(config, option, NULL, mp_json_str(option, "value", ""), NULL, ret);
}

static void diff_drop(const json_t *fact, const json_t *option, const char *why,
		      struct mp_diff *ret)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(fact, "values"), i, v) if (names_option(v, option)) tell(
		mp_json_str(v, "file", ""), option, mp_json_str(v, "value", ""), NULL, why, ret);
}

/* nova/virt/libvirt: a URI that is set makes Nova ignore the scheme. */
static void diff_shadowed_scheme(const json_t *fact, const char *scheme, struct mp_diff *ret)
{
	mp_auto_free char *start = mp_xasprintf("qemu+%s://", scheme);
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(fact, "values"), i, v)
	{
		const char *value = mp_json_str(v, "value", "");

		if (strcmp(mp_json_str(v, "key", ""), "live_migration_uri") != 0 || !value[0] ||
		    strncmp(value, start, strlen(start)) == 0)
			continue;
		mp_diff_verdict(ret, MP_FAIL,
				"Remove live_migration_uri from that file, or set "
				"nova.live_migration_uri in the profile",
				"%s sets [libvirt] live_migration_uri = %s, so Nova ignores "
				"live_migration_scheme = %s",
				mp_json_str(v, "file", ""), value, scheme);
	}
}

/* Nova looks for its instances where the option says: to set another path would lose them. */
static void diff_moved_instances(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const char *then = NULL;
	const json_t *o, *found;
	size_t i;

	json_array_foreach(json_object_get(w, "set"), i, o)
	{
		if (strcmp(mp_json_str(o, "key", ""), "instances_path") == 0)
			then = mp_json_str(o, "value", NULL);
	}
	json_array_foreach(json_object_get(fact, "instances"), i, found)
	{
		const char *path = mp_json_str(found, "path", ""),
			   *by = mp_json_str(found, "by", "");
		mp_auto_free char *remedy = mp_xasprintf("Set nova.instances_path = %s in the "
							 "profile, or move them by hand",
							 path);

		if (then && !mp_mount_same_path(path, then) &&
		    (strcmp(by, "state_path") == 0 || mp_json_bool(found, "used", false)))
			mp_diff_verdict(ret, MP_FAIL, remedy,
					"Nova keeps its instances in %s (by %s)", path, by);
	}
}

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const char *config = mp_json_str(w, "config", ""), *scheme = mp_json_str(w, "scheme", NULL);
	const json_t *o;
	size_t i;

	if (!mp_json_bool(fact, "exists", false)) {
		mp_diff_verdict(
			ret, MP_FAIL,
			"Install nova-compute, or set nova.config or nova.manage in the profile",
			"%s does not exist", config);
		return;
	}
	json_array_foreach(json_object_get(w, "unknown"), i, o)
		mp_diff_verdict(ret, MP_WARN, "Remove it from the profile, or correct nova.release",
				"%s", json_string_value(o));
	json_array_foreach(json_object_get(w, "drop"), i, o)
		diff_drop(fact, o, mp_json_str(w, "why_drop", NULL), ret);
	json_array_foreach(json_object_get(w, "set"), i, o) diff_set(fact, o, config, ret);
	if (scheme)
		diff_shadowed_scheme(fact, scheme, ret);
	diff_moved_instances(fact, w, ret);
}

/* ---- changing ---- */

struct edit {
	char *text;
	size_t size;
};

static void edit_set(struct edit *e, const json_t *option)
{
	const struct mp_ini_option o = { MP_INI_OSLO, mp_json_str(option, "section", ""),
					 mp_json_str(option, "key", "") };
	char *new = mp_ini_set(e->text, e->size, &o, mp_json_str(option, "value", ""), &e->size);

	free(e->text);
	e->text = new;
}

static void edit_remove(struct edit *e, const json_t *option)
{
	const struct mp_ini_option o = { MP_INI_OSLO, mp_json_str(option, "section", ""),
					 mp_json_str(option, "key", "") };
	char *new = mp_ini_remove(e->text, e->size, &o, &e->size);

	free(e->text);
	e->text = new;
}

/* Whether file must be edited for option: it says something else, or nobody says anything and it is
 * the main one. */
static bool must_set(const json_t *fact, const json_t *option, const char *file, const char *config)
{
	const json_t *v;
	bool somewhere = false;
	size_t i;

	json_array_foreach(json_object_get(fact, "values"), i, v)
	{
		if (!names_option(v, option))
			continue;
		somewhere = true;
		if (strcmp(mp_json_str(v, "file", ""), file) == 0)
			return !right(v, option);
	}
	return !somewhere && strcmp(file, config) == 0;
}

static int apply_file(struct mp_sys *sys, const char *file, const json_t *fact, const json_t *w,
		      struct mp_err *err)
{
	struct edit e = { NULL, 0 };
	const json_t *o;
	size_t i;
	int r;

	if (mp_sys_read(sys, file, &e.text, &e.size, NULL, err) < 0)
		return -1;
	if (!e.text)
		return 0;
	json_array_foreach(json_object_get(w, "drop"), i, o) edit_remove(&e, o);
	json_array_foreach(json_object_get(w, "set"), i,
			   o) if (must_set(fact, o, file, mp_json_str(w, "config", "")))
		edit_set(&e, o);
	r = mp_sys_write(sys, file, e.text, e.size, NULL, false, err);
	/* The rest of the file may hold passwords. */
	explicit_bzero(e.text, e.size);
	free(e.text);
	return r;
}

static int apply(struct mp_sys *sys, const json_t *p, const json_t *fact, const json_t *w,
		 struct mp_err *err)
{
	mp_auto_strv struct mp_strv files = { 0 };

	(void)p;
	if (list_files(sys, mp_json_str(w, "config", ""), &files, err) < 0)
		return -1;
	for (size_t i = 0; i < files.n; i++)
		if (apply_file(sys, files.v[i], fact, w, err) < 0)
			return -1;
	return 0;
}

const struct mp_resource mp_resource_nova_conf = {
	.id = "nova-conf",
	.summary = "options of nova-compute that live migration needs",
	.prevents = "Without the scheme, Nova dials libvirt by plain TCP: \"unable to connect to "
		    "server at "
		    "'HOST:16509': Connection refused\". With consoles on 127.0.0.1 (also when the "
		    "option is "
		    "spelled as an older release did) they are gone after the move. With another "
		    "instances_path on one host, \"Cannot access storage file\" or copied instead "
		    "of shared disks.",
	.checked =
		"nova.conf, nova-compute.conf and *.conf in nova.conf.d and nova-compute.conf.d "
		"beside it: every "
		"file that sets one of the options must set it as the profile says, so the "
		"order of reading does "
		"not matter. Where Nova keeps its instances elsewhere (also by state_path, and by "
		"/usr/share/nova/nova-dist.conf), that is told and not changed. Besides these, "
		"only the names and addresses that others dial leave the host. nova-compute "
		"uses a change after "
		"its next start, which migprep does not cause.",
	.remedy = "Set the options in nova.conf as shown, remove the old spelling, and restart "
		  "nova-compute when no "
		  "migration runs",
	.source = "Nova admin guide, Configure live migrations: server_listen, instances_path, "
		  "live_migration_uri; "
		  "spelling by release: nova/conf/vnc.py",
	.roles = MP_ROLE_COMPUTE,
	.params = params,
	.observe = observe,
	.want = want,
	.diff = diff,
	.apply = apply,
};
