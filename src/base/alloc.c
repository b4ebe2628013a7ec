/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "base/alloc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *or_die(void *p)
{
	static const char text[] = "migprep: out of memory\n";

	if (p)
		return p;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(70);
	_exit(70);
}

void *mp_xmalloc(size_t size)
{
	return or_die(malloc(size ? size : 1));
}

void *mp_xcalloc(size_t n, size_t size)
{
	return or_die(calloc(n ? n : 1, size ? size : 1));
}

void *mp_xreallocarray(void *p, size_t n, size_t size)
{
	return or_die(reallocarray(p, n ? n : 1, size ? size : 1));
}

char *mp_xstrdup(const char *s)
{
	return or_die(strdup(s));
}

char *mp_xstrndup(const char *s, size_t n)
{
	return or_die(strndup(s, n));
}

char *mp_xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return or_die(n < 0 ? NULL : s);
}

void mp_cleanup_free(void *pp)
{
	free(*(void **)pp);
}

void mp_cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}
