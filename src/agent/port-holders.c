/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "agent/port-holders.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"

#define MAX_SOCKETS 4096
#define MAX_ENTRIES 4 /* programs named in one message */
#define LISTEN_STATE 0x0a

struct socket_row {
	int port;
	unsigned long inode;
	long pid;
	char comm[17];
};

struct sockets {
	struct socket_row v[MAX_SOCKETS];
	size_t n;
};

/* Linux Documentation/networking/proc_net_tcp.rst: "sl local_address rem_address st ... uid timeout
 * inode". */
static void add_sockets(struct mp_sys *sys, const char *path, int from, int to, struct sockets *s)
{
	mp_auto_free char *text = NULL;
	struct mp_err err;
	size_t size;

	if (mp_sys_read(sys, path, &text, &size, NULL, &err) < 0 || !text)
		return;
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		unsigned int port, state;
		unsigned long inode;

		if (sscanf(line, " %*d: %*[0-9A-F]:%4x %*[0-9A-F]:%*4x %2x %*s %*s %*s %*u %*u %lu",
			   &port, &state, &inode) != 3)
			continue;
		if (state == LISTEN_STATE && (int)port >= from && (int)port <= to &&
		    s->n < MAX_SOCKETS)
			s->v[s->n++] = (struct socket_row){ .port = (int)port, .inode = inode };
	}
}

static void name_holder(struct mp_sys *sys, long pid, struct socket_row *row)
{
	mp_auto_free char *path = mp_xasprintf("/proc/%ld/comm", pid), *comm = NULL;
	struct mp_err err;
	size_t size;

	row->pid = pid;
	if (mp_sys_read(sys, path, &comm, &size, NULL, &err) < 0 || !comm)
		return;
	comm[strcspn(comm, "\n")] = '\0';
	snprintf(row->comm, sizeof(row->comm), "%s", comm);
}

static void match_fd(struct mp_sys *sys, long pid, const char *fd, struct sockets *s)
{
	mp_auto_free char *path = mp_xasprintf("/proc/%ld/fd/%s", pid, fd);
	char link[64];
	ssize_t n = readlink(path, link, sizeof(link) - 1);
	unsigned long inode;

	if (n <= 0)
		return;
	link[n] = '\0';
	if (sscanf(link, "socket:[%lu]", &inode) != 1)
		return;
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].inode == inode && !s->v[i].pid)
			name_holder(sys, pid, &s->v[i]);
}

static void find_holders(struct mp_sys *sys, struct sockets *s)
{
	mp_auto_strv struct mp_strv pids = { 0 };
	struct mp_err err;

	if (mp_sys_list(sys, "/proc", &pids, &err) < 0)
		return;
	for (size_t i = 0; i < pids.n; i++) {
		mp_auto_strv struct mp_strv fds = { 0 };
		mp_auto_free char *dir = NULL;

		if (!isdigit((unsigned char)pids.v[i][0]))
			continue;
		dir = mp_xasprintf("/proc/%s/fd", pids.v[i]);
		if (mp_sys_list(sys, dir, &fds, &err) < 0)
			continue;
		for (size_t k = 0; k < fds.n; k++)
			match_fd(sys, strtol(pids.v[i], NULL, 10), fds.v[k], s);
	}
}

static int cmp_rows(const void *pa, const void *pb)
{
	const struct socket_row *a = pa, *b = pb;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return a->port - b->port;
}

/* The ports of one program from v[i] on: "49152-49160,49170"; returns the index after them. */
static size_t put_ports(const struct sockets *s, size_t i, struct mp_buf *out)
{
	long pid = s->v[i].pid;
	bool first = true;

	while (i < s->n && s->v[i].pid == pid) {
		int start = s->v[i].port, end = start;

		while (i < s->n && s->v[i].pid == pid && s->v[i].port <= end + 1)
			end = s->v[i++].port;
		mp_buf_printf(out, first ? "%d" : ",%d", start);
		if (end > start)
			mp_buf_printf(out, "-%d", end);
		first = false;
	}
	return i;
}

char *mp_port_holders(struct mp_sys *sys, int from, int to)
{
	mp_auto_free struct sockets *s = mp_xcalloc(1, sizeof(*s));
	mp_auto_buf struct mp_buf out;
	size_t entries = 0;

	mp_buf_init(&out, 0);
	add_sockets(sys, "/proc/net/tcp", from, to, s);
	add_sockets(sys, "/proc/net/tcp6", from, to, s);
	if (s->n)
		find_holders(sys, s);
	qsort(s->v, s->n, sizeof(s->v[0]), cmp_rows);
	for (size_t i = 0; i < s->n;) {
		const struct socket_row *row = &s->v[i];

		if (entries++ == MAX_ENTRIES) {
			mp_buf_puts(&out, ", ...");
			break;
		}
		if (entries > 1)
			mp_buf_puts(&out, ", ");
		i = put_ports(s, i, &out);
		if (row->pid)
			mp_buf_printf(&out, " by %s (pid %ld)", row->comm, row->pid);
		else
			mp_buf_puts(&out, " by unknown programs");
	}
	return out.size ? mp_buf_take(&out) : mp_xstrdup("unknown programs");
}
