/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_change: apply on the controller's side, with an agent that does not keep to the rules. */
#include "config.h"

#include "fake-root.h"

#include "cli/context.h"
#include "model/run.h"

#define MAX_FRAMES 8

struct stage {
	struct env *env;
	struct mp_cli cli;
	char *agent;
};

static void stage_init(struct stage *s, struct env *e)
{
	static const char inv[] = "[host h1]\naddress = 10.0.0.1\n";
	struct mp_err err = { 0 };
	json_t *facts;

	*s = (struct stage){ .env = e };
	s->cli.opt.quiet = true;
	s->cli.profile = mp_profile_new();
	if (mp_inventory_parse(inv, strlen(inv), "inv", &s->cli.inv, &err) < 0)
		fail_msg("%s", err.text);
	s->cli.inv->hosts[0].transport = MP_TRANSPORT_LOCAL;
	s->cli.world = (struct mp_world){ .inv = s->cli.inv,
					  .profile = s->cli.profile,
					  .hosts = mp_xcalloc(1, sizeof(*s->cli.world.hosts)) };
	s->cli.world.hosts[0].selected = s->cli.world.hosts[0].reached = true;
	/* Of all resources, only this one differs. */
	facts = json_pack("{s:{s:b,s:s,s:b,s:b}}", "nova-shell", "exists", 1, "shell", "/x",
			  "local", 1, "wanted_runs", 1);
	mp_world_merge(&s->cli.world, 0, facts);
	json_decref(facts);
	s->agent = mp_xasprintf("%s/agent", e->root);
	s->cli.bundle.local_agent = s->agent;
	s->cli.dial = (struct mp_dial){ .connect_timeout_ms = 5000, .cancel = &s->cli.cancel };
	s->cli.fleet = (struct mp_fleet){ .dial = &s->cli.dial,
					  .bundle = &s->cli.bundle,
					  .inv = s->cli.inv,
					  .host_timeout_ms = 20000 };
	s->cli.run.world = &s->cli.world;
}

static void stage_fini(struct stage *s)
{
	mp_run_fini(&s->cli.run);
	mp_world_fini(&s->cli.world);
	mp_profile_free(s->cli.profile);
	mp_inventory_free(s->cli.inv);
	free(s->agent);
}

/* An agent that says these messages, whatever it is asked, and then waits for its end. There is
 * none for the look that closes apply. */
static void agent_says(struct stage *s, json_t **messages)
{
	mp_auto_buf struct mp_buf script;

	mp_buf_init(&script, 0);
	mp_buf_printf(&script,
		      "#!/bin/sh\n[ ! -e %s/asked ] || exit 1\n: >%s/asked\n"
		      "echo migprep \"$2\" ready x\n",
		      s->env->root, s->env->root);
	for (int i = 0; messages[i]; i++) {
		mp_auto_free char *file = mp_xasprintf("/frame%d", i), *text = NULL;
		size_t n;

		text = json_dumps(messages[i], JSON_COMPACT);
		n = strlen(text);
		put(s->env->root, file, text);
		mp_buf_printf(&script, "printf '\\%03zo\\%03zo\\%03zo\\%03zo'; cat %s%s\n",
			      n >> 24 & 255, n >> 16 & 255, n >> 8 & 255, n & 255, s->env->root,
			      file);
		json_decref(messages[i]);
	}
	mp_buf_puts(&script, "exec cat >/dev/null\n");
	put(s->env->root, "/agent", mp_buf_peek(&script));
	run("chmod 755 %s && rm -f %s/asked", s->agent, s->env->root);
}

static json_t *event(const char *step, const char *status, json_t *changes)
{
	return json_pack("{s:{s:s,s:s,s:o}}", "event", "step", step, "status", status, "changes",
			 changes);
}

static json_t *one_change(void)
{
	return json_pack("[{s:s,s:n,s:s}]", "what", "shell", "before", "after", "/bin/bash");
}

static json_t *reply(void)
{
	return json_pack("{s:{s:[],s:{s:{s:s},s:{s:s}}}}", "reply", "results", "facts",
			 "nova-shell", "shell", "/changed", "identity", "hostname", "h2");
}

static void run_change(struct stage *s)
{
	struct mp_err err = { 0 };

	if (mp_cli_change(&s->cli, &err) < 0)
		fail_msg("%s", err.text);
}

/* ---- tests ---- */

static void reports_are_entered(void **state)
{
	struct stage s;
	json_t *says[] = { event("nova-shell", "changed", one_change()), reply(), NULL };

	stage_init(&s, *state);
	agent_says(&s, says);
	run_change(&s);
	assert_int_equal(s.cli.run.n_applied, 1);
	assert_string_equal(s.cli.run.applied[0].resource, "nova-shell");
	assert_int_equal(s.cli.run.applied[0].err.code, MP_E_NONE);
	assert_string_equal(
		mp_json_str(json_array_get(s.cli.run.applied[0].changes, 0), "after", ""),
		"/bin/bash");
	/* The facts of what was not ordered are not taken. */
	assert_string_equal(mp_json_str(mp_world_fact(&s.cli.world, 0, "nova-shell"), "shell", ""),
			    "/changed");
	assert_null(mp_world_fact(&s.cli.world, 0, "identity"));
	stage_fini(&s);
}

/* The host's conversation ends there; what was reported before it stands. */
static void expect_protocol_error(struct env *e, json_t **says, size_t n_before)
{
	const struct mp_applied *a;
	struct stage s;

	stage_init(&s, e);
	agent_says(&s, says);
	run_change(&s);
	assert_int_equal(s.cli.run.n_applied, n_before + 1);
	a = &s.cli.run.applied[n_before];
	assert_string_equal(a->resource, "apply");
	assert_int_equal(a->err.code, MP_E_PROTO);
	assert_non_null(strstr(a->err.text, "was not ordered, or twice"));
	stage_fini(&s);
}

static void only_what_was_ordered_and_once(void **state)
{
	json_t *other[] = { event("ssh-keys", "changed", one_change()), reply(), NULL };
	json_t *twice[] = { event("nova-shell", "changed", one_change()),
			    event("nova-shell", "changed", one_change()), reply(), NULL };
	json_t *quiet[] = { event("nova-shell", "unchanged", json_array()),
			    event("nova-shell", "unchanged", json_array()), reply(), NULL };
	json_t *unknown[] = { event("nova-shell", "splendid", one_change()), reply(), NULL };
	json_t *nothing[] = { json_pack("{s:n}", "event"), reply(), NULL };

	expect_protocol_error(*state, other, 0);
	expect_protocol_error(*state, twice, 1);
	expect_protocol_error(*state, quiet, 0);
	expect_protocol_error(*state, unknown, 0);
	expect_protocol_error(*state, nothing, 0);
}

static void a_host_that_is_being_changed(void **state)
{
	struct stage s;
	json_t *says[] = { json_pack("{s:{s:s,s:s}}", "error", "code", "denied", "text",
				     "another migprep changes this host\n\x1b[31m now"),
			   NULL };

	stage_init(&s, *state);
	agent_says(&s, says);
	run_change(&s);
	assert_int_equal(s.cli.run.n_applied, 1);
	assert_string_equal(s.cli.run.applied[0].resource, "apply");
	assert_non_null(strstr(s.cli.run.applied[0].err.text, "another migprep changes this host"));
	assert_null(strchr(s.cli.run.applied[0].err.text, '\x1b'));
	stage_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reports_are_entered),
		T(only_what_was_ordered_and_once),
		T(a_host_that_is_being_changed),
	};

	return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
