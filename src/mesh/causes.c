/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "mesh/causes.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "model/world.h"

static const struct mp_mesh_cause ssh_causes[] = {
	{ "refused", "the connection is refused",
	  "Start sshd on the target; if it runs, look which port and address it listens on and "
	  "whether a firewall rejects the connection." },
	{ "timeout", "no answer in time",
	  "Let SSH from the source through the firewalls on the target and in between; on a slow "
	  "target look at sshd's UseDNS and its load." },
	{ "unreachable", "the target is unreachable",
	  "Look at the address that the name gives on the source (getent hosts NAME), at the "
	  "routes, and at firewalls that reject." },
	{ "name", "the name does not resolve on the source",
	  "Put the name into DNS or into /etc/hosts of the source." },
	{ "host-key-unknown", "the target's host key is not in known_hosts under that name",
	  "Run migprep apply: it writes known_hosts from the host keys that each host itself "
	  "holds." },
	{ "host-key-changed", "the host key differs from the one in known_hosts",
	  "Find out which machine answers under that name: a wrong address, or a host that was "
	  "reinstalled. If it is the right one, run migprep apply." },
	{ "host-key", "the host key was not accepted",
	  "Log in by hand with ssh -v from the source as that user, and run migprep apply." },
	{ "key-file", "the private key on the source is not usable",
	  "On the source, give the private key to its user with mode 0600; without a passphrase; "
	  "or "
	  "run migprep apply." },
	{ "authentication", "the target does not accept the source's key",
	  "If migprep check finds nothing to do, look at sshd_config of the target: "
	  "AuthorizedKeysFile, AllowUsers, PermitRootLogin; and at options such as from= in "
	  "authorized_keys. Otherwise run migprep apply, which puts the source's key there." },
	{ "account", "the account may not log in on the target",
	  "Look at the account on the target: expired, locked or password to be changed (chage "
	  "-l), "
	  "or the host is still booting (/run/nologin)." },
	{ "shell", "the login shell on the target does not run commands",
	  "Give the user a real login shell on the target: migprep apply sets the one of the "
	  "profile. If it has one, look for command= in authorized_keys and ForceCommand in "
	  "sshd_config." },
	{ "forced-command", "the login succeeds, but the target does not run what it is asked to",
	  "On the target, remove command= from the line of the key in authorized_keys, and "
	  "ForceCommand from sshd_config; if there is neither, give the user a real login "
	  "shell." },
	{ "noise", "the login prints text of its own, which breaks the protocol of libvirt",
	  "Silence ~/.bashrc, ~/.profile and /etc/profile.d on the target for shells that are not "
	  "interactive." },
	{ "closed", "sshd closes the connection",
	  "Read the target's sshd log: MaxStartups, hosts.deny, a missing host key, a broken "
	  "sshd_config, or an account that PAM turns away." },
	{ "algorithm", "the two sides have no algorithm in common",
	  "Compare ssh -Q and sshd -T of the two hosts; older RSA-only keys want a new key pair." },
	{ "config", "the SSH configuration of the source does not load",
	  "Mend the file that the text names (syntax, owner, mode) on the source." },
	{ "no-user", "the user does not exist on the source",
	  "Create the user on the source with the same uid and gid as on the other hosts." },
	{ "no-ssh", "ssh could not be started on the source",
	  "Install the OpenSSH client on the source." },
	{ "missing", "the source gave no result", "Run migprep mesh again." },
	{ "other", "the login failed",
	  "Read the text of the trial in the JSON report, or log in by hand with ssh -v from the "
	  "source as that user." },
};

static const struct mp_mesh_cause tcp_causes[] = {
	{ "refused", "the connection is refused although a listener was open",
	  "Look for a firewall that rejects the port range, on the target and in between; migprep "
	  "apply opens it on the target." },
	{ "timeout", "no answer in time",
	  "A firewall drops the port range: run migprep apply for the target's own, and open the "
	  "range on the firewalls in between." },
	{ "unreachable", "the migration address is unreachable",
	  "Look at the migration address of the target in the inventory, at the routes between the "
	  "hosts, and at firewalls that reject." },
	{ "closed", "the connection was closed without an answer",
	  "Look for a proxy or firewall that takes the connection in place of the target." },
	{ "wrong-answer", "another program answers at that address",
	  "Look for a duplicate IP address, a proxy or address translation between the two "
	  "hosts." },
	{ "missing", "the source gave no result", "Run migprep mesh again." },
	{ "other", "the connection failed",
	  "Read the text of the trial in the JSON report and try the connection by hand." },
};

/*
 * What OpenSSH's client prints (sshconnect.c, sshconnect2.c, readconf.c, packet.c of 7.x to 9.x;
 * LC_ALL=C, so that the texts of strerror and getaddrinfo are the plain ones). The first row whose
 * two texts occur in one line decides (the banner of the target stands in others): a changed key
 * also says "Host key verification failed", so the order matters.
 */
static const struct {
	const char *a, *b, *word;
} needles[] = {
	{ "Could not resolve hostname", "", "name" },
	{ "connect to ", "Connection refused", "refused" },
	{ "connect to ", "timed out", "timeout" },
	{ "connect to ", "No route to host", "unreachable" },
	{ "connect to ", "Network is unreachable", "unreachable" },
	{ "connect to ", "Host is down", "unreachable" },
	{ "connect to ", "Permission denied", "unreachable" },
	{ "connect to ", "Operation not permitted", "unreachable" },
	{ "Connection ", "timed out", "timeout" },
	{ "REMOTE HOST IDENTIFICATION HAS CHANGED", "", "host-key-changed" },
	{ "host key is known for", "", "host-key-unknown" },
	{ "marked as revoked", "", "host-key" },
	{ "Host key verification failed", "", "host-key" },
	{ "UNPROTECTED PRIVATE KEY FILE", "", "key-file" },
	{ "Load key ", "Permission denied", "key-file" },
	{ "Load key ", "invalid format", "key-file" },
	{ "Load key ", "error in libcrypto", "key-file" },
	{ "Your account has expired", "", "account" },
	{ "password has expired", "", "account" },
	{ "not permitted to log in", "", "account" }, /* pam_nologin, as systemd words it */
	{ "Unable to negotiate with", "", "algorithm" },
	{ "no matching ", " found", "algorithm" },
	{ "Permission denied (", "", "authentication" },
	{ "Too many authentication failures", "", "authentication" },
	{ "Bad owner or permissions on", "", "config" },
	{ "Bad configuration option", "", "config" },
	{ "bad configuration options", "", "config" },
	{ "kex_exchange_identification", "", "closed" },
	{ "Connection closed by", "", "closed" },
	{ "Connection reset by", "", "closed" },
	{ "closed by remote host", "", "closed" },
};

static const struct mp_mesh_cause *find(const struct mp_mesh_cause *table, size_t n,
					const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (mp_str_eq(table[i].word, word))
			return &table[i];
	return &table[n - 1];
}

const struct mp_mesh_cause *mp_mesh_ssh_cause_find(const char *word)
{
	return find(ssh_causes, MP_N_ELEMS(ssh_causes), word);
}

const struct mp_mesh_cause *mp_mesh_tcp_cause_find(const char *word)
{
	return find(tcp_causes, MP_N_ELEMS(tcp_causes), word);
}

/* Both in one line, in that order. */
static bool line_has(const char *text, const char *a, const char *b)
{
	for (const char *at = strstr(text, a); at; at = strstr(at + 1, a)) {
		const char *rest = at + strlen(a), *found = strstr(rest, b);

		if (found && (size_t)(found - rest) <= strcspn(rest, "\n"))
			return true;
	}
	return false;
}

/* ssh itself failed (exit status 255): its own words decide. */
static const char *client_word(const char *text)
{
	for (size_t i = 0; i < MP_N_ELEMS(needles); i++)
		if (line_has(text, needles[i].a, needles[i].b))
			return needles[i].word;
	return "other";
}

/* The login worked, and what ran there failed (session.c of OpenSSH: do_nologin() ends with 254).
 */
static const char *remote_word(long long status, const json_t *trial)
{
	if (status == 254 || strstr(mp_json_str(trial, "err", ""), "Password change required"))
		return "account";
	if (strstr(mp_json_str(trial, "out", ""), "allows sftp connections only"))
		return "forced-command";
	return "shell";
}

/* The command ended well: only its echo tells whether it was ours. */
static const char *echo_word(const char *echo)
{
	if (strcmp(echo, "alone") == 0)
		return NULL;
	return strcmp(echo, "among") == 0 ? "noise" : "forced-command";
}

const struct mp_mesh_cause *mp_mesh_ssh_cause(const json_t *trial)
{
	long long status = mp_json_int(trial, "exit", -1);
	const char *word;

	if (!trial)
		word = "missing";
	else if (mp_json_bool(trial, "no_user", false))
		word = "no-user";
	else if (json_object_get(trial, "error"))
		word = "no-ssh";
	else if (mp_json_bool(trial, "timed_out", false))
		word = "timeout";
	else if (status == 255)
		word = client_word(mp_json_str(trial, "err", ""));
	else if (status < 0)
		word = "missing";
	else if (status > 0)
		word = remote_word(status, trial);
	else
		word = echo_word(mp_json_str(trial, "echo", "none"));
	return word ? mp_mesh_ssh_cause_find(word) : NULL;
}

const struct mp_mesh_cause *mp_mesh_tcp_cause(const json_t *trial)
{
	const char *result = mp_json_str(trial, "result", "missing");

	return strcmp(result, "ok") == 0 ? NULL : mp_mesh_tcp_cause_find(result);
}
