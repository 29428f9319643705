/* SPDX-License-Identifier: MIT */
/*
 * All harts that can have the alarm are away: others poll for it. Raised and handled are counted,
 * also while such harts come and go. For machines with several controllers (QEMU's with two NUMA
 * nodes); elsewhere every hart can have it, and the last one stays.
 */
#include "kernel/lock/relax.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "tests/kernel/alarm.h"
#include "tests/kernel/hart_util.h"
#include "tests/kernel/irq_front.h"
#include "tests/kernel/on_hart.h"

#define INTERRUPTS 30
/* Many polls (kernel/irq/poll.c) long. */
#define LONG_NS (150 * NS_PER_MS)
/* Steps of a wait, the last resort against hanging for ever with interrupts off. */
#define STEPS_MAX UINT64_C(20000000000)

static uint32_t raised;

static void raise(void)
{
	raised++;
	alarm_raise();
}

/* The n-th online hart that cannot have the alarm; NULL: there are not so many. */
static struct hart_meta *outer(unsigned n)
{
	for_each_hart(h)
		if (h->irqchip != alarm_controller() && hart_is_online(h) && n-- == 0)
			return h;
	return NULL;
}

static bool is_polled(void)
{
	struct irq_info info;

	for (unsigned i = 0; irq_info(i, &info); i++)
		if (info.source == alarm.source)
			return info.waits;
	return false;
}

static void bind_to(const struct hart_meta *h)
{
	struct hart_mask only;

	hart_mask_zero(&only);
	hart_mask_set(&only, h->index);
	ktest_check(sched_set_affinity(current_thread(), &only) == 0);
}

static int stop(struct hart_meta *h)
{
	return hart_stop(h, false);
}

/* To all harts that can have the alarm. */
static void to_all(int (*change)(struct hart_meta *h))
{
	for_each_hart(h)
		if (h->irqchip == alarm_controller())
			ktest_check(change(h) == 0, "hart %u", h->index);
}

/* The test's thread goes to a hart that stays. */
static bool open(void (*handle)(void *arg))
{
	if (!alarm_open()) {
		ktest_skip(NO_ALARM);
		return false;
	}
	if (!outer(1) || alarm_harts() < 2) {
		alarm_close();
		ktest_skip("needs two controllers with two harts each");
		return false;
	}
	raised = 0;
	bind_to(outer(0));
	ktest_check(irq_register(alarm.source, "alarm", handle, NULL) == 0);
	return true;
}

/* All have come, and none comes twice. */
static void close(void)
{
	ktest_check(wait_count(&alarm.handled, raised), "%u raised, %u handled", raised,
		counted(&alarm.handled));
	sched_sleep_ns(LONG_NS);
	ktest_check(irq_verdict(&alarm.handled, raised, true) == IRQ_EXACT, "%u raised, %u handled",
		raised, counted(&alarm.handled));
	ktest_check(irq_unregister(alarm.source) == 0);
	unbind();
	alarm_close();
}

KTEST(irq_poll, a_source_whose_harts_are_all_away_is_handled_once_elsewhere)
{
	if (!open(alarm_handle))
		return;
	to_all(stop);
	ktest_check(is_polled());
	for (unsigned i = 0; i < INTERRUPTS && !ktest_failed(); i++) {
		raise();
		ktest_check(wait_count(&alarm.handled, raised), "lost");
		ktest_check(harts[alarm.hart]->irqchip != alarm_controller() && alarm.in_handler,
			"on hart %u", alarm.hart);
	}
	to_all(hart_start);
	ktest_check(!is_polled());
	raise();
	ktest_check(wait_count(&alarm.handled, raised), "lost");
	ktest_check(harts[alarm.hart]->irqchip == alarm_controller(), "on hart %u", alarm.hart);
	close();
}

/* What comes between the last hart's stop and the first one's start is pending then, or polled. */
KTEST(irq_poll, nothing_is_lost_or_doubled_while_all_its_harts_come_and_go)
{
	if (!open(alarm_handle))
		return;
	for (unsigned i = 0; i < INTERRUPTS && !ktest_failed(); i++) {
		raise();
		to_all(stop);
		ktest_check(wait_count(&alarm.handled, raised), "lost by the stop");
		raise();
		to_all(hart_start);
		ktest_check(wait_count(&alarm.handled, raised), "lost by the start");
	}
	close();
}

/* A source that gets its handler while no hart can have it. */
KTEST(irq_poll, a_source_may_be_registered_and_unregistered_while_it_is_polled)
{
	if (!open(alarm_handle))
		return;
	to_all(stop);
	for (unsigned i = 0; i < INTERRUPTS && !ktest_failed(); i++) {
		ktest_check(irq_unregister(alarm.source) == 0 && !is_polled());
		ktest_check(irq_register(alarm.source, "alarm", alarm_handle, NULL) == 0);
		ktest_check(is_polled());
		raise();
		ktest_check(wait_count(&alarm.handled, raised), "lost");
	}
	to_all(hart_start);
	raise();
	close();
}

/* ---- A hart takes it over -------------------------------------------------------------------- */

/* The handler that runs by a poll waits until a hart has got the route. */
static struct {
	struct hart_meta *starts;
	atomic_u32 armed, inside, go;
} takeover;

static void at(enum irq_moment moment)
{
	uint64_t steps = 0;

	if (moment != IRQ_IN_HANDLER || !atomic_xchg_u32(&takeover.armed, 0, relaxed))
		return;
	atomic_store_u32(&takeover.inside, 1, release);
	while (!counted(&takeover.go) && ++steps < STEPS_MAX)
		relax();
	ktest_check(counted(&takeover.go), "the route never changed");
}

static void moves(unsigned from unused_arg)
{
}

static void moved(void)
{
	if (counted(&takeover.inside))
		atomic_store_u32(&takeover.go, 1, release);
}

static const struct irq_watch watch = {.at = at, .moves = moves, .moved = moved};

static void handle(void *arg)
{
	irq_front_moment(IRQ_IN_HANDLER);
	alarm_handle(arg);
}

static void start_body(void *arg unused_arg)
{
	while (!counted(&takeover.inside))
		sched_yield();
	ktest_check(hart_start(takeover.starts) == 0);
}

/* The poll's timer is where the last hart was stopped: on the hart of the test's thread. */
static void take_over(void)
{
	struct thread *starter;

	takeover.starts = alarm_hart(0);
	starter = spawn_on(outer(1)->index, "starter", start_body, NULL);
	ktest_require(starter, "no thread");
	to_all(stop);
	atomic_store_u32(&takeover.armed, 1, relaxed);
	raise();
	thread_join(starter, NULL);
	ktest_check(wait_count(&alarm.handled, raised), "lost");
	ktest_check(harts[alarm.hart]->irqchip != alarm_controller(), "on hart %u", alarm.hart);
	ktest_check(!is_polled());
	raise();
	ktest_check(wait_count(&alarm.handled, raised), "lost afterwards");
	ktest_check(alarm.hart == takeover.starts->index, "on hart %u", alarm.hart);
	for_each_hart(h)
		if (h->irqchip == alarm_controller() && !hart_is_online(h))
			ktest_check(hart_start(h) == 0);
}

KTEST(irq_poll, a_hart_that_starts_while_the_handler_runs_by_a_poll_takes_the_source_over)
{
	if (!open(handle))
		return;
	atomic_store_u32(&takeover.inside, 0, relaxed);
	atomic_store_u32(&takeover.go, 0, relaxed);
	irq_front_open(alarm.source, IRQ_NO_BUG, &watch);
	take_over();
	irq_front_close();
	close();
}

/* ---- A bug ----------------------------------------------------------------------------------- */

KTEST(irq_poll, a_polled_source_that_is_not_completed_is_found_by_the_count)
{
	if (!open(handle))
		return;
	atomic_store_u32(&takeover.armed, 0, relaxed);
	irq_front_open(alarm.source, IRQ_BUG_COMPLETION, &watch);
	to_all(stop);
	raise();
	ktest_check(wait_count(&alarm.handled, raised), "the first one is lost");
	raise();
	sched_sleep_ns(LONG_NS);
	ktest_check(counted(&alarm.handled) == raised - 1, "%u raised, %u handled", raised,
		counted(&alarm.handled));
	to_all(hart_start);
	irq_front_close();
	close();
}
