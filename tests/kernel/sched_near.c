/* SPDX-License-Identifier: MIT */
/*
 * Where threads go on a machine where some harts are nearer than others. Every hart but those in
 * question is taken by a FIFO thread, so that nobody else takes part; what is judged is the order
 * in which things happen.
 */
#include "kernel/hart/topology.h"
#include "kernel/lock/relax.h"
#include "tests/kernel/sched_util.h"

#define EACH 3u
#define TRIES 400u

static struct {
	atomic_bool stop[CONFIG_MAX_HARTS]; /* who holds the hart lets it go */
	atomic_u32 held;		    /* harts that are held */
	atomic_u32 near_ran, far_ran;
	atomic_u32 near_after_far;
	atomic_u32 hart; /* index + 1 of where the sleeper woke up */
	atomic_bool end;
} s;

static struct thread *holders[CONFIG_MAX_HARTS];

static void reset(void)
{
	for (unsigned i = 0; i < CONFIG_MAX_HARTS; i++) {
		atomic_store_bool(&s.stop[i], false, relaxed);
		holders[i] = NULL;
	}
	atomic_store_u32(&s.held, 0, relaxed);
	atomic_store_u32(&s.near_ran, 0, relaxed);
	atomic_store_u32(&s.far_ran, 0, relaxed);
	atomic_store_u32(&s.near_after_far, 0, relaxed);
	atomic_store_u32(&s.hart, 0, relaxed);
	atomic_store_bool(&s.end, false, relaxed);
}

static void hold(void *arg)
{
	unsigned hart = (unsigned)(uintptr_t)arg;

	atomic_add_u32(&s.held, 1, relaxed);
	for (struct relax wait = RELAX_INIT; !atomic_load_bool(&s.stop[hart], relaxed);)
		relax_step(&wait);
}

/* A FIFO thread takes the hart until let_go; false: no memory. */
static bool take(unsigned hart)
{
	struct thread *t = create_on(hart, "hold", hold, (void *)(uintptr_t)hart);

	if (!t)
		return false;
	sched_set_priority(t, SCHED_FIFO, 30);
	holders[hart] = t;
	thread_run(t);
	return true;
}

static void let_go(unsigned hart)
{
	if (!holders[hart])
		return;
	atomic_store_bool(&s.stop[hart], true, relaxed);
	thread_join(holders[hart], NULL);
	holders[hart] = NULL;
}

static void let_all_go(void)
{
	for (unsigned i = 0; i < CONFIG_MAX_HARTS; i++)
		let_go(i);
}

/*
 * A hart that has one near it, and after which, in the order of indices, comes one that is far: who
 * looked in that order alone would be found out. CONFIG_MAX_HARTS: there is none.
 */
static unsigned find_hart(const struct hart_mask **near, unsigned *far)
{
	unsigned hart;

	for_each_hart_in_mask(hart, &harts_online) {
		struct hart_mask others;

		if (!nr_nearness)
			break;
		*near = hart_near(hart, nr_nearness - 1);
		hart_mask_and(&others, *near, &harts_online);
		*far = hart_mask_next(&harts_online, hart);
		if (*far == CONFIG_MAX_HARTS)
			*far = hart_mask_first(&harts_online);
		if (hart_mask_weight(&others) > 1 && !hart_mask_test(*near, *far))
			return hart;
	}
	return CONFIG_MAX_HARTS;
}

static void run_near(void *arg unused_arg)
{
	if (atomic_load_u32(&s.far_ran, relaxed))
		atomic_add_u32(&s.near_after_far, 1, relaxed);
	atomic_add_u32(&s.near_ran, 1, relaxed);
}

static void run_far(void *arg unused_arg)
{
	atomic_add_u32(&s.far_ran, 1, relaxed);
}

/* Queued behind who holds the hart; only another hart can run them. The number made. */
static unsigned queue_on(unsigned hart, void (*fn)(void *arg), struct thread **t)
{
	unsigned n;

	for (n = 0; n < EACH; n++) {
		t[n] = create_on(hart, "queued", fn, NULL);
		if (!t[n])
			break;
		thread_run(t[n]);
	}
	return n;
}

static bool all_ran(unsigned n)
{
	return atomic_load_u32(&s.near_ran, relaxed) + atomic_load_u32(&s.far_ran, relaxed) == n;
}

/* This thread holds `here`, near the thief; all other harts but the thief's are held, too. */
static void steal_order(unsigned thief, unsigned here, unsigned far)
{
	struct thread *t[2 * EACH];
	struct hart_mask all;
	unsigned hart, n;

	pin_to(here);
	sched_set_priority(current_thread(), SCHED_FIFO, 50);
	for_each_hart_in_mask(hart, &harts_online)
		if (hart != here)
			ktest_require(take(hart));
	for (struct relax wait = RELAX_INIT; atomic_load_u32(&s.held, relaxed) < ktest_harts() - 1;)
		relax_step(&wait);
	n = queue_on(here, run_near, t);
	n += queue_on(far, run_far, t + n);
	hart_mask_copy(&all, &harts_online);
	for (unsigned i = 0; i < n; i++)
		sched_set_affinity(t[i], &all);
	/* No sleep from here on: this hart stays taken. */
	atomic_store_bool(&s.stop[thief], true, relaxed);
	for (struct relax wait = RELAX_INIT; !all_ran(n);)
		relax_step(&wait);
	for (unsigned i = 0; i < n; i++)
		thread_join(t[i], NULL);
}

KTEST(sched_near, hart_without_work_steals_from_near_ones_first)
{
	const struct hart_mask *near = NULL;
	unsigned far = 0, thief = find_hart(&near, &far), here;

	if (thief == CONFIG_MAX_HARTS) {
		ktest_skip("needs harts that are nearer than others");
		return;
	}
	reset();
	here = hart_mask_first(near);
	while (here == thief || !hart_mask_test(&harts_online, here))
		here = hart_mask_next(near, here);
	steal_order(thief, here, far);
	let_all_go();
	ktest_check(atomic_load_u32(&s.near_ran, relaxed) == EACH &&
		atomic_load_u32(&s.far_ran, relaxed) == EACH);
	ktest_check(!atomic_load_u32(&s.near_after_far, relaxed),
		"%u near ones ran after one that was far",
		(unsigned)atomic_load_u32(&s.near_after_far, relaxed));
}

/* Says where it is each time it wakes up. */
static void sleep_and_say(void *arg unused_arg)
{
	while (!atomic_load_bool(&s.end, relaxed)) {
		preempt_disable();
		atomic_store_u32(&s.hart, here() + 1, relaxed);
		preempt_enable();
		sched_prepare_sleep(THREAD_SLEEPING);
		if (!atomic_load_bool(&s.end, relaxed))
			schedule();
		sched_cancel_sleep();
	}
}

/* Where it says that it is after a wake-up; CONFIG_MAX_HARTS if it does not come. */
static unsigned wake_and_see(struct thread *t)
{
	atomic_store_u32(&s.hart, 0, relaxed);
	/* Again and again: it may not be asleep yet. */
	if (!ktest_eventually((sched_wake(t), atomic_load_u32(&s.hart, relaxed))))
		return CONFIG_MAX_HARTS;
	return atomic_load_u32(&s.hart, relaxed) - 1;
}

/* Puts it on its hart, takes that, and wakes it: where does it go? */
static unsigned where_it_goes(struct thread *t, unsigned home, const struct hart_mask *all)
{
	struct hart_mask mask = only_hart(home);
	unsigned went;

	sched_set_affinity(t, &mask);
	if (wake_and_see(t) != home)
		return CONFIG_MAX_HARTS;
	sched_set_affinity(t, all);
	atomic_store_u32(&s.held, 0, relaxed);
	if (!take(home) || !ktest_eventually(atomic_load_u32(&s.held, relaxed)))
		return CONFIG_MAX_HARTS;
	went = wake_and_see(t);
	let_go(home);
	return went;
}

/* Other threads may have the near harts at times: then it is tried again. */
KTEST(sched_near, thread_whose_hart_is_taken_wakes_up_near_it)
{
	const struct hart_mask *near = NULL;
	unsigned far = 0, home = find_hart(&near, &far), went = CONFIG_MAX_HARTS;
	struct hart_mask all;
	struct thread *t;
	bool right = false;

	if (home == CONFIG_MAX_HARTS) {
		ktest_skip("needs harts that are nearer than others");
		return;
	}
	reset();
	hart_mask_copy(&all, &harts_online);
	/* Not on the near hart, which is to be idle. */
	pin_to(far);
	t = thread_spawn("sleeper", sleep_and_say, NULL);
	ktest_require(t);
	for (unsigned try = 0; !right && try < TRIES; try++) {
		went = where_it_goes(t, home, &all);
		right = went < CONFIG_MAX_HARTS && went != home && hart_mask_test(near, went);
	}
	atomic_store_bool(&s.end, true, relaxed);
	sched_wake(t);
	thread_join(t, NULL);
	let_all_go();
	ktest_check(right, "from hart %u to %u at last", home, went);
}
