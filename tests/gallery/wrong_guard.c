/* SPDX-License-Identifier: MIT */
/*
 * wrong_guard: a field is used under the right lock of the wrong object.
 *
 * What is wrong
 *   Each queue has a lock and a length. Moving work from a long queue to a short one is done by
 *   who owns the long one: it takes its own lock, counts down there, and counts up at the other
 *   end, "which is only a number". So the other queue's length is changed under a lock that does
 *   not guard it, and its owner, who holds the right one, reads, adds and stores over it.
 *
 * How it shows
 *   A length is off by one after days: work that is there and that nobody sees, or a queue that
 *   claims work and has none. The lock's own invariants hold all the time.
 *
 * How it is found
 *   Not by the compiler: it knows that a lock of that name is held, not whose. The run knows it. A
 *   field that is used through guarded(&lock, field) asserts that this very instance is on the
 *   caller's record:
 *
 *	lockcheck: kind=ownership what=guarded class=gallery.guard.queue ...
 *
 *   Every run in which the two queues differ finds it, on one hart.
 *
 * The fix
 *   Both locks, in an order that is the same for all (the lower number first), by one helper that
 *   states it; then both numbers.
 */
#include "kernel/lock/irqlock.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(queue_class, "guard.queue");

struct queue {
	struct irqlock lock; /* Protects: length. Two of them: the lower address first */
	int length;	     /* lock; by guarded(), as which lock it is, is the question here */
};
static struct queue queues[2] = {
	{.lock = IRQLOCK_INIT(&queue_class)}, {.lock = IRQLOCK_INIT(&queue_class)}};

static void lock_pair(struct queue *lower, struct queue *higher) UNCHECKED_LOCKING
{
	irqlock_acquire(&lower->lock);
	irqlock_acquire_second(&higher->lock, &lower->lock);
}

/* `from` is the lower one. Unchecked: a pair, or half of it. */
static void move_one(struct queue *from, struct queue *to, bool fixed) UNCHECKED_LOCKING
{
	if (fixed)
		lock_pair(from, to);
	else
		irqlock_acquire(&from->lock);
	guarded(&from->lock, from->length)--;
	guarded(&to->lock, to->length)++;
	if (fixed)
		irqlock_release(&to->lock);
	irqlock_release(&from->lock);
}

GALLERY_CHECKED(
	wrong_guard, "a field used under another object's lock", KIND_OWNERSHIP, "guarded", 1)
{
	move_one(&queues[0], &queues[1], fixed);
}
