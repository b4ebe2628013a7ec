/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "resource/resource.h"

#include <string.h>

#include "base/alloc.h"

const struct mp_resource *mp_resource_find(const char *id)
{
	for (size_t i = 0; mp_resources[i]; i++)
		if (strcmp(mp_resources[i]->id, id) == 0)
			return mp_resources[i];
	return NULL;
}

/* What apply would mend, or a person must: never without saying how. */
static void complete(const struct mp_resource *r, struct mp_diff *d)
{
	if ((d->status == MP_DRIFT || d->status == MP_FAIL) && !d->remedy && r->remedy)
		d->remedy = mp_xstrdup(r->remedy);
}

void mp_resource_diff(const struct mp_resource *r, const json_t *fact, const char *fact_error,
		      const json_t *want, struct mp_diff *ret)
{
	const char *skip = json_string_value(json_object_get(want, "skip"));
	const char *wrong = json_string_value(json_object_get(want, "fail"));

	mp_diff_init(ret);
	if (!want)
		mp_diff_verdict(ret, MP_SKIP, NULL, "nothing is wanted here");
	else if (skip)
		mp_diff_verdict(ret, MP_SKIP, NULL, "%s", skip);
	else if (wrong)
		mp_diff_verdict(ret, MP_FAIL, mp_json_str(want, "remedy", NULL), "%s", wrong);
	else if (!fact)
		mp_diff_verdict(ret, MP_UNKNOWN, NULL, "%s",
				fact_error ? fact_error : "the host did not say");
	else
		r->diff(fact, want, ret);
	complete(r, ret);
}
