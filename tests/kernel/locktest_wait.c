/* SPDX-License-Identifier: MIT */
/*
 * Self-test matrix: waits for something that is no lock, with a lock held that the other side
 * needs. Each case is harmless: what is waited for has happened already.
 */
#include "tests/kernel/locktest.h"

#include "kernel/hart/call.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/condvar.h"
#include "kernel/wait/semaphore.h"
#include "lib/errno.h"
#include "tests/kernel/ktest.h"

#define FAR_AWAY_NS (600 * NS_PER_SEC)

static struct locktest_lock *const lock_a = &locktest_locks[LT_A];
static struct locktest_lock *const lock_b = &locktest_locks[LT_B];
static struct completion done;	    /* of class D */
static enum locktest_kind kind_now; /* of the case that runs, for other threads */

static void done_under_a(void)
{
	locktest_acquire(lock_a, kind_now);
	complete(&done);
	locktest_release(lock_a, kind_now);
}

static void wait_under_a(void)
{
	locktest_acquire(lock_a, kind_now);
	wait_for_completion(&done);
	locktest_release(lock_a, kind_now);
}

/* ---- Completions ---------------------------------------------------------------------------- */

static void completed_under_it(void)
{
	done_under_a();
	wait_under_a();
}

static void waited_then_completed(void)
{
	complete(&done);
	wait_under_a();
	done_under_a();
}

static void all_completed_under_it(void)
{
	locktest_acquire(lock_a, kind_now);
	complete_all(&done);
	locktest_release(lock_a, kind_now);
	wait_under_a();
}

static void waited_interruptibly(void)
{
	done_under_a();
	locktest_acquire(lock_a, kind_now);
	if (wait_for_completion_intr(&done))
		locktest_broken("wait failed");
	locktest_release(lock_a, kind_now);
}

static void waited_with_deadline(void)
{
	done_under_a();
	locktest_acquire(lock_a, kind_now);
	if (wait_for_completion_timeout(&done, clock_now_ns() + FAR_AWAY_NS))
		locktest_broken("wait failed");
	locktest_release(lock_a, kind_now);
}

static void tried_under_it(void)
{
	done_under_a();
	locktest_acquire(lock_a, kind_now);
	if (!completion_try(&done))
		locktest_broken("not done");
	locktest_release(lock_a, kind_now);
}

static void completed_without_it(void)
{
	complete(&done);
	wait_under_a();
	complete(&done);
	wait_under_a();
}

static void waited_without_it(void)
{
	done_under_a();
	wait_for_completion(&done);
	done_under_a();
}

/* A waits for what B completes; then B waits for A. */
static void through_another_lock(void)
{
	locktest_acquire(lock_b, kind_now);
	complete(&done);
	locktest_release(lock_b, kind_now);
	wait_under_a();
	locktest_acquire(lock_b, kind_now);
	locktest_acquire(lock_a, kind_now);
	locktest_release(lock_a, kind_now);
	locktest_release(lock_b, kind_now);
}

static void with_another_lock(void)
{
	locktest_acquire(lock_b, kind_now);
	complete(&done);
	locktest_release(lock_b, kind_now);
	wait_under_a();
	locktest_acquire(lock_a, kind_now);
	locktest_acquire(lock_b, kind_now);
	locktest_release(lock_b, kind_now);
	locktest_release(lock_a, kind_now);
}

static void complete_it(unused_arg void *arg)
{
	complete(&done);
}

static void completed_by_a_handler(void)
{
	hart_call(this_hart_unstable(), complete_it, NULL);
	wait_under_a();
	hart_call(this_hart_unstable(), complete_it, NULL);
	wait_under_a();
}

static struct mixwork work_posted;

static void posted_completes(unused_arg struct mixwork *w)
{
	complete(&done);
}

static void completed_by_posted_work(void)
{
	mixwork_init(&work_posted, posted_completes);
	if (!mixlock_post(&lock_a->mixlock, &work_posted))
		locktest_broken("no post");
	wait_under_a();
}

static void completed_by_other_posted_work(void)
{
	mixwork_init(&work_posted, posted_completes);
	if (!mixlock_post(&lock_b->mixlock, &work_posted))
		locktest_broken("no post");
	wait_under_a();
}

/* ---- Threads -------------------------------------------------------------------------------- */

static atomic_bool body_done;

static void take_lock(void *lock)
{
	locktest_acquire(lock, kind_now);
	locktest_release(lock, kind_now);
	/* Release; partner: join_after. From here on it needs nothing of ours. */
	atomic_store_bool(&body_done, true, release);
}

static void join_after(struct locktest_lock *taken, uint64_t deadline_ns)
{
	struct thread *t;
	int err;

	atomic_store_bool(&body_done, false, relaxed);
	t = thread_spawn("taker", take_lock, taken);
	if (!t || !ktest_eventually(atomic_load_bool(&body_done, acquire)))
		locktest_broken("no thread");
	if (!t)
		return;
	locktest_acquire(lock_a, kind_now);
	err = thread_join_timeout(t, NULL, deadline_ns);
	locktest_release(lock_a, kind_now);
	if (err)
		locktest_broken("join failed");
}

static void joined_under_it(void)
{
	join_after(lock_a, UINT64_MAX);
}

static void joined_with_deadline(void)
{
	join_after(lock_a, clock_now_ns() + FAR_AWAY_NS);
}

static void joined_under_another(void)
{
	join_after(lock_b, UINT64_MAX);
}

/* ---- Work ----------------------------------------------------------------------------------- */

static struct work item;
static struct locktest_lock *item_takes;

static void item_runs(unused_arg struct work *w)
{
	take_lock(item_takes);
}

static void item_completes(unused_arg struct work *w)
{
	take_lock(item_takes);
	complete(&done);
}

static void run_item_of(struct locktest_lock *taken, void (*fn)(struct work *w))
{
	atomic_store_bool(&body_done, false, relaxed);
	item_takes = taken;
	work_init(&item, fn);
	if (!work_queue(&item) || !ktest_eventually(atomic_load_bool(&body_done, acquire)))
		locktest_broken("no work");
	work_flush(&item); /* with nothing held: silent, and the item is ours again */
}

static void run_item(struct locktest_lock *taken)
{
	run_item_of(taken, item_runs);
}

static void flushed_under_it(void)
{
	run_item(lock_a);
	locktest_acquire(lock_a, kind_now);
	work_flush(&item);
	locktest_release(lock_a, kind_now);
}

static void cancelled_under_it(void)
{
	run_item(lock_a);
	locktest_acquire(lock_a, kind_now);
	work_cancel_sync(&item);
	locktest_release(lock_a, kind_now);
}

static void flushed_under_another(void)
{
	run_item(lock_b);
	locktest_acquire(lock_a, kind_now);
	work_flush(&item);
	locktest_release(lock_a, kind_now);
}

static void run_after_flush(void)
{
	run_item(lock_b);
	locktest_acquire(lock_a, kind_now);
	work_flush(&item);
	locktest_release(lock_a, kind_now);
	run_item(lock_a);
}

/* The work has given it back, but needed it to come to where it completes. */
static void completed_by_work_that_took_it(void)
{
	run_item_of(lock_a, item_completes);
	wait_under_a();
}

static void completed_by_work_that_took_another(void)
{
	run_item_of(lock_b, item_completes);
	wait_under_a();
}

/* ---- Timers --------------------------------------------------------------------------------- */

static struct timer timer;
static struct locktest_lock *timer_takes;

static void timer_fires(unused_arg struct timer *t)
{
	take_lock(timer_takes);
}

static void cancel_after(struct locktest_lock *taken)
{
	timer_takes = taken;
	atomic_store_bool(&body_done, false, relaxed);
	timer_init(&timer, timer_fires);
	timer_start(&timer, 0);
	if (!ktest_eventually(atomic_load_bool(&body_done, acquire)))
		locktest_broken("no timer");
	timer_cancel_sync(&timer); /* with nothing held: it runs nowhere any more */
	locktest_acquire(lock_a, kind_now);
	timer_cancel_sync(&timer);
	locktest_release(lock_a, kind_now);
}

static void cancelled_timer(void)
{
	cancel_after(lock_a);
}

static void cancelled_other_timer(void)
{
	cancel_after(lock_b);
}

/* ---- Waits that are right ------------------------------------------------------------------- */

static struct condvar cond;

/* The wait gives the lock up, so whoever signals may hold it. */
static void condition_signalled_under_it(void)
{
	struct wait_limit over = WAIT_UNTIL(0);

	for (unsigned i = 0; i < 2; i++) {
		int rc;

		locktest_acquire(lock_a, kind_now);
		if (kind_now == LT_MIXLOCK)
			rc = condvar_wait_mix_limit(&cond, &lock_a->mixlock, &over);
		else
			rc = condvar_wait_limit(&cond, &lock_a->mutex, &over);
		condvar_broadcast(&cond);
		locktest_release(lock_a, kind_now);
		if (rc != -ETIMEDOUT)
			locktest_broken("wait ended");
	}
}

static void semaphore_as_a_lock(void)
{
	struct semaphore sem = SEMAPHORE_INIT(locktest_locks[LT_D].class, 1);

	for (unsigned i = 0; i < 2; i++) {
		locktest_acquire(lock_a, kind_now);
		semaphore_down(&sem);
		semaphore_up(&sem);
		locktest_release(lock_a, kind_now);
	}
}

static void nothing(unused_arg void *arg)
{
}

static void answer_under_it(void)
{
	locktest_acquire(lock_a, kind_now);
	hart_call(this_hart_unstable(), nothing, NULL);
	hart_call_mask(&harts_online, nothing, NULL);
	locktest_release(lock_a, kind_now);
}

static struct mixwork work_answers;

static void posted_nothing(unused_arg struct mixwork *w)
{
}

static void handler_uses_it(unused_arg void *arg)
{
	if (mixlock_try(&lock_a->mixlock))
		mixlock_unlock(&lock_a->mixlock);
	mixlock_post(&lock_a->mixlock, &work_answers);
}

/* Unchecked: clang does not follow the try above into the lock. */
static void answer_uses_it(void)
{
	mixwork_init(&work_answers, posted_nothing);
	locktest_acquire(lock_a, kind_now);
	hart_call(this_hart_unstable(), handler_uses_it, NULL);
	locktest_release(lock_a, kind_now);
}

/* ---- The table ------------------------------------------------------------------------------ */

static const struct wait_row {
	const char *name;
	void (*fn)(void);
	const char *want;
} rows[] = {
	{"completed under it", completed_under_it, "    OOOO"},
	{"completed under it, later", waited_then_completed, "    OOOO"},
	{"completed for all under it", all_completed_under_it, "    OOOO"},
	{"waited interruptibly", waited_interruptibly, "    OOOO"},
	{"waited with a deadline", waited_with_deadline, "    ...."},
	{"completion tried under it", tried_under_it, "    ...."},
	{"completed without it", completed_without_it, "    ...."},
	{"waited without it", waited_without_it, "    ...."},
	{"completed under another before it", through_another_lock, "    OOOO"},
	{"completed under another behind it", with_another_lock, "    ...."},
	{"completed by a handler", completed_by_a_handler, "    ...."},
	{"completed by work posted to it", completed_by_posted_work, "       O"},
	{"completed by work of another", completed_by_other_posted_work, "       ."},
	{"thread that takes it joined", joined_under_it, "    OOOO"},
	{"... with a deadline", joined_with_deadline, "    ...."},
	{"thread that takes another joined", joined_under_another, "    ...."},
	{"work that takes it flushed", flushed_under_it, "    OOOO"},
	{"... cancelled, waiting for it", cancelled_under_it, "    OOOO"},
	{"work that takes another flushed", flushed_under_another, "    ...."},
	{"flushed under it, then work takes", run_after_flush, "    OOOO"},
	{"completed by work that took it", completed_by_work_that_took_it, "    OOOO"},
	{"completed by work that took another", completed_by_work_that_took_another, "    ...."},
	{"condition signalled under it", condition_signalled_under_it, "    .  ."},
	{"semaphore as a lock under it", semaphore_as_a_lock, "    ...."},
	{"timer that takes it cancelled", cancelled_timer, "OO..    "},
	{"timer that takes another cancelled", cancelled_other_timer, "....    "},
	{"other harts' answer under it", answer_under_it, "    ...."},
	{"handler tries and posts meanwhile", answer_uses_it, "       ."},
};

struct wait_case {
	const struct wait_row *row;
	enum locktest_kind kind;
};

static void wait_body(const void *arg)
{
	const struct wait_case *c = arg;

	kind_now = c->kind;
	completion_init(&done, locktest_locks[LT_D].class);
	condvar_init(&cond, locktest_locks[LT_D].class);
	c->row->fn();
}

void locktest_wait_rows(void)
{
	locktest_table("waits that are no locks", locktest_kind_names, LT_KINDS);
	for (unsigned r = 0; r < ARRAY_SIZE(rows); r++) {
		locktest_row("%s", rows[r].name);
		for (unsigned k = 0; k < LT_KINDS; k++)
			locktest_cell(rows[r].want[k], wait_body,
				&(struct wait_case){&rows[r], (enum locktest_kind)k});
		locktest_row_end();
	}
}
