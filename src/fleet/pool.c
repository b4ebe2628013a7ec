/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pool: a bounded number of threads, one host at a time each. */
#include "config.h"
#include "fleet/fleet.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"

struct pool {
	const struct mp_fleet *fleet;
	const bool *selected;
	int (*talk)(struct mp_session *s, const struct mp_host *h, mp_ms deadline, void *arg,
		    struct mp_err *err);
	void *arg;
	struct mp_err *errs;
	pthread_mutex_t lock; /* for what follows */
	size_t next, done, total;
	pthread_mutex_t
		report; /* on_done is called without overlap, and never holds up taking a host */
};

static bool cancelled(const struct mp_fleet *f)
{
	return f->dial->cancel && atomic_load(f->dial->cancel);
}

static const struct mp_host *take_host(struct pool *p)
{
	const struct mp_inventory *inv = p->fleet->inv;
	const struct mp_host *h = NULL;

	pthread_mutex_lock(&p->lock);
	while (!h && p->next < inv->n_hosts && !cancelled(p->fleet)) {
		if (p->selected[p->next])
			h = &inv->hosts[p->next];
		p->next++;
	}
	pthread_mutex_unlock(&p->lock);
	return h;
}

static void serve(struct pool *p, const struct mp_host *h)
{
	const struct mp_fleet *f = p->fleet;
	struct mp_err *err = &p->errs[h->index];
	mp_ms span = f->host_timeout_ms > 0 ? f->host_timeout_ms : MP_DEFAULT_HOST_MS;
	mp_ms deadline = mp_now() + span;
	struct mp_session *s;

	*err = (struct mp_err){ 0 };
	if (mp_session_open(f->dial, f->bundle, h, deadline, &s, err) == 0) {
		if (p->talk(s, h, deadline, p->arg, err) < 0) {
			if (err->code == MP_E_NONE)
				mp_err_set(err, MP_E_BUG, "failed without a reason");
		} else {
			*err = (struct mp_err){ 0 };
		}
		mp_session_close(s);
	}
	pthread_mutex_lock(&p->report);
	p->done++;
	if (f->on_done)
		f->on_done(h, err, p->done, p->total, f->on_done_arg);
	pthread_mutex_unlock(&p->report);
}

static void *worker(void *arg)
{
	struct pool *p = arg;
	const struct mp_host *h;

	while ((h = take_host(p)))
		serve(p, h);
	return NULL;
}

/* Signals belong to the main thread. */
static size_t start_workers(struct pool *p, pthread_t *threads, size_t n, int *ret_rc)
{
	size_t started = 0;
	sigset_t all, old;
	int rc = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (started < n && (rc = pthread_create(&threads[started], NULL, worker, p)) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	*ret_rc = rc;
	return started;
}

int mp_fleet_run(const struct mp_fleet *f, const bool *selected,
		 int (*talk)(struct mp_session *s, const struct mp_host *h, mp_ms deadline,
			     void *arg, struct mp_err *err),
		 void *arg, struct mp_err *errs, struct mp_err *err)
{
	struct pool p = {
		.fleet = f, .selected = selected, .talk = talk, .arg = arg, .errs = errs
	};
	size_t n = f->forks ? f->forks : MP_DEFAULT_FORKS, started;
	mp_auto_free pthread_t *threads = NULL;
	int rc;

	for (size_t i = 0; i < f->inv->n_hosts; i++) {
		errs[i] = (struct mp_err){ 0 };
		if (!selected[i])
			continue;
		p.total++;
		mp_err_set(&errs[i], MP_E_CANCELLED, "not begun: stopped by the operator");
	}
	if (n > p.total)
		n = p.total;
	if (!n)
		return 0;
	threads = mp_xcalloc(n, sizeof(*threads));
	pthread_mutex_init(&p.lock, NULL);
	pthread_mutex_init(&p.report, NULL);
	started = start_workers(&p, threads, n, &rc);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	pthread_mutex_destroy(&p.report);
	pthread_mutex_destroy(&p.lock);
	if (!started)
		return mp_err_sys(err, rc, "start a worker thread");
	if (cancelled(f))
		return mp_err_set(err, MP_E_CANCELLED, "stopped by the operator");
	return 0;
}
