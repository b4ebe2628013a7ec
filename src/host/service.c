/* SPDX-License-Identifier: GPL-3.0-or-later */
/* service: systemd when it is process 1, /etc/init.d otherwise (containers, sysvinit). */
#include "config.h"
#include "host/host.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

#define SERVICE_MS 90000 /* as long as systemd itself gives a service: DefaultTimeoutStartSec */

/* sd_booted(3) is this test. */
static bool booted_by_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0;
}

/* A name that can be neither an option nor a path. */
static bool fine_name(const char *name)
{
	return name[0] && name[0] != '-' && name[0] != '.' && !strchr(name, '/');
}

bool mp_sys_service_known(struct mp_sys *sys, const char *name)
{
	const char *const argv[] = { "systemctl", "show", "--property=LoadState", "--value", "--",
				     name,        NULL };
	mp_auto_free char *script = mp_xasprintf("/etc/init.d/%s", name);
	const struct mp_run_opts opts = { .timeout_ms = 10000 };
	struct mp_run_result res;
	bool known;

	if (!mp_sys_is_real(sys) || !fine_name(name))
		return false;
	if (!booted_by_systemd())
		return access(script, X_OK) == 0;
	if (mp_sys_run(sys, argv, &opts, &res, NULL) < 0)
		return false;
	known = strcmp(res.out, "loaded\n") == 0;
	mp_run_result_fini(&res);
	return known;
}

/* The last line that the program said, without its newline. */
static const char *last_words(struct mp_run_result *r)
{
	char *text = r->errtext[0] ? r->errtext : r->out, *line;
	size_t n = strlen(text);

	while (n && text[n - 1] == '\n')
		text[--n] = '\0';
	line = strrchr(text, '\n');
	return line ? line + 1 : text;
}

int mp_sys_service(struct mp_sys *sys, const char *name, const char *verb, struct mp_err *err)
{
	mp_auto_free char *script = mp_xasprintf("/etc/init.d/%s", name);
	const char *const by_systemd[] = {
		"systemctl", "--no-ask-password", verb, "--", name, NULL
	};
	const char *const by_script[] = { script, verb, NULL };
	/* Killed between its stop and its start, a script would leave the service down. */
	const struct mp_run_opts opts = { .timeout_ms = SERVICE_MS, .outlive = true };
	struct mp_run_result res;
	int r = 0;

	if (!mp_sys_is_real(sys))
		return mp_err_set(err, MP_E_UNSUPPORTED, "no services below a pretended root");
	if (!fine_name(name) || !fine_name(verb))
		return mp_err_set(err, MP_E_BUG, "'%.40s %.40s' is no service request", verb, name);
	if (mp_sys_run(sys, booted_by_systemd() ? by_systemd : by_script, &opts, &res, err) < 0)
		return mp_err_wrap(err, "%s service %s", verb, name);
	if (res.timed_out)
		r = mp_err_set(err, MP_E_TIMEOUT, "%s service %s: not done in %d s", verb, name,
			       SERVICE_MS / 1000);
	else if (res.status)
		r = mp_err_set(err, MP_E_SYS, "%s service %s: exit status %d: %.200s", verb, name,
			       res.status, last_words(&res));
	mp_run_result_fini(&res);
	return r;
}
