/* SPDX-License-Identifier: MIT */
/* Bit maps: lib/bitmap.h. */
#include "lib/bitmap.h"

/* Bits [from, end) of word w of a map, as a mask; 0 if none of them lies in it. */
static unsigned long range_mask(size_t w, size_t from, size_t end)
{
	size_t low = w * BITS_PER_LONG, high = low + BITS_PER_LONG;
	size_t a = from > low ? from - low : 0;
	size_t b = end < high ? end - low : BITS_PER_LONG;

	if (from >= high || end <= low || a >= b)
		return 0;
	return (~0ul << a) & (~0ul >> (BITS_PER_LONG - b));
}

void bitmap_zero(unsigned long *map, size_t nbits)
{
	for (size_t w = 0; w < BITMAP_WORDS(nbits); w++)
		map[w] = 0;
}

void bitmap_fill(unsigned long *map, size_t nbits)
{
	bitmap_set_range(map, 0, nbits);
}

bool bitmap_empty(const unsigned long *map, size_t nbits)
{
	return bitmap_next_set(map, nbits, 0) == nbits;
}

bool bitmap_full(const unsigned long *map, size_t nbits)
{
	return bitmap_next_clear(map, nbits, 0) == nbits;
}

size_t bitmap_weight(const unsigned long *map, size_t nbits)
{
	size_t n = 0;

	for (size_t w = 0; w < BITMAP_WORDS(nbits); w++) {
		/* One turn a set bit: the base ISA has no instruction that counts them. */
		for (unsigned long v = map[w] & range_mask(w, 0, nbits); v; v &= v - 1)
			n++;
	}
	return n;
}

void bitmap_set_range(unsigned long *map, size_t from, size_t n)
{
	for (size_t w = from / BITS_PER_LONG; w * BITS_PER_LONG < from + n; w++)
		map[w] |= range_mask(w, from, from + n);
}

void bitmap_clear_range(unsigned long *map, size_t from, size_t n)
{
	for (size_t w = from / BITS_PER_LONG; w * BITS_PER_LONG < from + n; w++)
		map[w] &= ~range_mask(w, from, from + n);
}

/* First bit at or after `from` that is set in map ^ flip. */
static size_t next(const unsigned long *map, size_t nbits, size_t from, unsigned long flip)
{
	for (size_t w = from / BITS_PER_LONG; w * BITS_PER_LONG < nbits; w++) {
		unsigned long v = (map[w] ^ flip) & range_mask(w, from, nbits);

		if (v)
			return w * BITS_PER_LONG + (size_t)__builtin_ctzl(v);
	}
	return nbits;
}

size_t bitmap_next_set(const unsigned long *map, size_t nbits, size_t from)
{
	return next(map, nbits, from, 0);
}

size_t bitmap_next_clear(const unsigned long *map, size_t nbits, size_t from)
{
	return next(map, nbits, from, ~0ul);
}

size_t bitmap_find_clear_run(const unsigned long *map, size_t nbits, size_t from, size_t n)
{
	for (;;) {
		size_t start = bitmap_next_clear(map, nbits, from);

		if (start >= nbits || n > nbits - start)
			return nbits;
		from = bitmap_next_set(map, start + n, start);
		if (from == start + n)
			return start;
	}
}
