/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "sample/sshd-conf.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

#define DIR "/etc/ssh"
#define MAX_DEPTH 16 /* SERVCONF_MAX_DEPTH of sshd */

static int read_file(struct mp_sys *sys, const char *path, int depth, struct mp_sshd_conf *ret,
		     struct mp_err *err);

void mp_sshd_conf_fini(struct mp_sshd_conf *c)
{
	mp_strv_fini(&c->host_keys);
}

static void add_port(struct mp_sshd_conf *c, const char *text)
{
	long port;

	if (mp_str_long(text, 1, 65535, &port) < 0)
		return;
	for (size_t i = 0; i < c->n_ports; i++)
		if (c->ports[i] == port)
			return;
	if (c->n_ports < MP_N_ELEMS(c->ports))
		c->ports[c->n_ports++] = port;
}

/* One word of Include: a file, or a pattern of files in one directory; relative to /etc/ssh. */
static int include(struct mp_sys *sys, const char *word, int depth, struct mp_sshd_conf *ret,
		   struct mp_err *err)
{
	mp_auto_free char *path = word[0] == '/' ? mp_xstrdup(word) : mp_xasprintf(DIR "/%s", word);
	mp_auto_strv struct mp_strv names = { 0 };
	char *slash = strrchr(path, '/');

	if (!strpbrk(slash, "*?["))
		return read_file(sys, path, depth + 1, ret, err);
	*slash = '\0';
	if (mp_sys_list(sys, *path ? path : "/", &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		mp_auto_free char *file = mp_xasprintf("%s/%s", path, names.v[i]);

		if (fnmatch(slash + 1, names.v[i], FNM_PERIOD) == 0 &&
		    read_file(sys, file, depth + 1, ret, err) < 0)
			return -1;
	}
	return 0;
}

/* 1: a Match block begins, and nothing after it in this file holds for everybody. */
static int read_line(struct mp_sys *sys, char *line, int depth, struct mp_sshd_conf *ret,
		     struct mp_err *err)
{
	mp_auto_strv struct mp_strv w = { 0 };

	line += strspn(line, " \t");
	if (*line == '#')
		return 0;
	mp_str_split(line, " \t\r\"=", &w);
	if (w.n == 0)
		return 0;
	if (strcasecmp(w.v[0], "Match") == 0)
		return 1;
	if (strcasecmp(w.v[0], "Port") == 0 && w.n > 1)
		add_port(ret, w.v[1]);
	else if (strcasecmp(w.v[0], "HostKey") == 0 && w.n > 1 && w.v[1][0] == '/')
		mp_strv_add(&ret->host_keys, w.v[1]);
	else if (strcasecmp(w.v[0], "Include") == 0)
		for (size_t i = 1; i < w.n; i++)
			if (include(sys, w.v[i], depth, ret, err) < 0)
				return -1;
	return 0;
}

static int read_file(struct mp_sys *sys, const char *path, int depth, struct mp_sshd_conf *ret,
		     struct mp_err *err)
{
	mp_auto_free char *text = NULL;
	char *save = NULL;
	int rc = 0;

	if (depth > MAX_DEPTH)
		return mp_err_set(err, MP_E_INPUT, "%s: sshd's files include each other too deeply",
				  path);
	if (mp_sys_read(sys, path, &text, NULL, NULL, err) < 0)
		return -1;
	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line && rc == 0;
	     line = strtok_r(NULL, "\n", &save))
		rc = read_line(sys, line, depth, ret, err);
	return rc < 0 ? -1 : 0;
}

int mp_sshd_conf_read(struct mp_sys *sys, struct mp_sshd_conf *ret, struct mp_err *err)
{
	if (read_file(sys, DIR "/sshd_config", 0, ret, err) < 0)
		return -1;
	if (ret->n_ports == 0)
		ret->ports[ret->n_ports++] = 22;
	/* servconf.c of OpenSSH, fill_default_server_options() */
	if (ret->host_keys.n == 0) {
		mp_strv_add(&ret->host_keys, DIR "/ssh_host_rsa_key");
		mp_strv_add(&ret->host_keys, DIR "/ssh_host_ecdsa_key");
		mp_strv_add(&ret->host_keys, DIR "/ssh_host_ed25519_key");
	}
	return 0;
}
