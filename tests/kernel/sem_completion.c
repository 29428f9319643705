/* SPDX-License-Identifier: MIT */
/* Semaphores and completions: units and ends are neither lost nor doubled. */
#include "kernel/hart/call.h"
#include "kernel/lock/stat.h"
#include "kernel/time/clock.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/semaphore.h"
#include "tests/kernel/wait_util.h"

DEFINE_LOCK_CLASS(test_sem_class, .name = "test.sem", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000,
	.protects = "a semaphore or completion of a test");

static struct {
	struct semaphore s;
	struct completion c, back;
	atomic_u32 inside, inside_max, got, lost, wanted;
	struct wait_log log;
} pool;

#define UNITS 3

static void pool_init(unsigned units)
{
	semaphore_init(&pool.s, &test_sem_class, units);
	completion_init(&pool.c, &test_sem_class);
	completion_init(&pool.back, &test_sem_class);
	atomic_store_u32(&pool.inside, 0, relaxed);
	atomic_store_u32(&pool.inside_max, 0, relaxed);
	atomic_store_u32(&pool.got, 0, relaxed);
	atomic_store_u32(&pool.lost, 0, relaxed);
	atomic_store_u32(&pool.log.n, 0, relaxed);
}

static void use_pool(unsigned i, void *arg)
{
	unsigned rounds = ktest_each(500);
	uint64_t seed = i;

	(void)arg;
	for (unsigned n = 0; n < rounds; n++) {
		uint64_t end = clock_now_ns() + ktest_random(&seed) % 60000;

		if (ktest_random(&seed) % 2)
			semaphore_down(&pool.s);
		else if (semaphore_down_timeout(&pool.s, end))
			continue;
		ktest_check(count_up(&pool.inside) < UNITS);
		if (n % 16 == 0)
			sched_sleep_ns(1000);
		atomic_add_u32(&pool.inside, -1u, acq_rel);
		semaphore_up(&pool.s);
	}
}

KTEST(sem, never_gives_more_units_than_there_are)
{
	pool_init(UNITS);
	ktest_parallel(3 * ktest_harts(), use_pool, NULL);
	ktest_check(semaphore_count(&pool.s) == UNITS, "%u", semaphore_count(&pool.s));
	for (unsigned i = 0; i < UNITS; i++)
		ktest_check(semaphore_try(&pool.s));
	ktest_check(!semaphore_try(&pool.s));
}

static void down_and_log(void *arg)
{
	semaphore_down(&pool.s);
	wait_log_add(&pool.log, (unsigned)(uintptr_t)arg);
}

KTEST(sem, units_go_to_waiters_by_priority_then_in_order)
{
	static const uint8_t prio[] = {0, 20, 0, 20};
	static const uint8_t expected[] = {1, 3, 0, 2};
	struct thread *t[4];

	pool_init(0);
	for (unsigned i = 0; i < 4; i++) {
		t[i] = wait_spawn("down", down_and_log, (void *)(uintptr_t)i, prio[i]);
		ktest_check(t[i] && wait_until_queued(&pool.s.wq, i + 1));
	}
	for (unsigned i = 0; i < 4; i++) {
		semaphore_up(&pool.s);
		/* Given to the first waiter: nobody can take it away. */
		ktest_check(!semaphore_try(&pool.s));
		ktest_check(ktest_eventually(seen(&pool.log.n) == i + 1));
	}
	for (unsigned i = 0; i < 4; i++) {
		thread_join(t[i], NULL);
		ktest_check(pool.log.who[i] == expected[i]);
	}
}

static void up_in_handler(void *arg)
{
	semaphore_up(arg);
}

static void down_counting(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	/* Limits that end at any moment: a unit is got or stays. */
	while (seen(&pool.got) < seen(&pool.wanted)) {
		uint64_t end = clock_now_ns() + ktest_random(&seed) % 40000;

		count_up(semaphore_down_timeout(&pool.s, end) ? &pool.lost : &pool.got);
	}
}

KTEST(sem, units_from_handlers_are_not_lost_to_timeouts)
{
	struct thread *t[4];

	pool_init(0);
	atomic_store_u32(&pool.wanted, 300, relaxed);
	for (unsigned i = 0; i < 4; i++)
		t[i] = wait_spawn("down", down_counting, (void *)(uintptr_t)(i + 1), 0);
	for (unsigned n = 0; n < 300; n++)
		hart_call(harts[hart_mask_first(&harts_online)], up_in_handler, &pool.s);
	for (unsigned i = 0; i < 4; i++)
		thread_join(t[i], NULL);
	ktest_check(seen(&pool.got) == 300 && semaphore_count(&pool.s) == 0, "%u got, %u left",
		seen(&pool.got), semaphore_count(&pool.s));
}

static int result;

static void down_intr(void *arg)
{
	(void)arg;
	result = semaphore_down_intr(&pool.s);
}

KTEST(sem, kill_ends_an_interruptible_down)
{
	struct thread *t;

	pool_init(0);
	t = wait_spawn("down", down_intr, NULL, 0);
	ktest_check(t && wait_until_queued(&pool.s.wq, 1));
	thread_kill(t);
	thread_join(t, NULL);
	ktest_check(result == -EINTR, "%d", result);
	semaphore_up(&pool.s);
	ktest_check(semaphore_count(&pool.s) == 1);
}

DEFINE_LOCK_CLASS(counted_class, .name = "test.sem.counted", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000, .protects = "nothing: its use is counted");
static struct semaphore counted;

static void down_counted(unused_arg void *arg)
{
	semaphore_down(&counted);
}

static void check_counted(unsigned long acquired, unsigned long contended)
{
	struct lock_stat_times waits, holds;
	unsigned long nr_waits = 0;

	lock_stat_waits(&counted_class, &waits);
	lock_stat_holds(&counted_class, &holds);
	for (unsigned i = 0; i < LOCK_BUCKETS; i++) {
		nr_waits += waits.buckets[i];
		ktest_check(!holds.buckets[i]);
	}
	ktest_check(lock_stat_read(&counted_class, LOCK_ACQUIRED) == acquired);
	ktest_check(lock_stat_unheld(&counted_class) == acquired);
	ktest_check(lock_stat_read(&counted_class, LOCK_CONTENDED) == contended);
	ktest_check(lock_stat_read(&counted_class, LOCK_PARKED) == contended);
	ktest_check(nr_waits == contended && (waits.ticks == 0) == (contended == 0));
}

KTEST(sem, downs_and_waits_are_counted_but_nobody_holds)
{
	struct lock_stat_times waits;
	struct thread *t;

	if (!CONFIG_LOCKSTAT) {
		ktest_skip("no lock statistics");
		return;
	}
	semaphore_init(&counted, &counted_class, 1);
	lock_stat_reset_class(&counted_class);
	semaphore_down(&counted);
	semaphore_up(&counted);
	ktest_check(semaphore_try(&counted));
	ktest_check(!semaphore_try(&counted));
	check_counted(2, 0);
	t = wait_spawn("down", down_counted, NULL, 0);
	ktest_require(t && wait_until_queued(&counted.wq, 1));
	sched_sleep_ns(NS_PER_MS);
	semaphore_up(&counted);
	thread_join(t, NULL);
	check_counted(3, 1);
	lock_stat_waits(&counted_class, &waits);
	ktest_check(ticks_to_ns(waits.max) >= NS_PER_MS && waits.nr_pcs > 1);
	ktest_check(semaphore_down_timeout(&counted, clock_now_ns() + 1000) == -ETIMEDOUT);
	check_counted(3, 2);
}

/* ---- Completions ---------------------------------------------------------------------------- */

KTEST(completion, ends_as_many_waits_as_were_completed)
{
	pool_init(0);
	ktest_check(!completion_try(&pool.c) && !completion_done(&pool.c));
	complete(&pool.c);
	complete(&pool.c);
	wait_for_completion(&pool.c);
	ktest_check(completion_done(&pool.c));
	ktest_check(completion_try(&pool.c));
	ktest_check(!completion_try(&pool.c));
	ktest_check(wait_for_completion_timeout(&pool.c, clock_now_ns() + NS_PER_MS) == -ETIMEDOUT);
	/* All of them, from now on, until it is used anew. */
	complete_all(&pool.c);
	for (unsigned i = 0; i < 5; i++)
		wait_for_completion(&pool.c);
	complete(&pool.c);
	ktest_check(completion_try(&pool.c));
	completion_reset(&pool.c);
	ktest_check(!completion_try(&pool.c));
}

static void await_completion(void *arg)
{
	(void)arg;
	wait_for_completion(&pool.c);
	count_up(&pool.got);
}

KTEST(completion, complete_all_ends_every_wait_and_one_ends_one)
{
	struct thread *t[5];

	pool_init(0);
	for (unsigned i = 0; i < 5; i++)
		t[i] = wait_spawn("awaits", await_completion, NULL, 0);
	ktest_check(wait_until_queued(&pool.c.wq, 5));
	complete(&pool.c);
	ktest_check(ktest_eventually(seen(&pool.got) == 1));
	ktest_check(wait_queue_length(&pool.c.wq) == 4);
	complete_all(&pool.c);
	for (unsigned i = 0; i < 5; i++)
		thread_join(t[i], NULL);
	ktest_check(seen(&pool.got) == 5);
}

/* The completion lies on the stack of the one who waits, and is overwritten right after. */
struct errand {
	struct completion done;
	unsigned result;
};
static atomic_ptr errand;

static void run_errands(void *arg)
{
	(void)arg;
	for (;;) {
		struct errand *e;

		wait_for_completion(&pool.c);
		e = atomic_load_ptr(&errand, acquire);
		if (!e)
			return;
		e->result = 42;
		complete(&e->done);
	}
}

static __attribute__((noinline)) unsigned send_errand(void)
{
	struct errand e = {.done = COMPLETION_INIT(&test_sem_class)};

	atomic_store_ptr(&errand, &e, release);
	complete(&pool.c);
	wait_for_completion(&e.done);
	return e.result;
}

static __attribute__((noinline)) void scribble(void)
{
	char rubbish[300];

	for (unsigned i = 0; i < sizeof(rubbish); i++)
		rubbish[i] = (char)0xa5;
	__asm__ volatile("" : : "r"(rubbish) : "memory");
}

KTEST(completion, on_the_waiters_stack_is_not_touched_after_it)
{
	struct thread *t;

	pool_init(0);
	t = wait_spawn("errands", run_errands, NULL, 0);
	ktest_require(t);
	for (unsigned i = 0; i < 3000; i++) {
		ktest_check(send_errand() == 42);
		scribble();
	}
	atomic_store_ptr(&errand, NULL, release);
	complete(&pool.c);
	thread_join(t, NULL);
}
