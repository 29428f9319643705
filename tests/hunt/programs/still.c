/* SPDX-License-Identifier: MIT */
/*
 * Everybody stands still: two harts wait, with interrupts off, for each other's answer, and a third
 * one for them. Their waits are recorded as the kernel's own are (kernel/lock/waiting.h), but
 * nobody looks for a circle as he begins his: it is found when nobody goes on any more, also by
 * the third one, who is not in it.
 */
#include "kernel/hart/hart.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/relax.h"
#include "tests/hunt/hunt.h"

static atomic_u32 answered[2]; /* relaxed: nothing but themselves */
static bool is_crossed;

static void begin_crossed(void)
{
	is_crossed = true;
	for (unsigned i = 0; i < 2; i++)
		atomic_store_u32(&answered[i], 0, relaxed);
}

static void begin_ordered(void)
{
	begin_crossed();
	is_crossed = false;
}

static void until_answered(unsigned by)
{
	hunt_waits("an answer");
	while (!atomic_load_u32(&answered[by], relaxed))
		relax();
	hunt_got("an answer");
}

static void ask(unsigned me)
{
	struct lock_wait *wait = &lock_thread()->wait;

	/* In the right program one of the two answers first. */
	if (me && !is_crossed)
		atomic_store_u32(&answered[me], 1, relaxed);
	irq_off();
	hunt_step("asks the other one");
	wait_begins(wait, WAIT_CALL | WAIT_IRQS_OFF, lock_harts[1 - me], NULL, 1 - me);
	until_answered(1 - me);
	wait_ends(wait);
	irq_on();
	atomic_store_u32(&answered[me], 1, relaxed);
}

static void thread(unsigned me)
{
	if (me < 2)
		ask(me);
	else
		until_answered(0);
}

HUNT_PROGRAM(still, .help = "two harts wait for each other, a third one for them", .threads = 3,
	.rounds = 12, .begin = begin_crossed, .thread = thread, .fails = "deadlock", .within = 200);
HUNT_PROGRAM(still_fixed, .help = "the same, and one answers first", .threads = 3, .rounds = 12,
	.begin = begin_ordered, .thread = thread);
