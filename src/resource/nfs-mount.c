/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs-mount: the compute hosts mount the instances directory at every boot. */
#include "config.h"
#include "resource/resource.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/name.h"
#include "resource/edit-lines.h"
#include "resource/mount-table.h"
#include "resource/want.h"

#define FSTAB "/etc/fstab"
#define TYPE "nfs4"

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	(void)h;
	return json_pack("{s:s}", "path", mp_profile_str(w->profile, "nova", "instances_path"));
}

/* ---- what is there ---- */

static bool is_entry(const struct mp_strv *words, const char *path)
{
	return words->n > 1 && mp_mount_same_path(words->v[1], path);
}

static json_t *entry_of(const struct mp_strv *words)
{
	return json_pack("{s:s,s:s,s:s}", "source", words->v[0], "type",
			 words->n > 2 ? words->v[2] : "", "options",
			 words->n > 3 ? words->v[3] : "defaults");
}

/* The server's address, as the kernel knows it (nfs(5): addr). */
static char *address_of(const struct mp_mount *m)
{
	mp_auto_strv struct mp_strv options = { 0 };

	mp_str_split(m->options, ",", &options);
	for (size_t i = 0; i < options.n; i++)
		if (strncmp(options.v[i], "addr=", 5) == 0)
			return mp_xstrdup(options.v[i] + 5);
	return mp_xstrdup("");
}

static int look_at_mount(struct mp_sys *sys, const char *path, json_t *fact, struct mp_err *err)
{
	mp_auto_mount struct mp_mount m = { 0 };
	mp_auto_free char *address = NULL;
	bool mounted;

	if (mp_mount_find(sys, path, NULL, &m, err) < 0)
		return -1;
	if (!m.point)
		return 0;
	mounted = mp_mount_same_path(m.point, path);
	json_object_set_new(fact, "mounted", json_boolean(mounted));
	if (!mounted)
		return 0;
	address = address_of(&m);
	json_object_set_new(
		fact, "mount",
		json_pack("{s:s,s:s,s:s}", "source", m.source, "type", m.type, "address", address));
	return 0;
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	const char *path = mp_json_str(p, "path", "");
	mp_auto_free char *text = NULL;
	json_t *fact, *entries;
	struct mp_line l;
	size_t size, pos = 0;

	if (mp_sys_read(sys, FSTAB, &text, &size, NULL, err) < 0)
		return -1;
	entries = json_array();
	fact = json_pack("{s:o}", "entries", entries);
	while (text && mp_line_next(text, size, false, &pos, &l)) {
		mp_auto_strv struct mp_strv words = { 0 };

		mp_line_words(text, &l, &words);
		if (is_entry(&words, path))
			json_array_append_new(entries, entry_of(&words));
	}
	if (look_at_mount(sys, path, fact, err) < 0) {
		json_decref(fact);
		return -1;
	}
	*ret = fact;
	return 0;
}

/* ---- what is wanted ---- */

/* With fsid=0 the directory is the server's NFSv4 root: exports(5). */
static bool exported_as_root(const struct mp_world *w)
{
	mp_auto_strv struct mp_strv options = { 0 };

	mp_str_split(mp_profile_str(w->profile, "storage", "export_options"), ",", &options);
	return mp_strv_has(&options, "fsid=0") || mp_strv_has(&options, "fsid=root");
}

/* Every name and address that a mount may call the server by, in canonical form. */
static json_t *names_of(const struct mp_world *w, const struct mp_host *server)
{
	mp_auto_strv struct mp_strv names = { 0 };
	json_t *list = json_array();

	mp_world_names(w, server->index, &names);
	for (size_t i = 0; i < names.n; i++) {
		char name[MP_NAME_MAX + 1];

		mp_name_canonical(names.v[i], name, sizeof(name));
		json_array_append_new(list, json_string(name));
	}
	return list;
}

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	const char *path = mp_profile_str(w->profile, "nova", "instances_path");
	const char *options = mp_profile_str(w->profile, "storage", "mount_options"), *export;
	const struct mp_host *server;
	mp_auto_free char *source = NULL, *escaped = mp_line_escape(path), *line = NULL;
	bool v6;
	size_t n;

	if (strcmp(mp_profile_str(w->profile, "storage", "kind"), "nfs") != 0)
		return mp_want_skip("the profile says storage.kind = %s",
				    mp_profile_str(w->profile, "storage", "kind"));
	server = mp_nfs_server(w->inv, &n);
	if (!server)
		return json_pack("{s:b}", "no_server", true);
	if (n > 1)
		return mp_want_fail("Give the role nfs to one host",
				    "%zu hosts of the inventory have the role nfs", n);
	if (server == h)
		return mp_want_skip("this host is the NFS server");
	v6 = strchr(server->address, ':') != NULL;
	export = exported_as_root(w) ? "/" : path;
	source = mp_xasprintf("%s%s%s:%s", v6 ? "[" : "", server->address, v6 ? "]" : "", export);
	line = mp_xasprintf("%s %s %s %s 0 0", source, escaped, TYPE, options);
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:o}", "path", path, "source", source, "options",
			 options, "line", line, "export", export, "servers", names_of(w, server));
}

/* ---- comparing ---- */

static bool is_server(const json_t *w, const char *word)
{
	char name[MP_NAME_MAX + 1];
	const json_t *s;
	size_t i;

	mp_name_canonical(word, name, sizeof(name));
	json_array_foreach(json_object_get(w, "servers"), i, s)
	{
		if (mp_str_eq(json_string_value(s), name))
			return true;
	}
	return false;
}

/* Whether source is the server's export. address: of the host it names, where that is known. */
static bool is_export(const json_t *w, const char *source, const char *address)
{
	mp_auto_free char *host = NULL;
	const char *path;

	return mp_mount_split(source, &host, &path) &&
	       mp_mount_same_path(path, mp_json_str(w, "export", "")) &&
	       (is_server(w, host) || is_server(w, address));
}

/* nfs(5): vers, nfsvers and v4.2 name the version; without one it is the newest of both sides. */
static bool is_version_4(const char *options)
{
	static const char *const keys[] = { "vers=", "nfsvers=", "v" };
	mp_auto_strv struct mp_strv words = { 0 };
	bool four = true;

	mp_str_split(options, ",", &words);
	for (size_t i = 0; i < words.n; i++)
		for (size_t k = 0; k < MP_N_ELEMS(keys); k++) {
			size_t n = strlen(keys[k]);

			if (strncmp(words.v[i], keys[k], n) == 0 && words.v[i][n] >= '0' &&
			    words.v[i][n] <= '9')
				four = words.v[i][n] == '4';
		}
	return four;
}

/* What is mounted from ours says which address stands behind the name that the entry uses. */
static bool is_ours(const json_t *entry, const json_t *mount, const json_t *w)
{
	const char *type = mp_json_str(entry, "type", ""),
		   *source = mp_json_str(entry, "source", "");
	bool mounted = strcmp(source, mp_json_str(mount, "source", "")) == 0;

	return (strcmp(type, "nfs4") == 0 || strcmp(type, "nfs") == 0) &&
	       is_version_4(mp_json_str(entry, "options", "")) &&
	       is_export(w, source, mounted ? mp_json_str(mount, "address", "") : "");
}

static char *entry_text(const json_t *entry, const char *options)
{
	return mp_xasprintf("%s %s %s", mp_json_str(entry, "source", ""),
			    mp_json_str(entry, "type", TYPE), options);
}

/* With what is missing of the wanted ones, where something is; else NULL. */
static char *mended_options(const json_t *entry, const json_t *w)
{
	const char *options = mp_json_str(entry, "options", "");
	mp_auto_free char *now = mp_mount_merge_options(options, "");
	mp_auto_free char *then = mp_mount_merge_options(options, mp_json_str(w, "options", ""));

	return strcmp(now, then) != 0 ? mp_steal(&then) : NULL;
}

/* Options that take back what `defaults` says: told, for somebody wanted them. */
static void diff_odd_options(const json_t *entry, const json_t *w, struct mp_diff *ret)
{
	mp_auto_free char *merged = mp_mount_merge_options(mp_json_str(entry, "options", ""),
							   mp_json_str(w, "options", ""));
	mp_auto_strv struct mp_strv words = { 0 }, wanted = { 0 };
	const char *path = mp_json_str(w, "path", "");

	mp_str_split(merged, ",", &words);
	mp_str_split(mp_json_str(w, "options", ""), ",", &wanted);
	if (mp_strv_has(&words, "ro") && !mp_strv_has(&wanted, "ro"))
		mp_diff_verdict(ret, MP_WARN, "Remove ro from the entry", "%s mounts %s read-only",
				FSTAB, path);
	if (mp_strv_has(&words, "noauto") && !mp_strv_has(&words, "x-systemd.automount") &&
	    !mp_strv_has(&wanted, "noauto"))
		mp_diff_verdict(ret, MP_WARN, "Remove noauto from the entry",
				"%s does not mount %s at boot (noauto)", FSTAB, path);
}

/* False if there is no entry of ours yet. */
static bool diff_entries(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const json_t *entries = json_object_get(fact, "entries"), *e;
	const json_t *first = json_array_get(entries, 0);
	const char *path = mp_json_str(w, "path", ""), *now = mp_json_str(first, "options", "");
	mp_auto_free char *what = mp_xasprintf("%s %s", FSTAB, path);
	mp_auto_free char *wanted = entry_text(w, mp_json_str(w, "options", ""));
	mp_auto_free char *before = entry_text(first, now), *after = NULL, *mended = NULL;
	size_t i;

	json_array_foreach(entries, i, e)
	{
		mp_auto_free char *text = entry_text(e, mp_json_str(e, "options", ""));

		if (is_ours(e, json_object_get(fact, "mount"), w))
			continue;
		mp_diff_verdict(ret, MP_FAIL,
				"Remove that entry, or correct the role nfs in the inventory and "
				"the section storage in the profile",
				"%s mounts something else at %s: %s; wanted: %s", FSTAB, path, text,
				wanted);
		return false;
	}
	if (!first) {
		mp_diff_change(ret, what, NULL, wanted);
		return false;
	}
	diff_odd_options(first, w, ret);
	mended = mended_options(first, w);
	after = entry_text(first, mended ? mended : now);
	if (mended || json_array_size(entries) > 1)
		mp_diff_change(ret, what, before, after);
	return true;
}

static void diff_mount(const json_t *fact, bool in_fstab, const json_t *w, struct mp_diff *ret)
{
	const json_t *m = json_object_get(fact, "mount");
	const char *path = mp_json_str(w, "path", ""), *type = mp_json_str(m, "type", "");
	mp_auto_free char *mount = mp_xasprintf("mount %s", path);
	mp_auto_free char *start = mp_xasprintf("Start the NFS server and run: %s", mount);
	mp_auto_free char *again =
		mp_xasprintf("When no guest uses it, run: umount %s && %s", path, mount);

	/* systemd.automount(5): mounted by the first who looks. */
	if (strcmp(type, "autofs") == 0)
		return;
	if (m && (strcmp(type, TYPE) != 0 ||
		  !is_export(w, mp_json_str(m, "source", ""), mp_json_str(m, "address", ""))))
		mp_diff_verdict(ret, MP_FAIL, again, "%s is mounted from %s (%s), not from %s",
				path, mp_json_str(m, "source", ""), type,
				mp_json_str(w, "source", ""));
	else if (in_fstab && !mp_json_bool(fact, "mounted", true))
		mp_diff_verdict(
			ret, MP_WARN, start,
			"%s is in fstab but not mounted; guests would run from the local directory",
			path);
}

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	if (mp_json_bool(w, "no_server", false)) {
		mp_diff_verdict(ret, MP_WARN,
				"Give the NFS server roles = nfs in the inventory, or set "
				"storage.kind = local",
				"no host of the inventory has the role nfs, so exports and fstab "
				"are not looked at");
		return;
	}
	diff_mount(fact, diff_entries(fact, w, ret), w, ret);
}

/* ---- changing ---- */

/* The line with other options; the rest of it keeps every byte. */
static char *with_options(const char *text, const struct mp_line *l, const json_t *w)
{
	mp_auto_free char *line = mp_xstrndup(text + l->start, l->end - l->start), *options = NULL;
	mp_auto_free char *had = NULL;
	size_t start = 0, end = 0;

	line[strcspn(line, "\r\n")] = '\0';
	for (int i = 0; i < 4; i++) {
		start = end + strspn(line + end, " \t");
		if (i == 3 && (!line[start] || line[start] == '#'))
			start = end;
		else
			end = start + strcspn(line + start, " \t");
	}
	had = mp_xstrndup(line + start, end - start);
	options = mp_mount_merge_options(had, mp_json_str(w, "options", ""));
	return mp_xasprintf("%.*s%s%s%s", (int)start, line, start == end ? " " : "", options,
			    line + end);
}

static int apply(struct mp_sys *sys, const json_t *p, const json_t *fact, const json_t *w,
		 struct mp_err *err)
{
	static const struct mp_attr fresh = { .mode = 0644 };
	mp_auto_free char *text = NULL, *new = NULL, *line = NULL;
	mp_auto_free struct mp_line *old = NULL;
	size_t size, new_size, pos = 0, n = 0;
	struct mp_line l;

	(void)p;
	(void)fact;
	if (mp_sys_read(sys, FSTAB, &text, &size, NULL, err) < 0)
		return -1;
	while (text && mp_line_next(text, size, false, &pos, &l)) {
		mp_auto_strv struct mp_strv words = { 0 };

		mp_line_words(text, &l, &words);
		if (!is_entry(&words, mp_json_str(w, "path", "")))
			continue;
		old = mp_xreallocarray(old, n + 1, sizeof(*old));
		old[n++] = l;
	}
	line = n ? with_options(text, &old[0], w) : mp_xstrdup(mp_json_str(w, "line", ""));
	new = mp_line_replace(text ? text : "", size, old, n, line, &new_size);
	return mp_sys_write(sys, FSTAB, new, new_size, &fresh, false, err);
}

const struct mp_resource mp_resource_nfs_mount = {
	.id = "nfs-mount",
	.summary = "fstab entry of the instances directory on the NFS server",
	.prevents = "Without the mount each host has a directory of its own, and a move fails with "
		    "\"Cannot access storage "
		    "file '.../disk': No such file or directory\" or \"HOST is not on shared "
		    "storage\".",
	.checked = "The entries of /etc/fstab for the directory, and what the kernel's table of "
		   "mounts has there. The server may be called by any of its names and addresses; "
		   "further options are kept. An entry or a mount of something else is reported "
		   "and never replaced. Only fstab is changed: migprep does not mount; run mount "
		   "afterwards.",
	.remedy = "Put the line into /etc/fstab, then run: mount -a -v",
	.source = "Nova admin guide, Configure live migrations, Shared storage, mount on the "
		  "compute hosts; fstab(5)",
	.roles = MP_ROLE_COMPUTE,
	.params = params,
	.observe = observe,
	.want = want,
	.diff = diff,
	.apply = apply,
};
