/* SPDX-License-Identifier: MIT */
/* The irqlock with checks, statistics and points around it; in kernels without all three it is
 * inline instead (irqlock.h), and this file is left out. */
#include "kernel/lock/check_fast.h"
#include "kernel/lock/irqlock.h"

#define CALLER ((uintptr_t)__builtin_return_address(0))
/* Points and chaos are in the slow ways only. */
#define HAS_PLAIN_WAY (!CONFIG_LOCKPOINTS)

/* Has it, SIE off. */
static inline __attribute__((always_inline)) void acquired_plain(struct irqlock *lock,
	struct lock_hart *h, struct lock_class *class, unsigned flags, uintptr_t pc, bool before)
{
	bool outermost = !h->irq_depth;

	irq_section_begin(h, before);
	check_irqlock_record(h, lock, class, flags, pc, outermost);
	lock_stat_owner(class, &lock->last_hart, h->index);
}

static void acquired(struct irqlock *lock, unsigned flags, uintptr_t pc, bool before)
{
	irq_section_begin(lock_hart(), before);
	check_acquired(lock, lock->class, flags, pc);
	lock_stat_owner(lock->class, &lock->last_hart, lock_hart()->index);
}

static bool may_acquire(struct irqlock *lock, unsigned flags, uintptr_t pc)
{
	return check_irqlock_plain(lock_hart(), lock, lock->class, flags) ||
		check_acquire(lock, lock->class, flags, pc);
}

/* Whatever was not plain, or not free. SIE was `before`, and is off. */
static __attribute__((noinline)) void acquire_slow(
	struct irqlock *lock, unsigned flags, uintptr_t pc, bool before)
{
	if (!may_acquire(lock, flags, pc)) {
		arch_irq_restore(before);
		return;
	}
	LOCK_POINT(irqlock_acquire);
	if (LOCK_CHAOS(irqlock_slow_way) || !irqlock_take(lock))
		irqlock_wait(lock, before);
	acquired(lock, flags, pc, before);
	LOCK_EVENT_AT(irqlock_acquired, lock, lock->class, pc);
}

static __attribute__((noinline)) bool try_slow(
	struct irqlock *lock, unsigned flags, uintptr_t pc, bool before)
{
	if (!may_acquire(lock, flags, pc) || LOCK_CHAOS(irqlock_try_fails) ||
		(!irqlock_take(lock) && !irqlock_try_slow(lock))) {
		arch_irq_restore(before);
		LOCK_POINT(irqlock_try_failed);
		return false;
	}
	acquired(lock, flags, pc, before);
	LOCK_EVENT_AT(irqlock_tried, lock, lock->class, pc);
	return true;
}

static inline __attribute__((always_inline)) void acquire_at(
	struct irqlock *lock, unsigned flags, uintptr_t pc)
{
	struct lock_class *class = lock->class;
	bool before = arch_irq_save();
	struct lock_hart *h = lock_hart();

	/* What an irqlock can have: the compiler leaves the rest of the checks away. */
	flags &= CHECK_IN_IRQ | CHECK_SECOND;
	if (before)
		flags |= CHECK_SIE_WAS_ON;
	if (HAS_PLAIN_WAY && likely(check_irqlock_plain(h, lock, class, flags)) &&
		likely(irqlock_take(lock)))
		acquired_plain(lock, h, class, flags, pc, before);
	else
		acquire_slow(lock, flags, pc, before);
}

void irqlock_acquire_at_checked(struct irqlock *lock, uintptr_t pc) UNCHECKED_LOCKING
{
	acquire_at(lock, 0, pc);
}

void irqlock_acquire_checked(struct irqlock *lock, unsigned flags) UNCHECKED_LOCKING
{
	acquire_at(lock, flags, CALLER);
}

bool irqlock_try_checked(struct irqlock *lock) UNCHECKED_LOCKING
{
	struct lock_class *class = lock->class;
	bool before = arch_irq_save();
	unsigned flags = CHECK_TRY | (before ? CHECK_SIE_WAS_ON : 0);
	struct lock_hart *h = lock_hart();

	if (!HAS_PLAIN_WAY || unlikely(!check_irqlock_plain(h, lock, class, flags)) ||
		unlikely(!irqlock_take(lock)))
		return try_slow(lock, flags, CALLER, before);
	acquired_plain(lock, h, class, flags, CALLER, before);
	return true;
}

void irqlock_release_checked(struct irqlock *lock, unsigned flags) UNCHECKED_LOCKING
{
	uintptr_t pc = CALLER;

	if (!check_irqlock_release(lock, lock->class, flags, pc))
		return;
	LOCK_EVENT_AT(irqlock_release, lock, lock->class, pc);
	irqlock_give(lock);
	LOCK_POINT(irqlock_released);
	irq_section_end(lock_hart());
}
