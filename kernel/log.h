/* SPDX-License-Identifier: MIT */
/* Log lines, for every folder; the ring and the console are in kernel/log/. */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include "lib/types.h"

enum log_level {
	LOG_ERROR,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG,
};

/*
 * One line (no newline at the end of fmt) with time since boot and hart. Either, SIE as it is;
 * takes log.lock (rank LOG), so under any lock but that and the console's.
 */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
