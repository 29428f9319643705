/* SPDX-License-Identifier: MIT */
/*
 * The interrupt-disabling lock: for threads and interrupt handlers, held for microseconds.
 *
 *	DEFINE_LOCK_CLASS(box_class, .name = "box", .rank = RANK_..., .contexts = LOCK_IN_THREAD,
 *			  .max_hold_us = 5, .protects = "what is in the box");
 *	static struct irqlock box_lock = IRQLOCK_INIT(&box_class);
 *
 *	irqlock_acquire(&box_lock);	either; interrupts are off from here
 *	...				no sleeping
 *	irqlock_release(&box_lock);	interrupts as before the outermost acquire
 *
 * Interrupt nesting is counted (context.h): locks may be released in any order. Interrupts go off
 * before the lock is taken and come back after it is given up, in a failing try as well.
 *
 * From linking into the queue until release interrupts stay off; before, a waiter retries with
 * interrupts and preemption as at entry. Waiters serve leaf requests of other harts.
 *
 * An irqlock's memory is not touched by its releaser once the next owner can have it: whoever
 * acquires last may free it.
 *
 * The word, its states and the proof: irqlock.c.
 */
#ifndef KERNEL_LOCK_IRQLOCK_H
#define KERNEL_LOCK_IRQLOCK_H

#include "kernel/lock/annotate.h"
#include "kernel/lock/atomic.h"
#include "kernel/lock/check.h"
#include "kernel/lock/class.h"
#include "kernel/lock/context.h"
#include "kernel/lock/point.h"
#include "kernel/lock/stat.h"
#include "lib/assert.h"

struct CAPABILITY("irqlock") irqlock {
	atomic_u32 word;
	uint8_t policy;	   /* enum irqlock_policy, or IRQLOCK_BY_CLASS */
	uint8_t last_hart; /* index + 1 of who had it last (CONFIG_LOCKSTAT); its holder's */
	struct lock_class *class;
};

#define IRQLOCK_LOCKED 1u
#define IRQLOCK_KICK_SHIFT 20
/* Hart index + 1 of whom to wake; 0: nobody. */
#define IRQLOCK_KICK (0xfffu << IRQLOCK_KICK_SHIFT)

/* `class_` is the address of a class; its policy is the lock's. */
#define IRQLOCK_INIT(class_) {.word = {0}, .class = (class_), .policy = IRQLOCK_BY_CLASS}
#define IRQLOCK_BY_CLASS ((enum irqlock_policy)0xff)

/* The lock is not in use. Either. */
void irqlock_init(struct irqlock *lock, struct lock_class *class);
void irqlock_init_policy(
	struct irqlock *lock, struct lock_class *class, enum irqlock_policy policy);

/* Slow parts. */
void irqlock_wait(struct irqlock *lock, bool before);
void irqlock_wait_uncounted(struct irqlock *lock, bool before); /* a gate: its owner counts */
bool irqlock_try_slow(struct irqlock *lock);
void irqlock_kick(uint32_t old);
/* The whole of it, where checker, statistics or points are compiled in: irqlock_checked.c. */
void irqlock_acquire_checked(struct irqlock *lock) ACQUIRES(lock);
void irqlock_acquire_at_checked(struct irqlock *lock, uintptr_t pc) ACQUIRES(lock);
void irqlock_acquire_flags_checked(struct irqlock *lock, unsigned flags) ACQUIRES(lock);
bool irqlock_try_checked(struct irqlock *lock) TRY_ACQUIRES(true, lock);
void irqlock_release_checked(struct irqlock *lock) RELEASES(lock);
void irqlock_release_in_irq_checked(struct irqlock *lock) RELEASES(lock);

#define IRQLOCK_INLINE LOCK_INLINE

/* Acquire partner: the release in irqlock_give of the owner before. */
static inline bool irqlock_take(struct irqlock *lock)
{
	uint32_t free = 0;

	return likely(atomic_cas_u32(&lock->word, &free, IRQLOCK_LOCKED, acquire));
}

/*
 * Gives up the lock and takes the parked waiter's number in one access: one park gets at most one
 * kick, and nothing of the lock is touched afterwards. Returns what the word was. Release partner:
 * irqlock_take and the compare-and-swaps of irqlock.c.
 */
static inline uint32_t irqlock_give_word(struct irqlock *lock)
{
	return atomic_and_u32(&lock->word, ~(IRQLOCK_LOCKED | IRQLOCK_KICK), release);
}

static inline void irqlock_give(struct irqlock *lock)
{
	uint32_t old = irqlock_give_word(lock);

	if (unlikely(old >> IRQLOCK_KICK_SHIFT))
		irqlock_kick(old);
}

/* Waits until the lock is the caller's. Either. */
static inline void irqlock_acquire(struct irqlock *lock) ACQUIRES(lock) UNCHECKED_LOCKING
{
	if (!IRQLOCK_INLINE) {
		irqlock_acquire_checked(lock);
		return;
	}
	bool before = arch_irq_save();

	if (!irqlock_take(lock))
		irqlock_wait(lock, before);
	irq_section_begin(lock_hart(), before);
}

/* The same for who acquires on behalf of its own caller: reports name `pc`. */
static inline void irqlock_acquire_at(struct irqlock *lock, uintptr_t pc)
	ACQUIRES(lock) UNCHECKED_LOCKING
{
	if (IRQLOCK_INLINE)
		irqlock_acquire(lock);
	else
		irqlock_acquire_at_checked(lock, pc);
}

/* The lock was acquired by irqlock_acquire, _at, _second or _try. */
static inline void irqlock_release(struct irqlock *lock) RELEASES(lock) UNCHECKED_LOCKING
{
	if (!IRQLOCK_INLINE) {
		irqlock_release_checked(lock);
		return;
	}
	irqlock_give(lock);
	irq_section_end(lock_hart());
}

/* Never waits: true if the lock is the caller's now. Either. Released by irqlock_release. */
static inline bool irqlock_try(struct irqlock *lock) TRY_ACQUIRES(true, lock) UNCHECKED_LOCKING
{
	if (!IRQLOCK_INLINE)
		return irqlock_try_checked(lock);
	bool before = arch_irq_save();

	if (!irqlock_take(lock) && !irqlock_try_slow(lock)) {
		arch_irq_restore(before);
		return false;
	}
	irq_section_begin(lock_hart(), before);
	return true;
}

/* For paths that are known to run with interrupts off: asserts it. Its own release. */
static inline void irqlock_acquire_in_irq(struct irqlock *lock) ACQUIRES(lock) UNCHECKED_LOCKING
{
	if (!IRQLOCK_INLINE) {
		irqlock_acquire_flags_checked(lock, CHECK_IN_IRQ);
		return;
	}
	assert(!arch_irq_enabled());
	if (!irqlock_take(lock))
		irqlock_wait(lock, false);
	irq_section_begin(lock_hart(), false);
}

static inline void irqlock_release_in_irq(struct irqlock *lock) RELEASES(lock) UNCHECKED_LOCKING
{
	if (!IRQLOCK_INLINE) {
		irqlock_release_in_irq_checked(lock);
		return;
	}
	irqlock_give(lock);
	irq_section_end(lock_hart());
}

/*
 * A second lock of the rank of `first`, which the caller holds. For named helpers only, which state
 * and keep an order between the two (runq_lock_pair). Released by irqlock_release.
 */
static inline void irqlock_acquire_second(struct irqlock *lock, struct irqlock *first)
	ACQUIRES(lock) REQUIRES(first) UNCHECKED_LOCKING
{
	check_guarded(first, __func__);
	if (!IRQLOCK_INLINE) {
		irqlock_acquire_flags_checked(lock, CHECK_SECOND);
		return;
	}
	if (!irqlock_take(lock))
		irqlock_wait(lock, false);
	irq_section_begin(lock_hart(), false);
}

/* The policy in force. */
static inline enum irqlock_policy irqlock_policy(const struct irqlock *lock)
{
	return lock->policy == IRQLOCK_BY_CLASS ? lock->class->policy
						: (enum irqlock_policy)lock->policy;
}

/* For asserts. Exact with CONFIG_LOCKCHECK; otherwise "somebody holds it and interrupts are off".
 */
bool irqlock_held_by_me(const struct irqlock *lock);
/* May be over by the time the answer is there: for reports and statistics. */
static inline bool irqlock_is_locked(const struct irqlock *lock)
{
	return atomic_load_u32(&lock->word, relaxed) & IRQLOCK_LOCKED;
}

/*
 * How waiting is tuned; changed by tests and benches while nothing contends. Loads a newcomer and a
 * queued waiter make before they give in (queue or park), and how often the sleeping head of a
 * queue may be passed.
 */
struct irqlock_tuning {
	unsigned newcomer_spins, queued_spins, head_spins;
	unsigned newcomer_pause; /* longest row of steps between two looks of a newcomer */
	unsigned max_steals;	 /* <= 62: the field must not overflow */
	unsigned steal_weight;	 /* a hart's every so many-th steal is counted; 0 and 1: all */
	bool park_with_timer;	 /* a timer interrupt ends a sleep as well; nothing depends on it */
};
extern struct irqlock_tuning irqlock_tuning;

#endif
