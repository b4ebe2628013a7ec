/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * verb listen: a listener in the migration range for the time of a trial. It lives in a process of
 * its own, beyond this session, as nobody, and ends when it is told to or by itself.
 *
 *   {"from", "to", "seconds", "nonce"} -> {"port", "pid", "start"}
 *   {"stop": {"pid", "start"}}         -> {"stopped": bool}
 */
#include "config.h"
#include "agent/agent.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/mesh-line.h"
#include "agent/port-holders.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "model/world.h"

#define MAX_SECONDS (7 * 86400)
#define MAX_CLIENTS 64 /* served at once; more wait in the backlog */
#define CLIENT_MS 5000 /* for one client to say hello */
#define NOBODY 65534   /* the overflow uid, which owns nothing */

/* ---- the process that listens ---- */

struct client {
	int fd;
	size_t n;
	char line[MP_MESH_LINE];
	mp_ms deadline;
};

struct server {
	int fd;
	const char *nonce;
	struct client clients[MAX_CLIENTS];
	size_t n;
};

static void drop_client(struct server *s, size_t i)
{
	close(s->clients[i].fd);
	s->clients[i] = s->clients[--s->n];
}

static void accept_client(struct server *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		s->clients[s->n++] = (struct client){ .fd = fd, .deadline = mp_now() + CLIENT_MS };
}

/* Returns false when the client is done with, one way or the other. */
static bool serve_client(const struct server *s, struct client *c)
{
	char answer[MP_MESH_LINE];
	ssize_t n = read(c->fd, c->line + c->n, sizeof(c->line) - c->n);
	int size;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->n += (size_t)n;
	if (n > 0 && !memchr(c->line, '\n', c->n))
		return c->n < sizeof(c->line);
	if (c->n != strlen(MP_MESH_HELLO) || memcmp(c->line, MP_MESH_HELLO, c->n) != 0)
		return false;
	size = snprintf(answer, sizeof(answer), MP_MESH_ANSWER "%s\n", s->nonce);
	send(c->fd, answer, (size_t)size, MSG_NOSIGNAL);
	return false;
}

static void serve(struct server *s, mp_ms deadline)
{
	struct pollfd p[MAX_CLIENTS + 1];

	while (mp_ms_left(deadline) > 0) {
		mp_ms wake = deadline;

		p[0] = (struct pollfd){ .fd = s->n < MAX_CLIENTS ? s->fd : -1, .events = POLLIN };
		for (size_t i = 0; i < s->n; i++) {
			p[i + 1] = (struct pollfd){ .fd = s->clients[i].fd, .events = POLLIN };
			if (s->clients[i].deadline < wake)
				wake = s->clients[i].deadline;
		}
		if (poll(p, s->n + 1, mp_ms_left(wake)) < 0 && errno != EINTR)
			return;
		/* Backwards, because a dropped client is replaced by the last one. */
		for (size_t i = s->n; i-- > 0;)
			if ((p[i + 1].revents && !serve_client(s, &s->clients[i])) ||
			    mp_ms_left(s->clients[i].deadline) == 0)
				drop_client(s, i);
		if (p[0].revents)
			accept_client(s);
	}
}

/* Lets go of everything of the session: its terminal, its channel, its directory, its rights. */
static int detach(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || chdir("/") < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	if (fd != 3)
		dup2(fd, 3);
	if (close_range(4, ~0u, 0) < 0)
		for (int i = 4; i < 65536; i++)
			close(i);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "migprep-listen");
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			       setresuid(NOBODY, NOBODY, NOBODY) < 0))
		return -1;
	return 3;
}

static void listen_process(int fd, const char *nonce, mp_ms deadline)
{
	struct server *s = mp_xcalloc(1, sizeof(*s));
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	s->fd = detach(fd);
	s->nonce = nonce;
	if (s->fd >= 0)
		serve(s, deadline);
	_exit(0);
}

/* ---- starting it ---- */

/* Both protocols in one socket; IPv4 alone where the kernel has no IPv6. */
static int listen_on(int port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, off = 0;
	bool is_v6 = fd >= 0 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0;
	int rc;

	if (!is_v6) {
		if (fd >= 0)
			close(fd);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* as QEMU does */
	rc = is_v6 ? bind(fd, (struct sockaddr *)&v6, sizeof(v6))
		   : bind(fd, (struct sockaddr *)&v4, sizeof(v4));
	if (rc == 0 && listen(fd, MAX_CLIENTS) == 0)
		return fd;
	rc = errno;
	close(fd);
	errno = rc;
	return -1;
}

/* From a random port on, so that the trial does not always take the one that QEMU takes first. */
static int listen_in_range(struct mp_sys *sys, int from, int to, int *ret_port, struct mp_err *err)
{
	mp_auto_free char *holders = NULL;
	unsigned int start = 0;
	int n = to - from + 1, last = 0;

	if (getrandom(&start, sizeof(start), 0) < 0)
		start = (unsigned int)mp_now();
	for (int i = 0; i < n; i++) {
		int port = from + (int)((start + (unsigned int)i) % (unsigned int)n);
		int fd = listen_on(port);

		if (fd >= 0) {
			*ret_port = port;
			return fd;
		}
		last = errno;
	}
	if (last != EADDRINUSE)
		return mp_err_sys(err, last, "listen on a port of %d-%d", from, to);
	holders = mp_port_holders(sys, from, to);
	return mp_err_set(err, MP_E_LIMIT, "no port of %d-%d is free: %s", from, to, holders);
}

/* Field 22 of /proc/PID/stat, after the command name, which may hold anything. A zombie has ended.
 */
static int start_time(struct mp_sys *sys, long pid, char ret[32], struct mp_err *err)
{
	mp_auto_free char *path = mp_xasprintf("/proc/%ld/stat", pid), *text = NULL;
	const char *p;
	char state;
	size_t size;

	if (mp_sys_read(sys, path, &text, &size, NULL, err) < 0)
		return -1;
	p = text ? strrchr(text, ')') : NULL;
	if (!p ||
	    sscanf(p + 1,
		   " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		   "%31[0-9]",
		   &state, ret) != 2 ||
	    state == 'Z' || state == 'X')
		return mp_err_set(err, MP_E_GONE, "process %ld is not there", pid);
	return 0;
}

/* Twice forked, so that it belongs to init and not to us. Returns its pid. */
static long start_process(int fd, const char *nonce, mp_ms deadline, struct mp_err *err)
{
	long pid = -1;
	pid_t child;
	int p[2], status;

	if (pipe2(p, O_CLOEXEC) < 0)
		return mp_err_sys(err, errno, "pipe");
	child = fork();
	if (child == 0) {
		pid_t grandchild = setsid() < 0 ? -1 : fork();

		if (grandchild == 0)
			listen_process(fd, nonce, deadline);
		pid = grandchild;
		_exit(write(p[1], &pid, sizeof(pid)) == (ssize_t)sizeof(pid) ? 0 : 1);
	}
	close(p[1]);
	if (child < 0 || read(p[0], &pid, sizeof(pid)) != (ssize_t)sizeof(pid) || pid < 0) {
		mp_err_set(err, MP_E_SYS, "could not start the process that listens");
		pid = -1;
	}
	close(p[0]);
	if (child > 0)
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	return pid;
}

static int start(struct mp_sys *sys, const json_t *body, json_t **ret, struct mp_err *err)
{
	long long from = mp_json_int(body, "from", 0), to = mp_json_int(body, "to", 0);
	long long seconds = mp_json_int(body, "seconds", 0);
	const char *nonce = mp_json_str(body, "nonce", "");
	mp_auto_close int fd = -1;
	char started[32];
	int port = 0;
	long pid;

	if (from < 1 || to > 65535 || from > to || seconds < 1 || seconds > MAX_SECONDS)
		return mp_err_set(err, MP_E_PROTO, "listen: ports %lld-%lld or %lld s out of range",
				  from, to, seconds);
	if (strlen(nonce) < 8 || strlen(nonce) > MP_MESH_NONCE ||
	    strspn(nonce, "0123456789abcdef") != strlen(nonce))
		return mp_err_set(err, MP_E_PROTO, "listen: bad nonce");
	fd = listen_in_range(sys, (int)from, (int)to, &port, err);
	if (fd < 0)
		return -1;
	pid = start_process(fd, nonce, mp_now() + seconds * 1000, err);
	if (pid < 0 || start_time(sys, pid, started, err) < 0)
		return -1;
	*ret = json_pack("{s:i,s:I,s:s}", "port", port, "pid", (json_int_t)pid, "start", started);
	return 0;
}

/* ---- ending it ---- */

static int stop(struct mp_sys *sys, const json_t *body, json_t **ret, struct mp_err *err)
{
	long long pid = mp_json_int(body, "pid", 0);
	const char *want = mp_json_str(body, "start", "");
	struct mp_err gone;
	char started[32];
	bool same;

	if (pid < 2 || pid > INT32_MAX)
		return mp_err_set(err, MP_E_PROTO, "listen: bad pid %lld", pid);
	same = start_time(sys, (long)pid, started, &gone) == 0 && strcmp(started, want) == 0;
	if (same && kill((pid_t)pid, SIGTERM) < 0 && errno != ESRCH)
		return mp_err_sys(err, errno, "end listener %lld", pid);
	*ret = json_pack("{s:b}", "stopped", same);
	return 0;
}

static int run(struct mp_agent *a, const json_t *body, json_t **ret, struct mp_err *err)
{
	struct mp_sys *sys = mp_agent_sys(a);
	const json_t *order = json_object_get(body, "stop");

	if (!mp_sys_is_real(sys))
		return mp_err_set(err, MP_E_UNSUPPORTED, "listen: not below another root");
	return order ? stop(sys, order, ret, err) : start(sys, body, ret, err);
}

const struct mp_verb mp_verb_listen = {
	.name = "listen",
	.summary = "opens or ends a listener in the migration range for the mesh",
	.run = run,
};
