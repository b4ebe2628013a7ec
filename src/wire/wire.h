/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wire: the framed protocol between controller and agent. Pure: bytes in, messages out.
 *
 * A frame is a 32-bit big-endian length and that many bytes of JSON (UTF-8, an object), at most
 * MP_MAX_FRAME_BYTES and MP_MAX_JSON_DEPTH deep. Messages:
 *   request  {"verb": V, "body": {...}, "deadline_ms": N}   the agent ends itself after N
 *   event    {"event": {...}}                         any number before the reply
 *   reply    {"reply": {...}}  or  {"error": {"code": WORD, "text": TEXT}}
 * One request at a time. Before the first frame the agent prints one greeting line
 * (wire/greeting.h).
 */
#ifndef MP_WIRE_WIRE_H
#define MP_WIRE_WIRE_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Appends the frame of msg to out. MP_E_LIMIT when it is too large. */
int mp_wire_encode(const json_t *msg, struct mp_buf *out, struct mp_err *err);

/*
 * Takes one frame from the front of in. 1: *ret is a new reference and the bytes are dropped;
 * 0: not complete yet; -1: MP_E_PROTO or MP_E_LIMIT, and the stream is of no further use.
 */
int mp_wire_decode(struct mp_buf *in, json_t **ret, struct mp_err *err);

json_t *mp_wire_request(const char *verb, json_t *body); /* steals body */
json_t *mp_wire_reply(json_t *body);                     /* steals body */
json_t *mp_wire_event(json_t *body);                     /* steals body */
json_t *mp_wire_error(const struct mp_err *e);

/* Fills *err from {"code","text"}; always returns -1. Text is cut, control characters replaced. */
int mp_wire_error_get(const json_t *error, struct mp_err *err);

#endif
