/* SPDX-License-Identifier: GPL-3.0-or-later */
/* host-uuid-unique: libvirt takes two hosts with one UUID for one host. */
#include "config.h"
#include "check/check.h"

#include <string.h>

#include "base/alloc.h"
#include "check/tally.h"

#define REMEDY                                                                                     \
	"Set a UUID of its own (uuidgen) as host_uuid in /etc/libvirt/libvirtd.conf (or "          \
	"virtqemud.conf) on all but one of these hosts and restart the daemon while no migration " \
	"runs"
#define CLONE_REMEDY                                                                               \
	"Give each host its own: remove /etc/machine-id and run systemd-machine-id-setup; the "    \
	"product UUID is set in the firmware"

static const char *value_of(const struct mp_world *w, size_t host, const char *fact,
			    const char *key)
{
	const char *v = mp_json_str(mp_world_fact(w, host, fact), key, NULL);

	return v && *v ? v : NULL;
}

/* Hosts that share a value which libvirt may derive its UUID from: a clone, harmless so far. */
static size_t judge_origin(const struct mp_world *w, const char *key, const char *what,
			   struct mp_findings *out)
{
	mp_auto_tally struct mp_tally t = { 0 };
	mp_auto_free char *text = NULL;

	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		const char *v = value_of(w, i, "identity", key);

		if (v)
			mp_tally_add(&t, v, w->inv->hosts[i].name);
	}
	if (!mp_tally_shared(&t))
		return 0;
	text = mp_tally_text(&t, "have", 2, -1);
	mp_findings_add(out, "host-uuid-unique", MP_SCOPE_CLUSTER, -1, -1, MP_WARN, CLONE_REMEDY,
			"hosts share a %s, as clones do: %s", what, text)
		->data = mp_tally_json(&t, 2);
	return 1;
}

static void judge(const struct mp_world *w, const struct mp_host *h, const struct mp_host *peer,
		  struct mp_findings *out)
{
	mp_auto_tally struct mp_tally t = { 0 };
	mp_auto_free char *text = NULL;
	size_t bad, known = 0;

	(void)h;
	(void)peer;
	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		const char *v = value_of(w, i, "virt", "host_uuid");

		if (v)
			mp_tally_add(&t, v, w->inv->hosts[i].name);
		known += v != NULL;
	}
	bad = mp_tally_shared(&t);
	if (bad) {
		text = mp_tally_text(&t, "have", 2, -1);
		mp_findings_add(
			out, "host-uuid-unique", MP_SCOPE_CLUSTER, -1, -1, MP_FAIL, REMEDY,
			"libvirt refuses to migrate between these hosts, because their UUIDs "
			"are equal: %s",
			text)
			->data = mp_tally_json(&t, 2);
	}
	bad += judge_origin(w, "machine_id", "machine-id", out);
	bad += judge_origin(w, "product_uuid", "product UUID", out);
	if (!bad)
		mp_findings_add(out, "host-uuid-unique", MP_SCOPE_CLUSTER, -1, -1, MP_OK, NULL,
				"%zu host UUIDs of libvirt, all different", known);
}

const struct mp_check mp_check_host_uuid_unique = {
	.id = "host-uuid-unique",
	.summary = "no two hosts have the same libvirt host UUID",
	.prevents = "libvirt compares host UUIDs and refuses: \"Attempt to migrate guest to the "
		    "same host\". "
		    "Cloned hosts and firmware with a constant serial number have equal ones.",
	.checked = "Compares the host UUID of libvirt's capabilities over all hosts, and warns of "
		   "equal "
		   "machine-ids and product UUIDs, from which libvirt can take it.",
	.remedy = REMEDY,
	.source = "libvirt, qemuMigrationCookieXMLParse; libvirtd.conf, host_uuid",
	.scope = MP_SCOPE_CLUSTER,
	.roles = MP_ROLE_COMPUTE,
	.needs = (const char *const[]){ "virt", "identity", NULL },
	.judge = judge,
};
