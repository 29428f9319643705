/* SPDX-License-Identifier: MIT */
/*
 * holder_preempted: the holder of a spin lock is switched away from, for one who spins for it.
 *
 * What is wrong
 *   A lock that spins and leaves interrupts and preemption on: "no handler takes it". While a fair
 *   thread holds it a real-time thread is woken on the same hart. It preempts the holder, as it
 *   should, and spins for the lock. The holder would give it up, if it ran; but it has the lower
 *   priority on the one hart that it may run on. Without priorities it is not a deadlock but a
 *   spin of a whole time slice, which is worse in one way: nobody looks for it.
 *
 * How it shows
 *   A hart that is busy and does nothing. Interrupts come and go, the watchdog's tick is served;
 *   the scheduler would run something else, if the spinner ever slept.
 *
 * How it is found
 *   By the hunt: the third party, on another hart, has to wake the real-time thread while the fair
 *   one is inside. The threads, priorities and the wake-up are the kernel's, the lock is the
 *   entry's:
 *
 *	hunt: program=gallery_holder_preempted ... verdict=deadlock
 *
 *   Seeds to find: 1, with the image that this was written with; each is twelve schedules. The card
 *   has a circle of which the scheduler is a part: the one who waits has the hart, the other one
 *   the lock.
 *
 * The fix
 *   Preemption off while a spinning lock is held; with the kernel's irqlock interrupts are off,
 *   and that is stronger. Or let the waiter sleep and the holder inherit its priority (mutex).
 */
#include "kernel/sched/sched.h"
#include "kernel/wait/completion.h"
#include "tests/gallery/gallery.h"

#define PRIO_OF_URGENT 50
#define TIMES 4

DEFINE_LOCK_CLASS(alarm_class, .name = "gallery.preempted.alarm", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000,
	.protects = "the waiter of a planted bug");

static atomic_u32 spin; /* the lock: 1 is taken; acquire to take, release to give */
static struct completion alarm = COMPLETION_INIT(&alarm_class);
static bool is_fixed;

static bool spin_try(void)
{
	uint32_t free = 0;

	if (!atomic_cas_u32(&spin, &free, 1, acquire))
		return false;
	hunt_holds("the lock");
	return true;
}

static void spin_give(void)
{
	atomic_store_u32(&spin, 0, release);
	hunt_gave("the lock");
}

static void hold(void)
{
	for (unsigned i = 0; i < TIMES; i++) {
		if (is_fixed)
			preempt_disable();
		toy_until("the lock", spin_try());
		hunt_step("is inside");
		spin_give();
		if (is_fixed)
			preempt_enable();
		hunt_step("is outside");
	}
}

static void urgent(void)
{
	struct hart_mask first;

	hart_mask_zero(&first);
	hart_mask_set(&first, 0);
	sched_set_priority(current_thread(), SCHED_FIFO, PRIO_OF_URGENT);
	sched_set_affinity(current_thread(), &first);
	wait_for_completion(&alarm);
	toy_until("the lock", spin_try());
	spin_give();
}

static void ring(void)
{
	hunt_step("is about to ring");
	complete(&alarm);
}

/* The first and the second one share hart 0, the third one is elsewhere. */
static void thread(unsigned me)
{
	static void (*const parts[])(void) = {hold, urgent, ring};

	parts[me]();
}

static void reset(void)
{
	atomic_store_u32(&spin, 0, relaxed);
	completion_reset(&alarm);
}

GALLERY_HUNTED(holder_preempted, "a spinning waiter preempts the holder", "deadlock", reset,
	.threads = 3, .thread = thread);
