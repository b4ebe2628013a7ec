/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "model/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

void mp_trial_fini(struct mp_trial *t)
{
	free(t->kind);
	free(t->user);
	free(t->target);
	free(t->cause);
	free(t->text);
	*t = (struct mp_trial){ 0 };
}

void mp_pair_drop_trials(struct mp_pair *p)
{
	for (size_t i = 0; i < p->n_trials; i++)
		mp_trial_fini(&p->trials[i]);
	free(p->trials);
	p->trials = NULL;
	p->n_trials = 0;
}

static void pair_fini(struct mp_pair *p)
{
	mp_pair_drop_trials(p);
	free(p->why);
}

static void move_fini(struct mp_move *m)
{
	free(m->mode);
	free(m->domain);
	free(m->uuid);
	free(m->outcome);
	free(m->reason);
	free(m->remedy);
	free(m->running_on);
	json_decref(m->proof);
}

void mp_run_fini(struct mp_run *r)
{
	for (size_t i = 0; i < r->n_pairs; i++)
		pair_fini(&r->pairs[i]);
	for (size_t i = 0; i < r->n_moves; i++)
		move_fini(&r->moves[i]);
	for (size_t i = 0; i < r->n_applied; i++)
		json_decref(r->applied[i].changes);
	free(r->pairs);
	free(r->moves);
	free(r->applied);
	mp_findings_fini(&r->findings);
	*r = (struct mp_run){ 0 };
}

/* Room for one more than n, in powers of two: 500 hosts make a quarter of a million pairs. */
static void *grow(void *v, size_t n, size_t size)
{
	return (n & (n - 1)) == 0 ? mp_xreallocarray(v, n ? n * 2 : 1, size) : v;
}

struct mp_move *mp_run_add_move(struct mp_run *r)
{
	r->moves = grow(r->moves, r->n_moves, sizeof(*r->moves));
	r->moves[r->n_moves] = (struct mp_move){ .total_ms = -1,
						 .downtime_ms = -1,
						 .guest_pause_ms = -1,
						 .transferred_bytes = -1,
						 .memory_verified = -1 };
	return &r->moves[r->n_moves++];
}

struct mp_pair *mp_run_add_pair(struct mp_run *r)
{
	r->pairs = grow(r->pairs, r->n_pairs, sizeof(*r->pairs));
	r->pairs[r->n_pairs] = (struct mp_pair){ 0 };
	return &r->pairs[r->n_pairs++];
}

struct mp_applied *mp_run_add_applied(struct mp_run *r)
{
	r->applied = grow(r->applied, r->n_applied, sizeof(*r->applied));
	r->applied[r->n_applied] = (struct mp_applied){ 0 };
	return &r->applied[r->n_applied++];
}

/* The text of a member, cut between characters; NULL when it has none. */
static json_t *cut_text(const json_t *change, const char *key)
{
	const char *s = mp_json_str(change, key, NULL);
	size_t n = s ? strlen(s) : 0;

	if (n > MP_MAX_CHANGE_TEXT)
		for (n = MP_MAX_CHANGE_TEXT; n && ((unsigned char)s[n] & 0xc0) == 0x80; n--)
			;
	return s ? json_stringn(s, n) : NULL;
}

void mp_applied_take(struct mp_applied *a, const json_t *said)
{
	json_t *change;
	size_t i, more = 0;

	a->changes = json_array();
	json_array_foreach((json_t *)said, i, change)
	{
		json_t *what = cut_text(change, "what");

		if (!what)
			continue;
		if (json_array_size(a->changes) == MP_MAX_CHANGES) {
			json_decref(what);
			more++;
			continue;
		}
		json_array_append_new(a->changes, json_pack("{s:o,s:o?,s:o?}", "what", what,
							    "before", cut_text(change, "before"),
							    "after", cut_text(change, "after")));
	}
	if (more)
		json_array_append_new(a->changes, json_pack("{s:o,s:n,s:n}", "what",
							    json_sprintf("and %zu more", more),
							    "before", "after"));
}

/* ---- exit status ---- */

/* A host that should have answered and did not. */
static bool is_unreachable(const struct mp_run *r, ssize_t host)
{
	const struct mp_host_state *state;

	if (!r->world || !r->world->hosts || host < 0)
		return false;
	state = &r->world->hosts[host];
	return state->selected && !state->reached && state->err.code != MP_E_NONE;
}

static bool any_unreachable(const struct mp_run *r)
{
	for (size_t i = 0; r->world && r->world->inv && i < r->world->inv->n_hosts; i++)
		if (is_unreachable(r, (ssize_t)i))
			return true;
	return false;
}

/* Whether a finding only says over again that a host did not answer; that is status 4. */
static bool is_explained(const struct mp_run *r, const struct mp_finding *f)
{
	if (f->status == MP_UNKNOWN && f->scope == MP_SCOPE_CLUSTER && f->host < 0)
		return any_unreachable(r);
	return is_unreachable(r, f->host) || is_unreachable(r, f->peer);
}

static bool any_status(const struct mp_run *r, enum mp_status status)
{
	for (size_t i = 0; i < r->findings.n; i++) {
		const struct mp_finding *f = &r->findings.v[i];

		if (f->status == status && !is_explained(r, f))
			return true;
	}
	return false;
}

static bool any_pair_failed(const struct mp_run *r)
{
	for (size_t i = 0; i < r->n_pairs; i++)
		for (size_t j = 0; r->pairs[i].tried && j < r->pairs[i].n_trials; j++)
			if (!r->pairs[i].trials[j].ok)
				return true;
	return false;
}

static bool any_move_failed(const struct mp_run *r)
{
	for (size_t i = 0; i < r->n_moves; i++)
		if (!r->moves[i].outcome || strcmp(r->moves[i].outcome, "ok") != 0)
			return true;
	return false;
}

static bool any_apply_failed(const struct mp_run *r)
{
	for (size_t i = 0; i < r->n_applied; i++)
		if (r->applied[i].err.code != MP_E_NONE)
			return true;
	return false;
}

int mp_run_exit_status(const struct mp_run *r)
{
	if (r->interrupted)
		return 130;
	if (any_apply_failed(r))
		return 6;
	if (any_move_failed(r))
		return 5;
	if (any_status(r, MP_FAIL) || any_status(r, MP_UNKNOWN) || any_pair_failed(r))
		return 3;
	if (any_unreachable(r))
		return 4;
	return any_status(r, MP_DRIFT) ? 2 : 0;
}
