/* SPDX-License-Identifier: GPL-3.0-or-later */
/* versions-minimum: what nova-compute of the profile's release asks for when it starts. */
#include "config.h"
#include "check/check.h"

#include "base/alloc.h"
#include "check/version-text.h"

/* MIN_LIBVIRT_VERSION and MIN_QEMU_VERSION in nova/virt/libvirt/driver.py, by first release; newest
 * first. */
static const struct {
	long release;
	long long libvirt, qemu;
} minima[] = {
	{ 31, 8000000, 6002000 }, { 28, 7000000, 5002000 }, { 23, 6000000, 4002000 },
	{ 22, 5000000, 4000000 }, { 21, 4000000, 2011000 }, { 20, 3000000, 2008000 },
};

static void judge(const struct mp_world *w, const struct mp_host *h, const struct mp_host *peer,
		  struct mp_findings *out)
{
	const json_t *virt = mp_world_fact(w, h->index, "virt");
	long long libvirt = mp_json_int(virt, "libvirt", 0), qemu = mp_json_int(virt, "qemu", 0);
	long release = mp_profile_int(w->profile, "nova", "release");
	ssize_t i = (ssize_t)h->index;
	size_t row = 0;

	(void)peer;
	while (row < MP_N_ELEMS(minima) && minima[row].release > release)
		row++;
	if (!mp_profile_bool(w->profile, "nova", "manage"))
		mp_findings_add(out, "versions-minimum", MP_SCOPE_HOST, i, -1, MP_SKIP, NULL,
				"the profile says that the hosts do not run Nova");
	else if (row == MP_N_ELEMS(minima))
		mp_findings_add(out, "versions-minimum", MP_SCOPE_HOST, i, -1, MP_SKIP, NULL,
				"no minimum is known for Nova %ld", release);
	else if (libvirt <= 0 || qemu <= 0)
		mp_findings_add(out, "versions-minimum", MP_SCOPE_HOST, i, -1, MP_SKIP, NULL,
				"libvirt tells no versions (see libvirt-running)");
	else if (libvirt < minima[row].libvirt || qemu < minima[row].qemu)
		mp_findings_add(out, "versions-minimum", MP_SCOPE_HOST, i, -1, MP_FAIL,
				"Upgrade libvirt and QEMU, or correct nova.release of the profile",
				"Nova %ld needs libvirt %s and QEMU %s; here are %s and %s",
				release, mp_version_text(minima[row].libvirt).s,
				mp_version_text(minima[row].qemu).s, mp_version_text(libvirt).s,
				mp_version_text(qemu).s);
	else
		mp_findings_add(out, "versions-minimum", MP_SCOPE_HOST, i, -1, MP_OK, NULL,
				"libvirt %s, QEMU %s", mp_version_text(libvirt).s,
				mp_version_text(qemu).s);
}

const struct mp_check mp_check_versions_minimum = {
	.id = "versions-minimum",
	.summary = "libvirt and QEMU are new enough for the Nova release",
	.prevents =
		"nova-compute does not start: \"Nova requires libvirt version ... or greater\".",
	.checked = "Compares the versions that libvirt tells with the minimum of the Nova release "
		   "that the "
		   "profile names.",
	.remedy = "Upgrade libvirt and QEMU, or correct nova.release of the profile.",
	.source = "Nova, virt/libvirt/driver.py, MIN_LIBVIRT_VERSION and MIN_QEMU_VERSION",
	.scope = MP_SCOPE_HOST,
	.roles = MP_ROLE_COMPUTE,
	.needs = (const char *const[]){ "virt", NULL },
	.judge = judge,
};
