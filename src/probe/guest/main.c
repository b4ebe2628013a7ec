/* SPDX-License-Identifier: GPL-3.0-or-later */
/* main: the loop of the probe guest. A pass is short; each gives every part its turn. */
#include "probe/guest/guest.h"
#include "probe/guest/io.h"

#define START_MAGIC 0x336ec578u /* struct hvm_start_info */
#define POWER_PORT 0x604        /* PM1a control of the ACPI of pc and q35, as SeaBIOS sets it */
#define POWER_OFF 0x2000        /* sleep enable, type 0: S5 */
#define US(us) ((uint64_t)(us)*MP_PROBE_HZ / 1000000u)

static struct {
	uint64_t beat, rest; /* intervals */
	uint64_t next_beat, next_rest;
	uint64_t fast_until, dies_at;
	uint64_t stall, longest; /* since the last beat; since the mark */
	uint32_t hist[MP_PROBE_BUCKETS], mark, memory_mib;
} m;

/* gcc may call it for a copy or a zeroed struct. */
void *memset(void *p, int c, uint64_t n);
void *memset(void *p, int c, uint64_t n)
{
	void *begin = p;

	__asm__ volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(c) : "memory");
	return begin;
}

void *memcpy(void *to, const void *from, uint64_t n);
void *memcpy(void *to, const void *from, uint64_t n)
{
	void *begin = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return begin;
}

uint32_t ticks_to_us(uint64_t ticks)
{
	return (uint32_t)(ticks * 1000000u / MP_PROBE_HZ);
}

static void say(enum mp_probe_type type, uint32_t a, uint32_t b, uint32_t c)
{
	serial_say((struct record){ (uint8_t)type, (uint16_t)a, (uint16_t)b, c });
}

static void __attribute__((noreturn)) power_off(void)
{
	uint64_t until;

	serial_flush(50000);
	/* What the observer has not read from a pty is gone when QEMU closes it. */
	for (until = clock_now() + US(100000); clock_now() < until;)
		__asm__ volatile("pause");
	out16(POWER_PORT, POWER_OFF);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void guest_panic(enum mp_probe_panic why, uint16_t b, uint32_t c)
{
	say(MP_PT_PANIC, why, b, c);
	power_off();
}

void guest_exception(uint64_t vector, uint64_t address);
void guest_exception(uint64_t vector, uint64_t address)
{
	guest_panic(MP_PANIC_EXCEPTION, (uint16_t)vector, (uint32_t)address);
}

/* ---- what is told ---- */

static void hello(void)
{
	say(MP_PT_HELLO, MP_PROBE_VERSION, guest_clock.features | (disk_blocks() ? MP_PF_DISK : 0),
	    m.memory_mib);
	for (unsigned i = 1; i < MP_PP_END; i++)
		say(MP_PT_PARAM, i, 0, guest_params[i]);
	pages_tell();
}

static void statistics(void)
{
	const uint32_t values[MP_ST_END] = {
		[MP_ST_UPTIME_MS] = (uint32_t)(guest_clock.ticks * 1000 / MP_PROBE_HZ),
		[MP_ST_WRITTEN] = pages_written(),
		[MP_ST_MISSED] = pages_missed(),
		[MP_ST_LONGEST] = ticks_to_us(m.longest),
		[MP_ST_DROPPED] = serial_dropped(),
		[MP_ST_FAULTS] = fault_count(),
		[MP_ST_AMBIGUOUS] = guest_clock.ambiguous,
		[MP_ST_DISK_WRITES] = disk_writes(),
		[MP_ST_DISK_LONGEST] = disk_longest_us(),
	};

	for (unsigned i = 1; i < MP_ST_END; i++)
		say(MP_PT_STAT, i, m.mark, values[i]);
	for (unsigned i = 0; i < MP_PROBE_BUCKETS; i++)
		if (m.hist[i])
			say(MP_PT_HIST, i, m.mark, m.hist[i]);
}

static void mark(uint32_t id)
{
	m.mark = id;
	m.longest = 0;
	for (unsigned i = 0; i < MP_PROBE_BUCKETS; i++)
		m.hist[i] = 0;
	pages_mark();
	fault_mark();
	disk_mark();
}

/* ---- commands ---- */

static const char *const words[MP_PC_END] = {
#define X(id, word) [MP_PC_##id] = word,
	MP_PROBE_COMMANDS(X)
#undef X
};

/* 0: not understood. */
static unsigned parse(const char *line, uint32_t *ret_number)
{
	for (unsigned i = 1; i < MP_PC_END; i++) {
		const char *s = line, *w = words[i];
		uint64_t n = 0;

		while (*w && *s == *w) {
			s++;
			w++;
		}
		if (*w || (*s && *s != ' '))
			continue;
		for (s += *s == ' '; *s >= '0' && *s <= '9' && n <= 0xffffffffu; s++)
			n = n * 10 + (uint64_t)(*s - '0');
		if (*s || n > 0xffffffffu)
			return 0;
		*ret_number = (uint32_t)n;
		return i;
	}
	return 0;
}

static bool obey(unsigned command, uint32_t n, uint64_t now)
{
	switch (command) {
	case MP_PC_FAST:
		m.fast_until = now + (uint64_t)n * MP_PROBE_HZ;
		m.next_beat = now;
		return true;
	case MP_PC_REST:
		m.fast_until = 0;
		return true;
	case MP_PC_SCAN:
		if (!pages_ready() || n > 65535)
			return false;
		pages_scan(n);
		return true;
	case MP_PC_MARK:
		mark(n);
		return true;
	case MP_PC_STAT:
		statistics();
		return true;
	case MP_PC_HELLO:
		hello();
		return true;
	case MP_PC_RATE:
		if (n > 65536)
			return false;
		pages_rate(n);
		return true;
	case MP_PC_CORRUPT:
		return pages_corrupt(n);
	default:
		return command == MP_PC_PING || command == MP_PC_OFF;
	}
}

static void listen(uint64_t now)
{
	char line[MP_PROBE_LINE];
	uint32_t n = 0;
	unsigned command;
	bool done;

	if (!serial_line(line))
		return;
	command = parse(line, &n);
	done = command && obey(command, n, now);
	say(MP_PT_ACK, command, done, n);
	if (command)
		m.dies_at = now + (uint64_t)guest_params[MP_PP_DEADMAN_S] * MP_PROBE_HZ;
	if (command == MP_PC_OFF) {
		say(MP_PT_OFF, MP_OFF_COMMAND, 0, 0);
		power_off();
	}
}

/* ---- beats ---- */

static void beat(enum mp_probe_type type)
{
	uint64_t stall = m.stall / MP_PROBE_STALL_TICKS;
	uint32_t faults = fault_count();
	struct record r = { (uint8_t)type, stall > 65535 ? 65535 : (uint16_t)stall,
			    faults > 65535 ? 65535 : (uint16_t)faults, pages_written() };

	if (serial_say(r))
		m.stall = 0;
}

static void beat_if_due(uint64_t now, bool paused)
{
	bool fast = now < m.fast_until;
	uint64_t *next = fast ? &m.next_beat : &m.next_rest;
	uint64_t interval = fast ? m.beat : m.rest;

	/* A tick that comes a little early is the beat's: the next would be late by a whole one. */
	if (now + (paused ? m.beat / 2 : 0) < *next)
		return;
	*next += interval;
	if (*next <= now)
		*next = now + interval;
	beat(fast ? MP_PT_BEAT : MP_PT_REST);
}

static void note_lost(uint64_t lost)
{
	uint32_t us = ticks_to_us(lost), bucket = 0;

	while (bucket < MP_PROBE_BUCKETS - 1 && us >> bucket)
		bucket++;
	m.hist[bucket]++;
	if (lost > m.stall)
		m.stall = lost;
	if (lost > m.longest)
		m.longest = lost;
}

static void __attribute__((noreturn)) run(void)
{
	uint64_t before = clock_now(), now;
	bool paused = false;

	for (;; before = now) {
		now = clock_now();
		note_lost(!paused                 ? now - before
			  : now - before > m.beat ? now - before - m.beat
						  : 0);
		if (now > m.dies_at) {
			say(MP_PT_OFF, MP_OFF_DEADMAN, 0, 0);
			power_off();
		}
		clock_flush_tlb();
		beat_if_due(now, paused);
		listen(now);
		disk_work(now);
		pages_work(m.beat / 4);
		serial_pump();
		paused = pages_idle() && !disk_hurry();
		if (paused)
			clock_pause();
	}
}

void guest_main(const struct start_info *info);
void guest_main(const struct start_info *info)
{
	static char cmdline[MP_PROBE_CMDLINE];
	const char *from = (const char *)info->cmdline;
	uint8_t *memory;
	uint64_t size;
	int bad;

	serial_start();
	if (info->magic != START_MAGIC || info->version < 1 || !info->memmap_n)
		guest_panic(MP_PANIC_START, 0, 0);
	for (unsigned i = 0; from && from[i] && i < sizeof(cmdline) - 1; i++)
		cmdline[i] = from[i];
	memory = memory_map(info, &size);
	m.memory_mib = (uint32_t)(size >> 20);
	bad = params_parse(cmdline);
	clock_start(guest_params[MP_PP_BEAT_US]);
	if (bad >= 0)
		guest_panic(MP_PANIC_CMDLINE, (uint16_t)bad, 0);
	if (!pages_start(memory, size))
		guest_panic(MP_PANIC_MEMORY, 0, m.memory_mib);
	m.beat = US(guest_params[MP_PP_BEAT_US]);
	m.rest = US(guest_params[MP_PP_REST_MS] * 1000ull);
	m.dies_at = clock_now() + (uint64_t)guest_params[MP_PP_DEADMAN_S] * MP_PROBE_HZ;
	if (guest_params[MP_PP_DISK])
		disk_start();
	hello();
	run();
}
