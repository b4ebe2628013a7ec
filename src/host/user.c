/* SPDX-License-Identifier: GPL-3.0-or-later */
/* user: users and groups, by NSS on a real root, from etc/passwd and etc/group of a pretended one.
 */
#include "config.h"
#include "host/host.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <shadow.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"

#define NSS_MAX (1u << 20)

static int copy_user(const struct passwd *pw, struct mp_user *ret, struct mp_err *err)
{
	if (strlen(pw->pw_name) >= sizeof(ret->name) || strlen(pw->pw_dir) >= sizeof(ret->home) ||
	    strlen(pw->pw_shell) >= sizeof(ret->shell))
		return mp_err_set(err, MP_E_LIMIT, "user %.40s has an overlong home or shell",
				  pw->pw_name);
	strcpy(ret->name, pw->pw_name);
	strcpy(ret->home, pw->pw_dir);
	strcpy(ret->shell, pw->pw_shell);
	ret->uid = pw->pw_uid;
	ret->gid = pw->pw_gid;
	return 0;
}

static int user_by_nss(const char *name, bool *ret_exists, struct mp_user *ret, struct mp_err *err)
{
	struct passwd pw, *found = NULL;
	size_t size = 4096;
	mp_auto_free char *buf = mp_xmalloc(size);
	int r;

	while ((r = getpwnam_r(name, &pw, buf, size, &found)) == ERANGE && size < NSS_MAX) {
		size *= 4;
		buf = mp_xreallocarray(buf, size, 1);
	}
	if (!found) {
		/* getpwnam_r(3): several codes stand for "not found". */
		if (r && r != ENOENT && r != ESRCH && r != EBADF && r != EPERM)
			return mp_err_sys(err, r, "look up user %s", name);
		*ret_exists = false;
		return 0;
	}
	*ret_exists = true;
	return copy_user(&pw, ret, err);
}

static int group_by_nss(const char *name, bool *ret_exists, gid_t *ret, struct mp_err *err)
{
	struct group gr, *found = NULL;
	size_t size = 4096;
	mp_auto_free char *buf = mp_xmalloc(size);
	int r;

	while ((r = getgrnam_r(name, &gr, buf, size, &found)) == ERANGE && size < NSS_MAX) {
		size *= 4;
		buf = mp_xreallocarray(buf, size, 1);
	}
	if (!found && r && r != ENOENT && r != ESRCH && r != EBADF && r != EPERM)
		return mp_err_sys(err, r, "look up group %s", name);
	*ret_exists = found != NULL;
	if (found)
		*ret = gr.gr_gid;
	return 0;
}

/* A stream over a file of the pretended root; *ret NULL when it is absent or empty. */
static int scan(struct mp_sys *sys, const char *path, FILE **ret, char **ret_text,
		struct mp_err *err)
{
	size_t size = 0;

	if (mp_sys_read(sys, path, ret_text, &size, NULL, err) < 0)
		return -1;
	*ret = size ? fmemopen(*ret_text, size, "r") : NULL;
	return 0;
}

int mp_sys_user(struct mp_sys *sys, const char *name, bool *ret_exists, struct mp_user *ret,
		struct mp_err *err)
{
	mp_auto_free char *text = NULL;
	struct passwd *pw = NULL;
	FILE *f = NULL;
	int r = 0;

	if (mp_sys_is_real(sys))
		return user_by_nss(name, ret_exists, ret, err);
	if (scan(sys, "/etc/passwd", &f, &text, err) < 0)
		return -1;
	while (f && (pw = fgetpwent(f)) && strcmp(pw->pw_name, name) != 0)
		;
	*ret_exists = pw != NULL;
	if (pw)
		r = copy_user(pw, ret, err);
	if (f)
		fclose(f);
	return r;
}

int mp_sys_group(struct mp_sys *sys, const char *name, bool *ret_exists, gid_t *ret,
		 struct mp_err *err)
{
	mp_auto_free char *text = NULL;
	struct group *gr = NULL;
	FILE *f = NULL;

	if (mp_sys_is_real(sys))
		return group_by_nss(name, ret_exists, ret, err);
	if (scan(sys, "/etc/group", &f, &text, err) < 0)
		return -1;
	while (f && (gr = fgetgrent(f)) && strcmp(gr->gr_name, name) != 0)
		;
	*ret_exists = gr != NULL;
	if (gr)
		*ret = gr->gr_gid;
	if (f)
		fclose(f);
	return 0;
}

/* The text of passwd(5) with another seventh field in the user's line; NULL: no such line. */
static char *with_shell(const char *text, size_t size, const char *user, const char *shell,
			size_t *ret_size)
{
	const char *p = text, *end = text + size, *line_end, *field;
	size_t n = strlen(user);
	struct mp_buf out;

	for (; p < end; p = line_end + 1) {
		line_end = memchr(p, '\n', (size_t)(end - p));
		if (!line_end)
			line_end = end;
		if ((size_t)(line_end - p) > n && memcmp(p, user, n) == 0 && p[n] == ':')
			break;
	}
	if (p >= end)
		return NULL;
	field = p;
	for (int i = 0; i < 6 && field; i++) {
		field = memchr(field, ':', (size_t)(line_end - field));
		field = field ? field + 1 : NULL;
	}
	if (!field)
		return NULL;
	mp_buf_init(&out, 0);
	mp_buf_add(&out, text, (size_t)(field - text));
	mp_buf_puts(&out, shell);
	mp_buf_add(&out, line_end, (size_t)(end - line_end));
	*ret_size = out.size;
	return mp_buf_take(&out);
}

static int write_shell(struct mp_sys *sys, const char *user, const char *shell, struct mp_err *err)
{
	mp_auto_free char *text = NULL, *new = NULL;
	size_t size, new_size = 0;

	if (mp_sys_read(sys, "/etc/passwd", &text, &size, NULL, err) < 0)
		return -1;
	new = text ? with_shell(text, size, user, shell, &new_size) : NULL;
	if (!new)
		return mp_err_set(err, MP_E_INPUT, "/etc/passwd has no complete line for user %s",
				  user);
	return mp_sys_write(sys, "/etc/passwd", new, new_size, NULL, false, err);
}

int mp_sys_set_shell(struct mp_sys *sys, const char *user, const char *shell, struct mp_err *err)
{
	const char *const forget[] = { "nscd", "-i", "passwd", NULL };
	const struct mp_run_opts opts = { .timeout_ms = 5000 };
	struct mp_run_result res;
	int r;

	if (strpbrk(shell, ":\n"))
		return mp_err_set(err, MP_E_INPUT, "'%.80s' is no login shell", shell);
	if (!mp_sys_is_real(sys))
		return write_shell(sys, user, shell, err);
	if (lckpwdf() < 0)
		return mp_err_sys(err, errno,
				  "lock /etc/passwd (another program is changing users)");
	r = write_shell(sys, user, shell, err);
	ulckpwdf();
	/* As usermod(8) does; most hosts have no such cache. */
	if (r == 0 && mp_sys_run(sys, forget, &opts, &res, NULL) == 0)
		mp_run_result_fini(&res);
	return r;
}
