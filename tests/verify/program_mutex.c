/* SPDX-License-Identifier: MIT */
/*
 * The mutex on its pilock, with waits that are interrupted or end by a limit, threads of two
 * priorities, inheritance: exclusion, no waiter is forgotten, nothing is left behind; and whoever
 * has a mutex last may give its memory away.
 *
 * Sources: tests/verify/sched.c
 */
#include "kernel/wait/mutex.h"

#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"
#include "tests/verify/machine.h"
#include "tests/verify/sched.h"

DEFINE_LOCK_CLASS(m_class, .name = "m", .rank = RANK_TEST_SLEEP, .contexts = LOCK_IN_THREAD,
	.max_hold_us = 1000, .protects = "the counts");

static struct mutex m = MUTEX_INIT(&m_class);
/* Plain on purpose: what the mutex protects. */
static unsigned count, taken[HARTS];
static bool with_limits;
/* Used once by each hart. */
static struct mutex short_lived = MUTEX_INIT(&m_class);
static unsigned users = HARTS;

void program_setup(void)
{
	sched_setup();
	/* One real-time thread, or none: hand-off, or steals. */
	if (vm_case % 2)
		vm_harts[0].thread.prio = vm_harts[0].thread.prio_effective = 7;
	with_limits = vm_case / 2 % 2;
}

/* Holding it: until somebody waits for it, and then gives up as we unlock; or not. */
static void let_a_waiter_give_up(void)
{
	unsigned n = vm_random(64);

	/* Relaxed: a look. */
	while (n && !(atomic_load_u32(&short_lived.pi.word, relaxed) & PILOCK_QUEUED)) {
		vm_pause();
		n--;
	}
	for (n = vm_random(16); n > 0; n--)
		vm_pause();
	vm_timers();
}

static void use_for_the_last_time(void)
{
	bool last;

	while (with_limits && mutex_lock_timeout(&short_lived, clock_now_ns() + 1))
		vm_timers();
	if (!with_limits)
		mutex_lock(&short_lived);
	last = --users == 0;
	if (with_limits && !last)
		let_a_waiter_give_up();
	mutex_unlock(&short_lived);
	if (last)
		vm_scribble(&short_lived, sizeof(short_lived));
}

static bool acquire(unsigned way)
{
	if (way == 0)
		return mutex_try(&m);
	if (way == 1 && with_limits)
		return mutex_lock_timeout(&m, clock_now_ns() + 1) == 0;
	if (way == 2 && with_limits)
		return mutex_lock_intr(&m) == 0;
	mutex_lock(&m);
	return true;
}

void program_hart(unsigned index)
{
	for (unsigned i = 0; i < vm_rounds; i++) {
		if (with_limits) {
			vm_timers();
			/* Relaxed: with the fence of the wake. */
			if (index == 1)
				atomic_store_u32(&vm_harts[2].thread.killed, 1, relaxed);
			if (index == 1)
				sched_wake_intr(&vm_harts[2].thread);
		}
		if (!acquire(vm_random(6)))
			continue;
		count++;
		taken[index]++;
		vm_dwell();
		mutex_unlock(&m);
	}
	use_for_the_last_time();
	vm_leave();
}

void program_check(void)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < HARTS; i++) {
		sum += taken[i];
		verify(vm_harts[i].thread.prio_effective == vm_harts[i].thread.prio);
		verify(!vm_harts[i].thread.waiting_entry);
	}
	verify(sum == count);
	verify(atomic_load_u32(&m.pi.word, relaxed) == 0);
	verify(!rbtree_first(&m.pi.wq.waiters) && !m.pi.donee);
}
