/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "wire/wire.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"

#define HEAD sizeof(uint32_t)

/*
 * jansson recurses and takes about 100 bytes for the smallest value, so depth and number are
 * limited by a look at the bytes before it sees them. What is no JSON passes here and fails there.
 */
static int scan_limits(const char *p, size_t size, struct mp_err *err)
{
	size_t depth = 0, values = 1;
	bool in_string = false;

	for (size_t i = 0; i < size; i++) {
		char c = p[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
			continue;
		}
		if (c == '"')
			in_string = true;
		else if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth)
			depth--;
		if (c == '{' || c == '[' || c == ',')
			values++;
		if (depth > MP_MAX_JSON_DEPTH)
			return mp_err_set(err, MP_E_LIMIT, "message nested more than %d deep",
					  MP_MAX_JSON_DEPTH);
		if (values > MP_MAX_JSON_VALUES)
			return mp_err_set(err, MP_E_LIMIT, "message of more than %u values",
					  MP_MAX_JSON_VALUES);
	}
	return 0;
}

static int too_large(struct mp_err *err)
{
	return mp_err_set(err, MP_E_LIMIT, "message larger than %u MiB", MP_MAX_FRAME_BYTES >> 20);
}

struct sink {
	struct mp_buf *out;
	size_t start;
};

static int add_piece(const char *data, size_t size, void *arg)
{
	struct sink *s = arg;

	if (s->out->size - s->start + size > MP_MAX_FRAME_BYTES + HEAD)
		return -1;
	return mp_buf_add(s->out, data, size) ? 0 : -1;
}

int mp_wire_encode(const json_t *msg, struct mp_buf *out, struct mp_err *err)
{
	struct sink s = { out, out->size };
	uint32_t n = 0;
	int rc = 0;

	if (!json_is_object(msg))
		return mp_err_set(err, MP_E_BUG, "a message must be an object");
	if (!mp_buf_add(out, &n, HEAD))
		return too_large(err);
	if (json_dump_callback(msg, add_piece, &s, JSON_COMPACT) < 0)
		rc = too_large(err);
	else
		rc = scan_limits(out->data + s.start + HEAD, out->size - s.start - HEAD, err);
	if (rc < 0) {
		out->size = s.start;
		out->data[s.start] = '\0';
		return -1;
	}
	n = htonl((uint32_t)(out->size - s.start - HEAD));
	memcpy(out->data + s.start, &n, HEAD);
	return 0;
}

int mp_wire_decode(struct mp_buf *in, json_t **ret, struct mp_err *err)
{
	json_error_t je;
	json_t *msg;
	uint32_t n;

	if (in->size < HEAD)
		return 0;
	memcpy(&n, in->data, HEAD);
	n = ntohl(n);
	if (n > MP_MAX_FRAME_BYTES)
		return too_large(err);
	if (in->size - HEAD < n)
		return 0;
	if (scan_limits(in->data + HEAD, n, err) < 0)
		return -1;
	msg = json_loadb(in->data + HEAD, n, JSON_REJECT_DUPLICATES, &je);
	if (!msg)
		/* The library's own text quotes the bytes, and those may be secrets. */
		return mp_err_set(err, MP_E_PROTO, "message is not valid JSON at byte %d",
				  je.position);
	if (!json_is_object(msg)) {
		json_decref(msg);
		return mp_err_set(err, MP_E_PROTO, "message is not an object");
	}
	mp_buf_drop(in, HEAD + n);
	*ret = msg;
	return 1;
}

json_t *mp_wire_request(const char *verb, json_t *body)
{
	return json_pack("{s:s, s:o}", "verb", verb, "body", body ? body : json_object());
}

json_t *mp_wire_reply(json_t *body)
{
	return json_pack("{s:o}", "reply", body);
}

json_t *mp_wire_event(json_t *body)
{
	return json_pack("{s:o}", "event", body);
}

json_t *mp_wire_error(const struct mp_err *e)
{
	char text[sizeof(e->text)];

	snprintf(text, sizeof(text), "%s", e->text);
	mp_str_clean(text);
	return json_pack("{s:{s:s, s:s}}", "error", "code", mp_code_name(e->code), "text", text);
}

int mp_wire_error_get(const json_t *error, struct mp_err *err)
{
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *text = json_string_value(json_object_get(error, "text"));
	enum mp_code c = code ? mp_code_parse(code) : MP_E_PROTO;

	if (!err)
		return -1;
	/* An error that calls itself none is still an error. */
	mp_err_set(err, c == MP_E_NONE ? MP_E_PROTO : c, "%s",
		   text && *text ? text : "the agent reported an error without a text");
	mp_str_clean(err->text);
	return -1;
}
