/* SPDX-License-Identifier: MIT */
/*
 * post_lost: the holder of a mixed lock runs what was posted, and then gives the lock up.
 *
 * What is wrong
 *   Handlers never wait for a mixed lock: they post their work to it, and if somebody holds the
 *   lock leave it to the holder. The holder runs the queue until it is empty and gives the lock
 *   up. A post between the last look at the queue and the giving up finds the lock held, so it
 *   leaves its work to a holder that will not look again. The work lies on a free lock.
 *
 * How it shows
 *   A received packet that is handled when the next one comes. A terminal that is one key behind.
 *   The lock is free, so no watchdog has anything to say.
 *
 * How it is found
 *   By the hunt: the post has to fall between the holder's two steps. When both are done the entry
 *   counts:
 *
 *	hunt: program=gallery_post_lost ... verdict=wrong
 *
 *   Seeds to find: 1, with the image that this was written with; each is twelve schedules.
 *
 * The fix
 *   "The queue is empty" and "the lock is free" become true in one step (one word, or one inner
 *   lock: kernel/wait/mixlock.c), or the giver looks at the queue again after it has given up and,
 *   if there is something, tries to take the lock like anybody else. The entry does the latter.
 *   post_twice shows what goes wrong if it does not take the lock again.
 */
#include "tests/gallery/gallery.h"

static atomic_bool held;   /* acquire to take, release to give */
static atomic_u32 waiting; /* items posted and not run; seq_cst: against `held` */
static atomic_u32 nr_run;  /* relaxed: read after all have ended */
static bool is_fixed;

static void run_queue(void)
{
	atomic_add_u32(&nr_run, atomic_xchg_u32(&waiting, 0, seq_cst), relaxed);
}

static void give(void)
{
	do {
		run_queue();
		hunt_step("found the queue empty");
		(void)atomic_xchg_bool(&held, false, seq_cst);
		/* Somebody else holds it: it is theirs then. */
	} while (is_fixed && atomic_load_u32(&waiting, seq_cst) &&
		!atomic_xchg_bool(&held, true, seq_cst));
}

static void post(void)
{
	hunt_step("is about to post");
	atomic_add_u32(&waiting, 1, seq_cst);
	hunt_step("posted");
	if (!atomic_xchg_bool(&held, true, seq_cst))
		give();
}

static void thread(unsigned me)
{
	if (me == 0)
		give();
	else
		post();
}

static void reset(void)
{
	atomic_store_u32(&waiting, 0, relaxed);
	atomic_store_u32(&nr_run, 0, relaxed);
	atomic_store_bool(&held, true, relaxed); /* by the first hart, from before */
}

static void end(void)
{
	hunt_check(atomic_load_u32(&nr_run, relaxed) == 1, "work lies on a free lock");
}

GALLERY_HUNTED(post_lost, "work posted as the holder leaves", "wrong", reset, .threads = 2,
	.thread = thread, .end = end);
