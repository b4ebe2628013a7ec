/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "resource/mount-table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "resource/edit-lines.h"

#define TABLE "/proc/self/mountinfo"

void mp_mount_fini(struct mp_mount *m)
{
	free(m->point);
	free(m->type);
	free(m->source);
	free(m->options);
	*m = (struct mp_mount){ 0 };
}

static size_t path_size(const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	return n;
}

bool mp_mount_same_path(const char *a, const char *b)
{
	size_t n = path_size(a);

	return n == path_size(b) && memcmp(a, b, n) == 0;
}

/* Whether path is point or lies below it. */
static bool is_below(const char *path, const char *point)
{
	size_t n = path_size(point);

	if (n == 1)
		return path[0] == '/';
	return strncmp(path, point, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* proc(5): id parent MAJOR:MINOR root POINT options [tag]... - TYPE SOURCE OPTIONS. */
static bool parse(const struct mp_strv *words, struct mp_mount *ret, dev_t *ret_dev)
{
	unsigned ma, mi;
	size_t dash = 6;

	while (dash < words->n && strcmp(words->v[dash], "-") != 0)
		dash++;
	if (dash + 3 >= words->n || sscanf(words->v[2], "%u:%u", &ma, &mi) != 2)
		return false;
	*ret_dev = makedev(ma, mi);
	*ret = (struct mp_mount){ .point = mp_xstrdup(words->v[4]),
				  .type = mp_xstrdup(words->v[dash + 1]),
				  .source = mp_xstrdup(words->v[dash + 2]),
				  .options = mp_xstrdup(words->v[dash + 3]) };
	return true;
}

int mp_mount_find(struct mp_sys *sys, const char *path, const struct stat *st, struct mp_mount *ret,
		  struct mp_err *err)
{
	mp_auto_free char *text = NULL;
	bool by_device = false;
	struct mp_line l;
	size_t size, pos = 0;

	if (mp_sys_read(sys, TABLE, &text, &size, NULL, err) < 0)
		return -1;
	*ret = (struct mp_mount){ 0 };
	while (text && mp_line_next(text, size, false, &pos, &l)) {
		mp_auto_strv struct mp_strv words = { 0 };
		mp_auto_mount struct mp_mount m = { 0 };
		bool same;
		dev_t dev;

		mp_line_words(text, &l, &words);
		if (!parse(&words, &m, &dev))
			continue;
		same = st && st->st_dev == dev;
		if (by_device ? !same : !same && !is_below(path, m.point))
			continue;
		if (same == by_device && ret->point && path_size(m.point) < path_size(ret->point))
			continue;
		by_device = same;
		mp_mount_fini(ret);
		*ret = m;
		m = (struct mp_mount){ 0 };
	}
	return 0;
}

bool mp_mount_is_remote(const struct mp_mount *m)
{
	static const char *const types[] = {
		"nfs",  "nfs4",     "glusterfs",      "fuse.glusterfs", "ceph",   "fuse.ceph",
		"cifs", "smb3",     "fuse.ceph-fuse", "lustre",         "beegfs", "gpfs",
		"9p",   "orangefs", "fuse.sshfs",     "fuse.quobyte",   "afs",
	};

	for (size_t i = 0; m->type && i < MP_N_ELEMS(types); i++)
		if (strcmp(m->type, types[i]) == 0)
			return true;
	return false;
}

bool mp_mount_split(const char *source, char **ret_host, const char **ret_path)
{
	bool six = source[0] == '[';
	const char *end = strchr(source, six ? ']' : ':');

	if (!end || end == source || end[six] != ':')
		return false;
	*ret_host = mp_xstrndup(source + six, (size_t)(end - source) - six);
	*ret_path = end + six + 1;
	return true;
}

/* ---- options ---- */

/* Whether a is b's opposite by its first letters: noauto, no_root_squash. */
static bool denies(const char *a, const char *b)
{
	return strncmp(a, "no", 2) == 0 &&
	       (strcmp(a + 2, b) == 0 || (a[2] == '_' && strcmp(a + 3, b) == 0));
}

static bool contradicts(const char *a, const char *b)
{
	static const char *const pairs[][2] = {
		{ "ro", "rw" }, { "sync", "async" }, { "hard", "soft" }, { "secure", "insecure" }
	};
	size_t n = strcspn(a, "=");

	if (strcmp(a, b) == 0)
		return false;
	for (size_t i = 0; i < MP_N_ELEMS(pairs); i++)
		for (int k = 0; k < 2; k++)
			if (strcmp(a, pairs[i][k]) == 0 && strcmp(b, pairs[i][!k]) == 0)
				return true;
	if (a[n] && strncmp(a, b, n + 1) == 0)
		return true;
	return denies(a, b) || denies(b, a);
}

char *mp_mount_merge_options(const char *have, const char *wanted)
{
	mp_auto_strv struct mp_strv old = { 0 }, new = { 0 }, out = { 0 };
	struct mp_buf text;

	mp_str_split(have, ",", &old);
	mp_str_split(wanted, ",", &new);
	for (size_t i = 0; i < old.n; i++) {
		bool keep = true;

		for (size_t k = 0; k < new.n; k++)
			keep = keep && !contradicts(old.v[i], new.v[k]);
		if (keep)
			mp_strv_add(&out, old.v[i]);
	}
	for (size_t k = 0; k < new.n; k++)
		if (!mp_strv_has(&out, new.v[k]) && (!out.n || strcmp(new.v[k], "defaults") != 0))
			mp_strv_add(&out, new.v[k]);
	mp_buf_init(&text, 0);
	for (size_t i = 0; i < out.n; i++)
		mp_buf_printf(&text, "%s%s", i ? "," : "", out.v[i]);
	return mp_buf_take(&text);
}
