/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check: which hosts, pairs and clusters are judged, and what is said where a fact is missing. */
#include "config.h"
#include "check/check.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

#define UNKNOWN_REMEDY "Mend what keeps the host from answering this, then run check again"

/* The hosts that a check can look at. */
struct field {
	const struct mp_check *check;
	const struct mp_world *w;
	size_t *hosts; /* with all needed facts */
	size_t n;
	struct mp_strv unseen; /* of the right role, but not reached */
	bool wanted;           /* one of them, at least, was asked for */
};

/* The first needed observer without a fact on this host, or NULL. */
static const char *missing(const struct mp_check *c, const struct mp_world *w, size_t host)
{
	for (size_t i = 0; c->needs && c->needs[i]; i++)
		if (!mp_world_fact(w, host, c->needs[i]))
			return c->needs[i];
	return NULL;
}

static void add_unknown(struct field *f, size_t host, const char *need, struct mp_findings *out)
{
	if (f->w->hosts[host].selected)
		mp_findings_add(out, f->check->id, MP_SCOPE_HOST, (ssize_t)host, -1, MP_UNKNOWN,
				UNKNOWN_REMEDY, "%s: %s", need,
				mp_world_fact_error(f->w, host, need));
}

/* Sorts the hosts of the check's roles into those it can look at and those it cannot. */
static void field_init(struct field *f, const struct mp_check *c, const struct mp_world *w,
		       struct mp_findings *out)
{
	*f = (struct field){ .check = c, .w = w };
	f->hosts = mp_xcalloc(w->inv->n_hosts + 1, sizeof(*f->hosts));
	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		const struct mp_host *h = &w->inv->hosts[i];
		const char *need;

		if (c->roles && !(c->roles & h->roles))
			continue;
		f->wanted |= w->hosts[i].selected;
		if (!w->hosts[i].reached) {
			mp_strv_add(&f->unseen, h->name);
			continue;
		}
		need = missing(c, w, i);
		if (need)
			add_unknown(f, i, need, out);
		else
			f->hosts[f->n++] = i;
	}
}

static void field_fini(struct field *f)
{
	free(f->hosts);
	mp_strv_fini(&f->unseen);
}

static const struct mp_host *host_at(const struct field *f, size_t i)
{
	return &f->w->inv->hosts[f->hosts[i]];
}

static bool selected(const struct field *f, size_t i)
{
	return f->w->hosts[f->hosts[i]].selected;
}

/* Says in findings about the whole cluster, from index first on, whom they leave out. */
static void name_unseen(const struct field *f, size_t first, struct mp_findings *out)
{
	mp_auto_free char *hosts = f->unseen.n ? mp_range_fold(&f->unseen) : NULL;

	for (size_t i = first; hosts && i < out->n; i++) {
		struct mp_finding *v = &out->v[i];
		char *reason;

		if (v->scope != MP_SCOPE_CLUSTER)
			continue;
		reason = mp_xasprintf("%s%s%zu %s not seen: %s", v->reason, *v->reason ? "; " : "",
				      f->unseen.n, f->unseen.n == 1 ? "host was" : "hosts were",
				      hosts);
		free(v->reason);
		v->reason = reason;
		if (!v->data)
			v->data = json_object();
		json_object_set_new(v->data, "unseen", json_integer((json_int_t)f->unseen.n));
	}
}

/* ---- pairs ---- */

struct classes {
	size_t *of;     /* class of f->hosts[i]; SIZE_MAX: cannot be judged */
	size_t *member; /* two hosts of each class: [2k], [2k + 1]; SIZE_MAX: none */
	size_t n;
};

static void classes_init(struct classes *c, const struct field *f, struct mp_findings *out)
{
	json_t *index = json_object();

	*c = (struct classes){ .of = mp_xcalloc(f->n + 1, sizeof(size_t)),
			       .member = mp_xcalloc(2 * f->n + 1, sizeof(size_t)) };
	for (size_t i = 0; i < f->n; i++) {
		const char *why = "";
		mp_auto_free char *text = f->check->class_of(f->w, host_at(f, i), &why);
		json_t *at = text ? json_object_get(index, text) : NULL;

		if (!text) {
			c->of[i] = SIZE_MAX;
			if (selected(f, i))
				mp_findings_add(out, f->check->id, MP_SCOPE_HOST,
						(ssize_t)f->hosts[i], -1, MP_SKIP, NULL, "%s", why);
			continue;
		}
		if (at) {
			c->of[i] = (size_t)json_integer_value(at);
			if (c->member[2 * c->of[i] + 1] == SIZE_MAX)
				c->member[2 * c->of[i] + 1] = i;
			continue;
		}
		c->of[i] = c->n;
		c->member[2 * c->n] = i;
		c->member[2 * c->n + 1] = SIZE_MAX;
		json_object_set_new(index, text, json_integer((json_int_t)c->n++));
	}
	json_decref(index);
}

/* Whether hosts of class a and hosts of class b, as source and target, are in order. */
static bool classes_ok(const struct field *f, const struct classes *c, size_t a, size_t b)
{
	size_t source = c->member[2 * a], target = c->member[a == b ? 2 * b + 1 : 2 * b];
	struct mp_findings trial = { 0 };
	bool ok = true;

	if (target == SIZE_MAX)
		return true;
	f->check->judge(f->w, host_at(f, source), host_at(f, target), &trial);
	for (size_t i = 0; i < trial.n; i++)
		ok &= trial.v[i].status == MP_OK;
	mp_findings_fini(&trial);
	return ok;
}

/* The findings of all pairs of two classes that are not in order. */
static bool judge_classes(const struct field *f, const struct classes *c, size_t a, size_t b,
			  struct mp_findings *out)
{
	bool found = false;

	for (size_t i = 0; i < f->n; i++) {
		for (size_t j = 0; c->of[i] == a && j < f->n; j++) {
			if (c->of[j] != b || i == j || (!selected(f, i) && !selected(f, j)))
				continue;
			f->check->judge(f->w, host_at(f, i), host_at(f, j), out);
			found = true;
		}
	}
	return found;
}

static void judge_pairs(const struct field *f, struct mp_findings *out)
{
	size_t judgeable = 0, first = out->n;
	bool found = false;
	struct classes c;

	classes_init(&c, f, out);
	for (size_t i = 0; i < f->n; i++)
		judgeable += c.of[i] != SIZE_MAX;
	for (size_t a = 0; a < c.n; a++)
		for (size_t b = 0; b < c.n; b++)
			if (!classes_ok(f, &c, a, b))
				found |= judge_classes(f, &c, a, b, out);
	if (!found && judgeable > 1)
		mp_findings_add(out, f->check->id, MP_SCOPE_CLUSTER, -1, -1, MP_OK, NULL,
				"%zu directed pairs of %zu hosts", judgeable * (judgeable - 1),
				judgeable);
	name_unseen(f, first, out);
	free(c.of);
	free(c.member);
}

void mp_checks_judge(const struct mp_world *w, struct mp_findings *out)
{
	for (size_t i = 0; mp_checks[i]; i++) {
		const struct mp_check *c = mp_checks[i];
		size_t first;
		struct field f;

		field_init(&f, c, w, out);
		first = out->n;
		switch (c->scope) {
		case MP_SCOPE_HOST:
			for (size_t j = 0; j < f.n; j++)
				if (selected(&f, j))
					c->judge(w, host_at(&f, j), NULL, out);
			break;
		case MP_SCOPE_PAIR:
			if (f.wanted)
				judge_pairs(&f, out);
			break;
		case MP_SCOPE_CLUSTER:
			if (f.wanted && f.n)
				c->judge(w, NULL, NULL, out);
			name_unseen(&f, first, out);
			break;
		}
		field_fini(&f);
	}
}
