/* SPDX-License-Identifier: MIT */
/* Threads made, joined, detached, killed in their sleep, moved between harts. */
#include "kernel/hart/hart.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "lib/errno.h"
#include "tests/stress/stress.h"

static struct stress_run run;
/* relaxed: compared when all have ended. */
static atomic_ulong begun, ended;

static void short_life(void *arg)
{
	struct rng rng;

	atomic_add_ulong(&begun, 1, relaxed);
	rng_seed(&rng, (uintptr_t)arg);
	for (unsigned n = (unsigned)rng_below(&rng, 4); n > 0; n--) {
		if (rng_one_in(&rng, 2))
			sched_yield();
		else
			sched_sleep_ns(rng_below(&rng, 100000));
	}
	atomic_add_ulong(&ended, 1, relaxed);
	thread_exit((int)(uintptr_t)arg & 0xffff);
}

static void sleeper(void *arg unused_arg)
{
	int err = sched_sleep_until(UINT64_MAX, true);

	thread_exit(err == -EINTR && thread_killed() ? 77 : 1);
}

static void join_one(struct rng *rng)
{
	uint32_t value = rng_u32(rng) & 0xffff;
	struct thread *t = thread_spawn("short", short_life, (void *)(uintptr_t)value);
	int code = -1;

	if (!t)
		return;
	thread_join(t, &code);
	stress_check(&run, code == (int)value, "exit code %d, not %d", code, (int)value);
}

static void kill_one(void)
{
	struct thread *t = thread_spawn("sleeper", sleeper, NULL);
	int code = -1;

	if (!t)
		return;
	sched_yield();
	thread_kill(t);
	thread_join(t, &code);
	stress_check(&run, code == 77, "a killed sleeper ends with %d", code);
}

static void move_self(struct rng *rng)
{
	struct thread *self = current_thread();
	struct hart_mask where;
	unsigned hart;

	hart_mask_zero(&where);
	for_each_hart_in_mask(hart, &harts_online)
		if (rng_one_in(rng, 2))
			hart_mask_set(&where, hart);
	if (sched_set_affinity(self, &where))
		return;
	preempt_disable();
	stress_check(&run, hart_mask_test(&where, this_hart()->index), "runs where it must not");
	preempt_enable();
	hart_mask_fill(&where, nr_harts);
	sched_set_affinity(self, &where);
}

static void worker(unsigned i)
{
	struct rng rng;

	rng_seed(&rng, i + 5000);
	while (stress_more(&run)) {
		switch (rng_below(&rng, 4)) {
		case 0:
			kill_one();
			break;
		case 1:
			move_self(&rng);
			break;
		default:
			join_one(&rng);
		}
	}
}

static int stress_thread_life(unsigned seconds)
{
	stress_begin(&run, "threads", seconds);
	atomic_store_ulong(&begun, 0, relaxed);
	atomic_store_ulong(&ended, 0, relaxed);
	stress_threads(&run, stress_workers(), worker);
	stress_check(&run, atomic_load_ulong(&begun, relaxed) == atomic_load_ulong(&ended, relaxed),
		"%lu begun, %lu ended", atomic_load_ulong(&begun, relaxed),
		atomic_load_ulong(&ended, relaxed));
	return stress_end(&run);
}
STRESS(threads, "threads made, joined, killed, moved", stress_thread_life);
