/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "transport/child.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "transport/wait.h"

#define END_MOMENT_MS 300 /* what a child gets to end by itself, and again after SIGTERM */

extern char **environ;

static int spawn(const char *const *argv, int io, int errfd, pid_t *ret)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, io, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&fa, io, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&fa, errfd, STDERR_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						POSIX_SPAWN_SETSID);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	rc = posix_spawnp(ret, argv[0], &fa, &attr, (char *const *)argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&fa);
	return rc;
}

int mp_child_start(const char *const *argv, struct mp_child *ret, struct mp_err *err)
{
	mp_auto_close int theirs = -1, errw = -1;
	int io[2], errp[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, io) < 0)
		return mp_err_sys(err, errno, "socketpair");
	theirs = io[1];
	if (pipe2(errp, O_CLOEXEC) < 0) {
		rc = errno;
		close(io[0]);
		return mp_err_sys(err, rc, "pipe");
	}
	errw = errp[1];
	rc = spawn(argv, theirs, errw, &ret->pid);
	if (rc) {
		close(io[0]);
		close(errp[0]);
		mp_err_sys(err, rc, "start %s", argv[0]);
		return rc == ENOENT ? mp_err_set(err, MP_E_UNSUPPORTED,
						 "the program '%s' is not there; install it (the "
						 "OpenSSH client is in the package openssh-client "
						 "or openssh-clients)",
						 argv[0])
				    : -1;
	}
	/* The flag belongs to the open file: each end of a socket pair and of a pipe has its own.
	 */
	fcntl(io[0], F_SETFL, O_NONBLOCK);
	fcntl(errp[0], F_SETFL, O_NONBLOCK);
	ret->fd = io[0];
	ret->errfd = errp[0];
	mp_buf_init(&ret->errtext, 0);
	return 0;
}

void mp_errtext_add(struct mp_buf *b, const char *data, size_t size)
{
	if (size > MP_ERRTEXT_BYTES) {
		data += size - MP_ERRTEXT_BYTES;
		size = MP_ERRTEXT_BYTES;
	}
	mp_buf_add(b, data, size);
	if (b->size > MP_ERRTEXT_BYTES)
		mp_buf_drop(b, b->size - MP_ERRTEXT_BYTES);
}

const char *mp_errtext_clean(struct mp_buf *b)
{
	if (!b->size)
		return "";
	for (size_t i = 0; i < b->size; i++)
		if (b->data[i] == '\0')
			b->data[i] = '?';
	mp_str_clean(b->data);
	while (b->size && b->data[b->size - 1] == ' ')
		b->data[--b->size] = '\0';
	return b->data;
}

void mp_child_pump(struct mp_child *c)
{
	char chunk[1024];
	ssize_t n;

	while (c->errfd >= 0) {
		n = read(c->errfd, chunk, sizeof(chunk));
		if (n > 0) {
			mp_errtext_add(&c->errtext, chunk, (size_t)n);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		close(c->errfd);
		c->errfd = -1;
	}
}

int mp_child_reap(struct mp_child *c, mp_ms deadline)
{
	long pause_ns = 200 * 1000;

	for (;;) {
		int status;
		pid_t got = waitpid(c->pid, &status, WNOHANG);

		if (got == c->pid || (got < 0 && errno == ECHILD)) {
			c->pid = -1;
			if (got < 0)
				return 255;
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		}
		if (mp_ms_left(deadline) == 0)
			return -1;
		nanosleep(&(struct timespec){ .tv_nsec = pause_ns }, NULL);
		if (pause_ns < 10 * 1000 * 1000)
			pause_ns *= 2;
	}
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void mp_child_end(struct mp_child *c)
{
	close_fd(&c->fd);
	close_fd(&c->errfd);
	/* The child leads a session, so its number is also that of its process group. */
	if (c->pid > 0 && mp_child_reap(c, mp_now() + END_MOMENT_MS) < 0) {
		kill(-c->pid, SIGTERM);
		if (mp_child_reap(c, mp_now() + END_MOMENT_MS) < 0) {
			kill(-c->pid, SIGKILL);
			mp_child_reap(c, mp_now() + END_MOMENT_MS);
		}
	}
	mp_buf_fini(&c->errtext);
}

/* Waits for output, an end of the output, or (writing) room; takes standard error meanwhile. */
static int child_wait(struct mp_child *c, short events, mp_ms deadline, const atomic_bool *cancel,
		      struct mp_err *err)
{
	for (;;) {
		struct pollfd p[2] = { { .fd = c->fd, .events = events },
				       { .fd = c->errfd, .events = POLLIN } };

		if (mp_wait_fds(p, c->errfd >= 0 ? 2 : 1, deadline, cancel, err) < 0)
			return -1;
		if (c->errfd >= 0 && p[1].revents)
			mp_child_pump(c);
		if (p[0].revents)
			return 0;
	}
}

static ssize_t child_read(struct mp_child *c, void *buf, size_t size, mp_ms deadline,
			  const atomic_bool *cancel, struct mp_err *err)
{
	for (;;) {
		ssize_t n = read(c->fd, buf, size);

		if (n >= 0)
			return n;
		if (errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return mp_err_sys(err, errno, "read from child");
		if (child_wait(c, POLLIN, deadline, cancel, err) < 0)
			return -1;
	}
}

int mp_child_capture(const char *const *argv, size_t limit, mp_ms deadline,
		     const atomic_bool *cancel, struct mp_buf *out, int *ret_status,
		     struct mp_err *err)
{
	struct mp_child c;
	char chunk[16384];
	ssize_t n;
	int status = -1;

	if (mp_child_start(argv, &c, err) < 0)
		return -1;
	shutdown(c.fd, SHUT_WR);
	while ((n = child_read(&c, chunk, sizeof(chunk), deadline, cancel, err)) > 0) {
		if (out->size + (size_t)n > limit) {
			n = mp_err_set(err, MP_E_LIMIT, "%s printed more than %zu bytes", argv[0],
				       limit);
			break;
		}
		mp_buf_add(out, chunk, (size_t)n);
	}
	if (n == 0) {
		status = mp_child_reap(&c, deadline);
		mp_child_pump(&c);
		if (status < 0)
			n = mp_err_set(err, MP_E_TIMEOUT, "%s does not end", argv[0]);
		else if (status > 0)
			n = mp_err_set(err, MP_E_INPUT, "%s: %s", argv[0],
				       mp_errtext_clean(&c.errtext));
	}
	mp_child_end(&c);
	*ret_status = status;
	return n < 0 ? -1 : 0;
}

/* ---- as a stream ---- */

struct child_stream {
	struct mp_stream base;
	struct mp_child child;
	struct mp_child_opts opts;
	mp_ms first_deadline;
	bool heard; /* something came */
};

static ssize_t stream_read(struct mp_stream *s, void *buf, size_t size, mp_ms deadline,
			   struct mp_err *err)
{
	struct child_stream *cs = (struct child_stream *)s;
	bool first = !cs->heard && cs->opts.first_ms && cs->first_deadline < deadline;
	ssize_t n = child_read(&cs->child, buf, size, first ? cs->first_deadline : deadline,
			       cs->opts.cancel, err);
	int status;

	if (n > 0)
		cs->heard = true;
	if (n < 0 && first && err && err->code == MP_E_TIMEOUT)
		return mp_err_set(
			err, MP_E_TIMEOUT,
			"ssh did not get through within %lld s; look at the host, its sshd and "
			"the way to it",
			(long long)(cs->opts.first_ms + 999) / 1000);
	if (n != 0)
		return n;
	/* Its last words come with its end. */
	status = cs->child.pid > 0 ? mp_child_reap(&cs->child, mp_now() + END_MOMENT_MS) : -1;
	mp_child_pump(&cs->child);
	if (!cs->heard && cs->opts.explain && status > 0)
		return cs->opts.explain(status, mp_errtext_clean(&cs->child.errtext), err);
	return 0;
}

static int stream_write(struct mp_stream *s, const void *buf, size_t size, mp_ms deadline,
			struct mp_err *err)
{
	struct child_stream *cs = (struct child_stream *)s;
	const char *p = buf;

	while (size) {
		ssize_t n = send(cs->child.fd, p, size, MSG_NOSIGNAL);

		if (n >= 0) {
			p += n;
			size -= (size_t)n;
			continue;
		}
		if (errno == EPIPE || errno == ECONNRESET)
			return mp_err_set(err, MP_E_GONE, "the other end went away");
		if (errno != EAGAIN && errno != EINTR)
			return mp_err_sys(err, errno, "write to child");
		if (child_wait(&cs->child, POLLOUT, deadline, cs->opts.cancel, err) < 0)
			return -1;
	}
	return 0;
}

static const char *stream_errtext(struct mp_stream *s)
{
	struct child_stream *cs = (struct child_stream *)s;

	mp_child_pump(&cs->child);
	return mp_errtext_clean(&cs->child.errtext);
}

static void stream_close(struct mp_stream *s)
{
	struct child_stream *cs = (struct child_stream *)s;

	mp_child_end(&cs->child);
	free(cs);
}

static const struct mp_stream_ops child_ops = {
	.read = stream_read,
	.write = stream_write,
	.errtext = stream_errtext,
	.close = stream_close,
};

int mp_child_stream(const char *const *argv, const struct mp_child_opts *opts,
		    struct mp_stream **ret, struct mp_err *err)
{
	struct child_stream *cs = mp_xcalloc(1, sizeof(*cs));

	if (mp_child_start(argv, &cs->child, err) < 0) {
		free(cs);
		return -1;
	}
	cs->base.ops = &child_ops;
	cs->opts = *opts;
	cs->first_deadline = mp_now() + opts->first_ms;
	*ret = &cs->base;
	return 0;
}
