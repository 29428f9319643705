/* SPDX-License-Identifier: MIT */
/*
 * Torture of mixed locks: tests/torture/set.h for threads and for handlers that try; and posts,
 * from handlers and threads, each of which runs exactly once, under the lock.
 */
#include "kernel/sched/sched.h"
#include "kernel/wait/mixlock.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/torture/set.h"

#define POSTS 12

SET_CLASSES(mixlock, .contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .post_prio = 3);

/*
 * mixlocks[]
 *   Protect:  a box each (set.c).
 *   Taken by: workers, mortals, the doomed; tried and posted to by handlers.
 *   Order:    the lower index first.
 * While one is free: nobody is in its box, whose words are equal unless a holder died.
 */
static struct mixlock mixlocks[SET_LOCKS + 1];

/* What is posted; each item always to the same lock. */
static struct post {
	struct mixwork work;
	unsigned box;
	struct rng rng;	     /* its function's, of which one runs at a time */
	atomic_u32 due, ran; /* relaxed: compared at the end */
} posts[POSTS];

static void run_post(struct post *p)
{
	atomic_add_u32(&p->ran, 1, relaxed);
	if (p->box != SET_GRAVE)
		set_change(p->box);
}

static void post_fn(struct mixwork *w)
{
	struct post *p = container_of(w, struct post, work);

	run_post(p);
	if (torture_strikes(POST_TWICE, &p->rng, 16))
		run_post(p);
	/* Again, from its own function: that is a new post. */
	if (rng_one_in(&p->rng, 16) && !torture_over() && mixlock_post(&mixlocks[p->box], w))
		atomic_add_u32(&p->due, 1, relaxed);
}

static void post_one(struct rng *rng)
{
	struct post *p = &posts[rng_below(rng, POSTS)];

	if (torture_strikes(POST_LOST, rng, 16) || mixlock_post(&mixlocks[p->box], &p->work))
		atomic_add_u32(&p->due, 1, relaxed);
}

/* What comes for a dead holder's lock is a thread or a post, by turns. The shuffler's. */
static void heir(struct rng *rng)
{
	static bool post;

	post = !post;
	if (!post) {
		set_heir(rng);
		return;
	}
	for (unsigned i = 0; i < POSTS; i++)
		if (posts[i].box == SET_GRAVE && mixlock_post(&mixlocks[SET_GRAVE], &posts[i].work))
			atomic_add_u32(&posts[i].due, 1, relaxed);
}

static void step(struct worker *w)
{
	if (rng_one_in(&w->rng, 4))
		post_one(&w->rng);
	else
		set_step(w);
}

static void handler(struct rng *rng)
{
	for (unsigned n = (unsigned)rng_below(rng, 4); n; n--)
		post_one(rng);
	set_handler(rng);
}

static void begin(void)
{
	set_begin();
	memset(posts, 0, sizeof(posts));
	for (unsigned i = 0; i < POSTS; i++) {
		/* Some for the lock whose holders die: they run all the same. */
		posts[i].box = i % 4 == 3 ? SET_GRAVE : i % 2 ? i % SET_LOCKS : SET_LOCKS - 1;
		mixwork_init(&posts[i].work, post_fn);
		rng_seed(&posts[i].rng, torture.seed + i);
	}
}

static void end(void)
{
	/* Who takes the lock now takes it after all that was posted; and no thread's list has it.
	 */
	for (unsigned i = 0; i <= SET_LOCKS; i++) {
		if (mixlock_lock_robust(&mixlocks[i]) == -EOWNERDEAD)
			mixlock_recover(&mixlocks[i]);
		mixlock_unlock(&mixlocks[i]);
		mixlock_destroy(&mixlocks[i]);
	}
	set_end();
	for (unsigned i = 0; i < POSTS; i++) {
		unsigned due = atomic_load_u32(&posts[i].due, relaxed);
		unsigned ran = atomic_load_u32(&posts[i].ran, relaxed);

		torture_check(ran >= due, FOUND_LOST, "%u of %u posts ran", ran, due);
		torture_check(ran <= due, FOUND_TWICE, "%u posts ran %u times", due, ran);
	}
}

/* ---- The lock as a set ----------------------------------------------------------------------- */

static void init_mix(unsigned i)
{
	mixlock_init(&mixlocks[i], mixlock_classes[i]);
}

/* Unchecked, here and below: which lock it is, and whether it was taken, is known at run time. */
static bool enter_mix(const struct set_entry *e) UNCHECKED_LOCKING
{
	struct mixlock *m = &mixlocks[e->box];
	struct wait_limit limit = e->how == HOW_INTR ? WAIT_INTR : WAIT_UNTIL(e->deadline_ns);

	switch (e->how) {
	case HOW_TRY:
		return mixlock_try(m);
	case HOW_TIMED:
	case HOW_INTR:
		return mixlock_lock_limit(m, &limit) == 0;
	default:
		mixlock_lock(m);
		return true;
	}
}

static void leave_mix(const struct set_entry *e) UNCHECKED_LOCKING
{
	mixlock_unlock(&mixlocks[e->box]);
}

static int enter_mix_robust(void) UNCHECKED_LOCKING
{
	return mixlock_lock_robust(&mixlocks[SET_GRAVE]);
}

static void recover_mix(void) UNCHECKED_LOCKING
{
	mixlock_recover(&mixlocks[SET_GRAVE]);
}

static const struct set_ops mix_ops = {
	.in_handler = true,
	.sleeps = true,
	.init = init_mix,
	.enter = enter_mix,
	.leave = leave_mix,
	.enter_robust = enter_mix_robust,
	.recover = recover_mix,
};
TORTURE(mixlock, NOT_EXCLUSIVE | LOST_WAKEUP | UNFAIR | LEAKS_IRQ | POST_LOST | POST_TWICE,
	.help = "mixlock: threads hold it, handlers try it and post to it",
	.points = "mixlock_ pilock_", .arg = &mix_ops, .begin = begin, .end = end, .step = step,
	.handler = handler, .mortal = set_mortal, .doomed = set_doomed, .heir = heir);
