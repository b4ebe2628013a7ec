/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames and greetings. The vectors are written by hand from wire/wire.h: length, big-endian, then
 * JSON. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "wire/greeting.h"
#include "wire/wire.h"

#define NONCE "0123456789abcdef0123456789abcdef"

static void put(struct mp_buf *b, uint32_t length, const char *body, size_t size)
{
	unsigned char head[4] = { (unsigned char)(length >> 24), (unsigned char)(length >> 16),
				  (unsigned char)(length >> 8), (unsigned char)length };

	mp_buf_add(b, head, 4);
	mp_buf_add(b, body, size);
}

static void from_hex(const char *hex, struct mp_buf *b)
{
	for (; hex[0] && hex[1]; hex += 2) {
		char two[3] = { hex[0], hex[1], '\0' };
		unsigned char byte = (unsigned char)strtoul(two, NULL, 16);

		mp_buf_add(b, &byte, 1);
	}
}

static void test_encode_vector(void **state)
{
	/* {"verb":"x","body":{}} is 22 bytes: 0x16. */
	mp_auto_buf struct mp_buf want, got;
	struct mp_err err = { 0 };
	json_t *msg = mp_wire_request("x", NULL);

	(void)state;
	mp_buf_init(&want, 0);
	mp_buf_init(&got, 0);
	from_hex("000000167b2276657262223a2278222c22626f6479223a7b7d7d", &want);
	assert_int_equal(mp_wire_encode(msg, &got, &err), 0);
	assert_int_equal(got.size, want.size);
	assert_memory_equal(got.data, want.data, want.size);
	json_decref(msg);
}

static void test_decode_vector(void **state)
{
	mp_auto_buf struct mp_buf in;
	struct mp_err err = { 0 };
	json_t *msg = NULL;

	(void)state;
	mp_buf_init(&in, 0);
	/* {"reply":{"a":1}} (17 bytes), then the first byte of a next frame. */
	from_hex("000000117b227265706c79223a7b2261223a317d7d00", &in);
	assert_int_equal(mp_wire_decode(&in, &msg, &err), 1);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(msg, "reply"), "a")),
			 1);
	assert_int_equal(in.size, 1);
	json_decref(msg);
	assert_int_equal(mp_wire_decode(&in, &msg, &err), 0);
}

static void test_every_cut_is_incomplete(void **state)
{
	mp_auto_buf struct mp_buf whole;
	struct mp_err err = { 0 };
	json_t *msg = NULL;

	(void)state;
	mp_buf_init(&whole, 0);
	from_hex("000000117b227265706c79223a7b2261223a317d7d", &whole);
	for (size_t n = 0; n < whole.size; n++) {
		mp_auto_buf struct mp_buf in;

		mp_buf_init(&in, 0);
		mp_buf_add(&in, whole.data, n);
		assert_int_equal(mp_wire_decode(&in, &msg, &err), 0);
		assert_int_equal(in.size, n);
	}
}

/* One frame that must be refused with this code. */
static void refuse(const char *body, size_t size, enum mp_code code)
{
	mp_auto_buf struct mp_buf in;
	struct mp_err err = { 0 };
	json_t *msg = NULL;

	mp_buf_init(&in, 0);
	put(&in, (uint32_t)size, body, size);
	assert_int_equal(mp_wire_decode(&in, &msg, &err), -1);
	assert_null(msg);
	assert_string_equal(mp_code_name(err.code), mp_code_name(code));
	assert_true(strlen(err.text) > 0);
}

static void test_refuses_what_is_no_object(void **state)
{
	static const char *const bodies[] = {
		"",
		"[]",
		"1",
		"null",
		"\"x\"",
		"{",
		"{}x",
		"{}{}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{a:1}",
		"{\"a\":1,\"a\":2}",
		"{\"a\":1e999}",
		"{\"a\":\"\\u0000\"}",
		"{\"a\":99999999999999999999}",
		"{\"a\":\"\\ud800\"}",
	};

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(bodies); i++)
		refuse(bodies[i], strlen(bodies[i]), MP_E_PROTO);
	/* Invalid UTF-8: a lone continuation byte, an overlong '/', a surrogate, a cut sequence. */
	refuse("{\"a\":\"\x80\"}", 9, MP_E_PROTO);
	refuse("{\"a\":\"\xc0\xaf\"}", 10, MP_E_PROTO);
	refuse("{\"a\":\"\xed\xa0\x80\"}", 11, MP_E_PROTO);
	refuse("{\"a\":\"\xe2\x82\"}", 10, MP_E_PROTO);
	refuse("{\"a\":\"\0\"}", 9, MP_E_PROTO);
}

static void test_refusal_does_not_quote(void **state)
{
	static const char body[] = "{\"key\":\"hush-hush\"";
	mp_auto_buf struct mp_buf in;
	struct mp_err err = { 0 };
	json_t *msg = NULL;

	(void)state;
	mp_buf_init(&in, 0);
	put(&in, sizeof(body) - 1, body, sizeof(body) - 1);
	assert_int_equal(mp_wire_decode(&in, &msg, &err), -1);
	assert_null(strstr(err.text, "hush"));
}

static void test_length_claims(void **state)
{
	static const uint32_t claims[] = { MP_MAX_FRAME_BYTES + 1, 100u << 20, UINT32_MAX };
	struct mp_err err = { 0 };
	json_t *msg = NULL;

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(claims); i++) {
		mp_auto_buf struct mp_buf in;

		mp_buf_init(&in, 0);
		put(&in, claims[i], "{", 1);
		assert_int_equal(mp_wire_decode(&in, &msg, &err), -1);
		assert_int_equal(err.code, MP_E_LIMIT);
		assert_true(in.alloc < 4096); /* nothing was made ready for the claim */
	}
	{
		mp_auto_buf struct mp_buf in;

		mp_buf_init(&in, 0);
		put(&in, MP_MAX_FRAME_BYTES, "{", 1);
		assert_int_equal(mp_wire_decode(&in, &msg, &err), 0);
	}
}

/* "{"a":" n times "[" ... */
static char *nested(size_t n, size_t *ret_size)
{
	struct mp_buf b;

	mp_buf_init(&b, 0);
	mp_buf_puts(&b, "{\"a\":");
	for (size_t i = 0; i < n; i++)
		mp_buf_puts(&b, "[");
	for (size_t i = 0; i < n; i++)
		mp_buf_puts(&b, "]");
	mp_buf_puts(&b, "}");
	*ret_size = b.size;
	return mp_buf_take(&b);
}

static void test_depth(void **state)
{
	mp_auto_buf struct mp_buf in;
	struct mp_err err = { 0 };
	json_t *msg = NULL;
	size_t size;

	(void)state;
	{
		mp_auto_free char *body = nested(MP_MAX_JSON_DEPTH - 1, &size);

		mp_buf_init(&in, 0);
		put(&in, (uint32_t)size, body, size);
		assert_int_equal(mp_wire_decode(&in, &msg, &err), 1);
		json_decref(msg);
	}
	{
		mp_auto_free char *body = nested(MP_MAX_JSON_DEPTH, &size);

		refuse(body, size, MP_E_LIMIT);
	}
	{
		mp_auto_free char *body = nested(1000000, &size);

		refuse(body, size, MP_E_LIMIT);
	}
	/* Brackets inside a string are no depth. */
	{
		struct mp_buf b;

		mp_buf_init(&b, 0);
		mp_buf_puts(&b, "{\"a\":\"\\\"");
		for (int i = 0; i < 500; i++)
			mp_buf_puts(&b, "[{");
		mp_buf_puts(&b, "\"}");
		put(&in, (uint32_t)b.size, b.data, b.size);
		assert_int_equal(mp_wire_decode(&in, &msg, &err), 1);
		json_decref(msg);
		mp_buf_fini(&b);
	}
}

static void test_number_of_values(void **state)
{
	struct mp_buf b;

	(void)state;
	mp_buf_init(&b, 0);
	mp_buf_puts(&b, "{\"a\":[0");
	for (size_t i = 0; i < MP_MAX_JSON_VALUES; i++)
		mp_buf_puts(&b, ",0");
	mp_buf_puts(&b, "]}");
	refuse(b.data, b.size, MP_E_LIMIT);
	mp_buf_fini(&b);
}

static void test_encode_limit_leaves_nothing(void **state)
{
	mp_auto_buf struct mp_buf out;
	mp_auto_free char *big = mp_xmalloc(MP_MAX_FRAME_BYTES + 1);
	struct mp_err err = { 0 };
	json_t *msg;

	(void)state;
	memset(big, 'x', MP_MAX_FRAME_BYTES);
	big[MP_MAX_FRAME_BYTES] = '\0';
	msg = json_pack("{s:s}", "a", big);
	mp_buf_init(&out, 0);
	mp_buf_puts(&out, "before");
	assert_int_equal(mp_wire_encode(msg, &out, &err), -1);
	assert_int_equal(err.code, MP_E_LIMIT);
	assert_string_equal(mp_buf_peek(&out), "before");
	json_decref(msg);
	msg = json_array();
	assert_int_equal(mp_wire_encode(msg, &out, &err), -1);
	assert_int_equal(err.code, MP_E_BUG);
	json_decref(msg);
}

static void test_errors_travel(void **state)
{
	struct mp_err e = { .code = MP_E_TIMEOUT }, got = { 0 };
	json_t *msg;

	(void)state;
	snprintf(e.text, sizeof(e.text), "a\x1b[31m\nb \xff \xc3\xa9");
	msg = mp_wire_error(&e);
	assert_non_null(msg);
	assert_int_equal(mp_wire_error_get(json_object_get(msg, "error"), &got), -1);
	assert_int_equal(got.code, MP_E_TIMEOUT);
	assert_null(strchr(got.text, '\x1b'));
	assert_null(strchr(got.text, '\n'));
	assert_null(strchr(got.text, '\xff'));
	assert_non_null(strstr(got.text, "\xc3\xa9"));
	json_decref(msg);
	msg = json_pack("{s:s}", "code", "none");
	assert_int_equal(mp_wire_error_get(msg, &got), -1);
	assert_int_equal(got.code, MP_E_PROTO); /* an error that calls itself none */
	json_decref(msg);
	assert_int_equal(mp_wire_error_get(NULL, &got), -1);
	assert_int_equal(got.code, MP_E_PROTO);
}

static void test_greeting_in_noise(void **state)
{
	mp_auto_buf struct mp_buf in;
	struct mp_err err = { 0 };
	enum mp_greeting g;
	char text[40];

	(void)state;
	mp_buf_init(&in, 0);
	mp_buf_puts(&in, "Welcome\nmigprep ffffffffffffffffffffffffffffffff ready 9\nno newline");
	assert_int_equal(mp_greeting_scan(&in, NONCE, &g, text, sizeof(text), &err), 0);
	assert_int_equal(g, MP_GREETING_NONE);
	mp_buf_puts(&in, "migprep " NONCE " rea");
	assert_int_equal(mp_greeting_scan(&in, NONCE, &g, text, sizeof(text), &err), 0);
	assert_int_equal(g, MP_GREETING_NONE);
	mp_buf_puts(&in, "dy 0.1.0\nrest");
	assert_int_equal(mp_greeting_scan(&in, NONCE, &g, text, sizeof(text), &err), 0);
	assert_int_equal(g, MP_GREETING_READY);
	assert_string_equal(text, "0.1.0");
	assert_string_equal(mp_buf_peek(&in), "rest");
}

static void test_greeting_words(void **state)
{
	mp_auto_buf struct mp_buf in;
	mp_auto_free char *fail = mp_greeting_line(NONCE, "fail", "system no \x07 space");
	struct mp_err err = { 0 };
	enum mp_greeting g;
	char text[12];

	(void)state;
	mp_buf_init(&in, 0);
	mp_buf_puts(&in, "migprep " NONCE " push\n");
	mp_buf_puts(&in, fail);
	assert_int_equal(mp_greeting_scan(&in, NONCE, &g, text, sizeof(text), &err), 0);
	assert_int_equal(g, MP_GREETING_PUSH);
	assert_string_equal(text, "");
	assert_int_equal(mp_greeting_scan(&in, NONCE, &g, text, sizeof(text), &err), 0);
	assert_int_equal(g, MP_GREETING_FAIL);
	assert_string_equal(text, "system no ?"); /* cut to the room there is, cleaned */
	mp_buf_puts(&in, "migprep " NONCE " dance\n");
	assert_int_equal(mp_greeting_scan(&in, NONCE, &g, text, sizeof(text), &err), -1);
	assert_int_equal(err.code, MP_E_PROTO);
}

static void test_greeting_noise_limit(void **state)
{
	mp_auto_buf struct mp_buf in;
	struct mp_err err = { 0 };
	enum mp_greeting g;
	char text[40];

	(void)state;
	mp_buf_init(&in, 0);
	while (in.size < MP_MAX_BANNER_BYTES)
		mp_buf_puts(&in, "x");
	assert_int_equal(mp_greeting_scan(&in, NONCE, &g, text, sizeof(text), &err), 0);
	mp_buf_puts(&in, "y");
	assert_int_equal(mp_greeting_scan(&in, NONCE, &g, text, sizeof(text), &err), -1);
	assert_int_equal(err.code, MP_E_PROTO);
	/* A greeting behind too much noise does not help. */
	mp_buf_puts(&in, "migprep " NONCE " push\n");
	assert_int_equal(mp_greeting_scan(&in, NONCE, &g, text, sizeof(text), &err), -1);
}

/* Damaged frames: nothing may crash, and what is accepted is an object that encodes to itself. */
static void test_damaged_frames(void **state)
{
	static const char seed[] = "{\"reply\":{\"facts\":{\"a\":[1,2.5,true,null,\"\\u00e9\\n\"],"
				   "\"b\":{\"c\":\"x\"}}}}";
	uint64_t x = 88172645463325252u; /* xorshift64: the same sequence every time */
	size_t accepted = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		mp_auto_buf struct mp_buf in, out;
		struct mp_err err = { 0 };
		json_t *msg = NULL;

		mp_buf_init(&in, 0);
		mp_buf_init(&out, 0);
		put(&in, sizeof(seed) - 1, seed, sizeof(seed) - 1);
		for (int i = 0; i < 1 + round % 3; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			in.data[(x >> 8) % in.size] = (char)x;
		}
		if (mp_wire_decode(&in, &msg, &err) != 1)
			continue;
		accepted++;
		assert_true(json_is_object(msg));
		assert_int_equal(mp_wire_encode(msg, &out, &err), 0);
		json_decref(msg);
	}
	assert_true(accepted > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode_vector),
		cmocka_unit_test(test_decode_vector),
		cmocka_unit_test(test_every_cut_is_incomplete),
		cmocka_unit_test(test_refuses_what_is_no_object),
		cmocka_unit_test(test_refusal_does_not_quote),
		cmocka_unit_test(test_length_claims),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_number_of_values),
		cmocka_unit_test(test_encode_limit_leaves_nothing),
		cmocka_unit_test(test_errors_travel),
		cmocka_unit_test(test_greeting_in_noise),
		cmocka_unit_test(test_greeting_words),
		cmocka_unit_test(test_greeting_noise_limit),
		cmocka_unit_test(test_damaged_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
