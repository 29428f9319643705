/* SPDX-License-Identifier: MIT */
/* The common case of an irqlock with checks and statistics around it: nothing to check, and free.
 */
#ifndef KERNEL_LOCK_IRQLOCK_FAST_H
#define KERNEL_LOCK_IRQLOCK_FAST_H

#include "kernel/lock/check_fast.h"
#include "kernel/lock/irqlock.h"

/* Points and chaos are in the slow ways only. */
#define IRQLOCK_HAS_PLAIN_WAY (!CONFIG_LOCKPOINTS)

/* SIE was `before`, and is off. True: it is the caller's, recorded and counted. `flags`: what is
 * plain may have CHECK_TRY. */
static inline __attribute__((always_inline)) bool irqlock_acquire_plain(
	struct irqlock *lock, unsigned flags, uintptr_t pc, bool before)
{
	struct lock_class *class = lock->class;
	struct lock_hart *h = lock_hart();
	bool outermost;

	if (before)
		flags |= CHECK_SIE_WAS_ON;
	if (!IRQLOCK_HAS_PLAIN_WAY || unlikely(!check_irqlock_plain(h, lock, class, flags)) ||
		unlikely(!irqlock_take(lock)))
		return false;
	outermost = !h->irq_depth;
	irq_section_begin(h, before);
	check_irqlock_record(h, lock, class, flags, pc, outermost);
	lock_stat_owner(class, lock, &lock->last_hart, h->index);
	return true;
}

#endif
