/* SPDX-License-Identifier: MIT */
/* Condition variables over mutexes and mixed locks: no signal is lost, none is swallowed. */
#include "kernel/hart/call.h"
#include "kernel/wait/condvar.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/mutex.h"
#include "tests/kernel/wait_util.h"

WAIT_TEST_CLASS(test_cond_mutex_class, "test.cond.mutex");
WAIT_TEST_CLASS(test_cond_mix_class, "test.cond.mix");
DEFINE_LOCK_CLASS(test_cond_class, .name = "test.cond", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000,
	.protects = "the waiters of a test's condition");

#define ITEMS 400
#define SLOTS 4
/* A limit that only ends a test that would hang. */
#define FAR_NS (3600 * NS_PER_SEC)

static struct {
	struct mutex m;
	struct mixlock mix;
	struct condvar not_empty, not_full;
	unsigned full, produced, consumed; /* m */
	unsigned wanted;
	struct wait_log log;
} store;

static void store_init(void)
{
	mutex_init(&store.m, &test_cond_mutex_class);
	mixlock_init(&store.mix, &test_cond_mix_class);
	condvar_init(&store.not_empty, &test_cond_class);
	condvar_init(&store.not_full, &test_cond_class);
	store.full = 0;
	store.produced = 0;
	store.consumed = 0;
	atomic_store_u32(&store.log.n, 0, relaxed);
}

/* Bounded buffer, signals only: one that is lost or swallowed stops it for ever. */
static void produce_or_consume(unsigned i, void *timed)
{
	unsigned items = ktest_each(ITEMS);
	uint64_t seed = i;

	for (unsigned n = 0; n < items; n++) {
		struct condvar *mine = i % 2 ? &store.not_empty : &store.not_full;

		mutex_lock(&store.m);
		while (store.full == (i % 2 ? 0 : SLOTS)) {
			if (timed && i % 4 < 2)
				condvar_wait_timeout(mine, &store.m,
					clock_now_ns() + ktest_random(&seed) % 50000);
			else
				condvar_wait(mine, &store.m);
		}
		if (i % 2) {
			store.full--;
			store.consumed++;
			condvar_signal(&store.not_full);
		} else {
			store.full++;
			store.produced++;
			condvar_signal(&store.not_empty);
		}
		mutex_unlock(&store.m);
	}
}

static void run_store(void *timed)
{
	unsigned pairs = MAX(2u, ktest_harts());

	store_init();
	ktest_parallel(2 * pairs, produce_or_consume, timed);
	ktest_check(store.produced == pairs * ktest_each(ITEMS) &&
		store.consumed == store.produced && !store.full);
	wait_check_idle(&store.m.pi, "the store");
}

KTEST(cond, no_signal_is_lost_in_a_storm)
{
	run_store(NULL);
}

KTEST(cond, waiters_that_time_out_swallow_no_signal)
{
	run_store(&store);
}

static void wait_and_log(void *arg)
{
	mutex_lock(&store.m);
	condvar_wait(&store.not_empty, &store.m);
	ktest_check(mutex_held_by_me(&store.m));
	wait_log_add(&store.log, (unsigned)(uintptr_t)arg);
	mutex_unlock(&store.m);
}

KTEST(cond, signals_go_by_priority_and_broadcasts_to_all)
{
	static const uint8_t prio[] = {0, 30, 10, 30, 0};
	static const uint8_t expected[] = {1, 3, 2};
	struct thread *t[5];

	store_init();
	for (unsigned i = 0; i < 5; i++) {
		t[i] = wait_spawn("waits", wait_and_log, (void *)(uintptr_t)i, prio[i]);
		ktest_check(t[i] && wait_until_queued(&store.not_empty.wq, i + 1));
	}
	for (unsigned i = 0; i < 3; i++) {
		ktest_check(condvar_signal(&store.not_empty) == 1);
		ktest_check(ktest_eventually(seen(&store.log.n) == i + 1));
		ktest_check(
			store.log.who[i] == expected[i], "place %u has %u", i, store.log.who[i]);
	}
	ktest_check(condvar_broadcast(&store.not_empty) == 2);
	ktest_check(condvar_signal(&store.not_empty) == 0);
	for (unsigned i = 0; i < 5; i++)
		thread_join(t[i], NULL);
	ktest_check(seen(&store.log.n) == 5);
}

static void signal_once(void *arg)
{
	(void)arg;
	mutex_lock(&store.m);
	condvar_signal(&store.not_empty);
	mutex_unlock(&store.m);
}

KTEST(cond, signal_right_at_the_unlock_is_not_lost)
{
	struct hart_mask before = current_thread()->affinity, one;
	struct thread *t;

	hart_mask_zero(&one);
	hart_mask_set(&one, hart_mask_first(&harts_online));
	sched_set_affinity(current_thread(), &one);
	store_init();
	mutex_lock(&store.m);
	t = thread_create("signals", signal_once, NULL);
	ktest_require(t);
	sched_set_affinity(t, &one);
	sched_set_priority(t, SCHED_FIFO, 50);
	thread_run(t);
	ktest_check(wait_until_queued(&store.m.pi.wq, 1));
	/* It gets the mutex, and this hart, the moment that we give it up. The limit ends the test
	 * should the signal have been lost; how long it takes is not judged. */
	ktest_check(!condvar_wait_timeout(&store.not_empty, &store.m, clock_now_ns() + FAR_NS));
	mutex_unlock(&store.m);
	thread_join(t, NULL);
	sched_set_affinity(current_thread(), &before);
}

static int result;

static void wait_intr(void *arg)
{
	(void)arg;
	mutex_lock(&store.m);
	result = condvar_wait_intr(&store.not_empty, &store.m);
	ktest_check(mutex_held_by_me(&store.m));
	mutex_unlock(&store.m);
}

KTEST(cond, limits_return_with_the_lock_held)
{
	uint64_t end = clock_now_ns() + NS_PER_MS;
	struct thread *t;

	store_init();
	mutex_lock(&store.m);
	ktest_check(condvar_wait_timeout(&store.not_empty, &store.m, end) == -ETIMEDOUT);
	ktest_check(clock_now_ns() >= end && mutex_held_by_me(&store.m));
	mutex_unlock(&store.m);
	t = wait_spawn("waits", wait_intr, NULL, 0);
	ktest_check(t && wait_until_queued(&store.not_empty.wq, 1));
	thread_kill(t);
	thread_join(t, NULL);
	ktest_check(result == -EINTR, "%d", result);
	ktest_check(!waitq_has_waiters(&store.not_empty.wq));
}

/* ---- Mixed locks ---------------------------------------------------------------------------- */

/* A handler posts "one more came" to the lock; the posted work signals the waiters. */
static struct mixwork arrival;
static unsigned arrived; /* mix */
static atomic_u32 asked;

static void arrive(struct mixwork *w)
{
	(void)w;
	arrived = seen(&asked);
	condvar_signal(&store.not_empty);
}

static void post_arrival(void *arg)
{
	(void)arg;
	count_up(&asked);
	mixlock_post(&store.mix, &arrival);
}

static void await_arrivals(void *arg)
{
	mixlock_lock(&store.mix);
	while (arrived < *(unsigned *)arg)
		condvar_wait_mix(&store.not_empty, &store.mix);
	ktest_check(mixlock_held_by_me(&store.mix));
	mixlock_unlock(&store.mix);
}

KTEST(cond, posted_work_signals_who_gave_the_mixed_lock_up)
{
	unsigned want = 0;

	store_init();
	mixwork_init(&arrival, arrive);
	arrived = 0;
	atomic_store_u32(&asked, 0, relaxed);
	for (unsigned i = 0; i < 200; i++) {
		struct thread *t;

		want++;
		t = wait_spawn("awaits", await_arrivals, &want, 0);
		ktest_require(t);
		if (i % 2)
			ktest_check(wait_until_queued(&store.not_empty.wq, 1));
		hart_call(ktest_hart(i), post_arrival, NULL);
		thread_join(t, NULL);
	}
	wait_check_idle(&store.mix.pi, "after the arrivals");
}

KTEST(cond, mixed_wait_runs_what_was_posted_while_it_was_held)
{
	struct wait_limit soon = WAIT_UNTIL(0);

	store_init();
	mixwork_init(&arrival, arrive);
	arrived = 0;
	atomic_store_u32(&asked, 0, relaxed);
	mixlock_lock(&store.mix);
	post_arrival(NULL);
	ktest_check(arrived == 0);
	soon.deadline_ns = clock_now_ns() + FAR_NS;
	/* Queued before the lock was given up: the posted work's signal finds it. */
	ktest_check(condvar_wait_mix_limit(&store.not_empty, &store.mix, &soon) == 0);
	ktest_check(arrived == 1);
	mixlock_unlock(&store.mix);
}
