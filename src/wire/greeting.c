/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "wire/greeting.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/str.h"

static enum mp_greeting parse_word(const char *p, size_t n)
{
	static const struct {
		const char *word;
		enum mp_greeting greeting;
	} words[] = {
		{ "ready", MP_GREETING_READY },
		{ "push", MP_GREETING_PUSH },
		{ "fail", MP_GREETING_FAIL },
	};

	for (size_t i = 0; i < MP_N_ELEMS(words); i++)
		if (strlen(words[i].word) == n && memcmp(words[i].word, p, n) == 0)
			return words[i].greeting;
	return MP_GREETING_NONE;
}

static int too_noisy(struct mp_err *err)
{
	return mp_err_set(err, MP_E_PROTO,
			  "the login printed more than %d bytes before anything of ours; make the "
			  "shell start-up files of that user silent for non-interactive logins",
			  MP_MAX_BANNER_BYTES);
}

int mp_greeting_scan(struct mp_buf *in, const char *nonce, enum mp_greeting *ret, char *text,
		     size_t text_size, struct mp_err *err)
{
	mp_auto_free char *mark = mp_xasprintf("migprep %s ", nonce);
	size_t mark_size = strlen(mark), word_size, rest_size;
	const char *start, *end, *word, *rest;
	enum mp_greeting found;

	*ret = MP_GREETING_NONE;
	start = in->size ? memmem(in->data, in->size, mark, mark_size) : NULL;
	end = start ? memchr(start, '\n', in->size - (size_t)(start - in->data)) : NULL;
	if (!end)
		return in->size > MP_MAX_BANNER_BYTES ? too_noisy(err) : 0;
	if (start - in->data > MP_MAX_BANNER_BYTES)
		return too_noisy(err);
	word = start + mark_size;
	word_size = 0;
	while (word + word_size < end && word[word_size] >= 'a' && word[word_size] <= 'z')
		word_size++;
	found = parse_word(word, word_size);
	if (found == MP_GREETING_NONE)
		return mp_err_set(err, MP_E_PROTO, "the greeting of the agent makes no sense");
	rest_size = (size_t)(end - word) - word_size;
	rest = word + word_size;
	while (rest_size && *rest == ' ') {
		rest++;
		rest_size--;
	}
	if (rest_size >= text_size)
		rest_size = text_size - 1;
	memcpy(text, rest, rest_size);
	text[rest_size] = '\0';
	mp_str_clean(text);
	mp_buf_drop(in, (size_t)(end + 1 - in->data));
	*ret = found;
	return 0;
}

char *mp_greeting_line(const char *nonce, const char *word, const char *text)
{
	return mp_xasprintf("\nmigprep %s %s %s\n", nonce, word, text);
}
