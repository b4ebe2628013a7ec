/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every resource that works below a pretended root (those that run programs of the host do not), by
 * tests/resource/ID/NAME.case: observe and diff change nothing and say what the case says; apply
 * makes what the case says, touches only files that the diff named, leaves an empty diff, and a
 * second apply touches nothing at all.
 *
 * A case is text in parts, each begun by a line "--- WORD ARGUMENTS":
 *   --- profile           lines "section.key=value"
 *   --- inventory         instead of one host "a" at 10.0.0.1
 *   --- host NAME         which one is looked at; default: the first
 *   --- dir MODE UID GID PATH
 *   --- file MODE UID GID PATH      its content follows
 *   --- link TARGET PATH
 *   --- fact HOST ID      JSON: what was observed there
 *   --- observed KEY      JSON: the member of the fact, before apply
 *   --- expect STATUS     lines "change WHAT | BEFORE | AFTER" ("-": absent), all of them, in
 * order; "reason TEXT" and "remedy TEXT": a part of it
 *   --- after PATH        the content after apply follows
 *   --- mode MODE UID GID PATH      after apply
 *   --- writes PATH       changed by apply though no change names it: what a link leads to
 *   --- eol crlf          all contents of the case have CRLF line ends
 *   --- noeol             the contents of the case end without newline
 * There are always /etc, /etc/nova, /etc/libvirt, /var/lib/nova and a passwd and group with nova as
 * 64060.
 */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "resource/mount-table.h"
#include "resource/resource.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\n"
			     "nova:x:64060:64060::/var/lib/nova:/usr/sbin/nologin\n"
			     "z:x:1:1::/:/bin/sh\n";
static const char group[] = "root:x:0:\nnova:x:64060:\n";

struct part {
	char *word, *args, *body;
};

struct trial {
	const char *name;
	char root[256];
	struct part *parts;
	size_t n_parts;
	const struct mp_resource *r;
	struct mp_world w;
	const struct mp_host *host;
	struct mp_sys *sys;
	json_t *params, *fact, *want;
};

/* ---- reading a case ---- */

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "re");
	struct mp_buf b;
	char chunk[4096];
	size_t n;

	mp_buf_init(&b, 0);
	if (!f)
		return NULL;
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		mp_buf_add(&b, chunk, n);
	fclose(f);
	return mp_buf_take(&b);
}

static void read_case(struct trial *t)
{
	mp_auto_free char *text = slurp(t->name);
	char *p, *next;

	assert_non_null(text);
	p = strncmp(text, "--- ", 4) == 0 ? text : strstr(text, "\n--- ");
	for (; p && *p; p = next) {
		char *line, *body;
		size_t n;

		p += *p == '\n' ? 5 : 4;
		n = strcspn(p, "\n");
		line = mp_xstrndup(p, n);
		body = p + n + (p[n] == '\n');
		next = strncmp(body, "--- ", 4) == 0 ? body - 1 : strstr(body, "\n--- ");
		t->parts = mp_xreallocarray(t->parts, t->n_parts + 1, sizeof(*t->parts));
		t->parts[t->n_parts++] = (struct part){
			.word = mp_xstrndup(line, strcspn(line, " ")),
			.args = mp_xstrdup(strchr(line, ' ') ? strchr(line, ' ') + 1 : ""),
			.body = next > body ? mp_xstrndup(body, (size_t)(next - body) + 1)
				: next      ? mp_xstrdup("")
					    : mp_xstrdup(body),
		};
		free(line);
	}
}

static const struct part *find(const struct trial *t, const char *word)
{
	for (size_t i = 0; i < t->n_parts; i++)
		if (strcmp(t->parts[i].word, word) == 0)
			return &t->parts[i];
	return NULL;
}

/* The content of a part with the line ends that the case asks for. */
static char *content(const struct trial *t, const struct part *p)
{
	bool crlf = find(t, "eol") != NULL;
	struct mp_buf b;

	mp_buf_init(&b, 0);
	for (const char *s = p->body; *s; s++) {
		if (*s == '\n' && !s[1] && find(t, "noeol"))
			break;
		mp_buf_add(&b, *s == '\n' && crlf ? "\r\n" : s, *s == '\n' && crlf ? 2 : 1);
	}
	return mp_buf_take(&b);
}

/* ---- making the root ---- */

static char *inside(const struct trial *t, const char *path)
{
	return mp_xasprintf("%s%s", t->root, path);
}

static void make_dirs(const char *path)
{
	mp_auto_free char *p = mp_xstrdup(path);

	for (char *s = strchr(p + 1, '/'); s; s = strchr(s + 1, '/')) {
		*s = '\0';
		mkdir(p, 0755);
		*s = '/';
	}
}

static void make_file(const struct trial *t, const char *path, const char *text, int mode, int uid,
		      int gid)
{
	mp_auto_free char *p = inside(t, path);
	FILE *f;

	make_dirs(p);
	f = fopen(p, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	fclose(f);
	assert_int_equal(chown(p, (uid_t)uid, (gid_t)gid), 0);
	assert_int_equal(chmod(p, (mode_t)mode), 0);
}

static void make_part(const struct trial *t, const struct part *p)
{
	char path[512], target[512];
	int mode, uid, gid;

	if (strcmp(p->word, "file") == 0) {
		mp_auto_free char *text = content(t, p);

		assert_int_equal(
			sscanf(p->args, "%o %d %d %511s", (unsigned *)&mode, &uid, &gid, path), 4);
		make_file(t, path, text, mode, uid, gid);
	} else if (strcmp(p->word, "dir") == 0) {
		mp_auto_free char *full = NULL;

		assert_int_equal(
			sscanf(p->args, "%o %d %d %511s", (unsigned *)&mode, &uid, &gid, path), 4);
		full = inside(t, path);
		make_dirs(full);
		mkdir(full, 0755);
		assert_int_equal(chown(full, (uid_t)uid, (gid_t)gid), 0);
		assert_int_equal(chmod(full, (mode_t)mode), 0);
	} else if (strcmp(p->word, "link") == 0) {
		mp_auto_free char *full = NULL;

		assert_int_equal(sscanf(p->args, "%511s %511s", target, path), 2);
		full = inside(t, path);
		make_dirs(full);
		assert_int_equal(symlink(target, full), 0);
	}
}

static void make_root(struct trial *t)
{
	static const char *const dirs[] = { "/etc/nova/x", "/etc/libvirt/x", "/var/lib/nova/x" };
	const char *dir = getenv("BUILDDIR");

	snprintf(t->root, sizeof(t->root), "%s/test_resource.XXXXXX", dir ? dir : "/tmp");
	assert_non_null(mkdtemp(t->root));
	for (size_t i = 0; i < MP_N_ELEMS(dirs); i++) {
		mp_auto_free char *p = inside(t, dirs[i]);

		make_dirs(p);
	}
	make_file(t, "/etc/passwd", passwd, 0644, 0, 0);
	make_file(t, "/etc/group", group, 0644, 0, 0);
	for (size_t i = 0; i < t->n_parts; i++)
		make_part(t, &t->parts[i]);
}

/* ---- the world ---- */

/* What other hosts said. */
static void merge_facts(struct trial *t)
{
	for (size_t i = 0; i < t->n_parts; i++) {
		char host[64], id[64];
		const struct mp_host *h;
		json_t *facts;

		if (strcmp(t->parts[i].word, "fact") != 0)
			continue;
		assert_int_equal(sscanf(t->parts[i].args, "%63s %63s", host, id), 2);
		h = mp_inventory_find(t->w.inv, host);
		assert_non_null(h);
		facts = json_pack("{s:o}", id, json_loads(t->parts[i].body, 0, NULL));
		assert_non_null(facts);
		mp_world_merge(&t->w, h->index, facts);
		json_decref(facts);
	}
}

static void make_world(struct trial *t)
{
	const struct part *inv = find(t, "inventory"), *set = find(t, "profile"),
			  *name = find(t, "host");
	const char *text = inv ? inv->body : "[host a]\naddress = 10.0.0.1\n";
	struct mp_profile *profile = mp_profile_new();
	mp_auto_strv struct mp_strv lines = { 0 };
	struct mp_inventory *i = NULL;
	struct mp_err err = { 0 };

	if (mp_inventory_parse(text, strlen(text), t->name, &i, &err) < 0)
		fail_msg("%s", err.text);
	mp_str_split(set ? set->body : "", "\n", &lines);
	for (size_t n = 0; n < lines.n; n++)
		if (mp_profile_set(profile, lines.v[n], t->name, &err) < 0)
			fail_msg("%s", err.text);
	t->w.inv = i;
	t->w.profile = profile;
	t->w.hosts = mp_xcalloc(i->n_hosts, sizeof(*t->w.hosts));
	t->host = &i->hosts[0];
	for (size_t n = 0; name && n < i->n_hosts; n++)
		if (strcmp(i->hosts[n].name, name->args) == 0)
			t->host = &i->hosts[n];
	assert_true(!name || strcmp(t->host->name, name->args) == 0);
	for (size_t n = 0; n < i->n_hosts; n++)
		t->w.hosts[n].selected = t->w.hosts[n].reached = true;
	merge_facts(t);
}

/* Looks, and works out what is wanted, as agent and controller do. */
static void look(struct trial *t, struct mp_diff *ret)
{
	struct mp_err err = { 0 };
	json_t *facts;

	json_decref(t->params);
	json_decref(t->fact);
	json_decref(t->want);
	t->fact = NULL;
	t->params = t->r->params(&t->w, t->host);
	if (t->r->observe(t->sys, t->params, &t->fact, &err) < 0)
		fail_msg("%s: observe: %s", t->name, err.text);
	facts = json_pack("{s:O}", t->r->id, t->fact);
	mp_world_merge(&t->w, t->host->index, facts);
	json_decref(facts);
	t->want = t->r->want(&t->w, t->host);
	mp_resource_diff(t->r, t->fact, NULL, t->want, ret);
}

/* ---- what is there ---- */

static struct mp_strv *walked;
static size_t walk_skip;

/* path, type, mode, owner, inode and mtime; the agent's own directory is not what is looked at. */
static int walk_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)f;
	(void)type;
	if (strncmp(path + walk_skip, "/var/lib/migprep", 16) == 0)
		return 0;
	mp_strv_take(walked,
		     mp_xasprintf("%s\t%o %u %u %lu %lld.%09ld",
				  path[walk_skip] ? path + walk_skip : "/", st->st_mode, st->st_uid,
				  st->st_gid, (unsigned long)st->st_ino,
				  S_ISDIR(st->st_mode) ? 0LL : (long long)st->st_mtim.tv_sec,
				  S_ISDIR(st->st_mode) ? 0L : st->st_mtim.tv_nsec));
	return 0;
}

static void snapshot(const struct trial *t, struct mp_strv *ret)
{
	walked = ret;
	walk_skip = strlen(t->root);
	assert_int_equal(nftw(t->root, walk_one, 16, FTW_PHYS), 0);
	mp_strv_sort(ret);
}

/* Fails when something differs that no change names; d NULL: nothing may differ. */
static void compare(const struct trial *t, const struct mp_strv *a, const struct mp_strv *b,
		    const struct mp_diff *d, const char *when)
{
	for (size_t i = 0; i < b->n; i++) {
		mp_auto_free char *path = mp_xstrndup(b->v[i], strcspn(b->v[i], "\t"));
		bool named = mp_strv_has(a, b->v[i]);

		/* A directory that a named file needs may be new. */
		for (size_t c = 0; d && c < d->n_changes; c++)
			named = named || strstr(d->changes[c].what, path);
		for (size_t c = 0; d && c < t->n_parts; c++)
			named = named || (strcmp(t->parts[c].word, "writes") == 0 &&
					  strcmp(t->parts[c].args, path) == 0);
		if (!named)
			fail_msg("%s: %s changed %s", t->name, when, b->v[i]);
	}
	assert_true(b->n >= a->n);
}

/* ---- what the case says ---- */

static void check_change(const struct trial *t, const char *line, const struct mp_change *c)
{
	mp_auto_free char *got = mp_xasprintf("%s | %s | %s", c->what, c->before ? c->before : "-",
					      c->after ? c->after : "-");

	if (strcmp(line, got) != 0)
		fail_msg("%s:\n  got  %s\n  want %s", t->name, got, line);
}

static void check_diff(const struct trial *t, const struct mp_diff *d)
{
	const struct part *p = find(t, "expect");
	mp_auto_strv struct mp_strv lines = { 0 };
	size_t n = 0;

	assert_non_null(p);
	if (strcmp(mp_status_name(d->status), p->args) != 0)
		fail_msg("%s: status %s (%s), want %s", t->name, mp_status_name(d->status),
			 d->reason ? d->reason : "", p->args);
	mp_str_split(p->body, "\n", &lines);
	for (size_t i = 0; i < lines.n; i++) {
		if (strncmp(lines.v[i], "reason ", 7) == 0) {
			if (!d->reason || !strstr(d->reason, lines.v[i] + 7))
				fail_msg("%s: reason '%s', want '%s'", t->name,
					 d->reason ? d->reason : "", lines.v[i] + 7);
		} else if (strncmp(lines.v[i], "remedy ", 7) == 0) {
			if (!d->remedy || !strstr(d->remedy, lines.v[i] + 7))
				fail_msg("%s: remedy '%s', want '%s'", t->name,
					 d->remedy ? d->remedy : "", lines.v[i] + 7);
		} else if (strncmp(lines.v[i], "change ", 7) == 0) {
			if (n >= d->n_changes)
				fail_msg("%s: missing: %s", t->name, lines.v[i]);
			check_change(t, lines.v[i] + 7, &d->changes[n++]);
		} else {
			fail_msg("%s: what is '%s'", t->name, lines.v[i]);
		}
	}
	if (n != d->n_changes)
		fail_msg("%s: also: %s | %s | %s", t->name, d->changes[n].what,
			 d->changes[n].before ? d->changes[n].before : "-",
			 d->changes[n].after ? d->changes[n].after : "-");
	if (d->status == MP_FAIL || d->status == MP_DRIFT)
		assert_non_null(d->remedy);
}

static void check_observed(const struct trial *t)
{
	for (size_t i = 0; i < t->n_parts; i++) {
		const json_t *got = json_object_get(t->fact, t->parts[i].args);
		mp_auto_free char *text = json_dumps(got, JSON_ENCODE_ANY);
		json_t *wanted;

		if (strcmp(t->parts[i].word, "observed") != 0)
			continue;
		wanted = json_loads(t->parts[i].body, JSON_DECODE_ANY, NULL);
		assert_non_null(wanted);
		if (!json_equal(got, wanted))
			fail_msg("%s: observed %s: %s", t->name, t->parts[i].args,
				 text ? text : "(absent)");
		json_decref(wanted);
	}
}

static void check_after(const struct trial *t)
{
	for (size_t i = 0; i < t->n_parts; i++) {
		const struct part *p = &t->parts[i];

		if (strcmp(p->word, "after") == 0) {
			mp_auto_free char *path = inside(t, p->args), *got = slurp(path);
			mp_auto_free char *wanted = content(t, p);

			if (!got || strcmp(got, wanted) != 0)
				fail_msg("%s: %s is now:\n%s\nwanted:\n%s", t->name, p->args,
					 got ? got : "(absent)", wanted);
		} else if (strcmp(p->word, "mode") == 0) {
			char path[512];
			int mode, uid, gid;
			mp_auto_free char *full = NULL;
			struct stat st;

			assert_int_equal(sscanf(p->args, "%o %d %d %511s", (unsigned *)&mode, &uid,
						&gid, path),
					 4);
			full = inside(t, path);
			assert_int_equal(stat(full, &st), 0);
			assert_int_equal(st.st_mode & 07777, mode);
			assert_int_equal(st.st_uid, uid);
			assert_int_equal(st.st_gid, gid);
		}
	}
}

/* ---- the trial ---- */

static void apply(struct trial *t)
{
	struct mp_err err = { 0 };

	if (mp_sys_begin(t->sys, t->r->id, &err) < 0)
		fail_msg("%s: begin: %s", t->name, err.text);
	if (t->r->apply(t->sys, t->params, t->fact, t->want, &err) < 0)
		fail_msg("%s: apply: %s", t->name, err.text);
	if (mp_sys_end(t->sys, true, &err) < 0)
		fail_msg("%s: end: %s", t->name, err.text);
}

static void try_apply(struct trial *t, const struct mp_diff *first, const struct mp_strv *before)
{
	mp_auto_strv struct mp_strv once = { 0 }, twice = { 0 };
	mp_auto_diff struct mp_diff d;

	apply(t);
	snapshot(t, &once);
	compare(t, before, &once, first, "apply");
	check_after(t);
	look(t, &d);
	if (d.status != MP_OK && d.status != MP_WARN)
		fail_msg("%s: after apply: %s: %s", t->name, mp_status_name(d.status),
			 d.n_changes ? d.changes[0].what : d.reason);
	apply(t);
	snapshot(t, &twice);
	compare(t, &once, &twice, NULL, "a second apply");
}

static void run(struct trial *t)
{
	mp_auto_strv struct mp_strv before = { 0 }, looked = { 0 };
	struct mp_err err = { 0 };
	mp_auto_diff struct mp_diff d;

	assert_int_equal(mp_sys_open(t->root, &t->sys, &err), 0);
	snapshot(t, &before);
	look(t, &d);
	snapshot(t, &looked);
	compare(t, &before, &looked, NULL, "looking");
	check_diff(t, &d);
	check_observed(t);
	if (d.status == MP_DRIFT)
		try_apply(t, &d, &before);
}

static void trial_fini(struct trial *t)
{
	mp_auto_free char *cmd = mp_xasprintf("rm -rf '%s'", t->root);

	json_decref(t->params);
	json_decref(t->fact);
	json_decref(t->want);
	mp_sys_close(t->sys);
	mp_world_fini(&t->w);
	mp_inventory_free((struct mp_inventory *)t->w.inv);
	mp_profile_free((struct mp_profile *)t->w.profile);
	for (size_t i = 0; i < t->n_parts; i++) {
		free(t->parts[i].word);
		free(t->parts[i].args);
		free(t->parts[i].body);
	}
	free(t->parts);
	assert_int_equal(system(cmd), 0);
}

static void run_case(const struct mp_resource *r, const char *name)
{
	struct trial t = { .name = name, .r = r };

	read_case(&t);
	make_root(&t);
	make_world(&t);
	run(&t);
	trial_fini(&t);
}

static void test_cases(void **state)
{
	const struct mp_resource *r = *state;
	const char *dir = getenv("SRCDIR");
	char pattern[4096]; /* skip() never comes back to release anything */
	glob_t g;

	snprintf(pattern, sizeof(pattern), "%s/tests/resource/%s/*.case", dir ? dir : ".", r->id);
	if (geteuid() != 0) {
		print_message("skip: needs root to make files of other users\n");
		skip();
	}
	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++)
		run_case(r, g.gl_pathv[i]);
	print_message("# %s: %zu cases\n", r->id, g.gl_pathc);
	globfree(&g);
}

/* A file like the stock one of Nova: 8,900 lines, nearly all comments, and secrets of others in it.
 */
static char *stock_conf(void)
{
	static const char *const sections[] = { "DEFAULT", "api", "libvirt", "vnc", "workarounds" };
	struct mp_buf b;

	mp_buf_init(&b, 0);
	for (size_t s = 0; s < MP_N_ELEMS(sections); s++) {
		mp_buf_printf(&b, "[%s]\n\n#\n# From nova.conf\n#\n\n", sections[s]);
		for (int i = 0; i < 220; i++)
			mp_buf_printf(
				&b,
				"#\n# Option %d of many; see \xc2\xa7 %d (string value)\n"
				"#  Possible values:\n# * a: b = c\n#option_%d = <None>\n\n\n\t\n",
				i, i, i);
		if (s == 0)
			mp_buf_puts(&b, "#instances_path=$state_path/instances\n"
					"transport_url = rabbit://u:p@h\nmulti = a\nmulti = b\n");
		if (s == 2)
			mp_buf_puts(&b, "#live_migration_scheme = <None>\nvirt_type=kvm\n");
		if (s == 3)
			mp_buf_puts(&b,
				    "#server_listen = 127.0.0.1\n  \nserver_listen = 127.0.0.1 \n");
	}
	return mp_buf_take(&b);
}

/* Line by line: what is new must be ours, and what is gone as well. */
static void check_stock(const char *before, const char *after)
{
	static const char *const ours[] = { "instances_path = /var/lib/nova/instances\n",
					    "live_migration_scheme = ssh\n",
					    "live_migration_inbound_addr = 10.0.0.1\n",
					    "server_listen = 0.0.0.0 \n" };
	static const char gone[] = "server_listen = 127.0.0.1 \n";
	size_t n_ours = 0;

	while (*after) {
		size_t n = strcspn(after, "\n") + 1;
		bool found = false;

		if (strncmp(before, after, n) == 0) {
			before += n;
			after += n;
			continue;
		}
		for (size_t i = 0; i < MP_N_ELEMS(ours); i++)
			found = found || (strlen(ours[i]) == n && strncmp(after, ours[i], n) == 0);
		if (!found)
			fail_msg("not ours: %.*s", (int)n, after);
		n_ours++;
		after += n;
		if (strncmp(before, gone, strlen(gone)) == 0)
			before += strlen(gone);
	}
	assert_string_equal(before, "");
	assert_int_equal(n_ours, MP_N_ELEMS(ours));
}

static void test_stock_nova_conf(void **state)
{
	struct trial t = { .name = "stock nova.conf", .r = mp_resource_find("nova-conf") };
	mp_auto_free char *before = stock_conf(), *path = NULL, *after = NULL, *fact = NULL;
	mp_auto_diff struct mp_diff d;

	(void)state;
	t.parts = mp_xcalloc(1, sizeof(*t.parts));
	t.parts[t.n_parts++] =
		(struct part){ mp_xstrdup("file"), mp_xstrdup("0640 0 64060 /etc/nova/nova.conf"),
			       mp_xstrdup(before) };
	make_root(&t);
	make_world(&t);
	assert_int_equal(mp_sys_open(t.root, &t.sys, NULL), 0);
	look(&t, &d);
	assert_int_equal(d.status, MP_DRIFT);
	apply(&t);
	path = inside(&t, "/etc/nova/nova.conf");
	after = slurp(path);
	check_stock(before, after);
	mp_diff_fini(&d);
	look(&t, &d);
	assert_int_equal(d.status, MP_OK);
	fact = json_dumps(t.fact, 0);
	assert_null(strstr(fact, "rabbit"));
	trial_fini(&t);
}

/* The kernel's own table; /proc is always a mount of its own, and its device tells where a link
 * leads. */
static void test_mount_table(void **state)
{
	mp_auto_mount struct mp_mount below = { 0 }, linked = { 0 };
	struct mp_err err = { 0 };
	struct mp_sys *sys;
	struct stat st;

	(void)state;
	assert_int_equal(mp_sys_open("/", &sys, &err), 0);
	assert_int_equal(mp_mount_find(sys, "/proc/no/such/", NULL, &below, &err), 0);
	assert_string_equal(below.point, "/proc");
	assert_string_equal(below.type, "proc");
	assert_false(mp_mount_is_remote(&below));
	assert_int_equal(stat("/proc/self/fd", &st), 0);
	assert_int_equal(mp_mount_find(sys, "/etc", &st, &linked, &err), 0);
	assert_string_equal(linked.type, "proc");
	mp_sys_close(sys);
}

static void expect_merged(const char *have, const char *wanted, const char *expected)
{
	mp_auto_free char *got = mp_mount_merge_options(have, wanted);

	assert_string_equal(got, expected);
}

static void test_merge_options(void **state)
{
	(void)state;
	expect_merged("", "defaults,_netdev", "defaults,_netdev");
	expect_merged("defaults", "defaults", "defaults");
	expect_merged("_netdev,hard", "defaults,_netdev", "_netdev,hard");
	expect_merged("ro,async,root_squash,fsid=1,sec=sys", "rw,sync,fsid=0,no_root_squash",
		      "sec=sys,rw,sync,fsid=0,no_root_squash");
	expect_merged("noauto,nosuid", "auto", "nosuid,auto");
	expect_merged("version=1", "vers=4", "version=1,vers=4");
}

static bool has_cases(const char *id)
{
	const char *dir = getenv("SRCDIR");
	mp_auto_free char *path = mp_xasprintf("%s/tests/resource/%s", dir ? dir : ".", id);

	return access(path, F_OK) == 0;
}

/* Whether a test program or a scenario has the id or the symbol in it. */
static bool tried_elsewhere(const char *id)
{
	static const char *const where[] = { "unit/*.c", "scenario/*", "lab/*" };
	const char *dir = getenv("SRCDIR");
	mp_auto_free char *symbol = mp_xasprintf("mp_resource_%s", id);
	bool found = false;

	for (char *c = symbol; *c; c++)
		if (*c == '-')
			*c = '_';
	for (size_t w = 0; w < MP_N_ELEMS(where); w++) {
		mp_auto_free char *pattern = mp_xasprintf("%s/tests/%s", dir ? dir : ".", where[w]);
		glob_t g = { 0 };

		if (glob(pattern, 0, NULL, &g) == 0)
			for (size_t i = 0; i < g.gl_pathc; i++) {
				mp_auto_free char *text = slurp(g.gl_pathv[i]);

				found = found ||
					(text && (strstr(text, id) || strstr(text, symbol)));
			}
		globfree(&g);
	}
	return found;
}

/* Those without cases run programs of the host, and are tried where these are. */
static void test_none_is_forgotten(void **state)
{
	(void)state;
	for (size_t i = 0; mp_resources[i]; i++)
		if (!has_cases(mp_resources[i]->id) && !tried_elsewhere(mp_resources[i]->id))
			fail_msg("nothing tries %s: add tests/resource/%s/NAME.case",
				 mp_resources[i]->id, mp_resources[i]->id);
}

/* Everything that explain prints is there, ids are unique and found. */
static void test_descriptors(void **state)
{
	(void)state;
	for (size_t i = 0; mp_resources[i]; i++) {
		const struct mp_resource *r = mp_resources[i];

		assert_ptr_equal(mp_resource_find(r->id), r);
		assert_non_null(r->summary);
		assert_non_null(r->prevents);
		assert_non_null(r->checked);
		assert_non_null(r->remedy);
		assert_non_null(r->source);
		assert_null(strchr(r->summary, '!'));
		assert_true(r->params && r->observe && r->want && r->diff && r->apply);
	}
	assert_null(mp_resource_find("no-such-resource"));
}

static void test_common_answers(void **state)
{
	const struct mp_resource *r = mp_resource_find("nova-shell");
	json_t *skip = json_pack("{s:s}", "skip", "why");
	json_t *fails = json_pack("{s:s,s:s}", "fail", "what", "remedy", "how");
	json_t *want = json_pack("{s:s,s:s}", "user", "u", "shell", "s");
	struct mp_diff d;

	(void)state;
	mp_resource_diff(r, NULL, "the host is gone", skip, &d);
	assert_int_equal(d.status, MP_SKIP);
	assert_string_equal(d.reason, "why");
	mp_diff_fini(&d);
	mp_resource_diff(r, NULL, NULL, fails, &d);
	assert_int_equal(d.status, MP_FAIL);
	assert_string_equal(d.reason, "what");
	assert_string_equal(d.remedy, "how");
	mp_diff_fini(&d);
	mp_resource_diff(r, NULL, "the host is gone", want, &d);
	assert_int_equal(d.status, MP_UNKNOWN);
	assert_string_equal(d.reason, "the host is gone");
	mp_diff_fini(&d);
	json_decref(skip);
	json_decref(fails);
	json_decref(want);
}

int main(void)
{
	struct CMUnitTest tests[64] = {
		cmocka_unit_test(test_descriptors),       cmocka_unit_test(test_common_answers),
		cmocka_unit_test(test_none_is_forgotten), cmocka_unit_test(test_stock_nova_conf),
		cmocka_unit_test(test_mount_table),       cmocka_unit_test(test_merge_options)
	};
	size_t n = 6;

	for (size_t i = 0; mp_resources[i] && n < MP_N_ELEMS(tests); i++)
		if (has_cases(mp_resources[i]->id))
			tests[n++] =
				(struct CMUnitTest){ .name = mp_resources[i]->id,
						     .test_func = test_cases,
						     .initial_state =
							     (void *)(uintptr_t)mp_resources[i] };
	return _cmocka_run_group_tests("resource", tests, n, NULL, NULL);
}
