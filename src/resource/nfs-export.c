/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs-export: the NFS server exports the instances directory to the compute hosts, and to nobody
 * else. */
#include "config.h"
#include "resource/resource.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "resource/edit-lines.h"
#include "resource/want.h"

#define EXPORTS "/etc/exports"
#define EXPORTS_D "/etc/exports.d"

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	(void)h;
	return json_pack("{s:s}", "path", mp_profile_str(w->profile, "nova", "instances_path"));
}

/* "CLIENT(OPTIONS)" with the options in order, so that texts can be compared. */
static char *client_text(const char *client, size_t n, const char *options)
{
	mp_auto_free char *sorted = mp_sort_options(options);

	return mp_xasprintf("%.*s(%s)", (int)n, client, sorted);
}

/* The clients of a line of exports(5); a word that starts with '-' gives options to those after it.
 */
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
		all = mp_xasprintf("%s,%s", defaults, own);
		text = client_text(word, open ? (size_t)(open - word) : strlen(word), all);
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

static bool same_path(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);

	while (na > 1 && a[na - 1] == '/')
		na--;
	while (nb > 1 && b[nb - 1] == '/')
		nb--;
	return na == nb && memcmp(a, b, na) == 0;
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
		if (same_path(words.v[0], path))
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

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Everybody who mounts: the compute hosts except the server itself. */
static void list_clients(const struct mp_world *w, const struct mp_host *h, const char *options,
			 struct mp_strv *ret)
{
	const struct mp_inventory *inv = w->inv;

	if (strcmp(mp_profile_str(w->profile, "storage", "clients"), "any") == 0) {
		mp_strv_take(ret, client_text("*", 1, options));
		return;
	}
	for (size_t i = 0; i < inv->n_hosts; i++) {
		const struct mp_host *c = &inv->hosts[i];

		if (c != h && (c->roles & MP_ROLE_COMPUTE))
			mp_strv_take(ret, client_text(c->address, strlen(c->address), options));
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_text);
}

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	const char *path = mp_profile_str(w->profile, "nova", "instances_path");
	const char *options = mp_profile_str(w->profile, "storage", "export_options");
	mp_auto_free char *escaped = mp_line_escape(path);
	mp_auto_strv struct mp_strv clients = { 0 };
	mp_auto_buf struct mp_buf line;
	json_t *list = json_array();

	mp_buf_init(&line, 0);
	if (strcmp(mp_profile_str(w->profile, "storage", "kind"), "nfs") != 0) {
		json_decref(list);
		return mp_want_skip("the profile says storage.kind = %s",
				    mp_profile_str(w->profile, "storage", "kind"));
	}
	list_clients(w, h, options, &clients);
	if (!clients.n) {
		json_decref(list);
		return mp_want_skip("no other compute host mounts %s", path);
	}
	mp_buf_puts(&line, escaped);
	for (size_t i = 0; i < clients.n; i++) {
		json_array_append_new(list, json_string(clients.v[i]));
		/* In the file the options stand as the profile has them. */
		mp_buf_printf(&line, " %.*s(%s)", (int)strcspn(clients.v[i], "("), clients.v[i],
			      options);
	}
	return json_pack("{s:s,s:o,s:s}", "path", path, "clients", list, "line",
			 mp_buf_peek(&line));
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

/* Equal sets; wanted is without repetition. */
static bool same_clients(const json_t *have, const json_t *wanted)
{
	const json_t *a, *b;
	size_t i, j, found = 0;

	json_array_foreach(have, i, a)
	{
		bool known = false;

		json_array_foreach(wanted, j, b) known = known || json_equal(a, b);
		if (!known)
			return false;
	}
	json_array_foreach(wanted, i, a) json_array_foreach(have, j, b) if (json_equal(a, b))
	{
		found++;
		break;
	}
	return found == json_array_size(wanted);
}

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const char *path = mp_json_str(w, "path", ""), *root = mp_json_str(fact, "root", NULL);
	const json_t *wanted = json_object_get(w, "clients"), *line;
	mp_auto_free char *what = mp_xasprintf("%s %s", EXPORTS, path), *after = join(wanted);
	mp_auto_free char *before = NULL;
	size_t i, here = 0;
	bool fine = true;

	json_array_foreach(json_object_get(fact, "lines"), i, line)
	{
		const char *file = mp_json_str(line, "file", "");

		if (strcmp(file, EXPORTS) != 0) {
			mp_diff_verdict(ret, MP_FAIL, "Remove that line",
					"%s exports %s as well, and both count", file, path);
			continue;
		}
		fine = fine && same_clients(json_object_get(line, "clients"), wanted);
		if (here++ == 0)
			before = join(json_object_get(line, "clients"));
	}
	if (root && is_root(wanted))
		mp_diff_verdict(
			ret, MP_FAIL,
			"Take fsid=0 out of storage.export_options in the profile; clients then "
			"mount the whole path",
			"%s is the NFSv4 root (fsid=0) already, and there can be only one", root);
	if (here != 1 || !fine)
		mp_diff_change(ret, what, before, after);
}

static int write_exports(struct mp_sys *sys, const json_t *w, struct mp_err *err)
{
	static const struct mp_attr fresh = { .mode = 0644 };
	const char *path = mp_json_str(w, "path", "");
	mp_auto_free char *text = NULL, *new = NULL;
	mp_auto_free struct mp_line *old = NULL;
	size_t size, new_size, pos = 0, n = 0;
	struct mp_line l;

	if (mp_sys_read(sys, EXPORTS, &text, &size, NULL, err) < 0)
		return -1;
	while (text && mp_line_next(text, size, true, &pos, &l)) {
		mp_auto_strv struct mp_strv words = { 0 };

		mp_line_words(text, &l, &words);
		if (!words.n || !same_path(words.v[0], path))
			continue;
		old = mp_xreallocarray(old, n + 1, sizeof(*old));
		old[n++] = l;
	}
	new = mp_line_replace(text ? text : "", size, old, n, mp_json_str(w, "line", ""),
			      &new_size);
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
	if (write_exports(sys, w, err) < 0)
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
		   "the profile's options. "
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
