/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Streams to a real sshd on loopback, and to servers that misbehave. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "sshd.h"
#include "transport/connect.h"
#include "transport/ssh-link.h"
#include "transport/transport.h"

static char name_h[] = "h", name_far[] = "far";

static struct test_sshd sshd;
static struct mp_dial dial;

/* ---- a name service of our own: no test asks a real one ---- */

static int stuck_release[2]; /* closing the write end lets stuck lookups go on */

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **res)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		(int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))(
			uintptr_t)dlsym(RTLD_NEXT, "getaddrinfo");
	bool numeric = hints && (hints->ai_flags & AI_NUMERICHOST);
	char byte;

	if (numeric)
		return real(node, service, hints, res);
	if (strcmp(node, "stuck.test") == 0)
		return read(stuck_release[0], &byte, 1) < 0 ? EAI_SYSTEM : EAI_FAIL;
	if (strcmp(node, "busy.test") == 0)
		return EAI_AGAIN;
	if (strcmp(node, "good.test") == 0)
		return real("127.0.0.1", service, hints, res);
	return EAI_NONAME;
}

/* ---- helpers ---- */

static struct mp_host host_at(char *address)
{
	return (struct mp_host){ .name = address, .address = address };
}

static void expect_failure(const struct mp_transport *t, const struct mp_dial *d,
			   const struct mp_host *h, enum mp_code code, const char *text)
{
	struct mp_stream *s = NULL;
	struct mp_err err = { 0 };
	char buf[64];
	int rc = t->open(d, h, "echo hi", &s, &err);

	if (rc == 0) {
		/* ssh(1) fails only while it is read from. */
		rc = (int)s->ops->read(s, buf, sizeof(buf), mp_now() + 20000, &err);
		s->ops->close(s);
	}
	if (rc != -1 || err.code != code || (text && !strstr(err.text, text)))
		fail_msg("wanted %s (%s), got %d %s: %s", mp_code_name(code), text ? text : "", rc,
			 mp_code_name(err.code), err.text);
}

static struct mp_stream *open_or_fail(const struct mp_transport *t, const struct mp_dial *d,
				      const struct mp_host *h, const char *command)
{
	struct mp_stream *s = NULL;
	struct mp_err err = { 0 };

	if (t->open(d, h, command, &s, &err) < 0)
		fail_msg("open: %s: %s", mp_code_name(err.code), err.text);
	return s;
}

/* All that comes until the end of the stream; returns it NUL-terminated. */
static char *read_all(struct mp_stream *s)
{
	struct mp_err err = { 0 };
	struct mp_buf b;
	char chunk[8192];
	ssize_t n;

	mp_buf_init(&b, 0);
	while ((n = s->ops->read(s, chunk, sizeof(chunk), mp_now() + 20000, &err)) > 0)
		mp_buf_add(&b, chunk, (size_t)n);
	if (n < 0)
		fail_msg("read: %s", err.text);
	return mp_buf_take(&b);
}

static void expect_works(const struct mp_transport *t, const struct mp_dial *d,
			 const struct mp_host *h)
{
	struct mp_stream *s = open_or_fail(t, d, h, "echo it works");
	mp_auto_free char *out = read_all(s);

	assert_string_equal(out, "it works\n");
	s->ops->close(s);
}

/* A further ssh_config: these lines before those of base. */
static char *config_over(const char *base, const char *name, const char *fmt, ...)
{
	char *path = test_path(&sshd, name);
	mp_auto_free char *rest = test_read(base), *more = NULL;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&more, fmt, ap) >= 0);
	va_end(ap);
	test_write(path, "%s\n%s", more, rest);
	return path;
}
#define config_with(...) config_over(sshd.config, __VA_ARGS__)

/* A dial with its own known_hosts. */
static struct mp_dial dial_known(char **path, const char *known)
{
	struct mp_dial d = dial;
	mp_auto_free char *file = test_path(&sshd, "other_known");

	test_write(file, "%s", known);
	*path = config_with("other_config", "Host *\n UserKnownHostsFile %s\n", file);
	d.ssh_config = *path;
	return d;
}

static char *public_key(const char *name)
{
	mp_auto_free char *path = test_path(&sshd, name);

	return test_read(path);
}

static int setup(void **state)
{
	(void)state;
	assert_int_equal(pipe(stuck_release), 0);
	test_sshd_start(&sshd, NULL, NULL);
	dial = (struct mp_dial){ .connect_timeout_ms = 10000,
				 .ssh_program = "ssh",
				 .ssh_config = sshd.config };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(stuck_release[1]);
	test_sshd_stop(&sshd);
	return 0;
}

/* ---- the good way ---- */

static void test_works(void **state)
{
	struct mp_host h = host_at(name_h);

	(void)state;
	expect_works(&mp_transport_libssh2, &dial, &h);
	expect_works(&mp_transport_openssh, &dial, &h);
	expect_works(&mp_transport_local, &dial, &h);
}

static void echo_much(const struct mp_transport *t)
{
	struct mp_host h = host_at(name_h);
	size_t size = 3u << 20, piece = 1u << 16, got = 0;
	mp_auto_free char *data = mp_xmalloc(size), *back = mp_xmalloc(size);
	struct mp_stream *s = open_or_fail(t, &dial, &h, "echo bye >&2; exec cat");
	struct mp_err err = { 0 };

	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 2654435761u >> 13);
	for (size_t sent = 0; got < size;) {
		ssize_t n;

		if (got == sent && s->ops->write(s, data + sent, piece, mp_now() + 20000, &err) < 0)
			fail_msg("write: %s", err.text);
		sent += got == sent ? piece : 0;
		n = s->ops->read(s, back + got, sent - got, mp_now() + 20000, &err);
		if (n <= 0)
			fail_msg("read %zd: %s", n, err.text);
		got += (size_t)n;
	}
	assert_memory_equal(back, data, size);
	assert_string_equal(s->ops->errtext(s), "bye");
	s->ops->close(s);
}

static void test_many_bytes(void **state)
{
	(void)state;
	echo_much(&mp_transport_libssh2);
	echo_much(&mp_transport_openssh);
	echo_much(&mp_transport_local);
}

static void test_errtext_is_bounded_and_clean(void **state)
{
	struct mp_host h = host_at(name_h);
	struct mp_stream *s = open_or_fail(&mp_transport_libssh2, &dial, &h,
					   "head -c 300000 /dev/zero | tr '\\0' x >&2; printf "
					   "'la\\033st\\nword\\n' >&2; echo x");
	mp_auto_free char *out = read_all(s);
	const char *text = s->ops->errtext(s);

	(void)state;
	assert_string_equal(out, "x\n");
	assert_true(strlen(text) <= 4096);
	assert_string_equal(text + strlen(text) - 12, "xxla?st word");
	s->ops->close(s);
}

static void test_write_to_ended_command(void **state)
{
	static const struct mp_transport *const all[] = { &mp_transport_libssh2,
							  &mp_transport_openssh,
							  &mp_transport_local };
	size_t size = 8u << 20;
	mp_auto_free char *data = mp_xcalloc(size, 1);
	struct mp_host h = host_at(name_h);

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(all); i++) {
		struct mp_stream *s = open_or_fail(all[i], &dial, &h, "echo why; exit 3");
		struct mp_err err = { 0 };

		assert_int_equal(s->ops->write(s, data, size, mp_now() + 20000, &err), -1);
		assert_int_equal(err.code, MP_E_GONE);
		if (all[i] == &mp_transport_libssh2) {
			mp_auto_free char *out = read_all(s);

			assert_string_equal(out, "why\n"); /* its last words are not lost */
		}
		s->ops->close(s);
	}
}

static void test_local_child_is_ended(void **state)
{
	struct mp_host h = host_at(name_h);
	struct mp_stream *s = open_or_fail(&mp_transport_local, &dial, &h,
					   "trap '' TERM HUP; echo $$; while :; do sleep 1; done");
	struct mp_err err = { 0 };
	char text[32] = "";
	pid_t pid;
	mp_ms start;

	(void)state;
	assert_true(s->ops->read(s, text, sizeof(text) - 1, mp_now() + 5000, &err) > 0);
	pid = (pid_t)atoi(text);
	assert_int_equal(kill(pid, 0), 0);
	start = mp_now();
	s->ops->close(s);
	assert_true(mp_now() - start < 3000);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

/* ---- host keys ---- */

static void test_hostkey_unknown(void **state)
{
	struct mp_host h = host_at(name_h);
	mp_auto_free char *path = NULL, *pub = test_path(&sshd, "hk_ed25519.pub"), *list = NULL;
	struct mp_dial d = dial_known(&path, "");
	const char *const argv[] = { "ssh-keygen", "-lf", pub, NULL };

	(void)state;
	list = test_output(sshd.dir, argv); /* "256 SHA256:... test (ED25519)" */
	*strchr(strstr(list, "SHA256:"), ' ') = '\0';
	expect_failure(&mp_transport_libssh2, &d, &h, MP_E_HOSTKEY, strstr(list, "SHA256:"));
	expect_failure(&mp_transport_libssh2, &d, &h, MP_E_HOSTKEY, "other_known");
	expect_failure(&mp_transport_openssh, &d, &h, MP_E_HOSTKEY, NULL);
}

static void test_hostkey_changed_and_revoked(void **state)
{
	struct mp_host h = host_at(name_h);
	mp_auto_free char *right = public_key("hk_ed25519.pub"), *wrong = public_key("id.pub");
	mp_auto_free char *path = NULL, *path2 = NULL;
	mp_auto_free char *changed = mp_xasprintf("# first\n[127.0.0.1]:%ld %s", sshd.port, wrong);
	mp_auto_free char *revoked =
		mp_xasprintf("@revoked * %s[127.0.0.1]:%ld %s", right, sshd.port, right);
	struct mp_dial d;

	(void)state;
	d = dial_known(&path, changed);
	expect_failure(&mp_transport_libssh2, &d, &h, MP_E_HOSTKEY, "other_known:2");
	expect_failure(&mp_transport_libssh2, &d, &h, MP_E_HOSTKEY, "CHANGED");
	expect_failure(&mp_transport_openssh, &d, &h, MP_E_HOSTKEY, NULL);
	d = dial_known(&path2, revoked);
	expect_failure(&mp_transport_libssh2, &d, &h, MP_E_HOSTKEY, "revoked");
	expect_failure(&mp_transport_openssh, &d, &h, MP_E_HOSTKEY, NULL);
}

static void test_hostkey_known_type_is_asked_for(void **state)
{
	struct mp_host h = host_at(name_h);
	mp_auto_free char *ecdsa = public_key("hk_ecdsa.pub"), *rsa = public_key("hk_rsa.pub");
	mp_auto_free char *path = NULL, *path2 = NULL, *path3 = NULL, *path4 = NULL;
	mp_auto_free char *known = mp_xasprintf("[127.0.0.1]:%ld %s", sshd.port, ecdsa);
	mp_auto_free char *plain = mp_xasprintf("127.0.0.1 %s", ecdsa);
	mp_auto_free char *only_rsa = mp_xasprintf("[127.0.0.1]:%ld %s", sshd.port, rsa);
	mp_auto_free char *ca = mp_xasprintf("@cert-authority * %s", rsa);
	struct mp_dial d = dial_known(&path, known);

	(void)state;
	expect_works(&mp_transport_libssh2, &d, &h);
	d = dial_known(&path2, plain); /* without the port, as ssh(1) accepts it */
	expect_works(&mp_transport_libssh2, &d, &h);
	d = dial_known(&path3, only_rsa);
	expect_failure(&mp_transport_libssh2, &d, &h, MP_E_HOSTKEY, "transport = openssh");
	d = dial_known(&path4, ca);
	expect_failure(&mp_transport_libssh2, &d, &h, MP_E_HOSTKEY, "transport = openssh");
}

static void test_hostkey_hashed_and_alias(void **state)
{
	struct mp_host h = host_at(name_h);
	mp_auto_free char *key = public_key("hk_ed25519.pub"), *path = NULL;
	mp_auto_free char *file = test_path(&sshd, "hashed"), *alias = test_path(&sshd, "aliased");
	mp_auto_free char *config = NULL;
	struct mp_dial d = dial;

	(void)state;
	test_write(file, "[127.0.0.1]:%ld %s", sshd.port, key);
	TEST_RUN(NULL, "ssh-keygen", "-H", "-f", file);
	path = config_with("hashed_config", "Host *\n UserKnownHostsFile %s\n", file);
	d.ssh_config = path;
	expect_works(&mp_transport_libssh2, &d, &h);
	test_write(alias, "the-alias %s", key);
	config = config_with("alias_config",
			     "Host *\n UserKnownHostsFile %s\n HostKeyAlias The-Alias\n", alias);
	d.ssh_config = config;
	expect_works(&mp_transport_libssh2, &d, &h);
}

static void test_rsa_only_server(void **state)
{
	struct mp_host h = host_at(name_h);
	struct test_sshd only;
	mp_auto_free char *path = NULL;
	struct mp_dial d = dial;
	char extra[256];

	(void)state;
	snprintf(extra, sizeof(extra), "HostKey %s/hk_rsa\n", sshd.dir);
	test_sshd_start(&only, NULL, extra);
	d.ssh_config = only.config;
	if (mp_ssh_has_rsa_sha2())
		expect_failure(&mp_transport_libssh2, &d, &h, MP_E_HOSTKEY, NULL);
	else
		expect_failure(&mp_transport_libssh2, &d, &h, MP_E_UNSUPPORTED, "rsa-sha2");
	test_sshd_stop(&only);
}

/* ---- authentication ---- */

static struct mp_host host_with_key(const char *name, char **path)
{
	struct mp_host h = host_at(name_h);

	*path = test_path(&sshd, name);
	h.ssh_key = *path;
	return h;
}

static void test_denied(void **state)
{
	mp_auto_free char *k1 = test_path(&sshd, "stranger"), *k2 = test_path(&sshd, "locked");
	mp_auto_free char *k3 = test_path(&sshd, "rsa"), *p1 = NULL, *p2 = NULL, *p3 = NULL;
	mp_auto_free char *p4 = NULL;
	struct mp_host h = host_with_key("stranger", &p1);
	struct mp_dial d = dial;

	(void)state;
	d.ssh_config = sshd.bare;
	TEST_RUN(NULL, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", k1);
	TEST_RUN(NULL, "ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", k2);
	TEST_RUN(NULL, "ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", k3);
	expect_failure(&mp_transport_libssh2, &d, &h, MP_E_DENIED, "not accepted");
	expect_failure(&mp_transport_openssh, &d, &h, MP_E_DENIED, "Permission denied");
	h = host_with_key("locked", &p2);
	expect_failure(&mp_transport_libssh2, &d, &h, MP_E_DENIED, "passphrase");
	h = host_with_key("rsa", &p3);
	expect_failure(&mp_transport_libssh2, &d, &h, MP_E_DENIED, "rsa");
	h = host_with_key("absent", &p4);
	expect_failure(&mp_transport_libssh2, &d, &h, MP_E_DENIED, "no such file");
}

/* A real ssh-agent with the user's key; its socket is in *ret. */
static pid_t start_agent(char **ret)
{
	mp_auto_free char *out = NULL, *id = test_path(&sshd, "id");
	const char *argv[] = { "ssh-agent", "-s", "-a", NULL, NULL };
	const char *p;

	*ret = test_path(&sshd, "agent.sock");
	argv[3] = *ret;
	out = test_output(sshd.dir, argv);
	p = strstr(out, "SSH_AGENT_PID=");
	assert_non_null(p);
	setenv("SSH_AUTH_SOCK", *ret, 1);
	TEST_RUN(NULL, "ssh-add", "-q", id);
	return (pid_t)atoi(p + 14);
}

static void test_agent(void **state)
{
	mp_auto_free char *sock = NULL, *config = NULL, *config2 = NULL, *config3 = NULL;
	mp_auto_free char *public = NULL, *half = NULL;
	struct mp_host h = host_at(name_h);
	struct mp_dial d = dial;
	pid_t pid = start_agent(&sock);

	(void)state;
	config = config_over(sshd.bare, "agent_config",
			     "Host *\n IdentityAgent SSH_AUTH_SOCK\n IdentitiesOnly no\n"
			     " IdentityFile /nonexistent\n");
	d.ssh_config = config;
	expect_works(&mp_transport_libssh2, &d, &h);
	/* IdentitiesOnly: the agent's key is not one of the configured files. */
	config2 = config_over(sshd.bare, "agent_only",
			      "Host *\n IdentityAgent %s\n IdentitiesOnly yes\n"
			      " IdentityFile /nonexistent\n",
			      sock);
	d.ssh_config = config2;
	expect_failure(&mp_transport_libssh2, &d, &h, MP_E_DENIED, NULL);
	/* ... and here it is; the private half is in the agent only. */
	public = public_key("id.pub");
	half = test_path(&sshd, "half.pub");
	test_write(half, "%s", public);
	config3 = config_over(sshd.bare, "agent_half",
			      "Host *\n IdentityAgent %s\n IdentitiesOnly yes\n"
			      " IdentityFile %s/half\n",
			      sock, sshd.dir);
	d.ssh_config = config3;
	expect_works(&mp_transport_libssh2, &d, &h);
	kill(pid, SIGTERM);
	unsetenv("SSH_AUTH_SOCK");
}

/* ---- servers that misbehave: they accept, do one thing, and wait until the client has gone ----
 */

struct server {
	pthread_t thread;
	int fd;
	long port;
	const char *say;
	bool hang_up;
};

static void *server_thread(void *arg)
{
	struct server *s = arg;
	char sink[4096];
	int c;

	while ((c = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (s->say && write(c, s->say, strlen(s->say)) < 0)
			perror("write");
		while (!s->hang_up && read(c, sink, sizeof(sink)) > 0)
			;
		close(c);
	}
	return NULL;
}

static int listen_on(long *port, int backlog)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t size = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &size), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

static void server_start(struct server *s, const char *say, bool hang_up)
{
	*s = (struct server){ .say = say, .hang_up = hang_up };
	s->fd = listen_on(&s->port, 16);
	assert_int_equal(pthread_create(&s->thread, NULL, server_thread, s), 0);
}

static void server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

/* Expects code within the connect timeout of 600 ms (1 s for ssh(1), which counts in seconds). */
static void misbehave(const char *say, bool hang_up, enum mp_code builtin, enum mp_code openssh)
{
	struct mp_host h = host_at(name_h);
	struct mp_dial d = dial;
	struct server s;
	mp_ms start;

	server_start(&s, say, hang_up);
	d.connect_timeout_ms = 600;
	h.ssh_port = s.port;
	start = mp_now();
	expect_failure(&mp_transport_libssh2, &d, &h, builtin, NULL);
	assert_true(mp_now() - start < 2000);
	start = mp_now();
	expect_failure(&mp_transport_openssh, &d, &h, openssh, NULL);
	assert_true(mp_now() - start < 4000);
	server_stop(&s);
}

static void test_half_open(void **state)
{
	(void)state;
	misbehave(NULL, false, MP_E_TIMEOUT, MP_E_TIMEOUT);
}

static void test_stalls_in_key_exchange(void **state)
{
	(void)state;
	misbehave("SSH-2.0-OpenSSH_9.2\r\n", false, MP_E_TIMEOUT, MP_E_TIMEOUT);
}

static void test_hangs_up(void **state)
{
	(void)state;
	misbehave("", true, MP_E_GONE, MP_E_GONE);
	misbehave("SSH-2.0-OpenSSH_9.2\r\n", true, MP_E_GONE, MP_E_GONE);
}

static void test_refused(void **state)
{
	struct mp_host h = host_at(name_h);

	(void)state;
	h.ssh_port = test_free_port();
	expect_failure(&mp_transport_libssh2, &dial, &h, MP_E_REFUSED, "127.0.0.1 port");
	expect_failure(&mp_transport_openssh, &dial, &h, MP_E_REFUSED, NULL);
}

/* A full accept queue drops SYNs, as a firewall does. */
static void test_syn_dropped(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	struct mp_host h = host_at(name_h);
	struct mp_dial d = dial;
	int fd, fill[4];
	mp_ms start;

	(void)state;
	fd = listen_on(&h.ssh_port, 0);
	sa.sin_port = htons((uint16_t)h.ssh_port);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t i = 0; i < MP_N_ELEMS(fill); i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fill[i], (struct sockaddr *)&sa, sizeof(sa));
	}
	d.connect_timeout_ms = 700;
	start = mp_now();
	expect_failure(&mp_transport_libssh2, &d, &h, MP_E_TIMEOUT, "no answer");
	assert_in_range(mp_now() - start, 600, 2000);
	expect_failure(&mp_transport_openssh, &d, &h, MP_E_TIMEOUT, NULL);
	for (size_t i = 0; i < MP_N_ELEMS(fill); i++)
		close(fill[i]);
	close(fd);
}

/* In a network namespace whose loopback is down. */
static void test_unreachable(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		struct mp_err err = { 0 };
		int fd;

		if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET) < 0)
			_exit(2);
		if (mp_connect_tcp("127.0.0.1", 22, AF_UNSPEC, mp_now() + 5000, NULL, &fd, &err) ==
		    0)
			_exit(3);
		_exit(err.code == MP_E_UNREACHABLE ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_names(void **state)
{
	atomic_bool cancel = false;
	struct mp_err err = { 0 };
	mp_ms start;
	int fd = -1;

	(void)state;
	assert_int_equal(mp_connect_tcp("good.test", sshd.port, AF_UNSPEC, mp_now() + 5000, &cancel,
					&fd, &err),
			 0);
	close(fd);
	assert_int_equal(
		mp_connect_tcp("nowhere.test", 22, AF_UNSPEC, mp_now() + 5000, &cancel, &fd, &err),
		-1);
	assert_int_equal(err.code, MP_E_UNREACHABLE);
	assert_int_equal(
		mp_connect_tcp("busy.test", 22, AF_UNSPEC, mp_now() + 5000, &cancel, &fd, &err),
		-1);
	assert_int_equal(err.code, MP_E_UNREACHABLE);
	start = mp_now();
	assert_int_equal(
		mp_connect_tcp("stuck.test", 22, AF_UNSPEC, mp_now() + 300, &cancel, &fd, &err),
		-1);
	assert_int_equal(err.code, MP_E_TIMEOUT);
	assert_in_range(mp_now() - start, 290, 1500);
	atomic_store(&cancel, true);
	start = mp_now();
	assert_int_equal(
		mp_connect_tcp("stuck.test", 22, AF_UNSPEC, mp_now() + 60000, &cancel, &fd, &err),
		-1);
	assert_int_equal(err.code, MP_E_CANCELLED);
	assert_in_range(mp_now() - start, 0, 1000);
}

/* ---- ways through other machines ---- */

static void test_proxies(void **state)
{
	struct mp_host h = host_at(name_far);
	mp_auto_free char *jump = config_with("jump", "Host far\n ProxyJump near\n");
	mp_auto_free char *two = config_with("two", "Host far\n ProxyJump near,nearer\n");
	mp_auto_free char *command = NULL, *refused = NULL, *none = NULL;
	struct mp_dial d = dial;

	(void)state;
	d.ssh_config = jump;
	expect_works(&mp_transport_libssh2, &d, &h);
	d.ssh_config = two;
	expect_works(&mp_transport_libssh2, &d, &h);
	command = config_with("command", "Host far\n ProxyCommand ssh -F %s -W %%h:%%p near\n",
			      sshd.config);
	d.ssh_config = command;
	expect_works(&mp_transport_libssh2, &d, &h);
	none = config_with("none", "Host far\n ProxyCommand none\n");
	d.ssh_config = none;
	expect_works(&mp_transport_libssh2, &d, &h);
	refused = config_with("refused", "Host far\n ProxyJump near:%ld\n", test_free_port());
	d.ssh_config = refused;
	expect_failure(&mp_transport_libssh2, &d, &h, MP_E_REFUSED, "proxy");
}

static void test_what_only_openssh_can(void **state)
{
	struct mp_host h = host_at(name_h);
	mp_auto_free char *config = config_with("bind", "Host *\n BindAddress 127.0.0.1\n");
	struct mp_dial d = dial;

	(void)state;
	d.ssh_config = config;
	expect_failure(&mp_transport_libssh2, &d, &h, MP_E_UNSUPPORTED, "transport = openssh");
	expect_works(&mp_transport_openssh, &d, &h);
}

/* ---- deadlines and cancellation ---- */

static void *cancel_soon(void *arg)
{
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

static void test_deadline_and_cancel(void **state)
{
	static const struct mp_transport *const all[] = { &mp_transport_libssh2,
							  &mp_transport_openssh,
							  &mp_transport_local };
	struct mp_host h = host_at(name_h);

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(all); i++) {
		atomic_bool cancel = false;
		struct mp_dial d = dial;
		struct mp_stream *s;
		struct mp_err err = { 0 };
		pthread_t thread;
		mp_ms start;
		char c;

		d.cancel = &cancel;
		s = open_or_fail(all[i], &d, &h, "cat");
		start = mp_now();
		assert_int_equal(s->ops->read(s, &c, 1, start + 300, &err), -1);
		assert_int_equal(err.code, MP_E_TIMEOUT);
		assert_in_range(mp_now() - start, 290, 1500);
		assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &cancel), 0);
		start = mp_now();
		assert_int_equal(s->ops->read(s, &c, 1, start + 60000, &err), -1);
		assert_int_equal(err.code, MP_E_CANCELLED);
		assert_in_range(mp_now() - start, 0, 1000);
		pthread_join(thread, NULL);
		s->ops->close(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_works),
		cmocka_unit_test(test_many_bytes),
		cmocka_unit_test(test_errtext_is_bounded_and_clean),
		cmocka_unit_test(test_write_to_ended_command),
		cmocka_unit_test(test_local_child_is_ended),
		cmocka_unit_test(test_hostkey_unknown),
		cmocka_unit_test(test_hostkey_changed_and_revoked),
		cmocka_unit_test(test_hostkey_known_type_is_asked_for),
		cmocka_unit_test(test_hostkey_hashed_and_alias),
		cmocka_unit_test(test_rsa_only_server),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_agent),
		cmocka_unit_test(test_half_open),
		cmocka_unit_test(test_stalls_in_key_exchange),
		cmocka_unit_test(test_hangs_up),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_syn_dropped),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_proxies),
		cmocka_unit_test(test_what_only_openssh_can),
		cmocka_unit_test(test_deadline_and_cancel),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
