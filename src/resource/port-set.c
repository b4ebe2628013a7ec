/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "resource/port-set.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"

#define N_PORTS 65536

struct mp_port_set {
	bool in[N_PORTS];
};

static bool add_word(struct mp_port_set *s, char *word)
{
	char *dash = strchr(word, '-');
	long from, to;

	if (dash)
		*dash = '\0';
	if (mp_str_long(word, 0, N_PORTS - 1, &from) < 0)
		return false;
	to = from;
	if (dash && mp_str_long(dash + 1, from, N_PORTS - 1, &to) < 0)
		return false;
	mp_port_set_add(s, (int)from, (int)to);
	return true;
}

struct mp_port_set *mp_port_set_parse(const char *text)
{
	struct mp_port_set *s = mp_xcalloc(1, sizeof(*s));
	mp_auto_strv struct mp_strv words = { 0 };

	mp_str_split(text, ", \t\r\n", &words);
	for (size_t i = 0; i < words.n; i++) {
		if (!add_word(s, words.v[i])) {
			free(s);
			return NULL;
		}
	}
	return s;
}

bool mp_port_set_has(const struct mp_port_set *s, int from, int to)
{
	for (int p = from; p <= to; p++)
		if (!s->in[p])
			return false;
	return true;
}

void mp_port_set_add(struct mp_port_set *s, int from, int to)
{
	for (int p = from; p <= to && p < N_PORTS; p++)
		s->in[p] = true;
}

char *mp_port_set_text(const struct mp_port_set *s)
{
	struct mp_buf out;

	mp_buf_init(&out, 0);
	for (int from = 0, to; from < N_PORTS; from = to + 1) {
		to = from;
		if (!s->in[from])
			continue;
		while (to + 1 < N_PORTS && s->in[to + 1])
			to++;
		mp_buf_printf(&out, "%s%d", out.size ? "," : "", from);
		if (to > from)
			mp_buf_printf(&out, "-%d", to);
	}
	return mp_buf_take(&out);
}
