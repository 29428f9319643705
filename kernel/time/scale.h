/* SPDX-License-Identifier: MIT */
/*
 * Multiplying 64-bit numbers by a ratio, exactly enough for clocks: x * from / to without a
 * division and without overflow. Pure; inline because the timer interrupt does it.
 *
 * ratio = mult / 2^shift with 2^63 <= mult < 2^64, so its error is below one part in 2^63. Rounded
 * down it makes results below 2^63 at most 1 too small; rounded up, at most 1 too large.
 */
#ifndef KERNEL_TIME_SCALE_H
#define KERNEL_TIME_SCALE_H

#include "lib/types.h"

struct scale {
	uint64_t mult;
	unsigned shift; /* 1..126 */
};

/* to / from for 1 <= to, from < 2^32. */
static inline struct scale scale_make(uint32_t to, uint32_t from, bool round_up)
{
	struct scale s = {to / from, 0};
	uint64_t rest = to % from;

	/* Long division, one bit a step, until mult has 64 significant bits. */
	while (!(s.mult >> 63)) {
		rest *= 2;
		s.mult = s.mult * 2 + (rest >= from);
		if (rest >= from)
			rest -= from;
		s.shift++;
	}
	/* It does not wrap: with from < 2^32 a quotient of 64 ones has a rest that is 0. */
	if (round_up && rest)
		s.mult++;
	return s;
}

struct u128 {
	uint64_t hi, lo;
};

/* By 32-bit halves: for machines without a 64-bit multiplication that gives both words. */
static inline struct u128 mul_by_halves(uint64_t a, uint64_t b)
{
	uint64_t a1 = a >> 32, a0 = (uint32_t)a, b1 = b >> 32, b0 = (uint32_t)b;
	uint64_t low = a0 * b0;
	/* Neither sum can wrap: (2^32 - 1)^2 + 2 * (2^32 - 1) = 2^64 - 1. */
	uint64_t mid = a1 * b0 + (low >> 32);
	uint64_t mid2 = a0 * b1 + (uint32_t)mid;

	return (struct u128){a1 * b1 + (mid >> 32) + (mid2 >> 32), mid2 << 32 | (uint32_t)low};
}

static inline struct u128 mul_64x64(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	unsigned __int128 p = (unsigned __int128)a * b;

	return (struct u128){(uint64_t)(p >> 64), (uint64_t)p};
#else
	return mul_by_halves(a, b);
#endif
}

/* x * ratio, rounded down; UINT64_MAX if it does not fit. */
static inline uint64_t scale_down(struct scale s, uint64_t x)
{
	struct u128 p = mul_64x64(x, s.mult);

	if (s.shift >= 64)
		return p.hi >> (s.shift - 64);
	if (unlikely(p.hi >> s.shift))
		return UINT64_MAX;
	return p.hi << (64 - s.shift) | p.lo >> s.shift;
}

/*
 * More than x * ratio, of a ratio that was rounded up: never too small, and at most 2 too large;
 * UINT64_MAX if it does not fit.
 */
static inline uint64_t scale_above(struct scale s, uint64_t x)
{
	uint64_t y = scale_down(s, x);

	return y == UINT64_MAX ? y : y + 1;
}

#endif
