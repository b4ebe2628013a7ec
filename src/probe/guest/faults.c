/* SPDX-License-Identifier: GPL-3.0-or-later */
/* faults: counts what is wrong, and describes the first of it to the observer. */
#include "probe/guest/guest.h"

static uint32_t count, told;

static uint16_t next_number(void)
{
	count++;
	return (uint16_t)told++;
}

void fault_report(enum mp_probe_where where, uint32_t page, uint32_t want, const struct flaw *f)
{
	uint16_t n;

	if (told >= MP_PROBE_MAX_FAULTS) {
		count++;
		return;
	}
	n = next_number();
	serial_say((struct record){ MP_PT_FAULT, (uint16_t)f->kind, n, page });
	serial_say((struct record){ MP_PT_FAULT_WANT, (uint16_t)where, n, want });
	serial_say((struct record){ MP_PT_FAULT_GOT, f->word, n, f->got });
	serial_say((struct record){ MP_PT_FAULT_FROM, f->bits, n, f->from });
}

void fault_simple(enum mp_probe_fault kind)
{
	struct flaw f = { .kind = kind };

	fault_report(MP_WHERE_SCAN, 0, 0, &f);
}

uint32_t fault_count(void)
{
	return count;
}

void fault_mark(void)
{
	told = 0;
}
