/* SPDX-License-Identifier: MIT */
/*
 * Irqlocks on real harts: exclusion between threads, timer handlers and calls of other harts;
 * interrupt nesting; parking without a timer; leaf calls to waiters; what a waiter does with
 * others' messages.
 */
#include "kernel/hart/call.h"
#include "kernel/hart/hart.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/relax.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "lib/assert.h"
#include "tests/kernel/ktest.h"
#include "tests/kernel/lock_torture.h"

#define ROUNDS 2000

DEFINE_LOCK_CLASS(torture_class, .name = "test.torture", .rank = RANK_TEST_SPIN_OUTER,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 10000,
	.protects = "the data of the torture");
DEFINE_LOCK_CLASS(nest_class, .name = "test.nest", .rank = RANK_UNCHECKED,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 10000,
	.protects = "nothing: only nesting is looked at");

/* Protects: the data of the torture, and what single tests below say. Taken by threads and
 * handlers. */
static struct irqlock lock = IRQLOCK_INIT(&torture_class);

/* Helper 0 of a test holds `lock`; it may give it up. */
static atomic_bool holder_holds, holder_may_go;

static void reset_holder(void)
{
	irqlock_init(&lock, &torture_class);
	atomic_store_bool(&holder_holds, false, relaxed);
	atomic_store_bool(&holder_may_go, false, relaxed);
}

static void lock_acquire(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&lock);
}

static void lock_release(void) UNCHECKED_LOCKING
{
	irqlock_release(&lock);
}

static bool lock_try(void) UNCHECKED_LOCKING
{
	return irqlock_try(&lock);
}

static const struct torture_lock irq_torture = {lock_acquire, lock_release, lock_try};

static void torture_with(const struct irqlock_tuning *tuning, enum irqlock_policy policy)
{
	struct irqlock_tuning saved = irqlock_tuning;
	struct torture_result result;

	if (tuning)
		irqlock_tuning = *tuning;
	irqlock_init_policy(&lock, &torture_class, policy);
	torture_run(&irq_torture, ktest_each(ROUNDS), false, &result);
	irqlock_tuning = saved;
	ktest_check(!result.violations, "%lu violations", result.violations);
	ktest_check(!result.lost, "%lu of %lu updates lost", result.lost,
		result.by_threads + result.by_timers + result.by_calls);
	ktest_check(result.by_threads && result.by_timers && result.by_calls,
		"threads %lu, timers %lu, calls %lu", result.by_threads, result.by_timers,
		result.by_calls);
	/* No queue, kick or steal is left behind. */
	ktest_check(atomic_load_u32(&lock.word, relaxed) == 0, "word %#x",
		(unsigned)atomic_load_u32(&lock.word, relaxed));
}

KTEST(irqlock, excludes_threads_and_handlers)
{
	torture_with(NULL, IRQLOCK_QUEUE);
}

KTEST(irqlock, excludes_in_strict_order)
{
	torture_with(NULL, IRQLOCK_FIFO);
}

KTEST(irqlock, excludes_without_queue)
{
	torture_with(NULL, IRQLOCK_TAS);
}

/* Helper 0 holds the lock until helper 1 parks for it. */
static void hold_until_parked(unsigned i, unused_arg void *arg) UNCHECKED_LOCKING
{
	unsigned long parked = lock_stat_read(&torture_class, LOCK_PARKED);

	if (i == 0)
		irqlock_acquire(&lock);
	else
		while (!atomic_load_bool(&holder_holds, acquire))
			relax();
	atomic_store_bool(&holder_holds, true, release);
	while (i == 0 && lock_stat_read(&torture_class, LOCK_PARKED) == parked)
		relax();
	if (i > 0)
		irqlock_acquire(&lock);
	irqlock_release(&lock);
}

KTEST(irqlock, parks_and_is_woken_without_any_timer)
{
	static const struct irqlock_tuning all_park = {0, 0, 0, 1, 4, 0, false};
	struct irqlock_tuning saved = irqlock_tuning;

	torture_with(&all_park, IRQLOCK_QUEUE);
	if (!CONFIG_LOCKSTAT || ktest_harts() < 2)
		return;
	irqlock_tuning = all_park;
	for (unsigned i = 0; i < 20; i++) {
		reset_holder();
		ktest_parallel(2, hold_until_parked, NULL);
	}
	irqlock_tuning = saved;
}

/* Helper 0 lets the others park, gives the lock up and takes it back before the woken one is there.
 */
static void pass_a_sleeper(unsigned i, void *arg) UNCHECKED_LOCKING
{
	unsigned long stolen = lock_stat_read(&torture_class, LOCK_STOLEN);
	bool *passed = arg;

	if (i > 0) {
		while (!atomic_load_bool(&holder_holds, acquire))
			relax();
		irqlock_acquire(&lock);
		irqlock_release(&lock);
		return;
	}
	irqlock_acquire(&lock);
	atomic_store_bool(&holder_holds, true, release);
	while (!(atomic_load_u32(&lock.word, relaxed) & IRQLOCK_KICK))
		relax();
	irqlock_release(&lock);
	irqlock_acquire(&lock);
	*passed |= lock_stat_read(&torture_class, LOCK_STOLEN) > stolen;
	irqlock_release(&lock);
}

KTEST(irqlock, is_passed_while_the_head_sleeps)
{
	static const struct irqlock_tuning passes = {0, 0, 0, 1, 62, 0, false};
	struct irqlock_tuning saved = irqlock_tuning;
	bool passed = false;

	if (!CONFIG_LOCKSTAT || ktest_harts() < 2) {
		ktest_skip("needs two harts and statistics");
		return;
	}
	irqlock_tuning = passes;
	/* The one that was woken may be quicker; it comes, but not by a deadline. */
	for (unsigned n = 0; n < 100000 && !passed && !ktest_failed(); n++) {
		reset_holder();
		ktest_parallel(ktest_harts(), pass_a_sleeper, &passed);
	}
	irqlock_tuning = saved;
	ktest_check(passed, "nobody passed a head");
}

/* ---- The torture catches broken locks ------------------------------------------------------- */

static void nothing_acquired(void)
{
}

/* Turns interrupts off, excludes no other hart. */
static void only_irq_off(void)
{
	irq_off();
}

static void only_irq_on(void)
{
	irq_on();
}

static atomic_u32 leaky_word;

/* Excludes, but lets interrupts in: this hart's handlers would wait for their own thread, so they
 * go in regardless. */
static void leaky_acquire(void)
{
	if (in_interrupt())
		return;
	while (atomic_xchg_u32(&leaky_word, 1, acquire))
		relax();
}

static void leaky_release(void)
{
	if (!in_interrupt())
		atomic_store_u32(&leaky_word, 0, release);
}

KTEST(torture, catches_a_lock_that_does_nothing)
{
	static const struct torture_lock busted = {nothing_acquired, nothing_acquired, NULL};
	struct torture_result result;

	torture_run(&busted, 0, true, &result);
	ktest_check(result.violations, "not noticed in %lu rounds", result.by_threads);
}

KTEST(torture, catches_a_lock_that_only_turns_interrupts_off)
{
	static const struct torture_lock busted = {only_irq_off, only_irq_on, NULL};
	struct torture_result result;

	if (ktest_harts() < 2) {
		ktest_skip("needs two harts");
		return;
	}
	torture_run(&busted, 0, true, &result);
	ktest_check(result.violations, "not noticed in %lu rounds", result.by_threads);
}

KTEST(torture, catches_a_lock_that_leaves_interrupts_on)
{
	static const struct torture_lock busted = {leaky_acquire, leaky_release, NULL};
	struct torture_result result;

	torture_run(&busted, 0, true, &result);
	ktest_check(result.violations, "not noticed in %lu rounds", result.by_threads);
}

/* ---- Interrupt nesting ---------------------------------------------------------------------- */

#define NESTED 8

/* Protects: nothing. Taken by the nesting tests' thread, in any order (unordered class). */
static struct irqlock nest[NESTED] = {
	IRQLOCK_INIT(&nest_class),
	IRQLOCK_INIT(&nest_class),
	IRQLOCK_INIT(&nest_class),
	IRQLOCK_INIT(&nest_class),
	IRQLOCK_INIT(&nest_class),
	IRQLOCK_INIT(&nest_class),
	IRQLOCK_INIT(&nest_class),
	IRQLOCK_INIT(&nest_class),
};

/* Takes n locks and releases them in the order that `random` says. */
static void nest_once(unsigned n, uint64_t *random) UNCHECKED_LOCKING
{
	unsigned order[NESTED];

	for (unsigned i = 0; i < n; i++) {
		order[i] = i;
		irqlock_acquire(&nest[i]);
		ktest_check(!arch_irq_enabled(), "interrupts on under %u locks", i + 1);
	}
	for (unsigned left = n; left > 0; left--) {
		unsigned pick = ktest_random(random) % left;

		irqlock_release(&nest[order[pick]]);
		order[pick] = order[left - 1];
		ktest_check(arch_irq_enabled() == (left == 1), "interrupts %d with %u locks left",
			arch_irq_enabled(), left - 1);
	}
}

KTEST(irqlock, interrupts_return_with_the_last_release_in_any_order)
{
	uint64_t random = 1;

	for (unsigned i = 0; i < 500; i++)
		nest_once(1 + i % NESTED, &random);
}

KTEST(irqlock, release_restores_what_was_there) UNCHECKED_LOCKING
{
	irq_off();
	irqlock_acquire(&lock);
	irqlock_release(&lock);
	ktest_check(!arch_irq_enabled(), "a release turned interrupts on that were off before");
	irqlock_acquire(&lock);
	irq_on();
	ktest_check(!arch_irq_enabled(), "irq_on turned interrupts on under a lock");
	irqlock_release(&lock);
	ktest_check(arch_irq_enabled(), "interrupts stayed off");

	/* Interrupts that somebody else turned off stay off. */
	arch_irq_disable();
	irqlock_acquire_in_irq(&lock);
	irqlock_release_in_irq(&lock);
	ktest_check(irqlock_try(&lock), "try of a free lock");
	irqlock_release(&lock);
	ktest_check(
		!arch_irq_enabled(), "a release turned interrupts on that it had not turned off");
	arch_irq_enable();
}

static void hold_until_told(void *arg) UNCHECKED_LOCKING
{
	struct irqlock *held = arg;

	irqlock_acquire(held);
	atomic_store_bool(&holder_holds, true, release);
	while (!atomic_load_bool(&holder_may_go, acquire))
		relax();
	irqlock_release(held);
}

/* Helper 0 holds `lock` while helper 1 tries it. */
static void try_against_holder(unsigned i, unused_arg void *arg) UNCHECKED_LOCKING
{
	if (i == 0) {
		hold_until_told(&lock);
		return;
	}
	while (!atomic_load_bool(&holder_holds, acquire))
		relax();
	for (unsigned n = 0; n < 100; n++) {
		ktest_check(!irqlock_try(&lock), "try got a lock that is held");
		ktest_check(arch_irq_enabled(), "a failed try left interrupts off");
		irq_off();
		ktest_check(!irqlock_try(&lock), "try got a lock that is held");
		ktest_check(!arch_irq_enabled(), "a failed try turned interrupts on");
		irq_on();
	}
	atomic_store_bool(&holder_may_go, true, release);
}

KTEST(irqlock, failed_try_leaves_interrupts_as_they_were)
{
	if (ktest_harts() < 2) {
		ktest_skip("needs two harts");
		return;
	}
	reset_holder();
	ktest_parallel(2, try_against_holder, NULL);
}

/* ---- Waiters and other harts ---------------------------------------------------------------- */

static atomic_u32 nr_waiting, nr_messages;
static struct hart_call messages[CONFIG_MAX_HARTS];

static void message_came(unused_arg void *arg)
{
	atomic_add_u32(&nr_messages, 1, relaxed);
}

/* Helper 0 holds the lock and asks all others for a TLB flush while they wait for it. */
static void flush_under_lock(unsigned i, unused_arg void *arg) UNCHECKED_LOCKING
{
	unsigned rounds = ktest_each(50);

	for (unsigned n = 0; n < rounds; n++) {
		irqlock_acquire(&lock);
		if (i == 0)
			leaf_call_mask(&harts_online, LEAF_TLB_FLUSH);
		irqlock_release(&lock);
	}
}

KTEST(irqlock, waiters_serve_leaf_calls_of_the_holder)
{
	static const struct irqlock_tuning all_park = {0, 0, 0, 1, 4, 0, false};
	struct irqlock_tuning saved = irqlock_tuning;

	reset_holder();
	ktest_parallel(ktest_harts(), flush_under_lock, NULL);
	irqlock_tuning = all_park;
	ktest_parallel(ktest_harts(), flush_under_lock, NULL);
	irqlock_tuning = saved;
}

/* Helper 0 posts a call to every waiter while it waits; each must run once the waiter is through.
 */
static void message_to_waiters(unsigned i, unused_arg void *arg) UNCHECKED_LOCKING
{
	unsigned n = ktest_harts();

	if (i > 0) {
		while (!atomic_load_bool(&holder_holds, acquire))
			relax();
		atomic_add_u32(&nr_waiting, 1, release);
		irqlock_acquire(&lock);
		irqlock_release(&lock);
		return;
	}
	irqlock_acquire(&lock);
	atomic_store_bool(&holder_holds, true, release);
	while (atomic_load_u32(&nr_waiting, acquire) < n - 1)
		relax();
	clock_delay_ns(NS_PER_MS); /* most of them are parked by now; it matters to coverage only */
	for (unsigned h = 0; h < nr_harts; h++)
		if (harts[h] && hart_is_online(harts[h]) && harts[h] != this_hart())
			ktest_check(!hart_call_post(harts[h], &messages[h]), "post to %u", h);
	clock_delay_ns(NS_PER_MS); /* the waiters' interrupts have come, and were taken */
	irqlock_release(&lock);
}

KTEST(irqlock, a_parked_waiter_keeps_the_messages_of_others)
{
	static const struct irqlock_tuning all_park = {0, 0, 0, 1, 4, 0, false};
	struct irqlock_tuning saved = irqlock_tuning;
	unsigned n = ktest_harts(), rounds = ktest_each(20);

	if (n < 2) {
		ktest_skip("needs two harts");
		return;
	}
	irqlock_tuning = all_park;
	for (unsigned round = 0; round < rounds; round++) {
		reset_holder();
		atomic_store_u32(&nr_waiting, 0, relaxed);
		atomic_store_u32(&nr_messages, 0, relaxed);
		for (unsigned h = 0; h < nr_harts; h++)
			hart_call_init(&messages[h], message_came, NULL);
		ktest_parallel(n, message_to_waiters, NULL);
		for (unsigned h = 0; h < nr_harts; h++)
			ktest_check(ktest_eventually(hart_call_done(&messages[h])), "hart %u", h);
		ktest_check(atomic_load_u32(&nr_messages, relaxed) == n - 1, "%u of %u calls ran",
			(unsigned)atomic_load_u32(&nr_messages, relaxed), n - 1);
	}
	irqlock_tuning = saved;
}

/*
 * Every hart gets in a fixed number of times while all others never stop trying. Who has been in so
 * often waits for the others from then on, and so relaxes in between: where one host thread runs
 * all harts until a timer is due, it would else be the only one that ever ran (counting
 * instructions, QEMU gives nothing to the hart whose turn begins as the timer is due; with two
 * harts that is the same one each time, and the watchdog took it for dead).
 */
#define SHARE 500
static atomic_u32 nr_through;

static void hammer_until_all_are_through(unused_arg unsigned i, void *arg) UNCHECKED_LOCKING
{
	unsigned *n = arg, share = ktest_each(SHARE);

	for (unsigned taken = 1; atomic_load_u32(&nr_through, relaxed) < *n; taken++) {
		irqlock_acquire(&lock);
		irqlock_release(&lock);
		if (taken == share)
			atomic_add_u32(&nr_through, 1, relaxed);
		if (taken >= share)
			relax();
	}
}

KTEST(irqlock, starves_nobody)
{
	unsigned n = ktest_harts();

	reset_holder();
	atomic_store_u32(&nr_through, 0, relaxed);
	ktest_parallel(n, hammer_until_all_are_through, &n);
	ktest_check(atomic_load_u32(&nr_through, relaxed) == n, "not all came through");
}

/* ---- Lifetime ------------------------------------------------------------------------------- */

static struct irqlock *short_lived;
static atomic_u32 nr_users;

static void use_and_free(unused_arg unsigned i, unused_arg void *arg) UNCHECKED_LOCKING
{
	struct irqlock *mine = short_lived;
	bool last;

	irqlock_acquire(mine);
	last = atomic_add_u32(&nr_users, -1u, relaxed) == 1;
	irqlock_release(mine);
	if (last)
		kfree(mine);
}

KTEST(irqlock, may_be_freed_by_whoever_has_it_last)
{
	unsigned rounds = ktest_each(50);

	for (unsigned round = 0; round < rounds; round++) {
		short_lived = kmalloc(sizeof(*short_lived), 0);
		ktest_require(short_lived, "no memory");
		irqlock_init(short_lived, &torture_class);
		atomic_store_u32(&nr_users, ktest_harts(), relaxed);
		if (!ktest_parallel(ktest_harts(), use_and_free, NULL))
			return;
	}
}
