/* SPDX-License-Identifier: MIT */
/* What the tests of the scheduler share. */
#ifndef TESTS_KERNEL_SCHED_UTIL_H
#define TESTS_KERNEL_SCHED_UTIL_H

#include "kernel/hart/hart.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "tests/kernel/ktest.h"

static inline struct hart_mask only_hart(unsigned hart)
{
	struct hart_mask mask;

	hart_mask_zero(&mask);
	hart_mask_set(&mask, hart);
	return mask;
}

/* The n-th online hart, from 0. */
static inline unsigned online_hart(unsigned n)
{
	unsigned hart = hart_mask_first(&harts_online);

	while (n-- > 0)
		hart = hart_mask_next(&harts_online, hart);
	return hart;
}

/* The running thread stays on `hart` from now on. */
static inline void pin_to(unsigned hart)
{
	struct hart_mask mask = only_hart(hart);

	sched_set_affinity(current_thread(), &mask);
}

/* A thread that is bound to a hart, not running yet; NULL and a failure without memory. */
static inline struct thread *create_on(
	unsigned hart, const char *name, void (*fn)(void *arg), void *arg)
{
	struct hart_mask mask = only_hart(hart);
	struct thread *t = thread_create(name, fn, arg);

	if (t)
		sched_set_affinity(t, &mask);
	else
		ktest_fail(__FILE__, __LINE__, "no memory for thread %s", name);
	return t;
}

/* The hart this runs on: a fact only while preemption is off or the thread is bound. */
static inline unsigned here(void)
{
	return this_hart_unstable()->index;
}

#endif
