/* SPDX-License-Identifier: MIT */
/* The rest of a mixed lock's queue, passed on: nobody's until a thread comes to it, in order, once.
 */
#include "kernel/hart/call.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/pi.h"
#include "kernel/wait/work.h"
#include "tests/kernel/wait_util.h"

#define POST_PRIO 40
#define ITEMS (2 * MIXLOCK_THREAD_MAX + 10)

DEFINE_LOCK_CLASS(test_pass_class, .name = "test.pass", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000000, .post_prio = POST_PRIO,
	.protects = "what posted work of a test changes");
DEFINE_LOCK_CLASS(test_pass_event_class, .name = "test.pass.event", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000,
	.protects = "an event of a test");

static struct {
	struct mixlock lock;
	struct mixwork item[ITEMS];
	unsigned order[ITEMS]; /* under lock */
	atomic_u32 run, cancelled, gate_open, ended;
	struct completion entered;
} relay;

static void note(struct mixwork *w)
{
	unsigned n = count_up(&relay.run);

	if (n < ITEMS)
		relay.order[n] = (unsigned)(w - relay.item);
	if (w->cancelled)
		count_up(&relay.cancelled);
}

static void relay_init(void)
{
	mixlock_init(&relay.lock, &test_pass_class);
	for (unsigned i = 0; i < ITEMS; i++)
		mixwork_init(&relay.item[i], note);
	completion_init(&relay.entered, &test_pass_event_class);
	atomic_store_u32(&relay.run, 0, relaxed);
	atomic_store_u32(&relay.cancelled, 0, relaxed);
	atomic_store_u32(&relay.gate_open, 0, relaxed);
	atomic_store_u32(&relay.ended, 0, relaxed);
}

/* Items first.. ran, `n` of them, and no other. */
static void check_all_in_order(unsigned first, unsigned n)
{
	ktest_check(seen(&relay.run) == n, "%u of %u", seen(&relay.run), n);
	for (unsigned i = 0; i < n; i++)
		ktest_check(relay.order[i] == first + i, "place %u has %u", i, relay.order[i]);
}

static bool is_passed(void)
{
	return pilock_owner(&relay.lock.pi) == PILOCK_PASSED;
}

/* Posts all but the last of `n` items and leaves, to the thread that runs this, a queue. */
static void pass_to_myself(unsigned n)
{
	mixlock_lock(&relay.lock);
	for (unsigned i = 0; i < n - 1; i++)
		ktest_check(mixlock_post(&relay.lock, &relay.item[i]));
	mixlock_unlock(&relay.lock);
	ktest_check(seen(&relay.run) == MIXLOCK_THREAD_MAX, "%u", seen(&relay.run));
	ktest_check(is_passed() && !mixlock_held_by_me(&relay.lock));
	ktest_check(current_thread()->prio_effective == POST_PRIO);
	/* Neither a try nor a post overtakes what is queued. */
	ktest_check(!mixlock_try(&relay.lock));
	ktest_check(mixlock_post(&relay.lock, &relay.item[n - 1]));
	ktest_check(seen(&relay.run) == MIXLOCK_THREAD_MAX);
}

static void lock_what_was_passed(struct work *w)
{
	(void)w;
	pass_to_myself(ITEMS);
	mixlock_lock(&relay.lock);
	ktest_check(mixlock_held_by_me(&relay.lock));
	ktest_check(seen(&relay.run) == MIXLOCK_THREAD_MAX);
	/* More than one unlock runs: it is passed on again, while the first request still waits. */
	mixlock_unlock(&relay.lock);
	ktest_check(seen(&relay.run) == 2 * MIXLOCK_THREAD_MAX, "%u", seen(&relay.run));
	ktest_check(is_passed());
	mixlock_lock(&relay.lock);
	mixlock_unlock(&relay.lock);
	ktest_check(current_thread()->prio_effective == 0);
	check_all_in_order(0, ITEMS);
	count_up(&relay.ended);
}

KTEST(mix, work_may_lock_what_was_passed_to_its_own_thread)
{
	struct work w;

	work_init(&w, lock_what_was_passed);
	for (unsigned round = 0; round < 10; round++) {
		relay_init();
		work_queue(&w);
		work_flush(&w);
		ktest_check(seen(&relay.ended) == 1);
		mixlock_destroy(&relay.lock);
		check_all_in_order(0, ITEMS);
		ktest_check(!atomic_load_u32(&relay.lock.drain.queued, acquire));
		wait_check_idle(&relay.lock.pi, "after the work");
	}
}

static void pass_and_return(struct work *w)
{
	(void)w;
	pass_to_myself(ITEMS);
}

KTEST(mix, work_thread_runs_what_nobody_else_came_for)
{
	struct work w;

	relay_init();
	work_init(&w, pass_and_return);
	work_queue(&w);
	work_flush(&w);
	ktest_check(ktest_eventually(!pilock_owner(&relay.lock.pi)));
	mixlock_destroy(&relay.lock);
	check_all_in_order(0, ITEMS);
	wait_check_idle(&relay.lock.pi, "after the work thread");
}

/* Whoever locks it runs all that was passed on; the request to the work thread is still there. */
static void free_what_is_queued(struct work *w unused_arg)
{
	unsigned reports;

	pass_to_myself(MIXLOCK_THREAD_MAX + 2);
	mixlock_lock(&relay.lock);
	mixlock_unlock(&relay.lock);
	check_all_in_order(0, MIXLOCK_THREAD_MAX + 2);
	ktest_check(!pilock_owner(&relay.lock.pi));
	ktest_expect_reports(KIND_OWNERSHIP);
	check_memory_free(&relay, sizeof(relay));
	reports = ktest_reports_seen();
	ktest_check(reports == 1, "%u reports", reports);
	count_up(&relay.ended);
}

KTEST(mix, freeing_it_while_a_work_thread_has_it_on_its_list_is_reported)
{
	struct work w;

	if (!CONFIG_LOCKCHECK) {
		ktest_skip("no lock checker");
		return;
	}
	relay_init();
	work_init(&w, free_what_is_queued);
	work_queue(&w);
	work_flush(&w);
	ktest_check(seen(&relay.ended) == 1);
	mixlock_destroy(&relay.lock);
	ktest_expect_reports(KIND_OWNERSHIP);
	check_memory_free(&relay, sizeof(relay));
	ktest_check(ktest_reports_seen() == 0, "also after mixlock_destroy");
}

/* ---- From a handler, behind work that takes its time ----------------------------------------- */

#define HANDLER_ITEMS 40

static void wait_at_gate(struct work *w)
{
	(void)w;
	complete(&relay.entered);
	ktest_check(ktest_eventually(seen(&relay.gate_open)));
}

static void post_the_others(struct mixwork *w)
{
	(void)w;
	for (unsigned i = 1; i < HANDLER_ITEMS; i++)
		ktest_check(mixlock_post(&relay.lock, &relay.item[i]));
}

static void queue_gate(void *arg)
{
	ktest_check(work_queue(arg));
}

static void post_in_handler(void *arg)
{
	(void)arg;
	ktest_check(mixlock_post(&relay.lock, &relay.item[0]));
}

/* Where a work thread waits in `gate` until that is open, a handler posts more than it may run. */
static void post_behind_other_work(struct work *gate)
{
	struct hart_meta *h = harts[hart_mask_first(&harts_online)];

	relay_init();
	mixwork_init(&relay.item[0], post_the_others);
	work_init(gate, wait_at_gate);
	hart_call(h, queue_gate, gate);
	wait_for_completion(&relay.entered);
	hart_call(h, post_in_handler, NULL);
}

KTEST(mix, thread_gets_at_once_what_waits_behind_other_work)
{
	struct work gate;

	post_behind_other_work(&gate);
	ktest_check(seen(&relay.run) == MIXLOCK_HANDLER_MAX, "%u", seen(&relay.run));
	ktest_check(is_passed());
	mixlock_lock(&relay.lock);
	ktest_check(seen(&relay.run) == MIXLOCK_HANDLER_MAX);
	mixlock_unlock(&relay.lock);
	ktest_check(seen(&relay.run) == HANDLER_ITEMS - 1, "%u", seen(&relay.run));
	/* The request is still queued behind the gate: gone before the lock's memory is. */
	ktest_check(atomic_load_u32(&relay.lock.drain.queued, acquire));
	mixlock_destroy(&relay.lock);
	ktest_check(!atomic_load_u32(&relay.lock.drain.queued, acquire));
	atomic_store_u32(&relay.gate_open, 1, release);
	work_flush(&gate);
	check_all_in_order(1, HANDLER_ITEMS - 1);
	wait_check_idle(&relay.lock.pi, "after the thread");
}

/* Whose work thread does not come to it: the one that destroys the lock runs what is left. */
KTEST(mix, no_post_is_lost_when_the_lock_is_destroyed)
{
	struct work gate;

	post_behind_other_work(&gate);
	ktest_check(is_passed() && seen(&relay.run) == MIXLOCK_HANDLER_MAX);
	mixlock_destroy(&relay.lock);
	check_all_in_order(1, HANDLER_ITEMS - 1);
	atomic_store_u32(&relay.gate_open, 1, release);
	work_flush(&gate);
	wait_check_idle(&relay.lock.pi, "after it was destroyed");
}

KTEST(mix, thread_with_interrupts_off_runs_as_few_as_a_handler)
{
	unsigned here;

	relay_init();
	mixwork_init(&relay.item[0], post_the_others);
	irq_off();
	ktest_check(mixlock_post(&relay.lock, &relay.item[0]));
	here = seen(&relay.run);
	irq_on();
	ktest_check(here == MIXLOCK_HANDLER_MAX, "%u", here);
	ktest_check(ktest_eventually(seen(&relay.run) == HANDLER_ITEMS - 1));
	ktest_check(ktest_eventually(!pilock_owner(&relay.lock.pi)));
	mixlock_destroy(&relay.lock);
	wait_check_idle(&relay.lock.pi, "after the work thread");
}

/* ---- Whom it was passed to dies -------------------------------------------------------------- */

static void end_when_told(void *arg)
{
	(void)arg;
	ktest_check(ktest_eventually(seen(&relay.ended)));
}

/* Stands in for the work thread, which is missed if it dies, in all that its end touches. */
static void lend_to(struct thread *t)
{
	waitq_lock(&relay.lock.pi.wq);
	pi_detach(&relay.lock.pi);
	ktest_check(pi_attach(&relay.lock.pi, t));
	waitq_unlock(&relay.lock.pi.wq);
}

KTEST(mix, lock_passed_to_a_thread_that_ends_is_not_abandoned)
{
	struct hart_meta *h = harts[hart_mask_first(&harts_online)];
	struct thread *t;
	struct work gate;

	relay_init();
	mixwork_init(&relay.item[0], post_the_others);
	work_init(&gate, wait_at_gate);
	t = thread_spawn("ends", end_when_told, NULL);
	ktest_require(t);
	hart_call(h, queue_gate, &gate);
	wait_for_completion(&relay.entered);
	/* Its request stands behind the gate as long as that is shut. */
	hart_call(h, post_in_handler, NULL);
	ktest_check(is_passed());
	lend_to(t);
	ktest_check(wait_until_prio(t, POST_PRIO));
	count_up(&relay.ended);
	thread_join(t, NULL);
	ktest_check(is_passed() && seen(&relay.run) == MIXLOCK_HANDLER_MAX);
	ktest_check(!(atomic_load_u32(&relay.lock.pi.word, relaxed) & PILOCK_ABANDONED));
	atomic_store_u32(&relay.gate_open, 1, release);
	work_flush(&gate);
	ktest_check(ktest_eventually(seen(&relay.run) == HANDLER_ITEMS - 1));
	ktest_check(ktest_eventually(!pilock_owner(&relay.lock.pi)));
	mixlock_destroy(&relay.lock);
	check_all_in_order(1, HANDLER_ITEMS - 1);
	ktest_check(!seen(&relay.cancelled));
	ktest_check(mixlock_lock_robust(&relay.lock) == 0);
	mixlock_unlock(&relay.lock);
	wait_check_idle(&relay.lock.pi, "after the end");
}
