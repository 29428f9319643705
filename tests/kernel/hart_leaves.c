/* SPDX-License-Identifier: MIT */
/* Harts that leave with much to hand over, with nobody who takes it, or with a work thread that
 * dies on the way. */
#include "kernel/lock/relax.h"
#include "kernel/sched/sched.h"
#include "kernel/task/bringup.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/work.h"
#include "lib/errno.h"
#include "tests/kernel/hart_util.h"
#include "tests/kernel/on_hart.h"

#define ONE_HART "one hart"

/* ---- Many timers ----------------------------------------------------------------------------- */

#define TIMERS (5 * TIMER_MOVES_MAX + 1)

static struct timer many[TIMERS];
static atomic_u32 nr_fired, inside, leave;

static void fires(struct timer *t unused_arg)
{
	atomic_add_u32(&nr_fired, 1, relaxed);
}

/* None is due before the test is long over. */
static void start_many(void *arg unused_arg)
{
	for (unsigned i = 0; i < TIMERS; i++)
		timer_start(&many[i], clock_now_ns() + (3600 + i) * NS_PER_SEC);
}

static void init_many(void)
{
	atomic_store_u32(&nr_fired, 0, relaxed);
	for (unsigned i = 0; i < TIMERS; i++)
		timer_init(&many[i], fires);
}

static unsigned many_on(const struct hart_meta *h)
{
	unsigned n = 0;

	/* Relaxed: they move in calls that have ended, or where nobody else moves them. */
	for (unsigned i = 0; i < TIMERS; i++)
		n += atomic_load_ptr(&many[i].queue, relaxed) == h->timerq;
	return n;
}

static void cancel_many(void)
{
	for (unsigned i = 0; i < TIMERS; i++)
		ktest_check(timer_cancel(&many[i]), "timer %u is not pending", i);
	ktest_check(counted(&nr_fired) == 0, "%u fired", counted(&nr_fired));
}

/* In a handler, so that no timer fires here. */
static void sit_on_many(void *arg unused_arg)
{
	start_many(NULL);
	atomic_store_u32(&inside, 1, release);
	while (!counted(&leave))
		relax();
}

static void move_many(void *arg)
{
	struct hart_meta *from = arg;
	struct hart_call call;
	unsigned moves = 0, before;
	bool more = true;

	hart_call_init(&call, sit_on_many, NULL);
	ktest_require(hart_call_post(from, &call) == 0);
	while (!counted(&inside))
		relax();
	for (; more; moves++) {
		before = many_on(from);
		more = timer_migrate(from);
		ktest_check(before - many_on(from) <= TIMER_MOVES_MAX, "%u at once",
			before - many_on(from));
	}
	ktest_check(many_on(from) == 0 && moves > TIMERS / TIMER_MOVES_MAX, "%u moves", moves);
	atomic_store_u32(&leave, 1, release);
	while (!hart_call_done(&call))
		relax();
}

/* Interrupts are off while they move: not longer because there are many. */
KTEST(hart_life, timers_are_handed_over_in_portions)
{
	struct thread *t;

	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	atomic_store_u32(&inside, 0, relaxed);
	atomic_store_u32(&leave, 0, relaxed);
	init_many();
	bind_to_first();
	t = spawn_on(online_hart(0)->index, "mover", move_many, online_hart(1));
	ktest_require(t);
	thread_join(t, NULL);
	unbind();
	cancel_many();
}

static void stop_with_many(struct hart_meta *h)
{
	init_many();
	ktest_check(hart_call(h, start_many, NULL) == 0);
	ktest_check(many_on(h) == TIMERS, "%u", many_on(h));
	ktest_require(hart_stop(h, false) == 0);
	check_is_out(h);
	ktest_check(many_on(h) == 0, "%u are left", many_on(h));
	cancel_many();
	ktest_check(hart_start(h) == 0);
	check_takes_part(h);
}

KTEST(hart_life, a_hart_with_many_timers_leaves_none_behind)
{
	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	each_hart(stop_with_many);
}

/* ---- Nobody takes its work ------------------------------------------------------------------- */

static int stop_by_command(struct hart_meta *h)
{
	return hart_command("stop", h) && hart_is_online(h) ? -EAGAIN : 0;
}

/* All others have a closed work queue, as if there had been no memory for their threads. */
static void leave_without_heir(struct hart_meta *h, int (*leave_it)(struct hart_meta *h))
{
	for_each_hart(other)
		if (other != h && hart_is_online(other))
			ktest_check(work_hart_stop(other) == 0);
	ktest_check(leave_it(h) == -EAGAIN);
	/* It opens them as well; the end of that is waited for. */
	bringup_complete();
	check_takes_part(h);
}

KTEST(hart_life, a_hart_whose_work_nobody_takes_stays)
{
	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	leave_without_heir(hart_in_circle(1), leave_by_stop);
	leave_without_heir(hart_in_circle(0), leave_by_lossy_suspend);
	leave_without_heir(hart_in_circle(1), stop_by_command);
	ktest_check(hart_stop(hart_in_circle(1), false) == 0);
	for_each_hart(h)
		if (hart_state_of(h) == HART_STOPPED)
			ktest_check(hart_start(h) == 0);
}

/* ---- A work thread that dies ----------------------------------------------------------------- */

#define DEATHS 5

static struct work killer, witness;
static atomic_u32 ran_on;

static void die(struct work *w unused_arg)
{
	char *nowhere = NULL;

	atomic_store_u32(&inside, 1, release);
	ktest_check(ktest_eventually(counted(&leave)));
	/* The compiler is not to know what this is. */
	__asm__ volatile("" : "+r"(nowhere));
	*nowhere = 0;
	ktest_fail(__FILE__, __LINE__, "a store to nowhere went through");
}

static void say_hart(struct work *w unused_arg)
{
	atomic_store_u32(&ran_on, this_hart_unstable()->index + 1, release);
}

static void queue_here(void *w)
{
	work_queue(w);
}

/* Its work runs there, and not elsewhere for want of a thread. */
static bool works_itself(struct hart_meta *h)
{
	ktest_check(hart_call(h, queue_here, &witness) == 0);
	work_flush(&witness);
	return counted(&ran_on) == h->index + 1;
}

static void fail_to_stop(void *h)
{
	ktest_check(hart_stop(h, false) == -EAGAIN);
}

/* The stop waits for work that runs; that kills its thread; then a later step fails. */
static void lose_worker(struct hart_meta *h)
{
	struct thread *stopper;

	work_init(&killer, die);
	work_init(&witness, say_hart);
	atomic_store_u32(&inside, 0, relaxed);
	atomic_store_u32(&leave, 0, relaxed);
	ktest_check(hart_call(h, queue_here, &killer) == 0);
	ktest_check(ktest_eventually(counted(&inside)));
	hart_life_fail(HART_STEP_DRAIN);
	stopper = thread_spawn("stopper", fail_to_stop, h);
	ktest_require(stopper);
	ktest_check(ktest_eventually(hart_state_of(h) == HART_STOPPING));
	atomic_store_u32(&leave, 1, release);
	thread_join(stopper, NULL);
	ktest_check(ktest_eventually(works_itself(h)), "hart %u has no work thread", h->index);
	check_takes_part(h);
}

KTEST(hart_life, a_work_thread_that_dies_as_its_hart_fails_to_stop_is_replaced)
{
	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	for (unsigned i = 0; i < DEATHS && !ktest_failed(); i++)
		lose_worker(hart_in_circle(i));
}
