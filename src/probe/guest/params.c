/* SPDX-License-Identifier: GPL-3.0-or-later */
/* params: the command line, "key=value" words as mp_probe_cmdline() writes them. */
#include "probe/guest/guest.h"

static const struct param {
	const char *key;
	uint32_t min, max, normal;
	const char *words[4]; /* values 0, 1, ... as words; none: a number */
} params[MP_PP_END] = {
#define X(id, ...) [MP_PP_##id] = { __VA_ARGS__ },
	MP_PROBE_PARAMS(X)
#undef X
};

uint32_t guest_params[MP_PP_END];

static bool at_end(char c)
{
	return c == '\0' || c == ' ';
}

/* Behind word, if text begins with it. */
static const char *after(const char *text, const char *word)
{
	while (*word && *text == *word) {
		text++;
		word++;
	}
	return *word ? 0 : text;
}

static const char *number(const char *s, uint32_t *ret)
{
	uint64_t v = 0;
	const char *begin = s;

	for (; *s >= '0' && *s <= '9' && v <= 0xffffffffu; s++)
		v = v * 10 + (uint64_t)(*s - '0');
	if (s == begin || v > 0xffffffffu)
		return 0;
	*ret = (uint32_t)v;
	return s;
}

static const char *value(const struct param *p, const char *s, uint32_t *ret)
{
	const char *end;

	if (!p->words[0]) {
		end = number(s, ret);
		return end && at_end(*end) && *ret >= p->min && *ret <= p->max ? end : 0;
	}
	for (uint32_t i = 0; i < 4 && p->words[i]; i++) {
		end = after(s, p->words[i]);
		if (end && at_end(*end)) {
			*ret = i;
			return end;
		}
	}
	return 0;
}

static const char *one(const char *s)
{
	for (unsigned i = 1; i < MP_PP_END; i++) {
		const char *v = after(s, params[i].key);

		if (v && *v == '=')
			return value(&params[i], v + 1, &guest_params[i]);
	}
	return 0;
}

int params_parse(const char *cmdline)
{
	const char *s = cmdline;

	for (unsigned i = 1; i < MP_PP_END; i++)
		guest_params[i] = params[i].normal;
	while (*s) {
		const char *next = *s == ' ' ? s + 1 : one(s);

		if (!next)
			return (int)(s - cmdline);
		s = next;
	}
	return -1;
}
