/* SPDX-License-Identifier: MIT */
/*
 * release_touches: a lock's release looks at the lock once more after it has given it up.
 *
 * What is wrong
 *   The lock lies in an object, and the last one to hold it frees the object: it takes the lock,
 *   sees that it is the last, gives the lock up and frees the memory, which is the right order
 *   (free_held is the wrong one). But the release consists of two accesses: the word is set to
 *   free, and then the waiters' count is read, to know whether to wake one. After the first access
 *   the next holder may come, find itself the last, and free everything; the second access reads
 *   memory that belongs to somebody else, and may wake a thread that is named by a stranger's
 *   data.
 *
 * How it shows
 *   As a use after free inside the lock itself, which every user of the lock has to pay for, and
 *   for which no user can do anything. glibc's and Linux's mutexes have been through it.
 *
 * How it is found
 *   By the hunt. Freed memory is poisoned; the releaser that finds poison where the waiters' count
 *   was has touched what is not its own any more. The other one's acquire, release and free have
 *   to fall between the two accesses:
 *
 *	hunt: program=gallery_release_touches ... verdict=wrong
 *
 *   Seeds to find: 2, with the image that this was written with; each is twelve schedules.
 *
 * The fix
 *   One access: the word holds the state and whether somebody waits, and the atomic operation that
 *   gives it up returns both. Afterwards only what the old value said is used. (irqlock_give,
 *   kernel/lock/irqlock.h, where this is a promise to the users.)
 */
#include "tests/gallery/gallery.h"

#define TAKEN 1u
#define WAITED_FOR 2u
#define POISON 0xdeadbeefu

static struct object {
	atomic_u32 word;       /* TAKEN, WAITED_FOR; acquire to take, release to give */
	atomic_u32 references; /* changed with the lock held */
} object;
static bool is_fixed;

static bool take(void)
{
	uint32_t old = atomic_load_u32(&object.word, relaxed);

	return !(old & TAKEN) && atomic_cas_u32(&object.word, &old, old | TAKEN, acquire);
}

/* Returns whether somebody is to be woken; nobody ever is, here. */
static bool give(void)
{
	uint32_t seen;

	if (is_fixed)
		return atomic_and_u32(&object.word, ~(TAKEN | WAITED_FOR), release) & WAITED_FOR;
	atomic_and_u32(&object.word, ~TAKEN, release);
	hunt_step("gave it up");
	seen = atomic_load_u32(&object.word, relaxed);
	hunt_check(seen != POISON, "the release reads a lock that is freed");
	return seen & WAITED_FOR;
}

static void put(unsigned me unused_arg)
{
	bool last;

	hunt_step("is about to put its reference");
	toy_until("the lock", take());
	last = atomic_add_u32(&object.references, -1u, relaxed) == 1;
	give();
	if (last)
		atomic_store_u32(&object.word, POISON, relaxed); /* freed */
}

static void reset(void)
{
	atomic_store_u32(&object.word, 0, relaxed);
	atomic_store_u32(&object.references, 2, relaxed);
}

GALLERY_HUNTED(release_touches, "a release that reads the lock after giving it up", "wrong", reset,
	.threads = 2, .thread = put);
