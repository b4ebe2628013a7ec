/* SPDX-License-Identifier: GPL-3.0-or-later */
/* model: inventories, names, and the manual page of the format. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "model/inventory.h"
#include "model/name.h"

/* %s: byte order mark, and line ends by the caller. */
static const char good[] = "# the cluster\n"
			   "[defaults]\n"
			   "ssh_user = deploy\n"
			   "  transport = openssh   ; indented: still a line of its own\n"
			   "[profile]\n"
			   "name = nova-nfs\n"
			   "nova.release = 27\n"
			   "storage.export_options=rw,sync\n"
			   "\n"
			   "[host compute[01-03].example] # a range\n"
			   "address = 10.0.0.[1-3]\n"
			   "migration_address = FD00::[1-3]\n"
			   "aliases = c[1-3], cc[7,8,9]\n"
			   "ssh_port: 2222\n"
			   "[host store]\n"
			   "roles = nfs compute\n"
			   "ssh_user = root\n"
			   "ssh_key = ~/.ssh/id_ed25519\n"
			   "transport = libssh2\n"
			   "[host bare]\n"
			   "[group most]\n"
			   "hosts = few, bare\n"
			   "[group few]\n"
			   "hosts = compute[02-03].example C1\n"
			   "\t[defaults ]\n";

static struct mp_inventory *parse(const char *text)
{
	struct mp_inventory *inv = NULL;
	struct mp_err err = { 0 };

	if (mp_inventory_parse(text, strlen(text), "inv", &inv, &err) < 0)
		fail_msg("%s", err.text);
	return inv;
}

static void check_good(const struct mp_inventory *inv)
{
	const struct mp_host *h;

	assert_int_equal(inv->n_hosts, 5);
	h = &inv->hosts[1];
	assert_string_equal(h->name, "compute02.example");
	assert_string_equal(h->address, "10.0.0.2");
	assert_string_equal(h->migration_address, "FD00::2");
	assert_string_equal(mp_host_migration_address(h), "FD00::2");
	assert_int_equal(h->aliases.n, 2);
	assert_string_equal(h->aliases.v[0], "c2");
	assert_string_equal(h->aliases.v[1], "cc8");
	assert_string_equal(h->ssh_user, "deploy");
	assert_int_equal(h->ssh_port, 2222);
	assert_null(h->ssh_key);
	assert_int_equal(h->transport, MP_TRANSPORT_OPENSSH);
	assert_int_equal(h->roles, MP_ROLE_COMPUTE);
	assert_int_equal(h->line, 10);
	assert_int_equal(h->index, 1);
	h = &inv->hosts[3];
	assert_string_equal(h->name, "store");
	assert_string_equal(h->address, "store");
	assert_null(h->migration_address);
	assert_string_equal(mp_host_migration_address(h), "store");
	assert_string_equal(h->ssh_user, "root");
	assert_string_equal(h->ssh_key, "~/.ssh/id_ed25519");
	assert_int_equal(h->ssh_port, 0);
	assert_int_equal(h->transport, MP_TRANSPORT_LIBSSH2);
	assert_int_equal(h->roles, MP_ROLE_COMPUTE | MP_ROLE_NFS);
	assert_string_equal(inv->hosts[4].name, "bare");
	assert_string_equal(inv->profile, "nova-nfs");
	assert_int_equal(inv->set.n, 2);
	assert_string_equal(inv->set.v[1], "storage.export_options=rw,sync");
	assert_string_equal(inv->set_places.v[1], "inv:8");
	assert_int_equal(inv->n_groups, 2);
	assert_string_equal(inv->groups[0].name, "most");
	assert_int_equal(inv->groups[0].n_hosts, 4);
	assert_int_equal(inv->groups[0].hosts[0], 0);
	assert_int_equal(inv->groups[0].hosts[3], 4);
	assert_int_equal(inv->groups[1].n_hosts, 3);
}

/* The last line of `good` repeats a section, which is an error; without it all is well. */
static char *good_text(const char *head, const char *eol)
{
	struct mp_buf b;
	const char *end = strrchr(good, '\t');

	mp_buf_init(&b, 0);
	mp_buf_puts(&b, head);
	for (const char *p = good; p < end; p++) {
		if (*p == '\n')
			mp_buf_puts(&b, eol);
		else
			mp_buf_add(&b, p, 1);
	}
	return mp_buf_take(&b);
}

static void test_good(void **state)
{
	static const char *const forms[][2] = {
		{ "", "\n" }, { "", "\r\n" }, { "\xef\xbb\xbf", "\n" }, { "\xef\xbb\xbf", "\r\n" }
	};

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(forms); i++) {
		mp_auto_free char *text = good_text(forms[i][0], forms[i][1]);
		struct mp_inventory *inv;

		inv = parse(text);
		check_good(inv);
		mp_inventory_free(inv);
		/* A last line without an end is a line. */
		text[strlen(text) - strlen(forms[i][1])] = '\0';
		inv = parse(text);
		check_good(inv);
		mp_inventory_free(inv);
	}
	/* A mark right before a bracket hides no section. */
	mp_inventory_free(parse("\xef\xbb\xbf[host a]\n"));
}

struct bad {
	const char *text, *message;
};

static void check_bad(const struct bad *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct mp_inventory *inv = NULL;
		struct mp_err err = { 0 };

		assert_int_equal(
			mp_inventory_parse(rows[i].text, strlen(rows[i].text), "inv", &inv, &err),
			-1);
		assert_null(inv);
		assert_int_equal(err.code, MP_E_INPUT);
		assert_string_equal(err.text, rows[i].message);
		assert_int_equal(
			mp_inventory_parse(rows[i].text, strlen(rows[i].text), "inv", &inv, NULL),
			-1);
	}
}

static void test_bad_syntax(void **state)
{
	static const struct bad rows[] = {
		{ good, "inv:25: [defaults] is already there; put everything into one" },
		{ "", "inv: no hosts; add a [host NAME] section for each host" },
		{ "[defaults]\n", "inv: no hosts; add a [host NAME] section for each host" },
		{ "a = b\n",
		  "inv:1: 'a' before the first section; put it under [host NAME] or [defaults]" },
		{ "[host a]\njunk\n",
		  "inv:2: neither [SECTION] nor key = value; write each value on one line" },
		{ "[host a]\n= b\n", "inv:2: no key before '='; write key = value" },
		{ "[host a\n", "inv:1: '[host a' does not end with ']'; close the bracket" },
		{ "[hosts a]\n", "inv:1: unknown section 'hosts'; did you mean [host]?" },
		{ "[compute01]\n",
		  "inv:1: unknown section 'compute01'; write [defaults], [profile], "
		  "[host NAME] or [group NAME]" },
		{ "[]\n",
		  "inv:1: unknown section ''; write [defaults], [profile], [host NAME] or [group "
		  "NAME]" },
		{ "[host]\n", "inv:1: [host] without a name; write [host NAME]" },
		{ "[defaults x]\n", "inv:1: [defaults] takes no name; write [defaults]" },
		{ "[host a]\nadress = b\n",
		  "inv:2: unknown key 'adress' in [host]; did you mean 'address'?" },
		{ "[defaults]\naddress = b\n",
		  "inv:2: unknown key 'address' in [defaults]; see migprep-inventory(5)" },
		{ "[profile]\nrelease = 3\n",
		  "inv:2: unknown key 'release' in [profile]; did you mean 'nova.release'?" },
		{ "[profile]\nnova.relase = 3\n",
		  "inv:2: unknown profile parameter 'nova.relase'; did you mean 'nova.release'?" },
		{ "[profile]\nnova.release=3\nnova.release=4\n",
		  "inv:3: 'nova.release' is already set in this section; remove one line" },
		{ "[host a]\naddress=b\naddress=c\n",
		  "inv:3: 'address' is already set on line 2; remove one line" },
		{ "[host a]\naddress =\n",
		  "inv:2: 'address' has no value; write one or remove the line" },
		{ "[host a]\naddress = x\xff\n",
		  "inv:2: control character or text that is not UTF-8; remove it" },
		{ "[host a]\raddress = x\n",
		  "inv:1: control character or text that is not UTF-8; remove it" },
	};

	(void)state;
	check_bad(rows, MP_N_ELEMS(rows));
}

static void test_bad_values(void **state)
{
	static const struct bad rows[] = {
		{ "[host -oProxyCommand=x]\n",
		  "inv:1: bad host name '-oProxyCommand=x'; use letters, digits, '-', '_' and '.', "
		  "beginning with a letter or digit, and no address" },
		{ "[host a]\naddress = 10.0.0\n",
		  "inv:2: bad address '10.0.0'; write an IPv4 or IPv6 address or a host name" },
		{ "[host a]\naddress = 10.0.0.256\n",
		  "inv:2: bad address '10.0.0.256'; write an IPv4 or IPv6 address or a host name" },
		{ "[host a]\naddress = fe80::1::2\n",
		  "inv:2: bad address 'fe80::1::2'; write an IPv4 or IPv6 address or a host name" },
		{ "[host a]\naddress = 0x7f.1\n",
		  "inv:2: bad address '0x7f.1'; write an IPv4 or IPv6 address or a host name" },
		{ "[host a]\nmigration_address = b\n",
		  "inv:2: bad address 'b'; write an IPv4 or IPv6 address" },
		{ "[host a]\nssh_user = root;reboot\n",
		  "inv:2: bad user 'root;reboot'; write the name of a login user" },
		{ "[host a]\nssh_user = -l\n",
		  "inv:2: bad user '-l'; write the name of a login user" },
		{ "[host a]\nssh_port = 65536\n",
		  "inv:2: bad port '65536'; write a number from 1 to 65535" },
		{ "[defaults]\nssh_port = 0\n[host a]\n",
		  "inv:2: bad port '0'; write a number from 1 to 65535" },
		{ "[host a]\nssh_key = /k %h\n",
		  "inv:2: bad path '/k %h'; use letters, digits and ._/+@=,~- without spaces" },
		{ "[host a]\nroles = compte\n",
		  "inv:2: unknown role 'compte'; did you mean 'compute'?" },
		{ "[host a]\nroles = database\n",
		  "inv:2: unknown role 'database'; write compute, nfs or both" },
		{ "[host a]\ntransport = telnet\n",
		  "inv:2: unknown transport 'telnet'; write libssh2 or openssh" },
		{ "[host a[2-1]]\n",
		  "inv:1: [host]: range 2-1 in 'a[2-1]' runs backwards: write the "
		  "smaller number first" },
		{ "[host a[1-3]]\naddress = 10.0.0.1\n",
		  "inv:2: address '10.0.0.1' for 3 hosts; write a range of 3, as in 10.0.0.[1-3]" },
		{ "[host a[1-3]]\naddress = 10.0.0.[1-4]\n",
		  "inv:2: address '10.0.0.[1-4]' makes 4, and the section has 3 hosts; make them "
		  "equal" },
		{ "[host a]\naliases = b[1-2]\n",
		  "inv:2: alias 'b[1-2]' makes 2, and the section has 1 host; make them equal" },
	};

	(void)state;
	check_bad(rows, MP_N_ELEMS(rows));
}

static void test_bad_together(void **state)
{
	static const struct bad rows[] = {
		{ "[host a]\n[host b]\n[host A]\n",
		  "inv:3: host 'A' is already there on line 1; remove one of them" },
		/* of several, the first that a reader meets */
		{ "[host z]\n[host b]\n[host z]\n[host a]\n[host b]\n[host a]\n",
		  "inv:3: host 'z' is already there on line 1; remove one of them" },
		{ "[host a]\n[host z]\n[host a]\n[host z]\n",
		  "inv:3: host 'a' is already there on line 1; remove one of them" },
		{ "[host c[1-5]]\n[host c5]\n",
		  "inv:2: host 'c5' is already there on line 1; remove one of them" },
		{ "[host a]\naddress=10.0.0.1\n[host b]\naddress=10.0.0.1\n",
		  "inv:4: address '10.0.0.1' of host 'b' is already the address of host 'a' (line "
		  "2); "
		  "give each host its own" },
		{ "[host a]\naddress=10.0.0.1\n[host b]\naddress=::ffff:10.0.0.1\n",
		  "inv:4: address '10.0.0.1' of host 'b' is already the address of host 'a' (line "
		  "2); "
		  "give each host its own" },
		{ "[host a]\nmigration_address=fd00::1\n[host b]\nmigration_address=FD00:0::1\n",
		  "inv:4: migration address 'fd00::1' of host 'b' is already the migration address "
		  "of "
		  "host 'a' (line 2); give each host its own" },
		{ "[host a]\naliases=x B\n[host b]\n", "inv:3: name 'b' of host 'b' is already the "
						       "alias of host 'a' (line 2); give each host "
						       "its own" },
		{ "[host a]\n[group g]\nhosts = compute1\n",
		  "inv:3: group 'g': no host or group 'compute1' in inv; add a [host] section or "
		  "correct the name" },
		{ "[host compute01]\n[group g]\nhosts = compute1\n",
		  "inv:3: group 'g': no host or group 'compute1' in inv; did you mean "
		  "'compute01'?" },
		{ "[host a]\n[group g]\n", "inv:2: group 'g' has no hosts; add hosts = NAME..." },
		{ "[host a]\n[group g]\nhosts=a\n[group g]\nhosts=a\n",
		  "inv:4: group 'g' is already there on line 2; remove one of them" },
		{ "[host a]\n[group a]\nhosts=a\n",
		  "inv:2: group 'a' is also a word for host 'a' (line 1); rename the group" },
		{ "[host a]\n[group g]\nhosts=g\n",
		  "inv:3: group 'g' names 'g', which contains it; take one out of the other" },
		{ "[host a]\n[group g]\nhosts=h\n[group h]\nhosts=i a\n[group i]\nhosts=g\n",
		  "inv:7: group 'i' names 'g', which contains it; take one out of the other" },
	};

	(void)state;
	check_bad(rows, MP_N_ELEMS(rows));
}

static void expect_limit(const char *text, size_t size, const char *message)
{
	struct mp_inventory *inv = NULL;
	struct mp_err err = { 0 };

	assert_int_equal(mp_inventory_parse(text, size, "inv", &inv, &err), -1);
	assert_string_equal(err.text, message);
	assert_int_equal(err.code, MP_E_LIMIT);
}

static void test_limits(void **state)
{
	mp_auto_buf struct mp_buf b;
	static const char nul[] = "[host a]\nssh\0user = b\n";
	static char xs[1 << 20];
	struct mp_inventory *inv = NULL;
	struct mp_err err = { 0 };

	(void)state;
	expect_limit("[host c[1-100000]]", 18,
		     "inv: 100000 hosts; at most 10000; split the inventory");
	mp_buf_init(&b, 0);
	for (int i = 0; i < 100000; i++)
		mp_buf_printf(&b, "[host h%d]\naddress = 10.%d.%d.%d\n", i, i >> 16, i >> 8 & 255,
			      i & 255);
	expect_limit(b.data, b.size, "inv: 100000 hosts; at most 10000; split the inventory");
	mp_buf_fini(&b);
	memset(xs, 'x', sizeof(xs));
	mp_buf_puts(&b, "[host a]\naliases=");
	mp_buf_add(&b, xs, sizeof(xs));
	expect_limit(b.data, b.size, "inv:2: line of 1048584 bytes, longer than 65536; split it");
	/* The longest line that is taken arrives whole: as one bad name, not as two lines. */
	assert_int_equal(mp_inventory_parse(b.data, 9 + MP_MAX_INI_LINE, "inv", &inv, &err), -1);
	assert_non_null(strstr(err.text, "inv:2: bad address 'xxx"));
	expect_limit(b.data, 9 + MP_MAX_INI_LINE + 1,
		     "inv:2: line of 65537 bytes, longer than 65536; split it");
	assert_int_equal(mp_inventory_parse(nul, sizeof(nul) - 1, "inv", &inv, &err), -1);
	assert_string_equal(err.text, "inv:2: NUL byte; name a text file in UTF-8");
	assert_null(inv);
}

static double cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void test_ten_thousand(void **state)
{
	mp_auto_buf struct mp_buf b;
	struct mp_inventory *inv;
	double start;
	const char *words[] = { "h9999" };
	mp_auto_free bool *selected = mp_xcalloc(MP_MAX_HOSTS, sizeof(*selected));

	(void)state;
	mp_buf_init(&b, 0);
	for (int i = 0; i < MP_MAX_HOSTS; i++)
		mp_buf_printf(&b, "[host h%d]\naddress = 10.0.%d.%d\naliases = a%d b%d\n", i,
			      i >> 8, i & 255, i, i);
	mp_buf_puts(&b, "[group all]\nhosts = h[0-9999]\n");
	start = cpu_s();
	inv = parse(b.data);
#ifdef MP_SANITIZERS
	assert_true(cpu_s() - start < 5);
#else
	assert_true(cpu_s() - start < 0.5);
#endif
	assert_int_equal(inv->n_hosts, MP_MAX_HOSTS);
	assert_int_equal(inv->groups[0].n_hosts, MP_MAX_HOSTS);
	assert_int_equal(mp_inventory_select(inv, words, 1, selected, NULL), 0);
	assert_true(selected[9999]);
	assert_false(selected[9998]);
	mp_inventory_free(inv);
}

static void expect_selected(const struct mp_inventory *inv, const char *word, const char *want)
{
	bool got[5];
	char text[6] = "";

	assert_int_equal(mp_inventory_select(inv, &word, 1, got, NULL), 0);
	for (int i = 0; i < 5; i++)
		text[i] = got[i] ? '1' : '0';
	assert_string_equal(text, want);
}

static void test_select(void **state)
{
	mp_auto_free char *text = good_text("", "\n");
	struct mp_inventory *inv = parse(text);
	const char *const wrong[] = { "stor", "compute[01-04].example", "x[", "", "," };
	const char *const messages[] = {
		"no host or group 'stor' in inv; did you mean 'store'?",
		"no host or group 'compute04.example' in inv; did you mean 'compute01.example'?",
		"bad range in 'x[': write name[01-20] or name[1,3,7-9]",
		"empty host name; name a host or a group",
		"empty host name; name a host or a group",
	};
	bool got[5] = { 0 };

	(void)state;
	assert_int_equal(mp_inventory_select(inv, NULL, 0, got, NULL), 0);
	assert_true(got[0] && got[1] && got[2] && got[3] && got[4]);
	expect_selected(inv, "compute02.example", "01000");
	expect_selected(inv, "COMPUTE02.example", "01000");
	expect_selected(inv, "compute[02-03].example,bare", "01101");
	expect_selected(inv, "cc9", "00100");
	expect_selected(inv, "c[1,3]", "10100");
	expect_selected(inv, "10.0.0.1", "10000");
	expect_selected(inv, "fd00:0:0::3", "00100");
	expect_selected(inv, "few", "11100");
	expect_selected(inv, "most", "11101");
	for (size_t i = 0; i < MP_N_ELEMS(wrong); i++) {
		struct mp_err err = { 0 };

		assert_int_equal(mp_inventory_select(inv, &wrong[i], 1, got, &err), -1);
		assert_int_equal(err.code, MP_E_INPUT);
		assert_string_equal(err.text, messages[i]);
	}
	assert_ptr_equal(mp_inventory_find(inv, "CC8"), &inv->hosts[1]);
	assert_null(mp_inventory_find(inv, "few"));
	mp_inventory_free(inv);
}

static void test_load(void **state)
{
	char path[] = "/tmp/test_inventory.XXXXXX";
	struct mp_inventory *inv = NULL;
	struct mp_err err = { 0 };
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "[host a]\n", 9), 9);
	assert_int_equal(mp_inventory_load(path, &inv, &err), 0);
	assert_string_equal(inv->path, path);
	mp_inventory_free(inv);
	inv = NULL;
	assert_int_equal(ftruncate(fd, (off_t)MP_MAX_INI_BYTES + 1), 0);
	assert_int_equal(mp_inventory_load(path, &inv, &err), -1);
	assert_int_equal(err.code, MP_E_LIMIT);
	assert_non_null(strstr(err.text, "larger than 8 MiB"));
	close(fd);
	unlink(path);
	assert_int_equal(mp_inventory_load(path, &inv, &err), -1);
	assert_int_equal(err.code, MP_E_INPUT);
	assert_non_null(strstr(err.text, ": No such file or directory; name a readable INI file"));
	assert_int_equal(mp_inventory_load("/", &inv, &err), -1);
	assert_string_equal(err.text, "/: Is a directory; name a readable INI file");
	assert_null(inv);
}

static void test_names(void **state)
{
	static const char *const hosts[] = { "a", "a.b", "A-1_x", "_x", "1a", "a.1b", "x--y" },
				 *const no_hosts[] = { "",         "-a",  ".a",  "a.",  "a..b",
						       "a.-b",     "a b", "a/b", "1.2", "12",
						       "1.2.3.4",  "0x1", "::1", "a:b", "a*",
						       "\xc3\xa4", "a\n" },
				 *const literals[] = { "10.0.0.1", "127.0.0.1", "::1", "fe80::1" },
				 *const no_literals[] = { "",          "0.0.0.0",
							  "::",        "010.0.0.1",
							  "1.2.3",     "1.2.3.4.5",
							  "ff02::1",   "224.0.0.1",
							  "[::1]",     "::1%lo",
							  "1.2.3.4/8", "255.255.255.255" },
				 *const loops[] = { "localhost",        "LocalHost.localdomain",
						    "127.1.2.3",        "::1",
						    "::ffff:127.0.0.1", "ip6-localhost" },
				 *const no_loops[] = { "localhostx", "128.0.0.1", "::2", "127" };
	char name[300], canon[MP_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(hosts); i++)
		assert_true(mp_name_is_host(hosts[i]));
	for (size_t i = 0; i < MP_N_ELEMS(no_hosts); i++)
		assert_false(mp_name_is_host(no_hosts[i]));
	for (size_t i = 0; i < MP_N_ELEMS(literals); i++)
		assert_true(mp_name_is_literal(literals[i]));
	for (size_t i = 0; i < MP_N_ELEMS(no_literals); i++)
		assert_false(mp_name_is_literal(no_literals[i]));
	for (size_t i = 0; i < MP_N_ELEMS(loops); i++)
		assert_true(mp_name_is_loopback(loops[i]));
	for (size_t i = 0; i < MP_N_ELEMS(no_loops); i++)
		assert_false(mp_name_is_loopback(no_loops[i]));
	memset(name, 'n', sizeof(name));
	name[254] = '\0';
	assert_false(mp_name_is_host(name));
	name[253] = '\0';
	assert_true(mp_name_is_host(name));
	mp_name_canonical("2001:DB8:0:0::1", canon, sizeof(canon));
	assert_string_equal(canon, "2001:db8::1"); /* RFC 5952 */
	assert_true(mp_name_is_user("nova") && mp_name_is_user("_x-1.y"));
	assert_false(mp_name_is_user("1x") || mp_name_is_user("-x") || mp_name_is_user("a b"));
	assert_false(mp_name_is_path("-i") || mp_name_is_path("/a b") || mp_name_is_path("/$x"));
}

/* Reads the manual page, and checks its items against the rows both ways. */
static void test_man(void **state)
{
	const char *dir = getenv("SRCDIR");
	mp_auto_free char *path = mp_xasprintf("%s/man/migprep-inventory.5", dir ? dir : ".");
	FILE *f = fopen(path, "r");
	bool seen[64] = { 0 };
	char line[512];

	(void)state;
	assert_non_null(f);
	assert_true(mp_n_inventory_keys < MP_N_ELEMS(seen));
	while (fgets(line, sizeof(line), f)) {
		char key[64];
		size_t i;

		if (sscanf(line, ".It Cm %63s", key) != 1)
			continue;
		for (i = 0; i < mp_n_inventory_keys; i++)
			if (strcmp(mp_inventory_keys[i].key, key) == 0)
				break;
		if (i == mp_n_inventory_keys)
			fail_msg("%s: no key '%s'", path, key);
		assert_false(seen[i]);
		seen[i] = true;
		/* The line after the item is the sentence of the row. */
		assert_non_null(fgets(line, sizeof(line), f));
		line[strcspn(line, "\n")] = '\0';
		assert_string_equal(line, mp_inventory_keys[i].help);
	}
	fclose(f);
	for (size_t i = 0; i < mp_n_inventory_keys; i++)
		if (!seen[i])
			fail_msg("%s: no item for '%s'", path, mp_inventory_keys[i].key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),       cmocka_unit_test(test_bad_syntax),
		cmocka_unit_test(test_bad_values), cmocka_unit_test(test_bad_together),
		cmocka_unit_test(test_limits),     cmocka_unit_test(test_ten_thousand),
		cmocka_unit_test(test_select),     cmocka_unit_test(test_load),
		cmocka_unit_test(test_names),      cmocka_unit_test(test_man),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
