/* SPDX-License-Identifier: MIT */
/*
 * An external interrupt at will: the goldfish clock of the tree ("google,goldfish-rtc"), whose
 * alarm fires at once when it is set to the past. For the one test that runs; each file has its
 * own.
 */
#ifndef TESTS_KERNEL_ALARM_H
#define TESTS_KERNEL_ALARM_H

#include "drivers/mmio.h"
#include "kernel/hart/hart.h"
#include "kernel/irq/irq.h"
#include "kernel/mm/vmap.h"
#include "lib/fdt.h"

#define RTC_TIME_LOW 0x00
#define RTC_ALARM_LOW 0x08
#define RTC_ALARM_HIGH 0x0c
#define RTC_IRQ_ENABLED 0x10
#define RTC_CLEAR_INTERRUPT 0x1c

static struct alarm {
	void *regs;
	unsigned source;
	atomic_u32 handled;
	unsigned hart; /* where the last one was handled */
	bool in_handler;
} alarm;

/* Raises the source now. */
static inline void alarm_raise(void)
{
	mmio_write32(alarm.regs, RTC_IRQ_ENABLED, 1);
	mmio_write32(alarm.regs, RTC_ALARM_HIGH, 0);
	mmio_write32(alarm.regs, RTC_ALARM_LOW, 1);
}

static inline void alarm_handle(void *arg unused_arg)
{
	mmio_write32(alarm.regs, RTC_CLEAR_INTERRUPT, 1);
	alarm.hart = this_hart()->index;
	alarm.in_handler = in_interrupt() && !arch_irq_enabled();
	atomic_add_u32(&alarm.handled, 1, release);
}

/* Finds and maps the clock; false: the machine has none, the test is skipped. */
static inline bool alarm_open(void)
{
	const void *fdt = arch_info.fdt;
	int node = fdt_next_compatible(fdt, -1, "google,goldfish-rtc");
	uint64_t base, size;
	struct fdt_irq irq;

	alarm = (struct alarm){0};
	if (node < 0 || fdt_read_reg(fdt, node, 0, &base, &size) ||
		fdt_read_irq(fdt, node, 0, &irq))
		return false;
	alarm.source = irq_source(irq.controller, irq.cells[0]);
	if (!alarm.source)
		return false;
	alarm.regs = vmap_mmio((phys_t)base, (size_t)size);
	return alarm.regs;
}

/* Its controller; the first one, as long as there is no alarm. */
static inline struct irq_controller *alarm_controller(void)
{
	return alarm.source ? irq_controller_of(alarm.source) : irq_controller(0);
}

/* The harts that this one reaches: how many of them are online, and the n-th of those, in a circle;
 * NULL: there is none. */
static inline unsigned alarm_harts(void)
{
	const struct irq_controller *c = alarm_controller();
	unsigned n = 0;

	for_each_hart(h)
		n += c && h->irqchip == c && hart_is_online(h);
	return n;
}

static inline struct hart_meta *alarm_hart(unsigned n)
{
	unsigned there = alarm_harts();

	n %= there ? there : 1;
	for_each_hart(h)
		if (there && h->irqchip == alarm_controller() && hart_is_online(h) && n-- == 0)
			return h;
	return NULL;
}

static inline void alarm_close(void)
{
	mmio_write32(alarm.regs, RTC_CLEAR_INTERRUPT, 1);
	mmio_write32(alarm.regs, RTC_IRQ_ENABLED, 0);
	vunmap(alarm.regs);
}

#define NO_ALARM "no goldfish clock in the tree"

#endif
