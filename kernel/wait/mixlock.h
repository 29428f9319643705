/* SPDX-License-Identifier: MIT */
/*
 * The mixed lock: threads hold it, for long, with interrupts on, and may sleep; interrupt
 * handlers never wait for it. A handler that needs what it protects tries it, or posts work to
 * it.
 *
 *	thread:  mixlock_lock(&tty->lock); ... mixlock_unlock(&tty->lock);
 *	handler: mixlock_post(&tty->lock, &tty->received);
 *
 * Posted work runs under the lock: at once if that is free, otherwise queued on the lock and run by
 * whoever holds it, in the order of the posts, before the lock is free. It never sleeps and is
 * checked as interrupt context wherever it runs. The item is the caller's; a post of a queued item
 * returns false and changes nothing (and the run that is due sees all that was stored before); each
 * true post runs exactly once. An item is free again, for a post or for the allocator, from the
 * moment its function is called.
 *
 * Bounds: a handler, or a thread with interrupts off, runs its own item and at most
 * MIXLOCK_HANDLER_MAX others, a thread at most MIXLOCK_THREAD_MAX; then the lock, with the rest of
 * its queue, passes to the first waiter or, if nobody waits, to whoever is first of the hart's work
 * thread and the threads that lock it. The lock is never free for a handler, a try or a post while
 * its queue is not empty.
 *
 * Pending work boosts the owner to the post priority of the lock's class (lock_class.post_prio).
 *
 * Waiting, with the lock held, for an event that work posted to it signals is a deadlock and
 * reported (kernel/lock/run.h): use condvar_wait_mix, which gives the lock up.
 *
 * The queue of posts is guarded by pi.wq.lock, like the word while a flag is set (pilock.h).
 */
#ifndef KERNEL_WAIT_MIXLOCK_H
#define KERNEL_WAIT_MIXLOCK_H

#include "kernel/lock/annotate.h"
#include "kernel/wait/pilock.h"
#include "kernel/wait/work.h"

#define MIXLOCK_HANDLER_MAX 8
#define MIXLOCK_THREAD_MAX 64

struct mixwork {
	void (*fn)(struct mixwork *w);
	struct mixwork *next; /* the lock's pi.wq.lock */
	atomic_u32 queued;
	bool cancelled; /* for fn: the holder died, the data are in doubt */
};

struct CAPABILITY("mixlock") mixlock {
	struct pilock pi;
	/* Posts, oldest first; `last` is valid while there is a first one. pi.wq.lock: not a member
	 * of this struct, so checked at run time, not by clang. */
	struct mixwork *first, *last;
	struct work drain; /* the rest of a queue, for a work thread */
};

#define MIXLOCK_INIT(class_) \
	{.pi = PILOCK_INIT(PILOCK_MIXLOCK, (class_)), .drain = WORK_INIT(mixlock_drain)}
void mixlock_drain(struct work *w);
/* Not in use. Either. */
void mixlock_init(struct mixlock *m, struct lock_class *class);
/* Before its memory goes, unless nothing was ever posted to it: nobody holds it or comes for it any
 * more; memory that is freed with the lock's rest on a work thread's list is a report. Returns when
 * all that was posted has run, and no work thread has it on its list. Not from work that a work
 * thread runs. Thread, may sleep. */
void mixlock_destroy(struct mixlock *m);

#define MIXLOCK_INLINE LOCK_INLINE
void mixlock_lock_slow(struct mixlock *m) ACQUIRES(m);
void mixlock_unlock_slow(struct mixlock *m) RELEASES(m);

/* Thread, may sleep. */
static inline void mixlock_lock(struct mixlock *m) ACQUIRES(m) UNCHECKED_LOCKING
{
	/* Unchecked: what clang cannot see is that the word is the lock. */
	if (!MIXLOCK_INLINE || !pilock_try_fast(&m->pi))
		mixlock_lock_slow(m);
}
/* 0, -EINTR, -ETIMEDOUT, by the limits of waitq.h. Thread, may sleep. */
int mixlock_lock_limit(struct mixlock *m, const struct wait_limit *limit) TRY_ACQUIRES(0, m);
/* Held; 0 or -EOWNERDEAD. Thread, may sleep. */
int mixlock_lock_robust(struct mixlock *m) ACQUIRES(m);
void mixlock_recover(struct mixlock *m) REQUIRES(m);
/* Never waits; true: it is the caller's. Either: a handler gives it back before it returns. */
bool mixlock_try(struct mixlock *m) TRY_ACQUIRES(true, m);
/* Runs what was posted, within the bound, and gives the lock up. In the context that acquired it.
 */
static inline void mixlock_unlock(struct mixlock *m) RELEASES(m) UNCHECKED_LOCKING
{
	if (!MIXLOCK_INLINE || !pilock_unlock_fast(&m->pi))
		mixlock_unlock_slow(m);
}
bool mixlock_held_by_me(const struct mixlock *m);

/* Not queued. Either. */
void mixwork_init(struct mixwork *w, void (*fn)(struct mixwork *w));
#define MIXWORK_INIT(fn_) {.fn = (fn_)}
/* Either; locks of earlier ranks than WORK may be held. Does not wait. */
bool mixlock_post(struct mixlock *m, struct mixwork *w);

/* For abandon.c: the holder died and the lock, abandoned, is the caller's: runs the posts
 * cancelled, passes it on. */
void mixlock_release_dead(struct mixlock *m);

#endif
