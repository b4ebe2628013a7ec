/* SPDX-License-Identifier: GPL-3.0-or-later */
/* inventory, first half: from the file to hosts. What words stand for is in inventory-index.c. */
#include "config.h"
#include "model/inventory-internal.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "model/ini.h"
#include "model/name.h"
#include "model/profile.h"

enum key {
	KEY_ADDRESS,
	KEY_MIGRATION_ADDRESS,
	KEY_ALIASES,
	KEY_ROLES,
	KEY_SSH_USER,
	KEY_SSH_PORT,
	KEY_SSH_KEY,
	KEY_TRANSPORT,
	KEY_HOSTS,
	KEY_NAME,
	N_KEYS
};

const struct mp_inventory_key mp_inventory_keys[] = {
	[KEY_ADDRESS] = { "host", "address",
			  "What migprep dials: an IP address or a name; default the name of the "
			  "section." },
	[KEY_MIGRATION_ADDRESS] = { "host", "migration_address",
				    "IP address for migration data; default the address." },
	[KEY_ALIASES] = { "host", "aliases", "Further names that other hosts may dial." },
	[KEY_ROLES] = { "defaults host", "roles", "compute, nfs or both; default compute." },
	[KEY_SSH_USER] = { "defaults host", "ssh_user",
			   "User to log in as; default as ssh(1) is configured, else root." },
	[KEY_SSH_PORT] = { "defaults host", "ssh_port",
			   "Port of sshd; default as ssh(1) is configured, else 22." },
	[KEY_SSH_KEY] = { "defaults host", "ssh_key",
			  "Private key file on this machine; default as ssh(1) is configured." },
	[KEY_TRANSPORT] = { "defaults host", "transport",
			    "libssh2 (built in, the default) or openssh (the ssh program)." },
	[KEY_HOSTS] = { "group", "hosts", "Hosts, ranges and other groups." },
	[KEY_NAME] = { "profile", "name", "Name or path of the profile." },
};
const size_t mp_n_inventory_keys = MP_N_ELEMS(mp_inventory_keys);

static const char *const kinds[] = { "defaults", "profile", "host", "group" };

struct raw {
	char *value; /* NULL: not said */
	int line;
};

/* What [defaults] and [host] both may say. roles 0, transport -1: not said. */
struct common {
	unsigned roles;
	const char *ssh_user, *ssh_key;
	long ssh_port;
	int transport;
};

struct parser {
	struct mp_inventory *inv;
	struct mp_err *err;
	/* the section that is being read */
	const char *kind; /* of kinds; NULL before the first */
	char *name;
	int line;
	struct raw raw[N_KEYS];
	/* what is applied at the end */
	struct raw defaults[N_KEYS];
	bool seen_defaults, seen_profile;
	bool *seen_params; /* by row of mp_params */
	struct mp_host_lines *lines;
	bool *transport_said;
	struct mp_raw_group *groups;
	size_t n_wanted; /* hosts that the file asks for, also beyond the limit */
};

__attribute__((format(printf, 3, 4))) static int bad(struct parser *p, int line, const char *fmt,
						     ...)
{
	mp_auto_free char *what = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&what, fmt, ap) < 0)
		abort();
	va_end(ap);
	return mp_err_set(p->err, MP_E_INPUT, "%.200s:%d: %s", p->inv->path, line, what);
}

/* ---- values ---- */

static int check_address(struct parser *p, const char *s, int line, bool literal_only)
{
	if (mp_name_is_literal(s) || (!literal_only && mp_name_is_host(s)))
		return 0;
	return bad(p, line, "bad address '%.80s'; write %s", s,
		   literal_only ? "an IPv4 or IPv6 address"
				: "an IPv4 or IPv6 address or a host name");
}

static int check_name(struct parser *p, const char *what, const char *s, int line)
{
	if (mp_name_is_host(s))
		return 0;
	return bad(p, line,
		   "bad %s name '%.80s'; use letters, digits, '-', '_' and '.', beginning with a "
		   "letter or "
		   "digit, and no address",
		   what, s);
}

static int parse_roles(struct parser *p, const struct raw *raw, unsigned *ret)
{
	static const char *const names[] = { "compute", "nfs" };
	mp_auto_strv struct mp_strv words = { 0 };
	unsigned roles = 0;

	mp_inventory_words(raw->value, &words);
	for (size_t i = 0; i < words.n; i++) {
		if (strcmp(words.v[i], "compute") == 0)
			roles |= MP_ROLE_COMPUTE;
		else if (strcmp(words.v[i], "nfs") == 0)
			roles |= MP_ROLE_NFS;
		else {
			const char *near = mp_str_nearest(words.v[i], names, MP_N_ELEMS(names));

			return bad(p, raw->line, "unknown role '%.80s'; %s%s%s", words.v[i],
				   near ? "did you mean '" : "write compute, nfs or both",
				   near ? near : "", near ? "'?" : "");
		}
	}
	*ret = roles;
	return 0;
}

/* Reads the keys of set that are said. Strings are borrowed from set. */
static int parse_common(struct parser *p, const struct raw *set, struct common *ret)
{
	const struct raw *user = &set[KEY_SSH_USER], *port = &set[KEY_SSH_PORT],
			 *key = &set[KEY_SSH_KEY], *transport = &set[KEY_TRANSPORT];

	*ret = (struct common){ .transport = -1, .ssh_user = user->value, .ssh_key = key->value };
	if (set[KEY_ROLES].value && parse_roles(p, &set[KEY_ROLES], &ret->roles) < 0)
		return -1;
	if (user->value && !mp_name_is_user(user->value))
		return bad(p, user->line, "bad user '%.80s'; write the name of a login user",
			   user->value);
	if (port->value && mp_str_long(port->value, 1, 65535, &ret->ssh_port) < 0)
		return bad(p, port->line, "bad port '%.80s'; write a number from 1 to 65535",
			   port->value);
	if (key->value && !mp_name_is_path(key->value))
		return bad(p, key->line,
			   "bad path '%.80s'; use letters, digits and ._/+@=,~- without spaces",
			   key->value);
	if (!transport->value)
		return 0;
	if (strcmp(transport->value, "libssh2") == 0)
		ret->transport = MP_TRANSPORT_LIBSSH2;
	else if (strcmp(transport->value, "openssh") == 0)
		ret->transport = MP_TRANSPORT_OPENSSH;
	else
		return bad(p, transport->line,
			   "unknown transport '%.80s'; write libssh2 or openssh", transport->value);
	return 0;
}

/* ---- the end of a section ---- */

/* Expands a value that must have one word for each of n hosts. Empty list where it is not said. */
static int expand_each(struct parser *p, const char *what, const char *value, int line, size_t n,
		       struct mp_strv *ret)
{
	size_t got;

	if (mp_range_count(value, &got, p->err) < 0)
		return mp_err_wrap(p->err, "%.200s:%d: %s", p->inv->path, line, what);
	if (got != n && n > 1 && got == 1)
		return bad(p, line,
			   "%s '%.80s' for %zu hosts; write a range of %zu, as in 10.0.0.[1-%zu]",
			   what, value, n, n, n);
	if (got != n)
		return bad(p, line,
			   "%s '%.80s' makes %zu, and the section has %zu host%s; make them equal",
			   what, value, got, n, n == 1 ? "" : "s");
	return mp_range_expand(value, MP_MAX_HOSTS, ret, p->err);
}

static int expand_addresses(struct parser *p, enum key key, size_t n, struct mp_strv *ret)
{
	const struct raw *raw = &p->raw[key];
	const char *what = mp_inventory_keys[key].key;

	if (!raw->value)
		return 0;
	if (expand_each(p, what, raw->value, raw->line, n, ret) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (check_address(p, ret->v[i], raw->line, key == KEY_MIGRATION_ADDRESS) < 0)
			return -1;
	return 0;
}

/* Gives every alias word's i-th name to the i-th of the n newest hosts. */
static int expand_aliases(struct parser *p, struct mp_host *hosts, size_t n)
{
	const struct raw *raw = &p->raw[KEY_ALIASES];
	mp_auto_strv struct mp_strv words = { 0 };

	if (!raw->value)
		return 0;
	mp_inventory_words(raw->value, &words);
	if (words.n > MP_MAX_ALIASES)
		return bad(p, raw->line, "%zu aliases; at most %d for one host", words.n,
			   MP_MAX_ALIASES);
	for (size_t i = 0; i < words.n; i++) {
		mp_auto_strv struct mp_strv names = { 0 };

		if (expand_each(p, "alias", words.v[i], raw->line, n, &names) < 0)
			return -1;
		for (size_t j = 0; j < n; j++) {
			if (check_address(p, names.v[j], raw->line, false) < 0)
				return -1;
			if (!mp_strv_has(&hosts[j].aliases, names.v[j]))
				mp_strv_add(&hosts[j].aliases, names.v[j]);
		}
	}
	return 0;
}

static char *dup_or_null(const char *s)
{
	return s ? mp_xstrdup(s) : NULL;
}

/* Room for n more hosts at the end, in powers of two, so that 10,000 sections stay cheap. */
static struct mp_host *grow_hosts(struct parser *p, size_t n)
{
	struct mp_inventory *inv = p->inv;
	size_t old = inv->n_hosts, room = 1;

	while (room < old + n)
		room *= 2;
	inv->hosts = mp_xreallocarray(inv->hosts, room, sizeof(*inv->hosts));
	p->lines = mp_xreallocarray(p->lines, room, sizeof(*p->lines));
	p->transport_said = mp_xreallocarray(p->transport_said, room, sizeof(*p->transport_said));
	inv->n_hosts = old + n;
	return inv->hosts + old;
}

static int end_host(struct parser *p)
{
	mp_auto_strv struct mp_strv names = { 0 }, addresses = { 0 }, migration = { 0 };
	struct common common;
	struct mp_host *hosts;
	size_t n, first = p->inv->n_hosts;

	if (mp_range_count(p->name, &n, p->err) < 0)
		return mp_err_wrap(p->err, "%.200s:%d: [host]", p->inv->path, p->line);
	if (__builtin_add_overflow(p->n_wanted, n, &p->n_wanted))
		p->n_wanted = SIZE_MAX;
	if (p->n_wanted > MP_MAX_HOSTS)
		return 0; /* only counted from here on */
	if (mp_range_expand(p->name, MP_MAX_HOSTS, &names, p->err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (check_name(p, "host", names.v[i], p->line) < 0)
			return -1;
	if (parse_common(p, p->raw, &common) < 0 ||
	    expand_addresses(p, KEY_ADDRESS, n, &addresses) < 0 ||
	    expand_addresses(p, KEY_MIGRATION_ADDRESS, n, &migration) < 0)
		return -1;
	hosts = grow_hosts(p, n);
	for (size_t i = 0; i < n; i++) {
		hosts[i] = (struct mp_host){
			.index = first + i,
			.name = mp_steal(&names.v[i]),
			.migration_address = migration.n ? mp_steal(&migration.v[i]) : NULL,
			.ssh_user = dup_or_null(common.ssh_user),
			.ssh_port = common.ssh_port,
			.ssh_key = dup_or_null(common.ssh_key),
			.transport = common.transport == MP_TRANSPORT_OPENSSH
					     ? MP_TRANSPORT_OPENSSH
					     : MP_TRANSPORT_LIBSSH2,
			.roles = common.roles,
			.line = p->line,
		};
		hosts[i].address =
			addresses.n ? mp_steal(&addresses.v[i]) : mp_xstrdup(hosts[i].name);
		p->lines[first + i] = (struct mp_host_lines){
			.address = p->raw[KEY_ADDRESS].line,
			.migration_address = p->raw[KEY_MIGRATION_ADDRESS].line,
			.aliases = p->raw[KEY_ALIASES].line,
		};
		p->transport_said[first + i] = common.transport >= 0;
	}
	return expand_aliases(p, hosts, n);
}

static int end_group(struct parser *p)
{
	struct mp_inventory *inv = p->inv;
	struct raw *words = &p->raw[KEY_HOSTS];

	if (check_name(p, "group", p->name, p->line) < 0)
		return -1;
	if (!words->value)
		return bad(p, p->line, "group '%.80s' has no hosts; add hosts = NAME...", p->name);
	for (size_t i = 0; i < inv->n_groups; i++)
		if (strcmp(inv->groups[i].name, p->name) == 0)
			return bad(p, p->line,
				   "group '%.80s' is already there on line %d; remove one of them",
				   p->name, p->groups[i].line);
	if (inv->n_groups == MP_MAX_GROUPS)
		return bad(p, p->line, "more than %d groups; remove some", MP_MAX_GROUPS);
	inv->groups = mp_xreallocarray(inv->groups, inv->n_groups + 1, sizeof(*inv->groups));
	p->groups = mp_xreallocarray(p->groups, inv->n_groups + 1, sizeof(*p->groups));
	p->groups[inv->n_groups] = (struct mp_raw_group){ .words = mp_steal(&words->value),
							  .line = p->line,
							  .words_line = words->line };
	inv->groups[inv->n_groups++] = (struct mp_group){ .name = mp_steal(&p->name) };
	return 0;
}

static int end_section(struct parser *p)
{
	int r = 0;

	if (!p->kind)
		return 0;
	if (strcmp(p->kind, "host") == 0) {
		r = end_host(p);
	} else if (strcmp(p->kind, "group") == 0) {
		r = end_group(p);
	} else if (strcmp(p->kind, "profile") == 0) {
		if (p->raw[KEY_NAME].value)
			p->inv->profile = mp_steal(&p->raw[KEY_NAME].value);
	} else {
		struct common common;

		r = parse_common(p, p->raw, &common);
		for (size_t i = 0; i < N_KEYS; i++) {
			p->defaults[i] = p->raw[i];
			p->raw[i].value = NULL;
		}
	}
	for (size_t i = 0; i < N_KEYS; i++) {
		free(p->raw[i].value);
		p->raw[i] = (struct raw){ 0 };
	}
	free(mp_steal(&p->name));
	p->kind = NULL;
	return r;
}

/* ---- the beginning of a section, and its entries ---- */

static int unknown_section(struct parser *p, const char *kind, int line)
{
	const char *near = mp_str_nearest(kind, kinds, MP_N_ELEMS(kinds));

	if (near)
		return bad(p, line, "unknown section '%.80s'; did you mean [%s]?", kind, near);
	return bad(
		p, line,
		"unknown section '%.80s'; write [defaults], [profile], [host NAME] or [group NAME]",
		kind);
}

static int on_section(void *arg, const char *kind, const char *name, int line, struct mp_err *err)
{
	struct parser *p = arg;
	bool named, *seen;

	(void)err;
	if (end_section(p) < 0)
		return -1;
	for (size_t i = 0; i < MP_N_ELEMS(kinds); i++)
		if (strcmp(kind, kinds[i]) == 0)
			p->kind = kinds[i];
	if (!p->kind)
		return unknown_section(p, kind, line);
	named = strcmp(kind, "host") == 0 || strcmp(kind, "group") == 0;
	if (named != (*name != '\0'))
		return bad(p, line,
			   named ? "[%s] without a name; write [%s NAME]"
				 : "[%s] takes no name; write [%s]",
			   p->kind, p->kind);
	seen = strcmp(kind, "defaults") == 0 ? &p->seen_defaults : &p->seen_profile;
	if (!named && *seen)
		return bad(p, line, "[%s] is already there; put everything into one", p->kind);
	if (!named)
		*seen = true;
	p->name = mp_xstrdup(name);
	p->line = line;
	return 0;
}

static bool key_fits(const struct mp_inventory_key *row, const char *kind)
{
	const char *at = strstr(row->sections, kind);

	return at && (!at[strlen(kind)] || at[strlen(kind)] == ' ');
}

static int unknown_key(struct parser *p, const char *key, int line)
{
	mp_auto_free char *param = NULL;
	const char *words[N_KEYS], *near;
	size_t n = 0;

	for (size_t i = 0; i < N_KEYS; i++)
		if (key_fits(&mp_inventory_keys[i], p->kind))
			words[n++] = mp_inventory_keys[i].key;
	near = mp_str_nearest(key, words, n);
	if (!near && strcmp(p->kind, "profile") == 0)
		near = param = mp_param_nearest(key);
	if (near)
		return bad(p, line, "unknown key '%.80s' in [%s]; did you mean '%s'?", key, p->kind,
			   near);
	return bad(p, line, "unknown key '%.80s' in [%s]; see migprep-inventory(5)", key, p->kind);
}

static int on_param(struct parser *p, const char *key, const char *value, int line)
{
	const struct mp_param *row = mp_param_find(key);
	mp_auto_free char *near = NULL;

	if (!row) {
		near = mp_param_nearest(key);
		return bad(p, line, "unknown profile parameter '%.80s'; %s%s%s", key,
			   near ? "did you mean '" : "see migprep-profile(5)", near ? near : "",
			   near ? "'?" : "");
	}
	if (p->seen_params[row - mp_params])
		return bad(p, line, "'%s' is already set in this section; remove one line", key);
	p->seen_params[row - mp_params] = true;
	mp_strv_take(&p->inv->set, mp_xasprintf("%s=%s", key, value));
	mp_strv_take(&p->inv->set_places, mp_xasprintf("%s:%d", p->inv->path, line));
	return 0;
}

static int on_entry(void *arg, const char *key, const char *value, int line, struct mp_err *err)
{
	struct parser *p = arg;
	struct raw *raw = NULL;

	(void)err;
	if (!p->kind)
		return bad(
			p, line,
			"'%.80s' before the first section; put it under [host NAME] or [defaults]",
			key);
	if (strcmp(p->kind, "profile") == 0 && strchr(key, '.'))
		return on_param(p, key, value, line);
	for (size_t i = 0; i < N_KEYS; i++)
		if (strcmp(mp_inventory_keys[i].key, key) == 0 &&
		    key_fits(&mp_inventory_keys[i], p->kind))
			raw = &p->raw[i];
	if (!raw)
		return unknown_key(p, key, line);
	if (raw->value)
		return bad(p, line, "'%s' is already set on line %d; remove one line", key,
			   raw->line);
	if (!value[strspn(value, " \t,")])
		return bad(p, line, "'%s' has no value; write one or remove the line", key);
	raw->value = mp_xstrdup(value);
	raw->line = line;
	return 0;
}

/* ---- the whole ---- */

static void apply_defaults(struct parser *p, const struct common *d)
{
	for (size_t i = 0; i < p->inv->n_hosts; i++) {
		struct mp_host *h = &p->inv->hosts[i];

		if (!h->roles)
			h->roles = d->roles ? d->roles : MP_ROLE_COMPUTE;
		if (!h->ssh_user)
			h->ssh_user = dup_or_null(d->ssh_user);
		if (!h->ssh_key)
			h->ssh_key = dup_or_null(d->ssh_key);
		if (!h->ssh_port)
			h->ssh_port = d->ssh_port;
		if (!p->transport_said[i] && d->transport >= 0)
			h->transport = (enum mp_transport_kind)d->transport;
	}
}

static int parse(struct parser *p, const char *text, size_t size)
{
	static const struct mp_ini_reader reader = { .section = on_section, .entry = on_entry };
	struct common defaults;

	if (mp_ini_parse(text, size, p->inv->path, &reader, p, p->err) < 0 || end_section(p) < 0)
		return -1;
	if (p->n_wanted > MP_MAX_HOSTS)
		return mp_err_set(p->err, MP_E_LIMIT,
				  "%.200s: %zu hosts; at most %d; split the inventory",
				  p->inv->path, p->n_wanted, MP_MAX_HOSTS);
	if (!p->inv->n_hosts)
		return mp_err_set(p->err, MP_E_INPUT,
				  "%.200s: no hosts; add a [host NAME] section for each host",
				  p->inv->path);
	if (parse_common(p, p->defaults, &defaults) < 0)
		return -1;
	apply_defaults(p, &defaults);
	if (mp_inventory_index(p->inv, p->lines, p->err) < 0)
		return -1;
	return mp_inventory_resolve(p->inv, p->groups, p->err);
}

int mp_inventory_parse(const char *text, size_t size, const char *path, struct mp_inventory **ret,
		       struct mp_err *err)
{
	struct mp_err own;
	struct parser p = { .err = err ? err : &own };
	size_t n_groups;
	int r;

	p.inv = mp_xcalloc(1, sizeof(*p.inv));
	p.inv->path = mp_xstrdup(path);
	p.seen_params = mp_xcalloc(mp_n_params, sizeof(*p.seen_params));
	r = parse(&p, text, size);
	n_groups = p.inv->n_groups;
	if (r < 0)
		mp_inventory_free(p.inv);
	else
		*ret = p.inv;
	for (size_t i = 0; i < N_KEYS; i++) {
		free(p.raw[i].value);
		free(p.defaults[i].value);
	}
	for (size_t i = 0; i < n_groups; i++)
		free(p.groups[i].words);
	free(p.groups);
	free(p.lines);
	free(p.transport_said);
	free(p.seen_params);
	free(p.name);
	return r;
}

int mp_inventory_load(const char *path, struct mp_inventory **ret, struct mp_err *err)
{
	mp_auto_buf struct mp_buf buf;

	mp_buf_init(&buf, 0);
	if (mp_ini_read(path, &buf, err) < 0)
		return -1;
	return mp_inventory_parse(mp_buf_peek(&buf), buf.size, path, ret, err);
}

void mp_inventory_free(struct mp_inventory *inv)
{
	if (!inv)
		return;
	for (size_t i = 0; i < inv->n_hosts; i++) {
		struct mp_host *h = &inv->hosts[i];

		free(h->name);
		free(h->address);
		free(h->migration_address);
		mp_strv_fini(&h->aliases);
		free(h->ssh_user);
		free(h->ssh_key);
	}
	for (size_t i = 0; i < inv->n_groups; i++) {
		free(inv->groups[i].name);
		free(inv->groups[i].hosts);
	}
	for (size_t i = 0; i < inv->n_idents; i++)
		free(inv->idents[i].key);
	free(inv->hosts);
	free(inv->groups);
	free(inv->idents);
	free(inv->profile);
	mp_strv_fini(&inv->set);
	mp_strv_fini(&inv->set_places);
	free(inv->path);
	free(inv);
}
