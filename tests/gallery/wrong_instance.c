/* SPDX-License-Identifier: MIT */
/*
 * wrong_instance: the lock that is given up is looked up anew, and is another one by then.
 *
 * What is wrong
 *   A table has a lock per bucket, and both functions find it from the item's key. Renaming an
 *   item changes the key, under the bucket's lock; so the release, which finds the bucket from the
 *   item again, finds the new one. The old bucket stays locked for ever. The new one is given up
 *   by who never had it: whoever is in there is not alone any more.
 *
 * How it shows
 *   The next one to come to the old bucket hangs, at any later time. If both keys happen to fall
 *   into one bucket nothing is wrong at all, so small tests with small tables pass.
 *
 * How it is found
 *   By the lock checker, at the release: a lock of that class is held here, but not this one.
 *
 *	lockcheck: kind=ownership what=release class=gallery.bucket ...
 *
 *   The report lists what is held with the place of its acquire, and that is the old bucket. Every
 *   run in which the two buckets differ finds it.
 *
 * The fix
 *   Keep the lock that was taken in a variable and give up that one. What a lock is found by may
 *   only change with both places locked, in a stated order, as the item moves from one to the
 *   other.
 */
#include "kernel/lock/irqlock.h"
#include "tests/gallery/gallery.h"

#define BUCKETS 4

GALLERY_CLASS(bucket_class, "bucket");

static struct bucket {
	struct irqlock lock; /* Protects: the items whose keys lead here */
} buckets[BUCKETS];

struct item {
	unsigned key;
};

static struct irqlock *bucket_of(const struct item *item)
{
	return &buckets[item->key % BUCKETS].lock;
}

/* Unchecked: that the two are one lock is what is in doubt. */
static void rename_item(struct item *item, unsigned key, bool fixed) UNCHECKED_LOCKING
{
	struct irqlock *taken = bucket_of(item);

	irqlock_acquire(taken);
	item->key = key;
	irqlock_release(fixed ? taken : bucket_of(item));
	if (!fixed && check_held(taken))
		irqlock_release(taken); /* a counted report has left it held */
}

GALLERY_CHECKED(wrong_instance, "released by a key that has changed", KIND_OWNERSHIP, "release", 1)
{
	struct item item = {1};

	for (unsigned i = 0; i < BUCKETS; i++)
		irqlock_init(&buckets[i].lock, &bucket_class);
	rename_item(&item, 2, fixed);
}
