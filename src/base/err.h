/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * err: what went wrong, as a small value owned by the caller.
 * No allocation: it works when memory is gone, and 500 hosts keep 500 independent stories.
 * A failed check is not an error; it is a finding (model/finding.h).
 */
#ifndef MP_BASE_ERR_H
#define MP_BASE_ERR_H

enum mp_code {
	MP_E_NONE = 0,
	MP_E_INPUT,       /* what a person or a file gave us is wrong */
	MP_E_LIMIT,       /* larger than we are ready to take */
	MP_E_SYS,         /* a system or library call failed; see sys */
	MP_E_PROTO,       /* the other end does not speak as agreed */
	MP_E_DENIED,      /* authentication or permission */
	MP_E_HOSTKEY,     /* host key unknown or changed */
	MP_E_REFUSED,     /* connection refused */
	MP_E_UNREACHABLE, /* no route, no such name */
	MP_E_GONE,        /* the other end went away */
	MP_E_TIMEOUT,     /* a deadline passed */
	MP_E_UNSUPPORTED, /* not possible with what is installed */
	MP_E_CANCELLED,   /* the operator asked us to stop */
	MP_E_BUG,         /* our own mistake */
};

struct mp_err {
	enum mp_code code; /* MP_E_NONE: no error */
	int sys;           /* errno or library code; 0 if there is none */
	char text[480];    /* "outer: inner: detail"; truncated, never failed */
};

/* Sets *err (which may be NULL) and returns -1, so that a caller can `return mp_err_set(...)`. */
int mp_err_set(struct mp_err *err, enum mp_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As mp_err_set() with code MP_E_SYS, sys = errnum, and ": strerror(errnum)" appended. Returns -1.
 */
int mp_err_sys(struct mp_err *err, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "fmt: " before the text that is there. Returns -1. */
int mp_err_wrap(struct mp_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A stable lower-case word for code ("timeout", "host-key", ...), for reports and the wire. */
const char *mp_code_name(enum mp_code code);

/* The code that mp_code_name() names; MP_E_PROTO for a word it does not know. */
enum mp_code mp_code_parse(const char *name);

#endif
