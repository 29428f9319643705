/* SPDX-License-Identifier: MIT */
/* Crash kinds: locks misused, harts and threads that do not go on, memory misused. */
#include "kernel/hart/call.h"
#include "kernel/hart/hart.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/relax.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/page.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/command.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/mutex.h"
#include "lib/string.h"

/*
 * spin_outer, spin_inner, sleep_a, sleep_b
 *   Protects: nothing.
 *   Taken by: the crash kinds below, wrongly.
 *   Order:    as their ranks say, which is what is broken.
 */
DEFINE_LOCK_CLASS(outer_class, .name = "crash_outer", .rank = RANK_TEST_SPIN_OUTER,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1, .protects = "nothing");
DEFINE_LOCK_CLASS(inner_class, .name = "crash_inner", .rank = RANK_TEST_SPIN,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1, .protects = "nothing");
DEFINE_LOCK_CLASS(sleep_class, .name = "crash_sleep", .rank = RANK_UNCHECKED,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1, .protects = "nothing");
DEFINE_LOCK_CLASS(ready_class, .name = "crash_ready", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 10,
	.protects = "the progress of a crash kind's threads");
static struct irqlock spin_outer = IRQLOCK_INIT(&outer_class);
static struct irqlock spin_inner = IRQLOCK_INIT(&inner_class);
static struct mutex sleep_a = MUTEX_INIT(&sleep_class);
static struct mutex sleep_b = MUTEX_INIT(&sleep_class);
static struct completion ready = COMPLETION_INIT(&ready_class);

/* clang is right to complain of each: they break the rules on purpose. */

static void crash_recursion(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&spin_outer);
	irqlock_acquire(&spin_outer);
}

static void crash_sleep(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&spin_outer);
	sched_sleep_ns(NS_PER_MS);
	irqlock_release(&spin_outer);
}

static void crash_mutex_in_irqlock(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&spin_outer);
	mutex_lock(&sleep_a);
	irqlock_release(&spin_outer);
}

static void crash_rank(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&spin_inner);
	irqlock_acquire(&spin_outer);
}

static void crash_unlock_free(void) UNCHECKED_LOCKING
{
	irqlock_release(&spin_outer);
}

static void hold_for_ever(void *arg unused_arg) UNCHECKED_LOCKING
{
	mutex_lock(&sleep_a);
	complete(&ready);
	sched_sleep_until(UINT64_MAX, false);
}

static void spawn_and_wait(void (*fn)(void *arg))
{
	struct thread *t = thread_spawn("partner", fn, NULL);

	if (!t)
		return;
	thread_detach(t);
	wait_for_completion(&ready);
}

static void crash_unlock_other(void) UNCHECKED_LOCKING
{
	spawn_and_wait(hold_for_ever);
	mutex_unlock(&sleep_a);
}

static void exit_holding(void *arg unused_arg) UNCHECKED_LOCKING
{
	mutex_lock(&sleep_a);
}

static void crash_held_at_exit(void)
{
	struct thread *t = thread_spawn("partner", exit_holding, NULL);

	if (t)
		thread_join(t, NULL);
}

static void crash_free_held(void) UNCHECKED_LOCKING
{
	struct irqlock *lock = kmalloc(sizeof(*lock), 0);

	if (!lock)
		return;
	irqlock_init(lock, &outer_class);
	irqlock_acquire(lock);
	kfree(lock);
}

/* Half of a circle: it holds b and waits for a. */
static void lock_b_then_a(void *arg unused_arg) UNCHECKED_LOCKING
{
	mutex_lock(&sleep_b);
	complete(&ready);
	mutex_lock(&sleep_a);
}

static void crash_deadlock(void) UNCHECKED_LOCKING
{
	mutex_lock(&sleep_a);
	spawn_and_wait(lock_b_then_a);
	mutex_lock(&sleep_b);
}

static void die_holding(void *arg unused_arg) UNCHECKED_LOCKING
{
	mutex_lock(&sleep_a);
	__builtin_trap();
}

static void crash_abandoned(void) UNCHECKED_LOCKING
{
	struct thread *t = thread_spawn("partner", die_holding, NULL);

	if (!t)
		return;
	thread_join(t, NULL);
	mutex_lock(&sleep_a);
}

static unsigned long plain_count; /* of nothing, without any lock */

static void count_for_ever(void *arg unused_arg)
{
	for (;;) {
		plain_count++;
		relax();
	}
}

/* Two harts; ends when one of them is watched as it counts. */
static void crash_race(void)
{
	struct thread *t;

	if (hart_mask_weight(&harts_online) < 2) {
		shell_printf("crash: race needs two harts\n");
		return;
	}
	t = thread_spawn("partner", count_for_ever, NULL);
	if (t)
		count_for_ever(NULL);
}

/* Without the checker these hang, or go unnoticed: not offered there. */
CRASH_IF(CONFIG_LOCKCHECK, lock_recursion, "lock-recursion", "an irqlock taken twice",
	EXIT_LOCKCHECK, crash_recursion);
CRASH_IF(CONFIG_LOCKCHECK, sleep_in_irqlock, "sleep-in-irqlock", "sleeping under an irqlock",
	EXIT_LOCKCHECK, crash_sleep);
CRASH_IF(CONFIG_LOCKCHECK, mutex_in_irqlock, "mutex-in-irqlock", "a mutex under an irqlock",
	EXIT_LOCKCHECK, crash_mutex_in_irqlock);
CRASH_IF(CONFIG_LOCKCHECK, rank, "rank", "two locks against their order", EXIT_LOCKCHECK,
	crash_rank);
CRASH_IF(CONFIG_LOCKCHECK, unlock_free, "unlock-free", "a release of a lock that is free",
	EXIT_LOCKCHECK, crash_unlock_free);
CRASH_IF(CONFIG_LOCKCHECK, unlock_other, "unlock-other", "a release of another thread's mutex",
	EXIT_LOCKCHECK, crash_unlock_other);
CRASH_IF(CONFIG_LOCKCHECK, held_at_exit, "held-at-exit", "a thread that ends with a mutex",
	EXIT_LOCKCHECK, crash_held_at_exit);
CRASH_IF(CONFIG_LOCKCHECK, free_held, "free-held-lock", "memory freed with a held lock in it",
	EXIT_LOCKCHECK, crash_free_held);

CRASH_IF(CONFIG_RACE, race, "race", "two harts that count without a lock", EXIT_LOCKCHECK,
	crash_race);

CRASH(deadlock, "deadlock", "two threads that wait for each other's mutex", EXIT_DEADLOCK,
	crash_deadlock);
CRASH(abandoned, "abandoned", "a plain lock of a mutex whose holder died", EXIT_DEADLOCK,
	crash_abandoned);

/* ---- No progress ----------------------------------------------------------------------------- */

static void crash_hang(void)
{
	preempt_disable();
	for (;;)
		arch_pause();
}
CRASH(hang, "hang", "a loop with preemption off, interrupts on", EXIT_LOCKUP, crash_hang);

/* Interrupts stay off for ever: another hart has to notice its silence, so there must be one. */
static void crash_hang_irqoff(void)
{
	if (hart_mask_weight(&harts_online) < 2) {
		shell_printf("crash: hang-irqoff needs two harts: nobody would notice\n");
		return;
	}
	irq_off();
	for (;;)
		arch_pause();
}
CRASH(hang_irqoff, "hang-irqoff", "a loop with interrupts off (two harts or more)", EXIT_LOCKUP,
	crash_hang_irqoff);

/* ---- Memory ---------------------------------------------------------------------------------- */

static void crash_free_wild(void)
{
	char *p = kmalloc(100, 0);

	kfree(p + 16);
}
CRASH(free_wild, "free-wild", "kfree of what kmalloc did not give", EXIT_PANIC, crash_free_wild);

static void crash_page_twice(void)
{
	struct page *page = page_alloc(0, 0);

	if (!page)
		return;
	page_free(page);
	page_free(page);
}
CRASH(page_twice, "page-free-twice", "a page given back twice", EXIT_PANIC, crash_page_twice);

static void crash_free_twice(void)
{
	char *p = kmalloc(100, 0);

	kfree(p);
	kfree(p);
}

static void crash_overrun(void)
{
	char *p = kmalloc(100, 0);

	if (!p)
		return;
	memset(p, 0, 100 + 1);
	kfree(p);
}

static void crash_use_after_free(void)
{
	char *p = kmalloc(100, 0);

	if (!p)
		return;
	kfree(p);
	p[3] = 1;
	__asm__ volatile("" : : : "memory");
	kmalloc(100, 0);
}

/* Only red zones and poison notice these. */
CRASH_IF(CONFIG_DEBUG_MM, free_twice, "free-twice", "kfree twice", EXIT_PANIC, crash_free_twice);
CRASH_IF(CONFIG_DEBUG_MM, overrun, "overrun", "a store behind the end of an object", EXIT_PANIC,
	crash_overrun);
CRASH_IF(CONFIG_DEBUG_MM, use_after_free, "use-after-free", "a store into a freed object",
	EXIT_PANIC, crash_use_after_free);

static void crash_stop_on_stack(void)
{
	irq_off();
	hart_mailbox_close(this_hart());
}
CRASH(stop_on_stack, "stop-on-stack", "a hart that leaves on a stack which others may unmap",
	EXIT_ASSERT, crash_stop_on_stack);
