/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * observe: {"resources": {ID: PARAMS}, "samples": {ID: PARAMS}, "deadline_ms": N} gives {"facts":
 * {ID: FACT}}. What could not be observed has {"error": {"code", "text"}} in its place; the others
 * are not affected.
 */
#include "config.h"
#include "agent/agent.h"

#include <string.h>

#include "resource/resource.h"
#include "sample/sample.h"
#include "wire/wire.h"

#define SAMPLE_DEADLINE_MS 5000

extern const struct mp_verb mp_verb_observe;

static const struct mp_sample *find_sample(const char *id)
{
	for (size_t i = 0; mp_samples[i]; i++)
		if (strcmp(mp_samples[i]->id, id) == 0)
			return mp_samples[i];
	return NULL;
}

static const json_t *params_of(const json_t *value)
{
	return json_is_null(value) ? NULL : value;
}

static int observe_resource(struct mp_sys *sys, const char *id, const json_t *params, json_t **ret,
			    struct mp_err *err)
{
	const struct mp_resource *r = mp_resource_find(id);

	if (!r)
		return mp_err_set(err, MP_E_UNSUPPORTED, "this agent has no resource '%.60s'", id);
	return r->observe(sys, params, ret, err);
}

static int observe_sample(struct mp_sys *sys, const char *id, const json_t *params,
			  mp_ms deadline_ms, json_t **ret, struct mp_err *err)
{
	const struct mp_sample *s = find_sample(id);

	if (!s)
		return mp_err_set(err, MP_E_UNSUPPORTED, "this agent has no sample '%.60s'", id);
	return s->may_hang ? mp_sys_in_child(sys, deadline_ms, s->observe, params, ret, err)
			   : s->observe(sys, params, ret, err);
}

static void put_fact(json_t *facts, const char *id, int rc, json_t *fact, struct mp_err *why)
{
	if (rc == 0 && !fact)
		mp_err_set(why, MP_E_BUG, "observed nothing, and gave no reason");
	json_object_set_new(facts, id, rc == 0 && fact ? fact : mp_wire_error(why));
}

static int observe(struct mp_agent *a, const json_t *body, json_t **ret, struct mp_err *err)
{
	json_t *resources = json_object_get(body, "resources");
	json_t *samples = json_object_get(body, "samples");
	json_int_t ms = json_integer_value(json_object_get(body, "deadline_ms"));
	json_t *facts = json_object(), *params;
	struct mp_sys *sys = mp_agent_sys(a);
	const char *id;

	if (ms < 1 || ms > 3600000)
		ms = SAMPLE_DEADLINE_MS;
	json_object_foreach(resources, id, params)
	{
		struct mp_err why = { 0 };
		json_t *fact = NULL;
		int rc;

		if (mp_agent_gone(a))
			break;
		rc = observe_resource(sys, id, params_of(params), &fact, &why);
		put_fact(facts, id, rc, fact, &why);
	}
	json_object_foreach(samples, id, params)
	{
		struct mp_err why = { 0 };
		json_t *fact = NULL;
		int rc;

		if (mp_agent_gone(a))
			break;
		rc = observe_sample(sys, id, params_of(params), ms, &fact, &why);
		put_fact(facts, id, rc, fact, &why);
	}
	if (mp_agent_gone(a)) {
		json_decref(facts);
		return mp_err_set(err, MP_E_GONE, "migprep went away");
	}
	*ret = json_pack("{s:o}", "facts", facts);
	return 0;
}

const struct mp_verb mp_verb_observe = {
	.name = "observe",
	.summary = "look at resources and samples",
	.run = observe,
};
