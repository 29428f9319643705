/* SPDX-License-Identifier: MIT */
/*
 * A handler leaves work for the holder of a lock: by a flag that the holder looks at before it
 * gives the lock up, and by the mixed lock.
 */
#include "kernel/wait/mixlock.h"
#include "tests/hunt/hunt.h"

#define TURNS 4

DEFINE_LOCK_CLASS(post_class, .name = "post", .rank = RANK_TEST_MIX,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000, .protects = "the count");

static void posted(struct mixwork *w);

static struct mixlock lock = MIXLOCK_INIT(&post_class);
static struct mixwork work = MIXWORK_INIT(posted);
static atomic_u32 taken, pending; /* of the lossy one */
static atomic_u32 asked, done;

static void begin(void)
{
	atomic_store_u32(&taken, 0, relaxed);
	atomic_store_u32(&pending, 0, relaxed);
	atomic_store_u32(&asked, 0, relaxed);
	atomic_store_u32(&done, 0, relaxed);
}

static void posted(struct mixwork *w unused_arg)
{
	atomic_add_u32(&done, 1, relaxed);
}

static void run_pending(void)
{
	/* Relaxed: `taken` orders it. */
	if (atomic_xchg_u32(&pending, 0, relaxed))
		atomic_add_u32(&done, 1, relaxed);
}

static void lossy_thread(unsigned me unused_arg)
{
	for (unsigned i = 0; i < TURNS; i++) {
		/* Only one thread: nobody else takes it for long. */
		atomic_store_u32(&taken, 1, relaxed);
		hunt_got("the lock");
		run_pending();
		hunt_step("ran what was pending");
		/* What is left from here on is found by nobody. */
		atomic_store_u32(&taken, 0, release);
		hunt_gave("the lock");
	}
}

static void lossy_handler(void)
{
	if (atomic_load_u32(&asked, relaxed))
		return;
	atomic_store_u32(&asked, 1, relaxed);
	if (atomic_load_u32(&taken, acquire))
		atomic_store_u32(&pending, 1, relaxed);
	else
		atomic_add_u32(&done, 1, relaxed);
	hunt_step("left its work, or did it");
}

static void thread(unsigned me unused_arg)
{
	for (unsigned i = 0; i < TURNS; i++) {
		mixlock_lock(&lock);
		hunt_step("works");
		mixlock_unlock(&lock);
	}
}

static void handler(void)
{
	if (mixlock_post(&lock, &work))
		atomic_add_u32(&asked, 1, relaxed);
}

static void end(void)
{
	unsigned a, d;

	/* What is queued is run before the lock is free. */
	mixlock_lock(&lock);
	mixlock_unlock(&lock);
	a = atomic_load_u32(&asked, relaxed);
	d = atomic_load_u32(&done, relaxed);

	hunt_check(a == d, "%u posts, %u runs", a, d);
}

HUNT_PROGRAM(post, .help = "work left after the holder's last look", .threads = 1, .rounds = 40,
	.begin = begin, .thread = lossy_thread, .handler = lossy_handler, .end = end,
	.fails = "wrong", .within = 200);
HUNT_PROGRAM(post_fixed, .help = "work posted to a mixed lock", .threads = 3, .rounds = 12,
	.begin = begin, .thread = thread, .handler = handler, .end = end);
