/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * serial: records out, command lines in, over the 16550 at 0x3f8. Nothing here waits for the other
 * end: when nobody reads, records stay in a ring, and beats are dropped and counted.
 */
#include "probe/guest/guest.h"
#include "probe/guest/io.h"

#define PORT 0x3f8
#define LSR (PORT + 5)
#define FIFO 16       /* bytes that fit when the line status says "empty" */
#define BURSTS 6      /* of FIFO bytes in one turn: five beats */
#define RING 16384    /* bytes; a power of two */
#define RESERVED 8192 /* of them are not for beats */

static struct {
	uint8_t ring[RING];
	uint32_t head, tail; /* free running */
	uint32_t seq, dropped;
	char line[MP_PROBE_LINE];
	uint32_t filled;
	uint32_t crc_table[16];
} s;

static uint32_t crc32(const uint8_t *p, unsigned n)
{
	uint32_t crc = ~0u;

	for (; n; n--, p++) {
		crc ^= *p;
		crc = crc >> 4 ^ s.crc_table[crc & 15];
		crc = crc >> 4 ^ s.crc_table[crc & 15];
	}
	return ~crc;
}

void serial_start(void)
{
	for (uint32_t i = 0; i < 16; i++) {
		uint32_t v = i;

		for (int bit = 0; bit < 4; bit++)
			v = v >> 1 ^ (v & 1 ? 0xedb88320u : 0);
		s.crc_table[i] = v;
	}
	out8(PORT + 1, 0);
	out8(PORT + 3, 0x80);
	out8(PORT, 1); /* 115200: QEMU does not slow down for it, a real port would */
	out8(PORT + 1, 0);
	out8(PORT + 3, 3);
	out8(PORT + 2, 0x07);
	out8(PORT + 4, 3);
}

static void put(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (; bytes; bytes--, v >>= 8)
		*p++ = (uint8_t)v;
}

bool serial_say(struct record r)
{
	uint8_t out[MP_PROBE_RECORD];
	bool beat = r.type == MP_PT_BEAT || r.type == MP_PT_REST;
	uint32_t room = RING - (s.head - s.tail);

	s.seq++;
	if (room < sizeof(out) + (beat ? RESERVED : 0)) {
		s.dropped++;
		return false;
	}
	out[0] = MP_PROBE_MAGIC;
	out[1] = r.type;
	put(out + 2, r.a, 2);
	put(out + 4, s.seq, 4);
	put(out + 8, guest_clock.ticks, 6);
	put(out + 14, r.b, 2);
	put(out + 16, r.c, 4);
	put(out + 20, crc32(out, 20), 4);
	for (unsigned i = 0; i < sizeof(out); i++)
		s.ring[s.head++ % RING] = out[i];
	return true;
}

void serial_pump(void)
{
	for (int burst = 0; burst < BURSTS && s.head != s.tail; burst++) {
		uint32_t n = s.head - s.tail, at = s.tail % RING;

		if (!(in8(LSR) & 0x20))
			return;
		if (n > FIFO)
			n = FIFO;
		if (n > RING - at)
			n = RING - at;
		out_bytes(PORT, s.ring + at, n);
		s.tail += n;
	}
}

void serial_flush(uint32_t us)
{
	uint64_t until = clock_now() + (uint64_t)us * MP_PROBE_HZ / 1000000u;

	while (s.head != s.tail && clock_now() < until)
		serial_pump();
}

bool serial_line(char *line)
{
	while (in8(LSR) & 1) {
		char c = (char)in8(PORT);

		if (c == '\n' || c == '\r') {
			uint32_t n = s.filled;

			s.filled = 0;
			if (n == 0 || n >= MP_PROBE_LINE)
				continue;
			for (uint32_t i = 0; i < n; i++)
				line[i] = s.line[i];
			line[n] = '\0';
			return true;
		}
		if (s.filled < MP_PROBE_LINE)
			s.line[s.filled] = c;
		/* A line that is too long stays too long until its end. */
		if (s.filled < MP_PROBE_LINE)
			s.filled++;
	}
	return false;
}

uint32_t serial_dropped(void)
{
	return s.dropped;
}
