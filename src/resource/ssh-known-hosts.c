/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ssh-known-hosts: known_hosts of root and nova covers every name of every host with all its host
 * keys. The wanted text is the same for all hosts (a host also knows itself), and the facts of
 * hosts in order are equal.
 */
#include "config.h"
#include "resource/resource.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "model/ssh-text.h"
#include "resource/ssh-user.h"

#define FILE_NAME "known_hosts"
#define MANY 8 /* more differences than this are told as one */

/* What is taken over from one host: what it says goes into the files of all. */
#define MAX_HOST_KEYS 16
#define MAX_PORTS 8

/* The name as ssh(1) looks it up: lower case, [name]:port where the port is not 22. */
static char *lookup_name(const char *name, long port)
{
	char *ret = port == 22 ? mp_xstrdup(name) : mp_xasprintf("[%s]:%ld", name, port);

	for (char *p = ret; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return ret;
}

/* Appends the names as they are looked up at each of the ports (none said: 22). */
static void lookup_names(const struct mp_strv *names, const json_t *ports, struct mp_strv *ret)
{
	size_t n = json_array_size(ports) ? json_array_size(ports) : 1;

	for (size_t i = 0; i < names->n; i++)
		for (size_t j = 0; j < n && j < MAX_PORTS; j++) {
			const json_t *port = json_array_get(ports, j);
			long long p = port ? json_integer_value(port) : 22;

			if (p > 0 && p < 65536)
				mp_strv_take(ret, lookup_name(names->v[i], (long)p));
		}
}

/* What hashed lines are tried with: the names of the inventory, the same on every host and in every
 * run. */
static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	json_t *list = json_array();

	(void)h;
	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		const struct mp_host *o = &w->inv->hosts[i];
		const char *const names[] = { o->name, o->address, o->migration_address };

		for (size_t j = 0; j < MP_N_ELEMS(names) + o->aliases.n; j++) {
			const char *name = j < MP_N_ELEMS(names)
						   ? names[j]
						   : o->aliases.v[j - MP_N_ELEMS(names)];
			mp_auto_free char *n =
				name ? lookup_name(name, o->ssh_port ? o->ssh_port : 22) : NULL;

			if (n)
				json_array_append_new(list, json_string(n));
		}
	}
	return json_pack("{s:o,s:o}", "users", mp_ssh_users(w), "names", list);
}

static int look_user(struct mp_sys *sys, const struct mp_user *u, const json_t *p, json_t *fact,
		     struct mp_err *err)
{
	mp_auto_free char *text = NULL;
	json_t *known;

	if (mp_ssh_file_look(sys, u, FILE_NAME, &text, fact, err) < 0)
		return -1;
	known = mp_ssh_known_fact(text, json_object_get(p, "names"));
	json_object_update(fact, known);
	json_decref(known);
	return 0;
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	return mp_ssh_users_observe(sys, p, look_user, ret, err);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One text of names, sorted, without duplicates. */
static char *join(struct mp_strv *v)
{
	mp_auto_buf struct mp_buf b;

	mp_buf_init(&b, 0);
	if (v->n)
		qsort(v->v, v->n, sizeof(*v->v), by_bytes);
	for (size_t i = 0; i < v->n; i++)
		if (i == 0 || strcmp(v->v[i], v->v[i - 1]) != 0)
			mp_buf_printf(&b, "%s%s", i ? "," : "", v->v[i]);
	return mp_buf_take(&b);
}

/* A host that is going to stand in the files of all under these names. */
struct known_host {
	const char *name;
	struct mp_strv own, said; /* of the inventory; by its own word only */
};

static bool in_inventory(const struct mp_host *h, const char *name)
{
	for (size_t i = 0; i < h->aliases.n; i++)
		if (strcasecmp(h->aliases.v[i], name) == 0)
			return true;
	return strcasecmp(h->name, name) == 0 || strcasecmp(h->address, name) == 0 ||
	       (h->migration_address && strcasecmp(h->migration_address, name) == 0);
}

static void name_host(const struct mp_world *w, size_t host, struct known_host *ret)
{
	const json_t *ports = json_object_get(mp_world_fact(w, host, "identity"), "sshd_ports");
	mp_auto_strv struct mp_strv names = { 0 }, own = { 0 }, said = { 0 };
	const struct mp_host *h = &w->inv->hosts[host];

	mp_world_names(w, host, &names);
	for (size_t i = 0; i < names.n; i++)
		mp_strv_add(in_inventory(h, names.v[i]) ? &own : &said, names.v[i]);
	*ret = (struct known_host){ .name = h->name };
	lookup_names(&own, ports, &ret->own);
	lookup_names(&said, ports, &ret->said);
}

static void append(json_t *entry, const char *key, const struct mp_strv *names)
{
	json_t *list = json_object_get(entry, key);

	for (size_t i = 0; i < names->n; i++)
		json_array_append_new(list, json_string(names->v[i]));
}

/* Enters the host keys of a host under all its names. A key that two hosts share has the names of
 * both. */
static void want_host(const struct mp_world *w, size_t host, json_t *by_ref)
{
	const json_t *identity = mp_world_fact(w, host, "identity"), *key;
	struct known_host known;
	size_t i;

	name_host(w, host, &known);
	json_array_foreach(json_object_get(identity, "host_keys"), i, key)
	{
		const char *line = mp_json_str(key, "line", "");
		struct mp_ssh_pub pub;
		json_t *entry;

		if (i == MAX_HOST_KEYS)
			break;
		/* It will stand in files of other hosts: nothing but a key may get through. */
		if (!mp_ssh_pub_parse(line, strlen(line), &pub) || pub.key_len != strlen(line))
			continue;
		entry = json_object_get(by_ref, pub.ref);
		if (!entry) {
			entry = json_pack("{s:[],s:[],s:s,s:s}", "own", "said", "key", line, "ref",
					  pub.ref);
			json_object_set_new(by_ref, pub.ref, entry);
		}
		append(entry, "own", &known.own);
		append(entry, "said", &known.said);
		json_object_set_new(entry, "host", json_string(known.name));
	}
	mp_strv_fini(&known.own);
	mp_strv_fini(&known.said);
}

/* The entry with its names as one text, and those of them that only a host's word stands behind. */
static json_t *finish(const json_t *entry)
{
	mp_auto_strv struct mp_strv all = { 0 }, said = { 0 };
	mp_auto_free char *names = NULL, *only_said = NULL;
	json_t *own = json_object(), *name, *ret;
	size_t i;

	json_array_foreach(json_object_get(entry, "own"), i, name)
	{
		mp_strv_add(&all, json_string_value(name));
		json_object_set_new(own, json_string_value(name), json_true());
	}
	json_array_foreach(json_object_get(entry, "said"), i, name)
	{
		mp_strv_add(&all, json_string_value(name));
		if (!json_object_get(own, json_string_value(name)))
			mp_strv_add(&said, json_string_value(name));
	}
	json_decref(own);
	names = join(&all);
	only_said = join(&said);
	ret = json_pack("{s:s,s:O,s:O,s:O}", "names", names, "key", json_object_get(entry, "key"),
			"ref", json_object_get(entry, "ref"), "host",
			json_object_get(entry, "host"));
	if (*only_said)
		json_object_set_new(ret, "said", json_string(only_said));
	return ret;
}

/* A host that says too much of itself is to be looked at; the others take the first part. */
static json_t *too_much(const struct mp_world *w, const struct mp_host *h)
{
	const json_t *identity = mp_world_fact(w, h->index, "identity");
	size_t keys = json_array_size(json_object_get(identity, "host_keys"));
	size_t ports = json_array_size(json_object_get(identity, "sshd_ports"));

	if (keys <= MAX_HOST_KEYS && ports <= MAX_PORTS)
		return NULL;
	return json_pack(
		"{s:o,s:s}", "fail",
		json_sprintf("sshd of %s has %zu host keys and %zu ports; other hosts take "
			     "over no more than %d and %d",
			     h->name, keys, ports, MAX_HOST_KEYS, MAX_PORTS),
		"remedy", "Remove what nobody needs from HostKey and Port in sshd_config");
}

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	json_t *by_ref, *entries, *entry, *wrong = too_much(w, h);
	const char *ref;

	if (wrong)
		return wrong;
	by_ref = json_object();
	entries = json_array();
	for (size_t i = 0; i < w->inv->n_hosts; i++)
		if (w->hosts[i].reached)
			want_host(w, i, by_ref);
	json_object_foreach(by_ref, ref, entry)
	{
		json_array_append_new(entries, finish(entry));
	}
	json_decref(by_ref);
	return json_pack("{s:o,s:o}", "users", mp_ssh_users(w), "entries", entries);
}

/* The names of an entry that its key does not stand behind, without those already told as wrong. */
static char *names_missing(const json_t *entry, const char *have, const json_t *told)
{
	const char *wanted = mp_json_str(entry, "names", ""), *ref = mp_json_str(entry, "ref", "");
	mp_auto_strv struct mp_strv a = { 0 }, b = { 0 }, missing = { 0 };

	if (strcmp(wanted, have) == 0)
		return mp_xstrdup("");
	mp_str_split(wanted, ",", &a);
	mp_str_split(have, ",", &b);
	for (size_t i = 0; i < a.n; i++) {
		mp_auto_free char *at = mp_ssh_name_type(a.v[i], ref);

		if (!mp_strv_has(&b, a.v[i]) && !json_object_get(told, at))
			mp_strv_add(&missing, a.v[i]);
	}
	return join(&missing);
}

static void diff_missing(const json_t *fact, const json_t *entries, const json_t *told,
			 const char *path, struct mp_diff *ret)
{
	const json_t *keys = json_object_get(fact, "keys");
	mp_auto_strv struct mp_strv hosts = { 0 }, names = { 0 }, refs = { 0 };
	json_t *e;
	size_t i;

	json_array_foreach((json_t *)entries, i, e)
	{
		const char *ref = mp_json_str(e, "ref", "");
		char *missing = names_missing(e, mp_json_str(keys, ref, ""), told);

		if (*missing) {
			mp_strv_add(&names, missing);
			mp_strv_add(&refs, ref);
			if (!mp_strv_has(&hosts, mp_json_str(e, "host", "")))
				mp_strv_add(&hosts, mp_json_str(e, "host", ""));
		}
		mp_cleanup_free(&missing);
	}
	if (names.n > MANY) {
		mp_auto_free char *folded = mp_range_fold(&hosts);
		mp_auto_free char *after = mp_xasprintf("%zu host keys of %s", refs.n, folded);

		mp_diff_change(ret, path, NULL, after);
		return;
	}
	for (i = 0; i < names.n; i++) {
		mp_auto_free char *what = mp_xasprintf("%s %s", path, names.v[i]);

		mp_diff_change(ret, what, NULL, refs.v[i]);
	}
}

/* The host of a wanted key; of several ("REF,REF"), of the first. */
static const char *host_of(const json_t *entries, const char *wanted)
{
	size_t size = strcspn(wanted, ","), i;
	json_t *e;

	json_array_foreach((json_t *)entries, i, e)
	{
		const char *ref = mp_json_str(e, "ref", "");

		if (strlen(ref) == size && strncmp(ref, wanted, size) == 0)
			return mp_json_str(e, "host", "");
	}
	return "";
}

/*
 * Names of ours that stand before another key of the same type: the host key was changed, or the
 * line is forged. told receives "NAME TYPE" of each.
 */
static void diff_wrong(const json_t *have, const json_t *map, const json_t *entries,
		       const char *path, const char *how, json_t *told, struct mp_diff *ret)
{
	const char *ref, *wanted;
	json_t *joined;

	json_object_foreach((json_t *)have, ref, joined)
	{
		json_t *by_wanted = json_object(), *old;
		mp_auto_strv struct mp_strv names = { 0 };

		if (json_is_string(joined))
			mp_str_split(json_string_value(joined), ",", &names);
		for (size_t i = 0; i < names.n; i++) {
			mp_auto_free char *at = mp_ssh_name_type(names.v[i], ref), *list = NULL;

			wanted = mp_json_str(map, at, NULL);
			if (!wanted || strstr(wanted, ref))
				continue;
			json_object_set_new(told, at, json_true());
			old = json_object_get(by_wanted, wanted);
			list = mp_xasprintf("%s%s%s", old ? json_string_value(old) : "",
					    old ? "," : "", names.v[i]);
			json_object_set_new(by_wanted, wanted, json_string(list));
		}
		json_object_foreach(by_wanted, wanted, old)
		{
			mp_auto_free char *what = mp_xasprintf(
				"changed host key of %s in %s (%s%s)", host_of(entries, wanted),
				path, how, json_string_value(old));

			mp_diff_change(ret, what, ref, wanted);
		}
		json_decref(by_wanted);
	}
}

static void diff_revoked(const json_t *fact, const json_t *entries, const char *path,
			 struct mp_diff *ret)
{
	json_t *revoked = json_object_get(fact, "revoked"), *ref, *e;
	size_t i, j;

	json_array_foreach(revoked, i, ref)
	{
		json_array_foreach((json_t *)entries, j, e)
		{
			if (!json_equal(ref, json_object_get(e, "ref")))
				continue;
			mp_diff_verdict(
				ret, MP_FAIL,
				"Find out why the key was revoked; give that host a new host "
				"key, or remove the @revoked line if it is wrong",
				"%s revokes the host key %s that %s uses", path,
				json_string_value(ref), mp_json_str(e, "host", ""));
		}
	}
}

/* True if there is a plain or hashed key beside the wanted ones: only then can a name be wrong. */
static bool has_others(const json_t *fact, const json_t *entries)
{
	return json_object_size(json_object_get(fact, "hashed")) ||
	       json_object_size(json_object_get(fact, "keys")) != json_array_size(entries);
}

/* Every key with exactly its names: the usual case, told without a map of names. */
static bool is_exact(const json_t *fact, const json_t *entries)
{
	const json_t *keys = json_object_get(fact, "keys");
	json_t *e;
	size_t i;

	if (has_others(fact, entries))
		return false;
	json_array_foreach((json_t *)entries, i,
			   e) if (!mp_str_eq(mp_json_str(keys, mp_json_str(e, "ref", ""), NULL),
					     mp_json_str(e, "names", ""))) return false;
	return true;
}

static char *path_of(const json_t *fact)
{
	return mp_xasprintf("%s/.ssh/" FILE_NAME, mp_json_str(fact, "home", ""));
}

/*
 * Of all users: a changed key may be an attack, and only the first change stands in the line of a
 * report. Returns {USER: {"NAME TYPE": true}}; users in order are absent.
 */
static json_t *diff_all_wrong(const json_t *users, const json_t *w, struct mp_diff *ret)
{
	const json_t *entries = json_object_get(w, "entries");
	json_t *map = NULL, *all = json_object(), *name;
	size_t i;

	json_array_foreach(json_object_get(w, "users"), i, name)
	{
		const json_t *mine = json_object_get(users, json_string_value(name));
		mp_auto_free char *path = path_of(mine);
		json_t *told;

		if (!mine || json_object_get(mine, "fail") || is_exact(mine, entries))
			continue;
		if (!map)
			map = mp_ssh_known_map(entries);
		told = json_object();
		diff_wrong(json_object_get(mine, "keys"), map, entries, path, "", told, ret);
		diff_wrong(json_object_get(mine, "hashed"), map, entries, path, "hashed ", told,
			   ret);
		json_object_set_new(all, json_string_value(name), told);
	}
	json_decref(map);
	return all;
}

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const json_t *entries = json_object_get(w, "entries"),
		     *users = json_object_get(fact, "users");
	json_t *told = diff_all_wrong(users, w, ret), *name;
	size_t i;

	json_array_foreach(json_object_get(w, "users"), i, name)
	{
		const char *user = json_string_value(name);
		const json_t *mine = json_object_get(users, user);
		mp_auto_free char *path = path_of(mine);

		if (!mp_ssh_user_diff(mine, user, path, ret))
			continue;
		diff_revoked(mine, entries, path, ret);
		if (json_object_get(told, user))
			diff_missing(mine, entries, json_object_get(told, user), path, ret);
	}
	json_decref(told);
}

static int apply(struct mp_sys *sys, const json_t *p, const json_t *fact, const json_t *w,
		 struct mp_err *err)
{
	json_t *name;
	size_t i;

	(void)fact;
	json_array_foreach(json_object_get(w, "users"), i, name)
	{
		mp_auto_free char *path = NULL, *old = NULL, *edited = NULL;
		struct mp_user u;

		if (mp_ssh_user_get(sys, json_string_value(name), &u, err) < 0)
			return -1;
		path = mp_ssh_path(&u, FILE_NAME);
		if (mp_sys_read(sys, path, &old, NULL, NULL, err) < 0)
			return -1;
		edited = mp_ssh_known_edit(old, json_object_get(w, "entries"),
					   json_object_get(p, "names"));
		if (mp_ssh_file_write(sys, &u, FILE_NAME, edited, 0644, err) < 0)
			return -1;
	}
	return 0;
}

const struct mp_resource mp_resource_ssh_known_hosts = {
	.id = "ssh-known-hosts",
	.summary = "known_hosts of root and nova over all names of all hosts",
	.prevents =
		"A name that is missing from known_hosts, or stands there with an old key, ends a "
		"migration before it begins: \"Host key verification failed\". Switching the "
		"verification off would let anybody on the network take the guest.",
	.checked = "Compares ~/.ssh/known_hosts of root and of the nova user with the public host "
		   "keys "
		   "that each host itself has in /etc/ssh, for its name, host name, FQDN, "
		   "addresses and "
		   "aliases. Hashed lines are found by their hash. Other names are never touched.",
	.remedy =
		"On the peer, read /etc/ssh/ssh_host_*_key.pub; put each key behind all names and "
		"addresses of that host into known_hosts, and remove old keys with ssh-keygen -R "
		"NAME.",
	.source = "Nova troubleshooting, Cannot ping or SSH between computes; sshd(8), "
		  "SSH_KNOWN_HOSTS FILE "
		  "FORMAT",
	.roles = MP_ROLE_COMPUTE,
	.stage = 1,
	.params = params,
	.observe = observe,
	.want = want,
	.diff = diff,
	.apply = apply,
};
