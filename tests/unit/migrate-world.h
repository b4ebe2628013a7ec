/* SPDX-License-Identifier: GPL-3.0-or-later */
/* migrate-world: an inventory, a profile and facts for the tests of migrate. */
#ifndef MP_TESTS_MIGRATE_WORLD_H
#define MP_TESTS_MIGRATE_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "model/run.h"

#define NOTHING "{\"processes\": [], \"files\": []}"

__attribute__((unused)) static void world_start(struct mp_world *w, const char *inventory)
{
	struct mp_inventory *inv;
	struct mp_err err = { 0 };

	if (mp_inventory_parse(inventory, strlen(inventory), "inv", &inv, &err) < 0)
		fail_msg("%s", err.text);
	*w = (struct mp_world){ .inv = inv,
				.profile = mp_profile_new(),
				.hosts = mp_xcalloc(inv->n_hosts, sizeof(*w->hosts)) };
	for (size_t i = 0; i < inv->n_hosts; i++)
		w->hosts[i].selected = true;
}

__attribute__((unused)) static void world_stop(struct mp_world *w)
{
	mp_profile_free((struct mp_profile *)(uintptr_t)w->profile);
	mp_inventory_free((struct mp_inventory *)(uintptr_t)w->inv);
	w->inv = NULL;
}

__attribute__((unused)) static void world_end(struct mp_world *w)
{
	struct mp_inventory *inv = (struct mp_inventory *)(uintptr_t)w->inv;

	mp_profile_free((struct mp_profile *)(uintptr_t)w->profile);
	mp_world_fini(w);
	mp_inventory_free(inv);
}

__attribute__((unused)) static void facts(struct mp_world *w, size_t host, const char *text)
{
	json_t *tree = json_loads(text, 0, NULL);

	assert_non_null(tree);
	mp_world_merge(w, host, tree);
	w->hosts[host].reached = true;
	json_decref(tree);
}

__attribute__((unused)) static void set(struct mp_world *w, const char *assignment)
{
	struct mp_err err = { 0 };

	if (mp_profile_set((struct mp_profile *)(uintptr_t)w->profile, assignment, "test", &err) <
	    0)
		fail_msg("%s", err.text);
}

#define RUNS "\"installed\": true, \"running\": true, \"arch\": \"x86_64\", "
#define TWO_TYPES "{\"virt\": {" RUNS "\"machines\": [\"pc-i440fx-7.2\", \"pc-q35-7.2\"]}}"

#endif
