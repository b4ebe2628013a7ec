/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nova-ids-equal: files on shared storage belong to numbers, not to names. */
#include "config.h"
#include "check/check.h"

#include "base/alloc.h"
#include "check/tally.h"

#define REMEDY                                                                                     \
	"Give nova the same uid and gid everywhere while nova-compute is stopped and the shared "  \
	"storage is not mounted: usermod -u also changes the owner of all files in nova's home, "  \
	"the shared ones included, which breaks the other hosts; chown what lies elsewhere by "    \
	"hand"

static void judge(const struct mp_world *w, const struct mp_host *h, const struct mp_host *peer,
		  struct mp_findings *out)
{
	mp_auto_tally struct mp_tally ids = { 0 };
	mp_auto_strv struct mp_strv none = { 0 };
	mp_auto_free char *others = NULL, *absent = NULL, *most = NULL;
	struct mp_finding *f;
	ssize_t majority;

	(void)h;
	(void)peer;
	if (!mp_profile_bool(w->profile, "nova", "manage")) {
		mp_findings_add(out, "nova-ids-equal", MP_SCOPE_CLUSTER, -1, -1, MP_SKIP, NULL,
				"the profile says that the hosts do not run Nova");
		return;
	}
	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		const json_t *fact = mp_world_fact(w, i, "users");
		const json_t *nova = json_object_get(fact, "nova");
		mp_auto_free char *id = mp_xasprintf("%lld:%lld", mp_json_int(nova, "uid", -1),
						     mp_json_int(nova, "gid", -1));

		if (fact && json_is_object(nova))
			mp_tally_add(&ids, id, w->inv->hosts[i].name);
		else if (fact)
			mp_strv_add(&none, w->inv->hosts[i].name);
	}
	absent = none.n ? mp_range_fold(&none) : NULL;
	if (ids.n < 2 && !absent) {
		mp_findings_add(out, "nova-ids-equal", MP_SCOPE_CLUSTER, -1, -1, MP_OK, NULL,
				"uid:gid %s", ids.n ? ids.v[0].value : "");
		return;
	}
	majority = mp_tally_most(&ids);
	others = mp_tally_text(&ids, "has", 1, majority);
	most = majority >= 0 ? mp_range_fold(&ids.v[majority].hosts) : NULL;
	f = mp_findings_add(out, "nova-ids-equal", MP_SCOPE_CLUSTER, -1, -1, MP_FAIL, REMEDY,
			    "uid:gid of nova differ: %s%s%s%s%s%s%s%s", others,
			    *others && most ? "; " : "", most ? most : "",
			    most ? " (most) has " : "", most ? ids.v[majority].value : "",
			    absent && ids.n ? "; " : "", absent ? "no such user on " : "",
			    absent ? absent : "");
	f->data = mp_tally_json(&ids, 1);
}

const struct mp_check mp_check_nova_ids_equal = {
	.id = "nova-ids-equal",
	.summary = "uid and gid of nova are the same on all hosts",
	.prevents = "With another uid on one host, a guest that arrives there cannot open its "
		    "files on the "
		    "shared storage: \"Cannot access storage file ... Permission denied\".",
	.checked = "Compares the uid and gid that each host's name service gives for the nova "
		   "user, the "
		   "NFS server included. apply never changes them.",
	.remedy = REMEDY,
	.source = "Nova admin guide, Configure live migrations, shared storage; usermod(8)",
	.scope = MP_SCOPE_CLUSTER,
	.roles = MP_ROLE_COMPUTE | MP_ROLE_NFS,
	.needs = (const char *const[]){ "users", NULL },
	.judge = judge,
};
