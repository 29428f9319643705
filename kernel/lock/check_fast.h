/* SPDX-License-Identifier: MIT */
/*
 * The checker's common cases for irqlocks, inline in irqlock.c: the context is
 * plainly right, at most one lock of a smaller rank is held, the one released is the newest.
 * Everything else goes to check.c, which has the rules; these shortcuts only see that none of them
 * can apply. SIE is off in all of them; who looks at a record meanwhile: held.h.
 */
#ifndef KERNEL_LOCK_CHECK_FAST_H
#define KERNEL_LOCK_CHECK_FAST_H

#include "kernel/lock/check.h"
#include "kernel/lock/context.h"
#include "kernel/lock/held.h"

/* Can what is held make a report? Sleeping and mixed locks rank below every spinning one. */
static inline bool may_conflict(const struct lock_hart *h, const struct lock_thread *t,
	const void *lock, const struct lock_class *class)
{
	if (t->nr_held && class->rank < RANK_FIRST_SPINNING)
		return true;
	if (likely(!h->nr_held))
		return false;
	return h->nr_held > 1 || h->held[0].lock == lock || h->held[0].class->rank >= class->rank;
}

static inline bool check_irqlock_acquire(
	const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc)
{
	const struct lock_hart *h = lock_hart();
	const struct lock_thread *t = h ? h->thread : NULL;
	unsigned context;

	if (!CONFIG_LOCKCHECK)
		return true;
	if (unlikely(!t || h->panicking || may_conflict(h, t, lock, class) ||
		    (h->irq_depth && (flags & CHECK_SIE_WAS_ON)) || (flags & CHECK_IN_IRQ)))
		return check_acquire_slow(lock, class, flags, pc);
	context = (h->in_irq || t->posted_work) ? LOCK_IN_IRQ : LOCK_IN_THREAD;
	if (unlikely(!(class->contexts & context)))
		return check_acquire_slow(lock, class, flags, pc);
	return true;
}

static inline void check_irqlock_acquired(
	const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc)
{
	struct lock_hart *h = lock_hart();
	uint64_t since;

	if (!CONFIG_LOCKCHECK)
		return;
	if (unlikely(!h->thread || h->panicking || h->nr_held >= HELD_MAX)) {
		check_acquired_slow(lock, class, flags, pc);
		return;
	}
	since = CONFIG_LOCKSTAT ? arch_time() : 0;
	held_push(h->held, &h->nr_held, lock, class, pc, flags, since);
	if (CONFIG_LOCKSTAT && h->irq_depth == 1) {
		h->irqs_off_since = since;
		h->irqs_off_pc = pc;
	}
}

static inline bool check_irqlock_release(
	const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc)
{
	struct lock_hart *h = lock_hart();
	struct held_lock *mine;
	uint64_t ticks;

	if (!CONFIG_LOCKCHECK)
		return true;
	/* With interrupts on the hart may not even be ours: the slow way says so. */
	if (unlikely(arch_irq_enabled() || !h->thread || h->panicking || !h->nr_held))
		return check_release_slow(lock, class, flags, pc);
	mine = &h->held[h->nr_held - 1];
	if (unlikely(mine->lock != lock || ((mine->flags ^ flags) & CHECK_VARIANT)))
		return check_release_slow(lock, class, flags, pc);
	held_pop(h->held, &h->nr_held);
	if (!CONFIG_LOCKSTAT)
		return true;
	ticks = arch_time() - mine->since;
	if (unlikely(ticks > atomic_load_ulong(&class->hold_max[0], relaxed)))
		lock_stat_hold(class, ticks, mine->pc);
	return true;
}

#endif
