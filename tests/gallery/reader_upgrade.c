/* SPDX-License-Identifier: MIT */
/*
 * reader_upgrade: a reader asks for the writer's side of the lock that it reads under.
 *
 * What is wrong
 *   A cache is read under the reader's side. When the entry is missing it has to be put in, and
 *   for that the writer's side is needed; so the reader takes it. A writer waits until all readers
 *   have left, and one of them is itself. If a lock offers an "upgrade" that only waits for the
 *   others, two readers that upgrade at once wait for each other.
 *
 * How it shows
 *   A thread that hangs alone, waiting for a lock that it holds, and behind it everybody else,
 *   because newcomers queue behind the waiting writer. But only when the entry was missing, so a
 *   warm cache never shows it.
 *
 * How it is found
 *   By the lock checker, at the acquire, before it waits:
 *
 *	lockcheck: kind=ownership what=recursion class=gallery.upgrade ...
 *	lock checker: gallery.upgrade acquired by its holder (first acquired at ...)
 *
 *   Every run that misses the cache finds it.
 *
 * The fix
 *   Give the reader's side up, take the writer's, and look again: another one may have put the
 *   entry in meanwhile. What was learned under the first hold is a hint under the second one.
 */
#include "kernel/lock/irqrwlock.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(upgrade_class, "upgrade");

static struct irqrwlock cache_lock = IRQRWLOCK_INIT(&upgrade_class); /* Protects: cached */
static bool cached;

/* Unchecked: a counted report has refused the second acquire. */
static void use_entry(bool fixed) UNCHECKED_LOCKING
{
	irqrwlock_read_acquire(&cache_lock);
	if (cached) {
		irqrwlock_read_release(&cache_lock);
		return;
	}
	if (!fixed) {
		irqrwlock_write_acquire(&cache_lock);
		irqrwlock_read_release(&cache_lock);
		return;
	}
	irqrwlock_read_release(&cache_lock);
	irqrwlock_write_acquire(&cache_lock);
	if (!cached)
		cached = true;
	irqrwlock_write_release(&cache_lock);
}

GALLERY_CHECKED(reader_upgrade, "a reader asks to be the writer", KIND_OWNERSHIP, "recursion", 1)
{
	cached = false;
	use_entry(fixed);
}
