/* SPDX-License-Identifier: MIT */
/*
 * The torture of lock_torture.h.
 *
 * The data is plain on purpose: it is what the lock protects. `inside` says who is in (0: nobody)
 * and is looked at again after some work; `count` is read, worked on and written back, so an update
 * that another one ran over is missing in the end. arch_pause is a compiler barrier: each look is a
 * load.
 */
#include "tests/kernel/lock_torture.h"

#include "kernel/hart/call.h"
#include "kernel/hart/hart.h"
#include "kernel/lock/atomic.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/string.h"
#include "tests/kernel/ktest.h"

#define LAST_RESORT_ROUNDS 5000000u
#define TIMER_STEP_NS (50 * KTEST_SLOW * NS_PER_US)

enum who {
	BY_THREAD,
	BY_TIMER,
	BY_CALL,
	BY_KINDS
};

static struct {
	unsigned inside; /* hart index + 1 + 1000 * kind */
	unsigned long count;
} data;

static struct {
	struct timer timer;
	struct hart_call call;
	unsigned calls; /* by this hart's handler alone */
	atomic_ulong times[BY_KINDS];
} per_hart[CONFIG_MAX_HARTS];

static const struct torture_lock *tortured;
static unsigned wanted_rounds;
static bool wants_violation;
static atomic_ulong violations;
static atomic_u32 running;

static void work(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		arch_pause();
}

/* Between acquire and release. */
static void be_inside(enum who kind, unsigned length)
{
	unsigned index = lock_hart()->index;
	unsigned me = index + 1 + 1000 * kind;
	unsigned long count;

	if (arch_irq_enabled() || data.inside)
		atomic_add_ulong(&violations, 1, relaxed);
	data.inside = me;
	count = data.count;
	work(length);
	if (data.inside != me)
		atomic_add_ulong(&violations, 1, relaxed);
	data.count = count + 1;
	data.inside = 0;
	atomic_add_ulong(&per_hart[index].times[kind], 1, relaxed);
}

static void timer_fired(struct timer *t)
{
	tortured->acquire();
	be_inside(BY_TIMER, 2);
	tortured->release();
	if (atomic_load_u32(&running, relaxed))
		timer_start(t, clock_now_ns() + TIMER_STEP_NS);
}

/* Takes and tries by turns, beginning with a take: tries of a busy lock may fail every time. */
static void called(unused_arg void *arg)
{
	if (!tortured->try || per_hart[lock_hart()->index].calls++ % 2 == 0)
		tortured->acquire();
	else if (!tortured->try())
		return;
	be_inside(BY_CALL, 2);
	tortured->release();
}

static void call_somebody(uint64_t *random)
{
	unsigned index = ktest_random(random) % nr_harts;

	if (harts[index] && hart_call_done(&per_hart[index].call))
		hart_call_post(harts[index], &per_hart[index].call);
}

static bool go_on(unsigned round, unsigned self)
{
	if (wants_violation)
		return !atomic_load_ulong(&violations, relaxed) && round < LAST_RESORT_ROUNDS;
	/* Handlers must have had their turn, too. */
	return round < wanted_rounds ||
		(!atomic_load_ulong(&per_hart[self].times[BY_TIMER], relaxed) &&
			round < LAST_RESORT_ROUNDS);
}

static void thread_body(unused_arg unsigned i, unused_arg void *arg)
{
	/* Pinned: this is our hart until the end. */
	unsigned self = lock_hart()->index;
	uint64_t random = self + 1;

	timer_start(&per_hart[self].timer, clock_now_ns() + TIMER_STEP_NS);
	for (unsigned round = 0; go_on(round, self); round++) {
		unsigned dice = ktest_random(&random);

		if (dice % 8 == 0)
			call_somebody(&random);
		if (dice % 16 == 1 && tortured->try) {
			if (!tortured->try())
				continue;
		} else {
			tortured->acquire();
		}
		be_inside(BY_THREAD, dice % 32);
		tortured->release();
		if (dice % 64 == 2)
			sched_yield();
	}
	atomic_add_u32(&running, -1u, acq_rel);
}

static void prepare(unsigned n)
{
	memset(&data, 0, sizeof(data));
	atomic_store_ulong(&violations, 0, relaxed);
	atomic_store_u32(&running, n, relaxed);
	for (unsigned i = 0; i < nr_harts; i++) {
		timer_init(&per_hart[i].timer, timer_fired);
		hart_call_init(&per_hart[i].call, called, NULL);
		per_hart[i].calls = 0;
		for (unsigned kind = 0; kind < BY_KINDS; kind++)
			atomic_store_ulong(&per_hart[i].times[kind], 0, relaxed);
	}
}

/* A broken lock lets harts race for the data, and that is reported where somebody watches. */
static void races_expected_end(void)
{
	unsigned by_kind[KIND_COUNT], others = 0;

	lockcheck_count_end(by_kind, NULL);
	for (unsigned k = 0; k < KIND_COUNT; k++)
		others += k == KIND_RACE ? 0 : by_kind[k];
	ktest_check(!others, "%u reports of other kinds than races", others);
}

void torture_run(const struct torture_lock *lock, unsigned rounds, bool until_violation,
	struct torture_result *result)
{
	unsigned n = ktest_harts();
	unsigned long *by[BY_KINDS] = {&result->by_threads, &result->by_timers, &result->by_calls};

	tortured = lock;
	wanted_rounds = rounds;
	wants_violation = until_violation;
	memset(result, 0, sizeof(*result));
	prepare(n);
	if (until_violation)
		lockcheck_count_begin();
	if (!ktest_parallel(n, thread_body, NULL))
		goto out;
	for (unsigned i = 0; i < nr_harts; i++) {
		timer_cancel_sync(&per_hart[i].timer);
		ktest_check(ktest_eventually(hart_call_done(&per_hart[i].call)),
			"a posted call never ran on hart %u", i);
		for (unsigned kind = 0; kind < BY_KINDS; kind++)
			*by[kind] += atomic_load_ulong(&per_hart[i].times[kind], relaxed);
	}
	result->violations = atomic_load_ulong(&violations, relaxed);
	result->lost = result->by_threads + result->by_timers + result->by_calls - data.count;
out:
	if (until_violation)
		races_expected_end();
}
