/* SPDX-License-Identifier: MIT */
/*
 * constant_restore: who turned interrupts off turns them on, whatever they were before.
 *
 * What is wrong
 *   A small section needs interrupts off: off, three lines, on. It was right where it was written,
 *   because interrupts were on there. Then the function gets a caller that holds a lock. Its "on"
 *   is now in the middle of that caller's section: from there to the caller's release the lock is
 *   held with interrupts on. A release that writes a constant mask, and a print in a panic that
 *   ends with "interrupts on", are the same mistake in other clothes.
 *
 * How it shows
 *   As the deadlock of irq_reentry, in a function that has no mistake, under a lock that is taken
 *   in the right way everywhere. Who looks for it looks at the lock, and the lock is innocent. Or,
 *   quieter, as data that a handler changed under somebody who had excluded handlers.
 *
 * How it is found
 *   By the lock checker, in three places, of which the first to be reached reports: an interrupt
 *   that arrives while an irqlock is on the hart's record; the next acquire; or, at the latest,
 *   the release of the lock:
 *
 *	lockcheck: kind=context what=interrupts-on class=gallery.constant ...
 *	lock checker: interrupts were turned on under gallery.constant
 *
 *   One thread is enough and every run finds it: there is no schedule in which the release does
 *   not see it. The kernel's own irq_on() cannot do this, as sections are counted; the entry uses
 *   the machine's functions below it.
 *
 * The fix
 *   Save what was there and put that back. Better: a counted section (irq_off, irq_on, and each
 *   irqlock), where only the outermost end turns anything on.
 */
#include "kernel/lock/irqlock.h"
#include "kernel/sched/preempt.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(constant_class, "constant");

static struct irqlock box_lock = IRQLOCK_INIT(&constant_class); /* Protects: box */
static unsigned box GUARDED_BY(&box_lock);

/* Reads a device's two halves of one number, which no handler may come between. */
static unsigned read_device(bool fixed)
{
	bool before = arch_irq_save();
	unsigned value = 21;

	value += 21;
	if (fixed)
		arch_irq_restore(before);
	else
		arch_irq_enable();
	return value;
}

GALLERY_CHECKED(constant_restore, "interrupts on again, whatever they were", KIND_CONTEXT,
	"interrupts-on", 1)
{
	preempt_disable(); /* as the hart must stay the one whose record it is */
	irqlock_acquire(&box_lock);
	box = read_device(fixed);
	irqlock_release(&box_lock);
	preempt_enable();
}
