/* SPDX-License-Identifier: MIT */
/* Demand for harts that are held in reserve. */
#include "kernel/lock/relax.h"
#include "tests/kernel/sched_util.h"

/* Decisions of a hart by which two threads that share it have had their turns, several times. */
#define TURNS 8
#define TRIES 100

static atomic_u32 demands, asked_for; /* index + 1 */
static atomic_bool over;
static atomic_u32 turns;
static atomic_ptr last;

static void note_demand(unsigned hart)
{
	atomic_store_u32(&asked_for, hart + 1, relaxed);
	atomic_add_u32(&demands, 1, release);
}

/* Never sleeps; counts how often it follows somebody else. */
static void spin(void *me)
{
	while (!atomic_load_bool(&over, relaxed)) {
		if (atomic_load_ptr(&last, relaxed) != me) {
			atomic_store_ptr(&last, me, relaxed);
			atomic_add_u32(&turns, 1, relaxed);
		}
		relax();
	}
}

static struct thread *spinners[CONFIG_MAX_HARTS + 1];

static void with_reserve(unsigned hart, unsigned n, void (*wait)(void))
{
	struct hart_mask before;
	sched_demand_fn *hook;
	unsigned i, started;

	hart_mask_copy(&before, &sched_reserve);
	for_each_hart_in_mask(i, &before)
		hart_mask_atomic_clear(&sched_reserve, i);
	hook = sched_set_demand_hook(note_demand);
	atomic_store_u32(&demands, 0, relaxed);
	atomic_store_u32(&turns, 0, relaxed);
	atomic_store_bool(&over, false, relaxed);
	hart_mask_atomic_set(&sched_reserve, hart);
	for (started = 0; started < n && spinners[started]; started++)
		thread_run(spinners[started]);
	if (started == n)
		wait();
	atomic_store_bool(&over, true, relaxed);
	for (i = 0; i < started; i++)
		thread_join(spinners[i], NULL);
	hart_mask_atomic_clear(&sched_reserve, hart);
	sched_set_demand_hook(hook);
	for_each_hart_in_mask(i, &before)
		hart_mask_atomic_set(&sched_reserve, i);
}

static void wait_for_demand(void)
{
	ktest_check(ktest_eventually(atomic_load_u32(&demands, acquire)));
}

KTEST(sched, a_thread_that_waits_while_all_harts_run_asks_for_the_reserve)
{
	unsigned n = ktest_harts() + 1, hart = nr_harts - 1;

	for (unsigned i = 0; i < n; i++)
		spinners[i] = thread_create("spinner", spin, &spinners[i]);
	with_reserve(hart, n, wait_for_demand);
	ktest_check(atomic_load_u32(&asked_for, relaxed) == hart + 1);
}

/* Others may wait there as well, and ask, but not all the time. */
static void wait_for_turns(void)
{
	for (unsigned try = 0; try < TRIES; try++) {
		uint32_t asked = atomic_load_u32(&demands, acquire);
		uint32_t from = atomic_load_u32(&turns, relaxed);

		ktest_require(ktest_eventually(atomic_load_u32(&turns, relaxed) - from >= TURNS));
		if (atomic_load_u32(&demands, acquire) == asked)
			return;
	}
	ktest_check(false, "they ask all the time");
}

/* Two that take turns on one hart, and may run on no other. */
KTEST(sched, threads_that_could_not_use_the_reserve_do_not_ask_for_it)
{
	unsigned hart = online_hart(0);

	if (ktest_harts() < 2)
		return ktest_skip("one hart");
	for (unsigned i = 0; i < 2; i++)
		spinners[i] = create_on(hart, "bound", spin, &spinners[i]);
	with_reserve(online_hart(1), 2, wait_for_turns);
}
