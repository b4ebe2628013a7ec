/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * virt: the libvirt behind virt.h; no other file of the controller calls libvirt.
 * A blocking libvirt call knows no deadline. Each runs under a guard; the event thread looks at the
 * guards, and ends the ssh child of a connection whose guard has expired, which makes the call
 * return with an error.
 */
#include "config.h"
#include "migrate/virt.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/alloc.h"
#include "migrate/uri.h"

#define TICK_MS 100       /* how often the guards are looked at */
#define COMPLETED_MS 2000 /* how long the completed-job event may lag behind the call */
#define KEEPALIVE_S 5     /* a host that is silent for KEEPALIVE_S * (KEEPALIVE_N + 1) is gone */
#define KEEPALIVE_N 3
#define BIOS_TICKS_ADDRESS                                                                         \
	0x46c /* BIOS data area: timer interrupts since midnight, 18.2 a second */

struct guard {
	mp_ms deadline;
	_Atomic mp_ms *moving; /* if not NULL, the deadline is there */
	bool expired;
	struct guard *next;
};

struct mp_virt_conn {
	struct libvirt *v;
	virConnectPtr conn; /* NULL until open */
	char *script, *pidfile;
	struct guard *guards; /* under v->lock */
	struct mp_virt_conn *next;
};

struct libvirt {
	struct mp_virt base;
	const struct mp_dial *dial;
	char dir[64];
	unsigned serial;
	pthread_t thread;
	atomic_bool stop;
	int timer;
	pthread_mutex_t lock;
	struct mp_virt_conn *conns;
};

/* ---- errors ---- */

static void silent(void *opaque, virErrorPtr e)
{
	(void)opaque;
	(void)e;
}

static int virt_fail(struct mp_virt_err *err, int code, const char *text)
{
	*err = (struct mp_virt_err){ .code = code };
	snprintf(err->text, sizeof(err->text), "%s", text);
	return -1;
}

/* What libvirt says about this thread's last call. */
static int last_error(struct mp_virt_err *err)
{
	virErrorPtr e = virGetLastError();

	if (!e)
		return virt_fail(err, VIR_ERR_INTERNAL_ERROR, "libvirt gave no reason");
	virt_fail(err, e->code, e->message ? e->message : "libvirt gave no reason");
	err->domain = e->domain;
	return -1;
}

/* ---- guards ---- */

static void guard_begin(struct mp_virt_conn *c, struct guard *g, mp_ms deadline,
			_Atomic mp_ms *moving)
{
	*g = (struct guard){ .deadline = deadline, .moving = moving };
	pthread_mutex_lock(&c->v->lock);
	g->next = c->guards;
	c->guards = g;
	pthread_mutex_unlock(&c->v->lock);
	virResetLastError();
}

/* Ends a guarded call; *err is filled when it failed, unless the deadline is the reason. */
static int guard_end(struct mp_virt_conn *c, struct guard *g, bool ok, struct mp_virt_err *err)
{
	pthread_mutex_lock(&c->v->lock);
	for (struct guard **at = &c->guards; *at; at = &(*at)->next) {
		if (*at == g) {
			*at = g->next;
			break;
		}
	}
	pthread_mutex_unlock(&c->v->lock);
	if (ok)
		return 0;
	if (g->expired)
		virt_fail(err, VIR_ERR_OPERATION_TIMEOUT,
			  "libvirt did not answer in time, and the connection was closed");
	return -1;
}

/* The process group of the connection's ssh; the script wrote it before it became ssh. */
static void end_ssh(struct mp_virt_conn *c)
{
	char text[32] = "";
	long pid;
	mp_auto_close int fd = open(c->pidfile, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	if (mp_str_long(text, 2, 1L << 30, &pid) < 0)
		return;
	if (kill((pid_t)-pid, SIGKILL) < 0) /* it may not have left our process group yet */
		kill((pid_t)pid, SIGKILL);
}

static void look_at_guards(struct libvirt *v)
{
	mp_ms now = mp_now();

	pthread_mutex_lock(&v->lock);
	for (struct mp_virt_conn *c = v->conns; c; c = c->next) {
		bool expired = false;

		for (struct guard *g = c->guards; g; g = g->next)
			if ((g->moving ? atomic_load(g->moving) : g->deadline) <= now)
				g->expired = expired = true;
		if (expired)
			end_ssh(c);
	}
	pthread_mutex_unlock(&v->lock);
}

/* ---- the event thread ---- */

/* Its only purpose is to wake the loop. */
static void on_timer(int timer, void *opaque)
{
	(void)timer;
	(void)opaque;
}

static void *event_thread(void *arg)
{
	struct libvirt *v = arg;

	while (!atomic_load(&v->stop)) {
		if (virEventRunDefaultImpl() < 0)
			usleep(TICK_MS * 1000);
		look_at_guards(v);
	}
	return NULL;
}

/* ---- connections ---- */

/*
 * libvirt's `command` parameter is a program without arguments, so each connection has its own name
 * for one common launcher, which reads the file of that name. The launcher is written before there
 * are threads: a file that a fork of another thread still holds open for writing cannot be executed
 * (ETXTBSY).
 */
static const char launcher[] = "#!/bin/sh\n. \"$0.args\"\n";

static int write_file(const char *path, const char *text, mode_t mode)
{
	mp_auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

static int write_script(struct mp_virt_conn *c, const struct mp_host *h, struct mp_virt_err *err)
{
	mp_auto_free char *text = mp_migrate_ssh_script(c->v->dial, h, c->pidfile);
	mp_auto_free char *args = mp_xasprintf("%s.args", c->script);
	mp_auto_free char *why = NULL;

	if (write_file(args, text, 0600) == 0 && symlink("launcher", c->script) == 0)
		return 0;
	why = mp_xasprintf("write %s: %s", args, strerror(errno));
	return virt_fail(err, VIR_ERR_SYSTEM_ERROR, why);
}

static void conn_free(struct mp_virt_conn *c)
{
	struct libvirt *v = c->v;
	mp_auto_free char *args = mp_xasprintf("%s.args", c->script);

	pthread_mutex_lock(&v->lock);
	for (struct mp_virt_conn **at = &v->conns; *at; at = &(*at)->next) {
		if (*at == c) {
			*at = c->next;
			break;
		}
	}
	pthread_mutex_unlock(&v->lock);
	unlink(args);
	unlink(c->script);
	unlink(c->pidfile);
	free(c->script);
	free(c->pidfile);
	free(c);
}

static int libvirt_open(struct mp_virt *base, const struct mp_host *h, mp_ms deadline,
			struct mp_virt_conn **ret, struct mp_virt_err *err)
{
	struct libvirt *v = (struct libvirt *)base;
	struct mp_virt_conn *c = mp_xcalloc(1, sizeof(*c));
	mp_auto_free char *uri = NULL;
	struct guard g;
	int r;

	c->v = v;
	pthread_mutex_lock(&v->lock);
	c->script = mp_xasprintf("%s/ssh-%u", v->dir, v->serial);
	c->pidfile = mp_xasprintf("%s/pid-%u", v->dir, v->serial++);
	c->next = v->conns;
	v->conns = c;
	pthread_mutex_unlock(&v->lock);

	r = write_script(c, h, err);
	if (r == 0) {
		uri = mp_migrate_host_uri(h, c->script);
		guard_begin(c, &g, deadline, NULL);
		c->conn = virConnectOpen(uri);
		if (!c->conn)
			last_error(err);
		r = guard_end(c, &g, c->conn != NULL, err);
	}
	if (r < 0) {
		conn_free(c);
		return -1;
	}
	/* A daemon that does not know it is left to ssh's own ServerAliveInterval. */
	virConnectSetKeepAlive(c->conn, KEEPALIVE_S, KEEPALIVE_N);
	*ret = c;
	return 0;
}

static void libvirt_close(struct mp_virt_conn *c)
{
	struct mp_virt_err ignored;
	struct guard g;

	guard_begin(c, &g, mp_now() + KEEPALIVE_S * 1000, NULL);
	virConnectClose(c->conn);
	guard_end(c, &g, true, &ignored);
	conn_free(c);
}

/* ---- guests ---- */

static int libvirt_create(struct mp_virt_conn *c, const char *xml, mp_ms deadline,
			  struct mp_virt_err *err)
{
	virDomainPtr dom;
	struct guard g;

	guard_begin(c, &g, deadline, NULL);
	dom = virDomainCreateXML(c->conn, xml, 0);
	if (dom)
		virDomainFree(dom);
	else
		last_error(err);
	return guard_end(c, &g, dom != NULL, err);
}

/* Whether a lookup worked; that there is no such domain is an answer, too. */
static bool answered(virDomainPtr found, struct mp_virt_err *err)
{
	if (found)
		return true;
	last_error(err);
	return err->code == VIR_ERR_NO_DOMAIN;
}

const char *mp_virt_reason_word(int state, int reason)
{
	static const char *const running[] = {
		NULL,           "booted",           "migrated",  "restored", "from snapshot",
		"unpaused",     "not migrated",     "not saved", "woken up", "crashed",
		"in post-copy", "post-copy failed",
	};
	static const char *const paused[] = {
		NULL,        "by a user",   "migrating",     "being saved",      "dumping",
		"I/O error", "watchdog",    "from snapshot", "shutting down",    "snapshot",
		"crashed",   "starting up", "post-copy",     "post-copy failed",
	};
	static const char *const shutoff[] = {
		NULL,    "shut down", "destroyed",     "crashed", "migrated",
		"saved", "failed",    "from snapshot", "daemon",
	};

	if (reason < 0)
		return NULL;
	if (state == VIR_DOMAIN_RUNNING)
		return (size_t)reason < MP_N_ELEMS(running) ? running[reason] : NULL;
	if (state == VIR_DOMAIN_PAUSED)
		return (size_t)reason < MP_N_ELEMS(paused) ? paused[reason] : NULL;
	if (state == VIR_DOMAIN_SHUTOFF)
		return (size_t)reason < MP_N_ELEMS(shutoff) ? shutoff[reason] : NULL;
	return NULL;
}

static void state_words(int state, int reason, struct mp_virt_look *ret)
{
	static const char *const names[] = { "no state", "running",  "blocked", "paused",
					     "shutdown", "shut off", "crashed", "suspended" };
	const char *name = "unknown", *word = mp_virt_reason_word(state, reason);

	if (state >= 0 && (size_t)state < MP_N_ELEMS(names))
		name = names[state];
	ret->running = state == VIR_DOMAIN_RUNNING;
	ret->migrated = ret->running && reason == VIR_DOMAIN_RUNNING_MIGRATED;
	snprintf(ret->state, sizeof(ret->state), word ? "%s (%s)" : "%s", name, word);
}

static bool look_at(virDomainPtr dom, struct mp_virt_look *ret, struct mp_virt_err *err)
{
	unsigned char raw[4];
	int state, reason;

	if (virDomainGetState(dom, &state, &reason, 0) < 0) {
		last_error(err);
		return err->code == VIR_ERR_NO_DOMAIN; /* it ended just now: not found */
	}
	ret->by_uuid = true;
	state_words(state, reason, ret);
	if (ret->running && virDomainMemoryPeek(dom, BIOS_TICKS_ADDRESS, sizeof(raw), raw,
						VIR_MEMORY_PHYSICAL) == 0)
		ret->ticks = raw[0] | raw[1] << 8 | raw[2] << 16 | (long long)raw[3] << 24;
	return true;
}

static int libvirt_look(struct mp_virt_conn *c, const char *uuid, const char *name, mp_ms deadline,
			struct mp_virt_look *ret, struct mp_virt_err *err)
{
	struct mp_virt_look look = { .ticks = -1 };
	virDomainPtr dom;
	struct guard g;
	bool ok;

	guard_begin(c, &g, deadline, NULL);
	dom = virDomainLookupByUUIDString(c->conn, uuid);
	ok = answered(dom, err);
	if (dom) {
		ok = look_at(dom, &look, err);
		virDomainFree(dom);
	}
	if (ok) {
		dom = virDomainLookupByName(c->conn, name);
		ok = answered(dom, err);
		look.by_name = dom != NULL;
		if (dom)
			virDomainFree(dom);
	}
	if (guard_end(c, &g, ok, err) < 0)
		return -1;
	*ret = look;
	return 0;
}

static int libvirt_list(struct mp_virt_conn *c, const char *prefix, mp_ms deadline,
			struct mp_strv *ret, struct mp_virt_err *err)
{
	virDomainPtr *doms = NULL;
	struct guard g;
	int n;

	guard_begin(c, &g, deadline, NULL);
	n = virConnectListAllDomains(c->conn, &doms, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
	if (n < 0)
		last_error(err);
	if (guard_end(c, &g, n >= 0, err) < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		const char *name = virDomainGetName(doms[i]);

		if (name && strncmp(name, prefix, strlen(prefix)) == 0)
			mp_strv_add(ret, name);
		virDomainFree(doms[i]);
	}
	free(doms);
	return 0;
}

static int libvirt_destroy(struct mp_virt_conn *c, const char *name, mp_ms deadline,
			   struct mp_virt_err *err)
{
	virDomainPtr dom;
	struct guard g;
	bool ok;

	guard_begin(c, &g, deadline, NULL);
	dom = virDomainLookupByName(c->conn, name);
	ok = answered(dom, err);
	if (dom) {
		ok = virDomainDestroy(dom) == 0;
		if (!ok) {
			last_error(err);
			ok = err->code == VIR_ERR_NO_DOMAIN;
		}
		virDomainFree(dom);
	}
	return guard_end(c, &g, ok, err);
}

/* ---- migrating ---- */

struct completed {
	pthread_mutex_t lock;
	pthread_cond_t told;
	bool done;
	mp_ms at;
	struct mp_virt_stats stats;
};

static void stats_of(virTypedParameterPtr params, int n, struct mp_virt_stats *ret)
{
	const struct {
		const char *name;
		long long *to;
	} rows[] = {
		{ VIR_DOMAIN_JOB_DATA_TOTAL, &ret->total_bytes },
		{ VIR_DOMAIN_JOB_DATA_REMAINING, &ret->remaining_bytes },
		{ VIR_DOMAIN_JOB_DATA_PROCESSED, &ret->transferred_bytes },
		{ VIR_DOMAIN_JOB_DOWNTIME, &ret->downtime_ms },
	};

	for (size_t i = 0; i < MP_N_ELEMS(rows); i++) {
		unsigned long long value;

		*rows[i].to = -1;
		if (virTypedParamsGetULLong(params, n, rows[i].name, &value) == 1)
			*rows[i].to = (long long)value;
	}
}

/* In the event thread. */
static void on_completed(virConnectPtr conn, virDomainPtr dom, virTypedParameterPtr params, int n,
			 void *opaque)
{
	struct completed *done = opaque;

	(void)conn;
	(void)dom;
	pthread_mutex_lock(&done->lock);
	done->done = true;
	done->at = mp_now();
	stats_of(params, n, &done->stats);
	pthread_cond_signal(&done->told);
	pthread_mutex_unlock(&done->lock);
}

/* The event thread frees it when libvirt has let go of the callback. */
static void completed_free(void *opaque)
{
	struct completed *done = opaque;

	pthread_cond_destroy(&done->told);
	pthread_mutex_destroy(&done->lock);
	free(done);
}

static struct completed *completed_new(void)
{
	struct completed *done = mp_xcalloc(1, sizeof(*done));
	pthread_condattr_t attr;

	pthread_mutex_init(&done->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&done->told, &attr);
	pthread_condattr_destroy(&attr);
	return done;
}

static void completed_wait(struct completed *done, struct mp_virt_stats *ret, mp_ms *ret_done)
{
	mp_ms deadline = mp_now() + COMPLETED_MS;
	struct timespec until = { .tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000 };

	pthread_mutex_lock(&done->lock);
	while (!done->done)
		if (pthread_cond_timedwait(&done->told, &done->lock, &until) == ETIMEDOUT)
			break;
	if (done->done) {
		*ret = done->stats;
		*ret_done = done->at;
	}
	pthread_mutex_unlock(&done->lock);
}

static int migrate_call(virDomainPtr dom, const struct mp_virt_move *m)
{
	virTypedParameterPtr params = NULL;
	int n = 0, max = 0, r;

	if (m->migrate_uri &&
	    virTypedParamsAddString(&params, &n, &max, VIR_MIGRATE_PARAM_URI, m->migrate_uri) < 0)
		return -1;
	r = virDomainMigrateToURI3(dom, m->peer_uri, params, (unsigned)n,
				   VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER);
	virTypedParamsFree(params, n);
	return r;
}

/* A transient domain is gone from the source afterwards; only the event still carries its
 * statistics. */
static int watched_migrate(struct mp_virt_conn *c, virDomainPtr dom, const struct mp_virt_move *m,
			   struct mp_virt_stats *ret, mp_ms *ret_done, struct mp_virt_err *err)
{
	struct completed *done = completed_new();
	int id, r;

	id = virConnectDomainEventRegisterAny(c->conn, dom, VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
					      VIR_DOMAIN_EVENT_CALLBACK(on_completed), done,
					      completed_free);
	if (id < 0)
		completed_free(done);
	r = migrate_call(dom, m);
	if (r < 0)
		last_error(err);
	*ret_done = mp_now();
	if (id < 0)
		return r;
	if (r == 0)
		completed_wait(done, ret, ret_done);
	virConnectDomainEventDeregisterAny(c->conn, id);
	return r;
}

static int libvirt_migrate(struct mp_virt_conn *c, const struct mp_virt_move *m,
			   struct mp_virt_stats *ret, mp_ms *ret_done, struct mp_virt_err *err)
{
	virDomainPtr dom;
	struct guard g;
	int r = -1;

	*ret = (struct mp_virt_stats){ -1, -1, -1, -1 };
	*ret_done = mp_now();
	guard_begin(c, &g, 0, m->deadline);
	dom = virDomainLookupByUUIDString(c->conn, m->uuid);
	if (dom) {
		r = watched_migrate(c, dom, m, ret, ret_done, err);
		virDomainFree(dom);
	} else {
		last_error(err);
	}
	return guard_end(c, &g, r == 0, err);
}

static int libvirt_job(struct mp_virt_conn *c, const char *uuid, mp_ms deadline,
		       struct mp_virt_stats *ret, struct mp_virt_err *err)
{
	virTypedParameterPtr params = NULL;
	int n = 0, type = VIR_DOMAIN_JOB_NONE;
	virDomainPtr dom;
	struct guard g;
	bool ok;

	guard_begin(c, &g, deadline, NULL);
	dom = virDomainLookupByUUIDString(c->conn, uuid);
	ok = answered(dom, err);
	if (dom) {
		ok = virDomainGetJobStats(dom, &type, &params, &n, 0) == 0;
		if (!ok) {
			last_error(err);
			ok = err->code == VIR_ERR_NO_DOMAIN ||
			     err->code == VIR_ERR_OPERATION_INVALID;
		}
		virDomainFree(dom);
	}
	if (type != VIR_DOMAIN_JOB_NONE)
		stats_of(params, n, ret);
	virTypedParamsFree(params, n);
	if (guard_end(c, &g, ok, err) < 0)
		return -1;
	return type == VIR_DOMAIN_JOB_BOUNDED || type == VIR_DOMAIN_JOB_UNBOUNDED;
}

static int libvirt_abort(struct mp_virt_conn *c, const char *uuid, mp_ms deadline,
			 struct mp_virt_err *err)
{
	virDomainPtr dom;
	struct guard g;
	bool ok = false;

	guard_begin(c, &g, deadline, NULL);
	dom = virDomainLookupByUUIDString(c->conn, uuid);
	if (dom)
		ok = virDomainAbortJob(dom) == 0;
	if (!ok)
		last_error(err);
	if (dom)
		virDomainFree(dom);
	return guard_end(c, &g, ok, err);
}

static const struct mp_virt_ops libvirt_ops = {
	.open = libvirt_open,
	.close = libvirt_close,
	.create = libvirt_create,
	.look = libvirt_look,
	.list = libvirt_list,
	.destroy = libvirt_destroy,
	.migrate = libvirt_migrate,
	.job = libvirt_job,
	.abort = libvirt_abort,
};

/* ---- the whole ---- */

/* libvirt has one event loop for a process, and forbids to register it again. */
static void init_once(void)
{
	struct sigaction now;

	/* libvirt writes to a broken connection before it notices; the default would end migprep.
	 */
	if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
	virInitialize();
	virSetErrorFunc(NULL, silent);
	virEventRegisterDefaultImpl();
}

static int make_dir(struct libvirt *v, struct mp_err *err)
{
	const char *tmp = getenv("TMPDIR");
	mp_auto_free char *path = NULL;

	if (!tmp || *tmp != '/' || strlen(tmp) > 40)
		tmp = "/tmp";
	snprintf(v->dir, sizeof(v->dir), "%s/migprep-XXXXXX", tmp);
	if (!mkdtemp(v->dir)) {
		v->dir[0] = '\0';
		return mp_err_sys(err, errno, "make a directory in %s", tmp);
	}
	path = mp_xasprintf("%s/launcher", v->dir);
	if (write_file(path, launcher, 0700) < 0)
		return mp_err_sys(err, errno, "write %s", path);
	if (access(path, X_OK) < 0)
		return mp_err_set(
			err, MP_E_UNSUPPORTED,
			"%s does not let programs run (noexec); set TMPDIR to a directory "
			"that does",
			tmp);
	return 0;
}

static void remove_dir(struct libvirt *v)
{
	mp_auto_free char *path = mp_xasprintf("%s/launcher", v->dir);

	if (!v->dir[0])
		return;
	unlink(path);
	rmdir(v->dir);
}

int mp_virt_new(const struct mp_dial *dial, struct mp_virt **ret, struct mp_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct libvirt *v = mp_xcalloc(1, sizeof(*v));
	int r;

	v->base.ops = &libvirt_ops;
	v->dial = dial;
	r = make_dir(v, err);
	if (r == 0) {
		pthread_once(&once, init_once);
		pthread_mutex_init(&v->lock, NULL);
		v->timer = virEventAddTimeout(TICK_MS, on_timer, NULL, NULL);
		r = pthread_create(&v->thread, NULL, event_thread, v);
		if (r)
			r = mp_err_sys(err, r, "start the thread of libvirt's events");
	}
	if (r < 0) {
		remove_dir(v);
		free(v);
		return -1;
	}
	*ret = &v->base;
	return 0;
}

void mp_virt_free(struct mp_virt *base)
{
	struct libvirt *v = (struct libvirt *)base;

	if (!v)
		return;
	atomic_store(&v->stop, true);
	pthread_join(v->thread, NULL);
	virEventRemoveTimeout(v->timer);
	pthread_mutex_destroy(&v->lock);
	remove_dir(v);
	free(v);
}
