/* SPDX-License-Identifier: GPL-3.0-or-later */
/* regs: three-valued registers. */
#include "config.h"
#include "nft/regs.h"

#include <string.h>

void mp_nft_regs_reset(struct mp_nft_regs *r)
{
	memset(r, 0, sizeof(*r));
}

void mp_nft_regs_put(struct mp_nft_regs *r, size_t off, const void *v, const void *known, size_t n)
{
	const uint8_t *pv = v, *pk = known;
	size_t i, end = (off + n + 3) & ~(size_t)3;

	for (i = off; i < end && i < MP_NFT_REGS; i++) {
		bool pad = i >= off + n;

		r->known[i] = pad ? 0xff : pk[i - off];
		r->v[i] = pad ? 0 : (uint8_t)(pv[i - off] & pk[i - off]);
		r->tag[i] = MP_NFT_TAG_NONE;
	}
}

void mp_nft_regs_set(struct mp_nft_regs *r, size_t off, const void *v, size_t n)
{
	uint8_t known[MP_NFT_KEY];

	memset(known, 0xff, sizeof(known));
	mp_nft_regs_put(r, off, v, known, n);
}

void mp_nft_regs_forget(struct mp_nft_regs *r, size_t off, size_t n)
{
	size_t i;

	for (i = off; i < off + n && i < MP_NFT_REGS; i++) {
		r->known[i] = r->v[i] = 0;
		r->tag[i] = MP_NFT_TAG_NONE;
	}
}

bool mp_nft_regs_unknown(const struct mp_nft_regs *r, size_t off, size_t n)
{
	size_t i;

	for (i = off; i < off + n; i++) {
		if (i >= MP_NFT_REGS || r->known[i] != 0xff)
			return true;
	}
	return false;
}

/* Whether the range is exactly the one value that the tag excludes. */
static bool excluded(enum mp_nft_tag tag, size_t n, const uint8_t *lo)
{
	static const uint8_t lo_index_le[4] = { 1, 0, 0, 0 }, lo_index_be[4] = { 0, 0, 0, 1 };

	if (tag == MP_NFT_TAG_IIFNAME) /* without its NUL it is the wildcard "lo*" */
		return n >= 3 && !memcmp(lo, "lo", 3);
	if (tag == MP_NFT_TAG_IIF) /* LOOPBACK_IFINDEX is 1 */
		return n == 4 && (!memcmp(lo, lo_index_le, 4) || !memcmp(lo, lo_index_be, 4));
	return false;
}

enum mp_nft_tri mp_nft_regs_in(const struct mp_nft_regs *r, size_t off, size_t n, const uint8_t *lo,
			       const uint8_t *hi)
{
	uint8_t min[MP_NFT_REGS], max[MP_NFT_REGS];
	bool one = !memcmp(lo, hi, n);
	size_t i;

	if (off + n > MP_NFT_REGS || !n)
		return MP_NFT_MAYBE_SO;
	for (i = 0; i < n; i++) {
		uint8_t known = r->known[off + i];

		min[i] = r->v[off + i];
		max[i] = (uint8_t)(r->v[off + i] | (uint8_t)~known);
		if (one && ((lo[i] ^ min[i]) & known))
			return MP_NFT_NO;
	}
	if (r->tag[off] == MP_NFT_TAG_SPORT && n >= 2 && min[0] < 4)
		min[0] = 4;
	if (one && excluded((enum mp_nft_tag)r->tag[off], n, lo))
		return MP_NFT_NO;
	if (memcmp(max, lo, n) < 0 || memcmp(min, hi, n) > 0)
		return MP_NFT_NO;
	if (memcmp(min, lo, n) >= 0 && memcmp(max, hi, n) <= 0)
		return MP_NFT_YES;
	return MP_NFT_MAYBE_SO;
}
