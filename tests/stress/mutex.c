/* SPDX-License-Identifier: MIT */
/*
 * Mutexes and what sleeps: plain, timed and try forms, holders that sleep, priorities that change
 * meanwhile; a semaphore of three around it. (Load; their trial is tests/torture/sleep_kinds.c.)
 */
#include "kernel/wait/mutex.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "kernel/wait/semaphore.h"
#include "lib/errno.h"
#include "tests/stress/stress.h"

#define PLACES 3

DEFINE_LOCK_CLASS(outer_class, .name = "stress_mutex", .rank = RANK_TEST_OUTER,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 100000, .protects = "the pair of counters");
DEFINE_LOCK_CLASS(places_class, .name = "stress_places", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20, .protects = "the free places");

/*
 * pair_lock
 *   Protects: first, second, inside.
 *   Taken by: the workers of this program.
 *   Order:    alone.
 * While it is free: first == second, inside == 0.
 */
static struct mutex pair_lock = MUTEX_INIT(&outer_class);
static uint64_t first GUARDED_BY(&pair_lock), second GUARDED_BY(&pair_lock);
static unsigned inside GUARDED_BY(&pair_lock);

static struct semaphore places;
static struct stress_run run;
/* relaxed: compared when all have ended. */
static atomic_ulong entered;
static atomic_u32 in_places;

static void change(struct rng *rng) REQUIRES(&pair_lock)
{
	stress_check(&run, inside == 0, "two threads are inside");
	inside++;
	first++;
	if (rng_one_in(rng, 16))
		sched_sleep_ns(50 * NS_PER_US);
	else if (rng_one_in(rng, 4))
		sched_yield();
	second++;
	stress_check(
		&run, first == second, "%lu and %lu", (unsigned long)first, (unsigned long)second);
	inside--;
	atomic_add_ulong(&entered, 1, relaxed);
}

/* One of the ways in; clang cannot follow which of them took the lock. */
static bool enter(struct rng *rng) UNCHECKED_LOCKING
{
	switch (rng_below(rng, 4)) {
	case 0:
		return mutex_try(&pair_lock);
	case 1:
		return mutex_lock_timeout(&pair_lock, clock_now_ns() + 300 * NS_PER_US) == 0;
	case 2:
		return mutex_lock_intr(&pair_lock) == 0;
	default:
		mutex_lock(&pair_lock);
		return true;
	}
}

static void one_visit(struct rng *rng) UNCHECKED_LOCKING
{
	semaphore_down(&places);
	stress_check(
		&run, atomic_add_u32(&in_places, 1, acq_rel) < PLACES, "more threads than places");
	if (enter(rng)) {
		change(rng);
		mutex_unlock(&pair_lock);
	}
	atomic_add_u32(&in_places, (uint32_t)-1, acq_rel);
	semaphore_up(&places);
}

static void worker(unsigned i)
{
	struct thread *self = current_thread();
	struct rng rng;

	rng_seed(&rng, i + 1000);
	while (stress_more(&run)) {
		if (rng_one_in(&rng, 32))
			sched_set_priority(self, SCHED_RR, 1 + (unsigned)rng_below(&rng, 5));
		else if (rng_one_in(&rng, 16))
			sched_set_priority(self, SCHED_FAIR, PRIO_FAIR);
		one_visit(&rng);
	}
}

static int stress_mutex(unsigned seconds) UNCHECKED_LOCKING
{
	stress_begin(&run, "mutex", seconds);
	semaphore_init(&places, &places_class, PLACES);
	atomic_store_ulong(&entered, 0, relaxed);
	atomic_store_u32(&in_places, 0, relaxed);
	first = second = 0;
	stress_threads(&run, stress_workers(), worker);
	stress_check(&run, first == atomic_load_ulong(&entered, relaxed), "%lu of %lu changes",
		(unsigned long)first, atomic_load_ulong(&entered, relaxed));
	return stress_end(&run);
}
STRESS(mutex, "mutexes and a semaphore, timed, tried, slept on", stress_mutex);
