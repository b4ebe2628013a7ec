/* SPDX-License-Identifier: GPL-3.0-or-later */
/* look: one conversation with each host, one request in it, everything that judging needs in the
 * answer. */
#include "config.h"
#include "cli/context.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "model/answer.h"
#include "resource/resource.h"
#include "sample/sample.h"

struct look {
	struct mp_cli *cli;
	pthread_mutex_t lock; /* guards the world: facts come from many workers */
};

bool mp_cli_applies(const struct mp_resource *r, const struct mp_host *h)
{
	return r->roles == 0 || (r->roles & h->roles);
}

static void add_params(json_t *o, const char *id, json_t *params)
{
	json_object_set_new(o, id, params ? params : json_null());
}

static json_t *make_request(const struct mp_world *w, const struct mp_host *h)
{
	json_t *resources = json_object(), *samples = json_object();

	for (size_t i = 0; mp_resources[i]; i++)
		if (mp_cli_applies(mp_resources[i], h))
			add_params(resources, mp_resources[i]->id,
				   mp_resources[i]->params ? mp_resources[i]->params(w, h) : NULL);
	for (size_t i = 0; mp_samples[i]; i++)
		add_params(samples, mp_samples[i]->id,
			   mp_samples[i]->params ? mp_samples[i]->params(w, h) : NULL);
	return json_pack("{s:o,s:o}", "resources", resources, "samples", samples);
}

static int talk(struct mp_session *s, const struct mp_host *h, mp_ms deadline, void *arg,
		struct mp_err *err)
{
	struct look *look = arg;
	struct mp_world *w = &look->cli->world;
	json_t *body, *reply = NULL;

	pthread_mutex_lock(&look->lock);
	body = make_request(w, h);
	pthread_mutex_unlock(&look->lock);
	if (mp_session_call(s, "observe", body, deadline, NULL, NULL, &reply, err) < 0)
		return -1;
	pthread_mutex_lock(&look->lock);
	mp_world_merge(w, h->index, json_object_get(reply, "facts"));
	w->hosts[h->index].reached = true;
	pthread_mutex_unlock(&look->lock);
	json_decref(reply);
	return 0;
}

/*
 * A host that is not the one meant counts as not reached, and what it said is forgotten: its keys
 * must not go round under another's name.
 */
static size_t refuse_others(struct mp_world *w)
{
	mp_auto_free struct mp_err *errs = mp_xcalloc(w->inv->n_hosts, sizeof(*errs));
	size_t n = mp_answers_judge(w, errs);

	for (size_t i = 0; n && i < w->inv->n_hosts; i++) {
		if (errs[i].code == MP_E_NONE)
			continue;
		w->hosts[i].reached = false;
		w->hosts[i].err = errs[i];
		mp_world_forget(w, i);
	}
	return n;
}

int mp_cli_look(struct mp_cli *cli, const char *what, const bool *mask, struct mp_err *err)
{
	struct look look = { .cli = cli, .lock = PTHREAD_MUTEX_INITIALIZER };
	size_t n = cli->inv->n_hosts, total = 0;
	mp_auto_free struct mp_err *errs = mp_xcalloc(n, sizeof(*errs));
	mp_auto_free bool *all = mp_xcalloc(n, sizeof(*all));
	struct mp_progress progress;
	int rc;

	/* Peers are looked at too: what a host must hold depends on them. */
	for (size_t i = 0; i < n; i++) {
		all[i] = mask ? mask[i] : !cli->opt.local || cli->world.hosts[i].selected;
		total += all[i];
	}
	mp_progress_begin(&progress, cli, what);
	cli->fleet.on_done = mp_progress_host;
	cli->fleet.on_done_arg = &progress;
	rc = mp_fleet_run(&cli->fleet, all, talk, &look, errs, err);
	for (size_t i = 0; i < n; i++) {
		if (!all[i])
			continue;
		cli->world.hosts[i].err = errs[i];
		if (errs[i].code != MP_E_NONE)
			cli->world.hosts[i].reached = false;
	}
	progress.failed += refuse_others(&cli->world);
	mp_progress_end(&progress, total);
	return rc;
}
