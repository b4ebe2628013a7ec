/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * errors: what is behind the messages of libvirt and QEMU that operators meet. Texts of libvirt 9.0
 * and QEMU 7.2, most of them provoked between two hosts. The first row that matches wins. The raw
 * text is always shown as well.
 */
#include "config.h"
#include "migrate/proof.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

struct row {
	int code, domain;       /* virErrorNumber, virErrorDomain; 0: any */
	const char *text, *too; /* parts of the message; NULL: any */
	bool before_start;
	const char *cause, *remedy; /* {S} and {T}: source and target */
};

static const struct row rows[] = {
	{ 0, 0, "Host key verification failed", NULL, true,
	  "root on {S} does not have {T}'s host key under the name that it dials, or has another "
	  "one",
	  "Run migprep apply, or compare {T}'s host key and put it into root's known_hosts on "
	  "{S}" },
	{ 0, 0, "REMOTE HOST IDENTIFICATION HAS CHANGED", NULL, true,
	  "the host key of {T} is not the one that root on {S} knows",
	  "Find out why the key changed, then run migprep apply" },
	{ 0, 0, "Permission denied (", NULL, true, "{T} does not accept the key of root on {S}",
	  "Run migprep apply, or add root's public key of {S} to root's authorized_keys on {T}" },
	{ 0, 0, "Could not resolve hostname", NULL, true, "{S} cannot resolve the name it dials",
	  "Make the names of the hosts resolve on {S}, by DNS or /etc/hosts" },
	{ 0, 0, "nable to resolve address", NULL, true,
	  "{S} cannot resolve the name that {T}'s libvirt gave for the data",
	  "Make {T}'s own host name resolve on {S}, or set nova.live_migration_inbound_addr = "
	  "host" },
	{ 0, 0, "resolved to localhost", NULL, true, "the host name of {T} is localhost",
	  "Give {T} a host name that its peers can resolve" },
	{ 0, 0, "ssh: connect to host", NULL, true, "{S} gets no SSH connection to {T}",
	  "Run migprep mesh, and let SSH through from {S} to {T}" },
	{ 0, 0, "virt-ssh-helper: cannot connect", NULL, true, "libvirt does not run on {T}",
	  "Start libvirtd (or virtqemud.socket) on {T}" },
	{ 0, 0, "Failed to connect socket to", NULL, true,
	  "libvirt does not run where it was dialled",
	  "Start libvirtd (or virtqemud.socket) there" },
	{ 0, 0, "nc: not found", NULL, true, "{T} has neither virt-ssh-helper nor nc",
	  "Install libvirt's virt-ssh-helper or netcat-openbsd on {T}" },
	{ 0, 0, "onnect", "Connection timed out", false,
	  "packets from {S} to the migration port of {T} are dropped",
	  "Open the migration ports on {T} for {S} (migprep apply), and try them with migprep "
	  "mesh" },
	{ 0, 0, "onnect", "No route to host", false,
	  "a firewall rejects the connection from {S} to {T}, or there is no route",
	  "Open the migration ports on {T} for {S} (migprep apply), and try them with migprep "
	  "mesh" },
	{ 0, 0, "onnect", "Connection refused", false,
	  "nothing accepts on the dialled port of {T}, or a firewall rejects it",
	  "Open the migration ports on {T} for {S} (migprep apply), and look that {T}'s name does "
	  "not "
	  "lead to another host or to a loopback address" },
	{ 81, 0, NULL, NULL, true,
	  "libvirt sees a disk that is not shared, or is cached by the host",
	  "Put the disk on shared storage and use cache=none" },
	{ 0, 0, "migrate guest to the same host", NULL, true,
	  "{S} and {T} have the same host UUID, or the name of {T} leads to {S}",
	  "Give each host its own host_uuid in libvirtd.conf, restart libvirt, and look at "
	  "/etc/hosts" },
	{ 0, 0, "already exists with uuid", NULL, true, "a guest of that name is left over on {T}",
	  "Destroy it on {T}: virsh list --all" },
	{ 91, 0, NULL, NULL, true, "the CPU of {T} lacks what the guest was started with",
	  "Use a CPU model that all hosts have (virsh hypervisor-cpu-baseline)" },
	{ 0, 0, "match specification: missing features", NULL, true,
	  "the CPU of {T} lacks what the guest was started with",
	  "Use a CPU model that all hosts have (virsh hypervisor-cpu-baseline)" },
	{ 0, 0, "not support machine type", NULL, true,
	  "QEMU on {T} does not know the guest's machine type",
	  "Bring QEMU on {T} to the version of {S}" },
	{ 0, 0, "unused port in range", NULL, true, "every migration port of {T} is taken",
	  "See what holds the ports on {T} (ss -tanp), and run migprep apply to reserve them" },
	{ 0, 0, "/etc/pki/qemu", NULL, true, "TLS is asked for, and QEMU has no certificates",
	  "Deploy certificates to /etc/pki/qemu on {S} and {T}, or do not ask for TLS" },
	{ 0, 0, "Cannot read CA certificate", NULL, true,
	  "the connection is to use TLS, and {S} has no CA certificate",
	  "Deploy libvirt's certificates on {S} and {T}, or set nova.live_migration_scheme = ssh" },
	{ 0, 0, "migration only with VIR_MIGRATE_TLS", NULL, true,
	  "{T} insists on TLS for the data",
	  "Deploy certificates and use TLS, or unset migrate_tls_force in {T}'s qemu.conf" },
	{ 0, 0, "Lost connection to destination host", NULL, false,
	  "{T}, its libvirt or the network went away during the move",
	  "See the journal of libvirt on {T}, and the network between {S} and {T}" },
	{ 0, 0, "could not proxy traffic", NULL, false,
	  "the libvirt that migprep talks to on {S} went away during the move",
	  "See the journal of libvirt on {S}" },
	{ 1, 7, "client socket is closed", NULL, false,
	  "the connection of one libvirt to the other broke during the move",
	  "See the journal of libvirt on {T}, and the network between {S} and {T}" },
	{ 0, 0, "Unable to write to socket", NULL, false, "QEMU on {T} ended, or the link broke",
	  "See /var/log/libvirt/qemu on {T}" },
	/* About half of the failures of a destination look like this. */
	{ 0, 0, "End of file while reading data: : Input/output error", NULL, false,
	  "libvirt lost the cause: {T} closed the connection; a closed migration port looks like "
	  "this, "
	  "too",
	  "Try the ports with migprep mesh, and see the journals of sshd and libvirt on {T}" },
};

/* A template with the host names filled in. */
static char *fill(const char *template, const char *source, const char *target)
{
	mp_auto_buf struct mp_buf b = { 0 };

	for (const char *s = template; *s; s++) {
		if (strncmp(s, "{S}", 3) == 0 || strncmp(s, "{T}", 3) == 0) {
			mp_buf_puts(&b, s[1] == 'S' ? source : target);
			s += 2;
		} else {
			mp_buf_add(&b, s, 1);
		}
	}
	return mp_buf_take(&b);
}

static bool matches(const struct row *r, const struct mp_virt_err *e)
{
	return (!r->code || r->code == e->code) && (!r->domain || r->domain == e->domain) &&
	       (!r->text || strstr(e->text, r->text)) && (!r->too || strstr(e->text, r->too));
}

void mp_virt_explain(const struct mp_virt_err *e, const char *source, const char *target,
		     struct mp_virt_cause *ret)
{
	*ret = (struct mp_virt_cause){ 0 };
	for (size_t i = 0; i < MP_N_ELEMS(rows); i++) {
		if (!matches(&rows[i], e))
			continue;
		ret->cause = fill(rows[i].cause, source, target);
		ret->remedy = fill(rows[i].remedy, source, target);
		ret->before_start = rows[i].before_start;
		return;
	}
}

void mp_virt_cause_fini(struct mp_virt_cause *c)
{
	free(c->cause);
	free(c->remedy);
	*c = (struct mp_virt_cause){ 0 };
}

char *mp_virt_reason(const char *outer, const struct mp_virt_err *e,
		     const struct mp_virt_cause *cause)
{
	mp_auto_buf struct mp_buf b = { 0 };

	mp_buf_printf(&b, "%s: ", outer);
	/* What a remote end said: no control characters to the operator's terminal. */
	for (const char *s = e->text; *s; s++)
		mp_buf_add(&b, (unsigned char)*s < 0x20 || *s == 0x7f ? " " : s, 1);
	if (cause->cause)
		mp_buf_printf(&b, " (%s)", cause->cause);
	return mp_buf_take(&b);
}
