/* SPDX-License-Identifier: MIT */
/* Hashes: lib/hash.h. */
#include "lib/hash.h"
#include "lib/string.h"

uint32_t fnv1a_32(uint32_t h, const void *data, size_t n)
{
	const unsigned char *p = data;

	while (n--)
		h = (h ^ *p++) * 0x01000193u;
	return h;
}

uint64_t fnv1a_64(uint64_t h, const void *data, size_t n)
{
	const unsigned char *p = data;

	while (n--)
		h = (h ^ *p++) * 0x00000100000001b3ull;
	return h;
}

uint32_t fnv1a_str(const char *s)
{
	return fnv1a_32(FNV1A_32_INIT, s, strlen(s));
}
