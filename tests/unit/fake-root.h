/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fake-root: a directory that plays a host for a test, and the shell beside it. For one test
 * program each. */
#ifndef MP_TESTS_FAKE_ROOT_H
#define MP_TESTS_FAKE_ROOT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "host/host.h"

#define MAYBE __attribute__((unused))

/* Three well-formed public keys. */
#define K1 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS"
#define K2 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAuXaJZ0YJo0Zzq5zq3l6nT3ur4i2eTsr6Ai0fVmnIyb"
#define K3 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEqmfPyFxMYbYt4xz0wYH4dS0aTgUoyIqGJ8oJvDUZxw"

struct env {
	char root[64]; /* pretended root, with etc/passwd and two homes */
	struct mp_sys *sys;
};

/* ---- helpers ---- */

/* Runs a shell command and returns its output; it must succeed. */
MAYBE static char *capture(const char *cmd)
{
	mp_auto_buf struct mp_buf b;
	char chunk[4096];
	size_t n;
	FILE *f;
	int rc;

	mp_buf_init(&b, 0);
	f = popen(cmd, "re");
	assert_non_null(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		mp_buf_add(&b, chunk, n);
	rc = pclose(f);
	if (rc != 0)
		fail_msg("'%s' ended with status %d", cmd, rc);
	return mp_buf_take(&b);
}

MAYBE __attribute__((format(printf, 1, 2))) static char *sh(const char *fmt, ...)
{
	mp_auto_free char *cmd = NULL;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&cmd, fmt, ap) >= 0);
	va_end(ap);
	return capture(cmd);
}

MAYBE __attribute__((format(printf, 1, 2))) static void run(const char *fmt, ...)
{
	mp_auto_free char *cmd = NULL, *out = NULL;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&cmd, fmt, ap) >= 0);
	va_end(ap);
	out = capture(cmd);
}

MAYBE static char *slurp(const char *dir, const char *path)
{
	return sh("cat '%s%s'", dir, path);
}

MAYBE static void put(const char *dir, const char *path, const char *text)
{
	mp_auto_free char *p = mp_xasprintf("%s%s", dir, path);
	FILE *f = fopen(p, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

MAYBE static struct stat st_of(const char *dir, const char *path)
{
	mp_auto_free char *p = mp_xasprintf("%s%s", dir, path);
	struct stat st;

	assert_int_equal(stat(p, &st), 0);
	return st;
}

MAYBE static int setup(void **state)
{
	struct env *e = mp_xcalloc(1, sizeof(*e));
	struct mp_err err = { 0 };

	strcpy(e->root, "/tmp/mp-ssh-XXXXXX");
	assert_non_null(mkdtemp(e->root));
	run("cd %s && mkdir -p etc/ssh/sshd_config.d root var/lib/nova proc/net proc/sys && chmod "
	    "755 .",
	    e->root);
	put(e->root, "/etc/group", "root:x:0:\nnova:x:64060:\nkvm:x:104:\n");
	put(e->root, "/etc/passwd",
	    "root:x:0:0::/root:/bin/bash\nnova:x:64060:64060::/var/lib/nova:/bin/bash\n");
	run("chown 64060:64060 %s/var/lib/nova", e->root);
	assert_int_equal(mp_sys_open(e->root, &e->sys, &err), 0);
	*state = e;
	return 0;
}

MAYBE static int teardown(void **state)
{
	struct env *e = *state;

	mp_sys_close(e->sys);
	run("rm -rf %s", e->root);
	free(e);
	return 0;
}

/* A made-up but well-formed ed25519 key: "TYPE BASE64", and its reference by ssh-keygen's own rule,
 * by ssh-keygen. */
MAYBE static char *new_key(const char *dir, const char *type, const char *name)
{
	mp_auto_free char *out = NULL;

	out = sh("ssh-keygen -q -t %s -N '' -C c -f %s/%s && cut -d' ' -f1,2 %s/%s.pub | tr -d "
		 "'\\n'",
		 type, dir, name, dir, name);
	return mp_steal(&out);
}

MAYBE static char *fingerprint_by_keygen(const char *dir, const char *name)
{
	return sh("ssh-keygen -lf %s/%s.pub | cut -d' ' -f2 | tr -d '\\n'", dir, name);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
