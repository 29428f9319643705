/* SPDX-License-Identifier: MIT */
/*
 * The graph of the lock checker, by the real locks, threads and handlers of the kernel: a deadlock
 * that could happen is reported from runs in which nothing of it met, and what looks like one and
 * is none stays silent. Case by case, with simulated contexts: the self-test matrix.
 */
#include "kernel/hart/call.h"
#include "kernel/lock/check_graph.h"
#include "kernel/lock/check_test.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/relax.h"
#include "kernel/lock/trace.h"
#include "kernel/sched/qs.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/mutex.h"
#include "kernel/wait/work.h"
#include "tests/kernel/wait_util.h"

WAIT_TEST_CLASS(class_a, "test.graph.a");
WAIT_TEST_CLASS(class_b, "test.graph.b");
WAIT_TEST_CLASS(class_mix, "test.graph.mix");
WAIT_TEST_CLASS(class_event, "test.graph.event");
DEFINE_LOCK_CLASS(class_spin, .name = "test.graph.spin", .rank = RANK_TEST_SPIN_OUTER,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 100000, .protects = "nothing");

/* Protect nothing: taken by this file's tests, one test at a time. */
static struct mutex a = MUTEX_INIT(&class_a), b = MUTEX_INIT(&class_b);
static struct mixlock mix = MIXLOCK_INIT(&class_mix);
static struct irqlock spin = IRQLOCK_INIT(&class_spin);
static struct completion event;
static atomic_u32 ran;

/* `body` gives exactly `count` reports of `kind`, and does so once: its edges are known then. */
static void expect_once(enum report_kind kind, unsigned count, void (*body)(void))
{
	ktest_expect(kind, count, body);
	ktest_expect(kind, 0, body);
}

#define GRAPH_TEST(name, kind, count, body) \
	KTEST(lockgraph, name) \
	{ \
		if (CONFIG_LOCKCHECK) \
			expect_once(kind, count, body); \
		else \
			ktest_skip("the checker is compiled out"); \
	}

static __attribute__((noinline)) void take_a_then_b(void) UNCHECKED_LOCKING
{
	mutex_lock(&a);
	mutex_lock(&b);
	mutex_unlock(&b);
	mutex_unlock(&a);
}

static void take_b_then_a(void) UNCHECKED_LOCKING
{
	mutex_lock(&b);
	mutex_lock(&a);
	mutex_unlock(&a);
	mutex_unlock(&b);
}

static void run_thread(void (*fn)(void *arg))
{
	struct thread *t = thread_spawn("graph", fn, NULL);

	ktest_require(t, "no memory");
	thread_join(t, NULL);
}

/* ---- Locks ----------------------------------------------------------------------------------- */

static void b_then_a_body(void *arg unused_arg)
{
	take_b_then_a();
}

/* One thread after the other: they never meet. */
static void both_orders(void)
{
	take_a_then_b();
	run_thread(b_then_a_body);
}
GRAPH_TEST(two_orders_are_reported_from_threads_that_never_met, KIND_ORDER, 1, both_orders)

static void one_order(void)
{
	take_a_then_b();
	take_a_then_b();
}
GRAPH_TEST(one_order_is_silent, KIND_ORDER, 0, one_order)

static void try_against_the_order(void) UNCHECKED_LOCKING
{
	take_a_then_b();
	mutex_lock(&b);
	ktest_check(mutex_try(&a), "a free mutex");
	mutex_unlock(&a);
	mutex_unlock(&b);
}
GRAPH_TEST(a_try_against_the_order_is_silent, KIND_ORDER, 0, try_against_the_order)

static void take_a_under_a_tried_b(void) UNCHECKED_LOCKING
{
	take_a_then_b();
	ktest_check(mutex_try(&b), "a free mutex");
	mutex_lock(&a);
	mutex_unlock(&a);
	mutex_unlock(&b);
}
GRAPH_TEST(what_is_taken_under_a_try_has_an_order, KIND_ORDER, 1, take_a_under_a_tried_b)

/* In place of rank: a mixed lock before a mutex here, after it there. */
static void mix_both_ways(void) UNCHECKED_LOCKING
{
	mixlock_lock(&mix);
	mutex_lock(&a);
	mutex_unlock(&a);
	mixlock_unlock(&mix);
	mutex_lock(&a);
	mixlock_lock(&mix);
	mixlock_unlock(&mix);
	mutex_unlock(&a);
}
GRAPH_TEST(a_mixed_lock_has_an_order, KIND_ORDER, 1, mix_both_ways)

static void use_mix_in_handler(void *arg unused_arg) UNCHECKED_LOCKING
{
	if (mixlock_try(&mix))
		mixlock_unlock(&mix);
	irqlock_acquire(&spin);
	irqlock_release(&spin);
}

/* Threads hold it with interrupts on, a handler tries it: nobody waits. */
static void handler_tries_mix(void) UNCHECKED_LOCKING
{
	mixlock_lock(&mix);
	irqlock_acquire(&spin);
	irqlock_release(&spin);
	mixlock_unlock(&mix);
	hart_call(this_hart_unstable(), use_mix_in_handler, NULL);
	mixlock_lock(&mix);
	hart_call(this_hart_unstable(), use_mix_in_handler, NULL);
	mixlock_unlock(&mix);
}
GRAPH_TEST(a_handler_that_tries_a_mixed_lock_is_silent, KIND_IRQ, 0, handler_tries_mix)

/* ---- Waits that are no locks ----------------------------------------------------------------- */

static void take_a(void *arg unused_arg) UNCHECKED_LOCKING
{
	mutex_lock(&a);
	mutex_unlock(&a);
}

static void idle_body(void *arg unused_arg)
{
}

static void take_a_and_say(void *arg unused_arg)
{
	take_a(NULL);
	atomic_store_u32(&ran, 1, release);
}

/* The thread is through before the lock is taken: this time. */
static void join_with_its_lock_held(void) UNCHECKED_LOCKING
{
	struct thread *t;

	atomic_store_u32(&ran, 0, relaxed);
	t = thread_spawn("graph", take_a_and_say, NULL);
	ktest_require(t, "no memory");
	ktest_check(ktest_eventually(seen(&ran)));
	mutex_lock(&a);
	thread_join(t, NULL);
	mutex_unlock(&a);
}
GRAPH_TEST(joining_with_a_lock_held_that_the_thread_takes_is_reported, KIND_ORDER, 1,
	join_with_its_lock_held)

static void join_harmless(void) UNCHECKED_LOCKING
{
	struct thread *t = thread_spawn("graph", idle_body, NULL);

	ktest_require(t, "no memory");
	mutex_lock(&a);
	thread_join(t, NULL);
	mutex_unlock(&a);
	run_thread(take_a);
}
GRAPH_TEST(joining_another_thread_with_a_lock_held_is_silent, KIND_ORDER, 0, join_harmless)

static void tree(void *arg)
{
	struct thread *t;

	if (!arg)
		return;
	t = thread_spawn("graph", tree, NULL);
	if (t)
		thread_join(t, NULL);
}

static void join_tree(void)
{
	struct thread *t = thread_spawn("graph", tree, &ran);

	ktest_require(t, "no memory");
	thread_join(t, NULL);
}
GRAPH_TEST(threads_that_join_others_of_their_function_are_silent, KIND_ORDER, 0, join_tree)

static void work_takes_a(struct work *w unused_arg)
{
	take_a(NULL);
	atomic_store_u32(&ran, 1, release);
}
static struct work item = WORK_INIT(work_takes_a);

static void flush_with_its_lock_held(void) UNCHECKED_LOCKING
{
	atomic_store_u32(&ran, 0, relaxed);
	work_queue(&item);
	ktest_check(ktest_eventually(seen(&ran)));
	mutex_lock(&a);
	work_flush(&item);
	mutex_unlock(&a);
}
GRAPH_TEST(flushing_with_a_lock_held_that_the_work_takes_is_reported, KIND_ORDER, 1,
	flush_with_its_lock_held)

static void work_takes_then_completes(struct work *w unused_arg)
{
	take_a(NULL);
	complete(&event);
}
static void work_completes_then_takes(struct work *w unused_arg)
{
	complete(&event);
	take_a(NULL);
}
static struct work signaller;

/* The event is there already when it is waited for with the lock held. */
static void wait_for(void (*fn)(struct work *w)) UNCHECKED_LOCKING
{
	completion_init(&event, &class_event);
	work_init(&signaller, fn);
	work_queue(&signaller);
	work_flush(&signaller);
	ktest_check(completion_done(&event));
	mutex_lock(&a);
	wait_for_completion(&event);
	mutex_unlock(&a);
}

static void wait_for_what_needs_the_lock(void)
{
	wait_for(work_takes_then_completes);
}
GRAPH_TEST(waiting_with_a_lock_held_for_work_that_needs_it_before_it_signals_is_reported,
	KIND_ORDER, 1, wait_for_what_needs_the_lock)

static void wait_for_what_comes_first(void)
{
	wait_for(work_completes_then_takes);
}
GRAPH_TEST(a_lock_that_work_takes_after_its_signal_is_none_of_the_waiters, KIND_ORDER, 0,
	wait_for_what_comes_first)

static void complete_under_lock(void) UNCHECKED_LOCKING
{
	completion_init(&event, &class_event);
	mutex_lock(&a);
	complete(&event);
	mutex_unlock(&a);
	mutex_lock(&a);
	wait_for_completion(&event);
	mutex_unlock(&a);
}
GRAPH_TEST(an_event_signalled_and_awaited_under_one_lock_is_reported, KIND_ORDER, 1,
	complete_under_lock)

static void wait_in_time(void) UNCHECKED_LOCKING
{
	completion_init(&event, &class_event);
	mutex_lock(&a);
	complete(&event);
	wait_for_completion_timeout(&event, clock_now_ns() + NS_PER_SEC);
	mutex_unlock(&a);
}
GRAPH_TEST(a_wait_that_ends_by_itself_is_silent, KIND_ORDER, 0, wait_in_time)

static struct qs_entry entry;
static void reclaim_takes_a(struct qs_entry *e unused_arg)
{
	take_a(NULL);
}

static void synchronize_with_its_lock_held(void) UNCHECKED_LOCKING
{
	qs_call(&entry, reclaim_takes_a);
	qs_synchronize();
	mutex_lock(&a);
	qs_synchronize();
	mutex_unlock(&a);
}
GRAPH_TEST(a_grace_period_with_a_lock_held_that_what_it_ends_takes_is_reported, KIND_ORDER, 1,
	synchronize_with_its_lock_held)

/* ---- Handlers that are waited for ------------------------------------------------------------ */

static struct timer timer;
static void timer_takes_spin(struct timer *t unused_arg) UNCHECKED_LOCKING
{
	irqlock_acquire(&spin);
	irqlock_release(&spin);
	atomic_store_u32(&ran, 1, release);
}

static void let_timer_run(void)
{
	atomic_store_u32(&ran, 0, relaxed);
	timer_init(&timer, timer_takes_spin);
	timer_start(&timer, clock_now_ns());
	ktest_check(ktest_eventually(seen(&ran)));
}

static void cancel_with_its_lock_held(void) UNCHECKED_LOCKING
{
	let_timer_run();
	irqlock_acquire(&spin);
	timer_cancel_sync(&timer);
	irqlock_release(&spin);
}
GRAPH_TEST(cancelling_a_timer_with_a_lock_held_that_it_takes_is_reported, KIND_ORDER, 1,
	cancel_with_its_lock_held)

static void cancel_harmless(void) UNCHECKED_LOCKING
{
	let_timer_run();
	timer_cancel_sync(&timer);
	irqlock_acquire(&spin);
	timer_cancel(&timer); /* does not wait */
	irqlock_release(&spin);
}
GRAPH_TEST(cancelling_a_timer_without_waiting_is_silent, KIND_ORDER, 0, cancel_harmless)

static void call_with_a_mutex_held(void) UNCHECKED_LOCKING
{
	mutex_lock(&a);
	hart_call(this_hart_unstable(), use_mix_in_handler, NULL);
	mutex_unlock(&a);
}
GRAPH_TEST(a_call_of_a_hart_with_a_mutex_held_is_silent, KIND_ORDER, 0, call_with_a_mutex_held)

/* ---- What is kept ---------------------------------------------------------------------------- */

struct look {
	unsigned from, to, found;
	struct graph_edge edge;
};

static void look_for(const struct graph_edge *edge, void *arg)
{
	struct look *look = arg;

	if (edge->from != look->from || edge->to != look->to)
		return;
	look->edge = *edge;
	look->found++;
}

/* pc lies in the first bytes of fn: this file's functions are short. */
static bool is_in(uintptr_t pc, void (*fn)(void))
{
	return pc > (uintptr_t)fn && pc < (uintptr_t)fn + 256;
}

KTEST(lockgraph, both_backtraces_of_an_edge_say_where_it_came_from)
{
	struct look look = {0};

	if (!CONFIG_LOCKCHECK) {
		ktest_skip("the checker is compiled out");
		return;
	}
	take_a_then_b();
	look.from = check_node(&class_a, CLASS_NODE_LOCK);
	look.to = check_node(&class_b, CLASS_NODE_LOCK);
	graph_for_each_edge(look_for, &look);
	ktest_require(look.found == 1, "%u edges", look.found);
	ktest_check(look.edge.kind == GRAPH_EN);
	ktest_check(look.edge.held.nr >= 2 && look.edge.asked.nr >= 2, "%u and %u addresses",
		look.edge.held.nr, look.edge.asked.nr);
	ktest_check(is_in(look.edge.held.pcs[0], take_a_then_b));
	ktest_check(is_in(look.edge.asked.pcs[0], take_a_then_b));
	ktest_check(look.edge.held.pcs[0] < look.edge.asked.pcs[0]);
	ktest_check(look.edge.held.pcs[1] == look.edge.asked.pcs[1], "one caller");
}

static __attribute__((noinline)) unsigned traced(uintptr_t *pcs)
{
	unsigned n = lock_trace(pcs, HELD_TRACE);

	/* Not by a tail call: this function is one of the frames. */
	__asm__ volatile("" : : : "memory");
	return n;
}

KTEST(lockgraph, a_short_backtrace_begins_with_the_caller)
{
	uintptr_t pcs[HELD_TRACE];
	unsigned n;

	if (!CONFIG_LOCKCHECK) {
		ktest_skip("there are none without the checker");
		return;
	}
	n = traced(pcs);
	ktest_check(n >= 2, "%u", n);
	ktest_check(is_in(pcs[0], ktest_lockgraph_a_short_backtrace_begins_with_the_caller));
}

static void hold_at_return(void) UNCHECKED_LOCKING
{
	mutex_lock(&a);
	irqlock_acquire(&spin);
	check_user_return();
	irqlock_release(&spin);
	mutex_unlock(&a);
	check_user_return();
}

KTEST(lockgraph, locks_held_at_the_return_to_a_user_are_reported)
{
	unsigned seen;

	if (!CONFIG_LOCKCHECK) {
		ktest_skip("the checker is compiled out");
		return;
	}
	ktest_expect_reports(KIND_OWNERSHIP);
	hold_at_return();
	seen = ktest_reports_seen();
	ktest_check(seen == 2, "%u", seen);
}
