/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The reader and the judge of the probe guest, over traces made by hand. The bytes of the record
 * vectors were made with another CRC-32 (Python's zlib) from the layout in probe/format.h.
 */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "probe/judge.h"
#include "probe/probe.h"
#include "probe/record.h"

#define MS 1000
#define TICKS(us) ((uint64_t)(us)*MP_PROBE_HZ / 1000000)

/* ---- bytes ---- */

static size_t from_hex(const char *hex, uint8_t *ret)
{
	size_t n = 0;

	for (; hex[0]; hex += 2) {
		char two[3] = { hex[0], hex[1], '\0' };

		ret[n++] = (uint8_t)strtoul(two, NULL, 16);
	}
	return n;
}

#define VECTOR_BEAT "b5013412efcdab89050403020100dcfe103254762eb80ccf"
#define VECTOR_SCAN "b50907002c010000cbdba30000000000001800008f440dde"

static void test_vectors(void **state)
{
	struct mp_probe_track t;
	uint8_t bytes[64], again[MP_PROBE_RECORD];

	(void)state;
	mp_probe_track_init(&t);
	assert_int_equal(from_hex(VECTOR_SCAN VECTOR_BEAT, bytes), 2 * MP_PROBE_RECORD);
	assert_int_equal(mp_probe_track_feed(&t, bytes, 2 * MP_PROBE_RECORD, 77), 2);
	assert_int_equal(t.n_others, 1);
	assert_int_equal(t.others[0].type, MP_PT_SCAN_END);
	assert_int_equal(t.others[0].a, 7);
	assert_int_equal(t.others[0].seq, 300);
	assert_int_equal(t.others[0].ticks, 3ull * MP_PROBE_HZ);
	assert_int_equal(mp_probe_us(t.others[0].ticks), 3000000);
	assert_int_equal(t.others[0].c, 6144);
	assert_int_equal(t.n_beats, 1);
	assert_int_equal(t.beats[0].type, MP_PT_BEAT);
	assert_int_equal(t.beats[0].a, 0x1234);
	assert_int_equal(t.beats[0].b, 0xfedc);
	assert_int_equal(t.beats[0].c, 0x76543210);
	assert_int_equal(t.beats[0].seq, 0x89abcdef);
	assert_int_equal(t.beats[0].ticks, 0x0102030405ll);
	assert_int_equal(t.beats[0].at_us, 77);
	mp_probe_record_encode(&t.beats[0], again);
	assert_memory_equal(again, bytes + MP_PROBE_RECORD, MP_PROBE_RECORD);
	assert_int_equal(t.skipped, 0);
	mp_probe_track_fini(&t);
}

/* Noise, a damaged record and a torn one are skipped; what follows is read. */
static void test_resynchronise(void **state)
{
	struct mp_probe_track t;
	uint8_t bytes[256];
	size_t n = from_hex("b5b5b5410a" VECTOR_SCAN "b50907002c010000cbdba3000000000000180000"
			    "8f440ddf" /* last bit wrong */
			    "b50134" VECTOR_BEAT "b501",
			    bytes);

	(void)state;
	for (size_t step = 1; step <= n; step++) {
		size_t found = 0;

		mp_probe_track_init(&t);
		for (size_t i = 0; i < n; i += step)
			found += mp_probe_track_feed(&t, bytes + i, i + step > n ? n - i : step,
						     (int64_t)i);
		assert_int_equal(found, 2);
		assert_int_equal(t.n_others, 1);
		assert_int_equal(t.n_beats, 1);
		assert_int_equal(t.skipped, 5 + MP_PROBE_RECORD + 3);
		mp_probe_track_fini(&t);
	}
}

/* One flipped bit anywhere is never a record. */
static void test_every_bit_counts(void **state)
{
	uint8_t bytes[MP_PROBE_RECORD];

	(void)state;
	for (unsigned bit = 0; bit < MP_PROBE_RECORD * 8; bit++) {
		struct mp_probe_track t;

		mp_probe_track_init(&t);
		from_hex(VECTOR_BEAT, bytes);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(mp_probe_track_feed(&t, bytes, sizeof(bytes), 0), 0);
		mp_probe_track_fini(&t);
	}
}

static void test_noise(void **state)
{
	struct mp_probe_track t;
	uint8_t bytes[4096];
	uint32_t x = 1;
	uint64_t total = 0;

	(void)state;
	mp_probe_track_init(&t);
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++) {
			x = x * 1103515245 + 12345;
			bytes[i] = x & 0x30000 ? (uint8_t)(x >> 24) : MP_PROBE_MAGIC;
		}
		assert_int_equal(mp_probe_track_feed(&t, bytes, sizeof(bytes), round), 0);
		total += sizeof(bytes);
	}
	assert_int_equal(t.skipped + t.part_size, total);
	mp_probe_track_fini(&t);
}

/* ---- stories ---- */

struct line {
	bool target;
	struct mp_probe_record r;
};

struct story {
	struct line lines[4000];
	size_t n;
	uint32_t seq;
	int64_t run_us, at_us; /* the guest's run time, the observer's clock */
	uint32_t written;
	bool on_target;
	struct mp_probe_track source, target;
	struct mp_probe_params params;
};

static struct mp_probe_record *tell(struct story *s, enum mp_probe_type type, uint16_t a,
				    uint16_t b, uint32_t c)
{
	struct line *l = &s->lines[s->n++];

	assert_true(s->n < MP_N_ELEMS(s->lines));
	l->target = s->on_target;
	l->r = (struct mp_probe_record){ .type = (uint8_t)type,
					 .a = a,
					 .b = b,
					 .c = c,
					 .seq = ++s->seq,
					 .ticks = TICKS(s->run_us),
					 .at_us = s->at_us };
	return &l->r;
}

/* n fast beats, one every gap_us of run time. */
static void beats(struct story *s, unsigned n, int64_t gap_us)
{
	for (; n; n--) {
		s->run_us += gap_us;
		s->at_us += gap_us;
		s->written += 10;
		tell(s, MP_PT_BEAT, 0, 0, s->written);
	}
}

static void play(struct story *s)
{
	uint8_t bytes[MP_PROBE_RECORD];

	mp_probe_track_init(&s->source);
	mp_probe_track_init(&s->target);
	for (size_t i = 0; i < s->n; i++) {
		struct line *l = &s->lines[i];

		if (!l->r.type)
			continue;
		mp_probe_record_encode(&l->r, bytes);
		assert_int_equal(mp_probe_track_feed(l->target ? &s->target : &s->source, bytes,
						     sizeof(bytes), l->r.at_us),
				 1);
	}
}

#define ALL_KINDS 0x1fe
#define BLACKOUT_US 63000
#define BEGIN_US 500000
#define SCAN_ID 9
#define PAGES 6144

/* A good move: half a second, half a second of copying, 63 ms of nothing, and a scan. */
static struct story *good(void)
{
	struct story *s = mp_xcalloc(1, sizeof(*s));

	mp_probe_params_init(&s->params);
	s->params.v[MP_PP_HOT_MIB] = 8;
	s->params.v[MP_PP_COLD_MIB] = 16;
	s->params.v[MP_PP_RATE_MIBS] = 40;
	s->run_us = 1000000;
	tell(s, MP_PT_HELLO, MP_PROBE_VERSION, 3, 60);
	for (uint16_t i = 1; i < MP_PP_END; i++)
		tell(s, MP_PT_PARAM, i, 0, s->params.v[i]);
	tell(s, MP_PT_SELFTEST, ALL_KINDS, ALL_KINDS, 0);
	tell(s, MP_PT_READY, 0, 0, PAGES);
	beats(s, 1000, MS);
	s->at_us += BLACKOUT_US;
	s->on_target = true;
	beats(s, 300, MS);
	tell(s, MP_PT_SCAN_BEGIN, SCAN_ID, 0, PAGES);
	tell(s, MP_PT_ACK, MP_PC_SCAN, 1, SCAN_ID);
	beats(s, 100, MS);
	tell(s, MP_PT_SCAN_END, SCAN_ID, 0, PAGES);
	beats(s, 100, MS);
	return s;
}

static void forget(struct story *s)
{
	mp_probe_track_fini(&s->source);
	mp_probe_track_fini(&s->target);
	free(s);
}

static void judge(struct story *s, struct mp_probe_verdict *v)
{
	struct mp_probe_case c = { .params = &s->params,
				   .source = &s->source,
				   .target = &s->target,
				   .begin_us = BEGIN_US,
				   .scan_id = SCAN_ID };

	play(s);
	mp_probe_judge(&c, v);
}

static void test_good_move(void **state)
{
	struct story *s = good();
	struct mp_probe_verdict v;

	(void)state;
	judge(s, &v);
	for (size_t i = 0; i < v.reasons.n; i++)
		print_error("%s\n", v.reasons.v[i]);
	assert_true(v.ok && v.alive && v.memory_verified && v.detector_proved);
	assert_int_equal(v.reasons.n, 0);
	assert_int_equal(v.pages_checked, PAGES);
	assert_int_equal(v.n_faults, 0);
	assert_true(v.hand_over.seen);
	/* Ticks are 0.28 us: conversions lose one microsecond at most, on either side. */
	assert_in_range(v.guest_pause_us, BLACKOUT_US - 2, BLACKOUT_US + 2);
	assert_in_range(v.hand_over.pair_us, BLACKOUT_US - 2, BLACKOUT_US + 2);
	assert_in_range(v.hand_over.observer_gap_us, BLACKOUT_US + MS, BLACKOUT_US + MS);
	assert_in_range(v.hand_over.guest_gap_us, MS - 1, MS + 1);
	assert_int_equal(v.hand_over.missing, 0);
	assert_int_equal(v.before.beats, 499); /* beats at 1, 2, ... 499 ms */
	assert_int_equal(v.during.beats, 501);
	assert_int_equal(v.after.beats, 500);
	assert_int_equal(v.brownout_us, 0);
	assert_int_equal(v.after.missing, 0);
	mp_probe_verdict_fini(&v);
	forget(s);
}

/* ---- doctored stories: none of them may be called ok ---- */

static struct line *find(struct story *s, enum mp_probe_type type, bool target)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->lines[i].r.type == type && s->lines[i].target == target)
			return &s->lines[i];
	fail_msg("no record of type %d", type);
	return NULL;
}

static void drop(struct story *s, enum mp_probe_type type, bool target)
{
	find(s, type, target)->r.type = 0;
}

/* From the first line of the target on. */
static struct line *landing(struct story *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->lines[i].target)
			return &s->lines[i];
	return NULL;
}

static void set_back(struct story *s) /* the whole guest is 20 beats younger than it was */
{
	for (struct line *l = landing(s); l < s->lines + s->n; l++) {
		l->r.seq -= 20;
		l->r.ticks -= TICKS(20 * MS);
		if (l->r.type == MP_PT_BEAT)
			l->r.c -= 200;
	}
}

static void lost_writes(struct story *s) /* time went on, memory went back */
{
	for (struct line *l = landing(s); l < s->lines + s->n; l++)
		if (l->r.type == MP_PT_BEAT)
			l->r.c -= 30;
}

static void lost_writes_later(struct story *s)
{
	for (struct line *l = landing(s) + 50; l < s->lines + s->n; l++)
		if (l->r.type == MP_PT_BEAT)
			l->r.c -= 30;
}

static void time_back(struct story *s)
{
	for (struct line *l = landing(s); l < s->lines + s->n; l++)
		l->r.ticks -= TICKS(100 * MS);
}

static void no_scan(struct story *s)
{
	drop(s, MP_PT_SCAN_BEGIN, true);
	drop(s, MP_PT_SCAN_END, true);
}

static void scan_on_source(struct story *s) /* begun before the move, ended after it */
{
	struct mp_probe_record *r = &find(s, MP_PT_BEAT, false)->r;

	drop(s, MP_PT_SCAN_BEGIN, true);
	*r = (struct mp_probe_record){ .type = MP_PT_SCAN_BEGIN,
				       .a = SCAN_ID,
				       .c = PAGES,
				       .seq = r->seq,
				       .ticks = r->ticks,
				       .at_us = r->at_us };
}

static void scan_without_end(struct story *s)
{
	drop(s, MP_PT_SCAN_END, true);
}

static void other_scan(struct story *s)
{
	find(s, MP_PT_SCAN_BEGIN, true)->r.a = SCAN_ID - 1;
	find(s, MP_PT_SCAN_END, true)->r.a = SCAN_ID - 1;
}

static void short_scan(struct story *s)
{
	find(s, MP_PT_SCAN_END, true)->r.c = PAGES - 1;
}

static void scan_found(struct story *s)
{
	find(s, MP_PT_SCAN_END, true)->r.b = 1;
}

static void beats_count_fault(struct story *s)
{
	for (struct line *l = landing(s) + 10; l < s->lines + s->n; l++)
		if (l->r.type == MP_PT_BEAT)
			l->r.b = 1;
}

static void fault_on_source(struct story *s) /* found while it was still there */
{
	find(s, MP_PT_BEAT, false)->r.type = MP_PT_FAULT;
}

static void no_selftest(struct story *s)
{
	drop(s, MP_PT_SELFTEST, false);
}

static void blind_selftest(struct story *s)
{
	find(s, MP_PT_SELFTEST, false)->r.a &= (uint16_t) ~(1u << MP_FAULT_STALE);
}

static void easy_selftest(struct story *s) /* it did not even try */
{
	struct line *l = find(s, MP_PT_SELFTEST, false);

	l->r.a = l->r.b = 1u << MP_FAULT_BITS;
}

static void other_guest(struct story *s)
{
	struct line *l = find(s, MP_PT_PARAM, false);

	l->r.c++;
}

static void dead_man(struct story *s)
{
	tell(s, MP_PT_OFF, MP_OFF_DEADMAN, 0, 0);
}

static void panicked(struct story *s)
{
	tell(s, MP_PT_PANIC, MP_PANIC_EXCEPTION, 14, 0x100000);
}

static void silent_target(struct story *s)
{
	s->n = (size_t)(landing(s) - s->lines);
}

static void two_beats(struct story *s)
{
	s->n = (size_t)(landing(s) - s->lines) + 2;
}

static void silent_source(struct story *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->lines[i].target)
			s->lines[i].r.type = 0;
}

static void stands_still(struct story *s)
{
	uint64_t ticks = landing(s)->r.ticks;

	for (struct line *l = landing(s); l < s->lines + s->n; l++)
		l->r.ticks = ticks;
}

static void writes_nothing(struct story *s)
{
	uint32_t written = landing(s)->r.c;

	for (struct line *l = landing(s); l < s->lines + s->n; l++)
		if (l->r.type == MP_PT_BEAT)
			l->r.c = written;
}

static void runs_twice(struct story *s) /* the source goes on after the target began */
{
	size_t n = s->n;

	s->on_target = false;
	s->seq = landing(s)->r.seq - 1;
	s->run_us = s->lines[n - 1].r.at_us;
	beats(s, 30, MS);
}

static void no_disk_scan(struct story *s)
{
	s->params.v[MP_PP_DISK] = 50;
	for (size_t i = 0; i < s->n; i++)
		if (s->lines[i].r.type == MP_PT_PARAM && s->lines[i].r.a == MP_PP_DISK)
			s->lines[i].r.c = 50;
	find(s, MP_PT_READY, false)->r.a = 256;
}

static void short_disk_scan(struct story *s)
{
	struct mp_probe_record *r;

	no_disk_scan(s);
	r = &find(s, MP_PT_ACK, true)->r; /* it stands between begin and end */
	*r = (struct mp_probe_record){ .type = MP_PT_SCAN_DISK,
				       .a = SCAN_ID,
				       .c = 255,
				       .seq = r->seq,
				       .ticks = r->ticks,
				       .at_us = r->at_us };
}

static void foreign_disk(struct story *s)
{
	no_disk_scan(s);
	find(s, MP_PT_READY, false)->r.a = 0;
	find(s, MP_PT_HELLO, false)->r.a = MP_DISK_NOT_SCRATCH;
	find(s, MP_PT_HELLO, false)->r.type = MP_PT_DISK;
}

static const struct doctored {
	const char *name;
	void (*doctor)(struct story *s);
	bool alive; /* what must still be said of it */
	const char *reason;
} doctored[] = {
	{ "set back", set_back, false, "repeats what the source said" },
	{ "lost writes", lost_writes, false, "updates were lost" },
	{ "lost writes later", lost_writes_later, false, "went back" },
	{ "time back", time_back, false, "run time" },
	{ "no scan", no_scan, true, "no scan" },
	{ "scan begun on the source", scan_on_source, true, "no scan" },
	{ "scan without end", scan_without_end, true, "did not end" },
	{ "another scan", other_scan, true, "no scan" },
	{ "short scan", short_scan, true, "checked 6143 pages" },
	{ "scan found a fault", scan_found, true, "counts 1 fault" },
	{ "beats count a fault", beats_count_fault, true, "counts 1 fault" },
	{ "fault on the source", fault_on_source, true, "found 1 fault" },
	{ "no self-test", no_selftest, true, "self-test" },
	{ "blind self-test", blind_selftest, true, "self-test missed" },
	{ "easy self-test", easy_selftest, true, "self-test missed" },
	{ "another guest", other_guest, true, "other parameters" },
	{ "dead man", dead_man, false, "ended itself" },
	{ "panic", panicked, false, "stopped on the target" },
	{ "silent target", silent_target, false, "0 beats" },
	{ "two beats", two_beats, false, "2 beats" },
	{ "silent source", silent_source, false, "nothing was heard" },
	{ "stands still", stands_still, false, "stands still" },
	{ "writes nothing", writes_nothing, false, "no longer writes" },
	{ "runs twice", runs_twice, false, "runs on both hosts" },
	{ "no scan of the disk", no_disk_scan, true, "0 blocks" },
	{ "a disk of somebody else", foreign_disk, true, "does not begin with" },
	{ "short scan of the disk", short_disk_scan, true, "255 blocks" },
};

static void test_doctored(void **state)
{
	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(doctored); i++) {
		const struct doctored *d = &doctored[i];
		struct story *s = good();
		struct mp_probe_verdict v;
		bool said = false;

		d->doctor(s);
		judge(s, &v);
		for (size_t k = 0; k < v.reasons.n; k++)
			said = said || strstr(v.reasons.v[k], d->reason);
		if (v.ok || v.alive != d->alive || !said) {
			for (size_t k = 0; k < v.reasons.n; k++)
				print_error("%s\n", v.reasons.v[k]);
			fail_msg("%s: ok %d, alive %d, \"%s\" %ssaid", d->name, v.ok, v.alive,
				 d->reason, said ? "" : "not ");
		}
		mp_probe_verdict_fini(&v);
		forget(s);
	}
}

static void test_disk_verified(void **state)
{
	struct story *s = good();
	struct mp_probe_verdict v;

	(void)state;
	short_disk_scan(s);
	find(s, MP_PT_SCAN_DISK, true)->r.c = 256;
	judge(s, &v);
	assert_true(v.ok && v.disk_verified);
	assert_int_equal(v.blocks_checked, 256);
	mp_probe_verdict_fini(&v);
	forget(s);
}

/* A fault is told in four records; another record may come between them. */
static void test_fault_described(void **state)
{
	struct story *s = good();
	struct mp_probe_verdict v;

	(void)state;
	tell(s, MP_PT_FAULT, MP_FAULT_STALE, 5, 77);
	tell(s, MP_PT_FAULT_WANT, MP_WHERE_SCAN, 5, 12);
	beats(s, 1, MS);
	tell(s, MP_PT_FAULT_GOT, 1, 5, 11);
	tell(s, MP_PT_FAULT_FROM, 4000, 5, 77);
	tell(s, MP_PT_FAULT, MP_FAULT_ZERO, 6, 78);
	judge(s, &v);
	assert_false(v.ok);
	assert_int_equal(v.n_faults, 2);
	assert_int_equal(v.faults[0].kind, MP_FAULT_STALE);
	assert_int_equal(v.faults[0].where, MP_WHERE_SCAN);
	assert_int_equal(v.faults[0].page, 77);
	assert_int_equal(v.faults[0].want, 12);
	assert_int_equal(v.faults[0].got, 11);
	assert_int_equal(v.faults[0].bits, 4000);
	assert_int_equal(v.faults[1].kind, MP_FAULT_ZERO);
	assert_int_equal(v.faults[1].page, 78);
	assert_int_equal(v.faults[1].want, 0);
	assert_non_null(strstr(v.reasons.v[0], "found 2 faults"));
	assert_non_null(strstr(v.reasons.v[0], "stale page at 77 (generation 11, expected 12)"));
	mp_probe_verdict_fini(&v);
	forget(s);
}

/* ---- figures ---- */

/* 98 gaps of 1 ms, one of 5 ms, one of 30 ms: p99 is the 99th of 100 in order. */
static void test_percentiles(void **state)
{
	struct story *s = mp_xcalloc(1, sizeof(*s));
	struct mp_probe_window w;

	(void)state;
	beats(s, 50, MS);
	beats(s, 1, 30 * MS);
	beats(s, 1, 5 * MS);
	beats(s, 49, MS);
	play(s);
	mp_probe_window(&s->source, INT64_MIN, INT64_MAX, MS, &w);
	assert_int_equal(w.beats, 101);
	assert_int_equal(w.guest.n, 100);
	assert_in_range(w.guest.p50_us, MS - 1, MS + 1);
	assert_in_range(w.guest.p99_us, 5 * MS - 1, 5 * MS + 1);
	assert_in_range(w.guest.max_us, 30 * MS - 1, 30 * MS + 1);
	assert_int_equal(w.observer.p50_us, MS);
	assert_int_equal(w.observer.p99_us, 5 * MS);
	assert_int_equal(w.observer.max_us, 30 * MS);
	assert_in_range(w.longest_stall_us, 29 * MS - 1, 29 * MS + 1);
	forget(s);
}

/* What never arrived is counted, and its time is no stall. */
static void test_missing(void **state)
{
	struct story *s = mp_xcalloc(1, sizeof(*s));
	struct mp_probe_window w;

	(void)state;
	beats(s, 10, MS);
	tell(s, MP_PT_ACK, MP_PC_PING, 1, 0);
	beats(s, 50, MS);
	for (size_t i = 20; i < 40; i++)
		s->lines[i].r.type = 0;
	s->lines[45].r.a = (uint16_t)(TICKS(7 * MS) / MP_PROBE_STALL_TICKS); /* the guest's word */
	play(s);
	mp_probe_window(&s->source, INT64_MIN, INT64_MAX, MS, &w);
	assert_int_equal(w.beats, 40);
	assert_int_equal(w.missing, 20);
	assert_int_equal(w.guest.n, 38);
	assert_in_range(w.guest.max_us, MS - 1, MS + 1);
	assert_in_range(w.longest_stall_us, 7 * MS - 20, 7 * MS);
	forget(s);
}

/* Delays of the path hide in the pair, not in the least offsets. */
static void test_blackout_with_jitter(void **state)
{
	struct story *s = good();
	struct mp_probe_verdict v;

	(void)state;
	for (size_t i = 0; i < s->n; i++)
		s->lines[i].r.at_us += i % 7 * 300; /* 0 to 1.8 ms late */
	landing(s)->r.at_us += 9 * MS;              /* and the first one of the target much later */
	for (size_t i = 1; i < 10; i++)
		landing(s)[i].r.at_us = landing(s)->r.at_us + (int64_t)i;
	judge(s, &v);
	assert_true(v.ok);
	assert_in_range(v.guest_pause_us, BLACKOUT_US - 2, BLACKOUT_US + 2);
	/* 9 ms late there, 1.8 ms more or less by the delays of both. */
	assert_in_range(v.hand_over.pair_us, BLACKOUT_US + 7 * MS, BLACKOUT_US + 11 * MS);
	assert_in_range(v.hand_over.doubt_us, 1000, 2200);
	mp_probe_verdict_fini(&v);
	forget(s);
}

/* The last burst of a throttled guest comes 50 ms late as a whole; earlier ones show the offset. */
static void test_blackout_behind_late_burst(void **state)
{
	struct story *s = good();
	struct mp_probe_verdict v;

	(void)state;
	for (struct line *l = landing(s) - 300; l < landing(s); l++)
		l->r.at_us += 50 * MS;
	judge(s, &v);
	assert_in_range(v.guest_pause_us, BLACKOUT_US - 2, BLACKOUT_US + 2);
	assert_in_range(v.hand_over.pair_us, BLACKOUT_US - 50 * MS - 2, BLACKOUT_US - 50 * MS + 2);
	mp_probe_verdict_fini(&v);
	forget(s);
}

/* Auto-converge at 80 %: 10 ms of run, 40 ms of sleep. */
static void test_throttle_seen(void **state)
{
	struct story *s = mp_xcalloc(1, sizeof(*s));
	struct mp_probe_window w;
	int64_t begin, end;

	(void)state;
	beats(s, 600, MS);
	begin = s->at_us;
	for (int i = 0; i < 20; i++) {
		beats(s, 10, MS);
		beats(s, 1, 40 * MS);
	}
	end = s->at_us;
	beats(s, 600, MS);
	play(s);
	mp_probe_window(&s->source, INT64_MIN, INT64_MAX, MS, &w);
	assert_in_range(w.lost_permille, 740, 800);
	assert_in_range(w.longest_stall_us, 39 * MS - 1, 39 * MS + 1);
	/* From 39 ms before the first late beat arrived to the last late beat. */
	assert_in_range(mp_probe_brownout_us(&s->source, &s->target, 0, INT64_MAX, 0, MS),
			end - begin - 11 * MS - 2, end - begin - 11 * MS + 2);
	mp_probe_window(&s->source, 0, begin + 1, MS, &w);
	assert_int_equal(w.lost_permille, 0);
	forget(s);
}

/* ---- parameters, image ---- */

static void test_params(void **state)
{
	struct mp_probe_params p;
	struct mp_err err = { 0 };
	char *text, line[MP_PROBE_LINE];

	(void)state;
	mp_probe_params_init(&p);
	assert_int_equal(mp_probe_params_set(&p, "hot_mib", "64", &err), 0);
	assert_int_equal(mp_probe_params_set(&p, "content", "half", &err), 0);
	assert_int_equal(mp_probe_params_set(&p, "loop", "closed", &err), 0);
	text = mp_probe_cmdline(&p, &err);
	assert_string_equal(
		text,
		"hot_mib=64 rate_mibs=0 cold_mib=0 content=half order=permuted seed=1 "
		"beat_us=1000 rest_ms=100 loop=closed deadman_s=120 corrupt=0 tlb=flush disk=0");
	free(text);
	assert_int_equal(mp_probe_pages(&p), 16384);
	assert_int_equal(mp_probe_memory_mib(&p), 76); /* 64 + 1 + 8, in steps of 4 */
	assert_int_equal(mp_probe_params_set(&p, "content", "loud", &err), -1);
	assert_int_equal(err.code, MP_E_INPUT);
	assert_non_null(strstr(err.text, "random, half, zero"));
	assert_int_equal(mp_probe_params_set(&p, "beat_us", "10", &err), -1);
	assert_non_null(strstr(err.text, "250 to 50000"));
	assert_int_equal(mp_probe_params_set(&p, "colour", "10", &err), -1);
	p.v[MP_PP_CONTENT] = 3;
	assert_null(mp_probe_cmdline(&p, &err));
	assert_int_equal(mp_probe_command_line(MP_PC_SCAN, 65535, line), 11);
	assert_string_equal(line, "scan 65535\n");
}

/* The image is what a PVH loader looks for: 64-bit ELF for x86-64, with Xen's note 18. */
static void test_image(void **state)
{
	static const unsigned char head[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
	static const unsigned char note[] = {
		4, 0, 0, 0, 4, 0, 0, 0, 18, 0, 0, 0, 'X', 'e', 'n', 0
	};

	(void)state;
	assert_in_range(mp_probe_image_size(), 4096, 65536);
	assert_memory_equal(mp_probe_image, head, sizeof(head));
	assert_int_equal(mp_probe_image[18], 62);
	assert_non_null(memmem(mp_probe_image, mp_probe_image_size(), note, sizeof(note)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_resynchronise),
		cmocka_unit_test(test_every_bit_counts),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_good_move),
		cmocka_unit_test(test_doctored),
		cmocka_unit_test(test_disk_verified),
		cmocka_unit_test(test_fault_described),
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_blackout_with_jitter),
		cmocka_unit_test(test_blackout_behind_late_burst),
		cmocka_unit_test(test_throttle_seen),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
