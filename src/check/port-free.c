/* SPDX-License-Identifier: GPL-3.0-or-later */
/* port-free: the ports of migration data are not taken by others. */
#include "config.h"
#include "check/check.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

#define SHOWN 6 /* listeners told in words; the rest is counted */

/* Programs that listen there because guests arrive. comm(5) has 15 characters: qemu-system-x86. */
static bool is_migration(const char *process)
{
	return strncmp(process, "qemu", 4) == 0 || strncmp(process, "libvirt", 7) == 0 ||
	       strncmp(process, "virtqemud", 9) == 0 || strcmp(process, "kvm") == 0;
}

static void judge(const struct mp_world *w, const struct mp_host *h, const struct mp_host *peer,
		  struct mp_findings *out)
{
	const json_t *list = json_object_get(mp_world_fact(w, h->index, "ports"), "listeners"), *l;
	size_t i, foreign = 0, taken = json_array_size(list);
	enum mp_status status;
	mp_auto_buf struct mp_buf b;
	int from, to;

	(void)peer;
	mp_buf_init(&b, 0);
	mp_profile_ports(w->profile, "firewall", "ports", &from, &to);
	json_array_foreach((json_t *)list, i, l)
	{
		const char *process = mp_json_str(l, "process", "");

		if (is_migration(process) || foreign++ >= SHOWN)
			continue;
		mp_buf_printf(&b, "%s%lld by %s (uid %lld)", b.size ? ", " : "",
			      mp_json_int(l, "port", 0), *process ? process : "an unknown process",
			      mp_json_int(l, "uid", 0));
	}
	if (foreign > SHOWN)
		mp_buf_printf(&b, ", and %zu more", foreign - SHOWN);
	if (!foreign) {
		mp_findings_add(out, "port-free", MP_SCOPE_HOST, (ssize_t)h->index, -1, MP_OK, NULL,
				NULL);
		return;
	}
	status = taken > (size_t)(to - from) ? MP_FAIL : MP_WARN;
	mp_findings_add(out, "port-free", MP_SCOPE_HOST, (ssize_t)h->index, -1, status,
			"Move that service to another port, or give migration another range "
			"(firewall.ports of the profile) on all hosts",
			"%s of %d-%d taken: %s", status == MP_FAIL ? "all ports" : "ports", from,
			to, mp_buf_peek(&b));
}

const struct mp_check mp_check_port_free = {
	.id = "port-free",
	.summary = "no other service listens on migration ports",
	.prevents = "libvirt passes over a port that is taken, and when none is left a migration "
		    "fails: "
		    "\"Unable to find an unused port in range 'migration'\". A fixed port is "
		    "simply refused.",
	.checked = "Reads the kernel's table of listening TCP sockets within firewall.ports of the "
		   "profile, "
		   "and leaves out those of QEMU and libvirt.",
	.remedy = "Move that service to another port, or give migration another range.",
	.source = "libvirt qemu.conf, migration_port_min and migration_port_max",
	.scope = MP_SCOPE_HOST,
	.roles = MP_ROLE_COMPUTE,
	.needs = (const char *const[]){ "ports", NULL },
	.judge = judge,
};
