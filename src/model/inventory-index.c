/* SPDX-License-Identifier: GPL-3.0-or-later */
/* inventory, second half: which host or group a word stands for. */
#include "config.h"
#include "model/inventory-internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "model/name.h"

void mp_inventory_words(const char *s, struct mp_strv *ret)
{
	while (*s) {
		size_t n;
		int depth = 0;

		s += strspn(s, " \t,");
		for (n = 0; s[n]; n++) {
			if (s[n] == '[')
				depth++;
			else if (s[n] == ']')
				depth--;
			else if (s[n] == ' ' || s[n] == '\t' || (s[n] == ',' && depth <= 0))
				break;
		}
		if (n)
			mp_strv_take(ret, mp_xstrndup(s, n));
		s += n;
	}
}

/* ---- the index ---- */

static int compare_idents(const void *a, const void *b)
{
	const struct mp_ident *x = a, *y = b;
	int c = strcmp(x->key, y->key);

	return c ? c : (x->host > y->host) - (x->host < y->host);
}

static void add_ident(struct mp_inventory *inv, const char *word, const char *what, size_t host,
		      int line)
{
	char key[MP_NAME_MAX + 1];

	mp_name_canonical(word, key, sizeof(key));
	inv->idents[inv->n_idents++] = (struct mp_ident){
		.key = mp_xstrdup(key), .what = what, .host = host, .line = line
	};
}

static int conflict(const struct mp_inventory *inv, const struct mp_ident *a,
		    const struct mp_ident *b, struct mp_err *err)
{
	const char *name = inv->hosts[b->host].name;

	if (strcmp(a->what, "name") == 0 && strcmp(b->what, "name") == 0)
		return mp_err_set(
			err, MP_E_INPUT,
			"%.200s:%d: host '%.80s' is already there on line %d; remove one of them",
			inv->path, b->line, name, a->line);
	return mp_err_set(
		err, MP_E_INPUT,
		"%.200s:%d: %s '%.60s' of host '%.60s' is already the %s of host '%.60s' (line "
		"%d); give each host its own",
		inv->path, b->line, b->what, b->key, name, a->what, inv->hosts[a->host].name,
		a->line);
}

int mp_inventory_index(struct mp_inventory *inv, const struct mp_host_lines *lines,
		       struct mp_err *err)
{
	const struct mp_ident *first = NULL, *second = NULL;
	size_t n = 0;

	for (size_t i = 0; i < inv->n_hosts; i++)
		n += 3 + inv->hosts[i].aliases.n;
	inv->idents = mp_xcalloc(n, sizeof(*inv->idents));
	for (size_t i = 0; i < inv->n_hosts; i++) {
		const struct mp_host *h = &inv->hosts[i];

		add_ident(inv, h->name, "name", i, h->line);
		if (lines[i].address)
			add_ident(inv, h->address, "address", i, lines[i].address);
		if (h->migration_address)
			add_ident(inv, h->migration_address, "migration address", i,
				  lines[i].migration_address);
		for (size_t j = 0; j < h->aliases.n; j++)
			add_ident(inv, h->aliases.v[j], "alias", i, lines[i].aliases);
	}
	qsort(inv->idents, inv->n_idents, sizeof(*inv->idents), compare_idents);
	for (size_t i = 1; i < inv->n_idents; i++) {
		const struct mp_ident *a = &inv->idents[i - 1], *b = &inv->idents[i];

		if (a->host == b->host || strcmp(a->key, b->key) != 0)
			continue;
		/* Of all conflicts, tell the one that a reader of the file meets first. */
		if (!second || b->line < second->line) {
			first = a;
			second = b;
		}
	}
	return second ? conflict(inv, first, second, err) : 0;
}

static int compare_key(const void *key, const void *ident)
{
	return strcmp(key, ((const struct mp_ident *)ident)->key);
}

const struct mp_host *mp_inventory_find(const struct mp_inventory *inv, const char *word)
{
	char key[MP_NAME_MAX + 1];
	const struct mp_ident *found;

	if (!inv->n_idents || strlen(word) > MP_NAME_MAX)
		return NULL;
	mp_name_canonical(word, key, sizeof(key));
	found = bsearch(key, inv->idents, inv->n_idents, sizeof(*inv->idents), compare_key);
	return found ? &inv->hosts[found->host] : NULL;
}

const char *mp_host_migration_address(const struct mp_host *h)
{
	return h->migration_address ? h->migration_address : h->address;
}

/* ---- words ---- */

static struct mp_group *find_group(const struct mp_inventory *inv, const char *name)
{
	for (size_t i = 0; i < inv->n_groups; i++)
		if (strcmp(inv->groups[i].name, name) == 0)
			return &inv->groups[i];
	return NULL;
}

static int unknown_word(const struct mp_inventory *inv, const char *word, struct mp_err *err)
{
	mp_auto_free const char **words = mp_xcalloc(inv->n_hosts + inv->n_groups, sizeof(*words));
	const char *near;
	size_t n = 0;

	for (size_t i = 0; i < inv->n_hosts; i++)
		words[n++] = inv->hosts[i].name;
	for (size_t i = 0; i < inv->n_groups; i++)
		words[n++] = inv->groups[i].name;
	near = mp_str_nearest(word, words, n);
	if (near)
		return mp_err_set(err, MP_E_INPUT,
				  "no host or group '%.80s' in %.200s; did you mean '%.80s'?", word,
				  inv->path, near);
	return mp_err_set(
		err, MP_E_INPUT,
		"no host or group '%.80s' in %.200s; add a [host] section or correct the name",
		word, inv->path);
}

static size_t mark_group(const struct mp_group *g, bool *mark)
{
	for (size_t i = 0; i < g->n_hosts; i++)
		mark[g->hosts[i]] = true;
	return g->n_hosts;
}

int mp_inventory_select(const struct mp_inventory *inv, const char *const *words, size_t n_words,
			bool *selected, struct mp_err *err)
{
	mp_auto_strv struct mp_strv list = { 0 }, names = { 0 };

	for (size_t i = 0; i < inv->n_hosts; i++)
		selected[i] = n_words == 0;
	for (size_t i = 0; i < n_words; i++)
		mp_inventory_words(words[i], &list);
	if (n_words && !list.n)
		return mp_err_set(err, MP_E_INPUT, "empty host name; name a host or a group");
	for (size_t i = 0; i < list.n; i++)
		if (mp_range_expand(list.v[i], MP_MAX_GROUP_WORDS, &names, err) < 0)
			return -1;
	for (size_t i = 0; i < names.n; i++) {
		const struct mp_host *h = mp_inventory_find(inv, names.v[i]);
		const struct mp_group *g = h ? NULL : find_group(inv, names.v[i]);

		if (h)
			selected[h->index] = true;
		else if (g)
			mark_group(g, selected);
		else
			return unknown_word(inv, names.v[i], err);
	}
	return 0;
}

/* ---- groups ---- */

struct resolver {
	struct mp_inventory *inv;
	const struct mp_raw_group *raw;
	char *state; /* by group: 0 to do, 1 begun, 2 done */
	size_t budget;
	struct mp_err *err;
};

static int resolve_group(struct resolver *r, size_t g);

/* A word of group g that is a host or another group. */
static int resolve_word(struct resolver *r, size_t g, const char *word, bool *mark)
{
	const struct mp_host *h = mp_inventory_find(r->inv, word);
	const struct mp_group *other = h ? NULL : find_group(r->inv, word);
	const char *path = r->inv->path;
	int line = r->raw[g].words_line;
	size_t at, cost;

	if (h) {
		mark[h->index] = true;
		return 0;
	}
	if (!other) {
		unknown_word(r->inv, word, r->err);
		return mp_err_wrap(r->err, "%.200s:%d: group '%.80s'", path, line,
				   r->inv->groups[g].name);
	}
	at = (size_t)(other - r->inv->groups);
	if (r->state[at] == 1)
		return mp_err_set(
			r->err, MP_E_INPUT,
			"%.200s:%d: group '%.80s' names '%.80s', which contains it; take one "
			"out of the other",
			path, line, r->inv->groups[g].name, word);
	if (r->state[at] == 0 && resolve_group(r, at) < 0)
		return -1;
	cost = mark_group(other, mark);
	r->budget -= cost < r->budget ? cost : r->budget;
	return 0;
}

static int resolve_words(struct resolver *r, size_t g, bool *mark)
{
	mp_auto_strv struct mp_strv list = { 0 };

	mp_inventory_words(r->raw[g].words, &list);
	for (size_t i = 0; i < list.n; i++) {
		mp_auto_strv struct mp_strv names = { 0 };

		if (mp_range_expand(list.v[i], r->budget, &names, r->err) < 0)
			return mp_err_wrap(r->err, "%.200s:%d: group '%.80s'", r->inv->path,
					   r->raw[g].words_line, r->inv->groups[g].name);
		r->budget -= names.n;
		for (size_t j = 0; j < names.n; j++)
			if (resolve_word(r, g, names.v[j], mark) < 0)
				return -1;
	}
	return 0;
}

static int resolve_group(struct resolver *r, size_t g)
{
	mp_auto_free bool *mark = mp_xcalloc(r->inv->n_hosts, sizeof(*mark));
	struct mp_group *group = &r->inv->groups[g];

	r->state[g] = 1;
	if (resolve_words(r, g, mark) < 0)
		return -1;
	r->state[g] = 2;
	for (size_t i = 0; i < r->inv->n_hosts; i++)
		group->n_hosts += mark[i];
	group->hosts = mp_xcalloc(group->n_hosts, sizeof(*group->hosts));
	for (size_t i = 0, n = 0; i < r->inv->n_hosts; i++)
		if (mark[i])
			group->hosts[n++] = i;
	return 0;
}

int mp_inventory_resolve(struct mp_inventory *inv, const struct mp_raw_group *raw,
			 struct mp_err *err)
{
	mp_auto_free char *state = mp_xcalloc(inv->n_groups, 1);
	struct mp_err own;
	struct resolver r = { .inv = inv,
			      .raw = raw,
			      .state = state,
			      .budget = MP_MAX_GROUP_WORDS,
			      .err = err ? err : &own };

	for (size_t i = 0; i < inv->n_groups; i++) {
		const struct mp_host *h = mp_inventory_find(inv, inv->groups[i].name);

		if (h)
			return mp_err_set(
				err, MP_E_INPUT,
				"%.200s:%d: group '%.80s' is also a word for host '%.80s' (line "
				"%d); rename the group",
				inv->path, raw[i].line, inv->groups[i].name, h->name, h->line);
	}
	for (size_t i = 0; i < inv->n_groups; i++)
		if (!state[i] && resolve_group(&r, i) < 0)
			return -1;
	return 0;
}
