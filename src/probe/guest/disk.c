/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probe/guest/guest.h"
void disk_start(void)
{
}
uint16_t disk_blocks(void)
{
	return 0;
}
void disk_work(uint64_t now)
{
	(void)now;
}
void disk_scan(void)
{
}
bool disk_scanned(uint32_t *a, uint32_t *b)
{
	(void)a;
	(void)b;
	return true;
}
uint32_t disk_writes(void)
{
	return 0;
}
uint32_t disk_longest_us(void)
{
	return 0;
}
void disk_mark(void)
{
}
