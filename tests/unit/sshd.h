/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sshd: a real sshd on loopback with keys of its own, for tests. Everything lives in one temporary
 * directory. */
#ifndef MP_TESTS_UNIT_SSHD_H
#define MP_TESTS_UNIT_SSHD_H

#include <stddef.h>
#include <sys/types.h>

struct test_sshd {
	char dir[64];    /* temporary directory */
	char config[96]; /* ssh_config that leads to it: for mp_dial.ssh_config */
	char bare[96];   /* the same without an identity */
	char known[96];  /* its known_hosts, holding the ed25519 key */
	long port;
	pid_t pid;
};

/* Runs argv to its end with output to FILE out ("/dev/null" if NULL); fails the test unless it
 * exits 0. */
void test_run(const char *out, const char *const *argv);
#define TEST_RUN(out, ...) test_run((out), (const char *const[]){ __VA_ARGS__, NULL })

/* As test_run(), and returns the output, malloc()ed; any exit status. */
char *test_output(const char *dir, const char *const *argv);

void test_write(const char *path, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *test_read(const char *path);                            /* malloc()ed */
char *test_path(const struct test_sshd *s, const char *name); /* malloc()ed */

/* A port of 127.0.0.1 that nobody listens on. */
long test_free_port(void);

/*
 * Makes the directory, host keys (hk_ed25519, hk_ecdsa, hk_rsa), the user's key (id) and an
 * ssh_config, and starts sshd. prelude: shell commands that are run before, in a mount namespace of
 * its own; NULL: none. extra: more lines for sshd_config; NULL: the ed25519 and ECDSA host keys.
 */
void test_sshd_start(struct test_sshd *s, const char *prelude, const char *extra);

/* Ends it by its pid, and removes the directory. */
void test_sshd_stop(struct test_sshd *s);

#endif
