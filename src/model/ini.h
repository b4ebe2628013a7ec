/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ini: the one way into inventories and profiles. Keys and values are inih's; what inih is silent
 * about (long lines, empty sections, brackets in section names, control characters) is an error
 * here.
 */
#ifndef MP_MODEL_INI_H
#define MP_MODEL_INI_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Where something was read; for messages. */
struct mp_place {
	const char *path;
	int line;
};

struct mp_ini_reader {
	/* [kind name]; name is "" where there is none. */
	int (*section)(void *arg, const char *kind, const char *name, int line, struct mp_err *err);
	/* key = value; the key is never empty. */
	int (*entry)(void *arg, const char *key, const char *value, int line, struct mp_err *err);
};

/* Reads a whole file of at most MP_MAX_INI_BYTES into buf (which gets that limit). */
int mp_ini_read(const char *path, struct mp_buf *buf, struct mp_err *err);

/*
 * Calls the reader for every section and entry in order, until one returns -1; its error becomes
 * the result. Errors of the syntax read "PATH:LINE: what; remedy".
 */
int mp_ini_parse(const char *text, size_t size, const char *path,
		 const struct mp_ini_reader *reader, void *arg, struct mp_err *err);

#endif
