/* SPDX-License-Identifier: GPL-3.0-or-later */
/* model: profiles, those that are shipped, and the manual page of the parameters. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "model/profile.h"

static char dir[] = "/tmp/test_profile.XXXXXX";
static struct mp_strv files;

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	for (size_t i = 0; i < files.n; i++)
		unlink(files.v[i]);
	mp_strv_fini(&files);
	return rmdir(dir);
}

static void put(const char *name, const char *text)
{
	char *path = mp_xasprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	if (mp_strv_has(&files, path))
		free(path);
	else
		mp_strv_take(&files, path);
}

static const struct mp_param *row(const char *name)
{
	const struct mp_param *r = mp_param_find(name);

	assert_non_null(r);
	return r;
}

/* Every default must pass its own row and the rules between rows. */
static void test_defaults(void **state)
{
	struct mp_profile *p = mp_profile_new();
	int from = 0, to = 0;

	(void)state;
	for (size_t i = 0; i < mp_n_params; i++) {
		mp_auto_free char *text = mp_xasprintf("%s.%s=%s", mp_params[i].section,
						       mp_params[i].key, mp_params[i].def);

		assert_string_equal(mp_profile_origin(p, &mp_params[i]), "default");
		assert_string_equal(mp_profile_text(p, &mp_params[i]), mp_params[i].def);
		assert_int_equal(mp_profile_set(p, text, "x", NULL), 0);
	}
	assert_int_equal(mp_profile_validate(p, NULL), 0);
	assert_true(mp_profile_bool(p, "nova", "manage"));
	assert_int_equal(mp_profile_int(p, "nova", "release"), 29);
	/* Nova admin guide, Configure live migrations: TCP 49152 to 49261 */
	mp_profile_ports(p, "firewall", "ports", &from, &to);
	assert_int_equal(from, 49152);
	assert_int_equal(to, 49261);
	assert_string_equal(mp_profile_str(p, "storage", "export_options"),
			    "rw,sync,fsid=0,no_root_squash");
	mp_profile_free(p);
}

static void test_values(void **state)
{
	static const char *const good[] = {
		"nova.manage=off",
		"nova.manage=true",
		"nova.release=11",
		"nova.shell=/usr/bin/zsh",
		"nova.server_listen=",
		"nova.server_listen=::",
		"nova.server_listen=10.0.0.1",
		"nova.live_migration_uri=",
		"nova.live_migration_uri=qemu+ssh://nova@%s/system",
		"nova.live_migration_downtime=100",
		"nova.live_migration_downtime=",
		"firewall.ports=1024-65535",
		"firewall.ports=49152-49152",
		"storage.export_options=rw,sec=krb5:sys",
		"storage.idmap_domain=",
		"storage.idmap_domain=example.org",
		"verify.timeout_s=86400",
	};
	static const char *const bad[] = {
		"nova.manage=maybe",
		"nova.manage=YES",
		"nova.manage=",
		"nova.release=10",
		"nova.release=29.0",
		"nova.release=",
		"nova.shell=bash",
		"nova.shell=/",
		"nova.shell=/bin/../x",
		"nova.shell=/bin/..",
		"nova.shell=/bin/sh -c",
		"nova.shell=/bin/a:b",
		"nova.config=/etc//x",
		"nova.user=0",
		"nova.user=a b",
		"nova.server_listen=localhost",
		"nova.server_listen=0",
		"nova.live_migration_uri=qemu:///",
		"nova.live_migration_uri=qemu://%s/%s",
		"nova.live_migration_uri=qemu://%d/",
		"nova.live_migration_uri=qemu://%s/ x",
		"nova.live_migration_uri=%s",
		"nova.live_migration_downtime=99",
		"nova.live_migration_scheme=SSH",
		"nova.live_migration_scheme=ssh|tcp",
		"firewall.ports=49261-49152",
		"firewall.ports=1023-2000",
		"firewall.ports=49152-65536",
		"firewall.ports=49152",
		"firewall.ports=49152-",
		"firewall.ports=-1-5000",
		"firewall.ports=49152-49261-5",
		"firewall.ports=49152 - 49261",
		"storage.export_options=",
		"storage.export_options=rw, sync",
		"storage.export_options=rw)",
		"storage.export_options=rw\n/ *(rw)",
		"storage.mount_options=a\tb",
		"storage.idmap_domain=a b",
		"storage.idmap_domain=a\x1b",
		"storage.idmap_domain=a\xff",
		"verify.memory_mib=7",
	};
	struct mp_profile *p = mp_profile_new();

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(good); i++) {
		struct mp_err err = { 0 };

		if (mp_profile_set(p, good[i], "--set", &err) < 0)
			fail_msg("%s: %s", good[i], err.text);
	}
	assert_string_equal(mp_profile_origin(p, row("nova.release")), "--set");
	for (size_t i = 0; i < MP_N_ELEMS(bad); i++) {
		mp_auto_free char *name = mp_xstrndup(bad[i], strcspn(bad[i], "="));
		mp_auto_free char *before = mp_xstrdup(mp_profile_text(p, row(name)));
		struct mp_err err = { 0 };

		if (mp_profile_set(p, bad[i], "--set", &err) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.code, MP_E_INPUT);
		assert_int_equal(strncmp(err.text, "--set: ", 7), 0);
		assert_string_equal(mp_profile_text(p, row(name)), before);
	}
	mp_profile_free(p);
}

static void test_set_messages(void **state)
{
	static const char *const rows[][2] = {
		{ "nova.relase=3",
		  "inv:7: unknown parameter 'nova.relase'; did you mean 'nova.release'?" },
		{ "nova.memory_mib=3",
		  "inv:7: unknown parameter 'nova.memory_mib'; did you mean 'verify.memory_mib'?" },
		{ "quite.unlike.any=3",
		  "inv:7: unknown parameter 'quite.unlike.any'; see migprep-profile(5)" },
		{ "nova.release", "inv:7: 'nova.release' has no '='; write section.key=value" },
		{ "nova.release=x",
		  "inv:7: bad value 'x' of nova.release; write a number from 11 to 99 (31 = "
		  "2025.1, 30 = 2024.2, 29 = 2024.1, 28 = 2023.2, 27 = 2023.1)" },
		{ "ssh.keys=none", "inv:7: bad value 'none' of ssh.keys; write one of own|shared" },
		{ "nova.manage=\x1b[2J",
		  "inv:7: control character or text that is not UTF-8; remove it" },
	};
	struct mp_profile *p = mp_profile_new();

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(rows); i++) {
		struct mp_err err = { 0 };

		assert_int_equal(mp_profile_set(p, rows[i][0], "inv:7", &err), -1);
		assert_string_equal(err.text, rows[i][1]);
	}
	mp_profile_free(p);
}

static void test_validate(void **state)
{
	struct mp_profile *p = mp_profile_new();
	struct mp_err err = { 0 };

	(void)state;
	assert_int_equal(mp_profile_set(p, "firewall.ports=16000-17000", "--set", NULL), 0);
	assert_int_equal(mp_profile_validate(p, &err), -1);
	assert_string_equal(err.text,
			    "--set: firewall.ports 16000-17000 includes port 16509, where "
			    "libvirtd or NFS listens; choose another range");
	assert_int_equal(mp_profile_set(p, "firewall.ports=50000-50100", "--set", NULL), 0);
	assert_int_equal(
		mp_profile_set(p, "nova.live_migration_uri=qemu+tcp://%s/system", "f:1", NULL), 0);
	assert_int_equal(mp_profile_validate(p, NULL), 0);
	assert_int_equal(mp_profile_set(p, "nova.live_migration_scheme=ssh", "f:2", NULL), 0);
	assert_int_equal(mp_profile_validate(p, &err), -1);
	assert_int_equal(mp_profile_set(p, "nova.live_migration_scheme=leave", "f:2", NULL), 0);
	assert_int_equal(mp_profile_validate(p, NULL), 0);
	mp_profile_free(p);
}

static void test_extends(void **state)
{
	const char *const dirs[] = { "/nonexistent", dir };
	mp_auto_free char *base_origin = mp_xasprintf("%s/base.ini:4", dir);
	mp_auto_free char *top_origin = mp_xasprintf("%s/top.ini:4", dir);
	mp_auto_free char *path = mp_xasprintf("%s/rel.ini", dir);
	struct mp_profile *p = NULL;

	(void)state;
	put("base.ini", "\xef\xbb\xbf# a base\r\n[nova]\r\nuser = stack\r\nrelease = 25\r\n");
	put("top.ini", "[nova]\nshell=/bin/sh\n\nuser = other\n[profile]\nextends = base\n");
	put("rel.ini", "[profile]\nextends = ./top.ini\n");
	assert_int_equal(mp_profile_load("top", dirs, 2, &p, NULL), 0);
	assert_string_equal(mp_profile_name(p), "top");
	assert_int_equal(mp_profile_int(p, "nova", "release"), 25);
	assert_string_equal(mp_profile_str(p, "nova", "user"), "other");
	assert_string_equal(mp_profile_origin(p, row("nova.release")), base_origin);
	assert_string_equal(mp_profile_origin(p, row("nova.user")), top_origin);
	assert_string_equal(mp_profile_origin(p, row("nova.group")), "default");
	mp_profile_free(p);
	assert_int_equal(mp_profile_load(path, dirs, 2, &p, NULL), 0);
	assert_string_equal(mp_profile_name(p), "rel");
	assert_string_equal(mp_profile_str(p, "nova", "user"), "other");
	mp_profile_free(p);
}

/* text is the file; want is the message, behind the path of the file. */
static void expect_bad(const char *text, const char *want)
{
	const char *const dirs[] = { dir };
	struct mp_profile *p = NULL;
	struct mp_err err = { 0 };
	mp_auto_free char *path = mp_xasprintf("%s/bad.ini", dir);

	put("bad.ini", text);
	assert_int_equal(mp_profile_load("bad", dirs, 1, &p, &err), -1);
	assert_null(p);
	assert_int_equal(err.code, MP_E_INPUT);
	assert_int_equal(strncmp(err.text, path, strlen(path)), 0);
	assert_string_equal(err.text + strlen(path), want);
}

static void test_bad_files(void **state)
{
	const char *const dirs[] = { dir };
	struct mp_profile *p = NULL;
	struct mp_err err = { 0 };
	mp_auto_free char *none =
		mp_xasprintf("no profile 'none' in %s; name one that is there, or a "
			     "path",
			     dir);
	mp_auto_free char *self =
		mp_xasprintf(":2: profile '%s/bad.ini' extends itself; take out this line", dir);
	mp_auto_free char *lost =
		mp_xasprintf(":2: no profile 'lost' in %s; name one that is there, "
			     "or a path",
			     dir);

	(void)state;
	expect_bad("[novaa]\n", ":1: unknown section 'novaa'; did you mean [nova]?");
	expect_bad("[nova x]\n", ":1: [nova x] is two words; write [nova]");
	expect_bad("[nova]\n[nova]\n", ":2: [nova] is already there; put everything into one");
	expect_bad("[nova]\nrelase = 3\n",
		   ":2: unknown parameter 'nova.relase'; did you mean 'nova.release'?");
	expect_bad("[nova]\n\nrelease = 3\n",
		   ":3: bad value '3' of nova.release; write a number from 11 to 99 (31 = 2025.1, "
		   "30 = 2024.2, 29 = 2024.1, 28 = 2023.2, 27 = 2023.1)");
	expect_bad("[nova]\nuser=a\nuser=b\n",
		   ":3: 'user' is already set on line 2; remove one line");
	expect_bad("user=a\n", ":1: 'user' before the first section; put it under its [section]");
	expect_bad("[profile]\nextend = x\n",
		   ":2: unknown key 'extend' in [profile]; did you mean 'extends'?");
	expect_bad("[profile]\nextends =\n",
		   ":2: 'extends' has no value; name a profile or remove the line");
	expect_bad("[profile]\nextends = -x\n",
		   ":2: bad profile name '-x'; write a name, or a path with a '/'");
	expect_bad("[profile]\nextends = bad\n", self);
	expect_bad("[profile]\nextends = lost\n", lost);
	assert_int_equal(mp_profile_load("none", dirs, 1, &p, &err), -1);
	assert_string_equal(err.text, none);
	put("one.ini", "[profile]\nextends = two\n");
	put("two.ini", "[profile]\nextends = ./one.ini\n");
	assert_int_equal(mp_profile_load("twoo", dirs, 1, &p, &err), -1);
	assert_string_equal(err.text, "no profile 'twoo'; did you mean 'two'?");
	assert_int_equal(mp_profile_load("one", dirs, 1, &p, &err), -1);
	assert_non_null(strstr(err.text, "two.ini:2: profile '"));
	assert_non_null(strstr(err.text, "extends itself"));
	assert_null(p);
}

/* Asking for a row that does not exist, or by the wrong type, must stop the program. */
static void expect_abort(void (*ask)(const struct mp_profile *p))
{
	struct mp_profile *p = mp_profile_new();
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		ask(p);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	mp_profile_free(p);
}

static void ask_nothing(const struct mp_profile *p)
{
	mp_profile_str(p, "nova", "nothing");
}

static void ask_str_of_int(const struct mp_profile *p)
{
	mp_profile_str(p, "nova", "release");
}

static void ask_int_of_str(const struct mp_profile *p)
{
	mp_profile_int(p, "nova", "user");
}

static void test_bugs(void **state)
{
	(void)state;
	expect_abort(ask_nothing);
	expect_abort(ask_str_of_int);
	expect_abort(ask_int_of_str);
}

/* To say this default is not the same as to say nothing: src/resource/idmapd-conf.c. */
static bool stays_unsaid(const struct mp_param *row)
{
	return row == mp_param_find("storage.idmap_domain");
}

/* nova-nfs.ini must say every parameter, with its default and a comment above it. */
static void test_shipped(void **state)
{
	const char *srcdir = getenv("SRCDIR");
	mp_auto_free char *profiles = mp_xasprintf("%s/profiles", srcdir ? srcdir : ".");
	mp_auto_free char *path = mp_xasprintf("%s/nova-nfs.ini", profiles);
	const char *const dirs[] = { profiles };
	struct mp_profile *p = NULL;
	char line[512], above[512] = "";
	struct mp_err err = { 0 };
	size_t n = 0;
	FILE *f;

	(void)state;
	if (mp_profile_load("nova-nfs", dirs, 1, &p, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(mp_profile_validate(p, NULL), 0);
	for (size_t i = 0; i < mp_n_params; i++) {
		assert_int_equal(strcmp(mp_profile_origin(p, &mp_params[i]), "default") == 0,
				 stays_unsaid(&mp_params[i]));
		assert_string_equal(mp_profile_text(p, &mp_params[i]), mp_params[i].def);
	}
	mp_profile_free(p);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (strchr("#[\n", line[0]) == NULL ||
		    strcmp(line, "#idmap_domain = localdomain\n") == 0) {
			assert_int_equal(above[0], '#');
			assert_non_null(strchr(above, '['));
			n++;
		}
		strcpy(above, line);
	}
	fclose(f);
	assert_int_equal(n, mp_n_params);
	if (mp_profile_load("libvirt-only", dirs, 1, &p, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(mp_profile_validate(p, NULL), 0);
	assert_false(mp_profile_bool(p, "nova", "manage"));
	assert_string_equal(mp_profile_str(p, "storage", "kind"), "local");
	mp_profile_free(p);
}

static void get_line(FILE *f, char *line, size_t size)
{
	assert_non_null(fgets(line, (int)size, f));
	line[strcspn(line, "\n")] = '\0';
}

/* Each row has one item, in order, with its sentence and its default. */
static void test_man(void **state)
{
	const char *srcdir = getenv("SRCDIR");
	mp_auto_free char *path = mp_xasprintf("%s/man/migprep-profile.5", srcdir ? srcdir : ".");
	FILE *f = fopen(path, "r");
	char line[512];
	size_t i = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		mp_auto_free char *name = NULL, *def = NULL;
		char item[128];

		if (sscanf(line, ".It Cm %127s", item) != 1)
			continue;
		assert_true(i < mp_n_params);
		name = mp_xasprintf("%s.%s", mp_params[i].section, mp_params[i].key);
		assert_string_equal(item, name);
		get_line(f, line, sizeof(line));
		assert_string_equal(line, mp_params[i].help);
		get_line(f, line, sizeof(line));
		if (*mp_params[i].def) {
			assert_string_equal(line, "Default");
			get_line(f, line, sizeof(line));
			def = mp_xasprintf(".Ql %s ;", mp_params[i].def);
			assert_string_equal(line, def);
		} else {
			assert_string_equal(line, "Default empty;");
		}
		i++;
	}
	fclose(f);
	assert_int_equal(i, mp_n_params);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),     cmocka_unit_test(test_values),
		cmocka_unit_test(test_set_messages), cmocka_unit_test(test_validate),
		cmocka_unit_test(test_extends),      cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_bugs),         cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_man),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
