/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "transport/ssh-config.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "transport/child.h"

void mp_ssh_config_fini(struct mp_ssh_config *c)
{
	free(c->hostname);
	free(c->user);
	free(c->host_key_alias);
	free(c->proxy_jump);
	free(c->proxy_command);
	free(c->identity_agent);
	free(c->unsupported);
	mp_strv_fini(&c->identities);
	mp_strv_fini(&c->known_hosts);
	*c = (struct mp_ssh_config){ 0 };
}

static void add_token(struct mp_buf *out, const struct mp_ssh_config *c, char token,
		      const char *home, const char *local_user, const char *original)
{
	switch (token) {
	case '%':
		mp_buf_puts(out, "%");
		break;
	case 'd':
		mp_buf_puts(out, home);
		break;
	case 'h':
		mp_buf_puts(out, c->hostname ? c->hostname : original);
		break;
	case 'n':
		mp_buf_puts(out, original);
		break;
	case 'p':
		mp_buf_printf(out, "%ld", c->port);
		break;
	case 'r':
		mp_buf_puts(out, c->user ? c->user : "");
		break;
	case 'u':
		mp_buf_puts(out, local_user);
		break;
	default:
		mp_buf_printf(out, "%%%c", token);
	}
}

char *mp_ssh_config_expand(const struct mp_ssh_config *c, const char *s, const char *home,
			   const char *local_user, const char *original)
{
	mp_auto_buf struct mp_buf out;

	mp_buf_init(&out, 0);
	if (s[0] == '~' && s[1] == '/') {
		mp_buf_puts(&out, home);
		s++;
	}
	while (*s) {
		if (*s == '%' && s[1]) {
			add_token(&out, c, s[1], home, local_user, original);
			s += 2;
		} else if (*s == '$' && s[1] == '{' && strchr(s, '}')) {
			mp_auto_free char *name =
				mp_xstrndup(s + 2, (size_t)(strchr(s, '}') - s - 2));
			const char *value = getenv(name);

			mp_buf_puts(&out, value ? value : "");
			s = strchr(s, '}') + 1;
		} else {
			mp_buf_add(&out, s++, 1);
		}
	}
	return mp_buf_take(&out);
}

static void replace(char **slot, const char *value)
{
	free(*slot);
	*slot = mp_xstrdup(value);
}

static void parse_family(struct mp_ssh_config *c, const char *value)
{
	c->family = strcmp(value, "inet") == 0    ? AF_INET
		    : strcmp(value, "inet6") == 0 ? AF_INET6
						  : AF_UNSPEC;
}

/* Options that change who we are or what we trust and that only ssh itself can serve. */
static void note_unsupported(struct mp_ssh_config *c, const char *key, const char *value)
{
	static const char *const keys[] = { "bindaddress", "bindinterface", "certificatefile",
					    "knownhostscommand" };
	bool in_use = strcmp(key, "pubkeyauthentication") == 0 &&
		      (strcmp(value, "no") == 0 || strcmp(value, "false") == 0);

	for (size_t i = 0; i < MP_N_ELEMS(keys); i++)
		if (strcmp(keys[i], key) == 0 && strcmp(value, "none") != 0)
			in_use = true;
	if (in_use && !c->unsupported)
		c->unsupported = mp_xasprintf("%s %.60s", key, value);
}

static void parse_line(struct mp_ssh_config *c, const char *key, const char *value,
		       struct mp_strv *user_hosts, struct mp_strv *global_hosts)
{
	if (strcmp(key, "hostname") == 0)
		replace(&c->hostname, value);
	else if (strcmp(key, "user") == 0)
		replace(&c->user, value);
	else if (strcmp(key, "port") == 0)
		mp_str_long(value, 1, 65535, &c->port);
	else if (strcmp(key, "hostkeyalias") == 0)
		replace(&c->host_key_alias, value);
	else if (strcmp(key, "proxyjump") == 0 && strcmp(value, "none") != 0)
		replace(&c->proxy_jump, value);
	else if (strcmp(key, "proxycommand") == 0 && strcmp(value, "none") != 0)
		replace(&c->proxy_command, value);
	else if (strcmp(key, "identityagent") == 0)
		replace(&c->identity_agent, value);
	else if (strcmp(key, "identityfile") == 0)
		mp_strv_add(&c->identities, value);
	else if (strcmp(key, "identitiesonly") == 0)
		c->identities_only = strcmp(value, "yes") == 0;
	else if (strcmp(key, "addressfamily") == 0)
		parse_family(c, value);
	else if (strcmp(key, "connecttimeout") == 0)
		mp_str_long(value, 1, 86400, &c->connect_timeout);
	else if (strcmp(key, "userknownhostsfile") == 0)
		mp_str_split(value, " ", user_hosts);
	else if (strcmp(key, "globalknownhostsfile") == 0)
		mp_str_split(value, " ", global_hosts);
	else
		note_unsupported(c, key, value);
}

static void expand_all(struct mp_ssh_config *c, struct mp_strv *from, struct mp_strv *to,
		       const char *home, const char *local_user, const char *original)
{
	for (size_t i = 0; i < from->n; i++) {
		if (strcmp(from->v[i], "none") != 0)
			mp_strv_take(to, mp_ssh_config_expand(c, from->v[i], home, local_user,
							      original));
	}
}

int mp_ssh_config_parse(char *text, const char *home, const char *local_user, const char *original,
			struct mp_ssh_config *ret, struct mp_err *err)
{
	mp_auto_strv struct mp_strv user_hosts = { 0 }, global_hosts = { 0 }, keys;
	mp_auto_ssh_config struct mp_ssh_config c = { 0 };
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, ' ');

		if (value) {
			*value++ = '\0';
			parse_line(&c, line, value, &user_hosts, &global_hosts);
		}
	}
	keys = c.identities;
	c.identities = (struct mp_strv){ 0 };
	if (!c.hostname || !c.user || !c.port)
		return mp_err_set(err, MP_E_PROTO,
				  "ssh -G '%s' did not say host name, user and port", original);
	/* An IPv6 literal may come in brackets. */
	if (c.hostname[0] == '[' && c.hostname[strlen(c.hostname) - 1] == ']') {
		c.hostname[strlen(c.hostname) - 1] = '\0';
		memmove(c.hostname, c.hostname + 1, strlen(c.hostname));
	}
	expand_all(&c, &keys, &c.identities, home, local_user, original);
	expand_all(&c, &user_hosts, &c.known_hosts, home, local_user, original);
	expand_all(&c, &global_hosts, &c.known_hosts, home, local_user, original);
	*ret = c;
	c = (struct mp_ssh_config){ 0 };
	return 0;
}

static size_t build_argv(const struct mp_dial *dial, const struct mp_host *host, char *port,
			 size_t port_size, const char **argv)
{
	size_t n = 0;

	argv[n++] = dial->ssh_program ? dial->ssh_program : "ssh";
	if (dial->ssh_config) {
		argv[n++] = "-F";
		argv[n++] = dial->ssh_config;
	}
	argv[n++] = "-T";
	if (host->ssh_port) {
		snprintf(port, port_size, "%ld", host->ssh_port);
		argv[n++] = "-p";
		argv[n++] = port;
	}
	if (host->ssh_user) {
		argv[n++] = "-l";
		argv[n++] = host->ssh_user;
	}
	if (host->ssh_key) {
		argv[n++] = "-oIdentitiesOnly=yes";
		argv[n++] = "-i";
		argv[n++] = host->ssh_key;
	}
	argv[n++] = "-G";
	argv[n++] = "--";
	argv[n++] = host->address;
	argv[n] = NULL;
	return n;
}

int mp_ssh_config_load(const struct mp_dial *dial, const struct mp_host *host, mp_ms deadline,
		       struct mp_ssh_config *ret, struct mp_err *err)
{
	const char *argv[16];
	mp_auto_buf struct mp_buf out;
	char port[16], scratch[4096];
	struct passwd pw, *found = NULL;
	const char *home, *user;
	int status;

	mp_buf_init(&out, 0);
	build_argv(dial, host, port, sizeof(port), argv);
	if (mp_child_capture(argv, MP_MAX_SSH_CONFIG_BYTES, deadline, dial->cancel, &out, &status,
			     err) < 0)
		return mp_err_wrap(err, "ssh -G");
	getpwuid_r(getuid(), &pw, scratch, sizeof(scratch), &found);
	home = found ? found->pw_dir : "/";
	user = found ? found->pw_name : "";
	if (!out.size)
		return mp_err_set(err, MP_E_PROTO, "ssh -G '%s' printed nothing", host->address);
	if (mp_ssh_config_parse(out.data, home, user, host->address, ret, err) < 0)
		return -1;
	if (host->ssh_key) {
		char *key = mp_ssh_config_expand(ret, host->ssh_key, home, user, host->address);

		/* ssh leaves a file out that is not there; it must be seen that it is missing. */
		if (!mp_strv_has(&ret->identities, key)) {
			mp_strv_fini(&ret->identities);
			mp_strv_add(&ret->identities, key);
		}
		free(key);
	}
	return 0;
}
