/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ports-boot: the same rules in the ruleset that the host loads at boot: a file of ours,
 * nftables.d/migprep.nft beside the configuration, and one include line at the end of that.
 */
#ifndef MP_RESOURCE_PORTS_BOOT_H
#define MP_RESOURCE_PORTS_BOOT_H

#include "resource/ports-kernel.h"

/* The path of our file, for the configuration at config. Heap string. Pure. */
char *mp_ports_snippet_path(const char *config);

/*
 * The text of our file: the rules for every chain of v that has no other owner. Loads even where
 * table or chain are gone. declare false: without the lines that make that so. Pure.
 */
char *mp_ports_snippet(const struct mp_ports *p, const struct mp_ports_view *v, bool declare);

/* Whether the configuration includes path, by name or by pattern. Pure. */
bool mp_ports_includes(const char *config_text, const char *path);

/* The line that includes the file at path, as a pattern: it may be missing. Heap string. Pure. */
char *mp_ports_include_line(const char *path);

/* The configuration with that line at its end; everything else byte for byte. Heap string.
 * Pure. */
char *mp_ports_add_include(const char *config_text, const char *path);

/*
 * The state on the host: {"config": exists, "included", "snippet": "absent"|"current"|"differs",
 * "boot": "yes"|"no"|"unknown"}. When it cannot be made persistent, also "problem" in words and
 * "cause": "no-file", "no-nft", "elsewhere" (the file does not define the chain) or "refused" (the
 * file itself does not load; "place" is "line N of FILE" where nft names it).
 */
int mp_ports_boot_look(struct mp_sys *sys, const struct mp_ports *p, const struct mp_ports_view *v,
		       const char *config_text, json_t **ret, struct mp_err *err);

/* Writes both files; nft(8) must accept the result, or both are put back. */
int mp_ports_boot_write(struct mp_sys *sys, const struct mp_ports *p, const struct mp_ports_view *v,
			struct mp_err *err);

#endif
