/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * precheck: what stands against a move, told before it starts: what Nova would refuse, what libvirt
 * would, and what the versions of both ends cannot do, also where they say that they can. Pure:
 * over facts of both ends and a description of the guest. What is not known is not judged.
 */
#ifndef MP_MIGRATE_PRECHECK_H
#define MP_MIGRATE_PRECHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* ---- modes ---- */

enum mp_mode_id {
	MP_MODE_PRECOPY,
	MP_MODE_POSTCOPY,
	MP_MODE_AUTO_CONVERGE,
	MP_MODE_PARALLEL,
	MP_MODE_XBZRLE,
	MP_MODE_ZLIB,
	MP_MODE_ZSTD,
	MP_MODE_ZEROCOPY,
	MP_MODE_TLS,
	MP_MODE_TUNNELLED,
	MP_MODE_P2P,
	MP_MODE_MANAGED,
	MP_MODE_PAUSED,
	MP_MODE_BLOCK_FULL,
	MP_MODE_BLOCK_INC,
	MP_MODE_SYNC_WRITES,
	MP_MODE_PERSISTENT,
	MP_MODE_OFFLINE,
	MP_MODE_COLD,
	MP_N_MODES,
};

/* A set of modes, as bits. */
#define MP_MODE(id) (1u << MP_MODE_##id)

struct mp_mode {
	const char *name, *summary, *source;
	unsigned flags;          /* of virDomainMigrateFlags */
	long long libvirt, qemu; /* versions of both ends from which it works; 0: always */
	unsigned excludes;       /* modes that it cannot go with */
	unsigned needs;          /* modes of which it needs at least one; 0: none */
};

extern const struct mp_mode mp_modes[MP_N_MODES];

/* The mode's number, or -1. */
int mp_mode_find(const char *name);

/* virDomainMigrateFlags of a set of modes, without LIVE where none of them is live. */
unsigned mp_mode_flags(unsigned modes);

/* ---- the guest ---- */

struct mp_precheck_disk {
	const char *target; /* "vda" */
	const char *type;   /* file, block, network, nvme, volume */
	const char *cache;  /* "none", "writeback", ...; NULL: the hypervisor's default */
	bool readonly, shareable, transient, empty;
	int shared;    /* 1: the target sees the same file system; 0: it does not; -1: unknown */
	int on_target; /* 1: an image of that name is there; 0: not; -1: unknown */
	long long bytes, target_bytes; /* virtual sizes; -1: unknown */
	bool copied;                   /* is to be copied; of the disks that can be */
	bool volume;                   /* of Cinder */
};

/* Devices and states that forbid to move a guest, one bit each (qemuMigrationSrcIsAllowed). */
enum {
	MP_GUEST_SNAPSHOTS = 1 << 0,
	MP_GUEST_BLOCK_JOB = 1 << 1,
	MP_GUEST_AUTODESTROY = 1 << 2,
	MP_GUEST_INVTSC = 1 << 3, /* the CPU feature, without a fixed TSC frequency */
	MP_GUEST_HOSTDEV = 1 << 4,
	MP_GUEST_VIRTIOFS = 1 << 5,
	MP_GUEST_IVSHMEM = 1 << 6,
	MP_GUEST_VDPA = 1 << 7,
	MP_GUEST_SLIRP = 1 << 8,
	MP_GUEST_SWTPM_SHARED = 1 << 9, /* swtpm with its state on shared storage */
	MP_GUEST_IO_ERROR = 1 << 10,    /* paused by an I/O error */
	MP_GUEST_HUGEPAGES = 1 << 11,
	MP_GUEST_VPMEM = 1 << 12,
	MP_GUEST_JOB = 1 << 13, /* another job runs */
};

struct mp_precheck_guest {
	const char *name, *uuid, *machine;
	long long memory; /* bytes; 0: unknown */
	bool running, paused;
	unsigned has; /* MP_GUEST_* */
	const struct mp_precheck_disk *disks;
	size_t n_disks;
	int cpu_fits;         /* the target's answer: 1, 0, -1: not asked */
	const char *cpu_text; /* with it: what is missing */
};

/* ---- Nova ---- */

enum mp_nova_block { MP_NOVA_AUTO, MP_NOVA_SHARED, MP_NOVA_BLOCK };

/* What Nova goes by (facts of nova.conf, placement and the hosts). -1: not known. */
struct mp_precheck_nova {
	long release;
	enum mp_nova_block block; /* block_migration of the request */
	int over_commit;          /* disk_over_commit; -1: not given, as since 2.25 */
	bool tunnelled;           /* live_migration_tunnelled */
	bool forced;              /* the request names the host, and does not ask the scheduler */
	int source_up, target_up; /* services */
	long long power_state;    /* 1 running, 3 paused, 4 shut down */
	int shared_path;          /* the file that the target made is seen by the source */
	int rbd;                  /* images_type is rbd on both */
	bool file_backed;         /* images are files */
	bool volume_backed, mapped_volumes, local_disks;
	long long disk_available_mib, disk_virtual_mib, disk_actual_mib;
	long long memory_mib, ram_total_mib, ram_free_mib; /* of guest and target */
	double ram_ratio;
	int target_dir_exists; /* instances_path/UUID on the target */
	int serial_source, serial_target;
	bool skip_cpu, skip_version; /* workarounds */
	const char *path;            /* instances_path/UUID */
	int parallel;                /* live_migration_parallel_connections; 0: 1 */
	bool permit_postcopy, native_tls;
};

/* ---- the judging ---- */

struct mp_precheck_in {
	const char *source, *target;               /* names, for the texts */
	const json_t *source_facts, *target_facts; /* by observer id, as the samples give them */
	unsigned modes;
	const struct mp_precheck_guest *guest;          /* NULL: only hosts and modes are judged */
	const struct mp_precheck_nova *nova;            /* NULL: Nova has no say */
	long long target_free_memory, target_free_disk; /* bytes; -1: unknown */
};

/* One thing that stands against it. */
struct mp_refusal {
	const char *id, *source; /* of the table: static */
	char *message;           /* owned: in Nova's or libvirt's own words, where they have some */
	char *cause, *remedy;    /* owned */
};

struct mp_refusals {
	struct mp_refusal *v; /* owned */
	size_t n;
};

/* A predicate. NULL-terminated tables of them are in precheck-*.c. */
struct mp_precheck {
	const char *id, *source;
	const char *cause, *remedy; /* {S} and {T}: source and target */
	/* True: refused, and why is in ret. */
	bool (*refuses)(const struct mp_precheck_in *in, struct mp_buf *ret);
};

extern const struct mp_precheck mp_prechecks_mode[], mp_prechecks_guest[], mp_prechecks_nova[];

/* Everything that stands against the move; nothing: n is 0. */
void mp_precheck_judge(const struct mp_precheck_in *in, struct mp_refusals *ret);
void mp_refusals_fini(struct mp_refusals *r);

/* Of a fact {"virt": ...} of one end. "" and 0: unknown. */
long long mp_precheck_version(const json_t *facts, const char *what); /* "libvirt", "qemu" */

#endif
