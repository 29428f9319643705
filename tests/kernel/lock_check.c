/* SPDX-License-Identifier: MIT */
/*
 * The lock checker: each rule fires where it must, once and with the right kind, and correct use is
 * silent. A test that expects a report goes on after it (kernel/lock/check.h).
 */
#include "kernel/hart/call.h"
#include "kernel/hart/hart.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/irqrwlock.h"
#include "kernel/lock/relax.h"
#include "kernel/lock/seqlock.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/wait/mutex.h"
#include "lib/assert.h"
#include "tests/kernel/ktest.h"

DEFINE_LOCK_CLASS(outer_class, .name = "test.check.outer", .rank = RANK_TEST_SPIN_OUTER,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 10000,
	.protects = "nothing: broken on purpose");
DEFINE_LOCK_CLASS(inner_class, .name = "test.check.inner", .rank = RANK_TEST_SPIN,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 10000, .protects = "nothing: broken on purpose");
DEFINE_LOCK_CLASS(free_class, .name = "test.check.free", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 10000, .protects = "nothing: broken on purpose");
DEFINE_LOCK_CLASS(sleep_class, .name = "test.check.sleep", .rank = RANK_TEST_OUTER,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000000,
	.protects = "nothing: broken on purpose");

/* Protect nothing: taken, wrongly and rightly, by this file's tests one at a time. */
static struct irqlock outer = IRQLOCK_INIT(&outer_class);
static struct irqlock outer2 = IRQLOCK_INIT(&outer_class);
static struct irqlock inner = IRQLOCK_INIT(&inner_class);
static struct irqrwlock rw = IRQRWLOCK_INIT(&outer_class);
static struct seqlock seq = SEQLOCK_INIT(&outer_class);
static struct mutex mutex = MUTEX_INIT(&sleep_class);

#define EXPECT_TEST(name, kind, count, body) \
	KTEST(lockcheck, name) \
	{ \
		if (CONFIG_LOCKCHECK) \
			ktest_expect(kind, count, body); \
		else \
			ktest_skip("the checker is compiled out"); \
	}

/* ---- Context -------------------------------------------------------------------------------- */

static void sleep_under_irqlock(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&outer);
	ktest_check(!may_sleep(), "may_sleep under an irqlock");
	(void)might_sleep();
	irqlock_release(&outer);
}
EXPECT_TEST(sleeping_under_an_irqlock_is_reported, KIND_CONTEXT, 1, sleep_under_irqlock)

static void sleep_without_preemption(void)
{
	preempt_disable();
	(void)might_sleep();
	preempt_enable();
}
EXPECT_TEST(sleeping_with_preemption_off_is_reported, KIND_CONTEXT, 1, sleep_without_preemption)

static void sleep_with_interrupts_off(void)
{
	irq_off();
	(void)might_sleep();
	irq_on();
}
EXPECT_TEST(sleeping_with_interrupts_off_is_reported, KIND_CONTEXT, 1, sleep_with_interrupts_off)

static void sleep_in_seq_section(void) UNCHECKED_LOCKING
{
	seqlock_write_begin(&seq);
	(void)might_sleep();
	seqlock_write_end(&seq);
}
EXPECT_TEST(sleeping_in_a_seqlock_write_is_reported, KIND_CONTEXT, 1, sleep_in_seq_section)

/* Also when it would not sleep this time: the mutex is free. */
static void free_mutex_under_irqlock(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&outer);
	mutex_lock(&mutex);
	irqlock_release(&outer);
}
EXPECT_TEST(a_free_mutex_under_an_irqlock_is_reported, KIND_CONTEXT, 1, free_mutex_under_irqlock)

static void on_this_hart(void (*fn)(void *arg))
{
	hart_call(this_hart_unstable(), fn, NULL);
}

static void sleeps_in_handler(unused_arg void *arg)
{
	(void)might_sleep();
}

static void sleep_in_handler(void)
{
	on_this_hart(sleeps_in_handler);
}
EXPECT_TEST(sleeping_in_a_handler_is_reported, KIND_CONTEXT, 1, sleep_in_handler)

static void takes_mutex_in_handler(unused_arg void *arg) UNCHECKED_LOCKING
{
	if (mutex_try(&mutex))
		ktest_fail(__FILE__, __LINE__, "a handler got a mutex");
}

static void mutex_in_handler(void)
{
	on_this_hart(takes_mutex_in_handler);
}
EXPECT_TEST(trying_a_mutex_in_a_handler_is_reported, KIND_CONTEXT, 1, mutex_in_handler)

static void takes_inner_in_handler(unused_arg void *arg) UNCHECKED_LOCKING
{
	irqlock_acquire(&inner);
}

static void wrong_class_in_handler(void)
{
	on_this_hart(takes_inner_in_handler);
}
EXPECT_TEST(a_thread_class_in_a_handler_is_reported, KIND_CONTEXT, 1, wrong_class_in_handler)

static void in_irq_variant_with_interrupts(void) UNCHECKED_LOCKING
{
	irqlock_acquire_in_irq(&outer);
}
EXPECT_TEST(in_irq_variant_with_interrupts_on_is_reported, KIND_CONTEXT, 1,
	in_irq_variant_with_interrupts)

/* Turned on and off again behind the lock's back: the next acquire can't see it, an acquire or a
 * release with interrupts on does. */
static void enable_under_irqlock(void) UNCHECKED_LOCKING
{
	preempt_disable(); /* so that the hart stays the one whose record it is */
	irqlock_acquire(&outer);
	arch_irq_enable();
	irqlock_release(&outer);
	preempt_enable();
}

KTEST(lockcheck, interrupts_turned_on_under_an_irqlock_are_reported)
{
	if (!CONFIG_LOCKCHECK) {
		ktest_skip("the checker is compiled out");
		return;
	}
	/* An interrupt that arrives just then is a report of its own. */
	ktest_expect_reports(KIND_CONTEXT);
	enable_under_irqlock();
	ktest_check(ktest_reports_seen() >= 1, "not noticed");
	ktest_check(arch_irq_enabled(), "interrupts are off");
}

static void irq_on_alone(void)
{
	irq_on();
}
EXPECT_TEST(irq_on_without_irq_off_is_reported, KIND_CONTEXT, 1, irq_on_alone)

/* ---- Ownership ------------------------------------------------------------------------------ */

static void take_twice(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&outer);
	irqlock_acquire(&outer);
	irqlock_release(&outer);
}
EXPECT_TEST(recursion_is_reported, KIND_OWNERSHIP, 1, take_twice)

static void take_mutex_twice(void) UNCHECKED_LOCKING
{
	mutex_lock(&mutex);
	mutex_lock(&mutex);
	mutex_unlock(&mutex);
}
EXPECT_TEST(recursion_on_a_mutex_is_reported, KIND_OWNERSHIP, 1, take_mutex_twice)

static void read_twice(void) UNCHECKED_LOCKING
{
	irqrwlock_read_acquire(&rw);
	irqrwlock_read_acquire(&rw);
	irqrwlock_read_release(&rw);
}
EXPECT_TEST(plain_read_recursion_is_reported, KIND_OWNERSHIP, 1, read_twice)

static void upgrade(void) UNCHECKED_LOCKING
{
	irqrwlock_read_acquire(&rw);
	irqrwlock_write_acquire(&rw);
	irqrwlock_read_release(&rw);
}
EXPECT_TEST(write_under_read_is_reported, KIND_OWNERSHIP, 1, upgrade)

static void release_twice(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&outer);
	irqlock_release(&outer);
	irqlock_release(&outer);
}
EXPECT_TEST(double_release_is_reported, KIND_OWNERSHIP, 1, release_twice)

static void unlock_twice(void) UNCHECKED_LOCKING
{
	mutex_lock(&mutex);
	mutex_unlock(&mutex);
	mutex_unlock(&mutex);
}
EXPECT_TEST(double_unlock_of_a_mutex_is_reported, KIND_OWNERSHIP, 1, unlock_twice)

static void mix_variants(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&outer);
	irqlock_release_in_irq(&outer);
	irqlock_release(&outer);
	irqrwlock_read_acquire(&rw);
	irqrwlock_write_release(&rw);
	irqrwlock_read_release(&rw);
}
EXPECT_TEST(release_by_another_variant_is_reported, KIND_OWNERSHIP, 2, mix_variants)

static void init_while_held(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&outer);
	check_init(&outer);
	irqlock_release(&outer);
	mutex_lock(&mutex);
	check_init(&mutex);
	mutex_unlock(&mutex);
}
EXPECT_TEST(init_while_held_is_reported, KIND_OWNERSHIP, 2, init_while_held)

struct box {
	char before[40];
	struct irqlock lock; /* Protects: nothing; held while its memory is given back */
};

static void free_while_held(void) UNCHECKED_LOCKING
{
	struct box *box = kmalloc(sizeof(*box), 0);

	ktest_require(box, "no memory");
	irqlock_init(&box->lock, &free_class);
	irqlock_acquire(&box->lock);
	check_memory_free(box, sizeof(*box));
	irqlock_release(&box->lock);
	kfree(box);
}
EXPECT_TEST(freeing_a_held_irqlock_is_reported, KIND_OWNERSHIP, 1, free_while_held)

struct mutex_box {
	char before[40];
	struct mutex lock; /* Protects: nothing; held while its memory is given back */
};
static struct mutex_box *mutex_box;
static atomic_bool box_held, box_may_go;

static void hold_mutex_box(unused_arg void *arg) UNCHECKED_LOCKING
{
	mutex_lock(&mutex_box->lock);
	atomic_store_bool(&box_held, true, release);
	ktest_eventually(atomic_load_bool(&box_may_go, acquire));
	mutex_unlock(&mutex_box->lock);
}

/* The holder is another thread, asleep. */
static void free_mutex_of_other(void)
{
	struct thread *holder;

	mutex_box = kmalloc(sizeof(*mutex_box), 0);
	ktest_require(mutex_box, "no memory");
	mutex_init(&mutex_box->lock, &sleep_class);
	atomic_store_bool(&box_held, false, relaxed);
	atomic_store_bool(&box_may_go, false, relaxed);
	holder = thread_spawn("holder", hold_mutex_box, NULL);
	if (holder) {
		ktest_check(ktest_eventually(atomic_load_bool(&box_held, acquire)), "no holder");
		check_memory_free(mutex_box, sizeof(*mutex_box));
		atomic_store_bool(&box_may_go, true, release);
		thread_join(holder, NULL);
	}
	kfree(mutex_box);
}
EXPECT_TEST(freeing_a_mutex_that_another_thread_holds_is_reported, KIND_OWNERSHIP, 1,
	free_mutex_of_other)

static void exits_with_mutex(unused_arg void *arg) UNCHECKED_LOCKING
{
	mutex_lock(&mutex);
	check_thread_exit();
	mutex_unlock(&mutex);
}

static void exit_while_held(void)
{
	struct thread *t = thread_spawn("exits", exits_with_mutex, NULL);

	ktest_require(t, "no memory");
	thread_join(t, NULL);
}
EXPECT_TEST(a_lock_held_at_thread_exit_is_reported, KIND_OWNERSHIP, 1, exit_while_held)

static void hart_events_while_held(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&outer);
	check_idle();
	check_hart_stop();
	check_switch(&inner);
	check_switch(&outer); /* as if it were the run queue's: silent */
	irqlock_release(&outer);
}
EXPECT_TEST(
	a_lock_held_at_idle_stop_or_switch_is_reported, KIND_OWNERSHIP, 3, hart_events_while_held)

static struct irqlock many[HELD_MAX + 1]; /* Protect nothing; all held at once */

static void hold_too_many(void) UNCHECKED_LOCKING
{
	for (unsigned i = 0; i <= HELD_MAX; i++)
		irqlock_init(&many[i], &free_class);
	/* Tries: several of one class, in any order, are none of the graph's business. */
	for (unsigned i = 0; i < HELD_MAX; i++)
		ktest_check(irqlock_try(&many[i]), "a free lock");
	irqlock_acquire(&many[HELD_MAX]);
	for (unsigned i = 0; i < HELD_MAX; i++)
		irqlock_release(&many[i]);
}
EXPECT_TEST(more_locks_than_fit_the_record_are_reported, KIND_OWNERSHIP, 1, hold_too_many)

static void use_unguarded(void) UNCHECKED_LOCKING
{
	static int field;

	irqlock_acquire(&outer);
	guarded(&outer, field)++;  /* silent */
	guarded(&outer2, field)++; /* the wrong instance */
	irqlock_release(&outer);
}
EXPECT_TEST(using_a_field_under_the_wrong_instance_is_reported, KIND_OWNERSHIP, 1, use_unguarded)

/* Helper 0 holds the lock, helper 1 releases it on another hart. */
static atomic_u32 stage;

static void release_elsewhere(unsigned i, unused_arg void *arg) UNCHECKED_LOCKING
{
	if (i == 1) {
		while (atomic_load_u32(&stage, acquire) < 1)
			relax();
		irqlock_release(&outer);
		atomic_store_u32(&stage, 2, release);
		return;
	}
	irqlock_acquire(&outer);
	atomic_store_u32(&stage, 1, release);
	while (atomic_load_u32(&stage, acquire) < 2)
		relax();
	irqlock_release(&outer);
}

static void release_on_other_hart(void)
{
	atomic_store_u32(&stage, 0, relaxed);
	ktest_parallel(2, release_elsewhere, NULL);
}

KTEST(lockcheck, release_by_another_hart_is_reported)
{
	if (CONFIG_LOCKCHECK && ktest_harts() > 1)
		ktest_expect(KIND_OWNERSHIP, 1, release_on_other_hart);
	else
		ktest_skip("needs the checker and two harts");
}

/* ---- Rank ----------------------------------------------------------------------------------- */

static void invert_ranks(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&inner);
	irqlock_acquire(&outer);
	irqlock_release(&outer);
	irqlock_release(&inner);
}
EXPECT_TEST(rank_inversion_is_reported_in_one_harmless_run, KIND_RANK, 1, invert_ranks)

static void same_rank(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&outer);
	irqlock_acquire(&outer2);
	irqlock_release(&outer2);
	irqlock_release(&outer);
}
EXPECT_TEST(two_of_one_rank_are_reported, KIND_RANK, 1, same_rank)

static void under_a_try(void) UNCHECKED_LOCKING
{
	ktest_check(irqlock_try(&inner), "try of a free lock");
	irqlock_acquire(&outer);
	irqlock_release(&outer);
	irqlock_release(&inner);
}
EXPECT_TEST(what_is_taken_under_a_try_is_checked, KIND_RANK, 1, under_a_try)

/* After an out-of-order release the record still knows what is left. */
static void rank_after_odd_release(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&outer);
	irqlock_acquire(&inner);
	irqlock_release(&outer);
	irqlock_acquire(&outer);
	irqlock_release(&outer);
	irqlock_release(&inner);
}
EXPECT_TEST(rank_holds_after_an_out_of_order_release, KIND_RANK, 1, rank_after_odd_release)

/* ---- Silence and precedence ----------------------------------------------------------------- */

static void takes_outer_in_handler(unused_arg void *arg) UNCHECKED_LOCKING
{
	irqlock_acquire_in_irq(&outer);
	irqlock_release_in_irq(&outer);
	irqlock_acquire(&outer);
	irqlock_release(&outer);
}

static void behave(void) UNCHECKED_LOCKING
{
	(void)might_sleep();
	mutex_lock(&mutex);
	irqlock_acquire(&outer);
	irqlock_acquire_second(&outer2, &outer);
	irqlock_acquire(&inner);
	irqlock_release(&outer2);
	irqlock_release(&outer);
	ktest_check(irqlock_try(&outer), "try against the order is allowed");
	irqlock_release(&outer);
	irqlock_release(&inner);
	ktest_check(irqrwlock_read_try(&rw), "read try");
	irqrwlock_read_acquire_nested(&rw);
	irqrwlock_read_release(&rw);
	irqrwlock_read_release(&rw);
	on_this_hart(takes_outer_in_handler); /* under a mutex: fine */
	ktest_check(check_held(&mutex) && !check_held(&outer), "check_held");
	mutex_unlock(&mutex);
	check_thread_exit();
}
EXPECT_TEST(correct_use_is_silent, KIND_RANK, 0, behave)

/* Wrong context, recursion and rank at once: the first in the order is the one. */
static void everything_at_once(void) UNCHECKED_LOCKING
{
	mutex_lock(&mutex);
	irqlock_acquire(&inner);
	mutex_lock(&mutex);
	irqlock_release(&inner);
	mutex_unlock(&mutex);
}
EXPECT_TEST(one_violation_gives_one_report_context_first, KIND_CONTEXT, 1, everything_at_once)

static void recursion_and_rank(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&outer);
	irqlock_acquire(&inner);
	irqlock_acquire(&outer);
	irqlock_release(&inner);
	irqlock_release(&outer);
}
EXPECT_TEST(
	one_violation_gives_one_report_ownership_before_rank, KIND_OWNERSHIP, 1, recursion_and_rank)
