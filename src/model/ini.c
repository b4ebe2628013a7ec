/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "model/ini.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/str.h"

int mp_ini_read(const char *path, struct mp_buf *buf, struct mp_err *err)
{
	mp_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char chunk[65536];
	ssize_t n;

	if (fd < 0)
		return mp_err_set(err, MP_E_INPUT, "%.200s: %m; name a readable INI file", path);
	buf->limit = MP_MAX_INI_BYTES;
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mp_err_set(err, MP_E_INPUT, "%.200s: %m; name a readable INI file",
					  path);
		if (!mp_buf_add(buf, chunk, (size_t)n))
			return mp_err_set(
				err, MP_E_LIMIT,
				"%.200s: larger than %u MiB; name an INI file, or split it", path,
				MP_MAX_INI_BYTES >> 20);
	}
	return 0;
}

struct source {
	const char *p, *end;
	const char *path;
	int line;
	bool stop; /* err holds the first error */
	const struct mp_ini_reader *reader;
	void *arg;
	struct mp_err *err;
};

/* Cuts a comment that stands behind white space, and white space, off the end. */
static void trim(char *s)
{
	size_t n = strlen(s);

	for (size_t i = 1; i < n; i++)
		if ((s[i] == ';' || s[i] == '#') && (s[i - 1] == ' ' || s[i - 1] == '\t'))
			n = i;
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	s[n] = '\0';
}

/*
 * inih cuts section names at the first ']' and at 50 bytes, and does not tell of sections without
 * entries, so headers are read here. line is without leading white space.
 */
static int read_header(struct source *src, char *line)
{
	char *kind = line + 1, *name;
	size_t size;

	trim(line);
	size = strlen(line);
	if (size < 2 || line[size - 1] != ']')
		return mp_err_set(src->err, MP_E_INPUT,
				  "%.200s:%d: '%.60s' does not end with ']'; close the bracket",
				  src->path, src->line, line);
	line[size - 1] = '\0';
	trim(line);
	kind += strspn(kind, " \t");
	name = kind + strcspn(kind, " \t");
	if (*name)
		*name++ = '\0';
	name += strspn(name, " \t");
	return src->reader->section(src->arg, kind, name, src->line, src->err);
}

static int check_line(struct source *src, const char *line, size_t size, size_t room)
{
	if (size > room || size > MP_MAX_INI_LINE)
		return mp_err_set(src->err, MP_E_LIMIT,
				  "%.200s:%d: line of %zu bytes, longer than %zu; split it",
				  src->path, src->line, size,
				  room < MP_MAX_INI_LINE ? room : (size_t)MP_MAX_INI_LINE);
	if (memchr(line, '\0', size))
		return mp_err_set(src->err, MP_E_INPUT,
				  "%.200s:%d: NUL byte; name a text file in UTF-8", src->path,
				  src->line);
	if (!mp_str_is_text(line, size))
		return mp_err_set(
			src->err, MP_E_INPUT,
			"%.200s:%d: control character or text that is not UTF-8; remove it",
			src->path, src->line);
	return 0;
}

/*
 * The reader that inih calls for each line. Leading white space is dropped, because inih would take
 * an indented line for more of the value before it.
 */
static char *next_line(char *out, int room, void *stream)
{
	struct source *src = stream;
	const char *line = src->p, *eol;
	size_t size;

	if (src->stop || line >= src->end)
		return NULL;
	eol = memchr(line, '\n', (size_t)(src->end - line));
	src->p = eol ? eol + 1 : src->end;
	src->line++;
	size = (size_t)((eol ? eol : src->end) - line);
	if (size && line[size - 1] == '\r')
		size--;
	while (size && (*line == ' ' || *line == '\t')) {
		line++;
		size--;
	}
	if (check_line(src, line, size, (size_t)room - 1) < 0) {
		src->stop = true;
		return NULL;
	}
	memcpy(out, line, size);
	out[size] = '\0';
	if (*out == '[') {
		src->stop = read_header(src, out) < 0;
		*out = '\0';
	}
	return out;
}

static int on_entry(void *stream, const char *section, const char *key, const char *value)
{
	struct source *src = stream;

	(void)section;
	if (src->stop)
		return 0;
	if (!*key)
		src->stop = mp_err_set(src->err, MP_E_INPUT,
				       "%.200s:%d: no key before '='; write key = value", src->path,
				       src->line) < 0;
	else
		src->stop = src->reader->entry(src->arg, key, value, src->line, src->err) < 0;
	return !src->stop;
}

int mp_ini_parse(const char *text, size_t size, const char *path,
		 const struct mp_ini_reader *reader, void *arg, struct mp_err *err)
{
	static const char bom[] = { '\xef', '\xbb', '\xbf' };
	struct mp_err own;
	struct source src = { .p = text,
			      .end = text + size,
			      .path = path,
			      .reader = reader,
			      .arg = arg,
			      .err = err ? err : &own };
	int bad_line;

	if (size >= sizeof(bom) && memcmp(text, bom, sizeof(bom)) == 0)
		src.p += sizeof(bom);
	/* Variables of the library, not parameters; these are the same for every caller. */
	ini_use_stack = false;
	ini_initial_alloc = MP_MAX_INI_LINE + 1;
	ini_stop_on_first_error = true;
	bad_line = ini_parse_stream(next_line, &src, on_entry, &src);
	if (src.stop)
		return -1;
	if (bad_line > 0)
		return mp_err_set(err, MP_E_INPUT,
				  "%.200s:%d: neither [SECTION] nor key = value; write each value "
				  "on one line",
				  path, bad_line);
	return bad_line ? mp_err_set(err, MP_E_SYS, "%.200s: out of memory", path) : 0;
}
