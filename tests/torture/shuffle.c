/* SPDX-License-Identifier: MIT */
/*
 * The shuffler: a thread that changes, act by act, what the workers run under. Between two acts it
 * lets them get on: it sleeps until they have made some progress, or for a bounded number of naps.
 *
 * Harts go in two ways: one is drained and accepts again, in no time (only its threads and its work
 * leave it); or it stops, with its timers and interrupts moved and the firmware asked, and starts.
 */
#include "tests/torture/torture.h"

#include "kernel/hart/hart.h"
#include "kernel/lock/race.h"
#include "kernel/sched/sched.h"
#include "kernel/task/hart_life.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/wait/abandon.h"
#include "kernel/wait/work.h"
#include "lib/errno.h"

#define NAP_NS (200 * NS_PER_US)
#define NAPS_MAX 20
#define RT_PRIO_MAX 5
#define RT_STEPS_MAX 50
/* In one run, all in one act: each says at length what it dies of. */
#define DOOMED_MAX (torture_deaths ? 6u : 1u)
/* In one run: with 16 harts on two of the host's it is about a second for one to go and come. */
#define STOPS_MAX 1

/* The shuffler's own. */
static struct {
	struct rng rng, mortal_rng;
	struct thread *mortal;
	unsigned nr_doomed, nr_stops;
	bool awaited; /* for the doomed, while one lives */
} shuffler;

static struct worker *some_worker(void)
{
	return &torture.workers[rng_below(&shuffler.rng, torture.nr_workers)];
}

static struct hart_meta *some_hart(void)
{
	unsigned n = (unsigned)rng_below(&shuffler.rng, hart_mask_weight(&harts_online)), hart;

	for_each_hart_in_mask(hart, &harts_online)
		if (n-- == 0)
			return harts[hart];
	return harts[hart_mask_first(&harts_online)];
}

/* Sleeps until there was so much progress, or for so many naps. */
static void let_them_get_on(uint32_t progress)
{
	uint32_t from = torture_progress();

	for (unsigned n = 0; n < NAPS_MAX && !torture_over(); n++) {
		sched_sleep_ns(NAP_NS);
		if (torture_progress() - from >= progress)
			return;
	}
}

static void priority(void)
{
	struct worker *w = some_worker();
	unsigned prio = 1 + (unsigned)rng_below(&shuffler.rng, RT_PRIO_MAX);

	torture_wait_anew(w);
	atomic_store_u32(
		&w->rt_steps, 1 + (uint32_t)rng_below(&shuffler.rng, RT_STEPS_MAX), relaxed);
	sched_set_priority(w->thread, rng_one_in(&shuffler.rng, 2) ? SCHED_RR : SCHED_FIFO, prio);
}

static void weight(void)
{
	sched_set_weight(some_worker()->thread, WEIGHT_MIN << rng_below(&shuffler.rng, 12));
}

/* One hart, two, or all. */
static void affinity(void)
{
	struct hart_mask mask;

	hart_mask_zero(&mask);
	hart_mask_set(&mask, some_hart()->index);
	if (rng_one_in(&shuffler.rng, 2))
		hart_mask_set(&mask, some_hart()->index);
	if (rng_one_in(&shuffler.rng, 2))
		hart_mask_fill(&mask, CONFIG_MAX_HARTS);
	sched_set_affinity(some_worker()->thread, &mask);
}

static void leaf(void)
{
	leaf_call_mask(&harts_online, rng_one_in(&shuffler.rng, 2) ? LEAF_TLB_FLUSH : LEAF_FENCE_I);
}

static void alarm(void)
{
	if (!torture.external)
		return;
	alarm_route(some_hart()->index);
	for (unsigned n = 1 + (unsigned)rng_below(&shuffler.rng, 4); n; n--) {
		alarm_raise();
		let_them_get_on(1);
	}
}

/* A hart's threads and work leave it, and come back. */
static void drain(void)
{
	struct hart_meta *h = some_hart();
	int no_work;

	if (torture_harts_taken)
		return;
	no_work = work_hart_stop(h);
	if (sched_hart_drain(h) == 0) {
		let_them_get_on(torture.nr_workers);
		sched_hart_accept(h);
		torture_count(COUNT_DRAIN);
	}
	if (!no_work)
		work_hart_start(h);
}

/* A hart is given to the firmware and comes back. Threads that may run nowhere else have to. Twins
 * show their defect without. */
static void stop_hart(void)
{
	struct hart_meta *h = some_hart();
	int err;

	if (torture_harts_taken || hart_mask_weight(&harts_online) == 1 || torture.defect ||
		shuffler.nr_stops >= STOPS_MAX)
		return;
	shuffler.nr_stops++;
	err = hart_stop(h, true);
	/* The firmware may be slow. */
	torture_check(
		!err || err == -ETIMEDOUT, FOUND_STATE, "hart %u does not stop: %d", h->index, err);
	if (err && err != -ETIMEDOUT)
		return;
	let_them_get_on(torture.nr_workers);
	while ((err = hart_start(h)) == -ETIMEDOUT || err == -EBUSY)
		sched_sleep_ns(NAP_NS);
	torture_check(
		!err || err == -EALREADY, FOUND_STATE, "hart %u does not start: %d", h->index, err);
	torture_count(COUNT_STOP);
}

/* All that can stop do, together; the others wait for them, and are not waited for. */
static void stop_workers(void)
{
	uint32_t seen;

	atomic_store_bool(&torture.stutter, true, release);
	do {
		seen = torture_progress();
		let_them_get_on(UINT32_MAX);
	} while (torture_progress() != seen && !torture_over());
}

static void start_workers(void)
{
	if (atomic_load_u32(&torture.stopped, relaxed) == torture.nr_workers)
		torture_count(COUNT_STUTTER);
	atomic_store_bool(&torture.stutter, false, release);
}

static void stutter(void)
{
	stop_workers();
	start_workers();
}

/* ---- Threads that end --------------------------------------------------------------------- */

static void mortal_body(void *arg unused_arg)
{
	while (!thread_killed() && !torture_over())
		torture.kind->mortal(&shuffler.mortal_rng);
	torture_count(COUNT_KILLED);
}

static void end_mortal(void)
{
	if (!shuffler.mortal)
		return;
	thread_kill(shuffler.mortal);
	thread_join(shuffler.mortal, NULL);
	shuffler.mortal = NULL;
}

static void mortal(void)
{
	if (!torture.kind->mortal)
		return;
	end_mortal();
	shuffler.mortal = thread_spawn("mortal", mortal_body, NULL);
}

/* What it held was given up, and nobody has taken it: but its slot is its own until it is joined.
 * Who comes now finds out by himself, where the kernel had no record of it. */
static void wait_until_given_up(struct thread *t)
{
	while (racy_read(t->waiting_entry, "a mark that stays") != &wait_entry_dead)
		sched_sleep_ns(NAP_NS);
}

/* A fault kills it, holding something for which others wait; `alone`: one comes after its end. */
static void doom_somebody(bool alone)
{
	struct thread *t;
	int code = 0;

	shuffler.awaited = !alone;
	t = thread_spawn("doomed", torture.kind->doomed, &shuffler.awaited);
	if (!t)
		return;
	if (alone) {
		wait_until_given_up(t);
		torture.kind->heir(&shuffler.rng);
	}
	thread_join(t, &code);
	torture_check(code == -EFAULT, FOUND_STATE, "the doomed thread ended with %d", code);
	torture_count(COUNT_DIED);
}

/* Not with a twin, whose wrapper does not know how. */
static void doomed(void)
{
	bool alone = rng_one_in(&shuffler.rng, 2);

	if (!torture.kind->doomed || torture.defect || shuffler.nr_doomed >= DOOMED_MAX)
		return;
	do {
		shuffler.nr_doomed++;
		if (alone)
			stop_workers();
		doom_somebody(alone);
		if (alone)
			start_workers();
		alone = !alone;
	} while (torture_deaths && shuffler.nr_doomed < DOOMED_MAX && !torture_over());
}

void torture_shuffle(void *arg unused_arg)
{
	static void (*const acts[])(void) = {
		priority,
		priority,
		weight,
		affinity,
		affinity,
		leaf,
		leaf,
		alarm,
		alarm,
		drain,
		stop_hart,
		stutter,
		mortal,
		mortal,
		doomed,
	};

	shuffler.nr_doomed = shuffler.nr_stops = 0;
	shuffler.mortal = NULL;
	rng_seed(&shuffler.rng, torture.seed ^ 0x5eed);
	rng_seed(&shuffler.mortal_rng, rng_u64(&shuffler.rng));
	while (!torture_over()) {
		acts[rng_below(&shuffler.rng, ARRAY_SIZE(acts))]();
		let_them_get_on((uint32_t)rng_below(&shuffler.rng, 4 * torture.nr_workers));
	}
	end_mortal();
}
