/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * child: a program of this machine with a socket as its standard input and output, and its standard
 * error kept. It runs in a session of its own, without a terminal, so that Ctrl-C reaches migprep
 * alone.
 */
#ifndef MP_TRANSPORT_CHILD_H
#define MP_TRANSPORT_CHILD_H

#include <sys/types.h>

#include "base/buf.h"
#include "transport/transport.h"

#define MP_ERRTEXT_BYTES 4096

struct mp_child {
	pid_t pid;
	int fd;    /* our end of its standard input and output; non-blocking */
	int errfd; /* its standard error; non-blocking; -1 after its end */
	struct mp_buf errtext;
};

/* Starts argv (looked up in PATH, no shell). */
int mp_child_start(const char *const *argv, struct mp_child *ret, struct mp_err *err);

/* Takes what is there on its standard error, without waiting; only the last 4 KiB are kept. */
void mp_child_pump(struct mp_child *c);

/* Keeps the end of what a remote side wrote to standard error: for mp_stream_ops.errtext. */
void mp_errtext_add(struct mp_buf *b, const char *data, size_t size);
/* Makes it presentable in place. */
const char *mp_errtext_clean(struct mp_buf *b);

/* Waits until deadline for its end: exit status or 128 + signal; -1 when it still runs. */
int mp_child_reap(struct mp_child *c, mp_ms deadline);

/* Closes the descriptors, gives it a moment to end by itself, then ends it. */
void mp_child_end(struct mp_child *c);

/* Runs argv to its end and takes its output, at most limit bytes; *ret_status as mp_child_reap().
 */
int mp_child_capture(const char *const *argv, size_t limit, mp_ms deadline,
		     const atomic_bool *cancel, struct mp_buf *out, int *ret_status,
		     struct mp_err *err);

struct mp_child_opts {
	const atomic_bool *cancel; /* may be NULL */
	mp_ms first_ms;            /* something must have come within this; 0: no such limit */
	/*
	 * If not NULL, asked for the error when the child ended without having written anything:
	 * status as mp_child_reap(), text what it wrote to standard error.
	 */
	int (*explain)(int status, const char *text, struct mp_err *err);
};

/* A stream to a new child. */
int mp_child_stream(const char *const *argv, const struct mp_child_opts *opts,
		    struct mp_stream **ret, struct mp_err *err);

#endif
