/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * format: what the probe guest says on its serial port, and what it may be told; the one contract
 * between the guest (freestanding) and its reader. Numbers are little-endian.
 *
 * Guest to observer: records of 24 bytes,
 *   0 magic  1 type  2 a:16  4 seq:32  8 time:48  14 b:16  16 c:32  20 CRC-32 of bytes 0..19
 * seq counts every record that the guest had to say, also those that it dropped because nobody read
 * the port. time is the ACPI PM timer (3.579545 MHz) extended to 48 bits: time in which the virtual
 * machine was allowed to run.
 *
 * Observer to guest: lines of text, "WORD [NUMBER]\n", each answered by MP_PT_ACK.
 */
#ifndef MP_PROBE_FORMAT_H
#define MP_PROBE_FORMAT_H

#include <stdint.h>

#define MP_PROBE_VERSION 1
#define MP_PROBE_RECORD 24
#define MP_PROBE_MAGIC 0xb5
#define MP_PROBE_HZ 3579545u    /* ticks of time in a second */
#define MP_PROBE_STALL_TICKS 64 /* unit of a beat's a */
#define MP_PROBE_PAGE 4096      /* bytes of a page, and of a block of the disk */
#define MP_PROBE_CMDLINE 512    /* bytes, with the NUL */
#define MP_PROBE_LINE 40        /* bytes of a command, with the line end */
#define MP_PROBE_BUCKETS 24     /* of the histogram of lost time; bucket n: below 2^n us */
#define MP_PROBE_MAX_FAULTS 16  /* described one by one between two MP_PC_MARK; all are counted */
/* A disk is only written where it begins with this; its first block holds nothing else. */
#define MP_PROBE_DISK_MARK "migprep probe scratch disk; may be overwritten\n"
#define MP_PROBE_DISK_BLOCKS 1024 /* used at most, behind the first */

enum mp_probe_type {
	/* a: longest time lost at once since the beat before, in units of 64 ticks, at most 65535.
	 * b: faults so far, at most 65535. c: pages written so far. */
	MP_PT_BEAT = 1,
	MP_PT_REST = 2,  /* the same, while the guest beats slowly */
	MP_PT_HELLO = 3, /* a: MP_PROBE_VERSION, b: MP_PF_*, c: MiB of memory */
	MP_PT_PARAM = 4, /* a: enum mp_probe_param, c: its value */
	MP_PT_READY = 5, /* hot and cold set are filled. c: pages of both, a: blocks of the disk */
	MP_PT_SELFTEST = 6, /* a: bit per fault kind that was found, b: bit per kind tried */
	MP_PT_ACK = 7, /* a: enum mp_probe_command (0: not understood), b: 1 done, c: argument */
	MP_PT_SCAN_BEGIN = 8,  /* a: id, c: pages to check, b: 1 when the disk is read too */
	MP_PT_SCAN_END = 9,    /* a: id, b: faults found by it, at most 65535, c: pages checked */
	MP_PT_SCAN_DISK = 10,  /* a: id, b: faults found, c: blocks checked; before SCAN_END */
	MP_PT_FAULT = 11,      /* a: enum mp_probe_fault, b: number, c: page or block */
	MP_PT_FAULT_WANT = 12, /* a: enum mp_probe_where, b: number, c: expected generation */
	MP_PT_FAULT_GOT = 13,  /* a: first wrong word of 8 bytes, b: number, c: generation found */
	MP_PT_FAULT_FROM =
		14,       /* a: differing bits, b: number, c: page that the contents belong to */
	MP_PT_STAT = 15,  /* a: enum mp_probe_stat, b: mark, c: value */
	MP_PT_HIST = 16,  /* a: bucket, b: mark, c: passes that lost that much time */
	MP_PT_PANIC = 17, /* a: enum mp_probe_panic, b: detail, c: detail; the guest ends */
	MP_PT_OFF = 18,   /* a: enum mp_probe_off; the guest ends itself */
	MP_PT_DISK = 19,  /* a: enum mp_probe_disk, b: detail, c: detail */
};

enum mp_probe_features {
	MP_PF_TICK = 1,      /* a timer interrupt ends a pause: an idle guest does not spin */
	MP_PF_HPET = 2,      /* a second clock tells how often the PM timer wrapped */
	MP_PF_DISK = 4,      /* a disk is written */
	MP_PF_AMBIGUOUS = 8, /* without that clock, more than a wrap may have been lost */
};

/* The command line: X(id, key, least, most, when it is not given, words for 0, 1, ...) */
#define MP_PROBE_PARAMS(X)                                                                         \
	X(HOT_MIB, "hot_mib", 0, 65536, 16, { 0 })    /* rewritten all the time */                 \
	X(RATE_MIBS, "rate_mibs", 0, 65536, 0, { 0 }) /* how fast, by the clock */                 \
	X(COLD_MIB, "cold_mib", 0, 65536, 0, { 0 })   /* written once */                           \
	X(CONTENT, "content", 0, 2, 0, MP_PROBE_WORDS("random", "half", "zero"))                   \
	X(ORDER, "order", 0, 2, 0, MP_PROBE_WORDS("permuted", "linear", "random"))                 \
	X(SEED, "seed", 0, 0xffffffffu, 1, { 0 })                                                  \
	X(BEAT_US, "beat_us", 250, 50000, 1000, { 0 }) /* between beats after "fast" */            \
	X(REST_MS, "rest_ms", 10, 10000, 100, { 0 })   /* and otherwise */                         \
	X(LOOP, "loop", 0, 1, 0, MP_PROBE_WORDS("open", "closed")) /* closed: flat out */          \
	X(DEADMAN_S, "deadman_s", 1, 86400, 120, { 0 }) /* ends after this without a command */    \
	X(CORRUPT, "corrupt", 0, 8, 0, { 0 }) /* enum mp_probe_fault to make on purpose */         \
	X(TLB, "tlb", 0, 1, 0, MP_PROBE_WORDS("flush", "keep")) /* clock.c: why */                 \
	X(DISK, "disk", 0, 10000, 0, { 0 })                     /* writes a second; 0: no disk */
#define MP_PROBE_WORDS(...)                                                                        \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

enum mp_probe_param {
	MP_PP_NONE,
#define X(id, ...) MP_PP_##id,
	MP_PROBE_PARAMS(X)
#undef X
		MP_PP_END, /* one more than the last */
};

enum mp_probe_content { MP_CONTENT_RANDOM, MP_CONTENT_HALF, MP_CONTENT_ZERO };
enum mp_probe_order { MP_ORDER_PERMUTED, MP_ORDER_LINEAR, MP_ORDER_RANDOM };
enum mp_probe_loop { MP_LOOP_OPEN, MP_LOOP_CLOSED };

/*
 * What is wrong with a page (or block) p whose generation should be G. E(p, g) are the contents
 * that p has in generation g: they depend on the seed, p and g alone; a check compares all 4096
 * bytes.
 */
enum mp_probe_fault {
	MP_FAULT_NONE = 0,
	MP_FAULT_ZERO = 1,   /* all zero */
	MP_FAULT_STALE = 2,  /* E(p, g) for a g < G: a later write was lost */
	MP_FAULT_WRONG = 3,  /* E(q, g) of another page q */
	MP_FAULT_TORN = 4,   /* each word is E(p, G)'s or E(p, G-1)'s: half of a write was lost */
	MP_FAULT_BITS = 5,   /* nothing of these: damaged */
	MP_FAULT_AHEAD = 6,  /* E(p, g) for a g > G: the ledger of generations lost a write */
	MP_FAULT_LEDGER = 7, /* the ledger does not match its checksums, which are kept elsewhere */
	MP_FAULT_CODE = 8,   /* the guest's own program changed */
	MP_FAULT_IO = 9,     /* the disk refused a read or a write */
	MP_FAULT_END,
};

enum mp_probe_where { MP_WHERE_REWRITE = 1, MP_WHERE_SCAN = 2, MP_WHERE_DISK = 3 };

#define MP_PROBE_COMMANDS(X)                                                                       \
	X(PING, "ping")       /* does nothing but keep the guest alive, as each command does */    \
	X(FAST, "fast")       /* beat at beat_us for so many seconds */                            \
	X(REST, "rest")       /* beat slowly */                                                    \
	X(SCAN, "scan")       /* check everything; the number is the scan's id, at most 65535 */   \
	X(MARK, "mark")       /* begin the statistics anew, under this number */                   \
	X(STAT, "stat")       /* tell the statistics */                                            \
	X(HELLO, "hello")     /* tell HELLO, PARAM, SELFTEST and READY again */                    \
	X(RATE, "rate")       /* dirty so many MiB/s from now on, by the clock */                  \
	X(CORRUPT, "corrupt") /* make this kind of fault, to see it found */                       \
	X(OFF, "off")         /* power off */

enum mp_probe_command {
	MP_PC_NONE,
#define X(id, word) MP_PC_##id,
	MP_PROBE_COMMANDS(X)
#undef X
		MP_PC_END,
};

enum mp_probe_stat {
	MP_ST_UPTIME_MS = 1,
	MP_ST_WRITTEN,   /* pages since boot */
	MP_ST_MISSED,    /* pages that the open loop owed and gave up, since the mark */
	MP_ST_LONGEST,   /* longest time lost at once, us, since the mark */
	MP_ST_DROPPED,   /* records that nobody read, since boot */
	MP_ST_FAULTS,    /* since boot */
	MP_ST_AMBIGUOUS, /* times at which a wrap of the PM timer may have been lost */
	MP_ST_DISK_WRITES,
	MP_ST_DISK_LONGEST, /* us from handing over a write to its completion, since the mark */
	MP_ST_END,
};

enum mp_probe_panic {
	MP_PANIC_EXCEPTION = 1, /* b: vector, c: low half of the address */
	MP_PANIC_CMDLINE,       /* b: byte of the command line */
	MP_PANIC_MEMORY,        /* b: 0, c: MiB that there are */
	MP_PANIC_START,         /* not started by a PVH loader that knows memory */
};

enum mp_probe_off { MP_OFF_COMMAND = 1, MP_OFF_DEADMAN = 2 };

enum mp_probe_disk {
	MP_DISK_READY = 1,   /* c: blocks in use */
	MP_DISK_NONE,        /* no virtio-blk device that we can drive */
	MP_DISK_NOT_SCRATCH, /* the first bytes are not MP_PROBE_DISK_MARK: nothing is written */
	MP_DISK_ERROR,       /* b: 1 reading, 2 writing; c: block. Counted as a fault */
};

#endif
