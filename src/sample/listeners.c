/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "sample/listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"

#define REPLY_BYTES 32768 /* what the kernel puts into one part of a dump */

static int ask(int fd, int family)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 body;
	} request = {
		.head = { .nlmsg_len = sizeof(request),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .sdiag_family = (__u8)family,
			  .sdiag_protocol = IPPROTO_TCP,
			  .idiag_states = 1 << TCP_LISTEN },
	};

	return sendto(fd, &request, sizeof(request), 0, (const struct sockaddr *)&kernel,
		      sizeof(kernel)) < 0
		       ? -1
		       : 0;
}

/* 1: the dump is complete; 0: more comes; -1: errno says why. */
static int take(const char *data, size_t size,
		void (*found)(int port, uid_t uid, unsigned long inode, void *arg), void *arg)
{
	for (const struct nlmsghdr *h = (const void *)data; NLMSG_OK(h, size);
	     h = NLMSG_NEXT(h, size)) {
		const struct inet_diag_msg *m = NLMSG_DATA(h);

		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *e = NLMSG_DATA(h);

			errno = h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)) ? EPROTO : -e->error;
			return -1;
		}
		if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
		    h->nlmsg_len >= NLMSG_LENGTH(sizeof(*m)))
			found(ntohs(m->id.idiag_sport), m->idiag_uid, m->idiag_inode, arg);
	}
	return 0;
}

int mp_listeners(void (*found)(int port, uid_t uid, unsigned long inode, void *arg), void *arg,
		 struct mp_err *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	mp_auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	mp_auto_free char *reply = mp_xmalloc(REPLY_BYTES);

	if (fd < 0)
		return mp_err_set(err, MP_E_UNSUPPORTED, "sock_diag: %s", strerror(errno));
	for (size_t i = 0; i < MP_N_ELEMS(families); i++) {
		int r = ask(fd, families[i]);

		while (r == 0) {
			ssize_t n = recv(fd, reply, REPLY_BYTES, 0);

			if (n < 0 && errno == EINTR)
				continue;
			r = n < 0 ? -1 : take(reply, (size_t)n, found, arg);
		}
		if (r < 0)
			return mp_err_set(err, MP_E_UNSUPPORTED, "sock_diag: %s", strerror(errno));
	}
	return 0;
}
