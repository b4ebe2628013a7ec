/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_ssh_resources: key pairs, authorized_keys and known_hosts of a host are brought into line.
 * Below a pretended root; generating keys needs the real one, in a mount namespace of its own with
 * home directories that are not there outside.
 */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake-root.h"
#include "model/ssh-text.h"
#include "resource/resource.h"
#include "resource/ssh-user.h"

extern const struct mp_resource mp_resource_ssh_keys, mp_resource_ssh_authorized,
	mp_resource_ssh_known_hosts;

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

#define CHANGED_ROOT "changed host key of h1 in /root/.ssh/known_hosts (h1): ssh-ed25519 SHA256:"
#define CHANGED_NOVA                                                                               \
	"changed host key of h2 in /var/lib/nova/.ssh/known_hosts (10.0.0.2,h2): ssh-ed25519 "     \
	"SHA256:"

static void known_hosts_converges(void **state)
{
	const struct mp_resource *r = &mp_resource_ssh_known_hosts;
	struct env *e = *state;
	mp_auto_free char *text = NULL, *file = NULL, *found = NULL;
	const char *next;
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
	/* A key of ours that has changed, in the file of the second user too, and a foreign line.
	 */
	run("mkdir -m 700 %s/root/.ssh", e->root);
	put(e->root, "/root/.ssh/known_hosts", "h1 " K3 "\ngitlab " K3 "\n");
	run("chmod 666 %s/root/.ssh/known_hosts", e->root);
	run("install -d -m 700 -o 64060 -g 64060 %s/var/lib/nova/.ssh", e->root);
	put(e->root, "/var/lib/nova/.ssh/known_hosts", "h2,10.0.0.2 " K1 "\n");
	run("chown 64060:64060 %s/var/lib/nova/.ssh/known_hosts", e->root);

	assert_int_equal(converge(e->sys, r, params, want, true, NULL, &text), MP_DRIFT);
	/* Told before all else, so that no "and 11 more" hides it. */
	assert_int_equal(strncmp(text, CHANGED_ROOT, strlen(CHANGED_ROOT)), 0);
	next = strchr(text, '\n') + 1;
	assert_int_equal(strncmp(next, CHANGED_NOVA, strlen(CHANGED_NOVA)), 0);
	assert_null(strstr(strchr(next, '\n'), "changed"));
	assert_non_null(strstr(text, "mode 0666"));
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

/* What a host calls itself is added, but is no reason to remove what an operator wrote. */
static void known_hosts_of_a_said_name(void **state)
{
	const struct mp_resource *r = &mp_resource_ssh_known_hosts;
	struct env *e = *state;
	mp_auto_free char *text = NULL, *file = NULL;
	json_t *params, *want;
	struct cluster c;

	cluster_init(&c);
	merge(&c, 0, "identity",
	      json_pack("{s:s,s:s,s:[o],s:[i]}", "hostname", "h1", "fqdn", "h1.example.org",
			"host_keys", host_key(K1), "sshd_ports", 22));
	params = r->params(&c.w, &c.inv->hosts[0]);
	want = r->want(&c.w, &c.inv->hosts[0]);
	run("mkdir -m 700 %s/root/.ssh", e->root);
	put(e->root, "/root/.ssh/known_hosts", "h1.example.org " K3 "\nh1 " K2 "\n");
	assert_int_equal(converge(e->sys, r, params, want, true, NULL, &text), MP_DRIFT);
	assert_non_null(strstr(text, "changed host key of h1 in /root/.ssh/known_hosts (h1): "));
	file = slurp(e->root, "/root/.ssh/known_hosts");
	assert_string_equal(file,
			    "h1.example.org " K3 "\n10.0.0.1,h1,h1-mig,h1.example.org " K1 "\n");
	assert_int_equal(converge(e->sys, r, params, want, true, NULL, NULL), MP_OK);
	json_decref(params);
	json_decref(want);
	cluster_fini(&c);
}

/* One host cannot fill the files of all others. */
static void known_hosts_of_a_host_that_says_much(void **state)
{
	const struct mp_resource *r = &mp_resource_ssh_known_hosts;
	json_t *keys = json_array(), *ports = json_array(), *want, *entry;
	mp_auto_strv struct mp_strv names = { 0 };
	char key[] = K1;
	struct cluster c;

	(void)state;
	for (int i = 0; i < 20; i++) {
		key[sizeof(key) - 3] = (char)('a' + i);
		json_array_append_new(keys, host_key(key));
		json_array_append_new(ports, json_integer(2200 + i));
	}
	cluster_init(&c);
	merge(&c, 1, "identity", json_pack("{s:o,s:o}", "host_keys", keys, "sshd_ports", ports));
	want = r->want(&c.w, &c.inv->hosts[0]);
	assert_int_equal(json_array_size(json_object_get(want, "entries")), 16);
	entry = json_array_get(json_object_get(want, "entries"), 0);
	mp_str_split(mp_json_str(entry, "names", ""), ",", &names);
	assert_int_equal(names.n, 2 * 8); /* h2 and 10.0.0.2 */
	json_decref(want);
	want = r->want(&c.w, &c.inv->hosts[1]);
	assert_string_equal(mp_json_str(want, "fail", ""),
			    "sshd of h2 has 20 host keys and 20 ports; other hosts take over no "
			    "more than 16 and 8");
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
	mp_auto_free char *file = NULL;
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
	assert_non_null(strstr(text, "has the option command= before the key of h2"));
	mp_cleanup_free(&text);
	/* Of somebody: apply leaves the line alone, and does not put ours behind it. */
	put(e->root, "/root/.ssh/authorized_keys", "from=\"10.0.0.7\" " K2 " migprep@h2\n" K1 "\n");
	run("install -d -m 700 -o 64060 -g 64060 %s/var/lib/nova/.ssh", e->root);
	put(e->root, "/var/lib/nova/.ssh/authorized_keys", K3 " migprep@h1\n");
	run("chown 64060:64060 %s/var/lib/nova/.ssh/authorized_keys", e->root);
	assert_int_equal(converge(e->sys, r, params, want, true, NULL, &text), MP_FAIL);
	assert_non_null(strstr(text, "a line of /root/.ssh/authorized_keys has the option from= "
				     "before the key of h2 (ssh-ed25519 SHA256:"));
	file = slurp(e->root, "/root/.ssh/authorized_keys");
	assert_string_equal(file, "from=\"10.0.0.7\" " K2 " migprep@h2\n" K1 "\n");
	run("rm -r %s/var/lib/nova/.ssh", e->root);
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

/* The bytes that were edited are those that apply read; a line added since then is not lost. */
static void file_is_read_once(void **state)
{
	struct env *e = *state;
	mp_auto_free char *old = NULL, *now = NULL;
	struct mp_err err = { 0 };
	struct mp_user u;

	run("mkdir -m 700 %s/root/.ssh", e->root);
	put(e->root, "/root/.ssh/authorized_keys", "line\n");
	assert_int_equal(mp_sys_begin(e->sys, "a", &err), 0);
	assert_int_equal(mp_ssh_user_get(e->sys, "root", &u, &err), 0);
	assert_int_equal(mp_sys_read(e->sys, "/root/.ssh/authorized_keys", &old, NULL, NULL, &err),
			 0);
	run("echo 'added by the operator' >>%s/root/.ssh/authorized_keys", e->root);
	assert_int_equal(
		mp_ssh_file_write(e->sys, &u, "authorized_keys", "line\nours\n", 0600, &err), -1);
	assert_non_null(strstr(err.text, "somebody else meanwhile"));
	now = slurp(e->root, "/root/.ssh/authorized_keys");
	assert_string_equal(now, "line\nadded by the operator\n");
	assert_int_equal(mp_sys_end(e->sys, false, &err), 0);
}

/* What nova may have moved or linked into ~/.ssh is not given to nova. */
static void others_files_are_not_given_away(void **state)
{
	static const struct {
		const char *make, *says, *remedy;
	} rows[] = {
		{ "echo secret >$f && chmod 600 $f", "belongs to uid 0 and not to nova",
		  "run: chown nova:" },
		{ "echo secret >$f && chown 1001 $f && chmod 644 $f",
		  "belongs to uid 1001 and not to nova", "Find out whose" },
		{ "echo x >$f && chown 64060 $f && chmod 666 $f && ln $f $f.2",
		  "has 2 names (hard links)", "find -samefile" },
		{ "mkfifo $f", "is not a regular file", "move it away" },
	};
	const struct mp_resource *r = &mp_resource_ssh_authorized;
	struct env *e = *state;
	mp_auto_free char *path = mp_xasprintf("%s/var/lib/nova/.ssh/authorized_keys", e->root);
	struct cluster c;
	json_t *params, *want, *fact;

	if (geteuid() != 0) {
		print_message("skipped: needs root to give files away\n");
		skip();
	}
	cluster_init(&c);
	cluster_keys(&c);
	params = r->params(&c.w, &c.inv->hosts[0]);
	want = r->want(&c.w, &c.inv->hosts[0]);
	for (size_t i = 0; i < MP_N_ELEMS(rows); i++) {
		mp_auto_free char *text = NULL, *remedy = NULL;
		struct mp_err err = { 0 };
		struct stat before, after;
		struct mp_user u;

		run("rm -rf %s/var/lib/nova/.ssh && mkdir -m 700 %s/var/lib/nova/.ssh && "
		    "chown 64060:64060 %s/var/lib/nova/.ssh",
		    e->root, e->root, e->root);
		run("f=%s; %s", path, rows[i].make);
		before = st_of("", path);
		assert_int_equal(converge(e->sys, r, params, want, true, &fact, &text), MP_FAIL);
		if (!strstr(text, rows[i].says))
			fail_msg("%s", text);
		remedy = json_dumps(fact, 0);
		if (!strstr(remedy, rows[i].remedy))
			fail_msg("%s", remedy);
		json_decref(fact);
		/* Not either when it came there after the look. */
		assert_int_equal(mp_sys_begin(e->sys, "a", &err), 0);
		assert_int_equal(mp_ssh_user_get(e->sys, "nova", &u, &err), 0);
		assert_int_equal(mp_ssh_file_write(e->sys, &u, "authorized_keys", "x", 0600, &err),
				 -1);
		assert_int_equal(mp_sys_end(e->sys, false, &err), 0);
		after = st_of("", path);
		assert_int_equal(before.st_ino, after.st_ino);
		assert_int_equal(before.st_uid, after.st_uid);
		assert_int_equal(before.st_mode, after.st_mode);
	}
	json_decref(params);
	json_decref(want);
	cluster_fini(&c);
}

/* The same for a private key and for ~/.ssh itself. */
static void others_keys_are_not_given_away(void **state)
{
	const struct mp_resource *r = &mp_resource_ssh_keys;
	struct env *e = *state;
	json_t *params, *want;
	mp_auto_free char *text = NULL, *dir = NULL;
	struct stat st;

	if (geteuid() != 0) {
		print_message("skipped: needs root to give files away\n");
		skip();
	}
	params = json_pack("{s:[s],s:s}", "users", "nova", "type", "ed25519");
	want = json_pack("{s:[s],s:s,s:s}", "users", "nova", "type", "ed25519", "comment", "c");
	run("cd %s/var/lib/nova && mkdir -m 700 .ssh && chown 64060:64060 .ssh && "
	    "ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519",
	    e->root);
	assert_int_equal(converge(e->sys, r, params, want, true, NULL, &text), MP_FAIL);
	assert_non_null(strstr(text, "id_ed25519 belongs to uid 0 and not to nova"));
	st = st_of(e->root, "/var/lib/nova/.ssh/id_ed25519");
	assert_int_equal(st.st_uid, 0);
	run("cd %s/var/lib/nova && chown 64060:64060 .ssh/* && chown 0 .ssh", e->root);
	assert_int_equal(converge(e->sys, r, params, want, true, NULL, &dir), MP_FAIL);
	assert_non_null(strstr(dir, "/var/lib/nova/.ssh belongs to uid 0"));
	st = st_of(e->root, "/var/lib/nova/.ssh");
	assert_int_equal(st.st_uid, 0);
	run("chown 64060:64060 %s/var/lib/nova/.ssh", e->root);
	assert_int_equal(converge(e->sys, r, params, want, true, NULL, NULL), MP_OK);
	json_decref(params);
	json_decref(want);
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
	/* A second time: what was kept first is still there. */
	run("ssh-keygen -q -t ed25519 -N '' -f /root/second && "
	    "cp /root/second /root/.ssh/id_ed25519 && cp /root/second.pub "
	    "/root/.ssh/id_ed25519.pub");
	assert_int_equal(converge(sys, r, params, want, true, NULL, NULL), MP_DRIFT);
	run("cmp /root/was /root/.ssh/id_ed25519.migprep-old && "
	    "cmp /root/second /root/.ssh/id_ed25519.migprep-old.2 && "
	    "cmp /root/owner /root/.ssh/id_ed25519");
	/* The owner has none yet. */
	none = json_pack("{s:[s],s:s,s:s,s:s,s:{}}", "users", "root", "type", "ed25519", "comment",
			 MP_SSH_SHARED_COMMENT, "owner", "h1", "shared");
	assert_int_equal(converge(sys, r, params, none, false, NULL, NULL), MP_DRIFT);
	json_decref(want);
	json_decref(none);
}

/* What a user has made is parsed with the rights of that user. */
static void parsed_as_the_user(struct mp_sys *sys)
{
	const struct mp_resource *r = &mp_resource_ssh_keys;
	json_t *params = json_pack("{s:[s],s:s}", "users", "mpuser", "type", "ed25519");
	json_t *want =
		json_pack("{s:[s],s:s,s:s}", "users", "mpuser", "type", "ed25519", "comment", "c");
	mp_auto_free char *who = NULL;

	run("{ cat /etc/passwd; echo mpuser:x:54321:54321::/run/mpuser:/bin/sh; } >/run/passwd && "
	    "mount --bind /run/passwd /etc/passwd");
	run("mkdir -m 755 /run/mpuser && mkdir -m 700 /run/mpuser/.ssh && "
	    "ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -f /run/mpuser/.ssh/id_rsa && "
	    "chown -R 54321:54321 /run/mpuser");
	put("", "/usr/local/sbin/ssh-keygen",
	    "#!/bin/sh\nid -u >>/run/who\nexec /usr/bin/ssh-keygen \"$@\"\n");
	run("chmod 755 /usr/local/sbin/ssh-keygen && : >/run/who && chmod 666 /run/who");
	assert_int_equal(converge(sys, r, params, want, true, NULL, NULL), MP_OK);
	who = sh("cat /run/who");
	assert_string_equal(who, "54321\n");
	run("umount /etc/passwd && rm /usr/local/sbin/ssh-keygen");
	json_decref(params);
	json_decref(want);
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
	parsed_as_the_user(sys);
	mp_sys_close(sys);
	json_decref(params);
}

static void keys_are_generated_on_the_host(void **state)
{
	static const char *const hide[] = { "/root", "/run", "/var/lib", "/usr/local/sbin" };
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
	/* That of h1, which has the pair; not yet that of h2, which still needs its own. */
	assert_int_equal(json_array_size(json_object_get(root, "stale")), 1);
	assert_string_equal(json_string_value(json_array_get(json_object_get(root, "stale"), 0)),
			    "migprep@h1");
	json_decref(own);
	json_decref(taken);
	json_decref(grants);
	/* The first host that answers. */
	c.w.hosts[0].reached = false;
	assert_int_equal(mp_ssh_shared_owner(&c.w), 1);
	cluster_fini(&c);
}

static json_t *grants_shared(const char *ref)
{
	return json_pack("{s:{s:{s:s,s:{},s:{s:[s]}}}}", "users", "root", "home", "/root", "keys",
			 "ours", MP_SSH_SHARED_COMMENT, ref);
}

/* A first host that comes back with a new key does not take the shared one's place. */
static void shared_pair_in_use_stays(void **state)
{
	static const char *const keys[] = { K1, K2, K2 };
	struct mp_ssh_pub pub;
	struct mp_err err = { 0 };
	struct cluster c;

	(void)state;
	cluster_init(&c);
	assert_int_equal(mp_profile_set(c.profile, "ssh.keys=shared", "test", &err), 0);
	c.w.hosts[2].reached = true;
	for (size_t i = 0; i < 3; i++)
		merge(&c, i, "ssh-keys",
		      json_pack("{s:{s:o}}", "users", "root", user_key(keys[i])));
	/* The one that two have. */
	assert_int_equal(mp_ssh_shared_owner(&c.w), 1);
	/* The one that is let in as the shared one counts more. */
	assert_true(mp_ssh_pub_parse(K1, strlen(K1), &pub));
	merge(&c, 2, "ssh-authorized", grants_shared(pub.ref));
	assert_int_equal(mp_ssh_shared_owner(&c.w), 0);
	assert_true(mp_ssh_pub_parse(K2, strlen(K2), &pub));
	merge(&c, 0, "ssh-authorized", grants_shared(pub.ref));
	merge(&c, 1, "ssh-authorized", grants_shared(pub.ref));
	assert_int_equal(mp_ssh_shared_owner(&c.w), 1);
	/* Each has its own: the first. */
	merge(&c, 2, "ssh-keys", json_pack("{s:{s:o}}", "users", "root", user_key(K3)));
	for (size_t i = 0; i < 3; i++)
		merge(&c, i, "ssh-authorized", json_object());
	assert_int_equal(mp_ssh_shared_owner(&c.w), 0);
	cluster_fini(&c);
}

/* While somebody may still need it, the line of an earlier shared key stays. */
static void shared_line_stays_while_needed(void **state)
{
	const struct mp_resource *r = &mp_resource_ssh_authorized;
	struct env *e = *state;
	mp_auto_free char *file = NULL, *own = NULL, *done = NULL, *text = NULL;
	json_t *params, *want;
	struct mp_err err = { 0 };
	struct cluster c;

	cluster_init(&c);
	assert_int_equal(mp_profile_set(c.profile, "ssh.keys=shared", "test", &err), 0);
	assert_int_equal(mp_profile_set(c.profile, "nova.manage=no", "test", &err), 0);
	for (size_t i = 0; i < 2; i++)
		merge(&c, i, "ssh-keys", json_pack("{s:{s:o}}", "users", "root", user_key(K1)));
	params = r->params(&c.w, &c.inv->hosts[0]);
	run("mkdir -m 700 %s/root/.ssh", e->root);
	put(e->root, "/root/.ssh/authorized_keys", K2 " migprep@shared\n");
	want = r->want(&c.w, &c.inv->hosts[0]);
	assert_int_equal(converge(e->sys, r, params, want, true, NULL, &text), MP_DRIFT);
	assert_null(strstr(text, "old key"));
	file = slurp(e->root, "/root/.ssh/authorized_keys");
	assert_string_equal(file, K2 " migprep@shared\n" K1 " migprep@shared\n");
	assert_int_equal(converge(e->sys, r, params, want, true, NULL, NULL), MP_OK);
	json_decref(want);
	/* The same when the hosts are to have keys of their own again. */
	assert_int_equal(mp_profile_set(c.profile, "ssh.keys=own", "test", &err), 0);
	want = r->want(&c.w, &c.inv->hosts[0]);
	converge(e->sys, r, params, want, true, NULL, NULL);
	own = slurp(e->root, "/root/.ssh/authorized_keys");
	assert_non_null(strstr(own, K2 " migprep@shared\n"));
	json_decref(want);
	/* All there, and all have the new one. */
	assert_int_equal(mp_profile_set(c.profile, "ssh.keys=shared", "test", &err), 0);
	c.w.hosts[2].reached = true;
	merge(&c, 2, "ssh-keys", json_pack("{s:{s:o}}", "users", "root", user_key(K1)));
	want = r->want(&c.w, &c.inv->hosts[0]);
	assert_int_equal(converge(e->sys, r, params, want, true, NULL, NULL), MP_DRIFT);
	done = slurp(e->root, "/root/.ssh/authorized_keys");
	assert_null(strstr(done, K2));
	json_decref(want);
	json_decref(params);
	cluster_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(known_hosts_converges),
		T(known_hosts_revoked_is_not_touched),
		T(authorized_converges),
		T(authorized_fails_as_it_should),
		T(keys_are_generated_on_the_host),
		T(shared_pair_has_one_owner),
		T(file_is_read_once),
		T(others_files_are_not_given_away),
		T(others_keys_are_not_given_away),
		T(known_hosts_of_a_said_name),
		T(known_hosts_of_a_host_that_says_much),
		T(shared_pair_in_use_stays),
		T(shared_line_stays_while_needed),
	};

	return cmocka_run_group_tests_name("ssh-resources", tests, NULL, NULL);
}
