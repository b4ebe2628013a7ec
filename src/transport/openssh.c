/* SPDX-License-Identifier: GPL-3.0-or-later */
/* openssh: the operator's own ssh(1) carries the stream; for what libssh2 cannot do. */
#include "config.h"
#include "transport/transport.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "transport/child.h"
#include "transport/openssh.h"

int mp_openssh_explain(int status, const char *text, struct mp_err *err)
{
	/* The texts of OpenSSH 7.4 to 9.9: sshconnect.c, sshconnect2.c, packet.c, misc.c. First
	 * match wins. */
	static const struct {
		const char *text;
		enum mp_code code;
		const char *remedy;
	} rows[] = {
		{ "REMOTE HOST IDENTIFICATION HAS CHANGED", MP_E_HOSTKEY,
		  "find out why the host key changed, then correct known_hosts" },
		{ "REVOKED HOST KEY", MP_E_HOSTKEY, "do not connect before this is understood" },
		{ "Host key verification failed", MP_E_HOSTKEY,
		  "verify the host key by a trusted way and add it to known_hosts" },
		{ "host key is known for", MP_E_HOSTKEY,
		  "verify the host key by a trusted way and add it to known_hosts" },
		{ "Permission denied (", MP_E_DENIED,
		  "give that user a key that the host accepts (ssh_key, ssh-agent)" },
		{ "Too many authentication failures", MP_E_DENIED,
		  "name the one key to use with ssh_key in the inventory" },
		{ "Could not resolve hostname", MP_E_UNREACHABLE,
		  "correct the name, or set address in the inventory" },
		{ "Connection refused", MP_E_REFUSED,
		  "start sshd on the host, or correct ssh_port" },
		{ "No route to host", MP_E_UNREACHABLE, "look at routing and firewalls" },
		{ "etwork is unreachable", MP_E_UNREACHABLE, "look at routing and firewalls" },
		{ "timed out", MP_E_TIMEOUT, "look at the host, its firewall and the way to it" },
		{ "Timeout, server", MP_E_TIMEOUT, "look at the host and the way to it" },
		{ "no matching", MP_E_UNSUPPORTED,
		  "allow an algorithm that both sides have in ssh_config" },
		{ "Bad configuration option", MP_E_INPUT,
		  "correct the ssh_config of the operator" },
		{ "terminating, ", MP_E_INPUT, "correct the ssh_config of the operator" },
	};

	if (!text || !*text)
		return mp_err_set(err, MP_E_GONE, "ssh ended with status %d and without a word",
				  status);
	for (size_t i = 0; i < MP_N_ELEMS(rows); i++)
		if (strstr(text, rows[i].text))
			return mp_err_set(err, rows[i].code, "ssh: %.300s; %s", text,
					  rows[i].remedy);
	return mp_err_set(err, MP_E_GONE, "ssh ended with status %d: %.380s", status, text);
}

static int openssh_open(const struct mp_dial *dial, const struct mp_host *host, const char *command,
			struct mp_stream **ret, struct mp_err *err)
{
	/* ConnectTimeout ends with the banner; a server that stalls after it is our business. */
	const struct mp_child_opts opts = { .cancel = dial->cancel,
					    .first_ms = 2 * dial->connect_timeout_ms,
					    .explain = mp_openssh_explain };
	const char *argv[48];
	char timeout[64], port[16];
	size_t n = 0;

	snprintf(timeout, sizeof(timeout), "ConnectTimeout=%lld",
		 (long long)(dial->connect_timeout_ms + 999) / 1000);
	snprintf(port, sizeof(port), "%ld", host->ssh_port);
	argv[n++] = dial->ssh_program ? dial->ssh_program : "ssh";
	if (dial->ssh_config) {
		argv[n++] = "-F";
		argv[n++] = dial->ssh_config;
	}
	argv[n++] = "-T";
	argv[n++] = "-x";
	argv[n++] = "-a";
	argv[n++] = "-oBatchMode=yes";
	argv[n++] = "-oStrictHostKeyChecking=yes";
	argv[n++] = "-oServerAliveInterval=5";
	argv[n++] = "-oServerAliveCountMax=3";
	argv[n++] = "-oClearAllForwardings=yes";
	argv[n++] = "-oRemoteCommand=none";
	argv[n++] = "-oLogLevel=INFO";
	argv[n++] = "-o";
	argv[n++] = timeout;
	if (host->ssh_port) {
		argv[n++] = "-p";
		argv[n++] = port;
	}
	if (host->ssh_user) {
		argv[n++] = "-l";
		argv[n++] = host->ssh_user;
	}
	if (host->ssh_key) {
		argv[n++] = "-oIdentitiesOnly=yes";
		argv[n++] = "-i";
		argv[n++] = host->ssh_key;
	}
	argv[n++] = "--";
	argv[n++] = host->address;
	argv[n++] = command;
	argv[n] = NULL;
	return mp_child_stream(argv, &opts, ret, err);
}

const struct mp_transport mp_transport_openssh = {
	.name = "openssh",
	.open = openssh_open,
};
