/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine: one peer-to-peer pre-copy migration with progress, timeout and cancellation. */
#include "config.h"
#include "migrate/engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"

struct run {
	const struct mp_virt_ops *ops;
	struct mp_virt_conn *source;
	const struct mp_engine_move *move;
	mp_ms begun;
	_Atomic mp_ms deadline; /* of every call; then the connection is ended */
	pthread_mutex_t lock;
	pthread_cond_t told;
	/* under lock */
	bool over; /* the migration call has returned */
	int r;
	mp_ms done;
	struct mp_virt_stats stats;
	struct mp_virt_err err;
	struct mp_virt_stats job; /* as last told */
};

static void *call_thread(void *arg)
{
	struct run *run = arg;
	const struct mp_virt_move move = { .uuid = run->move->uuid,
					   .peer_uri = run->move->peer_uri,
					   .migrate_uri = run->move->migrate_uri,
					   .deadline = &run->deadline };
	struct mp_virt_stats stats = { -1, -1, -1, -1 };
	struct mp_virt_err err = { 0 };
	mp_ms done = 0;
	int r = run->ops->migrate(run->source, &move, &stats, &done, &err);

	pthread_mutex_lock(&run->lock);
	run->over = true;
	run->r = r;
	run->done = done;
	run->stats = stats;
	run->err = err;
	pthread_cond_broadcast(&run->told);
	pthread_mutex_unlock(&run->lock);
	return NULL;
}

/* Waits for the end of the call, at most ms. */
static bool wait_over(struct run *run, mp_ms ms)
{
	mp_ms deadline = mp_now() + ms;
	struct timespec until = { .tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000 };
	bool over;

	pthread_mutex_lock(&run->lock);
	while (!run->over)
		if (pthread_cond_timedwait(&run->told, &run->lock, &until) == ETIMEDOUT)
			break;
	over = run->over;
	pthread_mutex_unlock(&run->lock);
	return over;
}

/*
 * libvirt answers no question about a domain while it connects to the target (137 s behind a
 * firewall that drops), so the questions have a thread of their own, and the watcher stays free to
 * notice time and operator.
 */
static void *poll_thread(void *arg)
{
	struct run *run = arg;

	while (!wait_over(run, run->move->poll_ms)) {
		struct mp_virt_stats st = { -1, -1, -1, -1 };
		struct mp_virt_err ignored;

		if (run->ops->job(run->source, run->move->uuid, atomic_load(&run->deadline), &st,
				  &ignored) != 1)
			continue;
		pthread_mutex_lock(&run->lock);
		run->job = st;
		pthread_mutex_unlock(&run->lock);
	}
	return NULL;
}

static void report(struct run *run)
{
	struct mp_virt_stats st;

	pthread_mutex_lock(&run->lock);
	st = run->job;
	pthread_mutex_unlock(&run->lock);
	if (run->move->progress)
		run->move->progress(&st, mp_now() - run->begun, run->move->progress_arg);
}

/* Watches until the call is over. Returns why it was aborted, or MP_ENGINE_DONE. */
static enum mp_engine_end watch(struct run *run)
{
	const struct mp_engine_move *m = run->move;
	enum mp_engine_end why = MP_ENGINE_DONE;
	bool accepted = false;

	while (!wait_over(run, m->poll_ms)) {
		struct mp_virt_err ignored;

		report(run);
		if (why == MP_ENGINE_DONE) {
			if (m->cancel && atomic_load(m->cancel))
				why = MP_ENGINE_CANCELLED;
			else if (mp_now() - run->begun >= m->timeout_ms)
				why = MP_ENGINE_TIMEOUT;
			else
				continue;
			atomic_store(&run->deadline, mp_now() + m->grace_ms);
		}
		/* Early on there is no job to abort yet: ask until it is accepted, and then no
		 * more. */
		if (!accepted)
			accepted = run->ops->abort(run->source, m->uuid,
						   atomic_load(&run->deadline), &ignored) == 0;
	}
	return why;
}

/* -1 when a thread could not be started; nothing runs then. */
static int run_threads(struct run *run, enum mp_engine_end *ret_why, struct mp_virt_err *err)
{
	pthread_t call, poll;
	int e = pthread_create(&call, NULL, call_thread, run);

	if (e) {
		*err = (struct mp_virt_err){ .code = 1 };
		snprintf(err->text, sizeof(err->text), "cannot start a thread: %s", strerror(e));
		return -1;
	}
	e = pthread_create(&poll, NULL, poll_thread, run); /* without it there is no progress */
	*ret_why = watch(run);
	pthread_join(call, NULL);
	if (e == 0)
		pthread_join(poll, NULL);
	return 0;
}

void mp_engine_run(const struct mp_virt_ops *ops, struct mp_virt_conn *source,
		   const struct mp_engine_move *m, struct mp_engine_result *ret)
{
	struct run run = { .ops = ops,
			   .source = source,
			   .move = m,
			   .begun = mp_now(),
			   .job = { -1, -1, -1, -1 } };
	enum mp_engine_end why = MP_ENGINE_DONE;
	pthread_condattr_t attr;

	*ret = (struct mp_engine_result){ .end = MP_ENGINE_FAILED, .stats = { -1, -1, -1, -1 } };
	atomic_init(&run.deadline, run.begun + m->timeout_ms + m->grace_ms);
	pthread_mutex_init(&run.lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&run.told, &attr);
	pthread_condattr_destroy(&attr);
	if (run_threads(&run, &why, &ret->err) == 0) {
		ret->err = run.err;
		ret->stats = run.stats;
		ret->total_ms = run.done - run.begun;
		/* A call that worked after all is done, whatever was asked for meanwhile. */
		if (run.r == 0)
			ret->end = MP_ENGINE_DONE;
		else if (why != MP_ENGINE_DONE)
			ret->end = why;
	}
	pthread_cond_destroy(&run.told);
	pthread_mutex_destroy(&run.lock);
}
