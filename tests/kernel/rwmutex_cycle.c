/* SPDX-License-Identifier: MIT */
/* Deadlocks whose cycle goes through the readers of an rwmutex, found by whoever closes them. */
#include "kernel/wait/mutex.h"
#include "kernel/wait/rwmutex.h"
#include "tests/kernel/wait_util.h"

WAIT_TEST_CLASS_UNCHECKED(cycle_rw_class, "test.rwcycle.rw");
WAIT_TEST_CLASS_UNCHECKED(cycle_mutex_class, "test.rwcycle.mutex");

static struct rwmutex rw = RWMUTEX_INIT(&cycle_rw_class);
static struct mutex m = MUTEX_INIT(&cycle_mutex_class);
static atomic_u32 holding, go;

/* Reads, and waits for the mutex without a limit. */
static void read_then_mutex(void *arg unused_arg)
{
	rwmutex_read_lock(&rw);
	mutex_lock(&m);
	mutex_unlock(&m);
	rwmutex_read_unlock(&rw);
}

/* Reads, and sleeps until it may go. */
static void read_and_sleep(void *arg unused_arg)
{
	rwmutex_read_lock(&rw);
	count_up(&holding);
	while (!seen(&go))
		sched_sleep_ns(NS_PER_MS);
	rwmutex_read_unlock(&rw);
}

/* Has the mutex, and waits for the readers. */
static void mutex_then_write(void *arg unused_arg)
{
	mutex_lock(&m);
	rwmutex_write_lock(&rw);
	rwmutex_write_unlock(&rw);
	mutex_unlock(&m);
}

/* Which of `n` reports there should have been were there, and nothing is left. */
static void judge(unsigned n, int rc, int should)
{
	unsigned reports = ktest_reports_seen();

	ktest_check(reports == n, "%u reports instead of %u", reports, n);
	ktest_check(rc == should, "%d instead of %d", rc, should);
}

static void all_idle(void)
{
	wait_check_idle(&rw.pi, "afterwards");
	wait_check_idle(&m.pi, "afterwards");
	ktest_check(!atomic_load_u32(&rw.count, relaxed));
}

static struct thread *innocent_reader(void)
{
	struct thread *t;

	atomic_store_u32(&holding, 0, relaxed);
	atomic_store_u32(&go, 0, relaxed);
	t = wait_spawn("innocent", read_and_sleep, NULL, 0);
	ktest_check(t && ktest_eventually(seen(&holding)));
	return t;
}

static void dismiss(struct thread *t)
{
	atomic_store_u32(&go, 1, release);
	if (t)
		thread_join(t, NULL);
}

KTEST(rwmutex, a_writer_that_waits_for_a_reader_that_waits_for_it_is_reported)
{
	struct thread *innocent = innocent_reader(), *t;
	struct wait_limit limit = WAIT_INTR;
	int rc;

	mutex_lock(&m);
	t = wait_spawn("reader", read_then_mutex, NULL, 0);
	ktest_check(t && wait_until_queued(&m.pi.wq, 1));
	ktest_expect_reports(KIND_DEADLOCK);
	rc = rwmutex_write_lock_limit(&rw, &limit);
	judge(1, rc, -EDEADLK);
	mutex_unlock(&m);
	if (t)
		thread_join(t, NULL);
	dismiss(innocent);
	all_idle();
}

KTEST(rwmutex, a_reader_that_waits_for_a_writer_that_waits_for_it_is_reported)
{
	struct thread *innocent = innocent_reader(), *t;
	int rc;

	rwmutex_read_lock(&rw);
	t = wait_spawn("writer", mutex_then_write, NULL, 0);
	ktest_check(t && wait_until_queued(&rw.drain, 1));
	ktest_expect_reports(KIND_DEADLOCK);
	rc = mutex_lock_intr(&m);
	judge(1, rc, -EDEADLK);
	rwmutex_read_unlock(&rw);
	dismiss(innocent);
	if (t)
		thread_join(t, NULL);
	all_idle();
}

/* The same shapes, except that the cycle is not closed, or ends by itself. */
KTEST(rwmutex, a_writer_behind_readers_that_will_leave_is_not_reported)
{
	struct thread *innocent = innocent_reader(), *t;
	struct wait_limit limit = WAIT_UNTIL(clock_now_ns() + 20 * NS_PER_MS);
	int rc;

	mutex_lock(&m);
	t = wait_spawn("reader", read_then_mutex, NULL, 0);
	ktest_check(t && wait_until_queued(&m.pi.wq, 1));
	ktest_expect_reports(KIND_DEADLOCK);
	limit.deadline_ns = clock_now_ns() + 20 * NS_PER_MS;
	rc = rwmutex_write_lock_limit(&rw, &limit);
	judge(0, rc, -ETIMEDOUT);
	mutex_unlock(&m);
	if (t)
		thread_join(t, NULL);
	/* Behind the innocent one alone, without a limit. */
	t = wait_spawn("writer", mutex_then_write, NULL, 0);
	ktest_check(t && wait_until_queued(&rw.drain, 1));
	ktest_expect_reports(KIND_DEADLOCK);
	dismiss(innocent);
	if (t)
		thread_join(t, NULL);
	judge(0, 0, 0);
	all_idle();
}
