/* SPDX-License-Identifier: MIT */
/*
 * External interrupts through the real controller, from a source that is raised at will (alarm.h).
 */
#include "kernel/irq/irq.h"
#include "kernel/lock/check_test.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/relax.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "tests/kernel/alarm.h"
#include "tests/kernel/ktest.h"
#include "tests/kernel/on_hart.h"

#define ROUNDS 100

KTEST(irq, each_interrupt_is_handled_once_in_a_handler)
{
	if (!alarm_open())
		return ktest_skip(NO_ALARM);
	ktest_check(irq_register(alarm.source, "alarm", alarm_handle, NULL) == 0, "register");
	for (unsigned i = 0; i < ROUNDS; i++) {
		alarm_raise();
		ktest_check(wait_count(&alarm.handled, i + 1), "interrupt %u never came", i);
	}
	ktest_check(alarm.in_handler, "not in a handler");
	ktest_check(irq_unregister(alarm.source) == 0, "unregister");
	ktest_check(
		counted(&alarm.handled) == ROUNDS, "%u for %u", counted(&alarm.handled), ROUNDS);
	alarm_close();
}

static const uint32_t *counts_of(unsigned source)
{
	struct irq_info info;

	for (unsigned i = 0; irq_info(i, &info); i++)
		if (info.source == source)
			return info.counts;
	return NULL;
}

KTEST(irq, affinity_decides_which_hart_is_interrupted)
{
	const uint32_t *counts;
	unsigned seen = 0;

	if (!alarm_open())
		return ktest_skip(NO_ALARM);
	ktest_check(irq_register(alarm.source, "alarm", alarm_handle, NULL) == 0, "register");
	counts = counts_of(alarm.source);
	for_each_hart(h) {
		struct hart_mask only;
		uint32_t before = counts[h->index];

		if (!hart_is_online(h) || h->irqchip != alarm_controller())
			continue;
		hart_mask_zero(&only);
		hart_mask_set(&only, h->index);
		ktest_check(irq_set_affinity(alarm.source, &only) == 0, "hart %u", h->index);
		alarm_raise();
		ktest_check(wait_count(&alarm.handled, ++seen), "hart %u", h->index);
		ktest_check(alarm.hart == h->index, "hart %u instead of %u", alarm.hart, h->index);
		ktest_check(counts[h->index] == before + 1, "counted %u",
			(unsigned)(counts[h->index] - before));
	}
	ktest_check(irq_unregister(alarm.source) == 0, "unregister");
	alarm_close();
}

/* Routes change all the time while interrupts come: none is lost, none comes twice. A completion on
 * a hart that has lost the route would silence the source for ever. */
static atomic_u32 moving, moves;

static void move_body(void *arg unused_arg)
{
	struct rng r;

	rng_seed(&r, 7);
	while (counted(&moving)) {
		struct hart_mask mask;

		hart_mask_zero(&mask);
		hart_mask_set(&mask, alarm_hart((unsigned)rng_below(&r, nr_harts))->index);
		if (irq_set_affinity(alarm.source, &mask) == 0)
			atomic_add_u32(&moves, 1, relaxed);
		sched_yield();
	}
}

KTEST(irq, a_source_that_changes_harts_loses_no_interrupt)
{
	struct thread *mover;

	if (!alarm_open())
		return ktest_skip(NO_ALARM);
	if (alarm_harts() < 2) {
		alarm_close();
		return ktest_skip("one hart has the alarm");
	}
	atomic_store_u32(&moving, 1, relaxed);
	atomic_store_u32(&moves, 0, relaxed);
	ktest_check(irq_register(alarm.source, "alarm", alarm_handle, NULL) == 0, "register");
	mover = thread_spawn("mover", move_body, NULL);
	ktest_check(mover && wait_count(&moves, 1), "it never moves");
	for (unsigned i = 0; mover && i < 5 * ROUNDS; i++) {
		alarm_raise();
		if (!wait_count(&alarm.handled, i + 1)) {
			ktest_check(false, "interrupt %u never came", i);
			break;
		}
	}
	atomic_store_u32(&moving, 0, release);
	if (mover)
		thread_join(mover, NULL);
	ktest_check(irq_unregister(alarm.source) == 0, "unregister");
	ktest_check(counted(&alarm.handled) == 5 * ROUNDS, "%u", counted(&alarm.handled));
	alarm_close();
}

/* ---- Taking handlers away -------------------------------------------------------------------- */

static atomic_u32 inside, leave, begun, gone;

static void long_handle(void *arg)
{
	alarm_handle(arg);
	atomic_store_u32(&inside, 1, release);
	while (!counted(&leave))
		relax();
	atomic_store_u32(&inside, 2, release);
}

/* Made before the handler runs, which may keep a hart from what making a thread asks of it. */
static void unregister_body(void *arg unused_arg)
{
	while (!counted(&inside))
		sched_yield();
	atomic_store_u32(&begun, 1, release);
	irq_unregister(alarm.source);
	atomic_store_u32(&gone, counted(&inside), release);
}

KTEST(irq, unregister_waits_for_a_handler_that_runs_on_another_hart)
{
	struct hart_mask only;
	struct thread *t;

	if (!alarm_open())
		return ktest_skip(NO_ALARM);
	if (alarm_harts() < 2) {
		alarm_close();
		return ktest_skip("one hart has the alarm");
	}
	bind_to_first();
	atomic_store_u32(&inside, 0, relaxed);
	atomic_store_u32(&leave, 0, relaxed);
	atomic_store_u32(&begun, 0, relaxed);
	atomic_store_u32(&gone, 0, relaxed);
	hart_mask_zero(&only);
	hart_mask_set(&only, alarm_hart(1)->index);
	ktest_check(irq_register(alarm.source, "alarm", long_handle, NULL) == 0, "register");
	ktest_check(irq_set_affinity(alarm.source, &only) == 0, "affinity");
	alarm_raise();
	t = spawn_on(online_hart(0)->index, "unregister", unregister_body, NULL);
	while (t && !counted(&inside))
		relax();
	ktest_check(t && wait_count(&begun, 1), "it never begins");
	sched_sleep_ns(2 * NS_PER_MS);
	ktest_check(counted(&gone) == 0, "it did not wait");
	atomic_store_u32(&leave, 1, release);
	ktest_check(t && wait_count(&gone, 2), "it never returned");
	if (t)
		thread_join(t, NULL);
	alarm_close();
	unbind();
}

static void once_handle(void *arg)
{
	alarm_handle(arg);
	if (irq_unregister(alarm.source))
		atomic_add_u32(&gone, 100, relaxed);
	atomic_add_u32(&gone, 1, release);
}

KTEST(irq, a_handler_may_take_itself_away)
{
	if (!alarm_open())
		return ktest_skip(NO_ALARM);
	for (unsigned i = 0; i < 10; i++) {
		atomic_store_u32(&gone, 0, relaxed);
		ktest_check(
			irq_register(alarm.source, "alarm", once_handle, NULL) == 0, "register");
		alarm_raise();
		ktest_check(wait_count(&gone, 1), "it never came");
		ktest_check(counted(&gone) == 1, "unregister failed in the handler");
		ktest_check(irq_unregister(alarm.source) == -ENOENT, "it is still there");
	}
	alarm_close();
}

#define NEEDED_CLASS(var, name_) \
	DEFINE_LOCK_CLASS(var, .name = (name_), .rank = RANK_TEST_SPIN_OUTER, \
		.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000000, \
		.protects = "nothing: a handler takes it, or does not")
NEEDED_CLASS(needed_class, "test.irq.needed");
NEEDED_CLASS(unneeded_class, "test.irq.unneeded");
static struct irqlock needed = IRQLOCK_INIT(&needed_class);
static struct irqlock unneeded = IRQLOCK_INIT(&unneeded_class);

static void needing_handle(void *arg)
{
	irqlock_acquire(&needed);
	irqlock_release(&needed);
	alarm_handle(arg);
}

/* The handler has run and needs nothing any more: the wait itself ends. Returns the reports. */
static unsigned unregister_under(struct irqlock *lock)
{
	uint32_t before = counted(&alarm.handled);
	unsigned reports, strays;

	ktest_check(irq_register(alarm.source, "alarm", needing_handle, NULL) == 0, "register");
	alarm_raise();
	ktest_check(wait_count(&alarm.handled, before + 1), "it never came");
	lockcheck_expect_begin(KIND_ORDER);
	irqlock_acquire(lock);
	ktest_check(irq_unregister(alarm.source) == 0, "unregister");
	irqlock_release(lock);
	reports = lockcheck_expect_end(&strays);
	ktest_check(strays == 0, "%u of other kinds", strays);
	return reports;
}

KTEST(irq, waiting_for_a_handler_under_a_lock_that_it_takes_is_reported)
{
	if (!CONFIG_LOCKCHECK)
		return ktest_skip("the checker is compiled out");
	if (!alarm_open())
		return ktest_skip(NO_ALARM);
	locktest_forget_all();
	ktest_check(unregister_under(&unneeded) == 0, "another lock");
	ktest_check(unregister_under(&needed) == 1, "not reported");
	ktest_check(unregister_under(&unneeded) == 0, "another lock, afterwards");
	locktest_forget_all();
	alarm_close();
}

/* The source is masked without a handler; what was raised meanwhile comes when there is one again.
 */
KTEST(irq, a_source_without_a_handler_stays_masked_until_it_has_one)
{
	if (!alarm_open())
		return ktest_skip(NO_ALARM);
	ktest_check(irq_register(alarm.source, "alarm", alarm_handle, NULL) == 0, "register");
	ktest_check(irq_unregister(alarm.source) == 0, "unregister");
	alarm_raise();
	sched_sleep_ns(5 * NS_PER_MS);
	ktest_check(counted(&alarm.handled) == 0, "handled by nobody");
	ktest_check(irq_register(alarm.source, "alarm", alarm_handle, NULL) == 0, "register");
	ktest_check(wait_count(&alarm.handled, 1), "it never came");
	ktest_check(irq_unregister(alarm.source) == 0, "unregister");
	alarm_close();
}

KTEST(irq, registering_nonsense_is_refused)
{
	struct hart_mask none;

	if (!alarm_open())
		return ktest_skip(NO_ALARM);
	hart_mask_zero(&none);
	ktest_check(irq_register(0, "x", alarm_handle, NULL) == -EINVAL, "source 0");
	ktest_check(irq_register(IRQ_SOURCE_MAX, "x", alarm_handle, NULL) == -EINVAL, "too large");
	ktest_check(irq_unregister(IRQ_SOURCE_MAX + 5) == -ENOENT, "too large");
	ktest_check(irq_set_affinity(0, &none) == -EINVAL, "source 0");
	ktest_check(irq_register(alarm.source, "alarm", alarm_handle, NULL) == 0, "register");
	ktest_check(irq_register(alarm.source, "x", alarm_handle, NULL) == -EBUSY, "twice");
	ktest_check(irq_set_affinity(alarm.source, &none) == -ENODEV, "no hart");
	alarm_raise();
	ktest_check(wait_count(&alarm.handled, 1), "the refusals changed something");
	ktest_check(irq_unregister(alarm.source) == 0, "unregister");
	ktest_check(irq_unregister(alarm.source) == -ENOENT, "twice");
	alarm_close();
}
