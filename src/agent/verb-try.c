/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * verb try: this host tries its peers: a login by this host's own ssh as each user under each name,
 * and a connection to each port of the peer's listener. What was seen is reported as it was; the
 * controller judges. Two peers at a time, each in a process of its own.
 *
 *   {"peers": [{"peer", "names", "address", "ports", "nonce", "ssh_port"}], "users", "timeout_ms",
 * "budget_ms"} event per peer {"peer", "ssh": [{"user", "name", "exit", "echo", "out", "err",
 * "timed_out", "ms"}], "tcp": [{"port", "result", "text", "ms"}]} or, when the budget is spent,
 * {"peer", "untried": true}; reply
 * {"peers": N}
 *
 * A login runs "echo WORD", with a new random word each time, so that neither a forced command nor
 * a shell that does nothing looks like a success. "echo" is "alone" when standard output was that
 * line and nothing else, "among" when other text came with it, "none" when it did not come; "out"
 * is the other text.
 */
#include "config.h"
#include "agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/mesh-line.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "model/world.h"

#define WORKERS 2
#define MAX_TEXT 1000         /* bytes reported of one output of ssh */
#define WORD_SIZE 33          /* hexadecimal digits of 16 bytes, and NUL */
#define MAX_REPORT (1u << 20) /* one report on its way from a worker */
#define MAX_USERS 8
#define MAX_NAMES 64
#define MAX_PORTS 2

struct job {
	struct mp_sys *sys;
	const json_t *peers, *users;
	mp_ms timeout_ms, deadline;
};

/* ---- one login ---- */

/* JSON wants UTF-8; of what ssh prints, only plain text matters. ssh ends its lines with CR LF. */
static json_t *plain_head(const char *s)
{
	mp_auto_free char *t = mp_xstrndup(s ? s : "", MAX_TEXT);
	size_t n = 0;

	for (const char *p = t; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c != '\r')
			t[n++] = c >= 0x7f || (c < 0x20 && c != '\n') ? '?' : *p;
	}
	t[n] = '\0';
	return json_string(t);
}

/* ssh says at the end why it gave up; before it may come the banner of the target, of any length.
 */
static json_t *plain_tail(const char *s)
{
	size_t size = s ? strlen(s) : 0;

	return plain_head(size > MAX_TEXT ? s + size - MAX_TEXT : s);
}

static int make_word(char ret[static WORD_SIZE], struct mp_err *err)
{
	unsigned char raw[(WORD_SIZE - 1) / 2];

	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		return mp_err_set(err, MP_E_SYS, "getrandom gave nothing");
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(ret + 2 * i, 3, "%02x", raw[i]);
	return 0;
}

/* How the word came back; takes it out of the text. */
static const char *take_echo(char *out, const char *word)
{
	char *at = out ? strstr(out, word) : NULL, *rest;
	bool alone;

	if (!at)
		return "none";
	rest = at + strlen(word);
	alone = at == out && strcmp(rest, "\n") == 0;
	rest += *rest == '\n';
	memmove(at, rest, strlen(rest) + 1);
	return alone ? "alone" : "among";
}

static int run_ssh(const struct job *job, const json_t *peer, const char *user, const char *name,
		   const char *word, struct mp_run_result *ret, struct mp_err *err)
{
	long long port = mp_json_int(peer, "ssh_port", 0);
	mp_auto_free char *timeout =
		mp_xasprintf("ConnectTimeout=%lld", (long long)(job->timeout_ms + 999) / 1000);
	mp_auto_free char *port_text = mp_xasprintf("Port=%lld", port);
	mp_auto_free char *target = mp_xasprintf("%s@%s", user, name);
	/* INFO: with less, ssh keeps to itself why the target closed the connection. */
	const char *argv[] = { "ssh",  "-T",
			       "-o",   "BatchMode=yes",
			       "-o",   "StrictHostKeyChecking=yes",
			       "-o",   "PasswordAuthentication=no",
			       "-o",   "KbdInteractiveAuthentication=no",
			       "-o",   "NumberOfPasswordPrompts=0",
			       "-o",   "UpdateHostKeys=no",
			       "-o",   "ControlMaster=no",
			       "-o",   "ControlPath=none",
			       "-o",   "ClearAllForwardings=yes",
			       "-o",   "ForwardAgent=no",
			       "-o",   "ConnectionAttempts=1",
			       "-o",   "LogLevel=INFO",
			       "-o",   timeout,
			       "-o",   port > 0 ? port_text : timeout,
			       "--",   target,
			       "echo", word,
			       NULL };
	struct mp_run_opts opts = { .user = user, .timeout_ms = 3 * job->timeout_ms };

	return mp_sys_run(job->sys, argv, &opts, ret, err);
}

/* sshd drops connections at random when too many arrive at once (MaxStartups): that is our doing.
 */
static bool was_dropped(const struct mp_run_result *r)
{
	return r->status == 255 && r->errtext &&
	       (strstr(r->errtext, "kex_exchange_identification") ||
		strstr(r->errtext, "Connection closed by") ||
		strstr(r->errtext, "Connection reset by"));
}

static void pause_a_moment(void)
{
	unsigned short r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) < 0)
		r = 0;
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 + (long)r % 700 * 1000000 }, NULL);
}

/* ... so that is tried once more. */
static int run_ssh_twice(const struct job *job, const json_t *peer, const char *user,
			 const char *name, const char *word, mp_ms *begin,
			 struct mp_run_result *ret, struct mp_err *err)
{
	*begin = mp_now();
	if (run_ssh(job, peer, user, name, word, ret, err) < 0)
		return -1;
	if (!was_dropped(ret))
		return 0;
	mp_run_result_fini(ret);
	*ret = (struct mp_run_result){ 0 };
	pause_a_moment();
	*begin = mp_now();
	return run_ssh(job, peer, user, name, word, ret, err);
}

static json_t *try_login(const struct job *job, const json_t *peer, const char *user,
			 const char *name)
{
	struct mp_run_result r = { 0 };
	char word[WORD_SIZE];
	struct mp_user who;
	struct mp_err err = { 0 };
	const char *echo;
	bool exists = false;
	mp_ms begin;
	json_t *v;

	if (mp_sys_user(job->sys, user, &exists, &who, &err) == 0 && !exists)
		return json_pack("{s:s,s:s,s:b}", "user", user, "name", name, "no_user", 1);
	if (err.code != MP_E_NONE || make_word(word, &err) < 0 ||
	    run_ssh_twice(job, peer, user, name, word, &begin, &r, &err) < 0)
		return json_pack("{s:s,s:s,s:o}", "user", user, "name", name, "error",
				 plain_head(err.text));
	echo = take_echo(r.out, word);
	v = json_pack("{s:s,s:s,s:i,s:s,s:o,s:o,s:b,s:I}", "user", user, "name", name, "exit",
		      r.status, "echo", echo, "out", plain_head(r.out), "err",
		      plain_tail(r.errtext), "timed_out", r.timed_out, "ms",
		      (json_int_t)(mp_now() - begin));
	mp_run_result_fini(&r);
	return v;
}

/* As ssh words it, in one line: the banner of a target that answers may speak of time, too. */
static bool timed_out(const json_t *login)
{
	const char *at = mp_json_str(login, "err", "");

	if (mp_json_bool(login, "timed_out", false))
		return true;
	while (mp_json_int(login, "exit", 0) == 255 && (at = strstr(at, "Connection "))) {
		const char *end = strstr(at, "timed out");

		if (end && !memchr(at, '\n', (size_t)(end - at)))
			return true;
		at++;
	}
	return false;
}

/* A name that gave no answer to one user gives none to the next; that is not waited for again. */
static json_t *try_logins(const struct job *job, const json_t *peer)
{
	const json_t *names = json_object_get(peer, "names"), *user, *name;
	const json_t *silent[MAX_NAMES] = { 0 };
	json_t *all = json_array();
	size_t u, i;

	json_array_foreach(job->users, u, user)
	{
		json_array_foreach(names, i, name)
		{
			json_t *v;

			if (i < MAX_NAMES && silent[i]) {
				v = json_copy((json_t *)(uintptr_t)silent[i]);
				json_object_set(v, "user", (json_t *)(uintptr_t)user);
				json_object_set_new(v, "ms", json_integer(0));
			} else {
				v = try_login(job, peer, json_string_value(user),
					      json_string_value(name));
				if (i < MAX_NAMES && timed_out(v))
					silent[i] = v;
			}
			json_array_append_new(all, v);
		}
	}
	return all;
}

/* ---- one connection ---- */

static const char *word_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return "refused";
	case ETIMEDOUT:
		return "timeout";
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case EACCES:
	case EPERM:
		return "unreachable";
	case ECONNRESET:
	case EPIPE:
		return "closed";
	default:
		return "other";
	}
}

/* Waits until fd is ready; 0, or an errno (ETIMEDOUT at the deadline). */
static int wait_for(int fd, short events, mp_ms deadline)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int n = poll(&p, 1, mp_ms_left(deadline));

		if (n > 0)
			return 0;
		if (n == 0)
			return ETIMEDOUT;
		if (errno != EINTR)
			return errno;
	}
}

static int connect_to(const struct addrinfo *ai, mp_ms deadline, int *ret)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0;
	socklen_t size = sizeof(error);

	if (fd < 0)
		return errno;
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) < 0)
		error = errno;
	if (error == EINPROGRESS) {
		error = wait_for(fd, POLLOUT, deadline);
		if (error == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
			error = errno;
	}
	if (error)
		close(fd);
	else
		*ret = fd;
	return error;
}

/* Says hello and reads one line. Returns a word: "ok", or what was wrong. */
static const char *greet(int fd, const char *nonce, mp_ms deadline)
{
	mp_auto_free char *want = mp_xasprintf(MP_MESH_ANSWER "%s\n", nonce);
	char line[MP_MESH_LINE + 1];
	size_t n = 0;

	if (send(fd, MP_MESH_HELLO, strlen(MP_MESH_HELLO), MSG_NOSIGNAL) < 0)
		return word_of(errno);
	while (n < MP_MESH_LINE && !memchr(line, '\n', n)) {
		int error = wait_for(fd, POLLIN, deadline);
		ssize_t got = error ? 0 : read(fd, line + n, MP_MESH_LINE - n);

		if (error == ETIMEDOUT)
			return "wrong-answer"; /* something took the connection and is silent */
		if (error || got < 0)
			return word_of(error ? error : errno);
		if (got == 0)
			break;
		n += (size_t)got;
	}
	line[n] = '\0';
	if (n == 0)
		return "closed";
	return strcmp(line, want) == 0 ? "ok" : "wrong-answer";
}

static json_t *try_port(const json_t *peer, long long number, mp_ms patience)
{
	const char *address = mp_json_str(peer, "address", ""), *word = "other";
	mp_auto_free char *port = mp_xasprintf("%lld", number);
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *list = NULL;
	mp_ms begin = mp_now(), deadline;
	const char *text = "";
	int rc = getaddrinfo(address, port, &hints, &list);

	if (rc != 0)
		text = gai_strerror(rc);
	for (const struct addrinfo *ai = list; ai; ai = ai->ai_next) {
		mp_auto_close int fd = -1;
		int error;

		begin = mp_now();
		deadline = begin + patience;
		error = connect_to(ai, deadline, &fd);
		word = error ? word_of(error) : greet(fd, mp_json_str(peer, "nonce", ""), deadline);
		text = error ? strerror(error) : "";
		if (!error)
			break;
	}
	if (list)
		freeaddrinfo(list);
	return json_pack("{s:I,s:s,s:s,s:I}", "port", (json_int_t)number, "result", word, "text",
			 text, "ms", (json_int_t)(mp_now() - begin));
}

/*
 * After one port was waited for in vain, the next gets half the time, so that a fleet behind a
 * closed firewall is through in time: enough for a first packet that was lost (sent again after 1
 * s).
 */
static json_t *try_ports(const struct job *job, const json_t *peer)
{
	json_t *all = json_array(), *port;
	mp_ms patience = job->timeout_ms;
	size_t i;

	json_array_foreach(json_object_get(peer, "ports"), i, port)
	{
		json_t *v = try_port(peer, json_integer_value(port), patience);

		if (strcmp(mp_json_str(v, "result", ""), "timeout") == 0)
			patience = job->timeout_ms / 2;
		json_array_append_new(all, v);
	}
	return all;
}

/* ---- workers ---- */

static json_t *try_peer(const struct job *job, const json_t *peer)
{
	json_t *v = json_pack("{s:I}", "peer", (json_int_t)mp_json_int(peer, "peer", -1));

	if (mp_ms_left(job->deadline) == 0) {
		json_object_set_new(v, "untried", json_true());
		return v;
	}
	json_object_set_new(v, "tcp", try_ports(job, peer));
	json_object_set_new(v, "ssh", try_logins(job, peer));
	return v;
}

static bool write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		size -= (size_t)n;
	}
	return true;
}

/* Takes every WORKERS-th peer, and writes one line of JSON for each. */
static void work(const struct job *job, size_t worker, int fd)
{
	for (size_t i = worker; i < json_array_size(job->peers); i += WORKERS) {
		json_t *report = try_peer(job, json_array_get(job->peers, i));
		mp_auto_free char *line = json_dumps(report, JSON_COMPACT);

		json_decref(report);
		if (!line || !write_all(fd, line, strlen(line)) || !write_all(fd, "\n", 1))
			return;
	}
}

struct worker {
	pid_t pid;
	int fd; /* -1: it has ended */
	struct mp_buf in;
};

static int start_worker(const struct job *job, size_t i, struct worker *ret, struct mp_err *err)
{
	pid_t parent = getpid();
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return mp_err_sys(err, errno, "pipe");
	ret->pid = fork();
	if (ret->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(p[0]);
		if (getppid() == parent)
			work(job, i, p[1]);
		_exit(0);
	}
	close(p[1]);
	if (ret->pid < 0) {
		close(p[0]);
		return mp_err_sys(err, errno, "fork");
	}
	ret->fd = p[0];
	mp_buf_init(&ret->in, MAX_REPORT);
	return 0;
}

/* Sends on what came as whole lines. */
static int forward(struct mp_agent *a, struct worker *w, struct mp_err *err)
{
	const char *newline;

	while (w->in.size && (newline = memchr(w->in.data, '\n', w->in.size))) {
		size_t size = (size_t)(newline - w->in.data);
		json_t *event = json_loadb(w->in.data, size, 0, NULL);

		mp_buf_drop(&w->in, size + 1);
		if (event && mp_agent_event(a, event, err) < 0)
			return -1;
	}
	return 0;
}

static int read_worker(struct mp_agent *a, struct worker *w, struct mp_err *err)
{
	char chunk[8192];
	ssize_t n = read(w->fd, chunk, sizeof(chunk));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		close(w->fd);
		w->fd = -1;
		return 0;
	}
	if (!mp_buf_add(&w->in, chunk, (size_t)n))
		return mp_err_set(err, MP_E_LIMIT, "try: a report is too large");
	return forward(a, w, err);
}

static int collect(struct mp_agent *a, struct worker *w, struct mp_err *err)
{
	for (;;) {
		struct pollfd p[WORKERS];
		bool any = false;

		for (size_t i = 0; i < WORKERS; i++) {
			p[i] = (struct pollfd){ .fd = w[i].fd, .events = POLLIN };
			any |= w[i].fd >= 0;
		}
		if (!any)
			return 0;
		if (poll(p, WORKERS, -1) < 0 && errno != EINTR)
			return mp_err_sys(err, errno, "poll");
		for (size_t i = 0; i < WORKERS; i++)
			if (w[i].fd >= 0 && p[i].revents && read_worker(a, &w[i], err) < 0)
				return -1;
	}
}

static void end_workers(struct worker *w, bool ok)
{
	for (size_t i = 0; i < WORKERS; i++) {
		if (w[i].fd >= 0)
			close(w[i].fd);
		if (w[i].pid > 0 && !ok)
			kill(w[i].pid, SIGKILL);
		while (w[i].pid > 0 && waitpid(w[i].pid, NULL, 0) < 0 && errno == EINTR)
			;
		mp_buf_fini(&w[i].in);
	}
}

static bool all_strings(const json_t *list, size_t max)
{
	size_t i;
	const json_t *v;

	if (!json_is_array(list) || json_array_size(list) > max)
		return false;
	json_array_foreach(list, i, v) if (!json_is_string(v)) return false;
	return true;
}

static bool are_ports(const json_t *list)
{
	size_t i;
	const json_t *v;

	if (!json_is_array(list) || json_array_size(list) > MAX_PORTS)
		return false;
	json_array_foreach(list, i, v) if (json_integer_value(v) < 1 ||
					   json_integer_value(v) > 65535) return false;
	return true;
}

static bool orders_are_sound(const json_t *body)
{
	const json_t *peers = json_object_get(body, "peers"), *peer;
	long long timeout = mp_json_int(body, "timeout_ms", 0);
	size_t i;

	if (!json_is_array(peers) || !all_strings(json_object_get(body, "users"), MAX_USERS) ||
	    timeout < 100 || timeout > 600000 || mp_json_int(body, "budget_ms", 0) < timeout)
		return false;
	json_array_foreach(peers, i, peer)
	{
		if (!all_strings(json_object_get(peer, "names"), MAX_NAMES) ||
		    !are_ports(json_object_get(peer, "ports")))
			return false;
	}
	return true;
}

static int run(struct mp_agent *a, const json_t *body, json_t **ret, struct mp_err *err)
{
	struct job job = { .sys = mp_agent_sys(a),
			   .peers = json_object_get(body, "peers"),
			   .users = json_object_get(body, "users"),
			   .timeout_ms = mp_json_int(body, "timeout_ms", 0),
			   .deadline = mp_now() + mp_json_int(body, "budget_ms", 0) };
	struct worker workers[WORKERS] = { { .fd = -1 }, { .fd = -1 } };
	int rc = 0;

	if (!mp_sys_is_real(job.sys))
		return mp_err_set(err, MP_E_UNSUPPORTED, "try: not below another root");
	if (!orders_are_sound(body))
		return mp_err_set(err, MP_E_PROTO, "try: orders are not sound");
	for (size_t i = 0; i < WORKERS && rc == 0; i++)
		rc = start_worker(&job, i, &workers[i], err);
	if (rc == 0)
		rc = collect(a, workers, err);
	end_workers(workers, rc == 0);
	if (rc == 0)
		*ret = json_pack("{s:I}", "peers", (json_int_t)json_array_size(job.peers));
	return rc;
}

const struct mp_verb mp_verb_try = {
	.name = "try",
	.summary = "tries the peers: logins under every name, and the migration range",
	.run = run,
};
