/* SPDX-License-Identifier: MIT */
/* Timers on real interrupts: never early, in order, cancelled while they fire, moved between harts.
 */
#include "kernel/hart/call.h"
#include "kernel/lock/relax.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/random.h"
#include "tests/kernel/ktest.h"
#include "tests/kernel/on_hart.h"

#define EQUAL 40
#define FAR_NS (1000 * NS_PER_SEC)
#define REPEATS 200
#define STORM_TIMERS 16
#define STORM_ROUNDS 1500

struct probe {
	struct timer timer;
	uint64_t deadline_ns, fired_ns;
	unsigned order, hart, times;
	bool in_handler;
};

static atomic_u32 fired;

static void probe_fire(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);

	p->fired_ns = clock_now_ns();
	p->hart = this_hart()->index;
	p->in_handler = in_interrupt() && !arch_irq_enabled();
	p->times++;
	p->order = atomic_add_u32(&fired, 1, release);
}

static void probe_start(struct probe *p, uint64_t deadline_ns)
{
	p->deadline_ns = deadline_ns;
	timer_start(&p->timer, deadline_ns);
}

static struct probe probes[EQUAL];
static bool probes_made;

/* A test that failed may have left timers behind. */
static void reset(void)
{
	for (unsigned i = 0; i < EQUAL && probes_made; i++)
		timer_cancel_sync(&probes[i].timer);
	atomic_store_u32(&fired, 0, relaxed);
	for (unsigned i = 0; i < EQUAL; i++) {
		probes[i] = (struct probe){0};
		timer_init(&probes[i].timer, probe_fire);
	}
	probes_made = true;
}

KTEST(time, timers_fire_in_a_handler_and_never_early)
{
	reset();
	for (unsigned i = 0; i < 20; i++) {
		struct probe *p = &probes[i];

		probe_start(p, clock_now_ns() + i * 50 * NS_PER_US);
		ktest_require(wait_count(&fired, i + 1), "timer %u never fired", i);
		ktest_check(p->fired_ns >= p->deadline_ns, "%llu ns early",
			(unsigned long long)(p->deadline_ns - p->fired_ns));
		ktest_check(p->in_handler, "not in a handler");
		ktest_check(p->times == 1 && !timer_pending(&p->timer), "timer %u", i);
	}
}

KTEST(time, equal_deadlines_all_fire_in_the_order_of_their_starts)
{
	uint64_t deadline;

	reset();
	/* All on one hart. */
	preempt_disable();
	deadline = clock_now_ns() + 5 * NS_PER_MS;
	for (unsigned i = 0; i < EQUAL; i++)
		probe_start(&probes[EQUAL - 1 - i], deadline);
	preempt_enable();
	ktest_require(wait_count(&fired, EQUAL), "%u fired", counted(&fired));
	for (unsigned i = 0; i < EQUAL; i++)
		ktest_check(probes[EQUAL - 1 - i].order == i, "timer %u came as number %u", i,
			probes[EQUAL - 1 - i].order);
}

KTEST(time, an_earlier_timer_does_not_wait_for_the_programmed_one)
{
	reset();
	probe_start(&probes[0], clock_now_ns() + FAR_NS);
	probe_start(&probes[1], clock_now_ns() + NS_PER_MS);
	ktest_check(wait_count(&fired, 1), "the earlier timer never fired");
	ktest_check(probes[1].times == 1 && probes[0].times == 0, "%u, %u", probes[0].times,
		probes[1].times);
	/* The same by starting a pending one again. */
	probe_start(&probes[0], clock_now_ns() + NS_PER_MS);
	ktest_check(wait_count(&fired, 2), "the timer that was started again never fired");
	ktest_check(probes[0].times == 1, "%u times", probes[0].times);
	ktest_check(!timer_cancel(&probes[0].timer), "it is still pending");
}

/* As after the start of a hart, or a stop that failed. */
KTEST(time, timer_that_was_silenced_is_told_again)
{
	struct timerq_info info;

	reset();
	irq_off();
	probe_start(&probes[0], clock_now_ns() + NS_PER_MS);
	arch_timer_set(UINT64_MAX);
	timer_hart_forget();
	timer_info(this_hart(), &info);
	irq_on();
	ktest_check(info.programmed_ns <= probes[0].deadline_ns);
	ktest_check(wait_count(&fired, 1), "it never fired");
}

KTEST(time, a_later_restart_takes_the_earlier_deadline_back)
{
	reset();
	/* Interrupts off: however long this hart is away in between, the first deadline cannot
	 * fire. */
	irq_off();
	probe_start(&probes[0], clock_now_ns() + NS_PER_MS);
	probe_start(&probes[0], clock_now_ns() + FAR_NS);
	probe_start(&probes[1], clock_now_ns() + 2 * NS_PER_MS);
	irq_on();
	ktest_check(wait_count(&fired, 1), "nothing fired");
	ktest_check(probes[1].times == 1 && probes[0].times == 0, "the old deadline fired");
	ktest_check(timer_cancel(&probes[0].timer), "it was not pending");
}

KTEST(time, a_cancelled_timer_does_not_fire)
{
	reset();
	for (unsigned i = 0; i < 10; i++)
		probe_start(&probes[i], clock_now_ns() + FAR_NS);
	for (unsigned i = 0; i < 10; i++)
		ktest_check(timer_pending(&probes[i].timer), "timer %u", i);
	for (unsigned i = 0; i < 10; i += 2) {
		ktest_check(timer_cancel(&probes[i].timer), "timer %u was not pending", i);
		ktest_check(!timer_cancel(&probes[i].timer), "cancelled twice");
	}
	for (unsigned i = 1; i < 10; i += 2)
		probe_start(&probes[i], clock_now_ns());
	ktest_check(wait_count(&fired, 5), "%u fired", counted(&fired));
	for (unsigned i = 0; i < 10; i++)
		ktest_check(probes[i].times == (i & 1), "timer %u: %u times", i, probes[i].times);
}

/* ---- Functions that start, free, take long -------------------------------------------------- */

static void repeat_fire(struct timer *t)
{
	probe_fire(t);
	if (container_of(t, struct probe, timer)->times < REPEATS)
		timer_start(t, clock_now_ns() + 20 * NS_PER_US);
}

KTEST(time, a_function_may_start_its_own_timer_again)
{
	reset();
	probes[0].timer.fn = repeat_fire;
	probe_start(&probes[0], clock_now_ns());
	ktest_check(wait_count(&fired, REPEATS), "%u times", probes[0].times);
	ktest_check(!timer_cancel_sync(&probes[0].timer), "it is pending");
	ktest_check(probes[0].times == REPEATS, "%u times", probes[0].times);
}

static void free_fire(struct timer *t)
{
	kfree(container_of(t, struct probe, timer));
	atomic_add_u32(&fired, 1, release);
}

KTEST(time, a_function_may_free_its_timer)
{
	reset();
	for (unsigned i = 0; i < 50; i++) {
		struct probe *p = kzalloc(sizeof(*p), 0);

		ktest_require(p, "no memory");
		timer_init(&p->timer, free_fire);
		timer_start(&p->timer, clock_now_ns() + i * NS_PER_US);
	}
	ktest_check(wait_count(&fired, 50), "%u fired", counted(&fired));
}

static atomic_u32 inside, leave, begun, cancelled;

static void long_fire(struct timer *t unused_arg)
{
	atomic_store_u32(&inside, 1, release);
	while (!counted(&leave))
		relax();
	atomic_store_u32(&inside, 2, release);
}

static void start_on_this_hart(void *arg)
{
	timer_start(arg, clock_now_ns());
}

static void cancel_body(void *arg)
{
	atomic_store_u32(&begun, 1, release);
	timer_cancel_sync(arg);
	/* The function has ended. */
	atomic_store_u32(&cancelled, counted(&inside), release);
}

KTEST(time, cancel_waits_for_a_function_that_runs_on_another_hart)
{
	static struct timer t;
	struct thread *canceller;

	if (online_count() < 2)
		return ktest_skip("one hart");
	bind_to_first();
	atomic_store_u32(&inside, 0, relaxed);
	atomic_store_u32(&leave, 0, relaxed);
	atomic_store_u32(&begun, 0, relaxed);
	atomic_store_u32(&cancelled, 0, relaxed);
	timer_init(&t, long_fire);
	ktest_require(hart_call(online_hart(1), start_on_this_hart, &t) == 0, "no call");
	while (!counted(&inside))
		relax();
	ktest_check(!timer_cancel(&t), "a timer that fires is not pending");
	canceller = spawn_on(online_hart(0)->index, "cancel", cancel_body, &t);
	ktest_check(canceller && wait_count(&begun, 1), "it never begins");
	sched_sleep_ns(2 * NS_PER_MS);
	ktest_check(counted(&cancelled) == 0, "it did not wait");
	atomic_store_u32(&leave, 1, release);
	ktest_check(wait_count(&cancelled, 2), "it never returned");
	if (canceller)
		thread_join(canceller, NULL);
	unbind();
}

/* Started from elsewhere while its function runs: it fires again, after that, on the same hart. */
KTEST(time, a_start_while_it_fires_elsewhere_runs_it_once_more)
{
	static struct timer t;
	struct hart_meta *other = online_hart(1);
	struct timerq_info info;

	if (online_count() < 2)
		return ktest_skip("one hart");
	bind_to_first();
	atomic_store_u32(&inside, 0, relaxed);
	atomic_store_u32(&leave, 0, relaxed);
	timer_init(&t, long_fire);
	ktest_require(hart_call(other, start_on_this_hart, &t) == 0, "no call");
	while (!counted(&inside))
		relax();
	timer_start(&t, clock_now_ns() + FAR_NS);
	ktest_check(timer_pending(&t), "not pending");
	ktest_check(atomic_load_ptr(&t.queue, relaxed) == other->timerq, "on another hart's queue");
	timer_info(other, &info);
	ktest_check(info.nr_pending >= 1, "%u pending there", info.nr_pending);
	atomic_store_u32(&leave, 1, release);
	ktest_check(timer_cancel_sync(&t), "the second start got lost");
	unbind();
}

/* ---- Several harts --------------------------------------------------------------------------- */

KTEST(time, a_timer_fires_on_the_hart_that_started_it)
{
	unsigned n = MIN(online_count(), (unsigned)EQUAL);

	reset();
	for (unsigned i = 0; i < n; i++)
		ktest_require(hart_call(online_hart(i), start_on_this_hart, &probes[i].timer) == 0,
			"no call");
	ktest_require(wait_count(&fired, n), "%u fired", counted(&fired));
	for (unsigned i = 0; i < n; i++)
		ktest_check(probes[i].hart == online_hart(i)->index, "timer %u fired on hart %u", i,
			probes[i].hart);
}

/* Every thread starts its own timers and cancels anybody's; in the end each start has either fired
 * or been cancelled, once. */
static struct probe storm[STORM_TIMERS];
static atomic_u32 storm_starts, storm_cancels, storm_fires, storm_progress;

static void storm_fire(struct timer *t unused_arg)
{
	atomic_add_u32(&storm_fires, 1, relaxed);
}

static void storm_body(void *arg)
{
	unsigned n = online_count(), self = (unsigned)(uintptr_t)arg;
	struct rng r;

	rng_seed(&r, self + 1);
	for (unsigned i = 0; i < STORM_ROUNDS; i++) {
		unsigned mine = self + n * (unsigned)rng_below(&r, STORM_TIMERS);
		struct timer *any = &storm[rng_below(&r, STORM_TIMERS)].timer;
		bool was = rng_one_in(&r, 2) ? timer_cancel(any) : timer_cancel_sync(any);

		atomic_add_u32(&storm_cancels, was, relaxed);
		atomic_add_u32(&storm_progress, 1, release);
		if (mine >= STORM_TIMERS)
			continue;
		/* Only its owner starts a timer, so it is not pending between these two. */
		atomic_add_u32(&storm_cancels, timer_cancel(&storm[mine].timer), relaxed);
		atomic_add_u32(&storm_starts, 1, relaxed);
		/* Half of them at once, so that fires and cancels meet. */
		timer_start(&storm[mine].timer,
			clock_now_ns() + (i % 2 ? rng_below(&r, 100 * NS_PER_US) : 0));
	}
}

static void run_storm(void)
{
	static struct thread *threads[STORM_TIMERS];
	unsigned n = MIN(online_count(), (unsigned)STORM_TIMERS);

	atomic_store_u32(&storm_progress, 0, relaxed);
	for (unsigned i = 0; i < n; i++) {
		threads[i] = spawn_on(
			online_hart(i)->index, "timers", storm_body, (void *)(uintptr_t)i);
		ktest_require(threads[i], "no thread");
	}
	ktest_require(wait_count(&storm_progress, n * STORM_ROUNDS), "stuck at %u",
		counted(&storm_progress));
	for (unsigned i = 0; i < n; i++)
		thread_join(threads[i], NULL);
	for (unsigned i = 0; i < STORM_TIMERS; i++)
		atomic_add_u32(&storm_cancels, timer_cancel_sync(&storm[i].timer), relaxed);
}

KTEST(time, a_storm_of_starts_and_cancels_loses_and_doubles_nothing)
{
	uint32_t starts, ends;
	unsigned try = 0;

	atomic_store_u32(&storm_starts, 0, relaxed);
	atomic_store_u32(&storm_cancels, 0, relaxed);
	atomic_store_u32(&storm_fires, 0, relaxed);
	for (unsigned i = 0; i < STORM_TIMERS; i++)
		timer_init(&storm[i].timer, storm_fire);
	/* Until there were both. */
	do
		run_storm();
	while (!ktest_failed() && (!counted(&storm_fires) || !counted(&storm_cancels)) &&
		++try < 100);
	starts = counted(&storm_starts);
	ends = counted(&storm_cancels) + counted(&storm_fires);
	ktest_check(starts == ends, "%u started, %u fired or cancelled", starts, ends);
	ktest_check(counted(&storm_fires) > 0, "none fired");
	ktest_check(counted(&storm_cancels) > 0, "none was cancelled");
}

#define MOVED 3

/* Starts timers that are due at once, on a hart that cannot fire them: it sits in this handler. */
static void sit_on_timers(void *arg unused_arg)
{
	for (unsigned i = 0; i < MOVED; i++)
		timer_start(&probes[i].timer, clock_now_ns());
	atomic_store_u32(&inside, 1, release);
	while (!counted(&leave))
		relax();
}

static void migrate_body(void *arg)
{
	struct hart_meta *from = arg;
	struct hart_call call;

	hart_call_init(&call, sit_on_timers, NULL);
	ktest_require(hart_call_post(from, &call) == 0, "no call");
	while (!counted(&inside))
		relax();
	ktest_check(counted(&fired) == 0, "they fired already");
	ktest_check(!timer_migrate(from), "not all of %u at once", MOVED);
	ktest_check(wait_count(&fired, MOVED), "%u fired", counted(&fired));
	atomic_store_u32(&leave, 1, release);
	while (!hart_call_done(&call))
		relax();
}

KTEST(time, migrated_timers_fire_on_their_new_hart)
{
	struct thread *t;

	if (online_count() < 2)
		return ktest_skip("one hart");
	reset();
	atomic_store_u32(&inside, 0, relaxed);
	atomic_store_u32(&leave, 0, relaxed);
	t = spawn_on(online_hart(1)->index, "migrate", migrate_body, online_hart(0));
	ktest_require(t, "no thread");
	thread_join(t, NULL);
	for (unsigned i = 0; i < MOVED; i++)
		ktest_check(probes[i].hart == online_hart(1)->index && probes[i].times == 1,
			"timer %u fired on hart %u, %u times", i, probes[i].hart, probes[i].times);
}

/* ---- The clock ------------------------------------------------------------------------------- */

static void read_clock(void *arg)
{
	*(uint64_t *)arg = clock_now_ns();
}

KTEST(time, the_clock_is_the_same_on_all_harts)
{
	uint64_t before, there, after;

	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < online_count(); i++) {
			before = clock_now_ns();
			ktest_require(
				hart_call(online_hart(i), read_clock, &there) == 0, "no call");
			after = clock_now_ns();
			ktest_check(before <= there && there <= after, "hart %u: %llu, %llu, %llu",
				online_hart(i)->index, (unsigned long long)before,
				(unsigned long long)there, (unsigned long long)after);
		}
	}
}

KTEST(time, ticks_and_nanoseconds_convert_both_ways)
{
	for (uint64_t ns = 1; ns < UINT64_C(1) << 60; ns = ns * 3 + 1) {
		uint64_t ticks = ns_to_ticks(ns);

		ktest_check(ticks_to_ns(ticks) + 1 >= ns, "%llu ns", (unsigned long long)ns);
		ktest_check(ticks < 2 || ticks_to_ns(ticks - 2) <= ns, "%llu ns",
			(unsigned long long)ns);
	}
	ktest_check(clock_ns_to_time(ns_to_ticks(UINT64_MAX)) > clock_now_ns(), "for ever");
	ktest_check(clock_time_to_ns(arch_info.entry_time) == 0, "the first instruction");
	ktest_check(clock_ns_to_time(0) - arch_info.entry_time <= 1, "the first instruction");
}
