/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * greeting: the one line that comes before the frames, found among whatever a login prints. Pure.
 *
 *   migprep NONCE ready VERSION     the agent runs; frames follow
 *   migprep NONCE push              the host waits for the agent's archive on standard input
 *   migprep NONCE fail TEXT         the host cannot run the agent
 *
 * The nonce is new for every session, so nothing that a host has stored can look like a greeting.
 */
#ifndef MP_WIRE_GREETING_H
#define MP_WIRE_GREETING_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define MP_NONCE_CHARS 32

enum mp_greeting {
	MP_GREETING_NONE, /* not there yet */
	MP_GREETING_READY,
	MP_GREETING_PUSH,
	MP_GREETING_FAIL,
};

/*
 * Looks for the greeting in in; when it is there, drops it and everything before it, and puts the
 * rest of its line, cleaned, into text. MP_E_PROTO when more than MP_MAX_BANNER_BYTES came without
 * one.
 */
int mp_greeting_scan(struct mp_buf *in, const char *nonce, enum mp_greeting *ret, char *text,
		     size_t text_size, struct mp_err *err);

/* The line itself, with a newline before and after, as a heap string. word: "ready", "push",
 * "fail". */
char *mp_greeting_line(const char *nonce, const char *word, const char *text);

#endif
