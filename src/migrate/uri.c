/* SPDX-License-Identifier: GPL-3.0-or-later */
/* uri: URIs of libvirt connections, and the script that stands in for ssh. Pure. */
#include "config.h"
#include "migrate/uri.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

/* One word for a POSIX shell, whatever is in it. */
static void add_quoted(struct mp_buf *b, const char *s)
{
	mp_buf_puts(b, " '");
	for (; *s; s++) {
		if (*s == '\'')
			mp_buf_puts(b, "'\\''");
		else
			mp_buf_add(b, s, 1);
	}
	mp_buf_puts(b, "'");
}

char *mp_migrate_ssh_script(const struct mp_dial *dial, const struct mp_host *h,
			    const char *pidfile)
{
	mp_auto_buf struct mp_buf b = { 0 };
	long connect_s = (long)((dial->connect_timeout_ms + 999) / 1000);

	mp_buf_puts(&b, "echo $$ >");
	add_quoted(&b, pidfile);
	if (h->transport == MP_TRANSPORT_LOCAL) {
		/* libvirt's last argument is the command for the far side's shell. */
		mp_buf_puts(&b, "\nfor last do :; done\nexec setsid sh -c \"$last\"\n");
		return mp_buf_take(&b);
	}
	mp_buf_puts(&b, "\nexec setsid");
	add_quoted(&b, dial->ssh_program ? dial->ssh_program : "ssh");
	if (dial->ssh_config) {
		mp_buf_puts(&b, " -F");
		add_quoted(&b, dial->ssh_config);
	}
	if (h->ssh_key) {
		mp_buf_puts(&b, " -o IdentitiesOnly=yes -i");
		add_quoted(&b, h->ssh_key);
	}
	/* The first value of an option wins in ssh, so nothing that libvirt adds can loosen these.
	 */
	mp_buf_printf(&b,
		      " -x -a -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=%ld"
		      " -o ServerAliveInterval=5 -o ServerAliveCountMax=3 -o ControlMaster=no"
		      " -o ControlPath=none -o ClearAllForwardings=yes -o RemoteCommand=none"
		      " -o LogLevel=ERROR \"$@\"\n",
		      connect_s > 0 ? connect_s : 1);
	return mp_buf_take(&b);
}

/* Percent-encodes whatever is not unreserved (RFC 3986, 2.3) or listed in also. */
static void add_encoded(struct mp_buf *b, const char *s, const char *also)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789-._~";

	for (; *s; s++) {
		if (strchr(unreserved, *s) || strchr(also, *s))
			mp_buf_add(b, s, 1);
		else
			mp_buf_printf(b, "%%%02X", (unsigned char)*s);
	}
}

/* A host part: IPv6 literals in brackets. */
static void add_host(struct mp_buf *b, const char *name)
{
	mp_buf_printf(b, strchr(name, ':') ? "[%s]" : "%s", name);
}

char *mp_migrate_host_uri(const struct mp_host *h, const char *script)
{
	mp_auto_buf struct mp_buf b = { 0 };

	mp_buf_puts(&b, "qemu+ssh://");
	if (h->ssh_user) {
		add_encoded(&b, h->ssh_user, "");
		mp_buf_puts(&b, "@");
	}
	add_host(&b, h->address);
	if (h->ssh_port)
		mp_buf_printf(&b, ":%ld", h->ssh_port);
	mp_buf_puts(&b, "/system");
	if (script) {
		mp_buf_puts(&b, "?no_tty=1&command=");
		add_encoded(&b, script, "/");
	}
	return mp_buf_take(&b);
}

/* The profile writes each host's own address into nova.conf, so Nova dials it in place of the name.
 */
static bool nova_dials_address(const struct mp_profile *p)
{
	return strcmp(mp_profile_str(p, "nova", "live_migration_inbound_addr"), "host") == 0;
}

char *mp_migrate_peer_uri(const struct mp_profile *p, const struct mp_host *target)
{
	const char *template = mp_profile_str(p, "nova", "live_migration_uri");
	const char *scheme = mp_profile_str(p, "nova", "live_migration_scheme");
	const char *name = nova_dials_address(p) ? mp_host_migration_address(target) : target->name;
	const char *at = strstr(template, "%s");
	mp_auto_buf struct mp_buf b = { 0 };

	if (at) {
		mp_buf_add(&b, template, (size_t)(at - template));
		add_host(&b, name);
		mp_buf_puts(&b, at + 2);
		return mp_buf_take(&b);
	}
	if (*template) /* without a place for the name, Nova would take it as it is */
		return mp_xstrdup(template);
	mp_buf_printf(&b, "qemu+%s://", strcmp(scheme, "leave") == 0 ? "ssh" : scheme);
	add_host(&b, name);
	mp_buf_puts(&b, "/system");
	return mp_buf_take(&b);
}

char *mp_migrate_data_uri(const struct mp_profile *p, const struct mp_host *target)
{
	mp_auto_buf struct mp_buf b = { 0 };

	if (!nova_dials_address(p))
		return NULL;
	mp_buf_puts(&b, "tcp://");
	add_host(&b, mp_host_migration_address(target));
	return mp_buf_take(&b);
}
