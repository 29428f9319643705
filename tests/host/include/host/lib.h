/* SPDX-License-Identifier: MIT */
/* lib/string.c and lib/printf.c under the names that host/rename.h gives them. */
#ifndef HOST_LIB_H
#define HOST_LIB_H

#include "lib/types.h"

void *lib_memcpy(void *restrict dst, const void *restrict src, size_t n);
void *lib_memmove(void *dst, const void *src, size_t n);
void *lib_memset(void *dst, int c, size_t n);
int lib_memcmp(const void *a, const void *b, size_t n);
void *lib_memchr(const void *s, int c, size_t n);
size_t lib_strlen(const char *s);
size_t lib_strnlen(const char *s, size_t max);
int lib_strcmp(const char *a, const char *b);
int lib_strncmp(const char *a, const char *b, size_t n);
int lib_strcasecmp(const char *a, const char *b);
int lib_strncasecmp(const char *a, const char *b, size_t n);
char *lib_strchr(const char *s, int c);
char *lib_strrchr(const char *s, int c);
char *lib_strchrnul(const char *s, int c);
char *lib_strstr(const char *s, const char *what);
size_t lib_strspn(const char *s, const char *accept);
size_t lib_strcspn(const char *s, const char *reject);
unsigned long lib_strtoul(const char *restrict s, char **restrict end, int base);
int lib_vsnprintf(char *buf, size_t size, const char *fmt, va_list args);
int lib_snprintf(char *buf, size_t size, const char *fmt, ...);

#endif
