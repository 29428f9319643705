/* SPDX-License-Identifier: MIT */
/* Notices harts and threads without progress. Theory: watchdog.c, stall.c. */
#ifndef KERNEL_PANIC_WATCHDOG_H
#define KERNEL_PANIC_WATCHDOG_H

#include "lib/types.h"

/* Begins to watch, unless watchdog=0. Thread; after the harts are online. */
void watchdog_start(void);

struct watchdog_info {
	bool running;
	unsigned guard; /* hart that keeps the watch; UINT_MAX: none */
	uint64_t beats; /* of all guards so far */
};
void watchdog_info(struct watchdog_info *out);
/* Beats without progress that are one too few for a report. */
unsigned watchdog_patience(void);

#endif
