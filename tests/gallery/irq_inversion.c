/* SPDX-License-Identifier: MIT */
/*
 * irq_inversion: a handler's lock depends, over a third place, on one that is held with interrupts
 * on.
 *
 * What is wrong
 *   Every use looks right. The handler takes the ring's lock; threads take it with interrupts off,
 *   as they must. The statistics' lock is never taken by a handler, so threads leave interrupts on
 *   under it. But one thread that holds the ring's lock adds to the statistics. So: hart 0 is in
 *   the statistics, with interrupts on. Hart 1 has the ring and waits for the statistics. Now the
 *   device interrupts hart 0, and the handler waits for the ring: for hart 1, which waits for the
 *   thread under the handler's feet.
 *
 * How it shows
 *   Two harts stand still, one of them in a handler, and the lock that the handler waits for is
 *   held by a hart that did everything by the book. The two rules that people remember (handlers
 *   take only locks that are taken with interrupts off; one order for all) are both kept.
 *
 * How it is found
 *   By the lock checker: the interrupt context is a node of its graph. Handler -> ring ->
 *   statistics -> handler ("it is held with interrupts on, so its holder may have to wait for a
 *   handler's end") is a cycle of three, reported as the last of these is seen for the first time:
 *
 *	lockcheck: kind=irq what=irq class=gallery.inversion.ring ...
 *
 *   The three sightings may be on one hart, seconds apart, in any order. As in irq_reentry the
 *   locks are spin locks of the entry's own that leave interrupts alone, and the handler is
 *   played.
 *
 * The fix
 *   What is taken under a lock of handlers is a lock of handlers itself: the statistics are taken
 *   with interrupts off everywhere. Or the thread notes the number and adds it after it has given
 *   the ring up, which cuts the edge instead.
 */
#include "kernel/lock/check_test.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(ring_class, "inversion.ring");
GALLERY_CLASS(statistics_class, "inversion.statistics");

static char ring, statistics; /* addresses are all that the checker needs of a lock */

static void handler_fills_ring(void)
{
	locktest_irq_enter(IRQ_EXTERNAL);
	if (locktest_acquire_raw(&ring, &ring_class, 0))
		locktest_release_raw(&ring, &ring_class, 0);
	locktest_irq_exit();
}

static void thread_empties_ring(void)
{
	locktest_irq_disable();
	if (locktest_acquire_raw(&ring, &ring_class, 0)) {
		if (locktest_acquire_raw(&statistics, &statistics_class, 0))
			locktest_release_raw(&statistics, &statistics_class, 0);
		locktest_release_raw(&ring, &ring_class, 0);
	}
	locktest_irq_enable();
}

static void thread_prints_statistics(bool fixed)
{
	if (fixed)
		locktest_irq_disable();
	if (locktest_acquire_raw(&statistics, &statistics_class, 0))
		locktest_release_raw(&statistics, &statistics_class, 0);
	if (fixed)
		locktest_irq_enable();
}

GALLERY_CHECKED(
	irq_inversion, "a handler's lock waits for one held with interrupts on", KIND_IRQ, "irq", 1)
{
	locktest_sim_begin();
	thread_empties_ring();
	handler_fills_ring();
	thread_prints_statistics(fixed);
	locktest_sim_end();
}
