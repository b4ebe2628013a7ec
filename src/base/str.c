/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void mp_strv_fini(struct mp_strv *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct mp_strv){ 0 };
}

void mp_strv_take(struct mp_strv *l, char *s)
{
	/* Grow at powers of two; n alone tells when. */
	if ((l->n & (l->n + 1)) == 0)
		l->v = mp_xreallocarray(l->v, (l->n + 1) * 2, sizeof(*l->v));
	l->v[l->n++] = s;
	l->v[l->n] = NULL;
}

void mp_strv_add(struct mp_strv *l, const char *s)
{
	mp_strv_take(l, mp_xstrdup(s));
}

bool mp_strv_has(const struct mp_strv *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i], s) == 0)
			return true;
	return false;
}

static int natcmp_qsort(const void *a, const void *b)
{
	return mp_str_natcmp(*(char *const *)a, *(char *const *)b);
}

void mp_strv_sort(struct mp_strv *l)
{
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), natcmp_qsort);
}

bool mp_str_eq(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

int mp_str_natcmp(const char *a, const char *b)
{
	const char *wa = a, *wb = b;

	while (*a && *b) {
		if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
			size_t la, lb;
			int c;

			a += strspn(a, "0");
			b += strspn(b, "0");
			la = strspn(a, "0123456789");
			lb = strspn(b, "0123456789");
			if (la != lb)
				return la < lb ? -1 : 1;
			c = strncmp(a, b, la);
			if (c)
				return c;
			a += la;
			b += lb;
			continue;
		}
		if (*a != *b)
			break;
		a++;
		b++;
	}
	if (*a != *b)
		return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
	return strcmp(wa, wb);
}

void mp_str_split(const char *s, const char *seps, struct mp_strv *ret)
{
	while (*s) {
		size_t n;

		s += strspn(s, seps);
		n = strcspn(s, seps);
		if (n)
			mp_strv_take(ret, mp_xstrndup(s, n));
		s += n;
	}
}

/* Length of the UTF-8 sequence at s (RFC 3629), 0 if it is none or a control character. */
static size_t text_step(const unsigned char *s, size_t size)
{
	static const unsigned long least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	unsigned long c = len == 1 ? s[0] : s[0] & (0x7fu >> len);

	if (!len || len > size || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return (c < 0x20 && c != '\t') || (c >= 0x7f && c < 0xa0) ? 0 : len;
}

bool mp_str_is_text(const char *s, size_t size)
{
	const unsigned char *p = (const unsigned char *)s;

	for (size_t i = 0, step; i < size; i += step) {
		step = text_step(p + i, size - i);
		if (!step)
			return false;
	}
	return true;
}

void mp_str_clean(char *s)
{
	size_t size = strlen(s);

	for (size_t i = 0; i < size;) {
		size_t step = text_step((unsigned char *)s + i, size - i);

		if (!step)
			s[i] = s[i] == '\n' || s[i] == '\r' ? ' ' : '?';
		else if (s[i] == '\t')
			s[i] = ' ';
		i += step ? step : 1;
	}
}

int mp_str_long(const char *s, long min, long max, long *ret)
{
	char *end;
	long v;

	if (!isdigit((unsigned char)*s) && *s != '-')
		return -1;
	errno = 0;
	v = strtol(s, &end, 10);
	if (errno || *end || v < min || v > max)
		return -1;
	*ret = v;
	return 0;
}

/* Levenshtein distance with two rows; words longer than the rows are never near. */
static size_t distance(const char *a, const char *b)
{
	size_t prev[65], cur[65], la = strlen(a), lb = strlen(b);

	if (la > 64 || lb > 64)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		prev[j] = j;
	for (size_t i = 1; i <= la; i++) {
		cur[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = prev[j - 1] + (tolower((unsigned char)a[i - 1]) !=
						     tolower((unsigned char)b[j - 1]));

			if (prev[j] + 1 < best)
				best = prev[j] + 1;
			if (cur[j - 1] + 1 < best)
				best = cur[j - 1] + 1;
			cur[j] = best;
		}
		memcpy(prev, cur, sizeof(prev));
	}
	return prev[lb];
}

const char *mp_str_nearest(const char *s, const char *const *words, size_t n)
{
	const char *best = NULL;
	size_t size = strlen(s), best_d = size / 3 + 2;

	if (best_d > size) /* a word of which nothing is left is not near */
		best_d = size;
	for (size_t i = 0; i < n; i++) {
		size_t d = distance(s, words[i]);

		if (d < best_d) {
			best_d = d;
			best = words[i];
		}
	}
	return best;
}
