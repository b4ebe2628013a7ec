/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * disk: keeps rewriting blocks of a scratch disk, each read and checked first, with the contents
 * of pattern.c under a ledger of their own. A write counts once the device has completed it; only
 * then its generation enters the ledger, and the next request begins. So a block is right exactly
 * when it is what the ledger says, at any moment between two requests.
 */
#include "probe/guest/guest.h"

#define SECTORS (MP_PROBE_PAGE / 512)
#define FIRST 1             /* block 0 has the mark that allows us to write at all */
#define PATTERN 0x80000000u /* blocks are other pages than those of memory */

enum step { REST, READ, WRITE };

static struct {
	uint64_t buffer[MP_PROBE_PAGE / 8] __attribute__((aligned(4096)));
	uint64_t sum[MP_PROBE_PAGE / 8] __attribute__((aligned(4096)));
	uint64_t nus[MP_PROBE_PAGE / 8] __attribute__((aligned(4096)));
	uint32_t gen[MP_PROBE_DISK_BLOCKS];
	struct ledger ledger;
	uint32_t n, filled;
	enum step step;
	uint32_t block; /* of the step */
	uint64_t began, longest;
	uint64_t credit, accrued_at, walk;
	uint32_t writes;
	bool scanning, reading; /* a scan was asked for; the step is one of its reads */
	uint32_t scan_at, scan_checked, scan_faults;
} d;

static void submit(bool write, uint32_t block, uint64_t now)
{
	d.block = block;
	d.step = write ? WRITE : READ;
	d.began = now;
	virtio_submit(write, (uint64_t)(FIRST + block) * SECTORS, d.buffer);
}

static void submit_write(uint32_t block, uint64_t now)
{
	pattern_fill(d.buffer, PATTERN + block, d.gen[block] + 1);
	submit(true, block, now);
}

/* ---- the start ---- */

static bool marked(void)
{
	static const char mark[] = MP_PROBE_DISK_MARK;
	const char *p = (const char *)d.buffer;
	uint64_t until = clock_now() + 10ull * MP_PROBE_HZ;
	bool good = false;

	virtio_submit(false, 0, d.buffer);
	while (!virtio_done(&good))
		if (clock_now() > until)
			return false;
	for (unsigned i = 0; i < sizeof(mark) - 1; i++)
		good = good && p[i] == mark[i];
	return good;
}

void disk_start(void)
{
	uint64_t sectors;

	if (!virtio_start(&sectors) || sectors < (FIRST + 1) * SECTORS) {
		serial_say((struct record){ MP_PT_DISK, MP_DISK_NONE, 0, 0 });
		return;
	}
	if (!marked()) {
		serial_say((struct record){ MP_PT_DISK, MP_DISK_NOT_SCRATCH, 0, 0 });
		return;
	}
	sectors = sectors / SECTORS - FIRST;
	d.n = sectors < MP_PROBE_DISK_BLOCKS ? (uint32_t)sectors : MP_PROBE_DISK_BLOCKS;
	d.ledger = (struct ledger){ .gen = d.gen, .n = d.n, .sum = d.sum, .nus = d.nus };
	*d.nus = ~0ull;
	serial_say((struct record){ MP_PT_DISK, MP_DISK_READY, 0, d.n });
}

uint16_t disk_blocks(void)
{
	return (uint16_t)d.n;
}

bool disk_filled(void)
{
	return d.filled == d.n;
}

/* ---- one request after the other ---- */

static void check_read(void)
{
	struct flaw f;
	uint32_t gen = d.gen[d.block];

	if (pattern_good(d.buffer, PATTERN + d.block, gen))
		return;
	pattern_judge(d.buffer, PATTERN + d.block, gen, PATTERN + d.n, &f);
	if (f.from >= PATTERN)
		f.from -= PATTERN;
	fault_report(MP_WHERE_DISK, d.block, gen, &f);
	if (d.reading)
		d.scan_faults++;
}

static void failed(void)
{
	struct flaw f = { .kind = MP_FAULT_IO };

	serial_say((struct record){ MP_PT_DISK, MP_DISK_ERROR, d.step == WRITE ? 2 : 1, d.block });
	fault_report(MP_WHERE_DISK, d.block, d.gen[d.block], &f);
	if (d.reading)
		d.scan_faults++;
	/* A write that failed is tried again while the disk is filled, and else left alone. */
}

static void finish(bool good, uint64_t now)
{
	enum step step = d.step;

	if (now - d.began > d.longest)
		d.longest = now - d.began;
	if (!good)
		failed();
	d.step = REST;
	if (d.reading) {
		if (good)
			check_read();
		d.reading = false;
		d.scan_checked += good;
		d.scan_at++;
	} else if (good && step == READ) {
		check_read();
		submit_write(d.block, now);
	} else if (good && step == WRITE) {
		ledger_set(&d.ledger, d.block, d.gen[d.block] + 1);
		d.writes++;
		if (d.filled < d.n)
			d.filled++;
	}
}

static void scan_end(void)
{
	d.ledger.scan_at = 0;
	d.ledger.scan_sum = 0;
	while (d.ledger.scan_at < d.n)
		ledger_scan_next(&d.ledger);
	if (!ledger_good(&d.ledger)) {
		fault_simple(MP_FAULT_LEDGER);
		d.scan_faults++;
	}
	d.scanning = false;
}

static void accrue(uint64_t now)
{
	uint64_t rate = guest_params[MP_PP_DISK], most = rate * MP_PROBE_HZ;

	d.credit += (now - d.accrued_at < 1ull << 32 ? now - d.accrued_at : 1ull << 32) * rate;
	d.accrued_at = now;
	if (d.credit > most)
		d.credit = most;
}

void disk_work(uint64_t now)
{
	bool good;

	if (!d.n)
		return;
	accrue(now);
	if (virtio_busy()) {
		if (!virtio_done(&good))
			return;
		finish(good, now);
	}
	if (d.step != REST)
		return;
	if (d.filled < d.n) {
		submit_write(d.filled, now);
	} else if (d.scanning && d.scan_at == d.n) {
		scan_end();
	} else if (d.scanning) {
		d.reading = true;
		submit(false, d.scan_at, now);
	} else if (d.credit >= MP_PROBE_HZ) {
		d.credit -= MP_PROBE_HZ;
		d.walk = d.walk * 6364136223846793005ull + 1442695040888963407ull;
		submit(false, (uint32_t)((d.walk >> 32) * d.n >> 32), now);
	}
}

/* Whether an answer may come before the next tick, and work may follow it. */
bool disk_hurry(void)
{
	return d.n && (d.filled < d.n || d.scanning);
}

void disk_scan(void)
{
	d.scanning = true;
	d.scan_at = 0;
	d.scan_checked = 0;
	d.scan_faults = 0;
}

bool disk_scanned(uint32_t *ret_faults, uint32_t *ret_checked)
{
	*ret_faults = d.scan_faults;
	*ret_checked = d.scan_checked;
	return !d.scanning;
}

uint32_t disk_writes(void)
{
	return d.writes;
}

uint32_t disk_longest_us(void)
{
	return ticks_to_us(d.longest);
}

void disk_mark(void)
{
	d.longest = 0;
}
