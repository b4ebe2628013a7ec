/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * probe: the guest that migrations are tried with, as its starter sees it: an image to put on both
 * hosts, a command line, and the commands that its console takes. What it says is read by record.h
 * and judged by judge.h. Pure.
 */
#ifndef MP_PROBE_PROBE_H
#define MP_PROBE_PROBE_H

#include <stddef.h>

#include "base/err.h"
#include "probe/format.h"

/*
 * The guest: an ELF for libvirt's <kernel>, on machine types pc and q35 from 4.0 on (older ones
 * ignore the PVH note and hang), with or without KVM. It needs one virtual CPU, a serial port (for
 * the console) and the HPET; with a disk, one virtio-blk PCI device that begins with
 * MP_PROBE_DISK_MARK and has a block more than MP_PROBE_DISK_BLOCKS (smaller ones are used as far
 * as they go).
 */
extern const unsigned char mp_probe_image[];
extern const unsigned char mp_probe_image_end[];

size_t mp_probe_image_size(void);

struct mp_probe_params {
	uint32_t v[MP_PP_END]; /* by enum mp_probe_param */
};

void mp_probe_params_init(struct mp_probe_params *p); /* what is normal; see MP_PROBE_PARAMS */

/* Sets "key" from text as the command line has it. MP_E_INPUT names the limits or the words. */
int mp_probe_params_set(struct mp_probe_params *p, const char *key, const char *text,
			struct mp_err *err);

/* The text for <cmdline>; a heap string. NULL with MP_E_INPUT for a value out of its limits. */
char *mp_probe_cmdline(const struct mp_probe_params *p, struct mp_err *err);

/* MiB of memory that the guest must be given for this. */
uint32_t mp_probe_memory_mib(const struct mp_probe_params *p);

/* Pages that a whole scan checks. */
uint32_t mp_probe_pages(const struct mp_probe_params *p);

/* A command with its line end, for the console; returns its length. */
size_t mp_probe_command_line(enum mp_probe_command command, uint32_t number,
			     char ret[MP_PROBE_LINE]);

/* Words for reports: "stale page", "zero page", ... */
const char *mp_probe_fault_name(enum mp_probe_fault kind);

#endif
