/* SPDX-License-Identifier: MIT */
/*
 * The right lock of the wrong object: what clang cannot tell apart, as it knows a lock by its name.
 * Each place of the kernel where instances could be confused says which one it needs (guarded,
 * check.h); here each is entered with the lock of another instance, and must say so, and with its
 * own, and must be silent.
 */
#include "kernel/mm/page_range.h"
#include "kernel/mm/slab_internal.h"
#include "kernel/sched/runq.h"
#include "kernel/sched/table.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/mutex.h"
#include "kernel/wait/pi.h"
#include "kernel/wait/waitq.h"
#include "tests/kernel/ktest.h"

DEFINE_LOCK_CLASS(guarded_class, .name = "test.guarded", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000, .protects = "a queue of a test");
DEFINE_LOCK_CLASS(guarded_pi_class, .name = "test.guarded.pi", .rank = RANK_UNCHECKED,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000, .protects = "nothing");

static struct runq runqs[2];
static struct waitq waitqs[2] = {WAITQ_INIT(&guarded_class), WAITQ_INIT(&guarded_class)};
static struct mutex mutexes[2] = {MUTEX_INIT(&guarded_pi_class), MUTEX_INIT(&guarded_pi_class)};

/* Reports of the ownership kind while `body` runs under the lock of instance `which`. */
static unsigned reports(struct irqlock *(*lock_of)(unsigned i), unsigned which,
	void (*body)(void)) UNCHECKED_LOCKING
{
	unsigned seen;

	ktest_expect_reports(KIND_OWNERSHIP);
	irqlock_acquire(lock_of(which));
	body();
	irqlock_release(lock_of(which));
	seen = ktest_reports_seen();
	return seen;
}

/* `body` is about instance 0. */
static void expect_instance(struct irqlock *(*lock_of)(unsigned i), void (*body)(void))
{
	unsigned seen;

	if (!CONFIG_LOCKCHECK) {
		ktest_skip("the checker is compiled out");
		return;
	}
	seen = reports(lock_of, 1, body);
	ktest_check(seen == 1, "%u reports under the wrong instance", seen);
	seen = reports(lock_of, 0, body);
	ktest_check(seen == 0, "%u reports under the right instance", seen);
}

/* ---- Run queues ------------------------------------------------------------------------------ */

static struct irqlock *runq_lock_of(unsigned i)
{
	return &runqs[i].lock;
}

static struct thread queued; /* of nobody: it never runs */

static void put_into_queue(void) UNCHECKED_LOCKING
{
	queued.on_rq = false;
	runq_add(&runqs[0], &queued, RUNQ_TAIL);
}

static void take_out_of_queue(void) UNCHECKED_LOCKING
{
	queued.on_rq = true;
	runqs[0].nr_queued = runqs[0].nr_fair = 1;
	runqs[0].fair_first = &queued;
	runq_remove(&runqs[0], &queued);
}

static void fresh_runqs(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(runqs); i++) {
		runqs[i] = (struct runq){0};
		runq_init(&runqs[i], i, NULL, 1);
	}
	queued = (struct thread){.weight = WEIGHT_DEFAULT};
}

KTEST(guarded, a_run_queue_takes_threads_under_its_own_lock)
{
	fresh_runqs();
	expect_instance(runq_lock_of, put_into_queue);
}

KTEST(guarded, a_run_queue_gives_threads_under_its_own_lock)
{
	fresh_runqs();
	expect_instance(runq_lock_of, take_out_of_queue);
}

/* ---- Wait queues ----------------------------------------------------------------------------- */

static struct irqlock *waitq_lock_of(unsigned i)
{
	return &waitqs[i].lock;
}

static void wake(void) UNCHECKED_LOCKING
{
	waitq_wake_locked(&waitqs[0], 1);
}

static void join_queue(void) UNCHECKED_LOCKING
{
	struct wait_entry e;

	wait_entry_init(&e, &waitqs[0], NULL, false);
	waitq_enqueue(&waitqs[0], &e);
	/* By hand: leaving is not what is asked here. */
	rbtree_remove(&waitqs[0].waiters, &e.node);
	pi_retract_wait(&waitqs[0], &e);
}

KTEST(guarded, a_wait_queue_wakes_under_its_own_lock)
{
	expect_instance(waitq_lock_of, wake);
}

KTEST(guarded, a_wait_queue_is_joined_under_its_own_lock)
{
	expect_instance(waitq_lock_of, join_queue);
}

/* ---- Locks with an owner --------------------------------------------------------------------- */

static struct irqlock *mutex_lock_of(unsigned i)
{
	return &mutexes[i].pi.wq.lock;
}

static void take_away_inheritance(void) UNCHECKED_LOCKING
{
	pi_detach(&mutexes[0].pi);
}

KTEST(guarded, a_lock_gives_priority_back_under_its_own_lock)
{
	expect_instance(mutex_lock_of, take_away_inheritance);
}

/* ---- What threads inherit -------------------------------------------------------------------- */

static const struct thread *inheriting[2]; /* of two shards */

static struct irqlock *pi_lock_of_thread(unsigned i)
{
	return pi_lock_of(inheriting[i]);
}

static void look_at_donors(void) UNCHECKED_LOCKING
{
	pi_first_donor(inheriting[0]);
}

/* Slots of the thread table are there for ever; whether somebody runs in them does not matter. */
static void choose_threads(void)
{
	inheriting[0] = current_thread();
	for (unsigned i = 0; i < thread_table_end(); i++) {
		inheriting[1] = thread_table_peek(i);
		if (inheriting[1] && pi_lock_of(inheriting[1]) != pi_lock_of(inheriting[0]))
			return;
	}
	ktest_fail(__FILE__, __LINE__, "all threads share one shard");
}

KTEST(guarded, what_a_thread_inherits_is_looked_at_under_the_lock_of_its_shard)
{
	choose_threads();
	if (!ktest_failed())
		expect_instance(pi_lock_of_thread, look_at_donors);
}

/* ---- Slabs ----------------------------------------------------------------------------------- */

static struct slab_cache *caches[2];
static struct page *slab; /* of nobody: it holds no objects */

static struct irqlock *cache_lock_of(unsigned i)
{
	return &caches[i]->lock;
}

static void link_slab(void) UNCHECKED_LOCKING
{
	caches[0]->partial = BUDDY_NONE;
	slab_link_partial(caches[0], slab);
	caches[0]->partial = BUDDY_NONE;
}

static void unlink_slab(void) UNCHECKED_LOCKING
{
	slab->prev = slab->next = BUDDY_NONE;
	caches[0]->partial = page_frame(slab);
	slab_unlink_partial(caches[0], slab);
}

static void cut_slabs(void) UNCHECKED_LOCKING
{
	slab_cut_empty(caches[0], 0);
}

static void with_caches(void (*body)(void))
{
	caches[0] = slab_create("guarded.0", 64, 16);
	caches[1] = slab_create("guarded.1", 64, 16);
	slab = page_alloc(0, 0);
	if (caches[0] && caches[1] && slab)
		expect_instance(cache_lock_of, body);
	else
		ktest_fail(__FILE__, __LINE__, "no memory");
	if (slab)
		page_free(slab);
	for (unsigned i = 0; i < ARRAY_SIZE(caches); i++)
		if (caches[i])
			slab_destroy(caches[i]);
}

KTEST(guarded, a_slab_cache_takes_slabs_under_its_own_lock)
{
	with_caches(link_slab);
}

KTEST(guarded, a_slab_cache_leaves_slabs_under_its_own_lock)
{
	with_caches(unlink_slab);
}

KTEST(guarded, a_slab_cache_gives_slabs_up_under_its_own_lock)
{
	with_caches(cut_slabs);
}
