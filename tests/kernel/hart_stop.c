/* SPDX-License-Identifier: MIT */
/* Harts that are stopped and started: what becomes of them, and what may be asked. */
#include "kernel/panic/watchdog.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/wait/work.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "tests/kernel/hart_util.h"
#include "tests/kernel/on_hart.h"

#define ONE_HART "one hart"

static void stop_and_start(struct hart_meta *h)
{
	struct hart_stats before = h->stats;

	ktest_check(hart_stop(h, false) == 0);
	ktest_check(hart_state_of(h) == HART_STOPPED);
	ktest_check(arch_hart_state(h->hartid) == ARCH_HSM_STOPPED);
	check_is_out(h);
	ktest_check(hart_stop(h, true) == -EALREADY && hart_suspend(h, true, true) == -EALREADY);
	ktest_check(hart_resume(h) == -EINVAL);
	ktest_check(hart_start(h) == 0);
	ktest_check(hart_start(h) == -EALREADY && hart_resume(h) == -EALREADY);
	check_takes_part(h);
	ktest_check(h->stats.stops == before.stops + 1 && h->stats.starts == before.starts + 1);
	ktest_check(h->start_called <= h->arrived && h->arrived <= h->online_at);
}

/* Also the boot hart, and the one that the test runs on, which moves. */
KTEST(hart_life, a_stopped_hart_is_out_and_a_started_one_as_good_as_new)
{
	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	for (unsigned round = 0; round < 3; round++)
		each_hart(stop_and_start);
	stop_and_start(&boot_hart);
}

KTEST(hart_life, the_last_hart_stays)
{
	static struct hart_meta *stopped[CONFIG_MAX_HARTS];
	struct hart_meta *last = online_hart(online_count() - 1);
	unsigned n = 0;

	while (online_count() > 1) {
		stopped[n] = online_hart(0);
		ktest_require(hart_stop(stopped[n++], false) == 0);
	}
	ktest_check(hart_stop(last, true) == -EINVAL && hart_suspend(last, true, true) == -EINVAL &&
		hart_suspend(last, false, false) == -EINVAL);
	check_takes_part(last);
	while (n > 0)
		ktest_check(hart_start(stopped[--n]) == 0);
}

/* ---- Pinned threads -------------------------------------------------------------------------- */

static atomic_u32 turns, on_hart;
static atomic_bool over;

static void take_turns(void *arg unused_arg)
{
	while (!atomic_load_bool(&over, relaxed)) {
		atomic_store_u32(&on_hart, this_hart_unstable()->index + 1, relaxed);
		atomic_add_u32(&turns, 1, release);
		sched_sleep_ns(100 * NS_PER_US);
	}
}

/* Where it runs after it has got on, not counting what it began before. */
static unsigned runs_now_on(void)
{
	uint32_t before = counted(&turns);

	ktest_check(ktest_eventually(counted(&turns) - before >= 2));
	return atomic_load_u32(&on_hart, relaxed) - 1;
}

static void pin_and_stop(struct hart_meta *h)
{
	struct thread *t;
	char names[40];

	atomic_store_bool(&over, false, relaxed);
	t = spawn_on(h->index, "bound", take_turns, NULL);
	ktest_require(t);
	ktest_check(runs_now_on() == h->index);
	ktest_check(hart_stop(h, false) == -EPERM && hart_suspend(h, false, false) == -EPERM);
	ktest_check(
		hart_pinned(h, names, sizeof(names)) == 1 && !strcmp(names, "bound"), "%s", names);
	check_takes_part(h);
	ktest_check(hart_stop(h, true) == 0);
	ktest_check(runs_now_on() != h->index);
	ktest_check(hart_start(h) == 0);
	sched_wait_affinity(t);
	ktest_check(runs_now_on() == h->index, "it did not come back to hart %u", h->index);
	atomic_store_bool(&over, true, relaxed);
	thread_join(t, NULL);
}

KTEST(hart_life, a_pinned_thread_makes_a_stop_refuse_or_is_away_until_the_start)
{
	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	each_hart(pin_and_stop);
}

/* Of two threads with one name it takes none; their handles tell them apart. */
KTEST(hart_life, a_name_of_two_threads_pins_none)
{
	struct thread *twins[2];
	char line[32];

	atomic_store_bool(&over, false, relaxed);
	for (unsigned i = 0; i < 2; i++)
		twins[i] = thread_spawn("twin", take_turns, NULL);
	ktest_require(twins[0] && twins[1]);
	snprintf(line, sizeof(line), "pin twin %u", hart_in_circle(0)->index);
	ktest_check(hart_words(line) != 0);
	for (unsigned i = 0; i < 2; i++)
		ktest_check(hart_mask_weight(&twins[i]->affinity) >= nr_harts, "twin %u", i);
	snprintf(line, sizeof(line), "pin 0x%x %u", (unsigned)twins[1]->lock.handle,
		hart_in_circle(0)->index);
	ktest_check(hart_words(line) == 0);
	ktest_check(hart_mask_weight(&twins[0]->affinity) >= nr_harts);
	ktest_check(hart_mask_weight(&twins[1]->affinity) == 1);
	atomic_store_bool(&over, true, relaxed);
	for (unsigned i = 0; i < 2; i++)
		thread_join(twins[i], NULL);
}

/* ---- On the way ------------------------------------------------------------------------------ */

static atomic_u32 gate, entered;
static struct work gate_work;

static void wait_at_gate(struct work *w unused_arg)
{
	atomic_store_u32(&entered, 1, release);
	ktest_check(ktest_eventually(counted(&gate)));
}

static void queue_gate(void *arg unused_arg)
{
	work_queue(&gate_work);
}

static void stop_it(void *h)
{
	ktest_check(hart_stop(h, false) == 0);
}

/* Its stop waits for work that runs: meanwhile it is nothing that anybody can ask for. */
KTEST(hart_life, a_hart_on_its_way_is_busy)
{
	static const char *const words[] = {"stop", "start", "suspend", "resume"};
	struct hart_meta *h = hart_in_circle(1);
	struct hart_mask only;
	struct thread *stopper;

	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	work_init(&gate_work, wait_at_gate);
	atomic_store_u32(&gate, 0, relaxed);
	atomic_store_u32(&entered, 0, relaxed);
	ktest_check(hart_call(h, queue_gate, NULL) == 0);
	ktest_check(ktest_eventually(counted(&entered)));
	stopper = thread_spawn("stopper", stop_it, h);
	ktest_require(stopper);
	ktest_check(ktest_eventually(hart_state_of(h) == HART_STOPPING));
	ktest_check(hart_stop(h, true) == -EBUSY && hart_suspend(h, true, true) == -EBUSY);
	ktest_check(hart_start(h) == -EBUSY && hart_resume(h) == -EBUSY);
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		ktest_check(hart_command(words[i], h) != 0, "hart %s", words[i]);
	hart_mask_zero(&only);
	hart_mask_set(&only, h->index);
	ktest_check(sched_set_affinity(current_thread(), &only) == -EINVAL);
	atomic_store_u32(&gate, 1, release);
	thread_join(stopper, NULL);
	work_flush(&gate_work);
	check_is_out(h);
	ktest_check(hart_start(h) == 0);
	check_takes_part(h);
}

/* ---- Failures -------------------------------------------------------------------------------- */

static int leave_as(struct hart_meta *h, unsigned kind)
{
	return kind == 0 ? hart_stop(h, false) : hart_suspend(h, kind == 1, false);
}

static void fail_each_step(struct hart_meta *h)
{
	static const int errors[HART_STEPS] = {
		[HART_STEP_IRQ] = -ENXIO,
		[HART_STEP_WORK] = -EAGAIN,
		[HART_STEP_DRAIN] = -EAGAIN,
		[HART_STEP_FIRMWARE] = -EIO,
	};
	struct hart_stats before = h->stats;

	for (unsigned step = 0; step < HART_STEPS; step++) {
		for (unsigned kind = 0; kind < 3 && !ktest_failed(); kind++) {
			int err;

			hart_life_fail(step);
			err = leave_as(h, kind);
			ktest_check(err == errors[step], "step %u of kind %u: %d", step, kind, err);
			check_takes_part(h);
		}
	}
	ktest_check(h->stats.stops == before.stops && h->stats.suspends == before.suspends &&
		h->stats.starts == before.starts);
	/* None is left to fail. */
	ktest_check(hart_stop(h, false) == 0 && hart_start(h) == 0);
	check_takes_part(h);
}

KTEST(hart_life, a_step_that_fails_leaves_the_hart_where_it_was)
{
	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	each_hart(fail_each_step);
}

static void fail_its_start(struct hart_meta *h)
{
	uint32_t starts = h->stats.starts;

	ktest_check(hart_stop(h, false) == 0);
	hart_life_fail(HART_STEP_START);
	ktest_check(hart_start(h) == -EIO);
	ktest_check(hart_state_of(h) == HART_STOPPED && h->stats.starts == starts);
	ktest_check(arch_hart_state(h->hartid) == ARCH_HSM_STOPPED);
	check_is_out(h);
	ktest_check(hart_start(h) == 0);
	check_takes_part(h);
}

KTEST(hart_life, a_start_that_is_refused_leaves_the_hart_stopped)
{
	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	each_hart(fail_its_start);
}

/* ---- Several at once ------------------------------------------------------------------------- */

static struct hart_meta *targets[CONFIG_MAX_HARTS];
static atomic_u32 refusals;

static void stop_target(unsigned i, void *arg unused_arg)
{
	/* Forced: the threads that do this are bound to the harts. */
	int err = hart_stop(targets[i], true);

	ktest_check(err == 0 || err == -EINVAL, "%d", err);
	if (err)
		atomic_add_u32(&refusals, 1, relaxed);
}

/* Every hart is to stop at the same moment: one is the last, and is refused. */
KTEST(hart_life, stops_of_all_harts_at_once_leave_one)
{
	unsigned n = online_count();

	if (n < 2)
		return ktest_skip(ONE_HART);
	for (unsigned i = 0; i < n; i++)
		targets[i] = online_hart(i);
	atomic_store_u32(&refusals, 0, relaxed);
	ktest_require(ktest_parallel(n, stop_target, NULL));
	ktest_check(counted(&refusals) == 1, "%u of %u were refused", counted(&refusals), n);
	ktest_check(online_count() == 1, "%u are left", online_count());
	for_each_hart(h)
		if (hart_state_of(h) == HART_STOPPED)
			ktest_check(hart_start(h) == 0);
	ktest_check(online_count() == n, "%u of %u", online_count(), n);
}

/* ---- The watchdog ---------------------------------------------------------------------------- */

static bool another_guards(unsigned guard, uint64_t beats)
{
	struct watchdog_info info;

	watchdog_info(&info);
	return info.guard != guard && info.beats > beats;
}

KTEST(hart_life, the_watch_goes_on_when_the_guard_stops)
{
	struct watchdog_info info;
	struct hart_meta *h;

	watchdog_info(&info);
	if (!info.running)
		return ktest_skip("no watchdog");
	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	h = harts[info.guard];
	ktest_require(hart_stop(h, false) == 0);
	ktest_check(ktest_eventually(another_guards(h->index, info.beats)));
	ktest_check(hart_start(h) == 0);
	check_takes_part(h);
}
