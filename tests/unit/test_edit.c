/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pure editors: what a reader takes a file for, and that every byte that is not ours survives.
 */
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
#include "base/buf.h"
#include "resource/edit-ini.h"
#include "resource/edit-lines.h"
#include "resource/port-set.h"

static const struct mp_ini_option path = { MP_INI_OSLO, "DEFAULT", "instances_path" };
static const struct mp_ini_option listen_on = { MP_INI_OSLO, "vnc", "server_listen" };
static const struct mp_ini_option domain = { MP_INI_IDMAPD, "General", "Domain" };
static const struct mp_ini_option port_min = { MP_INI_LIBVIRT, NULL, "migration_port_min" };
static const struct mp_ini_option reserved = { MP_INI_SYSCTL_D, NULL,
					       "net.ipv4.ip_local_reserved_ports" };

/* ---- reading ---- */

static const struct {
	const struct mp_ini_option *o;
	const char *text, *value;
} gets[] = {
	/* As oslo.config 9.0.0 (Debian python3-oslo.config) reads them. */
	{ &listen_on,
	  "[vnc]\nserver_listen=1\n[DEFAULT]\ninstances_path=/a\n[vnc]\nserver_listen : 2\n", "2" },
	{ &path, "[DEFAULT]\ninstances_path=/a\n  /b\n\t/c\n# x\n[vnc]\n", "/a\n/b\n/c" },
	{ &listen_on, "[vnc]\nserver_listen= \"q\" \n", "q" },
	{ &path, "[default]\ninstances_path=/a\n", NULL },
	{ &listen_on, "[VNC]\nserver_listen=1\nServer_Listen=2\n", "1" },
	{ &listen_on, "[vnc]\r\nserver_listen = 1\r\n", "1" },
	{ &listen_on, "[vnc] \nserver_listen=1", "1" },
	{ &listen_on, "[vnc]\nserver_listen=1\n [x]\n", "1\n[x]" },
	{ &listen_on, "[vnc]\nserver_listen=1 # c\n;server_listen=9\n", "1 # c" },
	{ &listen_on, "[vnc]\nserver_listen: a=b\n", "a=b" },
	{ &listen_on, "[vnc]\nserver_listen=\n", "" },
	{ &listen_on, "[vncx]\nserver_listen=1\n[vnc]\nserver_listen_too=1\n", NULL },
	{ &listen_on, "", NULL },
	/* As `nfsidmap -d` (Debian nfs-common 2.6.2) prints them. */
	{ &domain, "[General]\nDomain = a.x\nDomain = b.x\n", "b.x" },
	{ &domain, "[general]\ndomain=a.x\n", "a.x" },
	{ &domain, "  [General]\n  Domain=a.x\n", "a.x" },
	{ &domain, "[General]\nDomain=a.x # c\n", "a.x" },
	{ &domain, "[General]\nDomain: a.x\n", NULL },
	{ &domain,
	  "[General]\n#Domain = q\n[Mapping]\nNobody-User = nobody\n[General]\nDomain=z.x\n",
	  "z.x" },
	{ &domain, "[General]\nDomain = \"a.x\"\n", "a.x" },
	{ &domain, "[General]\r\nDomain = a.x\r\n", "a.x" },
	/* libvirt src/util/virconf.c: entries are appended, and the first of a name is found. */
	{ &port_min, "migration_port_min = 1\nmigration_port_min = 2 # c\n", "1" },
	{ &port_min, "#migration_port_min = 1\n  migration_port_min=3# c\n", "3" },
	{ &port_min, "a = [\n \"b\",\n]\nmigration_port_min = 4\n", "4" },
	/* sysctl.d(5): slashes for dots, a leading minus. */
	{ &reserved,
	  "net.ipv4.ip_local_reserved_ports=1\n-net/ipv4/ip_local_reserved_ports = 2-3\n", "2-3" },
	{ &reserved, "; net.ipv4.ip_local_reserved_ports=1\n", NULL },
};

static void test_get(void **state)
{
	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(gets); i++) {
		mp_auto_free char *v =
			mp_ini_get(gets[i].text, strlen(gets[i].text), gets[i].o, NULL);

		if (!mp_str_eq(v, gets[i].value))
			fail_msg("case %zu: got '%s', wanted '%s' from:\n%s", i, v ? v : "(none)",
				 gets[i].value ? gets[i].value : "(none)", gets[i].text);
	}
}

static void test_others(void **state)
{
	const char text[] =
		"[vnc]\nserver_listen=1\nserver_listen=2\nserver_listen=3\nserver_listen=2\n";
	size_t others = 9;
	char *v;

	(void)state;
	v = mp_ini_get(text, strlen(text), &listen_on, &others);
	assert_string_equal(v, "2");
	assert_int_equal(others, 2);
	free(v);
}

/* ---- changing ---- */

static const struct {
	const struct mp_ini_option *o;
	const char *text, *value, *after;
} sets[] = {
	/* in place: key, spacing, line end and trailing blanks stay */
	{ &listen_on, "[vnc]\nserver_listen:1 \nx=y\n", "2", "[vnc]\nserver_listen:2 \nx=y\n" },
	{ &listen_on, "[vnc]\r\nserver_listen =  1\r\n", "2", "[vnc]\r\nserver_listen =  2\r\n" },
	{ &listen_on, "[vnc]\nserver_listen=1", "2", "[vnc]\nserver_listen=2" },
	{ &listen_on, "[vnc]\nserver_listen =\nx=y\n", "2", "[vnc]\nserver_listen = 2\nx=y\n" },
	{ &listen_on, "[vnc]\nserver_listen=\n", "2", "[vnc]\nserver_listen=2\n" },
	{ &listen_on, "[vnc]\nserver_listen=\"1\"\n", "2", "[vnc]\nserver_listen=2\n" },
	/* continued lines belong to the value, comments after it do not */
	{ &path, "[DEFAULT]\ninstances_path=/a\n  /b\n# c\nx=y\n", "/n",
	  "[DEFAULT]\ninstances_path=/n\n# c\nx=y\n" },
	/* the last one counts, and the contradicting one goes */
	{ &listen_on, "[vnc]\nserver_listen=1\nx=y\n[a]\n[vnc]\nserver_listen=3\n", "2",
	  "[vnc]\nx=y\n[a]\n[vnc]\nserver_listen=2\n" },
	{ &port_min, "migration_port_min = 1 # c\nmigration_port_min = 3\nx = 1\n", "2",
	  "migration_port_min = 2 # c\nx = 1\n" },
	/* new: after the example, after the last option, after the header, in a new section */
	{ &listen_on, "[vnc]\n# about it\n#server_listen = 127.0.0.1\n\n# more\nx=y\n", "2",
	  "[vnc]\n# about it\n#server_listen = 127.0.0.1\nserver_listen = 2\n\n# more\nx=y\n" },
	{ &listen_on, "[vnc]\nx=y\n  z\n\n# of the next\n[a]\n", "2",
	  "[vnc]\nx=y\n  z\nserver_listen = 2\n\n# of the next\n[a]\n" },
	{ &listen_on, "[vnc]\n\n[a]\n#server_listen = 1\n", "2",
	  "[vnc]\nserver_listen = 2\n\n[a]\n#server_listen = 1\n" },
	{ &listen_on, "[a]\nx=y", "2", "[a]\nx=y\n\n[vnc]\nserver_listen = 2\n" },
	{ &listen_on, "[a]\r\nx=y\r\n", "2", "[a]\r\nx=y\r\n\r\n[vnc]\r\nserver_listen = 2\r\n" },
	{ &listen_on, "[vnc]", "2", "[vnc]\nserver_listen = 2" },
	{ &listen_on, "", "2", "[vnc]\nserver_listen = 2\n" },
	{ &port_min, "x = 1\n#migration_port_min = 49152\n#migration_port_max = 49215\n\n", "2",
	  "x = 1\n#migration_port_min = 49152\nmigration_port_min = 2\n#migration_port_max = "
	  "49215\n\n" },
	{ &domain,
	  "[General]\n\nVerbosity = 0\n# Domain = localdomain\n\n[Mapping]\nNobody-User = nobody\n",
	  "x.y",
	  "[General]\n\nVerbosity = 0\n# Domain = localdomain\nDomain = "
	  "x.y\n\n[Mapping]\nNobody-User = "
	  "nobody\n" },
	{ &reserved, "# c\n-net/ipv4/ip_local_reserved_ports = 1\n", "1,5",
	  "# c\n-net/ipv4/ip_local_reserved_ports = 1,5\n" },
};

static void test_set(void **state)
{
	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(sets); i++) {
		size_t size = 0;
		mp_auto_free char *t = mp_ini_set(sets[i].text, strlen(sets[i].text), sets[i].o,
						  sets[i].value, &size);
		mp_auto_free char *v = mp_ini_get(t, size, sets[i].o, NULL);

		if (strcmp(t, sets[i].after) != 0)
			fail_msg("case %zu: got:\n%s\nwanted:\n%s", i, t, sets[i].after);
		assert_int_equal(size, strlen(t));
		assert_non_null(v);
		assert_string_equal(v, sets[i].value);
	}
}

static void test_remove(void **state)
{
	const struct mp_ini_option old = { MP_INI_OSLO, "vnc", "vncserver_listen" };
	const char text[] = "[DEFAULT]\nvncserver_listen=0\n[vnc]\n#vncserver_listen=1\n"
			    "vncserver_listen=1\n  2\nserver_listen=3\n[Vnc]\nvncserver_listen=4";
	size_t size;
	char *t;

	(void)state;
	t = mp_ini_remove(text, strlen(text), &old, &size);
	assert_string_equal(t, "[DEFAULT]\nvncserver_listen=0\n[vnc]\n#vncserver_listen=1\n"
			       "server_listen=3\n[Vnc]\n");
	free(t);
}

/* Bytes that are no text survive as well. */
static void test_binary(void **state)
{
	static const char text[] = "\0\xff\n[vnc]\n\xc3\x28\0=\n";
	size_t size;
	char *t;

	(void)state;
	t = mp_ini_set(text, sizeof(text) - 1, &listen_on, "2", &size);
	assert_int_equal(size, sizeof(text) - 1 + strlen("server_listen = 2\n"));
	assert_memory_equal(t, "\0\xff\n[vnc]\n\xc3\x28\0=\nserver_listen = 2\n", size);
	free(t);
}

/* A file like the stock one: 8,900 lines, nearly all comments (facts of Nova 26). */
static void make_stock(struct mp_buf *b)
{
	mp_buf_init(b, 0);
	for (int s = 0; s < 60; s++) {
		if (s == 40)
			mp_buf_puts(b, "[vnc]\n# Listen address.\n#server_listen=127.0.0.1\n");
		else
			mp_buf_printf(b, s ? "[section%d]\n" : "[DEFAULT]\n", s);
		for (int i = 0; i < 49; i++)
			mp_buf_printf(b,
				      "#\n# Option %d: a long text (string value)\n#option_%d=%d\n",
				      i, i, s);
		if (s % 7 == 0)
			mp_buf_printf(b, "transport_url = rabbit://u:p%d@h\n\n", s);
	}
}

static void test_stock_file(void **state)
{
	static const char new[] = "server_listen = 0.0.0.0\n";
	mp_auto_buf struct mp_buf b;
	mp_auto_free char *t = NULL;
	const char *at;
	size_t size, n = strlen(new);

	(void)state;
	make_stock(&b);
	t = mp_ini_set(b.data, b.size, &listen_on, "0.0.0.0", &size);
	assert_int_equal(size, b.size + n);
	at = strstr(t, new);
	assert_non_null(at);
	assert_memory_equal(at - 25, "#server_listen=127.0.0.1\n", 25);
	assert_memory_equal(t, b.data, (size_t)(at - t));
	assert_memory_equal(at + n, b.data + (at - t), b.size - (size_t)(at - t));
}

/* Whatever the file: the value can be read back, nothing else changes, and a second set does
 * nothing. */
static void test_random_files(void **state)
{
	static const char *const parts[] = { "[vnc]\n",
					     "[DEFAULT]\n",
					     "[a]\n",
					     "server_listen=1\n",
					     "server_listen = 2\r\n",
					     "  more\n",
					     "\n",
					     " \n",
					     "# c\n",
					     "#server_listen=3\n",
					     "x = y\n",
					     "junk\n",
					     "server_listen: 4\n",
					     "\t[vnc]\n",
					     "= 1\n",
					     "[\n",
					     "[]\n" };
	uint32_t seed = 20261120;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		mp_auto_buf struct mp_buf b;
		mp_auto_free char *t = NULL, *v = NULL, *t2 = NULL, *r1 = NULL, *r2 = NULL;
		size_t size, size2, n1, n2;
		bool has;

		mp_buf_init(&b, 0);
		for (int i = 0; i < 8; i++) {
			seed = seed * 1664525 + 1013904223;
			mp_buf_puts(&b, parts[(seed >> 16) % MP_N_ELEMS(parts)]);
		}
		if (round % 3 == 0)
			b.data[--b.size] = '\0'; /* no newline at the end */
		has = strstr(b.data, "[vnc]") != NULL;
		t = mp_ini_set(b.data, b.size, &listen_on, "val", &size);
		v = mp_ini_get(t, size, &listen_on, NULL);
		if (!v || strcmp(v, "val") != 0)
			fail_msg("round %d: not read back from:\n%s\nfrom:\n%s", round, t, b.data);
		t2 = mp_ini_set(t, size, &listen_on, "val", &size2);
		assert_int_equal(size, size2);
		assert_memory_equal(t, t2, size);
		r1 = mp_ini_remove(b.data, b.size, &listen_on, &n1);
		r2 = mp_ini_remove(t, size, &listen_on, &n2);
		/* Only an added section header, or a newline that had to be added, may differ. */
		if (has && b.data[b.size - 1] == '\n' && strstr(r1, "\n[vnc]"))
			if (strncmp(r1, r2, n1) != 0 || n2 < n1)
				fail_msg("round %d: lost bytes of:\n%s\nnow:\n%s", round, b.data,
					 t);
	}
}

/* ---- lines ---- */

static void words_are(const char *text, bool joined, const char *wanted)
{
	struct mp_line l;
	size_t pos = 0;
	mp_auto_strv struct mp_strv w = { 0 };
	mp_auto_buf struct mp_buf b;

	mp_buf_init(&b, 0);
	assert_true(mp_line_next(text, strlen(text), joined, &pos, &l));
	mp_line_words(text, &l, &w);
	for (size_t i = 0; i < w.n; i++)
		mp_buf_printf(&b, "%s%s", i ? "|" : "", w.v[i]);
	assert_string_equal(mp_buf_peek(&b), wanted);
}

static void test_words(void **state)
{
	mp_auto_free char *e = mp_line_escape("/a b\\\"#");

	(void)state;
	words_are("a:/ /mnt\\040x nfs4 defaults 0 0 # c\n", false, "a:/|/mnt x|nfs4|defaults|0|0");
	words_are("  # only a comment\n", false, "");
	words_are("/a\tb(rw)  c#d\r\n", true, "/a|b(rw)|c#d");
	words_are("/a \\\n b(rw) \\\n c\nd\n", true, "/a|b(rw)|c");
	words_are("\"/with space\" *(ro)\n", true, "/with space|*(ro)");
	words_are("a\\\nb\n", false, "a");
	/* As fstab(5) and exports(5) write them: octal. */
	assert_string_equal(e, "/a\\040b\\134\\042\\043");
}

static void test_replace(void **state)
{
	static const char text[] = "one\ntwo \\\n more\nthree\nlast";
	const struct mp_line l[] = { { 4, 16 }, { 22, 26 } };
	size_t size;
	char *t;

	(void)state;
	t = mp_line_replace(text, strlen(text), l, 2, "new", &size);
	assert_string_equal(t, "one\nnew\nthree\n");
	free(t);
	t = mp_line_replace(text, strlen(text), l + 1, 1, "new", &size);
	assert_string_equal(t, "one\ntwo \\\n more\nthree\nnew");
	free(t);
	t = mp_line_replace(text, strlen(text), NULL, 0, "new", &size);
	assert_string_equal(t, "one\ntwo \\\n more\nthree\nlast\nnew\n");
	free(t);
	t = mp_line_replace("a\r\n", 3, NULL, 0, "new", &size);
	assert_string_equal(t, "a\r\nnew\r\n");
	free(t);
	t = mp_line_replace(text, strlen(text), l, 1, NULL, &size);
	assert_string_equal(t, "one\nthree\nlast");
	free(t);
	t = mp_line_replace("", 0, NULL, 0, "new", &size);
	assert_string_equal(t, "new\n");
	free(t);
}

static void test_ports(void **state)
{
	static const char *const bad[] = { "x", "1-", "-1", "2-1", "65536", "1-2-3", "1;2" };
	struct mp_port_set *s = mp_port_set_parse("8, 1-3,5\t70-80\n");
	char *t;

	(void)state;
	assert_non_null(s);
	t = mp_port_set_text(s);
	assert_string_equal(t, "1-3,5,8,70-80");
	free(t);
	assert_true(mp_port_set_has(s, 70, 80));
	assert_false(mp_port_set_has(s, 69, 80));
	mp_port_set_add(s, 4, 4);
	mp_port_set_add(s, 65535, 65535);
	t = mp_port_set_text(s);
	assert_string_equal(t, "1-5,8,70-80,65535");
	free(t);
	free(s);
	for (size_t i = 0; i < MP_N_ELEMS(bad); i++)
		assert_null(mp_port_set_parse(bad[i]));
	s = mp_port_set_parse("");
	t = mp_port_set_text(s);
	assert_string_equal(t, "");
	free(t);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),          cmocka_unit_test(test_others),
		cmocka_unit_test(test_set),          cmocka_unit_test(test_remove),
		cmocka_unit_test(test_binary),       cmocka_unit_test(test_stock_file),
		cmocka_unit_test(test_random_files), cmocka_unit_test(test_words),
		cmocka_unit_test(test_replace),      cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
