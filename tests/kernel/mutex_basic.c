/* SPDX-License-Identifier: MIT */
/* The mutex: exclusion, order, hand-off, limits. */
#include "kernel/lock/relax.h"
#include "kernel/wait/mutex.h"
#include "tests/kernel/wait_util.h"

WAIT_TEST_CLASS(test_mutex_class, "test.mutex");

static struct {
	struct mutex m;
	/* Written under m with a stretch in between: equal whenever it is free. */
	unsigned a, b;
	uint32_t inside;
	atomic_u32 got, timed_out;
	atomic_bool stop;
	struct wait_log log;
} box;

static void box_init(void)
{
	mutex_init(&box.m, &test_mutex_class);
	box.a = 0;
	box.b = 0;
	box.inside = 0;
	atomic_store_u32(&box.got, 0, relaxed);
	atomic_store_u32(&box.timed_out, 0, relaxed);
	atomic_store_bool(&box.stop, false, relaxed);
	atomic_store_u32(&box.log.n, 0, relaxed);
}

/* What only the holder does. */
static void use_box(unsigned n)
{
	ktest_check(!box.inside, "%x is inside", (unsigned)box.inside);
	box.inside = lock_thread()->handle;
	box.a++;
	if (n % 16 == 3)
		sched_yield();
	if (n % 64 == 9)
		sched_sleep_ns(1000);
	box.b++;
	ktest_check(box.a == box.b);
	ktest_check(box.inside == lock_thread()->handle);
	box.inside = 0;
}

#define ROUNDS 500

static void contend(unsigned i, void *arg)
{
	unsigned rounds = ktest_each(ROUNDS);

	(void)arg;
	for (unsigned n = 0; n < rounds; n++) {
		mutex_lock(&box.m);
		use_box(n + i);
		mutex_unlock(&box.m);
	}
}

KTEST(mutex, excludes_threads_of_all_harts)
{
	unsigned n = 3 * ktest_harts();

	box_init();
	ktest_parallel(n, contend, NULL);
	ktest_check(box.a == n * ktest_each(ROUNDS), "%u of %u", box.a, n * ktest_each(ROUNDS));
	wait_check_idle(&box.m.pi, "after the crowd");
}

/* Every way to acquire, with limits that end at any moment. */
static void contend_limited(unsigned i, void *arg)
{
	unsigned rounds = ktest_each(ROUNDS);
	uint64_t seed = i;

	(void)arg;
	for (unsigned n = 0; n < rounds; n++) {
		uint64_t end = clock_now_ns() + ktest_random(&seed) % 50000;
		int rc = 0;

		switch (ktest_random(&seed) % 4) {
		case 0:
			mutex_lock(&box.m);
			break;
		case 1:
			rc = mutex_try(&box.m) ? 0 : -EAGAIN;
			break;
		case 2:
			rc = mutex_lock_intr(&box.m);
			break;
		default:
			rc = mutex_lock_timeout(&box.m, end);
			ktest_check(!rc || rc == -ETIMEDOUT, "%d", rc);
			ktest_check(!rc || clock_now_ns() >= end, "too early");
			break;
		}
		if (rc)
			continue;
		count_up(&box.got);
		use_box(n + i);
		mutex_unlock(&box.m);
	}
}

KTEST(mutex, excludes_with_limits_ending_at_any_moment)
{
	box_init();
	ktest_parallel(3 * ktest_harts(), contend_limited, NULL);
	ktest_check(box.a == seen(&box.got), "%u of %u", box.a, seen(&box.got));
	wait_check_idle(&box.m.pi, "after the crowd");
}

/* ---- Order and hand-off --------------------------------------------------------------------- */

static void lock_and_log(void *arg)
{
	mutex_lock(&box.m);
	wait_log_add(&box.log, (unsigned)(uintptr_t)arg);
	mutex_unlock(&box.m);
}

KTEST(mutex, waiters_get_it_by_priority_then_in_order)
{
	static const uint8_t prio[] = {10, 30, 20, 30, 10, 40};
	static const uint8_t expected[] = {5, 1, 3, 2, 0, 4};
	struct thread *t[ARRAY_SIZE(prio)];

	box_init();
	mutex_lock(&box.m);
	for (unsigned i = 0; i < ARRAY_SIZE(prio); i++) {
		t[i] = wait_spawn("waiter", lock_and_log, (void *)(uintptr_t)i, prio[i]);
		ktest_check(t[i] && wait_until_queued(&box.m.pi.wq, i + 1));
	}
	mutex_unlock(&box.m);
	for (unsigned i = 0; i < ARRAY_SIZE(prio); i++)
		thread_join(t[i], NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(prio); i++)
		ktest_check(box.log.who[i] == expected[i], "place %u has %u", i, box.log.who[i]);
	wait_check_idle(&box.m.pi, "after the queue");
}

KTEST(mutex, is_handed_over_after_a_bounded_number_of_steals)
{
	for (unsigned round = 0; round < 10; round++) {
		unsigned steals = 0;
		struct thread *t;

		box_init();
		mutex_lock(&box.m);
		t = wait_spawn("waiter", lock_and_log, NULL, 0);
		ktest_check(t && wait_until_queued(&box.m.pi.wq, 1));
		/* Takes it again at once, as often as it can. */
		for (;;) {
			mutex_unlock(&box.m);
			mutex_lock(&box.m);
			if (seen(&box.log.n))
				break;
			steals++;
		}
		mutex_unlock(&box.m);
		thread_join(t, NULL);
		ktest_check(steals <= PILOCK_MAX_STEALS, "%u steals", steals);
	}
}

KTEST(mutex, nobody_steals_past_a_real_time_waiter)
{
	for (unsigned round = 0; round < 10; round++) {
		struct thread *t;

		box_init();
		mutex_lock(&box.m);
		t = wait_spawn("waiter", lock_and_log, NULL, 1);
		ktest_check(t && wait_until_queued(&box.m.pi.wq, 1));
		preempt_disable();
		mutex_unlock(&box.m);
		/* Its own already, before it ran: or it is through. */
		ktest_check(pilock_owner(&box.m.pi) == t->lock.handle || seen(&box.log.n),
			"owner %x", (unsigned)pilock_owner(&box.m.pi));
		preempt_enable();
		mutex_lock(&box.m);
		ktest_check(seen(&box.log.n) == 1);
		mutex_unlock(&box.m);
		thread_join(t, NULL);
	}
}

/* ---- Limits --------------------------------------------------------------------------------- */

static int result;

/* With a lock held that t comes for, but gives up: a plain join would be a wait for itself in the
 * checker's eyes, a limited one is none. The limit is a last resort. */
static void join_under_lock(struct thread *t)
{
	ktest_check(!thread_join_timeout(t, NULL, clock_now_ns() + 300 * NS_PER_SEC));
}

static void lock_until(void *arg)
{
	result = mutex_lock_timeout(&box.m, clock_now_ns() + *(uint64_t *)arg);
	if (!result)
		mutex_unlock(&box.m);
}

KTEST(mutex, timeout_leaves_it_as_it_was)
{
	uint64_t length = 2 * NS_PER_MS;
	struct thread *t;
	uint32_t word;

	box_init();
	mutex_lock(&box.m);
	word = atomic_load_u32(&box.m.pi.word, relaxed);
	t = wait_spawn("timed", lock_until, &length, 20);
	ktest_require(t);
	join_under_lock(t);
	ktest_check(result == -ETIMEDOUT, "%d", result);
	ktest_check(atomic_load_u32(&box.m.pi.word, relaxed) == word);
	ktest_check(current_thread()->prio_effective == current_thread()->prio);
	mutex_unlock(&box.m);
	wait_check_idle(&box.m.pi, "after the timeout");
}

static void lock_intr(void *arg)
{
	(void)arg;
	result = mutex_lock_intr(&box.m);
	if (!result)
		mutex_unlock(&box.m);
}

KTEST(mutex, kill_ends_an_interruptible_acquire_only)
{
	struct thread *intr, *plain;

	box_init();
	mutex_lock(&box.m);
	intr = wait_spawn("intr", lock_intr, NULL, 0);
	plain = wait_spawn("plain", lock_and_log, NULL, 0);
	ktest_check(intr && plain && wait_until_queued(&box.m.pi.wq, 2));
	thread_kill(plain);
	thread_kill(intr);
	join_under_lock(intr);
	ktest_check(result == -EINTR, "%d", result);
	sched_sleep_ns(NS_PER_MS);
	ktest_check(wait_queue_length(&box.m.pi.wq) == 1 && !seen(&box.log.n));
	mutex_unlock(&box.m);
	thread_join(plain, NULL);
	ktest_check(seen(&box.log.n) == 1);
	wait_check_idle(&box.m.pi, "after the kills");
}

/* A waiter that was woken and gives up at the same moment passes the wake on. */
static void lock_briefly(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	while (!atomic_load_bool(&box.stop, relaxed)) {
		uint64_t end = clock_now_ns() + ktest_random(&seed) % 40000;

		if (mutex_lock_timeout(&box.m, end)) {
			count_up(&box.timed_out);
			continue;
		}
		count_up(&box.got);
		mutex_unlock(&box.m);
		relax();
	}
}

KTEST(mutex, wake_up_of_one_that_gives_up_is_passed_on)
{
	struct thread *patient, *hasty[3];

	box_init();
	for (unsigned i = 0; i < 3; i++)
		hasty[i] = wait_spawn("hasty", lock_briefly, (void *)(uintptr_t)(i + 1), 0);
	/* The patient one has no limit: it would stay for ever if a wake-up got lost. */
	for (unsigned n = 0; n < 200; n++) {
		mutex_lock(&box.m);
		patient = wait_spawn("patient", lock_and_log, NULL, 0);
		sched_sleep_ns(20000);
		mutex_unlock(&box.m);
		if (patient)
			thread_join(patient, NULL);
	}
	atomic_store_bool(&box.stop, true, relaxed);
	for (unsigned i = 0; i < 3; i++)
		thread_join(hasty[i], NULL);
	ktest_check(seen(&box.log.n) == 200);
	wait_check_idle(&box.m.pi, "after the hasty ones");
}

KTEST(mutex, second_of_one_rank_goes_by_address)
{
	static struct mutex pair[2] = {
		MUTEX_INIT(&test_mutex_class), MUTEX_INIT(&test_mutex_class)};

	mutex_lock(&pair[0]);
	mutex_lock_second(&pair[1], &pair[0]);
	ktest_check(mutex_held_by_me(&pair[0]) && mutex_held_by_me(&pair[1]));
	/* In any order. */
	mutex_unlock(&pair[0]);
	ktest_check(!mutex_held_by_me(&pair[0]) && mutex_held_by_me(&pair[1]));
	mutex_unlock(&pair[1]);
}
