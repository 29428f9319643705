/* SPDX-License-Identifier: MIT */
/*
 * The rwmutex: writers exclude everybody, readers see whole writes, nobody is forgotten, also when
 * waits end by a limit.
 *
 * Sources: tests/verify/sched.c
 */
#include "kernel/wait/rwmutex.h"

#include "kernel/time/clock.h"
#include "tests/verify/machine.h"
#include "tests/verify/sched.h"

DEFINE_LOCK_CLASS(rw_class, .name = "rw", .rank = RANK_TEST_SLEEP, .contexts = LOCK_IN_THREAD,
	.max_hold_us = 1000, .protects = "the pair");

static struct rwmutex rw = RWMUTEX_INIT(&rw_class);
/* Plain on purpose: what the lock protects. Equal while no writer is in. */
static unsigned pair[2];
static bool with_limits;

void program_setup(void)
{
	sched_setup();
	with_limits = vm_case % 2;
}

static bool write_begin(unsigned way)
{
	if (way == 0)
		return rwmutex_write_try(&rw);
	if (way == 1 && with_limits)
		return rwmutex_write_lock_limit(&rw, &WAIT_UNTIL(clock_now_ns() + 1)) == 0;
	rwmutex_write_lock(&rw);
	return true;
}

static bool read_begin(unsigned way)
{
	if (way == 4)
		return rwmutex_read_try(&rw);
	if (way == 5 && with_limits)
		return rwmutex_read_lock_limit(&rw, &WAIT_UNTIL(clock_now_ns() + 1)) == 0;
	rwmutex_read_lock(&rw);
	return true;
}

void program_hart(unused_arg unsigned index)
{
	for (unsigned i = 0; i < vm_rounds; i++) {
		unsigned way = vm_random(8);

		vm_timers();
		if (way >= 4) {
			if (!read_begin(way))
				continue;
			verify(pair[0] == pair[1]);
			vm_dwell();
			rwmutex_read_unlock(&rw);
		} else if (write_begin(way)) {
			pair[0]++;
			vm_dwell();
			pair[1]++;
			rwmutex_write_unlock(&rw);
		}
	}
	vm_leave();
}

void program_check(void)
{
	verify(pair[0] == pair[1]);
	verify(atomic_load_u32(&rw.count, relaxed) == 0);
	verify(atomic_load_u32(&rw.pi.word, relaxed) == 0);
	verify(!rbtree_first(&rw.pi.wq.waiters) && !rbtree_first(&rw.drain.waiters));
}
