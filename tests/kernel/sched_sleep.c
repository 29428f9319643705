/* SPDX-License-Identifier: MIT */
/* Sleeping and waking: nothing is slept through, nobody wakes too early. */
#include "kernel/hart/call.h"
#include "kernel/lock/relax.h"
#include "kernel/log.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/errno.h"
#include "tests/kernel/sched_util.h"

KTEST(sched, sleep_is_never_too_short)
{
	static const uint64_t lengths[] = {0, 1, 100, 1000, 50000, 1000000, 3333333, 20000000};
	uint64_t latest = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		uint64_t ticks = ns_to_ticks(lengths[i]);
		uint64_t start = arch_time(), slept;

		sched_sleep_ns(lengths[i]);
		slept = arch_time() - start;
		/* The clock's nanosecond may begin within the tick that start was read in. */
		ktest_check(slept + 1 >= ticks, "slept %llu ticks, not %llu",
			(unsigned long long)slept, (unsigned long long)ticks);
		latest = MAX(latest, ticks_to_ns(slept - MIN(slept, ticks)));
	}
	log_debug("sleeps: at most %llu ns late", (unsigned long long)latest);
}

static void sleep_long(void *arg)
{
	int *err = arg;

	*err = sched_sleep_until(UINT64_MAX, true);
}

KTEST(sched, kill_ends_an_interruptible_sleep)
{
	for (unsigned i = 0; i < 50; i++) {
		int err = 0;
		struct thread *t = thread_spawn("sleeper", sleep_long, &err);

		ktest_require(t);
		/* Killed before, while and after it falls asleep, as it comes. */
		if (i % 2)
			sched_sleep_ns(i * 10000);
		thread_kill(t);
		thread_join(t, NULL);
		ktest_check(err == -EINTR, "error %d", err);
	}
}

static struct {
	atomic_bool over;
	atomic_u32 woken;
} plain;

static void sleep_plain(void *arg)
{
	(void)arg;
	for (;;) {
		sched_prepare_sleep(THREAD_SLEEPING);
		if (atomic_load_bool(&plain.over, relaxed))
			break;
		schedule();
		atomic_add_u32(&plain.woken, 1, relaxed);
	}
	sched_cancel_sleep();
}

KTEST(sched, kill_does_not_end_a_plain_sleep)
{
	struct thread *t;
	uint32_t woken;

	atomic_store_bool(&plain.over, false, relaxed);
	t = thread_spawn("sleeper", sleep_plain, NULL);
	ktest_require(t);
	ktest_check(ktest_eventually(atomic_load_u32(&t->state, relaxed) == THREAD_SLEEPING));
	woken = atomic_load_u32(&plain.woken, relaxed);
	for (unsigned i = 0; i < 10; i++) {
		thread_kill(t);
		sched_sleep_ns(NS_PER_MS);
	}
	ktest_check(atomic_load_u32(&plain.woken, relaxed) == woken, "it was woken");
	atomic_store_bool(&plain.over, true, relaxed);
	/* If it has been preempted on its way to sleep until now, it looks by itself. */
	sched_wake(t);
	thread_join(t, NULL);
}

/*
 * Preempted after the sleep was prepared, with the condition true before: nobody will wake it. It
 * must be ready then, not asleep.
 */
static struct {
	struct hart_call call;
	struct thread *sleeper;
	bool found_asleep;
} between;

static void ask_to_leave(void *arg)
{
	(void)arg;
	lock_hart()->need_resched = true;
}

static void look_at_sleeper(void *arg)
{
	(void)arg;
	/* Same hart: the sleeper was switched away from, for this thread. */
	if (atomic_load_u32(&between.sleeper->state, relaxed) != THREAD_READY) {
		between.found_asleep = true;
		sched_wake(between.sleeper);
	}
}

KTEST(sched, preemption_of_a_prepared_sleep_is_no_sleep)
{
	unsigned hart = here();

	pin_to(hart);
	between.sleeper = current_thread();
	between.found_asleep = false;
	hart_call_init(&between.call, ask_to_leave, NULL);
	for (unsigned i = 0; i < 100; i++) {
		struct thread *t = create_on(hart, "looks", look_at_sleeper, NULL);

		ktest_require(t);
		preempt_disable();
		thread_run(t);
		sched_set_priority(t, SCHED_FIFO, 10);
		sched_prepare_sleep(THREAD_SLEEPING);
		ktest_check(hart_call_post(this_hart(), &between.call) == 0);
		while (!hart_call_done(&between.call))
			arch_pause();
		preempt_enable(); /* away, and back: here */
		sched_cancel_sleep();
		thread_join(t, NULL);
	}
	ktest_check(!between.found_asleep, "a preempted thread slept");
}

/* Two threads wake each other; `turn` is the condition. A lost wake-up hangs. */
struct ping {
	struct thread *thread[2];
	atomic_u32 turn;
	unsigned rounds;
};

static void ping_side(struct ping *p, unsigned me)
{
	for (unsigned i = 0; i < p->rounds; i++) {
		for (;;) {
			sched_prepare_sleep(THREAD_SLEEPING);
			if (atomic_load_u32(&p->turn, relaxed) == me)
				break;
			schedule();
		}
		sched_cancel_sleep();
		atomic_store_u32(&p->turn, !me, relaxed);
		sched_wake(p->thread[!me]);
	}
}

static void ping_other(void *arg)
{
	ping_side(arg, 1);
}

static void ping_pong(unsigned hart_a, unsigned hart_b, unsigned rounds)
{
	struct ping p = {.thread[0] = current_thread(), .rounds = rounds};

	pin_to(hart_a);
	p.thread[1] = create_on(hart_b, "pong", ping_other, &p);
	ktest_require(p.thread[1]);
	thread_run(p.thread[1]);
	ping_side(&p, 0);
	thread_join(p.thread[1], NULL);
}

KTEST(sched, no_wake_up_is_lost)
{
	unsigned n = ktest_harts();

	ping_pong(online_hart(0), online_hart(0), 5000);
	ping_pong(online_hart(0), online_hart(n - 1), 2000);
	ping_pong(online_hart(n - 1), online_hart(n / 2), 2000);
}

/* A wake-up from a timer's handler, at any point of the sleeper's way to sleep. */
struct rung {
	struct timer timer;
	struct thread *thread;
	atomic_bool rung;
};

static void ring(struct timer *timer)
{
	struct rung *r = container_of(timer, struct rung, timer);

	atomic_store_bool(&r->rung, true, relaxed);
	sched_wake(r->thread);
}

KTEST(sched, handler_wakes_at_any_point_of_falling_asleep)
{
	struct rung r = {.thread = current_thread()};
	uint64_t seed = 1;

	timer_init(&r.timer, ring);
	for (unsigned i = 0; i < 3000; i++) {
		atomic_store_bool(&r.rung, false, relaxed);
		timer_start(&r.timer, clock_now_ns() + ktest_random(&seed) % 20000);
		for (;;) {
			sched_prepare_sleep(THREAD_SLEEPING);
			if (atomic_load_bool(&r.rung, relaxed))
				break;
			schedule();
		}
		sched_cancel_sleep();
	}
	timer_cancel_sync(&r.timer);
}

#define STORM_WAKES 2000

/* Many wakers for one sleeper: it may wake too often, never too rarely. */
static struct {
	struct thread *sleeper;
	atomic_u32 posted, wanted;
} storm;

static void storm_waker(unsigned i, void *arg)
{
	unsigned times = ktest_each(STORM_WAKES);

	(void)i;
	(void)arg;
	for (unsigned n = 0; n < times; n++) {
		atomic_add_u32(&storm.posted, 1, relaxed);
		sched_wake(storm.sleeper);
	}
}

static void storm_sleeper(void *arg)
{
	(void)arg;
	for (uint32_t seen = 0; seen < atomic_load_u32(&storm.wanted, relaxed);) {
		sched_prepare_sleep(THREAD_SLEEPING);
		if (atomic_load_u32(&storm.posted, relaxed) == seen)
			schedule();
		sched_cancel_sleep();
		seen = atomic_load_u32(&storm.posted, relaxed);
	}
}

KTEST(sched, every_waker_of_a_storm_is_seen)
{
	unsigned n = ktest_harts(), wanted = n * ktest_each(STORM_WAKES);

	atomic_store_u32(&storm.posted, 0, relaxed);
	atomic_store_u32(&storm.wanted, wanted, relaxed);
	storm.sleeper = thread_create("sleeper", storm_sleeper, NULL);
	ktest_require(storm.sleeper);
	thread_run(storm.sleeper);
	ktest_check(ktest_parallel(n, storm_waker, NULL));
	thread_join(storm.sleeper, NULL);
	ktest_check(atomic_load_u32(&storm.posted, relaxed) == wanted);
}
