/* SPDX-License-Identifier: GPL-3.0-or-later */
/* versions: a guest goes from older to newer software, not back. */
#include "config.h"
#include "check/check.h"

#include "base/alloc.h"
#include "check/version-text.h"

#define NOVA_REMEDY                                                                                \
	"Upgrade QEMU on the target, or migrate only in the other direction until all hosts are "  \
	"upgraded; on Nova 26 or later, [workarounds] skip_hypervisor_version_check_on_lm lifts "  \
	"the rule at your own risk"

static char *class_of(const struct mp_world *w, const struct mp_host *h, const char **ret_why)
{
	const json_t *virt = mp_world_fact(w, h->index, "virt");
	long long libvirt = mp_json_int(virt, "libvirt", 0), qemu = mp_json_int(virt, "qemu", 0);

	if (libvirt > 0 && qemu > 0)
		return mp_xasprintf("%lld %lld", libvirt, qemu);
	*ret_why = "libvirt tells no versions (see libvirt-running)";
	return NULL;
}

static void judge(const struct mp_world *w, const struct mp_host *h, const struct mp_host *peer,
		  struct mp_findings *out)
{
	const json_t *from = mp_world_fact(w, h->index, "virt");
	const json_t *to = mp_world_fact(w, peer->index, "virt");
	long long qemu_from = mp_json_int(from, "qemu", 0), qemu_to = mp_json_int(to, "qemu", 0);
	long long lv_from = mp_json_int(from, "libvirt", 0), lv_to = mp_json_int(to, "libvirt", 0);
	ssize_t i = (ssize_t)h->index, j = (ssize_t)peer->index;

	if (qemu_from > qemu_to && mp_profile_bool(w->profile, "nova", "manage"))
		mp_findings_add(out, "versions", MP_SCOPE_PAIR, i, j, MP_FAIL, NOVA_REMEDY,
				"Nova refuses a target whose QEMU is older: source %s, target %s",
				mp_version_text(qemu_from).s, mp_version_text(qemu_to).s);
	else if (qemu_from > qemu_to)
		mp_findings_add(
			out, "versions", MP_SCOPE_PAIR, i, j, MP_WARN,
			"Upgrade QEMU on the target, and keep machine types old enough for it",
			"QEMU is older on the target: source %s, target %s",
			mp_version_text(qemu_from).s, mp_version_text(qemu_to).s);
	else if (lv_from > lv_to)
		mp_findings_add(out, "versions", MP_SCOPE_PAIR, i, j, MP_WARN,
				"Upgrade libvirt on the target",
				"libvirt is older on the target and may not understand the guest's "
				"definition: source %s, target %s",
				mp_version_text(lv_from).s, mp_version_text(lv_to).s);
	else
		mp_findings_add(out, "versions", MP_SCOPE_PAIR, i, j, MP_OK, NULL, NULL);
}

const struct mp_check mp_check_versions = {
	.id = "versions",
	.summary = "no target has older QEMU or libvirt than the source",
	.prevents = "Nova refuses such a target with DestinationHypervisorTooOld; QEMU itself "
		    "cannot load "
		    "the state of devices that it does not know yet.",
	.checked = "Compares the versions that libvirt tells on source and target of every pair, "
		   "as Nova's "
		   "scheduler does (source hypervisor version <= target's).",
	.remedy = NOVA_REMEDY,
	.source = "Nova, conductor/tasks/live_migrate.py, _check_compatible_with_source_hypervisor",
	.scope = MP_SCOPE_PAIR,
	.roles = MP_ROLE_COMPUTE,
	.needs = (const char *const[]){ "virt", NULL },
	.judge = judge,
	.class_of = class_of,
};
