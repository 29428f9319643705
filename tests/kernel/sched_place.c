/* SPDX-License-Identifier: MIT */
/* Where threads run: affinity, spreading, stealing. */
#include "kernel/lock/relax.h"
#include "kernel/sched/runq.h"
#include "lib/errno.h"
#include "tests/kernel/sched_util.h"

static struct {
	atomic_bool stop;
	atomic_u32 arrived;
	atomic_u32 hart; /* index + 1 of where it was seen last */
} s;

static void reset(void)
{
	atomic_store_bool(&s.stop, false, relaxed);
	atomic_store_u32(&s.arrived, 0, relaxed);
	atomic_store_u32(&s.hart, 0, relaxed);
}

static void say_hart(void *arg)
{
	(void)arg;
	while (!atomic_load_bool(&s.stop, relaxed)) {
		preempt_disable();
		atomic_store_u32(&s.hart, here() + 1, relaxed);
		preempt_enable();
		relax();
	}
}

static void sleep_and_say(void *arg)
{
	(void)arg;
	while (!atomic_load_bool(&s.stop, relaxed)) {
		preempt_disable();
		atomic_store_u32(&s.hart, here() + 1, relaxed);
		preempt_enable();
		sched_sleep_ns(100000);
	}
}

/* Sends the thread from hart to hart; it must be seen on each, and on no other after the wait. */
static void chase(void (*body)(void *))
{
	unsigned n = ktest_harts(), rounds = n * ktest_each(8);
	struct thread *t;

	reset();
	t = thread_spawn("chased", body, NULL);
	ktest_require(t);
	for (unsigned round = 0; round < rounds; round++) {
		unsigned hart = online_hart(round % n);
		struct hart_mask mask = only_hart(hart);

		ktest_check(sched_set_affinity(t, &mask) == 0);
		sched_wait_affinity(t);
		atomic_store_u32(&s.hart, 0, relaxed);
		ktest_check(ktest_eventually(atomic_load_u32(&s.hart, relaxed)));
		ktest_check(atomic_load_u32(&s.hart, relaxed) == hart + 1, "on %u, not %u",
			(unsigned)atomic_load_u32(&s.hart, relaxed) - 1, hart);
	}
	atomic_store_bool(&s.stop, true, relaxed);
	thread_join(t, NULL);
}

KTEST(sched, affinity_moves_a_running_thread)
{
	chase(say_hart);
}

KTEST(sched, affinity_moves_a_sleeping_thread)
{
	chase(sleep_and_say);
}

KTEST(sched, affinity_moves_the_caller_at_once)
{
	unsigned n = ktest_harts();

	for (unsigned i = 0; i < 200; i++) {
		unsigned hart = online_hart(i % n);

		pin_to(hart);
		ktest_require(here() == hart, "round %u: on %u, not %u", i, here(), hart);
	}
}

static void arrive(void *arg)
{
	(void)arg;
	atomic_add_u32(&s.arrived, 1, relaxed);
}

/* Queued behind a thread that does not give its hart away: only another hart can run them. */
KTEST(sched, idle_harts_take_queued_threads)
{
	struct thread *t[12];
	struct hart_mask all;
	unsigned hart = here();

	if (ktest_harts() < 2) {
		ktest_skip("needs two harts");
		return;
	}
	reset();
	pin_to(hart);
	sched_set_priority(current_thread(), SCHED_FIFO, 50);
	hart_mask_copy(&all, &harts_online);
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		t[i] = create_on(hart, "queued", arrive, NULL);
		ktest_require(t[i]);
		thread_run(t[i]);
	}
	ktest_check(atomic_load_u32(&s.arrived, relaxed) == 0);
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		sched_set_affinity(t[i], &all);
	/* No sleep, no yield: this hart stays taken. */
	for (struct relax wait = RELAX_INIT; atomic_load_u32(&s.arrived, relaxed) < ARRAY_SIZE(t);)
		relax_step(&wait);
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		thread_join(t[i], NULL);
}

static void meet(void *arg)
{
	unsigned n = *(unsigned *)arg;

	atomic_add_u32(&s.arrived, 1, relaxed);
	for (struct relax wait = RELAX_INIT; atomic_load_u32(&s.arrived, relaxed) < n;)
		relax_step(&wait);
}

/* Waits as a fair thread, whose naps change nothing for real-time ones. */
static void all_meet(unsigned n)
{
	sched_set_priority(current_thread(), SCHED_FAIR, PRIO_FAIR);
	ktest_check(ktest_eventually(atomic_load_u32(&s.arrived, relaxed) == n), "%u of %u",
		(unsigned)atomic_load_u32(&s.arrived, relaxed), n);
	atomic_store_u32(&s.arrived, n, relaxed);
}

/* FIFO threads do not share a hart: they meet only if each has one of its own. */
KTEST(sched, realtime_threads_spread_over_harts)
{
	static struct thread *t[CONFIG_MAX_HARTS];
	unsigned n = ktest_harts();

	reset();
	for (unsigned i = 0; i < n; i++) {
		t[i] = thread_create("meet", meet, &n);
		ktest_require(t[i]);
		sched_set_priority(t[i], SCHED_FIFO, 30);
	}
	sched_set_priority(current_thread(), SCHED_FIFO, 31);
	for (unsigned i = 0; i < n; i++)
		thread_run(t[i]);
	all_meet(n);
	for (unsigned i = 0; i < n; i++)
		thread_join(t[i], NULL);
}

/* A fair thread spins on every hart, bound to it. */
static unsigned occupy(struct thread **t)
{
	unsigned n = ktest_harts();

	for (unsigned i = 0; i < n; i++) {
		t[i] = create_on(online_hart(i), "fair", say_hart, NULL);
		if (!t[i])
			return i;
		thread_run(t[i]);
	}
	return n;
}

static void join_all(struct thread **t, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		thread_join(t[i], NULL);
}

KTEST(sched, realtime_threads_take_harts_from_fair_ones)
{
	static struct thread *fair[CONFIG_MAX_HARTS], *t[CONFIG_MAX_HARTS];
	unsigned n = ktest_harts(), occupied;

	reset();
	occupied = occupy(fair);
	sched_set_priority(current_thread(), SCHED_FIFO, 31);
	for (unsigned i = 0; i < n; i++) {
		t[i] = thread_create("meet", meet, &n);
		ktest_require(t[i]);
		sched_set_priority(t[i], SCHED_FIFO, 30);
	}
	for (unsigned i = 0; i < n; i++)
		thread_run(t[i]);
	all_meet(n);
	join_all(t, n);
	atomic_store_bool(&s.stop, true, relaxed);
	join_all(fair, occupied);
}

struct rt {
	atomic_bool stop;
	atomic_u32 turns;
};
static struct rt rts[CONFIG_MAX_HARTS];

static void rt_reset(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rts); i++) {
		atomic_store_bool(&rts[i].stop, false, relaxed);
		atomic_store_u32(&rts[i].turns, 0, relaxed);
	}
}

static void rt_spin(void *arg)
{
	struct rt *rt = arg;

	atomic_add_u32(&s.arrived, 1, relaxed);
	while (!atomic_load_bool(&rt->stop, relaxed)) {
		atomic_add_u32(&rt->turns, 1, relaxed);
		relax();
	}
}

static bool gets_on(unsigned i, uint32_t from)
{
	return atomic_load_u32(&rts[i].turns, relaxed) - from > 100;
}

/*
 * Every hart runs a real-time thread above a fair one, and one more waits behind one of them. When
 * a thread of another hart ends, the waiting one takes that hart before its fair thread.
 */
KTEST(sched, waiting_realtime_thread_takes_the_hart_that_becomes_free)
{
	static struct thread *fair[CONFIG_MAX_HARTS], *t[CONFIG_MAX_HARTS];
	struct thread *extra;
	unsigned n = ktest_harts(), occupied, other;

	if (n < 2) {
		ktest_skip("needs two harts");
		return;
	}
	reset();
	rt_reset();
	occupied = occupy(fair);
	sched_set_priority(current_thread(), SCHED_FIFO, 31);
	for (unsigned i = 0; i < n; i++) {
		t[i] = create_on(online_hart(i), "rt", rt_spin, &rts[i]);
		ktest_require(t[i]);
		sched_set_priority(t[i], SCHED_FIFO, 30);
		thread_run(t[i]);
	}
	ktest_check(ktest_eventually(atomic_load_u32(&s.arrived, relaxed) == n));
	extra = thread_create("extra", arrive, NULL);
	ktest_require(extra);
	sched_set_priority(extra, SCHED_FIFO, 30);
	thread_run(extra);
	other = sched_hart_of(extra) == online_hart(0);
	atomic_store_bool(&rts[other].stop, true, relaxed);
	ktest_check(ktest_eventually(atomic_load_u32(&s.arrived, relaxed) == n + 1));
	for (unsigned i = 0; i < n; i++)
		atomic_store_bool(&rts[i].stop, true, relaxed);
	join_all(t, n);
	thread_join(extra, NULL);
	atomic_store_bool(&s.stop, true, relaxed);
	join_all(fair, occupied);
}

/* It makes room for a better one that is bound to its hart, and goes on where a fair thread runs.
 */
KTEST(sched, realtime_thread_that_is_preempted_goes_on_elsewhere)
{
	static struct thread *fair[CONFIG_MAX_HARTS];
	struct thread *low, *high;
	unsigned occupied, hart;
	uint32_t low_turns;

	if (ktest_harts() < 2) {
		ktest_skip("needs two harts");
		return;
	}
	reset();
	rt_reset();
	occupied = occupy(fair);
	sched_set_priority(current_thread(), SCHED_FIFO, 40);
	low = thread_create("low", rt_spin, &rts[0]);
	ktest_require(low);
	sched_set_priority(low, SCHED_FIFO, 20);
	thread_run(low);
	ktest_check(ktest_eventually(atomic_load_u32(&s.arrived, relaxed) == 1));
	hart = sched_hart_of(low);
	high = create_on(hart, "high", rt_spin, &rts[1]);
	ktest_require(high);
	sched_set_priority(high, SCHED_FIFO, 30);
	thread_run(high);
	/* Two harts for two threads, whenever this one sleeps. */
	low_turns = atomic_load_u32(&rts[0].turns, relaxed);
	ktest_check(ktest_eventually(gets_on(0, low_turns) && gets_on(1, 0) &&
		sched_hart_of(high) == hart && sched_hart_of(low) != hart));
	atomic_store_bool(&rts[0].stop, true, relaxed);
	atomic_store_bool(&rts[1].stop, true, relaxed);
	thread_join(low, NULL);
	thread_join(high, NULL);
	atomic_store_bool(&s.stop, true, relaxed);
	join_all(fair, occupied);
}

/* Fair threads behind each other on one hart, the others busy: the tick gives some away. */
KTEST(sched, busy_harts_share_their_queues)
{
	unsigned n = ktest_harts();
	struct thread *t[3 * 8];
	unsigned first = here(), count = MIN(3 * n, ARRAY_SIZE(t));
	struct hart_mask all;

	if (n < 2) {
		ktest_skip("needs two harts");
		return;
	}
	reset();
	hart_mask_copy(&all, &harts_online);
	sched_set_priority(current_thread(), SCHED_FIFO, 50);
	for (unsigned i = 0; i < count; i++) {
		t[i] = create_on(first, "share", say_hart, NULL);
		ktest_require(t[i]);
		thread_run(t[i]);
	}
	for (unsigned i = 0; i < count; i++)
		sched_set_affinity(t[i], &all);
	ktest_check(ktest_eventually(sched_hart_load(harts[first]) <= 3 + 2), "%u on hart %u",
		sched_hart_load(harts[first]), first);
	atomic_store_bool(&s.stop, true, relaxed);
	for (unsigned i = 0; i < count; i++)
		thread_join(t[i], NULL);
}

/* Whether the thread that says its hart is on hart `hart` whenever it runs from now on. */
static bool runs_only_on(unsigned hart)
{
	for (unsigned look = 0; look < 3; look++) {
		atomic_store_u32(&s.hart, 0, relaxed);
		ktest_check(ktest_eventually(atomic_load_u32(&s.hart, relaxed)));
		if (atomic_load_u32(&s.hart, relaxed) != hart + 1)
			return false;
	}
	return true;
}

/* Its only hart is closed: it goes on elsewhere, and returns when the hart opens, whether it ran
 * just then or waited for its turn. */
static void close_and_open(struct hart_meta *h, struct thread *bound)
{
	ktest_check(sched_hart_drain(h) == 0);
	ktest_check(sched_hart_load(h) == 0);
	atomic_store_u32(&s.hart, 0, relaxed);
	ktest_check(ktest_eventually(atomic_load_u32(&s.hart, relaxed)));
	ktest_check(atomic_load_u32(&s.hart, relaxed) != h->index + 1);
	ktest_check(sched_hart_load(h) == 0);
	sched_hart_accept(h);
	sched_wait_affinity(bound);
	ktest_check(runs_only_on(h->index));
}

KTEST(sched, drained_hart_gets_no_threads)
{
	unsigned n = ktest_harts();
	unsigned drained = online_hart(n - 1);
	struct thread *bound;

	if (n < 2) {
		ktest_check(sched_hart_drain(harts[drained]) == -EBUSY);
		return;
	}
	reset();
	bound = create_on(drained, "bound", say_hart, NULL);
	ktest_require(bound);
	thread_run(bound);
	ktest_check(ktest_eventually(atomic_load_u32(&s.hart, relaxed) == drained + 1));
	for (unsigned round = 0; round < 20 && !ktest_failed(); round++)
		close_and_open(harts[drained], bound);
	atomic_store_bool(&s.stop, true, relaxed);
	thread_join(bound, NULL);
}
