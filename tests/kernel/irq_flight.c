/* SPDX-License-Identifier: MIT */
/*
 * A route changes at every moment of an interrupt that is on its way: the moment is held until the
 * route has changed. It happens by an affinity, by a hart that stops and by one that starts. Each
 * interrupt that was raised is handled once, and so is the next one; with each planted bug the
 * count says so.
 *
 * The change is made by another hart than the one that has the interrupt: the test's thread is
 * bound there, or it is the one that starts.
 */
#include "kernel/irq/irq.h"
#include "kernel/lock/relax.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "tests/kernel/alarm.h"
#include "tests/kernel/hart_util.h"
#include "tests/kernel/irq_front.h"
#include "tests/kernel/ktest.h"
#include "tests/kernel/on_hart.h"

#define ONE_HART "one hart has the alarm"
/* Steps of a wait, the last resort against hanging for ever with interrupts off. */
#define STEPS_MAX UINT64_C(20000000000)

static struct {
	uint32_t raised;
	enum irq_moment moment;
	atomic_u32 armed;   /* the next change of the route raises the alarm, and waits */
	atomic_u32 held_on; /* index + 1 of the hart that is to stop at the moment; 0: none */
	atomic_u32 reached, go;
} flight;

static void raise(void)
{
	flight.raised++;
	alarm_raise();
}

/* ---- The moment ------------------------------------------------------------------------------ */

static bool wait_for(const atomic_u32 *flag)
{
	uint64_t steps = 0;

	while (!counted(flag) && ++steps < STEPS_MAX)
		relax();
	return counted(flag);
}

static void hold(enum irq_moment moment)
{
	/* Acquire: the moment. Partner: raise_and_wait. */
	if (counted(&flight.held_on) != this_hart()->index + 1 || moment != flight.moment)
		return;
	atomic_store_u32(&flight.held_on, 0, relaxed);
	atomic_store_u32(&flight.reached, 1, release);
	ktest_check(wait_for(&flight.go), "the route never changed");
}

static void raise_and_wait(unsigned from)
{
	if (!counted(&flight.armed))
		return;
	ktest_check(this_hart_unstable()->index != from, "it would wait for itself");
	atomic_store_u32(&flight.armed, 0, relaxed);
	/* Release: the moment. Partner: hold. */
	atomic_store_u32(&flight.held_on, from + 1, release);
	raise();
	ktest_check(wait_for(&flight.reached), "hart %u was not interrupted", from);
}

static void let_go(void)
{
	atomic_store_u32(&flight.go, 1, release);
}

static const struct irq_watch watch = {.at = hold, .moves = raise_and_wait, .moved = let_go};

static void handle(void *arg)
{
	irq_front_moment(IRQ_IN_HANDLER);
	alarm_handle(arg);
}

static void arm(enum irq_moment moment)
{
	flight.moment = moment;
	atomic_store_u32(&flight.reached, 0, relaxed);
	atomic_store_u32(&flight.go, 0, relaxed);
	atomic_store_u32(&flight.armed, 1, release);
}

/* ---- One flight ------------------------------------------------------------------------------ */

static void bind_to(const struct hart_meta *h)
{
	struct hart_mask only;

	hart_mask_zero(&only);
	hart_mask_set(&only, h->index);
	ktest_check(sched_set_affinity(current_thread(), &only) == 0);
}

static bool send_to(const struct hart_meta *h)
{
	struct hart_mask only;

	hart_mask_zero(&only);
	hart_mask_set(&only, h->index);
	return irq_set_affinity(alarm.source, &only) == 0;
}

/* The alarm that was raised in the change, and then another one. */
static enum irq_verdict judge(void)
{
	enum irq_verdict verdict;

	ktest_check(!counted(&flight.armed) && counted(&flight.reached), "nothing was in flight");
	verdict = irq_verdict(&alarm.handled, flight.raised, true);
	if (verdict != IRQ_EXACT)
		return verdict;
	raise();
	return irq_verdict(&alarm.handled, flight.raised, true);
}

static enum irq_verdict by_affinity(
	struct hart_meta *from, struct hart_meta *to, enum irq_moment moment)
{
	bind_to(to);
	ktest_check(send_to(from));
	arm(moment);
	ktest_check(send_to(to));
	return judge();
}

static enum irq_verdict by_stop(
	struct hart_meta *from, struct hart_meta *to, enum irq_moment moment)
{
	enum irq_verdict verdict;

	bind_to(to);
	ktest_check(send_to(from));
	arm(moment);
	ktest_check(hart_stop(from, false) == 0);
	verdict = judge();
	ktest_check(hart_start(from) == 0);
	return verdict;
}

/* `from` stands in for `to`, which starts and takes the source back. */
static enum irq_verdict by_start(
	struct hart_meta *from, struct hart_meta *to, enum irq_moment moment)
{
	struct hart_mask both;
	enum irq_verdict verdict;

	bind_to(from);
	hart_mask_zero(&both);
	hart_mask_set(&both, from->index);
	hart_mask_set(&both, to->index);
	ktest_check(send_to(to) && irq_set_affinity(alarm.source, &both) == 0);
	ktest_check(hart_stop(to, false) == 0);
	arm(moment);
	ktest_check(hart_start(to) == 0);
	verdict = judge();
	return verdict;
}

typedef enum irq_verdict flight_fn(
	struct hart_meta *from, struct hart_meta *to, enum irq_moment moment);

/* ---- All moments ----------------------------------------------------------------------------- */

static bool open(enum irq_bug bug)
{
	if (!alarm_open()) {
		ktest_skip(NO_ALARM);
		return false;
	}
	if (alarm_harts() < 2) {
		alarm_close();
		ktest_skip(ONE_HART);
		return false;
	}
	flight.raised = 0;
	atomic_store_u32(&flight.armed, 0, relaxed);
	atomic_store_u32(&flight.held_on, 0, relaxed);
	ktest_check(irq_register(alarm.source, "alarm", handle, NULL) == 0);
	irq_front_open(alarm.source, bug, &watch);
	return true;
}

static void close(void)
{
	irq_front_close();
	/* What a bug has kept back comes now, or never: not in what follows. */
	irq_verdict(&alarm.handled, flight.raised, false);
	unbind();
	ktest_check(irq_unregister(alarm.source) == 0);
	alarm_close();
}

static void fly(flight_fn *fn)
{
	static const char *const moments[IRQ_MOMENTS] = {
		"pending", "claimed", "in its handler", "handled"};
	unsigned n = MIN(alarm_harts(), 4u);

	if (!open(IRQ_NO_BUG))
		return;
	for (unsigned i = 0; i < n * IRQ_MOMENTS && !ktest_failed(); i++) {
		enum irq_moment moment = i % IRQ_MOMENTS;
		struct hart_meta *from = alarm_hart(i / IRQ_MOMENTS);
		struct hart_meta *to = alarm_hart(i / IRQ_MOMENTS + 1);
		enum irq_verdict verdict = fn(from, to, moment);

		ktest_check(verdict == IRQ_EXACT, "%s on hart %u: %u raised, %u handled",
			moments[moment], from->index, flight.raised, counted(&alarm.handled));
	}
	/* At each moment but the first one the hart that has lost it completes it. */
	ktest_check(ktest_failed() || irq_front_in_flight() == n * (IRQ_MOMENTS - 1), "%u of %u",
		irq_front_in_flight(), n * (IRQ_MOMENTS - 1));
	close();
}

KTEST(irq_flight, an_affinity_may_change_at_every_moment_of_an_interrupt)
{
	fly(by_affinity);
}

KTEST(irq_flight, a_hart_may_stop_at_every_moment_of_an_interrupt)
{
	fly(by_stop);
}

KTEST(irq_flight, a_hart_may_start_at_every_moment_of_an_interrupt)
{
	fly(by_start);
}

/* ---- Taking the handler away ----------------------------------------------------------------- */

static atomic_u32 gone, stale;

static void stale_handle(void *arg)
{
	alarm_handle(arg);
	atomic_add_u32(&stale, 1, release);
}

static void exchange_handlers(void *arg unused_arg)
{
	ktest_check(irq_unregister(alarm.source) == 0);
	atomic_store_u32(&gone, 1, release);
	ktest_check(irq_register(alarm.source, "alarm", stale_handle, NULL) == 0);
	atomic_store_u32(&gone, 2, release);
}

/* A hart has claimed the source and not yet looked for its handler. */
KTEST(irq_flight, a_new_handler_gets_no_interrupt_that_was_claimed_before_it_was_there)
{
	struct hart_meta *from, *to;
	struct thread *t;

	if (!open(IRQ_NO_BUG))
		return;
	from = alarm_hart(0);
	to = alarm_hart(1);
	bind_to(to);
	ktest_check(send_to(from));
	atomic_store_u32(&gone, 0, relaxed);
	atomic_store_u32(&stale, 0, relaxed);
	arm(IRQ_CLAIMED);
	raise_and_wait(from->index);
	t = spawn_on(to->index, "exchange", exchange_handlers, NULL);
	/* Time to go wrong in: if that is not enough, nothing is found. */
	sched_sleep_ns(2 * NS_PER_MS);
	ktest_check(counted(&gone) == 0, "it did not wait for the hart that has claimed it");
	let_go();
	ktest_check(t && wait_count(&gone, 2), "it never returned");
	if (t)
		thread_join(t, NULL);
	irq_verdict(&stale, 0, true);
	ktest_check(counted(&stale) == 0, "the new handler ran");
	raise();
	ktest_check(wait_count(&stale, 1), "lost");
	close();
}

/* ---- Bugs ------------------------------------------------------------------------------------ */

static void find(enum irq_bug bug, flight_fn *fn, enum irq_moment moment, enum irq_verdict wanted)
{
	enum irq_verdict verdict;

	if (!open(bug))
		return;
	verdict = fn(alarm_hart(0), alarm_hart(1), moment);
	ktest_check(verdict == wanted, "%s: %u raised, %u handled", irq_bug_names[bug],
		flight.raised, counted(&alarm.handled));
	close();
}

KTEST(irq_flight, a_completion_without_effect_is_found_by_the_count)
{
	find(IRQ_BUG_COMPLETION, by_affinity, IRQ_IN_HANDLER, IRQ_LOST);
	find(IRQ_BUG_COMPLETION, by_stop, IRQ_HANDLED, IRQ_LOST);
	find(IRQ_BUG_COMPLETION, by_start, IRQ_CLAIMED, IRQ_LOST);
}

KTEST(irq_flight, a_claim_that_is_dropped_is_found_by_the_count)
{
	find(IRQ_BUG_NOT_MINE, by_affinity, IRQ_CLAIMED, IRQ_LOST);
	find(IRQ_BUG_NOT_MINE, by_stop, IRQ_CLAIMED, IRQ_LOST);
	find(IRQ_BUG_NOT_MINE, by_start, IRQ_CLAIMED, IRQ_LOST);
}

KTEST(irq_flight, an_interrupt_that_is_handed_out_twice_is_found_by_the_count)
{
	find(IRQ_BUG_RESEND, by_affinity, IRQ_CLAIMED, IRQ_DOUBLED);
	find(IRQ_BUG_RESEND, by_stop, IRQ_IN_HANDLER, IRQ_DOUBLED);
	find(IRQ_BUG_RESEND, by_start, IRQ_HANDLED, IRQ_DOUBLED);
}
