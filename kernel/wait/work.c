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
 * Not twice at once: an item that runs in the queue where it was last (home) goes there again.
 *
 * Flushing: each link gets a ticket of its queue; who flushes hangs a completion on the ticket that
 * it waits for. A function "holds" the lock class work.flush while it runs, and a flush asks for
 * it: so a flush out of work, which could wait for itself, is reported, and so is a flush under a
 * lock that work may take.
 *
 * workq.q.lock (irqlock, rank WORK)
 *   Protects: the fields marked, and of its items node, ticket, and home while they are linked.
 *   Taken by: handlers, threads.
 *   Order:    before wait queues. Two of them: lower address first (lock_pair).
 */
#include "kernel/wait/work.h"

#include "kernel/hart/hart.h"
#include "kernel/lock/relax.h"
#include "kernel/log.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/waitq.h"
#include "lib/errno.h"

DEFINE_LOCK_CLASS(workq_class, .name = "workq", .rank = RANK_WORK,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
	.protects = "the work queue of one hart");
DEFINE_LOCK_CLASS(flush_class, .name = "work.flush", .rank = RANK_FLUSH, .contexts = LOCK_IN_THREAD,
	.max_hold_us = 1000000,
	.protects = "nothing: held by work that runs, asked for by flushes");
DEFINE_LOCK_CLASS(flushed_class, .name = "work.flushed", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
	.protects = "the end of a flush");

struct workq {
	struct waitq q; /* its thread waits here for items */
	struct list items GUARDED_BY(&q);
	struct list flushers GUARDED_BY(&q);
	/* Changes under q and only while it is closed; work_thread_here looks without. */
	atomic_ptr thread;
	struct work *running GUARDED_BY(&q); /* an address, not to be followed */
	uint64_t running_ticket GUARDED_BY(&q);
	uint64_t last_ticket GUARDED_BY(&q);
	uint64_t done GUARDED_BY(&q);
	bool open GUARDED_BY(&q); /* takes new items */
	struct hart_meta *hart;	  /* constant */
};

/* On the stack of who waits for the end, or the move, of what has this ticket. */
struct flusher {
	struct list_node node;
	uint64_t ticket;
	bool moved;
	struct completion done;
};

static struct workq workqs[CONFIG_MAX_HARTS];
void (*work_thread_lost)(struct hart_meta *h);

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
static struct workq *other_open(const struct workq * not)
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
	for (q = here; q; q = other_open(q)) {
		waitq_lock(&q->q);
		if (q->open)
			return q;
		waitq_unlock(&q->q);
	}
	/* None is open: boot, or this was the last; it waits here. */
	waitq_lock(&here->q);
	return here;
}

static void link_item(struct workq *q, struct work *w) REQUIRES(&q->q)
{
	w->ticket = ++q->last_ticket;
	/* Release: who finds home by an acquire load finds a queue that was set up. */
	atomic_store_ptr(&w->home, q, release);
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

	link_item(q, w);
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

/* What had this ticket has ended, was taken off, or has moved. */
static void tell_flushers(struct workq *q, uint64_t ticket, bool moved) REQUIRES(&q->q)
{
	struct flusher *f, *next;

	list_for_each_entry_safe(f, next, &q->flushers, node) {
		if (f->ticket != ticket)
			continue;
		list_remove(&f->node);
		f->moved = moved;
		complete(&f->done);
	}
}

static bool is_linked_in(const struct workq *q, struct work *w) REQUIRES(&q->q)
{
	return atomic_load_ptr(&w->home, relaxed) == q && list_node_linked(&w->node);
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

bool work_cancel(struct work *w) UNCHECKED_LOCKING
{
	struct workq *q = lock_home(w);
	bool there;

	if (!q)
		return false;
	there = is_linked_in(q, w);
	if (there) {
		LOCK_POINT(work_cancelled);
		list_remove(&w->node);
		tell_flushers(q, w->ticket, false);
		/* Release: w is out of the queue before it can be claimed again. */
		atomic_store_u32(&w->queued, 0, release);
	}
	waitq_unlock(&q->q);
	return there;
}

bool work_cancel_sync(struct work *w)
{
	bool there = work_cancel(w);

	work_flush(w);
	return there;
}

/* ---- Flushing ------------------------------------------------------------------------------- */

/* Waits for the end of what has f->ticket in q; true: it has moved. */
static bool wait_for_ticket(struct workq *q, struct flusher *f) RELEASES(&q->q)
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

void work_flush(struct work *w) UNCHECKED_LOCKING
{
	void *home = atomic_load_ptr(&w->home, acquire);
	struct flusher f;
	struct workq *q;

	/* The queue stands for the lock that its work "holds"; it is never held here. */
	if (!check_acquire(home ? home : w, &flush_class, CHECK_THREAD,
		    (uintptr_t)__builtin_return_address(0)))
		return;
	do {
		q = lock_place(w, &f.ticket);
		if (!q)
			return;
	} while (wait_for_ticket(q, &f));
}

/* ---- The thread ----------------------------------------------------------------------------- */

/* Takes the next item off the queue: from then on it may be queued again. *fn: what is to be called
 * for it. */
static struct work *next_item(struct workq *q, void (**fn)(struct work *w))
{
	struct wait_entry e;
	struct work *w;

	waitq_begin(&q->q, &e, true);
	while (!(w = list_first_entry(&q->items, struct work, node)))
		waitq_sleep(&q->q, &e, &WAIT_PLAIN);
	list_remove(&w->node);
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
	tell_flushers(q, q->running_ticket, false);
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

/* ---- Harts that come and go ------------------------------------------------------------------ */

static void lock_pair(struct workq *a, struct workq *b) ACQUIRES(&a->q)
	ACQUIRES(&b->q) UNCHECKED_LOCKING
{
	struct workq *first = a < b ? a : b, *second = a < b ? b : a;

	waitq_lock(&first->q);
	irqlock_acquire_second(&second->q.lock, &first->q.lock);
}

static void move_items(struct workq *from, struct workq *to) UNCHECKED_LOCKING
{
	struct work *w;

	lock_pair(from, to);
	while ((w = list_first_entry(&from->items, struct work, node))) {
		list_remove(&w->node);
		tell_flushers(from, w->ticket, true);
		link_item(to, w);
	}
	waitq_unlock(&to->q);
	waitq_unlock(&from->q);
}

static void set_open(struct workq *q, bool open)
{
	waitq_lock(&q->q);
	q->open = open;
	waitq_unlock(&q->q);
}

int work_hart_stop(struct hart_meta *h)
{
	struct workq *q = h->workq, *to = other_open(q);
	struct flusher f;

	might_sleep();
	if (!to)
		return -EBUSY;
	set_open(q, false);
	waitq_lock(&q->q);
	f.ticket = q->running_ticket;
	if (q->running)
		wait_for_ticket(q, &f);
	else
		waitq_unlock(&q->q);
	/* After the wait: what ran may have queued itself again. */
	move_items(q, to);
	return 0;
}

void work_hart_start(struct hart_meta *h)
{
	set_open(h->workq, true);
}

void work_thread_died(struct thread *t)
{
	for_each_hart(h) {
		struct workq *q = h->workq, *to;

		if (!q)
			continue;
		waitq_lock(&q->q);
		if (atomic_load_ptr(&q->thread, relaxed) != t) {
			waitq_unlock(&q->q);
			continue;
		}
		atomic_store_ptr(&q->thread, NULL, relaxed);
		q->open = false;
		q->running = NULL;
		tell_flushers(q, q->running_ticket, false);
		waitq_unlock(&q->q);
		log_error("work: the thread of hart %u died in its work", h->index);
		to = other_open(q);
		if (to)
			move_items(q, to);
		if (work_thread_lost)
			work_thread_lost(h);
	}
}

unsigned work_pending(struct hart_meta *h)
{
	unsigned n;

	waitq_lock(&h->workq->q);
	n = (unsigned)list_length(&h->workq->items);
	waitq_unlock(&h->workq->q);
	return n;
}

uint64_t work_done(struct hart_meta *h)
{
	uint64_t n;

	waitq_lock(&h->workq->q);
	n = h->workq->done;
	waitq_unlock(&h->workq->q);
	return n;
}
