/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ledger: the generation that each page should have, kept away from the pages, under a checksum
 * that is kept away from both. An entry that lost an update no longer matches the checksum; a
 * checksum that lost one no longer matches its complement on another page.
 */
#include "probe/guest/guest.h"

static uint64_t weight(uint32_t page, uint32_t gen)
{
	return gen ? pattern_mix((uint64_t)page << 32 | gen) : 0;
}

void ledger_set(struct ledger *l, uint32_t page, uint32_t gen)
{
	uint64_t change = weight(page, gen) - weight(page, l->gen[page]);

	l->gen[page] = gen;
	*l->sum += change;
	*l->nus = ~(~*l->nus + change);
	if (page < l->scan_at)
		l->scan_sum += change;
}

void ledger_scan_next(struct ledger *l)
{
	l->scan_sum += weight(l->scan_at, l->gen[l->scan_at]);
	l->scan_at++;
}

bool ledger_good(const struct ledger *l)
{
	return l->scan_sum == *l->sum && *l->sum == ~*l->nus;
}
