/* SPDX-License-Identifier: MIT */
/*
 * Force-included when lib/string.c and lib/printf.c are built for the host: gives the functions
 * that libc has too (and whose libc versions the sanitizers replace) names of their own, so that
 * tests can compare the two. Tests declare what they need of them: tests/host/include/host/lib.h.
 */
#ifndef HOST_RENAME_H
#define HOST_RENAME_H

#define memcpy lib_memcpy
#define memmove lib_memmove
#define memset lib_memset
#define memcmp lib_memcmp
#define memchr lib_memchr
#define strlen lib_strlen
#define strnlen lib_strnlen
#define strcmp lib_strcmp
#define strncmp lib_strncmp
#define strcasecmp lib_strcasecmp
#define strncasecmp lib_strncasecmp
#define strchr lib_strchr
#define strrchr lib_strrchr
#define strchrnul lib_strchrnul
#define strstr lib_strstr
#define strspn lib_strspn
#define strcspn lib_strcspn
#define strtoul lib_strtoul
#define vsnprintf lib_vsnprintf
#define snprintf lib_snprintf

#endif
