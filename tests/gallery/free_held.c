/* SPDX-License-Identifier: MIT */
/*
 * free_held: an object is given back with its own lock held.
 *
 * What is wrong
 *   The last reference to an object is dropped under the object's lock, as the count is guarded by
 *   it. At zero the object is freed, right there. Then the function goes on to its end and
 *   releases the lock, which lies in the memory that was just given away. Somebody else may have
 *   it by now: the release clears a bit in the middle of a stranger's object. And a waiter who was
 *   queued at the lock writes into memory that is gone for as long as it waits.
 *
 * How it shows
 *   A single bit that is 0 somewhere, now and then, in objects of about that size. With poisoned
 *   memory: a lock that is not free and that nobody has.
 *
 * How it is found
 *   By the lock checker, at the free: every allocator asks it whether the memory contains a lock
 *   that is on some record, of any hart or thread.
 *
 *	lockcheck: kind=ownership what=free class=gallery.free ...
 *
 *   Found in the first run that frees; nobody has to wait at the lock, and the memory needs no
 *   poison.
 *
 * The fix
 *   Decide under the lock, act after it: the count goes to zero, the object comes off its lists so
 *   that nobody finds it any more, the lock is released, the memory is freed. See release_touches
 *   for what the lock's own release must not do then.
 */
#include "kernel/lock/irqlock.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(object_class, "free");

struct object {
	struct irqlock lock; /* Protects: references, live */
	unsigned references GUARDED_BY(&lock);
	bool live GUARDED_BY(&lock);
};
static struct object pool[1]; /* all the memory there is: what is freed can be looked at */

static struct object *allocate_object(void) UNCHECKED_LOCKING
{
	irqlock_init(&pool[0].lock, &object_class);
	pool[0].references = 1;
	pool[0].live = true;
	return &pool[0];
}

/* As every allocator of the kernel does, it asks first. */
static void free_object(struct object *o) UNCHECKED_LOCKING
{
	check_memory_free(o, sizeof(*o));
	o->live = false;
}

static void put_object(struct object *o, bool fixed)
{
	bool last;

	irqlock_acquire(&o->lock);
	last = --o->references == 0;
	if (last && !fixed)
		free_object(o);
	irqlock_release(&o->lock);
	if (last && fixed)
		free_object(o);
}

GALLERY_CHECKED(free_held, "freed with its own lock held", KIND_OWNERSHIP, "free", 1)
{
	put_object(allocate_object(), fixed);
}
