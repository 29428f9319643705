/* SPDX-License-Identifier: MIT */
/* Pseudo-random numbers: lib/random.h. */
#include "lib/random.h"
#include "lib/assert.h"

uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

void rng_seed(struct rng *r, uint64_t seed)
{
	/* Four successive outputs of a bijection of distinct states: they are not all zero. */
	for (unsigned i = 0; i < ARRAY_SIZE(r->s); i++)
		r->s[i] = splitmix64(&seed);
}

static uint64_t rotate_left(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

uint64_t rng_u64(struct rng *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotate_left(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

uint32_t rng_u32(struct rng *r)
{
	return (uint32_t)(rng_u64(r) >> 32);
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	uint64_t x, skip;

	assert(n >= 1);
	/* Throws away the lowest 2^64 % n values, so that each remainder is left equally often. */
	skip = -n % n;
	do {
		x = rng_u64(r);
	} while (x < skip);
	return x % n;
}

uint64_t rng_between(struct rng *r, uint64_t lo, uint64_t hi)
{
	assert(lo <= hi);
	if (lo == 0 && hi == UINT64_MAX)
		return rng_u64(r);
	return lo + rng_below(r, hi - lo + 1);
}

bool rng_one_in(struct rng *r, uint64_t n)
{
	return rng_below(r, n) == 0;
}
