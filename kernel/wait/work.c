/* SPDX-License-Identifier: MIT */
/*
 * Work queues, one per hart (work.h).
 *
 * The life of an item: `queued` is claimed by an exchange in work_claim; whoever has claimed it
 * links it into one queue, in the same stretch of interrupts off; the queue's thread unlinks it,
 * notes it as running and clears `queued` in one hold of the queue's lock, and calls the function.
 * The item isn't touched after that: a running one is known by its address only. So an item that
 * has `queued` and is in no queue is about to be linked by a hart that nothing interrupts.
 *
 * Not twice at once: an item that runs in the queue where it was last (home) goes there again. And
 * a closed queue's thread begins nothing: what was queued again where it runs is moved after that.
 *
 * Where it waits (`in`) is one word, set and cleared under that queue's lock: who holds a queue's
 * lock knows whether an item waits there. Two words, home and a linked node, would not do: while
 * another queue takes the item, they are seen to change one after the other.
 *
 * Flushing: each link gets a ticket of its queue; who flushes hangs a completion on the ticket that
 * it waits for. A function "holds" the lock class work.flush while it runs, and a flush asks for
 * it: so a flush out of work, which could wait for itself, is reported, and so is a flush under a
 * lock that work may take.
 *
 * workq.q.lock (irqlock, rank WORK)
 *   Protects: the fields marked, and of items that are in it node, ticket, in and home.
 *   Taken by: handlers, threads.
 *   Order:    before wait queues. Two of them: lower address first (lock_pair).
 */
#include "kernel/wait/workq.h"

#include "kernel/hart/hart.h"
#include "kernel/lock/relax.h"

DEFINE_LOCK_CLASS(workq_class, .name = "workq", .rank = RANK_WORK,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
	.protects = "the work queue of one hart");
DEFINE_LOCK_CLASS(flush_class, .name = "work.flush", .rank = RANK_FLUSH, .contexts = LOCK_IN_THREAD,
	.max_hold_us = 20000, .protects = "nothing: held by work that runs, asked for by flushes");
DEFINE_LOCK_CLASS(flushed_class, .name = "work.flushed", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
	.protects = "the end of a flush");

static struct workq workqs[CONFIG_MAX_HARTS];

void work_init(struct work *w, void (*fn)(struct work *w))
{
	*w = (struct work){.fn = fn};
}

void work_init_hart(struct hart_meta *h) UNCHECKED_LOCKING
{
	struct workq *q = &workqs[h->index];

	/* Unchecked: nobody else knows it yet. */
	waitq_init(&q->q, &workq_class);
	list_init(&q->items);
	list_init(&q->flushers);
	q->hart = h;
	h->workq = q;
}

struct thread *work_thread_here(void)
{
	struct workq *q = this_hart()->workq;

	/* The thread of an open queue stays, and that of a closed one gets nothing by this but a
	 * moment's inheritance. Acquire; partner: the release in work_thread_comes. */
	return q ? atomic_load_ptr(&q->thread, acquire) : NULL;
}

/* ---- Queueing ------------------------------------------------------------------------------- */

/* Some other queue than `not` that takes items; NULL: none at this moment. */
struct workq *workq_other_open(const struct workq * not)
{
	for_each_hart(h) {
		struct workq *q = h->workq;
		bool open;

		if (!q || q == not|| !hart_is_online(h))
			continue;
		waitq_lock(&q->q);
		open = q->open;
		waitq_unlock(&q->q);
		if (open)
			return q;
	}
	return NULL;
}

/* The queue where w, claimed, belongs, locked. Clang cannot follow which, hence unchecked; so
 * below. */
static struct workq *lock_target(struct work *w) UNCHECKED_LOCKING
{
	/* Relaxed: claiming w was an acquire; partner: next_item's exchange. */
	struct workq *q = atomic_load_ptr(&w->home, relaxed), *here = this_hart()->workq;

	if (q) {
		waitq_lock(&q->q);
		if (q->running == w) {
			LOCK_POINT(work_runs_at_home);
			return q;
		}
		waitq_unlock(&q->q);
	}
	for (q = here; q; q = workq_other_open(q)) {
		waitq_lock(&q->q);
		if (q->open)
			return q;
		waitq_unlock(&q->q);
	}
	/* None is open: boot, or this was the last; it waits here. */
	waitq_lock(&here->q);
	return here;
}

void workq_link(struct workq *q, struct work *w)
{
	w->ticket = ++q->last_ticket;
	/* Release: who finds home by an acquire load finds a queue that was set up. */
	atomic_store_ptr(&w->home, q, release);
	/* Relaxed: who relies on it holds the lock. */
	atomic_store_ptr(&w->in, q, relaxed);
	list_push_back(&q->items, &w->node);
	LOCK_EVENT(work_link, w, q->q.lock.class);
	waitq_wake_locked(&q->q, 1);
}

bool work_claim(struct work *w)
{
	/* Release: the run that is due sees what we stored; partner: next_item. */
	return !atomic_xchg_u32(&w->queued, 1, acq_rel);
}

void work_queue_claimed(struct work *w) UNCHECKED_LOCKING
{
	struct workq *q = lock_target(w);

	workq_link(q, w);
	waitq_unlock(&q->q);
}

bool work_queue(struct work *w)
{
	bool mine;

	/* This hart's queue, whatever hart that is; and nobody meets an item that is claimed and
	 * waits, in no queue, for a poster that was preempted. */
	irq_off();
	mine = work_claim(w);
	if (mine)
		work_queue_claimed(w);
	irq_on();
	return mine;
}

void workq_tell_flushers(struct workq *q, uint64_t ticket, enum workq_end how)
{
	struct flusher *f, *next;

	list_for_each_entry_safe(f, next, &q->flushers, node) {
		if (f->ticket != ticket)
			continue;
		list_remove(&f->node);
		f->moved = how == WORKQ_MOVED;
		/* Who takes it off is not waited for: it would have run. Who moves it needs nothing
		 * between the closing of the queue, until when its thread would have run it, and
		 * here, but the end of what runs. */
		if (how == WORKQ_ENDED)
			complete(&f->done);
		else
			completion_look_again(&f->done);
	}
}

/* It is in q, and no longer is. */
void workq_unlink(struct workq *q, struct work *w)
{
	assert(atomic_load_ptr(&w->in, relaxed) == q);
	list_remove(&w->node);
	atomic_store_ptr(&w->in, NULL, relaxed);
}

static bool is_linked_in(const struct workq *q, struct work *w) REQUIRES(&q->q)
{
	return atomic_load_ptr(&w->in, relaxed) == q;
}

/* The queue that w was put in last, locked; NULL: it never was in one. */
static struct workq *lock_home(struct work *w) UNCHECKED_LOCKING
{
	for (;;) {
		/* Acquire; partner: link_item. */
		struct workq *q = atomic_load_ptr(&w->home, acquire);

		if (!q)
			return NULL;
		waitq_lock(&q->q);
		if (q == atomic_load_ptr(&w->home, relaxed))
			return q;
		waitq_unlock(&q->q);
	}
}

static bool flush(struct work *w);

bool work_cancel(struct work *w) UNCHECKED_LOCKING
{
	struct workq *q = lock_home(w);
	bool there;

	if (!q)
		return false;
	there = is_linked_in(q, w);
	if (there) {
		LOCK_POINT(work_cancelled);
		workq_unlink(q, w);
		workq_tell_flushers(q, w->ticket, WORKQ_CANCELLED);
		/* Release: w is out of the queue before it can be claimed again. */
		atomic_store_u32(&w->queued, 0, release);
	}
	waitq_unlock(&q->q);
	return there;
}

unsigned work_cancel_sync(struct work *w)
{
	unsigned cancelled = 0;

	/* Again: what runs may queue itself after it was looked for. */
	do
		cancelled += work_cancel(w);
	while (flush(w));
	return cancelled;
}

/* ---- Flushing ------------------------------------------------------------------------------- */

/* Waits for the end of what has f->ticket in q; true: it has moved. */
bool workq_wait_for_ticket(struct workq *q, struct flusher *f)
{
	struct thread *t;

	completion_init(&f->done, &flushed_class);
	/* Relaxed, here and below: it changes under q, which is held. */
	t = atomic_load_ptr(&q->thread, relaxed);
	if (t)
		completion_expect(&f->done, t);
	list_node_init(&f->node);
	f->moved = false;
	stack_shared_begin();
	list_push_back(&q->flushers, &f->node);
	waitq_unlock(&q->q);
	wait_for_completion(&f->done);
	stack_shared_end();
	return f->moved;
}

/* The queue where w waits or, if it waits in none, runs, locked, and its ticket; NULL: nowhere. */
static struct workq *lock_place(struct work *w, uint64_t *ticket) UNCHECKED_LOCKING
{
	struct relax wait = RELAX_INIT;

	for (;;) {
		struct workq *q = lock_home(w);
		bool claimed;

		if (q && is_linked_in(q, w)) {
			*ticket = w->ticket;
			return q;
		}
		/* Acquire: if that was cleared by a run in another queue, we see it as home.
		 * Partner: next_item. */
		claimed = atomic_load_u32(&w->queued, acquire);
		if (!claimed && q && q->running == w) {
			*ticket = q->running_ticket;
			return q;
		}
		claimed = claimed || atomic_load_ptr(&w->home, relaxed) != q;
		if (q)
			waitq_unlock(&q->q);
		if (!claimed)
			return NULL;
		LOCK_WAITING(work_about_to_link);
		relax_step(&wait); /* its poster is about to link it */
	}
}

void work_flush(struct work *w)
{
	flush(w);
}

/* True: there was something to wait for. */
static bool flush(struct work *w) UNCHECKED_LOCKING
{
	bool waited = false;
	void *home = atomic_load_ptr(&w->home, acquire);
	struct flusher f;
	struct workq *q;

	/* The queue stands for the lock that its work "holds"; it is never held here. */
	if (!check_acquire(home ? home : w, &flush_class, CHECK_THREAD,
		    (uintptr_t)__builtin_return_address(0)))
		return false;
	do {
		q = lock_place(w, &f.ticket);
		if (!q)
			return waited;
		waited = true;
	} while (workq_wait_for_ticket(q, &f));
	return waited;
}

/* ---- The thread ----------------------------------------------------------------------------- */

/* Takes the next item off the queue: from then on it may be queued again. *fn: what is to be called
 * for it. */
static struct work *next_item(struct workq *q, void (**fn)(struct work *w))
{
	struct wait_entry e;
	struct work *w;

	waitq_begin(&q->q, &e, true);
	/* A closed queue's are about to be moved. */
	while (!q->open || !(w = list_first_entry(&q->items, struct work, node)))
		waitq_sleep(&q->q, &e, &WAIT_PLAIN);
	workq_unlink(q, w);
	q->running = w;
	q->running_ticket = w->ticket;
	*fn = w->fn;
	/* Acquire: sees what the claimers stored; release: w may be claimed again. Partner: the
	 * exchange in work_claim. */
	LOCK_EVENT(work_taken, w, q->q.lock.class);
	atomic_xchg_u32(&w->queued, 0, acq_rel);
	waitq_end(&q->q, &e);
	return w;
}

static void run_one(struct workq *q)
{
	void (*fn)(struct work *w);
	struct work *w = next_item(q, &fn);

	check_acquired(q, &flush_class, CHECK_THREAD | CHECK_TRY, (uintptr_t)fn);
	run_history_begin();
	fn(w);
	run_history_end();
	check_release(q, &flush_class, CHECK_THREAD | CHECK_TRY, (uintptr_t)fn);
	waitq_lock(&q->q);
	q->running = NULL;
	q->done++;
	workq_tell_flushers(q, q->running_ticket, WORKQ_ENDED);
	waitq_unlock(&q->q);
}

void work_thread_comes(struct hart_meta *h, struct thread *t)
{
	struct workq *q = h->workq;

	waitq_lock(&q->q);
	assert(!atomic_load_ptr(&q->thread, relaxed));
	/* Release; partner: work_thread_here, which uses the thread. */
	atomic_store_ptr(&q->thread, t, release);
	q->open = true;
	waitq_unlock(&q->q);
}

void work_thread(void *hart)
{
	struct workq *q = ((struct hart_meta *)hart)->workq;

	for (;;)
		run_one(q);
}
