/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * leftovers: what a guest left on this host. body {"name", "uuid"}; reply {"processes": ["PID
 * COMMAND"...], "files": [PATH...]}: processes whose command line names the guest, and what libvirt
 * keeps for a guest that runs. Its log is meant to stay.
 */
#include "config.h"
#include "agent/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/alloc.h"
#include "base/str.h"
#include "model/world.h"

extern const struct mp_verb mp_verb_leftovers;

#define MAX_FOUND 64      /* of each kind */
#define MAX_DEPTH 5       /* of /run/libvirt/qemu and /var/lib/libvirt/qemu; 3 in libvirt 9 */
#define MAX_CMDLINE 32768 /* QEMU's is 2 to 8 KiB; name and UUID stand in its beginning */
#define SHORT_NAME                                                                                 \
	20 /* libvirt cuts names to this in its directories (virDomainDefGetShortName)             \
	    */

struct search {
	const char *root; /* "" or a directory that plays one */
	const char *name, *uuid;
	json_t *processes, *files;
};

/* ---- processes ---- */

/* "guest=NAME," with the name whole. */
static bool names_guest(const char *arg, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = arg; (at = strstr(at, "guest=")) != NULL;) {
		at += strlen("guest=");
		if (strncmp(at, name, n) == 0 && (at[n] == ',' || at[n] == '\0'))
			return true;
	}
	return false;
}

static void look_at_process(const struct search *s, long pid)
{
	mp_auto_free char *path = mp_xasprintf("%s/proc/%ld/cmdline", s->root, pid);
	mp_auto_free char *text = mp_xmalloc(MAX_CMDLINE);
	mp_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, MAX_CMDLINE - 1);
	char line[200];

	if (n <= 0 || pid == (long)getpid()) /* gone, or a thread of the kernel */
		return;
	text[n] = '\0';
	for (char *arg = text; arg < text + n; arg += strlen(arg) + 1) {
		if (!names_guest(arg, s->name) && !strstr(arg, s->uuid))
			continue;
		snprintf(line, sizeof(line), "%ld %.*s", pid, 150, text);
		json_array_append_new(s->processes, json_string(line));
		return;
	}
}

static int look_at_processes(const struct search *s, struct mp_err *err)
{
	mp_auto_free char *path = mp_xasprintf("%s/proc", s->root);
	DIR *dir = opendir(path);
	const struct dirent *e;

	if (!dir)
		return mp_err_sys(err, errno, "open %s", path);
	while ((e = readdir(dir)) && json_array_size(s->processes) < MAX_FOUND) {
		long pid;

		if (mp_str_long(e->d_name, 1, 1L << 30, &pid) == 0)
			look_at_process(s, pid);
	}
	closedir(dir);
	return 0;
}

/* ---- files ---- */

/* "NAME.pid", "NAME.xml", "domain-7-SHORTNAME", and whatever holds the UUID. */
static bool belongs(const struct search *s, const char *file)
{
	size_t n = strlen(s->name), cut = n < SHORT_NAME ? n : SHORT_NAME;
	const char *rest;

	if (strstr(file, s->uuid))
		return true;
	if (strncmp(file, s->name, n) == 0 && (file[n] == '.' || file[n] == '\0'))
		return true;
	if (strncmp(file, "domain-", 7) != 0)
		return false;
	rest = file + 7 + strspn(file + 7, "0123456789");
	return rest > file + 7 && *rest == '-' && strncmp(rest + 1, s->name, cut) == 0 &&
	       (rest[1 + cut] == '\0' || rest[1 + cut] == '.');
}

/* path is inside the root, as it is reported. */
static int look_below(const struct search *s, const char *path, int depth, struct mp_err *err)
{
	mp_auto_free char *real = mp_xasprintf("%s%s", s->root, path);
	DIR *dir = opendir(real);
	const struct dirent *e;
	int r = 0;

	if (!dir && (errno == ENOENT || errno == ENOTDIR))
		return 0; /* gone while we looked, or libvirt is not here at all */
	if (!dir)
		return mp_err_sys(err, errno, "open %s", real);
	while (r == 0 && (e = readdir(dir)) && json_array_size(s->files) < MAX_FOUND) {
		mp_auto_free char *file = mp_xasprintf("%s/%s", path, e->d_name);

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (belongs(s, e->d_name))
			json_array_append_new(s->files, json_string(file));
		else if (e->d_type == DT_DIR && depth < MAX_DEPTH)
			r = look_below(s, file, depth + 1, err);
	}
	closedir(dir);
	return r;
}

int mp_leftovers_look(const char *root, const char *name, const char *uuid, json_t **ret,
		      struct mp_err *err)
{
	struct search s = { .root = strcmp(root, "/") == 0 ? "" : root,
			    .name = name,
			    .uuid = uuid };

	s.processes = json_array();
	s.files = json_array();
	if (look_at_processes(&s, err) < 0 || look_below(&s, "/run/libvirt/qemu", 0, err) < 0 ||
	    look_below(&s, "/var/lib/libvirt/qemu", 0, err) < 0) {
		json_decref(s.processes);
		json_decref(s.files);
		return -1;
	}
	*ret = json_pack("{s:o, s:o}", "processes", s.processes, "files", s.files);
	return 0;
}

static int run(struct mp_agent *a, const json_t *body, json_t **ret, struct mp_err *err)
{
	const char *name = mp_json_str(body, "name", ""), *uuid = mp_json_str(body, "uuid", "");

	if (!*name || strlen(uuid) != 36)
		return mp_err_set(err, MP_E_PROTO, "leftovers needs the name and UUID of a guest");
	return mp_leftovers_look(mp_agent_root(a), name, uuid, ret, err);
}

const struct mp_verb mp_verb_leftovers = {
	.name = "leftovers",
	.summary = "find what a guest left behind",
	.run = run,
};
