/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "resource/edit-ini.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"

enum kind { BLANK, COMMENT, SECTION, OPTION, OTHER };

struct span {
	size_t at, len;
};

/* One line, or an option with the lines that continue it. */
struct item {
	enum kind kind;
	size_t start, end; /* with line ends */
	struct span name;  /* of a section or option */
	struct span value; /* of an option; from the first to the last line */
};

struct scan {
	const char *text;
	size_t size, pos;
	const struct mp_ini_option *o;
	bool inside; /* the section of o */
};

static bool blank(char c)
{
	return isspace((unsigned char)c) != 0;
}

static struct span trim(const char *text, size_t at, size_t end)
{
	while (at < end && blank(text[at]))
		at++;
	while (end > at && blank(text[end - 1]))
		end--;
	return (struct span){ at, end - at };
}

static size_t line_end(const struct scan *s, size_t at)
{
	const char *nl = memchr(s->text + at, '\n', s->size - at);

	return nl ? (size_t)(nl - s->text) + 1 : s->size;
}

/* The separator of key and value: whichever of '=' and ':' comes first (oslo_config/iniparser.py).
 */
static size_t separator(const struct scan *s, struct span line)
{
	for (size_t i = line.at; i < line.at + line.len; i++)
		if (s->text[i] == '=' || (s->text[i] == ':' && (s->o->dialect & MP_INI_COLON)))
			return i;
	return line.at + line.len;
}

static void cut_comment(const struct scan *s, struct span *v)
{
	const char *hash;

	if (!(s->o->dialect & MP_INI_HASH) || !v->len)
		return;
	if (s->text[v->at] == '"' || s->text[v->at] == '\'') {
		const char *close = memchr(s->text + v->at + 1, s->text[v->at], v->len - 1);

		if (close) {
			v->len = (size_t)(close - s->text) + 1 - v->at;
			return;
		}
	}
	hash = memchr(s->text + v->at, '#', v->len);
	if (hash)
		*v = trim(s->text, v->at, (size_t)(hash - s->text));
}

static void take_option(struct scan *s, struct span line, struct item *it)
{
	size_t sep = separator(s, line), end = line.at + line.len;

	it->name = trim(s->text, line.at, sep);
	if (sep == end || !it->name.len)
		return;
	it->kind = OPTION;
	it->value = trim(s->text, sep + 1, end);
	if (!it->value.len)
		it->value.at = sep + 1;
	cut_comment(s, &it->value);
	while ((s->o->dialect & MP_INI_CONTINUE) && s->pos < s->size &&
	       (s->text[s->pos] == ' ' || s->text[s->pos] == '\t')) {
		size_t next = line_end(s, s->pos);
		struct span more = trim(s->text, s->pos, next);

		if (!more.len)
			break;
		it->value.len = more.at + more.len - it->value.at;
		it->end = s->pos = next;
	}
}

static bool same_section(const struct scan *s, struct span name)
{
	const char *want = s->o->section, *got = s->text + name.at;
	bool any_case = (s->o->dialect & MP_INI_NOCASE) ||
			((s->o->dialect & MP_INI_OSLO_CASE) && strcmp(want, "DEFAULT") != 0);

	if (strlen(want) != name.len)
		return false;
	return any_case ? strncasecmp(want, got, name.len) == 0 : memcmp(want, got, name.len) == 0;
}

static bool same_key(const struct scan *s, struct span name)
{
	const char *want = s->o->key, *got = s->text + name.at;
	size_t n = name.len;

	if ((s->o->dialect & MP_INI_SYSCTL) && n && got[0] == '-') {
		got++;
		n--;
	}
	if (strlen(want) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		char a = got[i], b = want[i];

		if ((s->o->dialect & MP_INI_SYSCTL) && a == '/')
			a = '.';
		if (s->o->dialect & MP_INI_NOCASE) {
			a = (char)tolower((unsigned char)a);
			b = (char)tolower((unsigned char)b);
		}
		if (a != b)
			return false;
	}
	return true;
}

static bool next_item(struct scan *s, struct item *it)
{
	struct span line;
	char c;

	if (s->pos >= s->size)
		return false;
	*it = (struct item){ .kind = OTHER, .start = s->pos, .end = line_end(s, s->pos) };
	line = trim(s->text, it->start, it->end);
	s->pos = it->end;
	if (!line.len) {
		it->kind = BLANK;
		return true;
	}
	c = s->text[line.at];
	if (line.at > it->start && !(s->o->dialect & MP_INI_INDENT))
		return true; /* a continuation of nothing */
	if (c == '#' || c == ';') {
		it->kind = COMMENT;
		it->name = line;
	} else if (c == '[' && !(s->o->dialect & MP_INI_FLAT)) {
		const char *close = memchr(s->text + line.at, ']', line.len);

		it->kind = SECTION;
		if (close) {
			it->name = trim(s->text, line.at + 1, (size_t)(close - s->text));
			s->inside = same_section(s, it->name);
		}
	} else {
		take_option(s, line, it);
	}
	return true;
}

static struct scan start(const char *text, size_t size, const struct mp_ini_option *o)
{
	return (struct scan){
		.text = text, .size = size, .o = o, .inside = (o->dialect & MP_INI_FLAT) != 0
	};
}

static bool is_ours(const struct scan *s, const struct item *it)
{
	return it->kind == OPTION && s->inside && same_key(s, it->name);
}

/* One line of a value; quotes around the first one are not part of it. */
static void put_line(const struct scan *s, const char *line, bool first, struct mp_buf *out)
{
	struct span t = trim(line, 0, strlen(line));
	char c = line[t.at];

	if (first && (s->o->dialect & MP_INI_QUOTES) && t.len >= 2 && (c == '"' || c == '\'') &&
	    line[t.at + t.len - 1] == c) {
		t.at++;
		t.len -= 2;
	}
	mp_buf_add(out, line + t.at, t.len);
}

/* The value without quotes, continued lines joined as the reader does. */
static char *value_of(const struct scan *s, const struct item *it)
{
	mp_auto_free char *raw = mp_xstrndup(s->text + it->value.at, it->value.len);
	mp_auto_strv struct mp_strv lines = { 0 };
	bool empty_first = raw[0] == '\n' || raw[0] == '\r';
	struct mp_buf out;

	mp_buf_init(&out, 0);
	mp_str_split(raw, "\r\n", &lines);
	for (size_t i = 0; i < lines.n; i++) {
		if (i || empty_first)
			mp_buf_puts(&out, "\n");
		put_line(s, lines.v[i], !i && !empty_first, &out);
	}
	return mp_buf_take(&out);
}

/* The item that counts; false: none. */
static bool find_effective(const char *text, size_t size, const struct mp_ini_option *o,
			   struct item *ret)
{
	struct scan s = start(text, size, o);
	struct item it;
	bool found = false;

	while (next_item(&s, &it)) {
		if (!is_ours(&s, &it))
			continue;
		*ret = it;
		found = true;
		if (o->dialect & MP_INI_FIRST)
			break;
	}
	return found;
}

char *mp_ini_get(const char *text, size_t size, const struct mp_ini_option *o, size_t *ret_others)
{
	struct scan s = start(text, size, o);
	struct item it, eff;
	size_t others = 0;
	char *value;

	if (ret_others)
		*ret_others = 0;
	if (!find_effective(text, size, o, &eff))
		return NULL;
	value = value_of(&s, &eff);
	while (next_item(&s, &it)) {
		mp_auto_free char *v = is_ours(&s, &it) ? value_of(&s, &it) : NULL;

		if (v && it.start != eff.start && strcmp(v, value) != 0)
			others++;
	}
	if (ret_others)
		*ret_others = others;
	return value;
}

/* A comment such as `#key = value`: the place that the file's author meant for the option. */
static bool is_example(const struct scan *s, const struct item *it)
{
	struct span t = trim(s->text, it->name.at + 1, it->name.at + it->name.len);
	size_t sep;

	if (it->kind != COMMENT || !s->inside)
		return false;
	sep = separator(s, t);
	if (sep == t.at + t.len)
		return false;
	return same_key(s, trim(s->text, t.at, sep));
}

/* An indented line that continues nothing must not come to continue a new line before it. */
static size_t after_stray(const struct scan *s, size_t place)
{
	while ((s->o->dialect & MP_INI_CONTINUE) && place < s->size &&
	       (s->text[place] == ' ' || s->text[place] == '\t') &&
	       trim(s->text, place, line_end(s, place)).len)
		place = line_end(s, place);
	return place;
}

/* Where a new line goes: after an example, the section's last option, or its header. SIZE_MAX:
 * nowhere. */
static size_t find_place(const char *text, size_t size, const struct mp_ini_option *o)
{
	struct scan s = start(text, size, o);
	size_t example = SIZE_MAX, option = SIZE_MAX, header = SIZE_MAX;
	struct item it;

	while (next_item(&s, &it)) {
		if (!s.inside)
			continue;
		if (is_example(&s, &it))
			example = it.end;
		else if (it.kind == OPTION)
			option = it.end;
		else if (it.kind == SECTION)
			header = it.end;
	}
	if (example == SIZE_MAX)
		example = option != SIZE_MAX ? option : header;
	return example == SIZE_MAX ? example : after_stray(&s, example);
}

/* The line end that the file uses. */
static const char *eol_of(const char *text, size_t size)
{
	const char *nl = memchr(text, '\n', size);

	return nl && nl > text && nl[-1] == '\r' ? "\r\n" : "\n";
}

static void end_line(struct mp_buf *out, const char *eol)
{
	if (out->size && out->data[out->size - 1] != '\n')
		mp_buf_puts(out, eol);
}

static void insert(const char *text, size_t size, const struct mp_ini_option *o, const char *value,
		   struct mp_buf *out)
{
	const char *eol = eol_of(text, size);
	size_t place = find_place(text, size, o);
	bool no_eol;

	if (place == SIZE_MAX) {
		mp_buf_add(out, text, size);
		end_line(out, eol);
		if (!(o->dialect & MP_INI_FLAT))
			mp_buf_printf(out, "%s[%s]%s", size ? eol : "", o->section, eol);
		mp_buf_printf(out, "%s = %s%s", o->key, value, eol);
		return;
	}
	no_eol = place &&
		 text[place - 1] != '\n'; /* then it is the last line, and stays without one */
	mp_buf_add(out, text, place);
	end_line(out, eol);
	mp_buf_printf(out, "%s = %s%s", o->key, value, no_eol ? "" : eol);
	mp_buf_add(out, text + place, size - place);
}

/* Puts the value into the effective item's lines. */
static void put_value(const struct scan *s, const struct item *it, const char *value,
		      struct mp_buf *out)
{
	size_t end = it->value.at + it->value.len;

	mp_buf_add(out, s->text + it->start, it->value.at - it->start);
	/* `key =` keeps the look of `key = value`. */
	if (!it->value.len && it->value.at >= it->start + 2 && blank(s->text[it->value.at - 2]))
		mp_buf_puts(out, " ");
	mp_buf_puts(out, value);
	mp_buf_add(out, s->text + end, it->end - end);
}

char *mp_ini_set(const char *text, size_t size, const struct mp_ini_option *o, const char *value,
		 size_t *ret_size)
{
	struct scan s = start(text, size, o);
	struct item it, eff;
	struct mp_buf out;

	mp_buf_init(&out, 0);
	if (!find_effective(text, size, o, &eff)) {
		insert(text, size, o, value, &out);
		*ret_size = out.size;
		return mp_buf_take(&out);
	}
	while (next_item(&s, &it)) {
		mp_auto_free char *v = is_ours(&s, &it) ? value_of(&s, &it) : NULL;

		if (it.start == eff.start)
			put_value(&s, &it, value, &out);
		else if (!v || strcmp(v, value) == 0)
			mp_buf_add(&out, text + it.start, it.end - it.start);
	}
	*ret_size = out.size;
	return mp_buf_take(&out);
}

char *mp_ini_remove(const char *text, size_t size, const struct mp_ini_option *o, size_t *ret_size)
{
	struct scan s = start(text, size, o);
	struct item it;
	struct mp_buf out;

	mp_buf_init(&out, 0);
	while (next_item(&s, &it))
		if (!is_ours(&s, &it))
			mp_buf_add(&out, text + it.start, it.end - it.start);
	*ret_size = out.size;
	return mp_buf_take(&out);
}
