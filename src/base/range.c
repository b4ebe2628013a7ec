/* SPDX-License-Identifier: GPL-3.0-or-later */
/* range: "compute[01-20,25]" to names and back. The prototypes are in base/str.h. */
#include "config.h"
#include "base/str.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

#define MAX_GROUPS 8

static int bad_range(const char *s, struct mp_err *err)
{
	return mp_err_set(err, MP_E_INPUT,
			  "bad range in '%.80s': write name[01-20] or name[1,3,7-9]", s);
}

/* "01-20" or "7": the numbers, and the width that zero padding asks for. */
struct part {
	long from, to;
	int width;
};

/* Reads the part at p, which ends at a comma or bracket; returns its end, or NULL if it is none. */
static const char *read_part(const char *p, struct part *ret)
{
	size_t w1 = strspn(p, "0123456789"), w2;

	if (!w1 || w1 > 9)
		return NULL;
	ret->from = ret->to = strtol(p, NULL, 10);
	ret->width = p[0] == '0' ? (int)w1 : 1;
	if (p[w1] != '-')
		return p + w1;
	w2 = strspn(p + w1 + 1, "0123456789");
	/* 1-010 says two things about padding. */
	if (!w2 || w2 > 9 || (p[w1 + 1] == '0' && w2 > 1 && w2 != w1))
		return NULL;
	ret->to = strtol(p + w1 + 1, NULL, 10);
	return p + w1 + 1 + w2;
}

/* The bracket group that opens at p: counts its numbers and returns what follows it; NULL on error.
 */
static const char *count_group(const char *whole, const char *p, size_t *ret_n, struct mp_err *err)
{
	struct part part;

	*ret_n = 0;
	do {
		p = read_part(p + 1, &part);
		if (!p || (*p != ',' && *p != ']')) {
			bad_range(whole, err);
			return NULL;
		}
		if (part.to < part.from) {
			mp_err_set(err, MP_E_INPUT,
				   "range %ld-%ld in '%.80s' runs backwards: write the smaller "
				   "number first",
				   part.from, part.to, whole);
			return NULL;
		}
		*ret_n += (size_t)(part.to - part.from) + 1;
	} while (*p == ',');
	return p + 1;
}

int mp_range_count(const char *s, size_t *ret_n, struct mp_err *err)
{
	const char *p = s + strcspn(s, "[]");
	size_t n = 1;

	for (int groups = 0; *p; groups++) {
		size_t m;

		if (*p == ']')
			return bad_range(s, err);
		if (groups == MAX_GROUPS)
			return mp_err_set(err, MP_E_INPUT,
					  "'%.80s' has more than %d brackets: write several words",
					  s, MAX_GROUPS);
		p = count_group(s, p, &m, err);
		if (!p)
			return -1;
		if (__builtin_mul_overflow(n, m, &n))
			n = SIZE_MAX;
		p += strcspn(p, "[]");
	}
	*ret_n = n;
	return 0;
}

/* Expands s, known to be well-formed and small enough, behind the text in head. */
static void expand(const char *head, const char *s, struct mp_strv *ret)
{
	size_t plain = strcspn(s, "[");
	const char *p = s + plain, *close;
	struct part part;

	if (!*p) {
		mp_strv_take(ret, mp_xasprintf("%s%s", head, s));
		return;
	}
	close = strchr(p, ']');
	do {
		p = read_part(p + 1, &part);
		for (long v = part.from; v <= part.to; v++) {
			mp_auto_free char *next =
				mp_xasprintf("%s%.*s%0*ld", head, (int)plain, s, part.width, v);

			expand(next, close + 1, ret);
		}
	} while (*p == ',');
}

int mp_range_expand(const char *s, size_t limit, struct mp_strv *ret, struct mp_err *err)
{
	size_t n;

	if (mp_range_count(s, &n, err) < 0)
		return -1;
	if (ret->n > limit || n > limit - ret->n)
		return mp_err_set(err, MP_E_LIMIT, "'%.80s' makes more than %zu names", s, limit);
	expand("", s, ret);
	return 0;
}

/* A name as text around one number. */
struct split {
	size_t head, width; /* lengths of what is before the digits, and of the digits; width 0: no
			       number */
	long number;
};

/* The number of s that starts at head. */
static struct split split_at(const char *s, size_t head)
{
	struct split r = { .head = head, .width = strspn(s + head, "0123456789") };

	if (r.width > 9)
		r.width = 0;
	if (r.width)
		r.number = strtol(s + head, NULL, 10);
	return r;
}

/* The number by which a and b differ first, as it stands in a. */
static struct split split_between(const char *a, const char *b)
{
	size_t d = 0;

	while (a[d] && a[d] == b[d])
		d++;
	while (d && isdigit((unsigned char)a[d - 1]))
		d--;
	return split_at(a, d);
}

/* Same text around the digits, and digits of the same shape: equal width, or neither padded. */
static bool same_series(const char *a, struct split sa, const char *b)
{
	struct split sb;
	bool padded;

	if (!sa.width || strncmp(a, b, sa.head) != 0)
		return false;
	sb = split_at(b, sa.head);
	padded = (a[sa.head] == '0' && sa.width > 1) || (b[sb.head] == '0' && sb.width > 1);
	return sb.width && strcmp(a + sa.head + sa.width, b + sb.head + sb.width) == 0 &&
	       (!padded || sa.width == sb.width);
}

/* Folds the series that starts at names->v[i]; returns the index after it. */
static size_t fold_series(const struct mp_strv *names, size_t i, struct mp_buf *out)
{
	char *const *v = names->v;
	struct split s0 = i + 1 < names->n ? split_between(v[i], v[i + 1]) : (struct split){ 0 };
	size_t j = i + 1;

	while (j < names->n && same_series(v[i], s0, v[j]))
		j++;
	if (j == i + 1) {
		mp_buf_puts(out, v[i]);
		return j;
	}
	mp_buf_printf(out, "%.*s[", (int)s0.head, v[i]);
	for (size_t k = i; k < j;) {
		struct split from = split_at(v[k], s0.head), to = from;
		size_t last = k;

		for (; last + 1 < j; last++) {
			struct split next = split_at(v[last + 1], s0.head);

			if (next.number != to.number + 1)
				break;
			to = next;
		}
		mp_buf_printf(out, "%s%.*s", k == i ? "" : ",", (int)from.width, v[k] + s0.head);
		if (last != k)
			mp_buf_printf(out, "-%.*s", (int)to.width, v[last] + s0.head);
		k = last + 1;
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
