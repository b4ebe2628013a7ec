/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is read from the operator's files: known_hosts, ssh_config, keys. The second source is
 * OpenSSH itself. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "sshd.h"
#include "transport/known-hosts.h"
#include "transport/openssh.h"
#include "transport/ssh-config.h"
#include "transport/ssh-key.h"

#define KEY1 "AAAAC3NzaC1lZDI1NTE5AAAAIAtestonetestonetestonetestonetestonetesto01"
#define KEY2 "AAAAC3NzaC1lZDI1NTE5AAAAIAtesttwotesttwotesttwotesttwotesttwotestt02"

struct dir {
	char path[64];
	char known[80];
};

static int setup(void **state)
{
	struct dir *d = mp_xcalloc(1, sizeof(*d));

	snprintf(d->path, sizeof(d->path), "/tmp/migprep-test-XXXXXX");
	assert_non_null(mkdtemp(d->path));
	snprintf(d->known, sizeof(d->known), "%s/known", d->path);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	struct dir *d = *state;

	TEST_RUN(NULL, "rm", "-rf", "--", d->path);
	free(d);
	return 0;
}

/* The line numbers that ssh-keygen -F finds, as "3 7 ". */
static char *lines_of_ssh_keygen(const struct dir *d, const char *name)
{
	const char *const argv[] = { "ssh-keygen", "-F", name, "-f", d->known, NULL };
	mp_auto_free char *out = test_output(d->path, argv);
	struct mp_buf b;

	mp_buf_init(&b, 0);
	for (char *p = out; (p = strstr(p, "found: line ")); p++)
		mp_buf_printf(&b, "%ld ", strtol(p + 12, NULL, 10));
	return mp_buf_take(&b);
}

static char *our_lines(const struct dir *d, const char *name)
{
	mp_auto_known_keys struct mp_known_keys k = { 0 };
	mp_auto_free char *text = test_read(d->known);
	struct mp_buf b;

	mp_known_hosts_find(text, "f", name, &k);
	mp_buf_init(&b, 0);
	for (size_t i = 0; i < k.n; i++)
		mp_buf_printf(&b, "%s ", strchr(k.v[i].place, ':') + 1);
	return mp_buf_take(&b);
}

static void test_find_agrees_with_ssh_keygen(void **state)
{
	static const char *const names[] = {
		"compute1",       "compute2",         "compute10",
		"192.0.2.7",      "[192.0.2.7]:2222", "db.example",
		"secret.example", "x.secret.example", "[compute1]:2222",
		"other",          "revoked.example",  "ca.example",
		"2001:db8::1",    "[2001:db8::1]:22", "COMPUTE1",
		"nowhere",
	};
	struct dir *d = *state;

	test_write(d->known, "# a comment\n"
			     "\n"
			     "compute1,192.0.2.7 ssh-ed25519 " KEY1 " comment\n"
			     "[192.0.2.7]:2222 ssh-ed25519 " KEY2 "\n"
			     "compute? ssh-ed25519 " KEY2 "\r\n"
			     "*.example,!*secret.example ssh-ed25519 " KEY1 "\n"
			     "  \tother ssh-ed25519 " KEY1 "\n"
			     "@revoked revoked.example ssh-ed25519 " KEY2 "\n"
			     "@cert-authority ca.example,*.ca.example ssh-ed25519 " KEY1 "\n"
			     "2001:db8::1 ssh-ed25519 " KEY1 "\n"
			     "[compute1]:2222 ssh-ed25519 " KEY1 "\n"
			     "short\n"
			     "compute1 ssh-ed25519\n"
			     "Compute1 ssh-ed25519 " KEY2);
	for (size_t i = 0; i < MP_N_ELEMS(names); i++) {
		mp_auto_free char *theirs = lines_of_ssh_keygen(d, names[i]);
		mp_auto_free char *lower = mp_known_hosts_name(names[i], 22);
		mp_auto_free char *ours = our_lines(d, lower);

		assert_string_equal(ours, theirs);
	}
}

static void test_hashed_names(void **state)
{
	struct dir *d = *state;
	mp_auto_free char *text = NULL, *one = NULL, *two = NULL, *none = NULL;

	test_write(d->known, "compute1,192.0.2.7 ssh-ed25519 " KEY1
			     "\n[compute2]:2222 ssh-ed25519 " KEY2 "\n");
	TEST_RUN(NULL, "ssh-keygen", "-H", "-f", d->known);
	text = test_read(d->known);
	assert_null(strstr(text, "compute"));
	one = our_lines(d, "192.0.2.7");
	two = our_lines(d, "[compute2]:2222");
	none = our_lines(d, "compute2");
	assert_string_equal(one, "2 "); /* ssh-keygen makes a line for each name */
	assert_string_equal(two, "3 ");
	assert_string_equal(none, "");
	assert_false(mp_known_hosts_match("|1|bad", "x"));
	assert_false(mp_known_hosts_match("|1||", "x"));
	assert_false(mp_known_hosts_match("|1|AAAA|AAAA", "x"));
}

static enum mp_known_verdict judge(const char *text, const char *type, const char *key,
				   const char **place)
{
	static struct mp_known_keys k;
	const struct mp_known_key *why;
	enum mp_known_verdict v;

	mp_known_keys_fini(&k);
	mp_known_hosts_find(text, "f", "h", &k);
	v = mp_known_hosts_judge(&k, type, key, &why);
	*place = why ? why->place : "";
	return v;
}

static void test_judge(void **state)
{
	const char *at;

	(void)state;
	assert_int_equal(judge("", "ssh-ed25519", KEY1, &at), MP_KNOWN_UNKNOWN);
	assert_int_equal(judge("h ssh-ed25519 " KEY1 "\n", "ssh-ed25519", KEY1, &at),
			 MP_KNOWN_MATCH);
	assert_int_equal(judge("h ssh-ed25519 " KEY2 "\n", "ssh-ed25519", KEY1, &at),
			 MP_KNOWN_CHANGED);
	assert_string_equal(at, "f:1");
	assert_int_equal(judge("h ssh-rsa AAAA\n", "ssh-ed25519", KEY1, &at), MP_KNOWN_OTHER);
	/* The old key still stands beside the new one. */
	assert_int_equal(
		judge("h ssh-ed25519 " KEY2 "\nh ssh-ed25519 " KEY1 "\n", "ssh-ed25519", KEY1, &at),
		MP_KNOWN_MATCH);
	assert_string_equal(at, "f:2");
	assert_int_equal(
		judge("h ssh-ed25519 " KEY2 "\nh ssh-rsa AAAA\n", "ssh-ed25519", KEY1, &at),
		MP_KNOWN_CHANGED);
	/* A revocation beats everything, wherever it stands; that of another key means nothing. */
	assert_int_equal(judge("h ssh-ed25519 " KEY1 "\n@revoked * ssh-ed25519 " KEY1 "\n",
			       "ssh-ed25519", KEY1, &at),
			 MP_KNOWN_REVOKED);
	assert_string_equal(at, "f:2");
	assert_int_equal(judge("@revoked * ssh-ed25519 " KEY2 "\nh ssh-ed25519 " KEY1 "\n",
			       "ssh-ed25519", KEY1, &at),
			 MP_KNOWN_MATCH);
	assert_int_equal(
		judge("@cert-authority * ssh-ed25519 " KEY2 "\n", "ssh-ed25519", KEY1, &at),
		MP_KNOWN_AUTHORITY);
	/* A certificate authority's key is not a host key. */
	assert_int_equal(
		judge("@cert-authority * ssh-ed25519 " KEY1 "\n", "ssh-ed25519", KEY1, &at),
		MP_KNOWN_AUTHORITY);
	judge("", "", "", &at);
}

static void load_config(const char *file, struct mp_host *h, struct mp_ssh_config *c)
{
	struct mp_dial dial = { .ssh_program = "ssh", .ssh_config = file };
	struct mp_err err = { 0 };

	if (mp_ssh_config_load(&dial, h, mp_now() + 10000, c, &err) < 0)
		fail_msg("%s", err.text);
}

static void test_config_of_ssh(void **state)
{
	struct dir *d = *state;
	mp_auto_free char *file = mp_xasprintf("%s/config", d->path);
	mp_auto_ssh_config struct mp_ssh_config c = { 0 }, c2 = { 0 };
	struct mp_host h = { .name = (char[]){ "web" }, .address = (char[]){ "web" } };

	test_write(file, "Host web\n HostName 192.0.2.9\n Port 2200\n User ops\n"
			 " IdentityFile /k/%%h-%%n\n IdentityFile %%d/second\n"
			 " UserKnownHostsFile /a /b\n GlobalKnownHostsFile none\n"
			 " ProxyJump j1,j2:2222\n HostKeyAlias web-alias\n IdentitiesOnly yes\n"
			 " ConnectTimeout 7\n AddressFamily inet6\n"
			 "Match user special\n Port 2300\n");
	load_config(file, &h, &c);
	assert_string_equal(c.hostname, "192.0.2.9");
	assert_string_equal(c.user, "ops");
	assert_int_equal(c.port, 2200);
	assert_string_equal(c.identities.v[0], "/k/192.0.2.9-web");
	assert_non_null(strstr(c.identities.v[1], "/second"));
	assert_null(strchr(c.identities.v[1], '%'));
	assert_int_equal(c.known_hosts.n, 2);
	assert_string_equal(c.known_hosts.v[1], "/b");
	assert_string_equal(c.proxy_jump, "j1,j2:2222");
	assert_string_equal(c.host_key_alias, "web-alias");
	assert_true(c.identities_only);
	assert_int_equal(c.connect_timeout, 7);
	assert_int_equal(c.family, AF_INET6);
	assert_null(c.unsupported);
	/* The inventory comes before the file, and Match sees it. */
	h = (struct mp_host){ .name = (char[]){ "x" },
			      .address = (char[]){ "192.0.2.1" },
			      .ssh_user = (char[]){ "special" },
			      .ssh_key = (char[]){ "/only/this" } };
	load_config(file, &h, &c2);
	assert_string_equal(c2.hostname, "192.0.2.1");
	assert_string_equal(c2.user, "special");
	assert_int_equal(c2.port, 2300);
	assert_int_equal(c2.identities.n, 1);
	assert_string_equal(c2.identities.v[0], "/only/this");
	assert_true(c2.identities_only);
	assert_null(c2.proxy_jump);
}

static void test_config_errors(void **state)
{
	struct dir *d = *state;
	mp_auto_free char *file = mp_xasprintf("%s/config", d->path);
	mp_auto_ssh_config struct mp_ssh_config c = { 0 };
	struct mp_dial dial = { .ssh_program = "ssh", .ssh_config = file };
	struct mp_host h = { .name = (char[]){ "x" },
			     .address = (char[]){ "-oProxyCommand=touch /tmp/x" } };
	struct mp_err err = { 0 };
	char nothing[] = "user x\nport 22\n";

	test_write(file, "Hots *\n");
	assert_int_equal(mp_ssh_config_load(&dial, &h, mp_now() + 10000, &c, &err), -1);
	test_write(file, "\n");
	/* A host name that looks like an option is refused by ssh, not taken as one. */
	assert_int_equal(mp_ssh_config_load(&dial, &h, mp_now() + 10000, &c, &err), -1);
	assert_int_equal(err.code, MP_E_INPUT);
	dial.ssh_program = "/nonexistent/ssh";
	assert_int_equal(mp_ssh_config_load(&dial, &h, mp_now() + 10000, &c, &err), -1);
	assert_int_equal(err.code, MP_E_UNSUPPORTED);
	assert_int_equal(mp_ssh_config_parse(nothing, "/", "u", "h", &c, &err), -1);
	assert_int_equal(err.code, MP_E_PROTO);
}

static void test_config_parse_rare(void **state)
{
	char text[] = "hostname [2001:db8::5]\nuser u\nport 22\nproxyjump none\nproxycommand none\n"
		      "identityfile ~/.ssh/a\nidentityfile ${MIGPREP_TEST_DIR}/b\n"
		      "identityfile none\ncertificatefile /c\npubkeyauthentication true\n";
	mp_auto_ssh_config struct mp_ssh_config c = { 0 };
	struct mp_err err = { 0 };

	(void)state;
	setenv("MIGPREP_TEST_DIR", "/env", 1);
	assert_int_equal(mp_ssh_config_parse(text, "/home/me", "me", "h", &c, &err), 0);
	assert_string_equal(c.hostname, "2001:db8::5");
	assert_null(c.proxy_jump);
	assert_null(c.proxy_command);
	assert_int_equal(c.identities.n, 2);
	assert_string_equal(c.identities.v[0], "/home/me/.ssh/a");
	assert_string_equal(c.identities.v[1], "/env/b");
	assert_string_equal(c.unsupported, "certificatefile /c");
}

/* Makes a key with ssh-keygen, loads it, and compares type and fingerprint with ssh-keygen -lf. */
static void check_key(const struct dir *d, const char *type, const char *format,
		      const char *passphrase, bool encrypted)
{
	mp_auto_free char *path = mp_xasprintf("%s/key", d->path), *print = NULL;
	mp_auto_free char *pub = mp_xasprintf("%s/key.pub", d->path);
	const char *const list[] = { "ssh-keygen", "-lf", pub, NULL };
	mp_auto_ssh_key struct mp_ssh_key k = { 0 };
	struct mp_err err = { 0 };
	char got[64];

	unlink(path);
	unlink(pub);
	TEST_RUN(NULL, "ssh-keygen", "-q", "-t", type, "-m", format, "-N", passphrase, "-f", path);
	if (mp_ssh_key_load(path, &k, &err) < 0)
		fail_msg("%s", err.text);
	print = test_output(d->path, list);
	mp_ssh_blob_fingerprint(k.blob, k.blob_size, got);
	assert_non_null(strstr(print, got));
	assert_int_equal(strlen(got), strlen("SHA256:") + 43);
	assert_int_equal(k.encrypted, encrypted);
}

static void test_keys_of_ssh_keygen(void **state)
{
	struct dir *d = *state;

	check_key(d, "ed25519", "RFC4716", "", false);
	check_key(d, "ed25519", "RFC4716", "secret", true);
	check_key(d, "ecdsa", "RFC4716", "", false);
	check_key(d, "rsa", "RFC4716", "", false);
	check_key(d, "rsa", "PEM", "", false);
	check_key(d, "rsa", "PEM", "secret", true);
	check_key(d, "rsa", "PKCS8", "secret", true);
	check_key(d, "ecdsa", "PKCS8", "", false);
}

static void test_bad_key_files(void **state)
{
	struct dir *d = *state;
	mp_auto_free char *path = mp_xasprintf("%s/bad", d->path);
	mp_auto_ssh_key struct mp_ssh_key k = { 0 };
	struct mp_err err = { 0 };

	assert_int_equal(mp_ssh_key_load("/nonexistent/key", &k, &err), 0);
	assert_null(k.text);
	assert_int_equal(mp_ssh_key_load(d->path, &k, &err), -1); /* a directory */
	assert_int_equal(err.code, MP_E_INPUT);
	test_write(path, "ssh-ed25519 " KEY1 "\n");
	assert_int_equal(mp_ssh_key_load(path, &k, &err), -1);
	assert_int_equal(err.code, MP_E_INPUT);
	test_write(path, "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"
			 "-----END OPENSSH PRIVATE KEY-----\n");
	assert_int_equal(mp_ssh_key_load(path, &k, &err), -1);
	/* "openssh-key-v1\0", then a string that claims 4 GiB. */
	test_write(path, "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA/////wAA\n"
			 "-----END OPENSSH PRIVATE KEY-----\n");
	assert_int_equal(mp_ssh_key_load(path, &k, &err), -1);
	assert_int_equal(err.code, MP_E_INPUT);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(mp_ssh_key_load(path, &k, &err), -1);
	assert_int_equal(err.code, MP_E_DENIED);
	assert_non_null(strstr(err.text, "chmod 600"));
}

static void test_explain(void **state)
{
	/* Messages as OpenSSH 9.2 wrote them on this kind of machine. */
	static const struct {
		const char *text;
		enum mp_code code;
	} rows[] = {
		{ "ssh: connect to host 127.0.0.1 port 9: Connection refused", MP_E_REFUSED },
		{ "ssh: connect to host 192.0.2.1 port 22: Connection timed out", MP_E_TIMEOUT },
		{ "ssh: connect to host 192.0.2.1 port 22: No route to host", MP_E_UNREACHABLE },
		{ "ssh: connect to host 192.0.2.1 port 22: Network is unreachable",
		  MP_E_UNREACHABLE },
		{ "ssh: Could not resolve hostname nowhere: Name or service not known",
		  MP_E_UNREACHABLE },
		{ "Connection timed out during banner exchange", MP_E_TIMEOUT },
		{ "root@127.0.0.1: Permission denied (publickey).", MP_E_DENIED },
		{ "No ED25519 host key is known for h and you have requested strict checking. "
		  "Host key verification failed.",
		  MP_E_HOSTKEY },
		{ "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", MP_E_HOSTKEY },
		{ "kex_exchange_identification: Connection closed by remote host", MP_E_GONE },
		{ "Unable to negotiate with 127.0.0.1 port 2: no matching host key type found. "
		  "Their offer: ssh-rsa",
		  MP_E_UNSUPPORTED },
		{ "", MP_E_GONE },
	};

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(rows); i++) {
		struct mp_err err = { 0 };

		assert_int_equal(mp_openssh_explain(255, rows[i].text, &err), -1);
		assert_string_equal(mp_code_name(err.code), mp_code_name(rows[i].code));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_find_agrees_with_ssh_keygen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hashed_names, setup, teardown),
		cmocka_unit_test(test_judge),
		cmocka_unit_test_setup_teardown(test_config_of_ssh, setup, teardown),
		cmocka_unit_test_setup_teardown(test_config_errors, setup, teardown),
		cmocka_unit_test(test_config_parse_rare),
		cmocka_unit_test_setup_teardown(test_keys_of_ssh_keygen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_key_files, setup, teardown),
		cmocka_unit_test(test_explain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
