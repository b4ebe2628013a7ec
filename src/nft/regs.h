/* SPDX-License-Identifier: GPL-3.0-or-later */
/* regs: registers whose bits are 0, 1 or not known, and whether a value lies in a range. Pure. */
#ifndef MP_NFT_REGS_H
#define MP_NFT_REGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nft/ruleset.h"

enum mp_nft_tri { MP_NFT_NO, MP_NFT_YES, MP_NFT_MAYBE_SO };

/* What is known of a value beyond its bits; stands at its first byte. */
enum mp_nft_tag {
	MP_NFT_TAG_NONE,
	MP_NFT_TAG_SPORT,   /* a port number of a client: not below 1024 */
	MP_NFT_TAG_IIFNAME, /* an interface that is not the loopback */
	MP_NFT_TAG_IIF,
};

struct mp_nft_word {
	uint32_t v, known;
};

struct mp_nft_regs {
	uint8_t v[MP_NFT_REGS];
	uint8_t known[MP_NFT_REGS]; /* bits that are known; v is 0 where they are not */
	uint8_t tag[MP_NFT_REGS];
	const char *blame; /* the last load that brought something not known */
};

void mp_nft_regs_reset(struct mp_nft_regs *r);

/* n bytes at off; the rest of the last 32-bit word becomes 0, as in the kernel. */
void mp_nft_regs_put(struct mp_nft_regs *r, size_t off, const void *v, const void *known, size_t n);
void mp_nft_regs_set(struct mp_nft_regs *r, size_t off, const void *v, size_t n); /* all known */
void mp_nft_regs_forget(struct mp_nft_regs *r, size_t off, size_t n);

bool mp_nft_regs_unknown(const struct mp_nft_regs *r, size_t off, size_t n); /* any bit of it */

/* Whether lo <= value <= hi, compared as memcmp(3) does. */
enum mp_nft_tri mp_nft_regs_in(const struct mp_nft_regs *r, size_t off, size_t n, const uint8_t *lo,
			       const uint8_t *hi);

#endif
