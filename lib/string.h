/* SPDX-License-Identifier: MIT */
/*
 * Memory and strings. Standard names mean what C (or, for strlcpy and strlcat, OpenBSD) says of
 * them. Any context. mem* move whole words where both ends are aligned alike.
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include "lib/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
int strcasecmp(const char *a, const char *b);
int strncasecmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strchrnul(const char *s, int c);
char *strstr(const char *s, const char *what);
size_t strspn(const char *s, const char *accept);
size_t strcspn(const char *s, const char *reject);

/* Copies (appends) what fits into size bytes, always terminated if size > 0; returns the length it
 * would have had, so a result >= size means cut. */
size_t strlcpy(char *restrict dst, const char *restrict src, size_t size);
size_t strlcat(char *restrict dst, const char *restrict src, size_t size);

/* As the standard says except for the locale and errno; for libfdt. Own code uses lib/parse.h. */
unsigned long strtoul(const char *restrict s, char **restrict end, int base);

bool str_starts_with(const char *s, const char *prefix);

/* ASCII only, for any int. */
static inline bool char_is_space(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool char_is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static inline bool char_is_upper(int c)
{
	return c >= 'A' && c <= 'Z';
}

static inline bool char_is_lower(int c)
{
	return c >= 'a' && c <= 'z';
}

static inline bool char_is_alpha(int c)
{
	return char_is_upper(c) || char_is_lower(c);
}

static inline bool char_is_print(int c)
{
	return c >= ' ' && c <= '~';
}

static inline int char_to_lower(int c)
{
	return char_is_upper(c) ? c + ('a' - 'A') : c;
}

/* Value of a digit in bases up to 36, -1 if it is none. */
static inline int char_digit_value(int c)
{
	if (char_is_digit(c))
		return c - '0';
	if (char_is_alpha(c))
		return char_to_lower(c) - 'a' + 10;
	return -1;
}

#endif
