/* SPDX-License-Identifier: MIT */
/*
 * Reports of several lines on the path that takes no lock (report() itself is in kernel/panic.h),
 * and the pieces that panics, faults and the lock checker print.
 */
#ifndef KERNEL_PANIC_REPORT_H
#define KERNEL_PANIC_REPORT_H

#include "kernel/panic.h"
#include "lib/types.h"

struct hart_meta;
struct thread;
struct trap_frame;

/* Fills the hooks of lower layers that print. Boot hart, first of all. */
void panic_init(void);

/*
 * Keeps the lines of a report together among harts. Waits a bounded time for another hart's report,
 * then prints anyway. Nests on one hart. SIE is off in between. Anywhere.
 */
void report_begin(void);
void report_end(void);

/* Name, handle and stack bounds of a thread. Anywhere. */
void report_thread(const struct thread *t);
/* n addresses of a backtrace, one indented line each, symbolised. All are return addresses, but the
 * first one if the backtrace is of something `interrupted`. Anywhere. */
void report_backtrace(const uintptr_t *pcs, unsigned n, bool interrupted);
/* The backtrace of what `frame` interrupted (NULL: of the caller). Anywhere. */
void report_backtrace_of(const struct trap_frame *frame);

/* panic_as with the registers of `frame` (NULL: none). */
noreturn void panic_frame(enum exit_status status, const struct trap_frame *frame, const char *fmt,
	...) __attribute__((format(printf, 3, 4)));

#endif
