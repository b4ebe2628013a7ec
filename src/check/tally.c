/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "check/tally.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"

void mp_tally_fini(struct mp_tally *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->v[i].value);
		mp_strv_fini(&t->v[i].hosts);
	}
	free(t->v);
	json_decref(t->index);
	*t = (struct mp_tally){ 0 };
}

void mp_tally_add(struct mp_tally *t, const char *value, const char *host)
{
	json_t *at;

	if (!t->index)
		t->index = json_object();
	at = json_object_get(t->index, value);
	if (!at) {
		t->v = mp_xreallocarray(t->v, t->n + 1, sizeof(*t->v));
		t->v[t->n] = (struct mp_tally_row){ .value = mp_xstrdup(value) };
		at = json_integer((json_int_t)t->n++);
		json_object_set_new(t->index, value, at);
	}
	mp_strv_add(&t->v[json_integer_value(at)].hosts, host);
}

ssize_t mp_tally_most(const struct mp_tally *t)
{
	ssize_t best = -1;
	size_t most = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i].hosts.n > most) {
			most = t->v[i].hosts.n;
			best = (ssize_t)i;
		} else if (t->v[i].hosts.n == most) {
			best = -1;
		}
	}
	return best;
}

char *mp_tally_text(const struct mp_tally *t, const char *verb, size_t min, ssize_t skip)
{
	mp_auto_buf struct mp_buf b;

	mp_buf_init(&b, 0);
	for (size_t i = 0; i < t->n; i++) {
		mp_auto_free char *hosts = NULL;

		if (t->v[i].hosts.n < min || (ssize_t)i == skip)
			continue;
		hosts = mp_range_fold(&t->v[i].hosts);
		mp_buf_printf(&b, "%s%s %s %s", b.size ? "; " : "", hosts, verb, t->v[i].value);
	}
	return mp_buf_take(&b);
}

json_t *mp_tally_json(const struct mp_tally *t, size_t min)
{
	json_t *ret = json_object();

	for (size_t i = 0; i < t->n; i++) {
		json_t *hosts;

		if (t->v[i].hosts.n < min)
			continue;
		hosts = json_array();
		for (size_t j = 0; j < t->v[i].hosts.n; j++)
			json_array_append_new(hosts, json_string(t->v[i].hosts.v[j]));
		json_object_set_new(ret, t->v[i].value, hosts);
	}
	return ret;
}

size_t mp_tally_shared(const struct mp_tally *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += t->v[i].hosts.n > 1;
	return n;
}
