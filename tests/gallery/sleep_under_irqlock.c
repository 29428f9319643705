/* SPDX-License-Identifier: MIT */
/*
 * sleep_under_irqlock: memory is asked for with interrupts off, and the allocator has a mutex.
 *
 * What is wrong
 *   A list is guarded by an irqlock, because a handler takes from it. Putting something in needs a
 *   node; the node is allocated where the list is locked, as that is where it is needed. The
 *   allocator sleeps on its mutex when somebody else is in it. So a thread may be switched away
 *   with interrupts off and a spinning lock held: everybody who wants the lock spins until it
 *   comes back, and if the one who has the allocator's mutex is among them, it does not come back.
 *
 * How it shows
 *   Nearly never: the mutex is free nearly always, and then nothing sleeps. If it does: watchdogs
 *   about harts that do not answer, or a thread that resumes on another hart with interrupt state
 *   and lock record of the first.
 *
 * How it is found
 *   By the lock checker at the first call, whether the mutex is free or not: what may sleep is
 *   checked as if it did.
 *
 *	lockcheck: kind=context what=context class=gallery.sleep.allocator ...
 *	lock checker: gallery.sleep.allocator may sleep, acquired ... an irqlock held
 *
 *   Every run finds it, on one hart.
 *
 * The fix
 *   Get what you need before you lock: allocate, then take the list's lock, then link. If it turns
 *   out under the lock that the node is not needed, it is freed afterwards. Memory for handlers
 *   comes from a pool that was filled before.
 */
#include "kernel/lock/irqlock.h"
#include "kernel/wait/mutex.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(list_class, "sleep.list");
GALLERY_CLASS(allocator_class, "sleep.allocator");

static struct irqlock list_lock = IRQLOCK_INIT(&list_class);  /* Protects: nr_listed */
static struct mutex allocator = MUTEX_INIT(&allocator_class); /* Protects: nr_allocated */
static unsigned nr_listed GUARDED_BY(&list_lock);
static unsigned nr_allocated GUARDED_BY(&allocator);

/* May sleep. Unchecked: a report that is only counted refuses the mutex. */
static void allocate_node(void) UNCHECKED_LOCKING
{
	mutex_lock(&allocator);
	if (!mutex_held_by_me(&allocator))
		return;
	nr_allocated++;
	mutex_unlock(&allocator);
}

GALLERY_CHECKED(sleep_under_irqlock, "an allocation that may sleep, with interrupts off",
	KIND_CONTEXT, "context", 1)
{
	if (fixed)
		allocate_node();
	irqlock_acquire(&list_lock);
	if (!fixed)
		allocate_node();
	nr_listed++;
	irqlock_release(&list_lock);
}
