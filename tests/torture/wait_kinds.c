/* SPDX-License-Identifier: MIT */
/*
 * Torture of wait queues and condition variables.
 *
 * Wait queue: rings of workers pass a baton: each waits for its turn, and for nothing else. Beside
 * them everybody gives a ticket and takes one, as an exclusive waiter who is woken one at a time.
 *
 * Condition variable: pipes, each with two producers and two consumers, under a mutex; what is put
 * in comes out in order. And an inbox under a mixed lock, which handlers and threads fill by posted
 * work.
 *
 * The twins: a wake that is lost (LOST_WAKEUP); one that takes tickets last (UNFAIR); a wait that
 * ends before its condition (TOO_EARLY).
 */
#include "kernel/sched/sched.h"
#include "kernel/wait/condvar.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/mutex.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/torture/torture.h"

#define GROUP 4
#define GROUPS (WORKERS_MAX / GROUP)

DEFINE_LOCK_CLASS(waitq_class, .name = "torture_waitq", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000,
	.protects = "who waits for its turn or a ticket");
DEFINE_LOCK_CLASS(condvar_class, .name = "torture_condvar", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000,
	.protects = "who waits for a pipe");
DEFINE_LOCK_CLASS(pipe_class, .name = "torture_pipe", .rank = RANK_TEST_SLEEP,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 10000, .protects = "a pipe");
DEFINE_LOCK_CLASS(inbox_class, .name = "torture_inbox", .rank = RANK_TEST_MIX,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 10000,
	.protects = "letters that arrived");

/* ---- waitq ----------------------------------------------------------------------------------- */

static struct ring {
	struct waitq wq;
	atomic_u32 turn; /* rounds * members + whose it is; release: what was done before */
	unsigned members;
	unsigned long rounds; /* plain: only who has the turn touches it */
} rings[GROUPS];

static struct {
	struct waitq wq;
	atomic_u32 free;
} tickets;

static void waitq_kind_begin(void)
{
	memset(rings, 0, sizeof(rings));
	waitq_init(&tickets.wq, &waitq_class);
	atomic_store_u32(&tickets.free, 0, relaxed);
	for (unsigned i = 0; i < GROUPS; i++)
		waitq_init(&rings[i].wq, &waitq_class);
	for (unsigned i = 0; i < torture.nr_workers; i++)
		rings[i / GROUP].members++;
}

static bool my_turn(struct ring *r, unsigned me)
{
	/* Acquire; partner: the release of pass_on. */
	return atomic_load_u32(&r->turn, acquire) % r->members == me || torture_over();
}

static void pass_on(struct ring *r, struct rng *rng)
{
	/* Release; partner: my_turn. */
	atomic_add_u32(&r->turn, 1, release);
	if (!torture_strikes(LOST_WAKEUP, rng, 16))
		waitq_wake_all(&r->wq);
}

static void wait_for_turn(struct worker *w, struct ring *r, unsigned me)
{
	struct wait_limit limit = torture_limit(&w->rng);

	if (torture_strikes(TOO_EARLY, &w->rng, 8))
		return;
	if (rng_one_in(&w->rng, 4)) {
		if (wait_event_limit(&r->wq, my_turn(r, me), false, limit) == 0)
			return;
		torture_count(COUNT_TIMED_OUT);
	}
	wait_event(&r->wq, my_turn(r, me));
}

static void use_ring(struct worker *w)
{
	struct ring *r = &rings[w->i / GROUP];
	unsigned me = w->i % GROUP;
	unsigned long rounds;

	wait_for_turn(w, r, me);
	if (torture_over())
		return;
	torture_check(atomic_load_u32(&r->turn, acquire) % r->members == me, FOUND_DATA,
		"it is not the turn of worker %u", w->i);
	rounds = r->rounds;
	torture_work((unsigned)rng_below(&w->rng, 60));
	torture_check(r->rounds == rounds, FOUND_DATA, "two have the turn");
	r->rounds = rounds + 1;
	pass_on(r, &w->rng);
}

static bool take_ticket(void)
{
	uint32_t n = atomic_load_u32(&tickets.free, relaxed);

	/* Relaxed: a count that orders nothing. */
	while (n > 0)
		if (atomic_cas_u32(&tickets.free, &n, n - 1, relaxed))
			return true;
	return torture_over();
}

static void use_ticket(struct worker *w)
{
	struct wait_limit limit = torture_limit(&w->rng);

	atomic_add_u32(&tickets.free, 1, relaxed);
	waitq_wake_one(&tickets.wq);
	if (torture_is_passed(w))
		return;
	if (rng_one_in(&w->rng, 4) &&
		wait_event_limit(&tickets.wq, take_ticket(), true, limit) == 0)
		return;
	torture_wait_begin(w);
	wait_event_exclusive(&tickets.wq, take_ticket());
	torture_wait_end(w);
	torture_entered();
}

static void waitq_kind_step(struct worker *w)
{
	/* A victim would never pass its turn on. */
	if (torture.defect != UNFAIR)
		use_ring(w);
	for (unsigned n = torture.defect == UNFAIR ? UNFAIR_STORM : 1; n; n--)
		use_ticket(w);
}

/* For nothing: the woken look again. Not with a twin, whose lost wake it would make good. */
static void waitq_kind_handler(struct rng *rng)
{
	if (!torture.defect)
		waitq_wake_all(&rings[rng_below(rng, GROUPS)].wq);
	if (!torture.defect && rng_one_in(rng, 2))
		waitq_wake_one(&tickets.wq);
}

static void waitq_kind_mortal(struct rng *rng)
{
	/* What never comes. */
	int rc = wait_event_intr(&rings[rng_below(rng, GROUPS)].wq, torture_over());

	torture_check(rc == -EINTR || torture_over(), FOUND_DATA, "a wait for nothing gave %d", rc);
}

static void waitq_kind_unwind(void)
{
	for (unsigned i = 0; i < GROUPS; i++)
		waitq_wake_all(&rings[i].wq);
	waitq_wake_all(&tickets.wq);
}

static void waitq_kind_end(void)
{
	for (unsigned i = 0; i < GROUPS; i++) {
		struct ring *r = &rings[i];
		unsigned turns = atomic_load_u32(&r->turn, relaxed);

		torture_check(
			!waitq_has_waiters(&r->wq), FOUND_DATA, "somebody is left in a queue");
		torture_check(r->rounds == turns, FOUND_DATA, "%lu changes in %u turns", r->rounds,
			turns);
	}
}

TORTURE(waitq, LOST_WAKEUP | UNFAIR | LEAKS_IRQ | TOO_EARLY,
	.help = "wait queue: rings, tickets, exclusive waiters", .points = "waitq_",
	.begin = waitq_kind_begin, .end = waitq_kind_end, .step = waitq_kind_step,
	.handler = waitq_kind_handler, .mortal = waitq_kind_mortal, .unwind = waitq_kind_unwind);

/* ---- condvar --------------------------------------------------------------------------------- */

#define PIPE_SIZE 2

/*
 * pipe.lock
 *   Protects: the pipe.
 *   Taken by: the four workers of its group, mortals.
 *   Order:    alone.
 * While it is free: put - got is the number of items in slots, and these are got, got + 1...
 */
static struct pipe {
	struct mutex lock;
	struct condvar can_put, can_get;
	unsigned long put GUARDED_BY(&lock), got GUARDED_BY(&lock);
	unsigned long slots[PIPE_SIZE] GUARDED_BY(&lock);
} pipes[GROUPS];

/*
 * inbox.lock
 *   Protects: letters.
 *   Taken by: workers; posted to by handlers and workers.
 *   Order:    alone.
 */
static struct {
	struct mixlock lock;
	struct condvar arrived;
	struct mixwork delivery;
	unsigned letters; /* lock */
	atomic_u32 sent;  /* on their way to the inbox */
} inbox;

static void deliver(struct mixwork *w);

static void condvar_kind_begin(void)
{
	memset(pipes, 0, sizeof(pipes));
	memset(&inbox, 0, sizeof(inbox));
	for (unsigned i = 0; i < GROUPS; i++) {
		mutex_init(&pipes[i].lock, &pipe_class);
		condvar_init(&pipes[i].can_put, &condvar_class);
		condvar_init(&pipes[i].can_get, &condvar_class);
	}
	mixlock_init(&inbox.lock, &inbox_class);
	condvar_init(&inbox.arrived, &condvar_class);
	mixwork_init(&inbox.delivery, deliver);
}

static void signal_one(struct condvar *cv, struct rng *rng)
{
	if (torture_strikes(LOST_WAKEUP, rng, 8))
		return;
	if (rng_one_in(rng, 8))
		condvar_broadcast(cv);
	else
		condvar_signal(cv);
}

/* One wait; the caller looks again. */
static void wait_once(struct condvar *cv, struct mutex *m, struct rng *rng) REQUIRES(m)
{
	struct wait_limit limit = torture_limit(rng);

	if (!rng_one_in(rng, 4))
		condvar_wait(cv, m);
	else if (condvar_wait_limit(cv, m, &limit))
		torture_count(COUNT_TIMED_OUT);
}

static void put(struct pipe *p, struct rng *rng)
{
	mutex_lock(&p->lock);
	while (p->put - p->got == PIPE_SIZE && !torture_over() &&
		!torture_strikes(TOO_EARLY, rng, 8))
		wait_once(&p->can_put, &p->lock, rng);
	if (!torture_over()) {
		torture_check(p->put - p->got < PIPE_SIZE, FOUND_DATA, "put into a full pipe");
		p->slots[p->put % PIPE_SIZE] = p->put;
		torture_work((unsigned)rng_below(rng, 20));
		p->put++;
		signal_one(&p->can_get, rng);
	}
	mutex_unlock(&p->lock);
}

static void get(struct pipe *p, struct rng *rng)
{
	mutex_lock(&p->lock);
	while (p->put == p->got && !torture_over() && !torture_strikes(TOO_EARLY, rng, 8))
		wait_once(&p->can_get, &p->lock, rng);
	if (!torture_over()) {
		torture_check(p->put != p->got && p->slots[p->got % PIPE_SIZE] == p->got,
			FOUND_DATA, "%lu came out as number %lu of %lu",
			p->slots[p->got % PIPE_SIZE], p->got, p->put);
		torture_work((unsigned)rng_below(rng, 20));
		p->got++;
		signal_one(&p->can_put, rng);
	}
	mutex_unlock(&p->lock);
}

/* Under inbox.lock, wherever it runs: clang cannot know. */
static void deliver(struct mixwork *w unused_arg)
{
	inbox.letters += atomic_xchg_u32(&inbox.sent, 0, acq_rel);
	condvar_broadcast(&inbox.arrived);
}

static void send_letter(void)
{
	atomic_add_u32(&inbox.sent, 1, acq_rel);
	mixlock_post(&inbox.lock, &inbox.delivery);
}

/* Everybody sends one before it takes one, so there are enough. */
static void use_inbox(struct worker *w)
{
	struct wait_limit limit = torture_limit(&w->rng);

	send_letter();
	mixlock_lock(&inbox.lock);
	while (!inbox.letters && !torture_over()) {
		if (!rng_one_in(&w->rng, 2))
			condvar_wait_mix(&inbox.arrived, &inbox.lock);
		else if (condvar_wait_mix_limit(&inbox.arrived, &inbox.lock, &limit))
			limit = WAIT_PLAIN;
	}
	if (!torture_over())
		inbox.letters--;
	mixlock_unlock(&inbox.lock);
}

static void condvar_kind_step(struct worker *w)
{
	struct pipe *p = &pipes[w->i / GROUP];

	if (rng_one_in(&w->rng, 8))
		use_inbox(w);
	if (w->i % 2)
		get(p, &w->rng);
	else
		put(p, &w->rng);
}

static void condvar_kind_handler(struct rng *rng)
{
	if (rng_one_in(rng, 4))
		send_letter();
	/* For nothing, as above. */
	if (!torture.defect)
		condvar_signal(&pipes[rng_below(rng, GROUPS)].can_get);
}

static void condvar_kind_mortal(struct rng *rng)
{
	struct pipe *p = &pipes[rng_below(rng, GROUPS)];

	mutex_lock(&p->lock);
	condvar_wait_intr(rng_one_in(rng, 2) ? &p->can_put : &p->can_get, &p->lock);
	/* What it may have been woken by was meant for a worker. A twin's loses it. */
	if (!torture.defect) {
		condvar_broadcast(&p->can_put);
		condvar_broadcast(&p->can_get);
	}
	mutex_unlock(&p->lock);
}

static void condvar_kind_unwind(void)
{
	for (unsigned i = 0; i < GROUPS; i++) {
		mutex_lock(&pipes[i].lock);
		condvar_broadcast(&pipes[i].can_put);
		condvar_broadcast(&pipes[i].can_get);
		mutex_unlock(&pipes[i].lock);
	}
	mixlock_lock(&inbox.lock);
	condvar_broadcast(&inbox.arrived);
	mixlock_unlock(&inbox.lock);
}

static void condvar_kind_end(void)
{
	for (unsigned i = 0; i < GROUPS; i++)
		torture_check(!waitq_has_waiters(&pipes[i].can_put.wq) &&
				!waitq_has_waiters(&pipes[i].can_get.wq),
			FOUND_DATA, "somebody is left in a condition variable");
	mixlock_destroy(&inbox.lock);
}

TORTURE(condvar, LOST_WAKEUP | LEAKS_IRQ | TOO_EARLY,
	.help = "condition variable: pipes, an inbox of posted work", .points = "condvar_",
	.begin = condvar_kind_begin, .end = condvar_kind_end, .step = condvar_kind_step,
	.handler = condvar_kind_handler, .mortal = condvar_kind_mortal,
	.unwind = condvar_kind_unwind);
