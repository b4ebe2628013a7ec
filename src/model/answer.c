/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "model/answer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "model/name.h"

/* Whose name it is: as it stands, or else without its last labels. */
static const struct mp_host *owner_of(const struct mp_inventory *inv, const char *said)
{
	mp_auto_free char *text = mp_xstrdup(said);
	size_t size = strlen(text);
	char *cut = text;

	if (size && text[size - 1] == '.')
		text[size - 1] = '\0';
	if (!mp_name_is_host(text) || mp_name_is_loopback(text))
		return NULL;
	while (cut) {
		const struct mp_host *h = mp_inventory_find(inv, text);

		if (h)
			return h;
		cut = strrchr(text, '.');
		if (cut)
			*cut = '\0';
	}
	return NULL;
}

static bool is_another(const struct mp_world *w, const struct mp_host *h, struct mp_err *err)
{
	const json_t *identity = mp_world_fact(w, h->index, "identity");
	const char *name = mp_json_str(identity, "hostname", "");
	const struct mp_host *by_name = owner_of(w->inv, name);
	const struct mp_host *by_fqdn = owner_of(w->inv, mp_json_str(identity, "fqdn", ""));
	const struct mp_host *other = by_name ? by_name : by_fqdn;

	if (!other || by_name == h || by_fqdn == h)
		return false;
	mp_err_set(
		err, MP_E_INPUT,
		"%s answers as %s, which is another host of the inventory; mend the addresses, or "
		"the host name if it is that which is wrong",
		h->address, other->name);
	return true;
}

/*
 * What two machines never have in common all at once. None of it is enough alone: containers share
 * the boot id, and clones the rest. NULL when something is missing.
 */
static char *machine_of(const struct mp_world *w, size_t host)
{
	const json_t *identity = mp_world_fact(w, host, "identity"), *key;
	const char *boot = mp_json_str(identity, "boot_id", NULL);
	const char *machine = mp_json_str(identity, "machine_id", NULL);
	const char *name = mp_json_str(identity, "hostname", "");
	const json_t *keys = json_object_get(identity, "host_keys");
	mp_auto_buf struct mp_buf b;
	size_t i;

	mp_buf_init(&b, 0);
	if (!boot || !machine || !json_array_size(keys))
		return NULL;
	mp_buf_printf(&b, "%s %s %s", boot, machine, name);
	json_array_foreach((json_t *)keys, i, key)
	{
		mp_buf_printf(&b, " %s", mp_json_str(key, "fingerprint", "?"));
	}
	return mp_buf_take(&b);
}

/* {MACHINE: [HOST INDEX...]} of the reached hosts without an error. */
static json_t *machines(const struct mp_world *w, const struct mp_err *errs)
{
	json_t *o = json_object();

	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		mp_auto_free char *machine = NULL;
		json_t *list;

		if (!w->hosts[i].reached || errs[i].code != MP_E_NONE)
			continue;
		machine = machine_of(w, i);
		if (!machine)
			continue;
		list = json_object_get(o, machine);
		if (!list) {
			list = json_array();
			json_object_set_new(o, machine, list);
		}
		json_array_append_new(list, json_integer((json_int_t)i));
	}
	return o;
}

static size_t judge_twins(const struct mp_world *w, const json_t *list, struct mp_err *errs)
{
	mp_auto_strv struct mp_strv names = { 0 };
	mp_auto_free char *text = NULL;
	const json_t *index;
	size_t i;

	if (json_array_size(list) < 2)
		return 0;
	json_array_foreach((json_t *)list, i, index)
	{
		mp_strv_add(&names, w->inv->hosts[json_integer_value(index)].name);
	}
	text = mp_range_fold(&names);
	json_array_foreach((json_t *)list, i, index)
	{
		mp_err_set(
			&errs[json_integer_value(index)], MP_E_INPUT,
			"%s are one machine (same boot id, machine-id, host name and host keys); "
			"keep one of them in the inventory, with the other names as its aliases",
			text);
	}
	return names.n;
}

size_t mp_answers_judge(const struct mp_world *w, struct mp_err *errs)
{
	const char *machine;
	size_t n = 0;
	json_t *all, *list;

	for (size_t i = 0; i < w->inv->n_hosts; i++)
		if (w->hosts[i].reached)
			n += is_another(w, &w->inv->hosts[i], &errs[i]);
	all = machines(w, errs);
	json_object_foreach(all, machine, list)
	{
		n += judge_twins(w, list, errs);
	}
	json_decref(all);
	return n;
}
