/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base: strings, ranges, buffers, errors. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

static char *join(const struct mp_strv *l)
{
	struct mp_buf b;

	mp_buf_init(&b, 0);
	for (size_t i = 0; i < l->n; i++)
		mp_buf_printf(&b, "%s%s", i ? " " : "", l->v[i]);
	return mp_buf_take(&b);
}

/* Expected lists are what `echo a{01..03}` of bash(1) prints, or were written by hand. */
static void test_expand(void **state)
{
	static const struct {
		const char *range, *names;
	} rows[] = {
		{ "plain", "plain" },
		{ "", "" },
		{ "c[1-3]", "c1 c2 c3" },
		{ "c[08-11]", "c08 c09 c10 c11" },
		{ "c[8-11]", "c8 c9 c10 c11" },
		{ "c[0-2]", "c0 c1 c2" },
		{ "c[19-20,25]-mig", "c19-mig c20-mig c25-mig" },
		{ "c[99-101]", "c99 c100 c101" },
		{ "c[001,3,007-008]", "c001 c3 c007 c008" },
		{ "r[1-2]n[1-2]", "r1n1 r1n2 r2n1 r2n2" },
		{ "[5]", "5" },
		{ "10.0.[0-1].[9-10]", "10.0.0.9 10.0.0.10 10.0.1.9 10.0.1.10" },
	};

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(rows); i++) {
		mp_auto_strv struct mp_strv got = { 0 };
		mp_auto_free char *text = NULL;
		size_t n;

		assert_int_equal(mp_range_expand(rows[i].range, 100, &got, NULL), 0);
		assert_int_equal(mp_range_count(rows[i].range, &n, NULL), 0);
		assert_int_equal(n, got.n);
		text = join(&got);
		assert_string_equal(text, rows[i].names);
	}
}

static void test_bad_ranges(void **state)
{
	static const char *const bad[] = {
		"c[",
		"c]",
		"c[]",
		"c[1",
		"c[1-]",
		"c[-1]",
		"c[a]",
		"c[1,]",
		"c[,1]",
		"c[1--2]",
		"c[1-2-3]",
		"c[1 - 2]",
		"c[[1]]",
		"c[1]]",
		"]c[1]",
		"c[2-1]",
		"c[1-010]",
		"c[1234567890]",
		"c[1-2]x]",
		"c[+1-2]",
		"c[1-0x10]",
		"c[1;2]",
		"c[1-2][",
		"c[9-1,1]",
		"c[1][1][1][1][1][1][1][1][1]",
	};

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(bad); i++) {
		mp_auto_strv struct mp_strv got = { 0 };
		struct mp_err err = { 0 };
		size_t n = 77;

		assert_int_equal(mp_range_count(bad[i], &n, &err), -1);
		assert_int_equal(n, 77);
		assert_int_equal(mp_range_expand(bad[i], 100, &got, &err), -1);
		assert_int_equal(err.code, MP_E_INPUT);
		assert_int_equal(got.n, 0);
	}
}

static void test_range_limit(void **state)
{
	mp_auto_strv struct mp_strv got = { 0 };
	mp_auto_buf struct mp_buf many;
	struct mp_err err = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(mp_range_expand("a[1-3]", 3, &got, NULL), 0);
	assert_int_equal(mp_range_expand("b", 3, &got, &err), -1);
	assert_int_equal(err.code, MP_E_LIMIT);
	assert_int_equal(got.n, 3);
	assert_int_equal(mp_range_expand("b", 4, &got, NULL), 0);
	/* Counting must not expand: 10^72 names. */
	assert_int_equal(mp_range_count("[1-999999999][1-999999999][1-999999999][1-999999999]"
					"[1-999999999][1-999999999][1-999999999][1-999999999]",
					&n, NULL),
			 0);
	assert_true(n == SIZE_MAX);
	/* Many parts that are each below the limit are above it together. */
	mp_buf_init(&many, 0);
	mp_buf_puts(&many, "c[1-9999");
	for (int i = 0; i < 5000; i++)
		mp_buf_puts(&many, ",1-9999");
	mp_buf_puts(&many, "]");
	assert_int_equal(mp_range_expand(many.data, 10000, &got, &err), -1);
	assert_int_equal(err.code, MP_E_LIMIT);
}

static void test_fold(void **state)
{
	static const struct {
		const char *names, *folded;
	} rows[] = {
		{ "", "" },
		{ "db1", "db1" },
		{ "c3 c1 c2", "c[1-3]" },
		{ "c9 c10 c11", "c[9-11]" },
		{ "c0 c1 c10", "c[0-1,10]" },
		{ "c08 c09 c10", "c[08-10]" },
		{ "c098 c099 c100", "c[098-100]" },
		{ "c1 c02", "c1,c02" },
		{ "db1 c001 c003 c002 c005", "c[001-003,005],db1" },
		{ "a.dc1 b.dc1", "a.dc1,b.dc1" },
		{ "n1.dc2 n2.dc2 n3.dc2", "n[1-3].dc2" },
		{ "r1n1 r1n2 r2n1 r2n2", "r1n[1-2],r2n[1-2]" },
		{ "x x", "x,x" },
	};

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(rows); i++) {
		mp_auto_strv struct mp_strv names = { 0 };
		mp_auto_free char *folded = NULL;

		mp_str_split(rows[i].names, " ", &names);
		folded = mp_range_fold(&names);
		assert_string_equal(folded, rows[i].folded);
	}
}

/* Splits at commas outside of brackets, expands, and sorts: what was folded. */
static char *unfold(char *folded)
{
	mp_auto_strv struct mp_strv names = { 0 };
	int depth = 0;
	char *start = folded;

	for (char *p = folded;; p++) {
		char was = *p;

		depth += was == '[' ? 1 : was == ']' ? -1 : 0;
		if (was && (was != ',' || depth))
			continue;
		*p = '\0';
		assert_int_equal(mp_range_expand(start, 10000, &names, NULL), 0);
		start = p + 1;
		if (!was)
			break;
	}
	mp_strv_sort(&names);
	return join(&names);
}

static void test_fold_is_inverse(void **state)
{
	static const char *const heads[] = { "c", "c0", "node-", "r1n", "", "a1b2c" };
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 500; round++) {
		mp_auto_strv struct mp_strv names = { 0 };
		mp_auto_free char *folded = NULL, *want = NULL, *got = NULL;

		for (int i = 0; i < 30; i++) {
			const char *head = heads[(size_t)rand_r(&seed) % MP_N_ELEMS(heads)];
			int width = rand_r(&seed) % 4 + 1, number = rand_r(&seed) % 120;
			const char *tail = rand_r(&seed) % 3 ? "" : ".dc1";

			mp_strv_take(&names, mp_xasprintf("%s%0*d%s", head, width, number, tail));
		}
		folded = mp_range_fold(&names);
		mp_strv_sort(&names);
		want = join(&names);
		got = unfold(folded);
		assert_string_equal(got, want);
	}
}

static void test_natcmp(void **state)
{
	/* In order, strictly. */
	static const char *const order[] = { "",    "a",  "a0",  "a01",   "a1",    "a01b",
					     "a1b", "a2", "a10", "a10b1", "a10b2", "b" };

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(order); i++)
		for (size_t j = 0; j < MP_N_ELEMS(order); j++) {
			int c = mp_str_natcmp(order[i], order[j]);

			assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
		}
}

static void test_nearest(void **state)
{
	static const char *const words[] = { "address", "aliases", "roles", "ssh_user", "nfs" };
	static const char *const one[] = { "a" };

	(void)state;
	assert_string_equal(mp_str_nearest("adress", words, 5), "address");
	assert_string_equal(mp_str_nearest("ADDRESS", words, 5), "address");
	assert_string_equal(mp_str_nearest("role", words, 5), "roles");
	assert_null(mp_str_nearest("gateway", words, 5));
	assert_null(mp_str_nearest("b", one, 1));
	assert_null(mp_str_nearest("", words, 5));
	assert_null(mp_str_nearest("x", words, 0));
}

static void test_split_and_long(void **state)
{
	mp_auto_strv struct mp_strv l = { 0 };
	long v = 5;

	(void)state;
	mp_str_split(",a,, b ,", ", ", &l);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.v[1], "b");
	assert_null(l.v[2]);
	for (int i = 0; i < 100; i++)
		mp_strv_add(&l, "x");
	assert_int_equal(l.n, 102);
	assert_null(l.v[102]);
	assert_int_equal(mp_str_long("10", 1, 10, &v), 0);
	assert_int_equal(v, 10);
	assert_int_equal(mp_str_long("-3", -5, 10, &v), 0);
	assert_int_equal(v, -3);
	assert_int_equal(mp_str_long("11", 1, 10, &v), -1);
	assert_int_equal(mp_str_long("", 0, 10, &v), -1);
	assert_int_equal(mp_str_long("-", -9, 10, &v), -1);
	assert_int_equal(mp_str_long("+1", 0, 10, &v), -1);
	assert_int_equal(mp_str_long(" 1", 0, 10, &v), -1);
	assert_int_equal(mp_str_long("1x", 0, 10, &v), -1);
	assert_int_equal(mp_str_long("99999999999999999999", 0, 10, &v), -1);
	assert_int_equal(v, -3);
	assert_true(mp_str_eq(NULL, NULL));
	assert_false(mp_str_eq(NULL, ""));
	assert_true(mp_str_eq("a", "a"));
}

/* The second opinion on UTF-8 is iconv(3)'s; control characters by their numbers. */
static bool iconv_says_text(iconv_t cd, const char *s, size_t size)
{
	uint32_t out[16];
	char *from = (char *)(uintptr_t)s, *to = (char *)out;
	size_t room = sizeof(out), n;

	iconv(cd, NULL, NULL, NULL, NULL);
	if (iconv(cd, &from, &size, &to, &room) == (size_t)-1)
		return false;
	n = (sizeof(out) - room) / sizeof(out[0]);
	for (size_t i = 0; i < n; i++)
		if ((out[i] < 32 && out[i] != 9) || (out[i] >= 127 && out[i] <= 159))
			return false;
	return true;
}

static void test_is_text(void **state)
{
	iconv_t cd = iconv_open("UTF-32LE", "UTF-8");
	unsigned seed = 3;
	size_t good = 0;

	(void)state;
	assert_true(cd != (iconv_t)-1);
	for (unsigned i = 0; i < 65536; i++) {
		const char s[2] = { (char)(i >> 8), (char)i };

		assert_int_equal(mp_str_is_text(s, 2), iconv_says_text(cd, s, 2));
	}
	for (int i = 0; i < 300000; i++) {
		/* Begin with a lead byte of three or four, so that many are right. */
		char s[4] = { (char)(0xe0 + rand_r(&seed) % 32), (char)(0x80 + rand_r(&seed) % 72),
			      (char)(0x80 + rand_r(&seed) % 65),
			      (char)(0x80 + rand_r(&seed) % 65) };
		size_t size = (size_t)rand_r(&seed) % 2 + 3;

		good += mp_str_is_text(s, size);
		assert_int_equal(mp_str_is_text(s, size), iconv_says_text(cd, s, size));
	}
	assert_true(good > 1000);
	iconv_close(cd);
	assert_true(mp_str_is_text("", 0));
	assert_true(mp_str_is_text("a\tb", 3));
	assert_false(mp_str_is_text("a\0b", 3));
	assert_false(mp_str_is_text("\x1b[31m", 5));
	assert_false(mp_str_is_text("\xc2\x9b"
				    "31m",
				    5)); /* the same in one character */
}

static void test_clean(void **state)
{
	char s[] = "a\tb\r\nc\x1b[0m\xff\xc2\x9b\xc3\xa4";

	(void)state;
	mp_str_clean(s);
	assert_string_equal(s, "a b  c?[0m???\xc3\xa4");
	assert_true(mp_str_is_text(s, strlen(s)));
}

static void test_buf(void **state)
{
	mp_auto_buf struct mp_buf b;
	mp_auto_free char *taken = NULL;

	(void)state;
	mp_buf_init(&b, 5);
	assert_string_equal(mp_buf_peek(&b), "");
	assert_true(mp_buf_puts(&b, "abc"));
	assert_false(mp_buf_puts(&b, "def"));
	assert_true(b.full);
	assert_string_equal(mp_buf_peek(&b), "abc");
	assert_true(mp_buf_printf(&b, "%d", 12));
	mp_buf_drop(&b, 2);
	assert_string_equal(mp_buf_peek(&b), "c12");
	assert_true(mp_buf_add(&b, "\0x", 2));
	assert_int_equal(b.size, 5);
	taken = mp_buf_take(&b);
	assert_memory_equal(taken, "c12\0x", 6);
	assert_int_equal(b.size, 0);
	assert_int_equal(b.limit, 5);
	mp_buf_drop(&b, 0);
}

static void test_err(void **state)
{
	struct mp_err err = { 0 };
	char big[2000];

	(void)state;
	assert_int_equal(mp_err_sys(&err, ENOENT, "open %s", "/x"), -1);
	assert_string_equal(err.text, "open /x: No such file or directory");
	assert_int_equal(err.sys, ENOENT);
	assert_int_equal(mp_err_wrap(&err, "host %s", "a"), -1);
	assert_string_equal(err.text, "host a: open /x: No such file or directory");
	assert_int_equal(err.code, MP_E_SYS);
	/* The old text may be among the arguments. */
	mp_err_set(&err, MP_E_GONE, "again: %s", err.text);
	assert_string_equal(err.text, "again: host a: open /x: No such file or directory");
	assert_int_equal(err.sys, 0);
	memset(big, 'y', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	mp_err_set(&err, MP_E_BUG, "%s", big);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	mp_err_wrap(&err, "%s", big);
	mp_err_sys(&err, EIO, "%s", big);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_int_equal(mp_err_set(NULL, MP_E_BUG, "x"), -1);
	for (int c = MP_E_NONE; c <= MP_E_BUG; c++)
		assert_int_equal(mp_code_parse(mp_code_name((enum mp_code)c)), c);
	assert_int_equal(mp_code_parse("nonsense"), MP_E_PROTO);
	assert_string_equal(mp_code_name((enum mp_code)99), "bug");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expand),
		cmocka_unit_test(test_bad_ranges),
		cmocka_unit_test(test_range_limit),
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_fold_is_inverse),
		cmocka_unit_test(test_natcmp),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_split_and_long),
		cmocka_unit_test(test_is_text),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_err),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
