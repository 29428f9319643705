/* SPDX-License-Identifier: MIT */
/*
 * out_of_order: two guards, each with the interrupt state that it found, released in the order in
 * which they were taken.
 *
 * What is wrong
 *   A guard saves the interrupt state as it locks and puts it back as it unlocks. Nested like
 *   brackets that is right. But hand-over-hand walks, and guards that a language drops in an order
 *   of its own, give the outer one up first: it restores "on", which is what it found, while the
 *   inner lock is still held. And when the inner one is given up it restores "off", which is what
 *   it found, so the thread goes on with interrupts off after its last lock is gone.
 *
 * How it shows
 *   In two ways, seldom both noticed: a deadlock with a handler in the short time until the second
 *   release; and a hart that does not answer for a long time although nobody holds anything,
 *   because it runs whatever comes next with interrupts off.
 *
 * How it is found
 *   By the lock checker, at the second release: its lock is held, and interrupts are on.
 *
 *	lockcheck: kind=context what=interrupts-on class=gallery.guards ...
 *
 *   (An interrupt that arrives in between is reported before that.) Every run in one thread finds
 *   it. What is left over, interrupts off at the end, the fixed variant checks too.
 *
 * The fix
 *   Interrupt state is not a lock's but the hart's: count how many sections are open, remember the
 *   state before the first one, and put it back at the end of the last one, in whatever order they
 *   end. That is what every irqlock does; so the fixed variant has no guard of its own.
 */
#include "kernel/lock/irqlock.h"
#include "kernel/sched/preempt.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(guards_class, "guards");

struct node {
	struct irqlock lock; /* Protects: value. Order: along the list */
	bool before;	     /* of the guard */
	unsigned value GUARDED_BY(&lock);
};
static struct node list[2] = {
	{.lock = IRQLOCK_INIT(&guards_class)}, {.lock = IRQLOCK_INIT(&guards_class)}};

static void guard(struct node *n, struct node *outer, bool fixed) UNCHECKED_LOCKING
{
	if (!fixed)
		n->before = arch_irq_save();
	if (outer)
		irqlock_acquire_second(&n->lock, &outer->lock);
	else
		irqlock_acquire(&n->lock);
}

static void unguard(struct node *n, bool fixed) UNCHECKED_LOCKING
{
	irqlock_release(&n->lock);
	if (fixed)
		return;
	if (n->before)
		arch_irq_enable();
	else
		arch_irq_disable();
}

GALLERY_CHECKED(out_of_order, "saved interrupt states put back in the wrong order", KIND_CONTEXT,
	"interrupts-on", 1)
{
	preempt_disable();
	guard(&list[0], NULL, fixed);
	guard(&list[1], &list[0], fixed); /* hand over hand */
	unguard(&list[0], fixed);
	unguard(&list[1], fixed);
	if (fixed && !arch_irq_enabled())
		gallery_fail("interrupts are off after the last release");
	arch_irq_enable();
	preempt_enable();
}
