/* SPDX-License-Identifier: GPL-3.0-or-later */
/* profile: values for the rows of params.c, and the rules they obey. Files are read in
 * profile-load.c. */
#include "config.h"
#include "model/profile-internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "model/name.h"

/* ---- rows ---- */

static const struct mp_param *find_row(const char *section, size_t size, const char *key)
{
	for (size_t i = 0; i < mp_n_params; i++)
		if (strncmp(mp_params[i].section, section, size) == 0 &&
		    !mp_params[i].section[size] && strcmp(mp_params[i].key, key) == 0)
			return &mp_params[i];
	return NULL;
}

const struct mp_param *mp_param_find(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot ? find_row(name, (size_t)(dot - name), dot + 1) : NULL;
}

char *mp_param_nearest(const char *name)
{
	mp_auto_strv struct mp_strv names = { 0 };
	const char *near;

	for (size_t i = 0; i < mp_n_params; i++)
		mp_strv_take(&names, mp_xasprintf("%s.%s", mp_params[i].section, mp_params[i].key));
	near = mp_str_nearest(name, (const char *const *)names.v, names.n);
	/* A key under the wrong section, or without one, is meant for its own. */
	for (size_t i = 0; !near && i < mp_n_params; i++) {
		const char *dot = strrchr(name, '.');

		if (strcmp(mp_params[i].key, dot ? dot + 1 : name) == 0)
			near = names.v[i];
	}
	return near ? mp_xstrdup(near) : NULL;
}

/* ---- values ---- */

static int parse_bool(const char *s, bool *ret)
{
	static const char *const yes[] = { "yes", "true", "on" }, *const no[] = { "no", "false",
										  "off" };

	for (size_t i = 0; i < MP_N_ELEMS(yes); i++) {
		if (strcmp(s, yes[i]) != 0 && strcmp(s, no[i]) != 0)
			continue;
		*ret = strcmp(s, yes[i]) == 0;
		return 0;
	}
	return -1;
}

/* migration_port_min/max of libvirt's qemu.conf are held to the same bounds. */
static int parse_ports(const char *s, int *ret_from, int *ret_to)
{
	char from[8], to[8];
	const char *dash = strchr(s, '-');
	long f, t;

	if (!dash || (size_t)(dash - s) >= sizeof(from) || strlen(dash + 1) >= sizeof(to))
		return -1;
	snprintf(from, sizeof(from), "%.*s", (int)(dash - s), s);
	snprintf(to, sizeof(to), "%s", dash + 1);
	if (mp_str_long(from, 1024, 65535, &f) < 0 || mp_str_long(to, 1024, 65535, &t) < 0 || f > t)
		return -1;
	*ret_from = (int)f;
	*ret_to = (int)t;
	return 0;
}

static bool is_choice(const char *choices, const char *s)
{
	mp_auto_strv struct mp_strv words = { 0 };

	mp_str_split(choices, "|", &words);
	return mp_strv_has(&words, s);
}

static bool is_path(const char *s)
{
	size_t size = strlen(s);

	/* ':' and blanks would end a field of passwd(5), fstab(5) or exports(5). */
	return s[0] == '/' && size > 1 && mp_name_is_path(s) && !strstr(s, "/../") &&
	       !strstr(s, "//") && (size < 3 || strcmp(s + size - 3, "/..") != 0);
}

static bool is_address(const char *s)
{
	unsigned char buf[sizeof(struct in6_addr)];

	return !*s || inet_pton(AF_INET, s, buf) == 1 || inet_pton(AF_INET6, s, buf) == 1;
}

/* One %s, and nothing else that Nova's own '%' would trip over; no blanks, quotes or control
 * characters. */
static bool is_uri(const char *s)
{
	const char *percent = strchr(s, '%');

	if (!*s)
		return true;
	return strstr(s, "://") && percent && percent[1] == 's' && !strchr(percent + 1, '%') &&
	       !s[strcspn(s, " \t\"'\\")];
}

static bool is_options(const char *s)
{
	/* exports(5) and fstab(5) end the field at blanks, '(' or ')'; '#' and quotes they treat
	 * specially. */
	return *s && !s[strcspn(s, " \t()#\"'\\")] && *s != ',' && !strstr(s, ",,") &&
	       s[strlen(s) - 1] != ',';
}

/* Whether s fits the row; the sentence that says what would, if it does not. */
static bool fits(const struct mp_param *row, const char *s, const char **ret_want, char *buf,
		 size_t size)
{
	long number;
	bool truth;
	int from, to;

	*ret_want = buf;
	switch (row->type) {
	case MP_PARAM_STR:
		return true;
	case MP_PARAM_PATH:
		*ret_want = "write an absolute path of letters, digits and ._/+@=,~- without ..";
		return is_path(s);
	case MP_PARAM_INT:
	case MP_PARAM_NUMBER:
		snprintf(buf, size, "write a number from %ld to %ld%s%s%s%s", row->min, row->max,
			 row->type == MP_PARAM_NUMBER ? ", or nothing" : "",
			 row->choices ? " (" : "", row->choices ? row->choices : "",
			 row->choices ? ")" : "");
		return (row->type == MP_PARAM_NUMBER && !*s) ||
		       mp_str_long(s, row->min, row->max, &number) == 0;
	case MP_PARAM_BOOL:
		*ret_want = "write yes or no";
		return parse_bool(s, &truth) == 0;
	case MP_PARAM_CHOICE:
		snprintf(buf, size, "write one of %s", row->choices);
		return is_choice(row->choices, s);
	case MP_PARAM_PORTS:
		*ret_want = "write FROM-TO, between 1024 and 65535, the smaller first";
		return parse_ports(s, &from, &to) == 0;
	case MP_PARAM_USER:
		*ret_want = "write the name of a user or group";
		return mp_name_is_user(s);
	case MP_PARAM_ADDRESS:
		*ret_want = "write an IPv4 or IPv6 address, or nothing";
		return is_address(s);
	case MP_PARAM_URI:
		*ret_want = "write a URI with exactly one %s and without blanks, or nothing";
		return is_uri(s);
	case MP_PARAM_OPTIONS:
		*ret_want = "write options with commas between them, without blanks, brackets and "
			    "quotes";
		return is_options(s);
	case MP_PARAM_DOMAIN:
		*ret_want = "write a DNS domain, or nothing";
		return !*s || mp_name_is_host(s);
	}
	return false;
}

int mp_profile_assign(struct mp_profile *p, const struct mp_param *row, const char *value,
		      const char *place, struct mp_err *err)
{
	struct mp_value *v = &p->values[row - mp_params];
	const char *want;
	char buf[160];

	if (!mp_str_is_text(value, strlen(value)))
		return mp_err_set(
			err, MP_E_INPUT,
			"%.240s: %s.%s has a control character or is not UTF-8; remove it", place,
			row->section, row->key);
	if (!fits(row, value, &want, buf, sizeof(buf)))
		return mp_err_set(err, MP_E_INPUT, "%.240s: bad value '%.80s' of %s.%s; %s", place,
				  value, row->section, row->key, want);
	free(v->text);
	free(v->origin);
	*v = (struct mp_value){ .text = mp_xstrdup(value), .origin = mp_xstrdup(place) };
	return 0;
}

int mp_profile_unknown(const char *name, const char *place, struct mp_err *err)
{
	mp_auto_free char *near = mp_param_nearest(name);

	if (near)
		return mp_err_set(err, MP_E_INPUT,
				  "%.240s: unknown parameter '%.80s'; did you mean '%s'?", place,
				  name, near);
	return mp_err_set(err, MP_E_INPUT,
			  "%.240s: unknown parameter '%.80s'; see migprep-profile(5)", place, name);
}

/* ---- the profile ---- */

struct mp_profile *mp_profile_new(void)
{
	struct mp_profile *p = mp_xcalloc(1, sizeof(*p));

	p->name = mp_xstrdup("default");
	p->values = mp_xcalloc(mp_n_params, sizeof(*p->values));
	for (size_t i = 0; i < mp_n_params; i++)
		p->values[i] = (struct mp_value){ .text = mp_xstrdup(mp_params[i].def),
						  .origin = mp_xstrdup("default") };
	return p;
}

void mp_profile_free(struct mp_profile *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < mp_n_params; i++) {
		free(p->values[i].text);
		free(p->values[i].origin);
	}
	free(p->values);
	free(p->name);
	free(p);
}

int mp_profile_set(struct mp_profile *p, const char *assignment, const char *place,
		   struct mp_err *err)
{
	const char *eq = strchr(assignment, '=');
	mp_auto_free char *name = NULL;
	const struct mp_param *row;

	if (!mp_str_is_text(assignment, strlen(assignment)))
		return mp_err_set(err, MP_E_INPUT,
				  "%.240s: control character or text that is not UTF-8; remove it",
				  place);
	if (!eq)
		return mp_err_set(err, MP_E_INPUT,
				  "%.240s: '%.80s' has no '='; write section.key=value", place,
				  assignment);
	name = mp_xstrndup(assignment, (size_t)(eq - assignment));
	row = mp_param_find(name);
	if (!row)
		return mp_profile_unknown(name, place, err);
	return mp_profile_assign(p, row, eq + 1, place, err);
}

int mp_profile_validate(const struct mp_profile *p, struct mp_err *err)
{
	/* Ports that daemons of a compute host listen on: libvirtd's tcp and tls, and NFS. */
	static const int taken[] = { 16509, 16514, 2049 };
	const struct mp_param *ports = mp_param_find("firewall.ports");
	const struct mp_param *uri = mp_param_find("nova.live_migration_uri");
	const char *scheme = mp_profile_str(p, "nova", "live_migration_scheme");
	int from, to;

	mp_profile_ports(p, "firewall", "ports", &from, &to);
	for (size_t i = 0; i < MP_N_ELEMS(taken); i++)
		if (from <= taken[i] && taken[i] <= to)
			return mp_err_set(err, MP_E_INPUT,
					  "%.240s: firewall.ports %d-%d includes port %d, where "
					  "libvirtd or NFS "
					  "listens; choose another range",
					  mp_profile_origin(p, ports), from, to, taken[i]);
	/* A URI wins over the scheme in Nova; saying both, and differently, is a mistake. */
	if (*mp_profile_text(p, uri) && strcmp(scheme, "leave") != 0 &&
	    strcmp(mp_profile_origin(p, mp_param_find("nova.live_migration_scheme")), "default") !=
		    0)
		return mp_err_set(err, MP_E_INPUT,
				  "%.240s: nova.live_migration_uri and nova.live_migration_scheme "
				  "are both set; "
				  "keep one",
				  mp_profile_origin(p, uri));
	return 0;
}

const char *mp_profile_name(const struct mp_profile *p)
{
	return p->name;
}

/* ---- reading ---- */

static const char *text_of(const struct mp_profile *p, const char *section, const char *key,
			   unsigned types)
{
	const struct mp_param *row = find_row(section, strlen(section), key);

	if (!row || !(types & 1u << row->type))
		abort();
	return p->values[row - mp_params].text;
}

const char *mp_profile_str(const struct mp_profile *p, const char *section, const char *key)
{
	return text_of(p, section, key,
		       ~(1u << MP_PARAM_INT | 1u << MP_PARAM_BOOL | 1u << MP_PARAM_PORTS));
}

long mp_profile_int(const struct mp_profile *p, const char *section, const char *key)
{
	return strtol(text_of(p, section, key, 1u << MP_PARAM_INT), NULL, 10);
}

bool mp_profile_bool(const struct mp_profile *p, const char *section, const char *key)
{
	bool v = false;

	if (parse_bool(text_of(p, section, key, 1u << MP_PARAM_BOOL), &v) < 0)
		abort();
	return v;
}

void mp_profile_ports(const struct mp_profile *p, const char *section, const char *key,
		      int *ret_from, int *ret_to)
{
	if (parse_ports(text_of(p, section, key, 1u << MP_PARAM_PORTS), ret_from, ret_to) < 0)
		abort();
}

const char *mp_profile_text(const struct mp_profile *p, const struct mp_param *row)
{
	return p->values[row - mp_params].text;
}

const char *mp_profile_origin(const struct mp_profile *p, const struct mp_param *row)
{
	return p->values[row - mp_params].origin;
}
