/* SPDX-License-Identifier: MIT */
/*
 * A sleeping lock with an owner: what mutex, rwmutex (its writers) and mixlock have in common.
 *
 * The word
 *
 *	bits 2-31  the owner's handle (kernel/sched/thread.h), 0: free
 *	bit 0      PILOCK_QUEUED: threads wait, or posted work is pending
 *	bit 1      PILOCK_ABANDONED: a holder died and nobody has said since that the data are whole
 *
 *   free (0) --cas--> owned (h) --cas--> free              uncontended: one access each
 *   owned (h) --a waiter, under wq.lock--> owned (h|Q)
 *   owned (h|Q) --unlock, under wq.lock--> free (Q), the first waiter woken but still queued
 *                                      \-> owned (w|Q?): handed to the first waiter
 *   free (Q) --under wq.lock--> owned (s|Q) by whoever comes first (a steal, or the first waiter)
 *
 * While any bit 0-1 is set the word changes only under wq.lock; so does setting one.
 *
 * Hand-off: an unlock hands over if the first waiter is real-time, or if the lock has been given up
 * to whoever comes PILOCK_MAX_STEALS times since a waiter got it. In between, a newcomer may take a
 * free lock past the queue only if its priority is not lower than the first waiter's. While the
 * lock is free and the queue is not empty, the first waiter has been woken.
 *
 * Waiting: a newcomer spins while the owner runs on another hart (looked at inside a
 * quiescent-state section, a bounded number of steps); then it looks again under wq.lock, queues
 * by effective priority and sleeps. Inheritance and cycles: pi.c. Dead holders: abandon.c.
 *
 * A mixed lock may be owned by an interrupt handler (PILOCK_HANDLER; bits 16-31: hart index), or
 * have been passed on to nobody (PILOCK_PASSED), with posts and without waiters: the first thread
 * that comes has it, a work thread has been asked to (mixlock.c); nobody else takes it. Meanwhile
 * the work thread inherits.
 *
 * Lifetime: who gives the lock up does not touch it any more once somebody else can have it, so the
 * memory may be freed by whoever had it last (the usual reference count under the lock itself).
 * The exception is an rwmutex's reader: rwmutex.h.
 *
 * This is the mechanism; context, ownership and rank checks are made by the flavours.
 */
#ifndef KERNEL_WAIT_PILOCK_H
#define KERNEL_WAIT_PILOCK_H

#include "kernel/lock/atomic.h"
#include "kernel/lock/class.h"
#include "kernel/lock/stat.h"
#include "kernel/wait/waitq.h"

#define PILOCK_QUEUED 1u
#define PILOCK_ABANDONED 2u
#define PILOCK_FLAGS (PILOCK_QUEUED | PILOCK_ABANDONED)
#define PILOCK_HANDLER 0xfffcu /* index part of no thread */
#define PILOCK_INDEX_MASK 0xfffcu
#define PILOCK_PASSED (PILOCK_HANDLER | 0xffffu << 16) /* index of no hart */
#define PILOCK_MAX_STEALS 8

enum pilock_kind {
	PILOCK_MUTEX,
	PILOCK_RWMUTEX,
	PILOCK_MIXLOCK,
};

struct pilock {
	atomic_u32 word;
	uint8_t kind;		  /* enum pilock_kind; constant */
	uint8_t last_hart;	  /* index + 1 of where it was had last (CONFIG_LOCKSTAT) */
	struct lock_class *class; /* of the mutex, rwmutex or mixlock; constant */
	struct waitq wq;
	uint8_t steals GUARDED_BY(&wq);	      /* since a waiter got it */
	bool posts_pending GUARDED_BY(&wq);   /* mixlock: posted work is queued */
	uint32_t dead_owner GUARDED_BY(&wq);  /* handle of who died holding it */
	struct thread *donee GUARDED_BY(&wq); /* who inherits: owner, or whom it was passed to */
	struct rbnode donation;		      /* in donee->pi_waiters: donee's PI lock */
	uint8_t donated;		      /* what it is filed by: donee's PI lock */
};

extern struct lock_class pilock_waitq_class;

#define PILOCK_INIT(kind_, class_) \
	{.word = {0}, .kind = (kind_), .class = (class_), .wq = WAITQ_INIT(&pilock_waitq_class)}

/* The lock is not in use. Either. */
void pilock_init(struct pilock *l, enum pilock_kind kind, struct lock_class *class);

/* Acquire partner: the release in pilock_unlock_fast, and of the slow unlock. */
static inline bool pilock_try_fast(struct pilock *l)
{
	uint32_t free = 0;

	return likely(atomic_cas_u32(&l->word, &free, lock_thread()->handle, acquire));
}

/* False: a flag is set, or the caller is not the owner. */
static inline bool pilock_unlock_fast(struct pilock *l)
{
	uint32_t mine = lock_thread()->handle;

	return likely(atomic_cas_u32(&l->word, &mine, 0, release));
}

/* The caller has just taken it, and says so to the statistics. */
static inline void pilock_count(struct pilock *l)
{
	if (!CONFIG_LOCKSTAT)
		return;
	/* With interrupts on it may be the hart of a moment ago. */
	lock_stat_owner(l->class, l, &l->last_hart, lock_hart()->index);
}

/*
 * Acquires after pilock_try_fast failed. 0 or -EOWNERDEAD: held (the latter: and abandoned);
 * -ETIMEDOUT, -EINTR: not held; -EDEADLK: the wait would close a cycle (only if a test expects the
 * report; otherwise that is the end). Thread, may sleep.
 */
int pilock_lock_slow(struct pilock *l, const struct wait_limit *limit);
/* After a plain acquire of an abandoned lock: the report. The owner. */
void pilock_not_robust(struct pilock *l);
/*
 * The owner by the word `mine` gives the lock up, wq.lock held: to the waiters or to nobody. True:
 * done, and wq.lock is the last that the caller may touch of it. False: nobody is behind it; the
 * word has no QUEUED now, and the lock is given up by pilock_give_up, after wq.lock.
 */
bool pilock_pass_or_clear(struct pilock *l) REQUIRES(&l->wq);
/* The rest of that: true: done, nothing of the lock may be touched. False: somebody has queued. */
static inline bool pilock_give_up(struct pilock *l, uint32_t mine)
{
	/* Release; partner: whoever takes the lock next. */
	return atomic_cas_u32(&l->word, &mine, 0, release);
}
/* Releases after pilock_unlock_fast failed; panics if the running thread is not the owner. Thread.
 */
void pilock_unlock_slow(struct pilock *l);
/* The lock's state is whole again. The owner. */
void pilock_recover(struct pilock *l);
/* The running thread owns it. Either. */
bool pilock_is_mine(const struct pilock *l);
/* For reports: who owns it, 0: nobody. Either. */
uint32_t pilock_owner(const struct pilock *l);

/* ---- For mixlock.c and abandon.c ------------------------------------------------------------ */

/*
 * Takes the lock, if it is free, for `me` (a handle or handler word), with whoever waits behind it.
 * `past_rt`: also while a real-time waiter is on its way to it.
 */
bool pilock_take_locked(struct pilock *l, uint32_t me, bool past_rt) REQUIRES(&l->wq);
/* Gives the lock, which the caller owns or has buried the owner of, to the first waiter or to
 * whoever comes. */
void pilock_pass_locked(struct pilock *l) REQUIRES(&l->wq);
/* Gives it to waiter `e`, with all that is pending on it. */
void pilock_grant_locked(struct pilock *l, struct wait_entry *e) REQUIRES(&l->wq);
/* If the lock was passed to nobody, it is the running thread's now: true. *changed: as by
 * pi_detach. */
bool pilock_take_passed(struct pilock *l, struct thread **changed) REQUIRES(&l->wq);
/* Makes thread `t`, or nobody that inherits (NULL), its owner, by the word `w` without flags. */
void pilock_set_owner_locked(struct pilock *l, struct thread *t, uint32_t w) REQUIRES(&l->wq);
/*
 * Somebody is about to be queued behind the owner: sets QUEUED. False: there is no owner (any
 * more), try again to take it.
 */
bool pilock_mark_queued(struct pilock *l) REQUIRES(&l->wq);
/*
 * Somebody was queued behind the owner: it inherits. Returns the owner (NULL: a handler), from
 * which pi_propagate goes on. *dead: the owner has died; the lock is free and abandoned now.
 */
struct thread *pilock_inherit_locked(struct pilock *l, bool *dead) REQUIRES(&l->wq);
/* The owner died: makes the lock free and abandoned. */
void pilock_bury_locked(struct pilock *l) REQUIRES(&l->wq);

static inline bool pilock_word_is_handler(uint32_t w)
{
	return (w & PILOCK_INDEX_MASK) == PILOCK_HANDLER;
}

#endif
