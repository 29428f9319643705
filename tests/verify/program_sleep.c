/* SPDX-License-Identifier: MIT */
/*
 * Sleeping for a flag, without any lock between sleeper and waker: the state and the flag, each
 * stored before the other is looked at. Hart 0 sleeps, hart 1 wakes it.
 *
 * Sources: tests/verify/sched.c
 */
#include "kernel/sched/sched.h"

#include "tests/verify/machine.h"
#include "tests/verify/sched.h"

static atomic_u32 flag;

void program_setup(void)
{
	sched_setup();
}

static void sleep_until(unsigned n)
{
	for (;;) {
		sched_prepare_sleep(THREAD_SLEEPING);
		/* Relaxed: the fence is in sched_prepare_sleep. */
		if (atomic_load_u32(&flag, relaxed) >= n)
			break;
		schedule();
	}
	sched_cancel_sleep();
}

void program_hart(unsigned index)
{
	for (unsigned i = 1; i <= vm_rounds; i++) {
		if (index == 0)
			sleep_until(i);
		if (index != 1)
			continue;
		/* Relaxed: the fence is in sched_wake. */
		atomic_store_u32(&flag, i, relaxed);
		sched_wake(&vm_harts[0].thread);
	}
	vm_leave();
}

void program_check(void)
{
	verify(atomic_load_u32(&flag, relaxed) == vm_rounds);
}
