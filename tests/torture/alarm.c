/* SPDX-License-Identifier: MIT */
/*
 * An external interrupt at will: the goldfish clock of the tree ("google,goldfish-rtc"), whose
 * alarm fires at once when it is set to the past. Its registers are those of Android's goldfish
 * platform (RTC device).
 */
#include "drivers/mmio.h"
#include "kernel/hart/hart.h"
#include "kernel/irq/irq.h"
#include "kernel/mm/vmap.h"
#include "lib/fdt.h"
#include "tests/torture/torture.h"

#define ALARM_LOW 0x08
#define ALARM_HIGH 0x0c
#define IRQ_ENABLED 0x10
#define CLEAR_INTERRUPT 0x1c

static void *regs;
static unsigned source;
static void (*alarm_fn)(void *arg);

static void handle(void *arg)
{
	mmio_write32(regs, CLEAR_INTERRUPT, 1);
	alarm_fn(arg);
}

bool alarm_open(void (*fn)(void *arg))
{
	const void *fdt = arch_info.fdt;
	int node = fdt_next_compatible(fdt, -1, "google,goldfish-rtc");
	uint64_t base, size;
	struct fdt_irq irq;

	if (regs || node < 0 || fdt_read_reg(fdt, node, 0, &base, &size) ||
		fdt_read_irq(fdt, node, 0, &irq))
		return false;
	regs = vmap_mmio((phys_t)base, (size_t)size);
	if (!regs)
		return false;
	alarm_fn = fn;
	source = irq_source(irq.controller, irq.cells[0]);
	if (irq_register(source, "torture", handle, NULL) == 0)
		return true;
	vunmap(regs);
	regs = NULL;
	return false;
}

void alarm_close(void)
{
	mmio_write32(regs, IRQ_ENABLED, 0);
	irq_unregister(source);
	mmio_write32(regs, CLEAR_INTERRUPT, 1);
	vunmap(regs);
	regs = NULL;
}

void alarm_raise(void)
{
	mmio_write32(regs, IRQ_ENABLED, 1);
	mmio_write32(regs, ALARM_HIGH, 0);
	mmio_write32(regs, ALARM_LOW, 1);
}

void alarm_route(unsigned hart)
{
	struct hart_mask only;

	hart_mask_zero(&only);
	hart_mask_set(&only, hart);
	/* Refused, where the controller does not reach that hart: then it stays. */
	irq_set_affinity(source, &only);
}
