/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * guest: the parts of the probe guest. One virtual CPU, no interrupts but a tick that ends a pause,
 * one loop in main.c that gives each part a short turn. 64-bit, freestanding.
 */
#ifndef MP_PROBE_GUEST_GUEST_H
#define MP_PROBE_GUEST_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/format.h"

struct record { /* as format.h has it, without magic and CRC */
	uint8_t type;
	uint16_t a, b;
	uint32_t c;
};

/* ---- clock.c: time ---- */

struct clock {
	uint64_t ticks; /* of the ACPI PM timer, since boot */
	uint32_t features;
	uint32_t ambiguous;
	/* private */
	uint32_t raw;
	uint64_t tsc, tsc_second;
	uint64_t hpet_zero, hpet_fs;
};

extern struct clock guest_clock;

void clock_start(uint32_t tick_us); /* the tick of clock_pause() */
uint64_t clock_now(void);
void clock_flush_tlb(void); /* unless told not to */
void clock_pause(void);     /* until the next tick; returns at once where there is none */

/* ---- serial.c: the console ---- */

void serial_start(void);
bool serial_say(struct record r); /* queues it; false: no room, dropped and counted */
void serial_pump(void);           /* hands a little of the queue over; never waits */
void serial_flush(uint32_t us);   /* pumps until it is empty, but no longer than that */
bool serial_line(char *line);     /* MP_PROBE_LINE bytes: a whole line has come in */
uint32_t serial_dropped(void);

/* ---- params.c: the command line ---- */

extern uint32_t guest_params[MP_PP_END];

int params_parse(const char *cmdline); /* -1, or the offset of what is wrong */

/* ---- memory.c: where the pages are ---- */

struct start_info { /* hvm_start_info of Xen's public/arch-x86/hvm/start_info.h */
	uint32_t magic, version, flags, modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t memmap_n, reserved;
};

/* Maps all memory above the image in one piece; returns its address, and its size in bytes. */
uint8_t *memory_map(const struct start_info *info, uint64_t *ret_size);
uint64_t memory_physical(const void *p); /* of something in the image or in that piece */
uint8_t *memory_device(uint64_t at);     /* where a device's registers are; NULL: too far away */

/* ---- pattern.c: contents that depend on seed, page and generation, and the judgement ---- */

struct flaw {
	enum mp_probe_fault kind;
	uint32_t got, from;  /* the generation found, and the page it belongs to */
	uint16_t word, bits; /* first wrong word, differing bits (at most 65535) */
};

void pattern_fill(uint64_t *words, uint32_t page, uint32_t gen);
bool pattern_good(const uint64_t *words, uint32_t page, uint32_t gen);
void pattern_judge(const uint64_t *words, uint32_t page, uint32_t gen, uint32_t n_pages,
		   struct flaw *ret);
uint64_t pattern_mix(uint64_t x); /* a bijection that spreads each bit over all */

/* ---- ledger.c: the generation that each page should have ---- */

struct ledger {
	uint32_t *gen; /* one each; 0: not written yet */
	uint32_t n;
	uint64_t scan_sum; /* of the entries below scan_at, while they are scanned */
	uint32_t scan_at;
	uint64_t *sum, *nus; /* the checksum of gen, and its complement on another page */
};

void ledger_set(struct ledger *l, uint32_t page, uint32_t gen);
void ledger_scan_next(struct ledger *l);  /* one more entry into scan_sum */
bool ledger_good(const struct ledger *l); /* once scan_at is n */

/* ---- pages.c: hot and cold set ---- */

bool pages_start(uint8_t *memory, uint64_t size); /* false: not enough of it */
uint32_t pages_total(void);
void pages_work(uint64_t budget); /* fills, dirties and scans for about so many ticks */
bool pages_idle(void);            /* nothing to do before the next tick */
void pages_scan(uint32_t id);
void pages_rate(uint32_t mibs);
uint32_t pages_selftest(uint32_t *ret_tried);
bool pages_corrupt(uint32_t kind);
bool pages_ready(void);
void pages_tell(void); /* READY and SELFTEST, when they are due */
uint32_t pages_written(void);
uint32_t pages_missed(void);
void pages_mark(void);

/* ---- faults.c ---- */

void fault_report(enum mp_probe_where where, uint32_t page, uint32_t want, const struct flaw *f);
void fault_simple(enum mp_probe_fault kind); /* without a page */
uint32_t fault_count(void);
void fault_mark(void);

/* ---- virtio.c: one virtio-blk device ---- */

bool virtio_start(uint64_t *ret_sectors);
void virtio_submit(bool write, uint64_t sector, void *page); /* of 512 bytes; one at a time */
bool virtio_busy(void);
bool virtio_done(bool *ret_good); /* the request has ended, and how */

/* ---- disk.c: the disk worker ---- */

void disk_start(void);
uint16_t disk_blocks(void); /* 0: no disk */
bool disk_filled(void);
void disk_work(uint64_t now); /* looks after the request in flight, sends the next */
bool disk_hurry(void);        /* the next request should not wait for a tick */
void disk_scan(void);         /* begins to read all blocks */
bool disk_scanned(uint32_t *ret_faults, uint32_t *ret_checked); /* it has ended */
uint32_t disk_writes(void);
uint32_t disk_longest_us(void);
void disk_mark(void);

/* ---- main.c ---- */

uint32_t ticks_to_us(uint64_t ticks);
void guest_panic(enum mp_probe_panic why, uint16_t b, uint32_t c) __attribute__((noreturn));

#endif
