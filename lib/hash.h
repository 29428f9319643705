/* SPDX-License-Identifier: MIT */
/* Hashes for tables and checksums of logs: FNV-1a, and a mixer for words. Not against an enemy. */
#ifndef LIB_HASH_H
#define LIB_HASH_H

#include "lib/types.h"

#define FNV1A_32_INIT 0x811c9dc5u
#define FNV1A_64_INIT 0xcbf29ce484222325ull

/* Continues hash h (begin with FNV1A_*_INIT) over n bytes. */
uint32_t fnv1a_32(uint32_t h, const void *data, size_t n);
uint64_t fnv1a_64(uint64_t h, const void *data, size_t n);
uint32_t fnv1a_str(const char *s);

/* Every bit of x moves about half of the bits of the result. */
static inline uint64_t hash_u64(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static inline uint32_t hash_ptr(const void *p)
{
	return (uint32_t)(hash_u64((uintptr_t)p) >> 32);
}

#endif
