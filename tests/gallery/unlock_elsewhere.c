/* SPDX-License-Identifier: MIT */
/*
 * unlock_elsewhere: the hart that gives a lock up is not the one that took it.
 *
 * What is wrong
 *   A request is begun on one hart and finished on another. It seemed natural that the first one
 *   takes the device's lock and the second one gives it up: "the lock is held while the request is
 *   under way". But an irqlock is part of its hart's state. The first hart has interrupts off and
 *   one section open; the second one has neither. The release on the second hart ends a section
 *   that it never began: its count wraps around, and it turns on or off what it should not; and
 *   the first one keeps interrupts off for good.
 *
 * How it shows
 *   The first hart goes quiet: no ticks, no messages. The second one believes that it is four
 *   thousand million sections deep, and refuses to sleep or lets interrupts in too early. Both,
 *   long after the release that did it.
 *
 * How it is found
 *   By the lock checker, at the release. The lock is not on the record of the hart that releases,
 *   and the report says on whose record it is, and where that one acquired it:
 *
 *	lockcheck: kind=ownership what=release class=gallery.elsewhere ...
 *	lock checker: gallery.elsewhere released, but hart 0 holds it
 *
 *   Every run on two harts finds it.
 *
 * The fix
 *   "A request is under way" is not a lock but a state, which the lock protects: each hart takes
 *   the lock for itself to change it. Who has to wait until it is over waits for a completion.
 */
#include "kernel/hart/hart.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(elsewhere_class, "elsewhere");

static struct irqlock device = IRQLOCK_INIT(&elsewhere_class); /* Protects: under_way */
static bool under_way GUARDED_BY(&device);
static atomic_u32 stage;
static bool is_fixed;

static void reach(uint32_t n)
{
	atomic_store_u32(&stage, n, release); /* partner: await */
}

static void await(uint32_t n)
{
	while (atomic_load_u32(&stage, acquire) < n)
		relax();
}

/* Unchecked: held from one function to the other is the mistake. */
static void begin_request(void) UNCHECKED_LOCKING
{
	irqlock_acquire(&device);
	under_way = true;
	if (is_fixed)
		irqlock_release(&device);
	reach(1);
	await(2);
	if (!is_fixed)
		irqlock_release(&device); /* a counted report has left it held */
}

static void finish_request(void) UNCHECKED_LOCKING
{
	await(1);
	if (is_fixed)
		irqlock_acquire(&device);
	under_way = false;
	irqlock_release(&device);
	reach(2);
}

static void finisher(void *arg unused_arg)
{
	finish_request();
}

/* A thread on another hart than this one, which is not left before it has ended. */
static void on_two_harts(void) UNCHECKED_LOCKING
{
	struct thread *t = thread_create("finisher", finisher, NULL);
	struct hart_mask here, others;

	if (!t) {
		gallery_fail("no memory for the thread");
		return;
	}
	hart_mask_zero(&here);
	hart_mask_zero(&others);
	hart_mask_set(&here, hart_mask_first(&harts_online));
	hart_mask_set(&others, hart_mask_next(&harts_online, hart_mask_first(&harts_online)));
	sched_set_affinity(current_thread(), &here);
	sched_set_affinity(t, &others);
	thread_run(t);
	begin_request();
	thread_join(t, NULL);
}

GALLERY_CHECKED(unlock_elsewhere, "released by another hart", KIND_OWNERSHIP, "release", 2)
{
	is_fixed = fixed;
	atomic_store_u32(&stage, 0, relaxed);
	on_two_harts();
}
