/* SPDX-License-Identifier: MIT */
/*
 * The mutex: for threads, with an owner; its holder may sleep. Mechanism: pilock.h.
 *
 *	DEFINE_LOCK_CLASS(vmap_class, .name = "vmap", .rank = RANK_VMAP, .contexts = LOCK_IN_THREAD,
 *			  .max_hold_us = 1000, .protects = "the ranges of the vmap area");
 *	static struct mutex vmap_lock = MUTEX_INIT(&vmap_class);
 *
 * Uncontended: one compare-and-swap each to lock and to unlock, no interrupt masking. Contended:
 * spins while the owner runs on another hart, then sleeps in the order of effective priority; the
 * owner inherits the first waiter's. A requested kill does not end a plain mutex_lock.
 *
 * All of it: thread, interrupts on, no irqlock held. mutex_lock* may sleep; checked on every call.
 */
#ifndef KERNEL_WAIT_MUTEX_H
#define KERNEL_WAIT_MUTEX_H

#include "kernel/lock/annotate.h"
#include "kernel/wait/pilock.h"

struct CAPABILITY("mutex") mutex {
	struct pilock pi;
};

#define MUTEX_INIT(class_) {.pi = PILOCK_INIT(PILOCK_MUTEX, (class_))}
/* The mutex is not in use. Either. */
void mutex_init(struct mutex *m, struct lock_class *class);

#define MUTEX_INLINE LOCK_INLINE
void mutex_lock_slow(struct mutex *m) ACQUIRES(m);
void mutex_unlock_slow(struct mutex *m) RELEASES(m);

static inline void mutex_lock(struct mutex *m) ACQUIRES(m) UNCHECKED_LOCKING
{
	/* Unchecked: what clang cannot see is that the word is the lock. */
	if (!MUTEX_INLINE || !pilock_try_fast(&m->pi))
		mutex_lock_slow(m);
}

static inline void mutex_unlock(struct mutex *m) RELEASES(m) UNCHECKED_LOCKING
{
	if (!MUTEX_INLINE || !pilock_unlock_fast(&m->pi))
		mutex_unlock_slow(m);
}

/* Never waits: true if it is the caller's now; false also while it is abandoned. Thread. */
bool mutex_try(struct mutex *m) TRY_ACQUIRES(true, m);
/* 0, or -EINTR if the thread is killed. */
int mutex_lock_intr(struct mutex *m) TRY_ACQUIRES(0, m);
/* 0, or -ETIMEDOUT at the deadline (clock_now_ns). */
int mutex_lock_timeout(struct mutex *m, uint64_t deadline_ns) TRY_ACQUIRES(0, m);
/* Both limits. */
int mutex_lock_limit(struct mutex *m, const struct wait_limit *limit) TRY_ACQUIRES(0, m);
/*
 * 0, or -EOWNERDEAD: a holder died. The caller holds the mutex either way, and after -EOWNERDEAD
 * makes the data whole and calls mutex_recover, or unlocks: the next one is told again.
 */
int mutex_lock_robust(struct mutex *m) ACQUIRES(m);
void mutex_recover(struct mutex *m) REQUIRES(m);
/* A second one of the rank of `first`, which the caller holds and which has the lower address. */
void mutex_lock_second(struct mutex *m, struct mutex *first) ACQUIRES(m) REQUIRES(first);
/* For asserts. Exact in every configuration. */
bool mutex_held_by_me(const struct mutex *m);

#endif
