/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh-host-keys: a host proves who it is by a host key that nobody else has. */
#include "config.h"
#include "check/check.h"

#include "base/alloc.h"
#include "check/tally.h"

#define REMEDY                                                                                     \
	"Generate new host keys on all but one of these hosts: remove /etc/ssh/ssh_host_*_key*, "  \
	"run ssh-keygen -A, restart sshd, then run apply"

static void judge(const struct mp_world *w, const struct mp_host *h, const struct mp_host *peer,
		  struct mp_findings *out)
{
	mp_auto_tally struct mp_tally t = { 0 };
	mp_auto_strv struct mp_strv none = { 0 };
	mp_auto_free char *text = NULL, *hosts = NULL;

	(void)h;
	(void)peer;
	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		const json_t *identity = mp_world_fact(w, i, "identity"), *key;
		const json_t *keys = json_object_get(identity, "host_keys");
		size_t k;

		if (identity && !json_array_size(keys))
			mp_strv_add(&none, w->inv->hosts[i].name);
		json_array_foreach((json_t *)keys, k, key)
		{
			mp_tally_add(&t, mp_json_str(key, "fingerprint", "?"),
				     w->inv->hosts[i].name);
		}
	}
	if (none.n) {
		hosts = mp_range_fold(&none);
		mp_findings_add(
			out, "ssh-host-keys", MP_SCOPE_CLUSTER, -1, -1, MP_FAIL,
			"Run ssh-keygen -A there, or make the .pub files beside the HostKey files "
			"of sshd_config",
			"no public host key was found on %s, so that peers cannot know the host",
			hosts);
	}
	if (mp_tally_shared(&t)) {
		text = mp_tally_text(&t, "use", 2, -1);
		mp_findings_add(
			out, "ssh-host-keys", MP_SCOPE_CLUSTER, -1, -1, MP_WARN, REMEDY,
			"hosts share a host key, as clones do, and can pass for each other: %s",
			text)
			->data = mp_tally_json(&t, 2);
	}
	if (!text && !hosts)
		mp_findings_add(out, "ssh-host-keys", MP_SCOPE_CLUSTER, -1, -1, MP_OK, NULL,
				"%zu host keys, all different", t.n);
}

const struct mp_check mp_check_ssh_host_keys = {
	.id = "ssh-host-keys",
	.summary = "every host has SSH host keys of its own",
	.prevents =
		"Hosts made from one image can pass for each other on the network, and known_hosts "
		"proves nothing.",
	.checked = "Compares the fingerprints of the public host keys that sshd of each host is "
		   "set to use.",
	.remedy = REMEDY,
	.source = "sshd_config(5), HostKey; ssh-keygen(1), -A",
	.scope = MP_SCOPE_CLUSTER,
	.roles = 0,
	.needs = (const char *const[]){ "identity", NULL },
	.judge = judge,
};
