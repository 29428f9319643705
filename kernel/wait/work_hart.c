/* SPDX-License-Identifier: MIT */
/*
 * Work queues of harts that come and go: a queue that closes begins nothing more, and what waits in
 * it goes to an open one; so does the work of a thread that died in it. The rules of the queues
 * stand in work.c.
 */
#include "kernel/hart/hart.h"
#include "kernel/log.h"
#include "kernel/wait/workq.h"
#include "lib/errno.h"

void (*work_thread_lost)(struct hart_meta *h);

static void lock_pair(struct workq *a, struct workq *b) ACQUIRES(&a->q)
	ACQUIRES(&b->q) UNCHECKED_LOCKING
{
	struct workq *first = a < b ? a : b, *second = a < b ? b : a;

	waitq_lock(&first->q);
	irqlock_acquire_second(&second->q.lock, &first->q.lock);
}

static bool move_items(struct workq *from, struct workq *to) UNCHECKED_LOCKING
{
	struct work *w;
	bool open;

	lock_pair(from, to);
	open = to->open;
	while (open && (w = list_first_entry(&from->items, struct work, node))) {
		workq_unlink(from, w);
		workq_tell_flushers(from, w->ticket, WORKQ_MOVED);
		workq_link(to, w);
	}
	waitq_unlock(&to->q);
	waitq_unlock(&from->q);
	return open;
}

/* What waits in `from`, closed, goes to an open queue. False: there is none, it waits on. */
static bool hand_on(struct workq *from)
{
	struct workq *to;

	/* It may be closed before it is locked: then another one. */
	while ((to = workq_other_open(from)))
		if (move_items(from, to))
			return true;
	return false;
}

/* Only who has a thread takes items. */
static void set_open(struct workq *q, bool open)
{
	waitq_lock(&q->q);
	q->open = open && atomic_load_ptr(&q->thread, relaxed);
	if (q->open)
		waitq_wake_locked(&q->q, 1); /* for what has come meanwhile */
	waitq_unlock(&q->q);
}

int work_hart_stop(struct hart_meta *h)
{
	struct workq *q = h->workq;
	struct flusher f;

	might_sleep();
	if (!workq_other_open(q))
		return -EBUSY;
	set_open(q, false);
	waitq_lock(&q->q);
	f.ticket = q->running_ticket;
	if (q->running)
		workq_wait_for_ticket(q, &f);
	else
		waitq_unlock(&q->q);
	/* After the wait: what ran may have been queued again, and nothing runs now. */
	if (hand_on(q))
		return 0;
	set_open(q, true);
	return -EBUSY;
}

void work_hart_start(struct hart_meta *h)
{
	set_open(h->workq, true);
}

bool work_is_thread_of(const struct hart_meta *h, uint32_t handle)
{
	struct workq *q = h->workq;
	const struct thread *t;
	bool is;

	waitq_lock(&q->q);
	/* Relaxed: it changes under q, which is held. */
	t = atomic_load_ptr(&q->thread, relaxed);
	is = t && t->lock.handle == handle;
	waitq_unlock(&q->q);
	return is;
}

void work_thread_died(struct thread *t)
{
	for_each_hart(h) {
		struct workq *q = h->workq;

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
		workq_tell_flushers(q, q->running_ticket, WORKQ_ENDED);
		waitq_unlock(&q->q);
		log_error("work: the thread of hart %u died in its work", h->index);
		hand_on(q);
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
