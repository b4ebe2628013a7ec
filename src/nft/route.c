/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * route: the interface towards a peer. Its packets are expected to come in by the same one; rules
 * with iif or iifname can only be judged with it.
 */
#include "config.h"
#include "nft/netlink.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

static int on_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr;
	const struct rtmsg *rt = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type != RTM_NEWROUTE || rt->rtm_type != RTN_UNICAST)
		return MNL_CB_STOP;
	mnl_attr_for_each(attr, nlh, sizeof(*rt))
	{
		if (mnl_attr_get_type(attr) == RTA_OIF &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			*(uint32_t *)arg = mnl_attr_get_u32(attr);
	}
	return MNL_CB_STOP;
}

void mp_nft_route_iif(int family, const void *addr, uint32_t *ret_index, char ret_name[16])
{
	char buf[8192];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct mnl_socket *nl = mnl_socket_open(NETLINK_ROUTE);
	size_t alen = family == AF_INET ? 4 : 16;
	struct rtmsg *rt;
	ssize_t n;
	char name[IF_NAMESIZE] = "";

	*ret_index = 0;
	memset(ret_name, 0, 16);
	if (!nl)
		return;
	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = 1;
	rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));
	rt->rtm_family = (unsigned char)family;
	rt->rtm_dst_len = (unsigned char)(alen * 8);
	mnl_attr_put(nlh, RTA_DST, alen, addr);
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0 &&
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) > 0) {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n > 0)
			mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), on_route,
				   ret_index);
	}
	mnl_socket_close(nl);
	if (*ret_index && if_indextoname(*ret_index, name))
		memcpy(ret_name, name, strnlen(name, 15));
	else
		*ret_index = 0;
}
