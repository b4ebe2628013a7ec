/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * clock: the ACPI PM timer as a clock of 64 bits, and a pause until the next tick.
 * The timer has 24 bits and wraps every 4.69 s, and a virtual CPU can stand still for longer while
 * the machine runs (a post-copy fault on a broken link). The HPET counts the same QEMU clock in 64
 * bits; it is asked only when the time stamp counter says that much may have passed, because it
 * costs an exit.
 */
#include "probe/guest/guest.h"
#include "probe/guest/io.h"

#define PM_TIMER 0x608 /* where SeaBIOS puts it, on pc and q35 */
#define PM_MASK 0xffffffu
#define HPET 0xfed00000u
#define PIT_HZ 1193182u /* a third of the PM timer's */
#define PIC1 0x20
#define PIC2 0xa0

struct clock guest_clock;

static uint64_t hpet_read(unsigned reg)
{
	return *(volatile uint64_t *)(uintptr_t)(HPET + reg);
}

static uint64_t hpet_ticks(void)
{
	/* fs * Hz overflows 64 bits after hours: scaled to nanoseconds first. */
	uint64_t ns =
		(hpet_read(0xf0) - guest_clock.hpet_zero) * (guest_clock.hpet_fs / 1000) / 1000;

	return ns / 1000000000u * MP_PROBE_HZ + ns % 1000000000u * MP_PROBE_HZ / 1000000000u;
}

/* Adds the whole wraps that raw alone does not show. */
static void unwrap(void)
{
	struct clock *c = &guest_clock;
	uint64_t there;

	if (!(c->features & MP_PF_HPET)) {
		c->ambiguous++;
		c->features |= MP_PF_AMBIGUOUS;
		return;
	}
	there = hpet_ticks();
	if (there > c->ticks)
		c->ticks += (there - c->ticks + PM_MASK / 2) & ~(uint64_t)PM_MASK;
}

uint64_t clock_now(void)
{
	struct clock *c = &guest_clock;
	uint32_t raw = in32(PM_TIMER) & PM_MASK;
	uint64_t t = tsc(), passed = t - c->tsc;

	c->ticks += (raw - c->raw) & PM_MASK;
	c->raw = raw;
	c->tsc = t;
	/* Half a wrap by that counter; far less than it is a step backwards. */
	if (passed > 2 * c->tsc_second && passed < 1ull << 62)
		unwrap();
	return c->ticks;
}

/* ---- the tick ---- */

extern char entry_tick[], entry_spurious[], exception_entries[];

static struct {
	uint16_t low, selector, flags, middle;
	uint32_t high, zero;
} idt[256] __attribute__((aligned(16)));

static struct {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed)) idt_pointer;

static void idt_set(unsigned vector, const char *entry)
{
	uint64_t at = (uint64_t)entry;

	idt[vector].low = (uint16_t)at;
	idt[vector].selector = 8;
	idt[vector].flags = 0x8e00; /* interrupt gate */
	idt[vector].middle = (uint16_t)(at >> 16);
	idt[vector].high = (uint32_t)(at >> 32);
}

static void interrupts_start(uint32_t tick_us)
{
	uint32_t count = (uint32_t)((uint64_t)tick_us * PIT_HZ / 1000000u);

	for (unsigned i = 0; i < 256; i++)
		idt_set(i, i < 32 ? exception_entries + i * 16 : entry_spurious);
	idt_set(0x20, entry_tick);
	idt_pointer.limit = sizeof(idt) - 1;
	idt_pointer.base = (uint64_t)idt;
	__asm__ volatile("lidt %0" : : "m"(idt_pointer));

	/* Both controllers from vector 0x20 on, all masked but the timer. */
	out8(PIC1, 0x11);
	out8(PIC2, 0x11);
	out8(PIC1 + 1, 0x20);
	out8(PIC2 + 1, 0x28);
	out8(PIC1 + 1, 4);
	out8(PIC2 + 1, 2);
	out8(PIC1 + 1, 1);
	out8(PIC2 + 1, 1);
	out8(PIC1 + 1, 0xfe);
	out8(PIC2 + 1, 0xff);
	if (count > 65535)
		count = 65535;
	out8(0x43, 0x34); /* channel 0, both bytes, rate generator */
	out8(0x40, (uint8_t)count);
	out8(0x40, (uint8_t)(count >> 8));
}

/*
 * QEMU before 9.0 loses writes of an emulated CPU: a pass of the migration over the dirty bitmap
 * clears bits without telling the CPU's TLB, and a page whose entry stays there is written unseen
 * from then on (mended by "physmem: Fix migration dirty bitmap coherency with TCG memory access").
 * Operating systems drop their TLB at each change of task, and so do we in each pass, or else no
 * migration of an emulated guest could be called good. With "tlb=keep" the guest is one that really
 * loses updates.
 */
void clock_flush_tlb(void)
{
	uint64_t root;

	if (!guest_params[MP_PP_TLB])
		__asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(root) : : "memory");
}

void clock_pause(void)
{
	/* The interrupt's frame is the first thing that is written then. */
	clock_flush_tlb();
	if (guest_clock.features & MP_PF_TICK)
		__asm__ volatile("sti; hlt; cli" : : : "memory");
	else
		__asm__ volatile("pause");
}

/* Whether the tick comes and is taken. A busy host may let us wait for it. */
static bool tick_works(void)
{
	uint64_t until = clock_now() + MP_PROBE_HZ / 2;
	bool requested = false, served = false;

	out8(PIC1, 0x0a); /* reads of the port give the request register */
	while (clock_now() < until && !requested)
		requested = in8(PIC1) & 1;
	while (requested && clock_now() < until && !served) {
		__asm__ volatile("sti; nop; nop; cli" : : : "memory");
		served = !(in8(PIC1) & 1);
	}
	return served;
}

void clock_start(uint32_t tick_us)
{
	struct clock *c = &guest_clock;
	uint64_t capability = hpet_read(0), begin;

	c->hpet_fs = capability >> 32;
	/* The period is at most 100 ns; without a device all bits are one, or zero. */
	if (c->hpet_fs > 0 && c->hpet_fs <= 100000000 && (capability & 1u << 13)) {
		*(volatile uint64_t *)(uintptr_t)(HPET + 0x10) |= 1;
		c->features |= MP_PF_HPET;
	}
	c->raw = in32(PM_TIMER) & PM_MASK;
	if (c->features & MP_PF_HPET)
		c->hpet_zero = hpet_read(0xf0);
	c->tsc = tsc();
	c->tsc_second = 1ull << 60;
	begin = c->tsc;
	while (clock_now() < MP_PROBE_HZ / 256)
		;
	/* By what passed, not by what was to pass: a busy host may have kept us. */
	c->tsc_second = (c->tsc - begin) * MP_PROBE_HZ / c->ticks;
	interrupts_start(tick_us);
	if (tick_works())
		c->features |= MP_PF_TICK;
}
