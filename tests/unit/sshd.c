/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "sshd.h"

extern char **environ;

static pid_t spawn_to(const char *out, const char *const *argv)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	pid_t pid;
	int rc;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&fa, 1, out ? out : "/dev/null",
					 O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&fa, 1, 2);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
	rc = posix_spawnp(&pid, argv[0], &fa, &attr, (char *const *)argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&fa);
	if (rc)
		fail_msg("%s: %s", argv[0], strerror(rc));
	return pid;
}

void test_run(const char *out, const char *const *argv)
{
	pid_t pid = spawn_to(out, argv);
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status)
		fail_msg("%s ended with status %d", argv[0], status);
}

char *test_output(const char *dir, const char *const *argv)
{
	mp_auto_free char *path = mp_xasprintf("%s/output", dir);
	pid_t pid = spawn_to(path, argv);
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return test_read(path);
}

void test_write(const char *path, const char *fmt, ...)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	va_list ap;

	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	assert_int_equal(fclose(f), 0);
}

char *test_read(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = mp_xcalloc(1, 1 << 16);
	size_t n;

	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	n = fread(text, 1, (1 << 16) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

char *test_path(const struct test_sshd *s, const char *name)
{
	return mp_xasprintf("%s/%s", s->dir, name);
}

static int bound_socket(long *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)*port) };
	socklen_t size = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &size), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

long test_free_port(void)
{
	long port = 0;

	close(bound_socket(&port));
	return port;
}

static int answers(long port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	rc = connect(fd, (struct sockaddr *)&sa, sizeof(sa));
	close(fd);
	return rc == 0;
}

static void keygen(const struct test_sshd *s, const char *name, const char *type)
{
	mp_auto_free char *path = test_path(s, name);

	TEST_RUN(NULL, "ssh-keygen", "-q", "-t", type, "-N", "", "-C", "test", "-f", path);
}

static void write_configs(struct test_sshd *s, const char *extra)
{
	mp_auto_free char *sshd = test_path(s, "sshd_config"), *pub = test_path(s, "id.pub");
	mp_auto_free char *keys = test_path(s, "authorized_keys"),
			  *hostpub = test_path(s, "hk_ed25519.pub");
	mp_auto_free char *user_key = test_read(pub), *host_key = test_read(hostpub);
	mp_auto_free char *both =
		mp_xasprintf("HostKey %s/hk_ed25519\nHostKey %s/hk_ecdsa\n", s->dir, s->dir);
	const struct passwd *pw = getpwuid(getuid());

	assert_non_null(pw);
	test_write(keys, "%s", user_key);
	test_write(sshd,
		   "Port %ld\nListenAddress 127.0.0.1\nAuthorizedKeysFile %s\nStrictModes no\n"
		   "UsePAM no\nPidFile none\nPasswordAuthentication no\nPermitRootLogin yes\n"
		   "KbdInteractiveAuthentication no\nMaxStartups 200\n%s",
		   s->port, keys, extra ? extra : both);
	test_write(s->known, "[127.0.0.1]:%ld %s", s->port, host_key);
	for (int bare = 0; bare < 2; bare++)
		test_write(
			bare ? s->bare : s->config,
			"Host *\n HostName 127.0.0.1\n Port %ld\n User %s\n %sIdentityFile %s/id\n"
			" IdentitiesOnly yes\n IdentityAgent none\n UserKnownHostsFile %s\n"
			" GlobalKnownHostsFile /dev/null\n",
			s->port, pw->pw_name, bare ? "#" : "", s->dir, s->known);
}

void test_sshd_start(struct test_sshd *s, const char *prelude, const char *extra)
{
	mp_auto_free char *script = NULL, *log = NULL;
	const char *argv[] = { "unshare", "-m", "sh", "-c", NULL, NULL };
	mp_ms deadline = mp_now() + 10000;

	*s = (struct test_sshd){ .port = 0 };
	snprintf(s->dir, sizeof(s->dir), "/tmp/migprep-test-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->config, sizeof(s->config), "%s/ssh_config", s->dir);
	snprintf(s->bare, sizeof(s->bare), "%s/ssh_config_bare", s->dir);
	snprintf(s->known, sizeof(s->known), "%s/known_hosts", s->dir);
	keygen(s, "hk_ed25519", "ed25519");
	keygen(s, "hk_ecdsa", "ecdsa");
	keygen(s, "hk_rsa", "rsa");
	keygen(s, "id", "ed25519");
	s->port = test_free_port();
	write_configs(s, extra);
	if (geteuid() == 0) /* sshd wants it, and a machine without a running sshd lacks it */
		mkdir("/run/sshd", 0755);
	/* It ends with this program, even when that is killed or a test fails half way. */
	script = mp_xasprintf("%s\nexec setpriv --pdeathsig TERM \"$(command -v sshd || echo "
			      "/usr/sbin/sshd)\" -D -e -f "
			      "%s/sshd_config",
			      prelude ? prelude : "", s->dir);
	log = test_path(s, "sshd.log");
	argv[4] = script;
	s->pid = spawn_to(log, prelude ? argv : argv + 2);
	while (!answers(s->port)) {
		int status;

		if (mp_ms_left(deadline) == 0 || waitpid(s->pid, &status, WNOHANG) == s->pid)
			fail_msg("sshd did not start: %s", test_read(log));
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
}

void test_sshd_stop(struct test_sshd *s)
{
	if (s->pid > 0) {
		kill(s->pid, SIGTERM);
		waitpid(s->pid, NULL, 0);
	}
	TEST_RUN(NULL, "rm", "-rf", "--", s->dir);
}
