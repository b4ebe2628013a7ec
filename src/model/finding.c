/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "model/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define MAX_TOLD 1500 /* bytes of the reasons of one diff */
#define AND_MORE "and more"

const char *mp_status_name(enum mp_status s)
{
	static const char *const names[MP_N_STATUS] = {
		[MP_OK] = "ok",       [MP_SKIP] = "skip",       [MP_WARN] = "warn",
		[MP_DRIFT] = "drift", [MP_UNKNOWN] = "unknown", [MP_FAIL] = "fail",
	};

	return (size_t)s < MP_N_STATUS ? names[s] : "unknown";
}

/* Texts carry words of hosts; reports and terminals get them clean. */
static char *clean_dup(const char *s)
{
	char *copy = s ? mp_xstrdup(s) : NULL;

	if (copy)
		mp_str_clean(copy);
	return copy;
}

__attribute__((format(printf, 1, 0))) static char *clean_format(const char *fmt, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	mp_str_clean(s);
	return s;
}

/* ---- diff ---- */

void mp_diff_init(struct mp_diff *d)
{
	*d = (struct mp_diff){ .status = MP_OK };
}

void mp_diff_fini(struct mp_diff *d)
{
	for (size_t i = 0; i < d->n_changes; i++) {
		free(d->changes[i].what);
		free(d->changes[i].before);
		free(d->changes[i].after);
	}
	free(d->changes);
	free(d->reason);
	free(d->remedy);
	mp_diff_init(d);
}

void mp_diff_change(struct mp_diff *d, const char *what, const char *before, const char *after)
{
	d->changes = mp_xreallocarray(d->changes, d->n_changes + 1, sizeof(*d->changes));
	d->changes[d->n_changes++] = (struct mp_change){ .what = clean_dup(what),
							 .before = clean_dup(before),
							 .after = clean_dup(after) };
	if (d->status < MP_DRIFT)
		d->status = MP_DRIFT;
}

/* Whether one of the texts that "; " separates is s. */
static bool says(const char *all, const char *s)
{
	size_t n = strlen(s);

	for (const char *p = strstr(all, s); n && p; p = strstr(p + 1, s))
		if ((p == all || (p - all >= 2 && strncmp(p - 2, "; ", 2) == 0)) &&
		    (p[n] == '\0' || strncmp(p + n, "; ", 2) == 0))
			return true;
	return false;
}

/* Adds s, which it takes, to *all. A diff can have as many reasons as a host has lines. */
static void also(char **all, char *s)
{
	mp_auto_free char *more = s, *old = *all;

	if (!old) {
		*all = mp_steal(&more);
	} else if (!more || says(old, more) || says(old, AND_MORE)) {
		*all = mp_steal(&old);
	} else {
		bool fits = strlen(old) + strlen(more) <= MAX_TOLD;

		*all = mp_xasprintf("%s; %s", old, fits ? more : AND_MORE);
	}
}

void mp_diff_verdict(struct mp_diff *d, enum mp_status status, const char *remedy,
		     const char *reason_fmt, ...)
{
	char *reason;
	va_list ap;

	if (status < d->status || status == MP_OK)
		return;
	va_start(ap, reason_fmt);
	reason = clean_format(reason_fmt, ap);
	va_end(ap);
	if (status > d->status) {
		free(mp_steal(&d->reason));
		free(mp_steal(&d->remedy));
	}
	d->status = d->told = status;
	also(&d->reason, reason);
	also(&d->remedy, clean_dup(remedy));
}

/* ---- findings ---- */

void mp_findings_fini(struct mp_findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].reason);
		free(f->v[i].remedy);
		json_decref(f->v[i].changes);
		json_decref(f->v[i].data);
	}
	free(f->v);
	*f = (struct mp_findings){ 0 };
}

/* A new finding with neither reason nor remedy. */
static struct mp_finding *append(struct mp_findings *f, const char *id, enum mp_scope scope,
				 ssize_t host, ssize_t peer, enum mp_status status)
{
	if ((f->n & (f->n - 1)) == 0) /* room is the power of two above n */
		f->v = mp_xreallocarray(f->v, f->n ? f->n * 2 : 1, sizeof(*f->v));
	f->v[f->n] = (struct mp_finding){
		.id = id, .scope = scope, .host = host, .peer = peer, .status = status
	};
	return &f->v[f->n++];
}

struct mp_finding *mp_findings_add(struct mp_findings *f, const char *id, enum mp_scope scope,
				   ssize_t host, ssize_t peer, enum mp_status status,
				   const char *remedy, const char *reason_fmt, ...)
{
	struct mp_finding *new = append(f, id, scope, host, peer, status);
	va_list ap;

	new->remedy = clean_dup(remedy ? remedy : "");
	if (!reason_fmt) {
		new->reason = mp_xstrdup("");
		return new;
	}
	va_start(ap, reason_fmt);
	new->reason = clean_format(reason_fmt, ap);
	va_end(ap);
	return new;
}

/* "X is 'a', should be 'b'", for the first change, and how many more there are. */
static char *reason_of_changes(const struct mp_diff *d)
{
	const struct mp_change *c = d->changes;
	mp_auto_free char *first = NULL;

	if (!d->n_changes)
		return mp_xstrdup("");
	if (c->before && c->after)
		first = mp_xasprintf("%s is '%.200s', should be '%.200s'", c->what, c->before,
				     c->after);
	else if (c->after)
		first = mp_xasprintf("%s is missing, should be '%.200s'", c->what, c->after);
	else if (c->before)
		first = mp_xasprintf("%s is '%.200s', should not be there", c->what, c->before);
	else
		first = mp_xstrdup(c->what);
	if (d->n_changes == 1)
		return mp_steal(&first);
	return mp_xasprintf("%s; and %zu more", first, d->n_changes - 1);
}

/* Where changes made it worse than what was told, both are the reason. */
static char *reason_of_diff(const struct mp_diff *d)
{
	mp_auto_free char *changes = NULL;

	if (d->reason && d->told >= d->status)
		return mp_xstrdup(d->reason);
	changes = reason_of_changes(d);
	return d->reason ? mp_xasprintf("%s; %s", changes, d->reason) : mp_steal(&changes);
}

static json_t *text_or_null(const char *s)
{
	return s ? json_string(s) : json_null();
}

static json_t *changes_json(const struct mp_diff *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->n_changes; i++) {
		const struct mp_change *c = &d->changes[i];

		json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "what", c->what, "before",
						      text_or_null(c->before), "after",
						      text_or_null(c->after)));
	}
	return list;
}

struct mp_finding *mp_findings_add_diff(struct mp_findings *f, const char *id, ssize_t host,
					const struct mp_diff *d)
{
	struct mp_finding *new = append(f, id, MP_SCOPE_HOST, host, -1, d->status);

	new->reason = reason_of_diff(d);
	mp_str_clean(new->reason); /* %.200s may have cut a character in two */
	new->remedy = clean_dup(d->remedy ? d->remedy : "");
	if (d->n_changes)
		new->changes = changes_json(d);
	return new;
}
