/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libvirt-running: the daemon answers on its socket. */
#include "config.h"
#include "check/check.h"

static void judge(const struct mp_world *w, const struct mp_host *h, const struct mp_host *peer,
		  struct mp_findings *out)
{
	const json_t *virt = mp_world_fact(w, h->index, "virt");
	const char *daemon = mp_json_str(virt, "daemon", NULL);
	ssize_t i = (ssize_t)h->index;

	(void)peer;
	if (mp_json_bool(virt, "running", false))
		mp_findings_add(out, "libvirt-running", MP_SCOPE_HOST, i, -1, MP_OK, NULL, "%s",
				daemon ? daemon : "libvirt");
	else if (!mp_json_bool(virt, "installed", true))
		mp_findings_add(
			out, "libvirt-running", MP_SCOPE_HOST, i, -1, MP_FAIL,
			"Install libvirt's daemon and QEMU (Debian: libvirt-daemon-system and "
			"qemu-system-x86), or take the role compute off the host",
			"libvirt is not installed");
	else if (daemon)
		mp_findings_add(
			out, "libvirt-running", MP_SCOPE_HOST, i, -1, MP_FAIL,
			"The daemon runs: look why it hangs (journalctl -u libvirtd or virtqemud, "
			"the disks and mounts it waits for), and restart it when no migration runs",
			"%s runs and does not answer: %s", daemon,
			mp_json_str(virt, "socket_error", "no reason given"));
	else
		mp_findings_add(
			out, "libvirt-running", MP_SCOPE_HOST, i, -1, MP_FAIL,
			"Start the daemon and look at its log: systemctl start libvirtd (or "
			"virtqemud.socket)",
			"libvirt does not run: %s",
			mp_json_str(virt, "socket_error", "no reason given"));
}

const struct mp_check mp_check_libvirt_running = {
	.id = "libvirt-running",
	.summary = "libvirt's daemon answers",
	.prevents = "Without it neither Nova nor a peer can move a guest: \"Failed to connect "
		    "socket to "
		    "'/var/run/libvirt/libvirt-sock'\".",
	.checked = "Opens libvirt's local socket on the host, read-only, and asks for versions.",
	.remedy =
		"Start libvirtd, or virtqemud.socket where the daemons are modular, and enable it.",
	.source = "libvirt, daemons and their sockets",
	.scope = MP_SCOPE_HOST,
	.roles = MP_ROLE_COMPUTE,
	.needs = (const char *const[]){ "virt", NULL },
	.judge = judge,
};
