/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * apply: {"steps": [{"id", "params", "want"}...], "stop": bool}. Each step: observe, diff, apply
 * where they differ, observe and diff again. An event per step, and at the end {"results": [the
 * same], "facts": {ID: FACT}} with the facts as they are now. Parameters and wanted states may hold
 * secrets: they are never quoted.
 */
#include "config.h"
#include "agent/agent.h"

#include "agent/lock.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "resource/resource.h"
#include "wire/wire.h"

extern const struct mp_verb mp_verb_apply;

struct step {
	const struct mp_resource *r;
	const json_t *params, *want;
	json_t *fact;    /* as it is now; NULL: could not be observed */
	json_t *changes; /* of the first diff */
	bool changed;
};

static json_t *changes_json(const struct mp_diff *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->n_changes; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s?, s:s?}", "what", d->changes[i].what, "before",
					d->changes[i].before, "after", d->changes[i].after));
	return list;
}

/* Observes and judges; *ret is initialised here. */
static int look(struct mp_sys *sys, struct step *s, struct mp_diff *ret, struct mp_err *err)
{
	json_t *fact = NULL;

	if (s->r->observe(sys, s->params, &fact, err) < 0)
		return mp_err_wrap(err, "observe");
	json_decref(s->fact);
	s->fact = fact;
	mp_resource_diff(s->r, fact, NULL, s->want, ret);
	if (ret->status == MP_FAIL || ret->status == MP_UNKNOWN)
		return mp_err_set(err, MP_E_UNSUPPORTED, "%s",
				  ret->reason ? ret->reason : "cannot be judged");
	return 0;
}

static int change(struct mp_sys *sys, struct step *s, struct mp_err *err)
{
	int rc;

	if (mp_sys_begin(sys, s->r->id, err) < 0)
		return mp_err_wrap(err, "begin the journal");
	s->changed = true;
	rc = s->r->apply(sys, s->params, s->fact, s->want, err);
	json_decref(s->fact);
	s->fact = NULL; /* out of date */
	if (mp_sys_end(sys, rc == 0, rc == 0 ? err : NULL) < 0 && rc == 0)
		rc = mp_err_wrap(err, "end the journal");
	return rc;
}

static int still_differs(const struct mp_diff *d, struct mp_err *err)
{
	mp_auto_buf struct mp_buf what;

	mp_buf_init(&what, 300);
	for (size_t i = 0; i < d->n_changes; i++)
		mp_buf_printf(&what, "%s%s", i ? ", " : "", d->changes[i].what);
	return mp_err_set(err, MP_E_SYS, "still differs after apply: %s",
			  what.size   ? mp_buf_peek(&what)
			  : d->reason ? d->reason
				      : "no reason given");
}

static int run_step(struct mp_sys *sys, struct step *s, struct mp_err *err)
{
	mp_auto_diff struct mp_diff before, after;
	int rc;

	mp_diff_init(&before);
	mp_diff_init(&after);
	rc = look(sys, s, &before, err);
	s->changes = changes_json(&before);
	if (rc < 0)
		return -1;
	if (before.status != MP_DRIFT)
		return 0;
	if (change(sys, s, err) < 0)
		return -1;
	if (look(sys, s, &after, err) < 0)
		return mp_err_wrap(err, "after apply");
	return after.status == MP_DRIFT ? still_differs(&after, err) : 0;
}

/* The result of one step, in the form of the event. *ret_failed is set when it failed. */
static json_t *do_step(struct mp_sys *sys, const json_t *order, json_t *facts, bool *ret_failed)
{
	const char *id = json_string_value(json_object_get(order, "id"));
	struct step s = { .r = id ? mp_resource_find(id) : NULL,
			  .params = json_object_get(order, "params"),
			  .want = json_object_get(order, "want") };
	struct mp_err why = { 0 }, ignored;
	json_t *result, *error;
	int rc;

	if (json_is_null(s.params))
		s.params = NULL;
	rc = s.r ? run_step(sys, &s, &why)
		 : mp_err_set(&why, MP_E_UNSUPPORTED, "this agent has no resource '%.60s'",
			      id ? id : "");
	if (rc < 0 && s.r && s.changed && !s.fact)
		s.r->observe(sys, s.params, &s.fact, &ignored);
	result = json_pack("{s:s, s:s, s:o}", "step", id ? id : "", "status",
			   rc < 0      ? "failed"
			   : s.changed ? "changed"
				       : "unchanged",
			   "changes", s.changes ? s.changes : json_array());
	if (rc < 0) {
		error = mp_wire_error(&why);
		json_object_update(result, error);
		json_decref(error);
	}
	if (s.fact)
		json_object_set_new(facts, s.r->id, s.fact);
	*ret_failed = rc < 0;
	return result;
}

static int apply(struct mp_agent *a, const json_t *body, json_t **ret, struct mp_err *err)
{
	json_t *steps = json_object_get(body, "steps");
	bool stop = json_is_true(json_object_get(body, "stop")), failed = false;
	json_t *results, *facts, *order;
	mp_auto_close int lock = -1;
	size_t i;
	int rc = 0;

	if (!json_is_array(steps))
		return mp_err_set(err, MP_E_PROTO, "apply needs a list of steps");
	if (mp_lock_take(mp_agent_root(a), &lock, err) < 0)
		return -1;
	results = json_array();
	facts = json_object();
	json_array_foreach(steps, i, order)
	{
		json_t *result;

		/* Whoever started this is gone: finish the step under way, begin no other. */
		if (mp_agent_gone(a)) {
			rc = mp_err_set(err, MP_E_GONE, "migprep went away");
			break;
		}
		result = do_step(mp_agent_sys(a), order, facts, &failed);
		json_array_append(results, result);
		rc = mp_agent_event(a, result, err);
		if (rc < 0 || (failed && stop))
			break;
	}
	if (rc < 0) {
		json_decref(results);
		json_decref(facts);
		return -1;
	}
	*ret = json_pack("{s:o, s:o}", "results", results, "facts", facts);
	return 0;
}

const struct mp_verb mp_verb_apply = {
	.name = "apply",
	.summary = "bring resources into line",
	.run = apply,
};
