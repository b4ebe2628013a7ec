/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ring: which hosts a guest goes round, and what guest all of them can run. Pure, from facts. */
#ifndef MP_MIGRATE_RING_H
#define MP_MIGRATE_RING_H

#include "model/run.h"

struct mp_ring {
	size_t *hosts; /* inventory indices, in order; owned */
	size_t n;
};

/*
 * The selected compute hosts that can take part. Each one that cannot gets a finding "verify" with
 * the reason. Returns how many compute hosts were selected.
 */
size_t mp_ring_plan(const struct mp_world *w, struct mp_ring *ret, struct mp_findings *out);
void mp_ring_fini(struct mp_ring *r);

struct mp_guest {
	char name[48], uuid[37];
	const char *machine; /* QEMU machine type */
	bool kvm;            /* else QEMU emulates the CPU */
	long memory_mib;
};

/*
 * The newest versioned machine type that all hosts of the ring know, pc-i440fx before q35. Heap
 * string; NULL: they have none in common.
 */
char *mp_guest_machine(const struct mp_world *w, const struct mp_ring *r);

/* Whether every host of the ring has a KVM that works. */
bool mp_guest_kvm(const struct mp_world *w, const struct mp_ring *r);

/*
 * Domain XML: transient, without disk, network and graphics; its BIOS finds nothing to boot, and
 * counts timer interrupts for ever. Heap string.
 */
char *mp_guest_xml(const struct mp_guest *g);

#endif
