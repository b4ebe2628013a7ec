/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * send: the only place that changes the packet filter. A batch either happens as a whole or not at
 * all; every message asks for an acknowledgement, and the kernel sends those after its commit.
 */
#include "config.h"
#include "nft/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"

struct answer {
	size_t acks;
	int errnum; /* of the first refusal */
	char text[160];
};

static int on_attr(const struct nlattr *attr, void *arg)
{
	struct answer *a = arg;

	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		strncat(a->text, mnl_attr_get_str(attr), sizeof(a->text) - 1);
	return MNL_CB_OK;
}

/* The kernel's own words stand behind the message that it quotes (NLM_F_CAPPED: behind its header).
 */
static void extack(const struct nlmsghdr *nlh, const struct nlmsgerr *e, struct answer *a)
{
	unsigned offset = sizeof(*e);

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		offset += MNL_ALIGN(e->msg.nlmsg_len) - (unsigned)sizeof(e->msg);
	if (offset < mnl_nlmsg_get_payload_len(nlh))
		mnl_attr_parse(nlh, offset, on_attr, a);
}

static void take_answers(const char *buf, int n, struct answer *a)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)buf;

	for (; mnl_nlmsg_ok(nlh, n); nlh = mnl_nlmsg_next(nlh, &n)) {
		const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

		if (nlh->nlmsg_type != NLMSG_ERROR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*e))
			continue;
		if (!e->error) {
			a->acks++;
		} else if (!a->errnum) {
			a->errnum = -e->error;
			extack(nlh, e, a);
		}
	}
}

/* Netlink is synchronous: when send(2) has returned, all the answers are waiting. */
static int exchange(struct mnl_socket *nl, const void *data, size_t size, struct answer *a)
{
	static const size_t room = 1 << 16;
	mp_auto_free char *buf = mp_xmalloc(room);
	ssize_t n;

	if (mnl_socket_sendto(nl, data, size) < 0)
		return -1;
	for (;;) {
		n = recv(mnl_socket_get_fd(nl), buf, room, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return -1;
		take_answers(buf, (int)n, a);
	}
}

static int open_socket(size_t size, struct mnl_socket **ret)
{
	int on = 1, room = (int)(size < (1u << 20) ? 1u << 21 : size * 2);
	struct mnl_socket *nl = mnl_socket_open(NETLINK_NETFILTER);

	if (!nl)
		return -1;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(nl);
		return -1;
	}
	/* Wishes: without them small batches still work, and errors come without words. */
	setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	mnl_socket_setsockopt(nl, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl, NETLINK_CAP_ACK, &on, sizeof(on));
	*ret = nl;
	return 0;
}

int mp_nft_send(struct mp_nft_batch *b, struct mp_err *err)
{
	struct answer a = { 0 };
	struct mnl_socket *nl = NULL;
	size_t size = 0;
	const void *data = mp_nft_batch_bytes(b, &size);
	int rc;

	if (!mp_nft_batch_count(b))
		return 0;
	if (open_socket(size, &nl) < 0)
		return mp_err_sys(err, errno, "change the packet filter: open netlink");
	rc = exchange(nl, data, size, &a);
	mnl_socket_close(nl);
	if (rc < 0 && !a.errnum)
		return mp_err_sys(err, errno, "change the packet filter");
	if (a.errnum == EPERM)
		return mp_err_set(
			err, MP_E_DENIED,
			"change the packet filter: CAP_NET_ADMIN is missing; run as root");
	if (a.errnum)
		return mp_err_sys(err, a.errnum,
				  "change the packet filter%s%s; nothing was changed",
				  *a.text ? ": " : "", a.text);
	if (a.acks != mp_nft_batch_count(b))
		return mp_err_set(
			err, MP_E_PROTO,
			"change the packet filter: the kernel confirmed %zu of %zu changes", a.acks,
			mp_nft_batch_count(b));
	return 0;
}
