/* SPDX-License-Identifier: MIT */
/* The irqlock with checks, statistics and points around it; in kernels without all three it is
 * inline instead (irqlock.h), and this file is left out. */
#include "kernel/lock/check_fast.h"
#include "kernel/lock/irqlock.h"

/* All of an acquire with checks and statistics; one frame for the whole common path. */
static inline __attribute__((always_inline)) void acquire_at(
	struct irqlock *lock, unsigned flags, uintptr_t pc)
{
	struct lock_class *class = lock->class;
	bool before = arch_irq_save();

	if (before)
		flags |= CHECK_SIE_WAS_ON;
	if (!check_irqlock_acquire(lock, class, flags, pc)) {
		arch_irq_restore(before);
		return;
	}
	LOCK_POINT(irqlock_acquire);
	if (LOCK_CHAOS(irqlock_slow_way) || !irqlock_take(lock))
		irqlock_wait(lock, before);
	irq_section_begin(lock_hart(), before);
	check_irqlock_acquired(lock, class, flags, pc);
	lock_stat(class, LOCK_ACQUIRED);
	LOCK_EVENT_AT(irqlock_acquired, lock, class, pc);
}

void irqlock_acquire_at_checked(struct irqlock *lock, uintptr_t pc) UNCHECKED_LOCKING
{
	acquire_at(lock, 0, pc);
}

void irqlock_acquire_checked(struct irqlock *lock, unsigned flags) UNCHECKED_LOCKING
{
	acquire_at(lock, flags, (uintptr_t)__builtin_return_address(0));
}

bool irqlock_try_checked(struct irqlock *lock) UNCHECKED_LOCKING
{
	uintptr_t pc = (uintptr_t)__builtin_return_address(0);
	struct lock_class *class = lock->class;
	bool before = arch_irq_save();
	unsigned flags = CHECK_TRY | (before ? CHECK_SIE_WAS_ON : 0);

	if (!check_irqlock_acquire(lock, class, flags, pc) || LOCK_CHAOS(irqlock_try_fails) ||
		(!irqlock_take(lock) && !irqlock_try_slow(lock))) {
		arch_irq_restore(before);
		LOCK_POINT(irqlock_try_failed);
		return false;
	}
	irq_section_begin(lock_hart(), before);
	check_irqlock_acquired(lock, class, flags, pc);
	lock_stat(class, LOCK_ACQUIRED);
	LOCK_EVENT_AT(irqlock_tried, lock, class, pc);
	return true;
}

void irqlock_release_checked(struct irqlock *lock, unsigned flags) UNCHECKED_LOCKING
{
	uintptr_t pc = (uintptr_t)__builtin_return_address(0);

	if (!check_irqlock_release(lock, lock->class, flags, pc))
		return;
	LOCK_EVENT_AT(irqlock_release, lock, lock->class, pc);
	irqlock_give(lock);
	LOCK_POINT(irqlock_released);
	irq_section_end(lock_hart());
}
