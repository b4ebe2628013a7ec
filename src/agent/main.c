/* SPDX-License-Identifier: GPL-3.0-or-later */
/* migprep-agent: started by the bootstrap on a host (templates/bootstrap.sh), or by migprep
 * --local. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/alloc.h"

static int usage(FILE *out, int status)
{
	fputs("usage: migprep-agent [--root DIR] [--greet NONCE]\n"
	      "Looks at this host and changes it, as migprep asks on standard input.\n"
	      "  --root DIR     treat DIR as the root of the host (tests)\n"
	      "  --greet NONCE  print the greeting that migprep waits for\n"
	      "  --version      print the version\n",
	      out);
	return status;
}

/*
 * The protocol moves away from descriptors 0 and 1, so that no program that is run and no library
 * that prints can disturb it.
 */
static int claim_channel(int *in, int *out, struct mp_err *err)
{
	mp_auto_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	*in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	*out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (null < 0 || *in < 0 || *out < 0)
		return mp_err_sys(err, errno, "set up standard input and output");
	if (dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return mp_err_sys(err, errno, "set up standard input and output");
	return 0;
}

static void do_nothing(int sig)
{
	(void)sig;
}

static void out_of_time(int sig)
{
	static const char text[] = "migprep-agent: not done in the time that migprep gave\n";

	(void)sig;
	_exit(write(STDERR_FILENO, text, sizeof(text) - 1) < 0 ? 2 : 1);
}

static void set_surroundings(void)
{
	const struct sigaction nothing = { .sa_handler = do_nothing, .sa_flags = SA_RESTART };
	const struct sigaction end = { .sa_handler = out_of_time };
	const struct rlimit none = { 0, 0 };
	sigset_t alarm;

	/* Unlike SIG_IGN, a handler is not inherited by what is run. The end of input tells the
	 * rest. */
	sigaction(SIGPIPE, &nothing, NULL);
	sigaction(SIGHUP, &nothing, NULL);
	sigaction(SIGALRM, &end, NULL);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &alarm, NULL);
	/* Keys pass through this memory. */
	setrlimit(RLIMIT_CORE, &none);
	umask(022);
	if (chdir("/") < 0)
		perror("migprep-agent: chdir /");
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LC_ALL", "C", 1);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "root", required_argument, NULL, 'r' },
		{ "greet", required_argument, NULL, 'g' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *root = "/", *nonce = NULL;
	struct mp_err err = { 0 };
	int in, out, c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'r')
			root = optarg;
		else if (c == 'g')
			nonce = optarg;
		else if (c == 'V')
			return printf("migprep-agent %s\n", PACKAGE_VERSION) < 0;
		else
			return usage(c == 'h' ? stdout : stderr, c == 'h' ? 0 : 1);
	}
	if (optind != argc)
		return usage(stderr, 1);
	if (strcmp(root, "/") == 0 && geteuid() != 0) {
		fputs("migprep-agent: needs root\n", stderr);
		return 1;
	}
	set_surroundings();
	if (claim_channel(&in, &out, &err) < 0 || mp_agent_serve(root, nonce, in, out, &err) < 0) {
		fprintf(stderr, "migprep-agent: %s\n", err.text);
		return 1;
	}
	return 0;
}
