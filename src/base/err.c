/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
	[MP_E_NONE] = "none",
	[MP_E_INPUT] = "input",
	[MP_E_LIMIT] = "limit",
	[MP_E_SYS] = "system",
	[MP_E_PROTO] = "protocol",
	[MP_E_DENIED] = "denied",
	[MP_E_HOSTKEY] = "host-key",
	[MP_E_REFUSED] = "refused",
	[MP_E_UNREACHABLE] = "unreachable",
	[MP_E_GONE] = "gone",
	[MP_E_TIMEOUT] = "timeout",
	[MP_E_UNSUPPORTED] = "unsupported",
	[MP_E_CANCELLED] = "cancelled",
	[MP_E_BUG] = "bug",
};

/* The arguments and tail may point into err->text itself, so it is written last. */
static void put_text(struct mp_err *err, const char *fmt, va_list ap, const char *tail)
{
	char text[sizeof(err->text)];
	size_t used;

	vsnprintf(text, sizeof(text), fmt, ap);
	used = strlen(text);
	if (tail)
		snprintf(text + used, sizeof(text) - used, ": %s", tail);
	memcpy(err->text, text, sizeof(text));
}

int mp_err_set(struct mp_err *err, enum mp_code code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	put_text(err, fmt, ap, NULL);
	va_end(ap);
	err->code = code;
	err->sys = 0;
	return -1;
}

int mp_err_sys(struct mp_err *err, int errnum, const char *fmt, ...)
{
	char reason[128];
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	put_text(err, fmt, ap, strerror_r(errnum, reason, sizeof(reason)));
	va_end(ap);
	err->code = MP_E_SYS;
	err->sys = errnum;
	return -1;
}

int mp_err_wrap(struct mp_err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	put_text(err, fmt, ap, err->text);
	va_end(ap);
	return -1;
}

const char *mp_code_name(enum mp_code code)
{
	if ((size_t)code >= sizeof(names) / sizeof(names[0]))
		return "bug";
	return names[code];
}

enum mp_code mp_code_parse(const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return (enum mp_code)i;
	return MP_E_PROTO;
}
