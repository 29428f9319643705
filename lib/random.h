/* SPDX-License-Identifier: MIT */
/*
 * Pseudo-random numbers for placement, tests and fault injection: the same seed gives the same
 * sequence on every machine. Not for secrets. splitmix64 fills the state of xoshiro256** (both by
 * Blackman and Vigna). No locks: one struct rng belongs to one user.
 */
#ifndef LIB_RANDOM_H
#define LIB_RANDOM_H

#include "lib/types.h"

struct rng {
	uint64_t s[4]; /* never all zero once seeded */
};

/* One step of splitmix64 on *state; also a good mixer of a counter or a seed. */
uint64_t splitmix64(uint64_t *state);

/* Any seed is good, 0 too. */
void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_u64(struct rng *r);
uint32_t rng_u32(struct rng *r);
/* Uniform in [0, n), n >= 1, without bias. */
uint64_t rng_below(struct rng *r, uint64_t n);
/* Uniform in [lo, hi], lo <= hi. */
uint64_t rng_between(struct rng *r, uint64_t lo, uint64_t hi);
/* True once in n times on average, n >= 1. */
bool rng_one_in(struct rng *r, uint64_t n);

#endif
