/* SPDX-License-Identifier: MIT */
/*
 * Counters that harts increment without waiting for one another: one slot a hart up to
 * COUNTER_SLOTS harts, shared beyond. Adding is one relaxed atomic, right in any context; reading
 * sums the slots and may miss what is being added meanwhile, but is exact when nobody adds.
 */
#ifndef KERNEL_LOCK_COUNTER_H
#define KERNEL_LOCK_COUNTER_H

#include "kernel/lock/atomic.h"
#include "kernel/lock/context.h"

#define COUNTER_SLOTS 16

struct counter {
	struct {
		atomic_ulong n;
	} __attribute__((aligned(64))) slot[COUNTER_SLOTS];
};

/* Either. The slot only matters for speed, so a migration after the choice is harmless. */
static inline void counter_add(struct counter *c, long n)
{
	/* Relaxed: a lone value, ordered with nothing. */
	atomic_add_ulong(&c->slot[lock_hart()->index % COUNTER_SLOTS].n, (unsigned long)n, relaxed);
}

static inline long counter_read(const struct counter *c)
{
	unsigned long sum = 0;

	for (unsigned i = 0; i < COUNTER_SLOTS; i++)
		sum += atomic_load_ulong(&c->slot[i].n, relaxed);
	return (long)sum;
}

#endif
