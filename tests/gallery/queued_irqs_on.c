/* SPDX-License-Identifier: MIT */
/*
 * queued_irqs_on: a waiter in the queue of a lock leaves interrupts on, and a handler queues behind
 * it.
 *
 * What is wrong
 *   A fair lock gives numbers. To keep latency low a waiter leaves interrupts on until it is its
 *   turn, and turns them off then: the lock is held with interrupts off, as it must be, so the
 *   rule of irq_reentry is kept. But the waiter has drawn its number. A handler that comes on its
 *   hart draws the next one and spins for it; the number before it is that of the thread
 *   underneath, which cannot go on before the handler returns. The lock is free, and nobody ever
 *   takes it.
 *
 * How it shows
 *   Two or more harts spin at a lock that nobody holds. No order of locks is hurt, no handler has
 *   interrupted a holder; a lock without a queue does not have it, so it comes in with "fairness".
 *
 * How it is found
 *   By the hunt: one hart holds the lock, a second one waits, and the interrupt has to reach the
 *   second one there. The schedule places interrupts as it places changes of priority:
 *
 *	hunt: program=gallery_queued_irqs_on ... verdict=deadlock
 *
 *   Seeds to find: 1, with the image that this was written with; each is twelve schedules. The card
 *   has the circle of one hart: its handler waits behind the thread below it.
 *
 * The fix
 *   Interrupts off before the number is drawn, until the release. To keep latency low for all
 *   that, a waiter may try for a while with interrupts on before it draws one
 *   (kernel/lock/irqlock.c), and one that is queued answers urgent requests of others as it waits.
 */
#include "tests/gallery/gallery.h"

#define TIMES 3

/* The lock. next: relaxed, a number each; serving: release to give, acquire to wait. */
static atomic_u32 next, serving;
static bool is_fixed;

static void ticket_take(void)
{
	uint32_t mine;

	if (is_fixed)
		irq_off();
	mine = atomic_add_u32(&next, 1, relaxed);
	hunt_step("drew a number");
	toy_until("its turn", atomic_load_u32(&serving, acquire) == mine);
	hunt_holds("its turn");
	if (!is_fixed)
		irq_off();
}

static void ticket_give(void)
{
	atomic_add_u32(&serving, 1, release);
	hunt_gave("its turn");
	irq_on();
}

static void handler(void)
{
	ticket_take();
	ticket_give();
}

static void thread(unsigned me unused_arg)
{
	for (unsigned i = 0; i < TIMES; i++) {
		ticket_take();
		hunt_step("is inside");
		ticket_give();
	}
}

static void reset(void)
{
	atomic_store_u32(&next, 0, relaxed);
	atomic_store_u32(&serving, 0, relaxed);
}

GALLERY_HUNTED(queued_irqs_on, "a queued waiter with interrupts on", "deadlock", reset,
	.threads = 2, .thread = thread, .handler = handler);
