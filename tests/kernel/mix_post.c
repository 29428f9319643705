/* SPDX-License-Identifier: MIT */
/* Work posted to a mixed lock: in order, exactly once, under the lock, within the bounds. */
#include "kernel/hart/call.h"
#include "kernel/lock/relax.h"
#include "kernel/time/timer.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/mutex.h"
#include "tests/kernel/wait_util.h"

#define POST_PRIO 45

DEFINE_LOCK_CLASS(test_mix_class, .name = "test.mix", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000000, .post_prio = POST_PRIO,
	.protects = "what posted work of a test changes");
DEFINE_LOCK_CLASS(test_event_class, .name = "test.mix.event", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000,
	.protects = "an event that posted work signals");
WAIT_TEST_CLASS(test_mix_mutex_class, "test.mix.mutex");

#define ITEMS 200

static struct {
	struct mixlock lock;
	struct mixwork item[ITEMS];
	struct wait_log log;
	atomic_u32 run;
	uint32_t inside; /* under lock: who uses what it protects */
	unsigned a, b;	 /* under lock, equal outside */
} desk;

/* What posted work and holders do to the data. */
static void use_desk(uint32_t who)
{
	ktest_check(!desk.inside, "%x is inside", (unsigned)desk.inside);
	desk.inside = who;
	desk.a++;
	for (unsigned i = 0; i < 20; i++)
		arch_pause();
	desk.b++;
	ktest_check(desk.a == desk.b && desk.inside == who);
	desk.inside = 0;
}

static void log_item(struct mixwork *w)
{
	use_desk(1);
	wait_log_add(&desk.log, (unsigned)(w - desk.item));
	count_up(&desk.run);
	ktest_check(!w->cancelled);
	ktest_check(in_interrupt() && !may_sleep());
}

static void desk_init(void (*fn)(struct mixwork *w))
{
	mixlock_init(&desk.lock, &test_mix_class);
	for (unsigned i = 0; i < ITEMS; i++)
		mixwork_init(&desk.item[i], fn);
	atomic_store_u32(&desk.log.n, 0, relaxed);
	atomic_store_u32(&desk.run, 0, relaxed);
	desk.inside = 0;
	desk.a = 0;
	desk.b = 0;
}

/* Nothing of it is left, nor on a work thread's list: it may be made anew. */
static void desk_done(const char *what)
{
	wait_check_idle(&desk.lock.pi, what);
	mixlock_destroy(&desk.lock);
}

static struct hart_meta *first_hart(void)
{
	return harts[hart_mask_first(&harts_online)];
}

/* ---- Order, once ---------------------------------------------------------------------------- */

static void post_in_handler(void *arg)
{
	unsigned *next = arg;

	ktest_check(mixlock_post(&desk.lock, &desk.item[(*next)++]));
}

KTEST(mix, free_lock_runs_the_post_at_once)
{
	unsigned next = 0;

	desk_init(log_item);
	ktest_check(mixlock_post(&desk.lock, &desk.item[next++]));
	ktest_check(seen(&desk.run) == 1);
	hart_call(first_hart(), post_in_handler, &next);
	ktest_check(seen(&desk.run) == 2);
	ktest_check(!in_interrupt() && !lock_thread()->posted_work);
	desk_done("after two posts");
}

KTEST(mix, posts_to_a_held_lock_run_at_its_unlock_in_order)
{
	unsigned next = 0;

	desk_init(log_item);
	mixlock_lock(&desk.lock);
	while (next < 30) {
		hart_call(harts[next % nr_harts], post_in_handler, &next);
		ktest_check(mixlock_post(&desk.lock, &desk.item[next++]));
		use_desk(2);
	}
	ktest_check(!seen(&desk.run));
	/* A queued item is refused, and stays where it is. */
	ktest_check(!mixlock_post(&desk.lock, &desk.item[0]));
	ktest_check(!mixlock_post(&desk.lock, &desk.item[15]));
	mixlock_unlock(&desk.lock);
	ktest_check(seen(&desk.run) == next, "%u of %u", seen(&desk.run), next);
	for (unsigned i = 0; i < next; i++)
		ktest_check(desk.log.who[i] == i, "place %u has %u", i, desk.log.who[i]);
	desk_done("after the unlock");
}

static unsigned again_left;

static void post_again(struct mixwork *w)
{
	count_up(&desk.run);
	if (again_left && again_left--) {
		ktest_check(mixlock_post(&desk.lock, w));
		ktest_check(!mixlock_post(&desk.lock, w));
	}
}

KTEST(mix, work_may_post_itself_again)
{
	desk_init(post_again);
	/* More often than an unlock runs: the work thread goes on. */
	again_left = 3 * MIXLOCK_THREAD_MAX;
	ktest_check(mixlock_post(&desk.lock, &desk.item[0]));
	ktest_check(ktest_eventually(seen(&desk.run) == 3 * MIXLOCK_THREAD_MAX + 1), "%u",
		seen(&desk.run));
	ktest_check(ktest_eventually(!pilock_owner(&desk.lock.pi)));
	desk_done("after itself");
}

/* ---- Bounds --------------------------------------------------------------------------------- */

static atomic_u32 run_by_me, run_elsewhere;
static struct thread *me_thread;

static void note_who(struct mixwork *w)
{
	(void)w;
	count_up(current_thread() == me_thread ? &run_by_me : &run_elsewhere);
	count_up(&desk.run);
}

static void notes_init(void)
{
	desk_init(note_who);
	me_thread = current_thread();
	atomic_store_u32(&run_by_me, 0, relaxed);
	atomic_store_u32(&run_elsewhere, 0, relaxed);
}

KTEST(mix, unlocking_thread_runs_64_and_a_work_thread_the_rest)
{
	notes_init();
	mixlock_lock(&desk.lock);
	for (unsigned i = 0; i < ITEMS; i++)
		ktest_check(mixlock_post(&desk.lock, &desk.item[i]));
	mixlock_unlock(&desk.lock);
	ktest_check(seen(&run_by_me) == 64, "%u", seen(&run_by_me));
	ktest_check(ktest_eventually(seen(&desk.run) == ITEMS), "%u", seen(&desk.run));
	ktest_check(seen(&run_elsewhere) == ITEMS - 64);
	ktest_check(ktest_eventually(!pilock_owner(&desk.lock.pi)));
	desk_done("after the work thread");
}

static void lock_late(void *arg)
{
	struct wait_log *log = arg;

	mixlock_lock(&desk.lock);
	/* The lock came with what was left: that runs at this unlock. */
	wait_log_add(log, seen(&desk.run));
	mixlock_unlock(&desk.lock);
	wait_log_add(log, seen(&desk.run));
}

KTEST(mix, rest_of_the_queue_goes_to_the_first_waiter)
{
	static struct wait_log log;
	struct thread *t;

	atomic_store_u32(&log.n, 0, relaxed);
	notes_init();
	mixlock_lock(&desk.lock);
	t = wait_spawn("late", lock_late, &log, 0);
	ktest_check(t && wait_until_queued(&desk.lock.pi.wq, 1));
	for (unsigned i = 0; i < 64 + 5; i++)
		ktest_check(mixlock_post(&desk.lock, &desk.item[i]));
	mixlock_unlock(&desk.lock);
	thread_join(t, NULL);
	ktest_check(log.who[0] == 64 && log.who[1] == 64 + 5, "%u %u", log.who[0], log.who[1]);
	desk_done("after the waiter");
}

/* A handler's own item posts more than a handler may run. */
static atomic_u32 run_in_handler;

static void count_here(struct mixwork *w)
{
	(void)w;
	if (!arch_irq_enabled() && lock_hart()->in_irq != IRQ_NONE)
		count_up(&run_in_handler);
	count_up(&desk.run);
}

static void post_many(struct mixwork *w)
{
	(void)w;
	for (unsigned i = 1; i < 30; i++)
		ktest_check(mixlock_post(&desk.lock, &desk.item[i]));
}

static void post_first(void *arg)
{
	(void)arg;
	ktest_check(mixlock_post(&desk.lock, &desk.item[0]));
}

KTEST(mix, handler_runs_its_own_item_and_8_others)
{
	desk_init(count_here);
	mixwork_init(&desk.item[0], post_many);
	atomic_store_u32(&run_in_handler, 0, relaxed);
	hart_call(first_hart(), post_first, NULL);
	ktest_check(seen(&run_in_handler) == 8, "%u", seen(&run_in_handler));
	ktest_check(ktest_eventually(seen(&desk.run) == 29), "%u", seen(&desk.run));
	ktest_check(seen(&run_in_handler) == 8);
	ktest_check(ktest_eventually(!pilock_owner(&desk.lock.pi)));
	desk_done("after the handler");
}

/* ---- Handlers that try ---------------------------------------------------------------------- */

static void try_and_use(void *arg)
{
	bool *got = arg;

	*got = mixlock_try(&desk.lock);
	if (!*got)
		return;
	use_desk(3);
	ktest_check(mixlock_held_by_me(&desk.lock));
	ktest_check(mixlock_post(&desk.lock, &desk.item[9]));
	ktest_check(!seen(&desk.run));
	mixlock_unlock(&desk.lock);
}

KTEST(mix, handler_may_try_and_never_waits)
{
	bool got = true;

	desk_init(log_item);
	mixlock_lock(&desk.lock);
	hart_call(first_hart(), try_and_use, &got);
	ktest_check(!got);
	mixlock_unlock(&desk.lock);
	hart_call(first_hart(), try_and_use, &got);
	ktest_check(got && seen(&desk.run) == 1);
	ktest_check(mixlock_try(&desk.lock));
	ktest_check(!mixlock_try(&desk.lock));
	mixlock_unlock(&desk.lock);
	desk_done("after the tries");
}

/* A handler that holds the lock until somebody waits for it. */
static atomic_u32 handler_held, waiter_got;

static void hold_until_awaited(void *arg)
{
	struct relax wait = RELAX_INIT;

	(void)arg;
	if (!mixlock_try(&desk.lock))
		return;
	count_up(&handler_held);
	while (!(atomic_load_u32(&desk.lock.pi.word, acquire) & PILOCK_QUEUED))
		relax_step(&wait);
	mixlock_unlock(&desk.lock);
}

static void lock_from_other_hart(void *arg)
{
	(void)arg;
	ktest_check(ktest_eventually(seen(&handler_held)));
	mixlock_lock(&desk.lock);
	count_up(&waiter_got);
	mixlock_unlock(&desk.lock);
}

KTEST(mix, thread_waits_for_a_handler_and_the_chain_ends_there)
{
	struct hart_mask mask;
	struct thread *t;

	if (ktest_harts() < 2) {
		ktest_skip("one hart");
		return;
	}
	desk_init(log_item);
	atomic_store_u32(&handler_held, 0, relaxed);
	atomic_store_u32(&waiter_got, 0, relaxed);
	hart_mask_zero(&mask);
	hart_mask_set(&mask, hart_mask_next(&harts_online, first_hart()->index));
	t = thread_create("waits", lock_from_other_hart, NULL);
	ktest_require(t);
	sched_set_affinity(t, &mask);
	sched_set_priority(t, SCHED_FIFO, 20);
	thread_run(t);
	hart_call(first_hart(), hold_until_awaited, NULL);
	thread_join(t, NULL);
	ktest_check(seen(&handler_held) == 1 && seen(&waiter_got) == 1);
	desk_done("after the handler");
}

/* ---- Priority ------------------------------------------------------------------------------- */

KTEST(mix, pending_post_boosts_the_holder_until_it_is_drained)
{
	struct thread *self = current_thread();

	desk_init(log_item);
	mixlock_lock(&desk.lock);
	ktest_check(self->prio_effective == 0);
	mixlock_post(&desk.lock, &desk.item[0]);
	ktest_check(self->prio_effective == POST_PRIO, "%u", self->prio_effective);
	mixlock_unlock(&desk.lock);
	ktest_check(self->prio_effective == 0, "%u", self->prio_effective);
	desk_done("after a boost");
}

static struct mutex behind;

static void hold_and_block(void *arg)
{
	(void)arg;
	mixlock_lock(&desk.lock);
	mutex_lock(&behind);
	mutex_unlock(&behind);
	mixlock_unlock(&desk.lock);
}

KTEST(mix, boost_of_a_post_goes_along_the_chain)
{
	struct thread *self = current_thread(), *t;
	unsigned next = 0;

	desk_init(log_item);
	mutex_init(&behind, &test_mix_mutex_class);
	mutex_lock(&behind);
	t = wait_spawn("holder", hold_and_block, NULL, 0);
	ktest_check(t && wait_until_queued(&behind.pi.wq, 1));
	hart_call(first_hart(), post_in_handler, &next);
	ktest_check(wait_until_prio(self, POST_PRIO));
	mutex_unlock(&behind);
	ktest_check(self->prio_effective == 0);
	thread_join(t, NULL);
	ktest_check(seen(&desk.run) == 1);
	desk_done("after the chain");
}

/* ---- Checks --------------------------------------------------------------------------------- */

static void sleep_in_post(struct mixwork *w)
{
	(void)w;
	mutex_lock(&behind);
	mixlock_lock(&desk.lock);
	might_sleep();
	count_up(&desk.run);
}

KTEST(mix, posted_work_that_may_sleep_is_reported_in_either_context)
{
	if (!CONFIG_LOCKCHECK) {
		ktest_skip("no lock checker");
		return;
	}
	desk_init(sleep_in_post);
	mutex_init(&behind, &test_mix_mutex_class);
	ktest_expect_reports(KIND_CONTEXT);
	mixlock_post(&desk.lock, &desk.item[0]);
	ktest_check(ktest_reports_seen() == 3);
	ktest_expect_reports(KIND_CONTEXT);
	hart_call(first_hart(), post_first, NULL);
	ktest_check(ktest_reports_seen() == 3);
	ktest_check(seen(&desk.run) == 2);
	desk_done("after misuse");
}

static void lock_in_handler(void *arg)
{
	(void)arg;
	mixlock_lock(&desk.lock);
}

KTEST(mix, locking_in_a_handler_is_reported)
{
	if (!CONFIG_LOCKCHECK) {
		ktest_skip("no lock checker");
		return;
	}
	desk_init(log_item);
	ktest_expect_reports(KIND_CONTEXT);
	hart_call(first_hart(), lock_in_handler, NULL);
	ktest_check(ktest_reports_seen() == 1);
	ktest_expect_reports(KIND_OWNERSHIP);
	mixlock_unlock(&desk.lock);
	ktest_check(ktest_reports_seen() == 1);
	desk_done("after misuse");
}

static struct completion event;

static void signal_event(struct mixwork *w)
{
	(void)w;
	complete(&event);
}

KTEST(mix, waiting_for_what_posted_work_signals_with_the_lock_held_is_reported)
{
	if (!CONFIG_LOCKCHECK) {
		ktest_skip("no lock checker");
		return;
	}
	desk_init(signal_event);
	completion_init(&event, &test_event_class);
	/* A harmless run, from which the checker learns. */
	mixlock_post(&desk.lock, &desk.item[0]);
	wait_for_completion(&event);
	/* This one would wait for itself if the event had not happened before. */
	complete(&event);
	ktest_expect_reports(KIND_ORDER);
	mixlock_lock(&desk.lock);
	wait_for_completion(&event);
	mixlock_unlock(&desk.lock);
	ktest_check(ktest_reports_seen() == 1);
	ktest_check(wait_for_completion_timeout(&event, 0) == -ETIMEDOUT);
	desk_done("after the event");
}
