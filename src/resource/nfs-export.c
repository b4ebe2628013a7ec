/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs-export: the NFS server exports the instances directory to the compute hosts, and to nobody
 * else. */
#include "config.h"
#include "resource/resource.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "model/name.h"
#include "resource/edit-lines.h"
#include "resource/mount-table.h"
#include "resource/want.h"

#define EXPORTS "/etc/exports"
#define EXPORTS_D "/etc/exports.d"
#define EVERYBODY "*"

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	(void)h;
	return json_pack("{s:s}", "path", mp_profile_str(w->profile, "nova", "instances_path"));
}

static char *client_text(const char *client, size_t n, const char *options)
{
	return mp_xasprintf("%.*s%s%s%s", (int)n, client, options[0] ? "(" : "", options,
			    options[0] ? ")" : "");
}

/* The clients of a line of exports(5), each as "CLIENT(OPTIONS)"; a word that starts with '-' gives
 * options to those after it. */
static json_t *clients_of(const struct mp_strv *words)
{
	const char *defaults = "";
	json_t *list = json_array();

	for (size_t i = 1; i < words->n; i++) {
		const char *word = words->v[i], *open = strchr(word, '(');
		mp_auto_free char *own = NULL, *all = NULL, *text = NULL;

		if (word[0] == '-') {
			defaults = word + 1;
			continue;
		}
		own = open ? mp_xstrndup(open + 1, strcspn(open + 1, ")")) : mp_xstrdup("");
		all = mp_mount_merge_options(defaults, own);
		text = client_text(word, strcspn(word, "("), all);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

/* Whether an export of something else is the NFSv4 root already. */
static bool is_root(const json_t *clients)
{
	const json_t *c;
	size_t i;

	json_array_foreach(clients, i, c)
	{
		const char *s = json_string_value(c);

		if (s && (strstr(s, "fsid=0,") || strstr(s, "fsid=0)") || strstr(s, "fsid=root")))
			return true;
	}
	return false;
}

/* Adds the lines for path to lines, and notes in fact which other export is the root. */
static int look_at(struct mp_sys *sys, const char *file, const char *path, json_t *lines,
		   json_t *fact, struct mp_err *err)
{
	mp_auto_free char *text = NULL;
	struct mp_line l;
	size_t size, pos = 0;

	if (mp_sys_read(sys, file, &text, &size, NULL, err) < 0)
		return -1;
	while (text && mp_line_next(text, size, true, &pos, &l)) {
		mp_auto_strv struct mp_strv words = { 0 };
		json_t *clients;

		mp_line_words(text, &l, &words);
		if (!words.n)
			continue;
		clients = clients_of(&words);
		if (mp_mount_same_path(words.v[0], path))
			json_array_append_new(
				lines, json_pack("{s:s,s:O}", "file", file, "clients", clients));
		else if (is_root(clients))
			json_object_set_new(fact, "root", json_string(words.v[0]));
		json_decref(clients);
	}
	return 0;
}

/* Whether the kernel's NFS server runs: it has threads. */
static bool serving(struct mp_sys *sys)
{
	mp_auto_free char *text = NULL;

	return mp_sys_read(sys, "/proc/fs/nfsd/threads", &text, NULL, NULL, NULL) == 0 && text &&
	       atoi(text) > 0;
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	const char *path = mp_json_str(p, "path", "");
	mp_auto_strv struct mp_strv more = { 0 };
	json_t *lines = json_array(), *fact = json_object();
	int r = mp_sys_list(sys, EXPORTS_D, &more, err);

	if (r == 0)
		r = look_at(sys, EXPORTS, path, lines, fact, err);
	for (size_t i = 0; r == 0 && i < more.n; i++) {
		mp_auto_free char *file = mp_xasprintf("%s/%s", EXPORTS_D, more.v[i]);
		size_t n = strlen(more.v[i]);

		if (n > 8 && more.v[i][0] != '.' && strcmp(more.v[i] + n - 8, ".exports") == 0)
			r = look_at(sys, file, path, lines, fact, err);
	}
	json_object_set_new(fact, "lines", lines);
	json_object_set_new(fact, "serving", json_boolean(serving(sys)));
	if (r < 0) {
		json_decref(fact);
		return -1;
	}
	*ret = fact;
	return 0;
}

/* ---- what is wanted ---- */

/* Who may mount: the client as it is written, the names it may be written by, and whether it must
 * be there. */
static void add_client(const struct mp_world *w, const struct mp_host *c, bool required,
		       json_t *list)
{
	mp_auto_strv struct mp_strv names = { 0 };
	json_t *all = json_array();

	mp_world_names(w, c->index, &names);
	for (size_t i = 0; i < names.n; i++) {
		char name[MP_NAME_MAX + 1];

		mp_name_canonical(names.v[i], name, sizeof(name));
		json_array_append_new(all, json_string(name));
	}
	json_array_append_new(list, json_pack("{s:s,s:o,s:b}", "client", c->address, "names", all,
					      "required", required));
}

static int by_address(const void *a, const void *b)
{
	return strcmp((*(const struct mp_host *const *)a)->address,
		      (*(const struct mp_host *const *)b)->address);
}

/* Everybody who mounts: the compute hosts except the server itself. */
static json_t *list_clients(const struct mp_world *w, const struct mp_host *h, bool any)
{
	const struct mp_inventory *inv = w->inv;
	mp_auto_free const struct mp_host **hosts = mp_xcalloc(inv->n_hosts + 1, sizeof(*hosts));
	json_t *list = json_array();
	size_t n = 0;

	if (any)
		json_array_append_new(list, json_pack("{s:s,s:[s],s:b}", "client", EVERYBODY,
						      "names", EVERYBODY, "required", true));
	for (size_t i = 0; i < inv->n_hosts; i++)
		if (&inv->hosts[i] != h && (inv->hosts[i].roles & MP_ROLE_COMPUTE))
			hosts[n++] = &inv->hosts[i];
	qsort(hosts, n, sizeof(*hosts), by_address);
	for (size_t i = 0; i < n; i++)
		add_client(w, hosts[i], !any, list);
	return list;
}

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	const char *path = mp_profile_str(w->profile, "nova", "instances_path");
	bool any = strcmp(mp_profile_str(w->profile, "storage", "clients"), "any") == 0;
	json_t *clients;

	if (strcmp(mp_profile_str(w->profile, "storage", "kind"), "nfs") != 0)
		return mp_want_skip("the profile says storage.kind = %s",
				    mp_profile_str(w->profile, "storage", "kind"));
	clients = list_clients(w, h, any);
	if (!json_array_size(clients)) {
		json_decref(clients);
		return mp_want_skip("no other compute host mounts %s", path);
	}
	return json_pack("{s:s,s:s,s:o}", "path", path, "options",
			 mp_profile_str(w->profile, "storage", "export_options"), "clients",
			 clients);
}

/* ---- comparing ---- */

/* The client without options, in canonical form; whatever stands for all machines as "*". */
static void client_name(const char *text, char *ret, size_t size)
{
	static const char *const all[] = { "", EVERYBODY, "0.0.0.0/0", "0.0.0.0/0.0.0.0", "::/0" };
	static const char *const whole[] = { "/32", "/128", "/255.255.255.255" };
	size_t n = strcspn(text, "(");
	mp_auto_free char *client = mp_xstrndup(text, n);

	for (size_t i = 0; i < MP_N_ELEMS(whole); i++) {
		size_t k = strlen(whole[i]);

		if (n > k && strcmp(client + n - k, whole[i]) == 0)
			client[n - k] = '\0';
	}
	for (size_t i = 0; i < MP_N_ELEMS(all); i++)
		if (strcmp(client, all[i]) == 0) {
			snprintf(ret, size, "%s", EVERYBODY);
			return;
		}
	mp_name_canonical(client, ret, size);
}

/* The place in wanted of the client that name stands for, or -1. */
static ssize_t find_client(const json_t *wanted, const char *name)
{
	const json_t *c, *known;
	size_t i, k;

	json_array_foreach(wanted, i, c)
	{
		json_array_foreach(json_object_get(c, "names"), k, known)
		{
			if (mp_str_eq(json_string_value(known), name))
				return (ssize_t)i;
		}
	}
	return -1;
}

struct outcome {
	json_t *clients; /* the line as it is to be */
	json_t *foreign; /* those of them that are not ours */
};

static void outcome_fini(struct outcome *o)
{
	json_decref(o->clients);
	json_decref(o->foreign);
}

static void keep(struct outcome *o, const char *text, const json_t *w, bool *seen)
{
	const json_t *wanted = json_object_get(w, "clients");
	size_t n = strcspn(text, "(");
	mp_auto_free char *own = NULL, *all = NULL, *new = NULL;
	char name[MP_NAME_MAX + 1];
	ssize_t at;

	client_name(text, name, sizeof(name));
	at = find_client(wanted, name);
	if (at < 0 && strcmp(name, EVERYBODY) == 0)
		return;
	if (at < 0) {
		json_array_append_new(o->clients, json_string(text));
		json_array_append_new(o->foreign, json_string(text));
		return;
	}
	if (seen[at])
		return;
	seen[at] = true;
	own = text[n] ? mp_xstrndup(text + n + 1, strcspn(text + n + 1, ")")) : mp_xstrdup("");
	all = mp_mount_merge_options(own, mp_json_str(w, "options", ""));
	new = client_text(text, n, all);
	json_array_append_new(o->clients, json_string(new));
}

/* What the line must say: ours with their options, others as they stand; not everybody, unless that
 * is wanted. */
static struct outcome settle(const json_t *fact, const json_t *w)
{
	struct outcome r = { json_array(), json_array() };
	const json_t *wanted = json_object_get(w, "clients"), *line, *c;
	mp_auto_free bool *seen = mp_xcalloc(json_array_size(wanted) + 1, sizeof(*seen));
	size_t i, k;

	json_array_foreach(json_object_get(fact, "lines"), i, line)
	{
		if (strcmp(mp_json_str(line, "file", ""), EXPORTS) != 0)
			continue;
		json_array_foreach(json_object_get(line, "clients"), k, c)
			keep(&r, json_string_value(c) ? json_string_value(c) : "", w, seen);
	}
	json_array_foreach(wanted, i, c)
	{
		const char *client = mp_json_str(c, "client", "");
		mp_auto_free char *text =
			client_text(client, strlen(client), mp_json_str(w, "options", ""));

		if (!seen[i] && mp_json_bool(c, "required", false))
			json_array_append_new(r.clients, json_string(text));
	}
	return r;
}

static char *join(const json_t *list)
{
	struct mp_buf out;
	const json_t *v;
	size_t i;

	mp_buf_init(&out, 0);
	json_array_foreach(list, i, v)
		mp_buf_printf(&out, "%s%s", i ? " " : "", json_string_value(v));
	return mp_buf_take(&out);
}

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const char *path = mp_json_str(w, "path", ""), *root = mp_json_str(fact, "root", NULL);
	__attribute__((cleanup(outcome_fini))) struct outcome then = settle(fact, w);
	mp_auto_free char *what = mp_xasprintf("%s %s", EXPORTS, path), *after = join(then.clients);
	mp_auto_free char *before = NULL, *foreign = join(then.foreign);
	const json_t *line;
	size_t i, here = 0;

	json_array_foreach(json_object_get(fact, "lines"), i, line)
	{
		const char *file = mp_json_str(line, "file", "");

		if (strcmp(file, EXPORTS) != 0)
			mp_diff_verdict(ret, MP_FAIL, "Remove that line",
					"%s exports %s as well, and both count", file, path);
		else if (here++ == 0)
			before = join(json_object_get(line, "clients"));
	}
	if (root && is_root(then.clients))
		mp_diff_verdict(
			ret, MP_FAIL,
			"Take fsid=0 out of storage.export_options in the profile; clients then "
			"mount the whole path",
			"%s is the NFSv4 root (fsid=0) already, and there can be only one", root);
	if (foreign[0])
		mp_diff_verdict(ret, MP_WARN,
				"Remove it from " EXPORTS " if it does not need the directory",
				"%s lets in others than the compute hosts of the inventory to %s: "
				"%s",
				EXPORTS, path, foreign);
	if (here != 1 || strcmp(before, after) != 0)
		mp_diff_change(ret, what, before, after);
}

/* ---- changing ---- */

static char *line_text(const char *path, const json_t *clients)
{
	mp_auto_free char *escaped = mp_line_escape(path);
	struct mp_buf out;
	const json_t *c;
	size_t i;

	mp_buf_init(&out, 0);
	mp_buf_puts(&out, escaped);
	json_array_foreach(clients, i, c)
	{
		mp_auto_free char *word = mp_line_escape(json_string_value(c));

		mp_buf_printf(&out, " %s", word);
	}
	return mp_buf_take(&out);
}

static int write_exports(struct mp_sys *sys, const json_t *fact, const json_t *w,
			 struct mp_err *err)
{
	static const struct mp_attr fresh = { .mode = 0644 };
	const char *path = mp_json_str(w, "path", "");
	__attribute__((cleanup(outcome_fini))) struct outcome then = settle(fact, w);
	mp_auto_free char *text = NULL, *new = NULL, *line = line_text(path, then.clients);
	mp_auto_free struct mp_line *old = NULL;
	size_t size, new_size, pos = 0, n = 0;
	struct mp_line l;

	if (mp_sys_read(sys, EXPORTS, &text, &size, NULL, err) < 0)
		return -1;
	while (text && mp_line_next(text, size, true, &pos, &l)) {
		mp_auto_strv struct mp_strv words = { 0 };

		mp_line_words(text, &l, &words);
		if (!words.n || !mp_mount_same_path(words.v[0], path))
			continue;
		old = mp_xreallocarray(old, n + 1, sizeof(*old));
		old[n++] = l;
	}
	new = mp_line_replace(text ? text : "", size, old, n, line, &new_size);
	return mp_sys_write(sys, EXPORTS, new, new_size, &fresh, false, err);
}

static int apply(struct mp_sys *sys, const json_t *p, const json_t *fact, const json_t *w,
		 struct mp_err *err)
{
	const char *const argv[] = { "exportfs", "-ra", NULL };
	const struct mp_run_opts opts = { .timeout_ms = 30000 };
	struct mp_run_result res;
	int r = 0;

	(void)p;
	if (write_exports(sys, fact, w, err) < 0)
		return -1;
	if (!mp_sys_is_real(sys) || !mp_json_bool(fact, "serving", false))
		return 0;
	if (mp_sys_run(sys, argv, &opts, &res, err) < 0)
		return -1;
	if (res.timed_out || res.status)
		r = mp_err_set(err, MP_E_SYS, "exportfs -ra: %s%.300s",
			       res.timed_out ? "not done in 30 s " : "", res.errtext);
	mp_run_result_fini(&res);
	return r;
}

const struct mp_resource mp_resource_nfs_export = {
	.id = "nfs-export",
	.summary = "export of the instances directory to the compute hosts",
	.prevents = "Without it the other hosts cannot mount: \"mount.nfs4: access denied by "
		    "server while mounting "
		    "SERVER:/\". With * every machine that reaches the server can read and write "
		    "all disks.",
	.checked = "The lines for the directory in /etc/exports and /etc/exports.d: one line, with "
		   "the addresses of the "
		   "other compute hosts (or * where the profile says storage.clients = any) and "
		   "the profile's options. Further options and further single clients are kept, "
		   "and the clients told; * goes unless the profile wants it. "
		   "apply replaces only that line, and runs exportfs -ra where the NFS server "
		   "runs. Starting the NFS "
		   "server is not part of it.",
	.remedy = "Put the line into /etc/exports on the NFS server and run: exportfs -ra",
	.source = "Nova admin guide, Configure live migrations, Shared storage, step 4; exports(5)",
	.roles = MP_ROLE_NFS,
	.params = params,
	.observe = observe,
	.want = want,
	.diff = diff,
	.apply = apply,
};
