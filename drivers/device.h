/* SPDX-License-Identifier: MIT */
/*
 * Devices of the tree and their drivers. A driver names what it is compatible with; drivers_probe
 * (kernel/device.h) offers each enabled node of the tree to the driver of its most specific string.
 *
 *	DRIVER(ns16550, DRIVER_DEVICE, ns16550_probe, "ns16550a", "ns16550");
 */
#ifndef DRIVERS_DEVICE_H
#define DRIVERS_DEVICE_H

#include "kernel/arch.h"
#include "kernel/device.h"
#include "lib/linkset.h"
#include "lib/types.h"

struct device {
	const void *fdt;
	int node;		/* offset in the tree */
	const char *name;	/* the node's, with its unit address */
	const char *compatible; /* the string that matched */
	bool has_reg;
	phys_t reg_base; /* first entry of reg, as the harts see it */
	size_t reg_size;
	/* First entry of interrupts: the controller's node and its number there, 0: none; and when
	 * probed the source (kernel/irq/irq.h), 0: none, or the controller is not driven. */
	int irq_controller;
	uint32_t irq_pin;
	unsigned irq;
	bool is_console; /* /chosen stdout-path names it */
};

struct driver {
	const char *name;
	enum driver_stage stage;
	const char *const *compatible; /* NULL at the end */
	/* 0 or -Exxx, which is logged; -EALREADY: not needed (not logged). Thread. */
	int (*probe)(const struct device *dev);
	/* May be NULL. For the console and the way out, before there is memory: arch_early_mmio is
	 * all there is. Errors are ignored. Boot hart, SIE off. */
	void (*early)(const struct device *dev);
};

#define DRIVER_EARLY(name_, stage_, probe_, early_, ...) \
	static const char *const driver_compat_##name_[] = {__VA_ARGS__, NULL}; \
	static const struct driver driver_##name_ = { \
		#name_, stage_, driver_compat_##name_, probe_, early_}; \
	LINKSET_ADD(driver, const struct driver, driver_##name_)
#define DRIVER(name_, stage_, probe_, ...) DRIVER_EARLY(name_, stage_, probe_, NULL, __VA_ARGS__)

#endif
