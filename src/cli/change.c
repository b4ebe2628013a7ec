/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * change: apply, by stages. Stage 0 needs only a host's own facts (its key pair); stage 1 needs
 * what stage 0 made on its peers (their public keys). A host in order is not contacted.
 */
#include "config.h"
#include "cli/context.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "resource/resource.h"
#include "resource/ssh-user.h"
#include "wire/wire.h"

struct change {
	struct mp_cli *cli;
	json_t **steps; /* by host index; NULL: nothing to do there */
	bool *changed;  /* by host index: something was changed, in any stage */
	bool *lost;     /* by host index: the conversation broke off; left alone from then on */
	pthread_mutex_t lock; /* guards run and world */
};

/* One step, and whether it would change something. NULL: does not apply. */
static json_t *make_step(const struct mp_world *w, const struct mp_resource *r,
			 const struct mp_host *h, bool *drift)
{
	mp_auto_diff struct mp_diff diff;
	json_t *want = r->want(w, h), *params;

	mp_diff_init(&diff);
	mp_resource_diff(r, mp_world_fact(w, h->index, r->id),
			 mp_world_fact_error(w, h->index, r->id), want, &diff);
	*drift = diff.status == MP_DRIFT;
	if (diff.status != MP_DRIFT && diff.status != MP_OK) {
		json_decref(want);
		return NULL;
	}
	params = r->params ? r->params(w, h) : NULL;
	return json_pack("{s:s,s:o,s:o}", "id", r->id, "params", params ? params : json_null(),
			 "want", want);
}

/*
 * All steps of a stage when one of them would change something: a later one may depend on an
 * earlier (a daemon is restarted because its file was changed).
 */
static json_t *make_steps(const struct mp_world *w, const struct mp_host *h, int stage)
{
	json_t *steps = json_array();
	bool any = false;

	for (size_t i = 0; mp_resources[i]; i++) {
		const struct mp_resource *r = mp_resources[i];
		bool drift = false;
		json_t *step;

		if (r->stage != stage || !mp_cli_applies(r, h))
			continue;
		step = make_step(w, r, h, &drift);
		if (step)
			json_array_append_new(steps, step);
		any |= drift;
	}
	if (any)
		return steps;
	json_decref(steps);
	return NULL;
}

static void enter_result(struct change *c, const struct mp_host *h, const struct mp_resource *r,
			 bool failed, const json_t *event)
{
	const json_t *error = json_object_get(event, "error");
	struct mp_applied *a = mp_run_add_applied(&c->cli->run);

	a->host = h->index;
	a->resource = r->id;
	mp_applied_take(a, json_object_get(event, "changes"));
	if (failed && error)
		mp_wire_error_get(error, &a->err);
	else if (failed)
		mp_err_set(&a->err, MP_E_PROTO, "the agent gave no reason");
	c->changed[h->index] = true;
}

struct event_arg {
	struct change *c;
	const struct mp_host *h;
	json_t *told; /* {STEP: true} of those that were reported */
};

static bool is_ordered(const json_t *steps, const char *id)
{
	json_t *step;
	size_t i;

	json_array_foreach((json_t *)steps, i, step)
	{
		if (strcmp(mp_json_str(step, "id", ""), id) == 0)
			return true;
	}
	return false;
}

/* Each step that was ordered is reported once, and no other: what a host says more is not kept. */
static int on_event(const json_t *event, void *arg, struct mp_err *err)
{
	static const char *const words[] = { "unchanged", "changed", "failed" };
	const char *status = mp_json_str(event, "status", "");
	const char *id = mp_json_str(event, "step", "");
	const struct mp_resource *r = mp_resource_find(id);
	struct event_arg *e = arg;
	size_t word = 0;

	while (word < MP_N_ELEMS(words) && strcmp(words[word], status) != 0)
		word++;
	if (!r || word == MP_N_ELEMS(words) || !is_ordered(e->c->steps[e->h->index], id) ||
	    json_object_get(e->told, id))
		return mp_err_set(err, MP_E_PROTO,
				  "the agent reports a step that was not ordered, or twice");
	json_object_set_new(e->told, id, json_true());
	if (word == 0)
		return 0;
	pthread_mutex_lock(&e->c->lock);
	enter_result(e->c, e->h, r, word == 2, event);
	pthread_mutex_unlock(&e->c->lock);
	return 0;
}

/* Only what was ordered: other facts have been looked at already. */
static void merge_facts(struct change *c, const struct mp_host *h, const json_t *facts)
{
	json_t *mine = json_object(), *fact;
	const char *id;

	json_object_foreach((json_t *)facts, id, fact)
	{
		if (is_ordered(c->steps[h->index], id))
			json_object_set(mine, id, fact);
	}
	pthread_mutex_lock(&c->lock);
	mp_world_merge(&c->cli->world, h->index, mine);
	pthread_mutex_unlock(&c->lock);
	json_decref(mine);
}

static int talk(struct mp_session *s, const struct mp_host *h, mp_ms deadline, void *arg,
		struct mp_err *err)
{
	struct change *c = arg;
	struct event_arg e = { c, h, json_object() };
	json_t *body = json_pack("{s:O}", "steps", c->steps[h->index]), *reply = NULL;
	int rc = mp_session_call(s, "apply", body, deadline, on_event, &e, &reply, err);

	json_decref(e.told);
	if (rc < 0)
		return -1;
	merge_facts(c, h, json_object_get(reply, "facts"));
	json_decref(reply);
	return 0;
}

/* A host where apply did not begin or broke off is entered as an application that failed. */
static void enter_losses(struct change *c, const struct mp_err *errs, const bool *mask)
{
	for (size_t i = 0; i < c->cli->inv->n_hosts; i++) {
		struct mp_applied *a;

		if (!mask[i] || errs[i].code == MP_E_NONE)
			continue;
		a = mp_run_add_applied(&c->cli->run);
		a->host = i;
		a->resource = "apply";
		a->err = errs[i];
		c->changed[i] = c->lost[i] = true;
	}
}

/* One stage on one host (only >= 0), or on all. */
static int run_stage(struct change *c, int stage, ssize_t only, struct mp_err *err)
{
	struct mp_cli *cli = c->cli;
	size_t n = cli->inv->n_hosts, total = 0;
	mp_auto_free bool *mask = mp_xcalloc(n, sizeof(*mask));
	mp_auto_free struct mp_err *errs = mp_xcalloc(n, sizeof(*errs));
	struct mp_progress progress;
	int rc;

	for (size_t i = 0; i < n; i++) {
		const struct mp_host_state *s = &cli->world.hosts[i];
		bool mine =
			s->selected && s->reached && !c->lost[i] && (only < 0 || i == (size_t)only);

		c->steps[i] = mine ? make_steps(&cli->world, &cli->inv->hosts[i], stage) : NULL;
		mask[i] = c->steps[i] != NULL;
		total += mask[i];
	}
	if (total == 0)
		return 0;
	mp_progress_begin(&progress, cli, stage == 0 ? "apply" : "apply, second stage");
	cli->fleet.on_done = mp_progress_host;
	cli->fleet.on_done_arg = &progress;
	rc = mp_fleet_run(&cli->fleet, mask, talk, c, errs, err);
	mp_progress_end(&progress, total);
	enter_losses(c, errs, mask);
	for (size_t i = 0; i < n; i++)
		json_decref(c->steps[i]);
	return rc;
}

static int talk_key(struct mp_session *s, const struct mp_host *h, mp_ms deadline, void *arg,
		    struct mp_err *err)
{
	struct change *c = arg;
	const struct mp_profile *p = c->cli->profile;
	json_t *body = json_pack("{s:o,s:s}", "users", mp_ssh_users(&c->cli->world), "type",
				 mp_profile_str(p, "ssh", "key_type"));
	json_t *reply = NULL;

	if (mp_session_call(s, "ssh-key-read", body, deadline, NULL, NULL, &reply, err) < 0)
		return -1;
	json_object_set_new(c->cli->world.hosts[h->index].facts, MP_SSH_SHARED_FACT, reply);
	return 0;
}

/*
 * Stage 0. With shared keys the owner of the pair goes first, and the others get it from memory
 * here; it is dropped as soon as they have it.
 */
static int run_first_stage(struct change *c, struct mp_err *err)
{
	struct mp_cli *cli = c->cli;
	ssize_t owner = mp_ssh_shared_owner(&cli->world);
	mp_auto_free bool *mask = mp_xcalloc(cli->inv->n_hosts, sizeof(*mask));
	mp_auto_free struct mp_err *errs = mp_xcalloc(cli->inv->n_hosts, sizeof(*errs));
	int rc;

	if (owner < 0)
		return run_stage(c, 0, -1, err);
	if (run_stage(c, 0, owner, err) < 0)
		return -1;
	mask[owner] = !c->lost[owner];
	cli->fleet.on_done = NULL;
	rc = mp_fleet_run(&cli->fleet, mask, talk_key, c, errs, err);
	enter_losses(c, errs, mask);
	if (rc == 0)
		rc = run_stage(c, 0, -1, err);
	json_object_del(cli->world.hosts[owner].facts, MP_SSH_SHARED_FACT);
	return rc;
}

int mp_cli_change(struct mp_cli *cli, struct mp_err *err)
{
	size_t n = cli->inv->n_hosts, n_changed = 0;
	mp_auto_free json_t **steps = mp_xcalloc(n, sizeof(json_t *));
	mp_auto_free bool *changed = mp_xcalloc(n, sizeof(*changed));
	mp_auto_free bool *lost = mp_xcalloc(n, sizeof(*lost));
	struct change c = { .cli = cli,
			    .steps = steps,
			    .changed = changed,
			    .lost = lost,
			    .lock = PTHREAD_MUTEX_INITIALIZER };

	if (run_first_stage(&c, err) < 0 || run_stage(&c, 1, -1, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		n_changed += changed[i];
	/* Nothing changed: the first look was the closing one. */
	return n_changed ? mp_cli_look(cli, "check again", NULL, err) : 0;
}
