/* SPDX-License-Identifier: MIT */
/*
 * pi_timeout: a timed wait for a lock gives up, and takes its boost back from an owner that is no
 * more.
 *
 * What is wrong
 *   A waiter lends its priority to the lock's owner. When its time is over it takes the loan back:
 *   if there is an owner, it sets that one's priority anew. Between the question and the setting
 *   the owner unlocks, and there is none, or, worse, another one, who loses a priority that it
 *   never borrowed from this waiter.
 *
 * How it shows
 *   A fault at a small address in the path of the time-out, only when the time is over at the very
 *   moment of the unlock. A system whose time-outs are well above what its locks take sees it when
 *   it is overloaded, and only then.
 *
 * How it is found
 *   By the hunt. The lock is a toy with an owner and a boost; the end of the waiting time is a
 *   number of looks, so that it is an event of the schedule like the others. The unlock has to
 *   fall between the waiter's question and its use of the answer:
 *
 *	hunt: program=gallery_pi_timeout ... verdict=wrong
 *
 *   Seeds to find: 10, with the image that this was written with; each is twelve schedules.
 *
 * The fix
 *   The owner, the waiters and the boost change under one inner lock; the time-out takes it before
 *   it asks, and what it then recomputes is the owner's priority from the waiters that are left,
 *   rather than what this waiter believes that it has lent.
 */
#include "tests/gallery/gallery.h"

#define PATIENCE 3 /* looks */

GALLERY_CLASS(inner_class, "pi.inner");

struct toy_thread {
	atomic_u32 boost; /* relaxed: a lone number */
};
static struct toy_lock {
	struct irqlock inner; /* Protects, in the fixed variant: owner and its boost */
	atomic_ptr owner;     /* struct toy_thread; release to give, acquire to look */
} lock = {.inner = IRQLOCK_INIT(&inner_class)};
static struct toy_thread holder;
static bool is_fixed;

static void lend(uint32_t boost)
{
	struct toy_thread *owner = atomic_load_ptr(&lock.owner, acquire);

	if (owner)
		atomic_store_u32(&owner->boost, boost, relaxed);
}

static void unlock(void)
{
	irqlock_acquire(&lock.inner);
	atomic_store_u32(&holder.boost, 0, relaxed);
	atomic_store_ptr(&lock.owner, NULL, release);
	irqlock_release(&lock.inner);
}

static void time_is_over(void)
{
	struct toy_thread *owner;

	if (is_fixed) {
		irqlock_acquire(&lock.inner);
		lend(0);
		irqlock_release(&lock.inner);
		return;
	}
	if (!atomic_load_ptr(&lock.owner, acquire))
		return;
	hunt_step("asked: there is an owner");
	owner = atomic_load_ptr(&lock.owner, acquire);
	hunt_check(owner, "the boost is taken back from nobody"); /* instead of a fault */
	atomic_store_u32(&owner->boost, 0, relaxed);
}

static void wait_with_limit(void)
{
	irqlock_acquire(&lock.inner);
	lend(1);
	irqlock_release(&lock.inner);
	for (unsigned i = 0; i < PATIENCE; i++) {
		hunt_step("looks whether it is free");
		if (!atomic_load_ptr(&lock.owner, acquire))
			return;
	}
	time_is_over();
}

static void hold(void)
{
	for (unsigned n = 0; n < PATIENCE; n++)
		hunt_step("works inside");
	unlock();
}

static void thread(unsigned me)
{
	if (me == 0)
		wait_with_limit();
	else
		hold();
}

static void reset(void)
{
	atomic_store_u32(&holder.boost, 0, relaxed);
	atomic_store_ptr(&lock.owner, &holder, relaxed);
}

static void end(void)
{
	hunt_check(!atomic_load_u32(&holder.boost, relaxed), "a boost is left over");
}

GALLERY_HUNTED(pi_timeout, "a time-out takes its boost from an owner that has gone", "wrong", reset,
	.threads = 2, .thread = thread, .end = end);
