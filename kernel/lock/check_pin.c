/* SPDX-License-Identifier: MIT */
/*
 * Locks that nobody holds and that must stay nevertheless, because something queued points to them:
 * a mixed lock whose posts were left to a work thread.
 *
 * A small static table without a lock. A slot is claimed by compare-and-swap of its address; its
 * class is stored before, by whoever claimed `busy`. Full, it is said once, and the rest goes
 * unchecked. A look reads all slots, but only while something is pinned at all, which is rare.
 */
#include "kernel/lock/check_internal.h"

#define PINS_MAX 64

static struct pin {
	atomic_u32 busy;
	atomic_ptr lock; /* NULL: none */
	atomic_ptr class;
} pins[PINS_MAX];
static atomic_u32 nr_pinned;
static atomic_bool full_said;

void check_pin_slow(const void *lock, struct lock_class *class)
{
	for (struct pin *p = pins; p < pins + PINS_MAX; p++) {
		/* Acquire; partner: the release in check_unpin_slow. */
		if (atomic_load_u32(&p->busy, relaxed) || atomic_xchg_u32(&p->busy, 1, acquire))
			continue;
		atomic_store_ptr(&p->class, class, relaxed);
		/* Release: the class before it. Partner: check_pinned_in. */
		atomic_store_ptr(&p->lock, (void *)lock, release);
		/* Relaxed: whoever frees the memory has been told by the lock's user, in order. */
		atomic_add_u32(&nr_pinned, 1, relaxed);
		return;
	}
	if (!atomic_xchg_bool(&full_said, true, relaxed))
		report("lock checker: more than %d queued locks: the rest goes unchecked\n",
			PINS_MAX);
}

void check_unpin_slow(const void *lock)
{
	for (struct pin *p = pins; p < pins + PINS_MAX; p++) {
		void *mine = (void *)lock;

		/* Relaxed: taken off first, then free for another by the release. */
		if (!atomic_cas_ptr(&p->lock, &mine, NULL, relaxed))
			continue;
		atomic_add_u32(&nr_pinned, -1u, relaxed);
		atomic_store_u32(&p->busy, 0, release);
		return;
	}
}

const void *check_pinned_in(uintptr_t base, uintptr_t end, struct lock_class **class)
{
	if (!atomic_load_u32(&nr_pinned, relaxed))
		return NULL;
	for (struct pin *p = pins; p < pins + PINS_MAX; p++) {
		/* Acquire; partner: check_pin_slow. */
		uintptr_t at = (uintptr_t)atomic_load_ptr(&p->lock, acquire);

		if (!at || at < base || at >= end)
			continue;
		*class = atomic_load_ptr(&p->class, relaxed);
		return (const void *)at;
	}
	return NULL;
}
