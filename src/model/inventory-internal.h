/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the two halves of inventory share: parsing the sections, and finding hosts by words. */
#ifndef MP_MODEL_INVENTORY_INTERNAL_H
#define MP_MODEL_INVENTORY_INTERNAL_H

#include "model/inventory.h"

/* Lines that a host does not keep. */
struct mp_host_lines {
	int address, migration_address, aliases; /* 0: not said */
};

/* A [group] as read. */
struct mp_raw_group {
	char *words;
	int line;       /* of the section */
	int words_line; /* of the entry; 0: not said */
};

/* Appends the words of s, separated by white space or by commas outside of brackets. */
void mp_inventory_words(const char *s, struct mp_strv *ret);

/* Makes inv->idents; two hosts that share one is an error. lines: one for each host. */
int mp_inventory_index(struct mp_inventory *inv, const struct mp_host_lines *lines,
		       struct mp_err *err);

/* Resolves inv->groups (named, empty) from raw, which has as many. Needs the index. */
int mp_inventory_resolve(struct mp_inventory *inv, const struct mp_raw_group *raw,
			 struct mp_err *err);

#endif
