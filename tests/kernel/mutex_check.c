/* SPDX-License-Identifier: MIT */
/* Misuse of thread-only locks is reported, each as its kind, contended or not. */
#include "kernel/hart/call.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/mutex.h"
#include "kernel/wait/rwmutex.h"
#include "kernel/wait/semaphore.h"
#include "tests/kernel/wait_util.h"

WAIT_TEST_CLASS(test_misuse_class, "test.misuse");
DEFINE_LOCK_CLASS(test_misuse_sleep_class, .name = "test.misuse.sleep", .rank = RANK_TEST_SLEEP,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000, .protects = "nothing");
DEFINE_LOCK_CLASS(test_misuse_first_class, .name = "test.misuse.first", .rank = RANK_TEST_OUTER,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000, .protects = "nothing");
DEFINE_LOCK_CLASS(test_misuse_spin_class, .name = "test.misuse.spin", .rank = RANK_TEST_SPIN_OUTER,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000, .protects = "nothing");

static struct mutex m = MUTEX_INIT(&test_misuse_class);
static struct rwmutex rw = RWMUTEX_INIT(&test_misuse_class);

/* True: there is a checker; from here on it counts reports of `kind`. */
static bool expect(enum report_kind kind)
{
	if (!CONFIG_LOCKCHECK) {
		ktest_skip("no lock checker");
		return false;
	}
	ktest_expect_reports(kind);
	return true;
}

static void expected(unsigned n)
{
	unsigned got = ktest_reports_seen();

	ktest_check(got == n, "%u reports, not %u", got, n);
	wait_check_idle(&m.pi, "after misuse");
	wait_check_idle(&rw.pi, "after misuse");
}

static void lock_in_handler(void *arg)
{
	(void)arg;
	mutex_lock(&m);
	rwmutex_read_lock(&rw);
	rwmutex_write_lock(&rw);
}

static void try_in_handler(void *arg)
{
	bool *got = arg;

	*got = mutex_try(&m) || rwmutex_read_try(&rw) || rwmutex_write_try(&rw);
}

KTEST(mutex, in_a_handler_is_reported)
{
	if (!expect(KIND_CONTEXT))
		return;
	hart_call(harts[hart_mask_first(&harts_online)], lock_in_handler, NULL);
	expected(3);
}

KTEST(mutex, trying_in_a_handler_is_reported)
{
	bool got = true;

	if (!expect(KIND_CONTEXT))
		return;
	hart_call(harts[hart_mask_first(&harts_online)], try_in_handler, &got);
	expected(3);
	ktest_check(!got);
}

KTEST(mutex, where_one_must_not_sleep_is_reported)
{
	struct irqlock spin = IRQLOCK_INIT(&test_misuse_spin_class);
	int rc;

	if (!expect(KIND_CONTEXT))
		return;
	irqlock_acquire(&spin);
	mutex_lock(&m);
	rwmutex_write_lock(&rw);
	irqlock_release(&spin);
	preempt_disable();
	rc = mutex_lock_timeout(&m, 0);
	preempt_enable();
	irq_off();
	rwmutex_read_lock(&rw);
	irq_on();
	expected(4);
	ktest_check(rc);
}

KTEST(mutex, recursion_is_reported)
{
	if (!expect(KIND_OWNERSHIP))
		return;
	mutex_lock(&m);
	mutex_lock(&m);
	mutex_unlock(&m);
	rwmutex_read_lock(&rw);
	rwmutex_read_lock(&rw);
	rwmutex_write_lock(&rw);
	rwmutex_read_unlock(&rw);
	expected(3);
}

KTEST(mutex, unlock_of_what_is_not_held_is_reported)
{
	if (!expect(KIND_OWNERSHIP))
		return;
	mutex_unlock(&m);
	mutex_lock(&m);
	mutex_unlock(&m);
	mutex_unlock(&m);
	rwmutex_read_unlock(&rw);
	rwmutex_write_lock(&rw);
	rwmutex_read_unlock(&rw); /* the wrong variant */
	rwmutex_write_unlock(&rw);
	expected(4);
}

static void unlock_it(void *arg)
{
	(void)arg;
	mutex_unlock(&m);
}

KTEST(mutex, unlock_by_another_thread_is_reported)
{
	struct thread *t;

	if (!expect(KIND_OWNERSHIP))
		return;
	mutex_lock(&m);
	t = wait_spawn("stranger", unlock_it, NULL, 0);
	if (t)
		thread_join(t, NULL);
	ktest_check(mutex_held_by_me(&m));
	mutex_unlock(&m);
	expected(1);
}

KTEST(mutex, initialising_a_held_one_is_reported)
{
	if (!expect(KIND_OWNERSHIP))
		return;
	mutex_lock(&m);
	mutex_init(&m, &test_misuse_class);
	/* Initialised all the same: it is on this thread's record, and free. */
	ktest_check(mutex_try(&m));
	mutex_unlock(&m);
	ktest_check(ktest_reports_seen() == 1);
	check_forget(lock_thread(), &m);
	wait_check_idle(&m.pi, "after the second init");
}

KTEST(mutex, out_of_rank_is_reported)
{
	static struct mutex early = MUTEX_INIT(&test_misuse_first_class);
	static struct mutex late = MUTEX_INIT(&test_misuse_sleep_class);

	if (!expect(KIND_RANK))
		return;
	mutex_lock(&early);
	mutex_lock(&late);
	mutex_unlock(&late);
	mutex_unlock(&early);
	mutex_lock(&late);
	mutex_lock(&early); /* here */
	mutex_unlock(&early);
	ktest_check(mutex_try(&early)); /* a try is not judged */
	mutex_unlock(&early);
	mutex_unlock(&late);
	expected(1);
}
