/* SPDX-License-Identifier: MIT */
/* Statistics of lock classes (class.h): relaxed counters, sharded by hart. */
#include "kernel/lock/class.h"
#include "kernel/lock/context.h"

void lock_stat_hold_slow(struct lock_class *class, uint64_t ticks, uintptr_t pc)
{
	unsigned long now = (unsigned long)ticks;
	unsigned long max;

	max = atomic_load_ulong(&class->hold_max[0], relaxed);
	while (now > max) {
		/* Relaxed; the pc may for an instant be that of the record before. */
		if (atomic_cas_ulong(&class->hold_max[0], &max, now, relaxed)) {
			atomic_store_ulong(&class->hold_max_pc[0], pc, relaxed);
			break;
		}
	}
}

unsigned long lock_stat_read_slow(const struct lock_class *class, enum lock_stat what)
{
	const struct lock_shard *shard = class->shards;
	unsigned long sum = 0;

	for (unsigned i = 0; i < LOCK_SHARDS; i++)
		sum += atomic_load_ulong(&shard[i].n[what], relaxed);
	return sum;
}

uint64_t lock_stat_hold_max_slow(const struct lock_class *class, uintptr_t *pc)
{
	if (pc)
		*pc = atomic_load_ulong(&class->hold_max_pc[0], relaxed);
	return atomic_load_ulong(&class->hold_max[0], relaxed);
}
