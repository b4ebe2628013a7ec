/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The journal of the host room, below a pretended root. */
#include "config.h"

#include "host-env.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static json_t *line_of(const char *log, size_t n)
{
	const char *p = log;
	json_t *j;

	while (n-- && p)
		p = (p = strchr(p, '\n')) ? p + 1 : NULL;
	j = p ? json_loads(p, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
	assert_non_null(j);
	return j;
}

static const char *str(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "(none)";
}

static void test_journal_entry(void **state)
{
	struct env *e = *state;
	mp_auto_free char *log = NULL, *p = at(e, "/etc/a");
	struct mp_err err = { 0 };
	json_t *l;

	put(e, "/etc/a", "old\n");
	assert_int_equal(chmod(p, 0604), 0);
	begin(e);
	assert_int_equal(write_text(e, "/etc/a", "new\n", &err), 0);
	end(e);
	assert_int_equal(stat_of(e, "/var/lib/migprep/journal").st_mode & 07777, 0700);
	assert_text(e, "/var/lib/migprep/journal/000000000001-a-thing/1.old", "old\n");
	log = get(e, "/var/lib/migprep/journal/000000000001-a-thing/log");
	l = line_of(log, 0);
	assert_string_equal(str(l, "resource"), "a-thing");
	json_decref(l);
	l = line_of(log, 1);
	assert_string_equal(str(l, "op"), "write");
	assert_string_equal(str(l, "path"), "/etc/a");
	assert_string_equal(str(l, "mode"), "0604");
	assert_true(json_is_true(json_object_get(l, "existed")));
	/* By sha256sum(1). */
	assert_string_equal(str(l, "old_sha256"),
			    "01d09d19c2139a46aebfb577780d123d7396e97201bc7ead210a2ebff8239dee");
	assert_string_equal(str(l, "new_sha256"),
			    "7aa7a5359173d05b63cfd682e3c38487f3cb4f7f1d60659fe59fab1505977d4c");
	json_decref(l);
	l = line_of(log, 2);
	assert_int_equal(json_integer_value(json_object_get(l, "ino")),
			 stat_of(e, "/etc/a").st_ino);
	json_decref(l);
	l = line_of(log, 3);
	assert_string_equal(str(l, "state"), "done");
	json_decref(l);
}

static void test_journal_keeps_no_secret(void **state)
{
	struct env *e = *state;
	mp_auto_free char *cmd = NULL;
	struct mp_err err = { 0 };

	put(e, "/etc/key", "PRIVATE-OLD");
	begin(e);
	assert_int_equal(mp_sys_write(e->sys, "/etc/key", "PRIVATE-NEW", 11, &plain, true, &err),
			 0);
	assert_int_equal(mp_sys_write(e->sys, "/etc/key2", "PRIVATE-2", 9, &plain, true, &err), 0);
	end(e);
	assert_int_equal(stat_of(e, "/etc/key2").st_mode & 07777, 0600);
	assert_int_equal(count(e, "/var/lib/migprep/journal/*/*.old"), 0);
	assert_int_equal(count(e, "/var/lib/migprep/journal/*/log"), 1);
	cmd = mp_xasprintf("grep -rqE 'PRIVATE|sha256' '%s/var'", e->root);
	assert_int_equal(WEXITSTATUS(system(cmd)), 1);
}

static void test_journal_is_bounded(void **state)
{
	struct env *e = *state;
	struct mp_err err = { 0 };
	char text[16];

	for (int i = 0; i < 53; i++) {
		snprintf(text, sizeof(text), "%d", i);
		begin(e);
		assert_int_equal(write_text(e, "/etc/a", text, &err), 0);
		end(e);
	}
	assert_int_equal(count(e, "/var/lib/migprep/journal/0*"), 50);
	assert_int_equal(count(e, "/var/lib/migprep/journal/000000000003-a-thing"), 0);
	assert_int_equal(count(e, "/var/lib/migprep/journal/000000000053-a-thing"), 1);
}

/* A run that died between the journal and the rename: the next one tidies up, and says so. */
static void test_crashed_run(void **state)
{
	struct env *e = *state;
	mp_auto_free char *log = NULL;
	struct mp_err err = { 0 };

	put(e, "/etc/a", "old\n");
	put(e, "/etc/.a.migprep-abcdef", "ne");
	make_dir(e, "/etc/.d.migprep-abcdef");
	put(e, "/etc/.a.migprep-theirs", "not in the journal");
	for (const char *const *d =
		     (const char *const[]){ "/var", "/var/lib", "/var/lib/migprep",
					    "/var/lib/migprep/journal",
					    "/var/lib/migprep/journal/000000000007-x", NULL };
	     *d; d++)
		make_dir(e, *d);
	put(e, "/var/lib/migprep/journal/000000000007-x/log",
	    "{\"journal\":1,\"resource\":\"x\"}\n"
	    "{\"n\":1,\"op\":\"write\",\"path\":\"/etc/a\",\"tmp\":\".a.migprep-abcdef\"}\n"
	    "{\"n\":2,\"op\":\"mkdir\",\"path\":\"/etc/d\",\"tmp\":\".d.migprep-abcdef\"}\n"
	    "{\"n\":3,\"op\":\"wri");
	begin(e);
	end(e);
	assert_text(e, "/etc/.a.migprep-abcdef", NULL);
	assert_int_equal(count(e, "/etc/.d.migprep-*"), 0);
	assert_text(e, "/etc/.a.migprep-theirs", "not in the journal");
	assert_text(e, "/etc/a", "old\n");
	log = get(e, "/var/lib/migprep/journal/000000000007-x/log");
	assert_non_null(strstr(log, "\n{\"state\":\"crashed\""));
	begin(e);
	assert_int_equal(write_text(e, "/etc/a", "new\n", &err), 0);
	end(e);
	assert_int_equal(count(e, "/var/lib/migprep/journal/000000000008-a-thing"), 1);
}

/* What cannot be read is put aside and noted; it does not keep the next run from its work. */
static void test_damaged_transaction(void **state)
{
	struct env *e = *state;
	mp_auto_free char *log = NULL;
	struct mp_err err = { 0 };

	for (const char *const *d =
		     (const char *const[]){ "/var", "/var/lib", "/var/lib/migprep",
					    "/var/lib/migprep/journal",
					    "/var/lib/migprep/journal/000000000007-x",
					    "/var/lib/migprep/journal/000000000007-x/log", NULL };
	     *d; d++)
		make_dir(e, *d);
	put(e, "/var/lib/migprep/journal/000000000009-file", "no directory");
	begin(e);
	assert_int_equal(write_text(e, "/etc/a", "new\n", &err), 0);
	end(e);
	assert_int_equal(count(e, "/var/lib/migprep/journal/unsettled-000000000007-x"), 1);
	assert_int_equal(count(e, "/var/lib/migprep/journal/unsettled-000000000009-file"), 1);
	log = get(e, "/var/lib/migprep/journal/000000000010-a-thing/log");
	assert_non_null(log);
	assert_non_null(strstr(log, "\"unsettled\":[\"unsettled-000000000007-x\","
				    "\"unsettled-000000000009-file\"]"));
}

static void test_one_run_at_a_time(void **state)
{
	struct env *e = *state;
	struct mp_sys *other;
	struct mp_err err = { 0 };

	begin(e);
	end(e);
	assert_int_equal(mp_sys_open(e->root, &other, &err), 0);
	assert_int_equal(mp_sys_begin(other, "y", &err), -1);
	assert_non_null(strstr(err.text, "another migprep is changing this host"));
	mp_sys_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_journal_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal_keeps_no_secret, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crashed_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_transaction, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_run_at_a_time, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
