/* SPDX-License-Identifier: MIT */
/*
 * The condition variable: waits for a change of what a mutex or a mixed lock protects.
 *
 *	mutex_lock(&m);
 *	while (!condition)
 *		condvar_wait(&cv, &m);
 *
 * The waiter is queued before the lock is given up, so no signal is lost that comes after a look at
 * the condition. A signal takes its waiter off the queue: it is never swallowed by one that times
 * out at the same moment. Signals may come from handlers and posted work; waiters look again,
 * always.
 */
#ifndef KERNEL_WAIT_CONDVAR_H
#define KERNEL_WAIT_CONDVAR_H

#include "kernel/wait/waitq.h"

struct mutex;
struct mixlock;

struct condvar {
	struct waitq wq;
};

/* The class is that of the inner irqlock: a spinning rank (RANK_WAITQ). */
#define CONDVAR_INIT(class_) {.wq = WAITQ_INIT(class_)}
/* Not in use. Either. */
void condvar_init(struct condvar *cv, struct lock_class *class);

/*
 * Gives the lock up, sleeps until a signal, takes it again. The mixed form runs what was posted to
 * the lock, as an unlock does. The _limit forms return 0, -EINTR or -ETIMEDOUT, with the lock held
 * in every case. Thread, may sleep.
 */
void condvar_wait(struct condvar *cv, struct mutex *m) REQUIRES(m);
int condvar_wait_timeout(struct condvar *cv, struct mutex *m, uint64_t deadline_ns) REQUIRES(m);
int condvar_wait_intr(struct condvar *cv, struct mutex *m) REQUIRES(m);
int condvar_wait_limit(struct condvar *cv, struct mutex *m, const struct wait_limit *limit)
	REQUIRES(m);
void condvar_wait_mix(struct condvar *cv, struct mixlock *m) REQUIRES(m);
int condvar_wait_mix_limit(struct condvar *cv, struct mixlock *m, const struct wait_limit *limit)
	REQUIRES(m);

/* One waiter, the first by priority; all of them. Either. Return how many. */
unsigned condvar_signal(struct condvar *cv);
unsigned condvar_broadcast(struct condvar *cv);

#endif
