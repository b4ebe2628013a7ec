/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libvirt-restart: the running daemon has read qemu.conf as it is now. */
#include "config.h"
#include "resource/resource.h"

#include <stdio.h>
#include <time.h>

#include "base/alloc.h"
#include "host/libvirt.h"

#define ASK_MS 4000
#define CHILD_MS 6000   /* the question above, and libvirt's own ways of hanging */
#define ANSWER_MS 60000 /* a daemon with many guests takes its time to find them again */
#define BETWEEN_MS 200

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	(void)h;
	return json_pack("{s:s}", "config", mp_profile_str(w->profile, "qemu", "config"));
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	const char *config = mp_json_str(p, "config", "/etc/libvirt/qemu.conf");
	struct mp_libvirt_daemon d;
	bool exists = false;
	struct stat st;
	json_t *changed = json_null();

	if (mp_sys_stat(sys, config, &exists, &st, err) < 0)
		return -1;
	if (exists)
		changed = json_integer(st.st_mtim.tv_sec * 1000LL + st.st_mtim.tv_nsec / 1000000);
	mp_libvirt_daemon(sys, &d);
	*ret = json_pack("{s:b, s:s?, s:o, s:o, s:b}", "installed", d.installed, "daemon", d.name,
			 "started_ms", d.name ? json_integer(d.started_ms) : json_null(),
			 "config_ms", changed, "future", exists && st.st_mtim.tv_sec > time(NULL));
	return 0;
}

/* Whether this apply is going to change the file: then a dry run must foretell the restart too. */
static bool config_will_change(const struct mp_world *w, const struct mp_host *h)
{
	const struct mp_resource *conf = mp_resource_find("qemu-conf");
	mp_auto_diff struct mp_diff d;
	json_t *conf_want = conf->want(w, h);

	mp_diff_init(&d);
	mp_resource_diff(conf, mp_world_fact(w, h->index, conf->id),
			 mp_world_fact_error(w, h->index, conf->id), conf_want, &d);
	json_decref(conf_want);
	return d.status == MP_DRIFT;
}

static json_t *want(const struct mp_world *w, const struct mp_host *h)
{
	json_t *ret = params(w, h);
	const json_t *fact = mp_world_fact(w, h->index, "libvirt-restart");

	if (fact && config_will_change(w, h))
		json_object_set(ret, "changes_after_ms", json_object_get(fact, "config_ms"));
	return ret;
}

/* The daemon is older than the file. */
static bool is_stale(const json_t *fact)
{
	long long changed = mp_json_int(fact, "config_ms", -1);

	return changed >= 0 && mp_json_int(fact, "started_ms", -1) < changed;
}

/* The file is about to change: it still is as it was when the controller foresaw that. */
static bool is_pending(const json_t *fact, const json_t *w)
{
	const json_t *seen = json_object_get(w, "changes_after_ms");

	return seen && json_equal(seen, json_object_get(fact, "config_ms"));
}

static void diff(const json_t *fact, const json_t *w, struct mp_diff *ret)
{
	const char *config = mp_json_str(w, "config", "");
	const char *daemon = mp_json_str(fact, "daemon", NULL);
	mp_auto_free char *before = NULL;

	if (!daemon) {
		mp_diff_verdict(
			ret, MP_SKIP, NULL, "%s",
			mp_json_bool(fact, "installed", false)
				? "libvirt does not run, and reads its configuration when it starts"
				: "libvirt is not installed");
		return;
	}
	/* No start is ever later than that: a restart would be followed by the next one. */
	if (mp_json_bool(fact, "future", false) && !is_pending(fact, w)) {
		mp_diff_verdict(
			ret, MP_WARN, "Set the clock right, and touch the file",
			"the last change of %s lies in the future, so whether %s has read it "
			"cannot be told",
			config, daemon);
		return;
	}
	if (!is_stale(fact) && !is_pending(fact, w))
		return;
	before = mp_xasprintf("runs with %s as it was before", config);
	mp_diff_change(ret, daemon, before, "restarted");
}

static int ask(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	(void)sys;
	(void)p;
	return mp_libvirt_ask(ASK_MS, ret, err);
}

static int refuse_busy(const json_t *busy, struct mp_err *err)
{
	size_t n = json_array_size(busy);
	const char *guest = json_string_value(json_array_get(busy, 0));
	mp_auto_free char *more = n > 1 ? mp_xasprintf(" and %zu more", n - 1) : mp_xstrdup("");

	if (n == 0)
		return 0;
	return mp_err_set(err, MP_E_UNSUPPORTED,
			  "guest %s%s %s in the middle of a migration or another job (virsh "
			  "domstate --reason, virsh domjobinfo); libvirt is not restarted, run "
			  "apply again when that is over",
			  guest ? guest : "?", more, n > 1 ? "are" : "is");
}

/* A restart in the middle of a migration or a backup would break it. */
static int refuse_while_busy(struct mp_sys *sys, struct mp_err *err)
{
	json_t *answer = NULL;
	const json_t *busy;
	int rc;

	if (mp_sys_in_child(sys, CHILD_MS, ask, NULL, &answer, err) < 0)
		return mp_err_wrap(err, "see whether a guest is busy");
	busy = json_object_get(answer, "busy");
	if (!busy)
		rc = mp_err_set(err, MP_E_UNSUPPORTED,
				"whether a guest has an active job cannot be found out (%s); "
				"restart libvirt by hand when no migration runs",
				mp_json_str(answer, "socket_error", "libvirt was too slow"));
	else
		rc = refuse_busy(busy, err);
	json_decref(answer);
	return rc;
}

static int wait_for_answer(struct mp_sys *sys, struct mp_err *err)
{
	const struct timespec between = { .tv_nsec = BETWEEN_MS * 1000000 };
	mp_ms deadline = mp_now() + ANSWER_MS;
	char why[480] = "no answer";

	for (;;) {
		json_t *answer = NULL;
		bool running = false;

		if (mp_sys_in_child(sys, CHILD_MS, ask, NULL, &answer, err) == 0) {
			running = mp_json_bool(answer, "running", false);
			snprintf(why, sizeof(why), "%s",
				 mp_json_str(answer, "socket_error", "no answer"));
			json_decref(answer);
		} else {
			snprintf(why, sizeof(why), "%s", err->text);
		}
		if (running)
			return 0;
		if (mp_now() >= deadline)
			return mp_err_set(
				err, MP_E_TIMEOUT,
				"libvirt was restarted and does not answer after %d s: %s",
				ANSWER_MS / 1000, why);
		nanosleep(&between, NULL);
	}
}

static int apply(struct mp_sys *sys, const json_t *p, const json_t *fact, const json_t *w,
		 struct mp_err *err)
{
	const char *daemon = mp_json_str(fact, "daemon", "libvirtd");

	(void)p;
	(void)w;
	if (!is_stale(fact))
		return mp_err_set(
			err, MP_E_UNSUPPORTED,
			"%s is not restarted: its configuration was not changed after all", daemon);
	if (!mp_sys_service_known(sys, daemon))
		return mp_err_set(
			err, MP_E_UNSUPPORTED,
			"%s runs, but was not started by a service manager; restart it by hand "
			"when no migration runs",
			daemon);
	if (refuse_while_busy(sys, err) < 0)
		return -1;
	if (mp_sys_note(sys, daemon, json_object_get(fact, "started_ms"), NULL, err) < 0 ||
	    mp_sys_service(sys, daemon, "restart", err) < 0)
		return -1;
	return wait_for_answer(sys, err);
}

const struct mp_resource mp_resource_libvirt_restart = {
	.id = "libvirt-restart",
	.summary = "the running libvirt has read qemu.conf as it is now",
	.prevents = "A daemon that was started before the change still hands out its old migration "
		    "ports: \"unable to connect to server at 'HOST:49300': Connection timed out\".",
	.checked =
		"The start of the libvirtd (or virtqemud) process is compared with the last change "
		"of qemu.conf. Guests keep running over a restart; while one has an active job, "
		"the "
		"restart is refused.",
	.remedy = "Restart libvirtd (or virtqemud) when no guest has an active job",
	.source = "libvirt: qemu.conf is read at the start of the daemon",
	.roles = MP_ROLE_COMPUTE,
	.params = params,
	.observe = observe,
	.want = want,
	.diff = diff,
	.apply = apply,
};
