/* SPDX-License-Identifier: MIT */
/* Two irqlocks, taken in both orders; and the same in one order. */
#include "kernel/lock/irqlock.h"
#include "tests/hunt/hunt.h"

#define TURNS 3

DEFINE_LOCK_CLASS(abba_a_class, .name = "abba.a", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 100, .protects = "one half of a pair");
DEFINE_LOCK_CLASS(abba_b_class, .name = "abba.b", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 100, .protects = "the other half");

static struct irqlock a = IRQLOCK_INIT(&abba_a_class);
static struct irqlock b = IRQLOCK_INIT(&abba_b_class);
static unsigned pairs;

static void begin(void)
{
	pairs = 0;
}

/* Unchecked: which lock is which shows at run time. */
static void take_both(struct irqlock *first, struct irqlock *second) UNCHECKED_LOCKING
{
	irqlock_acquire(first);
	irqlock_acquire(second);
	pairs++;
	irqlock_release(second);
	irqlock_release(first);
}

static void opposed(unsigned me)
{
	for (unsigned i = 0; i < TURNS; i++)
		take_both(me ? &b : &a, me ? &a : &b);
}

static void ordered(unsigned me unused_arg)
{
	for (unsigned i = 0; i < TURNS; i++)
		take_both(&a, &b);
}

static void end(void)
{
	hunt_check(pairs == 2 * TURNS, "%u pairs instead of %u", pairs, 2 * TURNS);
}

HUNT_PROGRAM(abba, .help = "two irqlocks in both orders", .threads = 2, .rounds = 40,
	.begin = begin, .thread = opposed, .end = end, .fails = "deadlock", .within = 200);
HUNT_PROGRAM(abba_fixed, .help = "two irqlocks in one order", .threads = 2, .rounds = 12,
	.begin = begin, .thread = ordered, .end = end);
