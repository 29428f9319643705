/* SPDX-License-Identifier: MIT */
/*
 * A thread whose frames hold something that others reach says so for as long as they do: a fault
 * there must not take the stack away (kernel/panic/fault.c). The faults themselves: `crash
 * queued-fault` and `crash shared-stack-fault`.
 */
#include "kernel/hart/call.h"
#include "kernel/sched/qs.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/work.h"
#include "tests/kernel/wait_util.h"

WAIT_TEST_CLASS(wait_class, "test.stack_shared");

static struct {
	struct waitq wq;
	struct thread *t;
	unsigned seen; /* stack_shared of `t` in the middle, as the other side saw it */
	atomic_bool looked;
	struct work work;
	struct qs_entry entry;
} s;

/* For the other side: looks until the thread is marked. */
static bool sees_mark(void)
{
	s.seen = s.t->lock.stack_shared;
	return s.seen;
}

static void wait_for_mark(void)
{
	ktest_check(ktest_eventually(sees_mark()), "no mark");
}

static void expect_marked(unsigned n, const char *what)
{
	ktest_check(s.seen == n, "%s: %u marks instead of %u", what, s.seen, n);
	ktest_check(!lock_thread()->stack_shared, "a mark is left after %s", what);
	s.seen = 0;
}

static void look_at_caller(void *arg)
{
	*(unsigned *)arg = s.t->lock.stack_shared;
}

KTEST(stack_shared, calls_of_other_harts)
{
	s.t = current_thread();
	for_each_hart(h) {
		if (!hart_is_online(h))
			continue;
		ktest_check(!hart_call(h, look_at_caller, &s.seen), "no call");
		expect_marked(1, "a call");
	}
	ktest_check(hart_call_mask(&harts_online, look_at_caller, &s.seen) > 0, "no calls");
	expect_marked(1, "calls");
}

static void grace_period_runs(struct qs_entry *entry unused_arg)
{
	wait_for_mark();
}

/* Entries run in their order: ours, in the qs thread, looks while the waiter's is queued. */
KTEST(stack_shared, waiting_for_a_grace_period)
{
	s.t = current_thread();
	qs_call(&s.entry, grace_period_runs);
	qs_synchronize();
	expect_marked(1, "qs_synchronize");
}

static void work_runs(struct work *w unused_arg)
{
	wait_for_mark();
}

KTEST(stack_shared, flushing_work)
{
	s.t = current_thread();
	work_init(&s.work, work_runs);
	work_queue(&s.work);
	work_flush(&s.work);
	/* By the time that it is looked at, the flusher also may not have come: then there is
	 * nothing to see, and wait_for_mark waits for it. */
	expect_marked(1, "work_flush");
}

/* Again and again: a look that falls between two sleeps sees nothing. */
static void sleeps_by_a_timer(void *arg unused_arg)
{
	while (!atomic_load_bool(&s.looked, acquire))
		sched_sleep_ns(20 * NS_PER_MS);
}

static void waits_by_a_timer(void *arg unused_arg)
{
	(void)wait_event_timeout(
		&s.wq, atomic_load_bool(&s.looked, acquire), clock_now_ns() + 3600 * NS_PER_SEC);
}

static void look_at_sleeper(void (*fn)(void *arg), const char *what)
{
	atomic_store_bool(&s.looked, false, relaxed);
	s.t = wait_spawn("sleeper", fn, NULL, 0);
	ktest_require(s.t);
	wait_for_mark();
	atomic_store_bool(&s.looked, true, release);
	waitq_wake_all(&s.wq);
	/* The thread's struct is ours until it is joined. */
	ktest_check(ktest_eventually(!s.t->lock.stack_shared), "a mark is left after %s", what);
	thread_join(s.t, NULL);
	expect_marked(1, what);
}

KTEST(stack_shared, timers_on_the_stack)
{
	waitq_init(&s.wq, &wait_class);
	look_at_sleeper(sleeps_by_a_timer, "a sleep");
	look_at_sleeper(waits_by_a_timer, "a wait with a limit");
}
