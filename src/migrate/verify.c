/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verify: takes a guest round the ring, has every move proved, and leaves nothing behind. */
#include "config.h"
#include "migrate/verify.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "migrate/internal.h"
#include "migrate/proof.h"
#include "migrate/ring.h"
#include "migrate/uri.h"

#define ID "verify"
#define PREFIX "migprep-verify-"
#define CALL_MS 15000     /* one look, or one guest started */
#define SAY_EVERY_MS 5000 /* progress of one move */

struct job {
	const struct mp_verify_env *env;
	struct mp_world *world;
	const struct mp_verify_opts *opts;
	struct mp_run *run;
	struct mp_ring ring;
	struct mp_virt_conn **conns; /* by place in the ring; NULL: lost */
	struct mp_virt_err *errs;    /* why it could not be opened */
	char prefix[32];             /* of the names of this run's guests */
	char *machine;
	bool kvm;
	struct mp_guest guest;
	bool guest_lives;
	size_t guest_at; /* place in the ring */
	unsigned n_guests;
	mp_ms said; /* last progress line of a move */
};

static const struct mp_host *host_at(const struct job *j, size_t place)
{
	return &j->world->inv->hosts[j->ring.hosts[place]];
}

static bool cancelled(const struct job *j)
{
	return j->env->cancel && atomic_load(j->env->cancel);
}

static void pause_ms(mp_ms ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static void say(const struct job *j, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct job *j, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (!j->opts->progress)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	j->opts->progress(text, j->opts->progress_arg);
}

/* ---- connections ---- */

struct openers {
	struct job *job;
	atomic_size_t next;
};

static void open_at(struct job *j, size_t place)
{
	j->errs[place] = (struct mp_virt_err){ 0 };
	j->env->virt->ops->open(j->env->virt, host_at(j, place), mp_now() + j->env->connect_ms,
				&j->conns[place], &j->errs[place]);
}

static void *opener(void *arg)
{
	struct openers *o = arg;
	size_t place;

	while (!cancelled(o->job) && (place = atomic_fetch_add(&o->next, 1)) < o->job->ring.n)
		open_at(o->job, place);
	return NULL;
}

static void open_all(struct job *j)
{
	struct openers o = { .job = j };
	size_t n = j->env->forks ? j->env->forks : MP_DEFAULT_FORKS, started = 0;
	pthread_t *threads;

	if (n > j->ring.n)
		n = j->ring.n;
	threads = mp_xcalloc(n + 1, sizeof(*threads));
	while (started + 1 < n && pthread_create(&threads[started], NULL, opener, &o) == 0)
		started++;
	opener(&o); /* this thread works, too; alone, if it must */
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

/* Takes the hosts without a connection out of the ring, with a finding each. */
static void drop_unopened(struct job *j)
{
	size_t kept = 0;

	for (size_t i = 0; i < j->ring.n; i++) {
		if (!j->conns[i]) {
			mp_auto_free char *uri = mp_migrate_host_uri(host_at(j, i), NULL);
			mp_auto_free char *remedy =
				mp_xasprintf("Make this work from here: virsh -c %s version", uri);

			mp_findings_add(&j->run->findings, ID, MP_SCOPE_HOST,
					(ssize_t)j->ring.hosts[i], -1, MP_FAIL, remedy,
					"left out of the ring: no connection to its libvirt: %s",
					j->errs[i].text);
			continue;
		}
		j->ring.hosts[kept] = j->ring.hosts[i];
		j->conns[kept++] = j->conns[i];
	}
	j->ring.n = kept;
}

static void close_all(struct job *j)
{
	for (size_t i = 0; i < j->ring.n; i++)
		if (j->conns[i])
			j->env->virt->ops->close(j->conns[i]);
}

/* A connection that broke gets one more chance. False: none. */
static bool have_conn(struct job *j, size_t place, struct mp_virt_err *err)
{
	if (!j->conns[place])
		open_at(j, place);
	if (!j->conns[place])
		*err = j->errs[place];
	return j->conns[place] != NULL;
}

static void lose_conn(struct job *j, size_t place)
{
	j->env->virt->ops->close(j->conns[place]);
	j->conns[place] = NULL;
}

/* ---- looking ---- */

static void look(struct job *j, size_t place, struct mp_seen *ret)
{
	*ret = (struct mp_seen){ .look.ticks = -1 };
	for (int attempt = 0; attempt < 2 && !ret->asked; attempt++) {
		if (!have_conn(j, place, &ret->err))
			return;
		if (j->env->virt->ops->look(j->conns[place], j->guest.uuid, j->guest.name,
					    mp_now() + CALL_MS, &ret->look, &ret->err) == 0)
			ret->asked = true;
		else
			lose_conn(j, place);
	}
}

/* Waits until the guest's clock has moved on a host; the first reading and the last look are
 * returned. */
static bool wait_alive(struct job *j, size_t place, mp_ms ms, long long *ret_first,
		       struct mp_seen *ret)
{
	mp_ms deadline = mp_now() + ms;

	*ret_first = -1;
	for (;;) {
		look(j, place, ret);
		if (!ret->asked || !ret->look.by_uuid)
			return false;
		if (ret->look.ticks >= 0 && *ret_first >= 0 && ret->look.ticks != *ret_first)
			return true;
		if (*ret_first < 0)
			*ret_first = ret->look.ticks;
		if (mp_now() >= deadline || cancelled(j))
			return false;
		pause_ms(j->env->poll_ms);
	}
}

/* Waits until the source is rid of the guest. */
static void wait_gone(struct job *j, size_t place, struct mp_seen *ret)
{
	mp_ms deadline = mp_now() + j->env->settle_ms;

	for (;;) {
		look(j, place, ret);
		if (!ret->asked || (!ret->look.by_uuid && !ret->look.by_name) ||
		    mp_now() >= deadline)
			return;
		pause_ms(j->env->poll_ms);
	}
}

/* ---- the guest ---- */

static void make_uuid(char *ret)
{
	unsigned char r[16];

	if (getrandom(r, sizeof(r), 0) != sizeof(r))
		abort();
	r[6] = (r[6] & 0x0f) | 0x40; /* RFC 4122, 4.4: random */
	r[8] = (r[8] & 0x3f) | 0x80;
	for (size_t i = 0; i < sizeof(r); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*ret++ = '-';
		ret += snprintf(ret, 3, "%02x", r[i]);
	}
}

/* Starts a new guest; it has to show life before it is moved. */
static int start_guest(struct job *j, size_t place, struct mp_virt_err *err)
{
	mp_auto_free char *xml = NULL;
	struct mp_seen seen;
	long long first;

	j->guest = (struct mp_guest){ .machine = j->machine,
				      .kvm = j->kvm,
				      .memory_mib = j->opts->memory_mib };
	snprintf(j->guest.name, sizeof(j->guest.name), "%s%u", j->prefix, ++j->n_guests);
	make_uuid(j->guest.uuid);
	xml = mp_guest_xml(&j->guest);
	say(j, "starting guest %s on %s", j->guest.name, host_at(j, place)->name);
	if (!have_conn(j, place, err))
		return -1;
	j->guest_lives = true; /* from here on it has to be cleaned up */
	j->guest_at = place;
	if (j->env->virt->ops->create(j->conns[place], xml, mp_now() + CALL_MS, err) < 0)
		return -1;
	if (wait_alive(j, place, j->env->boot_ms, &first, &seen))
		return 0;
	*err = (struct mp_virt_err){ .code = 1 };
	if (!seen.asked)
		*err = seen.err;
	else if (!seen.look.by_uuid)
		snprintf(err->text, sizeof(err->text), "it ended at once");
	else
		snprintf(err->text, sizeof(err->text),
			 "it is %s, but the clock in its memory does not move", seen.look.state);
	return -1;
}

/* After a failed move: the guest may be on either host, or half on both. */
static void end_guest(struct job *j, size_t source, size_t target)
{
	const size_t places[] = { source, target };

	for (size_t i = 0; i < MP_N_ELEMS(places); i++) {
		struct mp_virt_err err;

		if (have_conn(j, places[i], &err) &&
		    j->env->virt->ops->destroy(j->conns[places[i]], j->guest.name,
					       mp_now() + j->env->grace_ms, &err) < 0)
			lose_conn(j, places[i]); /* sweep() says what is still there */
	}
	j->guest_lives = false;
}

/* ---- one move ---- */

struct moving {
	struct job *job;
	size_t source, target, number;
};

static void on_progress(const struct mp_virt_stats *st, mp_ms elapsed, void *arg)
{
	const struct moving *m = arg;
	struct job *j = m->job;
	const char *s = host_at(j, m->source)->name, *t = host_at(j, m->target)->name;
	mp_ms now = mp_now();

	if (now - j->said < SAY_EVERY_MS)
		return;
	j->said = now;
	if (elapsed > j->opts->move_timeout_ms)
		say(j, "%s -> %s: aborting after %lld s; waiting until libvirt lets go", s, t,
		    (long long)elapsed / 1000);
	else if (st->total_bytes > 0 && st->remaining_bytes >= 0)
		say(j, "%s -> %s: %.1f of %.1f MiB left after %.1f s", s, t,
		    (double)st->remaining_bytes / 1048576, (double)st->total_bytes / 1048576,
		    (double)elapsed / 1000);
	else
		say(j, "%s -> %s: connecting, %.1f s", s, t, (double)elapsed / 1000);
}

static char *running_on(const struct job *j, const struct moving *m, const struct mp_proof *p)
{
	const char *s = host_at(j, m->source)->name, *t = host_at(j, m->target)->name;
	bool on_s = p->on_source.asked && p->on_source.look.running;
	bool on_t = p->on_target.asked && p->on_target.look.running;

	if (on_s && on_t)
		return mp_xasprintf("%s,%s", s, t);
	return on_s || on_t ? mp_xstrdup(on_s ? s : t) : NULL;
}

/* Enters the judgement of a move into the run, as a move and as a finding. */
static void enter(struct job *j, const struct moving *m, const struct mp_judgement *judged,
		  const struct mp_engine_result *call, char *on)
{
	size_t source = j->ring.hosts[m->source], target = j->ring.hosts[m->target];
	struct mp_move *move = mp_run_add_move(j->run);
	bool ok = strcmp(judged->outcome, "ok") == 0;
	bool stopped = call && call->end == MP_ENGINE_CANCELLED;

	move->source = source;
	move->target = target;
	move->mode = mp_xstrdup("precopy");
	move->domain = mp_xstrdup(j->guest.name);
	move->uuid = mp_xstrdup(j->guest.uuid);
	move->outcome = mp_xstrdup(judged->outcome);
	move->reason = judged->reason ? mp_xstrdup(judged->reason) : NULL;
	move->remedy = judged->remedy ? mp_xstrdup(judged->remedy) : NULL;
	move->running_on = on;
	move->memory_verified = -1;
	move->proof = json_incref(judged->proof);
	if (call) {
		move->total_ms = call->total_ms;
		move->downtime_ms = call->stats.downtime_ms;
		move->transferred_bytes = call->stats.transferred_bytes;
	}
	mp_findings_add(&j->run->findings, ID, MP_SCOPE_PAIR, (ssize_t)source, (ssize_t)target,
			ok        ? MP_OK
			: stopped ? MP_SKIP
				  : MP_FAIL,
			judged->remedy, "%s", judged->reason ? judged->reason : "");
	if (ok)
		say(j, "%s -> %s: ok, %lld ms, downtime %lld ms", host_at(j, m->source)->name,
		    host_at(j, m->target)->name, move->total_ms, move->downtime_ms);
	else
		say(j, "%s -> %s: %s: %s", host_at(j, m->source)->name, host_at(j, m->target)->name,
		    judged->outcome, judged->reason);
}

/* No guest, no move: that is told like a failed move. */
static void enter_unstarted(struct job *j, const struct moving *m, const struct mp_virt_err *e)
{
	const char *source = host_at(j, m->source)->name;
	struct mp_judgement judged = { .outcome = "failed", .proof = json_object() };
	struct mp_virt_cause cause;
	mp_auto_free char *outer = mp_xasprintf("the guest could not be started on %s", source);

	mp_virt_explain(e, source, source, &cause);
	judged.reason = mp_virt_reason(outer, e, &cause);
	judged.remedy =
		mp_xasprintf("Look that %s can run guests: /var/log/libvirt/qemu/%s.log there",
			     source, j->guest.name);
	enter(j, m, &judged, NULL, NULL);
	mp_virt_cause_fini(&cause);
	mp_judgement_fini(&judged);
}

/*
 * Over a port that a firewall drops, libvirt can be neither aborted nor hurried for two minutes:
 * the port is tried first, and the move is not begun when it is closed. A trial that cannot be made
 * does not stop the move.
 */
static bool port_is_closed(struct job *j, const struct moving *m)
{
	size_t source = j->ring.hosts[m->source], target = j->ring.hosts[m->target];
	struct mp_judgement judged = { .outcome = "refused" };
	struct mp_trial t = { 0 };
	struct mp_err err = { 0 };
	bool closed;

	if (j->env->try_port(j->env->arg, source, target, &t, &err) < 0)
		return false;
	closed = !t.ok;
	if (closed) {
		judged.proof = json_pack("{s:s, s:s}", "port", t.target, "cause", t.cause);
		judged.reason = mp_xasprintf(
			"not begun: %s cannot connect to %s, a migration port of %s (%s)",
			host_at(j, m->source)->name, t.target, host_at(j, m->target)->name,
			t.cause);
		judged.remedy =
			mp_xstrdup("Run migprep mesh for the cause, and migprep apply to open the "
				   "ports on the target");
		enter(j, m, &judged, NULL, NULL);
		mp_judgement_fini(&judged);
	}
	mp_trial_fini(&t);
	return closed;
}

/* Looks at everything that the judgement needs. */
static void collect(struct job *j, const struct moving *m, struct mp_proof *p, json_t **leftovers,
		    struct mp_err *left_err)
{
	if (p->call->end != MP_ENGINE_DONE) {
		look(j, m->source, &p->on_source);
		look(j, m->target, &p->on_target);
		return;
	}
	wait_alive(j, m->target, j->env->settle_ms, &p->ticks_first, &p->on_target);
	wait_gone(j, m->source, &p->on_source);
	if (j->env->leftovers(j->env->arg, host_at(j, m->source), j->guest.name, j->guest.uuid,
			      mp_now() + j->env->settle_ms, leftovers, left_err) < 0)
		p->leftovers_error = left_err->text;
	p->leftovers = *leftovers;
}

static void move_guest(struct job *j, struct moving *m, long long ticks_before)
{
	const struct mp_host *target = host_at(j, m->target);
	mp_auto_free char *peer_uri = mp_migrate_peer_uri(j->world->profile, target);
	mp_auto_free char *data_uri = mp_migrate_data_uri(j->world->profile, target);
	const struct mp_engine_move spec = { .uuid = j->guest.uuid,
					     .peer_uri = peer_uri,
					     .migrate_uri = data_uri,
					     .timeout_ms = j->opts->move_timeout_ms,
					     .grace_ms = j->env->grace_ms,
					     .poll_ms = j->env->poll_ms,
					     .cancel = j->env->cancel,
					     .progress = on_progress,
					     .progress_arg = m };
	struct mp_engine_result call;
	struct mp_err left_err = { 0 };
	struct mp_judgement judged;
	json_t *leftovers = NULL;
	struct mp_proof p = { .source = host_at(j, m->source)->name,
			      .target = target->name,
			      .name = j->guest.name,
			      .uuid = j->guest.uuid,
			      .call = &call,
			      .timeout_ms = j->opts->move_timeout_ms,
			      .ticks_before = ticks_before,
			      .ticks_first = -1 };

	say(j, "%s -> %s: moving %s (%zu of %zu)", p.source, p.target, j->guest.name, m->number + 1,
	    j->ring.n);
	j->said = mp_now();
	mp_engine_run(j->env->virt->ops, j->conns[m->source], &spec, &call);
	collect(j, m, &p, &leftovers, &left_err);
	mp_proof_judge(&p, &judged);
	json_object_set_new(judged.proof, "peer_uri", json_string(peer_uri));
	json_object_set_new(judged.proof, "data_uri",
			    data_uri ? json_string(data_uri) : json_null());
	enter(j, m, &judged, &call, running_on(j, m, &p));
	if (strcmp(judged.outcome, "ok") == 0)
		j->guest_at = m->target;
	else
		end_guest(j, m->source, m->target);
	mp_judgement_fini(&judged);
	json_decref(leftovers);
}

static void try_move(struct job *j, size_t number)
{
	struct moving m = {
		.job = j, .source = number, .target = (number + 1) % j->ring.n, .number = number
	};
	struct mp_virt_err err = { 0 };
	struct mp_seen before;

	if (port_is_closed(j, &m))
		return;
	if (!j->guest_lives || j->guest_at != m.source) {
		if (start_guest(j, m.source, &err) < 0) {
			if (!cancelled(j))
				enter_unstarted(j, &m, &err);
			end_guest(j, m.source, m.source);
			return;
		}
	}
	look(j, m.source, &before);
	if (!before.asked || !j->conns[m.source]) {
		enter_unstarted(j, &m, &before.err);
		end_guest(j, m.source, m.source);
		return;
	}
	move_guest(j, &m, before.look.ticks);
}

/* ---- the end ---- */

/* Ends whatever guests of this run a host still has. */
static int sweep_host(struct job *j, size_t place, struct mp_virt_err *err)
{
	mp_ms deadline = mp_now() + j->env->grace_ms;
	const struct mp_virt_ops *ops = j->env->virt->ops;

	for (;;) {
		mp_auto_strv struct mp_strv names = { 0 };

		if (!have_conn(j, place, err))
			return -1;
		if (ops->list(j->conns[place], j->prefix, mp_now() + CALL_MS, &names, err) == 0 &&
		    names.n == 0)
			return 0;
		if (mp_now() >= deadline) {
			if (names.n)
				snprintf(err->text, sizeof(err->text), "%s is still there",
					 names.v[0]);
			return -1;
		}
		if (names.n == 0)
			lose_conn(j, place);
		for (size_t i = 0; i < names.n; i++) {
			say(j, "ending guest %s on %s", names.v[i], host_at(j, place)->name);
			if (ops->destroy(j->conns[place], names.v[i], deadline, err) < 0)
				pause_ms(j->env->poll_ms);
		}
	}
}

static void sweep(struct job *j)
{
	for (size_t i = 0; i < j->ring.n; i++) {
		struct mp_virt_err err = { 0 };
		mp_auto_free char *remedy = NULL;

		if (sweep_host(j, i, &err) == 0)
			continue;
		remedy = mp_xasprintf(
			"Destroy on the host what this shows: virsh -c qemu:///system list "
			"--name | grep ^%s",
			j->prefix);
		mp_findings_add(
			&j->run->findings, ID, MP_SCOPE_HOST, (ssize_t)j->ring.hosts[i], -1,
			MP_FAIL, remedy,
			"a guest of verify may be left on the host, it could not be removed: %s",
			err.text);
	}
}

static void too_few(struct job *j, size_t selected)
{
	mp_findings_add(
		&j->run->findings, ID, MP_SCOPE_CLUSTER, -1, -1, selected < 2 ? MP_SKIP : MP_FAIL,
		selected < 2 ? "Name at least two compute hosts"
			     : "Mend what keeps the other hosts out of the ring",
		"no move was tried: %zu of %zu compute hosts can take part, and a move needs two",
		j->ring.n, selected);
}

/* Connections are open. */
static void go_round(struct job *j)
{
	j->machine = mp_guest_machine(j->world, &j->ring);
	j->kvm = mp_guest_kvm(j->world, &j->ring);
	if (!j->machine) {
		mp_findings_add(
			&j->run->findings, ID, MP_SCOPE_CLUSTER, -1, -1, MP_FAIL,
			"Bring QEMU on the hosts to versions that share a machine type",
			"no move was tried: the hosts have no versioned pc or q35 machine type in "
			"common");
		return;
	}
	for (size_t i = 0; i < j->ring.n && !cancelled(j); i++)
		try_move(j, i);
	sweep(j);
}

int mp_verify_with(const struct mp_verify_env *env, struct mp_world *world,
		   const struct mp_verify_opts *opts, struct mp_run *run, struct mp_err *err)
{
	struct job j = { .env = env, .world = world, .opts = opts, .run = run };
	size_t selected = mp_ring_plan(world, &j.ring, &run->findings);
	unsigned random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		abort();
	snprintf(j.prefix, sizeof(j.prefix), PREFIX "%08x-", random);
	j.conns = mp_xcalloc(j.ring.n + 1, sizeof(struct mp_virt_conn *));
	j.errs = mp_xcalloc(j.ring.n + 1, sizeof(*j.errs));
	if (j.ring.n >= 2) {
		open_all(&j);
		if (!cancelled(&j))
			drop_unopened(&j);
	}
	if (!cancelled(&j)) {
		if (j.ring.n < 2)
			too_few(&j, selected);
		else
			go_round(&j);
	}
	close_all(&j);
	free(j.conns);
	free(j.errs);
	free(j.machine);
	mp_ring_fini(&j.ring);
	if (cancelled(&j))
		return mp_err_set(err, MP_E_CANCELLED, "verify was stopped by the operator");
	return 0;
}
