/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy_moves: the stories of tests/move/NAME.move: what each look at a move showed, and what the
 * policy has to do about it. One test a file. Lines:
 *
 *   policy NAME
 *   set KEY VALUE            of the configuration
 *   ground KEY VALUE         what was known before; "ground curve SECONDS BYTES"
 *   bad PART                 the configuration is refused with these words; nothing follows
 *   plan KEY VALUE           how it starts: limit, postcopy, auto-converge, throttle, refuse, text
 *   at MS [KEY=VALUE...]     a look. What is not named is as before, but boundary and event are 0.
 *                            Limits that were set are in force at the next look.
 *   -> ACTION [VALUE] STATE  what is answered; a look without this line is answered by "none"
 *   text PART                is in the sentence of the last answer
 *
 * Numbers may end in K, M, G (1024) and k, m, g (1000).
 */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "migrate/policy.h"

enum kind { BOOL, INT, LONG, LONGLONG };

struct key {
	const char *name;
	enum kind kind;
	size_t at;
};

#define CONF(name, kind, field)                                                                    \
	{                                                                                          \
		name, kind, offsetof(struct mp_policy_conf, field)                                 \
	}
static const struct key conf_keys[] = {
	CONF("budget", LONGLONG, budget_ms),
	CONF("max", LONGLONG, max_ms),
	CONF("stuck", LONGLONG, stuck_ms),
	CONF("postcopy", BOOL, may_postcopy),
	CONF("converge", BOOL, may_converge),
	CONF("disrupt", BOOL, may_disrupt),
	CONF("soft-cap", BOOL, cap_is_soft),
	CONF("disrupt-max", LONGLONG, disrupt_max_ms),
	CONF("postcopy-max", LONGLONG, postcopy_max_ms),
	CONF("recoveries", INT, recoveries),
	CONF("static", LONGLONG, static_ms),
	CONF("nova.release", LONG, nova.release),
	CONF("nova.downtime", LONG, nova.downtime_ms),
	CONF("nova.steps", LONG, nova.downtime_steps),
	CONF("nova.delay", LONG, nova.downtime_delay_s),
	CONF("nova.completion", LONG, nova.completion_timeout_s),
	CONF("nova.progress", LONG, nova.progress_timeout_s),
	CONF("nova.force", BOOL, nova.force_complete),
	CONF("nova.vpmem", BOOL, nova.vpmem),
	CONF("nova.memory", LONG, nova.memory_mib),
};

#define GROUND(name, kind, field)                                                                  \
	{                                                                                          \
		name, kind, offsetof(struct mp_policy_ground, field)                               \
	}
static const struct key ground_keys[] = {
	GROUND("total", LONGLONG, total),
	GROUND("link", LONGLONG, link_bps),
	GROUND("cap", LONGLONG, cap_bps),
	GROUND("handover", LONGLONG, handover_ms),
	GROUND("postcopy-works", BOOL, postcopy_works),
	GROUND("paused", BOOL, paused),
};

#define LOOK(name, kind, field)                                                                    \
	{                                                                                          \
		name, kind, offsetof(struct mp_policy_sample, field)                               \
	}
static const struct key look_keys[] = {
	LOOK("iteration", INT, iteration), LOOK("start", LONGLONG, remaining_start),
	LOOK("left", LONGLONG, remaining), LOOK("disk", LONGLONG, disk_remaining),
	LOOK("total", LONGLONG, total),    LOOK("sent", LONGLONG, transferred),
	LOOK("rate", LONGLONG, rate_bps),  LOOK("cap", LONGLONG, cap_bps),
	LOOK("limit", LONGLONG, limit_ms), LOOK("throttle", INT, throttle),
	LOOK("postcopy", BOOL, postcopy),  LOOK("paused", BOOL, paused),
	LOOK("stall", LONGLONG, stall_ms), LOOK("boundary", BOOL, boundary),
};

static const struct {
	const char *name;
	unsigned bit;
} events[] = { { "refused", MP_EVENT_REFUSED },
	       { "ask-abort", MP_EVENT_ASK_ABORT },
	       { "ask-force", MP_EVENT_ASK_FORCE },
	       { "broken", MP_EVENT_BROKEN } };

struct story {
	const char *name; /* of the file */
	size_t line;
	const struct mp_policy *policy;
	struct mp_policy_conf conf;
	struct mp_policy_ground ground;
	struct mp_policy_sample s;
	struct mp_pilot *pilot;
	struct mp_decision d;
	bool over;     /* the configuration was refused */
	bool answered; /* the last look was: by a line, or it was "none" */
	size_t looks;
};

static double number(const struct story *st, const char *text)
{
	static const char units[] = "KMGkmg";
	static const double sizes[] = { 1024, 1048576, 1073741824, 1e3, 1e6, 1e9 };
	char *end;
	double v = strtod(text, &end);
	const char *u = *end ? strchr(units, *end) : NULL;

	if (end == text || (*end && (!u || end[1])))
		fail_msg("%s:%zu: \"%s\" is no number", st->name, st->line, text);
	return u ? v * sizes[u - units] : v;
}

static void put(const struct story *st, void *base, const struct key *keys, size_t n,
		const char *name, const char *value)
{
	for (size_t i = 0; i < n; i++) {
		char *at = (char *)base + keys[i].at;
		double v;

		if (strcmp(keys[i].name, name) != 0)
			continue;
		v = number(st, value);
		switch (keys[i].kind) {
		case BOOL:
			*(bool *)(void *)at = v != 0;
			break;
		case INT:
			*(int *)(void *)at = (int)v;
			break;
		case LONG:
			*(long *)(void *)at = (long)v;
			break;
		case LONGLONG:
			*(long long *)(void *)at = (long long)v;
			break;
		}
		return;
	}
	fail_msg("%s:%zu: no key \"%s\"", st->name, st->line, name);
}

/* Whoever was not told otherwise has answered "none". */
static void close_look(struct story *st)
{
	if (st->looks > 0 && !st->answered && st->d.act != MP_ACT_NONE)
		fail_msg("%s:%zu: the look before is answered by %s %lld %s, \"%s\"", st->name,
			 st->line, mp_act_name(st->d.act), st->d.value, st->d.state, st->d.text);
	st->answered = true;
}

static void start(struct story *st)
{
	struct mp_err err = { 0 };

	if (!st->pilot && mp_pilot_new(st->policy, &st->conf, &st->ground, &st->pilot, &err) < 0)
		fail_msg("%s:%zu: %s", st->name, st->line, err.text);
}

static void bad(struct story *st, const char *part)
{
	struct mp_err err = { 0 };

	assert_int_equal(mp_pilot_new(st->policy, &st->conf, &st->ground, &st->pilot, &err), -1);
	if (!strstr(err.text, part))
		fail_msg("%s:%zu: \"%s\" does not say \"%s\"", st->name, st->line, err.text, part);
	st->over = true;
}

static void plan(struct story *st, const char *key, const char *value)
{
	const struct mp_policy_plan *p;
	long long is;

	start(st);
	p = mp_pilot_plan(st->pilot);
	if (strcmp(key, "text") == 0) {
		if (!strstr(p->text, value))
			fail_msg("%s:%zu: the plan says \"%s\"", st->name, st->line, p->text);
		return;
	}
	if (strcmp(key, "limit") == 0)
		is = p->limit_ms;
	else if (strcmp(key, "postcopy") == 0)
		is = p->postcopy;
	else if (strcmp(key, "auto-converge") == 0)
		is = p->auto_converge;
	else if (strcmp(key, "throttle") == 0)
		is = p->throttle_initial;
	else if (strcmp(key, "refuse") == 0)
		is = p->refuse;
	else
		fail_msg("%s:%zu: no key \"%s\" of a plan", st->name, st->line, key);
	if (is != (long long)number(st, value))
		fail_msg("%s:%zu: %s of the plan is %lld, \"%s\"", st->name, st->line, key, is,
			 p->text);
}

static void look(struct story *st, const struct mp_strv *w)
{
	start(st);
	close_look(st);
	st->s.elapsed_ms = (long long)number(st, w->v[1]);
	st->s.boundary = false;
	st->s.events = 0;
	for (size_t i = 2; i < w->n; i++) {
		char *value = strchr(w->v[i], '=');

		if (!value)
			fail_msg("%s:%zu: \"%s\" has no =", st->name, st->line, w->v[i]);
		*value++ = '\0';
		if (strcmp(w->v[i], "event") != 0) {
			put(st, &st->s, look_keys, MP_N_ELEMS(look_keys), w->v[i], value);
			continue;
		}
		for (size_t k = 0; k < MP_N_ELEMS(events); k++)
			if (strcmp(events[k].name, value) == 0)
				st->s.events |= events[k].bit;
		assert_true(st->s.events);
	}
	mp_pilot_step(st->pilot, &st->s, &st->d);
	if (st->d.act == MP_ACT_SET_DOWNTIME)
		st->s.limit_ms = st->d.value;
	else if (st->d.act == MP_ACT_SET_SPEED)
		st->s.cap_bps = st->d.value;
	st->answered = false;
	st->looks++;
}

static void answer(struct story *st, const struct mp_strv *w)
{
	mp_auto_free char *is = NULL;
	mp_auto_buf struct mp_buf wanted = { 0 };

	assert_true(w->n == 3 || w->n == 4);
	if (st->d.act == MP_ACT_SET_DOWNTIME || st->d.act == MP_ACT_SET_SPEED)
		is = mp_xasprintf("%s %lld %s", mp_act_name(st->d.act), st->d.value, st->d.state);
	else
		is = mp_xasprintf("%s %s", mp_act_name(st->d.act), st->d.state);
	for (size_t i = 1; i < w->n; i++)
		mp_buf_printf(&wanted, "%s%s", i > 1 ? " " : "", w->v[i]);
	if (strcmp(is, mp_buf_peek(&wanted)) != 0)
		fail_msg("%s:%zu: \"%s\", not \"%s\": %s", st->name, st->line, is,
			 mp_buf_peek(&wanted), st->d.text);
	st->answered = true;
}

static void one_line(struct story *st, const char *line)
{
	mp_auto_strv struct mp_strv w = { 0 };
	const char *part = strchr(line, ' ');

	mp_str_split(line, " \t", &w);
	if (w.n == 0 || w.v[0][0] == '#')
		return;
	assert_true(w.n > 1);
	assert_false(st->over);
	if (strcmp(w.v[0], "policy") == 0) {
		st->policy = mp_policy_find(w.v[1]);
		assert_non_null(st->policy);
	} else if (strcmp(w.v[0], "set") == 0 && w.n == 3) {
		put(st, &st->conf, conf_keys, MP_N_ELEMS(conf_keys), w.v[1], w.v[2]);
	} else if (strcmp(w.v[0], "ground") == 0 && w.n == 4) {
		mp_curve_add(&st->ground.curve, number(st, w.v[2]), number(st, w.v[3]));
	} else if (strcmp(w.v[0], "ground") == 0 && w.n == 3) {
		put(st, &st->ground, ground_keys, MP_N_ELEMS(ground_keys), w.v[1], w.v[2]);
	} else if (strcmp(w.v[0], "bad") == 0) {
		bad(st, part + 1);
	} else if (strcmp(w.v[0], "plan") == 0) {
		plan(st, w.v[1], strchr(part + 1, ' ') + 1);
	} else if (strcmp(w.v[0], "at") == 0) {
		look(st, &w);
	} else if (strcmp(w.v[0], "->") == 0) {
		answer(st, &w);
	} else if (strcmp(w.v[0], "text") == 0) {
		if (!strstr(st->d.text, part + 1))
			fail_msg("%s:%zu: it says \"%s\"", st->name, st->line, st->d.text);
	} else {
		fail_msg("%s:%zu: \"%s\"?", st->name, st->line, line);
	}
}

static char *directory(void)
{
	const char *src = getenv("SRCDIR");

	return mp_xasprintf("%s/tests/move", src ? src : ".");
}

static void tell(void **state)
{
	const char *name = *state;
	mp_auto_free char *dir = directory(), *path = mp_xasprintf("%s/%s", dir, name);
	struct story st = { .name = name, .s = { .stall_ms = -1 }, .answered = true };
	FILE *f = fopen(path, "re");
	char line[400];

	assert_non_null(f);
	mp_policy_conf_init(&st.conf);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		st.line++;
		one_line(&st, line);
	}
	fclose(f);
	close_look(&st);
	/* A story in which nothing is judged proves nothing. */
	assert_true(st.looks > 0 || st.over || st.pilot);
	mp_pilot_free(st.pilot);
}

int main(void)
{
	mp_auto_free char *dir = directory();
	mp_auto_strv struct mp_strv files = { 0 };
	struct CMUnitTest *tests;
	struct dirent *e;
	DIR *d = opendir(dir);
	int failed;

	if (!d) {
		print_error("%s: %s\n", dir, strerror(errno));
		return 1;
	}
	while ((e = readdir(d))) {
		size_t len = strlen(e->d_name);

		if (len > 5 && strcmp(e->d_name + len - 5, ".move") == 0)
			mp_strv_add(&files, e->d_name);
	}
	closedir(d);
	mp_strv_sort(&files);
	if (files.n < 20) {
		print_error("%s has only %zu stories\n", dir, files.n);
		return 1;
	}
	tests = mp_xcalloc(files.n, sizeof(*tests));
	for (size_t i = 0; i < files.n; i++)
		tests[i] = (struct CMUnitTest){ files.v[i], tell, NULL, NULL, files.v[i] };
	failed = _cmocka_run_group_tests("moves", tests, files.n, NULL, NULL);
	free(tests);
	return failed;
}
