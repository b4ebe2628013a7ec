/* SPDX-License-Identifier: GPL-3.0-or-later */
/* host-env: a pretended root in a directory of its own, for the tests of the host room. */
#ifndef MP_TESTS_HOST_ENV_H
#define MP_TESTS_HOST_ENV_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "host/host.h"

struct env {
	char root[256];
	struct mp_sys *sys;
};

static inline char *at(const struct env *e, const char *path)
{
	return mp_xasprintf("%s%s", e->root, path);
}

static inline void put(const struct env *e, const char *path, const char *text)
{
	mp_auto_free char *p = at(e, path);
	FILE *f = fopen(p, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* The bytes as stdio sees them, not through the room under test. NULL: absent. */
static inline char *get(const struct env *e, const char *path)
{
	mp_auto_free char *p = at(e, path);
	FILE *f = fopen(p, "r");
	char *text;
	size_t n;

	if (!f)
		return NULL;
	text = mp_xcalloc(1, 65536);
	n = fread(text, 1, 65535, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static inline void make_dir(const struct env *e, const char *path)
{
	mp_auto_free char *p = at(e, path);

	assert_int_equal(mkdir(p, 0755), 0);
}

static inline void make_link(const struct env *e, const char *path, const char *target)
{
	mp_auto_free char *p = at(e, path);

	assert_int_equal(symlink(target, p), 0);
}

static inline struct stat stat_of(const struct env *e, const char *path)
{
	mp_auto_free char *p = at(e, path);
	struct stat st;

	assert_int_equal(lstat(p, &st), 0);
	return st;
}

static inline void assert_text(const struct env *e, const char *path, const char *text)
{
	mp_auto_free char *got = get(e, path);

	if (!text) {
		assert_null(got);
		return;
	}
	assert_non_null(got);
	assert_string_equal(got, text);
}

static inline size_t count(const struct env *e, const char *pattern)
{
	mp_auto_free char *p = at(e, pattern);
	glob_t g;
	size_t n = 0;

	if (glob(p, GLOB_PERIOD, NULL, &g) == 0)
		n = g.gl_pathc;
	globfree(&g);
	return n;
}

static inline int setup(void **state)
{
	struct env *e = mp_xcalloc(1, sizeof(*e));
	const char *dir = getenv("BUILDDIR");
	struct mp_err err = { 0 };

	snprintf(e->root, sizeof(e->root), "%s/test_host.XXXXXX", dir ? dir : "/tmp");
	assert_non_null(mkdtemp(e->root));
	make_dir(e, "/etc");
	make_dir(e, "/home");
	assert_int_equal(mp_sys_open(e->root, &e->sys, &err), 0);
	*state = e;
	return 0;
}

static inline int teardown(void **state)
{
	struct env *e = *state;
	mp_auto_free char *cmd = mp_xasprintf("rm -rf '%s'", e->root);

	mp_sys_close(e->sys);
	assert_int_equal(system(cmd), 0);
	free(e);
	return 0;
}

static const struct mp_attr plain = { .mode = 0640, .uid = 0, .gid = 0 };

static inline int write_text(struct env *e, const char *path, const char *text, struct mp_err *err)
{
	return mp_sys_write(e->sys, path, text, strlen(text), &plain, false, err);
}

static inline void begin(struct env *e)
{
	struct mp_err err = { 0 };

	if (mp_sys_begin(e->sys, "a-thing", &err) < 0)
		fail_msg("begin: %s", err.text);
}

static inline void end(struct env *e)
{
	struct mp_err err = { 0 };

	if (mp_sys_end(e->sys, true, &err) < 0)
		fail_msg("end: %s", err.text);
}

#endif
