/* SPDX-License-Identifier: MIT */
/* The irqlock with checks, statistics and points around it; in kernels without all three it is
 * inline instead (irqlock.h), and this file is left out. */
#include "kernel/lock/irqlock_fast.h"

#define CALLER ((uintptr_t)__builtin_return_address(0))

/* Has it, SIE off. */
static void acquired(struct irqlock *lock, unsigned flags, uintptr_t pc, bool before)
{
	irq_section_begin(lock_hart(), before);
	check_acquired(lock, lock->class, flags, pc);
	lock_stat_owner(lock->class, lock, &lock->last_hart, lock_hart()->index);
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

/* The two without flags are functions of their own: constant, they cost nothing. */
static inline __attribute__((always_inline)) void acquire_at(struct irqlock *lock, uintptr_t pc)
{
	bool before = arch_irq_save();

	if (!irqlock_acquire_plain(lock, 0, pc, before))
		acquire_slow(lock, before ? CHECK_SIE_WAS_ON : 0, pc, before);
}

void irqlock_acquire_checked(struct irqlock *lock) UNCHECKED_LOCKING
{
	acquire_at(lock, CALLER);
}

void irqlock_acquire_at_checked(struct irqlock *lock, uintptr_t pc) UNCHECKED_LOCKING
{
	acquire_at(lock, pc);
}

/* None of these is plain. */
void irqlock_acquire_flags_checked(struct irqlock *lock, unsigned flags) UNCHECKED_LOCKING
{
	bool before = arch_irq_save();

	acquire_slow(lock, flags | (before ? CHECK_SIE_WAS_ON : 0), CALLER, before);
}

bool irqlock_try_checked(struct irqlock *lock) UNCHECKED_LOCKING
{
	bool before = arch_irq_save();

	return irqlock_acquire_plain(lock, CHECK_TRY, CALLER, before) ||
		try_slow(lock, CHECK_TRY | (before ? CHECK_SIE_WAS_ON : 0), CALLER, before);
}

static __attribute__((noinline)) void release_slow(
	struct irqlock *lock, unsigned flags, uintptr_t pc)
{
	if (!check_irqlock_release(lock, lock->class, flags, pc))
		return;
	LOCK_EVENT_AT(irqlock_release, lock, lock->class, pc);
	irqlock_give(lock);
	LOCK_POINT(irqlock_released);
	irq_section_end(lock_hart());
}

/* The lock is given up, and `old`, its last word, names somebody to wake. */
static __attribute__((noinline)) void release_kick(uint32_t old)
{
	irqlock_kick(old);
	irq_section_end(lock_hart());
}

void irqlock_release_checked(struct irqlock *lock) UNCHECKED_LOCKING
{
	struct lock_hart *h = lock_hart();
	uint32_t old;

	if (!IRQLOCK_HAS_PLAIN_WAY || !check_irqlock_release_plain(h, lock, lock->class, 0)) {
		release_slow(lock, 0, CALLER);
		return;
	}
	old = irqlock_give_word(lock);
	if (unlikely(old & IRQLOCK_KICK))
		release_kick(old);
	else
		irq_section_end(h);
}

void irqlock_release_in_irq_checked(struct irqlock *lock) UNCHECKED_LOCKING
{
	release_slow(lock, CHECK_IN_IRQ, CALLER);
}
