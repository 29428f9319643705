/* SPDX-License-Identifier: MIT */
/* Real-time threads that are queued behind a better one while other harts run fair threads: one
 * that becomes real-time as it waits, as an owner does that inherits, the second of two that come,
 * one that was bound until then; and one that waits as another hart's thread ends being real-time,
 * as an owner does whose inheritance ends, or as what a hart was promised to goes elsewhere. */
#include "kernel/hart/call.h"
#include "kernel/lock/relax.h"
#include "kernel/sched/internal.h"
#include "tests/kernel/sched_util.h"

#define PRIO_TEST 70
#define PRIO_HIGH 60
#define PRIO_RAISED 50
#define PRIO_LOW 40
#define PRIO_LOWEST 30

static struct {
	atomic_u32 spinning, stop, left, hear, held;
	unsigned home; /* the hart that the raised one is to leave */
} raise;

static bool is_set(const atomic_u32 *flag)
{
	return atomic_load_u32(flag, acquire);
}

static void spin_until_stopped(void *arg unused_arg)
{
	atomic_add_u32(&raise.spinning, 1, release);
	while (!is_set(&raise.stop))
		relax();
}

static void spin_until_elsewhere(void *arg unused_arg)
{
	atomic_add_u32(&raise.spinning, 1, release);
	while (!is_set(&raise.stop) && !is_set(&raise.left))
		if (here() != raise.home)
			atomic_store_u32(&raise.left, 1, release);
		else
			relax();
}

/* Runs it, and waits until it does. False: it could not be made. */
static bool run_spinner(struct thread *t)
{
	uint32_t before = atomic_load_u32(&raise.spinning, acquire);

	if (!t)
		return false;
	thread_run(t);
	ktest_check(ktest_eventually(atomic_load_u32(&raise.spinning, acquire) != before));
	return true;
}

static struct thread *create_rt_on(
	unsigned hart, const char *name, void (*fn)(void *arg), unsigned prio)
{
	struct thread *t = create_on(hart, name, fn, NULL);

	if (t && prio != PRIO_FAIR)
		sched_set_priority(t, SCHED_FIFO, prio);
	return t;
}

static struct thread *create_rt(const char *name, void (*fn)(void *arg), unsigned prio)
{
	return create_rt_on(raise.home, name, fn, prio);
}

/* Runs it, and does not wait. False: it could not be made. */
static bool let_wait(struct thread **made, unsigned *n, struct thread *t)
{
	if (!t)
		return false;
	thread_run(t);
	made[(*n)++] = t;
	return true;
}

/* All harts but that one run a thread of this priority. */
static bool occupy_the_others(struct thread **made, unsigned *n, unsigned prio)
{
	unsigned others = ktest_harts() - 1;

	for (unsigned i = 1; i <= others; i++)
		if (!let_wait(made, n,
			    create_rt_on(online_hart(i), "other", spin_until_stopped, prio)))
			return false;
	ktest_check(ktest_eventually(atomic_load_u32(&raise.spinning, acquire) == others));
	return true;
}

static void let_go(struct thread *t)
{
	struct hart_mask all;

	hart_mask_fill(&all, nr_harts);
	sched_set_affinity(t, &all);
}

/* A thread of this priority waits behind the better one; NULL: none could be made. */
static struct thread *queue_behind(struct thread **made, unsigned *n, unsigned prio)
{
	struct thread *raised = create_rt("raised", spin_until_elsewhere, prio);

	if (!run_spinner(raised))
		return NULL;
	made[(*n)++] = raised;
	made[*n] = create_rt("high", spin_until_stopped, PRIO_HIGH);
	if (!run_spinner(made[*n]))
		return NULL;
	++*n;
	return raised;
}

static void must_leave(void)
{
	ktest_check(ktest_eventually(is_set(&raise.left)), "it waits behind a better one");
}

/* A fair thread waits behind the better one, and is raised there. */
static void raise_behind_real_time(struct thread **made, unsigned *n)
{
	struct thread *raised = queue_behind(made, n, PRIO_FAIR);

	if (!raised)
		return;
	let_go(raised);
	sched_set_priority(raised, SCHED_FIFO, PRIO_RAISED);
	must_leave();
}

static void unbind_behind_real_time(struct thread **made, unsigned *n)
{
	struct thread *raised = queue_behind(made, n, PRIO_RAISED);

	if (!raised)
		return;
	let_go(raised);
	must_leave();
}

/* made[1] runs on a third hart, where nothing else happens: what was said to it is all it hears. */
static void lower_elsewhere(struct thread **made, unsigned *n)
{
	struct thread *raised = queue_behind(made, n, PRIO_RAISED);

	if (!raised)
		return;
	let_go(raised);
	sched_set_priority(made[1], SCHED_FAIR, PRIO_FAIR);
	must_leave();
}

/* Its hart hears nothing before it is told. */
static void spin_deaf(void *arg unused_arg)
{
	irq_off();
	atomic_add_u32(&raise.spinning, 1, release);
	while (!is_set(&raise.hear) && !is_set(&raise.stop))
		relax();
	irq_on();
	while (!is_set(&raise.stop))
		relax();
}

/* The next `count` of made[] are there, and will be run. False: no memory for one, none is left.
 * Before a hart hears nothing: after that nothing may wait for anybody, as for a mutex, whose owner
 * may be in that hart's queue. */
static bool all_made(struct thread **made, unsigned *n, unsigned count)
{
	bool all = true;

	for (unsigned i = 0; i < count; i++)
		all &= made[*n + i] != NULL;
	for (unsigned i = 0; i < count && !all; i++)
		if (made[*n + i])
			thread_discard(made[*n + i]);
	*n += all ? count : 0;
	return all;
}

/*
 * A real-time thread comes to the deaf hart, which counts as taken by it; a second one waits
 * elsewhere; the first leaves before its hart has looked. Then nothing happens on any hart but that
 * this one hears of it, and goes on with the fair thread that it had.
 */
static void break_promise(struct thread **made, unsigned *n)
{
	unsigned deaf = online_hart(0), elsewhere = online_hart(2);
	struct hart_mask only = only_hart(elsewhere);
	struct thread **mine = &made[*n];

	raise.home = elsewhere;
	mine[0] = create_rt_on(deaf, "deaf", spin_deaf, PRIO_FAIR);
	mine[1] = create_rt_on(deaf, "promised", spin_until_stopped, PRIO_LOWEST);
	mine[2] = create_rt_on(elsewhere, "raised", spin_until_elsewhere, PRIO_LOWEST);
	if (!all_made(made, n, 3))
		return;
	run_spinner(mine[0]);
	thread_run(mine[1]);
	thread_run(mine[2]);
	let_go(mine[2]);
	ktest_check(!sched_set_affinity(mine[1], &only));
	atomic_store_u32(&raise.hear, 1, release);
	must_leave();
}

/* Counts itself once it has left. */
static void spin_and_leave(void *arg unused_arg)
{
	while (!is_set(&raise.stop) && here() == raise.home)
		relax();
	atomic_add_u32(&raise.left, 1, release);
	while (!is_set(&raise.stop))
		relax();
}

/*
 * Two harts run fair threads, and a deaf one, too, where a better real-time thread, one that is
 * bound to that hart, and two that may leave are queued meanwhile. What the deaf hart does when it
 * hears of them is all that happens.
 */
static void leave_all(struct thread **made, unsigned *n)
{
	struct thread **mine = &made[*n];

	mine[0] = create_rt("deaf", spin_deaf, PRIO_FAIR);
	mine[1] = create_rt("high", spin_until_stopped, PRIO_HIGH);
	mine[2] = create_rt("bound", spin_until_stopped, PRIO_RAISED);
	mine[3] = create_rt("leaves", spin_and_leave, PRIO_LOWEST);
	mine[4] = create_rt("leaves", spin_and_leave, PRIO_LOWEST);
	if (!all_made(made, n, 5))
		return;
	/* Of the hart after the test's own, and the next one. */
	sched_set_priority(made[1], SCHED_FAIR, PRIO_FAIR);
	sched_set_priority(made[2], SCHED_FAIR, PRIO_FAIR);
	run_spinner(mine[0]);
	for (unsigned i = 1; i < 5; i++)
		thread_run(mine[i]);
	let_go(mine[3]);
	let_go(mine[4]);
	atomic_store_u32(&raise.hear, 1, release);
	ktest_check(ktest_eventually(atomic_load_u32(&raise.left, acquire) == 2),
		"%u of 2 have left", atomic_load_u32(&raise.left, relaxed));
}

/* In a handler of an idle hart, which does nothing before it hears. */
static void hold_if_idle(void *arg unused_arg)
{
	if (!current_thread()->is_idle || !hart_mask_test(&sched_idle, here()))
		return;
	atomic_store_u32(&raise.held, 1, release);
	while (!is_set(&raise.hear) && !is_set(&raise.stop))
		relax();
}

static bool is_held(unsigned hart, struct hart_call *call)
{
	if (!is_set(&raise.held) && hart_call_done(call))
		hart_call_post(harts[hart], call);
	return is_set(&raise.held);
}

/* As sched_start, had it looked for a hart when that one was free. */
static void start_on(struct thread *t, unsigned hart)
{
	irq_off();
	sched_place(t, hart, PLACE_NEW);
	irq_on();
}

static void let_go_to(struct thread *t, unsigned a, unsigned b)
{
	struct hart_mask mask = only_hart(a);

	hart_mask_set(&mask, b);
	sched_set_affinity(t, &mask);
}

#define FAIR_ONES 3

/* While that hart is held: nothing here waits for anybody. */
static void queue_all(struct thread *waits, struct thread **fair, unsigned idles, unsigned busy)
{
	let_go_to(waits, raise.home, idles);
	start_on(waits, raise.home);
	for (unsigned i = 0; i < FAIR_ONES; i++) {
		thread_run(fair[i]);
		let_go_to(fair[i], busy, idles);
	}
	atomic_store_u32(&raise.hear, 1, release);
}

/*
 * A real-time thread comes to wait behind a better one while another hart idles, which is told of
 * it; before that one looks, fair threads wait for it, too, and those it finds first.
 */
static void find_a_fair_one_first(struct thread **made, unsigned *n)
{
	unsigned idles = online_hart(2), busy = online_hart(3);
	struct hart_mask home = only_hart(raise.home);
	struct thread **mine = &made[*n];
	struct hart_call call;

	mine[0] = create_rt("high", spin_until_stopped, PRIO_HIGH);
	mine[1] = create_rt("waits", spin_and_leave, PRIO_LOWEST);
	for (unsigned i = 0; i < FAIR_ONES; i++)
		mine[2 + i] = create_rt_on(busy, "fair", spin_until_stopped, PRIO_FAIR);
	if (!all_made(made, n, 2 + FAIR_ONES))
		return;
	run_spinner(mine[0]);
	sched_set_priority(made[2], SCHED_FAIR, PRIO_FAIR);
	/* Of the one that is to idle; it will wait, bound, before the other one. */
	sched_set_affinity(made[1], &home);
	hart_call_init(&call, hold_if_idle, NULL);
	ktest_check(ktest_eventually(is_held(idles, &call)), "hart %u does not idle", idles);
	queue_all(mine[1], &mine[2], idles, busy);
	must_leave();
	hart_call_wait(harts[idles], &call);
}

/* In a handler of the hart: neither runs before both are there. */
static void run_both(void *arg)
{
	struct thread **two = arg;

	thread_run(two[0]);
	thread_run(two[1]);
	let_go(two[0]);
}

static void run_two_at_once(struct thread **made, unsigned *n)
{
	struct thread *two[2] = {
		create_rt("raised", spin_until_elsewhere, PRIO_RAISED),
		create_rt("high", spin_until_stopped, PRIO_HIGH),
	};

	if (!two[0] || !two[1]) {
		for (unsigned i = 0; i < 2; i++)
			if (two[i])
				thread_discard(two[i]);
		return;
	}
	hart_call(harts[raise.home], run_both, two);
	made[(*n)++] = two[0];
	made[(*n)++] = two[1];
	ktest_check(ktest_eventually(is_set(&raise.left)), "the second one waits");
}

/* The other harts run threads of `prio`; the test is on one of them. */
static void with_all_harts_busy(unsigned prio, void (*body)(struct thread **made, unsigned *n))
{
	struct thread *made[CONFIG_MAX_HARTS + 5];
	unsigned n = 0;

	if (ktest_harts() < 2) {
		ktest_skip("needs two harts");
		return;
	}
	atomic_store_u32(&raise.spinning, 0, relaxed);
	atomic_store_u32(&raise.stop, 0, relaxed);
	atomic_store_u32(&raise.left, 0, relaxed);
	atomic_store_u32(&raise.hear, 0, relaxed);
	atomic_store_u32(&raise.held, 0, relaxed);
	raise.home = online_hart(0);
	pin_to(online_hart(1));
	if (occupy_the_others(made, &n, prio))
		body(made, &n);
	atomic_store_u32(&raise.stop, 1, release);
	while (n-- > 0)
		thread_join(made[n], NULL);
}

KTEST(sched, raised_behind_a_better_one_it_takes_a_hart_from_a_fair_one)
{
	with_all_harts_busy(PRIO_FAIR, raise_behind_real_time);
}

KTEST(sched, second_of_two_that_come_at_once_takes_a_hart_from_a_fair_one)
{
	with_all_harts_busy(PRIO_FAIR, run_two_at_once);
}

KTEST(sched, let_go_behind_a_better_one_it_takes_a_hart_from_a_fair_one)
{
	with_all_harts_busy(PRIO_FAIR, unbind_behind_real_time);
}

/* The test's own thread is a real-time one, too: its naps free no hart. */
static void with_real_time_everywhere(
	unsigned least, void (*body)(struct thread **made, unsigned *n))
{
	if (ktest_harts() < least) {
		ktest_skip("needs more harts");
		return;
	}
	sched_set_priority(current_thread(), SCHED_FIFO, PRIO_TEST);
	with_all_harts_busy(PRIO_LOW, body);
	sched_set_priority(current_thread(), SCHED_FAIR, PRIO_FAIR);
}

KTEST(sched, waiting_behind_a_better_one_it_takes_a_hart_whose_thread_is_lowered)
{
	with_real_time_everywhere(3, lower_elsewhere);
}

KTEST(sched, waiting_behind_a_better_one_it_takes_a_hart_that_was_promised_to_another)
{
	with_real_time_everywhere(3, break_promise);
}

KTEST(sched, all_that_wait_behind_a_better_one_take_harts_from_fair_ones)
{
	with_real_time_everywhere(4, leave_all);
}

KTEST(sched, waiting_behind_a_better_one_it_takes_a_hart_that_goes_from_idle_to_a_fair_one)
{
	with_real_time_everywhere(4, find_a_fair_one_first);
}
