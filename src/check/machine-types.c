/* SPDX-License-Identifier: GPL-3.0-or-later */
/* machine-types: a guest keeps its versioned machine type for life; the target must have it. */
#include "config.h"
#include "check/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"

#define REMEDY                                                                                     \
	"Pin a machine type that both hosts have ([libvirt] hw_machine_type in nova.conf, e.g. "   \
	"x86_64=pc-i440fx-7.2) before guests are started, or upgrade QEMU on the target"

/* Length of what comes before the version: "pc-q35-" of "pc-q35-7.2", "pc-q35-rhel" of
 * "pc-q35-rhel8.6.0". 0: none. */
static size_t family(const char *type)
{
	const char *dash = strrchr(type, '-'), *p;
	size_t n;

	if (!dash)
		return 0;
	p = dash + 1 + strcspn(dash + 1, "0123456789");
	n = strspn(p, "0123456789.");
	return n && !p[n] && strchr(p, '.') ? (size_t)(p - type) : 0;
}

static void versioned(const json_t *virt, struct mp_strv *ret)
{
	const json_t *type;
	size_t i;

	json_array_foreach(json_object_get(virt, "machines"), i,
			   type) if (json_is_string(type) && family(json_string_value(type)))
		mp_strv_add(ret, json_string_value(type));
	mp_strv_sort(ret);
}

static char *class_of(const struct mp_world *w, const struct mp_host *h, const char **ret_why)
{
	const json_t *virt = mp_world_fact(w, h->index, "virt");
	mp_auto_strv struct mp_strv types = { 0 };
	mp_auto_buf struct mp_buf b;

	mp_buf_init(&b, 0);
	versioned(virt, &types);
	if (!types.n) {
		*ret_why = "libvirt tells no machine types (see libvirt-running)";
		return NULL;
	}
	mp_buf_puts(&b, mp_json_str(virt, "arch", ""));
	for (size_t i = 0; i < types.n; i++)
		mp_buf_printf(&b, " %s", types.v[i]);
	return mp_buf_take(&b);
}

/* The newest type of each family of the source that the target lacks: what "pc" and "q35" stand for
 * there. */
static char *newest_missing(const struct mp_strv *from, const struct mp_strv *to)
{
	mp_auto_buf struct mp_buf b;

	mp_buf_init(&b, 0);
	for (size_t i = 0; i < from->n; i++) {
		size_t n = family(from->v[i]);

		/* Sorted by number, so the last of a family is the newest. */
		if (i + 1 < from->n && family(from->v[i + 1]) == n &&
		    strncmp(from->v[i], from->v[i + 1], n) == 0)
			continue;
		if (!mp_strv_has(to, from->v[i]))
			mp_buf_printf(&b, "%s%s", b.size ? ", " : "", from->v[i]);
	}
	return mp_buf_take(&b);
}

static void judge(const struct mp_world *w, const struct mp_host *h, const struct mp_host *peer,
		  struct mp_findings *out)
{
	const json_t *source = mp_world_fact(w, h->index, "virt");
	const json_t *target = mp_world_fact(w, peer->index, "virt");
	const char *arch_from = mp_json_str(source, "arch", ""), *arch_to;
	mp_auto_strv struct mp_strv from = { 0 }, to = { 0 };
	mp_auto_free char *missing = NULL;
	ssize_t i = (ssize_t)h->index, j = (ssize_t)peer->index;
	size_t common = 0;

	arch_to = mp_json_str(target, "arch", "");
	versioned(source, &from);
	versioned(target, &to);
	for (size_t k = 0; k < from.n; k++)
		common += mp_strv_has(&to, from.v[k]);
	missing = newest_missing(&from, &to);
	if (strcmp(arch_from, arch_to) != 0)
		mp_findings_add(out, "machine-types", MP_SCOPE_PAIR, i, j, MP_FAIL,
				"Migrate only between hosts of one architecture; put them into "
				"different aggregates",
				"the architectures differ: source %s, target %s", arch_from,
				arch_to);
	else if (!common)
		mp_findings_add(out, "machine-types", MP_SCOPE_PAIR, i, j, MP_FAIL, REMEDY,
				"source and target have no versioned machine type in common");
	else if (*missing)
		mp_findings_add(
			out, "machine-types", MP_SCOPE_PAIR, i, j, MP_WARN, REMEDY,
			"guests started with the source's newest machine types cannot go to the "
			"target, which lacks %s",
			missing);
	else
		mp_findings_add(out, "machine-types", MP_SCOPE_PAIR, i, j, MP_OK, NULL, NULL);
}

const struct mp_check mp_check_machine_types = {
	.id = "machine-types",
	.summary = "source and target have machine types in common",
	.prevents = "A guest whose machine type the target's QEMU does not have is refused: "
		    "\"Emulator ... "
		    "does not support machine type\".",
	.checked = "Compares the versioned machine types of libvirt's capabilities on source and "
		   "target of "
		   "every pair. Short names such as pc and q35 stand for the newest one of the "
		   "host where "
		   "a guest was started.",
	.remedy = REMEDY,
	.source = "QEMU, machine types and live migration; Nova option [libvirt] hw_machine_type",
	.scope = MP_SCOPE_PAIR,
	.roles = MP_ROLE_COMPUTE,
	.needs = (const char *const[]){ "virt", NULL },
	.judge = judge,
	.class_of = class_of,
};
