/* SPDX-License-Identifier: MIT */
/*
 * post_twice: a mixed lock's giver looks at the queue again, and runs it without the lock.
 *
 * What is wrong
 *   Somebody had met post_lost and mended it: after giving the lock up the giver looks at the
 *   queue once more, and runs what it finds. But it does not hold the lock any more. A second post
 *   may take the free lock and run the same queue, and both find the same item in it: looking at
 *   it and taking it are two steps, guarded by the lock, which one of them does not have.
 *
 * How it shows
 *   A request that is answered twice; a buffer that is freed twice. Or the work is right twice
 *   over (a wake-up) and nothing shows, until there is work of another kind.
 *
 * How it is found
 *   By the hunt. It takes more of a schedule than most entries do: a post between the giver's last
 *   run and its second look, and another one, that takes the lock, just between the giver's
 *   looking and taking. Threads and handlers post; posts and runs are counted:
 *
 *	hunt: program=gallery_post_twice ... verdict=wrong
 *
 *   Seeds to find: 1, with the image that this was written with; each is twelve schedules.
 *
 * The fix
 *   Take the lock again, by a try, before the queue is touched; if that fails there is a holder,
 *   and it will look. (post_lost has the whole loop.)
 */
#include "tests/gallery/gallery.h"

#define SLOTS 2
#define TIMES 3

static atomic_bool held; /* acquire to take, release to give; seq_cst against `posted` */
/* Stored by posters, taken by who holds the lock. */
static struct slot {
	atomic_bool posted;
	atomic_u32 posts, runs; /* relaxed: read after all have ended */
} slots[SLOTS];
static atomic_u32 next_slot; /* relaxed: a lone number */
static bool is_fixed;

static bool anything_posted(void)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (atomic_load_bool(&slots[i].posted, seq_cst))
			return true;
	return false;
}

/* The lock is held: looking and taking are two steps, as nobody else takes. */
static void run_queue(void)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		if (!atomic_load_bool(&slots[i].posted, seq_cst))
			continue;
		hunt_step("found an item");
		atomic_store_bool(&slots[i].posted, false, release);
		atomic_add_u32(&slots[i].runs, 1, relaxed);
	}
}

static void give(void)
{
	for (;;) {
		run_queue();
		hunt_step("ran the queue");
		(void)atomic_xchg_bool(&held, false, seq_cst);
		if (!anything_posted())
			return;
		if (!is_fixed) {
			run_queue();
			return;
		}
		if (atomic_xchg_bool(&held, true, seq_cst))
			return;
	}
}

/* A post of an item that waits already changes nothing. */
static void post(struct slot *slot)
{
	if (atomic_xchg_bool(&slot->posted, true, seq_cst))
		return;
	atomic_add_u32(&slot->posts, 1, relaxed);
	if (!atomic_xchg_bool(&held, true, seq_cst))
		give();
}

static void handler(void)
{
	post(&slots[atomic_add_u32(&next_slot, 1, relaxed) % SLOTS]);
}

static void thread(unsigned me)
{
	if (me == 0)
		give();
	for (unsigned i = 0; i < TIMES; i++) {
		hunt_step("is about to post");
		post(&slots[me % SLOTS]);
	}
}

static void reset(void)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		atomic_store_bool(&slots[i].posted, false, relaxed);
		atomic_store_u32(&slots[i].posts, 0, relaxed);
		atomic_store_u32(&slots[i].runs, 0, relaxed);
	}
	atomic_store_bool(&held, true, relaxed); /* by the first thread, from before */
}

static void end(void)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		unsigned posts = atomic_load_u32(&slots[i].posts, relaxed);
		unsigned runs = atomic_load_u32(&slots[i].runs, relaxed);

		hunt_check(posts == runs, "%u posts ran %u times", posts, runs);
	}
}

GALLERY_HUNTED(post_twice, "posted work that two run at once", "wrong", reset, .threads = 2,
	.thread = thread, .handler = handler, .end = end);
