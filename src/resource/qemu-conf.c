/* SPDX-License-Identifier: GPL-3.0-or-later */
/* qemu-conf: libvirt takes the ports of migration data from the range that the firewall opens. */
#include "config.h"
#include "resource/resource.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "resource/edit-ini.h"
#include "resource/want.h"

static const char *const keys[] = { "migration_port_min", "migration_port_max" };

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	(void)h;
	return json_pack("{s:s}", "config", mp_profile_str(w->profile, "qemu", "config"));
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	mp_auto_free char *text = NULL;
	size_t size;

	if (mp_sys_read(sys, mp_json_str(p, "config", ""), &text, &size, NULL, err) < 0)
		return -1;
	*ret = json_pack("{s:b}", "exists", text != NULL);
	for (size_t i = 0; text && i < MP_N_ELEMS(keys); i++) {
		const struct mp_ini_option o = { MP_INI_LIBVIRT, NULL, keys[i] };
		mp_auto_free char *v = mp_ini_get(text, size, &o, NULL);

		if (v)
			json_object_set_new(*ret, keys[i], json_string(v));
	}
	return 0;
}

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	int from, to;

	(void)h;
	mp_profile_ports(w->profile, "firewall", "ports", &from, &to);
	return json_pack("{s:s,s:o,s:o}", "config", mp_profile_str(w->profile, "qemu", "config"),
			 keys[0], json_sprintf("%d", from), keys[1], json_sprintf("%d", to));
}

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const char *config = mp_json_str(w, "config", "");

	if (!mp_json_bool(fact, "exists", false)) {
		mp_diff_verdict(
			ret, MP_FAIL,
			"Install libvirt's QEMU driver (libvirt-daemon-driver-qemu), or set "
			"qemu.config in the profile",
			"libvirt's QEMU driver is not installed: %s does not exist", config);
		return;
	}
	for (size_t i = 0; i < MP_N_ELEMS(keys); i++) {
		const char *now = mp_json_str(fact, keys[i], NULL),
			   *then = mp_json_str(w, keys[i], "");
		mp_auto_free char *what = mp_xasprintf("%s %s", config, keys[i]);

		if (!now || strcmp(now, then) != 0)
			mp_diff_change(ret, what, now, then);
	}
}

static int apply(struct mp_sys *sys, const json_t *p, const json_t *fact, const json_t *w,
		 struct mp_err *err)
{
	const char *config = mp_json_str(w, "config", "");
	mp_auto_free char *text = NULL;
	size_t size;

	(void)p;
	(void)fact;
	if (mp_sys_read(sys, config, &text, &size, NULL, err) < 0)
		return -1;
	if (!text)
		return mp_err_set(err, MP_E_INPUT, "%s has gone", config);
	for (size_t i = 0; i < MP_N_ELEMS(keys); i++) {
		const struct mp_ini_option o = { MP_INI_LIBVIRT, NULL, keys[i] };
		char *new = mp_ini_set(text, size, &o, mp_json_str(w, keys[i], ""), &size);

		free(text);
		text = new;
	}
	return mp_sys_write(sys, config, text, size, NULL, false, err);
}

const struct mp_resource mp_resource_qemu_conf = {
	.id = "qemu-conf",
	.summary = "port range of migration data in libvirt's qemu.conf",
	.prevents = "libvirt's own range ends at 49215 and the guide's at 49261. Where firewall "
		    "and libvirt disagree, "
		    "a move dials a closed port: \"unable to connect to server at 'HOST:49216': "
		    "Connection timed "
		    "out\", or \"Unable to find an unused port in range 'migration'\".",
	.checked = "migration_port_min and migration_port_max in qemu.conf against firewall.ports "
		   "of the "
		   "profile. libvirt reads the file when it starts: libvirt-restart sees to that.",
	.remedy = "Set migration_port_min and migration_port_max in /etc/libvirt/qemu.conf as "
		  "shown, and restart "
		  "libvirtd or virtqemud when no migration runs",
	.source = "libvirt qemu.conf: migration_port_min, migration_port_max; Nova admin guide: "
		  "ports 49152 to 49261",
	.roles = MP_ROLE_COMPUTE,
	.params = params,
	.observe = observe,
	.want = want,
	.diff = diff,
	.apply = apply,
};
