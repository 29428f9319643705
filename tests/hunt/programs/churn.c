/* SPDX-License-Identifier: MIT */
/*
 * Harts that go and come while others post, call and start timers: by hand, where a mailbox is
 * looked into and then closed, and the kernel's harts, of which nothing is lost.
 */
#include "kernel/hart/call.h"
#include "kernel/hart/hart.h"
#include "kernel/lock/relax.h"
#include "kernel/sched/sched.h"
#include "kernel/task/hart_life.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/work.h"
#include "tests/hunt/hunt.h"

#define TURNS 3
#define LETTERS 4
#define SOON_NS 4000

/* ---- A mailbox by hand ----------------------------------------------------------------------- */

static atomic_u32 is_open, mail, sent, served; /* relaxed: one runs at a time */

static void begin_by_hand(void)
{
	atomic_store_u32(&is_open, 1, relaxed);
	atomic_store_u32(&mail, 0, relaxed);
	atomic_store_u32(&sent, 0, relaxed);
	atomic_store_u32(&served, 0, relaxed);
}

static void serve(void)
{
	atomic_add_u32(&served, atomic_xchg_u32(&mail, 0, relaxed), relaxed);
}

static void post_by_hand(void)
{
	if (!atomic_load_u32(&is_open, relaxed))
		return;
	atomic_add_u32(&mail, 1, relaxed);
	atomic_add_u32(&sent, 1, relaxed);
	hunt_step("posted");
}

static void by_hand(unsigned me)
{
	for (unsigned i = 0; i < LETTERS; i++) {
		if (me)
			post_by_hand();
		else
			serve();
	}
	if (me)
		return;
	while (atomic_load_u32(&mail, relaxed))
		serve();
	hunt_step("found its mailbox empty");
	/* Who posts before this has posted to nobody. */
	atomic_store_u32(&is_open, 0, relaxed);
	hunt_step("is gone");
}

static void end_by_hand(void)
{
	unsigned s = atomic_load_u32(&sent, relaxed), d = atomic_load_u32(&served, relaxed);

	hunt_check(s == d, "%u posts were accepted, %u served", s, d);
}

/* ---- The kernel's harts ---------------------------------------------------------------------- */

DEFINE_LOCK_CLASS(churn_class, .name = "churn", .rank = RANK_TEST_MIX,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000,
	.protects = "how many posts ran");

static struct mixlock lock = MIXLOCK_INIT(&churn_class);
static struct thing {
	struct timer timer;
	struct mixwork post;
	struct work work;
	struct hart_call call;
	atomic_u32 begun, done; /* of all that it began; relaxed: compared at the end */
	unsigned posts;		/* under `lock` */
} things[HUNT_THREADS_MAX];
static unsigned round;

static void count(atomic_u32 *counter)
{
	atomic_add_u32(counter, 1, relaxed);
}

static void timer_fires(struct timer *t)
{
	struct thing *thing = container_of(t, struct thing, timer);

	count(&thing->done);
	if (mixlock_post(&lock, &thing->post))
		count(&thing->begun);
}

static void post_runs(struct mixwork *w)
{
	struct thing *thing = container_of(w, struct thing, post);

	thing->posts++;
	count(&thing->done);
	if (work_queue(&thing->work))
		count(&thing->begun);
}

static void work_runs(struct work *w)
{
	count(&container_of(w, struct thing, work)->done);
}

static void call_runs(void *arg)
{
	count(&((struct thing *)arg)->done);
}

static void begin(void)
{
	for (unsigned i = 0; i < HUNT_THREADS_MAX; i++) {
		struct thing *t = &things[i];

		timer_init(&t->timer, timer_fires);
		mixwork_init(&t->post, post_runs);
		work_init(&t->work, work_runs);
		hart_call_init(&t->call, call_runs, t);
		atomic_store_u32(&t->begun, 0, relaxed);
		atomic_store_u32(&t->done, 0, relaxed);
		t->posts = 0;
	}
	round++;
}

/* Away and back; never the last one, which is the runner's. */
static void churn(unsigned turn)
{
	struct hart_meta *h = harts[(round + turn) % (nr_harts - 1)];
	bool stop = (round + turn) % 3 == 0, retentive = (round + turn) % 3 == 1;
	int err = stop ? hart_stop(h, true) : hart_suspend(h, retentive, true);

	hunt_check(!err, "hart %u does not leave: %d", h->index, err);
	hunt_step("sent a hart away");
	err = stop ? hart_start(h) : hart_resume(h);
	hunt_check(!err, "hart %u does not come back: %d", h->index, err);
	hunt_step("has it back");
}

static void use_harts(struct thing *t, unsigned turn)
{
	struct hart_meta *h = harts[turn % nr_harts];

	if (timer_cancel(&t->timer))
		count(&t->done);
	count(&t->begun);
	timer_start(&t->timer, clock_now_ns() + SOON_NS);
	hunt_step("started its timer");
	if (hart_call_done(&t->call) && hart_call_post(h, &t->call) == 0)
		count(&t->begun);
	hunt_step("called a hart");
	mixlock_lock(&lock);
	hunt_step("has the lock");
	mixlock_unlock(&lock);
	sched_yield();
}

static void thread(unsigned me)
{
	for (unsigned turn = 0; turn < TURNS; turn++) {
		if (me || nr_harts < 2)
			use_harts(&things[me], me + turn);
		else
			churn(turn);
	}
}

/* What is on its way arrives. */
static void settle(struct thing *t)
{
	while (!hart_call_done(&t->call))
		relax();
	if (timer_cancel_sync(&t->timer))
		count(&t->done);
	mixlock_lock(&lock);
	mixlock_unlock(&lock);
	work_flush(&t->work);
}

static void end(void)
{
	for (unsigned i = 0; i < HUNT_THREADS_MAX; i++) {
		unsigned begun, done;

		settle(&things[i]);
		begun = atomic_load_u32(&things[i].begun, relaxed);
		done = atomic_load_u32(&things[i].done, relaxed);
		hunt_check(begun == done, "thread %u: %u begun, %u done", i, begun, done);
	}
	for_each_hart(h)
		hunt_check(hart_is_online(h), "hart %u is away", h->index);
}

HUNT_PROGRAM(churn_lost, .help = "a mailbox that is found empty, and then closed", .threads = 3,
	.rounds = 20, .begin = begin_by_hand, .thread = by_hand, .end = end_by_hand,
	.fails = "wrong", .within = 200);
HUNT_PROGRAM(churn, .help = "harts stop, sleep and come back while others call them", .threads = 4,
	.rounds = 6, .limit_us = 200000, .begin = begin, .thread = thread, .end = end);
