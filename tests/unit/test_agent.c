/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_agent: the agent as a process, whose controller goes away or forgets it. */
#include "config.h"

#include "fake-root.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/wire.h"

#define NONCE "00112233445566778899aabbccddeeff"

/* Starts it below the root with the frame of a request in its input already. Steals request. */
static pid_t start(const struct env *e, json_t *request, int *ret_fd, int *ret_stderr)
{
	const char *build = getenv("BUILDDIR");
	mp_auto_free char *agent = mp_xasprintf("%s/migprep-agent", build ? build : ".");
	mp_auto_buf struct mp_buf frame;
	struct mp_err err = { 0 };
	int pair[2], p[2], size = 4 << 20;
	pid_t pid;

	mp_buf_init(&frame, 0);
	assert_int_equal(mp_wire_encode(request, &frame, &err), 0);
	json_decref(request);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pair[1], 0);
		dup2(pair[1], 1);
		dup2(p[1], 2);
		close(pair[0]);
		execl(agent, "migprep-agent", "--root", e->root, "--greet", NONCE, NULL);
		_exit(127);
	}
	close(pair[1]);
	close(p[1]);
	for (size_t done = 0; done < frame.size;) {
		ssize_t n = write(pair[0], frame.data + done, frame.size - done);

		assert_true(n > 0);
		done += (size_t)n;
	}
	*ret_fd = pair[0];
	*ret_stderr = p[0];
	return pid;
}

/* Everything until the end; closes fd. */
static char *read_all(int fd)
{
	mp_auto_buf struct mp_buf b;
	char chunk[4096];
	ssize_t n;

	mp_buf_init(&b, 0);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		mp_buf_add(&b, chunk, (size_t)n);
	close(fd);
	for (size_t i = 0; i < b.size; i++)
		if (!b.data[i])
			b.data[i] = ' ';
	return mp_buf_take(&b);
}

static json_t *two_steps(void)
{
	return json_pack("{s:s,s:{s:[{s:s,s:n,s:{}},{s:s,s:n,s:{}}]}}", "verb", "apply", "body",
			 "steps", "id", "no-such-one", "params", "want", "id", "no-such-two",
			 "params", "want");
}

static void expect_end(struct env *e, json_t *request, const char *never)
{
	mp_auto_free char *said = NULL, *errors = NULL;
	int fd, errfd, status;
	pid_t pid;

	/* Stopped until its controller is gone. */
	request = json_incref(request);
	pid = start(e, request, &fd, &errfd);
	shutdown(fd, SHUT_WR);
	said = read_all(fd);
	errors = read_all(errfd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_non_null(strstr(said, NONCE));
	if (strstr(said, never))
		fail_msg("it went on: %s", said);
}

static void begins_nothing_when_the_controller_is_gone(void **state)
{
	json_t *apply = two_steps();
	json_t *look = json_pack("{s:s,s:{s:{s:n},s:{s:n}}}", "verb", "observe", "body",
				 "resources", "reserved-ports", "samples", "identity");

	expect_end(*state, apply, "no-such");
	expect_end(*state, look, "facts");
	json_decref(apply);
	json_decref(look);
}

/* A known_hosts file with so many hashed lines, and so many names to try, that it takes minutes. */
static json_t *endless_look(struct env *e)
{
	json_t *names = json_array();

	run("mkdir -m 700 %s/root/.ssh && i=0; while [ $i -lt 4000 ]; do "
	    "echo '|1|AAAAAAAAAAAAAAAAAAAAAAAAAAA=|AAAAAAAAAAAAAAAAAAAAAAAAAAA= " K1 "'; "
	    "i=$((i + 1)); done >%s/root/.ssh/known_hosts",
	    e->root, e->root);
	for (int i = 0; i < 50000; i++)
		json_array_append_new(names, json_sprintf("compute%d", i));
	return json_pack("{s:s,s:i,s:{s:{s:{s:[s],s:o}}}}", "verb", "observe", "deadline_ms", 500,
			 "body", "resources", "ssh-known-hosts", "users", "root", "names", names);
}

static void ends_when_its_time_is_over(void **state)
{
	struct env *e = *state;
	mp_auto_free char *said = NULL, *errors = NULL;
	int fd, errfd, status;
	pid_t pid = start(e, endless_look(e), &fd, &errfd);

	said = read_all(fd);
	errors = read_all(errfd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_non_null(strstr(errors, "not done in the time that migprep gave"));
	assert_null(strstr(said, "facts"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(begins_nothing_when_the_controller_is_gone),
		T(ends_when_its_time_is_over),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
