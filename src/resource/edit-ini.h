/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * edit-ini: reading and changing one option of a configuration file of `key = value` lines, with or
 * without sections. Everything that is not that option keeps every byte: comments, order, unknown
 * options, line ends. Pure.
 */
#ifndef MP_RESOURCE_EDIT_INI_H
#define MP_RESOURCE_EDIT_INI_H

#include <stdbool.h>
#include <stddef.h>

#define MP_INI_FLAT (1u << 0)      /* no sections */
#define MP_INI_CONTINUE (1u << 1)  /* an indented line continues the value before it */
#define MP_INI_INDENT (1u << 2)    /* sections and options may be indented */
#define MP_INI_COLON (1u << 3)     /* `key: value` too */
#define MP_INI_NOCASE (1u << 4)    /* upper and lower case are equal in sections and keys */
#define MP_INI_OSLO_CASE (1u << 5) /* section names other than DEFAULT are equal in any case */
#define MP_INI_QUOTES (1u << 6)    /* quotes around a value are not part of it */
#define MP_INI_HASH (1u << 7)      /* a # after a value starts a comment */
#define MP_INI_FIRST (1u << 8)     /* of several lines the first counts; otherwise the last */
#define MP_INI_SYSCTL (1u << 9)    /* keys: `a/b` is `a.b`, and a leading `-` means "may fail" */

/* How the readers of our files see them; each was tried on the reader itself
 * (tests/unit/test_edit.c). */
#define MP_INI_OSLO (MP_INI_CONTINUE | MP_INI_COLON | MP_INI_OSLO_CASE | MP_INI_QUOTES)
#define MP_INI_IDMAPD (MP_INI_INDENT | MP_INI_NOCASE | MP_INI_QUOTES | MP_INI_HASH)
#define MP_INI_LIBVIRT (MP_INI_FLAT | MP_INI_INDENT | MP_INI_HASH | MP_INI_FIRST)
#define MP_INI_SYSCTL_D (MP_INI_FLAT | MP_INI_INDENT | MP_INI_SYSCTL)

struct mp_ini_option {
	unsigned dialect;
	const char *section; /* ignored with MP_INI_FLAT */
	const char *key;
};

/*
 * The value that counts, lines of a continued one joined by newlines; NULL: not set. The heap
 * string belongs to the caller. *ret_others (may be NULL): how many further lines set it to
 * something else.
 */
char *mp_ini_get(const char *text, size_t size, const struct mp_ini_option *o, size_t *ret_others);

/*
 * The text with the option set: where it counts now; else after the last example of it in a comment
 * (`#key = ...`); else after the section's last option; else in a new section at the end. Other
 * lines that set it to something else are removed. The heap text belongs to the caller.
 */
char *mp_ini_set(const char *text, size_t size, const struct mp_ini_option *o, const char *value,
		 size_t *ret_size);

/* The text without any line that sets the option. */
char *mp_ini_remove(const char *text, size_t size, const struct mp_ini_option *o, size_t *ret_size);

#endif
