/* SPDX-License-Identifier: GPL-3.0-or-later */
/* names-equal: one name, one address, whoever asks. */
#include "config.h"
#include "check/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "check/tally.h"
#include "model/name.h"

#define SHOWN 4 /* wrong answers told in words; the rest is counted */
#define REMEDY                                                                                     \
	"Correct the line of the name in /etc/hosts on that host, or its DNS entry; a peer's "     \
	"name "                                                                                    \
	"must never stand behind 127.0.0.1 or 127.0.1.1"

/* What is wrong on one host. */
struct wrong {
	struct mp_buf text;
	size_t n;
	json_t *data;
};

/* One name of the inventory, and the answers to it. */
struct question {
	const char *name;
	const struct mp_host *owner;
	struct mp_tally answers; /* loopback and missing ones left out */
	char expected[2][MP_NAME_MAX + 1];
	size_t n_expected;
};

static bool has_loopback(const char *answer)
{
	mp_auto_strv struct mp_strv v = { 0 };
	bool found = false;

	mp_str_split(answer, " ", &v);
	for (size_t i = 0; i < v.n; i++)
		found |= mp_name_is_loopback(v.v[i]);
	return found;
}

static void expect(struct question *q, const char *address)
{
	if (address && mp_name_is_literal(address))
		mp_name_canonical(address, q->expected[q->n_expected++], sizeof(q->expected[0]));
}

static bool is_expected(const struct question *q, const char *answer)
{
	mp_auto_strv struct mp_strv v = { 0 };
	bool found = false;

	mp_str_split(answer, " ", &v);
	for (size_t i = 0; i < q->n_expected; i++)
		found |= mp_strv_has(&v, q->expected[i]);
	return found;
}

/* What a host was told: addresses, "" if nothing; NULL if it was not asked at all. */
static const char *answer_of(const struct mp_world *w, size_t host, const char *name)
{
	const json_t *fact = mp_world_fact(w, host, "names");
	const char *a = mp_json_str(json_object_get(fact, "addresses"), name, NULL);

	if (!a && json_object_get(json_object_get(fact, "errors"), name))
		a = "";
	return a;
}

static void ask_all(const struct mp_world *w, struct question *q)
{
	expect(q, q->owner->address);
	expect(q, q->owner->migration_address);
	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		const char *a = answer_of(w, i, q->name);

		if (a && *a && !has_loopback(a))
			mp_tally_add(&q->answers, a, w->inv->hosts[i].name);
	}
}

/*
 * The answer to go by: one with an address of the inventory, if any host got it; else the one that
 * more than half of the hosts, and at least two, agree on. NULL: there is none.
 */
static const char *agreed(const struct question *q)
{
	ssize_t most = mp_tally_most(&q->answers);
	size_t all = 0;

	for (size_t i = 0; i < q->answers.n; i++) {
		if (is_expected(q, q->answers.v[i].value))
			return q->answers.v[i].value;
		all += q->answers.v[i].hosts.n;
	}
	if (most < 0 || q->answers.v[most].hosts.n < 2 || q->answers.v[most].hosts.n * 2 <= all)
		return NULL;
	return q->answers.v[most].value;
}

static void add_wrong(struct wrong *v, const struct question *q, const char *got,
		      const char *expected)
{
	if (!v->data)
		v->data = json_array();
	json_array_append_new(v->data, json_pack("{s:s,s:s,s:s}", "name", q->name, "got", got,
						 "expected", expected));
	if (v->n++ >= SHOWN)
		return;
	mp_buf_printf(&v->text, "%s%s %s%s", v->text.size ? "; " : "", q->name,
		      *got ? "is " : "cannot be resolved", got);
	if (*expected)
		mp_buf_printf(&v->text, "%s%s", *got ? " instead of " : ", expected ", expected);
}

static void judge_name(const struct mp_world *w, const struct mp_host *owner, const char *name,
		       struct wrong *wrong)
{
	struct question q = { .name = name, .owner = owner };
	const char *most, *expected;

	if (mp_name_is_literal(name))
		return;
	ask_all(w, &q);
	most = agreed(&q);
	expected = most ? most : q.n_expected ? q.expected[0] : "";
	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		const char *a = answer_of(w, i, name);

		/* Debian gives a host 127.0.1.1 for its own name; only peers are hurt by it. */
		if (!a || i == owner->index)
			continue;
		if (*a && !has_loopback(a) && (is_expected(&q, a) || mp_str_eq(a, most)))
			continue;
		if (*a && !has_loopback(a) && !q.n_expected && !most && q.answers.n < 2)
			continue; /* nobody knows better */
		add_wrong(&wrong[i], &q, a, expected);
	}
	mp_tally_fini(&q.answers);
}

static void judge_host_names(const struct mp_world *w, const struct mp_host *h, struct wrong *wrong)
{
	judge_name(w, h, h->name, wrong);
	if (!mp_str_eq(h->name, h->address))
		judge_name(w, h, h->address, wrong);
	for (size_t i = 0; i < h->aliases.n; i++)
		judge_name(w, h, h->aliases.v[i], wrong);
}

static size_t report(const struct mp_world *w, struct wrong *wrong, struct mp_findings *out)
{
	size_t bad = 0;

	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		struct wrong *v = &wrong[i];

		bad += v->n > 0;
		if (v->n && w->hosts[i].selected) {
			if (v->n > SHOWN)
				mp_buf_printf(&v->text, "; and %zu more names", v->n - SHOWN);
			mp_findings_add(out, "names-equal", MP_SCOPE_HOST, (ssize_t)i, -1, MP_FAIL,
					REMEDY, "%s", mp_buf_peek(&v->text))
				->data = mp_steal(&v->data);
		}
		json_decref(v->data);
		mp_buf_fini(&v->text);
	}
	return bad;
}

static void judge(const struct mp_world *w, const struct mp_host *h, const struct mp_host *peer,
		  struct mp_findings *out)
{
	mp_auto_free struct wrong *wrong = mp_xcalloc(w->inv->n_hosts, sizeof(*wrong));

	(void)h;
	(void)peer;
	for (size_t i = 0; i < w->inv->n_hosts; i++)
		mp_buf_init(&wrong[i].text, 0);
	for (size_t i = 0; i < w->inv->n_hosts; i++)
		judge_host_names(w, &w->inv->hosts[i], wrong);
	if (report(w, wrong, out) == 0)
		mp_findings_add(out, "names-equal", MP_SCOPE_CLUSTER, -1, -1, MP_OK, NULL,
				"every host finds the same address for every name");
}

const struct mp_check mp_check_names_equal = {
	.id = "names-equal",
	.summary = "every host finds the same address for every name",
	.prevents =
		"The source asks its own name service where the target is. A stale or a loopback "
		"address there sends the guest to another machine or to itself: \"Unable to "
		"resolve "
		"address\", \"hostname on destination resolved to localhost\", or a timeout.",
	.checked =
		"Every host resolves the names and aliases of all others as programs do "
		"(getaddrinfo: "
		"/etc/hosts, DNS). The address of the inventory is right; where no host finds that "
		"one, what most hosts agree on is.",
	.remedy = REMEDY,
	.source = "Nova admin guide, Configure live migrations, General configuration; libvirt, "
		  "qemuMigrationDstPrepareDirect",
	.scope = MP_SCOPE_CLUSTER,
	.roles = 0,
	.needs = (const char *const[]){ "names", NULL },
	.judge = judge,
};
