/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "transport/connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "transport/wait.h"

/*
 * getaddrinfo() has no deadline and cannot be interrupted, so it runs in a thread that is left
 * behind when it takes too long. Whoever comes last frees the lookup.
 */
struct lookup {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int refs;
	bool done;
	char *host;
	char port[8];
	int family;
	int rc, sys; /* of getaddrinfo() */
	struct addrinfo *list;
};

static void lookup_unref(struct lookup *l)
{
	bool last;

	pthread_mutex_lock(&l->lock);
	last = --l->refs == 0;
	pthread_mutex_unlock(&l->lock);
	if (!last)
		return;
	if (l->list)
		freeaddrinfo(l->list);
	pthread_cond_destroy(&l->cond);
	pthread_mutex_destroy(&l->lock);
	free(l->host);
	free(l);
}

static void *lookup_thread(void *arg)
{
	struct lookup *l = arg;
	struct addrinfo hints = { .ai_family = l->family, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(l->host, l->port, &hints, &list), sys = errno;

	pthread_mutex_lock(&l->lock);
	l->rc = rc;
	l->sys = sys;
	l->list = rc == 0 ? list : NULL;
	l->done = true;
	pthread_cond_signal(&l->cond);
	pthread_mutex_unlock(&l->lock);
	lookup_unref(l);
	return NULL;
}

static int lookup_start(struct lookup *l)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int rc;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&thread, &attr, lookup_thread, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

static int lookup_wait(struct lookup *l, mp_ms deadline, const atomic_bool *cancel,
		       struct mp_err *err)
{
	int rc = 0;

	pthread_mutex_lock(&l->lock);
	while (!l->done && rc == 0) {
		mp_ms now = mp_now(), until = now + MP_CANCEL_CHECK_MS;
		struct timespec ts;

		if (until > deadline)
			until = deadline;
		ts.tv_sec = (time_t)(until / 1000);
		ts.tv_nsec = (long)(until % 1000) * 1000000;
		pthread_cond_timedwait(&l->cond, &l->lock, &ts);
		if (l->done)
			break;
		rc = mp_wait_cancelled(cancel, err);
		if (rc == 0 && mp_ms_left(deadline) == 0)
			rc = mp_err_set(err, MP_E_TIMEOUT,
					"the name '%s' was not resolved in time; look at the name "
					"service of this machine, or set address in the inventory",
					l->host);
	}
	pthread_mutex_unlock(&l->lock);
	return rc;
}

static int lookup_error(const char *host, int rc, int sys, struct mp_err *err)
{
	if (rc == EAI_SYSTEM)
		return mp_err_sys(err, sys, "resolve '%s'", host);
	if (rc == EAI_AGAIN)
		return mp_err_set(err, MP_E_UNREACHABLE,
				  "the name '%s' cannot be resolved now (the name service does not "
				  "answer); mend it, or set address in the inventory",
				  host);
	return mp_err_set(err, MP_E_UNREACHABLE,
			  "the name '%s' does not resolve (%s); correct it, or set address in the "
			  "inventory",
			  host, gai_strerror(rc));
}

static int resolve(const char *host, long port, int family, mp_ms deadline,
		   const atomic_bool *cancel, struct addrinfo **ret, struct mp_err *err)
{
	struct addrinfo hints = { .ai_family = family,
				  .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct lookup *l;
	pthread_condattr_t ca;
	char text[8];
	int rc;

	snprintf(text, sizeof(text), "%ld", port);
	if (getaddrinfo(host, text, &hints, ret) == 0)
		return 0;
	l = mp_xcalloc(1, sizeof(*l));
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&ca);
	pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
	pthread_cond_init(&l->cond, &ca);
	pthread_condattr_destroy(&ca);
	l->refs = 2;
	l->host = mp_xstrdup(host);
	memcpy(l->port, text, sizeof(text));
	l->family = family;
	rc = lookup_start(l);
	if (rc) {
		lookup_unref(l);
		lookup_unref(l);
		return mp_err_sys(err, rc, "start a thread to resolve '%s'", host);
	}
	rc = lookup_wait(l, deadline, cancel, err);
	if (rc == 0 && l->rc)
		rc = lookup_error(host, l->rc, l->sys, err);
	if (rc == 0)
		*ret = mp_steal(&l->list);
	lookup_unref(l);
	return rc;
}

static int connect_error(int errnum, const char *where, struct mp_err *err)
{
	switch (errnum) {
	case ECONNREFUSED:
		return mp_err_set(err, MP_E_REFUSED,
				  "connect to %s: refused; start sshd on the host, or correct "
				  "ssh_port",
				  where);
	case ETIMEDOUT:
		return mp_err_set(err, MP_E_TIMEOUT,
				  "connect to %s: no answer; look at the host, and at firewalls "
				  "that drop packets",
				  where);
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case EADDRNOTAVAIL:
		mp_err_sys(err, errnum, "connect to %s", where);
		err->code = MP_E_UNREACHABLE;
		return -1;
	default:
		return mp_err_sys(err, errnum, "connect to %s", where);
	}
}

static int connect_one(const struct addrinfo *ai, mp_ms deadline, const atomic_bool *cancel,
		       int *ret, struct mp_err *err)
{
	mp_auto_close int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char address[NI_MAXHOST] = "?", service[NI_MAXSERV] = "?";
	char where[NI_MAXHOST + NI_MAXSERV + 8];
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int on = 1, so_error = 0;
	socklen_t size = sizeof(so_error);
	struct mp_err why = { 0 };

	if (fd < 0)
		return mp_err_sys(err, errno, "socket");
	getnameinfo(ai->ai_addr, ai->ai_addrlen, address, sizeof(address), service, sizeof(service),
		    NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(where, sizeof(where), "%s port %s", address, service);
	/* Small messages to and fro; and a peer that vanished is noticed even while we wait for it.
	 */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
		if (errno != EINPROGRESS)
			return connect_error(errno, where, err);
		if (mp_wait_fds(&p, 1, deadline, cancel, &why) < 0) {
			if (why.code == MP_E_TIMEOUT)
				return connect_error(ETIMEDOUT, where, err);
			if (err)
				*err = why;
			return -1;
		}
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &so_error, &size) < 0 || so_error)
			return connect_error(so_error ? so_error : errno, where, err);
	}
	*ret = fd;
	fd = -1;
	return 0;
}

int mp_connect_tcp(const char *host, long port, int family, mp_ms deadline,
		   const atomic_bool *cancel, int *ret, struct mp_err *err)
{
	struct addrinfo *list, *ai;
	struct mp_err why = { 0 };
	int left = 0, rc = -1;

	if (resolve(host, port, family, deadline, cancel, &list, err) < 0)
		return -1;
	for (ai = list; ai; ai = ai->ai_next)
		left++;
	for (ai = list; ai && rc < 0 && why.code != MP_E_CANCELLED; ai = ai->ai_next, left--)
		/* An address that drops packets leaves time for the others. */
		rc = connect_one(ai, mp_now() + mp_ms_left(deadline) / left, cancel, ret, &why);
	freeaddrinfo(list);
	if (rc < 0 && err)
		*err = why;
	return rc;
}
