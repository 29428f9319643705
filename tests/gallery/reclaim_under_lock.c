/* SPDX-License-Identifier: MIT */
/*
 * reclaim_under_lock: memory is asked for with a lock held that getting memory back needs.
 *
 * What is wrong
 *   A cache has a mutex. To put an entry in, it is locked and the entry allocated. When memory is
 *   short the allocator, under a mutex of its own, asks every cache to give entries back, and to
 *   do that it takes the cache's mutex. If the allocation in the cache is the one that finds
 *   memory short, it waits for itself; if it is somebody else's, two threads wait for each other.
 *
 * How it shows
 *   Only when memory is short, so in production, on the machine with the largest load, as a
 *   standstill of everything that allocates. The lists of waiting threads are long, and all of
 *   them wait for the allocator, which waits for a cache.
 *
 * How it is found
 *   By the lock checker, with memory left to spare: reclaiming once, for whatever reason, taught
 *   it allocator -> cache; the first insertion closes the cycle with cache -> allocator, and the
 *   one does not have to run inside of the other.
 *
 *	lockcheck: kind=order what=cycle class=gallery.reclaim.allocator ...
 *
 *   So a test that calls the reclaimer by hand, once, makes every allocation under such a lock a
 *   report.
 *
 * The fix
 *   Allocate before locking, and throw it away if the entry has come meanwhile. Or have the
 *   reclaimer try the cache's mutex and go on to the next cache: a try waits for nobody, and adds
 *   no edge.
 */
#include "kernel/wait/mutex.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(cache_class, "reclaim.cache");
GALLERY_CLASS(allocator_class, "reclaim.allocator");

static struct mutex cache = MUTEX_INIT(&cache_class);	      /* Protects: nr_entries */
static struct mutex allocator = MUTEX_INIT(&allocator_class); /* Protects: nr_free */
static unsigned nr_entries GUARDED_BY(&cache);
static unsigned nr_free GUARDED_BY(&allocator) = 100;

static void reclaim(void)
{
	mutex_lock(&allocator);
	mutex_lock(&cache);
	nr_free += nr_entries;
	nr_entries = 0;
	mutex_unlock(&cache);
	mutex_unlock(&allocator);
}

static void allocate(void)
{
	mutex_lock(&allocator);
	nr_free--;
	mutex_unlock(&allocator);
}

static void insert(bool fixed)
{
	if (fixed)
		allocate();
	mutex_lock(&cache);
	if (!fixed)
		allocate();
	nr_entries++;
	mutex_unlock(&cache);
}

GALLERY_CHECKED(
	reclaim_under_lock, "allocates under a lock that reclaim takes", KIND_ORDER, "cycle", 1)
{
	reclaim();
	insert(fixed);
}
