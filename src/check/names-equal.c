/* SPDX-License-Identifier: GPL-3.0-or-later */
/* names-equal: one name, one address, whoever asks. */
#include "config.h"
#include "check/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "check/tally.h"
#include "model/name.h"

#define SHOWN 4 /* wrong answers told in words; the rest is counted */
#define REMEDY                                                                                     \
	"Correct the line of the name in /etc/hosts on that host, or its DNS entry; a peer's "     \
	"name must never stand behind 127.0.0.1 or 127.0.1.1. If no host finds the address of "    \
	"the inventory, look whether that one is right"

/* What is wrong on one host. */
struct wrong {
	struct mp_buf text;
	size_t n;
	json_t *data;
};

struct job {
	const struct mp_world *w;
	json_t *owners;      /* {ADDRESS: the one host that has it, -1 where several have} */
	struct wrong *wrong; /* by host */
	struct mp_strv
		strange; /* hosts whose address of the inventory nobody finds by their name */
};

/* One name of the inventory, and the answers to it. */
struct question {
	const char *name;
	const struct mp_host *owner;
	const json_t *owners;
	bool told;               /* the owner told its addresses */
	bool by_most;            /* nobody else knows: what most hosts find counts */
	struct mp_tally answers; /* sorted; loopback and missing ones left out */
	char expected[2][MP_NAME_MAX + 1];
	size_t n_expected;
	bool found; /* some host finds one of expected */
};

/* ---- addresses that hosts have ---- */

static json_t *map_owners(const struct mp_world *w)
{
	json_t *owners = json_object(), *address;
	char key[MP_NAME_MAX + 1];
	size_t k;

	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		const json_t *identity = mp_world_fact(w, i, "identity");

		json_array_foreach(json_object_get(identity, "addresses"), k, address)
		{
			const char *text = json_string_value(address);
			long long had;

			if (!text)
				continue;
			mp_name_canonical(text, key, sizeof(key));
			had = mp_json_int(owners, key, (long long)i);
			json_object_set_new(owners, key,
					    json_integer(had == (long long)i ? had : -1));
		}
	}
	return owners;
}

/* ---- one name ---- */

static bool has_loopback(const struct mp_strv *answer)
{
	for (size_t i = 0; i < answer->n; i++)
		if (mp_name_is_loopback(answer->v[i]))
			return true;
	return false;
}

static void expect(struct question *q, const char *address)
{
	if (address && mp_name_is_literal(address))
		mp_name_canonical(address, q->expected[q->n_expected++], sizeof(q->expected[0]));
}

static bool is_expected(const struct question *q, const char *address)
{
	char key[MP_NAME_MAX + 1];

	mp_name_canonical(address, key, sizeof(key));
	for (size_t i = 0; i < q->n_expected; i++)
		if (strcmp(q->expected[i], key) == 0)
			return true;
	return false;
}

/* Of another family than what the inventory has: nothing is known of it while its owner is silent.
 */
static bool is_beyond(const struct question *q, const char *address)
{
	bool six = strchr(address, ':') != NULL;

	for (size_t i = 0; i < q->n_expected; i++)
		if ((strchr(q->expected[i], ':') != NULL) == six)
			return false;
	return !q->told;
}

static bool is_owned(const struct question *q, const char *address)
{
	char key[MP_NAME_MAX + 1];

	mp_name_canonical(address, key, sizeof(key));
	return mp_json_int(q->owners, key, -1) == (long long)q->owner->index;
}

/* The first address of an answer that is not the owner's; NULL: all are. */
static const char *find_foreign(const struct question *q, const struct mp_strv *answer)
{
	bool any = false;

	for (size_t i = 0; i < answer->n; i++) {
		bool known = is_expected(q, answer->v[i]) || is_owned(q, answer->v[i]);

		any |= known;
		if (!known && !is_beyond(q, answer->v[i]))
			return answer->v[i];
	}
	return any ? NULL : answer->v[0];
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

/* Name servers rotate their answers: only the set of addresses is compared. */
static char *sorted(const struct mp_strv *answer)
{
	mp_auto_strv struct mp_strv v = { 0 };
	mp_auto_buf struct mp_buf b;

	mp_buf_init(&b, 0);
	for (size_t i = 0; i < answer->n; i++)
		mp_strv_add(&v, answer->v[i]);
	mp_strv_sort(&v);
	for (size_t i = 0; i < v.n; i++)
		mp_buf_printf(&b, "%s%s", i ? " " : "", v.v[i]);
	return mp_buf_take(&b);
}

static void ask_all(const struct mp_world *w, struct question *q)
{
	const json_t *identity = mp_world_fact(w, q->owner->index, "identity");
	bool alias = !mp_str_eq(q->name, q->owner->name) && !mp_str_eq(q->name, q->owner->address);

	expect(q, q->owner->address);
	/* An alias may lead to a network that the inventory does not know. */
	q->told = json_array_size(json_object_get(identity, "addresses")) > 0;
	q->by_most = !q->told && (q->n_expected == 0 || alias);
	expect(q, q->owner->migration_address);
	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		mp_auto_strv struct mp_strv v = { 0 };
		mp_auto_free char *text = NULL;
		const char *a = answer_of(w, i, q->name);

		if (!a || !*a)
			continue;
		mp_str_split(a, " ", &v);
		if (has_loopback(&v))
			continue;
		for (size_t k = 0; k < v.n; k++)
			q->found |= is_expected(q, v.v[k]);
		text = sorted(&v);
		mp_tally_add(&q->answers, text, w->inv->hosts[i].name);
	}
}

/*
 * Where the inventory has no address, the answer to go by: one of the owner's addresses alone, if
 * any host got it; else the one that more than half of the hosts, and at least two, agree on. NULL:
 * there is none.
 */
static const char *agreed(const struct question *q)
{
	ssize_t most = mp_tally_most(&q->answers);
	size_t all = 0;

	for (size_t i = 0; i < q->answers.n; i++) {
		mp_auto_strv struct mp_strv v = { 0 };

		mp_str_split(q->answers.v[i].value, " ", &v);
		if (!find_foreign(q, &v))
			return q->answers.v[i].value;
		all += q->answers.v[i].hosts.n;
	}
	if (most < 0 || q->answers.v[most].hosts.n < 2 || q->answers.v[most].hosts.n * 2 <= all)
		return NULL;
	return q->answers.v[most].value;
}

/* beside: an address that is not the owner's, behind others; NULL if the first one is wrong. */
static void add_wrong(struct wrong *v, const struct question *q, const char *got,
		      const char *beside, const char *expected)
{
	if (!v->data)
		v->data = json_array();
	json_array_append_new(v->data, json_pack("{s:s,s:s,s:s}", "name", q->name, "got", got,
						 "expected", expected));
	if (v->n++ >= SHOWN)
		return;
	mp_buf_printf(&v->text, "%s%s ", v->text.size ? "; " : "", q->name);
	if (!*got)
		mp_buf_printf(&v->text, "cannot be resolved%s%s", *expected ? ", expected " : "",
			      expected);
	else if (beside)
		mp_buf_printf(&v->text, "is %s, of which %s is not an address of %s", got, beside,
			      q->owner->name);
	else if (*expected)
		mp_buf_printf(&v->text, "is %s instead of %s", got, expected);
	else
		mp_buf_printf(&v->text, "is %s%s%s", got, q->told ? ", no address of " : "",
			      q->told ? q->owner->name : "");
	if (*got && q->n_expected && !q->found)
		mp_buf_puts(&v->text, ", which no host finds");
}

/* How host i took a name: in order, or entered as wrong. */
static void judge_answer(struct job *job, const struct question *q, size_t i, const char *a,
			 const char *most, const char *expected)
{
	mp_auto_strv struct mp_strv v = { 0 };
	mp_auto_free char *text = NULL;
	const char *foreign = NULL;

	mp_str_split(a, " ", &v);
	if (v.n && !has_loopback(&v)) {
		text = sorted(&v);
		foreign = find_foreign(q, &v);
		if (!foreign || (q->by_most && mp_str_eq(text, most)))
			return;
		if (!q->n_expected && !q->told && !most && q->answers.n < 2)
			return; /* nobody knows better */
	}
	add_wrong(&job->wrong[i], q, a, foreign != (v.n ? v.v[0] : NULL) ? foreign : NULL,
		  expected);
}

static void judge_name(struct job *job, const struct mp_host *owner, const char *name)
{
	struct question q = { .name = name, .owner = owner, .owners = job->owners };
	const char *most, *expected;

	if (mp_name_is_literal(name))
		return;
	ask_all(job->w, &q);
	most = q.by_most ? agreed(&q) : NULL;
	expected = most ? most : q.n_expected ? q.expected[0] : "";
	for (size_t i = 0; i < job->w->inv->n_hosts; i++) {
		const char *a = answer_of(job->w, i, name);

		/* Debian gives a host 127.0.1.1 for its own name; only peers are hurt by it. */
		if (a && i != owner->index)
			judge_answer(job, &q, i, a, most, expected);
	}
	if (name == owner->name && q.n_expected && q.answers.n && !q.found)
		mp_strv_add(&job->strange, owner->name);
	mp_tally_fini(&q.answers);
}

static void judge_host_names(struct job *job, const struct mp_host *h)
{
	judge_name(job, h, h->name);
	if (!mp_str_eq(h->name, h->address))
		judge_name(job, h, h->address);
	for (size_t i = 0; i < h->aliases.n; i++)
		judge_name(job, h, h->aliases.v[i]);
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
	struct job job = { .w = w, .owners = map_owners(w), .wrong = wrong };

	(void)h;
	(void)peer;
	for (size_t i = 0; i < w->inv->n_hosts; i++)
		mp_buf_init(&wrong[i].text, 0);
	for (size_t i = 0; i < w->inv->n_hosts; i++)
		judge_host_names(&job, &w->inv->hosts[i]);
	if (report(w, wrong, out) == 0) {
		mp_auto_free char *strange =
			job.strange.n ? mp_range_fold(&job.strange) : mp_xstrdup("");

		mp_findings_add(out, "names-equal", MP_SCOPE_CLUSTER, -1, -1, MP_OK, NULL,
				"every host finds addresses of the right host for every name%s%s",
				*strange ? "; but none finds the address that the inventory has "
					   "for "
					 : "",
				strange);
	}
	json_decref(job.owners);
	mp_strv_fini(&job.strange);
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
		"/etc/hosts, DNS). Every address must be one of the inventory or one that the host "
		"of that name has and no other; where the inventory has a name instead, and that "
		"host did not answer, what most hosts agree on is right.",
	.remedy = REMEDY,
	.source = "Nova admin guide, Configure live migrations, General configuration; libvirt, "
		  "qemuMigrationDstPrepareDirect",
	.scope = MP_SCOPE_CLUSTER,
	.roles = 0,
	.needs = (const char *const[]){ "names", NULL },
	.judge = judge,
};
