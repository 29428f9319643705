/* SPDX-License-Identifier: MIT */
/* Work queues: what was asked for runs once, in order; flush and cancel mean what they say. */
#include "kernel/hart/call.h"
#include "kernel/lock/relax.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/mutex.h"
#include "kernel/wait/work.h"
#include "tests/kernel/wait_util.h"

DEFINE_LOCK_CLASS(test_work_class, .name = "test.work", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000,
	.protects = "an event of a work queue test");

#define ITEMS 24

static struct {
	struct work item[ITEMS];
	struct wait_log log;
	atomic_u32 run, inside, gate_open;
	struct completion entered;
} bench;

static void bench_init(void (*fn)(struct work *w))
{
	for (unsigned i = 0; i < ITEMS; i++)
		work_init(&bench.item[i], fn);
	completion_init(&bench.entered, &test_work_class);
	atomic_store_u32(&bench.log.n, 0, relaxed);
	atomic_store_u32(&bench.run, 0, relaxed);
	atomic_store_u32(&bench.inside, 0, relaxed);
	atomic_store_u32(&bench.gate_open, 0, relaxed);
}

static void log_work(struct work *w)
{
	wait_log_add(&bench.log, (unsigned)(w - bench.item));
	count_up(&bench.run);
	ktest_check(may_sleep());
}

static void queue_in_handler(void *arg)
{
	ktest_check(work_queue(arg));
}

/* Queues all items on this hart, from a handler: nothing runs in between. */
static void queue_all(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ITEMS; i++)
		ktest_check(work_queue(&bench.item[i]));
	for (unsigned i = 0; i < ITEMS; i++)
		ktest_check(!work_queue(&bench.item[i]));
}

KTEST(work, runs_once_and_in_the_order_of_its_hart)
{
	for (unsigned round = 0; round < 20; round++) {
		bench_init(log_work);
		hart_call(ktest_hart(round), queue_all, NULL);
		work_flush(&bench.item[ITEMS - 1]);
		ktest_check(seen(&bench.run) == ITEMS, "%u", seen(&bench.run));
		for (unsigned i = 0; i < ITEMS; i++)
			ktest_check(bench.log.who[i] == i, "place %u has %u", i, bench.log.who[i]);
	}
}

static void wait_at_gate(struct work *w)
{
	(void)w;
	ktest_check(!count_up(&bench.inside), "runs twice at once");
	complete(&bench.entered);
	ktest_check(ktest_eventually(seen(&bench.gate_open)));
	atomic_add_u32(&bench.inside, -1u, acq_rel);
	count_up(&bench.run);
}

static void open_gate(void *arg)
{
	(void)arg;
	sched_sleep_ns(2 * NS_PER_MS);
	atomic_store_u32(&bench.gate_open, 1, release);
}

KTEST(work, flush_waits_for_a_run_that_has_begun)
{
	struct thread *t;

	bench_init(wait_at_gate);
	work_queue(&bench.item[0]);
	wait_for_completion(&bench.entered);
	t = wait_spawn("opens", open_gate, NULL, 0);
	work_flush(&bench.item[0]);
	ktest_check(seen(&bench.run) == 1);
	if (t)
		thread_join(t, NULL);
	/* Nothing to wait for: never queued, and long done. */
	work_flush(&bench.item[1]);
	work_flush(&bench.item[0]);
}

KTEST(work, item_that_runs_and_is_queued_elsewhere_runs_after_itself)
{
	struct thread *t;

	bench_init(wait_at_gate);
	work_queue(&bench.item[0]);
	wait_for_completion(&bench.entered);
	/* Free again since it began; from every hart it goes to where it runs. */
	hart_call(ktest_hart(ktest_harts() - 1), queue_in_handler, &bench.item[0]);
	ktest_check(!work_queue(&bench.item[0]));
	t = wait_spawn("opens", open_gate, NULL, 0);
	work_flush(&bench.item[0]);
	ktest_check(seen(&bench.run) == 2, "%u", seen(&bench.run));
	if (t)
		thread_join(t, NULL);
}

KTEST(work, cancel_takes_what_has_not_begun)
{
	bool later;

	bench_init(wait_at_gate);
	work_init(&bench.item[1], log_work);
	preempt_disable();
	work_queue(&bench.item[0]);
	later = work_queue(&bench.item[1]);
	preempt_enable();
	ktest_check(later);
	wait_for_completion(&bench.entered);
	/* On the same hart's queue, unless that had moved us: then it may have run. */
	if (work_cancel(&bench.item[1]))
		ktest_check(!seen(&bench.log.n));
	ktest_check(!work_cancel(&bench.item[1]));
	ktest_check(!work_cancel(&bench.item[0]));
	atomic_store_u32(&bench.gate_open, 1, release);
	ktest_check(!work_cancel_sync(&bench.item[0]));
	ktest_check(seen(&bench.run) >= 1 && !seen(&bench.inside));
	ktest_check(work_queue(&bench.item[0]));
	work_flush(&bench.item[0]);
}

WAIT_TEST_CLASS(user_class, "test.work_user");
/* Protects nothing: held by who flushes, and by who takes back what is flushed. */
static struct mutex user = MUTEX_INIT(&user_class);

static void flush_under_lock(void *arg) UNCHECKED_LOCKING
{
	mutex_lock(&user);
	work_flush(arg);
	mutex_unlock(&user);
}

static void flush_item(void *arg)
{
	work_flush(arg);
}

static void queue_two(void *arg)
{
	(void)arg;
	work_queue(&bench.item[0]);
	work_queue(&bench.item[1]);
}

/* The second item stands behind the first, which waits at the gate; `flusher` sleeps by now. */
static struct thread *queue_two_and_flush(void (*flusher)(void *arg))
{
	struct thread *t;

	bench_init(wait_at_gate);
	work_init(&bench.item[1], log_work);
	hart_call(ktest_hart(0), queue_two, NULL);
	wait_for_completion(&bench.entered);
	t = wait_spawn("flushes", flusher, &bench.item[1], 0);
	ktest_check(t && ktest_eventually(atomic_load_u32(&t->state, relaxed) == THREAD_SLEEPING));
	return t;
}

/* The lock checker has seen both orders then; but the flush would have ended without the other. */
KTEST(work, flush_and_cancel_under_one_lock_are_no_deadlock)
{
	struct thread *t = queue_two_and_flush(flush_under_lock);

	atomic_store_u32(&bench.gate_open, 1, release);
	if (t)
		thread_join(t, NULL);
	work_flush(&bench.item[1]);
	t = queue_two_and_flush(flush_item);
	mutex_lock(&user);
	ktest_check(work_cancel(&bench.item[1]));
	mutex_unlock(&user);
	if (t)
		thread_join(t, NULL);
	ktest_check(!seen(&bench.log.n));
	atomic_store_u32(&bench.gate_open, 1, release);
	work_flush(&bench.item[0]);
}

#define AGAIN_MAX (1u << 24) /* last resort: who cancels comes when the host lets him */

/* Queues itself again and again, until it is cancelled; the first time only after the gate was
 * opened. It relaxes while it is queued: who cancels may have had no turn since. */
static void goes_on(struct work *w)
{
	count_up(&bench.inside);
	if (count_up(&bench.run) == 0) {
		complete(&bench.entered);
		ktest_check(ktest_eventually(seen(&bench.gate_open)));
	}
	if (seen(&bench.run) < AGAIN_MAX)
		work_queue(w);
	relax();
	sched_yield();
	atomic_add_u32(&bench.inside, -1u, acq_rel);
}

KTEST(work, cancel_sync_ends_what_queues_itself_again)
{
	struct thread *t;
	unsigned runs;

	bench_init(goes_on);
	work_queue(&bench.item[0]);
	wait_for_completion(&bench.entered);
	t = wait_spawn("opens", open_gate, NULL, 0);
	ktest_check(work_cancel_sync(&bench.item[0]) == 1);
	runs = seen(&bench.run);
	ktest_check(!seen(&bench.inside));
	ktest_check(!work_cancel(&bench.item[0]));
	if (t)
		thread_join(t, NULL);
	work_flush(&bench.item[0]);
	ktest_check(seen(&bench.run) == runs && runs < AGAIN_MAX, "%u, then %u", runs,
		seen(&bench.run));
}

/* ---- Storm ---------------------------------------------------------------------------------- */

static struct busy_item {
	struct work work;
	atomic_u32 asked; /* true work_queue()s */
	atomic_u32 ran, cancelled, inside;
} busy[ITEMS];

static void run_busy(struct work *w)
{
	struct busy_item *b = container_of(w, struct busy_item, work);

	ktest_check(!count_up(&b->inside), "runs twice at once");
	if (seen(&b->ran) % 16 == 0)
		sched_sleep_ns(1000);
	atomic_add_u32(&b->inside, -1u, acq_rel);
	count_up(&b->ran);
}

static void ask(void *arg)
{
	struct busy_item *b = arg;

	if (work_queue(&b->work))
		count_up(&b->asked);
}

static void storm(unsigned i, void *arg)
{
	unsigned rounds = ktest_each(400);
	uint64_t seed = i + 1;

	(void)arg;
	for (unsigned n = 0; n < rounds; n++) {
		struct busy_item *b = &busy[ktest_random(&seed) % ITEMS];

		switch (ktest_random(&seed) % 8) {
		case 0:
			work_flush(&b->work);
			break;
		case 1:
			if (work_cancel(&b->work))
				count_up(&b->cancelled);
			break;
		case 2:
			atomic_add_u32(&b->cancelled, work_cancel_sync(&b->work), relaxed);
			break;
		case 3:
			hart_call(harts[ktest_random(&seed) % nr_harts], ask, b);
			break;
		default:
			ask(b);
			break;
		}
	}
}

KTEST(work, storm_of_queues_flushes_and_cancels_loses_and_doubles_nothing)
{
	for (unsigned i = 0; i < ITEMS; i++) {
		busy[i] = (struct busy_item){0};
		work_init(&busy[i].work, run_busy);
	}
	ktest_parallel(2 * ktest_harts(), storm, NULL);
	for (unsigned i = 0; i < ITEMS; i++) {
		struct busy_item *b = &busy[i];

		work_flush(&b->work);
		ktest_check(seen(&b->ran) + seen(&b->cancelled) == seen(&b->asked),
			"item %u: %u asked, %u ran, %u cancelled", i, seen(&b->asked),
			seen(&b->ran), seen(&b->cancelled));
		ktest_check(!work_cancel(&b->work));
	}
}

/* ---- Checks, harts -------------------------------------------------------------------------- */

static void flush_itself(struct work *w)
{
	work_flush(w);
	count_up(&bench.run);
}

KTEST(work, flush_out_of_its_own_work_is_reported)
{
	if (!CONFIG_LOCKCHECK) {
		ktest_skip("no lock checker");
		return;
	}
	bench_init(flush_itself);
	ktest_expect_reports(KIND_OWNERSHIP);
	work_queue(&bench.item[0]);
	ktest_check(ktest_eventually(seen(&bench.run) == 1));
	ktest_check(ktest_reports_seen() == 1);
	work_flush(&bench.item[0]);
}

static struct hart_meta *stopped;
static atomic_u32 ran_there; /* on the stopped hart */

static void note_place(struct work *w)
{
	if (lock_hart() == &stopped->lock)
		count_up(&ran_there);
	log_work(w);
}

/* What is queued on that hart goes elsewhere. */
static bool is_closed(struct work *probe)
{
	bool closed;

	hart_call(stopped, queue_in_handler, probe);
	/* Where it is still, behind the one at the gate, if it is there. */
	closed = atomic_load_ptr(&probe->home, acquire) != stopped->workq;
	if (!closed)
		work_cancel(probe);
	work_flush(probe);
	return closed;
}

static void queue_there(void *arg)
{
	(void)arg;
	for (unsigned i = 1; i < ITEMS - 1; i++)
		ktest_check(work_queue(&bench.item[i]));
}

static void stop_queue(void *arg)
{
	(void)arg;
	ktest_check(!work_hart_stop(stopped));
	count_up(&bench.log.n);
}

KTEST(work, queue_that_closes_hands_its_work_on)
{
	struct thread *t;

	if (ktest_harts() < 2) {
		ktest_skip("one hart");
		return;
	}
	bench_init(wait_at_gate);
	for (unsigned i = 1; i < ITEMS; i++)
		work_init(&bench.item[i], note_place);
	atomic_store_u32(&ran_there, 0, relaxed);
	stopped = harts[hart_mask_next(&harts_online, hart_mask_first(&harts_online))];
	hart_call(stopped, queue_in_handler, &bench.item[0]);
	wait_for_completion(&bench.entered);
	hart_call(stopped, queue_there, NULL);
	ktest_check(work_pending(stopped) >= ITEMS - 2, "%u", work_pending(stopped));
	t = wait_spawn("stops", stop_queue, NULL, 0);
	ktest_check(ktest_eventually(is_closed(&bench.item[ITEMS - 1])));
	ktest_check(seen(&bench.inside) == 1);
	atomic_store_u32(&bench.run, 0, relaxed);
	atomic_store_u32(&bench.gate_open, 1, release);
	if (t)
		thread_join(t, NULL);
	for (unsigned i = 0; i < ITEMS; i++)
		work_flush(&bench.item[i]);
	/* The one that ran there was the last to begin. */
	ktest_check(seen(&bench.run) == ITEMS - 1, "%u", seen(&bench.run));
	ktest_check(seen(&ran_there) == 0, "%u", seen(&ran_there));
	ktest_check(work_pending(stopped) == 0);
	/* While it is closed, work of that hart goes to another one. */
	hart_call(stopped, queue_in_handler, &bench.item[1]);
	ktest_check(work_pending(stopped) == 0);
	work_flush(&bench.item[1]);
	ktest_check(seen(&bench.run) == ITEMS && seen(&ran_there) == 0);
	work_hart_start(stopped);
	hart_call(stopped, queue_in_handler, &bench.item[1]);
	work_flush(&bench.item[1]);
	ktest_check(seen(&bench.run) == ITEMS + 1 && seen(&ran_there) == 1);
}

/* ---- A worker that dies ---------------------------------------------------------------------- */

WAIT_TEST_CLASS(test_work_mutex_class, "test.work.mutex");
static struct mutex left_locked;
static atomic_u32 ran_on; /* index + 1 */

static void die_with_lock(struct work *w)
{
	char *nowhere = NULL;

	(void)w;
	mutex_lock(&left_locked);
	complete(&bench.entered);
	ktest_check(ktest_eventually(seen(&bench.gate_open)));
	/* The compiler is not to know what this is. */
	__asm__ volatile("" : "+r"(nowhere));
	*nowhere = 0;
	ktest_fail(__FILE__, __LINE__, "a store to nowhere went through");
}

static void say_hart(struct work *w)
{
	(void)w;
	atomic_store_u32(&ran_on, this_hart_unstable()->index + 1, release);
}

/* Whether an item of that hart runs there, and not on another one for want of a worker. */
static bool works_itself(struct hart_meta *h)
{
	struct work *w = &bench.item[ITEMS - 1];

	hart_call(h, queue_in_handler, w);
	work_flush(w);
	return seen(&ran_on) == h->index + 1;
}

static void kill_worker_of(struct hart_meta *h)
{
	unsigned behind = ITEMS - 2;

	bench_init(log_work);
	mutex_init(&left_locked, &test_work_mutex_class);
	work_init(&bench.item[0], die_with_lock);
	work_init(&bench.item[ITEMS - 1], say_hart);
	hart_call(h, queue_in_handler, &bench.item[0]);
	wait_for_completion(&bench.entered);
	for (unsigned i = 1; i <= behind; i++)
		hart_call(h, queue_in_handler, &bench.item[i]);
	ktest_check(work_pending(h) >= behind, "%u", work_pending(h));
	atomic_store_u32(&bench.gate_open, 1, release);
	/* Its item ends with it; what stood behind it runs once, in order; its lock says so. */
	work_flush(&bench.item[0]);
	for (unsigned i = 1; i <= behind; i++)
		work_flush(&bench.item[i]);
	ktest_check(seen(&bench.run) == behind, "%u", seen(&bench.run));
	for (unsigned i = 0; i < behind; i++)
		ktest_check(bench.log.who[i] == i + 1, "place %u has %u", i, bench.log.who[i]);
	ktest_check(mutex_lock_robust(&left_locked) == -EOWNERDEAD);
	mutex_recover(&left_locked);
	mutex_unlock(&left_locked);
	ktest_check(ktest_eventually(works_itself(h)), "hart %u has no worker", h->index);
	/* The one that died can be queued again. */
	work_init(&bench.item[0], log_work);
	ktest_check(work_queue(&bench.item[0]));
	work_flush(&bench.item[0]);
	ktest_check(seen(&bench.run) == behind + 1);
}

KTEST(work, worker_that_dies_in_its_work_is_replaced)
{
	unsigned hart;

	for_each_hart_in_mask(hart, &harts_online)
		if (hart < 3)
			kill_worker_of(harts[hart]);
}
