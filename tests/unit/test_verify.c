/* SPDX-License-Identifier: GPL-3.0-or-later */
/* migrate: the engine, and verify, over a fake libvirt that tells one story each. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "migrate/engine.h"
#include "migrate/internal.h"
#include "migrate-world.h"

/* ---- a fake libvirt ---- */

enum story {
	GOOD,         /* moves are done */
	REFUSES,      /* libvirt says no at once */
	STALLS,       /* nothing ends before it is aborted */
	DEAF,         /* nothing ends, aborts are not accepted: until the deadline of the call */
	TARGET_DIES,  /* fails half-way; the guest stays */
	SOURCE_DIES,  /* fails half-way; nobody has the guest, the source is silent */
	TARGET_GOES,  /* success, and then the target is silent */
	SAYS_BOTH,    /* success, and the source still has it */
	SAYS_NOWHERE, /* success, and nobody has it */
	DEAD_GUEST,   /* success, and the guest's clock stands still */
};

#define MAX_HOSTS 4

struct fake {
	struct mp_virt base;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum story story; /* of the move with number story_at; the others are good */
	unsigned story_at;
	unsigned n_moves, n_created, n_aborts, n_open;
	bool down[MAX_HOSTS]; /* cannot be opened */
	bool aborted, moving;
	char guest[MAX_HOSTS][48]; /* name of the guest on each host; "" none */
	bool migrated[MAX_HOSTS], dead;
	long long ticks;
	atomic_bool cancel;
	bool cancel_while_moving;
};

struct mp_virt_conn {
	struct fake *f;
	size_t host;
};

static int say_no(struct mp_virt_err *err, int code, const char *text)
{
	*err = (struct mp_virt_err){ .code = code };
	snprintf(err->text, sizeof(err->text), "%s", text);
	return -1;
}

static int fake_open(struct mp_virt *v, const struct mp_host *h, mp_ms deadline,
		     struct mp_virt_conn **ret, struct mp_virt_err *err)
{
	struct fake *f = (struct fake *)v;

	(void)deadline;
	if (f->down[h->index])
		return say_no(err, 38, "Connection refused");
	*ret = mp_xcalloc(1, sizeof(**ret));
	**ret = (struct mp_virt_conn){ f, h->index };
	pthread_mutex_lock(&f->lock);
	f->n_open++;
	pthread_mutex_unlock(&f->lock);
	return 0;
}

static void fake_close(struct mp_virt_conn *c)
{
	pthread_mutex_lock(&c->f->lock);
	c->f->n_open--;
	pthread_mutex_unlock(&c->f->lock);
	free(c);
}

/* The text of an XML element. */
static void element(const char *xml, const char *open, char *ret, size_t size)
{
	const char *at = strstr(xml, open);

	assert_non_null(at);
	at += strlen(open);
	snprintf(ret, size, "%.*s", (int)strcspn(at, "<"), at);
}

static int fake_create(struct mp_virt_conn *c, const char *xml, mp_ms deadline,
		       struct mp_virt_err *err)
{
	(void)deadline;
	(void)err;
	pthread_mutex_lock(&c->f->lock);
	element(xml, "<name>", c->f->guest[c->host], sizeof(c->f->guest[0]));
	c->f->migrated[c->host] = false;
	c->f->dead = false;
	c->f->n_created++;
	pthread_mutex_unlock(&c->f->lock);
	return 0;
}

static int fake_look(struct mp_virt_conn *c, const char *uuid, const char *name, mp_ms deadline,
		     struct mp_virt_look *ret, struct mp_virt_err *err)
{
	struct fake *f = c->f;

	(void)uuid;
	(void)deadline;
	if (f->down[c->host])
		return say_no(err, 38, "client socket is closed");
	*ret = (struct mp_virt_look){ .ticks = -1 };
	pthread_mutex_lock(&f->lock);
	if (strcmp(f->guest[c->host], name) == 0) {
		ret->by_uuid = ret->by_name = ret->running = true;
		ret->migrated = f->migrated[c->host];
		snprintf(ret->state, sizeof(ret->state), "running (%s)",
			 ret->migrated ? "migrated" : "reason 1");
		ret->ticks = f->dead ? f->ticks : ++f->ticks;
	}
	pthread_mutex_unlock(&f->lock);
	return 0;
}

static int fake_list(struct mp_virt_conn *c, const char *prefix, mp_ms deadline,
		     struct mp_strv *ret, struct mp_virt_err *err)
{
	const char *name = c->f->guest[c->host];

	(void)deadline;
	if (c->f->down[c->host])
		return say_no(err, 38, "client socket is closed");
	if (*name && strncmp(name, prefix, strlen(prefix)) == 0)
		mp_strv_add(ret, name);
	return 0;
}

static int fake_destroy(struct mp_virt_conn *c, const char *name, mp_ms deadline,
			struct mp_virt_err *err)
{
	(void)deadline;
	if (c->f->down[c->host])
		return say_no(err, 38, "client socket is closed");
	pthread_mutex_lock(&c->f->lock);
	if (strcmp(c->f->guest[c->host], name) == 0)
		c->f->guest[c->host][0] = '\0';
	pthread_mutex_unlock(&c->f->lock);
	return 0;
}

/* Until it is aborted (true) or the deadline has passed. Called with the lock held. */
static bool wait_abort(struct fake *f, const _Atomic mp_ms *deadline)
{
	while (!f->aborted && mp_now() < atomic_load(deadline)) {
		mp_ms until = mp_now() + 5; /* the deadline may come nearer */
		struct timespec t = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 };

		pthread_cond_timedwait(&f->changed, &f->lock, &t);
	}
	return f->aborted;
}

static void arrive(struct fake *f, size_t from, size_t to)
{
	memcpy(f->guest[to], f->guest[from], sizeof(f->guest[0]));
	f->guest[from][0] = '\0';
	f->migrated[to] = true;
}

static int tell_story(struct fake *f, enum story story, size_t from, size_t to,
		      const _Atomic mp_ms *deadline, struct mp_virt_err *err)
{
	if (f->down[to])
		return say_no(err, 38, "unable to connect to server at 'x:22': No route to host");
	switch (story) {
	case REFUSES:
		return say_no(err, 81,
			      "Unsafe migration: Migration without shared storage is unsafe");
	case STALLS:
		if (!wait_abort(f, deadline))
			fail_msg("nobody aborted a move that stalls");
		return say_no(err, 78, "operation aborted: migration out job: canceled by client");
	case DEAF:
		wait_abort(f, deadline);
		return say_no(err, 68, "libvirt did not answer in time");
	case TARGET_DIES:
		return say_no(err, 9,
			      "job 'migration out' failed: Unable to write to socket: Broken pipe");
	case SOURCE_DIES:
		f->guest[from][0] = '\0';
		f->down[from] = true;
		return say_no(err, 1, "internal error: client socket is closed");
	case TARGET_GOES:
		arrive(f, from, to);
		f->down[to] = true;
		return 0;
	case SAYS_BOTH:
		memcpy(f->guest[to], f->guest[from], sizeof(f->guest[0]));
		f->migrated[to] = true;
		return 0;
	case SAYS_NOWHERE:
		f->guest[from][0] = '\0';
		return 0;
	case DEAD_GUEST:
		f->dead = true;
		arrive(f, from, to);
		return 0;
	case GOOD:
		arrive(f, from, to);
		return 0;
	}
	abort();
}

/* The target is the host whose name ends the peer URI: "qemu+ssh://b/system". */
static int fake_migrate(struct mp_virt_conn *c, const struct mp_virt_move *m,
			struct mp_virt_stats *ret, mp_ms *ret_done, struct mp_virt_err *err)
{
	struct fake *f = c->f;
	size_t to = (size_t)(m->peer_uri[strlen("qemu+ssh://")] - 'a');
	enum story story = GOOD;
	int r;

	pthread_mutex_lock(&f->lock);
	if (f->n_moves++ == f->story_at)
		story = f->story;
	f->aborted = false;
	f->moving = true;
	r = tell_story(f, story, c->host, to, m->deadline, err);
	f->moving = false;
	pthread_mutex_unlock(&f->lock);
	*ret = (struct mp_virt_stats){ 100, 0, 90, r == 0 ? 12 : -1 };
	*ret_done = mp_now();
	return r;
}

static int fake_job(struct mp_virt_conn *c, const char *uuid, mp_ms deadline,
		    struct mp_virt_stats *ret, struct mp_virt_err *err)
{
	(void)uuid;
	(void)deadline;
	(void)err;
	if (c->f->cancel_while_moving)
		atomic_store(&c->f->cancel, true);
	*ret = (struct mp_virt_stats){ 100, 50, 50, -1 };
	return 1;
}

static int fake_abort(struct mp_virt_conn *c, const char *uuid, mp_ms deadline,
		      struct mp_virt_err *err)
{
	struct fake *f = c->f;
	bool accepted;

	(void)uuid;
	(void)deadline;
	pthread_mutex_lock(&f->lock);
	/* The first request comes too early, as it may with libvirt. */
	accepted = f->moving && f->story != DEAF && f->n_aborts++ > 0;
	if (accepted)
		f->aborted = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	return accepted ? 0 : say_no(err, 55, "no job is active on the domain");
}

static const struct mp_virt_ops fake_ops = {
	.open = fake_open,
	.close = fake_close,
	.create = fake_create,
	.look = fake_look,
	.list = fake_list,
	.destroy = fake_destroy,
	.migrate = fake_migrate,
	.job = fake_job,
	.abort = fake_abort,
};

static void fake_init(struct fake *f, enum story story, unsigned at)
{
	pthread_condattr_t attr;

	*f = (struct fake){ .base.ops = &fake_ops, .story = story, .story_at = at };
	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->changed, &attr);
	pthread_condattr_destroy(&attr);
}

static int fake_leftovers(void *arg, const struct mp_host *h, const char *name, const char *uuid,
			  mp_ms deadline, json_t **ret, struct mp_err *err)
{
	(void)arg;
	(void)h;
	(void)deadline;
	(void)err;
	assert_int_equal(strncmp(name, "migprep-verify-", 15), 0);
	assert_int_equal(strlen(uuid), 36);
	*ret = json_loads(NOTHING, 0, NULL);
	return 0;
}

/* A port trial: closed from `closed_from` only. */
static int fake_try_port(void *arg, size_t source, size_t target, struct mp_trial *ret,
			 struct mp_err *err)
{
	const size_t *closed_from = arg;

	(void)err;
	*ret = (struct mp_trial){ .kind = mp_xstrdup("tcp"),
				  .target = mp_xasprintf("10.0.0.%zu:49152", target),
				  .ok = source != *closed_from };
	if (!ret->ok)
		ret->cause = mp_xstrdup("timeout");
	return 0;
}

/* ---- engine ---- */

static void count_progress(const struct mp_virt_stats *st, mp_ms elapsed, void *arg)
{
	(void)elapsed;
	if (st->total_bytes == 100)
		++*(unsigned *)arg;
}

static void engine(struct fake *f, struct mp_engine_result *ret, unsigned *ret_progress,
		   mp_ms timeout_ms)
{
	struct mp_virt_conn source = { f, 0 };
	const struct mp_engine_move m = { .uuid = "u",
					  .peer_uri = "qemu+ssh://b/system",
					  .timeout_ms = timeout_ms,
					  .grace_ms = 60,
					  .poll_ms = 5,
					  .cancel = &f->cancel,
					  .progress = count_progress,
					  .progress_arg = ret_progress };

	*ret_progress = 0;
	snprintf(f->guest[0], sizeof(f->guest[0]), "g");
	mp_engine_run(&fake_ops, &source, &m, ret);
}

static void test_engine(void **state)
{
	struct mp_engine_result r;
	unsigned progress;
	struct fake f;

	(void)state;
	fake_init(&f, GOOD, 0);
	engine(&f, &r, &progress, 10000);
	assert_int_equal(r.end, MP_ENGINE_DONE);
	assert_int_equal(r.stats.downtime_ms, 12);
	assert_int_equal(r.err.code, 0);
	assert_string_equal(f.guest[1], "g");

	fake_init(&f, REFUSES, 0);
	engine(&f, &r, &progress, 10000);
	assert_int_equal(r.end, MP_ENGINE_FAILED);
	assert_int_equal(r.err.code, 81);
	assert_int_equal(f.n_aborts, 0);

	/* Stall, timeout, abort: asked twice, because the first request was not accepted. */
	fake_init(&f, STALLS, 0);
	engine(&f, &r, &progress, 100);
	assert_int_equal(r.end, MP_ENGINE_TIMEOUT);
	assert_int_equal(r.err.code, 78);
	assert_int_equal(f.n_aborts, 2);
	assert_true(r.total_ms >= 100);
	assert_true(progress > 0);

	/* Nobody listens: the call ends at its deadline, timeout and grace. */
	fake_init(&f, DEAF, 0);
	engine(&f, &r, &progress, 50);
	assert_int_equal(r.end, MP_ENGINE_TIMEOUT);
	assert_true(r.total_ms >= 110);

	fake_init(&f, STALLS, 0);
	f.cancel_while_moving = true;
	engine(&f, &r, &progress, 100000);
	assert_int_equal(r.end, MP_ENGINE_CANCELLED);
	assert_true(r.total_ms < 60000);
}

/* ---- verify ---- */

struct round {
	struct fake f;
	struct mp_world w;
	struct mp_run run;
	int r;
	struct mp_err err;
	size_t closed_from; /* place of the host whose trials of ports fail */
};

#define NOWHERE 99

static void go_closed(struct round *t, size_t n_hosts, size_t closed_from)
{
	static const char *const inventories[] = { "", "[host a]\n", "[host a]\n[host b]\n",
						   "[host a]\n[host b]\n[host c]\n" };
	const struct mp_verify_opts opts = { .memory_mib = 16, .move_timeout_ms = 200 };
	const struct mp_verify_env env = { .virt = &t->f.base,
					   .leftovers = fake_leftovers,
					   .try_port = fake_try_port,
					   .arg = &t->closed_from,
					   .cancel = &t->f.cancel,
					   .forks = 2,
					   .connect_ms = 1000,
					   .settle_ms = 60,
					   .boot_ms = 1000,
					   .grace_ms = 60,
					   .poll_ms = 2 };

	t->closed_from = closed_from;
	world_start(&t->w, inventories[n_hosts]);
	set(&t->w, "nova.live_migration_inbound_addr=leave");
	for (size_t i = 0; i < n_hosts; i++)
		facts(&t->w, i, TWO_TYPES);
	t->run = (struct mp_run){ .world = &t->w };
	t->err = (struct mp_err){ 0 };
	t->r = mp_verify_with(&env, &t->w, &opts, &t->run, &t->err);
	/* Whatever happened: no connection is left, and no guest where one could look. */
	for (size_t i = 0; i < n_hosts; i++)
		if (!t->f.down[i])
			assert_string_equal(t->f.guest[i], "");
	assert_int_equal(t->f.n_open, 0);
}

static void go(struct round *t, size_t n_hosts)
{
	go_closed(t, n_hosts, NOWHERE);
}

static void done(struct round *t)
{
	mp_run_fini(&t->run);
	world_end(&t->w);
}

static void check_move(const struct round *t, size_t i, size_t source, size_t target,
		       const char *outcome, const char *part)
{
	const struct mp_move *m = &t->run.moves[i];

	assert_true(i < t->run.n_moves);
	assert_int_equal(m->source, source);
	assert_int_equal(m->target, target);
	if (strcmp(m->outcome, outcome) != 0 || (part && (!m->reason || !strstr(m->reason, part))))
		fail_msg("move %zu: %s: %s", i, m->outcome, m->reason ? m->reason : "");
}

static void test_verify_good(void **state)
{
	struct round t;

	(void)state;
	fake_init(&t.f, GOOD, 0);
	go(&t, 3);
	assert_int_equal(t.r, 0);
	assert_int_equal(t.run.n_moves, 3);
	for (size_t i = 0; i < 3; i++) {
		check_move(&t, i, i, (i + 1) % 3, "ok", NULL);
		assert_int_equal(t.run.moves[i].downtime_ms, 12);
		assert_int_equal(t.run.moves[i].transferred_bytes, 90);
		assert_int_equal(t.run.moves[i].guest_pause_ms, -1);
		assert_string_equal(t.run.moves[i].running_on, t.w.inv->hosts[(i + 1) % 3].name);
		assert_int_equal(t.run.findings.v[i].status, MP_OK);
		assert_int_equal(t.run.findings.v[i].scope, MP_SCOPE_PAIR);
	}
	assert_int_equal(t.f.n_created, 1); /* one guest goes all the way */
	done(&t);
}

/* A closed port is found before libvirt is asked; the guest stays, and goes on from where it is. */
static void test_verify_closed(void **state)
{
	struct round t;

	(void)state;
	fake_init(&t.f, GOOD, 0);
	go_closed(&t, 3, 1);
	assert_int_equal(t.run.n_moves, 3);
	check_move(&t, 0, 0, 1, "ok", NULL);
	check_move(&t, 1, 1, 2, "refused", "b cannot connect to 10.0.0.2:49152");
	assert_non_null(strstr(t.run.moves[1].reason, "timeout"));
	assert_int_equal(t.run.findings.v[1].status, MP_FAIL);
	check_move(&t, 2, 2, 0, "ok", NULL);
	done(&t);
}

/* The first move goes wrong; a new guest tries the other two. */
static void bad_first(enum story story, const char *outcome, const char *part, const char *on)
{
	struct round t;

	fake_init(&t.f, story, 0);
	go(&t, 3);
	assert_int_equal(t.r, 0);
	assert_int_equal(t.run.n_moves, 3);
	check_move(&t, 0, 0, 1, outcome, part);
	if (on)
		assert_string_equal(t.run.moves[0].running_on, on);
	else
		assert_null(t.run.moves[0].running_on);
	check_move(&t, 1, 1, 2, "ok", NULL);
	check_move(&t, 2, 2, 0, "ok", NULL);
	assert_int_equal(t.f.n_created, 2);
	assert_int_equal(t.run.findings.v[0].status, MP_FAIL);
	assert_true(*t.run.findings.v[0].remedy);
	done(&t);
}

static void test_verify_bad(void **state)
{
	(void)state;
	bad_first(REFUSES, "refused", "Unsafe migration", "a");
	bad_first(STALLS, "aborted", "not finished after 0 s and aborted", "a");
	bad_first(TARGET_DIES, "failed", "Broken pipe", "a");
	bad_first(SAYS_BOTH, "failed", "on a and running (migrated) on b", "a,b");
	bad_first(SAYS_NOWHERE, "failed", "gone from both", NULL);
	bad_first(DEAD_GUEST, "failed", "stands still", "b");
}

/* Host gone goes away in the first move; the last finding names it, with what to do. */
static void check_lost(struct round *t, size_t gone)
{
	const struct mp_finding *last = &t->run.findings.v[t->run.findings.n - 1];

	assert_int_equal(t->r, 0);
	assert_int_equal(t->run.n_moves, 3);
	assert_int_equal(last->scope, MP_SCOPE_HOST);
	assert_int_equal(last->host, gone);
	assert_int_equal(last->status, MP_FAIL);
	assert_non_null(strstr(last->remedy, "virsh"));
	done(t);
}

static void test_verify_lost(void **state)
{
	struct round t;

	(void)state;
	fake_init(&t.f, SOURCE_DIES, 0);
	go(&t, 3);
	check_move(&t, 0, 0, 1, "failed", "unknown: a could not be asked");
	assert_null(t.run.moves[0].running_on);
	check_move(&t, 1, 1, 2, "ok", NULL);
	check_move(&t, 2, 2, 0, "failed", "No route to host");
	assert_string_equal(t.run.moves[2].running_on, "c");
	check_lost(&t, 0);

	fake_init(&t.f, TARGET_GOES, 0);
	go(&t, 3);
	check_move(&t, 0, 0, 1, "unproved", "b could not be asked");
	check_move(&t, 1, 1, 2, "failed", "could not be started on b");
	check_move(&t, 2, 2, 0, "ok", NULL);
	check_lost(&t, 1);
}

static void test_verify_unopened(void **state)
{
	struct round t;

	(void)state;
	fake_init(&t.f, GOOD, 0);
	t.f.down[1] = true;
	go(&t, 3);
	assert_int_equal(t.run.n_moves, 2);
	check_move(&t, 0, 0, 2, "ok", NULL);
	check_move(&t, 1, 2, 0, "ok", NULL);
	assert_int_equal(t.run.findings.v[0].host, 1);
	assert_int_equal(t.run.findings.v[0].status, MP_FAIL);
	assert_non_null(strstr(t.run.findings.v[0].reason, "Connection refused"));
	done(&t);

	fake_init(&t.f, GOOD, 0);
	t.f.down[1] = true;
	go(&t, 2);
	assert_int_equal(t.run.n_moves, 0);
	assert_int_equal(t.run.findings.n, 2);
	assert_int_equal(t.run.findings.v[1].scope, MP_SCOPE_CLUSTER);
	assert_int_equal(t.run.findings.v[1].status, MP_FAIL);
	done(&t);

	fake_init(&t.f, GOOD, 0);
	go(&t, 1);
	assert_int_equal(t.run.n_moves, 0);
	assert_int_equal(t.run.findings.v[0].status, MP_SKIP);
	done(&t);
}

static void test_verify_cancelled(void **state)
{
	struct round t;

	(void)state;
	fake_init(&t.f, STALLS, 1);
	t.f.cancel_while_moving = false;
	go(&t, 3);
	check_move(&t, 1, 1, 2, "aborted", "not finished");
	done(&t);

	fake_init(&t.f, STALLS, 0);
	t.f.cancel_while_moving = true;
	go(&t, 3);
	assert_int_equal(t.r, -1);
	assert_int_equal(t.err.code, MP_E_CANCELLED);
	assert_int_equal(t.run.n_moves, 1);
	check_move(&t, 0, 0, 1, "aborted", "by the operator");
	assert_int_equal(t.run.findings.v[0].status, MP_SKIP);
	done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_engine),           cmocka_unit_test(test_verify_good),
		cmocka_unit_test(test_verify_closed),    cmocka_unit_test(test_verify_bad),
		cmocka_unit_test(test_verify_lost),      cmocka_unit_test(test_verify_unopened),
		cmocka_unit_test(test_verify_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
