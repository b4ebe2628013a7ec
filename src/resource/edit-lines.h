/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edit-lines: files of blank-separated words, one record per line (fstab, exports). Other lines
 * keep every byte. Pure. */
#ifndef MP_RESOURCE_EDIT_LINES_H
#define MP_RESOURCE_EDIT_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct mp_line {
	size_t start, end; /* with its newline, and with the lines that it goes on in */
};

/*
 * Steps through text; *pos starts as 0. joined: a backslash before the newline continues the line
 * (exports(5)). False at the end.
 */
bool mp_line_next(const char *text, size_t size, bool joined, size_t *pos, struct mp_line *ret);

/* Appends its words without quotes and octal escapes (`\040`), up to a word that starts with '#'.
 */
void mp_line_words(const char *text, const struct mp_line *l, struct mp_strv *ret);

/* The word with blanks, '#', quotes and backslashes as octal escapes, as fstab(5) and exports(5)
 * read them. */
char *mp_line_escape(const char *word);

/*
 * The text with some lines (in order) removed and one put in place of the first of them; with none,
 * at the end. line NULL: only removes. The heap text belongs to the caller.
 */
char *mp_line_replace(const char *text, size_t size, const struct mp_line *lines, size_t n_lines,
		      const char *line, size_t *ret_size);

#endif
