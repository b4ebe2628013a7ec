/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reserved-ports: no outgoing connection may take a port of the migration range by chance. */
#include "config.h"
#include "resource/resource.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "resource/edit-ini.h"
#include "resource/port-set.h"
#include "resource/want.h"

#define KERNEL "/proc/sys/net/ipv4/ip_local_reserved_ports"
#define OWN_DIR "/etc/sysctl.d"
#define OWN_NAME "60-migprep.conf"

static const struct mp_ini_option option = { MP_INI_SYSCTL_D, NULL,
					     "net.ipv4.ip_local_reserved_ports" };

/* Higher ones hide files of the same name in lower ones: sysctl.d(5), sysctl(8) --system. */
static const char *const dirs[] = { "/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d",
				    "/usr/lib/sysctl.d", "/lib/sysctl.d" };

struct source {
	char *name, *path;
};

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	(void)w;
	(void)h;
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct source *)a)->name, ((const struct source *)b)->name);
}

static void free_sources(struct source *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(s[i].name);
		free(s[i].path);
	}
	free(s);
}

static bool hidden(const struct source *s, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s[i].name, name) == 0)
			return true;
	return false;
}

/* The files in the order in which they are applied at boot; the last one counts. */
static int list_sources(struct mp_sys *sys, struct source **ret, size_t *ret_n, struct mp_err *err)
{
	struct source *v = NULL;
	size_t n = 0;

	for (size_t d = 0; d < MP_N_ELEMS(dirs); d++) {
		mp_auto_strv struct mp_strv names = { 0 };

		if (mp_sys_list(sys, dirs[d], &names, err) < 0) {
			free_sources(v, n);
			return -1;
		}
		for (size_t i = 0; i < names.n; i++) {
			size_t len = strlen(names.v[i]);

			if (len <= 5 || strcmp(names.v[i] + len - 5, ".conf") != 0 ||
			    hidden(v, n, names.v[i]))
				continue;
			v = mp_xreallocarray(v, n + 1, sizeof(*v));
			v[n++] = (struct source){ mp_xstrdup(names.v[i]),
						  mp_xasprintf("%s/%s", dirs[d], names.v[i]) };
		}
	}
	if (n)
		qsort(v, n, sizeof(*v), by_name);
	v = mp_xreallocarray(v, n + 1, sizeof(*v));
	v[n++] = (struct source){ mp_xstrdup("sysctl.conf"), mp_xstrdup("/etc/sysctl.conf") };
	*ret = v;
	*ret_n = n;
	return 0;
}

/* The last file that sets the ports: its path and value; neither when none does. */
static int find_last(struct mp_sys *sys, json_t *fact, struct mp_err *err)
{
	struct source *v;
	size_t n;
	int r = 0;

	if (list_sources(sys, &v, &n, err) < 0)
		return -1;
	for (size_t i = 0; r == 0 && i < n; i++) {
		mp_auto_free char *text = NULL, *value = NULL;
		size_t size;

		r = mp_sys_read(sys, v[i].path, &text, &size, NULL, err);
		value = text ? mp_ini_get(text, size, &option, NULL) : NULL;
		if (value)
			json_object_update_new(
				fact, json_pack("{s:s,s:s}", "file", v[i].path, "value", value));
	}
	free_sources(v, n);
	return r;
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	mp_auto_free char *kernel = NULL;
	json_t *fact = json_object();

	(void)p;
	if (mp_sys_read(sys, KERNEL, &kernel, NULL, NULL, err) < 0 ||
	    find_last(sys, fact, err) < 0) {
		json_decref(fact);
		return -1;
	}
	if (kernel) {
		kernel[strcspn(kernel, "\n")] = '\0';
		json_object_set_new(fact, "kernel", json_string(kernel));
	}
	*ret = fact;
	return 0;
}

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	int from, to;

	(void)h;
	if (!mp_profile_bool(w->profile, "kernel", "reserve_ports"))
		return mp_want_skip("the profile says kernel.reserve_ports = no");
	mp_profile_ports(w->profile, "firewall", "ports", &from, &to);
	return json_pack("{s:i,s:i}", "from", from, "to", to);
}

/*
 * Where to write: the file that counts, if it belongs to the administrator; otherwise one of ours
 * whose name comes after it (X.migprep.conf comes after X.conf). last is what a host said.
 */
static char *choose_file(const char *last)
{
	const char *slash = last ? strrchr(last, '/') : NULL;
	const char *dot = slash ? strrchr(slash, '.') : NULL;

	if (!dot)
		return mp_xstrdup(OWN_DIR "/" OWN_NAME);
	if (strncmp(last, "/etc/", 5) == 0)
		return mp_xstrdup(last);
	if (strcmp(slash + 1, OWN_NAME) < 0)
		return mp_xstrdup(OWN_DIR "/" OWN_NAME);
	return mp_xasprintf("%s%.*s.migprep.conf", OWN_DIR, (int)(dot - slash), slash);
}

/* Appends the change of one place whose list is text, if that lacks the range. before: as it is
 * told. */
static void diff_place(const char *what, const char *text, const char *before, const json_t *w,
		       struct mp_diff *ret)
{
	struct mp_port_set *set = mp_port_set_parse(text);
	int from = (int)mp_json_int(w, "from", 0), to = (int)mp_json_int(w, "to", 0);

	if (!set) {
		mp_diff_verdict(ret, MP_FAIL, "Correct that list of ports by hand",
				"%s: '%.80s' is no list of ports", what, text);
		return;
	}
	if (!mp_port_set_has(set, from, to)) {
		mp_auto_free char *after = NULL;

		mp_port_set_add(set, from, to);
		after = mp_port_set_text(set);
		mp_diff_change(ret, what, before, after);
	}
	free(set);
}

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const char *kernel = mp_json_str(fact, "kernel", NULL),
		   *last = mp_json_str(fact, "file", NULL);
	const char *value = mp_json_str(fact, "value", NULL);
	mp_auto_free char *file = choose_file(last);
	mp_auto_free char *what = mp_xasprintf("%s %s", file, option.key);

	if (!kernel) {
		mp_diff_verdict(ret, MP_FAIL, "Set kernel.reserve_ports = no in the profile",
				"the kernel has no %s", KERNEL);
		return;
	}
	diff_place(KERNEL, kernel, kernel, w, ret);
	diff_place(what, value ? value : "", mp_str_eq(file, last) ? value : NULL, w, ret);
}

/* The list with the range, ready to be written. */
static char *extended(const char *text, const json_t *w)
{
	struct mp_port_set *set = mp_port_set_parse(text ? text : "");
	char *r = NULL;

	if (set) {
		mp_port_set_add(set, (int)mp_json_int(w, "from", 0), (int)mp_json_int(w, "to", 0));
		r = mp_port_set_text(set);
	}
	free(set);
	return r;
}

static int persist(struct mp_sys *sys, const json_t *fact, const json_t *w, struct mp_err *err)
{
	static const struct mp_attr fresh = { .mode = 0644 }, dir = { .mode = 0755 };
	mp_auto_free char *file = choose_file(mp_json_str(fact, "file", NULL));
	mp_auto_free char *value = extended(mp_json_str(fact, "value", NULL), w);
	mp_auto_free char *text = NULL, *new = NULL;
	size_t size, new_size;
	bool exists;

	if (!value)
		return mp_err_set(err, MP_E_INPUT, "the reserved ports in %s are no list of ports",
				  file);
	if (mp_sys_read(sys, file, &text, &size, NULL, err) < 0 ||
	    mp_sys_stat(sys, OWN_DIR, &exists, NULL, err) < 0)
		return -1;
	if (!text && !exists && mp_sys_mkdir(sys, OWN_DIR, &dir, err) < 0)
		return -1;
	if (!text)
		text = mp_xstrdup("# Ports of live migration are never taken by outgoing "
				  "connections (migprep).\n");
	new = mp_ini_set(text, strlen(text), &option, value, &new_size);
	return mp_sys_write(sys, file, new, new_size, &fresh, false, err);
}

static int apply(struct mp_sys *sys, const json_t *p, const json_t *fact, const json_t *w,
		 struct mp_err *err)
{
	const char *kernel = mp_json_str(fact, "kernel", NULL),
		   *value = mp_json_str(fact, "value", NULL);
	int from = (int)mp_json_int(w, "from", 0), to = (int)mp_json_int(w, "to", 0);
	struct mp_port_set *have = mp_port_set_parse(value ? value : "");
	bool persisted = value && have && mp_port_set_has(have, from, to);
	mp_auto_free char *list = extended(kernel, w), *line = NULL;

	(void)p;
	free(have);
	if (!persisted && persist(sys, fact, w, err) < 0)
		return -1;
	if (!list)
		return mp_err_set(err, MP_E_INPUT, "%s is no list of ports", KERNEL);
	have = mp_port_set_parse(kernel);
	persisted = have && mp_port_set_has(have, from, to);
	free(have);
	if (persisted)
		return 0;
	line = mp_xasprintf("%s\n", list);
	return mp_sys_poke(sys, KERNEL, line, err);
}

const struct mp_resource mp_resource_reserved_ports = {
	.id = "reserved-ports",
	.summary = "migration ports kept out of the ephemeral ports",
	.prevents =
		"The migration range lies inside the kernel's ephemeral range (32768 to 60999), so "
		"an outgoing "
		"connection can hold a port that QEMU then wants: \"Unable to find an unused port "
		"in range "
		"'migration'\" or \"Failed to find an available port: Address already in use\".",
	.checked = "net.ipv4.ip_local_reserved_ports in the kernel, and in the last file of "
		   "sysctl.d or sysctl.conf that "
		   "sets it. Other reserved ports are kept.",
	.remedy = "Add the range to net.ipv4.ip_local_reserved_ports in "
		  "/etc/sysctl.d/60-migprep.conf and run: sysctl "
		  "--system",
	.source = "Linux Documentation/networking/ip-sysctl: ip_local_reserved_ports; sysctl.d(5)",
	.roles = MP_ROLE_COMPUTE,
	.params = params,
	.observe = observe,
	.want = want,
	.diff = diff,
	.apply = apply,
};
