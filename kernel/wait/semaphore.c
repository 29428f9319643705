/* SPDX-License-Identifier: MIT */
/*
 * The counting semaphore (semaphore.h).
 *
 * The word
 *	bits 1-31  units that nobody has
 *	bit 0      QUEUED: threads wait; there are no units then
 *
 *   n units --cas--> n - 1, n + 1                 uncontended: one access each
 *   0 --a waiter, under wq.lock--> 0, QUEUED
 *   0, QUEUED --the last waiter leaves the queue, under wq.lock--> 0
 *
 * While QUEUED is set the word changes only under wq.lock. Rule while that is free: QUEUED if and
 * only if somebody is queued.
 *
 * No unit is lost: a waiter sets QUEUED by compare-and-swap on a word without units, under wq.lock,
 * and is in the queue before that is released. An up that adds a unit to the word comes before, and
 * the waiter finds it; or it sees QUEUED, and waits for wq.lock and gives its unit to the first.
 *
 * The last touch: an up that finds nobody waiting touches nothing after its compare-and-swap; one
 * that gives its unit to a waiter releases wq.lock last, which that waiter takes before it returns.
 * So whoever has been given the last unit that is due may free the memory.
 */
#include "kernel/wait/semaphore.h"

#include "kernel/lock/check_fast.h"
#include "lib/errno.h"

#define QUEUED 1u
#define UNIT SEMAPHORE_WORD(1u)

struct lock_class semaphore_waitq_class = {
	.name = "semaphore.waitq",
	.file = __FILE__,
	.rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ,
	.max_hold_us = 20,
	.protects = "the waiters of a semaphore",
};
LINKSET_ADD(lock_class, struct lock_class, semaphore_waitq_class);

void semaphore_init(struct semaphore *s, struct lock_class *class, unsigned count)
{
	assert(count <= SEMAPHORE_MAX);
	/* Relaxed: whoever publishes the semaphore orders it. */
	atomic_store_u32(&s->word, SEMAPHORE_WORD(count), relaxed);
	s->class = class;
	waitq_init(&s->wq, &semaphore_waitq_class);
}

/* Has a unit. */
static inline void count(struct semaphore *s)
{
	lock_stat(s->class, LOCK_ACQUIRED);
}

static inline bool take(struct semaphore *s)
{
	uint32_t w = atomic_load_u32(&s->word, relaxed);

	while (w >= UNIT)
		/* Acquire; partner: the release in give. */
		if (likely(atomic_cas_u32(&s->word, &w, w - UNIT, acquire)))
			return true;
	return false;
}

/* Adds a unit to the word. False: somebody is queued, who is to have it. */
static inline bool give(struct semaphore *s)
{
	uint32_t w = atomic_load_u32(&s->word, relaxed);

	while (!(w & QUEUED)) {
		assert(w < SEMAPHORE_WORD(SEMAPHORE_MAX));
		/* Release; partner: take. */
		if (likely(atomic_cas_u32(&s->word, &w, w + UNIT, release)))
			return true;
	}
	return false;
}

/* Takes a unit, or says that the caller will be queued. */
static bool take_or_mark(struct semaphore *s) REQUIRES(&s->wq)
{
	for (;;) {
		uint32_t none = 0;

		if (take(s)) {
			LOCK_POINT(semaphore_given_meanwhile);
			return true;
		}
		/* Relaxed: a flag for ups, which then come for wq.lock. */
		if (atomic_cas_u32(&s->word, &none, QUEUED, relaxed) || none == QUEUED)
			return false;
	}
}

static void clear_if_empty(struct semaphore *s) REQUIRES(&s->wq)
{
	/* Relaxed: no units, no data. */
	if (!waitq_first(&s->wq))
		atomic_and_u32(&s->word, ~QUEUED, relaxed);
}

static __attribute__((noinline)) int wait_for_unit(
	struct semaphore *s, const struct wait_limit *limit)
{
	uint64_t since = lock_stat_wait_begins();
	struct wait_entry e;
	int rc = 0;

	lock_stat_of(s->class, s, LOCK_CONTENDED);
	LOCK_EVENT(semaphore_wait, s, s->class);
	waitq_begin(&s->wq, &e, true);
	e.what = s;
	e.class = s->class;
	if (!take_or_mark(s)) {
		lock_stat_of(s->class, s, LOCK_PARKED);
		rc = waitq_sleep(&s->wq, &e, limit); /* 0: a unit was given to us */
	}
	waitq_dequeue(&s->wq, &e);
	if (rc) {
		LOCK_POINT(semaphore_gave_up);
		clear_if_empty(s);
	}
	waitq_unlock(&s->wq);
	lock_stat_waited(s->class, s, since);
	return rc;
}

/* What could go wrong with the wait, if it came to one. */
static __attribute__((noinline)) int down_checked(
	struct semaphore *s, const struct wait_limit *limit, uintptr_t pc)
{
	int rc = 0;

	might_sleep_here("semaphore_down", pc);
	if (limit->deadline_ns == WAIT_FOREVER)
		event_awaited_at(s, s->class, pc);
	LOCK_POINT(semaphore_down);
	if (LOCK_CHAOS(semaphore_slow_way) || !take(s))
		rc = wait_for_unit(s, limit);
	if (!rc)
		count(s);
	return rc;
}

/* True: has a unit, and there was nothing to check. */
static inline __attribute__((always_inline)) bool down_plain(struct semaphore *s)
{
	if (CONFIG_LOCKPOINTS || unlikely(!check_wait_plain(lock_thread(), s->class)) ||
		unlikely(!take(s)))
		return false;
	count(s);
	return true;
}

void semaphore_down(struct semaphore *s)
{
	if (!down_plain(s))
		down_checked(s, &WAIT_PLAIN, (uintptr_t)__builtin_return_address(0));
}

int semaphore_down_intr(struct semaphore *s)
{
	return semaphore_down_limit(s, &WAIT_INTR);
}

int semaphore_down_timeout(struct semaphore *s, uint64_t deadline_ns)
{
	return semaphore_down_limit(s, &WAIT_UNTIL(deadline_ns));
}

int semaphore_down_limit(struct semaphore *s, const struct wait_limit *limit)
{
	return down_plain(s) ? 0 : down_checked(s, limit, (uintptr_t)__builtin_return_address(0));
}

bool semaphore_try(struct semaphore *s)
{
	if (LOCK_CHAOS(semaphore_try_fails) || !take(s)) {
		LOCK_POINT(semaphore_try_failed);
		return false;
	}
	count(s);
	return true;
}

/* Gives the unit to the first waiter. False: it has left meanwhile, and nobody waits. */
static bool grant(struct semaphore *s)
{
	bool granted;

	waitq_lock(&s->wq);
	granted = waitq_wake_locked(&s->wq, 1);
	if (granted)
		clear_if_empty(s);
	waitq_unlock(&s->wq);
	return granted;
}

static __attribute__((noinline)) void up_slow(struct semaphore *s)
{
	do {
		LOCK_POINT(semaphore_up_slow);
		if (grant(s))
			return;
		LOCK_POINT(semaphore_left_meanwhile);
	} while (!give(s));
}

void semaphore_up(struct semaphore *s)
{
	event_signalled(s->class, false);
	LOCK_POINT(semaphore_up);
	if (LOCK_CHAOS(semaphore_up_slow_way) || !give(s))
		up_slow(s);
}

unsigned semaphore_count(const struct semaphore *s)
{
	return atomic_load_u32(&s->word, relaxed) >> 1;
}
