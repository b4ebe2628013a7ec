/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs-mount: the compute hosts mount the instances directory at every boot. */
#include "config.h"
#include "resource/resource.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "resource/edit-lines.h"
#include "resource/want.h"

#define FSTAB "/etc/fstab"
#define TYPE "nfs4"

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	(void)h;
	return json_pack("{s:s}", "path", mp_profile_str(w->profile, "nova", "instances_path"));
}

static bool is_entry(const struct mp_strv *words, const char *path)
{
	size_t n = words->n > 1 ? strlen(words->v[1]) : 0;

	while (n > 1 && words->v[1][n - 1] == '/')
		n--;
	return n && n == strlen(path) && memcmp(words->v[1], path, n) == 0;
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	mp_auto_free char *text = NULL;
	json_t *entries = json_array();
	struct mp_line l;
	size_t size, pos = 0;

	if (mp_sys_read(sys, FSTAB, &text, &size, NULL, err) < 0) {
		json_decref(entries);
		return -1;
	}
	while (text && mp_line_next(text, size, false, &pos, &l)) {
		mp_auto_strv struct mp_strv words = { 0 };

		mp_line_words(text, &l, &words);
		if (is_entry(&words, mp_json_str(p, "path", "")))
			json_array_append_new(
				entries, json_pack("{s:s,s:s,s:s}", "source", words.v[0], "type",
						   words.n > 2 ? words.v[2] : "", "options",
						   words.n > 3 ? words.v[3] : "defaults"));
	}
	*ret = json_pack("{s:o}", "entries", entries);
	return 0;
}

/* With fsid=0 the directory is the server's NFSv4 root: exports(5). */
static bool exported_as_root(const struct mp_world *w)
{
	mp_auto_strv struct mp_strv options = { 0 };

	mp_str_split(mp_profile_str(w->profile, "storage", "export_options"), ",", &options);
	return mp_strv_has(&options, "fsid=0") || mp_strv_has(&options, "fsid=root");
}

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	const char *path = mp_profile_str(w->profile, "nova", "instances_path");
	const char *options = mp_profile_str(w->profile, "storage", "mount_options");
	const struct mp_host *server;
	mp_auto_free char *source = NULL, *escaped = mp_line_escape(path), *line = NULL;
	bool v6;
	size_t n;

	if (strcmp(mp_profile_str(w->profile, "storage", "kind"), "nfs") != 0)
		return mp_want_skip("the profile says storage.kind = %s",
				    mp_profile_str(w->profile, "storage", "kind"));
	server = mp_nfs_server(w->inv, &n);
	if (!server)
		return mp_want_skip("no host of the inventory has the role nfs");
	if (n > 1)
		return mp_want_fail("Give the role nfs to one host",
				    "%zu hosts of the inventory have the role nfs", n);
	if (server == h)
		return mp_want_skip("this host is the NFS server");
	v6 = strchr(server->address, ':') != NULL;
	source = mp_xasprintf("%s%s%s:%s", v6 ? "[" : "", server->address, v6 ? "]" : "",
			      exported_as_root(w) ? "/" : path);
	line = mp_xasprintf("%s %s %s %s 0 0", source, escaped, TYPE, options);
	return json_pack("{s:s,s:s,s:s,s:s}", "path", path, "source", source, "options", options,
			 "line", line);
}

static bool is_ours(const json_t *entry, const json_t *w)
{
	return strcmp(mp_json_str(entry, "source", ""), mp_json_str(w, "source", "")) == 0 &&
	       strcmp(mp_json_str(entry, "type", ""), TYPE) == 0;
}

static char *entry_text(const json_t *entry)
{
	return mp_xasprintf("%s %s %s", mp_json_str(entry, "source", ""),
			    mp_json_str(entry, "type", TYPE), mp_json_str(entry, "options", ""));
}

static bool same_options(const json_t *entry, const json_t *w)
{
	mp_auto_free char *a = mp_sort_options(mp_json_str(entry, "options", ""));
	mp_auto_free char *b = mp_sort_options(mp_json_str(w, "options", ""));

	return strcmp(a, b) == 0;
}

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const json_t *entries = json_object_get(fact, "entries"), *e;
	const char *path = mp_json_str(w, "path", "");
	mp_auto_free char *what = mp_xasprintf("%s %s", FSTAB, path), *after = entry_text(w);
	mp_auto_free char *before = NULL;
	bool fine = json_array_size(entries) == 1;
	size_t i;

	json_array_foreach(entries, i, e)
	{
		mp_auto_free char *text = entry_text(e);

		if (!is_ours(e, w)) {
			mp_diff_verdict(
				ret, MP_FAIL,
				"Remove that entry, or correct the role nfs in the inventory and "
				"the section storage in the profile",
				"%s mounts something else at %s: %s; wanted: %s", FSTAB, path, text,
				after);
			return;
		}
		fine = fine && same_options(e, w);
		if (!before)
			before = mp_steal(&text);
	}
	if (!fine)
		mp_diff_change(ret, what, before, after);
}

static int apply(struct mp_sys *sys, const json_t *p, const json_t *fact, const json_t *w,
		 struct mp_err *err)
{
	static const struct mp_attr fresh = { .mode = 0644 };
	mp_auto_free char *text = NULL, *new = NULL;
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
	new = mp_line_replace(text ? text : "", size, old, n, mp_json_str(w, "line", ""),
			      &new_size);
	return mp_sys_write(sys, FSTAB, new, new_size, &fresh, false, err);
}

const struct mp_resource mp_resource_nfs_mount = {
	.id = "nfs-mount",
	.summary = "fstab entry of the instances directory on the NFS server",
	.prevents = "Without the mount each host has a directory of its own, and a move fails with "
		    "\"Cannot access storage "
		    "file '.../disk': No such file or directory\" or \"HOST is not on shared "
		    "storage\".",
	.checked = "The entries of /etc/fstab for the directory. An entry that mounts something "
		   "else there is reported and "
		   "never replaced. Only fstab is looked at and changed: migprep does not mount "
		   "here; run mount afterwards.",
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
