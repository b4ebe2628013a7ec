/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * memory: all memory from 2 MiB on as one piece of virtual addresses, whatever holes the machine
 * has in it.
 */
#include "probe/guest/guest.h"

#define MIB2 0x200000ull
#define PIECE (1ull << 39) /* the second slot of the root table */
#define DIRECTORIES 128    /* of 1 GiB each */

struct memory_entry {
	uint64_t at, size;
	uint32_t type, reserved;
};

extern uint64_t page_root[512];
static uint64_t pdpt[512] __attribute__((aligned(4096)));
static uint64_t directory[DIRECTORIES * 512] __attribute__((aligned(4096)));

uint8_t *memory_map(const struct start_info *info, uint64_t *ret_size)
{
	const struct memory_entry *e = (const struct memory_entry *)info->memmap;
	uint32_t used = 0;

	for (uint32_t i = 0; i < info->memmap_n; i++) {
		uint64_t at = (e[i].at + MIB2 - 1) & ~(MIB2 - 1);
		uint64_t end = (e[i].at + e[i].size) & ~(MIB2 - 1);

		if (e[i].type != 1)
			continue;
		if (at < MIB2)
			at = MIB2; /* the image, and what the firmware keeps below 1 MiB */
		for (; at < end && used < DIRECTORIES * 512; at += MIB2)
			directory[used++] = at | 0x83;
	}
	for (unsigned i = 0; i < DIRECTORIES; i++)
		pdpt[i] = (uint64_t)(directory + i * 512) | 3;
	page_root[1] = (uint64_t)pdpt | 3;
	__asm__ volatile("mov %0, %%cr3" : : "r"(page_root) : "memory");
	*ret_size = used * MIB2;
	return (uint8_t *)PIECE;
}

uint64_t memory_physical(const void *p)
{
	uint64_t at = (uint64_t)p;

	if (at < PIECE)
		return at;
	return (directory[(at - PIECE) / MIB2] & ~(MIB2 - 1)) + at % MIB2;
}

uint8_t *memory_device(uint64_t at)
{
	static uint64_t window[512] __attribute__((aligned(4096)));
	uint64_t page = at & ~(MIB2 - 1);

	if (at < 1ull << 32)
		return (uint8_t *)at;
	/* One window of 4 MiB behind the piece: all registers of our one device are near it. */
	if (window[0] && (window[0] & ~(MIB2 - 1)) != page)
		return 0;
	window[0] = page | 0x83;
	window[1] = (page + MIB2) | 0x83;
	pdpt[511] = (uint64_t)window | 3;
	__asm__ volatile("mov %0, %%cr3" : : "r"(page_root) : "memory");
	return (uint8_t *)(PIECE + 511 * (1ull << 30) + at % MIB2);
}
