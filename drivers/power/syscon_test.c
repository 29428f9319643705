/* SPDX-License-Identifier: MIT */
/*
 * SiFive's test device: ends the emulator with a status, or starts the machine again. One register
 * of 32 bits at offset 0 (QEMU, "SiFive Test Finisher").
 *
 * It is set up twice: early, so that a tree that cannot be used still ends with its status, and
 * again when there is a vmap. No locks: one store each way, and whoever ends the machine does it
 * once.
 */
#include "drivers/device.h"
#include "drivers/mmio.h"
#include "kernel/mm/vmap.h"
#include "kernel/panic/power.h"
#include "lib/errno.h"

#define FINISH_PASS 0x5555u
#define FINISH_FAIL 0x3333u /* status in bits 16-31 */
#define FINISH_RESET 0x7777u

static void *regs;

/*
 * QEMU from 8.1 on goes on with the guest after the store, until its main loop gets to end it. What
 * is said to anybody meanwhile replaces the status: the firmware's shutdown stores to this very
 * device.
 */
static noreturn void finish(uint32_t how)
{
	mmio_write32(regs, 0, how);
	for (;;)
		arch_wait_ipi(false);
}

static void test_off(int status)
{
	finish(status ? (uint32_t)status << 16 | FINISH_FAIL : FINISH_PASS);
}

static void test_reset(void)
{
	finish(FINISH_RESET);
}

static const struct power_device test_device = {"sifive,test", test_off, test_reset};

static bool usable(const struct device *dev)
{
	return dev->has_reg && dev->reg_size >= sizeof(uint32_t) &&
		dev->reg_base % sizeof(uint32_t) == 0;
}

static void test_early(const struct device *dev)
{
	if (regs || !usable(dev))
		return;
	regs = arch_early_mmio(dev->reg_base);
	if (regs)
		power_register(&test_device);
}

static int test_probe(const struct device *dev)
{
	bool registered = regs;
	void *mapped;

	if (!usable(dev))
		return -EINVAL;
	mapped = vmap_mmio(dev->reg_base, sizeof(uint32_t));
	if (!mapped)
		return -ENOMEM;
	regs = mapped;
	if (!registered)
		power_register(&test_device);
	return 0;
}

DRIVER_EARLY(sifive_test, DRIVER_POWER, test_probe, test_early, "sifive,test1", "sifive,test0");
