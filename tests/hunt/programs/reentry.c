/* SPDX-License-Identifier: MIT */
/*
 * A lock of a thread that an interrupt handler on the same hart takes, too: with interrupts left on
 * while it is held, and with an irqlock.
 */
#include "kernel/lock/irqlock.h"
#include "kernel/lock/relax.h"
#include "tests/hunt/hunt.h"

#define TURNS 6

DEFINE_LOCK_CLASS(reentry_class, .name = "reentry", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 100,
	.protects = "a count that a handler raises as well");

static atomic_u32 bare; /* 1: taken */
static struct irqlock lock = IRQLOCK_INIT(&reentry_class);
static unsigned count, by_handler;

static void begin(void)
{
	atomic_store_u32(&bare, 0, relaxed);
	count = 0;
	by_handler = 0;
}

static void bare_acquire(void)
{
	/* Acquire; partner: bare_release. */
	if (atomic_xchg_u32(&bare, 1, acquire)) {
		hunt_waits("the bare lock");
		while (atomic_xchg_u32(&bare, 1, acquire))
			relax();
	}
	hunt_holds("the bare lock");
	hunt_got("the bare lock");
}

static void bare_release(void)
{
	/* Release; partner: bare_acquire. */
	atomic_store_u32(&bare, 0, release);
	hunt_gave("the bare lock");
}

static void bare_thread(unsigned me unused_arg)
{
	for (unsigned i = 0; i < TURNS; i++) {
		bare_acquire();
		count++;
		hunt_step("counts");
		bare_release();
	}
}

static void bare_handler(void)
{
	bare_acquire();
	by_handler++;
	bare_release();
}

static void thread(unsigned me unused_arg)
{
	for (unsigned i = 0; i < TURNS; i++) {
		irqlock_acquire(&lock);
		count++;
		hunt_step("counts");
		irqlock_release(&lock);
	}
}

static void handler(void)
{
	irqlock_acquire(&lock);
	by_handler++;
	irqlock_release(&lock);
}

static void end(void)
{
	hunt_check(count == TURNS, "%u instead of %u", count, TURNS);
}

HUNT_PROGRAM(reentry, .help = "a handler takes what its own hart's thread holds", .threads = 1,
	.rounds = 12, .begin = begin, .thread = bare_thread, .handler = bare_handler, .end = end,
	.fails = "deadlock", .within = 200);
HUNT_PROGRAM(reentry_fixed, .help = "the same with an irqlock", .threads = 1, .rounds = 12,
	.begin = begin, .thread = thread, .handler = handler, .end = end);
