/* SPDX-License-Identifier: MIT */
/* The end of the machine: devices that can switch it off register here; SBI SRST is the fallback.
 */
#ifndef KERNEL_PANIC_POWER_H
#define KERNEL_PANIC_POWER_H

#include "lib/types.h"

struct power_device {
	const char *name;
	/* Ends the machine with `status` (0: success). Anywhere, no locks; returns only if it
	 * failed. */
	void (*off)(int status);
	/* Starts it again; NULL: cannot. */
	void (*reset)(void);
};

/* `dev` must live for ever; the last one registered is used first. Boot hart. */
void power_register(const struct power_device *dev);

/* Ends the system with a status of kernel/abi/exit.h. Anywhere, no locks. */
noreturn void power_off(int status);
noreturn void power_reset(void);

#endif
