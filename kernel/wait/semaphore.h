/* SPDX-License-Identifier: MIT */
/*
 * The counting semaphore: no owner, so no inheritance and nothing to abandon. An up with somebody
 * waiting gives the unit straight to the first waiter: it can be neither lost nor taken away.
 *
 * Statistics of its class: acquisitions are downs and successful tries, a wait is one for a unit.
 * Nobody holds a semaphore, so there are no times of holds.
 *
 * The word: semaphore.c.
 */
#ifndef KERNEL_WAIT_SEMAPHORE_H
#define KERNEL_WAIT_SEMAPHORE_H

#include "kernel/wait/waitq.h"

#define SEMAPHORE_MAX 0x7fffffffu /* units */

struct semaphore {
	atomic_u32 word;
	struct lock_class *class; /* of the event that its waiters wait for; constant */
	struct waitq wq;
};

extern struct lock_class semaphore_waitq_class;

/* The class is the semaphore's own: its rank is that of no lock, RANK_WAITQ. */
#define SEMAPHORE_INIT(class_, count_) \
	{.word = {SEMAPHORE_WORD(count_)}, \
		.class = (class_), \
		.wq = WAITQ_INIT(&semaphore_waitq_class)}
#define SEMAPHORE_WORD(count_) ((count_) << 1)
/* Not in use. Either. */
void semaphore_init(struct semaphore *s, struct lock_class *class, unsigned count);

/* Thread, may sleep. */
void semaphore_down(struct semaphore *s);
/* 0 or -EINTR; 0 or -ETIMEDOUT at the deadline (clock_now_ns). */
int semaphore_down_intr(struct semaphore *s);
int semaphore_down_timeout(struct semaphore *s, uint64_t deadline_ns);
int semaphore_down_limit(struct semaphore *s, const struct wait_limit *limit);
/* Either; do not wait. */
bool semaphore_try(struct semaphore *s);
void semaphore_up(struct semaphore *s);
/* For reports and tests. */
unsigned semaphore_count(const struct semaphore *s);

#endif
