/* SPDX-License-Identifier: MIT */
/* The counting semaphore (semaphore.h): count and waiters under one lock. */
#include "kernel/wait/semaphore.h"

#include "lib/errno.h"

void semaphore_init(struct semaphore *s, struct lock_class *class, unsigned count) UNCHECKED_LOCKING
{
	/* Unchecked: nobody else knows it yet. */
	waitq_init(&s->wq, class);
	s->count = count;
}

void semaphore_down(struct semaphore *s)
{
	semaphore_down_limit(s, &WAIT_PLAIN);
}

int semaphore_down_intr(struct semaphore *s)
{
	return semaphore_down_limit(s, &WAIT_INTR);
}

int semaphore_down_timeout(struct semaphore *s, uint64_t deadline_ns)
{
	return semaphore_down_limit(s, &WAIT_UNTIL(deadline_ns));
}

int semaphore_down_limit(struct semaphore *s, const struct wait_limit *limit)
{
	struct wait_entry e;
	int rc = 0;

	might_sleep();
	if (limit->deadline_ns == WAIT_FOREVER)
		event_awaited(s, s->wq.lock.class);
	waitq_begin(&s->wq, &e, true);
	if (s->count) {
		LOCK_POINT(semaphore_down);
		s->count--;
	} else {
		LOCK_EVENT(semaphore_wait, s, s->wq.lock.class);
		rc = waitq_sleep(&s->wq, &e, limit); /* 0: a unit was given to us */
	}
	waitq_end(&s->wq, &e);
	return rc;
}

bool semaphore_try(struct semaphore *s)
{
	bool got;

	waitq_lock(&s->wq);
	got = s->count > 0 && !LOCK_CHAOS(semaphore_try_fails);
	if (got)
		s->count--;
	waitq_unlock(&s->wq);
	return got;
}

void semaphore_up(struct semaphore *s)
{
	event_signalled(s->wq.lock.class, false);
	waitq_lock(&s->wq);
	if (!waitq_wake_locked(&s->wq, 1)) {
		LOCK_POINT(semaphore_up);
		assert(s->count < UINT_MAX);
		s->count++;
	}
	waitq_unlock(&s->wq);
}

unsigned semaphore_count(struct semaphore *s)
{
	unsigned n;

	waitq_lock(&s->wq);
	n = s->count;
	waitq_unlock(&s->wq);
	return n;
}
