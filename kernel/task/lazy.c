/* SPDX-License-Identifier: MIT */
/*
 * Harts that are taken in by demand: the boot argument harts=lazy.
 *
 * Demand is a thread that waits while somebody else runs: at the tick that ends a slice, a thread
 * is queued behind another one, it may run on a hart that is held in reserve, and no hart where it
 * may run is idle (kernel/sched: sched_reserve). So there is none as long as there are no more
 * runnable threads than harts that run, and none for the moment that it takes an idle hart to fetch
 * a thread. Each demand takes in one hart; if that was not enough, the next tick says so. Where no
 * tick is, real-time threads that never share, there is no demand.
 *
 * The reserve is what the boot has left out, up to maxharts=. A hart that was started, by demand or
 * by hand, leaves it for good: one that is stopped by hand then stays stopped.
 *
 *	tick, handler	stores `wanted`, wakes	->  the thread lazy: hart_start
 *
 * lazy.wq (rank WAITQ)
 *   Protects: the thread's sleep. `wanted` is a lone word: the last demand, 0: none.
 *   Taken by: the tick, with nothing held, and the thread.
 *   Order:    before run queues.
 */
#include "kernel/task/lazy.h"

#include "kernel/hart/bringup.h"
#include "kernel/log.h"
#include "kernel/sched/sched.h"
#include "kernel/task/hart_life.h"
#include "kernel/task/thread.h"
#include "kernel/wait/waitq.h"
#include "lib/errno.h"

DEFINE_LOCK_CLASS(lazy_class, .name = "lazy", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
	.protects = "the sleep of the thread that takes harts in by demand");
static struct waitq lazy_wq = WAITQ_INIT(&lazy_class);

static atomic_u32 wanted; /* index + 1 */

/* In the tick. */
static void demand(unsigned hart)
{
	/* Release, with the wake after it. Partner: lazy_thread. */
	atomic_store_u32(&wanted, hart + 1, release);
	waitq_wake_all(&lazy_wq);
}

static void fill_reserve(void)
{
	for_each_hart(h)
		if (!hart_is_online(h) && h->idle)
			hart_mask_atomic_set(&sched_reserve, h->index);
}

static void empty_reserve(void)
{
	for_each_hart(h)
		hart_mask_atomic_clear(&sched_reserve, h->index);
}

static void take_in(struct hart_meta *h)
{
	int err;

	if (!hart_mask_atomic_clear(&sched_reserve, h->index))
		return;
	err = hart_start(h);
	if (!err)
		log_info("hart %u: taken in, by demand", h->index);
	else if (err == -EBUSY)
		/* Its first start is under way still: at the next demand. */
		hart_mask_atomic_set(&sched_reserve, h->index);
	else if (err != -EALREADY)
		log_warn("hart %u: there is demand for it, and it does not start (error %d)",
			h->index, err);
	if (hart_mask_weight(&harts_online) >= hart_plan()->most)
		empty_reserve();
}

static void lazy_thread(void *arg unused_arg)
{
	uint32_t hart;

	for (;;) {
		/* Acquire: a demand of which the wake-up came before. Partner: demand. */
		wait_event(&lazy_wq, atomic_load_u32(&wanted, acquire));
		hart = atomic_xchg_u32(&wanted, 0, relaxed);
		if (hart)
			take_in(harts[hart - 1]);
	}
}

void lazy_start(void)
{
	struct thread *t;

	if (hart_plan()->mode != BRING_LAZY || hart_mask_weight(&harts_online) >= hart_plan()->most)
		return;
	t = thread_spawn("lazy", lazy_thread, NULL);
	if (!t) {
		log_error("harts=lazy: no memory for its thread: `hart start` takes harts in");
		return;
	}
	thread_detach(t);
	sched_set_demand_hook(demand);
	fill_reserve();
}
