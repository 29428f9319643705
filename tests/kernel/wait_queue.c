/* SPDX-License-Identifier: MIT */
/* Wait queues: nothing is slept through, the order is kept, limits leave nothing behind. */
#include "kernel/hart/call.h"
#include "kernel/time/timer.h"
#include "tests/kernel/wait_util.h"

DEFINE_LOCK_CLASS(test_waitq_class, .name = "test.waitq", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000,
	.protects = "the waiters of a test");
DEFINE_LOCK_CLASS(test_outer_class, .name = "test.outer", .rank = RANK_TEST_SPIN_OUTER,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000,
	.protects = "nothing: held where one must not sleep");

/* ---- Lost wake-ups -------------------------------------------------------------------------- */

/* Two threads pass a turn to and fro, each through its own queue. A lost wake-up hangs. */
static struct {
	struct waitq wq[2];
	atomic_u32 turn;
	unsigned rounds;
	atomic_u32 handoffs;
} ping;

static void ping_side(unsigned i, void *arg)
{
	(void)arg;
	i %= 2;
	for (unsigned n = 0; n < ping.rounds; n++) {
		wait_event(&ping.wq[i], seen(&ping.turn) == i);
		count_up(&ping.handoffs);
		atomic_store_u32(&ping.turn, !i, release);
		waitq_wake_one(&ping.wq[!i]);
	}
}

KTEST(wait, no_wake_up_is_lost_in_handoffs)
{
	waitq_init(&ping.wq[0], &test_waitq_class);
	waitq_init(&ping.wq[1], &test_waitq_class);
	atomic_store_u32(&ping.turn, 0, relaxed);
	atomic_store_u32(&ping.handoffs, 0, relaxed);
	ping.rounds = 5000;
	ktest_parallel(2, ping_side, NULL);
	ktest_check(seen(&ping.handoffs) == 2 * ping.rounds, "%u handoffs", seen(&ping.handoffs));
}

/* Tokens from all harts to all harts; every token is taken once, by an exclusive waiter. */
#define TOKENS_EACH 1500
static struct {
	struct waitq wq;
	atomic_u32 tokens, taken, wanted, last_resort;
} market;

static bool take_token(void)
{
	uint32_t n = atomic_load_u32(&market.tokens, relaxed);

	while (n)
		if (atomic_cas_u32(&market.tokens, &n, n - 1, acq_rel))
			return true;
	return false;
}

static bool market_closed(void)
{
	return seen(&market.taken) >= seen(&market.wanted);
}

static void trade(unsigned i, void *arg)
{
	unsigned tokens = ktest_each(TOKENS_EACH);
	uint64_t seed = i;
	bool timed = arg && i % 4 == 1;

	if (i % 2 == 0) {
		for (unsigned n = 0; n < tokens; n++) {
			count_up(&market.tokens);
			waitq_wake_one(&market.wq);
		}
		return;
	}
	while (!market_closed()) {
		bool got = false;
		uint64_t end = timed ? clock_now_ns() + ktest_random(&seed) % 30000 : WAIT_FOREVER;

		wait_event_limit(
			&market.wq, (got = take_token()) || market_closed(), true, WAIT_UNTIL(end));
		if (got && count_up(&market.taken) + 1 == seen(&market.wanted))
			waitq_wake_all(&market.wq);
	}
}

static void run_market(void *timed)
{
	unsigned pairs = MAX(2u, ktest_harts());

	waitq_init(&market.wq, &test_waitq_class);
	atomic_store_u32(&market.tokens, 0, relaxed);
	atomic_store_u32(&market.taken, 0, relaxed);
	atomic_store_u32(&market.wanted, pairs * ktest_each(TOKENS_EACH), relaxed);
	ktest_parallel(2 * pairs, trade, timed);
	ktest_check(seen(&market.taken) == seen(&market.wanted), "%u of %u taken",
		seen(&market.taken), seen(&market.wanted));
	ktest_check(!seen(&market.tokens));
	ktest_check(!waitq_has_waiters(&market.wq));
}

KTEST(wait, every_token_wakes_somebody)
{
	run_market(NULL);
}

KTEST(wait, waiters_that_time_out_swallow_no_wake_up)
{
	run_market(&market);
}

/* ---- Order ---------------------------------------------------------------------------------- */

static struct {
	struct waitq wq;
	atomic_u32 passes;
	struct wait_log log;
} gate;

static bool pass(void)
{
	uint32_t n = seen(&gate.passes);

	/* Waiters are woken one at a time. */
	if (n)
		atomic_store_u32(&gate.passes, n - 1, relaxed);
	return n;
}

static void through_gate(void *arg)
{
	wait_event_exclusive(&gate.wq, pass());
	wait_log_add(&gate.log, (unsigned)(uintptr_t)arg);
}

static void gate_init(void)
{
	waitq_init(&gate.wq, &test_waitq_class);
	atomic_store_u32(&gate.passes, 0, relaxed);
	atomic_store_u32(&gate.log.n, 0, relaxed);
}

static bool open_for_one(void)
{
	unsigned n = seen(&gate.log.n);

	count_up(&gate.passes);
	waitq_wake_one(&gate.wq);
	return ktest_eventually(seen(&gate.log.n) == n + 1);
}

KTEST(wait, exclusive_waiters_go_by_priority_then_in_order)
{
	static const uint8_t prio[] = {10, 30, 0, 20, 30, 10, 0};
	static const uint8_t expected[] = {1, 4, 3, 0, 5, 2, 6};
	struct thread *t[ARRAY_SIZE(prio)];

	gate_init();
	for (unsigned i = 0; i < ARRAY_SIZE(prio); i++) {
		t[i] = wait_spawn("gate", through_gate, (void *)(uintptr_t)i, prio[i]);
		ktest_require(t[i]);
		ktest_check(wait_until_queued(&gate.wq, i + 1));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(prio); i++)
		ktest_check(open_for_one());
	for (unsigned i = 0; i < ARRAY_SIZE(prio); i++) {
		thread_join(t[i], NULL);
		ktest_check(gate.log.who[i] == expected[i], "place %u has %u", i, gate.log.who[i]);
	}
}

KTEST(wait, waiter_moves_when_its_priority_changes)
{
	struct thread *t[3];

	gate_init();
	for (unsigned i = 0; i < 3; i++) {
		t[i] = wait_spawn("gate", through_gate, (void *)(uintptr_t)i, 10 + i);
		ktest_require(t[i]);
		ktest_check(wait_until_queued(&gate.wq, i + 1));
	}
	sched_set_priority(t[0], SCHED_FIFO, 50);
	sched_set_priority(t[2], SCHED_FAIR, PRIO_FAIR);
	for (unsigned i = 0; i < 3; i++)
		ktest_check(open_for_one());
	for (unsigned i = 0; i < 3; i++) {
		thread_join(t[i], NULL);
		ktest_check(gate.log.who[i] == i, "place %u has %u", i, gate.log.who[i]);
	}
}

static atomic_u32 crowd_done;

static void crowd_plain(void *arg)
{
	bool first = true;

	(void)arg;
	/* True at the second look: the first one is before the sleep. */
	wait_event(&gate.wq, !first || (first = false));
	count_up(&crowd_done);
}

static void crowd_exclusive(void *arg)
{
	bool first = true;

	(void)arg;
	wait_event_exclusive(&gate.wq, !first || (first = false));
	count_up(&crowd_done);
}

KTEST(wait, wake_one_is_for_all_plain_waiters_and_one_exclusive)
{
	struct thread *t[6];

	gate_init();
	atomic_store_u32(&crowd_done, 0, relaxed);
	for (unsigned i = 0; i < 6; i++) {
		t[i] = wait_spawn("crowd", i % 2 ? crowd_plain : crowd_exclusive, NULL, 0);
		ktest_require(t[i]);
	}
	ktest_check(wait_until_queued(&gate.wq, 6));
	ktest_check(waitq_wake_one(&gate.wq) == 4);
	ktest_check(waitq_wake_one(&gate.wq) == 1);
	ktest_check(waitq_wake_all(&gate.wq) == 1);
	ktest_check(waitq_wake_all(&gate.wq) == 0);
	for (unsigned i = 0; i < 6; i++)
		thread_join(t[i], NULL);
	ktest_check(seen(&crowd_done) == 6);
}

/* ---- Limits --------------------------------------------------------------------------------- */

KTEST(wait, timeout_comes_at_its_deadline_not_before)
{
	uint64_t end = clock_now_ns() + 3 * NS_PER_MS;
	unsigned looks = 0;

	gate_init();
	ktest_check(wait_event_timeout(&gate.wq, (looks++, false), end) == -ETIMEDOUT);
	ktest_check(clock_now_ns() >= end);
	ktest_check(looks >= 2, "%u looks", looks);
	ktest_check(!waitq_has_waiters(&gate.wq));
	ktest_check(!current_thread()->waiting_entry);
	/* A deadline in the past, and a condition that is true at it. */
	ktest_check(wait_event_timeout(&gate.wq, false, 0) == -ETIMEDOUT);
	ktest_check(wait_event_timeout(&gate.wq, true, 0) == 0);
}

static int intr_result;

static void wait_intr(void *arg)
{
	(void)arg;
	intr_result = wait_event_intr(&gate.wq, seen(&gate.passes));
}

static void wait_plain(void *arg)
{
	(void)arg;
	wait_event(&gate.wq, seen(&gate.passes));
	intr_result = seen(&gate.passes) ? 0 : -EIO;
}

KTEST(wait, kill_ends_an_interruptible_wait)
{
	for (unsigned i = 0; i < 20; i++) {
		struct thread *t;

		gate_init();
		t = wait_spawn("intr", wait_intr, NULL, 0);
		ktest_require(t);
		if (i % 2)
			ktest_check(wait_until_queued(&gate.wq, 1));
		thread_kill(t);
		thread_join(t, NULL);
		ktest_check(intr_result == -EINTR, "%d", intr_result);
		ktest_check(!waitq_has_waiters(&gate.wq));
	}
}

KTEST(wait, kill_does_not_end_a_plain_wait)
{
	struct thread *t;

	gate_init();
	t = wait_spawn("plain", wait_plain, NULL, 0);
	ktest_require(t);
	ktest_check(wait_until_queued(&gate.wq, 1));
	thread_kill(t);
	sched_sleep_ns(2 * NS_PER_MS);
	ktest_check(wait_queue_length(&gate.wq) == 1);
	count_up(&gate.passes);
	waitq_wake_one(&gate.wq);
	thread_join(t, NULL);
	ktest_check(intr_result == 0, "%d", intr_result);
}

/* ---- Handlers ------------------------------------------------------------------------------- */

static struct {
	struct waitq wq;
	struct timer timer;
	atomic_u32 rung;
} bell;

static void ring(struct timer *timer)
{
	(void)timer;
	count_up(&bell.rung);
	waitq_wake_one(&bell.wq);
}

KTEST(wait, handler_wakes_at_any_point_of_falling_asleep)
{
	uint64_t seed = 7;

	waitq_init(&bell.wq, &test_waitq_class);
	atomic_store_u32(&bell.rung, 0, relaxed);
	timer_init(&bell.timer, ring);
	for (unsigned i = 0; i < 2000; i++) {
		timer_start(&bell.timer, clock_now_ns() + ktest_random(&seed) % 20000);
		wait_event(&bell.wq, seen(&bell.rung) == i + 1);
	}
	timer_cancel_sync(&bell.timer);
}

/* ---- Context -------------------------------------------------------------------------------- */

static void wait_in_handler(void *arg)
{
	wait_event((struct waitq *)arg, true);
}

KTEST(wait, waiting_where_one_must_not_sleep_is_reported)
{
	struct irqlock outer = IRQLOCK_INIT(&test_outer_class);

	if (!CONFIG_LOCKCHECK) {
		ktest_skip("no lock checker");
		return;
	}
	gate_init();
	ktest_expect_reports(KIND_CONTEXT);
	irqlock_acquire(&outer);
	wait_event(&gate.wq, true); /* reported although it would not have slept */
	irqlock_release(&outer);
	preempt_disable();
	wait_event(&gate.wq, true);
	preempt_enable();
	irq_off();
	wait_event(&gate.wq, true);
	irq_on();
	hart_call(harts[hart_mask_first(&harts_online)], wait_in_handler, &gate.wq);
	ktest_check(ktest_reports_seen() == 4);
}
