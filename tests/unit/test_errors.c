/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * errors: the messages of libvirt 9.0 and QEMU 7.2 that operators meet (facts/engine.md 6, most of
 * them provoked between two hosts), each with what is said about it. Every row of the table is the
 * one that explains some message here, so no row is hidden by another.
 */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "migrate/proof.h"

#define NONE NULL, NULL, NULL, NULL

/* Source a, target b. */
static const struct {
	int code, domain;
	const char *text, *cause, *remedy, *phase, *side;
} messages[] = {
	{ 38, 7, "Cannot recv data: Host key verification failed.: Connection reset by peer",
	  "does not have b's host key", "known_hosts", "begin", "source" },
	{ 38, 7, "Cannot recv data: @ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @",
	  "not the one that root on a knows", "why the key changed", "begin", "source" },
	{ 38, 7,
	  "Cannot recv data: nova@b: Permission denied (publickey).: Connection reset by peer",
	  "does not accept the key", "authorized_keys", "begin", "target" },
	{ 38, 7, "Cannot recv data: ssh: Could not resolve hostname b: Name or service not known",
	  "cannot resolve the name it dials", "resolve on a", "begin", "source" },
	{ 38, 7,
	  "Unable to resolve address 'b.lab' service '49152': Temporary failure in name resolution",
	  "that b's libvirt gave", "own host name resolve on a", "prepare", "source" },
	{ 1, 10,
	  "internal error: hostname on destination resolved to localhost, but migration requires "
	  "an FQDN",
	  "is localhost", "host name that its peers", "prepare", "target" },
	{ 38, 7,
	  "Cannot recv data: ssh: connect to host b port 22: Connection refused: Connection reset "
	  "by peer",
	  "no SSH connection to b", "mesh", "begin", "target" },
	{ 38, 7,
	  "End of file while reading data: virt-ssh-helper: cannot connect to "
	  "'/var/run/libvirt/libvirt-sock': Failed to connect socket to "
	  "'/var/run/libvirt/libvirt-sock': No such file or directory: Input/output error",
	  "libvirt does not run on b", "virtqemud.socket", "begin", "target" },
	{ 38, 7,
	  "End of file while reading data: virt-ssh-helper: cannot connect to "
	  "'/var/run/libvirt/libvirt-sock': Failed to connect socket to "
	  "'/var/run/libvirt/libvirt-sock': Permission denied: Input/output error",
	  "may not talk to libvirt", "group libvirt on b", "begin", "target" },
	{ 38, 7,
	  "Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory",
	  "does not run where it was dialled", "libvirtd", "begin", "target" },
	{ 38, 7, "Cannot recv data: sh: 1: nc: not found: Connection reset by peer",
	  "neither virt-ssh-helper nor nc", "netcat-openbsd", "begin", "target" },
	{ 38, 7, "unable to connect to server at 'b:16509': Connection refused", "TCP port 16509",
	  "live_migration_scheme", "begin", "target" },
	{ 38, 7, "unable to connect to server at 'b:16514': Connection refused",
	  "for TLS on port 16514", "libvirtd-tls.socket", "begin", "target" },
	{ 45, 7,
	  "authentication unavailable: no polkit agent available to authenticate action "
	  "'org.libvirt.unix.manage'",
	  "may not manage libvirt", "group libvirt on b", "begin", "target" },
	{ 45, 7, "authentication failed: authentication failed", "did not accept who asked",
	  "auth_tcp", "begin", "either" },
	{ 45, 7,
	  "authentication failed: Certificate [session] owner does not match the hostname b.lab",
	  "name that a dials", "as SAN", "begin", "target" },
	{ 45, 7, "authentication failed: Failed to verify peer's certificate",
	  "do not trust the same authority", "CA certificates", "begin", "either" },
	{ 45, 7,
	  "authentication failed: Client's Distinguished Name is not on the list of allowed "
	  "clients",
	  "tls_allowed_dn_list lacks a", "tls_allowed_dn_list", "begin", "target" },
	{ 1, 7,
	  "internal error: The server certificate /etc/pki/libvirt/servercert.pem has expired",
	  "past its date", "Renew", "begin", "either" },
	{ 1, 7,
	  "internal error: The client certificate /etc/pki/libvirt/clientcert.pem is not yet "
	  "active",
	  "not valid yet", "clocks of a and b", "begin", "either" },
	{ 38, 7, "Cannot read CA certificate '/etc/pki/CA/cacert.pem': No such file or directory",
	  "no CA certificate", "certificates", "begin", "source" },
	{ 38, 7, "unable to connect to server at 'b:49152': Connection timed out", "are dropped",
	  "migration ports", "perform", "target" },
	{ 9, 10,
	  "operation failed: job 'migration out' failed: Failed to connect to 'b:49152': "
	  "Connection refused",
	  "nothing accepts", "migration ports", "perform", "target" },
	{ 38, 7, "unable to connect to server at 'b:49152': No route to host",
	  "rejects the connection", "migration ports", "perform", "target" },
	{ 1, 10, "internal error: Attempt to migrate guest to the same host 4c4c4544",
	  "same host UUID", "host_uuid", "prepare", "target" },
	{ 8, 10, "invalid argument: Attempt to migrate guest to the same host", "leads to a",
	  "host_uuid", "prepare", "target" },
	{ 1, 10,
	  "internal error: unable to execute QEMU command 'object-add': Unable to access "
	  "credentials /etc/pki/qemu/ca-cert.pem: No such file or directory",
	  "no certificates", "/etc/pki/qemu on a and b", "prepare", "either" },
	{ 9, 10,
	  "operation failed: job 'migration out' failed: Certificate does not match the hostname b",
	  "QEMU's certificate on b", "server-cert.pem", "perform", "target" },
	{ 9, 10,
	  "operation failed: job 'migration out' failed: Cannot write to TLS channel: Input/output "
	  "error",
	  "TLS handshake", "client and server", "perform", "either" },
	{ 9, 10,
	  "operation failed: job 'migration out' failed: Cannot read from TLS channel: The TLS "
	  "connection was non-properly terminated.",
	  "TLS handshake", "client and server", "perform", "either" },
	{ 1, 7, "The TLS connection was non-properly terminated.",
	  "refused the other's TLS handshake", "purpose and dates", "perform", "either" },
	{ 1, 10, "internal error: qemu unexpectedly closed the monitor: Not a migration stream",
	  "one end speaks TLS", "same TLS settings", "perform", "target" },
	{ 9, 10, "job 'migration out' failed: TLS x509 authz check for CN=a is denied",
	  "does not admit a's certificate", "authorisation", "perform", "target" },
	{ 55, 10,
	  "Requested operation is not valid: this libvirtd instance allows migration only with "
	  "VIR_MIGRATE_TLS flag",
	  "insists on TLS", "migrate_tls_force", "prepare", "target" },
	{ 9, 31, "operation failed: guest CPU doesn't match specification: missing features: vmx",
	  "CPU of b lacks", "hypervisor-cpu-baseline", "prepare", "target" },
	{ 91, 31,
	  "the CPU is incompatible with host CPU: Host CPU does not provide required features: "
	  "avx512f",
	  "CPU of b lacks", "hypervisor-cpu-baseline", "prepare", "target" },
	{ 9, 31, "CPUs are incompatible", "CPU of b lacks", "hypervisor-cpu-baseline", "prepare",
	  "target" },
	{ 67, 10,
	  "unsupported configuration: Emulator '/usr/bin/qemu-system-x86_64' does not support "
	  "machine type 'pc-i440fx-9.9'",
	  "machine type", "version of a", "prepare", "target" },
	{ 38, 10, "Cannot check QEMU binary /usr/libexec/qemu-kvm: No such file or directory",
	  "emulator is not on b", "Install QEMU", "prepare", "target" },
	{ 1, 10,
	  "internal error: Failed to start QEMU binary /usr/bin/qemu-system-x86_64 for probing: "
	  "exit status 1",
	  "does not start", "Run the binary", "prepare", "target" },
	{ 1, 10,
	  "internal error: qemu unexpectedly closed the monitor: Unknown savevm section or "
	  "instance '0000:00:04.0/virtio-rng' 0",
	  "does not know the state", "QEMU versions", "perform", "target" },
	{ 1, 10, "error while loading state for instance 0x0 of device 'ram'",
	  "does not know the state", "QEMU versions", "perform", "target" },
	{ 1, 10,
	  "internal error: qemu unexpectedly closed the monitor: load of migration failed: Invalid "
	  "argument",
	  "could not load", "log/libvirt/qemu on b", "perform", "target" },
	{ 9, 10, "operation failed: job 'migration out' unexpectedly failed", "gave up",
	  "log/libvirt/qemu on b", "perform", "target" },
	{ 1, 10, "internal error: qemu unexpectedly closed the monitor", "QEMU on b ended",
	  "log/libvirt/qemu on b", "perform", "target" },
	{ 81, 10, "Unsafe migration: Migration without shared storage is unsafe", "not shared",
	  "shared storage", "begin", "source" },
	{ 81, 10,
	  "Unsafe migration: Migration may lead to data corruption if disks use cache other than "
	  "none or directsync",
	  "cached by the host", "cache=none", "begin", "source" },
	{ 38, 18, "Cannot access storage file '/p/d.img': No such file or directory",
	  "not on b under that path", "same path", "prepare", "target" },
	{ 38, 18,
	  "Cannot access storage file '/p/d.img' (as uid:64055, gid:64055): Permission denied",
	  "may not read", "uid of QEMU's user", "prepare", "target" },
	{ 49, 18, "Storage pool not found: no storage pool with matching target path '/p'",
	  "neither image nor storage pool", "define a pool", "prepare", "target" },
	{ 84, 10,
	  "Operation not supported: pre-creation of storage targets for incremental storage "
	  "migration is not supported",
	  "above the backing file", "overlay on b", "prepare", "target" },
	{ 9, 10,
	  "operation failed: migration of disk vda failed: Source and target image have different "
	  "sizes",
	  "another virtual size", "exactly the size", "perform", "target" },
	{ 9, 10, "operation failed: migration of disk vda failed: No space left on device",
	  "is full", "Free space on b", "perform", "target" },
	{ 1, 10,
	  "internal error: process exited while connecting to monitor: Failed to get \"write\" "
	  "lock",
	  "has the image open", "who uses the image", "prepare", "target" },
	{ 38, 0, "Cannot get interface MTU on 'brx': No such device",
	  "bridge of the guest is missing", "bridge", "prepare", "target" },
	{ 43, 19, "Network not found: no network with matching name 'x'",
	  "network of the guest is missing", "start the network on b", "prepare", "target" },
	{ 38, 24, "unable to stat: /path/k: No such file or directory", "started from is missing",
	  "on b, at the same path", "prepare", "target" },
	{ 1, 10,
	  "internal error: hugetlbfs filesystem is not mounted or disabled by administrator config",
	  "huge pages", "mount hugetlbfs", "prepare", "target" },
	{ 1, 10, "internal error: Unable to find any usable hugetlbfs mount for 2048 KiB",
	  "huge pages", "mount hugetlbfs", "prepare", "target" },
	{ 1, 10,
	  "internal error: process exited while connecting to monitor: cannot set up guest memory "
	  "'pc.ram': Cannot allocate memory",
	  "too little free memory", "Free memory on b", "prepare", "target" },
	{ 1, 10, "internal error: Unable to find an unused port in range 'migration' (49152-49215)",
	  "every migration port of b is taken", "reserve", "prepare", "target" },
	{ 9, 20, "operation failed: domain 'x' already exists with uuid 1", "left over on b",
	  "virsh list --all", "prepare", "target" },
	{ 9, 20, "operation failed: domain 'y' is already defined with uuid 1", "is defined on b",
	  "Undefine", "prepare", "target" },
	{ 55, 10, "Requested operation is not valid: domain is marked for auto destroy",
	  "ends with the connection", "auto destroy", "begin", "source" },
	{ 55, 10, "Requested operation is not valid: cannot migrate domain with 2 snapshots",
	  "does not move snapshots", "snapshots on a", "begin", "source" },
	{ 55, 10, "Requested operation is not valid: domain has active block job", "mirrored",
	  "block job on a", "begin", "source" },
	{ 55, 10,
	  "Requested operation is not valid: cannot migrate a domain with <hostdev "
	  "mode='subsystem' type='pci'>",
	  "holds a device of a", "Detach", "begin", "source" },
	{ 55, 10, "migration with virtiofs device is not supported", "mounts a directory of a",
	  "Detach", "begin", "source" },
	{ 55, 10,
	  "Requested operation is not valid: domain has 'invtsc' CPU feature but TSC frequency is "
	  "not specified",
	  "relies on a clock", "TSC frequency", "begin", "source" },
	{ 1, 10,
	  "internal error: unable to execute QEMU command 'migrate-set-capabilities': Postcopy is "
	  "not supported",
	  "page faults", "vm.unprivileged_userfaultfd = 1 on b", "prepare", "target" },
	{ 1, 10, "Postcopy is not supported: Userfaultfd not available: Operation not permitted",
	  "page faults", "vm.unprivileged_userfaultfd = 1 on b", "prepare", "target" },
	{ 1, 10, "userfaultfd not available: Operation not permitted", "page faults",
	  "vm.unprivileged_userfaultfd = 1 on b", "prepare", "target" },
	{ 1, 10, "Postcopy is not supported: Userfault on this host does not support huge pages",
	  "with huge pages", "kernel", "prepare", "target" },
	{ 1, 10, "Postcopy is not supported: Target page size bigger than host page size",
	  "page size", "post-copy out", "prepare", "target" },
	{ 1, 10,
	  "internal error: unable to execute QEMU command 'migrate-set-capabilities': Postcopy is "
	  "not yet compatible with multifd",
	  "QEMU before 10.1", "one of the two", "prepare", "either" },
	{ 55, 10,
	  "Requested operation is not valid: post-copy can only be started while outgoing "
	  "migration is in progress",
	  "before the copy ran", "while the copy runs", "perform", "source" },
	{ 55, 10,
	  "Requested operation is not valid: switching to post-copy requires migration to be "
	  "started with VIR_MIGRATE_POSTCOPY flag",
	  "not started with post-copy", "Start it with", "perform", "source" },
	{ 1, 10,
	  "internal error: unable to execute QEMU command 'migrate-start-postcopy': Enable "
	  "postcopy with migrate_set_capability before the start of migration",
	  "still being set up", "second later", "perform", "source" },
	{ 55, 10, "Requested operation is not valid: cannot abort migration in post-copy mode",
	  "runs on b already", "neither host", "finish", "source" },
	{ 9, 10,
	  "operation failed: job 'migration out' failed: Unable to write to socket: Broken pipe",
	  "QEMU on b ended", "log/libvirt/qemu on b", "perform", "target" },
	{ 9, 10,
	  "operation failed: job 'migration out' failed: Unable to write to socket: Bad file "
	  "descriptor",
	  "QEMU on b ended", "log/libvirt/qemu on b", "perform", "target" },
	{ 1, 7, "internal error: client socket is closed", "one libvirt to the other broke",
	  "network", "perform", "either" },
	{ 9, 10, "operation failed: Lost connection to destination host", "went away", "network",
	  "perform", "target" },
	{ 38, 7, "could not proxy traffic: Input/output error", "that migprep talks to",
	  "libvirt on a", "perform", "source" },
	{ 55, 10,
	  "Requested operation is not valid: another migration job is already running for domain "
	  "'x'",
	  "moved already", "virsh domjobabort", "begin", "source" },
	{ 68, 10,
	  "Timed out during operation: cannot acquire state change lock (held by "
	  "monitor=remoteDispatchDomainMigratePerform3Params)",
	  "another operation", "virsh domjobinfo", "begin", "either" },
	{ 1, 10, "Migration with lock driver sanlock requires cookie support", "do not fit",
	  "lock_manager", "prepare", "either" },
	{ 1, 10, "Source host lock driver lockd different from target nop", "differ",
	  "lock_manager", "prepare", "either" },
	{ 78, 10, "operation aborted: migration out job: canceled by client", "was aborted",
	  "who aborted", "perform", "source" },
	{ 55, 10, "Requested operation is not valid: domain is not running", "QEMU on a ended",
	  "log/libvirt/qemu on a", "perform", "source" },
	{ 38, 7, "End of file while reading data: : Input/output error", "libvirt lost the cause",
	  "journals", "perform", "target" },
	/* Unknown: told raw. */
	{ 1, 10, "internal error: something new", NONE },
	{ 0, 0, "", NONE },
};

static void every_message(void **state)
{
	mp_auto_free bool *seen = mp_xcalloc(mp_virt_n_causes(), sizeof(*seen));

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(messages); i++) {
		struct mp_virt_err e = { .code = messages[i].code, .domain = messages[i].domain };
		struct mp_virt_cause c;
		mp_auto_free char *reason = NULL;

		snprintf(e.text, sizeof(e.text), "%s", messages[i].text);
		mp_virt_explain(&e, "a", "b", &c);
		reason = mp_virt_reason("the move failed", &e, &c);
		assert_non_null(strstr(reason, messages[i].text)); /* raw, always */
		if (!messages[i].cause) {
			if (c.cause)
				fail_msg("%s: explained by \"%s\"", e.text, c.cause);
			assert_int_equal(c.row, -1);
			assert_true(!c.phase && !c.side && !c.remedy);
			continue;
		}
		if (!c.cause)
			fail_msg("%s: not explained", e.text);
		if (!strstr(c.cause, messages[i].cause) || !strstr(c.remedy, messages[i].remedy) ||
		    strcmp(c.phase, messages[i].phase) != 0 ||
		    strcmp(c.side, messages[i].side) != 0)
			fail_msg("%s: row %d, \"%s\", \"%s\", %s, %s", e.text, c.row, c.cause,
				 c.remedy, c.phase, c.side);
		assert_null(strchr(c.cause, '{'));
		assert_null(strchr(c.remedy, '{'));
		assert_int_equal(c.before_start,
				 !strcmp(c.phase, "begin") || !strcmp(c.phase, "prepare"));
		seen[c.row] = true;
		mp_virt_cause_fini(&c);
	}
	for (size_t i = 0; i < mp_virt_n_causes(); i++)
		if (!seen[i])
			fail_msg("row %zu explains no message of this test", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_message) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
