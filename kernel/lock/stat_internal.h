/* SPDX-License-Identifier: MIT */
/* Between stat.c and stat_lock.c. All of it: either, SIE as it is, no locks; relaxed atomics. */
#ifndef KERNEL_LOCK_STAT_INTERNAL_H
#define KERNEL_LOCK_STAT_INTERNAL_H

#include "kernel/lock/stat.h"

/* Which of the LOCK_BUCKETS a time is counted in. */
unsigned stat_bucket(uint64_t ticks);
/* Notes a new longest, with where it was. Two harts that do it at once may mix their addresses. */
void stat_note_longest(
	struct lock_longest *l, unsigned long ticks, const uintptr_t *pcs, unsigned nr);
void stat_read_longest(const struct lock_longest *l, struct lock_stat_times *out);

/* The lock was waited or held for so long, by a trace of `nr` addresses: counted if it has a
 * place. */
void stat_lock_waited(const void *lock, uint64_t ticks, const uintptr_t *pcs, unsigned nr);
void stat_lock_held(const void *lock, uint64_t ticks, const uintptr_t *pcs, unsigned nr);

#endif
