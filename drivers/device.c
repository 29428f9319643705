/* SPDX-License-Identifier: MIT */
/*
 * Devices of the tree and their drivers: see device.h.
 *
 * A node's strings go from the most specific to the most general one; the first that any driver of
 * the stage names decides. Boot only, one hart: no locks.
 *
 * With many harts nearly all of the tree is theirs, and to walk it takes millions of instructions,
 * beside harts that are still spinning in the firmware; to look for a node's parents and for its
 * interrupt controller is half a walk each. So drivers_early walks it once, and keeps what it finds
 * of the nodes that have a driver in any stage.
 */
#include "drivers/device.h"

#include "kernel/irq/irq.h"
#include "kernel/log.h"
#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/string.h"

#define DEVICES_MAX 64

LINKSET_DECLARE(driver, const struct driver);

/* Enabled and with a driver, in the order of the tree; written by drivers_early. */
static struct device devices[DEVICES_MAX];
static unsigned nr_devices, nr_beyond;

static bool names(const struct driver *drv, const char *compatible)
{
	for (const char *const *c = drv->compatible; *c; c++)
		if (strcmp(*c, compatible) == 0)
			return true;
	return false;
}

/* The strings of a node, one behind the other up to *end; both NULL without usable ones. */
static const char *strings_of(const void *fdt, int node, const char **end)
{
	size_t len;
	const char *s = fdt_prop(fdt, node, "compatible", &len);

	if (!len || s[len - 1])
		s = NULL;
	*end = s ? s + len : NULL;
	return s;
}

static bool has_driver(const void *fdt, int node)
{
	const char *end;

	for (const char *s = strings_of(fdt, node, &end); s < end; s += strlen(s) + 1)
		linkset_for_each(driver, const struct driver, drv)
			if (names(drv, s))
				return true;
	return false;
}

/* The driver for a device, by which string goes into it; early: only those with such a function. */
static const struct driver *driver_of(struct device *dev, enum driver_stage stage, bool early)
{
	const char *end;

	for (const char *s = strings_of(dev->fdt, dev->node, &end); s < end; s += strlen(s) + 1)
		linkset_for_each(driver, const struct driver, drv)
			if (drv->stage == stage && (drv->early || !early) && names(drv, s)) {
				dev->compatible = s;
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

static void describe(struct device *dev, const void *fdt, int node)
{
	uint64_t base, size;
	struct fdt_irq irq;

	*dev = (struct device){.fdt = fdt, .node = node};
	dev->name = fdt_name(fdt, node);
	if (fdt_read_reg(fdt, node, 0, &base, &size) == 0 && may_be_registers(fdt, base, size)) {
		dev->has_reg = true;
		dev->reg_base = (phys_t)base;
		dev->reg_size = (size_t)size;
	}
	if (fdt_read_irq(fdt, node, 0, &irq) == 0 && irq.nr_cells >= 1) {
		dev->irq_controller = irq.controller;
		dev->irq_pin = irq.cells[0];
	}
}

static void find_devices(const void *fdt)
{
	int console = fdt_stdout(fdt, NULL);

	nr_devices = nr_beyond = 0;
	for (int node = fdt_walk(fdt, -1, NULL); node >= 0; node = fdt_walk(fdt, node, NULL)) {
		if (!has_driver(fdt, node) || !fdt_enabled(fdt, node))
			continue;
		if (nr_devices == DEVICES_MAX) {
			nr_beyond++;
			continue;
		}
		describe(&devices[nr_devices], fdt, node);
		devices[nr_devices++].is_console = node == console;
	}
}

void drivers_early(const void *fdt)
{
	find_devices(fdt);
	for (struct device *dev = devices; dev < devices + nr_devices; dev++) {
		for (unsigned stage = 0; stage < DRIVER_STAGES; stage++) {
			const struct driver *drv = driver_of(dev, stage, true);

			if (drv)
				drv->early(dev);
		}
	}
}

unsigned drivers_probe(enum driver_stage stage)
{
	unsigned probed = 0;

	if (nr_beyond)
		log_warn("%u devices of the tree are beyond the first %d: not used", nr_beyond,
			DEVICES_MAX);
	nr_beyond = 0;
	for (struct device *dev = devices; dev < devices + nr_devices; dev++) {
		const struct driver *drv = driver_of(dev, stage, false);
		int err;

		if (!drv)
			continue;
		dev->irq = irq_source(dev->irq_controller, dev->irq_pin);
		err = drv->probe(dev);
		if (!err)
			probed++;
		else if (err != -EALREADY)
			log_error("%s: driver %s: error %d: device not used", dev->name, drv->name,
				err);
	}
	return probed;
}
