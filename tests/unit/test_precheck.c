/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * precheck: a good move against which nothing stands, and one spoilt thing a row: exactly the
 * refusals that the row names follow. Every predicate has a row that it refuses, and a row next to
 * it that it does not (facts/nova.md 3.2 to 3.5, facts/engine.md 1.1, 1.4 and 1.5). The flags of
 * the modes are compared with libvirt's own header.
 */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "migrate/precheck.h"

#define SOURCE                                                                                     \
	"{\"virt\": {\"running\": true, \"libvirt\": 9000000, \"qemu\": 7002000, \"arch\": "       \
	"\"x86_64\", \"host_uuid\": \"u-1\"}}"
#define TARGET                                                                                     \
	"{\"virt\": {\"running\": true, \"libvirt\": 9000000, \"qemu\": 7002000, \"arch\": "       \
	"\"x86_64\", \"host_uuid\": \"u-2\", \"machines\": [\"pc-i440fx-7.2\", \"pc-q35-7.2\"]}, " \
	"\"kernel\": {\"userfaultfd\": 1}}"

struct world {
	struct mp_precheck_in in;
	struct mp_precheck_guest guest;
	struct mp_precheck_disk disk;
	struct mp_precheck_nova nova;
	const char *source, *target; /* JSON */
};

/* Nothing stands against this one. */
static void good(struct world *w)
{
	*w = (struct world){
		.source = SOURCE,
		.target = TARGET,
		.disk = { .target = "vda",
			  .type = "file",
			  .cache = "none",
			  .shared = 1,
			  .on_target = 1,
			  .bytes = 1 << 30,
			  .target_bytes = 1 << 30 },
		.guest = { .name = "g",
			   .uuid = "g-uuid",
			   .machine = "pc-q35-7.2",
			   .memory = 1LL << 30,
			   .running = true,
			   .n_disks = 1,
			   .cpu_fits = 1 },
		.nova = { .release = 29,
			  .over_commit = -1,
			  .source_up = 1,
			  .target_up = 1,
			  .power_state = 1,
			  .shared_path = 1,
			  .file_backed = true,
			  .local_disks = true,
			  .disk_available_mib = 10000,
			  .disk_virtual_mib = 1024,
			  .disk_actual_mib = 100,
			  .memory_mib = 1024,
			  .ram_total_mib = 8192,
			  .ram_free_mib = 4096,
			  .ram_ratio = 1,
			  .target_dir_exists = 0,
			  .path = "/var/lib/nova/instances/g-uuid" },
		.in = { .source = "a",
			.target = "b",
			.modes = MP_MODE(PRECOPY) | MP_MODE(P2P) | MP_MODE(PERSISTENT),
			.target_free_memory = 2LL << 30,
			.target_free_disk = 10LL << 30 },
	};
}

static void judge(struct world *w, struct mp_refusals *ret)
{
	json_t *s = json_loads(w->source, 0, NULL), *t = json_loads(w->target, 0, NULL);

	assert_true(s && t);
	w->guest.disks = &w->disk;
	w->in.guest = &w->guest;
	w->in.nova = &w->nova;
	w->in.source_facts = s;
	w->in.target_facts = t;
	mp_precheck_judge(&w->in, ret);
	json_decref(s);
	json_decref(t);
}

struct row {
	const char *line;    /* what is spoilt, as it is in the code */
	const char *ids;     /* that follow, in order; "": none */
	const char *message; /* part of the first */
};

#define VIRT(what) "{\"virt\": {\"running\": true, " what "}}"
#define MODES(...) (w->in.modes = MP_MODE(PRECOPY) | MP_MODE(P2P) | (__VA_ARGS__))
#define COPIED                                                                                     \
	(w->disk.copied = true, w->disk.shared = 0, w->disk.on_target = 0,                         \
	 w->nova.block = MP_NOVA_AUTO, w->nova.shared_path = 0)

/* Refused by which, with what words; how it is spoilt. */
#define ROWS(ROW)                                                                                  \
	ROW("", "", (void)w)                                                                       \
	ROW("target-libvirt", "libvirt does not answer: no socket",                                \
	    w->target = "{\"virt\": {\"running\": false, \"socket_error\": \"no socket\"}}")       \
	ROW("libvirt-version", "zstd needs libvirt 9.4.0 at both ends, one has 9.0.0",             \
	    MODES(MP_MODE(PARALLEL) | MP_MODE(ZSTD)))                                              \
	ROW("", "", MODES(MP_MODE(PARALLEL) | MP_MODE(ZSTD));                                      \
	    w->source = VIRT("\"libvirt\": 9004000"); w->target = VIRT("\"libvirt\": 9004000"))    \
	ROW("libvirt-version", "sync-writes needs libvirt 8.0.0 at both ends, one has 7.10.0",     \
	    MODES(MP_MODE(BLOCK_FULL) | MP_MODE(SYNC_WRITES));                                     \
	    COPIED; w->source = VIRT("\"libvirt\": 7010000"))                                      \
	ROW("qemu-version", "parallel needs QEMU 4.0.0 at both ends, one has 3.1.0",               \
	    MODES(MP_MODE(PARALLEL));                                                              \
	    w->source = VIRT("\"qemu\": 3001000"))                                                 \
	ROW("postcopy-parallel", "needs QEMU 10.1.0 at both ends, one has 7.2.0",                  \
	    MODES(MP_MODE(POSTCOPY) | MP_MODE(PARALLEL)))                                          \
	ROW("postcopy-parallel", "one has 10.0.3", MODES(MP_MODE(POSTCOPY) | MP_MODE(PARALLEL));   \
	    w->source = VIRT("\"qemu\": 10000003"); w->target = VIRT("\"qemu\": 10001000"))        \
	ROW("", "", MODES(MP_MODE(POSTCOPY) | MP_MODE(PARALLEL));                                  \
	    w->source = VIRT("\"qemu\": 10001000"); w->target = VIRT("\"qemu\": 10001000"))        \
	ROW("", "", MODES(MP_MODE(POSTCOPY)))                                                      \
	ROW("", "", MODES(MP_MODE(PARALLEL) | MP_MODE(TLS) | MP_MODE(AUTO_CONVERGE)))              \
	ROW("postcopy-tunnelled", "post-copy is not supported with tunnelled migration",           \
	    MODES(MP_MODE(POSTCOPY) | MP_MODE(TUNNELLED)))                                         \
	ROW("postcopy-paused", "non-live or paused", MODES(MP_MODE(POSTCOPY) | MP_MODE(PAUSED)))   \
	ROW("", "", MODES(MP_MODE(PAUSED)))                                                        \
	ROW("parallel-tunnelled", "mutually exclusive",                                            \
	    MODES(MP_MODE(PARALLEL) | MP_MODE(TUNNELLED)))                                         \
	ROW("parallel-xbzrle", "'xbzrle' isn't supported with parallel",                           \
	    MODES(MP_MODE(PARALLEL) | MP_MODE(XBZRLE)))                                            \
	ROW("tls-tunnelled", "mutually exclusive", MODES(MP_MODE(TLS) | MP_MODE(TUNNELLED)))       \
	ROW("", "", MODES(MP_MODE(TUNNELLED)))                                                     \
	ROW("modes-need", "tunnelled needs one of: p2p",                                           \
	    w->in.modes = MP_MODE(PRECOPY) | MP_MODE(MANAGED) | MP_MODE(TUNNELLED))                \
	ROW("storage-tunnelled", "argument key 'host'",                                            \
	    MODES(MP_MODE(BLOCK_FULL) | MP_MODE(TUNNELLED));                                       \
	    COPIED)                                                                                \
	ROW("storage-twice", "mutually exclusive",                                                 \
	    MODES(MP_MODE(BLOCK_FULL) | MP_MODE(BLOCK_INC));                                       \
	    COPIED; w->disk.on_target = 1)                                                         \
	ROW("zerocopy-plain", "Zero copy only available",                                          \
	    MODES(MP_MODE(PARALLEL) | MP_MODE(ZEROCOPY) | MP_MODE(TLS)))                           \
	ROW("", "", MODES(MP_MODE(PARALLEL) | MP_MODE(ZEROCOPY)))                                  \
	ROW("modes-need", "zerocopy needs one of: parallel", MODES(MP_MODE(ZEROCOPY)))             \
	ROW("libvirt-version modes-exclude", "zlib needs",                                         \
	    MODES(MP_MODE(PARALLEL) | MP_MODE(ZLIB) | MP_MODE(ZSTD)))                              \
	ROW("modes-exclude", "p2p does not go with managed", MODES(MP_MODE(MANAGED)))              \
	ROW("modes-need", "sync-writes needs one of: block-full, block-inc",                       \
	    MODES(MP_MODE(SYNC_WRITES)))                                                           \
	ROW("userfaultfd", "vm.unprivileged_userfaultfd is 0", MODES(MP_MODE(POSTCOPY));           \
	    w->target = "{\"kernel\": {\"userfaultfd\": 0}}")                                      \
	ROW("", "", w->target = "{\"kernel\": {\"userfaultfd\": 0}}")                              \
	ROW("same-host", "Attempt to migrate guest to the same host u-1",                          \
	    w->target = VIRT("\"host_uuid\": \"u-1\""))                                            \
	ROW("architecture", "the hosts are x86_64 and aarch64",                                    \
	    w->target = VIRT("\"arch\": \"aarch64\""))                                             \
	ROW("guest-runs", "domain is not running", w->guest.running = false)                       \
	ROW("", "", w->guest.running = false;                                                      \
	    w->in.modes = MP_MODE(OFFLINE) | MP_MODE(PERSISTENT))                                  \
	ROW("guest-offline", "cannot handle a running domain",                                     \
	    w->in.modes = MP_MODE(OFFLINE) | MP_MODE(PERSISTENT))                                  \
	ROW("modes-need guest-offline", "offline needs one of: persistent",                        \
	    w->in.modes = MP_MODE(OFFLINE))                                                        \
	ROW("guest-job", "another migration job", w->guest.has = MP_GUEST_JOB)                     \
	ROW("guest-io-error", "I/O error", w->guest.has = MP_GUEST_IO_ERROR)                       \
	ROW("guest-snapshots", "cannot migrate domain with snapshots",                             \
	    w->guest.has = MP_GUEST_SNAPSHOTS)                                                     \
	ROW("guest-block-job", "active block job", w->guest.has = MP_GUEST_BLOCK_JOB)              \
	ROW("guest-autodestroy", "marked for auto destroy", w->guest.has = MP_GUEST_AUTODESTROY)   \
	ROW("guest-invtsc", "TSC frequency is not specified", w->guest.has = MP_GUEST_INVTSC)      \
	ROW("guest-hostdev", "hostdev", w->guest.has = MP_GUEST_HOSTDEV)                           \
	ROW("guest-virtiofs", "migration with virtiofs device is not supported",                   \
	    w->guest.has = MP_GUEST_VIRTIOFS)                                                      \
	ROW("guest-ivshmem", "shmem", w->guest.has = MP_GUEST_IVSHMEM)                             \
	ROW("guest-vdpa", "vDPA", w->guest.has = MP_GUEST_VDPA)                                    \
	ROW("guest-slirp", "slirp", w->guest.has = MP_GUEST_SLIRP)                                 \
	ROW("guest-swtpm", "swtpm", w->guest.has = MP_GUEST_SWTPM_SHARED)                          \
	ROW("", "", w->guest.has = MP_GUEST_HOSTDEV | MP_GUEST_SNAPSHOTS;                          \
	    w->in.modes = MP_MODE(COLD))                                                           \
	ROW("", "", w->guest.has = MP_GUEST_HUGEPAGES | MP_GUEST_VPMEM)                            \
	ROW("guest-postcopy-memory", "virtual persistent memory", MODES(MP_MODE(POSTCOPY));        \
	    w->guest.has = MP_GUEST_VPMEM)                                                         \
	ROW("guest-postcopy-paused", "the guest is paused", MODES(MP_MODE(POSTCOPY));              \
	    w->guest.running = false; w->guest.paused = true)                                      \
	ROW("", "", w->guest.running = false; w->guest.paused = true)                              \
	ROW("machine-type", "does not support machine type 'pc-q35-9.2'",                          \
	    w->guest.machine = "pc-q35-9.2")                                                       \
	ROW("", "", w->guest.machine = "pc-q35-9.2"; w->target = VIRT("\"machines\": []"))         \
	ROW("cpu nova-cpu", "missing features: vmx,avx2", w->guest.cpu_fits = 0;                   \
	    w->guest.cpu_text = "vmx,avx2")                                                        \
	ROW("cpu", "missing features", w->guest.cpu_fits = 0; w->nova.skip_cpu = true)             \
	ROW("", "", w->guest.cpu_fits = -1)                                                        \
	ROW("memory", "1024 MiB are needed, 1023 MiB are free",                                    \
	    w->in.target_free_memory = 1023LL << 20)                                               \
	ROW("", "", w->in.target_free_memory = 1024LL << 20)                                       \
	ROW("storage-shared", "Migration without shared storage is unsafe: vda",                   \
	    w->disk.shared = 0)                                                                    \
	ROW("", "", w->disk.shared = -1)                                                           \
	ROW("", "", w->disk.shared = 0; w->disk.type = "network")                                  \
	ROW("", "", w->disk.shared = 0; w->disk.type = "block")                                    \
	ROW("", "", w->disk.shared = 0; w->disk.readonly = true)                                   \
	ROW("", "", w->disk.shared = 0; w->disk.empty = true)                                      \
	ROW("storage-cache", "cache other than none or directsync: vda",                           \
	    w->disk.cache = "writeback";                                                           \
	    w->source = VIRT("\"qemu\": 3001000"))                                                 \
	ROW("", "", w->disk.cache = "directsync"; w->source = VIRT("\"qemu\": 3001000"))           \
	ROW("", "", w->disk.cache = "writeback")                                                   \
	ROW("storage-nvme", "NVMe disk: vda", w->disk.type = "nvme")                               \
	ROW("storage-transient", "transient disk is not supported: vda", w->disk.transient = true) \
	ROW("", "", MODES(MP_MODE(BLOCK_FULL)); COPIED)                                            \
	ROW("storage-overlay", "pre-creation of storage targets for incremental",                  \
	    MODES(MP_MODE(BLOCK_INC));                                                             \
	    COPIED)                                                                                \
	ROW("", "", MODES(MP_MODE(BLOCK_INC)); COPIED; w->disk.on_target = 1)                      \
	ROW("storage-size", "different sizes: vda", MODES(MP_MODE(BLOCK_FULL)); COPIED;            \
	    w->disk.on_target = 1; w->disk.target_bytes++)                                         \
	ROW("storage-nothing", "no disk is", MODES(MP_MODE(BLOCK_FULL)); COPIED;                   \
	    w->disk.shared = 1; w->disk.readonly = true)                                           \
	ROW("storage-onto-itself", "onto itself: vda", MODES(MP_MODE(BLOCK_FULL));                 \
	    w->disk.copied = true)                                                                 \
	ROW("disk-space", "1024 MiB are needed, 1023 MiB are free", MODES(MP_MODE(BLOCK_FULL));    \
	    COPIED; w->in.target_free_disk = 1023LL << 20)                                         \
	ROW("", "", MODES(MP_MODE(BLOCK_FULL)); COPIED; w->in.target_free_disk = 1024LL << 20)     \
	ROW("nova-parallel-postcopy", "needs QEMU 10.1.0", w->nova.parallel = 2;                   \
	    w->nova.permit_postcopy = true)                                                        \
	ROW("", "", w->nova.parallel = 1; w->nova.permit_postcopy = true)                          \
	ROW("", "", w->nova.parallel = 4)                                                          \
	ROW("nova-tunnelled-tls", "mutually exclusive", w->nova.tunnelled = true;                  \
	    w->nova.native_tls = true)                                                             \
	ROW("nova-power-state", "Instance g-uuid in power_state 4", w->nova.power_state = 4)       \
	ROW("", "", w->nova.power_state = 3)                                                       \
	ROW("nova-source-up", "Compute service of a is unavailable at this time.",                 \
	    w->nova.source_up = 0)                                                                 \
	ROW("nova-target-up", "Compute service of b is unavailable at this time.",                 \
	    w->nova.target_up = 0)                                                                 \
	ROW("", "", w->nova.source_up = w->nova.target_up = -1)                                    \
	ROW("nova-self", "Unable to migrate instance (g-uuid) to current host (a).",               \
	    w->in.target = "a")                                                                    \
	ROW("nova-memory", "Lack of memory(host:1024.0 <= instance:1024)", w->nova.forced = true;  \
	    w->nova.ram_free_mib = 1024)                                                           \
	ROW("", "", w->nova.forced = true; w->nova.ram_free_mib = 1025)                            \
	ROW("", "", w->nova.ram_free_mib = 1)                                                      \
	ROW("", "", w->nova.forced = true; w->nova.ram_free_mib = 1; w->nova.ram_ratio = 1.5)      \
	ROW("nova-version", "newer hypervisor version", w->target = VIRT("\"qemu\": 7001000"))     \
	ROW("", "", w->target = VIRT("\"qemu\": 7001000"); w->nova.skip_version = true)            \
	ROW("", "", w->target = VIRT("\"qemu\": 8002000"))                                         \
	ROW("nova-storage-shared",                                                                 \
	    "a is not on local storage: Block migration can not be used with shared storage.",     \
	    w->nova.block = MP_NOVA_BLOCK)                                                         \
	ROW("nova-storage-shared", "not on local storage", w->nova.block = MP_NOVA_BLOCK;          \
	    w->nova.shared_path = 0; w->nova.rbd = 1)                                              \
	ROW("nova-storage-local",                                                                  \
	    "a is not on shared storage: Shared storage live-migration requires",                  \
	    w->nova.block = MP_NOVA_SHARED;                                                        \
	    w->nova.shared_path = 0)                                                               \
	ROW("", "", w->nova.block = MP_NOVA_SHARED; w->nova.shared_path = 0; w->nova.rbd = 1)      \
	ROW("", "", w->nova.block = MP_NOVA_SHARED; w->nova.shared_path = 0;                       \
	    w->nova.volume_backed = true; w->nova.local_disks = false)                             \
	ROW("", "", w->nova.block = MP_NOVA_SHARED; w->nova.shared_path = -1)                      \
	ROW("", "", w->nova.shared_path = 0)                                                       \
	ROW("nova-disk",                                                                           \
	    "Disk of instance is too large(available on destination host:1072693248 < "            \
	    "need:1073741824)",                                                                    \
	    w->nova.shared_path = 0;                                                               \
	    w->nova.over_commit = 0; w->nova.disk_available_mib = 1023)                            \
	ROW("", "", w->nova.shared_path = 0; w->nova.over_commit = 1;                              \
	    w->nova.disk_available_mib = 1023)                                                     \
	ROW("nova-disk", "need:104857600", w->nova.shared_path = 0; w->nova.over_commit = 1;       \
	    w->nova.disk_available_mib = 99)                                                       \
	ROW("", "", w->nova.shared_path = 0; w->nova.disk_available_mib = 1)                       \
	ROW("nova-tunnelled-volumes", "Cannot block migrate instance g-uuid with mapped volumes.", \
	    w->nova.shared_path = 0;                                                               \
	    w->nova.tunnelled = true; w->nova.mapped_volumes = true)                               \
	ROW("", "", w->nova.tunnelled = true; w->nova.mapped_volumes = true)                       \
	ROW("nova-directory",                                                                      \
	    "(/var/lib/nova/instances/g-uuid) already exists, it is expected not to exist.",       \
	    w->nova.shared_path = 0;                                                               \
	    w->nova.target_dir_exists = 1)                                                         \
	ROW("", "", w->nova.target_dir_exists = 1)                                                 \
	ROW("nova-serial-console", "must disable serial console", w->nova.serial_source = 1)       \
	ROW("", "", w->nova.serial_source = w->nova.serial_target = 1)

#define AS_FUNCTION(refused, part, statement)                                                      \
	if (n++ == row) {                                                                          \
		statement;                                                                         \
		*ret = (struct row){ #statement, refused, part };                                  \
		return true;                                                                       \
	}

/* False: there is no such row. */
static bool spoil(struct world *w, size_t row, struct row *ret)
{
	size_t n = 0;

	ROWS(AS_FUNCTION)
	return false;
}

static char *ids_of(const struct mp_refusals *r)
{
	mp_auto_buf struct mp_buf b = { 0 };

	for (size_t i = 0; i < r->n; i++)
		mp_buf_printf(&b, "%s%s", i ? " " : "", r->v[i].id);
	return mp_buf_take(&b);
}

static void every_row(void **state)
{
	mp_auto_strv struct mp_strv seen = { 0 };
	static const struct mp_precheck *const tables[] = { mp_prechecks_mode, mp_prechecks_guest,
							    mp_prechecks_nova };

	(void)state;
	for (size_t i = 0;; i++) {
		struct mp_refusals r;
		struct world w;
		struct row row;
		mp_auto_free char *ids = NULL;

		good(&w);
		if (!spoil(&w, i, &row))
			break;
		judge(&w, &r);
		ids = ids_of(&r);
		if (strcmp(ids, row.ids) != 0)
			fail_msg("%s: refused by \"%s\", not \"%s\" (%s)", row.line, ids, row.ids,
				 r.n ? r.v[0].message : "");
		if (r.n && !strstr(r.v[0].message, row.message))
			fail_msg("%s: \"%s\" does not say \"%s\"", row.line, r.v[0].message,
				 row.message);
		for (size_t k = 0; k < r.n; k++) {
			assert_true(r.v[k].message[0] && r.v[k].cause[0] && r.v[k].remedy[0] &&
				    r.v[k].source[0]);
			assert_null(strchr(r.v[k].cause, '{'));
			assert_null(strchr(r.v[k].remedy, '{'));
			if (!mp_strv_has(&seen, r.v[k].id))
				mp_strv_add(&seen, r.v[k].id);
		}
		mp_refusals_fini(&r);
	}
	for (size_t t = 0; t < MP_N_ELEMS(tables); t++)
		for (const struct mp_precheck *p = tables[t]; p->id; p++)
			if (!mp_strv_has(&seen, p->id))
				fail_msg("%s never refuses in any row", p->id);
}

/* Of hosts and modes alone, with nothing known of either. */
static void unknown(void **state)
{
	struct mp_precheck_in in = { .source = "a",
				     .target = "b",
				     .modes = MP_MODE(PRECOPY) | MP_MODE(P2P),
				     .target_free_memory = -1,
				     .target_free_disk = -1 };
	struct mp_refusals r;

	(void)state;
	mp_precheck_judge(&in, &r);
	assert_int_equal(r.n, 0);
	/* What may lose the guest is refused also where the version is not known. */
	in.modes |= MP_MODE(POSTCOPY) | MP_MODE(PARALLEL);
	mp_precheck_judge(&in, &r);
	assert_int_equal(r.n, 1);
	assert_string_equal(r.v[0].id, "postcopy-parallel");
	mp_refusals_fini(&r);
}

static void flags(void **state)
{
	static const struct {
		unsigned modes, flags;
	} known[] = {
		{ MP_MODE(PRECOPY), VIR_MIGRATE_LIVE },
		{ MP_MODE(POSTCOPY), VIR_MIGRATE_LIVE | VIR_MIGRATE_POSTCOPY },
		{ MP_MODE(AUTO_CONVERGE), VIR_MIGRATE_LIVE | VIR_MIGRATE_AUTO_CONVERGE },
		{ MP_MODE(PARALLEL), VIR_MIGRATE_LIVE | VIR_MIGRATE_PARALLEL },
		{ MP_MODE(XBZRLE), VIR_MIGRATE_LIVE | VIR_MIGRATE_COMPRESSED },
		{ MP_MODE(ZLIB), VIR_MIGRATE_LIVE | VIR_MIGRATE_COMPRESSED },
		{ MP_MODE(ZSTD), VIR_MIGRATE_LIVE | VIR_MIGRATE_COMPRESSED },
		{ MP_MODE(ZEROCOPY), VIR_MIGRATE_LIVE | VIR_MIGRATE_ZEROCOPY },
		{ MP_MODE(TLS), VIR_MIGRATE_TLS },
		{ MP_MODE(TUNNELLED), VIR_MIGRATE_TUNNELLED },
		{ MP_MODE(P2P), VIR_MIGRATE_PEER2PEER },
		{ MP_MODE(MANAGED), 0 },
		{ MP_MODE(PAUSED), VIR_MIGRATE_PAUSED },
		{ MP_MODE(BLOCK_FULL), VIR_MIGRATE_NON_SHARED_DISK },
		{ MP_MODE(BLOCK_INC), VIR_MIGRATE_NON_SHARED_INC },
		{ MP_MODE(SYNC_WRITES), VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES },
		{ MP_MODE(PERSISTENT), VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE },
		{ MP_MODE(OFFLINE) | MP_MODE(PRECOPY), VIR_MIGRATE_OFFLINE },
		{ MP_MODE(COLD), 0 },
		/* Nova's two sets (facts/nova.md 2.5) */
		{ MP_MODE(PRECOPY) | MP_MODE(P2P) | MP_MODE(PERSISTENT), 0x1b },
		{ MP_MODE(PRECOPY) | MP_MODE(P2P) | MP_MODE(PERSISTENT) | MP_MODE(BLOCK_INC),
		  0x9b },
	};
	unsigned seen = 0;

	(void)state;
	for (size_t i = 0; i < MP_N_ELEMS(known); i++) {
		if (mp_mode_flags(known[i].modes) != known[i].flags)
			fail_msg("modes %#x: flags %#x, not %#x", known[i].modes,
				 mp_mode_flags(known[i].modes), known[i].flags);
		seen |= known[i].modes;
	}
	assert_int_equal(seen, (1u << MP_N_MODES) - 1);
	for (int i = 0; i < MP_N_MODES; i++) {
		assert_int_equal(mp_mode_find(mp_modes[i].name), i);
		assert_true(mp_modes[i].summary[0] && mp_modes[i].source[0]);
		assert_false(mp_modes[i].excludes & 1u << i);
		assert_false(mp_modes[i].excludes & mp_modes[i].needs);
	}
	assert_int_equal(mp_mode_find("warp"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(unknown),
		cmocka_unit_test(flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
