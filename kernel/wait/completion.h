/* SPDX-License-Identifier: MIT */
/*
 * A completion: "it is done", said once per waiter (complete) or for all, present and future
 * (complete_all), until completion_reset. It may lie on the stack of the one who waits: complete
 * touches it no more once the waiter can return.
 */
#ifndef KERNEL_WAIT_COMPLETION_H
#define KERNEL_WAIT_COMPLETION_H

#include "kernel/wait/waitq.h"

struct completion {
	struct waitq wq;
	unsigned done GUARDED_BY(&wq); /* waits that need not sleep; UINT_MAX: all */
	uint32_t by GUARDED_BY(&wq);   /* handle of the thread that completes it; 0: not known */
};

/* The class is that of the inner irqlock: a spinning rank (RANK_WAITQ). */
#define COMPLETION_INIT(class_) {.wq = WAITQ_INIT(class_)}
/* Not in use. Either. */
void completion_init(struct completion *c, struct lock_class *class);
/* As after completion_init; nobody waits. Either. */
void completion_reset(struct completion *c);

/* It is thread `t` that completes it: waits for it lead there when deadlocks are looked for.
 * Either; `t` lives. */
void completion_expect(struct completion *c, const struct thread *t);

/* Ends one wait, or every wait from now on. Either. */
void complete(struct completion *c);
void complete_all(struct completion *c);
/* The same as complete, for a waiter that looks again and could as well have gone on waiting: what
 * its waker holds, or needed to come here, is none of its business (kernel/lock/run.h). Either. */
void completion_look_again(struct completion *c);

/* Thread, may sleep. 0, -ETIMEDOUT at the deadline (clock_now_ns), -EINTR when killed. */
void wait_for_completion(struct completion *c);
int wait_for_completion_timeout(struct completion *c, uint64_t deadline_ns);
int wait_for_completion_intr(struct completion *c);
int wait_for_completion_limit(struct completion *c, const struct wait_limit *limit);
/* Takes one if it is there. Either; does not wait. */
bool completion_try(struct completion *c);
/* A wait would not sleep at this moment. Either. */
bool completion_done(struct completion *c);

#endif
