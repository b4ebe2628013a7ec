/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "model/world.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "model/name.h"

/* ---- shared trees ---- */

struct slot {
	uint64_t hash;
	json_t *tree; /* one reference is ours; NULL: free */
};

/* Open addressing, at most half full. */
struct mp_interned {
	struct slot *slots;
	size_t room, n;
	json_t *claims; /* {CANONICAL: by how many hosts Nova is told to dial it} */
	json_t *said;   /* {NAME: how many hosts call themselves so, of those that may} */
};

/* FNV-1a over the compact dump as it is made, so that the text is never there as a whole. */
static int hash_bytes(const char *bytes, size_t size, void *hash)
{
	uint64_t h = *(uint64_t *)hash;

	for (size_t i = 0; i < size; i++)
		h = (h ^ (unsigned char)bytes[i]) * 0x100000001b3u;
	*(uint64_t *)hash = h;
	return 0;
}

static uint64_t hash_fact(const char *id, const json_t *tree)
{
	uint64_t h = 0xcbf29ce484222325u;

	hash_bytes(id, strlen(id) + 1, &h);
	/* A tree that cannot be dumped (a number that is none) hashes as what came before: still
	 * correct. */
	(void)json_dump_callback(tree, hash_bytes, &h,
				 JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	return h;
}

/* Doubles the room, without the trees that only the table itself still holds. */
static void rehash(struct mp_interned *t)
{
	struct mp_interned old = *t;

	t->n = 0;
	t->room = old.room ? old.room * 2 : 64;
	t->slots = mp_xcalloc(t->room, sizeof(*t->slots));
	for (size_t i = 0; i < old.room; i++) {
		struct slot s = old.slots[i];
		size_t at = (size_t)s.hash & (t->room - 1);

		if (!s.tree)
			continue;
		if (s.tree->refcount == 1) {
			json_decref(s.tree);
			continue;
		}
		while (t->slots[at].tree)
			at = (at + 1) & (t->room - 1);
		t->slots[at] = s;
		t->n++;
	}
	free(old.slots);
}

/* A new reference to the tree that stands for all that equal this one. */
static json_t *intern(struct mp_interned *t, const char *id, json_t *tree)
{
	uint64_t hash = hash_fact(id, tree);
	size_t at;

	if (t->n * 2 >= t->room)
		rehash(t);
	at = (size_t)hash & (t->room - 1);
	for (; t->slots[at].tree; at = (at + 1) & (t->room - 1))
		if (t->slots[at].hash == hash && json_equal(t->slots[at].tree, tree))
			return json_incref(t->slots[at].tree);
	t->slots[at] = (struct slot){ .hash = hash, .tree = json_incref(tree) };
	t->n++;
	return json_incref(tree);
}

/* ---- what Nova dials ---- */

/* Options of nova-compute, in the fact "nova-conf", that other hosts dial this one by. */
static const char *const dial_keys[] = { "host", "my_ip", "migration_inbound_addr",
					 "live_migration_inbound_addr" };

static const char *dialled(const json_t *fact, size_t i)
{
	const char *s = mp_json_str(json_object_get(fact, "dial"), dial_keys[i], "");

	return mp_name_is_host(s) || mp_name_is_literal(s) ? s : NULL;
}

/* Counts a host in, or out, once for each name or address that its fact claims. */
static void count_claims(struct mp_interned *t, const json_t *fact, int by)
{
	json_t *seen = json_object();

	for (size_t i = 0; i < MP_N_ELEMS(dial_keys); i++) {
		char key[MP_NAME_MAX + 1];

		if (!dialled(fact, i))
			continue;
		mp_name_canonical(dialled(fact, i), key, sizeof(key));
		if (json_object_get(seen, key))
			continue;
		json_object_set_new(seen, key, json_true());
		json_object_set_new(t->claims, key,
				    json_integer(mp_json_int(t->claims, key, 0) + by));
	}
	json_decref(seen);
}

static void add_name(struct mp_strv *names, const char *name)
{
	if (mp_name_is_loopback(name))
		return;
	for (size_t i = 0; i < names->n; i++)
		if (strcasecmp(names->v[i], name) == 0)
			return;
	mp_strv_add(names, name);
}

static bool same_label(const char *a, const char *b)
{
	size_t n = strcspn(a, ".");

	return n && n == strcspn(b, ".") && strncasecmp(a, b, n) == 0;
}

/*
 * Appends what a host calls itself, long and short, as far as it may: it came over the wire and is
 * going to stand for this host in the files of all others, so it must be a host name, and begin
 * with a label that the inventory has for this host.
 */
static void said_by(const struct mp_host *h, const json_t *identity, struct mp_strv *ret)
{
	static const char *const keys[] = { "hostname", "fqdn" };

	for (size_t i = 0; i < MP_N_ELEMS(keys); i++) {
		mp_auto_free char *text = mp_xstrdup(mp_json_str(identity, keys[i], ""));
		size_t size = strlen(text);
		bool ours = same_label(text, h->name);

		for (size_t a = 0; a < h->aliases.n && !ours; a++)
			ours = same_label(text, h->aliases.v[a]);
		if (size && text[size - 1] == '.')
			text[size - 1] = '\0';
		for (int cut = 0; cut < 2 && ours; cut++) {
			if (mp_name_is_host(text))
				add_name(ret, text);
			text[strcspn(text, ".")] = '\0';
		}
	}
}

static void count_said(struct mp_interned *t, const struct mp_host *h, const json_t *identity,
		       int by)
{
	mp_auto_strv struct mp_strv names = { 0 };

	said_by(h, identity, &names);
	for (size_t i = 0; i < names.n; i++) {
		char key[MP_NAME_MAX + 1];

		mp_name_canonical(names.v[i], key, sizeof(key));
		json_object_set_new(t->said, key, json_integer(mp_json_int(t->said, key, 0) + by));
	}
}

/* Counts what facts that come, or go, say of the host's names. */
static void count_names(struct mp_world *w, size_t host, const json_t *facts, int by)
{
	count_claims(w->interned, json_object_get(facts, "nova-conf"), by);
	count_said(w->interned, &w->inv->hosts[host], json_object_get(facts, "identity"), by);
}

void mp_world_forget(struct mp_world *w, size_t host)
{
	struct mp_host_state *state = &w->hosts[host];

	if (state->facts)
		count_names(w, host, state->facts, -1);
	json_decref(state->facts);
	state->facts = NULL;
}

void mp_world_merge(struct mp_world *w, size_t host, const json_t *facts)
{
	struct mp_host_state *state = &w->hosts[host];
	const char *id;
	json_t *tree;

	if (!w->interned) {
		w->interned = mp_xcalloc(1, sizeof(*w->interned));
		w->interned->claims = json_object();
		w->interned->said = json_object();
	}
	if (!state->facts)
		state->facts = json_object();
	count_names(w, host, state->facts, -1);
	json_object_foreach((json_t *)facts, id, tree)
		json_object_set_new(state->facts, id, intern(w->interned, id, tree));
	count_names(w, host, state->facts, 1);
}

void mp_world_fini(struct mp_world *w)
{
	for (size_t i = 0; w->hosts && i < w->inv->n_hosts; i++)
		json_decref(w->hosts[i].facts);
	free(w->hosts);
	w->hosts = NULL;
	if (!w->interned)
		return;
	for (size_t i = 0; i < w->interned->room; i++)
		json_decref(w->interned->slots[i].tree);
	json_decref(w->interned->claims);
	json_decref(w->interned->said);
	free(w->interned->slots);
	free(mp_steal(&w->interned));
}

/* ---- facts ---- */

const json_t *mp_world_fact(const struct mp_world *w, size_t host, const char *id)
{
	const json_t *fact = json_object_get(w->hosts[host].facts, id);

	return json_object_get(fact, "error") ? NULL : fact;
}

const char *mp_world_fact_error(const struct mp_world *w, size_t host, const char *id)
{
	const struct mp_host_state *state = &w->hosts[host];
	const json_t *fact = json_object_get(state->facts, id);
	const json_t *error = json_object_get(fact, "error");

	if (error)
		return mp_json_str(error, "text", "the host did not say why");
	if (fact)
		return NULL;
	if (state->err.code != MP_E_NONE)
		return state->err.text;
	return state->reached ? "not observed" : "the host was not asked";
}

const char *mp_json_str(const json_t *o, const char *key, const char *def)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : def;
}

long long mp_json_int(const json_t *o, const char *key, long long def)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? json_integer_value(v) : def;
}

bool mp_json_bool(const json_t *o, const char *key, bool def)
{
	const json_t *v = json_object_get(o, key);

	return json_is_boolean(v) ? json_is_true(v) : def;
}

/* ---- names ---- */

/* What the host calls itself, unless it is another's in the inventory, or another says it too. */
static void add_said(const struct mp_world *w, const struct mp_host *h, struct mp_strv *names)
{
	mp_auto_strv struct mp_strv said = { 0 };

	said_by(h, mp_world_fact(w, h->index, "identity"), &said);
	for (size_t i = 0; i < said.n; i++) {
		const struct mp_host *owner = mp_inventory_find(w->inv, said.v[i]);
		char key[MP_NAME_MAX + 1];

		mp_name_canonical(said.v[i], key, sizeof(key));
		if ((!owner || owner == h) && mp_json_int(w->interned->said, key, 0) == 1)
			add_name(names, said.v[i]);
	}
}

/* What Nova on other hosts dials this one by, unless it is not this one's alone. */
static void add_dialled(const struct mp_world *w, const struct mp_host *h, struct mp_strv *names)
{
	const json_t *fact = mp_world_fact(w, h->index, "nova-conf");

	for (size_t i = 0; i < MP_N_ELEMS(dial_keys); i++) {
		const char *s = dialled(fact, i);
		const struct mp_host *owner = s ? mp_inventory_find(w->inv, s) : NULL;
		char key[MP_NAME_MAX + 1];

		if (!s || (owner && owner != h))
			continue;
		mp_name_canonical(s, key, sizeof(key));
		if (mp_json_int(w->interned->claims, key, 0) == 1)
			add_name(names, s);
	}
}

void mp_world_names(const struct mp_world *w, size_t host, struct mp_strv *ret)
{
	const struct mp_host *h = &w->inv->hosts[host];
	struct mp_strv names = { 0 };

	add_name(&names, h->name);
	add_name(&names, h->address);
	if (h->migration_address)
		add_name(&names, h->migration_address);
	for (size_t i = 0; i < h->aliases.n; i++)
		add_name(&names, h->aliases.v[i]);
	add_said(w, h, &names);
	add_dialled(w, h, &names);
	mp_strv_sort(&names);
	for (size_t i = 0; i < names.n; i++)
		mp_strv_take(ret, mp_steal(&names.v[i]));
	mp_strv_fini(&names);
}
