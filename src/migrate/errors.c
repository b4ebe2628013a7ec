/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * errors: what is behind the messages of libvirt and QEMU that operators meet.
 * Texts of libvirt 9.0 and QEMU 7.2, most of them provoked between two hosts.
 * The first row that matches wins. The raw text is always shown as well.
 */
#include "config.h"
#include "migrate/proof.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

/* Begin: the source checks and dials; prepare: the target starts its QEMU;
 * perform: data moves. */
enum phase { BEGIN, PREPARE, PERFORM, FINISH };
static const char *const phases[] = { "begin", "prepare", "perform", "finish" };
enum side { SOURCE, TARGET, EITHER }; /* where the cause is */
static const char *const sides[] = { "source", "target", "either" };

struct row {
	int code, domain;       /* virErrorNumber, virErrorDomain; 0: any */
	const char *text, *too; /* parts of the message; NULL: any */
	enum phase phase;
	enum side side;
	const char *cause, *remedy; /* {S} and {T}: source and target */
};

static const struct row rows[] = {
	{ 0, 0, "Host key verification failed", NULL, BEGIN, SOURCE,
	  "root on {S} does not have {T}'s host key under the name that it dials, "
	  "or has another "
	  "one",
	  "Run migprep apply, or compare {T}'s host key and put it into root's "
	  "known_hosts on "
	  "{S}" },
	{ 0, 0, "REMOTE HOST IDENTIFICATION HAS CHANGED", NULL, BEGIN, SOURCE,
	  "the host key of {T} is not the one that root on {S} knows",
	  "Find out why the key changed, then run migprep apply" },
	{ 0, 0, "Permission denied (", NULL, BEGIN, TARGET,
	  "{T} does not accept the key of root on {S}",
	  "Run migprep apply, or add root's public key of {S} to root's "
	  "authorized_keys on {T}" },
	{ 0, 0, "Could not resolve hostname", NULL, BEGIN, SOURCE,
	  "{S} cannot resolve the name it dials",
	  "Make the names of the hosts resolve on {S}, by DNS or /etc/hosts" },
	{ 0, 0, "nable to resolve address", NULL, PREPARE, SOURCE,
	  "{S} cannot resolve the name that {T}'s libvirt gave for the data",
	  "Make {T}'s own host name resolve on {S}, or set "
	  "nova.live_migration_inbound_addr = "
	  "host" },
	{ 0, 0, "resolved to localhost", NULL, PREPARE, TARGET, "the host name of {T} is localhost",
	  "Give {T} a host name that its peers can resolve" },
	{ 0, 0, "ssh: connect to host", NULL, BEGIN, TARGET, "{S} gets no SSH connection to {T}",
	  "Run migprep mesh, and let SSH through from {S} to {T}" },
	{ 0, 0, "virt-ssh-helper: cannot connect", "Permission denied", BEGIN, TARGET,
	  "the user that {S} logs in as on {T} may not talk to libvirt",
	  "Add that user to the group libvirt on {T}, or log in as root" },
	{ 0, 0, "virt-ssh-helper: cannot connect", NULL, BEGIN, TARGET,
	  "libvirt does not run on {T}", "Start libvirtd (or virtqemud.socket) on {T}" },
	{ 0, 0, "Failed to connect socket to", NULL, BEGIN, TARGET,
	  "libvirt does not run where it was dialled",
	  "Start libvirtd (or virtqemud.socket) there" },
	{ 0, 0, "nc: not found", NULL, BEGIN, TARGET, "{T} has neither virt-ssh-helper nor nc",
	  "Install libvirt's virt-ssh-helper or netcat-openbsd on {T}" },
	{ 0, 0, ":16509", "Connection refused", BEGIN, TARGET,
	  "{T}'s libvirt does not listen on TCP port 16509",
	  "Use the scheme ssh or tls (nova.live_migration_scheme), or enable "
	  "libvirtd-tcp.socket on {T}" },
	{ 0, 0, ":16514", "Connection refused", BEGIN, TARGET,
	  "{T}'s libvirt does not listen for TLS on port 16514",
	  "Enable libvirtd-tls.socket (or virtproxyd-tls.socket) on {T}" },
	{ 0, 0, "no polkit agent", NULL, BEGIN, TARGET,
	  "the user that {S} logs in as on {T} may not manage libvirt",
	  "Add that user to the group libvirt on {T}, or log in as root" },
	{ 0, 0, "owner does not match the hostname", NULL, BEGIN, TARGET,
	  "{T}'s certificate does not bear the name that {S} dials",
	  "Issue {T}'s certificate anew with that name as SAN, or dial a name that "
	  "is in it" },
	{ 0, 0, "Distinguished Name is not on the list", NULL, BEGIN, TARGET,
	  "{T}'s tls_allowed_dn_list lacks {S}",
	  "Add {S}'s distinguished name to tls_allowed_dn_list in {T}'s "
	  "libvirtd.conf" },
	{ 0, 0, "certificate", "has expired", BEGIN, EITHER,
	  "a certificate of {S} or {T} is past its date, or a clock is wrong",
	  "Renew the certificate that the message names, and compare the clocks of "
	  "{S} and {T}" },
	{ 0, 0, "certificate", "not yet active", BEGIN, EITHER,
	  "a certificate of {S} or {T} is not valid yet, or a clock is wrong",
	  "Compare the clocks of {S} and {T}" },
	{ 0, 0, "verify peer's certificate", NULL, BEGIN, EITHER,
	  "{S} and {T} do not trust the same authority, or the name is not in the "
	  "certificate",
	  "Compare the CA certificates of {S} and {T}, and the names in {T}'s "
	  "certificate with the name that is dialled" },
	{ 0, 0, "Certificate does not match the hostname", NULL, PERFORM, TARGET,
	  "QEMU's certificate on {T} does not bear the name that the data goes to",
	  "Issue /etc/pki/qemu/server-cert.pem on {T} anew with that name as SAN" },
	{ 0, 0, "TLS x509 authz check", NULL, PERFORM, TARGET,
	  "QEMU on {T} does not admit {S}'s certificate",
	  "Correct the authorisation of TLS clients on {T}" },
	{ 0, 0, "TLS channel", NULL, PERFORM, EITHER, "one QEMU refused the other's TLS handshake",
	  "See /var/log/libvirt/qemu on {T}, and look that the certificates in "
	  "/etc/pki/qemu serve client and server" },
	{ 0, 0, "TLS connection was non-properly terminated", NULL, PERFORM, EITHER,
	  "one end refused the other's TLS handshake",
	  "See the logs of libvirt and QEMU on {T}, and look at purpose and dates "
	  "of the certificates" },
	{ 0, 0, "Not a migration stream", NULL, PERFORM, TARGET,
	  "one end speaks TLS and the other does not",
	  "Use the same TLS settings of migration on {S} and {T}" },
	{ 45, 0, NULL, NULL, BEGIN, EITHER, "libvirt did not accept who asked",
	  "Look at the authentication settings (auth_tcp, auth_unix_rw, SASL) in "
	  "libvirtd.conf of {T}" },
	{ 0, 0, "onnect", "Connection timed out", PERFORM, TARGET,
	  "packets from {S} to the migration port of {T} are dropped",
	  "Open the migration ports on {T} for {S} (migprep apply), and try them "
	  "with migprep "
	  "mesh" },
	{ 0, 0, "onnect", "No route to host", PERFORM, TARGET,
	  "a firewall rejects the connection from {S} to {T}, or there is no route",
	  "Open the migration ports on {T} for {S} (migprep apply), and try them "
	  "with migprep "
	  "mesh" },
	{ 0, 0, "onnect", "Connection refused", PERFORM, TARGET,
	  "nothing accepts on the dialled port of {T}, or a firewall rejects it",
	  "Open the migration ports on {T} for {S} (migprep apply), and look that "
	  "{T}'s name does "
	  "not "
	  "lead to another host or to a loopback address" },
	{ 81, 0, "cache other than none", NULL, BEGIN, SOURCE,
	  "a disk is cached by the host, and {T} could read old data",
	  "Use cache=none for the disk" },
	{ 81, 0, NULL, NULL, BEGIN, SOURCE,
	  "libvirt sees a disk that is not shared, or is cached by the host",
	  "Put the disk on shared storage and use cache=none" },
	{ 0, 0, "migrate guest to the same host", NULL, PREPARE, TARGET,
	  "{S} and {T} have the same host UUID, or the name of {T} leads to {S}",
	  "Give each host its own host_uuid in libvirtd.conf, restart libvirt, and "
	  "look at "
	  "/etc/hosts" },
	{ 0, 0, "already exists with uuid", NULL, PREPARE, TARGET,
	  "a guest of that name is left over on {T}", "Destroy it on {T}: virsh list --all" },
	{ 0, 0, "is already defined with uuid", NULL, PREPARE, TARGET,
	  "a guest of that name is defined on {T}",
	  "Undefine it on {T} if it is a leftover: virsh list --all" },
	{ 0, 0, "CPUs are incompatible", NULL, PREPARE, TARGET,
	  "the CPU of {T} lacks what the guest was started with",
	  "Use a CPU model that all hosts have (virsh hypervisor-cpu-baseline)" },
	{ 91, 0, NULL, NULL, PREPARE, TARGET,
	  "the CPU of {T} lacks what the guest was started with",
	  "Use a CPU model that all hosts have (virsh hypervisor-cpu-baseline)" },
	{ 0, 0, "match specification: missing features", NULL, PREPARE, TARGET,
	  "the CPU of {T} lacks what the guest was started with",
	  "Use a CPU model that all hosts have (virsh hypervisor-cpu-baseline)" },
	{ 0, 0, "not support machine type", NULL, PREPARE, TARGET,
	  "QEMU on {T} does not know the guest's machine type",
	  "Bring QEMU on {T} to the version of {S}" },
	{ 0, 0, "Cannot check QEMU binary", NULL, PREPARE, TARGET,
	  "the guest's emulator is not on {T} under that path",
	  "Install QEMU on {T} where it is on {S}" },
	{ 0, 0, "Failed to start QEMU binary", NULL, PREPARE, TARGET, "QEMU on {T} does not start",
	  "Run the binary that the message names on {T}, and see why" },
	{ 0, 0, "Unknown savevm section", NULL, PERFORM, TARGET,
	  "QEMU on {T} does not know the state of a device of the guest",
	  "Compare the QEMU versions of {S} and {T}, and the guest's machine type" },
	{ 0, 0, "error while loading state", NULL, PERFORM, TARGET,
	  "QEMU on {T} does not know the state of a device of the guest",
	  "Compare the QEMU versions of {S} and {T}, and the guest's machine type" },
	{ 0, 0, "load of migration failed", NULL, PERFORM, TARGET,
	  "QEMU on {T} could not load the guest's state",
	  "See /var/log/libvirt/qemu on {T}, and compare the QEMU versions" },
	{ 0, 0, "Cannot access storage file", "Permission denied", PREPARE, TARGET,
	  "QEMU on {T} may not read the disk: owner, root_squash, SELinux or "
	  "AppArmor",
	  "Compare the uid of QEMU's user on {S} and {T}, the export's options, and "
	  "the labels of the file" },
	{ 0, 0, "Cannot access storage file", NULL, PREPARE, TARGET,
	  "the disk is not on {T} under that path",
	  "Mount the shared storage on {T} at the same path, or copy the storage" },
	{ 0, 0, "no storage pool with matching target path", NULL, PREPARE, TARGET,
	  "the disk is to be copied, and {T} has neither image nor storage pool "
	  "there",
	  "Create the image on {T} first, or define a pool for its directory" },
	{ 0, 0, "pre-creation of storage targets", NULL, PREPARE, TARGET,
	  "the image above the backing file is not on {T}", "Create the overlay on {T} first" },
	{ 0, 0, "have different sizes", NULL, PERFORM, TARGET,
	  "the image on {T} has another virtual size",
	  "Create it anew on {T} with exactly the size of the source" },
	{ 0, 0, "No space left on device", NULL, PERFORM, TARGET, "a file system of {T} is full",
	  "Free space on {T}" },
	{ 0, 0, "Failed to get \"write\" lock", NULL, PREPARE, TARGET,
	  "another QEMU has the image open",
	  "See who uses the image, on {S} and {T}, and wait for a copy that still "
	  "runs" },
	{ 0, 0, "Cannot get interface MTU", NULL, PREPARE, TARGET,
	  "a bridge of the guest is missing on {T}",
	  "Create the bridge that the message names on {T}" },
	{ 0, 0, "no network with matching name", NULL, PREPARE, TARGET,
	  "a libvirt network of the guest is missing on {T}",
	  "Define and start the network on {T}" },
	{ 0, 0, "unable to stat:", NULL, PREPARE, TARGET,
	  "a file that the guest is started from is missing on {T}",
	  "Put the file that the message names on {T}, at the same path" },
	{ 0, 0, "hugetlbfs", NULL, PREPARE, TARGET,
	  "the guest uses huge pages, and {T} has none mounted",
	  "Reserve huge pages on {T} and mount hugetlbfs" },
	{ 0, 0, "cannot set up guest memory", NULL, PREPARE, TARGET,
	  "{T} has too little free memory", "Free memory on {T}" },
	{ 0, 0, "marked for auto destroy", NULL, BEGIN, SOURCE,
	  "the guest ends with the connection that started it",
	  "Start it without the flag of auto destroy" },
	{ 0, 0, "cannot migrate domain with", "snapshots", BEGIN, SOURCE,
	  "libvirt does not move snapshots", "Delete the guest's snapshots on {S}" },
	{ 0, 0, "active block job", NULL, BEGIN, SOURCE,
	  "a disk of the guest is being mirrored, committed or backed up",
	  "Wait for the block job on {S}, or end it" },
	{ 0, 0, "cannot migrate a domain with <hostdev", NULL, BEGIN, SOURCE,
	  "the guest holds a device of {S}", "Detach the device before the move" },
	{ 0, 0, "virtiofs device is not supported", NULL, BEGIN, SOURCE,
	  "the guest mounts a directory of {S}", "Detach the file system before the move" },
	{ 0, 0, "'invtsc' CPU feature", NULL, BEGIN, SOURCE,
	  "the guest relies on a clock whose rate {T} may not have",
	  "Give the guest a fixed TSC frequency, or remove invtsc" },
	{ 0, 0, "support huge pages", NULL, PREPARE, TARGET,
	  "the kernel of {T} cannot do post-copy with huge pages",
	  "Upgrade {T}'s kernel, or leave post-copy out" },
	{ 0, 0, "Target page size bigger than host page size", NULL, PREPARE, TARGET,
	  "the page size of {T} does not suit post-copy", "Leave post-copy out" },
	{ 0, 0, "not yet compatible with multifd", NULL, PREPARE, EITHER,
	  "QEMU before 10.1 cannot join post-copy and parallel connections", "Use one of the two" },
	{ 0, 0, "serfaultfd not available", NULL, PREPARE, TARGET,
	  "QEMU on {T} may not handle page faults",
	  "Set vm.unprivileged_userfaultfd = 1 on {T}, in /etc/sysctl.d, too" },
	{ 0, 0, "Postcopy is not supported", NULL, PREPARE, TARGET,
	  "QEMU on {T} may not handle page faults",
	  "Set vm.unprivileged_userfaultfd = 1 on {T}, in /etc/sysctl.d, too" },
	{ 0, 0, "post-copy can only be started while", NULL, PERFORM, SOURCE,
	  "post-copy was asked for before the copy ran, or after it",
	  "Try again while the copy runs" },
	{ 0, 0, "switching to post-copy requires", NULL, PERFORM, SOURCE,
	  "the move was not started with post-copy", "Start it with post-copy" },
	{ 0, 0, "Enable postcopy with migrate_set_capability", NULL, PERFORM, SOURCE,
	  "post-copy was asked for while QEMU was still being set up", "Try again a second later" },
	{ 0, 0, "cannot abort migration in post-copy mode", NULL, FINISH, SOURCE,
	  "the guest runs on {T} already",
	  "Mend the network, and recover the move; destroy the guest on neither "
	  "host" },
	{ 0, 0, "another migration job is already running", NULL, BEGIN, SOURCE,
	  "the guest is being moved already",
	  "Wait for the other move, or abort it: virsh domjobabort" },
	{ 0, 0, "cannot acquire state change lock", NULL, BEGIN, EITHER,
	  "another operation on the guest does not end",
	  "See what holds the guest on {S} and {T}: virsh domjobinfo" },
	{ 0, 0, "requires cookie support", NULL, PREPARE, EITHER,
	  "the lock managers of {S} and {T} do not fit",
	  "Use the same lock_manager in qemu.conf of {S} and {T}" },
	{ 0, 0, "ource host lock driver", NULL, PREPARE, EITHER,
	  "the lock managers of {S} and {T} differ",
	  "Use the same lock_manager in qemu.conf of {S} and {T}" },
	{ 0, 0, "unused port in range", NULL, PREPARE, TARGET,
	  "every migration port of {T} is taken",
	  "See what holds the ports on {T} (ss -tanp), and run migprep apply to "
	  "reserve them" },
	{ 0, 0, "/etc/pki/qemu", NULL, PREPARE, EITHER,
	  "TLS is asked for, and QEMU has no certificates",
	  "Deploy certificates to /etc/pki/qemu on {S} and {T}, or do not ask for "
	  "TLS" },
	{ 0, 0, "Cannot read CA certificate", NULL, BEGIN, SOURCE,
	  "the connection is to use TLS, and {S} has no CA certificate",
	  "Deploy libvirt's certificates on {S} and {T}, or set "
	  "nova.live_migration_scheme = ssh" },
	{ 0, 0, "migration only with VIR_MIGRATE_TLS", NULL, PREPARE, TARGET,
	  "{T} insists on TLS for the data",
	  "Deploy certificates and use TLS, or unset migrate_tls_force in {T}'s "
	  "qemu.conf" },
	{ 0, 0, "Lost connection to destination host", NULL, PERFORM, TARGET,
	  "{T}, its libvirt or the network went away during the move",
	  "See the journal of libvirt on {T}, and the network between {S} and {T}" },
	{ 0, 0, "could not proxy traffic", NULL, PERFORM, SOURCE,
	  "the libvirt that migprep talks to on {S} went away during the move",
	  "See the journal of libvirt on {S}" },
	{ 1, 7, "client socket is closed", NULL, PERFORM, EITHER,
	  "the connection of one libvirt to the other broke during the move",
	  "See the journal of libvirt on {T}, and the network between {S} and {T}" },
	{ 0, 0, "Unable to write to socket", NULL, PERFORM, TARGET,
	  "QEMU on {T} ended, or the link broke", "See /var/log/libvirt/qemu on {T}" },
	{ 78, 0, NULL, NULL, PERFORM, SOURCE, "the move was aborted",
	  "See who aborted it; migprep says when it did so itself" },
	{ 0, 0, "unexpectedly closed the monitor", NULL, PERFORM, TARGET, "QEMU on {T} ended",
	  "See /var/log/libvirt/qemu on {T}" },
	{ 0, 0, "unexpectedly failed", NULL, PERFORM, TARGET,
	  "QEMU on {T} gave up, and did not say why to {S}", "See /var/log/libvirt/qemu on {T}" },
	{ 0, 0, "domain is not running", NULL, PERFORM, SOURCE, "QEMU on {S} ended",
	  "See /var/log/libvirt/qemu on {S}" },
	/* About half of the failures of a destination look like this. */
	{ 0, 0, "End of file while reading data: : Input/output error", NULL, PERFORM, TARGET,
	  "libvirt lost the cause: {T} closed the connection; a closed migration "
	  "port looks like "
	  "this, "
	  "too",
	  "Try the ports with migprep mesh, and see the journals of sshd and "
	  "libvirt on {T}" },
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
	*ret = (struct mp_virt_cause){ .row = -1 };
	for (size_t i = 0; i < MP_N_ELEMS(rows); i++) {
		if (!matches(&rows[i], e))
			continue;
		ret->cause = fill(rows[i].cause, source, target);
		ret->remedy = fill(rows[i].remedy, source, target);
		ret->before_start = rows[i].phase < PERFORM;
		ret->phase = phases[rows[i].phase];
		ret->side = sides[rows[i].side];
		ret->row = (int)i;
		return;
	}
}

size_t mp_virt_n_causes(void)
{
	return MP_N_ELEMS(rows);
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
	/* What a remote end said: no control characters to the operator's terminal.
	 */
	for (const char *s = e->text; *s; s++)
		mp_buf_add(&b, (unsigned char)*s < 0x20 || *s == 0x7f ? " " : s, 1);
	if (cause->cause)
		mp_buf_printf(&b, " (%s)", cause->cause);
	return mp_buf_take(&b);
}
