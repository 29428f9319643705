/* SPDX-License-Identifier: MIT */
/*
 * Bit maps in arrays of unsigned long; bit i is bit i % W of word i / W. Nothing here is atomic.
 * Bits from nbits on in the last word are never looked at, and only bitmap_zero changes them.
 */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H

#include "lib/types.h"

#define BITS_PER_LONG (sizeof(long) * CHAR_BIT)
#define BITMAP_WORDS(nbits) (((nbits) + BITS_PER_LONG - 1) / BITS_PER_LONG)

static inline void bitmap_set(unsigned long *map, size_t bit)
{
	map[bit / BITS_PER_LONG] |= 1ul << (bit % BITS_PER_LONG);
}

static inline void bitmap_clear(unsigned long *map, size_t bit)
{
	map[bit / BITS_PER_LONG] &= ~(1ul << (bit % BITS_PER_LONG));
}

static inline bool bitmap_test(const unsigned long *map, size_t bit)
{
	return map[bit / BITS_PER_LONG] >> (bit % BITS_PER_LONG) & 1;
}

void bitmap_zero(unsigned long *map, size_t nbits);
void bitmap_fill(unsigned long *map, size_t nbits);
bool bitmap_empty(const unsigned long *map, size_t nbits);
bool bitmap_full(const unsigned long *map, size_t nbits);
size_t bitmap_weight(const unsigned long *map, size_t nbits);
void bitmap_set_range(unsigned long *map, size_t from, size_t n);
void bitmap_clear_range(unsigned long *map, size_t from, size_t n);

/* First set (clear) bit at or after `from`; nbits if there is none. */
size_t bitmap_next_set(const unsigned long *map, size_t nbits, size_t from);
size_t bitmap_next_clear(const unsigned long *map, size_t nbits, size_t from);
/* First run of n >= 1 clear bits at or after `from`; nbits if there is none. */
size_t bitmap_find_clear_run(const unsigned long *map, size_t nbits, size_t from, size_t n);

#define bitmap_for_each_set(bit, map, nbits) \
	for (size_t bit = bitmap_next_set(map, nbits, 0); bit < (nbits); \
		bit = bitmap_next_set(map, nbits, bit + 1))

#endif
