/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * transport: a byte stream to a command on a host. Blocking calls, each with a deadline; one thread
 * per stream. Host keys are always checked; there is no switch to turn that off.
 */
#ifndef MP_TRANSPORT_TRANSPORT_H
#define MP_TRANSPORT_TRANSPORT_H

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"
#include "model/inventory.h"

/* What a whole run shares; read-only for the workers. */
struct mp_dial {
	mp_ms connect_timeout_ms; /* per host: TCP connect and SSH handshake together */
	const char *ssh_program;  /* "ssh", for ssh -G and the openssh transport */
	const char *ssh_config;   /* operator's -F file, or NULL */
	atomic_bool *cancel;      /* set by the signal handler; NULL: never */
};

struct mp_stream;

struct mp_stream_ops {
	/* Reads 1..size bytes: >0; 0 at end of stream; -1 with *err (MP_E_TIMEOUT at the deadline).
	 */
	ssize_t (*read)(struct mp_stream *s, void *buf, size_t size, mp_ms deadline,
			struct mp_err *err);
	/* Writes all of it or fails. */
	int (*write)(struct mp_stream *s, const void *buf, size_t size, mp_ms deadline,
		     struct mp_err *err);
	/* What the remote side wrote to standard error so far (at most 4 KiB, sanitised). Borrowed.
	 */
	const char *(*errtext)(struct mp_stream *s);
	/* Ends it, without waiting for the other side beyond a moment. */
	void (*close)(struct mp_stream *s);
};

struct mp_stream {
	const struct mp_stream_ops *ops;
};

struct mp_transport {
	const char *name;
	/* Runs command (a POSIX shell line) on the host as its SSH user. */
	int (*open)(const struct mp_dial *dial, const struct mp_host *host, const char *command,
		    struct mp_stream **ret, struct mp_err *err);
};

extern const struct mp_transport mp_transport_libssh2;
extern const struct mp_transport mp_transport_openssh;
extern const struct mp_transport mp_transport_local;

/* By enum mp_transport_kind. */
const struct mp_transport *mp_transport_of(const struct mp_host *host);

#endif
