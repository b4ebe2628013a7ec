/* SPDX-License-Identifier: GPL-3.0-or-later */
/* range: "compute[01-20,25]" to names and back. The prototypes are in base/str.h. */
#include "config.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

static int bad_range(const char *s, struct mp_err *err)
{
	return mp_err_set(err, MP_E_INPUT,
			  "bad range in '%.80s': write name[01-20] or name[1,3,7-9]", s);
}

/* One "01-20" or "7" between p and end. Appends the numbers as text to ret. */
static int expand_part(const char *whole, const char *p, const char *end, size_t limit,
		       struct mp_strv *ret, struct mp_err *err)
{
	size_t width = strspn(p, "0123456789");
	long from, to;

	if (!width || width > 9)
		return bad_range(whole, err);
	from = to = strtol(p, NULL, 10);
	if (p + width < end) {
		const char *q = p + width + 1;
		size_t w2 = strspn(q, "0123456789");

		if (p[width] != '-' || !w2 || w2 > 9 || q + w2 != end)
			return bad_range(whole, err);
		to = strtol(q, NULL, 10);
	}
	if (to < from)
		return mp_err_set(err, MP_E_INPUT, "range %ld-%ld in '%.80s' runs backwards", from,
				  to, whole);
	if ((size_t)(to - from) >= limit)
		return mp_err_set(err, MP_E_LIMIT, "'%.80s' stands for more than %zu names", whole,
				  limit);
	for (long v = from; v <= to; v++)
		mp_strv_take(ret, mp_xasprintf("%0*ld", p[0] == '0' ? (int)width : 1, v));
	return 0;
}

static int expand_group(const char *whole, const char *p, const char *close, size_t limit,
			struct mp_strv *ret, struct mp_err *err)
{
	while (p <= close) {
		const char *end = memchr(p, ',', (size_t)(close - p));

		if (!end)
			end = close;
		if (expand_part(whole, p, end, limit, ret, err) < 0)
			return -1;
		p = end + 1;
	}
	return 0;
}

int mp_range_expand(const char *s, size_t limit, struct mp_strv *ret, struct mp_err *err)
{
	const char *open = strchr(s, '['), *close;
	mp_auto_strv struct mp_strv middle = { 0 }, tails = { 0 };

	if (!open) {
		if (strchr(s, ']'))
			return bad_range(s, err);
		if (ret->n >= limit)
			return mp_err_set(err, MP_E_LIMIT, "more than %zu names", limit);
		mp_strv_add(ret, s);
		return 0;
	}
	close = strchr(open, ']');
	if (!close || memchr(s, ']', (size_t)(open - s)))
		return bad_range(s, err);
	if (expand_group(s, open + 1, close, limit, &middle, err) < 0 ||
	    mp_range_expand(close + 1, limit, &tails, err) < 0)
		return -1;
	if (middle.n * tails.n + ret->n > limit)
		return mp_err_set(err, MP_E_LIMIT, "'%.80s' stands for more than %zu names", s,
				  limit);
	for (size_t i = 0; i < middle.n; i++)
		for (size_t j = 0; j < tails.n; j++)
			mp_strv_take(ret, mp_xasprintf("%.*s%s%s", (int)(open - s), s, middle.v[i],
						       tails.v[j]));
	return 0;
}

/* The last run of at most nine digits of a name: what a fold can vary. */
struct split {
	size_t head, width; /* lengths of what is before the digits, and of the digits */
	long number;
};

static struct split split_name(const char *s)
{
	size_t end = strlen(s), start;
	struct split r;

	while (end && !isdigit((unsigned char)s[end - 1]))
		end--;
	start = end;
	while (start && end - start < 9 && isdigit((unsigned char)s[start - 1]))
		start--;
	r = (struct split){ .head = start, .width = end - start };
	if (r.width)
		r.number = strtol(s + start, NULL, 10);
	return r;
}

/* Same text around the digits, and digits of the same shape: equal width, or neither padded. */
static bool same_series(const char *a, struct split sa, const char *b, struct split sb)
{
	bool padded = a[sa.head] == '0' || b[sb.head] == '0';

	return sa.width && sb.width && sa.head == sb.head && strncmp(a, b, sa.head) == 0 &&
	       strcmp(a + sa.head + sa.width, b + sb.head + sb.width) == 0 &&
	       (!padded || sa.width == sb.width);
}

static void put_run(struct mp_buf *out, const char *from, size_t wf, const char *to, size_t wt,
		    bool first)
{
	mp_buf_printf(out, "%s%.*s", first ? "" : ",", (int)wf, from);
	if (to != from)
		mp_buf_printf(out, "-%.*s", (int)wt, to);
}

/* Folds the series that starts at names->v[i]; returns the index after it. */
static size_t fold_series(const struct mp_strv *names, size_t i, struct mp_buf *out)
{
	char *const *v = names->v;
	struct split s0 = split_name(v[i]), run = s0, last = s0;
	size_t start = i, prev = i, j = i + 1;
	bool first = true;

	while (j < names->n && same_series(v[i], s0, v[j], split_name(v[j])))
		j++;
	if (j == i + 1) {
		mp_buf_puts(out, v[i]);
		return j;
	}
	mp_buf_printf(out, "%.*s[", (int)s0.head, v[i]);
	for (size_t k = i + 1; k <= j; k++) {
		struct split s = k < j ? split_name(v[k]) : (struct split){ 0 };

		if (k < j && s.number == last.number + 1) {
			prev = k;
			last = s;
			continue;
		}
		put_run(out, v[start] + run.head, run.width, v[prev] + last.head, last.width,
			first);
		first = false;
		start = prev = k;
		run = last = s;
	}
	mp_buf_printf(out, "]%s", v[i] + s0.head + s0.width);
	return j;
}

char *mp_range_fold(const struct mp_strv *names)
{
	mp_auto_strv struct mp_strv sorted = { 0 };
	mp_auto_buf struct mp_buf out;

	mp_buf_init(&out, 0);
	for (size_t i = 0; i < names->n; i++)
		mp_strv_add(&sorted, names->v[i]);
	mp_strv_sort(&sorted);
	for (size_t i = 0; i < sorted.n;) {
		if (i)
			mp_buf_puts(&out, ",");
		i = fold_series(&sorted, i, &out);
	}
	return mp_buf_take(&out);
}
