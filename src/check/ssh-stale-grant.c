/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh-stale-grant: a line of ours that lets in a host which has left the inventory. */
#include "config.h"
#include "check/check.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "model/ssh-text.h"

#define REMEDY                                                                                     \
	"If those hosts are gone, remove the lines that end in migprep@HOST from these files; if " \
	"they are still to migrate, put them into the inventory"
#define SHARED "migprep@shared" /* every host's; ssh-authorized looks after it */
#define MANY 5                  /* more lines of one file than these are counted only */

/* The host that a comment of ours names, if the inventory has none of that name or alias. */
static const char *stranger(const struct mp_world *w, const char *comment)
{
	size_t n = strlen(MP_SSH_COMMENT);

	if (strncmp(comment, MP_SSH_COMMENT, n) != 0 || strcmp(comment, SHARED) == 0 ||
	    mp_inventory_find(w->inv, comment + n))
		return NULL;
	return comment + n;
}

/* Adds "FILE: HOST (KEY), HOST (KEY)" for the lines of one user. */
static void tell_user(const struct mp_world *w, const json_t *user, struct mp_buf *out)
{
	const char *comment;
	json_t *refs, *ref;
	size_t n = 0, i;

	json_object_foreach(json_object_get(user, "ours"), comment, refs)
	{
		const char *host = stranger(w, comment);

		json_array_foreach(refs, i, ref)
		{
			if (!host || !json_is_string(ref) || n++ >= MANY)
				continue;
			if (n == 1)
				mp_buf_printf(out,
					      "%s%s/.ssh/authorized_keys: ", out->size ? "; " : "",
					      mp_json_str(user, "home", ""));
			mp_buf_printf(out, "%s%s (%s)", n > 1 ? ", " : "", host,
				      json_string_value(ref));
		}
	}
	if (n > MANY)
		mp_buf_printf(out, " and %zu more", n - MANY);
}

static void judge(const struct mp_world *w, const struct mp_host *h, const struct mp_host *peer,
		  struct mp_findings *out)
{
	const json_t *users =
		json_object_get(mp_world_fact(w, h->index, "ssh-authorized"), "users");
	mp_auto_buf struct mp_buf text;
	const char *name;
	json_t *user;

	(void)peer;
	mp_buf_init(&text, 0);
	json_object_foreach((json_t *)users, name, user) tell_user(w, user, &text);
	if (text.size)
		mp_findings_add(out, "ssh-stale-grant", MP_SCOPE_HOST, (ssize_t)h->index, -1,
				MP_WARN, REMEDY,
				"hosts that the inventory does not have may log "
				"in: %s",
				mp_buf_peek(&text));
	else
		mp_findings_add(out, "ssh-stale-grant", MP_SCOPE_HOST, (ssize_t)h->index, -1, MP_OK,
				NULL, NULL);
}

const struct mp_check mp_check_ssh_stale_grant = {
	.id = "ssh-stale-grant",
	.summary = "only hosts of the inventory are let in by lines of migprep",
	.prevents = "A host that was taken out of the cluster, or whoever has its disk now, still "
		    "logs in as root everywhere.",
	.checked =
		"Looks in authorized_keys of root and of the nova user for lines that end in "
		"migprep@HOST where the inventory has no such name or alias. They are not removed: "
		"the host may stand in another inventory.",
	.remedy = REMEDY,
	.source = "migprep; its lines are the only ones that name the host they let in",
	.scope = MP_SCOPE_HOST,
	.roles = MP_ROLE_COMPUTE,
	.needs = (const char *const[]){ "ssh-authorized", NULL },
	.judge = judge,
};
