/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hostnames-unique: Nova and libvirt know a host by its host name. */
#include "config.h"
#include "check/check.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "check/tally.h"

#define REMEDY                                                                                     \
	"Give each host a name of its own (hostnamectl set-hostname) before Nova registers it: a " \
	"later change makes a new compute service"

static void judge(const struct mp_world *w, const struct mp_host *h, const struct mp_host *peer,
		  struct mp_findings *out)
{
	mp_auto_tally struct mp_tally t = { 0 };
	mp_auto_strv struct mp_strv nameless = { 0 };
	mp_auto_free char *text = NULL, *hosts = NULL;

	(void)h;
	(void)peer;
	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		const json_t *identity = mp_world_fact(w, i, "identity");
		const char *name = mp_json_str(identity, "hostname", "");

		if (!identity)
			continue;
		if (!*name || strcmp(name, "(none)") == 0 || strncasecmp(name, "localhost", 9) == 0)
			mp_strv_add(&nameless, w->inv->hosts[i].name);
		else
			mp_tally_add(&t, name, w->inv->hosts[i].name);
	}
	if (mp_tally_shared(&t)) {
		text = mp_tally_text(&t, "are named", 2, -1);
		mp_findings_add(out, "hostnames-unique", MP_SCOPE_CLUSTER, -1, -1, MP_FAIL, REMEDY,
				"host names are not unique: %s", text)
			->data = mp_tally_json(&t, 2);
	}
	if (nameless.n) {
		hosts = mp_range_fold(&nameless);
		mp_findings_add(
			out, "hostnames-unique", MP_SCOPE_CLUSTER, -1, -1, MP_FAIL, REMEDY,
			"the host name is localhost or empty on %s, which libvirt refuses for "
			"migration",
			hosts);
	}
	if (!text && !hosts)
		mp_findings_add(out, "hostnames-unique", MP_SCOPE_CLUSTER, -1, -1, MP_OK, NULL,
				"%zu host names", t.n);
}

const struct mp_check mp_check_hostnames_unique = {
	.id = "hostnames-unique",
	.summary = "no two hosts have the same host name",
	.prevents = "Two hosts with one name are one compute service to Nova, and a target named "
		    "localhost "
		    "is refused by libvirt: \"hostname on destination resolved to localhost, but "
		    "migration "
		    "requires an FQDN\".",
	.checked = "Compares the host names that the running kernels have.",
	.remedy = REMEDY,
	.source = "Nova option host; libvirt, qemuMigrationDstPrepareDirect",
	.scope = MP_SCOPE_CLUSTER,
	.roles = 0,
	.needs = (const char *const[]){ "identity", NULL },
	.judge = judge,
};
