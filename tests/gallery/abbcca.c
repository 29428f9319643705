/* SPDX-License-Identifier: MIT */
/*
 * abbcca: three locks in a ring, no two of which are ever taken in both orders.
 *
 * What is wrong
 *   Opening looks a file up: directory, then inode. Writing back goes from the inode to the disk's
 *   queue. A disk that is pulled out empties its queue and, with it held, takes files out of the
 *   directory. Whoever reviews any two of the three finds an order that holds everywhere:
 *   directory before inode, inode before queue, queue before directory. There is no pair to
 *   complain about, and yet there is no order of the three.
 *
 * How it shows
 *   Three harts have to meet, each inside its own first lock: so it is seen about never on a desk,
 *   and every few weeks on a hundred machines. What is left of the machine then shows three harts
 *   that wait, none of which seems to be the one to blame.
 *
 * How it is found
 *   By the lock checker, as the third function asks for its second lock. The graph has had two
 *   edges; the third one closes a cycle of three, and the report shows all three with the places
 *   where they were first seen:
 *
 *	lockcheck: kind=order what=cycle class=gallery.abbcca.directory ...
 *	lock checker: ... is waited for after ..., which is waited for after it elsewhere (3 steps)
 *
 *   It takes one thread that calls the three one after the other; the schedule does not matter, so
 *   there is nothing to hunt for.
 *
 * The fix
 *   The ring is cut at its least natural edge. The queue is emptied under its lock, onto a list of
 *   the caller's; then the lock is given up, and what is on the list is taken out of the directory
 *   in the usual order. As in all such fixes the state between the two holds must make sense: the
 *   files on the list have no disk any more, and say so.
 */
#include "kernel/lock/irqlock.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(directory_class, "abbcca.directory");
GALLERY_CLASS(inode_class, "abbcca.inode");
GALLERY_CLASS(queue_class, "abbcca.queue");

static struct irqlock directory = IRQLOCK_INIT(&directory_class); /* Protects: nr_files */
static struct irqlock inode = IRQLOCK_INIT(&inode_class);	  /* Protects: dirty */
static struct irqlock queue = IRQLOCK_INIT(&queue_class);	  /* Protects: nr_queued */
static unsigned nr_files GUARDED_BY(&directory);
static bool dirty GUARDED_BY(&inode);
static unsigned nr_queued GUARDED_BY(&queue);

static void open_file(void)
{
	irqlock_acquire(&directory);
	nr_files++;
	irqlock_acquire(&inode);
	dirty = true;
	irqlock_release(&inode);
	irqlock_release(&directory);
}

static void write_back(void)
{
	irqlock_acquire(&inode);
	if (dirty) {
		irqlock_acquire(&queue);
		nr_queued++;
		irqlock_release(&queue);
		dirty = false;
	}
	irqlock_release(&inode);
}

static void remove_files(unsigned n)
{
	irqlock_acquire(&directory);
	nr_files -= n;
	irqlock_release(&directory);
}

static void pull_disk_out(bool fixed)
{
	unsigned n;

	irqlock_acquire(&queue);
	n = nr_queued;
	nr_queued = 0;
	if (!fixed)
		remove_files(n);
	irqlock_release(&queue);
	if (fixed)
		remove_files(n);
}

GALLERY_CHECKED(abbcca, "three locks in a ring", KIND_ORDER, "cycle", 1)
{
	open_file();
	write_back();
	pull_disk_out(fixed);
}
