/* SPDX-License-Identifier: MIT */
/*
 * The console: where log lines, the shell's output and reports go.
 *
 * A device offers one function that writes by polling, takes no lock and sleeps never: then the
 * log, the shell and a panic can all use it, from anywhere. console.lock (irqlock, rank CONSOLE)
 * keeps lines whole among those that may wait; reports take no lock (kernel/panic/report.c).
 */
#ifndef KERNEL_LOG_CONSOLE_H
#define KERNEL_LOG_CONSOLE_H

#include "lib/types.h"

struct console {
	const char *name;
	/* Writes n bytes, waits for the device by polling. Anywhere, any harts at once (bytes may
	 * then mix); no locks, no log lines. Sends exactly these bytes. */
	void (*write_polled)(const char *s, size_t n);
};

/* From now on output goes to `con`, which must live for ever; log lines that were not printed yet
 * come out first. Either; ranks LOG, CONSOLE. */
void log_console_set(const struct console *con);
const struct console *log_console(void);

/* Writes n bytes, \n as \r\n, a bounded piece at a time, in one piece if n <= 256. Either; rank
 * CONSOLE. Drops the bytes if there is no console and the firmware has none. */
void console_write(const char *s, size_t n);
/* The same without the lock: for reports. Anywhere. */
void console_write_unlocked(const char *s, size_t n);

#endif
