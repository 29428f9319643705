/* SPDX-License-Identifier: MIT */
/*
 * try_window: a try takes the lock, and turns interrupts off when it has it.
 *
 * What is wrong
 *   A try shall not turn interrupts off for nothing: so it first takes the word, and only if that
 *   went well turns them off. Between the two the lock is held with interrupts on. It is a window
 *   of one instruction, but it is one: a handler that comes there and wants the lock finds it
 *   taken by the thread it has interrupted, and spins for ever. The plain acquire was written by
 *   the book; the try was "just a shorter form of it". The allocator's lock in the same project
 *   had it too.
 *
 * How it shows
 *   As irq_reentry, but a thousand times rarer, and in the one function that by its name can't
 *   deadlock, as it never waits.
 *
 * How it is found
 *   By the hunt, which places interrupts: one has to arrive in the window. Then the handler waits
 *   and nobody gets any further:
 *
 *	hunt: program=gallery_try_window ... verdict=deadlock
 *
 *   Seeds to find: 1, with the image that this was written with; each is twelve schedules. The card
 *   has the circle of one hart: its handler waits for what the thread below it has.
 *
 *   The lock checker cannot see a lock that it is not told of; told of it, it would report the
 *   class at once (irq_reentry).
 *
 * The fix
 *   Off, try, and back on if it failed. Turning interrupts off for nothing costs two instructions.
 */
#include "tests/gallery/gallery.h"

#define TRIES 4

static atomic_u32 word; /* 1: taken; acquire to take, release to give */
static bool is_fixed;

static bool take(void)
{
	uint32_t free = 0;

	if (!atomic_cas_u32(&word, &free, 1, acquire))
		return false;
	hunt_holds("the lock");
	return true;
}

static bool try_lock(void)
{
	if (is_fixed)
		irq_off();
	if (!take()) {
		if (is_fixed)
			irq_on();
		return false;
	}
	hunt_step("has the word");
	if (!is_fixed)
		irq_off();
	hunt_got("the lock");
	return true;
}

static void give(void)
{
	atomic_store_u32(&word, 0, release);
	hunt_gave("the lock");
	irq_on();
}

/* By the book. */
static void handler(void)
{
	irq_off();
	toy_until("the lock", take());
	give();
}

static void thread(unsigned me unused_arg)
{
	for (unsigned i = 0; i < TRIES; i++) {
		hunt_step("is about to try");
		if (try_lock())
			give();
	}
}

static void reset(void)
{
	atomic_store_u32(&word, 0, relaxed);
}

GALLERY_HUNTED(try_window, "a try that turns interrupts off afterwards", "deadlock", reset,
	.threads = 1, .thread = thread, .handler = handler);
