/* SPDX-License-Identifier: MIT */
/* Torture of irqlocks, in their three policies, and of irqrwlocks: tests/torture/set.h. */
#include "kernel/lock/irqrwlock.h"
#include "lib/errno.h"
#include "tests/torture/set.h"

#define ANYWHERE (LOCK_IN_THREAD | LOCK_IN_IRQ)

SET_CLASSES(irqlock, .contexts = ANYWHERE);
SET_CLASSES(irqrwlock, .contexts = ANYWHERE);

/*
 * locks[], rwlocks[]
 *   Protect:  a box each (set.c).
 *   Taken by: workers and handlers.
 *   Order:    the lower index first.
 * While one is free: nobody is in its box, whose words are equal.
 */
static struct irqlock locks[SET_LOCKS];
static struct irqrwlock rwlocks[SET_LOCKS];

static struct irqlock_tuning tuned;

/* With some seeds, and in storms: waiters queue and park at once, no timer wakes them, and a head
 * is passed a few times only. */
static void begin(void)
{
	tuned = irqlock_tuning;
	if (torture_storm || torture.seed % 4 == 3) {
		irqlock_tuning.newcomer_spins = irqlock_tuning.queued_spins = 2;
		irqlock_tuning.head_spins = 2;
		irqlock_tuning.park_with_timer = false;
		irqlock_tuning.max_steals = 2;
		irqlock_tuning.steal_weight = 2;
	}
	set_begin();
}

static void end(void)
{
	set_end();
	irqlock_tuning = tuned;
}

#define IRQ_KIND .begin = begin, .end = end, .step = set_step, .handler = set_handler

/* ---- irqlock --------------------------------------------------------------------------------- */

static void init_queue(unsigned i)
{
	irqlock_init_policy(&locks[i], irqlock_classes[i], IRQLOCK_QUEUE);
}

static void init_fifo(unsigned i)
{
	irqlock_init_policy(&locks[i], irqlock_classes[i], IRQLOCK_FIFO);
}

static void init_tas(unsigned i)
{
	irqlock_init_policy(&locks[i], irqlock_classes[i], IRQLOCK_TAS);
}

/* Unchecked, here and below: which lock it is, and whether it was taken, is known at run time. */
static bool enter(const struct set_entry *e) UNCHECKED_LOCKING
{
	bool got = true;

	if (e->how == HOW_TRY)
		got = irqlock_try(&locks[e->box]);
	else
		irqlock_acquire(&locks[e->box]);
	torture_check(!got || irqlock_held_by_me(&locks[e->box]), FOUND_STATE,
		"lock %u is not held by who has it", e->box);
	return got;
}

static void leave(const struct set_entry *e) UNCHECKED_LOCKING
{
	irqlock_release(&locks[e->box]);
	/* Who has interrupts on has none. */
	torture_check(!arch_irq_enabled() || !irqlock_held_by_me(&locks[e->box]), FOUND_STATE,
		"lock %u is held with interrupts on", e->box);
}

#define IRQLOCK_OPS(init_) {.irqs_off = true, .init = (init_), .enter = enter, .leave = leave}
static const struct set_ops queue_ops = IRQLOCK_OPS(init_queue);
static const struct set_ops fifo_ops = IRQLOCK_OPS(init_fifo);
static const struct set_ops tas_ops = IRQLOCK_OPS(init_tas);

TORTURE(irqlock_queue, NOT_EXCLUSIVE | LOST_WAKEUP | UNFAIR | LEAKS_IRQ,
	.help = "irqlock: queue with bounded stealing", .points = "irqlock_ park_",
	.arg = &queue_ops, IRQ_KIND);
TORTURE(irqlock_fifo, NOT_EXCLUSIVE | LOST_WAKEUP | UNFAIR | LEAKS_IRQ,
	.help = "irqlock: queue strictly in order", .points = "", .arg = &fifo_ops, IRQ_KIND);
/* Without a queue there is no promise of fairness to break. Nobody ever parks: where many more
 * spin than the host has cores, the one that has the lock hardly runs. */
TORTURE(irqlock_tas, NOT_EXCLUSIVE | LOST_WAKEUP | LEAKS_IRQ, .help = "irqlock: test and set",
	.points = "", .unfair = true, .workers = 24, .arg = &tas_ops, IRQ_KIND);

/* ---- irqrwlock ------------------------------------------------------------------------------- */

static void init_rw(unsigned i)
{
	irqrwlock_init(&rwlocks[i], irqrwlock_classes[i]);
}

static bool enter_rw(const struct set_entry *e) UNCHECKED_LOCKING
{
	struct irqrwlock *lock = &rwlocks[e->box];

	if (e->write) {
		if (e->how == HOW_TRY)
			return irqrwlock_write_try(lock);
		irqrwlock_write_acquire(lock);
		return true;
	}
	if (e->how == HOW_TRY) {
		if (!irqrwlock_read_try(lock))
			return false;
	} else {
		irqrwlock_read_acquire(lock);
	}
	if (e->again)
		irqrwlock_read_acquire_nested(lock);
	return true;
}

static void leave_rw(const struct set_entry *e) UNCHECKED_LOCKING
{
	struct irqrwlock *lock = &rwlocks[e->box];

	torture_check(irqrwlock_held_by_me(lock), FOUND_STATE, "lock %u is not held by who has it",
		e->box);
	if (e->write) {
		irqrwlock_write_release(lock);
	} else {
		if (e->again)
			irqrwlock_read_release(lock);
		irqrwlock_read_release(lock);
	}
	torture_check(!arch_irq_enabled() || !irqrwlock_held_by_me(lock), FOUND_STATE,
		"lock %u is held with interrupts on", e->box);
}

static const struct set_ops rw_ops = {
	.irqs_off = true,
	.readers = true,
	.init = init_rw,
	.enter = enter_rw,
	.leave = leave_rw,
};
TORTURE(irqrwlock, NOT_EXCLUSIVE | LOST_WAKEUP | UNFAIR | LEAKS_IRQ,
	.help = "irqrwlock: readers and writers with interrupts off", .points = "irqrwlock_",
	.arg = &rw_ops, IRQ_KIND);
