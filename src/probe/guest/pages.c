/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pages: fills the hot and the cold set, keeps dirtying the hot one, and checks every page. */
#include "probe/guest/guest.h"

#define PAGES_OF_MIB (1048576 / MP_PROBE_PAGE)
#define MAX_CHUNK 64 /* pages between two looks at the clock */

extern uint8_t image_start[], image_end[];

static struct {
	uint8_t *memory;
	uint32_t hot, total, filled;
	struct ledger ledger;
	uint32_t chunk;
	bool ready;
	/* dirtying */
	uint64_t credit, accrued_at; /* ticks * pages a second */
	uint32_t rate;               /* pages a second */
	bool closed;
	uint64_t walk, walk_mask;
	uint32_t written, missed;
	/* self-test, scan */
	uint32_t tried, caught;
	bool scanning, scan_disk;
	uint32_t scan_id, scan_faults;
	uint64_t code_sum;
} g;

static uint64_t *page_at(uint32_t page)
{
	return (uint64_t *)(g.memory + (uint64_t)page * MP_PROBE_PAGE);
}

static uint64_t code_sum(void)
{
	uint64_t sum = 0;

	for (const uint64_t *w = (uint64_t *)image_start; w < (uint64_t *)image_end; w++)
		sum = pattern_mix(sum + *w);
	return sum;
}

bool pages_start(uint8_t *memory, uint64_t size)
{
	uint64_t hot = (uint64_t)guest_params[MP_PP_HOT_MIB] * PAGES_OF_MIB;
	uint64_t total = hot + (uint64_t)guest_params[MP_PP_COLD_MIB] * PAGES_OF_MIB;
	uint64_t ledger = (total * 4 + MP_PROBE_PAGE - 1) / MP_PROBE_PAGE;
	uint8_t *behind = memory + total * MP_PROBE_PAGE;

	if ((total + ledger + 2) * MP_PROBE_PAGE > size)
		return false;
	g.memory = memory;
	g.hot = (uint32_t)hot;
	g.total = (uint32_t)total;
	g.ledger.gen = (uint32_t *)behind;
	g.ledger.n = g.total;
	g.ledger.sum = (uint64_t *)(behind + ledger * MP_PROBE_PAGE);
	g.ledger.nus = (uint64_t *)(behind + (ledger + 1) * MP_PROBE_PAGE);
	for (uint32_t i = 0; i < g.total; i++)
		g.ledger.gen[i] = 0;
	*g.ledger.sum = 0;
	*g.ledger.nus = ~0ull;
	g.chunk = 1;
	g.walk_mask = 1;
	while (g.walk_mask < hot)
		g.walk_mask = g.walk_mask << 1 | 1;
	g.walk = guest_params[MP_PP_SEED];
	g.closed = guest_params[MP_PP_LOOP] == MP_LOOP_CLOSED;
	g.rate = guest_params[MP_PP_RATE_MIBS] * PAGES_OF_MIB;
	return true;
}

/* ---- dirtying ---- */

/* The next page of a walk in which each page comes once before any comes again, in no order. */
static uint32_t permuted(void)
{
	uint64_t at;

	do { /* full period modulo a power of two (Hull and Dobell); too large ones are left out */
		g.walk = (g.walk * 6364136223846793005ull + 1442695040888963407ull) & g.walk_mask;
		at = g.walk ^ g.walk >> 3; /* a bijection; the low bits alone repeat soon */
	} while (at >= g.hot);
	return (uint32_t)at;
}

static uint32_t next_page(void)
{
	switch (guest_params[MP_PP_ORDER]) {
	case MP_ORDER_LINEAR:
		g.walk = g.walk + 1 < g.hot ? g.walk + 1 : 0;
		return (uint32_t)g.walk;
	case MP_ORDER_RANDOM:
		g.walk = g.walk * 6364136223846793005ull + 1442695040888963407ull;
		return (uint32_t)((g.walk >> 32) * g.hot >> 32);
	default:
		return permuted();
	}
}

static void check(uint32_t page, enum mp_probe_where where)
{
	struct flaw f;

	if (pattern_good(page_at(page), page, g.ledger.gen[page]))
		return;
	pattern_judge(page_at(page), page, g.ledger.gen[page], g.total, &f);
	fault_report(where, page, g.ledger.gen[page], &f);
}

static void dirty_one(void)
{
	uint32_t page = next_page(), gen = g.ledger.gen[page] + 1;

	check(page, MP_WHERE_REWRITE);
	pattern_fill(page_at(page), page, gen);
	ledger_set(&g.ledger, page, gen);
	g.written++;
}

/* Turns time into pages owed; more than a second's worth is given up and counted. */
static void accrue(uint64_t now)
{
	uint64_t most = (uint64_t)g.rate * MP_PROBE_HZ;

	if (!g.ready || g.closed) {
		g.accrued_at = now;
		return;
	}
	if (now - g.accrued_at > 1ull << 32)
		g.accrued_at = now - (1ull << 32);
	g.credit += (now - g.accrued_at) * g.rate;
	g.accrued_at = now;
	if (g.credit > most) {
		g.missed += (uint32_t)((g.credit - most) / MP_PROBE_HZ);
		g.credit = most;
	}
}

static bool owes_dirt(void)
{
	return g.ready && g.hot && (g.closed || g.credit >= MP_PROBE_HZ);
}

/* ---- the scan ---- */

static void scan_end(void)
{
	uint32_t faults, checked;

	if (g.scan_disk) {
		if (!disk_scanned(&faults, &checked))
			return;
		serial_say((struct record){ MP_PT_SCAN_DISK, (uint16_t)g.scan_id, (uint16_t)faults,
					    checked });
	}
	if (!ledger_good(&g.ledger))
		fault_simple(MP_FAULT_LEDGER);
	if (code_sum() != g.code_sum)
		fault_simple(MP_FAULT_CODE);
	faults = fault_count() - g.scan_faults;
	serial_say((struct record){ MP_PT_SCAN_END, (uint16_t)g.scan_id,
				    faults > 65535 ? 65535 : (uint16_t)faults, g.ledger.scan_at });
	g.scanning = false;
}

static void scan_one(void)
{
	if (g.ledger.scan_at == g.total) {
		scan_end();
		return;
	}
	check(g.ledger.scan_at, MP_WHERE_SCAN);
	ledger_scan_next(&g.ledger);
}

void pages_scan(uint32_t id)
{
	g.scanning = true;
	g.scan_id = id;
	g.scan_faults = fault_count();
	g.scan_disk = disk_blocks() > 0;
	g.ledger.scan_at = 0;
	g.ledger.scan_sum = 0;
	if (g.scan_disk)
		disk_scan();
	serial_say((struct record){ MP_PT_SCAN_BEGIN, (uint16_t)id, g.scan_disk, g.total });
}

/* ---- turns ---- */

static void fill_one(void)
{
	if (g.filled < g.total) {
		pattern_fill(page_at(g.filled), g.filled, 1);
		ledger_set(&g.ledger, g.filled, 1);
		g.filled++;
		return;
	}
	if (!disk_filled())
		return;
	g.code_sum = code_sum();
	g.caught = pages_selftest(&g.tried);
	g.ready = true;
	pages_tell();
	if (guest_params[MP_PP_CORRUPT])
		pages_corrupt(guest_params[MP_PP_CORRUPT]);
}

void pages_work(uint64_t budget)
{
	uint64_t begin = clock_now(), now = begin, before;

	do {
		before = now;
		accrue(now);
		for (uint32_t i = 0; i < g.chunk && !pages_idle(); i++) {
			if (!g.ready) {
				fill_one();
				continue;
			}
			if (g.scanning)
				scan_one();
			if (owes_dirt()) {
				dirty_one();
				g.credit -= g.closed ? 0 : MP_PROBE_HZ;
			}
		}
		now = clock_now();
		if (now - before > budget / 2 && g.chunk > 1)
			g.chunk /= 2;
		else if (now - before < budget / 8 && g.chunk < MAX_CHUNK)
			g.chunk *= 2;
	} while (now - begin + (now - before) < budget && !pages_idle());
}

bool pages_idle(void)
{
	/* The disk fills, and is scanned, in turns of its own. */
	bool fill = !g.ready && (g.filled < g.total || disk_filled());
	bool scan = g.scanning && (g.ledger.scan_at < g.total || !g.scan_disk || !disk_hurry());

	return !fill && !scan && !owes_dirt();
}

bool pages_ready(void)
{
	return g.ready;
}

void pages_rate(uint32_t mibs)
{
	g.closed = false;
	g.credit = 0;
	g.rate = mibs * PAGES_OF_MIB;
}

void pages_tell(void)
{
	if (!g.ready)
		return;
	serial_say((struct record){ MP_PT_SELFTEST, (uint16_t)g.caught, (uint16_t)g.tried, 0 });
	serial_say((struct record){ MP_PT_READY, disk_blocks(), 0, g.total });
}

uint32_t pages_total(void)
{
	return g.total;
}

uint32_t pages_written(void)
{
	return g.written;
}

uint32_t pages_missed(void)
{
	return g.missed;
}

void pages_mark(void)
{
	g.missed = 0;
}

/* ---- faults on purpose ---- */

/* The last page: of the cold set, if there is one. */
static bool damage(enum mp_probe_fault kind)
{
	static uint64_t other[MP_PROBE_PAGE / 8];
	uint32_t page = g.total - 1, gen;
	uint64_t *w = page_at(page);

	if (!g.total || (kind == MP_FAULT_WRONG && g.total < 2))
		return false;
	gen = g.ledger.gen[page];
	pattern_fill(w, page, gen); /* whatever an earlier one left there */
	switch (kind) {
	case MP_FAULT_ZERO:
		for (unsigned i = 0; i < MP_PROBE_PAGE / 8; i++)
			w[i] = 0;
		return true;
	case MP_FAULT_STALE:
		pattern_fill(w, page, gen - 1);
		return true;
	case MP_FAULT_WRONG:
		pattern_fill(w, page - 1, gen);
		return true;
	case MP_FAULT_TORN: /* what lies in front of the middle of the header is of before */
		pattern_fill(other, page, gen - 1);
		w[1] = other[1];
		return true;
	case MP_FAULT_BITS:
		w[300] ^= 1ull << 17;
		return true;
	case MP_FAULT_AHEAD:
		pattern_fill(w, page, gen + 1);
		return true;
	case MP_FAULT_LEDGER: /* as if the write to the ledger had been lost */
		g.ledger.gen[page] = gen - 1;
		return true;
	case MP_FAULT_CODE: /* the entry, which has done its work */
		image_start[0] ^= 1;
		return true;
	case MP_FAULT_NONE:
	case MP_FAULT_IO:
	case MP_FAULT_END:
		break;
	}
	return false;
}

bool pages_corrupt(uint32_t kind)
{
	return g.ready && kind < MP_FAULT_END && damage((enum mp_probe_fault)kind);
}

static bool caught(enum mp_probe_fault kind, uint32_t page, uint32_t gen)
{
	struct flaw f;

	if (kind == MP_FAULT_CODE)
		return code_sum() != g.code_sum;
	if (kind == MP_FAULT_LEDGER) {
		g.ledger.scan_at = 0;
		g.ledger.scan_sum = 0;
		while (g.ledger.scan_at < g.total)
			ledger_scan_next(&g.ledger);
		return !ledger_good(&g.ledger);
	}
	pattern_judge(page_at(page), page, gen, g.total, &f);
	return !pattern_good(page_at(page), page, gen) && f.kind == kind;
}

uint32_t pages_selftest(uint32_t *ret_tried)
{
	uint32_t found = 0, page = g.total - 1;

	*ret_tried = 0;
	for (unsigned kind = 1; kind < MP_FAULT_END; kind++) {
		if (!damage((enum mp_probe_fault)kind))
			continue;
		*ret_tried |= 1u << kind;
		if (caught((enum mp_probe_fault)kind, page, 1))
			found |= 1u << kind;
		if (kind == MP_FAULT_CODE)
			damage(MP_FAULT_CODE);
		g.ledger.gen[page] = 1;
		pattern_fill(page_at(page), page, 1);
	}
	return found;
}
