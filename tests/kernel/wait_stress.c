/* SPDX-License-Identifier: MIT */
/*
 * `stress handoffs`: lost wake-ups, hunted by number. Pairs of threads pass a turn to and fro
 * through a wait queue, a semaphore, a completion and a condition variable in turn, as often as
 * time allows; what was passed on is counted at both ends.
 */
#include "kernel/log.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/condvar.h"
#include "kernel/wait/mutex.h"
#include "kernel/wait/semaphore.h"
#include "tests/kernel/wait_util.h"
#include "tests/stress/stress.h"

#define PAIRS 32
#define PER_ROUND 64

WAIT_TEST_CLASS(handoff_mutex_class, "stress.handoff.mutex");
DEFINE_LOCK_CLASS(handoff_class, .name = "stress.handoff", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000,
	.protects = "whose turn it is");

/* Side 0 and side 1 alternate; turn[k] is what side k waits for. */
static struct pair {
	struct waitq wq[2];
	struct semaphore sem[2];
	struct completion done[2];
	struct condvar cv[2];
	struct mutex m;
	atomic_u32 turn;
	unsigned cv_turn; /* m */
	atomic_bool over; /* said by side 0 before its last round */
	unsigned long passed[2];
} pairs[PAIRS];

static struct stress_run run;

static void pass_by_waitq(struct pair *p, unsigned me)
{
	wait_event(&p->wq[me], seen(&p->turn) == me);
	atomic_store_u32(&p->turn, !me, release);
	waitq_wake_one(&p->wq[!me]);
}

static void pass_by_semaphore(struct pair *p, unsigned me)
{
	semaphore_down(&p->sem[me]);
	semaphore_up(&p->sem[!me]);
}

static void pass_by_completion(struct pair *p, unsigned me)
{
	wait_for_completion(&p->done[me]);
	complete(&p->done[!me]);
}

static void pass_by_condvar(struct pair *p, unsigned me)
{
	mutex_lock(&p->m);
	while (p->cv_turn != me)
		condvar_wait(&p->cv[me], &p->m);
	p->cv_turn = !me;
	condvar_signal(&p->cv[!me]);
	mutex_unlock(&p->m);
}

static void side(unsigned i)
{
	static void (*const ways[])(struct pair *p, unsigned me) = {
		pass_by_waitq, pass_by_semaphore, pass_by_completion, pass_by_condvar};
	struct pair *p = &pairs[i / 2];
	unsigned me = i % 2;
	bool over = false;

	while (!over) {
		if (me == 0)
			atomic_store_bool(&p->over, !stress_more(&run), release);
		for (unsigned n = 0; n < PER_ROUND; n++) {
			for (unsigned w = 0; w < ARRAY_SIZE(ways); w++)
				ways[w](p, me);
			/* Side 0 said it before its first turn, and cannot say the next one before
			 * our last turn. */
			if (n == 0)
				over = atomic_load_bool(&p->over, acquire);
			p->passed[me] += ARRAY_SIZE(ways);
		}
	}
}

static void pair_init(struct pair *p)
{
	for (unsigned k = 0; k < 2; k++) {
		waitq_init(&p->wq[k], &handoff_class);
		semaphore_init(&p->sem[k], &handoff_class, k == 0);
		completion_init(&p->done[k], &handoff_class);
		condvar_init(&p->cv[k], &handoff_class);
		p->passed[k] = 0;
	}
	complete(&p->done[0]);
	mutex_init(&p->m, &handoff_mutex_class);
	atomic_store_u32(&p->turn, 0, relaxed);
	p->cv_turn = 0;
}

static int stress_handoffs(unsigned seconds)
{
	unsigned n = MIN(stress_workers() / 2, (unsigned)PAIRS);
	unsigned long total = 0;

	stress_begin(&run, "handoffs", seconds);
	for (unsigned i = 0; i < n; i++)
		pair_init(&pairs[i]);
	stress_threads(&run, 2 * n, side);
	for (unsigned i = 0; i < n; i++) {
		struct pair *p = &pairs[i];

		stress_check(&run, p->passed[0] == p->passed[1], "%lu passed on, %lu came back",
			p->passed[0], p->passed[1]);
		total += p->passed[0] + p->passed[1];
	}
	log_info("handoffs: %lu, none lost", total);
	return stress_end(&run);
}
STRESS(handoffs, "wake-ups passed to and fro through every kind of wait", stress_handoffs);
