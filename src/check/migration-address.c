/* SPDX-License-Identifier: GPL-3.0-or-later */
/* migration-address: the address that guests are sent to is the host's own. */
#include "config.h"
#include "check/check.h"

#include <string.h>

#include "base/buf.h"
#include "model/name.h"

#define SHOWN 8 /* addresses told in words; the rest is counted */

static bool has(const json_t *own, const char *address)
{
	char want[MP_NAME_MAX + 1], got[MP_NAME_MAX + 1];
	const json_t *a;
	size_t i;

	mp_name_canonical(address, want, sizeof(want));
	json_array_foreach((json_t *)own, i, a)
	{
		mp_name_canonical(json_string_value(a) ? json_string_value(a) : "", got,
				  sizeof(got));
		if (strcmp(want, got) == 0)
			return true;
	}
	return false;
}

static void put_own(struct mp_buf *b, const json_t *own)
{
	size_t n = json_array_size(own);

	for (size_t i = 0; i < n && i < SHOWN; i++)
		mp_buf_printf(b, "%s%s", i ? ", " : "", json_string_value(json_array_get(own, i)));
	if (n > SHOWN)
		mp_buf_printf(b, " and %zu more", n - SHOWN);
}

static void judge(const struct mp_world *w, const struct mp_host *h, const struct mp_host *peer,
		  struct mp_findings *out)
{
	const json_t *own = json_object_get(mp_world_fact(w, h->index, "identity"), "addresses");
	ssize_t i = (ssize_t)h->index;
	mp_auto_buf struct mp_buf b;

	(void)peer;
	mp_buf_init(&b, 0);
	if (!h->migration_address) {
		mp_findings_add(out, "migration-address", MP_SCOPE_HOST, i, -1, MP_SKIP, NULL,
				"the inventory gives the host no migration_address");
		return;
	}
	if (!json_is_array(own)) {
		mp_findings_add(out, "migration-address", MP_SCOPE_HOST, i, -1, MP_SKIP, NULL,
				"the host did not tell its addresses");
		return;
	}
	if (has(own, h->migration_address)) {
		mp_findings_add(out, "migration-address", MP_SCOPE_HOST, i, -1, MP_OK, NULL, NULL);
		return;
	}
	put_own(&b, own);
	mp_findings_add(
		out, "migration-address", MP_SCOPE_HOST, i, -1, MP_FAIL,
		"Mend migration_address of the host in the inventory, or give the host that "
		"address",
		"migration_address %s is on no interface of the host that is up; it has %s",
		h->migration_address, b.size ? mp_buf_peek(&b) : "no address");
}

const struct mp_check mp_check_migration_address = {
	.id = "migration-address",
	.summary = "migration_address of the inventory is an address of the host",
	.prevents =
		"QEMU on the target cannot listen there, and the source connects to nobody or "
		"to another machine: \"unable to connect to server at 'ADDRESS:49152': No route "
		"to host\".",
	.checked = "Compares the migration_address that the inventory gives explicitly with all "
		   "addresses of the host's interfaces that are up; loopback and link-local ones "
		   "do not count.",
	.remedy = "Mend migration_address in the inventory, or give the host that address.",
	.source = "Nova, live_migration_inbound_addr: the address of the target's own interface",
	.scope = MP_SCOPE_HOST,
	.roles = MP_ROLE_COMPUTE,
	.needs = (const char *const[]){ "identity", NULL },
	.judge = judge,
};
