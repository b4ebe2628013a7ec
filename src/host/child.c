/* SPDX-License-Identifier: GPL-3.0-or-later */
/* child: a function of ours in a forked process, for everything that may hang. */
#include "config.h"
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "host/internal.h"
#include "host/journal.h"

typedef int child_fn(struct mp_sys *, const json_t *, json_t **, struct mp_err *);

/* Runs fn and writes {"value": JSON} or {"error": {...}} to fd. */
__attribute__((noreturn)) static void run_child(struct mp_sys *sys, child_fn *fn,
						const json_t *params, int fd)
{
	mp_auto_free char *text = NULL;
	struct mp_err err = { 0 };
	json_t *value = NULL, *msg;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The agent's own standard streams carry its protocol. */
	dup2(null, 0);
	dup2(null, 1);
	/* The lock and the journal stay with the parent, even if this child is left behind. */
	mp_journal_close(sys->journal);
	sys->journal = NULL;
	if (fn(sys, params, &value, &err) == 0)
		msg = json_pack("{s:o?}", "value", value);
	else
		msg = json_pack("{s:{s:s,s:i,s:s%}}", "error", "code", mp_code_name(err.code),
				"sys", err.sys, "text", err.text, strlen(err.text));
	if (!msg) /* a message cut inside a character is no JSON text */
		msg = json_pack("{s:{s:s,s:s}}", "error", "code", mp_code_name(err.code), "text",
				"a message that is not UTF-8");
	text = msg ? json_dumps(msg, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	_exit(text && mp_fd_write(fd, text, strlen(text)) == 0 ? 0 : 1);
}

/* Reads until the child closes its end; 0, or -1 with *err. */
static int collect(int fd, mp_ms deadline, struct mp_buf *b, struct mp_err *err)
{
	char chunk[65536];

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int left = mp_ms_left(deadline);
		ssize_t n;

		if (!left)
			return mp_err_set(err, MP_E_TIMEOUT, "no answer in time");
		if (poll(&p, 1, left) <= 0)
			continue;
		n = read(fd, chunk, sizeof(chunk));
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return mp_err_sys(err, errno, "read from a child process");
		if (n > 0 && !mp_buf_add(b, chunk, (size_t)n))
			return mp_err_set(err, MP_E_LIMIT, "an answer of more than %zu bytes",
					  b->limit);
	}
}

/* Waits a moment for a process that has been killed or has closed its pipe; else leaves it behind.
 */
static int settle(pid_t pid, mp_ms wait_ms)
{
	mp_ms deadline = mp_now() + wait_ms;
	int status = -1;
	pid_t r;

	while ((r = waitpid(pid, &status, WNOHANG)) == 0 && mp_ms_left(deadline))
		poll(NULL, 0, 2);
	return r == pid ? status : -1;
}

static int unpack(const struct mp_buf *b, int status, json_t **ret, struct mp_err *err)
{
	json_t *msg = json_loadb(mp_buf_peek(b), b->size, JSON_DECODE_ANY, NULL);
	json_t *error = json_object_get(msg, "error"), *value = json_object_get(msg, "value");
	int r = -1;

	if (value) {
		*ret = json_is_null(value) ? NULL : json_incref(value);
		r = 0;
	} else if (error) {
		mp_err_set(err, mp_code_parse(json_string_value(json_object_get(error, "code"))),
			   "%s", json_string_value(json_object_get(error, "text")));
		if (err)
			err->sys = (int)json_integer_value(json_object_get(error, "sys"));
	} else if (status >= 0 && WIFSIGNALED(status)) {
		mp_err_set(err, MP_E_BUG, "the looking process died of signal %d",
			   WTERMSIG(status));
	} else {
		mp_err_set(err, MP_E_BUG, "the looking process ended without an answer");
	}
	json_decref(msg);
	return r;
}

int mp_sys_in_child(struct mp_sys *sys, mp_ms timeout_ms, child_fn *fn, const json_t *params,
		    json_t **ret, struct mp_err *err)
{
	mp_auto_close int in = -1;
	mp_auto_buf struct mp_buf b;
	int p[2], r;
	pid_t pid;

	mp_buf_init(&b, MP_MAX_FRAME_BYTES);
	if (pipe2(p, O_CLOEXEC) < 0)
		return mp_err_sys(err, errno, "make a pipe");
	pid = fork();
	if (pid < 0) {
		mp_err_sys(err, errno, "fork");
		close(p[0]);
		close(p[1]);
		return -1;
	}
	if (pid == 0)
		run_child(sys, fn, params, p[1]);
	close(p[1]);
	in = p[0];
	r = collect(in, mp_now() + timeout_ms, &b, err);
	if (r < 0) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	}
	return r < 0 ? (settle(pid, 500), -1) : unpack(&b, settle(pid, 2000), ret, err);
}
