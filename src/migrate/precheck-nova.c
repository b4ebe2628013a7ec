/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * precheck-nova: what Nova refuses, in its words: nova-compute at its start, the conductor
 * (conductor/tasks/live_migrate.py), the target and the source (virt/libvirt/driver.py,
 * check_can_live_migrate_destination and _source), and the preparation of the target.
 */
#include "config.h"
#include "migrate/precheck.h"

#include <string.h>

#define DRIVER "Nova, virt/libvirt/driver.py, "
#define CONDUCTOR "Nova, conductor/tasks/live_migrate.py, "

static long long qemu(const json_t *facts)
{
	return mp_precheck_version(facts, "qemu");
}

static bool init_parallel(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	const struct mp_precheck_nova *n = in->nova;
	long long v = qemu(in->source_facts);

	if (n->parallel <= 1 || !n->permit_postcopy || v <= 0 || v >= 10001000)
		return false;
	mp_buf_puts(ret,
		    "nova-compute does not start: live_migration_parallel_connections > 1 with "
		    "live_migration_permit_post_copy needs QEMU 10.1.0");
	return true;
}

static bool init_tunnelled(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	if (!in->nova->tunnelled || !in->nova->native_tls)
		return false;
	mp_buf_puts(ret, "nova-compute does not start: live_migration_tunnelled and "
			 "live_migration_with_native_tls are mutually exclusive");
	return true;
}

static bool power_state(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	long long p = in->nova->power_state;

	if (p < 0 || p == 1 || p == 3)
		return false;
	mp_buf_printf(ret,
		      "Instance %s in power_state %lld. Cannot live-migrate while the instance "
		      "is in this state.",
		      in->guest && in->guest->uuid ? in->guest->uuid : "", p);
	return true;
}

static bool source_down(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	if (in->nova->source_up != 0)
		return false;
	mp_buf_printf(ret, "Compute service of %s is unavailable at this time.", in->source);
	return true;
}

static bool target_down(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	if (in->nova->target_up != 0)
		return false;
	mp_buf_printf(ret, "Compute service of %s is unavailable at this time.", in->target);
	return true;
}

static bool to_self(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	if (strcmp(in->source, in->target) != 0)
		return false;
	mp_buf_printf(ret, "Unable to migrate instance (%s) to current host (%s).",
		      in->guest && in->guest->uuid ? in->guest->uuid : "", in->source);
	return true;
}

/* Only where the host is forced; else placement decides. "Enough" is more, not as much. */
static bool ram(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	const struct mp_precheck_nova *n = in->nova;
	double avail;

	if (!n->forced || n->memory_mib < 0 || n->ram_total_mib < 0 || n->ram_free_mib < 0 ||
	    n->ram_ratio <= 0)
		return false;
	avail = (double)n->ram_total_mib * n->ram_ratio -
		(double)(n->ram_total_mib - n->ram_free_mib);
	if (n->memory_mib > 0 && avail > (double)n->memory_mib)
		return false;
	mp_buf_printf(ret, "Unable to migrate %s to %s: Lack of memory(host:%.1f <= instance:%lld)",
		      in->guest && in->guest->uuid ? in->guest->uuid : "", in->target, avail,
		      n->memory_mib);
	return true;
}

static bool older(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	long long s = qemu(in->source_facts), t = qemu(in->target_facts);

	if (in->nova->skip_version || s <= 0 || t <= 0 || s <= t)
		return false;
	mp_buf_printf(ret,
		      "The instance requires a newer hypervisor version than has been provided. "
		      "(%lld > %lld)",
		      s, t);
	return true;
}

static bool cpu_info(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	if (!in->guest || in->guest->cpu_fits != 0 || in->nova->skip_cpu)
		return false;
	mp_buf_printf(ret, "Unacceptable CPU info: CPU doesn't have compatibility. %s",
		      in->guest->cpu_text ? in->guest->cpu_text : "");
	return true;
}

/* ---- storage ---- */

/* 1, 0, or -1 where it is not known. */
static int shared_block(const struct mp_precheck_nova *n)
{
	if (n->rbd == 1 || (n->shared_path == 1 && n->file_backed) ||
	    (n->volume_backed && !n->local_disks))
		return 1;
	return n->rbd < 0 || n->shared_path < 0 ? -1 : 0;
}

/* Whether Nova will copy disks: as asked, and else where they are not shared. */
static int will_copy(const struct mp_precheck_nova *n)
{
	int shared = shared_block(n);

	if (n->block != MP_NOVA_AUTO)
		return n->block == MP_NOVA_BLOCK;
	return shared < 0 ? -1 : !shared;
}

static bool block_on_shared(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	const struct mp_precheck_nova *n = in->nova;

	if (will_copy(n) != 1 || (shared_block(n) != 1 && n->shared_path != 1))
		return false;
	mp_buf_printf(ret,
		      "%s is not on local storage: Block migration can not be used with shared "
		      "storage.",
		      in->source);
	return true;
}

static bool nothing_shared(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	const struct mp_precheck_nova *n = in->nova;

	if (will_copy(n) != 0 || shared_block(n) != 0 || n->shared_path != 0)
		return false;
	mp_buf_printf(ret,
		      "%s is not on shared storage: Shared storage live-migration requires "
		      "either shared storage or boot-from-volume with no local disks.",
		      in->source);
	return true;
}

/* Only with disk_over_commit, which requests of 2.25 and later cannot have. */
static bool disk(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	const struct mp_precheck_nova *n = in->nova;
	long long need = n->over_commit == 1 ? n->disk_actual_mib : n->disk_virtual_mib;

	if (n->over_commit < 0 || will_copy(n) != 1 || need < 0 || n->disk_available_mib < 0)
		return false;
	/* In bytes, as Nova compares and prints them. */
	need *= 1048576;
	if (n->disk_available_mib * 1048576 >= need)
		return false;
	mp_buf_printf(ret,
		      "Unable to migrate %s: Disk of instance is too large(available on "
		      "destination host:%lld < need:%lld)",
		      in->guest && in->guest->uuid ? in->guest->uuid : "",
		      n->disk_available_mib * 1048576, need);
	return true;
}

static bool tunnelled_volumes(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	const struct mp_precheck_nova *n = in->nova;

	if (will_copy(n) != 1 || !n->tunnelled || !n->mapped_volumes)
		return false;
	mp_buf_printf(ret,
		      "Cannot block migrate instance %s with mapped volumes. Selective block "
		      "device migration is not supported with tunnelled block migrations.",
		      in->guest && in->guest->uuid ? in->guest->uuid : "");
	return true;
}

static bool directory_exists(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	const struct mp_precheck_nova *n = in->nova;

	if (n->shared_path != 0 || n->target_dir_exists != 1)
		return false;
	mp_buf_printf(ret,
		      "The supplied disk path (%s) already exists, it is expected not to exist.",
		      n->path ? n->path : "instances_path/UUID");
	return true;
}

static bool serial(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	if (in->nova->serial_source != 1 || in->nova->serial_target != 0)
		return false;
	mp_buf_puts(ret, "Your destination node does not support retrieving listen addresses. You "
			 "must disable serial console.");
	return true;
}

const struct mp_precheck mp_prechecks_nova[] = {
	{ "nova-parallel-postcopy", DRIVER "init_host",
	  "QEMU on {S} is too old to join post-copy and parallel connections",
	  "Unset one of the two in nova.conf, or upgrade QEMU to 10.1", init_parallel },
	{ "nova-tunnelled-tls", DRIVER "init_host", "nova.conf asks for both",
	  "Unset live_migration_tunnelled in nova.conf", init_tunnelled },
	{ "nova-power-state", CONDUCTOR "_check_instance_is_active",
	  "only a running or paused instance is moved live", "Start it, or migrate it cold",
	  power_state },
	{ "nova-source-up", CONDUCTOR "_check_host_is_up",
	  "nova-compute on {S} has not reported for service_down_time, or is forced down",
	  "Start nova-compute on {S}, and compare the clocks", source_down },
	{ "nova-target-up", CONDUCTOR "_check_host_is_up",
	  "nova-compute on {T} has not reported for service_down_time, or is forced down",
	  "Start nova-compute on {T}, and compare the clocks", target_down },
	{ "nova-self", CONDUCTOR "_check_destination_is_not_source",
	  "the instance is there already", "Choose another host", to_self },
	{ "nova-memory", CONDUCTOR "_check_destination_has_enough_memory",
	  "{T} has not more free memory, by its allocation ratio, than the flavor has",
	  "Free memory on {T}, choose another host, or do not force one", ram },
	{ "nova-version", CONDUCTOR "_check_compatible_with_source_hypervisor",
	  "QEMU on {T} is older than on {S}",
	  "Upgrade QEMU on {T}; on Nova 26 or later skip_hypervisor_version_check_on_lm lifts the "
	  "rule at your own risk",
	  older },
	{ "nova-cpu", DRIVER "_compare_cpu",
	  "the CPU of {T} lacks what the instance was started with",
	  "Set the same cpu_mode and an older cpu_models on all hosts, and restart the instance",
	  cpu_info },
	{ "nova-storage-shared", DRIVER "check_can_live_migrate_source",
	  "the disks are shared, and a copy of them was asked for",
	  "Ask for block_migration auto or false", block_on_shared },
	{ "nova-storage-local", DRIVER "check_can_live_migrate_source",
	  "the disks are not shared, and no copy of them was asked for",
	  "Ask for block_migration auto or true, or mount the shared instances_path on {S} and {T}",
	  nothing_shared },
	{ "nova-disk", DRIVER "_assert_dest_node_has_enough_disk", "{T} has too little free disk",
	  "Free space on {T}, or choose another host", disk },
	{ "nova-tunnelled-volumes", DRIVER "check_can_live_migrate_source",
	  "a tunnel cannot choose the disks that it copies",
	  "Unset live_migration_tunnelled in nova.conf", tunnelled_volumes },
	{ "nova-directory", DRIVER "pre_live_migration",
	  "an earlier move left the instance's directory on {T}",
	  "Look into it, and remove it if no domain of {T} uses it", directory_exists },
	{ "nova-serial-console", DRIVER "_live_migration_operation",
	  "[serial_console] enabled is set on {S} and not on {T}",
	  "Set [serial_console] enabled alike on all hosts", serial },
	{ 0 },
};
