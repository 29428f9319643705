/* SPDX-License-Identifier: MIT */
/*
 * Formatting. Conversions d i u o x X c s p %, flags - + space # 0, width and precision also as *,
 * lengths hh h l ll j z t. No floating point and no %n: on a conversion that it doesn't know, the
 * rest of the format is printed as it stands, because the arguments no longer match. A NULL string
 * prints
 * "(null)". No locks, no allocation, about 300 bytes of stack: any context.
 */
#ifndef LIB_PRINTF_H
#define LIB_PRINTF_H

#include "lib/types.h"

/* Always terminates if size > 0; returns the length the whole text has. */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args) printf_like(3, 0);
int snprintf(char *buf, size_t size, const char *fmt, ...) printf_like(3, 4);

/* As snprintf, but returns what was really stored (without the terminator): for building a text
 * piece by piece. */
size_t scnprintf(char *buf, size_t size, const char *fmt, ...) printf_like(3, 4);
size_t vscnprintf(char *buf, size_t size, const char *fmt, va_list args) printf_like(3, 0);

/* Where the text goes, in pieces of n >= 1 bytes, not terminated. */
typedef void format_out(void *ctx, const char *text, size_t n);
/* The machine under all of these: no buffer, no limit. Returns the length. */
int vformat(format_out *out, void *ctx, const char *fmt, va_list args) printf_like(3, 0);

#endif
