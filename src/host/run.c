/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run: programs of the host, without a shell, with a deadline and bounded output. */
#include "config.h"
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "host/internal.h"

#define OUTPUT_LIMIT 65536
#define SEARCH_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

extern char **environ;

/* What the child needs, made before the fork. */
struct start {
	const char *const *argv;
	char **env;
	bool switch_user, outlive;
	struct mp_user user;
	int in, out, errfd, fail; /* descriptors; fail carries errno when exec did not happen */
};

static char **make_env(const struct mp_run_opts *opts, const struct mp_user *user)
{
	size_t n = 0, used = 0;
	char **env;

	while (opts->env && opts->env[n])
		n++;
	env = mp_xcalloc(n + 6, sizeof(*env));
	env[used++] = mp_xstrdup("PATH=" SEARCH_PATH);
	env[used++] = mp_xstrdup("LC_ALL=C");
	env[used++] = mp_xasprintf("HOME=%s", user ? user->home : "/root");
	env[used++] = mp_xasprintf("USER=%s", user ? user->name : "root");
	env[used++] = mp_xasprintf("LOGNAME=%s", user ? user->name : "root");
	for (size_t i = 0; i < n; i++)
		env[used++] = mp_xstrdup(opts->env[i]);
	return env;
}

static void free_env(char **env)
{
	for (size_t i = 0; env && env[i]; i++)
		free(env[i]);
	free(env);
}

__attribute__((noreturn)) static void fail_child(const struct start *s)
{
	int e = errno;

	if (write(s->fail, &e, sizeof(e)) < 0)
		_exit(127);
	_exit(127);
}

static int become(const struct mp_user *u)
{
	if (geteuid() == u->uid && getegid() == u->gid)
		return 0;
	return initgroups(u->name, u->gid) < 0 || setgid(u->gid) < 0 || setuid(u->uid) < 0 ? -1 : 0;
}

__attribute__((noreturn)) static void child(struct start *s)
{
	sigset_t none;

	setpgid(0, 0);
	if (chdir("/") < 0 || (s->switch_user && become(&s->user) < 0))
		fail_child(s);
	/* After the change of user, which clears it. A program does not outlive the agent that
	 * waits. */
	if (!s->outlive)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(s->in, 0) < 0 || dup2(s->out, 1) < 0 || dup2(s->errfd, 2) < 0 ||
	    dup3(s->fail, 3, O_CLOEXEC) < 0)
		fail_child(s);
	s->fail = 3;
	close_range(4, ~0U, 0);
	signal(SIGPIPE, s->outlive ? SIG_IGN : SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	environ = s->env;
	execvp(s->argv[0], (char *const *)s->argv);
	fail_child(s);
}

/* A descriptor above 3, so that the child can lay 0 to 3 out freely. */
static int lift(int fd)
{
	int r = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 4);

	if (fd >= 0)
		close(fd);
	return r;
}

/* Input lies in memory, whole: nothing can block on it, and /dev/stdin can be opened again. */
static int input_fd(const char *input)
{
	int fd;

	if (!input)
		return lift(open("/dev/null", O_RDONLY | O_CLOEXEC));
	fd = lift(memfd_create("input", MFD_CLOEXEC));
	if (fd < 0)
		return -1;
	if (mp_fd_write(fd, input, strlen(input)) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
	    fchmod(fd, 0444) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int pipe_above(int p[2])
{
	int raw[2];

	if (pipe2(raw, O_CLOEXEC) < 0)
		return -1;
	p[0] = lift(raw[0]);
	p[1] = lift(raw[1]);
	return p[0] < 0 || p[1] < 0 ? -1 : 0;
}

struct watch {
	pid_t pid;
	int pidfd; /* -1: the kernel has none; then poll in slices */
	struct mp_buf out, errtext;
	int out_fd, err_fd; /* -1: at its end */
	bool exited;
	int wstatus;
};

/* Takes what is there; beyond the limit it is thrown away, so that the program can go on. */
static void drain(int *fd, struct mp_buf *b)
{
	char chunk[16384];
	ssize_t n;

	while (*fd >= 0 && (n = read(*fd, chunk, sizeof(chunk))) != -1) {
		size_t room = b->limit - b->size;

		if (n == 0) {
			close(*fd);
			*fd = -1;
			return;
		}
		mp_buf_add(b, chunk, (size_t)n < room ? (size_t)n : room);
	}
	if (*fd >= 0 && errno != EAGAIN && errno != EINTR) {
		close(*fd);
		*fd = -1;
	}
}

static bool reap(struct watch *w, int flags)
{
	pid_t r;

	do {
		r = waitpid(w->pid, &w->wstatus, flags);
	} while (r < 0 && errno == EINTR);
	if (r == w->pid || r < 0)
		w->exited = true;
	return w->exited;
}

/*
 * Until the program itself has ended: a daemon that it left behind may keep the pipes open for
 * ever. False at the deadline.
 */
static bool attend(struct watch *w, mp_ms deadline)
{
	while (!w->exited) {
		struct pollfd p[3] = { { .fd = w->out_fd, .events = POLLIN },
				       { .fd = w->err_fd, .events = POLLIN },
				       { .fd = w->pidfd, .events = POLLIN } };
		int left = mp_ms_left(deadline);

		if (!left)
			return false;
		if (w->pidfd < 0 && left > 20)
			left = 20;
		poll(p, 3, left);
		drain(&w->out_fd, &w->out);
		drain(&w->err_fd, &w->errtext);
		reap(w, WNOHANG);
	}
	drain(&w->out_fd, &w->out);
	drain(&w->err_fd, &w->errtext);
	return true;
}

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

/* Starts it and waits until it is executing, or learns why it is not. */
static int launch(struct start *s, struct watch *w, struct mp_err *err)
{
	/* in, out r/w, err r/w, fail r/w */
	int fds[7] = { -1, -1, -1, -1, -1, -1, -1 }, e = 0;
	ssize_t n;

	fds[0] = input_fd(NULL);
	if (s->in >= 0) {
		close(fds[0]);
		fds[0] = s->in;
	}
	if (fds[0] < 0 || pipe_above(fds + 1) < 0 || pipe_above(fds + 3) < 0 ||
	    pipe_above(fds + 5) < 0 || (w->pid = fork()) < 0) {
		mp_err_sys(err, errno, "start %s", s->argv[0]);
		close_all(fds, MP_N_ELEMS(fds));
		return -1;
	}
	s->in = fds[0];
	s->out = fds[2];
	s->errfd = fds[4];
	s->fail = fds[6];
	if (w->pid == 0)
		child(s);
	setpgid(w->pid, w->pid);
	w->out_fd = fds[1];
	w->err_fd = fds[3];
	fds[1] = fds[3] = -1;
	close_all(fds, 5);
	close(fds[6]);
	do {
		n = read(fds[5], &e, sizeof(e));
	} while (n < 0 && errno == EINTR);
	close(fds[5]);
	if (n != sizeof(e))
		return 0;
	reap(w, 0);
	return mp_err_sys(err, e, "run %s", s->argv[0]);
}

static void watch_fini(struct watch *w)
{
	if (w->pidfd >= 0)
		close(w->pidfd);
	if (w->out_fd >= 0)
		close(w->out_fd);
	if (w->err_fd >= 0)
		close(w->err_fd);
	mp_buf_fini(&w->out);
	mp_buf_fini(&w->errtext);
}

static int run_start(struct start *s, mp_ms timeout_ms, struct mp_run_result *ret,
		     struct mp_err *err)
{
	struct watch w = { .pidfd = -1, .out_fd = -1, .err_fd = -1 };
	mp_ms deadline = mp_now() + timeout_ms;

	mp_buf_init(&w.out, OUTPUT_LIMIT);
	mp_buf_init(&w.errtext, OUTPUT_LIMIT);
	if (launch(s, &w, err) < 0) {
		watch_fini(&w);
		return -1;
	}
	fcntl(w.out_fd, F_SETFL, O_NONBLOCK);
	fcntl(w.err_fd, F_SETFL, O_NONBLOCK);
	w.pidfd = (int)syscall(SYS_pidfd_open, w.pid, 0);
	*ret = (struct mp_run_result){ 0 };
	if (!attend(&w, deadline)) {
		ret->timed_out = true;
		kill(-w.pid, SIGKILL);
		kill(w.pid, SIGKILL);
		/* What cannot die (a dead NFS server) is left behind rather than waited for. */
		attend(&w, mp_now() + 1000);
	}
	ret->status = !w.exited                ? 128 + SIGKILL
		      : WIFSIGNALED(w.wstatus) ? 128 + WTERMSIG(w.wstatus)
					       : WEXITSTATUS(w.wstatus);
	ret->out = mp_buf_take(&w.out);
	ret->errtext = mp_buf_take(&w.errtext);
	watch_fini(&w);
	return 0;
}

int mp_sys_run(struct mp_sys *sys, const char *const *argv, const struct mp_run_opts *opts,
	       struct mp_run_result *ret, struct mp_err *err)
{
	struct start s = { .argv = argv, .outlive = opts->outlive, .in = -1 };
	bool exists = true;
	int r;

	if (!sys->real)
		return mp_err_set(err, MP_E_UNSUPPORTED,
				  "run %s: no programs run below a pretended root", argv[0]);
	if (opts->user) {
		if (mp_sys_user(sys, opts->user, &exists, &s.user, err) < 0)
			return -1;
		if (!exists)
			return mp_err_set(err, MP_E_INPUT, "run %s: there is no user %s", argv[0],
					  opts->user);
		s.switch_user = true;
	}
	if (opts->input && (s.in = input_fd(opts->input)) < 0)
		return mp_err_sys(err, errno, "pass input to %s", argv[0]);
	s.env = make_env(opts, opts->user ? &s.user : NULL);
	r = run_start(&s, opts->timeout_ms, ret, err);
	free_env(s.env);
	return r;
}

void mp_run_result_fini(struct mp_run_result *r)
{
	free(r->out);
	free(r->errtext);
	*r = (struct mp_run_result){ 0 };
}
