/* SPDX-License-Identifier: GPL-3.0-or-later */
/* precheck: goes through the tables of predicates. Pure. */
#include "config.h"
#include "migrate/precheck.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/world.h"

long long mp_precheck_version(const json_t *facts, const char *what)
{
	return mp_json_int(json_object_get(facts, "virt"), what, 0);
}

/* A template with the host names filled in. */
static char *fill(const char *template, const struct mp_precheck_in *in)
{
	mp_auto_buf struct mp_buf b = { 0 };

	for (const char *s = template; *s; s++) {
		if (strncmp(s, "{S}", 3) == 0 || strncmp(s, "{T}", 3) == 0) {
			mp_buf_puts(&b, s[1] == 'S' ? in->source : in->target);
			s += 2;
		} else {
			mp_buf_add(&b, s, 1);
		}
	}
	return mp_buf_take(&b);
}

static void judge(const struct mp_precheck_in *in, const struct mp_precheck *table,
		  struct mp_refusals *ret)
{
	for (; table->id; table++) {
		mp_auto_buf struct mp_buf message = { 0 };

		if (!table->refuses(in, &message))
			continue;
		ret->v = mp_xreallocarray(ret->v, ret->n + 1, sizeof(*ret->v));
		ret->v[ret->n++] = (struct mp_refusal){ .id = table->id,
							.source = table->source,
							.message = mp_buf_take(&message),
							.cause = fill(table->cause, in),
							.remedy = fill(table->remedy, in) };
	}
}

void mp_precheck_judge(const struct mp_precheck_in *in, struct mp_refusals *ret)
{
	*ret = (struct mp_refusals){ 0 };
	judge(in, mp_prechecks_mode, ret);
	if (in->guest)
		judge(in, mp_prechecks_guest, ret);
	if (in->nova)
		judge(in, mp_prechecks_nova, ret);
}

void mp_refusals_fini(struct mp_refusals *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].message);
		free(r->v[i].cause);
		free(r->v[i].remedy);
	}
	free(r->v);
	*r = (struct mp_refusals){ 0 };
}
