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
/* A line of the log: the same; what stands on the terminal's last row makes room for it and is put
 * back below. Either; rank CONSOLE. */
void console_write_line(const char *s, size_t n);
/*
 * From now on `text`, n bytes, stands on the terminal's last row: a line that is being edited. It
 * is what draws that row anew from any column, the cursor included; it is sent at once if a line of
 * the log came since the last call. Longer than CONSOLE_FRONT_MAX, or 0: nothing stands there.
 * Thread; rank CONSOLE.
 */
#define CONSOLE_FRONT_MAX 128
void console_set_front(const char *text, size_t n);
/* The same as console_write without the lock: for reports. Anywhere. */
void console_write_unlocked(const char *s, size_t n);

#endif
