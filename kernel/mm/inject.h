/* SPDX-License-Identifier: MIT */
/*
 * Allocation failures on demand (CONFIG_FAULT_INJECT): by seed, for whole-system runs (boot
 * argument mmfail=SEED), or the n-th allocation of one thread, for tests that walk through every
 * failure path of an operation. Without the option everything here is empty.
 */
#ifndef KERNEL_MM_INJECT_H
#define KERNEL_MM_INJECT_H

#include "lib/types.h"

/* From now on about one allocation in `one_in` fails, decided by `seed`. one_in 0: stop. Either. */
void inject_seed(uint64_t seed, unsigned one_in);
/* The nth (from 1) allocation that the calling thread makes from now on fails, once. 0: none. */
void inject_nth(unsigned nth);
/* Whether the failure asked for by inject_nth happened; ends it. */
bool inject_nth_hit(void);
/* How many allocations were made to fail since boot. */
uint64_t inject_count(void);

/* From now on a node's pages are given only above `pages` free ones in each of its ranges;
 * UINT32_MAX: none at all; 0: as ever. What harts have cached is not counted. Either. */
void inject_node_keep(unsigned node, uint32_t pages);
uint32_t inject_node_kept(unsigned node);

/* Asked by every allocator once per allocation. Either. */
bool inject_failure(void);
/* Reads mmfail= of the boot arguments. */
void inject_init(void);

#endif
