/* SPDX-License-Identifier: MIT */
/*
 * Torture of what threads wait for without owning it: semaphore and completion, with ups and
 * completes from handlers.
 *
 * Semaphore: two of them. `places` lets PLACES workers in at a time; who is in finds a free desk,
 * which is there only if no more are in. Of `tokens` each step brings one and takes one; handlers
 * bring some more, or try to take one. What was brought and not taken is its count at the end.
 *
 * Completion: a worker's lies on its own stack: it asks a handler, or another worker, for an
 * answer, and waits; the answer has been written when the wait ends, and the completion is gone
 * soon after. One more, that all share, counts like a semaphore.
 *
 * The twins: a down that does not wait (NOT_EXCLUSIVE); an up, or a complete, that is lost
 * (LOST_WAKEUP) or counts twice (POST_TWICE); a waiter whom all others pass (UNFAIR); a wait that
 * ends before its event (TOO_EARLY).
 */
#include "kernel/hart/hart.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/relax.h"
#include "kernel/sched/sched.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/semaphore.h"
#include "kernel/wait/work.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/torture/torture.h"

#define PLACES 3

DEFINE_LOCK_CLASS(semaphore_class, .name = "torture_semaphore", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000,
	.protects = "free places, tokens");
DEFINE_LOCK_CLASS(completion_class, .name = "torture_completion", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000,
	.protects = "what a worker waits for");

/* ---- semaphore ------------------------------------------------------------------------------- */

static struct {
	struct semaphore places, tokens;
	atomic_ptr desks[PLACES]; /* who sits there */
	atomic_u32 brought, taken;
} sem;

static void sem_begin(void)
{
	memset(&sem, 0, sizeof(sem));
	semaphore_init(&sem.places, &semaphore_class, PLACES);
	semaphore_init(&sem.tokens, &semaphore_class, 0);
}

static void sem_bring(struct rng *rng)
{
	if (torture_strikes(LOST_WAKEUP, rng, 8))
		return;
	atomic_add_u32(&sem.brought, 1, relaxed);
	semaphore_up(&sem.tokens);
	if (torture_strikes(POST_TWICE, rng, 16))
		semaphore_up(&sem.tokens);
}

static void sem_take(struct worker *w)
{
	if (torture_over() || torture_is_passed(w))
		return;
	torture_wait_begin(w);
	semaphore_down(&sem.tokens);
	torture_wait_end(w);
	atomic_add_u32(&sem.taken, 1, relaxed);
	torture_entered();
}

/* At a desk that nobody else has, for a while. */
static void sem_sit(struct rng *rng, void *me)
{
	for (unsigned i = 0; i < PLACES; i++) {
		void *nobody = NULL;

		/* Relaxed: the semaphore orders; the desk only shows who came too many. */
		if (!atomic_cas_ptr(&sem.desks[i], &nobody, me, relaxed))
			continue;
		torture_work((unsigned)rng_below(rng, 200));
		if (rng_one_in(rng, 4))
			sched_yield();
		atomic_store_ptr(&sem.desks[i], NULL, relaxed);
		return;
	}
	torture_found(FOUND_DATA, "more than %d are in", PLACES);
}

static int sem_enter(struct rng *rng)
{
	struct wait_limit limit = torture_limit(rng);

	switch (rng_below(rng, 4)) {
	case 0:
		return semaphore_try(&sem.places) ? 0 : -EAGAIN;
	case 1:
		return semaphore_down_limit(&sem.places, &limit);
	default:
		semaphore_down(&sem.places);
		return 0;
	}
}

static void sem_step(struct worker *w)
{
	bool free_rider = torture_strikes(NOT_EXCLUSIVE, &w->rng, 4);
	int rc;

	for (unsigned n = 0; torture.defect == UNFAIR && n < UNFAIR_STORM; n++) {
		sem_bring(&w->rng);
		sem_take(w);
	}
	sem_bring(&w->rng);
	rc = free_rider ? 0 : sem_enter(&w->rng);
	if (rc)
		torture_count(rc == -EAGAIN ? COUNT_TRY_FAILED : COUNT_TIMED_OUT);
	else
		sem_sit(&w->rng, w);
	if (!rc && !free_rider)
		semaphore_up(&sem.places);
	sem_take(w);
}

static void sem_handler(struct rng *rng)
{
	/* What it takes it brings back: workers count on each other's. */
	if (rng_one_in(rng, 2) && semaphore_try(&sem.tokens))
		atomic_add_u32(&sem.taken, 1, relaxed);
	else if (!rng_one_in(rng, 32))
		return;
	sem_bring(rng);
}

static void sem_mortal(struct rng *rng)
{
	if (semaphore_down_intr(&sem.places))
		return;
	sem_sit(rng, rng);
	semaphore_up(&sem.places);
}

/* Whoever waits in the end gets a token for it. */
static void sem_unwind(void)
{
	atomic_add_u32(&sem.brought, 1, relaxed);
	semaphore_up(&sem.tokens);
}

static void sem_end(void)
{
	unsigned brought = atomic_load_u32(&sem.brought, relaxed);
	unsigned taken = atomic_load_u32(&sem.taken, relaxed);
	unsigned left = semaphore_count(&sem.tokens);

	torture_check(semaphore_count(&sem.places) == PLACES, FOUND_DATA,
		"%u of %d places are free", semaphore_count(&sem.places), PLACES);
	torture_check(brought <= taken + left, FOUND_LOST, "%u brought, %u taken, %u there",
		brought, taken, left);
	torture_check(brought >= taken + left, FOUND_TWICE, "%u brought, %u taken, %u there",
		brought, taken, left);
}

TORTURE(semaphore, NOT_EXCLUSIVE | LOST_WAKEUP | UNFAIR | LEAKS_IRQ | POST_TWICE,
	.help = "semaphore: places and tokens", .points = "semaphore_", .begin = sem_begin,
	.end = sem_end, .step = sem_step, .handler = sem_handler, .mortal = sem_mortal,
	.unwind = sem_unwind);

/* ---- completion ------------------------------------------------------------------------------ */

/* On the stack of who asks. */
struct question {
	struct completion answered;
	struct timer timer;
	struct hart_call call;
	struct work work;
	unsigned long asked, answer;
};

static struct {
	struct completion shared;
	atomic_u32 said, waited;
} comp;

static void comp_begin(void)
{
	memset(&comp, 0, sizeof(comp));
	completion_init(&comp.shared, &completion_class);
}

static void reply(struct question *q)
{
	q->answer = ~q->asked;
	/* From here on the question may be gone. */
	complete(&q->answered);
}

static void reply_by_timer(struct timer *t)
{
	reply(container_of(t, struct question, timer));
}

static void reply_by_call(void *arg)
{
	reply(arg);
}

static void reply_by_work(struct work *w)
{
	reply(container_of(w, struct question, work));
}

static void put_question(struct rng *rng, struct question *q)
{
	unsigned hart = (unsigned)rng_below(rng, nr_harts);

	switch (rng_below(rng, 3)) {
	case 0:
		if (harts[hart] && hart_call_post(harts[hart], &q->call) == 0)
			return;
		reply(q);
		return;
	case 1:
		timer_start(&q->timer, torture_deadline(rng));
		return;
	default:
		work_queue(&q->work);
	}
}

/* Until it is there, however often a limit ends the wait before. */
static void wait_for_answer(struct rng *rng, struct question *q)
{
	while (rng_one_in(rng, 2)) {
		struct wait_limit limit = torture_limit(rng);

		if (wait_for_completion_limit(&q->answered, &limit) == 0)
			return;
		torture_count(COUNT_TIMED_OUT);
	}
	wait_for_completion(&q->answered);
}

static void ask(struct rng *rng)
{
	struct question q = {.asked = (unsigned long)rng_u64(rng)};
	bool early = torture_strikes(TOO_EARLY, rng, 8);

	completion_init(&q.answered, &completion_class);
	timer_init(&q.timer, reply_by_timer);
	hart_call_init(&q.call, reply_by_call, &q);
	work_init(&q.work, reply_by_work);
	stack_shared_begin();
	put_question(rng, &q);
	if (!early)
		wait_for_answer(rng, &q);
	/* arch_pause, in torture_work, makes the compiler load it now. */
	torture_work(1);
	torture_check(q.answer == ~q.asked, FOUND_DATA, "a wait ended before its completion");
	if (early)
		wait_for_completion(&q.answered);
	/* The call's and the timer's own memory is busy a little longer. */
	while (!hart_call_done(&q.call))
		relax();
	timer_cancel_sync(&q.timer);
	stack_shared_end();
}

static void comp_say(struct rng *rng)
{
	if (torture_strikes(LOST_WAKEUP, rng, 8))
		return;
	atomic_add_u32(&comp.said, 1, relaxed);
	complete(&comp.shared);
	if (torture_strikes(POST_TWICE, rng, 16))
		complete(&comp.shared);
}

static void comp_wait(struct worker *w)
{
	if (torture_is_passed(w))
		return;
	torture_wait_begin(w);
	wait_for_completion(&comp.shared);
	torture_wait_end(w);
	atomic_add_u32(&comp.waited, 1, relaxed);
	torture_entered();
}

static void comp_step(struct worker *w)
{
	ask(&w->rng);
	for (unsigned n = torture.defect == UNFAIR ? UNFAIR_STORM : 1; n; n--) {
		comp_say(&w->rng);
		comp_wait(w);
	}
}

static void comp_handler(struct rng *rng)
{
	/* As with the semaphore's tokens. */
	if (rng_one_in(rng, 2) && completion_try(&comp.shared))
		atomic_add_u32(&comp.waited, 1, relaxed);
	else if (!rng_one_in(rng, 32))
		return;
	comp_say(rng);
}

static void comp_mortal(struct rng *rng)
{
	if (wait_for_completion_intr(&comp.shared))
		return;
	atomic_add_u32(&comp.waited, 1, relaxed);
	comp_say(rng);
}

static void comp_unwind(void)
{
	atomic_add_u32(&comp.said, 1, relaxed);
	complete(&comp.shared);
}

static void comp_end(void)
{
	unsigned said = atomic_load_u32(&comp.said, relaxed);
	unsigned waited = atomic_load_u32(&comp.waited, relaxed), left = 0;

	while (completion_done(&comp.shared))
		left += completion_try(&comp.shared);
	torture_check(said <= waited + left, FOUND_LOST, "%u completes, %u waits, %u left", said,
		waited, left);
	torture_check(said >= waited + left, FOUND_TWICE, "%u completes, %u waits, %u left", said,
		waited, left);
	complete_all(&comp.shared);
	wait_for_completion(&comp.shared);
	torture_check(completion_done(&comp.shared), FOUND_LOST, "complete_all was lost");
	completion_reset(&comp.shared);
	torture_check(!completion_done(&comp.shared), FOUND_TWICE, "done after a reset");
}

TORTURE(completion, LOST_WAKEUP | UNFAIR | LEAKS_IRQ | POST_TWICE | TOO_EARLY,
	.help = "completion: answers of handlers and work", .points = "completion_",
	.begin = comp_begin, .end = comp_end, .step = comp_step, .handler = comp_handler,
	.mortal = comp_mortal, .unwind = comp_unwind);
