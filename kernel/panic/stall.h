/* SPDX-License-Identifier: MIT */
/* Threads that wait and wait: the watchdog's other half. Theory: stall.c. */
#ifndef KERNEL_PANIC_STALL_H
#define KERNEL_PANIC_STALL_H

#include "lib/types.h"

/* At each beat of the watchdog's guard, in its handler. `well`: every hart goes on. */
void stall_beat(bool well);

#endif
