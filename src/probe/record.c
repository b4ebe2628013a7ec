/* SPDX-License-Identifier: GPL-3.0-or-later */
/* record: the decoder and the statistics of record.h. */
#include "config.h"
#include "probe/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define HALF_SECOND_US 500000
/*
 * Beats looked at on either side of a hand-over: of 2 s, and more where they are few (a throttled
 * guest sends bursts, and a whole burst can be late), but not of more than 10 s, in which the
 * clocks of two hosts drift apart by less than a millisecond.
 */
#define OFFSET_US 2000000
#define OFFSET_MOST_US 10000000
#define OFFSET_BEATS 200

int64_t mp_probe_us(uint64_t ticks)
{
	return (int64_t)(ticks / MP_PROBE_HZ * 1000000u +
			 ticks % MP_PROBE_HZ * 1000000u / MP_PROBE_HZ);
}

/* ---- bytes to records ---- */

static uint32_t crc32(const uint8_t *p, size_t n)
{
	uint32_t crc = ~0u;

	for (; n; n--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static uint64_t get(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes)
		v = v << 8 | p[--bytes];
	return v;
}

static void put(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (; bytes; bytes--, v >>= 8)
		*p++ = (uint8_t)v;
}

void mp_probe_record_encode(const struct mp_probe_record *r, uint8_t ret[MP_PROBE_RECORD])
{
	ret[0] = MP_PROBE_MAGIC;
	ret[1] = r->type;
	put(ret + 2, r->a, 2);
	put(ret + 4, r->seq, 4);
	put(ret + 8, r->ticks, 6);
	put(ret + 14, r->b, 2);
	put(ret + 16, r->c, 4);
	put(ret + 20, crc32(ret, 20), 4);
}

static bool decode(const uint8_t *p, struct mp_probe_record *ret)
{
	if (p[0] != MP_PROBE_MAGIC || get(p + 20, 4) != crc32(p, 20))
		return false;
	*ret = (struct mp_probe_record){
		.type = p[1],
		.a = (uint16_t)get(p + 2, 2),
		.seq = (uint32_t)get(p + 4, 4),
		.ticks = get(p + 8, 6),
		.b = (uint16_t)get(p + 14, 2),
		.c = (uint32_t)get(p + 16, 4),
	};
	return true;
}

static bool is_beat(const struct mp_probe_record *r)
{
	return r->type == MP_PT_BEAT || r->type == MP_PT_REST;
}

static bool keep(struct mp_probe_record **list, size_t *n, size_t *alloc, size_t limit,
		 const struct mp_probe_record *r)
{
	if (*n >= limit)
		return false;
	if (*n == *alloc) {
		*alloc = *alloc ? *alloc * 2 : 256;
		*list = mp_xreallocarray(*list, *alloc, sizeof(**list));
	}
	(*list)[(*n)++] = *r;
	return true;
}

static void add(struct mp_probe_track *t, struct mp_probe_record r)
{
	r.place = t->records++;
	if (t->last.type && (r.seq <= t->last.seq || r.ticks < t->last.ticks))
		t->backwards = true;
	if (is_beat(&r) && t->n_beats) {
		const struct mp_probe_record *b = &t->beats[t->n_beats - 1];

		if (r.c < b->c || r.b < b->b)
			t->backwards = true;
	}
	if (!t->first.type)
		t->first = r;
	t->last = r;
	if (is_beat(&r)
		    ? !keep(&t->beats, &t->n_beats, &t->beats_alloc, MP_PROBE_MAX_BEATS, &r)
		    : !keep(&t->others, &t->n_others, &t->others_alloc, MP_PROBE_MAX_OTHERS, &r))
		t->full = true;
}

void mp_probe_track_init(struct mp_probe_track *t)
{
	memset(t, 0, sizeof(*t));
}

void mp_probe_track_fini(struct mp_probe_track *t)
{
	free(t->beats);
	free(t->others);
	mp_probe_track_init(t);
}

/* Drops bytes from the front of part up to the next one that may begin a record. */
static void resume(struct mp_probe_track *t)
{
	size_t from = 1;

	while (from < t->part_size && t->part[from] != MP_PROBE_MAGIC)
		from++;
	t->skipped += from;
	t->part_size -= from;
	memmove(t->part, t->part + from, t->part_size);
}

size_t mp_probe_track_feed(struct mp_probe_track *t, const void *data, size_t size, int64_t at_us)
{
	const uint8_t *p = data;
	size_t found = 0;

	while (size) {
		size_t n = MP_PROBE_RECORD - t->part_size;
		struct mp_probe_record r;

		if (n > size)
			n = size;
		memcpy(t->part + t->part_size, p, n);
		t->part_size += n;
		p += n;
		size -= n;
		if (t->part[0] != MP_PROBE_MAGIC) {
			resume(t);
		} else if (t->part_size == MP_PROBE_RECORD) {
			if (decode(t->part, &r) && r.type) {
				r.at_us = at_us;
				add(t, r);
				t->part_size = 0;
				found++;
			} else {
				resume(t);
			}
		}
	}
	return found;
}

const struct mp_probe_record *mp_probe_track_find(const struct mp_probe_track *t,
						  enum mp_probe_type type, int a)
{
	for (size_t i = t->n_others; i-- > 0;)
		if (t->others[i].type == type && (a < 0 || t->others[i].a == a))
			return &t->others[i];
	return NULL;
}

/* ---- windows ---- */

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Sorts v. The p-th percentile is the smallest value that p percent of all do not exceed. */
static void spread(int64_t *v, size_t n, struct mp_probe_spread *ret)
{
	*ret = (struct mp_probe_spread){ .n = n };
	if (!n)
		return;
	qsort(v, n, sizeof(*v), by_value);
	ret->p50_us = v[(n * 50 + 99) / 100 - 1];
	ret->p99_us = v[(n * 99 + 99) / 100 - 1];
	ret->max_us = v[n - 1];
}

static int64_t stall_us(const struct mp_probe_record *r)
{
	return mp_probe_us((uint64_t)r->a * MP_PROBE_STALL_TICKS);
}

/* The run time that the loop lost between two beats: what the guest says, or more where the fast
 * beats show it. */
static int64_t lost_us(const struct mp_probe_record *a, const struct mp_probe_record *b,
		       uint32_t beat_us)
{
	int64_t lost = stall_us(b), gap = mp_probe_us(b->ticks - a->ticks) - beat_us;
	bool neighbours = b->seq - a->seq == b->place - a->place;

	if (a->type == MP_PT_BEAT && b->type == MP_PT_BEAT && neighbours && gap > lost)
		lost = gap;
	return lost;
}

/* Of each half second of run time, the part that went into gaps longer than two beats. */
static unsigned worst_share(const struct mp_probe_record *v, size_t n, uint32_t beat_us)
{
	int64_t begin = n ? mp_probe_us(v[0].ticks) : 0, lost = 0, worst = 0;

	for (size_t i = 1; i < n; i++) {
		int64_t now = mp_probe_us(v[i].ticks),
			gap = mp_probe_us(v[i].ticks - v[i - 1].ticks);
		bool neighbours = v[i].seq - v[i - 1].seq == v[i].place - v[i - 1].place;

		if (v[i].type != MP_PT_BEAT || v[i - 1].type != MP_PT_BEAT || !neighbours)
			gap = 0;
		if (gap > 2 * (int64_t)beat_us)
			lost += gap - beat_us;
		if (now - begin < HALF_SECOND_US)
			continue;
		if (lost * 1000 / (now - begin) > worst)
			worst = lost * 1000 / (now - begin);
		begin = now;
		lost = 0;
	}
	return (unsigned)worst;
}

void mp_probe_window(const struct mp_probe_track *t, int64_t from_us, int64_t to_us,
		     uint32_t beat_us, struct mp_probe_window *ret)
{
	size_t i = 0, end, n = 0;
	int64_t *guest, *observer;

	*ret = (struct mp_probe_window){ 0 };
	while (i < t->n_beats && t->beats[i].at_us < from_us)
		i++;
	for (end = i; end < t->n_beats && t->beats[end].at_us < to_us; end++)
		;
	ret->beats = end - i;
	if (ret->beats == 0)
		return;
	ret->lost_permille = worst_share(t->beats + i, ret->beats, beat_us);
	ret->longest_stall_us = stall_us(&t->beats[i]);
	guest = mp_xcalloc(ret->beats, sizeof(*guest));
	observer = mp_xcalloc(ret->beats, sizeof(*observer));
	for (i++; i < end; i++) {
		const struct mp_probe_record *a = &t->beats[i - 1], *b = &t->beats[i];
		int64_t lost = lost_us(a, b, beat_us);

		if (lost > ret->longest_stall_us)
			ret->longest_stall_us = lost;
		if (b->seq - a->seq > b->place - a->place) {
			ret->missing += b->seq - a->seq - (b->place - a->place);
			continue;
		}
		if (a->type != MP_PT_BEAT || b->type != MP_PT_BEAT)
			continue;
		guest[n] = mp_probe_us(b->ticks - a->ticks);
		observer[n++] = b->at_us - a->at_us;
	}
	spread(guest, n, &ret->guest);
	spread(observer, n, &ret->observer);
	free(guest);
	free(observer);
}

/* ---- the hand-over ---- */

static int64_t offset_us(const struct mp_probe_record *r)
{
	return r->at_us - mp_probe_us(r->ticks);
}

/* Least and usual offset of n beats. */
static void offsets(const struct mp_probe_record *v, size_t n, int64_t *ret_least,
		    int64_t *ret_usual)
{
	int64_t *all = mp_xcalloc(n, sizeof(*all));

	for (size_t i = 0; i < n; i++)
		all[i] = offset_us(&v[i]);
	qsort(all, n, sizeof(*all), by_value);
	*ret_least = all[0];
	*ret_usual = all[(n - 1) / 2];
	free(all);
}

/* Whether a beat this far from the hand-over is looked at, behind so many nearer ones. */
static bool near_enough(size_t nearer, int64_t away_us)
{
	return away_us <= OFFSET_US || (nearer < OFFSET_BEATS && away_us <= OFFSET_MOST_US);
}

void mp_probe_switch(const struct mp_probe_track *source, const struct mp_probe_track *target,
		     struct mp_probe_switch *ret)
{
	const struct mp_probe_record *last = &source->last, *first = &target->first;
	int64_t before, usual_before, after, usual_after;
	size_t from, to = 0;

	*ret = (struct mp_probe_switch){ 0 };
	if (!source->n_beats || !target->n_beats || first->seq <= last->seq ||
	    first->ticks < last->ticks)
		return;
	ret->seen = true;
	ret->observer_gap_us = first->at_us - last->at_us;
	ret->guest_gap_us = mp_probe_us(first->ticks - last->ticks);
	ret->pair_us = ret->observer_gap_us - ret->guest_gap_us;
	ret->missing = first->seq - last->seq - 1;
	from = source->n_beats;
	while (from > 0 &&
	       near_enough(source->n_beats - from, last->at_us - source->beats[from - 1].at_us))
		from--;
	while (to < target->n_beats && near_enough(to, target->beats[to].at_us - first->at_us))
		to++;
	/* However long it was quiet, the nearest beat counts. */
	from -= from == source->n_beats;
	to += to == 0;
	offsets(source->beats + from, source->n_beats - from, &before, &usual_before);
	offsets(target->beats, to, &after, &usual_after);
	ret->blackout_us = after - before;
	ret->doubt_us = usual_before - before + usual_after - after;
}

int64_t mp_probe_brownout_us(const struct mp_probe_track *source,
			     const struct mp_probe_track *target, int64_t from_us, int64_t to_us,
			     int64_t usual_us, uint32_t beat_us)
{
	const struct mp_probe_track *tracks[] = { source, target };
	int64_t limit = 2 * usual_us > beat_us ? 2 * usual_us : beat_us, first = -1, last = -1;

	for (size_t k = 0; k < 2; k++) {
		const struct mp_probe_track *t = tracks[k];

		for (size_t i = 1; i < t->n_beats; i++) {
			const struct mp_probe_record *b = &t->beats[i];
			int64_t lost = lost_us(b - 1, b, beat_us);

			if (b->at_us < from_us || b->at_us >= to_us || lost <= limit)
				continue;
			if (first < 0)
				first = b->at_us - lost;
			last = b->at_us;
		}
	}
	return last - first;
}
