/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity: who a host says it is: names, machine, system, addresses, SSH host keys, clock. */
#include "config.h"
#include "sample/sample.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/alloc.h"
#include "base/str.h"
#include "model/name.h"
#include "model/ssh-text.h"
#include "sample/sshd-conf.h"

#define MAX_ADDRESSES 1024

/* The first line of a small file, or NULL if it is absent or unreadable. */
static char *first_line(struct mp_sys *sys, const char *path)
{
	mp_auto_free char *text = NULL;

	if (mp_sys_read(sys, path, &text, NULL, NULL, NULL) < 0 || !text)
		return NULL;
	text[strcspn(text, "\r\n")] = '\0';
	return mp_steal(&text);
}

static void set_line(struct mp_sys *sys, json_t *fact, const char *key, const char *path)
{
	mp_auto_free char *line = first_line(sys, path);

	json_object_set_new(fact, key, line && *line ? json_string(line) : json_null());
}

/* ID and VERSION_ID of os-release(5). */
static void set_os(struct mp_sys *sys, json_t *fact)
{
	static const char *const files[] = { "/etc/os-release", "/usr/lib/os-release" };
	mp_auto_free char *text = NULL;
	char *save = NULL;

	for (size_t i = 0; i < MP_N_ELEMS(files) && !text; i++)
		if (mp_sys_read(sys, files[i], &text, NULL, NULL, NULL) < 0)
			text = NULL;
	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		mp_auto_strv struct mp_strv w = { 0 };

		mp_str_split(line, "=\"'\r", &w);
		if (w.n == 2 && strcmp(w.v[0], "ID") == 0)
			json_object_set_new(fact, "os", json_string(w.v[1]));
		if (w.n == 2 && strcmp(w.v[0], "VERSION_ID") == 0)
			json_object_set_new(fact, "os_version", json_string(w.v[1]));
	}
}

/* "TYPE BASE64" of a host key, from its .pub file or else the readable part of the private one. */
static char *host_key(struct mp_sys *sys, const char *path)
{
	mp_auto_free char *file = mp_xasprintf("%s.pub", path), *text = NULL, *key = NULL;
	struct mp_ssh_pub pub;
	size_t size;

	if (mp_sys_read(sys, file, &text, &size, NULL, NULL) == 0 && text)
		return mp_ssh_pub_parse(text, size, &pub) ? mp_xstrndup(pub.key, pub.key_len)
							  : NULL;
	if (mp_sys_read(sys, path, &text, &size, NULL, NULL) < 0 || !text)
		return NULL;
	mp_ssh_private_parse(text, size, &key);
	explicit_bzero(text, size);
	return mp_steal(&key);
}

static int set_ssh(struct mp_sys *sys, json_t *fact, struct mp_err *err)
{
	json_t *keys = json_array(), *ports = json_array();
	struct mp_sshd_conf conf = { 0 };
	int rc = mp_sshd_conf_read(sys, &conf, err);

	for (size_t i = 0; i < conf.host_keys.n; i++) {
		mp_auto_free char *key = host_key(sys, conf.host_keys.v[i]);
		struct mp_ssh_pub pub;

		if (key && mp_ssh_pub_parse(key, strlen(key), &pub))
			json_array_append_new(keys, json_pack("{s:s,s:s,s:s}", "type", pub.type,
							      "fingerprint", pub.fingerprint,
							      "line", key));
	}
	for (size_t i = 0; i < conf.n_ports; i++)
		json_array_append_new(ports, json_integer(conf.ports[i]));
	json_object_set_new(fact, "host_keys", keys);
	json_object_set_new(fact, "sshd_ports", ports);
	json_object_set_new(fact, "sshd_port", json_integer(conf.n_ports ? conf.ports[0] : 22));
	mp_sshd_conf_fini(&conf);
	return rc;
}

/*
 * The canonical name that /etc/hosts has for a host name: the first of its line (hosts(5)). DNS is
 * not asked: it may hang, and what other hosts need of this sample must not wait for it.
 */
static char *long_name(struct mp_sys *sys, const char *name)
{
	mp_auto_free char *text = NULL;
	char *save = NULL;

	if (mp_sys_read(sys, "/etc/hosts", &text, NULL, NULL, NULL) < 0)
		return NULL;
	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		mp_auto_strv struct mp_strv w = { 0 };

		line[strcspn(line, "#")] = '\0';
		mp_str_split(line, " \t\r", &w);
		for (size_t i = 1; i < w.n; i++)
			if (strcasecmp(w.v[i], name) == 0)
				return mp_xstrdup(w.v[1]);
	}
	return NULL;
}

static void set_names(struct mp_sys *sys, json_t *fact)
{
	mp_auto_free char *name = first_line(sys, "/proc/sys/kernel/hostname"), *fqdn = NULL;

	fqdn = name ? long_name(sys, name) : NULL;
	json_object_set_new(fact, "hostname", json_string(name ? name : ""));
	json_object_set_new(fact, "fqdn", json_string(fqdn ? fqdn : name ? name : ""));
}

/* The address of an interface that is up, as text, unless it has a meaning on its own link only. */
static const char *address_text(const struct ifaddrs *a, char *buf, socklen_t size)
{
	const struct sockaddr *sa = a->ifa_addr;
	const char *text = NULL;

	if (!sa || !(a->ifa_flags & IFF_UP))
		return NULL;
	if (sa->sa_family == AF_INET) {
		text = inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, buf, size);
	} else if (sa->sa_family == AF_INET6) {
		const struct in6_addr *in6 = &((const struct sockaddr_in6 *)sa)->sin6_addr;

		if (!IN6_IS_ADDR_LINKLOCAL(in6))
			text = inet_ntop(AF_INET6, in6, buf, size);
	}
	return text && !mp_name_is_loopback(text) ? text : NULL;
}

/* All addresses that are this host's own, sorted; null when there are too many to tell. */
static json_t *own_addresses(void)
{
	mp_auto_strv struct mp_strv list = { 0 };
	struct ifaddrs *all = NULL;
	json_t *ret;

	if (getifaddrs(&all) < 0)
		return json_null();
	for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
		char buf[INET6_ADDRSTRLEN];
		const char *text = address_text(a, buf, sizeof(buf));

		if (text)
			mp_strv_add(&list, text);
	}
	freeifaddrs(all);
	if (list.n > MAX_ADDRESSES)
		return json_null();
	mp_strv_sort(&list);
	ret = json_array();
	for (size_t i = 0; i < list.n; i++)
		if (i == 0 || strcmp(list.v[i], list.v[i - 1]) != 0)
			json_array_append_new(ret, json_string(list.v[i]));
	return ret;
}

static int observe(struct mp_sys *sys, const json_t *params, json_t **ret, struct mp_err *err)
{
	json_t *fact = json_object();
	struct timespec now;

	(void)params;
	set_names(sys, fact);
	set_line(sys, fact, "machine_id", "/etc/machine-id");
	set_line(sys, fact, "product_uuid", "/sys/class/dmi/id/product_uuid");
	set_line(sys, fact, "boot_id", "/proc/sys/kernel/random/boot_id");
	set_os(sys, fact);
	json_object_set_new(fact, "addresses", mp_sys_is_real(sys) ? own_addresses() : json_null());
	if (set_ssh(sys, fact, err) < 0) {
		json_decref(fact);
		return -1;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	json_object_set_new(fact, "time",
			    json_integer((json_int_t)now.tv_sec * 1000 + now.tv_nsec / 1000000));
	*ret = fact;
	return 0;
}

const struct mp_sample mp_sample_identity = {
	.id = "identity",
	.summary = "names, machine and system, addresses, SSH host keys and clock",
	.observe = observe,
};
