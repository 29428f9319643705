/* SPDX-License-Identifier: MIT */
/* The end of the system, for every folder; the work is done in kernel/panic/. */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include "kernel/abi/exit.h"
#include "lib/types.h"

/*
 * Stops the other harts, prints the report and ends QEMU with EXIT_PANIC. Anywhere, any lock held,
 * any context; takes no lock. A second panic on the way is reported and ends with
 * EXIT_DOUBLE_PANIC.
 */
noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same with another status of kernel/abi/exit.h and the name of what was found. */
noreturn void panic_as(enum exit_status status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The device tree cannot be used: one line says why, and the machine ends with EXIT_BAD_TREE. Boot
 * hart, SIE off, nothing held.
 */
noreturn void bad_tree(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints on the console path that takes no lock. Anywhere. For reports. */
void report(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Filled at boot if the run can be repeated: prints, through `out`, the one line that says how.
 * Anywhere; takes no lock. Every panic calls it. */
extern void (*replay_line)(void (*out)(const char *fmt, ...));

#endif
