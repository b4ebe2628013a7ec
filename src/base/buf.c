/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void mp_buf_init(struct mp_buf *b, size_t limit)
{
	*b = (struct mp_buf){ .limit = limit };
}

void mp_buf_fini(struct mp_buf *b)
{
	free(b->data);
	*b = (struct mp_buf){ .limit = b->limit };
}

bool mp_buf_add(struct mp_buf *b, const void *data, size_t size)
{
	if (b->limit && size > b->limit - b->size) {
		b->full = true;
		return false;
	}
	if (b->size + size + 1 > b->alloc) {
		size_t want = b->alloc ? b->alloc * 2 : 256;

		while (want < b->size + size + 1)
			want *= 2;
		b->data = mp_xreallocarray(b->data, want, 1);
		b->alloc = want;
	}
	if (size)
		memcpy(b->data + b->size, data, size);
	b->size += size;
	b->data[b->size] = '\0';
	return true;
}

bool mp_buf_puts(struct mp_buf *b, const char *s)
{
	return mp_buf_add(b, s, strlen(s));
}

bool mp_buf_printf(struct mp_buf *b, const char *fmt, ...)
{
	mp_auto_free char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0) {
		s = NULL;
		abort();
	}
	return mp_buf_add(b, s, (size_t)n);
}

void mp_buf_drop(struct mp_buf *b, size_t n)
{
	if (!n)
		return;
	b->size -= n;
	memmove(b->data, b->data + n, b->size);
	b->data[b->size] = '\0';
}

const char *mp_buf_peek(const struct mp_buf *b)
{
	return b->data ? b->data : "";
}

char *mp_buf_take(struct mp_buf *b)
{
	char *s = b->data ? b->data : mp_xstrdup("");

	*b = (struct mp_buf){ .limit = b->limit };
	return s;
}
