/* SPDX-License-Identifier: MIT */
/*
 * Numbers from text, strictly: the whole text is the number, no white space, no sign, no silent
 * wrap-around. 0, -EINVAL (not a number), -ERANGE (does not fit); on failure *out is as it was.
 */
#ifndef LIB_PARSE_H
#define LIB_PARSE_H

#include "lib/types.h"

/* Decimal, or hexadecimal after 0x. */
int parse_u64(const char *s, uint64_t *out);
int parse_u32(const char *s, uint32_t *out);
int parse_unsigned(const char *s, unsigned *out);
/* The same with a minus allowed in front. */
int parse_i64(const char *s, int64_t *out);
/* A number with an optional K, M, G or T (powers of 1024). */
int parse_size(const char *s, uint64_t *out);
/* 1 y yes on true, 0 n no off false. */
int parse_bool(const char *s, bool *out);

/* The number at the start of s (at least one digit); *end is behind it. */
int parse_u64_prefix(const char *s, uint64_t *out, const char **end);

/*
 * Splits a command line in place: words between white space, "double" and 'single' quotes, a
 * backslash outside single quotes takes the next character as it is. argv gets pointers into line.
 * Returns the number of words, -E2BIG for more than max, -EINVAL for a quote that is not closed
 * (line is spoilt then).
 */
int parse_words(char *line, char **argv, int max);

#endif
