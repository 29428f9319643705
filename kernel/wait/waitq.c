/* SPDX-License-Identifier: MIT */
/*
 * Sleeping for an event (waitq.h).
 *
 * One sleep: under wq.lock the entry is queued and the thread's state is set (sched_prepare_sleep),
 * then what could have happened before is looked at: a wake (entry.woken, same lock), the time
 * limit
 * (`fired`), a kill (`killed`). Each of them is stored before its sched_wake, and the state is
 * stored before the look (full fence in sched_prepare_sleep): one of the two sees the other.
 * schedule() may return for no reason, so this is a loop.
 */
#include "kernel/wait/waitq.h"

#include "kernel/lock/race.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/cycle.h"
#include "kernel/wait/pi.h"
#include "lib/errno.h"

/* The limit of one sleep; on the sleeper's stack, which stays until timer_cancel_sync. */
struct wait_timer {
	struct timer timer;
	struct thread *thread;
	atomic_u32 fired;
};

static struct wait_entry *entry_of(const struct rbnode *node)
{
	return rbtree_entry(node, struct wait_entry, node);
}

/* Non-exclusive ones first, because every wake is for them; then by priority. */
static bool waitq_less(const struct rbnode *a, const struct rbnode *b)
{
	const struct wait_entry *ea = entry_of(a), *eb = entry_of(b);

	if (ea->exclusive != eb->exclusive)
		return eb->exclusive;
	return ea->prio > eb->prio;
}

void waitq_init(struct waitq *wq, struct lock_class *class) UNCHECKED_LOCKING
{
	/* Unchecked: nobody else knows the queue yet. */
	irqlock_init(&wq->lock, class);
	rbtree_init(&wq->waiters);
}

unsigned waitq_wake_one(struct waitq *wq)
{
	unsigned n;

	event_signalled(wq->lock.class, false);
	waitq_lock(wq);
	n = waitq_wake_locked(wq, 1);
	waitq_unlock(wq);
	return n;
}

unsigned waitq_wake_all(struct waitq *wq)
{
	unsigned n;

	event_signalled(wq->lock.class, false);
	waitq_lock(wq);
	n = waitq_wake_locked(wq, UINT_MAX);
	waitq_unlock(wq);
	return n;
}

bool waitq_has_waiters(struct waitq *wq)
{
	bool has;

	waitq_lock(wq);
	has = waitq_first(wq);
	waitq_unlock(wq);
	return has;
}

void wait_entry_init(struct wait_entry *e, struct waitq *wq, struct pilock *pilock, bool exclusive)
{
	*e = (struct wait_entry){
		.wq = wq, .thread = current_thread(), .pilock = pilock, .exclusive = exclusive};
}

void waitq_begin(struct waitq *wq, struct wait_entry *e, bool exclusive)
{
	wait_entry_init(e, wq, NULL, exclusive);
	waitq_lock(wq);
}

void waitq_end(struct waitq *wq, struct wait_entry *e)
{
	waitq_dequeue(wq, e);
	waitq_unlock(wq);
}

void waitq_enqueue(struct waitq *wq, struct wait_entry *e)
{
	/* First, for it says what the thread's priority is; from here on a change of that finds the
	 * entry, and waits for wq.lock to move it. */
	pi_publish_wait(wq, e);
	e->queued = true;
	e->woken = false;
	rbtree_insert(&guarded(&wq->lock, wq->waiters), &e->node, waitq_less);
	LOCK_EVENT(waitq_enqueue, wq, wq->lock.class);
}

void waitq_unlink(struct waitq *wq, struct wait_entry *e)
{
	rbtree_remove(&guarded(&wq->lock, wq->waiters), &e->node);
	e->queued = false;
}

void waitq_dequeue(struct waitq *wq, struct wait_entry *e)
{
	if (e->queued)
		waitq_unlink(wq, e);
	if (e->serial)
		pi_retract_wait(wq, e);
}

struct wait_entry *waitq_first(struct waitq *wq)
{
	struct rbnode *first = rbtree_first(&guarded(&wq->lock, wq->waiters));

	return first ? entry_of(first) : NULL;
}

void waitq_requeue(struct waitq *wq, struct wait_entry *e, uint8_t prio)
{
	rbtree_remove(&guarded(&wq->lock, wq->waiters), &e->node);
	e->prio = prio;
	rbtree_insert(&wq->waiters, &e->node, waitq_less);
}

void waitq_grant(struct waitq *wq, struct wait_entry *e)
{
	waitq_unlink(wq, e);
	LOCK_POINT(waitq_grant);
	waitq_nudge(wq, e);
}

/* The entry's owner needs wq.lock to leave, so its thread is there until that is released. */
void waitq_nudge(struct waitq *wq, struct wait_entry *e)
{
	guarded(&wq->lock, e->woken) = true;
	wait_is_over(&e->thread->lock.wait);
	LOCK_EVENT(waitq_wake, wq, wq->lock.class);
	sched_wake(e->thread);
}

unsigned waitq_wake_locked(struct waitq *wq, unsigned nr_exclusive)
{
	struct wait_entry *e;
	unsigned n = 0;

	for (; (e = waitq_first(wq)); n++) {
		if (e->exclusive && !nr_exclusive--)
			break;
		waitq_grant(wq, e);
	}
	return n;
}

static void limit_reached(struct timer *timer)
{
	struct wait_timer *t = container_of(timer, struct wait_timer, timer);

	/* Release: with the full fence of sched_wake before the look at the state; partner: the
	 * look at `fired` after sched_prepare_sleep. */
	atomic_store_u32(&t->fired, 1, release);
	LOCK_POINT(waitq_limit_reached);
	sched_wake(t->thread);
}

/* Why this sleep is over; 1: it is not. `timer`: of a timed one. */
static int sleep_result(
	const struct wait_entry *e, struct wait_timer *timer, const struct wait_limit *limit)
{
	if (e->woken)
		return 0;
	/* Relaxed, both: ordered by sched_prepare_sleep's fence; nothing hangs on what they say. */
	if (limit->interruptible && atomic_load_u32(&e->thread->killed, relaxed)) {
		LOCK_POINT(waitq_killed);
		return -EINTR;
	}
	if (timer && atomic_load_u32(&timer->fired, relaxed)) {
		LOCK_POINT(waitq_timed_out);
		return -ETIMEDOUT;
	}
	return 1;
}

static int sleep_until_result(struct waitq *wq, struct wait_entry *e, struct wait_timer *timer,
	const struct wait_limit *limit) REQUIRES(wq)
{
	int rc;

	for (;;) {
		sched_prepare_sleep(limit->interruptible ? THREAD_SLEEPING_INTR : THREAD_SLEEPING);
		LOCK_POINT(waitq_prepared);
		rc = sleep_result(e, timer, limit);
		if (rc <= 0)
			break;
		waitq_unlock(wq);
		LOCK_POINT(waitq_sleep);
		if (!LOCK_CHAOS(waitq_wakes_at_once))
			schedule();
		waitq_lock(wq);
	}
	sched_cancel_sleep();
	return rc;
}

static int sleep_timed(struct waitq *wq, struct wait_entry *e, const struct wait_limit *limit)
	REQUIRES(wq)
{
	struct wait_timer timer = {.thread = e->thread};
	int rc;

	if (!e->woken && clock_now_ns() >= limit->deadline_ns)
		return -ETIMEDOUT;
	timer_init(&timer.timer, limit_reached);
	stack_shared_begin();
	timer_start(&timer.timer, LOCK_CHAOS(waitq_limit_early) ? 0 : limit->deadline_ns);
	sleep_until_result(wq, e, &timer, limit);
	waitq_unlock(wq);
	timer_cancel_sync(&timer.timer);
	LOCK_POINT(waitq_limit_cancelled);
	stack_shared_end();
	waitq_lock(wq);
	rc = sleep_result(e, &timer, limit);
	assert(rc <= 0);
	return rc;
}

/* For reports, and for who looks for cycles: a wait for a lock with an owner says it itself. True:
 * it closes one, and a test expects that. */
static bool publish(
	const struct waitq *wq, const struct wait_entry *e, const struct wait_limit *limit)
{
	enum wait_kind kind = e->kind ? e->kind : WAIT_EVENT;

	wait_begins(&lock_thread()->wait, waitq_how(kind, limit), e->what ? e->what : wq,
		e->what ? e->class : wq->lock.class, e->who);
	/* An event of which nobody knows who signals it leads nowhere. */
	return (kind != WAIT_EVENT || e->who) && cycle_closed();
}

int waitq_sleep(struct waitq *wq, struct wait_entry *e, const struct wait_limit *limit)
{
	bool limited = limit->interruptible || limit->deadline_ns != WAIT_FOREVER;
	bool published = !e->pilock && !e->woken;
	uint8_t prio = racy_read(e->thread->prio_effective, "who changes it moves the entry");
	int rc = 0;

	/* What was inherited may have gone with the lock that was given up after queueing. */
	if (e->queued && !e->pilock && e->prio != prio)
		waitq_requeue(wq, e, prio);
	if (!e->queued && !e->woken)
		waitq_enqueue(wq, e);
	e->timed = limit->deadline_ns != WAIT_FOREVER;
	if (published && publish(wq, e, limit) && limited)
		rc = -EDEADLK;
	if (!rc)
		rc = e->timed ? sleep_timed(wq, e, limit) : sleep_until_result(wq, e, NULL, limit);
	if (published)
		wait_ends(&lock_thread()->wait);
	/* This wake has been told; the next sleep is for another one. */
	e->woken = false;
	return rc;
}
