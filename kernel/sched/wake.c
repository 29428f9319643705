/* SPDX-License-Identifier: MIT */
/*
 * Sleeping and waking.
 *
 *	sleeper: state = SLEEPING; full fence; load condition; schedule()
 *	waker:   store condition;  full fence; load state;     wake
 *
 * One of the two loads sees the other's store (both fences are full, and store-load is what they
 * order): either the sleeper finds the condition true, or the waker finds it asleep or about to be.
 * The waker looks again under the lock of the sleeper's queue, and finds it
 *   on a hart: the sleeper has not come to the decision yet (that takes this lock): it becomes
 *	RUNNING again and its schedule() returns;
 *   off:  it has left its stack (sched.c) and is claimed by becoming READY, which nobody else does
 *	under this lock; from there on it is in transit (place.c).
 * The state is stored without the lock by the thread itself only. A waker of an earlier sleep that
 * comes late ends the next one too early: sleepers wait in a loop.
 */
#include "kernel/sched/internal.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/assert.h"
#include "lib/errno.h"

void sched_prepare_sleep(enum thread_state state)
{
	assert(state_is_sleep(state));
	/* Relaxed, then the fence: the state before the condition. Partner: wake. */
	atomic_store_u32(&current_thread()->state, state, relaxed);
	fence_full();
}

void sched_cancel_sleep(void)
{
	/* Relaxed: a waker that still sees the sleep does no harm. */
	atomic_store_u32(&current_thread()->state, THREAD_RUNNING, relaxed);
}

static bool sleeps(const struct thread *t, bool only_intr)
{
	enum thread_state state = thread_state(t);

	return state == THREAD_SLEEPING_INTR || (state == THREAD_SLEEPING && !only_intr);
}

/* What is left to do once rq's lock is free. */
struct wake_rest {
	bool woken;
	unsigned tell;	/* for sched_tell */
	unsigned place; /* index + 1 of the hart to place it on; 0: it is queued */
};

static struct wake_rest wake_locked(struct runq *rq, struct thread *t, bool only_intr)
	REQUIRES(&rq->lock)
{
	struct wake_rest rest = {0};
	unsigned to;

	if (!sleeps(t, only_intr))
		return rest;
	rest.woken = true;
	if (rq->curr == t) {
		atomic_store_u32(&t->state, THREAD_RUNNING, relaxed);
		return rest;
	}
	atomic_store_u32(&t->state, THREAD_READY, relaxed);
	to = sched_choose(t, rq->hart);
	if (to == rq->hart && sched_allowed(t, rq))
		rest.tell = sched_enqueue(rq, t, PLACE_WOKEN);
	else
		rest.place = to + 1;
	return rest;
}

/* The lock comes from thread_runq_lock, hence unchecked. */
static bool wake(struct thread *t, bool only_intr) UNCHECKED_LOCKING
{
	struct wake_rest rest;
	struct runq *rq;

	/* The condition before the state. Partner: sched_prepare_sleep. */
	fence_full();
	LOCK_POINT(sched_wake);
	if (!sleeps(t, only_intr))
		return false;
	rq = thread_runq_lock(t);
	rest = wake_locked(rq, t, only_intr);
	if (rest.place) {
		/* In transit with interrupts off, so that nothing delays it. */
		irq_off();
		irqlock_release(&rq->lock);
		sched_place(t, rest.place - 1, PLACE_WOKEN);
		irq_on();
	} else {
		irqlock_release(&rq->lock);
		sched_tell(rest.tell);
	}
	sched_check_preempt();
	return rest.woken;
}

bool sched_wake(struct thread *t)
{
	return wake(t, false);
}

bool sched_wake_intr(struct thread *t)
{
	return wake(t, true);
}

void sched_start(struct thread *t)
{
	assert(thread_state(t) == THREAD_NEW);
	irq_off();
	sched_place(t, sched_choose(t, thread_runq(t)->hart), PLACE_NEW);
	irq_on();
	sched_check_preempt();
}

/* Wakes a thread at a moment; lies in the frame of that thread. */
struct alarm {
	struct timer timer;
	struct thread *thread;
};

static void ring(struct timer *timer)
{
	sched_wake(container_of(timer, struct alarm, timer)->thread);
}

void schedule_until(uint64_t deadline_ns)
{
	struct alarm alarm = {.thread = current_thread()};

	might_sleep();
	if (deadline_ns == UINT64_MAX) {
		reschedule_call();
		return;
	}
	timer_init(&alarm.timer, ring);
	stack_shared_begin();
	timer_start(&alarm.timer, deadline_ns);
	reschedule_call();
	/* The frame has to outlive ring(). */
	timer_cancel_sync(&alarm.timer);
	stack_shared_end();
}

int sched_sleep_until(uint64_t deadline_ns, bool interruptible)
{
	enum thread_state state = interruptible ? THREAD_SLEEPING_INTR : THREAD_SLEEPING;
	struct thread *self = current_thread();
	int err = 0;

	might_sleep();
	for (;;) {
		sched_prepare_sleep(state);
		if (clock_now_ns() >= deadline_ns)
			break;
		/* Relaxed: ordered by sched_prepare_sleep; partner thread_kill. */
		if (interruptible && atomic_load_u32(&self->killed, relaxed)) {
			err = -EINTR;
			break;
		}
		schedule_until(deadline_ns);
	}
	sched_cancel_sleep();
	return err;
}

void sched_sleep_ns(uint64_t ns)
{
	uint64_t now = clock_now_ns();

	sched_sleep_until(ns > UINT64_MAX - now ? UINT64_MAX : now + ns, false);
}
