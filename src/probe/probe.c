/* SPDX-License-Identifier: GPL-3.0-or-later */
/* probe: parameters and commands of the guest, and its image. */
#include "config.h"
#include "probe/probe.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"

/* The assembler reads the file; probe.mk says that this object depends on it. */
__asm__(".section .rodata\n"
	".balign 16\n"
	".globl mp_probe_image, mp_probe_image_end\n"
	"mp_probe_image:\n"
	".incbin \"src/probe/probe.elf\"\n"
	"mp_probe_image_end:\n"
	".byte 0\n"
	".text\n");

#define MIB_OVERHEAD 8 /* image, what the firmware keeps at either end, and 2 MiB rounding */
#define MIB_LEAST 32
#define PAGES_OF_MIB (1048576 / MP_PROBE_PAGE)

static const struct {
	const char *key;
	uint32_t min, max, normal;
	const char *words[4];
} params[MP_PP_END] = {
#define X(id, ...) [MP_PP_##id] = { __VA_ARGS__ },
	MP_PROBE_PARAMS(X)
#undef X
};

static const char *const commands[MP_PC_END] = {
#define X(id, word) [MP_PC_##id] = word,
	MP_PROBE_COMMANDS(X)
#undef X
};

static const char *const faults[MP_FAULT_END] = {
	[MP_FAULT_ZERO] = "zero page",
	[MP_FAULT_STALE] = "stale page",
	[MP_FAULT_WRONG] = "contents of another page",
	[MP_FAULT_TORN] = "half-updated page",
	[MP_FAULT_BITS] = "damaged page",
	[MP_FAULT_AHEAD] = "page newer than its entry in the ledger",
	[MP_FAULT_LEDGER] = "ledger that does not match its checksum",
	[MP_FAULT_CODE] = "changed program code",
	[MP_FAULT_IO] = "disk error",
};

size_t mp_probe_image_size(void)
{
	return (size_t)(mp_probe_image_end - mp_probe_image);
}

void mp_probe_params_init(struct mp_probe_params *p)
{
	for (unsigned i = 0; i < MP_PP_END; i++)
		p->v[i] = params[i].normal;
}

static int set_word(struct mp_probe_params *p, unsigned i, const char *text, struct mp_err *err)
{
	for (uint32_t n = 0; n < MP_N_ELEMS(params[i].words) && params[i].words[n]; n++) {
		if (strcmp(params[i].words[n], text) == 0) {
			p->v[i] = n;
			return 0;
		}
	}
	return mp_err_set(err, MP_E_INPUT, "%s: \"%s\" is none of %s, %s%s%s", params[i].key, text,
			  params[i].words[0], params[i].words[1], params[i].words[2] ? ", " : "",
			  params[i].words[2] ? params[i].words[2] : "");
}

int mp_probe_params_set(struct mp_probe_params *p, const char *key, const char *text,
			struct mp_err *err)
{
	for (unsigned i = 1; i < MP_PP_END; i++) {
		long n;

		if (strcmp(params[i].key, key) != 0)
			continue;
		if (params[i].words[0])
			return set_word(p, i, text, err);
		if (mp_str_long(text, params[i].min, params[i].max, &n) < 0)
			return mp_err_set(err, MP_E_INPUT, "%s: \"%s\" is no number from %u to %u",
					  key, text, params[i].min, params[i].max);
		p->v[i] = (uint32_t)n;
		return 0;
	}
	return mp_err_set(err, MP_E_INPUT, "the probe guest has no parameter \"%s\"", key);
}

char *mp_probe_cmdline(const struct mp_probe_params *p, struct mp_err *err)
{
	mp_auto_buf struct mp_buf b;

	mp_buf_init(&b, MP_PROBE_CMDLINE - 1);
	for (unsigned i = 1; i < MP_PP_END; i++) {
		uint32_t v = p->v[i];

		if (v < params[i].min || v > params[i].max) {
			mp_err_set(err, MP_E_INPUT, "%s: %u is not from %u to %u", params[i].key, v,
				   params[i].min, params[i].max);
			return NULL;
		}
		mp_buf_printf(&b, "%s%s=", i > 1 ? " " : "", params[i].key);
		if (params[i].words[0])
			mp_buf_puts(&b, params[i].words[v]);
		else
			mp_buf_printf(&b, "%u", v);
	}
	if (b.full) {
		mp_err_set(err, MP_E_BUG, "the command line of the probe guest is too long");
		return NULL;
	}
	return mp_buf_take(&b);
}

uint32_t mp_probe_pages(const struct mp_probe_params *p)
{
	return (p->v[MP_PP_HOT_MIB] + p->v[MP_PP_COLD_MIB]) * PAGES_OF_MIB;
}

uint32_t mp_probe_memory_mib(const struct mp_probe_params *p)
{
	uint32_t set = p->v[MP_PP_HOT_MIB] + p->v[MP_PP_COLD_MIB];
	uint32_t ledger = (set + 1023) / 1024; /* 4 bytes for each page */
	uint32_t need = set + ledger + MIB_OVERHEAD;

	need = (need + 3) & ~3u;
	return need < MIB_LEAST ? MIB_LEAST : need;
}

size_t mp_probe_command_line(enum mp_probe_command command, uint32_t number,
			     char ret[MP_PROBE_LINE])
{
	return (size_t)snprintf(ret, MP_PROBE_LINE, "%s %u\n", commands[command], number);
}

const char *mp_probe_fault_name(enum mp_probe_fault kind)
{
	return kind < MP_FAULT_END && faults[kind] ? faults[kind] : "unknown fault";
}
