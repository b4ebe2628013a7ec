/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh-proxy: the way through other machines, by a child process with a socket. */
#include "config.h"
#include "transport/ssh-link.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

/* "[user@]host[:port]" or "ssh://...": splits it in place; user and port may become NULL. */
static void split_hop(char *hop, char **user, char **host, char **port)
{
	char *at, *colon;

	*user = *port = NULL;
	if (strncmp(hop, "ssh://", 6) == 0)
		hop += 6;
	at = strrchr(hop, '@');
	if (at) {
		*at = '\0';
		*user = hop;
		hop = at + 1;
	}
	*host = hop;
	if (*hop == '[' && strchr(hop, ']')) {
		char *close = strchr(hop, ']');

		*host = hop + 1;
		*close = '\0';
		if (close[1] == ':')
			*port = close + 2;
		return;
	}
	colon = strchr(hop, ':');
	if (colon && !strchr(colon + 1, ':')) {
		*colon = '\0';
		*port = colon + 1;
	}
}

/* ssh -W through the last hop; the hops before it become that ssh's own -J, as ssh(1) itself does
 * it. */
static int start_jump(struct mp_ssh_link *l, struct mp_err *err)
{
	mp_auto_free char *jump = mp_xstrdup(l->config.proxy_jump);
	mp_auto_free char *forward = mp_xasprintf("[%s]:%ld", l->config.hostname, l->config.port);
	char timeout[48], *last = strrchr(jump, ','), *user, *host, *port;
	const char *argv[32];
	size_t n = 0;

	snprintf(timeout, sizeof(timeout), "-oConnectTimeout=%lld",
		 (long long)(l->dial->connect_timeout_ms + 999) / 1000);
	argv[n++] = l->dial->ssh_program ? l->dial->ssh_program : "ssh";
	if (l->dial->ssh_config) {
		argv[n++] = "-F";
		argv[n++] = l->dial->ssh_config;
	}
	argv[n++] = "-oBatchMode=yes";
	argv[n++] = "-oStrictHostKeyChecking=yes";
	argv[n++] = "-oLogLevel=INFO";
	argv[n++] = "-oServerAliveInterval=5";
	argv[n++] = timeout;
	if (last) {
		*last = '\0';
		argv[n++] = "-J";
		argv[n++] = jump;
	}
	split_hop(last ? last + 1 : jump, &user, &host, &port);
	if (user) {
		argv[n++] = "-l";
		argv[n++] = user;
	}
	if (port) {
		argv[n++] = "-p";
		argv[n++] = port;
	}
	argv[n++] = "-W";
	argv[n++] = forward;
	argv[n++] = "--";
	argv[n++] = host;
	argv[n] = NULL;
	return mp_child_start(argv, &l->proxy, err);
}

static int start_command(struct mp_ssh_link *l, struct mp_err *err)
{
	struct passwd pw, *found = NULL;
	mp_auto_free char *line = NULL, *with_exec = NULL;
	char scratch[4096];
	const char *argv[] = { "/bin/sh", "-c", NULL, NULL };

	getpwuid_r(getuid(), &pw, scratch, sizeof(scratch), &found);
	line = mp_ssh_config_expand(&l->config, l->config.proxy_command,
				    found ? found->pw_dir : "/", found ? found->pw_name : "",
				    l->host->address);
	with_exec = mp_xasprintf("exec %s", line);
	argv[2] = with_exec;
	return mp_child_start(argv, &l->proxy, err);
}

int mp_ssh_proxy_start(struct mp_ssh_link *l, struct mp_err *err)
{
	int rc = l->config.proxy_jump ? start_jump(l, err) : start_command(l, err);

	if (rc < 0)
		return mp_err_wrap(err, "proxy");
	l->proxied = true;
	l->fd = l->proxy.fd;
	return 0;
}
