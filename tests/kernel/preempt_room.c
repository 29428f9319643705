/* SPDX-License-Identifier: MIT */
/*
 * A thread is preempted on its own stack, so only while there is room on it for the way through the
 * scheduler. The longest one is the first of its kind: the run queue's lock is asked for under a
 * lock under which it never was, and the checker looks for the cycle that this may close.
 */
#include "kernel/hart/call.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/mutex.h"
#include "tests/kernel/sched_util.h"

/* What is left of the stack at the deepest point, about. */
#define LEFT 2000
#define TICK_NS (NS_PER_SEC / CONFIG_HZ)
#define ASKS_MOST 100000u /* last resort */

DEFINE_LOCK_CLASS(test_deep_class, .name = "test.deep", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000000,
	.protects = "nothing: held by a thread deep in its stack");

static struct mutex deep_lock = MUTEX_INIT(&test_deep_class);

/* Has itself interrupted until the hart wants to switch. True: it does, has not, and will be
 * interrupted again within a tick. The thread stays here, so the hart does not change. */
static __attribute__((noinline)) bool is_put_off(void)
{
	for (unsigned n = 0; n < ASKS_MOST; n++) {
		hart_resched(this_hart_unstable());
		if (lock_hart()->need_resched)
			return timer_promised_ns(this_hart_unstable()) <= clock_now_ns() + TICK_NS;
	}
	return false;
}

static __attribute__((noinline)) bool descend(uintptr_t base)
{
	char frame[128];
	bool put_off;

	if ((uintptr_t)__builtin_frame_address(0) - base > LEFT)
		put_off = descend(base);
	else
		put_off = is_put_off();
	/* After the call, so that it stays one, and the frame is there. */
	__asm__ volatile("" : : "r"(frame) : "memory");
	return put_off;
}

KTEST(preempt, near_the_end_of_a_stack_is_put_off)
{
	bool put_off;

	mutex_lock(&deep_lock);
	put_off = descend(current_thread()->stack.base);
	mutex_unlock(&deep_lock);
	ktest_check(put_off, "it was not asked to switch, or not to be asked again");
}
