/* SPDX-License-Identifier: MIT */
/* Notices harts without progress. Theory: watchdog.c. */
#ifndef KERNEL_PANIC_WATCHDOG_H
#define KERNEL_PANIC_WATCHDOG_H

#include "lib/types.h"

/* Begins to watch, unless watchdog=0. Thread; after the harts are online. */
void watchdog_start(void);

struct watchdog_info {
	bool running;
	unsigned guard, second; /* harts that keep the watch; UINT_MAX: none */
	uint64_t beats;		/* rounds of the guard so far */
};
void watchdog_info(struct watchdog_info *out);

#endif
