/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * verb listen: a listener at both ends of the migration range, on its lowest and its highest free
 * port, for the time of a trial: a firewall that lets only part of the range through shows at one
 * of them. It lives in a process of its own, beyond this session, as nobody, and ends when it is
 * told to or by itself.
 *
 *   {"from", "to", "seconds", "nonce"} -> {"ports": [LOWEST, HIGHEST], "pid", "start"}; one port
 *                                         where no other is free
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

#define MAX_PORTS 2

struct server {
	int fds[MAX_PORTS];
	size_t n_fds;
	const char *nonce;
	struct client clients[MAX_CLIENTS];
	size_t n;
};

static void drop_client(struct server *s, size_t i)
{
	close(s->clients[i].fd);
	s->clients[i] = s->clients[--s->n];
}

static void accept_client(struct server *s, int from)
{
	int fd;

	if (s->n == MAX_CLIENTS)
		return;
	fd = accept4(from, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

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
	struct pollfd p[MAX_PORTS + MAX_CLIENTS], *clients = p + s->n_fds;

	while (mp_ms_left(deadline) > 0) {
		mp_ms wake = deadline;

		for (size_t i = 0; i < s->n_fds; i++)
			p[i] = (struct pollfd){ .fd = s->n < MAX_CLIENTS ? s->fds[i] : -1,
						.events = POLLIN };
		for (size_t i = 0; i < s->n; i++) {
			clients[i] = (struct pollfd){ .fd = s->clients[i].fd, .events = POLLIN };
			if (s->clients[i].deadline < wake)
				wake = s->clients[i].deadline;
		}
		if (poll(p, s->n_fds + s->n, mp_ms_left(wake)) < 0 && errno != EINTR)
			return;
		/* Backwards, because a dropped client is replaced by the last one. */
		for (size_t i = s->n; i-- > 0;)
			if ((clients[i].revents && !serve_client(s, &s->clients[i])) ||
			    mp_ms_left(s->clients[i].deadline) == 0)
				drop_client(s, i);
		for (size_t i = 0; i < s->n_fds; i++)
			if (p[i].revents)
				accept_client(s, s->fds[i]);
	}
}

/* Lets go of everything of the session: its terminal, its channel, its directory, its rights. The
 * sockets become 3 and up. */
static bool detach(struct server *s)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), high[MAX_PORTS];

	if (null < 0 || chdir("/") < 0)
		return false;
	for (size_t i = 0; i < s->n_fds; i++)
		high[i] = fcntl(s->fds[i], F_DUPFD_CLOEXEC, 3 + MAX_PORTS);
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	for (size_t i = 0; i < s->n_fds; i++)
		s->fds[i] = dup2(high[i], 3 + (int)i);
	if (close_range(3 + (unsigned int)s->n_fds, ~0u, 0) < 0)
		for (int i = 3 + (int)s->n_fds; i < 65536; i++)
			close(i);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "migprep-listen");
	return geteuid() != 0 ||
	       (setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
		setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

static void listen_process(const struct server *started, mp_ms deadline)
{
	struct server *s = mp_xcalloc(1, sizeof(*s));
	sigset_t none;

	*s = *started;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (detach(s))
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

/* The first free port on the way from one port to another; 0 is none, and errno says why. */
static int listen_between(int from, int to, int *ret_fd)
{
	int step = from <= to ? 1 : -1, last = 0;

	for (int port = from; port != to + step; port += step) {
		*ret_fd = listen_on(port);
		if (*ret_fd >= 0)
			return port;
		last = errno;
	}
	errno = last;
	return 0;
}

static int listen_at_ends(struct mp_sys *sys, int from, int to, struct server *ret,
			  int ports[static MAX_PORTS], struct mp_err *err)
{
	mp_auto_free char *holders = NULL;

	ports[0] = listen_between(from, to, &ret->fds[0]);
	if (!ports[0] && errno != EADDRINUSE)
		return mp_err_sys(err, errno, "listen on a port of %d-%d", from, to);
	if (!ports[0]) {
		holders = mp_port_holders(sys, from, to);
		return mp_err_set(err, MP_E_LIMIT, "no port of %d-%d is free: %s", from, to,
				  holders);
	}
	ret->n_fds = 1;
	if (ports[0] == to)
		return 0;
	ports[1] = listen_between(to, ports[0] + 1, &ret->fds[1]);
	ret->n_fds += ports[1] != 0;
	return 0;
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
static long start_process(const struct server *s, mp_ms deadline, struct mp_err *err)
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
			listen_process(s, deadline);
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
	mp_auto_free struct server *s = NULL;
	int ports[MAX_PORTS] = { 0 };
	json_t *list;
	char started[32];
	long pid;

	if (from < 1 || to > 65535 || from > to || seconds < 1 || seconds > MAX_SECONDS)
		return mp_err_set(err, MP_E_PROTO, "listen: ports %lld-%lld or %lld s out of range",
				  from, to, seconds);
	if (strlen(nonce) < 8 || strlen(nonce) > MP_MESH_NONCE ||
	    strspn(nonce, "0123456789abcdef") != strlen(nonce))
		return mp_err_set(err, MP_E_PROTO, "listen: bad nonce");
	s = mp_xcalloc(1, sizeof(*s));
	s->nonce = nonce;
	if (listen_at_ends(sys, (int)from, (int)to, s, ports, err) < 0)
		return -1;
	pid = start_process(s, mp_now() + seconds * 1000, err);
	for (size_t i = 0; i < s->n_fds; i++)
		close(s->fds[i]);
	if (pid < 0 || start_time(sys, pid, started, err) < 0)
		return -1;
	list = json_array();
	for (size_t i = 0; i < s->n_fds; i++)
		json_array_append_new(list, json_integer(ports[i]));
	*ret = json_pack("{s:o,s:I,s:s}", "ports", list, "pid", (json_int_t)pid, "start", started);
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
	.summary = "opens or ends a listener at both ends of the migration range for the mesh",
	.run = run,
};
