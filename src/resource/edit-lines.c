/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "resource/edit-lines.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

static size_t end_of(const char *text, size_t size, size_t at)
{
	const char *nl = memchr(text + at, '\n', size - at);

	return nl ? (size_t)(nl - text) + 1 : size;
}

static bool goes_on(const char *text, const struct mp_line *l)
{
	return l->end - l->start >= 2 && text[l->end - 1] == '\n' && text[l->end - 2] == '\\';
}

bool mp_line_next(const char *text, size_t size, bool joined, size_t *pos, struct mp_line *ret)
{
	if (*pos >= size)
		return false;
	*ret = (struct mp_line){ .start = *pos, .end = end_of(text, size, *pos) };
	while (joined && goes_on(text, ret) && ret->end < size)
		ret->end = end_of(text, size, ret->end);
	*pos = ret->end;
	return true;
}

static bool is_octal(const char *p, const char *end)
{
	return end - p >= 4 && p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' &&
	       p[2] <= '7' && p[3] >= '0' && p[3] <= '7';
}

static bool is_gap(const char *p, const char *end)
{
	return strchr(" \t\r\n", *p) || (*p == '\\' && p + 1 < end && p[1] == '\n');
}

/* One word at p, written to out; returns what follows it. */
static const char *take_word(const char *p, const char *end, struct mp_buf *out)
{
	bool quoted = false;

	while (p < end && *p && (quoted || !is_gap(p, end))) {
		if (*p == '"') {
			quoted = !quoted;
			p++;
		} else if (is_octal(p, end)) {
			char c = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));

			mp_buf_add(out, &c, 1);
			p += 4;
		} else {
			mp_buf_add(out, p++, 1);
		}
	}
	return p;
}

void mp_line_words(const char *text, const struct mp_line *l, struct mp_strv *ret)
{
	const char *p = text + l->start, *end = text + l->end;

	while (p < end && *p) {
		struct mp_buf word;

		if (is_gap(p, end)) {
			p++;
			continue;
		}
		if (*p == '#')
			return;
		mp_buf_init(&word, 0);
		p = take_word(p, end, &word);
		mp_strv_take(ret, mp_buf_take(&word));
	}
}

char *mp_line_escape(const char *word)
{
	mp_auto_buf struct mp_buf out;

	mp_buf_init(&out, 0);
	for (const char *p = word; *p; p++) {
		if (strchr(" \t\r\n\\\"#", *p))
			mp_buf_printf(&out, "\\%03o", (unsigned char)*p);
		else
			mp_buf_add(&out, p, 1);
	}
	return mp_buf_take(&out);
}

static const char *eol_of(const char *text, size_t size)
{
	const char *nl = memchr(text, '\n', size);

	return nl && nl > text && nl[-1] == '\r' ? "\r\n" : "\n";
}

char *mp_line_replace(const char *text, size_t size, const struct mp_line *lines, size_t n_lines,
		      const char *line, size_t *ret_size)
{
	const char *eol = eol_of(text, size);
	struct mp_buf out;
	size_t pos = 0;

	mp_buf_init(&out, 0);
	for (size_t i = 0; i < n_lines; i++) {
		mp_buf_add(&out, text + pos, lines[i].start - pos);
		pos = lines[i].end;
		if (i || !line)
			continue;
		/* A last line without newline stays without one. */
		mp_buf_printf(&out, "%s%s", line, text[pos - 1] == '\n' ? eol : "");
	}
	mp_buf_add(&out, text + pos, size - pos);
	if (!n_lines && line) {
		if (size && text[size - 1] != '\n')
			mp_buf_puts(&out, eol);
		mp_buf_printf(&out, "%s%s", line, eol);
	}
	*ret_size = out.size;
	return mp_buf_take(&out);
}
