/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_ssh_resources: keys, authorized_keys and known_hosts. ssh-keygen is the second source: what
 * it prints of a key or finds in a file is what we must say. Resources run below a pretended root;
 * generating keys needs the real one, in a mount namespace of its own with a home directory that is
 * not there outside.
 */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "host/host.h"
#include "model/ssh-text.h"
#include "resource/resource.h"
#include "resource/ssh-user.h"
#include "sample/sample.h"

extern const struct mp_resource mp_resource_ssh_keys, mp_resource_ssh_authorized,
	mp_resource_ssh_known_hosts;
extern const struct mp_sample mp_sample_identity, mp_sample_ports, mp_sample_kernel,
	mp_sample_users;

struct env {
	char root[64]; /* pretended root, with etc/passwd and two homes */
	struct mp_sys *sys;
};

/* ---- helpers ---- */

/* Runs a shell command and returns its output; it must succeed. */
static char *capture(const char *cmd)
{
	mp_auto_buf struct mp_buf b;
	char chunk[4096];
	size_t n;
	FILE *f;
	int rc;

	mp_buf_init(&b, 0);
	f = popen(cmd, "re");
	assert_non_null(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		mp_buf_add(&b, chunk, n);
	rc = pclose(f);
	if (rc != 0)
		fail_msg("'%s' ended with status %d", cmd, rc);
	return mp_buf_take(&b);
}

__attribute__((format(printf, 1, 2))) static char *sh(const char *fmt, ...)
{
	mp_auto_free char *cmd = NULL;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&cmd, fmt, ap) >= 0);
	va_end(ap);
	return capture(cmd);
}

__attribute__((format(printf, 1, 2))) static void run(const char *fmt, ...)
{
	mp_auto_free char *cmd = NULL, *out = NULL;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&cmd, fmt, ap) >= 0);
	va_end(ap);
	out = capture(cmd);
}

static char *slurp(const char *dir, const char *path)
{
	return sh("cat '%s%s'", dir, path);
}

static void put(const char *dir, const char *path, const char *text)
{
	mp_auto_free char *p = mp_xasprintf("%s%s", dir, path);
	FILE *f = fopen(p, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static struct stat st_of(const char *dir, const char *path)
{
	mp_auto_free char *p = mp_xasprintf("%s%s", dir, path);
	struct stat st;

	assert_int_equal(stat(p, &st), 0);
	return st;
}

static int setup(void **state)
{
	struct env *e = mp_xcalloc(1, sizeof(*e));
	struct mp_err err = { 0 };

	strcpy(e->root, "/tmp/mp-ssh-XXXXXX");
	assert_non_null(mkdtemp(e->root));
	run("cd %s && mkdir -p etc/ssh/sshd_config.d root var/lib/nova proc/net proc/sys && chmod "
	    "755 .",
	    e->root);
	put(e->root, "/etc/group", "root:x:0:\nnova:x:64060:\nkvm:x:104:\n");
	put(e->root, "/etc/passwd",
	    "root:x:0:0::/root:/bin/bash\nnova:x:64060:64060::/var/lib/nova:/bin/bash\n");
	run("chown 64060:64060 %s/var/lib/nova", e->root);
	assert_int_equal(mp_sys_open(e->root, &e->sys, &err), 0);
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	struct env *e = *state;

	mp_sys_close(e->sys);
	run("rm -rf %s", e->root);
	free(e);
	return 0;
}

/* observe, diff; apply if it says drift. Returns the status before. */
static enum mp_status converge(struct mp_sys *sys, const struct mp_resource *r,
			       const json_t *params, const json_t *want, bool apply,
			       json_t **ret_fact, char **ret_text)
{
	mp_auto_diff struct mp_diff d;
	mp_auto_buf struct mp_buf b;
	struct mp_err err = { 0 };
	json_t *fact = NULL;

	mp_diff_init(&d);
	mp_buf_init(&b, 0);
	if (r->observe(sys, params, &fact, &err) < 0)
		fail_msg("observe %s: %s", r->id, err.text);
	r->diff(fact, want, &d);
	if (apply && d.status == MP_DRIFT) {
		assert_int_equal(mp_sys_begin(sys, r->id, &err), 0);
		if (r->apply(sys, params, fact, want, &err) < 0)
			fail_msg("apply %s: %s", r->id, err.text);
		assert_int_equal(mp_sys_end(sys, true, &err), 0);
	}
	for (size_t i = 0; i < d.n_changes; i++)
		mp_buf_printf(&b, "%s: %s -> %s\n", d.changes[i].what,
			      d.changes[i].before ? d.changes[i].before : "-",
			      d.changes[i].after ? d.changes[i].after : "-");
	if (d.reason)
		mp_buf_printf(&b, "%s\n", d.reason);
	if (ret_text)
		*ret_text = mp_buf_take(&b);
	if (ret_fact)
		*ret_fact = fact;
	else
		json_decref(fact);
	return d.status;
}

/* A made-up but well-formed ed25519 key: "TYPE BASE64", and its reference by ssh-keygen's own rule,
 * by ssh-keygen. */
static char *new_key(const char *dir, const char *type, const char *name)
{
	mp_auto_free char *out = NULL;

	out = sh("ssh-keygen -q -t %s -N '' -C c -f %s/%s && cut -d' ' -f1,2 %s/%s.pub | tr -d "
		 "'\\n'",
		 type, dir, name, dir, name);
	return mp_steal(&out);
}

static char *fingerprint_by_keygen(const char *dir, const char *name)
{
	return sh("ssh-keygen -lf %s/%s.pub | cut -d' ' -f2 | tr -d '\\n'", dir, name);
}

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

#define K1 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS"
#define K2 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAuXaJZ0YJo0Zzq5zq3l6nT3ur4i2eTsr6Ai0fVmnIyb"
#define K3 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEqmfPyFxMYbYt4xz0wYH4dS0aTgUoyIqGJ8oJvDUZxw"

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

/* ---- a small world ---- */

struct cluster {
	struct mp_profile *profile;
	struct mp_inventory *inv;
	struct mp_world w;
};

static void cluster_init(struct cluster *c)
{
	static const char text[] = "[host h1]\naddress = 10.0.0.1\naliases = h1-mig\n"
				   "[host h2]\naddress = 10.0.0.2\n[host h3]\naddress = 10.0.0.3\n";
	struct mp_err err = { 0 };

	*c = (struct cluster){ .profile = mp_profile_new() };
	assert_int_equal(mp_inventory_parse(text, strlen(text), "inv", &c->inv, &err), 0);
	c->w = (struct mp_world){ .inv = c->inv,
				  .profile = c->profile,
				  .hosts = mp_xcalloc(c->inv->n_hosts, sizeof(*c->w.hosts)) };
	for (size_t i = 0; i < 2; i++)
		c->w.hosts[i].selected = c->w.hosts[i].reached = true;
}

static void cluster_fini(struct cluster *c)
{
	mp_world_fini(&c->w);
	mp_profile_free(c->profile);
	mp_inventory_free(c->inv);
}

static void merge(struct cluster *c, size_t host, const char *id, json_t *fact)
{
	json_t *facts = json_pack("{s:o}", id, fact);

	mp_world_merge(&c->w, host, facts);
	json_decref(facts);
}

static json_t *host_key(const char *key)
{
	struct mp_ssh_pub pub;

	if (!mp_ssh_pub_parse(key, strlen(key), &pub))
		return json_pack("{s:s,s:s,s:s}", "type", "ssh-ed25519", "fingerprint", "SHA256:x",
				 "line", key);
	return json_pack("{s:s,s:s,s:s}", "type", pub.type, "fingerprint", pub.fingerprint, "line",
			 key);
}

static json_t *user_key(const char *key)
{
	json_t *k = host_key(key);

	json_object_set_new(k, "file", json_string("id_ed25519"));
	json_object_set_new(k, "public", json_string("ok"));
	return json_pack("{s:s,s:[o]}", "home", "/root", "keys", k);
}

static void cluster_keys(struct cluster *c)
{
	merge(c, 0, "ssh-keys",
	      json_pack("{s:{s:o,s:o}}", "users", "root", user_key(K1), "nova", user_key(K3)));
	merge(c, 1, "ssh-keys",
	      json_pack("{s:{s:o,s:o}}", "users", "root", user_key(K2), "nova", user_key(K3)));
}

static void known_hosts_converges(void **state)
{
	const struct mp_resource *r = &mp_resource_ssh_known_hosts;
	struct env *e = *state;
	mp_auto_free char *text = NULL, *file = NULL, *found = NULL;
	struct stat before, after;
	json_t *params, *want, *other, *fact = NULL;
	struct cluster c;

	cluster_init(&c);
	merge(&c, 0, "identity",
	      json_pack("{s:s,s:s,s:[o],s:[i]}", "hostname", "h1", "fqdn", "h1.example.org",
			"host_keys", host_key(K1), "sshd_ports", 22));
	merge(&c, 1, "identity",
	      json_pack("{s:s,s:s,s:[o,o],s:[i,i]}", "hostname", "h2", "fqdn", "h2", "host_keys",
			host_key(K2), host_key(K3 "\nevil " K3), "sshd_ports", 22, 2222));
	params = r->params(&c.w, &c.inv->hosts[0]);
	want = r->want(&c.w, &c.inv->hosts[0]);
	other = r->want(&c.w, &c.inv->hosts[1]);
	/* The same text for every host, so that it is encoded and kept once. */
	assert_true(json_equal(want, other));
	/* A key of ours that has changed, and a foreign line. */
	run("mkdir -m 700 %s/root/.ssh", e->root);
	put(e->root, "/root/.ssh/known_hosts", "h1 " K3 "\ngitlab " K3 "\n");

	assert_int_equal(converge(e->sys, r, params, want, true, NULL, &text), MP_DRIFT);
	assert_non_null(strstr(text, "/root/.ssh/known_hosts h1: ssh-ed25519 SHA256:"));
	assert_non_null(strstr(text, "h1-mig"));
	file = slurp(e->root, "/root/.ssh/known_hosts");
	assert_string_equal(file, "gitlab " K3 "\n10.0.0.1,h1,h1-mig,h1.example.org " K1
				  "\n10.0.0.2,[10.0.0.2]:2222,[h2]:2222,h2 " K2 "\n");
	assert_null(strstr(file, "evil"));
	found = sh("ssh-keygen -F '[h2]:2222' -f %s/root/.ssh/known_hosts | grep -c %s", e->root,
		   "AAAAC3NzaC1lZDI1NTE5AAAAIAuXaJZ0");
	assert_int_equal(atoi(found), 1);
	after = st_of(e->root, "/var/lib/nova/.ssh/known_hosts");
	assert_int_equal(after.st_uid, 64060);
	assert_int_equal(after.st_mode & 07777, 0644);
	after = st_of(e->root, "/var/lib/nova/.ssh");
	assert_int_equal(after.st_uid, 64060);
	assert_int_equal(after.st_mode & 07777, 0700);

	before = st_of(e->root, "/root/.ssh/known_hosts");
	assert_int_equal(converge(e->sys, r, params, want, true, &fact, NULL), MP_OK);
	after = st_of(e->root, "/root/.ssh/known_hosts");
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	json_decref(fact);
	json_decref(params);
	json_decref(want);
	json_decref(other);
	cluster_fini(&c);
}

static void known_hosts_revoked_is_not_touched(void **state)
{
	const struct mp_resource *r = &mp_resource_ssh_known_hosts;
	struct env *e = *state;
	mp_auto_free char *text = NULL, *file = NULL;
	json_t *params, *want;
	struct cluster c;

	cluster_init(&c);
	merge(&c, 0, "identity",
	      json_pack("{s:s,s:[o]}", "hostname", "h1", "host_keys", host_key(K1)));
	run("mkdir -m 700 %s/root/.ssh", e->root);
	put(e->root, "/root/.ssh/known_hosts", "@revoked * " K1 "\n");
	params = r->params(&c.w, &c.inv->hosts[0]);
	want = r->want(&c.w, &c.inv->hosts[0]);
	assert_int_equal(converge(e->sys, r, params, want, true, NULL, &text), MP_FAIL);
	assert_non_null(strstr(text, "revokes the host key ssh-ed25519 SHA256:"));
	file = slurp(e->root, "/root/.ssh/known_hosts");
	assert_string_equal(file, "@revoked * " K1 "\n");
	json_decref(params);
	json_decref(want);
	cluster_fini(&c);
}

static void authorized_converges(void **state)
{
	const struct mp_resource *r = &mp_resource_ssh_authorized;
	struct env *e = *state;
	mp_auto_free char *text = NULL, *file = NULL, *nova = NULL;
	json_t *params, *want;
	struct stat st;
	struct cluster c;

	cluster_init(&c);
	cluster_keys(&c);
	params = r->params(&c.w, &c.inv->hosts[0]);
	want = r->want(&c.w, &c.inv->hosts[0]);
	run("mkdir -m 700 %s/root/.ssh", e->root);
	/* h3 is not reached: its line stays. h1 has an old one. Others may write the file. */
	put(e->root, "/root/.ssh/authorized_keys",
	    K3 " migprep@h3\n" K3 " admin\n" K3 " migprep@h1\n");
	run("chmod 666 %s/root/.ssh/authorized_keys", e->root);
	assert_int_equal(converge(e->sys, r, params, want, true, NULL, &text), MP_DRIFT);
	assert_non_null(strstr(text, "mode 0666"));
	assert_non_null(strstr(text, "old key of h1"));
	assert_non_null(strstr(text, "key of h2: - -> ssh-ed25519 SHA256:"));
	file = slurp(e->root, "/root/.ssh/authorized_keys");
	assert_string_equal(file,
			    K3 " migprep@h3\n" K3 " admin\n" K1 " migprep@h1\n" K2 " migprep@h2\n");
	st = st_of(e->root, "/root/.ssh/authorized_keys");
	assert_int_equal(st.st_mode & 07777, 0600);
	/* nova of both hosts has the same key: one line. */
	nova = slurp(e->root, "/var/lib/nova/.ssh/authorized_keys");
	assert_string_equal(nova, K3 " migprep@h1\n");
	assert_int_equal(converge(e->sys, r, params, want, true, NULL, NULL), MP_OK);
	json_decref(params);
	json_decref(want);
	cluster_fini(&c);
}

static void authorized_fails_as_it_should(void **state)
{
	const struct mp_resource *r = &mp_resource_ssh_authorized;
	struct env *e = *state;
	mp_auto_free char *text = NULL, *pending = NULL, *missing = NULL, *home = NULL;
	json_t *params, *want;
	struct cluster c;

	cluster_init(&c);
	params = r->params(&c.w, &c.inv->hosts[0]);
	/* No keys yet: the dry run says which hosts' keys will come. */
	merge(&c, 0, "ssh-keys",
	      json_pack("{s:{s:{s:[]},s:{s:[]}}}", "users", "root", "keys", "nova", "keys"));
	want = r->want(&c.w, &c.inv->hosts[0]);
	assert_int_equal(converge(e->sys, r, params, want, false, NULL, &pending), MP_DRIFT);
	assert_non_null(strstr(pending, "key of h1: - -> the key that apply makes"));
	json_decref(want);
	cluster_keys(&c);
	want = r->want(&c.w, &c.inv->hosts[0]);
	run("mkdir -m 700 %s/root/.ssh", e->root);
	put(e->root, "/root/.ssh/authorized_keys", "command=\"backup\" " K2 " backup\n");
	assert_int_equal(converge(e->sys, r, params, want, false, NULL, &text), MP_FAIL);
	assert_non_null(strstr(text, "forces a command on the key of h2"));
	run("rmdir %s/var/lib/nova", e->root);
	put(e->root, "/root/.ssh/authorized_keys", "");
	assert_int_equal(converge(e->sys, r, params, want, false, NULL, &home), MP_FAIL);
	assert_non_null(strstr(home, "home directory /var/lib/nova of user nova is missing"));
	put(e->root, "/etc/passwd", "root:x:0:0::/root:/bin/bash\n");
	assert_int_equal(converge(e->sys, r, params, want, false, NULL, &missing), MP_FAIL);
	assert_non_null(strstr(missing, "there is no user nova"));
	json_decref(params);
	json_decref(want);
	cluster_fini(&c);
}

/* ---- ssh-keys on the real root ---- */

static json_t *own_want(const char *comment)
{
	return json_pack("{s:[s],s:s,s:s}", "users", "root", "type", "ed25519", "comment", comment);
}

static void generated(struct mp_sys *sys, const json_t *params)
{
	const struct mp_resource *r = &mp_resource_ssh_keys;
	mp_auto_free char *text = NULL, *said = NULL, *mine = NULL, *dump = NULL, *secret = NULL;
	json_t *want = own_want("migprep@h1"), *fact = NULL;
	const json_t *key;
	struct stat st;

	assert_int_equal(converge(sys, r, params, want, true, NULL, &text), MP_DRIFT);
	assert_non_null(strstr(text, "/root/.ssh/id_ed25519: - -> new ed25519 key pair"));
	assert_int_equal(converge(sys, r, params, want, true, &fact, NULL), MP_OK);
	st = st_of("", "/root/.ssh/id_ed25519");
	assert_int_equal(st.st_mode & 07777, 0600);
	st = st_of("", "/root/.ssh");
	assert_int_equal(st.st_mode & 07777, 0700);
	key = json_array_get(
		json_object_get(json_object_get(json_object_get(fact, "users"), "root"), "keys"),
		0);
	said = sh("ssh-keygen -lf /root/.ssh/id_ed25519.pub | tr -d '\\n'");
	mine = mp_xasprintf("%lld %s migprep@h1 (ED25519)", mp_json_int(key, "bits", 0),
			    mp_json_str(key, "fingerprint", ""));
	assert_string_equal(said, mine);
	/* Without a passphrase, and the two halves belong together. */
	run("test \"$(ssh-keygen -y -P '' -f /root/.ssh/id_ed25519 | cut -d' ' -f1,2)\" = "
	    "\"$(cut -d' ' -f1,2 /root/.ssh/id_ed25519.pub)\"");
	dump = json_dumps(fact, 0);
	secret = sh("sed -n 5p /root/.ssh/id_ed25519 | tr -d '\\n'");
	assert_true(strlen(secret) > 20);
	assert_null(strstr(dump, "PRIVATE"));
	assert_null(strstr(dump, secret));
	run("! grep -rqF \"$(sed -n 5p /root/.ssh/id_ed25519)\" /var/lib/migprep /run");
	json_decref(fact);
	json_decref(want);
}

static void damaged(struct mp_sys *sys, const json_t *params)
{
	const struct mp_resource *r = &mp_resource_ssh_keys;
	mp_auto_free char *text = NULL, *before = NULL, *after = NULL;
	json_t *want = own_want("migprep@h1");
	struct stat st;

	before = sh("cut -d' ' -f1,2 /root/.ssh/id_ed25519.pub");
	run("chmod 644 /root/.ssh/id_ed25519; chmod 755 /root/.ssh; chmod 775 /root; "
	    "rm /root/.ssh/id_ed25519.pub");
	assert_int_equal(converge(sys, r, params, want, true, NULL, &text), MP_DRIFT);
	assert_non_null(strstr(text, "/root: mode 0775"));
	assert_non_null(strstr(text, "/root/.ssh: mode 0755"));
	assert_non_null(strstr(text, "id_ed25519: mode 0644"));
	assert_non_null(strstr(text, "id_ed25519.pub: - -> SHA256:"));
	assert_int_equal(converge(sys, r, params, want, true, NULL, NULL), MP_OK);
	after = sh("cut -d' ' -f1,2 /root/.ssh/id_ed25519.pub");
	assert_string_equal(before, after);
	st = st_of("", "/root");
	assert_int_equal(st.st_mode & 07777, 0755);
	json_decref(want);
}

static void kept(struct mp_sys *sys, const json_t *params)
{
	const struct mp_resource *r = &mp_resource_ssh_keys;
	mp_auto_free char *text = NULL, *full = NULL;
	json_t *want = own_want("migprep@h1");

	/* An RSA pair of the old format is as good. */
	run("rm -rf /root/.ssh && mkdir -m 700 /root/.ssh && "
	    "ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -f /root/.ssh/id_rsa");
	assert_int_equal(converge(sys, r, params, want, true, NULL, NULL), MP_OK);
	/* One with a passphrase is not, and is not overwritten: another type is made. */
	run("rm /root/.ssh/* && ssh-keygen -q -t ed25519 -N secret -f /root/.ssh/id_ed25519 && "
	    "cp /root/.ssh/id_ed25519 /root/was");
	assert_int_equal(converge(sys, r, params, want, true, NULL, &text), MP_DRIFT);
	assert_non_null(strstr(text, "id_ecdsa: - -> new ecdsa key pair"));
	assert_int_equal(converge(sys, r, params, want, true, NULL, NULL), MP_OK);
	run("cmp /root/was /root/.ssh/id_ed25519");
	/* All taken: a person must decide. */
	run("cd /root/.ssh && rm id_ecdsa* && echo rubbish >id_ecdsa && echo rubbish >id_rsa");
	assert_int_equal(converge(sys, r, params, want, true, NULL, &full), MP_FAIL);
	assert_non_null(strstr(full, "every default key file"));
	json_decref(want);
}

static void shared(struct mp_sys *sys, const json_t *params)
{
	const struct mp_resource *r = &mp_resource_ssh_keys;
	mp_auto_free char *key = NULL, *print = NULL, *secret = NULL, *text = NULL, *now = NULL;
	json_t *want, *none;

	run("rm -rf /root/.ssh /root/was && mkdir -m 700 /root/.ssh && "
	    "ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 && cp /root/.ssh/id_ed25519 "
	    "/root/was");
	key = new_key("/root", "ed25519", "owner");
	print = fingerprint_by_keygen("/root", "owner");
	secret = sh("cat /root/owner");
	want = json_pack("{s:[s],s:s,s:s,s:s,s:{s:{s:s,s:s,s:s,s:s}}}", "users", "root", "type",
			 "ed25519", "comment", MP_SSH_SHARED_COMMENT, "owner", "h1", "shared",
			 "root", "type", "ssh-ed25519", "fingerprint", print, "line", key,
			 "private", secret);
	assert_int_equal(converge(sys, r, params, want, true, NULL, &text), MP_DRIFT);
	assert_non_null(strstr(text, "shared key of h1 SHA256:"));
	assert_null(strstr(text, "PRIVATE"));
	assert_int_equal(converge(sys, r, params, want, true, NULL, NULL), MP_OK);
	now = sh("cat /root/.ssh/id_ed25519");
	assert_string_equal(now, secret);
	run("cmp /root/was /root/.ssh/id_ed25519.migprep-old && "
	    "test $(stat -c %%a /root/.ssh/id_ed25519.migprep-old) = 600");
	/* The owner has none yet. */
	none = json_pack("{s:[s],s:s,s:s,s:s,s:{}}", "users", "root", "type", "ed25519", "comment",
			 MP_SSH_SHARED_COMMENT, "owner", "h1", "shared");
	assert_int_equal(converge(sys, r, params, none, false, NULL, NULL), MP_DRIFT);
	json_decref(want);
	json_decref(none);
}

/* Runs in a child with mounts of its own. */
static void on_real_root(void)
{
	json_t *params = json_pack("{s:[s],s:s}", "users", "root", "type", "ed25519");
	struct mp_err err = { 0 };
	struct mp_sys *sys;

	assert_int_equal(mp_sys_open("/", &sys, &err), 0);
	generated(sys, params);
	damaged(sys, params);
	kept(sys, params);
	shared(sys, params);
	mp_sys_close(sys);
	json_decref(params);
}

static void keys_are_generated_on_the_host(void **state)
{
	static const char *const hide[] = { "/root", "/run", "/var/lib" };
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: needs root for a mount namespace\n");
		skip();
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			_exit(77);
		for (size_t i = 0; i < MP_N_ELEMS(hide); i++)
			if (mount("tmpfs", hide[i], "tmpfs", 0, "mode=0755") < 0)
				_exit(77);
		on_real_root();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("skipped: no mount namespace can be made here\n");
		skip();
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void shared_pair_has_one_owner(void **state)
{
	const struct mp_resource *r = &mp_resource_ssh_keys, *a = &mp_resource_ssh_authorized;
	struct mp_err err = { 0 };
	json_t *own, *taken, *grants, *root;
	struct cluster c;

	(void)state;
	cluster_init(&c);
	assert_int_equal(mp_ssh_shared_owner(&c.w), -1);
	assert_int_equal(mp_profile_set(c.profile, "ssh.keys=shared", "test", &err), 0);
	cluster_keys(&c);
	assert_int_equal(mp_ssh_shared_owner(&c.w), 0);
	merge(&c, 0, MP_SSH_SHARED_FACT,
	      json_pack("{s:{s:s,s:s}}", "root", "private", "SECRET", "public", K1));
	own = r->want(&c.w, &c.inv->hosts[0]);
	taken = r->want(&c.w, &c.inv->hosts[1]);
	assert_null(json_object_get(own, "shared"));
	root = json_object_get(json_object_get(taken, "shared"), "root");
	assert_string_equal(mp_json_str(root, "private", ""), "SECRET");
	assert_string_equal(mp_json_str(root, "line", ""), K1);
	assert_string_equal(mp_json_str(taken, "owner", ""), "h1");
	/* One line for all, and the hosts' own lines go. */
	grants = a->want(&c.w, &c.inv->hosts[1]);
	root = json_object_get(json_object_get(grants, "users"), "root");
	assert_int_equal(json_array_size(json_object_get(root, "keys")), 1);
	assert_int_equal(json_array_size(json_object_get(root, "stale")), 2);
	json_decref(own);
	json_decref(taken);
	json_decref(grants);
	/* The first host that answers. */
	c.w.hosts[0].reached = false;
	assert_int_equal(mp_ssh_shared_owner(&c.w), 1);
	cluster_fini(&c);
}

/* ---- samples ---- */

static json_t *look(struct mp_sys *sys, const struct mp_sample *s, const json_t *params)
{
	struct mp_err err = { 0 };
	json_t *fact = NULL;

	if (s->observe(sys, params, &fact, &err) < 0)
		fail_msg("%s: %s", s->id, err.text);
	return fact;
}

static void identity_reads_sshd_config(void **state)
{
	struct env *e = *state;
	mp_auto_free char *key = NULL, *only = NULL;
	json_t *fact, *keys;

	put(e->root, "/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 c1.example.org c1 # own\n");
	run("mkdir -p %s/proc/sys/kernel", e->root);
	put(e->root, "/proc/sys/kernel/hostname", "c1\n");
	put(e->root, "/etc/os-release", "NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n");
	put(e->root, "/etc/ssh/sshd_config",
	    "Include /etc/ssh/sshd_config.d/*.conf\n#Port 7\nPort 22\n"
	    "Match User git\n Port 9\n");
	put(e->root, "/etc/ssh/sshd_config.d/10-port.conf", "port=2222\nHostKey /etc/ssh/mine\n");
	put(e->root, "/etc/ssh/sshd_config.d/20.disabled", "Port 3333\n");
	put(e->root, "/etc/ssh/sshd_config.d/30-keys.conf", "HostKey \"/etc/ssh/bare\"\n");
	key = new_key(e->root, "ecdsa", "etc/ssh/mine");
	only = new_key(e->root, "ed25519", "etc/ssh/bare");
	run("rm %s/etc/ssh/bare.pub", e->root);
	fact = look(e->sys, &mp_sample_identity, NULL);
	assert_string_equal(mp_json_str(fact, "hostname", ""), "c1");
	assert_string_equal(mp_json_str(fact, "fqdn", ""), "c1.example.org");
	assert_string_equal(mp_json_str(fact, "os", ""), "debian");
	assert_string_equal(mp_json_str(fact, "os_version", ""), "12");
	assert_int_equal(mp_json_int(fact, "sshd_port", 0), 2222);
	assert_int_equal(json_array_size(json_object_get(fact, "sshd_ports")), 2);
	keys = json_object_get(fact, "host_keys");
	assert_int_equal(json_array_size(keys), 2);
	assert_string_equal(mp_json_str(json_array_get(keys, 0), "line", ""), key);
	assert_string_equal(mp_json_str(json_array_get(keys, 1), "line", ""), only);
	json_decref(fact);
}

static void ports_reads_the_kernels_table(void **state)
{
	/* 49152 is 0xC000; 0A is LISTEN, 01 is ESTABLISHED. Lines as a kernel printed them. */
	static const char tcp[] =
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid "
		" "
		"timeout inode\n"
		"   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0"
		"        0 20123 1 0000000000000000 100 0 0 10 0\n"
		"   1: 0100007F:C000 00000000:0000 0A 00000000:00000000 00:00000000 00000000   107"
		"        0 20124 1 0000000000000000 100 0 0 10 0\n"
		"   2: 0100007F:C001 0100007F:8000 01 00000000:00000000 00:00000000 00000000   107"
		"        0 20125 1 0000000000000000 100 0 0 10 0\n";
	static const char tcp6[] = "  sl  local_address                         remote_address     "
				   "                   st "
				   "tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
				   "   0: 00000000000000000000000000000000:C06D "
				   "00000000000000000000000000000000:0000 0A "
				   "00000000:00000000 00:00000000 00000000     0        0 31337 1 "
				   "0000000000000000 100 0 "
				   "0 10 0\n"
				   "   1: 00000000000000000000000000000000:C06E "
				   "00000000000000000000000000000000:0000 0A "
				   "00000000:00000000 00:00000000 00000000     0        0 31338 1 "
				   "0000000000000000 100 0 "
				   "0 10 0\n";
	json_t *params = json_pack("{s:i,s:i}", "from", 49152, "to", 49261), *fact, *expected;
	struct env *e = *state;

	put(e->root, "/proc/net/tcp", tcp);
	put(e->root, "/proc/net/tcp6", tcp6);
	fact = look(e->sys, &mp_sample_ports, params);
	expected = json_pack("{s:[{s:i,s:i},{s:i,s:i}]}", "listeners", "port", 49152, "uid", 107,
			     "port", 49261, "uid", 0);
	assert_true(json_equal(fact, expected));
	json_decref(params);
	json_decref(fact);
	json_decref(expected);
}

static void kernel_and_users(void **state)
{
	json_t *params = json_pack("{s:s}", "nova", "nova"), *fact, *expected;
	struct env *e = *state;

	run("cd %s && mkdir -p dev proc/sys/net/ipv4 proc/sys/vm sys/fs/selinux && touch dev/kvm",
	    e->root);
	put(e->root, "/proc/cpuinfo",
	    "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu svm sse\n");
	put(e->root, "/proc/sys/vm/unprivileged_userfaultfd", "0\n");
	put(e->root, "/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
	put(e->root, "/proc/sys/net/ipv4/ip_local_reserved_ports", "49152-49261\n");
	put(e->root, "/sys/fs/selinux/enforce", "1");
	fact = look(e->sys, &mp_sample_kernel, NULL);
	expected = json_pack("{s:s,s:b,s:b,s:i,s:[i,i],s:s}", "selinux", "enforcing", "apparmor", 0,
			     "kvm_usable", 1, "userfaultfd", 0, "local_ports", 32768, 60999,
			     "reserved_ports", "49152-49261");
	assert_true(json_equal(fact, expected));
	json_decref(fact);
	json_decref(expected);
	/* A node without the flag proves nothing. */
	put(e->root, "/proc/cpuinfo",
	    "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu sse\n");
	fact = look(e->sys, &mp_sample_kernel, NULL);
	assert_false(mp_json_bool(fact, "kvm_usable", true));
	json_decref(fact);
	fact = look(e->sys, &mp_sample_users, params);
	expected = json_pack("{s:{s:s,s:i,s:i},s:n,s:i,s:n}", "nova", "name", "nova", "uid", 64060,
			     "gid", 64060, "qemu", "kvm", 104, "libvirt");
	assert_true(json_equal(fact, expected));
	json_decref(fact);
	json_decref(expected);
	json_decref(params);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(public_keys_as_ssh_keygen_says),
		T(private_keys_of_other_kinds),
		T(no_public_keys),
		T(authorized_lines),
		T(authorized_facts),
		T(known_lines),
		T(hashed_lines_as_ssh_keygen_makes_them),
		T(known_hosts_converges),
		T(known_hosts_revoked_is_not_touched),
		T(authorized_converges),
		T(authorized_fails_as_it_should),
		T(keys_are_generated_on_the_host),
		T(shared_pair_has_one_owner),
		T(identity_reads_sshd_config),
		T(ports_reads_the_kernels_table),
		T(kernel_and_users),
	};

	return cmocka_run_group_tests_name("ssh", tests, NULL, NULL);
}
