/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libvirt: the local daemon's process, and what it answers. */
#include "config.h"
#include "host/libvirt.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/alloc.h"
#include "base/str.h"

#define MAX_CAPABILITIES (2u << 20) /* 140 KiB with every architecture of QEMU 7.2 installed */

/* The modular daemon first: the client library prefers its socket, too. */
static const struct daemon {
	const char *name, *program, *pidfile;
} daemons[] = {
	{ "virtqemud", "/usr/sbin/virtqemud", "/run/virtqemud.pid" },
	{ "libvirtd", "/usr/sbin/libvirtd", "/run/libvirtd.pid" },
};

/* ---- the process ---- */

static bool is_process(struct mp_sys *sys, long pid, const char *name)
{
	mp_auto_free char *path = mp_xasprintf("/proc/%ld/comm", pid);
	mp_auto_free char *comm = NULL;

	if (mp_sys_read(sys, path, &comm, NULL, NULL, NULL) < 0 || !comm)
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	return strcmp(comm, name) == 0;
}

static long pid_from_file(struct mp_sys *sys, const struct daemon *d)
{
	mp_auto_free char *text = NULL;
	long pid;

	if (mp_sys_read(sys, d->pidfile, &text, NULL, NULL, NULL) < 0 || !text)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	if (mp_str_long(text, 2, 1L << 30, &pid) < 0 || !is_process(sys, pid, d->name))
		return 0;
	return pid;
}

/* A daemon started by hand may have another pid file. */
static long pid_from_proc(struct mp_sys *sys, const struct daemon *d)
{
	DIR *dir = mp_sys_is_real(sys) ? opendir("/proc") : NULL;
	const struct dirent *e;
	long found = 0;

	while (dir && !found && (e = readdir(dir))) {
		long pid;

		if (mp_str_long(e->d_name, 2, 1L << 30, &pid) == 0 && is_process(sys, pid, d->name))
			found = pid;
	}
	if (dir)
		closedir(dir);
	return found;
}

static long long clock_ms(clockid_t id)
{
	struct timespec t = { 0 };

	clock_gettime(id, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/*
 * When a process was started, by the wall clock: its age is exact to a tick of 10 ms, where btime
 * of /proc/stat is cut to a second (proc(5), starttime is field 22 of /proc/PID/stat; the name in
 * brackets may hold anything).
 */
static long long started_ms(struct mp_sys *sys, long pid)
{
	mp_auto_free char *path = mp_xasprintf("/proc/%ld/stat", pid);
	mp_auto_free char *text = NULL;
	unsigned long long ticks;
	const char *s;

	if (mp_sys_read(sys, path, &text, NULL, NULL, NULL) < 0 || !text)
		return 0;
	s = strrchr(text, ')');
	for (int field = 2; s && field < 22; field++) {
		s = strchr(s + 1, ' ');
	}
	if (!s)
		return 0;
	ticks = strtoull(s, NULL, 10);
	return clock_ms(CLOCK_REALTIME) -
	       (clock_ms(CLOCK_BOOTTIME) -
		(long long)(ticks * 1000 / (unsigned long)sysconf(_SC_CLK_TCK)));
}

void mp_libvirt_daemon(struct mp_sys *sys, struct mp_libvirt_daemon *ret)
{
	*ret = (struct mp_libvirt_daemon){ 0 };
	for (size_t i = 0; i < MP_N_ELEMS(daemons); i++) {
		bool exists = false;
		long pid;

		if (mp_sys_stat(sys, daemons[i].program, &exists, NULL, NULL) == 0 && exists)
			ret->installed = true;
		if (ret->name)
			continue;
		pid = pid_from_file(sys, &daemons[i]);
		if (!pid)
			pid = pid_from_proc(sys, &daemons[i]);
		if (!pid)
			continue;
		ret->installed = true;
		ret->name = daemons[i].name;
		ret->started_ms = started_ms(sys, pid);
	}
}

/* ---- the library ---- */

struct lib {
	__typeof__(&virInitialize) initialize;
	__typeof__(&virSetErrorFunc) set_error_func;
	__typeof__(&virGetLastErrorMessage) last_error;
	__typeof__(&virGetLastErrorCode) error_code;
	__typeof__(&virConnectOpenReadOnly) open;
	__typeof__(&virConnectClose) close;
	__typeof__(&virConnectGetLibVersion) libvirt_version;
	__typeof__(&virConnectGetVersion) qemu_version;
	__typeof__(&virConnectGetCapabilities) capabilities;
	__typeof__(&virConnectListAllDomains) domains;
	__typeof__(&virDomainGetJobInfo) job;
	__typeof__(&virDomainGetState) state;
	__typeof__(&virDomainGetName) name;
	__typeof__(&virDomainFree) domain_free;
};

static int load(struct lib *l, struct mp_err *err)
{
	const struct {
		const char *name;
		void *to;
	} symbols[] = {
		{ "virInitialize", &l->initialize },
		{ "virSetErrorFunc", &l->set_error_func },
		{ "virGetLastErrorMessage", &l->last_error },
		{ "virGetLastErrorCode", &l->error_code },
		{ "virConnectOpenReadOnly", &l->open },
		{ "virConnectClose", &l->close },
		{ "virConnectGetLibVersion", &l->libvirt_version },
		{ "virConnectGetVersion", &l->qemu_version },
		{ "virConnectGetCapabilities", &l->capabilities },
		{ "virConnectListAllDomains", &l->domains },
		{ "virDomainGetJobInfo", &l->job },
		{ "virDomainGetState", &l->state },
		{ "virDomainGetName", &l->name },
		{ "virDomainFree", &l->domain_free },
	};
	/* Never closed again: libvirt's threads and thread-local data outlive any use of it. */
	void *handle = dlopen("libvirt.so.0", RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		return mp_err_set(err, MP_E_UNSUPPORTED, "load libvirt's client library: %s",
				  dlerror());
	for (size_t i = 0; i < MP_N_ELEMS(symbols); i++) {
		void *at = dlsym(handle, symbols[i].name);

		if (!at)
			return mp_err_set(err, MP_E_UNSUPPORTED,
					  "libvirt's client library has no %s", symbols[i].name);
		memcpy(symbols[i].to, &at, sizeof(at));
	}
	return 0;
}

/* ---- asking ---- */

struct ask {
	struct lib lib;
	pthread_mutex_t lock;
	pthread_cond_t told;
	bool over;
	json_t *answer; /* grows as the answers come */
};

/* Every guest counts among "busy" before it is asked, and no more when it had no job. */
static void count_busy(struct ask *a, const char *guest, bool busy)
{
	json_t *list;

	pthread_mutex_lock(&a->lock);
	list = json_object_get(a->answer, "busy");
	if (busy)
		json_array_append_new(list, json_string(guest ? guest : "?"));
	else
		json_array_remove(list, json_array_size(list) - 1);
	pthread_mutex_unlock(&a->lock);
}

static void put(struct ask *a, const char *key, json_t *value)
{
	pthread_mutex_lock(&a->lock);
	json_object_set_new(a->answer, key, value);
	pthread_mutex_unlock(&a->lock);
}

static void silent(void *opaque, virErrorPtr e)
{
	(void)opaque;
	(void)e;
}

bool mp_libvirt_is_busy(int state, int reason, bool job_told, int job_type)
{
	static const int paused[] = {
		VIR_DOMAIN_PAUSED_MIGRATION, VIR_DOMAIN_PAUSED_SAVE,
		VIR_DOMAIN_PAUSED_DUMP,      VIR_DOMAIN_PAUSED_SNAPSHOT,
		VIR_DOMAIN_PAUSED_POSTCOPY,  VIR_DOMAIN_PAUSED_STARTING_UP,
		VIR_DOMAIN_PAUSED_UNKNOWN,
	};

	if (!job_told || job_type != VIR_DOMAIN_JOB_NONE)
		return true;
	if (state == VIR_DOMAIN_RUNNING)
		return reason == VIR_DOMAIN_RUNNING_POSTCOPY;
	for (size_t i = 0; state == VIR_DOMAIN_PAUSED && i < MP_N_ELEMS(paused); i++)
		if (reason == paused[i])
			return true;
	return false;
}

/* The target of a migration refuses to tell of the job: "available only on the source host". */
static bool is_busy(struct ask *a, virDomainPtr dom)
{
	virDomainJobInfo job = { 0 };
	int state = 0, reason = 0, rc = a->lib.state(dom, &state, &reason, 0);

	/* It ended after it was listed. */
	if (rc < 0 && a->lib.error_code() == VIR_ERR_NO_DOMAIN)
		return false;
	if (rc < 0)
		return true;
	rc = a->lib.job(dom, &job);
	if (rc < 0 && a->lib.error_code() == VIR_ERR_NO_DOMAIN)
		return false;
	return mp_libvirt_is_busy(state, reason, rc == 0, job.type);
}

static void find_busy(struct ask *a, virConnectPtr conn)
{
	virDomainPtr *doms = NULL;
	int n = a->lib.domains(conn, &doms, VIR_CONNECT_LIST_DOMAINS_ACTIVE);

	if (n < 0)
		return;
	put(a, "busy", json_array());
	for (int i = 0; i < n; i++) {
		count_busy(a, a->lib.name(doms[i]), true);
		if (!is_busy(a, doms[i]))
			count_busy(a, NULL, false);
		a->lib.domain_free(doms[i]);
	}
	free(doms);
}

static void question(struct ask *a, virConnectPtr conn)
{
	unsigned long version;
	char *xml;

	if (a->lib.libvirt_version(conn, &version) == 0)
		put(a, "libvirt", json_integer((json_int_t)version));
	if (a->lib.qemu_version(conn, &version) == 0)
		put(a, "qemu", json_integer((json_int_t)version));
	find_busy(a, conn);
	xml = a->lib.capabilities(conn);
	if (xml && strlen(xml) <= MAX_CAPABILITIES)
		put(a, "capabilities", json_string(xml));
	free(xml);
}

static void *ask_thread(void *arg)
{
	struct ask *a = arg;
	virConnectPtr conn;

	a->lib.initialize();
	a->lib.set_error_func(NULL, silent);
	conn = a->lib.open("qemu:///system");
	if (conn) {
		put(a, "running", json_true());
		put(a, "socket_error", json_null());
		question(a, conn);
		a->lib.close(conn);
	} else {
		put(a, "socket_error", json_string(a->lib.last_error()));
	}
	pthread_mutex_lock(&a->lock);
	a->over = true;
	pthread_cond_signal(&a->told);
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* True when the thread has ended; otherwise it may go on using *a. */
static bool wait_over(struct ask *a, mp_ms timeout_ms, json_t **ret)
{
	mp_ms deadline = mp_now() + timeout_ms;
	struct timespec until = { .tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000 };
	bool over;

	pthread_mutex_lock(&a->lock);
	while (!a->over)
		if (pthread_cond_timedwait(&a->told, &a->lock, &until) == ETIMEDOUT)
			break;
	over = a->over;
	*ret = json_deep_copy(a->answer);
	pthread_mutex_unlock(&a->lock);
	return over;
}

int mp_libvirt_ask(mp_ms timeout_ms, json_t **ret, struct mp_err *err)
{
	struct ask *a = mp_xcalloc(1, sizeof(*a));
	pthread_condattr_t attr;
	pthread_t thread;
	int e;

	if (load(&a->lib, err) < 0) {
		free(a);
		return -1;
	}
	pthread_mutex_init(&a->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&a->told, &attr);
	pthread_condattr_destroy(&attr);
	a->answer = json_pack("{s:b, s:o}", "running", 0, "socket_error",
			      json_sprintf("no answer in %lld ms", (long long)timeout_ms));
	e = pthread_create(&thread, NULL, ask_thread, a);
	if (e) {
		json_decref(a->answer);
		free(a);
		return mp_err_sys(err, e, "start a thread");
	}
	if (!wait_over(a, timeout_ms, ret)) {
		pthread_detach(thread);
		return 0;
	}
	pthread_join(thread, NULL);
	json_decref(a->answer);
	free(a);
	return 0;
}
