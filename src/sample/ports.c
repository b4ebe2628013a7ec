/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ports: who listens within the range of migration data. */
#include "config.h"
#include "sample/sample.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sample/listeners.h"

#define LISTEN 0x0a /* TCP_LISTEN of the kernel, as /proc/net/tcp prints it (proc(5)) */

static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	int from, to;

	(void)h;
	mp_profile_ports(w->profile, "firewall", "ports", &from, &to);
	return json_pack("{s:i,s:i}", "from", from, "to", to);
}

/* The listeners of the range so far. */
struct seen {
	long from, to;
	json_t *by_port; /* {"PORT": {"port", "uid", "inode"}}; one per port */
};

static void add_listener(int port, uid_t uid, unsigned long inode, void *arg)
{
	struct seen *seen = arg;
	char key[16];

	if (port < seen->from || port > seen->to)
		return;
	snprintf(key, sizeof(key), "%05d", port);
	json_object_set_new(seen->by_port, key,
			    json_pack("{s:i,s:I,s:I}", "port", port, "uid", (json_int_t)uid,
				      "inode", (json_int_t)inode));
}

static void add_table(char *text, struct seen *seen)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned port, state, uid;
		unsigned long inode;

		if (sscanf(line,
			   " %*u: %*[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*x %2x %*x:%*x %*x:%*x %*x %u "
			   "%*u %lu",
			   &port, &state, &uid, &inode) == 4 &&
		    state == LISTEN)
			add_listener((int)port, uid, inode, seen);
	}
}

/* For a kernel without sock_diag, and a pretended root. */
static int read_tables(struct mp_sys *sys, struct seen *seen, struct mp_err *err)
{
	static const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };

	for (size_t i = 0; i < MP_N_ELEMS(tables); i++) {
		mp_auto_free char *text = NULL;

		if (mp_sys_read(sys, tables[i], &text, NULL, NULL, err) < 0)
			return -1;
		if (text)
			add_table(text, seen);
	}
	return 0;
}

/* Gives the listeners whose socket is among the descriptors of a process its name. */
static void match_process(const char *pid, json_t *by_inode)
{
	mp_auto_free char *dir = mp_xasprintf("/proc/%s/fd", pid);
	mp_auto_free char *comm_path = mp_xasprintf("/proc/%s/comm", pid);
	DIR *d = opendir(dir);
	struct dirent *e;
	json_t *found;

	while (d && (e = readdir(d))) {
		char link[64], comm[64] = "";
		ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
		FILE *f;

		if (n <= 0)
			continue;
		link[n] = '\0';
		found = json_object_get(by_inode, link);
		if (!found || json_object_get(found, "process"))
			continue;
		f = fopen(comm_path, "re");
		if (f && fgets(comm, sizeof(comm), f)) {
			comm[strcspn(comm, "\n")] = '\0';
			json_object_set_new(found, "process", json_string(comm));
		}
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
}

/* Only where somebody listens in the range: it reads the descriptors of all processes. */
static void name_processes(json_t *by_port)
{
	json_t *by_inode = json_object(), *l;
	struct dirent *e;
	const char *port;
	DIR *d;

	json_object_foreach(by_port, port, l)
	{
		mp_auto_free char *key = mp_xasprintf("socket:[%lld]", mp_json_int(l, "inode", 0));

		json_object_set(by_inode, key, l);
	}
	d = opendir("/proc");
	while (d && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]))
			match_process(e->d_name, by_inode);
	if (d)
		closedir(d);
	json_decref(by_inode);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static json_t *sorted_list(const json_t *by_port)
{
	mp_auto_strv struct mp_strv ports = { 0 };
	json_t *list = json_array(), *l;
	const char *port;

	json_object_foreach((json_t *)by_port, port, l)
	{
		mp_strv_add(&ports, port);
	}
	if (ports.n)
		qsort(ports.v, ports.n, sizeof(*ports.v), by_bytes);
	for (size_t i = 0; i < ports.n; i++) {
		l = json_object_get(by_port, ports.v[i]);
		json_object_del(l, "inode");
		json_array_append(list, l);
	}
	return list;
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	json_t *by_port = json_object();
	struct seen seen = { (long)mp_json_int(p, "from", 0), (long)mp_json_int(p, "to", 0),
			     by_port };

	if ((!mp_sys_is_real(sys) || mp_listeners(add_listener, &seen, NULL) < 0) &&
	    read_tables(sys, &seen, err) < 0) {
		json_decref(by_port);
		return -1;
	}
	if (json_object_size(by_port) && mp_sys_is_real(sys))
		name_processes(by_port);
	*ret = json_pack("{s:o}", "listeners", sorted_list(by_port));
	json_decref(by_port);
	return 0;
}

const struct mp_sample mp_sample_ports = {
	.id = "ports",
	.summary = "listeners within the range of migration ports",
	.params = params,
	.observe = observe,
};
