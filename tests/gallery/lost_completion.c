/* SPDX-License-Identifier: MIT */
/*
 * lost_completion: complete() wakes the waiter, and says "done" afterwards.
 *
 * What is wrong
 *   The waiter is right: it looks at `done` and queues itself under one hold of the queue's lock.
 *   The completer wakes under the lock, lets go of it, and stores `done` last, "so that nobody
 *   runs on before everything is in place". A waiter that comes between the two finds neither: not
 *   done, so it queues itself; and the wake-up that was meant for it is over.
 *
 * How it shows
 *   A thread that waits for something that is done, says the debugger. The request, the interrupt,
 *   the answer were all in order. More often on fast devices, where the answer and the beginning
 *   of the wait come close together.
 *
 * How it is found
 *   By the hunt: the waiter has to come into the lock between the completer's two steps. The entry
 *   waits without a limit, and nobody gets any further:
 *
 *	hunt: program=gallery_lost_completion ... verdict=deadlock
 *
 *   Seeds to find: 1, with the image that this was written with; each is twelve schedules.
 *
 * The fix
 *   `done` is guarded by the queue's lock like the queue: set it and wake in one hold, the store
 *   first. (kernel/wait/completion.c does, and also touches the completion no more afterwards,
 *   since the waiter may return and take the memory with it.)
 */
#include "tests/gallery/gallery.h"

GALLERY_CLASS(completion_class, "completion");

static struct toy_completion {
	struct irqlock lock; /* Protects: queued; done in the fixed variant */
	bool queued GUARDED_BY(&lock);
	atomic_bool done, woken; /* stores release, loads acquire */
} c = {.lock = IRQLOCK_INIT(&completion_class)};
static bool is_fixed;

static void complete_it(void)
{
	hunt_step("is about to complete");
	irqlock_acquire(&c.lock);
	if (is_fixed)
		atomic_store_bool(&c.done, true, release);
	if (c.queued) {
		c.queued = false;
		atomic_store_bool(&c.woken, true, release);
	}
	irqlock_release(&c.lock);
	hunt_step("woke who was queued");
	atomic_store_bool(&c.done, true, release);
}

static void wait_for_it(void)
{
	hunt_step("is about to look");
	irqlock_acquire(&c.lock);
	if (atomic_load_bool(&c.done, acquire)) {
		irqlock_release(&c.lock);
		return;
	}
	c.queued = true;
	irqlock_release(&c.lock);
	toy_until("the completion", atomic_load_bool(&c.woken, acquire));
}

static void thread(unsigned me)
{
	if (me == 0)
		wait_for_it();
	else
		complete_it();
}

/* Nothing else runs. */
static void reset(void) UNCHECKED_LOCKING
{
	c.queued = false;
	atomic_store_bool(&c.done, false, relaxed);
	atomic_store_bool(&c.woken, false, relaxed);
}

GALLERY_HUNTED(lost_completion, "a completion that wakes before it is done", "deadlock", reset,
	.threads = 2, .thread = thread);
