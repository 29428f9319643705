/* SPDX-License-Identifier: MIT */
/*
 * double_release: the path of the error gives the lock up, and so does the end that it jumps to.
 *
 * What is wrong
 *   A function has one exit, with the release. Later somebody adds a check in the middle, and,
 *   careful as they are, releases the lock before they leave; but they leave through the exit. In
 *   the error's case the lock is given up twice. The second release does not do nothing: in
 *   between another hart may have taken the lock, and loses it now while it is inside. Two are in
 *   then.
 *
 * How it shows
 *   As data that are wrong in the error's case only, on a hart that had nothing to do with the
 *   error. With an interrupt-disabling lock also as interrupts that come on one section too early,
 *   because each release ends a section.
 *
 * How it is found
 *   By the lock checker, at the second release, in the first run that takes the error's path: the
 *   lock is not on the record any more.
 *
 *	lockcheck: kind=ownership what=release class=gallery.double ...
 *	lock checker: gallery.double released, but not held here
 *
 *   clang's thread-safety analysis (make check) refuses the function, too; the entry has to be
 *   marked as unchecked to be compiled there.
 *
 * The fix
 *   One exit that undoes everything in reverse order, with labels named for what they undo;
 *   nothing is undone before the jump.
 */
#include "kernel/lock/irqlock.h"
#include "lib/errno.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(double_class, "double");

static struct irqlock table_lock = IRQLOCK_INIT(&double_class); /* Protects: nr_entries */
static unsigned nr_entries GUARDED_BY(&table_lock);

static int add_entry(unsigned most, bool fixed) UNCHECKED_LOCKING
{
	int rc = 0;

	irqlock_acquire(&table_lock);
	if (nr_entries >= most) {
		rc = -ENOSPC;
		if (!fixed)
			irqlock_release(&table_lock);
		goto out;
	}
	nr_entries++;
out:
	irqlock_release(&table_lock);
	return rc;
}

GALLERY_CHECKED(double_release, "an error's path releases twice", KIND_OWNERSHIP, "release", 1)
{
	if (add_entry(0, fixed) != -ENOSPC)
		gallery_fail("there was room");
}
