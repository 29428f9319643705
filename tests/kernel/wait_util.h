/* SPDX-License-Identifier: MIT */
/* What the tests of kernel/wait share. */
#ifndef TESTS_KERNEL_WAIT_UTIL_H
#define TESTS_KERNEL_WAIT_UTIL_H

#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/wait/pilock.h"
#include "kernel/wait/waitq.h"
#include "lib/errno.h"
#include "tests/kernel/ktest.h"

/* A class of its own for each kind of lock, unranked: tests nest as they like. */
#define WAIT_TEST_CLASS(var_, name_) WAIT_TEST_CLASS_RANK(var_, name_, RANK_UNORDERED)
/* For deadlocks that come true: the checker would find them before. */
#define WAIT_TEST_CLASS_UNCHECKED(var_, name_) WAIT_TEST_CLASS_RANK(var_, name_, RANK_UNCHECKED)
#define WAIT_TEST_CLASS_RANK(var_, name_, rank_) \
	DEFINE_LOCK_CLASS(var_, .name = (name_), .rank = (rank_), \
		.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000000, \
		.protects = "what a test of kernel/wait checks")

/* A thread at real-time priority `prio`, or fair (0), running. Fails the test without memory. */
struct thread *wait_spawn(const char *name, void (*fn)(void *arg), void *arg, unsigned prio);
/* How many threads are in the queue, at this moment. */
unsigned wait_queue_length(struct waitq *wq);
/* Sleeps until `n` threads are in the queue; false after a very long time. */
bool wait_until_queued(struct waitq *wq, unsigned n);
/* t's effective priority, looked at anew. */
unsigned prio_of(const struct thread *t);
/* Sleeps until t's effective priority is `prio`; false after a very long time. */
bool wait_until_prio(const struct thread *t, unsigned prio);
/* The lock is free, nobody waits, nobody inherits by it. */
void wait_check_idle(struct pilock *l, const char *what);

/* A counter that is shared by the threads of a test. */
static inline unsigned seen(const atomic_u32 *n)
{
	return atomic_load_u32(n, acquire);
}

static inline unsigned count_up(atomic_u32 *n)
{
	return atomic_add_u32(n, 1, acq_rel);
}

/* Who came, in which order; written under the tested lock, or by one thread at a time. */
struct wait_log {
	atomic_u32 n;
	unsigned who[64];
};

static inline void wait_log_add(struct wait_log *log, unsigned who)
{
	unsigned at = atomic_load_u32(&log->n, relaxed);

	if (at < ARRAY_SIZE(log->who))
		log->who[at] = who;
	/* Release; partner: seen(). */
	atomic_store_u32(&log->n, at + 1, release);
}

#endif
