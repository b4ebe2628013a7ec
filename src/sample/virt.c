/* SPDX-License-Identifier: GPL-3.0-or-later */
/* virt: libvirt on this host: daemon, versions, host UUID, CPU model, machine types, active jobs.
 */
#include "config.h"
#include "sample/sample.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "host/libvirt.h"

#define ASK_MS 4000 /* below the 5 s that a sample has, so that a silent daemon is told as such */

/* The text between open and close, from *at, which moves behind it. NULL: there is none. */
static char *between(const char **at, const char *open, const char *close)
{
	const char *from = strstr(*at, open), *to;

	if (!from)
		return NULL;
	from += strlen(open);
	to = strstr(from, close);
	if (!to)
		return NULL;
	*at = to + strlen(close);
	return mp_xstrndup(from, (size_t)(to - from));
}

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

/* Versioned types only: "pc-i440fx-7.2", not the alias "pc". libvirt lists some of them twice. */
static json_t *machines_of(const char *caps)
{
	const char *guest = caps;
	mp_auto_free char *arch = between(&guest, "<arch name='x86_64'>", "</arch>");
	const char *at = arch ? arch : "";
	mp_auto_strv struct mp_strv names = { 0 };
	json_t *ret = json_array();

	for (;;) {
		mp_auto_free char *machine = between(&at, "<machine", "</machine>");
		const char *name = machine ? strrchr(machine, '>') : NULL;

		if (!machine)
			break;
		name = name ? name + 1 : "";
		if (strncmp(name, "pc-", 3) == 0 && strpbrk(name, "0123456789") &&
		    !mp_strv_has(&names, name))
			mp_strv_add(&names, name);
	}
	mp_strv_sort(&names);
	for (size_t i = 0; i < names.n; i++)
		json_array_append_new(ret, json_string(names.v[i]));
	return ret;
}

/* libvirt writes this XML itself, so its shape is known (docs/formatcaps). */
static void read_capabilities(const char *caps, json_t *fact)
{
	const char *at = caps;
	mp_auto_free char *host = between(&at, "<host>", "</host>");
	const char *from = host ? host : "";
	mp_auto_free char *uuid = between(&from, "<uuid>", "</uuid>");
	const char *in = host ? host : "";
	mp_auto_free char *cpu = between(&in, "<cpu>", "</cpu>");
	const char *c = cpu ? cpu : "", *m = c;
	mp_auto_free char *arch = between(&c, "<arch>", "</arch>");
	mp_auto_free char *model = between(&m, "<model>", "</model>");

	json_object_set_new(fact, "host_uuid", text_or_null(uuid));
	json_object_set_new(fact, "arch", text_or_null(arch));
	json_object_set_new(fact, "cpu_model", text_or_null(model));
	json_object_set_new(fact, "machines", machines_of(caps));
}

static void put_answer(json_t *answer, json_t *fact)
{
	const char *caps = mp_json_str(answer, "capabilities", NULL);
	const json_t *busy = json_object_get(answer, "busy");

	json_object_set(fact, "running", json_object_get(answer, "running"));
	json_object_set(fact, "socket_error", json_object_get(answer, "socket_error"));
	json_object_set_new(fact, "libvirt", json_integer(mp_json_int(answer, "libvirt", 0)));
	json_object_set_new(fact, "qemu", json_integer(mp_json_int(answer, "qemu", 0)));
	json_object_set_new(fact, "active_jobs",
			    busy ? json_integer((json_int_t)json_array_size(busy)) : json_null());
	if (caps)
		read_capabilities(caps, fact);
}

static int observe(struct mp_sys *sys, const json_t *params, json_t **ret, struct mp_err *err)
{
	struct mp_libvirt_daemon d;
	struct mp_err why = { 0 };
	json_t *answer = NULL, *fact;

	(void)params;
	(void)err;
	if (mp_sys_is_real(sys) && mp_libvirt_ask(ASK_MS, &answer, &why) < 0)
		answer = json_pack("{s:b, s:s}", "running", 0, "socket_error", why.text);
	/* After the question: it may have woken a daemon that systemd starts on demand. */
	mp_libvirt_daemon(sys, &d);
	fact = json_pack("{s:b, s:s?, s:b, s:n}", "installed", d.installed, "daemon", d.name,
			 "running", 0, "socket_error");
	json_object_set_new(fact, "started",
			    d.name ? json_integer(d.started_ms / 1000) : json_null());
	if (answer)
		put_answer(answer, fact);
	json_decref(answer);
	*ret = fact;
	return 0;
}

const struct mp_sample mp_sample_virt = {
	.id = "virt",
	.summary = "libvirt: daemon, versions, host UUID, CPU model, machine types, active jobs",
	.may_hang = true,
	.observe = observe,
};
