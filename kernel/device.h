/* SPDX-License-Identifier: MIT */
/*
 * The border to drivers/: what the boot asks of it. Implemented in drivers/device.c; drivers reach
 * the kernel by registering with kernel/irq, kernel/log, kernel/panic/power.h.
 */
#ifndef KERNEL_DEVICE_H
#define KERNEL_DEVICE_H

/* Drivers of one stage are probed before any of the next. */
enum driver_stage {
	DRIVER_POWER,
	DRIVER_IRQCHIP,
	DRIVER_DEVICE,
	DRIVER_STAGES,
};

/* Sets up the console and the way out as far as they can be had without memory. Boot hart, SIE off.
 */
void drivers_early(const void *fdt);
/* Probes every enabled node for which there is a driver of that stage. Returns how many took their
 * device. Boot; DRIVER_DEVICE: thread, may sleep. */
unsigned drivers_probe(const void *fdt, enum driver_stage stage);

#endif
