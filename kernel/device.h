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

/* Finds the devices, and sets up the console and the way out as far as they can be had without
 * memory. The tree must stay where it is. Boot hart, SIE off. */
void drivers_early(const void *fdt);
/* Probes every enabled device for which there is a driver of that stage. Returns how many were
 * taken. Boot; DRIVER_DEVICE: thread, may sleep. */
unsigned drivers_probe(enum driver_stage stage);

#endif
