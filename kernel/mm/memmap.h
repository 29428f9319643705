/* SPDX-License-Identifier: MIT */
/*
 * Sets of physical ranges, for the time before there is an allocator: what is memory, what of it is
 * taken. Pure; also compiled for the host.
 *
 * A set is sorted and its ranges neither touch nor overlap.
 */
#ifndef KERNEL_MM_MEMMAP_H
#define KERNEL_MM_MEMMAP_H

#include "lib/types.h"

#define RANGE_SET_MAX 64

struct mem_range {
	uint64_t base, end; /* [base, end), never empty */
};

struct range_set {
	unsigned n;
	struct mem_range r[RANGE_SET_MAX];
};

/* Adds [base, end) (nothing if it is empty), merging what touches. 0, or -ENOSPC: unchanged. */
int range_set_add(struct range_set *s, uint64_t base, uint64_t end);
/*
 * The next piece of `in` without `out` at or after *pos; moves *pos behind it. False at the end.
 * Pieces are maximal within one range of `in`.
 */
bool range_set_next_free(const struct range_set *in, const struct range_set *out, uint64_t *pos,
	struct mem_range *piece);
/* Lowest [result, result + size) of `in` without `out` within [low, high), aligned; 0: none. */
uint64_t range_set_find(const struct range_set *in, const struct range_set *out, uint64_t size,
	uint64_t align, uint64_t low, uint64_t high);
/* Bytes in the set, and bytes that it shares with [base, end). */
uint64_t range_set_size(const struct range_set *s);
uint64_t range_set_overlap(const struct range_set *s, uint64_t base, uint64_t end);

#endif
