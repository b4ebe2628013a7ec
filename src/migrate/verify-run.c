/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verify-run: verify with the real world behind it: libvirt, and the agents of the fleet. */
#include "config.h"
#include "migrate/verify.h"

#include <time.h>

#include "mesh/mesh.h"
#include "migrate/internal.h"

/* A look at a host that has just answered, a new session included, takes a second. */
#define SESSION_MS 20000
#define CONNECT_EXTRA_MS 10000 /* beyond SSH: the daemon's own greeting */
#define SETTLE_MS 15000
#define BOOT_MS 30000 /* QEMU and its BIOS, emulated, on a busy host */
/*
 * libvirt cannot be made to leave a connection attempt that a firewall drops; Linux gives up after
 * 127 s (net.ipv4.tcp_syn_retries = 6). Only then can the guest be ended.
 */
#define GRACE_MS 150000
#define POLL_MS 150
#define OPENERS 16

struct real {
	const struct mp_fleet *fleet;
	const struct mp_world *world;
};

static bool nothing_left(const json_t *leftovers)
{
	return json_array_size(json_object_get(leftovers, "processes")) == 0 &&
	       json_array_size(json_object_get(leftovers, "files")) == 0;
}

static int ask(struct mp_session *s, const char *name, const char *uuid, mp_ms deadline,
	       json_t **ret, struct mp_err *err)
{
	const struct timespec between = { .tv_nsec = POLL_MS * 1000000 };

	for (;;) {
		json_t *reply;

		if (mp_session_call(s, "leftovers",
				    json_pack("{s:s, s:s}", "name", name, "uuid", uuid),
				    mp_now() + SESSION_MS, NULL, NULL, &reply, err) < 0)
			return -1;
		if (nothing_left(reply) || mp_now() >= deadline) {
			*ret = reply;
			return 0;
		}
		json_decref(reply);
		nanosleep(&between, NULL);
	}
}

static int leftovers(void *arg, const struct mp_host *h, const char *name, const char *uuid,
		     mp_ms deadline, json_t **ret, struct mp_err *err)
{
	const struct mp_fleet *fleet = ((const struct real *)arg)->fleet;
	struct mp_session *s;
	int r;

	if (mp_session_open(fleet->dial, fleet->bundle, h, mp_now() + SESSION_MS, &s, err) < 0)
		return -1;
	r = ask(s, name, uuid, deadline, ret, err);
	mp_session_close(s);
	return r;
}

static int try_port(void *arg, size_t source, size_t target, struct mp_trial *ret,
		    struct mp_err *err)
{
	const struct real *real = arg;

	return mp_mesh_try_port(real->fleet, real->world, source, target, ret, err);
}

int mp_verify_run(const struct mp_fleet *fleet, struct mp_world *world,
		  const struct mp_verify_opts *opts, struct mp_run *run, struct mp_err *err)
{
	struct real real = { fleet, world };
	struct mp_verify_env env = {
		.leftovers = leftovers,
		.try_port = try_port,
		.arg = &real,
		.cancel = fleet->dial->cancel,
		.forks = fleet->forks && fleet->forks < OPENERS ? fleet->forks : OPENERS,
		.connect_ms = fleet->dial->connect_timeout_ms + CONNECT_EXTRA_MS,
		.settle_ms = SETTLE_MS,
		.boot_ms = BOOT_MS,
		.grace_ms = GRACE_MS,
		.poll_ms = POLL_MS,
	};
	struct mp_err e = { 0 };
	int r;

	if (mp_virt_new(fleet->dial, &env.virt, &e) < 0) {
		mp_findings_add(&run->findings, "verify", MP_SCOPE_CLUSTER, -1, -1, MP_UNKNOWN,
				"Mend this on the machine that migprep runs on",
				"no move was tried: %s", e.text);
		return 0;
	}
	r = mp_verify_with(&env, world, opts, run, err);
	mp_virt_free(env.virt);
	return r;
}
