/* SPDX-License-Identifier: MIT */
/*
 * lost_wakeup: a thread looks at its condition, and queues itself afterwards.
 *
 * What is wrong
 *   The sleeper asks "is it there?", hears no, and then puts itself on the wait queue. The waker
 *   stores "it is there" and then wakes whoever is on the queue. If both of the waker's steps fall
 *   between the two of the sleeper, the queue was empty as it looked, and the sleeper goes to
 *   sleep for something that has already come. The queue has its lock and every access of it is
 *   under the lock; what is missing is that the question and the queueing are one.
 *
 * How it shows
 *   A thread sleeps and the data that it waits for lie there. Whatever comes next wakes it, so in
 *   a stream it is one late item now and then; it hangs for good only at the last one.
 *
 * How it is found
 *   Not by the lock checker, as every lock is used well. By the hunt: the waker has to pass both
 *   steps while the sleeper stands between its two, which is one change of priorities at one
 *   point. A wait in which nobody gets any further for long enough (in virtual time) is a
 *   deadlock:
 *
 *	hunt: program=gallery_lost_wakeup ... verdict=deadlock
 *
 *   Seeds to find: 6, with the image that this was written with; each is twelve schedules.
 *
 * The fix
 *   Look again after queueing, before sleeping, under the queue's lock: a waker that comes before
 *   the lock has made the condition true, one that comes after it finds the sleeper. In this
 *   kernel that is what wait_event does; no caller writes the loop.
 */
#include "tests/gallery/gallery.h"

GALLERY_CLASS(queue_class, "wakeup.queue");

static struct irqlock queue = IRQLOCK_INIT(&queue_class); /* Protects: sleeper_queued */
static bool sleeper_queued GUARDED_BY(&queue);
static atomic_bool there, woken; /* stores release, loads acquire: each other's partners */
static bool is_fixed;

static void sleeper(void)
{
	bool sleeps;

	hunt_step("is about to look");
	if (atomic_load_bool(&there, acquire))
		return;
	hunt_step("looked: it is not there");
	irqlock_acquire(&queue);
	sleeps = !is_fixed || !atomic_load_bool(&there, acquire);
	sleeper_queued = sleeps;
	irqlock_release(&queue);
	if (sleeps)
		toy_until("a wake-up", atomic_load_bool(&woken, acquire));
}

static void waker(void)
{
	hunt_step("is about to make it true");
	atomic_store_bool(&there, true, release);
	hunt_step("made it true");
	irqlock_acquire(&queue);
	if (sleeper_queued) {
		sleeper_queued = false;
		atomic_store_bool(&woken, true, release);
	}
	irqlock_release(&queue);
}

static void thread(unsigned me)
{
	if (me == 0)
		sleeper();
	else
		waker();
}

/* Nothing else runs. */
static void reset(void) UNCHECKED_LOCKING
{
	sleeper_queued = false;
	atomic_store_bool(&there, false, relaxed);
	atomic_store_bool(&woken, false, relaxed);
}

GALLERY_HUNTED(lost_wakeup, "a wait queue that is joined after the look", "deadlock", reset,
	.threads = 2, .thread = thread);
