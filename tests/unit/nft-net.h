/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * nft-net: two network namespaces with a cable between them, for tests of the packet filter. The
 * caller becomes the host; the peer is a child that holds the other end.
 */
#ifndef MP_TESTS_NFT_NET_H
#define MP_TESTS_NFT_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NET_ROOT_ONLY "needs root, CLONE_NEWNET, ip(8) and nft(8)"

enum fate { FATE_ACCEPT, FATE_DROP, FATE_REJECT };

struct net {
	pid_t peer;
	int host_fd, peer_fd; /* the namespaces */
	int home_fd;          /* the one we came from */
};

struct
try {
	const char *source; /* address of the peer to come from */
	uint16_t port;
	enum fate fate; /* result */
};

/* Makes them: mig0 (10.9.0.1, fd00:9::1) here; the peer has 10.9.0.2, .3, 10.77.0.9, fd00:9::2. -1:
 * not possible. */
int net_up(struct net *n);
void net_down(struct net *n);

/* Listens on the port, IPv6 and IPv4. A descriptor. */
int net_listen(uint16_t port);

/*
 * Connects from the peer to this host, all at once. A drop is believed after drop_ms without an
 * answer where expect says so, after five seconds otherwise. expect may be NULL.
 */
void net_try(struct net *n, struct try *t, size_t n_tries, const enum fate *expect, int drop_ms);

/* Runs a shell line; true when it ended with 0. */
bool net_sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
