/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * virtio: one virtio-blk device over PCI, by the modern interface (Virtio 1.0), which transitional
 * devices have too. One request at a time, without interrupts. Offsets are those of the standard:
 * 4.1.4 (capabilities), 4.1.4.3 (common configuration), 2.6 (split queue), 5.2.6 (requests).
 */
#include "probe/guest/guest.h"
#include "probe/guest/io.h"

#define QUEUE 8
#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FEATURES_OK 8
#define FEATURE_FLUSH (1u << 9)     /* without it QEMU writes through its cache each time */
#define FEATURE_VERSION_1 (1u << 0) /* of the second 32 */
#define DESC_NEXT 1
#define DESC_WRITE 2 /* by the device */

struct desc {
	uint64_t at;
	uint32_t size;
	uint16_t flags, next;
};

static struct {
	struct desc desc[QUEUE];
	struct {
		uint16_t flags, idx, ring[QUEUE];
	} avail;
	struct {
		uint16_t flags, idx;
		struct {
			uint32_t id, size;
		} ring[QUEUE];
	} used __attribute__((aligned(4)));
	struct {
		uint32_t type, reserved;
		uint64_t sector;
	} head;
	uint8_t status;
	uint8_t *common, *notify, *device;
	uint32_t notify_step;
	uint16_t seen; /* used.idx */
	bool busy;
} v __attribute__((aligned(4096)));

/* ---- PCI ---- */

static uint32_t pci_read(uint32_t function, unsigned reg)
{
	out32(0xcf8, 1u << 31 | function << 8 | (reg & 0xfc));
	return in32(0xcfc);
}

static void pci_write(uint32_t function, unsigned reg, uint32_t value)
{
	out32(0xcf8, 1u << 31 | function << 8 | (reg & 0xfc));
	out32(0xcfc, value);
}

static uint8_t pci_byte(uint32_t function, unsigned reg)
{
	return (uint8_t)(pci_read(function, reg) >> (reg & 3) * 8);
}

/* Bus, device and function in one number; 0: none (that is the host bridge). */
static uint32_t find_device(void)
{
	for (uint32_t f = 0; f < 65536; f++) {
		uint32_t id = pci_read(f, 0);

		if (id == 0x10011af4 || id == 0x10421af4)
			return f;
		/* Functions 1 to 7 are there only where function 0 says so. */
		if (f % 8 == 0 && (id == ~0u || !(pci_read(f, 12) & 1u << 23)))
			f += 7;
	}
	return 0;
}

static uint8_t *bar_address(uint32_t f, unsigned bar)
{
	uint64_t at = pci_read(f, 16 + bar * 4);

	if (bar > 5 || (at & 1))
		return 0;
	if ((at & 6) == 4)
		at |= (uint64_t)pci_read(f, 20 + bar * 4) << 32;
	at &= ~15ull;
	return at ? memory_device(at) : 0;
}

static bool find_parts(uint32_t f)
{
	unsigned at = pci_byte(f, 0x34);

	if (!(pci_read(f, 4) & 1u << 20))
		return false;
	for (int i = 0; at && i < 48; i++, at = pci_byte(f, at + 1)) {
		uint8_t *part;

		if (pci_byte(f, at) != 9 || pci_byte(f, at + 3) == 5)
			continue;
		part = bar_address(f, pci_byte(f, at + 4));
		if (!part)
			continue;
		part += pci_read(f, at + 8);
		switch (pci_byte(f, at + 3)) {
		case 1:
			v.common = v.common ? v.common : part;
			break;
		case 2:
			v.notify = v.notify ? v.notify : part;
			v.notify_step = pci_read(f, at + 16);
			break;
		case 4:
			v.device = v.device ? v.device : part;
			break;
		}
	}
	pci_write(f, 4, (pci_read(f, 4) & 0xffff) | 0x406); /* memory, bus master, no interrupt */
	return v.common && v.notify && v.device;
}

/* ---- the device ---- */

static void set8(unsigned reg, uint8_t value)
{
	*(volatile uint8_t *)(v.common + reg) = value;
}

static void set16(unsigned reg, uint16_t value)
{
	*(volatile uint16_t *)(v.common + reg) = value;
}

static uint16_t get16(unsigned reg)
{
	return *(volatile uint16_t *)(v.common + reg);
}

static void set32(unsigned reg, uint32_t value)
{
	*(volatile uint32_t *)(v.common + reg) = value;
}

static void set_address(unsigned reg, const void *p)
{
	set32(reg, (uint32_t)(uint64_t)p); /* the image lies below 2 MiB */
	set32(reg + 4, 0);
}

bool virtio_start(uint64_t *ret_sectors)
{
	uint32_t f = find_device();

	if (!f || !find_parts(f))
		return false;
	set8(20, 0);
	set8(20, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	set32(0, 0);
	set32(8, 0);
	set32(12, *(volatile uint32_t *)(v.common + 4) & FEATURE_FLUSH);
	set32(8, 1);
	set32(12, FEATURE_VERSION_1);
	set8(20, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	if (!(*(volatile uint8_t *)(v.common + 20) & STATUS_FEATURES_OK))
		return false;
	set16(22, 0);
	if (get16(24) < QUEUE)
		return false;
	set16(24, QUEUE);
	set_address(32, v.desc);
	set_address(40, &v.avail);
	set_address(48, &v.used);
	v.notify += get16(30) * v.notify_step;
	v.avail.flags = 1; /* no interrupts */
	set16(28, 1);
	set8(20, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
	*ret_sectors = (uint64_t)((volatile uint32_t *)v.device)[1] << 32 |
		       ((volatile uint32_t *)v.device)[0];
	return true;
}

void virtio_submit(bool write, uint64_t sector, void *page)
{
	v.head.type = write;
	v.head.sector = sector;
	v.status = 0xff;
	v.desc[0] = (struct desc){ (uint64_t)&v.head, sizeof(v.head), DESC_NEXT, 1 };
	v.desc[1] = (struct desc){ memory_physical(page), MP_PROBE_PAGE,
				   write ? DESC_NEXT : DESC_NEXT | DESC_WRITE, 2 };
	v.desc[2] = (struct desc){ (uint64_t)&v.status, 1, DESC_WRITE, 0 };
	v.avail.ring[v.avail.idx % QUEUE] = 0;
	__asm__ volatile("mfence" : : : "memory");
	*(volatile uint16_t *)&v.avail.idx = (uint16_t)(v.avail.idx + 1);
	__asm__ volatile("mfence" : : : "memory");
	v.busy = true;
	*(volatile uint16_t *)v.notify = 0;
}

bool virtio_busy(void)
{
	return v.busy;
}

bool virtio_done(bool *ret_good)
{
	if (!v.busy || *(volatile uint16_t *)&v.used.idx == v.seen)
		return false;
	__asm__ volatile("" : : : "memory");
	v.seen++;
	v.busy = false;
	*ret_good = *(volatile uint8_t *)&v.status == 0;
	return true;
}
