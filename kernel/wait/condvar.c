/* SPDX-License-Identifier: MIT */
/*
 * The condition variable (condvar.h).
 *
 * The waiter's entry is queued while the caller's lock is being given up, with interrupts on. A
 * kill that was asked for takes it off the queue like a timeout; a fault in between is a panic,
 * because the entry lies on the stack (thread->waiting_entry; kernel/panic/fault.c).
 */
#include "kernel/wait/condvar.h"

#include "kernel/wait/mixlock.h"
#include "kernel/wait/mutex.h"
#include "lib/errno.h"

void condvar_init(struct condvar *cv, struct lock_class *class)
{
	waitq_init(&cv->wq, class);
}

/* Queued from here on; the caller's lock is still held. */
static void join(struct condvar *cv, struct wait_entry *e)
{
	wait_entry_init(e, &cv->wq, NULL, true);
	waitq_lock(&cv->wq);
	waitq_enqueue(&cv->wq, e);
	waitq_unlock(&cv->wq);
	LOCK_POINT(condvar_joined);
}

/* The caller's lock is given up. */
static int sleep_for_signal(
	struct condvar *cv, struct wait_entry *e, const struct wait_limit *limit, uintptr_t pc)
{
	int rc;

	if (CONFIG_LOCKCHECK && limit->deadline_ns == WAIT_FOREVER)
		check_event_awaited_slow(cv, cv->wq.lock.class, pc);
	LOCK_EVENT(condvar_wait, cv, cv->wq.lock.class);
	waitq_lock(&cv->wq);
	rc = waitq_sleep(&cv->wq, e, limit);
	waitq_dequeue(&cv->wq, e);
	waitq_unlock(&cv->wq);
	LOCK_POINT(condvar_woken);
	return rc;
}

void condvar_wait(struct condvar *cv, struct mutex *m)
{
	condvar_wait_limit(cv, m, &WAIT_PLAIN);
}

int condvar_wait_timeout(struct condvar *cv, struct mutex *m, uint64_t deadline_ns)
{
	return condvar_wait_limit(cv, m, &WAIT_UNTIL(deadline_ns));
}

int condvar_wait_intr(struct condvar *cv, struct mutex *m)
{
	return condvar_wait_limit(cv, m, &WAIT_INTR);
}

int condvar_wait_limit(struct condvar *cv, struct mutex *m, const struct wait_limit *limit)
{
	struct wait_entry e;
	int rc;

	might_sleep();
	assert(mutex_held_by_me(m));
	join(cv, &e);
	mutex_unlock(m);
	rc = sleep_for_signal(cv, &e, limit, (uintptr_t)__builtin_return_address(0));
	mutex_lock(m);
	return rc;
}

void condvar_wait_mix(struct condvar *cv, struct mixlock *m)
{
	condvar_wait_mix_limit(cv, m, &WAIT_PLAIN);
}

int condvar_wait_mix_limit(struct condvar *cv, struct mixlock *m, const struct wait_limit *limit)
{
	struct wait_entry e;
	int rc;

	might_sleep();
	assert(mixlock_held_by_me(m));
	join(cv, &e);
	mixlock_unlock(m);
	rc = sleep_for_signal(cv, &e, limit, (uintptr_t)__builtin_return_address(0));
	mixlock_lock(m);
	return rc;
}

unsigned condvar_signal(struct condvar *cv)
{
	return waitq_wake_one(&cv->wq);
}

unsigned condvar_broadcast(struct condvar *cv)
{
	return waitq_wake_all(&cv->wq);
}
