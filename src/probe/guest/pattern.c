/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pattern: E(page, generation) of format.h. Words of 8 bytes: 0 a magic number and the seed,
 * 1 page and generation, 2 a digest of both and the seed, from which the words behind it follow.
 */
#include "probe/guest/guest.h"

#define WORDS (MP_PROBE_PAGE / 8)
#define HEAD 3
#define BLOCK 64 /* words; of half-compressible contents every second block is zero */
#define MAGIC 0x6570726f62650000ull

uint64_t pattern_mix(uint64_t x)
{
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93ull;
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}

static void head(uint64_t *w, uint32_t page, uint32_t gen)
{
	w[0] = MAGIC ^ (uint64_t)guest_params[MP_PP_SEED] << 32;
	w[1] = (uint64_t)page << 32 | gen;
	w[2] = pattern_mix(pattern_mix(w[0]) + w[1]);
}

/* Knuth's MMIX generator: two operations a word, and no compressor gets hold of it. */
static uint64_t next(uint64_t *x)
{
	*x = *x * 6364136223846793005ull + 1442695040888963407ull;
	return *x ^ *x >> 29;
}

static bool blank(unsigned word)
{
	uint32_t content = guest_params[MP_PP_CONTENT];

	return content == MP_CONTENT_ZERO || (content == MP_CONTENT_HALF && (word / BLOCK & 1));
}

void pattern_fill(uint64_t *words, uint32_t page, uint32_t gen)
{
	uint64_t x;

	head(words, page, gen);
	x = words[2];
	for (unsigned i = HEAD; i < WORDS;) {
		unsigned end = (i / BLOCK + 1) * BLOCK;

		if (blank(i))
			for (; i < end; i++)
				words[i] = 0;
		else
			for (; i < end; i++)
				words[i] = next(&x);
	}
}

bool pattern_good(const uint64_t *words, uint32_t page, uint32_t gen)
{
	uint64_t want[HEAD], x, bad = 0;

	head(want, page, gen);
	for (unsigned i = 0; i < HEAD; i++)
		bad |= words[i] ^ want[i];
	x = want[2];
	for (unsigned i = HEAD; i < WORDS;) {
		unsigned end = (i / BLOCK + 1) * BLOCK;

		if (blank(i))
			for (; i < end; i++)
				bad |= words[i];
		else
			for (; i < end; i++)
				bad |= words[i] ^ next(&x);
	}
	return !bad;
}

/* ---- what is wrong ---- */

static uint64_t scratch[2][WORDS];

static unsigned ones(uint64_t v)
{
	unsigned n = 0;

	for (; v; v &= v - 1)
		n++;
	return n;
}

static bool all_zero(const uint64_t *words)
{
	for (unsigned i = 0; i < WORDS; i++)
		if (words[i])
			return false;
	return true;
}

/* Each word is one of two generations'. */
static bool torn(const uint64_t *words, uint32_t page, uint32_t gen)
{
	if (gen == 0)
		return false;
	pattern_fill(scratch[0], page, gen);
	pattern_fill(scratch[1], page, gen - 1);
	for (unsigned i = 0; i < WORDS; i++)
		if (words[i] != scratch[0][i] && words[i] != scratch[1][i])
			return false;
	return true;
}

void pattern_judge(const uint64_t *words, uint32_t page, uint32_t gen, uint32_t n_pages,
		   struct flaw *ret)
{
	uint32_t got = (uint32_t)words[1], from = (uint32_t)(words[1] >> 32);
	unsigned bits = 0;

	*ret = (struct flaw){ .kind = MP_FAULT_NONE, .from = page, .word = WORDS };
	pattern_fill(scratch[0], page, gen);
	for (unsigned i = WORDS; i-- > 0;) {
		if (words[i] != scratch[0][i])
			ret->word = (uint16_t)i;
		bits += ones(words[i] ^ scratch[0][i]);
	}
	ret->bits = bits > 65535 ? 65535 : (uint16_t)bits;
	if (!bits)
		return;
	ret->got = got;
	if (all_zero(words)) {
		ret->kind = MP_FAULT_ZERO;
	} else if (from < n_pages && pattern_good(words, from, got)) {
		ret->from = from;
		ret->kind = from != page ? MP_FAULT_WRONG
			    : got < gen  ? MP_FAULT_STALE
					 : MP_FAULT_AHEAD;
	} else if (torn(words, page, gen)) {
		ret->kind = MP_FAULT_TORN;
	} else {
		ret->kind = MP_FAULT_BITS;
	}
}
