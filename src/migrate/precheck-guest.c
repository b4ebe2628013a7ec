/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * precheck-guest: what libvirt and QEMU hold against moving this guest to that host
 * (src/qemu/qemu_migration.c of 9.0.0: qemuMigrationSrcIsAllowed, qemuMigrationSrcIsSafe).
 */
#include "config.h"
#include "migrate/precheck.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "model/world.h"

#define STORAGE (MP_MODE(BLOCK_FULL) | MP_MODE(BLOCK_INC))
#define ALLOWED "libvirt, src/qemu/qemu_migration.c, qemuMigrationSrcIsAllowed"
#define SAFE "libvirt, src/qemu/qemu_migration.c, qemuMigrationSrcIsSafe"

static bool live(const struct mp_precheck_in *in)
{
	return !(in->modes & (MP_MODE(OFFLINE) | MP_MODE(COLD)));
}

#define STATE(name, bit, text)                                                                     \
	static bool name(const struct mp_precheck_in *in, struct mp_buf *ret)                      \
	{                                                                                          \
		if (!live(in) || !(in->guest->has & (bit)))                                        \
			return false;                                                              \
		mp_buf_puts(ret, text);                                                            \
		return true;                                                                       \
	}

STATE(snapshots, MP_GUEST_SNAPSHOTS, "cannot migrate domain with snapshots")
STATE(block_job, MP_GUEST_BLOCK_JOB, "domain has active block job")
STATE(autodestroy, MP_GUEST_AUTODESTROY, "domain is marked for auto destroy")
STATE(invtsc, MP_GUEST_INVTSC, "domain has 'invtsc' CPU feature but TSC frequency is not specified")
STATE(hostdev, MP_GUEST_HOSTDEV, "cannot migrate a domain with <hostdev>")
STATE(virtiofs, MP_GUEST_VIRTIOFS, "migration with virtiofs device is not supported")
STATE(ivshmem, MP_GUEST_IVSHMEM, "migration with legacy shmem device is not supported")
STATE(vdpa, MP_GUEST_VDPA, "vDPA devices cannot be migrated")
STATE(slirp, MP_GUEST_SLIRP, "a slirp-helper cannot be migrated")
STATE(swtpm_shared, MP_GUEST_SWTPM_SHARED,
      "the operation is not supported for a swtpm with its state on shared storage")
STATE(io_error, MP_GUEST_IO_ERROR, "cannot migrate domain with I/O error")
STATE(other_job, MP_GUEST_JOB, "another migration job is already running for domain")

static bool postcopy_memory(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	if (!(in->modes & MP_MODE(POSTCOPY)) || !(in->guest->has & MP_GUEST_VPMEM))
		return false;
	mp_buf_puts(ret, "Postcopy is not supported: the guest has virtual persistent memory");
	return true;
}

/* Before 2024.1 Nova left the flag in, and libvirt answered "domain is not running". */
static bool postcopy_of_paused(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	if (!(in->modes & MP_MODE(POSTCOPY)) || !in->guest->paused)
		return false;
	mp_buf_puts(ret, "post-copy migration is not supported with non-live or paused migration: "
			 "the guest is paused");
	return true;
}

static bool not_running(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	if (!live(in) || in->guest->running || in->guest->paused)
		return false;
	mp_buf_puts(ret, "Requested operation is not valid: domain is not running");
	return true;
}

static bool running_offline(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	if (!(in->modes & MP_MODE(OFFLINE)) || !(in->guest->running || in->guest->paused))
		return false;
	mp_buf_puts(ret, "offline migration cannot handle a running domain");
	return true;
}

static bool machine_type(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	const json_t *list = json_object_get(json_object_get(in->target_facts, "virt"), "machines");

	if (!in->guest->machine || json_array_size(list) == 0)
		return false;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (mp_str_eq(json_string_value(json_array_get(list, i)), in->guest->machine))
			return false;
	mp_buf_printf(ret, "Emulator does not support machine type '%s'", in->guest->machine);
	return true;
}

static bool cpu(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	if (!live(in) || in->guest->cpu_fits != 0)
		return false;
	mp_buf_printf(ret, "guest CPU doesn't match specification: missing features: %s",
		      in->guest->cpu_text ? in->guest->cpu_text : "not told");
	return true;
}

static bool memory(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	if (in->guest->memory <= 0 || in->target_free_memory < 0 ||
	    in->guest->memory <= in->target_free_memory)
		return false;
	mp_buf_printf(ret, "cannot set up guest memory: %lld MiB are needed, %lld MiB are free",
		      in->guest->memory >> 20, in->target_free_memory >> 20);
	return true;
}

/* ---- disks ---- */

/* Whether a copy of storage takes this disk: qemuMigrationAnyCopyDisk. */
static bool copied(const struct mp_precheck_in *in, const struct mp_precheck_disk *d)
{
	return (in->modes & STORAGE) && d->copied && !d->readonly && !d->shareable && !d->empty;
}

typedef bool disk_test(const struct mp_precheck_in *in, const struct mp_precheck_disk *d);

static bool any_disk(const struct mp_precheck_in *in, disk_test *test, const char *text,
		     struct mp_buf *ret)
{
	bool refused = false;

	for (size_t i = 0; i < in->guest->n_disks; i++) {
		if (!test(in, &in->guest->disks[i]))
			continue;
		if (!refused)
			mp_buf_printf(ret, "%s: ", text);
		mp_buf_printf(ret, "%s%s", refused ? ", " : "", in->guest->disks[i].target);
		refused = true;
	}
	return refused;
}

static bool is_left_behind(const struct mp_precheck_in *in, const struct mp_precheck_disk *d)
{
	return live(in) && d->shared == 0 && !d->empty && !copied(in, d) &&
	       !(d->readonly && d->on_target == 1) && strcmp(d->type, "network") != 0 &&
	       strcmp(d->type, "block") != 0;
}

static bool unsafe_storage(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	return any_disk(in, is_left_behind,
			"Unsafe migration: Migration without shared storage is unsafe", ret);
}

static bool is_cached(const struct mp_precheck_in *in, const struct mp_precheck_disk *d)
{
	/* QEMU 4.0 and later drop the cache on the target (drop-cache), where it is a file. */
	return live(in) && !d->empty && !d->readonly && !d->shareable && !copied(in, d) &&
	       d->cache && strcmp(d->type, "network") != 0 && strcmp(d->cache, "none") != 0 &&
	       strcmp(d->cache, "directsync") != 0 &&
	       mp_precheck_version(in->source_facts, "qemu") > 0 &&
	       mp_precheck_version(in->source_facts, "qemu") < 4000000;
}

static bool unsafe_cache(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	return any_disk(
		in, is_cached,
		"Unsafe migration: Migration may lead to data corruption if disks use cache "
		"other than none or directsync",
		ret);
}

static bool is_nvme(const struct mp_precheck_in *in, const struct mp_precheck_disk *d)
{
	return live(in) && strcmp(d->type, "nvme") == 0 && !copied(in, d);
}

static bool nvme(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	return any_disk(in, is_nvme,
			"Unsafe migration: Migration without shared storage is unsafe: NVMe disk",
			ret);
}

static bool is_transient(const struct mp_precheck_in *in, const struct mp_precheck_disk *d)
{
	return live(in) && d->transient;
}

static bool transient(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	return any_disk(in, is_transient, "migration with transient disk is not supported", ret);
}

static bool has_no_overlay(const struct mp_precheck_in *in, const struct mp_precheck_disk *d)
{
	return (in->modes & MP_MODE(BLOCK_INC)) && copied(in, d) && d->on_target == 0;
}

static bool no_overlay(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	return any_disk(in, has_no_overlay,
			"pre-creation of storage targets for incremental storage migration is not "
			"supported",
			ret);
}

static bool has_other_size(const struct mp_precheck_in *in, const struct mp_precheck_disk *d)
{
	return copied(in, d) && d->on_target == 1 && d->bytes >= 0 && d->target_bytes >= 0 &&
	       d->bytes != d->target_bytes;
}

static bool other_size(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	return any_disk(in, has_other_size, "Source and target image have different sizes", ret);
}

static bool copies_nothing(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	if (!(in->modes & STORAGE))
		return false;
	for (size_t i = 0; i < in->guest->n_disks; i++)
		if (copied(in, &in->guest->disks[i]))
			return false;
	mp_buf_puts(ret, "storage is to be copied, and no disk is");
	return true;
}

static bool is_shared_copy(const struct mp_precheck_in *in, const struct mp_precheck_disk *d)
{
	return copied(in, d) && d->shared == 1;
}

static bool onto_itself(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	return any_disk(in, is_shared_copy, "the disk would be copied onto itself", ret);
}

static bool disk_space(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	long long need = 0;

	for (size_t i = 0; i < in->guest->n_disks; i++) {
		const struct mp_precheck_disk *d = &in->guest->disks[i];

		if (copied(in, d) && d->on_target != 1 && d->bytes > 0)
			need += d->bytes;
	}
	if (in->target_free_disk < 0 || need <= in->target_free_disk)
		return false;
	mp_buf_printf(ret, "No space left on device: %lld MiB are needed, %lld MiB are free",
		      need >> 20, in->target_free_disk >> 20);
	return true;
}

#define DETACH "Detach it, move, and attach it again; or stop the guest and move it cold"

const struct mp_precheck mp_prechecks_guest[] = {
	{ "guest-runs", ALLOWED, "a guest that does not run has no memory to move",
	  "Start it, or move it offline or cold", not_running },
	{ "guest-offline", ALLOWED, "an offline move is of the definition alone",
	  "Move it live, or stop it", running_offline },
	{ "guest-job", ALLOWED, "one job at a time", "Wait for the other job, or abort it",
	  other_job },
	{ "guest-io-error", ALLOWED, "the guest is paused by an I/O error of its disk",
	  "Mend the storage on {S} and resume the guest", io_error },
	{ "guest-snapshots", ALLOWED,
	  "libvirt before 10.x does not move what it knows of snapshots",
	  "Delete the snapshots, or their metadata", snapshots },
	{ "guest-block-job", ALLOWED, "a disk is being mirrored, committed or backed up",
	  "Wait for the block job, or end it", block_job },
	{ "guest-autodestroy", ALLOWED, "the guest ends with the connection that started it",
	  "Start it without VIR_DOMAIN_START_AUTODESTROY", autodestroy },
	{ "guest-invtsc", ALLOWED, "the guest relies on a clock whose rate the target may not have",
	  "Give <timer name='tsc' frequency=...>, or remove the feature", invtsc },
	{ "guest-hostdev", ALLOWED, "the guest holds a device of {S}", DETACH, hostdev },
	{ "guest-virtiofs", ALLOWED, "the guest mounts a directory of {S}", DETACH, virtiofs },
	{ "guest-ivshmem", ALLOWED, "the guest shares memory with others on {S}", DETACH, ivshmem },
	{ "guest-vdpa", ALLOWED, "the guest holds a device of {S}", DETACH, vdpa },
	{ "guest-slirp", ALLOWED, "its network is a process on {S}",
	  "Give the guest another kind of network", slirp },
	{ "guest-swtpm", ALLOWED, "both ends would write the state of the TPM at once",
	  "Keep swtpm's state off shared storage, or upgrade libvirt", swtpm_shared },
	{ "guest-postcopy-memory", "Nova, virt/libvirt/driver.py, _live_migration_operation",
	  "its memory is a device of the host", "Leave post-copy out", postcopy_memory },
	{ "guest-postcopy-paused", ALLOWED, "post-copy ends with a running guest",
	  "Resume the guest, or leave post-copy out", postcopy_of_paused },
	{ "machine-type", "libvirt, src/qemu/qemu_validate.c",
	  "QEMU on {T} does not know the guest's machine type",
	  "Bring QEMU on {T} to the version of {S}, or start the guest with an older type",
	  machine_type },
	{ "cpu", "libvirt, virConnectCompareHypervisorCPU",
	  "the CPU of {T} lacks what the guest was started with",
	  "Start the guest with a model that all hosts have (virsh hypervisor-cpu-baseline)", cpu },
	{ "memory", "QEMU, memory allocation of -incoming", "{T} has too little free memory",
	  "Free memory on {T}, or choose another target", memory },
	{ "storage-shared", SAFE, "{T} does not see the disk, and it is not copied",
	  "Put the disk on shared storage, or copy it (mode block-full)", unsafe_storage },
	{ "storage-cache", SAFE, "{T} could read what its cache has, not what {S} wrote",
	  "Use cache=none", unsafe_cache },
	{ "storage-nvme", SAFE, "an NVMe disk is a device of {S}", DETACH, nvme },
	{ "storage-transient", ALLOWED, "its writes are thrown away with the guest", DETACH,
	  transient },
	{ "storage-overlay", "libvirt, qemuMigrationDstPrecreateDisk",
	  "the image above the backing file is not there on {T}",
	  "Create the overlay on {T} first, with the same backing file", no_overlay },
	{ "storage-size", "QEMU, block/mirror.c", "the image on {T} has another virtual size",
	  "Create it anew with exactly the size of the source", other_size },
	{ "storage-nothing", "Nova, virt/libvirt/driver.py, _live_migration_operation",
	  "every disk is shared, read-only or a volume; libvirt would choose by itself",
	  "Move without a copy of storage", copies_nothing },
	{ "storage-onto-itself", "Nova, virt/libvirt/driver.py, check_can_live_migrate_source",
	  "{S} and {T} see the same image", "Move without a copy of storage", onto_itself },
	{ "disk-space", "libvirt, qemuMigrationDstPrecreateDisk", "the disks do not fit on {T}",
	  "Free space on {T}, or choose another target", disk_space },
	{ 0 },
};
