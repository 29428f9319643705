/* SPDX-License-Identifier: MIT */
/*
 * A lock that is handed to a waiter who is just giving up: by hand, where it is lost, and the
 * mutex, whose waiters give up, too.
 */
#include "kernel/lock/irqlock.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "kernel/wait/mutex.h"
#include "lib/errno.h"
#include "tests/hunt/hunt.h"

#define TURNS 3
#define PATIENCE_NS 6000

DEFINE_LOCK_CLASS(handoff_class, .name = "handoff", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 100, .protects = "who has the baton");
DEFINE_LOCK_CLASS(handoff_mutex_class, .name = "handoff.mutex", .rank = RANK_TEST_SLEEP,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000, .protects = "the count");

static struct irqlock guard = IRQLOCK_INIT(&handoff_class);
static bool held GUARDED_BY(&guard);
static struct thread *waiter GUARDED_BY(&guard);
static atomic_bool given;
static struct mutex mutex = MUTEX_INIT(&handoff_mutex_class);
static unsigned count;
static atomic_u32 times;

static void begin(void)
{
	irqlock_acquire(&guard);
	held = false;
	waiter = NULL;
	irqlock_release(&guard);
	atomic_store_bool(&given, false, relaxed);
	atomic_store_u32(&times, 0, relaxed);
	count = 0;
}

/* True: has the baton at once, or is the waiter now. */
static bool take_or_wait(bool *taken)
{
	bool room;

	irqlock_acquire(&guard);
	*taken = !held;
	held = true;
	room = !waiter;
	if (!*taken && room)
		waiter = current_thread();
	irqlock_release(&guard);
	return *taken || room;
}

static bool baton_take(void)
{
	bool taken;

	if (!take_or_wait(&taken))
		return false;
	if (taken)
		return true;
	sched_sleep_ns(PATIENCE_NS);
	/* Acquire; partner: baton_give. */
	if (atomic_xchg_bool(&given, false, acquire))
		return true;
	hunt_step("gives up: nobody gave it");
	/* It may have been given to us since the look. */
	irqlock_acquire(&guard);
	waiter = NULL;
	irqlock_release(&guard);
	return false;
}

static void baton_give(void)
{
	irqlock_acquire(&guard);
	if (waiter) {
		waiter = NULL;
		atomic_store_bool(&given, true, release);
		hunt_step("gives it to the waiter");
	} else {
		held = false;
	}
	irqlock_release(&guard);
}

static void by_hand(unsigned me unused_arg)
{
	for (unsigned i = 0; i < TURNS; i++) {
		if (!baton_take())
			continue;
		hunt_step("has the baton");
		baton_give();
	}
}

static void by_mutex(unsigned me)
{
	for (unsigned i = 0; i < TURNS; i++) {
		int rc = 0;

		if (me)
			rc = mutex_lock_timeout(&mutex, clock_now_ns() + PATIENCE_NS);
		else
			mutex_lock(&mutex);
		hunt_check(!rc || rc == -ETIMEDOUT, "it returned %d", rc);
		if (rc)
			continue;
		count++;
		hunt_step("counts");
		mutex_unlock(&mutex);
		atomic_add_u32(&times, 1, relaxed);
	}
}

static void end_by_hand(void)
{
	bool lost;

	irqlock_acquire(&guard);
	lost = held;
	irqlock_release(&guard);
	hunt_check(!lost, "nobody has the baton, and it is not free");
}

static void end(void)
{
	unsigned n = atomic_load_u32(&times, relaxed);

	hunt_check(mutex_try(&mutex), "the mutex is not free");
	hunt_check(count == n, "%u counted under the mutex, %u times", count, n);
	mutex_unlock(&mutex);
}

HUNT_PROGRAM(handoff, .help = "a baton handed to a waiter who gives up", .threads = 2, .rounds = 30,
	.begin = begin, .thread = by_hand, .end = end_by_hand, .fails = "wrong", .within = 200);
HUNT_PROGRAM(handoff_fixed, .help = "the mutex with waiters that give up", .threads = 4,
	.rounds = 12, .begin = begin, .thread = by_mutex, .end = end);
