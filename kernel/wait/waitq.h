/* SPDX-License-Identifier: MIT */
/*
 * The wait queue: the one place where threads sleep for an event. Every lock of this folder is
 * built on it.
 *
 *	thread: wait_event(&wq, atomic_load_bool(&done, acquire));
 *	waker:  atomic_store_bool(&done, true, release);  waitq_wake_all(&wq);
 *
 * No wake-up is lost: the condition is evaluated, and the waiter queued, under one hold of wq.lock,
 * and a wake removes the waiter under one hold of the same lock. A wake that comes before the hold
 * has made the condition true; one that comes after it finds the waiter.
 *
 * Order of waking: the non-exclusive waiters, all of them, then exclusive ones by effective
 * priority, first come within one priority. A waiter whose priority changes while it sleeps moves
 * (pi.c).
 *
 * A waiter that was woken and then finds its time over or itself killed looks at its condition
 * first: true wins. So no wake-up is swallowed by a waiter that gives up.
 *
 * wq.lock (irqlock; rank WAITQ, or as the class says that its user gives)
 *   Protects: the queue, and `queued`, `woken`, `prio` of every entry.
 *   Taken by: threads and handlers.
 *   Order:    after everything that may be held by a waker, before PI, TIMER, RUNQ.
 */
#ifndef KERNEL_WAIT_WAITQ_H
#define KERNEL_WAIT_WAITQ_H

#include "kernel/lock/irqlock.h"
#include "kernel/lock/run.h"
#include "kernel/sched/thread.h"
#include "lib/rbtree.h"

struct CAPABILITY("waitq") waitq {
	struct irqlock lock;
	struct rbtree waiters; /* of struct wait_entry; lock. In the order of waitq_less */
};

/* `class_`: address of a class of a spinning rank. */
#define WAITQ_INIT(class_) {.lock = IRQLOCK_INIT(class_), .waiters = RBTREE_INIT}

struct pilock;

/* A thread in a queue, on the thread's stack. thread->waiting_entry names it while it is in use. */
struct wait_entry {
	struct rbnode node;
	struct waitq *wq;
	struct thread *thread;
	struct pilock *pilock; /* the lock with an owner that it waits for, or NULL */
	uint64_t serial;       /* of this wait among all of its thread (pi.c) */
	uint8_t prio;	       /* what it is queued by */
	bool exclusive;
	uint8_t kind;	  /* enum wait_kind that is shown of it; WAIT_NONE: an event */
	uint32_t who;	  /* WAIT_EVENT: handle of the thread that is to signal it, 0: not known */
	const void *what; /* that is waited for, and its class; NULL: the queue */
	const struct lock_class *class;
	bool timed; /* ends by itself */
	bool queued;
	bool woken;
};

/* How long, and whether a kill ends it. */
struct wait_limit {
	uint64_t deadline_ns; /* clock_now_ns; WAIT_FOREVER: none */
	bool interruptible;
};
#define WAIT_FOREVER UINT64_MAX
#define WAIT_PLAIN ((struct wait_limit){WAIT_FOREVER, false})
#define WAIT_INTR ((struct wait_limit){WAIT_FOREVER, true})
#define WAIT_UNTIL(deadline_ns_) ((struct wait_limit){(deadline_ns_), false})

/* What lock_wait.how says of a wait with that limit. */
static inline unsigned waitq_how(enum wait_kind kind, const struct wait_limit *limit)
{
	return kind | (limit->deadline_ns != WAIT_FOREVER ? WAIT_TIMED : 0) |
		(limit->interruptible ? WAIT_KILLABLE : 0);
}

/* wq.lock. The queue stands for it as capability, so that what lies beside a queue in a struct can
 * be GUARDED_BY(&wq): clang binds guards to members of the same struct only. Either. */
static inline void waitq_lock(struct waitq *wq) ACQUIRES(wq) UNCHECKED_LOCKING
{
	irqlock_acquire(&wq->lock);
}
static inline void waitq_unlock(struct waitq *wq) RELEASES(wq) UNCHECKED_LOCKING
{
	irqlock_release(&wq->lock);
}

/* The queue is not in use. Either. */
void waitq_init(struct waitq *wq, struct lock_class *class);

/* Wakes all non-exclusive waiters and at most one, or all, of the exclusive ones. Returns how many.
 * What the condition depends on was stored before. Either; takes wq.lock. */
unsigned waitq_wake_one(struct waitq *wq) EXCLUDES(wq);
unsigned waitq_wake_all(struct waitq *wq) EXCLUDES(wq);
/* Somebody waits at this moment. For reports and tests. */
bool waitq_has_waiters(struct waitq *wq) EXCLUDES(wq);

/*
 * Sleep until `cond` is true. It is evaluated with wq.lock held: it must not sleep, and take only
 * locks of later ranks; mostly it is one atomic load. Thread, may sleep.
 *
 *   wait_event            nothing else ends it
 *   wait_event_intr       0, or -EINTR when the thread is killed
 *   wait_event_timeout    0, or -ETIMEDOUT at the deadline (clock_now_ns)
 *   wait_event_exclusive  like wait_event, and waitq_wake_one wakes one of these
 *   wait_event_limit      all of it: `exclusive_`, and a struct wait_limit
 */
#define wait_event(wq, cond) ((void)wait_event_limit(wq, cond, false, WAIT_PLAIN))
#define wait_event_intr(wq, cond) wait_event_limit(wq, cond, false, WAIT_INTR)
#define wait_event_timeout(wq, cond, deadline_ns) \
	wait_event_limit(wq, cond, false, WAIT_UNTIL(deadline_ns))
#define wait_event_exclusive(wq, cond) ((void)wait_event_limit(wq, cond, true, WAIT_PLAIN))
#define wait_event_limit(wq_, cond, exclusive_, limit_) \
	({ \
		struct waitq *const event_wq_ = (wq_); \
		const struct wait_limit event_limit_ = (limit_); \
		struct wait_entry event_entry_; \
		int event_rc_ = 0; \
\
		might_sleep(); \
		if (event_limit_.deadline_ns == WAIT_FOREVER) \
			event_awaited(event_wq_, event_wq_->lock.class); \
		waitq_begin(event_wq_, &event_entry_, (exclusive_)); \
		for (;;) { \
			if (cond) { \
				event_rc_ = 0; \
				break; \
			} \
			if (event_rc_) \
				break; \
			event_rc_ = waitq_sleep(event_wq_, &event_entry_, &event_limit_); \
		} \
		waitq_end(event_wq_, &event_entry_); \
		event_rc_; \
	})

/* ---- For the locks of this folder, and waits that the macros cannot express ---------------- */

/* Takes wq.lock, makes `e` an entry of the running thread, not queued yet. Thread. */
void waitq_begin(struct waitq *wq, struct wait_entry *e, bool exclusive) ACQUIRES(wq);
/* Takes `e` off the queue if it is still there, and releases wq.lock. */
void waitq_end(struct waitq *wq, struct wait_entry *e) RELEASES(wq);
/* Fills in `e` for the running thread. */
void wait_entry_init(struct wait_entry *e, struct waitq *wq, struct pilock *pilock, bool exclusive);
void waitq_enqueue(struct waitq *wq, struct wait_entry *e) REQUIRES(wq);
/* The wait is over: off the queue, if it is there, and thread->waiting_entry is clear again. */
void waitq_dequeue(struct waitq *wq, struct wait_entry *e) REQUIRES(wq);
/*
 * Queues `e` unless it is queued, then sleeps with wq.lock released until a wake, the limit or a
 * kill. 0: woken, now or since the last call (a grant took it off the queue, a nudge left it
 * there); -ETIMEDOUT; -EINTR. A wake that raced with the limit wins: 0. -EDEADLK: it has a limit
 * and would close a circle, and a test expects that report.
 */
int waitq_sleep(struct waitq *wq, struct wait_entry *e, const struct wait_limit *limit)
	REQUIRES(wq);
/* The waiter that is next, NULL: none. */
struct wait_entry *waitq_first(struct waitq *wq) REQUIRES(wq);
/* Takes e off the queue and wakes it; or wakes it and leaves it in its place. */
void waitq_grant(struct waitq *wq, struct wait_entry *e) REQUIRES(wq);
void waitq_nudge(struct waitq *wq, struct wait_entry *e) REQUIRES(wq);
/* Takes e off the queue, and nothing more. */
void waitq_unlink(struct waitq *wq, struct wait_entry *e) REQUIRES(wq);
/* waitq_wake_* for who holds wq.lock; `nr_exclusive` at most. */
unsigned waitq_wake_locked(struct waitq *wq, unsigned nr_exclusive) REQUIRES(wq);
/* Moves `e`, which is queued, to where `prio` belongs. */
void waitq_requeue(struct waitq *wq, struct wait_entry *e, uint8_t prio) REQUIRES(wq);

#endif
