/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * precheck-modes: the ways to move a guest, what they exclude, and what both ends must be. Texts in
 * quotes are libvirt's (src/qemu/qemu_migration.c, qemu_driver.c of 9.0.0).
 */
#include "config.h"
#include "migrate/precheck.h"

#include <string.h>

#include "base/alloc.h"
#include "model/world.h"

#define STORAGE (MP_MODE(BLOCK_FULL) | MP_MODE(BLOCK_INC))
#define COMPRESSION (MP_MODE(XBZRLE) | MP_MODE(ZLIB) | MP_MODE(ZSTD))
#define NOT_LIVE (MP_MODE(OFFLINE) | MP_MODE(COLD))
/* What only means something while memory is copied. */
#define OF_MEMORY                                                                                  \
	(MP_MODE(PRECOPY) | MP_MODE(POSTCOPY) | MP_MODE(AUTO_CONVERGE) | MP_MODE(PARALLEL) |       \
	 COMPRESSION | MP_MODE(ZEROCOPY))

#define HEADER "libvirt, virDomainMigrateFlags"

const struct mp_mode mp_modes[MP_N_MODES] = {
	[MP_MODE_PRECOPY] = { "precopy", "memory is copied while the guest runs", HEADER, 1 << 0,
			      3002, 0, NOT_LIVE, 0 },
	[MP_MODE_POSTCOPY] = { "postcopy", "the guest goes first, the rest of its memory follows",
			       HEADER, 1 << 15, 1003003, 2005000,
			       MP_MODE(TUNNELLED) | MP_MODE(PAUSED) | NOT_LIVE, 0 },
	[MP_MODE_AUTO_CONVERGE] = { "auto-converge", "a guest that is too busy is slowed down",
				    HEADER, 1 << 13, 1002003, 1006000, NOT_LIVE, 0 },
	[MP_MODE_PARALLEL] = { "parallel", "memory goes through several connections", HEADER,
			       1 << 17, 5002000, 4000000,
			       MP_MODE(TUNNELLED) | MP_MODE(XBZRLE) | NOT_LIVE, 0 },
	[MP_MODE_XBZRLE] = { "xbzrle", "pages sent again are sent as differences", HEADER, 1 << 11,
			     1000003, 1002000, MP_MODE(ZLIB) | MP_MODE(ZSTD) | NOT_LIVE, 0 },
	[MP_MODE_ZLIB] = { "zlib", "the connections of parallel are compressed by zlib",
			   "libvirt NEWS 9.4.0", 1 << 11, 9004000, 5000000,
			   MP_MODE(ZSTD) | NOT_LIVE, MP_MODE(PARALLEL) },
	[MP_MODE_ZSTD] = { "zstd", "the connections of parallel are compressed by zstd",
			   "libvirt NEWS 9.4.0", 1 << 11, 9004000, 5000000, NOT_LIVE,
			   MP_MODE(PARALLEL) },
	[MP_MODE_ZEROCOPY] = { "zerocopy", "pages are sent without a copy in the kernel", HEADER,
			       1 << 20, 8005000, 7001000, MP_MODE(TLS) | COMPRESSION | NOT_LIVE,
			       MP_MODE(PARALLEL) },
	[MP_MODE_TLS] = { "tls", "QEMU encrypts what it sends", HEADER, 1 << 16, 3002000, 2011000,
			  MP_MODE(TUNNELLED) | NOT_LIVE, 0 },
	[MP_MODE_TUNNELLED] = { "tunnelled", "memory goes through libvirt's own connection", HEADER,
				1 << 2, 7002, 0, STORAGE | NOT_LIVE, MP_MODE(P2P) },
	[MP_MODE_P2P] = { "p2p", "the source's libvirt talks to the target's", HEADER, 1 << 1, 7002,
			  0, MP_MODE(MANAGED) | MP_MODE(COLD), 0 },
	[MP_MODE_MANAGED] = { "managed", "migprep talks to both libvirts",
			      "libvirt, virDomainMigrate3", 0, 1001000, 0, MP_MODE(COLD), 0 },
	[MP_MODE_PAUSED] = { "paused", "the guest is paused when it has landed", HEADER, 1 << 5,
			     7005, 0, NOT_LIVE, 0 },
	[MP_MODE_BLOCK_FULL] = { "block-full", "disks are copied as a whole", HEADER, 1 << 6, 8002,
				 0, MP_MODE(BLOCK_INC) | NOT_LIVE, 0 },
	[MP_MODE_BLOCK_INC] = { "block-inc",
				"of disks only what is above their backing file is copied", HEADER,
				1 << 7, 8002, 0, NOT_LIVE, 0 },
	[MP_MODE_SYNC_WRITES] = { "sync-writes",
				  "the guest's writes wait until both ends have them", HEADER,
				  1 << 18, 8000000, 0, NOT_LIVE, STORAGE },
	[MP_MODE_PERSISTENT] = { "persistent", "the target keeps the definition", HEADER,
				 1 << 3 | 1 << 4, 7003, 0, MP_MODE(COLD), 0 },
	[MP_MODE_OFFLINE] = { "offline",
			      "only the definition of a guest that does not run is moved", HEADER,
			      1 << 10, 1000001, 0, MP_MODE(COLD), MP_MODE(PERSISTENT) },
	[MP_MODE_COLD] = { "cold", "the guest is stopped, copied by SSH and started",
			   "Nova, virt/libvirt/driver.py, migrate_disk_and_power_off", 0, 0, 0, 0,
			   0 },
};

int mp_mode_find(const char *name)
{
	for (int i = 0; i < MP_N_MODES; i++)
		if (strcmp(mp_modes[i].name, name) == 0)
			return i;
	return -1;
}

unsigned mp_mode_flags(unsigned modes)
{
	unsigned flags = 0;

	for (int i = 0; i < MP_N_MODES; i++)
		if (modes & 1u << i)
			flags |= mp_modes[i].flags;
	/* All but a move of the mere definition, or of a stopped guest, is of a live one. */
	return modes & NOT_LIVE ? flags & ~1u : flags | (modes & OF_MEMORY ? 1u : 0);
}

static bool has(const struct mp_precheck_in *in, unsigned modes)
{
	return (in->modes & modes) == modes;
}

/* The lower version of both ends; 0: one of them is unknown. */
static long long lower(const struct mp_precheck_in *in, const char *what)
{
	long long s = mp_precheck_version(in->source_facts, what);
	long long t = mp_precheck_version(in->target_facts, what);

	return s < t ? s : t;
}

static void put_version(struct mp_buf *ret, long long v)
{
	mp_buf_printf(ret, "%lld.%lld.%lld", v / 1000000, v / 1000 % 1000, v % 1000);
}

/* "a, b" of the modes in a set. */
static void put_modes(struct mp_buf *ret, unsigned modes)
{
	const char *sep = "";

	for (int i = 0; i < MP_N_MODES; i++)
		if (modes & 1u << i) {
			mp_buf_printf(ret, "%s%s", sep, mp_modes[i].name);
			sep = ", ";
		}
}

static bool too_old(const struct mp_precheck_in *in, const char *what, bool of_libvirt,
		    struct mp_buf *ret)
{
	long long is = lower(in, what);
	bool refused = false;

	for (int i = 0; is > 0 && i < MP_N_MODES; i++) {
		long long least = of_libvirt ? mp_modes[i].libvirt : mp_modes[i].qemu;

		if (!(in->modes & 1u << i) || is >= least)
			continue;
		mp_buf_printf(ret, "%s%s needs %s ", refused ? "; " : "", mp_modes[i].name,
			      of_libvirt ? "libvirt" : "QEMU");
		put_version(ret, least);
		mp_buf_puts(ret, " at both ends, one has ");
		put_version(ret, is);
		refused = true;
	}
	return refused;
}

static bool libvirt_too_old(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	return too_old(in, "libvirt", true, ret);
}

static bool qemu_too_old(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	return too_old(in, "qemu", false, ret);
}

/* Pairs that have a predicate of their own below, with what libvirt says. */
static unsigned told_apart(int mode)
{
	return mode == MP_MODE_POSTCOPY     ? MP_MODE(TUNNELLED) | MP_MODE(PAUSED)
	       : mode == MP_MODE_PARALLEL   ? MP_MODE(TUNNELLED) | MP_MODE(XBZRLE)
	       : mode == MP_MODE_TLS        ? MP_MODE(TUNNELLED)
	       : mode == MP_MODE_TUNNELLED  ? STORAGE
	       : mode == MP_MODE_BLOCK_FULL ? MP_MODE(BLOCK_INC)
	       : mode == MP_MODE_ZEROCOPY   ? MP_MODE(TLS) | COMPRESSION
					    : 0;
}

static bool excluded(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	bool refused = false;

	for (int i = 0; i < MP_N_MODES; i++) {
		unsigned with = in->modes & mp_modes[i].excludes & ~told_apart(i);

		if (!(in->modes & 1u << i) || !with)
			continue;
		mp_buf_printf(ret, "%s%s does not go with ", refused ? "; " : "", mp_modes[i].name);
		put_modes(ret, with);
		refused = true;
	}
	return refused;
}

static bool lonely(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	bool refused = false;

	for (int i = 0; i < MP_N_MODES; i++) {
		if (!(in->modes & 1u << i) || !mp_modes[i].needs || in->modes & mp_modes[i].needs)
			continue;
		mp_buf_printf(ret, "%s%s needs one of: ", refused ? "; " : "", mp_modes[i].name);
		put_modes(ret, mp_modes[i].needs);
		refused = true;
	}
	return refused;
}

/*
 * libvirt 9.0 and QEMU 7.2 take it, and the guest is lost on both hosts at the switch (seen 3 times
 * out of 3); QEMU 8 to 10.0 refuse.
 */
static bool postcopy_parallel(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	long long qemu = lower(in, "qemu");

	if (!has(in, MP_MODE(POSTCOPY) | MP_MODE(PARALLEL)) || qemu >= 10001000)
		return false;
	mp_buf_puts(ret, "Postcopy is not yet compatible with multifd: needs QEMU 10.1.0 at both "
			 "ends");
	if (qemu > 0) {
		mp_buf_puts(ret, ", one has ");
		put_version(ret, qemu);
	}
	return true;
}

#define PAIR(name, a, b, text)                                                                     \
	static bool name(const struct mp_precheck_in *in, struct mp_buf *ret)                      \
	{                                                                                          \
		if (!(in->modes & (a)) || !(in->modes & (b)))                                      \
			return false;                                                              \
		mp_buf_puts(ret, text);                                                            \
		return true;                                                                       \
	}

PAIR(postcopy_tunnelled, MP_MODE(POSTCOPY), MP_MODE(TUNNELLED),
     "post-copy is not supported with tunnelled migration")
PAIR(postcopy_paused, MP_MODE(POSTCOPY), MP_MODE(PAUSED),
     "post-copy migration is not supported with non-live or paused migration")
PAIR(parallel_tunnelled, MP_MODE(PARALLEL), MP_MODE(TUNNELLED),
     "Flags 'VIR_MIGRATE_TUNNELLED' and 'VIR_MIGRATE_PARALLEL' are mutually exclusive")
PAIR(parallel_xbzrle, MP_MODE(PARALLEL), MP_MODE(XBZRLE),
     "Compression method 'xbzrle' isn't supported with parallel migration")
PAIR(tls_tunnelled, MP_MODE(TLS), MP_MODE(TUNNELLED),
     "live_migration_tunnelled and live_migration_with_native_tls are mutually exclusive")
PAIR(storage_tunnelled, STORAGE, MP_MODE(TUNNELLED),
     "storage is not copied through a tunnel; libvirt 9.0 dies of it later: \"argument key 'host' "
     "must not have null value\"")
PAIR(storage_twice, MP_MODE(BLOCK_FULL), MP_MODE(BLOCK_INC),
     "Flags 'VIR_MIGRATE_NON_SHARED_DISK' and 'VIR_MIGRATE_NON_SHARED_INC' are mutually exclusive")
PAIR(zerocopy_plain, MP_MODE(ZEROCOPY), MP_MODE(TLS) | COMPRESSION,
     "Zero copy only available for non-compressed non-TLS multifd migration")

static bool no_userfaultfd(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	const json_t *kernel = json_object_get(in->target_facts, "kernel");

	if (!has(in, MP_MODE(POSTCOPY)) || mp_json_int(kernel, "userfaultfd", -1) != 0)
		return false;
	mp_buf_puts(ret, "Postcopy is not supported: vm.unprivileged_userfaultfd is 0");
	return true;
}

static bool same_host(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	const char *s = mp_json_str(json_object_get(in->source_facts, "virt"), "host_uuid", NULL);
	const char *t = mp_json_str(json_object_get(in->target_facts, "virt"), "host_uuid", NULL);

	if (!s || !t || strcmp(s, t) != 0)
		return false;
	mp_buf_printf(ret, "Attempt to migrate guest to the same host %s", s);
	return true;
}

static bool other_architecture(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	const char *s = mp_json_str(json_object_get(in->source_facts, "virt"), "arch", NULL);
	const char *t = mp_json_str(json_object_get(in->target_facts, "virt"), "arch", NULL);

	if (!s || !t || strcmp(s, t) == 0)
		return false;
	mp_buf_printf(ret, "the hosts are %s and %s", s, t);
	return true;
}

static bool no_libvirt(const struct mp_precheck_in *in, struct mp_buf *ret)
{
	const json_t *t = json_object_get(in->target_facts, "virt");

	if (!t || mp_json_bool(t, "running", true))
		return false;
	mp_buf_printf(ret, "libvirt does not answer: %s",
		      mp_json_str(t, "socket_error", "no reason given"));
	return true;
}

#define CHECK_PARAMS "libvirt, src/qemu/qemu_migration_params.c"
#define CHECK_FLAGS "libvirt, src/qemu/qemu_migration.c, qemuMigrationSrcIsAllowed and Begin"
#define ONE_OR_OTHER "Choose one of the two"

const struct mp_precheck mp_prechecks_mode[] = {
	{ "target-libvirt", "libvirt, virConnectOpen", "nothing can take the guest in on {T}",
	  "Start libvirtd (or virtqemud.socket) on {T}", no_libvirt },
	{ "libvirt-version", HEADER, "libvirt of {S} or {T} is too old for this mode",
	  "Upgrade libvirt, or choose another mode", libvirt_too_old },
	{ "qemu-version", "QEMU, qapi/migration.json",
	  "QEMU of {S} or {T} is too old for this mode",
	  "Upgrade QEMU and restart the guest, or choose another mode", qemu_too_old },
	{ "postcopy-parallel",
	  "QEMU 7.2 to 10.0, migration/options.c; Nova, virt/libvirt/driver.py, "
	  "MIN_PARALLEL_POSTCOPY",
	  "QEMU before 10.1 cannot join the two; 7.2 loses the guest on both hosts",
	  "Use post-copy or parallel connections, not both", postcopy_parallel },
	{ "postcopy-tunnelled", CHECK_FLAGS, "post-copy needs a way back, and a tunnel has none",
	  ONE_OR_OTHER, postcopy_tunnelled },
	{ "postcopy-paused", CHECK_FLAGS, "a guest in post-copy runs on the target at once",
	  ONE_OR_OTHER, postcopy_paused },
	{ "parallel-tunnelled", HEADER, "a tunnel is one connection", ONE_OR_OTHER,
	  parallel_tunnelled },
	{ "parallel-xbzrle", CHECK_PARAMS,
	  "xbzrle needs the order of one connection; libvirt before 9.4 takes it and does nothing",
	  "Use zlib or zstd with parallel connections, or leave one out", parallel_xbzrle },
	{ "tls-tunnelled", "Nova, virt/libvirt/driver.py, init_host",
	  "a tunnel is encrypted by libvirt, or not at all", "Use native TLS and no tunnel",
	  tls_tunnelled },
	{ "storage-tunnelled", CHECK_FLAGS, "disks are copied by NBD, which has no tunnel",
	  "Copy storage without a tunnel, with TLS", storage_tunnelled },
	{ "storage-twice", HEADER, "disks are copied as a whole or not", ONE_OR_OTHER,
	  storage_twice },
	{ "zerocopy-plain", "QEMU, migration/options.c, migrate_caps_check",
	  "the kernel sends the pages as they are", "Leave zerocopy out", zerocopy_plain },
	{ "modes-exclude", HEADER, "these modes contradict one another", ONE_OR_OTHER, excluded },
	{ "modes-need", HEADER, "this mode means nothing alone", "Add the mode that it needs",
	  lonely },
	{ "userfaultfd", "QEMU, migration/postcopy-ram.c, ufd_check_and_apply",
	  "QEMU on {T} may not handle page faults",
	  "Set vm.unprivileged_userfaultfd = 1 on {T}, in /etc/sysctl.d, too", no_userfaultfd },
	{ "same-host", CHECK_FLAGS,
	  "{S} and {T} have the same host UUID: cloned, or a firmware without one",
	  "Give each host its own host_uuid in libvirtd.conf and restart libvirt", same_host },
	{ "architecture", CHECK_FLAGS, "a guest cannot change the architecture",
	  "Choose a target of the same architecture", other_architecture },
	{ 0 },
};
