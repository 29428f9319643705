/* SPDX-License-Identifier: MIT */
/*
 * saved_state: the interrupt state is kept in the lock, and read after the lock was given up.
 *
 * What is wrong
 *   An acquire turns interrupts off and keeps what they were before in the lock, where only the
 *   holder may write. The release gives the lock up and then puts the state back: it reads it from
 *   the lock. In between another hart may have taken the lock and put its own state there. If that
 *   one had interrupts off, the first one now has them off for good; if it had them on, the first
 *   one, maybe deep inside another section, turns them on.
 *
 * How it shows
 *   A hart with interrupts off and nothing held: it looks dead, until its thread sleeps. Or
 *   interrupts in the middle of a section, with all that follows from that (constant_restore).
 *
 * How it is found
 *   By the hunt: the other hart's acquire has to fall between the two steps. Each hart then
 *   compares what it has with what it had:
 *
 *	hunt: program=gallery_saved_state ... verdict=wrong
 *
 *   Seeds to find: 1, with the image that this was written with; each is twelve schedules.
 *
 * The fix
 *   Read everything that belongs to the holder before giving up, and keep interrupt state where it
 *   belongs: with the hart and its running thread, as in kernel/lock/context.h, not in the lock.
 */
#include "tests/gallery/gallery.h"

static struct toy_lock {
	atomic_u32 word;    /* 1: taken; acquire to take, release to give */
	atomic_bool before; /* relaxed: the holder's */
} lock;
static bool is_fixed;

static bool take(void)
{
	uint32_t free = 0;

	return atomic_cas_u32(&lock.word, &free, 1, acquire);
}

static void acquire_lock(void)
{
	bool before = arch_irq_save();

	toy_until("the lock", take());
	atomic_store_bool(&lock.before, before, relaxed);
}

static void release_lock(void)
{
	bool before = atomic_load_bool(&lock.before, relaxed);

	hunt_step("is about to leave");
	atomic_store_u32(&lock.word, 0, release);
	hunt_step("gave it up");
	if (!is_fixed)
		before = atomic_load_bool(&lock.before, relaxed);
	arch_irq_restore(before);
}

/* The first hart comes with interrupts on, the second one with interrupts off. */
static void thread(unsigned me)
{
	bool had;

	if (me == 1)
		irq_off();
	had = arch_irq_enabled();
	hunt_step("is about to enter");
	acquire_lock();
	hunt_step("is inside");
	release_lock();
	hunt_check(arch_irq_enabled() == had, "interrupts are not as they were before the acquire");
	if (me == 1)
		irq_on();
}

static void reset(void)
{
	atomic_store_u32(&lock.word, 0, relaxed);
}

GALLERY_HUNTED(saved_state, "interrupt state read from a lock that is given up", "wrong", reset,
	.threads = 2, .thread = thread);
