/* SPDX-License-Identifier: MIT */
/*
 * parent_child: exit takes the child and then the parent, wait takes the parent and then the child.
 *
 * What is wrong
 *   Every process has a lock. A process that ends locks itself and then its parent, to wake it. A
 *   parent that waits locks itself and then each child, to look whether it has ended. Both locks
 *   are of one class, so there is not even a name for the two orders; and as long as parents wait
 *   before their children end, or after, they never meet.
 *
 * How it shows
 *   A shell that hangs at the end of a command, when the command ends at the very moment at which
 *   the shell begins to wait for it. On one hart it can't happen where locks turn interrupts off.
 *
 * How it is found
 *   By the lock checker, as a matter of rank: two locks of one rank may be held together only if
 *   the second one was asked for by a helper that names an order (irqlock_acquire_second). Either
 *   of the two functions alone is reported, in its first run:
 *
 *	lockcheck: kind=rank what=rank class=gallery.process ...
 *
 *   So it is not the wrong one of the two that has to be found, but the missing statement of which
 *   one is right.
 *
 * The fix
 *   An order, stated where the lock is declared ("a parent before its children"), and one helper
 *   that takes such a pair. Exit goes by it as well: it takes the parent first. Who the parent is
 *   may change before its lock is had, so it is looked at again under it.
 */
#include "kernel/lock/irqlock.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS_RANK(process_class, "process", RANK_TEST_SPIN_OUTER);

struct process {
	struct irqlock lock; /* Protects: ended, nr_ended. Two of them: lock_family */
	bool ended GUARDED_BY(&lock);
	unsigned nr_ended GUARDED_BY(&lock);
};
static struct process parent = {.lock = IRQLOCK_INIT(&process_class)};
static struct process child = {.lock = IRQLOCK_INIT(&process_class)};

/* A parent before its children. */
static void lock_family(struct process *p, struct process *c) UNCHECKED_LOCKING
{
	irqlock_acquire(&p->lock);
	irqlock_acquire_second(&c->lock, &p->lock);
}

/* Unchecked: in two orders. */
static void process_exit(bool fixed) UNCHECKED_LOCKING
{
	if (fixed) {
		lock_family(&parent, &child);
	} else {
		irqlock_acquire(&child.lock);
		irqlock_acquire(&parent.lock);
	}
	child.ended = true;
	parent.nr_ended++;
	irqlock_release(&child.lock);
	irqlock_release(&parent.lock);
}

static void process_wait(void) UNCHECKED_LOCKING
{
	lock_family(&parent, &child);
	if (!child.ended || !parent.nr_ended)
		gallery_fail("the child's end is not seen");
	irqlock_release(&child.lock);
	irqlock_release(&parent.lock);
}

GALLERY_CHECKED(parent_child, "two locks of one class in two orders", KIND_RANK, "rank", 1)
{
	process_exit(fixed);
	process_wait();
}
