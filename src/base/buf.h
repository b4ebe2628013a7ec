/* SPDX-License-Identifier: GPL-3.0-or-later */
/* buf: bytes that grow up to a limit. Always NUL-terminated, so text can be read in place. */
#ifndef MP_BASE_BUF_H
#define MP_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct mp_buf {
	char *data;   /* owned; NULL until something was added */
	size_t size;  /* bytes in use */
	size_t alloc; /* bytes allocated */
	size_t limit; /* ceiling for size; 0 means none */
	bool full;    /* something was refused because of the limit */
};

#define mp_auto_buf __attribute__((cleanup(mp_buf_fini)))

void mp_buf_init(struct mp_buf *b, size_t limit);
void mp_buf_fini(struct mp_buf *b);

/* Append. Beyond the limit nothing of this call is added, `full` is set and false is returned. */
bool mp_buf_add(struct mp_buf *b, const void *data, size_t size);
bool mp_buf_puts(struct mp_buf *b, const char *s);
bool mp_buf_printf(struct mp_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Drops the first n bytes (n <= size). */
void mp_buf_drop(struct mp_buf *b, size_t n);

/* The text so far, "" when empty; valid until the next change. */
const char *mp_buf_peek(const struct mp_buf *b);

/* Hands the text over as a heap string (never NULL) and leaves the buffer empty. */
char *mp_buf_take(struct mp_buf *b);

#endif
