/* SPDX-License-Identifier: GPL-3.0-or-later */
/* profile, from files: an INI file whose sections and keys are the rows of params.c, and `extends`.
 */
#include "config.h"
#include "model/profile-internal.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"
#include "model/ini.h"

struct entry {
	const struct mp_param *row;
	char *value;
	int line; /* 0: not said in this file */
};

/* One file while it is read. */
struct file {
	const char *path;
	const char *section; /* of seen; NULL before the first */
	struct mp_strv seen; /* sections */
	char *extends;
	int extends_line;
	struct entry *entries; /* one for each row of mp_params */
};

static void file_fini(struct file *f)
{
	for (size_t i = 0; i < mp_n_params; i++)
		free(f->entries[i].value);
	free(f->entries);
	free(f->extends);
	mp_strv_fini(&f->seen);
}

/* The sections of the rows, and [profile]. */
static void section_names(struct mp_strv *ret)
{
	mp_strv_add(ret, "profile");
	for (size_t i = 0; i < mp_n_params; i++)
		if (!mp_strv_has(ret, mp_params[i].section))
			mp_strv_add(ret, mp_params[i].section);
}

static int on_section(void *arg, const char *kind, const char *name, int line, struct mp_err *err)
{
	struct file *f = arg;
	mp_auto_strv struct mp_strv names = { 0 };
	const char *near;

	section_names(&names);
	if (*name)
		return mp_err_set(err, MP_E_INPUT,
				  "%.200s:%d: [%.60s %.60s] is two words; write [%.60s]", f->path,
				  line, kind, name, kind);
	if (mp_strv_has(&f->seen, kind))
		return mp_err_set(err, MP_E_INPUT,
				  "%.200s:%d: [%s] is already there; put everything into one",
				  f->path, line, kind);
	if (mp_strv_has(&names, kind)) {
		mp_strv_add(&f->seen, kind);
		f->section = f->seen.v[f->seen.n - 1];
		return 0;
	}
	near = mp_str_nearest(kind, (const char *const *)names.v, names.n);
	if (near)
		return mp_err_set(err, MP_E_INPUT,
				  "%.200s:%d: unknown section '%.60s'; did you mean [%s]?", f->path,
				  line, kind, near);
	return mp_err_set(err, MP_E_INPUT,
			  "%.200s:%d: unknown section '%.60s'; see migprep-profile(5)", f->path,
			  line, kind);
}

static int duplicate(const struct file *f, const char *key, int line, int before,
		     struct mp_err *err)
{
	return mp_err_set(err, MP_E_INPUT,
			  "%.200s:%d: '%.60s' is already set on line %d; remove one line", f->path,
			  line, key, before);
}

static int on_profile_key(struct file *f, const char *key, const char *value, int line,
			  struct mp_err *err)
{
	if (strcmp(key, "extends") != 0)
		return mp_err_set(
			err, MP_E_INPUT,
			"%.200s:%d: unknown key '%.60s' in [profile]; did you mean 'extends'?",
			f->path, line, key);
	if (f->extends)
		return duplicate(f, key, line, f->extends_line, err);
	if (!*value)
		return mp_err_set(
			err, MP_E_INPUT,
			"%.200s:%d: 'extends' has no value; name a profile or remove the line",
			f->path, line);
	f->extends = mp_xstrdup(value);
	f->extends_line = line;
	return 0;
}

static int on_entry(void *arg, const char *key, const char *value, int line, struct mp_err *err)
{
	struct file *f = arg;
	mp_auto_free char *name = mp_xasprintf("%s.%s", f->section ? f->section : "", key);
	mp_auto_free char *place = mp_xasprintf("%s:%d", f->path, line);
	const struct mp_param *row = mp_param_find(name);
	struct entry *e;

	if (!f->section)
		return mp_err_set(
			err, MP_E_INPUT,
			"%s: '%.60s' before the first section; put it under its [section]", place,
			key);
	if (strcmp(f->section, "profile") == 0)
		return on_profile_key(f, key, value, line, err);
	if (!row)
		return mp_profile_unknown(name, place, err);
	e = &f->entries[row - mp_params];
	if (e->line)
		return duplicate(f, key, line, e->line, err);
	*e = (struct entry){ .row = row, .value = mp_xstrdup(value), .line = line };
	return 0;
}

/* Whether a word names a profile, and not a path or an option. */
static bool is_name(const char *s)
{
	return *s && *s != '-' && *s != '.' &&
	       !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")];
}

/* The profiles that are there. */
static void list_names(const char *const *dirs, size_t n_dirs, struct mp_strv *ret)
{
	for (size_t i = 0; i < n_dirs; i++) {
		DIR *d = opendir(dirs[i]);
		struct dirent *e;

		while (d && (e = readdir(d))) {
			const char *end = strrchr(e->d_name, '.');

			if (end && strcmp(end, ".ini") == 0 && is_name(e->d_name))
				mp_strv_take(ret,
					     mp_xstrndup(e->d_name, (size_t)(end - e->d_name)));
		}
		if (d)
			closedir(d);
	}
}

static int not_found(const char *name, const char *const *dirs, size_t n_dirs, const char *place,
		     struct mp_err *err)
{
	mp_auto_strv struct mp_strv names = { 0 };
	mp_auto_buf struct mp_buf where;
	const char *near;

	mp_buf_init(&where, 200);
	list_names(dirs, n_dirs, &names);
	near = mp_str_nearest(name, (const char *const *)names.v, names.n);
	if (near)
		return mp_err_set(err, MP_E_INPUT,
				  "%.200s%sno profile '%.60s'; did you mean '%.60s'?", place,
				  *place ? ": " : "", name, near);
	for (size_t i = 0; i < n_dirs; i++)
		mp_buf_printf(&where, "%s%s", i ? ", " : "", dirs[i]);
	return mp_err_set(err, MP_E_INPUT,
			  "%.200s%sno profile '%.60s' in %s; name one that is there, or a path",
			  place, *place ? ": " : "", name,
			  where.size ? mp_buf_peek(&where) : "any directory");
}

/*
 * The path that name_or_path stands for. from: the file that says so, NULL when the operator does;
 * place for messages, then "".
 */
static int find_file(const char *name_or_path, const char *from, const char *place,
		     const char *const *dirs, size_t n_dirs, char **ret, struct mp_err *err)
{
	const char *slash = from ? strrchr(from, '/') : NULL;

	if (strchr(name_or_path, '/')) {
		if (*name_or_path == '/' || !slash)
			*ret = mp_xstrdup(name_or_path);
		else
			*ret = mp_xasprintf("%.*s/%s", (int)(slash - from), from, name_or_path);
		return 0;
	}
	if (!is_name(name_or_path))
		return mp_err_set(
			err, MP_E_INPUT,
			"%.200s%sbad profile name '%.60s'; write a name, or a path with a '/'",
			place, *place ? ": " : "", name_or_path);
	for (size_t i = 0; i < n_dirs; i++) {
		mp_auto_free char *path = mp_xasprintf("%s/%s.ini", dirs[i], name_or_path);

		if (access(path, F_OK) == 0) {
			*ret = mp_steal(&path);
			return 0;
		}
	}
	return not_found(name_or_path, dirs, n_dirs, place, err);
}

/* The files that are being read, innermost last: real paths. */
struct chain {
	struct mp_strv paths;
	const char *const *dirs;
	size_t n_dirs;
};

static int load_file(struct chain *chain, struct mp_profile *p, const char *path, const char *place,
		     struct mp_err *err);

/* First the file that f extends, then its own values over it. */
static int take_file(struct chain *chain, struct mp_profile *p, struct file *f, struct mp_err *err)
{
	if (f->extends) {
		mp_auto_free char *place = mp_xasprintf("%s:%d", f->path, f->extends_line);
		mp_auto_free char *path = NULL;

		if (find_file(f->extends, f->path, place, chain->dirs, chain->n_dirs, &path, err) <
			    0 ||
		    load_file(chain, p, path, place, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < mp_n_params; i++) {
		mp_auto_free char *place = NULL;

		if (!f->entries[i].line)
			continue;
		place = mp_xasprintf("%s:%d", f->path, f->entries[i].line);
		if (mp_profile_assign(p, f->entries[i].row, f->entries[i].value, place, err) < 0)
			return -1;
	}
	return 0;
}

static int load_file(struct chain *chain, struct mp_profile *p, const char *path, const char *place,
		     struct mp_err *err)
{
	static const struct mp_ini_reader reader = { .section = on_section, .entry = on_entry };
	struct file f = { .path = path };
	mp_auto_buf struct mp_buf buf;
	char *real = realpath(path, NULL);
	int r;

	mp_buf_init(&buf, 0);
	if (!real) {
		mp_err_set(err, MP_E_INPUT, "%.200s: %m; name a readable INI file", path);
		return *place ? mp_err_wrap(err, "%.200s", place) : -1;
	}
	r = mp_strv_has(&chain->paths, real);
	mp_strv_take(&chain->paths, real);
	if (r)
		return mp_err_set(err, MP_E_INPUT,
				  "%.200s: profile '%.200s' extends itself; take out this line",
				  place, path);
	if (chain->paths.n > MP_MAX_EXTENDS)
		return mp_err_set(
			err, MP_E_LIMIT,
			"%.200s: more than %d profiles extend one another; shorten the chain",
			place, MP_MAX_EXTENDS);
	if (mp_ini_read(path, &buf, err) < 0)
		return -1;
	f.entries = mp_xcalloc(mp_n_params, sizeof(*f.entries));
	r = mp_ini_parse(mp_buf_peek(&buf), buf.size, path, &reader, &f, err);
	if (r == 0)
		r = take_file(chain, p, &f, err);
	file_fini(&f);
	return r;
}

static char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	size_t size = strlen(base);

	if (size > 4 && strcmp(base + size - 4, ".ini") == 0)
		size -= 4;
	return mp_xstrndup(base, size);
}

int mp_profile_load(const char *name_or_path, const char *const *dirs, size_t n_dirs,
		    struct mp_profile **ret, struct mp_err *err)
{
	struct chain chain = { .dirs = dirs, .n_dirs = n_dirs };
	mp_auto_free char *path = NULL;
	struct mp_profile *p;
	int r;

	if (find_file(name_or_path, NULL, "", dirs, n_dirs, &path, err) < 0)
		return -1;
	p = mp_profile_new();
	free(p->name);
	p->name = base_name(path);
	r = load_file(&chain, p, path, "", err);
	mp_strv_fini(&chain.paths);
	if (r < 0)
		mp_profile_free(p);
	else
		*ret = p;
	return r;
}
