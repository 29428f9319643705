/* SPDX-License-Identifier: MIT */
/*
 * Devices of the tree and their drivers: see device.h.
 *
 * A node's strings go from the most specific to the most general one; the first that any driver of
 * the stage names decides. Boot only, one hart: no locks.
 */
#include "drivers/device.h"

#include "kernel/log.h"
#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/string.h"

LINKSET_DECLARE(driver, const struct driver);

static bool names(const struct driver *drv, const char *compatible)
{
	for (const char *const *c = drv->compatible; *c; c++)
		if (strcmp(*c, compatible) == 0)
			return true;
	return false;
}

/* The driver for a node, and by which string; early: only those with such a function. */
static const struct driver *driver_of(
	const void *fdt, int node, enum driver_stage stage, bool early, const char **compatible)
{
	size_t len;
	const char *s = fdt_prop(fdt, node, "compatible", &len), *end = s ? s + len : NULL;

	if (!len || end[-1])
		return NULL;
	for (; s < end; s += strlen(s) + 1)
		linkset_for_each(driver, const struct driver, drv)
			if (drv->stage == stage && (drv->early || !early) && names(drv, s)) {
				*compatible = s;
				return drv;
			}
	return NULL;
}

/* Registers are where a page table can name them, and not in memory: a driver that wrote there
 * would change what is somebody's. */
static bool may_be_registers(const void *fdt, uint64_t base, uint64_t size)
{
	const uint64_t limit = UINT64_C(1) << ARCH_PHYS_BITS;
	struct fdt_memory_iter it;
	uint64_t start, bytes;
	int err;

	if (!size || size > SIZE_MAX || base >= limit || size > limit - base)
		return false;
	fdt_memory_begin(&it, fdt);
	while ((err = fdt_memory_next(&it, &start, &bytes)) != -ENOENT)
		if (!err && (base - start < bytes || start - base < size))
			return false;
	return true;
}

static void describe(struct device *dev, const void *fdt, int node, const char *compatible)
{
	uint64_t base, size;
	struct fdt_irq irq;

	*dev = (struct device){.fdt = fdt, .node = node, .compatible = compatible};
	dev->name = fdt_name(fdt, node);
	dev->is_console = fdt_stdout(fdt, NULL) == node;
	if (fdt_read_reg(fdt, node, 0, &base, &size) == 0 && may_be_registers(fdt, base, size)) {
		dev->has_reg = true;
		dev->reg_base = (phys_t)base;
		dev->reg_size = (size_t)size;
	}
	if (fdt_read_irq(fdt, node, 0, &irq) == 0 && irq.nr_cells >= 1)
		dev->irq = irq.cells[0];
}

void drivers_early(const void *fdt)
{
	const char *compatible;

	for (int node = fdt_walk(fdt, -1, NULL); node >= 0; node = fdt_walk(fdt, node, NULL)) {
		for (unsigned stage = 0; stage < DRIVER_STAGES; stage++) {
			const struct driver *drv = driver_of(fdt, node, stage, true, &compatible);
			struct device dev;

			if (!drv || !fdt_enabled(fdt, node))
				continue;
			describe(&dev, fdt, node, compatible);
			drv->early(&dev);
		}
	}
}

unsigned drivers_probe(const void *fdt, enum driver_stage stage)
{
	unsigned probed = 0;
	const char *compatible;

	for (int node = fdt_walk(fdt, -1, NULL); node >= 0; node = fdt_walk(fdt, node, NULL)) {
		const struct driver *drv = driver_of(fdt, node, stage, false, &compatible);
		struct device dev;
		int err;

		if (!drv || !fdt_enabled(fdt, node))
			continue;
		describe(&dev, fdt, node, compatible);
		err = drv->probe(&dev);
		if (!err)
			probed++;
		else if (err != -EALREADY)
			log_error("%s: driver %s: error %d: device not used", dev.name, drv->name,
				err);
	}
	return probed;
}
