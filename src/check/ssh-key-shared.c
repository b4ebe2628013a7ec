/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh-key-shared: one private key on several hosts, though each should have its own. */
#include "config.h"
#include "check/check.h"

#include <string.h>

#include "base/alloc.h"
#include "check/tally.h"

#define REMEDY                                                                                     \
	"Remove the copied pair from all but one of these hosts and run apply, which generates "   \
	"new ones; or set ssh.keys = shared in the profile if it is meant"

static void tally_host(const struct mp_world *w, size_t host, struct mp_tally *t)
{
	const json_t *users = json_object_get(mp_world_fact(w, host, "ssh-keys"), "users");
	json_t *user, *key;
	const char *name;
	size_t i;

	json_object_foreach((json_t *)users, name, user)
	{
		json_array_foreach(json_object_get(user, "keys"), i, key)
		{
			mp_auto_free char *what = mp_xasprintf(
				"%s of %s", mp_json_str(key, "fingerprint", "?"), name);

			mp_tally_add(t, what, w->inv->hosts[host].name);
		}
	}
}

static void judge(const struct mp_world *w, const struct mp_host *h, const struct mp_host *peer,
		  struct mp_findings *out)
{
	mp_auto_tally struct mp_tally t = { 0 };
	mp_auto_free char *text = NULL;

	(void)h;
	(void)peer;
	if (strcmp(mp_profile_str(w->profile, "ssh", "keys"), "shared") == 0) {
		mp_findings_add(out, "ssh-key-shared", MP_SCOPE_CLUSTER, -1, -1, MP_SKIP, NULL,
				"the profile says that the hosts share one key pair");
		return;
	}
	for (size_t i = 0; i < w->inv->n_hosts; i++)
		tally_host(w, i, &t);
	if (!mp_tally_shared(&t)) {
		mp_findings_add(out, "ssh-key-shared", MP_SCOPE_CLUSTER, -1, -1, MP_OK, NULL,
				"%zu key pairs", t.n);
		return;
	}
	text = mp_tally_text(&t, "hold", 2, -1);
	mp_findings_add(
		out, "ssh-key-shared", MP_SCOPE_CLUSTER, -1, -1, MP_WARN, REMEDY,
		"a private key was copied to several hosts, so that one stolen host gives away "
		"the others: %s",
		text)
		->data = mp_tally_json(&t, 2);
}

const struct mp_check mp_check_ssh_key_shared = {
	.id = "ssh-key-shared",
	.summary = "every host has SSH key pairs of its own",
	.prevents = "Whoever gets at one host has the key of all; and the key cannot be withdrawn "
		    "from one "
		    "host alone.",
	.checked = "Compares the fingerprints of the usable key pairs of root and nova over all "
		   "hosts.",
	.remedy = REMEDY,
	.source = "RDO, Enabling Migrations, copies one pair to all hosts; migprep's default is "
		  "one each",
	.scope = MP_SCOPE_CLUSTER,
	.roles = MP_ROLE_COMPUTE,
	.needs = (const char *const[]){ "ssh-keys", NULL },
	.judge = judge,
};
