/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "report/words.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"

/* Decodes one character of valid, shortest-form UTF-8; returns its bytes, 0 for an invalid one. */
static size_t decode(const unsigned char *s, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t c = s[0];

	if (n == 0 || s[0] > 0xf4)
		return 0;
	if (n > 1)
		c = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

/* C0, DEL and C1 controls; characters that reorder text on a screen; what XML 1.0 does not allow.
 */
static bool is_hostile(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff ||
	       (c & 0xfffe) == 0xfffe;
}

char *mp_report_clean(const char *s, size_t max, bool lines)
{
	const unsigned char *p = (const unsigned char *)(s ? s : "");
	mp_auto_buf struct mp_buf out;

	mp_buf_init(&out, 0);
	while (*p) {
		uint32_t c = 0;
		size_t n = decode(p, &c);

		if (max && out.size + (n ? n : 1) > max) {
			mp_buf_puts(&out, "...");
			break;
		}
		if (c == '\t' || c == '\n')
			mp_buf_puts(&out, c == '\n' && lines ? "\n" : " ");
		else if (n == 0 || is_hostile(c))
			mp_buf_puts(&out, "?");
		else
			mp_buf_add(&out, p, n);
		p += n ? n : 1;
	}
	return mp_buf_take(&out);
}

json_t *mp_report_json_text(const char *s)
{
	mp_auto_free char *clean = mp_report_clean(s, 0, true);

	return json_string(clean);
}

/* Part of a name or address. A full stop is one only inside: a sentence may end behind a name. */
static bool is_word(const char *p)
{
	return isalnum((unsigned char)*p) || *p == '-' || *p == '_' ||
	       (*p == '.' && isalnum((unsigned char)p[1]));
}

/* The row whose word stands at p, or n. */
static size_t own_at(const char *p, const struct mp_report_own *own, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t size = own[i].word ? strlen(own[i].word) : 0;

		if (size && strncmp(p, own[i].word, size) == 0 && !is_word(p + size))
			return i;
	}
	return n;
}

char *mp_report_own(const char *text, const struct mp_report_own *own, size_t n)
{
	bool inside = false; /* of a word that began before p */
	mp_auto_buf struct mp_buf out;

	mp_buf_init(&out, 0);
	for (const char *p = text; *p;) {
		size_t i = inside ? n : own_at(p, own, n);

		if (i < n) {
			mp_buf_puts(&out, own[i].mark);
			p += strlen(own[i].word);
			continue;
		}
		inside = is_word(p);
		mp_buf_add(&out, p++, 1);
	}
	return mp_buf_take(&out);
}

static const struct {
	int status;
	const char *text;
} verdicts[] = {
	{ 0, "all in order" },
	{ 2, "some hosts differ from the profile, and migprep apply would mend it" },
	{ 3, "a check or a pair failed" },
	{ 4, "some hosts were not reached" },
	{ 5, "a move failed or could not be proved" },
	{ 6, "apply stopped part way" },
	{ 130, "interrupted before the end" },
};

const char *mp_report_verdict(int exit_status)
{
	for (size_t i = 0; i < MP_N_ELEMS(verdicts); i++)
		if (verdicts[i].status == exit_status)
			return verdicts[i].text;
	return "not in order";
}

bool mp_report_pair_failed(const struct mp_pair *p)
{
	for (size_t i = 0; i < p->n_trials; i++)
		if (!p->trials[i].ok)
			return true;
	return false;
}

void mp_report_count(const struct mp_run *run, struct mp_report_counts *ret)
{
	const struct mp_world *w = run->world;

	*ret = (struct mp_report_counts){ .hosts = w->inv->n_hosts,
					  .pairs = run->n_pairs,
					  .moves = run->n_moves,
					  .applied = run->n_applied };
	for (size_t i = 0; i < run->findings.n; i++)
		ret->statuses[run->findings.v[i].status]++;
	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		ret->selected += w->hosts[i].selected;
		ret->reached += w->hosts[i].selected && w->hosts[i].reached;
	}
	for (size_t i = 0; i < run->n_pairs; i++) {
		ret->pairs_tried += run->pairs[i].tried;
		ret->pairs_failed += mp_report_pair_failed(&run->pairs[i]);
	}
	for (size_t i = 0; i < run->n_moves; i++)
		ret->moves_ok += mp_str_eq(run->moves[i].outcome, "ok");
	for (size_t i = 0; i < run->n_applied; i++)
		ret->applied_failed += run->applied[i].err.code != MP_E_NONE;
}
