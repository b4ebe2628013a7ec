/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_ssh_text: keys, authorized_keys and known_hosts as texts. What ssh-keygen prints or finds is
 * what we must say. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "fake-root.h"
#include "model/ssh-text.h"
#include "model/world.h"

/* ---- keys ---- */

static void public_keys_as_ssh_keygen_says(void **state)
{
	static const char *const types[] = { "ed25519",      "rsa -b 2048",  "rsa -b 3072",
					     "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521" };
	struct env *e = *state;

	for (size_t i = 0; i < MP_N_ELEMS(types); i++) {
		mp_auto_free char *name = mp_xasprintf("k%zu", i), *told = NULL, *text = NULL;
		mp_auto_free char *line = new_key(e->root, types[i], name), *path = NULL;
		mp_auto_free char *key = NULL, *print = fingerprint_by_keygen(e->root, name);
		struct mp_ssh_pub pub;

		told = sh("ssh-keygen -lf %s/%s.pub | cut -d' ' -f1", e->root, name);
		assert_true(mp_ssh_pub_parse(line, strlen(line), &pub));
		assert_string_equal(pub.fingerprint, print);
		assert_int_equal(pub.bits, atoi(told));
		path = mp_xasprintf("/%s", name);
		text = slurp(e->root, path);
		assert_int_equal(mp_ssh_private_parse(text, strlen(text), &key),
				 MP_SSH_PRIVATE_PLAIN);
		assert_string_equal(key, line);
	}
}

static void private_keys_of_other_kinds(void **state)
{
	struct env *e = *state;
	mp_auto_free char *locked = NULL, *pem = NULL, *pem_locked = NULL, *a = NULL, *b = NULL,
			  *c = NULL, *d = NULL;

	run("ssh-keygen -q -t ed25519 -N secret -f %s/locked", e->root);
	run("ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -f %s/pem", e->root);
	run("ssh-keygen -q -t rsa -b 2048 -m PEM -N secret -f %s/peml", e->root);
	locked = slurp(e->root, "/locked");
	pem = slurp(e->root, "/pem");
	pem_locked = slurp(e->root, "/peml");
	assert_int_equal(mp_ssh_private_parse(locked, strlen(locked), &a), MP_SSH_PRIVATE_LOCKED);
	assert_int_equal(mp_ssh_private_parse(pem, strlen(pem), &b), MP_SSH_PRIVATE_OTHER);
	assert_int_equal(mp_ssh_private_parse(pem_locked, strlen(pem_locked), &c),
			 MP_SSH_PRIVATE_LOCKED);
	/* Cut short, as a full disk leaves it. */
	for (size_t n = 0; n < strlen(locked) - 2; n += 7) {
		mp_auto_free char *cut = mp_xstrndup(locked, n);

		assert_int_equal(mp_ssh_private_parse(cut, n, &d), MP_SSH_PRIVATE_BROKEN);
	}
}

static void no_public_keys(void **state)
{
	static const char *const bad[] = {
		"",
		"ssh-ed25519",
		"ssh-ed25519 ",
		"ssh-ed25519 !!!!",
		"ssh-ed25519 AAAA",
		/* says rsa, is ed25519 */
		"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS",
		"# comment",
	};
	struct mp_ssh_pub pub;

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(bad); i++)
		assert_false(mp_ssh_pub_parse(bad[i], strlen(bad[i]), &pub));
}

/* ---- authorized_keys ---- */

static json_t *want_keys(const char *k1, const char *k2)
{
	json_t *list = json_array();
	const char *const keys[] = { k1, k2 };

	for (size_t i = 0; i < 2; i++) {
		mp_auto_free char *comment = mp_xasprintf("migprep@h%zu", i + 1);
		struct mp_ssh_pub pub;

		if (!keys[i])
			continue;
		assert_true(mp_ssh_pub_parse(keys[i], strlen(keys[i]), &pub));
		json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "comment", comment, "key",
						      keys[i], "ref", pub.ref));
	}
	return list;
}

static void check_authorized(const char *before, const char *after)
{
	json_t *keys = want_keys(K1, K2), *stale = json_pack("[s]", "migprep@shared");
	mp_auto_free char *once = mp_ssh_authorized_edit(before, keys, stale);
	mp_auto_free char *twice = mp_ssh_authorized_edit(once, keys, stale);

	assert_string_equal(once, after);
	assert_string_equal(twice, once);
	json_decref(keys);
	json_decref(stale);
}

static void authorized_lines(void **state)
{
	(void)state;
	check_authorized(NULL, K1 " migprep@h1\n" K2 " migprep@h2\n");
	/* Foreign lines stay, byte by byte; a last line without newline gets one. */
	check_authorized("# by hand\n\n  from=\"10.0.0.0/8\" " K3 "  admin  laptop\t\r\nrubbish",
			 "# by hand\n\n  from=\"10.0.0.0/8\" " K3
			 "  admin  laptop\t\r\nrubbish\n" K1 " migprep@h1\n" K2 " migprep@h2\n");
	/* A key that is there under another comment or with options is not doubled. */
	check_authorized(K2 " root@h2\nfrom=\"10.0.0.1\",no-pty " K1 " migprep@h1\n",
			 K2 " root@h2\nfrom=\"10.0.0.1\",no-pty " K1 " migprep@h1\n");
	/* The old key of a host of ours goes; that of a host that was not reached stays. */
	check_authorized(K3 " migprep@h1\n" K3 " migprep@h9\n" K3 " migprep@shared\n",
			 K3 " migprep@h9\n" K1 " migprep@h1\n" K2 " migprep@h2\n");
	/* Quotes and blanks in options, and a certificate authority that is no key. */
	check_authorized("command=\"echo \\\"a b\\\", c\" " K3 " x\ncert-authority " K1 " ca\n",
			 "command=\"echo \\\"a b\\\", c\" " K3 " x\ncert-authority " K1 " ca\n" K1
			 " migprep@h1\n" K2 " migprep@h2\n");
}

static void authorized_facts(void **state)
{
	static const char text[] = "command=\"/bin/false\" " K1 " x\n" K1 " migprep@h1\n" K2
				   " migprep@h2\nenvironment=\"command=1\" " K3 " y\n";
	json_t *fact = mp_ssh_authorized_fact(text), *keys = json_object_get(fact, "keys");
	struct mp_ssh_pub k1, k2, k3;

	(void)state;
	assert_true(mp_ssh_pub_parse(K1, strlen(K1), &k1));
	assert_true(mp_ssh_pub_parse(K2, strlen(K2), &k2));
	assert_true(mp_ssh_pub_parse(K3, strlen(K3), &k3));
	assert_string_equal(mp_json_str(keys, k1.ref, ""), "command");
	assert_string_equal(mp_json_str(keys, k2.ref, ""), "ok");
	assert_string_equal(mp_json_str(keys, k3.ref, ""), "ok");
	assert_int_equal(json_object_size(json_object_get(fact, "ours")), 2);
	json_decref(fact);
}

static void state_of_k1(const char *text, const char *want)
{
	json_t *fact = mp_ssh_authorized_fact(text);
	struct mp_ssh_pub k1;

	assert_true(mp_ssh_pub_parse(K1, strlen(K1), &k1));
	assert_string_equal(mp_json_str(json_object_get(fact, "keys"), k1.ref, "absent"), want);
	json_decref(fact);
}

/* The states that follow were tried on sshd itself: test_try.c, test_limits. */
static void authorized_limits(void **state)
{
	(void)state;
	state_of_k1("no-pty,from=\"10.0.0.0/8,!10.0.0.9\" " K1 " migprep@h1\n", "from");
	state_of_k1("expiry-time=\"20300101\" " K1 "\n", "expiry-time");
	state_of_k1("Principals=\"a,b\" " K1 "\n", "principals");
	state_of_k1("from=\"10.0.0.1\",command=\"x\" " K1 "\n", "command");
	state_of_k1("restrict,no-pty,permitopen=\"a:1\",environment=\"from=x\" " K1 "\n", "ok");
	/* Behind a refused line another may grant the key; behind a forced command none is read. */
	state_of_k1("from=\"10.0.0.1\" " K1 "\n" K1 "\n", "ok");
	state_of_k1("from=\"10.0.0.1\" " K1 "\ncommand=\"x\" " K1 "\n" K1 "\n", "command");
	state_of_k1(K1 "\ncommand=\"x\" " K1 "\nfrom=\"10.0.0.1\" " K1 "\n", "ok");
	state_of_k1("cert-authority,principals=\"root\" " K1 "\n", "absent");
}

/* ---- known_hosts ---- */

static json_t *entry(const char *names, const char *key)
{
	struct mp_ssh_pub pub;

	assert_true(mp_ssh_pub_parse(key, strlen(key), &pub));
	return json_pack("{s:s,s:s,s:s,s:s}", "names", names, "key", key, "ref", pub.ref, "host",
			 "h");
}

static void check_known(const char *before, const char *after)
{
	json_t *entries =
		json_pack("[o,o]", entry("10.0.0.1,h1,h1.example", K1), entry("10.0.0.2,h2", K2));
	json_t *names = json_pack("[s,s,s,s]", "h1", "h2", "10.0.0.1", "10.0.0.2");
	mp_auto_free char *once = mp_ssh_known_edit(before, entries, names);
	mp_auto_free char *twice = mp_ssh_known_edit(once, entries, names);

	assert_string_equal(once, after);
	assert_string_equal(twice, once);
	json_decref(entries);
	json_decref(names);
}

static void known_lines(void **state)
{
	(void)state;
	check_known(NULL, "10.0.0.1,h1,h1.example " K1 "\n10.0.0.2,h2 " K2 "\n");
	/* A line of ours grows by a name that is new. */
	check_known("10.0.0.1,h1 " K1 " note\n10.0.0.2,h2 " K2 "\n",
		    "10.0.0.1,h1,h1.example " K1 " note\n10.0.0.2,h2 " K2 "\n");
	/* Covered by several lines and beside a foreign name: nothing happens. */
	check_known("h1 " K1 "\nh1.example,10.0.0.1,vip " K1 "\n10.0.0.2,h2 " K2 "\n",
		    "h1 " K1 "\nh1.example,10.0.0.1,vip " K1 "\n10.0.0.2,h2 " K2 "\n");
	/* A changed host key: our name leaves the line, a foreign name stays in it. */
	check_known("# c\nh2,gitlab " K3 "\n10.0.0.2 " K3 "\n10.0.0.1,h1,h1.example " K1 "\n",
		    "# c\ngitlab " K3 "\n10.0.0.1,h1,h1.example " K1 "\n10.0.0.2,h2 " K2 "\n");
	/* Patterns, authorities, revoked and foreign lines are left alone. */
	check_known("*.example,!h1 " K3 "\n@cert-authority * " K3 "\n@revoked h1 " K3 "\nvip " K3
		    "\n",
		    "*.example,!h1 " K3 "\n@cert-authority * " K3 "\n@revoked h1 " K3 "\nvip " K3
		    "\n10.0.0.1,h1,h1.example " K1 "\n10.0.0.2,h2 " K2 "\n");
}

/* RFC 2202 has no test with a 20 byte salt like this one; ssh-keygen -H is the other
 * implementation. */
static void hashed_lines_as_ssh_keygen_makes_them(void **state)
{
	struct env *e = *state;
	mp_auto_free char *hashed = NULL, *edited = NULL, *found = NULL;
	json_t *names = json_pack("[s,s]", "h1", "h2"), *fact;
	json_t *entries = json_pack("[o,o]", entry("h1", K1), entry("h2", K2));
	struct mp_ssh_pub k2, k3;

	assert_true(mp_ssh_pub_parse(K2, strlen(K2), &k2));
	assert_true(mp_ssh_pub_parse(K3, strlen(K3), &k3));
	/* h1 with a wrong key, h2 with the right one, and a name that is not ours. */
	put(e->root, "/kh", "h1 " K3 "\nh2 " K2 "\nother " K3 "\n");
	run("ssh-keygen -H -f %s/kh >/dev/null 2>&1 && ! grep -q h1 %s/kh", e->root, e->root);
	hashed = slurp(e->root, "/kh");
	fact = mp_ssh_known_fact(hashed, names);
	assert_int_equal(json_object_size(json_object_get(fact, "keys")), 0);
	assert_string_equal(mp_json_str(json_object_get(fact, "hashed"), k3.ref, ""), "h1");
	assert_string_equal(mp_json_str(json_object_get(fact, "hashed"), k2.ref, ""), "h2");
	edited = mp_ssh_known_edit(hashed, entries, names);
	put(e->root, "/kh", edited);
	found = sh("ssh-keygen -F h1 -f %s/kh | grep -v '^#' | cut -d' ' -f2,3", e->root);
	assert_string_equal(found, K1 "\n");
	mp_cleanup_free(&found);
	found = sh("ssh-keygen -F h2 -f %s/kh | grep -v '^#' | cut -d' ' -f2,3 | uniq", e->root);
	assert_string_equal(found, K2 "\n");
	mp_cleanup_free(&found);
	found = sh("ssh-keygen -F other -f %s/kh | grep -c ' '", e->root);
	assert_true(atoi(found) >= 1);
	json_decref(fact);
	json_decref(names);
	json_decref(entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(public_keys_as_ssh_keygen_says),
		T(private_keys_of_other_kinds),
		T(no_public_keys),
		T(authorized_lines),
		T(authorized_facts),
		T(authorized_limits),
		T(known_lines),
		T(hashed_lines_as_ssh_keygen_makes_them),
	};

	return cmocka_run_group_tests_name("ssh-text", tests, NULL, NULL);
}
