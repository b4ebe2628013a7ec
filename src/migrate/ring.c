/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ring: the hosts of the ring, and the guest that fits all of them. Pure. */
#include "config.h"
#include "migrate/ring.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define ID "verify"

/* Whether the host can take part; if not, a finding says why. */
static bool fits(const struct mp_world *w, size_t host, struct mp_findings *out)
{
	const struct mp_host_state *state = &w->hosts[host];
	const json_t *virt = mp_world_fact(w, host, "virt");
	const char *text;

	if (!state->reached) {
		mp_findings_add(out, ID, MP_SCOPE_HOST, (ssize_t)host, -1, MP_SKIP, NULL,
				"left out of the ring: the host was not reached");
		return false;
	}
	if (!virt) {
		text = mp_world_fact_error(w, host, "virt");
		mp_findings_add(
			out, ID, MP_SCOPE_HOST, (ssize_t)host, -1, MP_UNKNOWN,
			"Look that libvirt answers on the host: virsh -c qemu:///system version",
			"left out of the ring: libvirt could not be looked at: %s",
			text ? text : "no reason given");
		return false;
	}
	if (!mp_json_bool(virt, "installed", false)) {
		mp_findings_add(out, ID, MP_SCOPE_HOST, (ssize_t)host, -1, MP_FAIL,
				"Install libvirt and QEMU on the host",
				"left out of the ring: libvirt is not installed");
		return false;
	}
	if (!mp_json_bool(virt, "running", false)) {
		text = mp_json_str(virt, "socket_error", NULL);
		mp_findings_add(out, ID, MP_SCOPE_HOST, (ssize_t)host, -1, MP_FAIL,
				"Start libvirtd (or virtqemud.socket) on the host",
				"left out of the ring: libvirt does not answer: %s",
				text ? text : "no reason given");
		return false;
	}
	text = mp_json_str(virt, "arch", "x86_64");
	if (strcmp(text, "x86_64") != 0) {
		mp_findings_add(
			out, ID, MP_SCOPE_HOST, (ssize_t)host, -1, MP_SKIP, NULL,
			"left out of the ring: the guest of verify is for x86_64, the host is %s",
			text);
		return false;
	}
	return true;
}

size_t mp_ring_plan(const struct mp_world *w, struct mp_ring *ret, struct mp_findings *out)
{
	size_t selected = 0;

	*ret = (struct mp_ring){ .hosts = mp_xcalloc(w->inv->n_hosts + 1, sizeof(*ret->hosts)) };
	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		if (!w->hosts[i].selected || !(w->inv->hosts[i].roles & MP_ROLE_COMPUTE))
			continue;
		selected++;
		if (fits(w, i, out))
			ret->hosts[ret->n++] = i;
	}
	return selected;
}

void mp_ring_fini(struct mp_ring *r)
{
	free(r->hosts);
	*r = (struct mp_ring){ 0 };
}

static bool all_have(const struct mp_world *w, const struct mp_ring *r, const char *machine)
{
	for (size_t i = 0; i < r->n; i++) {
		const json_t *machines =
			json_object_get(mp_world_fact(w, r->hosts[i], "virt"), "machines");
		bool found = false;
		const json_t *m;
		size_t k;

		json_array_foreach(machines, k, m)
		{
			if (json_is_string(m) && strcmp(json_string_value(m), machine) == 0)
				found = true;
		}
		if (!found)
			return false;
	}
	return true;
}

/* "pc-i440fx-7.2", "pc-i440fx-rhel7.6.0": a version is what follows; aliases have none. */
static const char *version_of(const char *machine, const char *family)
{
	size_t n = strlen(family);

	if (strncmp(machine, family, n) != 0)
		return NULL;
	return machine[n + strcspn(machine + n, "0123456789")] ? machine + n : NULL;
}

static const char *newest(const struct mp_world *w, const struct mp_ring *r, const char *family)
{
	const json_t *machines = json_object_get(mp_world_fact(w, r->hosts[0], "virt"), "machines");
	const char *best = NULL;
	const json_t *m;
	size_t k;

	json_array_foreach(machines, k, m)
	{
		const char *name = json_string_value(m);

		if (!name || !version_of(name, family) || !all_have(w, r, name))
			continue;
		if (!best || mp_str_natcmp(version_of(name, family), version_of(best, family)) > 0)
			best = name;
	}
	return best;
}

char *mp_guest_machine(const struct mp_world *w, const struct mp_ring *r)
{
	const char *best = r->n ? newest(w, r, "pc-i440fx-") : NULL;

	if (!best && r->n)
		best = newest(w, r, "pc-q35-");
	return best ? mp_xstrdup(best) : NULL;
}

bool mp_guest_kvm(const struct mp_world *w, const struct mp_ring *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (!mp_json_bool(mp_world_fact(w, r->hosts[i], "kernel"), "kvm_usable", false))
			return false;
	return r->n > 0;
}

char *mp_guest_xml(const struct mp_guest *g)
{
	/* No USB, balloon, graphics or network: nothing that a host may lack. The CPU model is one
	 * that every x86 QEMU can give, and libvirt does not compare it with the host. */
	return mp_xasprintf("<domain type='%s'>\n"
			    "  <name>%s</name>\n"
			    "  <uuid>%s</uuid>\n"
			    "  <memory unit='MiB'>%ld</memory>\n"
			    "  <vcpu>1</vcpu>\n"
			    "  <os><type arch='x86_64' machine='%s'>hvm</type></os>\n"
			    "  <features><acpi/></features>\n"
			    "  <cpu mode='custom' match='exact' check='none'>\n"
			    "    <model fallback='forbid'>qemu64</model>\n"
			    "  </cpu>\n"
			    "  <on_poweroff>destroy</on_poweroff>\n"
			    "  <on_reboot>destroy</on_reboot>\n"
			    "  <on_crash>destroy</on_crash>\n"
			    "  <devices>\n"
			    "    <controller type='usb' model='none'/>\n"
			    "    <serial type='pty'/>\n"
			    "    <video><model type='none'/></video>\n"
			    "    <memballoon model='none'/>\n"
			    "  </devices>\n"
			    "</domain>\n",
			    g->kvm ? "kvm" : "qemu", g->name, g->uuid, g->memory_mib, g->machine);
}
