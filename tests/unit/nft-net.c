/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nft-net: see nft-net.h. */
#include "config.h"
#include "nft-net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

bool net_sh(const char *fmt, ...)
{
	char line[2048];
	va_list ap;
	int rc;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	rc = system(line);
	return rc != -1 && WIFEXITED(rc) && WEXITSTATUS(rc) == 0;
}

/* A child in a namespace of its own; it dies with us. */
static pid_t start_peer(void)
{
	int fds[2];
	char c = 0;
	pid_t pid;

	if (pipe(fds) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[0]);
		if (unshare(CLONE_NEWNET) == 0 && write(fds[1], "x", 1) == 1) {
			close(fds[1]);
			for (;;)
				pause();
		}
		_exit(1);
	}
	close(fds[1]);
	if (pid > 0 && read(fds[0], &c, 1) != 1) {
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(fds[0]);
	return pid;
}

static int open_ns(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

int net_up(struct net *n)
{
	bool ok;

	n->peer = -1;
	n->home_fd = open_ns(getpid());
	if (geteuid() != 0 || n->home_fd < 0 || unshare(CLONE_NEWNET) < 0)
		return -1;
	n->peer = start_peer();
	if (n->peer < 0)
		return -1;
	n->host_fd = open_ns(getpid());
	n->peer_fd = open_ns(n->peer);
	/* Without accept_dad the addresses are usable at once. */
	ok = net_sh(
		"ip link set lo up && sysctl -qw net.ipv6.conf.default.accept_dad=0 "
		"net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 && "
		"ip link add mig0 type veth peer name cli0 netns %d && "
		"ip addr add 10.9.0.1/24 dev mig0 && ip addr add fd00:9::1/64 dev mig0 nodad && "
		"ip link set mig0 up && ip route add 10.77.0.0/24 dev mig0",
		(int)n->peer);
	setns(n->peer_fd, CLONE_NEWNET);
	ok = ok &&
	     net_sh("ip link set lo up && ip addr add 10.9.0.2/24 dev cli0 && "
		    "ip addr add 10.9.0.3/24 dev cli0 && ip addr add 10.77.0.9/24 dev cli0 && "
		    "ip addr add fd00:9::2/64 dev cli0 nodad && ip link set cli0 up");
	setns(n->host_fd, CLONE_NEWNET);
	return ok ? 0 : -1;
}

void net_down(struct net *n)
{
	if (n->peer > 0) {
		kill(n->peer, SIGKILL);
		waitpid(n->peer, NULL, 0);
		close(n->peer_fd);
		close(n->host_fd);
	}
	setns(n->home_fd, CLONE_NEWNET);
	close(n->home_fd);
}

int net_listen(uint16_t port)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), off = 0;

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 4096) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int start_connect(const char *source, uint16_t port)
{
	bool v6 = strchr(source, ':');
	struct sockaddr_in6 s6 = { .sin6_family = AF_INET6 }, d6 = s6;
	struct sockaddr_in s4 = { .sin_family = AF_INET }, d4 = s4;
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct linger hard = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	inet_pton(AF_INET6, v6 ? source : "::", &s6.sin6_addr);
	inet_pton(AF_INET6, "fd00:9::1", &d6.sin6_addr);
	inet_pton(AF_INET, v6 ? "0.0.0.0" : source, &s4.sin_addr);
	inet_pton(AF_INET, "10.9.0.1", &d4.sin_addr);
	d6.sin6_port = d4.sin_port = htons(port);
	if (v6) {
		bind(fd, (struct sockaddr *)&s6, sizeof(s6));
		connect(fd, (struct sockaddr *)&d6, sizeof(d6));
	} else {
		bind(fd, (struct sockaddr *)&s4, sizeof(s4));
		connect(fd, (struct sockaddr *)&d4, sizeof(d4));
	}
	return fd;
}

/* Whether something is still without an answer that would have to be waited for. */
static bool waiting(const struct pollfd *fds, size_t n, const enum fate *expect, bool drop_over)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (fds[i].fd >= 0 && !(drop_over && expect && expect[i] == FATE_DROP))
			return true;
	}
	return false;
}

static void settle(struct pollfd *p, struct try *t)
{
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	t->fate = error ? FATE_REJECT : FATE_ACCEPT;
	close(p->fd);
	p->fd = -1;
}

void net_try(struct net *n, struct try *t, size_t n_tries, const enum fate *expect, int drop_ms)
{
	struct pollfd *fds = calloc(n_tries, sizeof(*fds));
	int64_t start = now_ms();
	size_t i;

	setns(n->peer_fd, CLONE_NEWNET);
	for (i = 0; i < n_tries; i++) {
		fds[i].fd = start_connect(t[i].source, t[i].port);
		fds[i].events = POLLOUT;
		t[i].fate = FATE_DROP;
	}
	setns(n->host_fd, CLONE_NEWNET);
	while (now_ms() - start < 5000 &&
	       waiting(fds, n_tries, expect, now_ms() - start >= drop_ms)) {
		poll(fds, n_tries, 20);
		for (i = 0; i < n_tries; i++) {
			if (fds[i].fd >= 0 && fds[i].revents)
				settle(&fds[i], &t[i]);
		}
	}
	for (i = 0; i < n_tries; i++) {
		if (fds[i].fd >= 0)
			close(fds[i].fd);
	}
	free(fds);
}
