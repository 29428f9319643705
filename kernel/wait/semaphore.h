/* SPDX-License-Identifier: MIT */
/*
 * The counting semaphore: no owner, so no inheritance and nothing to abandon. An up with somebody
 * waiting gives the unit straight to the first waiter: it can be neither lost nor taken away.
 */
#ifndef KERNEL_WAIT_SEMAPHORE_H
#define KERNEL_WAIT_SEMAPHORE_H

#include "kernel/wait/waitq.h"

struct semaphore {
	struct waitq wq;
	unsigned count GUARDED_BY(&wq); /* 0 while somebody waits */
};

/* The class is that of the inner irqlock: a spinning rank (RANK_WAITQ). */
#define SEMAPHORE_INIT(class_, count_) {.wq = WAITQ_INIT(class_), .count = (count_)}
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
unsigned semaphore_count(struct semaphore *s);

#endif
