/* SPDX-License-Identifier: MIT */
/*
 * Self-test matrix: wait contexts. What may be called where: each outer context, entered for real,
 * against each thing to do in it. Every lock is free and nothing would sleep this time; the report
 * comes all the same.
 *
 * The classes allow threads and handlers and are rank-unordered: what is wrong is the context
 * alone.
 */
#include "tests/kernel/locktest.h"

#include "kernel/hart/call.h"
#include "kernel/lock/relax.h"
#include "kernel/lock/seqlock.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/time/timer.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/semaphore.h"
#include "lib/assert.h"

DEFINE_LOCK_CLASS(context_class, .name = "locktest.context", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000000,
	.protects = "nothing: a context of the self-test matrix, and what waits in it");

/* ---- What is done in a context -------------------------------------------------------------- */

static struct semaphore sem; /* Protects nothing. */
static struct completion done;
static struct waitq queue = WAITQ_INIT(&context_class);

/* Lock B, of the kind given. */
static void take(enum locktest_kind kind)
{
	struct locktest_lock *b = &locktest_locks[LT_B];

	locktest_acquire(b, kind);
	if (locktest_held(b, kind))
		locktest_release(b, kind);
}

static void take_irqlock(void)
{
	take(LT_IRQLOCK);
}

static void take_read(void)
{
	take(LT_PLAIN_READ);
}

static void take_mixlock(void)
{
	take(LT_MIXLOCK);
}

static void take_mutex(void)
{
	take(LT_MUTEX);
}

static void take_rwmutex(void)
{
	take(LT_SLEEP_READ);
}

static void may_it_sleep(void)
{
	(void)might_sleep();
}

static void try_mixlock(void)
{
	struct locktest_lock *b = &locktest_locks[LT_B];

	if (locktest_try(b, LT_MIXLOCK))
		locktest_release(b, LT_MIXLOCK);
}

static void try_mutex(void)
{
	struct locktest_lock *b = &locktest_locks[LT_B];

	if (locktest_try(b, LT_MUTEX))
		locktest_release(b, LT_MUTEX);
}

struct inner {
	const char *name;
	void (*fn)(void);
};

static const struct inner inner_locks[] = {
	{"irqlock", take_irqlock},
	{"mixlock", take_mixlock},
	{"mutex", take_mutex},
	{"might-sleep", may_it_sleep},
	{"irqrw q", take_read},
	{"rwmutex R", take_rwmutex},
	{"try mixlock", try_mixlock},
	{"try mutex", try_mutex},
};

static void down(void)
{
	semaphore_down(&sem);
}

static void wait_done(void)
{
	wait_for_completion(&done);
}

static void wait_true(void)
{
	wait_event(&queue, true);
}

static void sleep_no_time(void)
{
	sched_sleep_until(0, false);
}

static void join_self(void)
{
	thread_join(current_thread(), NULL);
}

/* Unchecked, here and below: refused where it is wrong. */
static void take_timed(void) UNCHECKED_LOCKING
{
	if (locktest_timed(&locktest_locks[LT_B], LT_MUTEX))
		locktest_release(&locktest_locks[LT_B], LT_MUTEX);
}

static void take_intr(void) UNCHECKED_LOCKING
{
	if (!mutex_lock_intr(&locktest_locks[LT_B].mutex))
		mutex_unlock(&locktest_locks[LT_B].mutex);
}

static struct work never_queued;

static void flush(void)
{
	work_flush(&never_queued);
}

static void nothing(unused_arg void *arg)
{
}

/* Where it is refused, this may be the hart of a moment ago: nobody is called. */
static void call_hart(void)
{
	hart_call(this_hart_unstable(), nothing, NULL);
}

static void call_harts(void)
{
	hart_call_mask(&harts_online, nothing, NULL);
}

static const struct inner inner_waits[] = {
	{"semaphore", down},
	{"completion", wait_done},
	{"event", wait_true},
	{"sleep", sleep_no_time},
	{"join", join_self},
	{"mutex timed", take_timed},
	{"mutex intr", take_intr},
	{"flush", flush},
	{"hart call", call_hart},
	{"harts called", call_harts},
};

/* ---- Where it is done ----------------------------------------------------------------------- */

static void in_thread(void (*fn)(void))
{
	fn();
}

static void call_it(void *fn)
{
	(*(void (**)(void))fn)();
}

/* Handlers interrupt this very thread: nobody else's waits are touched by what fn does. */
static void in_call(void (*fn)(void))
{
	preempt_disable();
	hart_call(this_hart(), call_it, &fn);
	preempt_enable();
}

static struct {
	struct timer timer;
	void (*fn)(void);
	atomic_bool fired;
} tick;

static void tick_fired(unused_arg struct timer *t)
{
	tick.fn();
	/* Release; partner: in_timer. */
	atomic_store_bool(&tick.fired, true, release);
}

static void in_timer(void (*fn)(void))
{
	timer_init(&tick.timer, tick_fired);
	tick.fn = fn;
	atomic_store_bool(&tick.fired, false, relaxed);
	preempt_disable();
	timer_start(&tick.timer, 0);
	while (!atomic_load_bool(&tick.fired, acquire))
		relax();
	preempt_enable();
	timer_cancel_sync(&tick.timer);
}

static struct {
	struct mixwork work;
	void (*fn)(void);
} post;

static void posted(unused_arg struct mixwork *w)
{
	post.fn();
}

static void in_posted(void (*fn)(void))
{
	mixwork_init(&post.work, posted);
	post.fn = fn;
	if (!mixlock_post(&locktest_locks[LT_A].mixlock, &post.work))
		locktest_broken("no post");
}

static void with_irqs_off(void (*fn)(void))
{
	irq_off();
	fn();
	irq_on();
}

static void with_preemption_off(void (*fn)(void))
{
	preempt_disable();
	fn();
	preempt_enable();
}

DEFINE_LOCK_CLASS(seq_class, .name = "locktest.seq", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000000,
	.protects = "nothing: a context of the self-test matrix");
static struct seqlock seq = SEQLOCK_INIT(&seq_class); /* Protects nothing. */

/* Unchecked: fn does what it must not. */
static void writing_seq(void (*fn)(void)) UNCHECKED_LOCKING
{
	seqlock_write_begin(&seq);
	fn();
	seqlock_write_end(&seq);
}

static void holding(void (*fn)(void), enum locktest_kind kind)
{
	locktest_acquire(&locktest_locks[LT_A], kind);
	fn();
	locktest_release(&locktest_locks[LT_A], kind);
}

static void holding_irqlock(void (*fn)(void))
{
	holding(fn, LT_IRQLOCK);
}

static void holding_read(void (*fn)(void))
{
	holding(fn, LT_PLAIN_READ);
}

static void holding_mixlock(void (*fn)(void))
{
	holding(fn, LT_MIXLOCK);
}

static void holding_mutex(void (*fn)(void))
{
	holding(fn, LT_MUTEX);
}

static void holding_rwmutex(void (*fn)(void))
{
	holding(fn, LT_SLEEP_READ);
}

/* `locks` against inner_locks, `waits` against inner_waits. */
static const struct outer {
	const char *name;
	void (*enter)(void (*fn)(void));
	const char *locks, *waits;
} outers[] = {
	{"plain thread", in_thread, "........", ".........."},
	{"interrupt handler", in_timer, ".CCC.C.C", "CCCCCCCCCC"},
	{"IPI handler", in_call, ".CCC.C.C", "CCCCCCCCCC"},
	{"posted work", in_posted, ".CCC.C.C", "CCCCCCCCCC"},
	{"interrupts off", with_irqs_off, ".CCC.C..", "CCCCCCCCCC"},
	{"irqlock", holding_irqlock, ".CCC.C..", "CCCCCCCCCC"},
	{"irqrwlock reader", holding_read, ".CCC.C..", "CCCCCCCCCC"},
	{"seqlock writer", writing_seq, ".CCC.C..", "CCCCCCCCCC"},
	{"preemption off", with_preemption_off, ".CCC.C..", "CCCCCCCC.."},
	{"mixlock", holding_mixlock, "........", ".........."},
	{"mutex", holding_mutex, "........", ".........."},
	{"rwmutex reader", holding_rwmutex, "........", ".........."},
};

struct context_case {
	const struct outer *outer;
	const struct inner *inner;
};

static void context_body(const void *arg)
{
	const struct context_case *c = arg;

	/* Waits that are over, so that nobody has to end them. */
	semaphore_init(&sem, &context_class, 1);
	completion_init(&done, &context_class);
	complete(&done);
	c->outer->enter(c->inner->fn);
}

#define COLUMNS_MAX 10

static void table(const char *title, const struct inner *inner, unsigned n, bool waits)
{
	const char *columns[COLUMNS_MAX];

	assert(n <= COLUMNS_MAX);
	for (unsigned i = 0; i < n; i++)
		columns[i] = inner[i].name;
	locktest_table(title, columns, n);
	for (unsigned o = 0; o < ARRAY_SIZE(outers); o++) {
		const char *want = waits ? outers[o].waits : outers[o].locks;

		locktest_row("in %s", outers[o].name);
		for (unsigned i = 0; i < n; i++)
			locktest_cell(want[i], context_body,
				&(struct context_case){&outers[o], &inner[i]});
		locktest_row_end();
	}
}

void locktest_context_rows(void)
{
	table("wait contexts: locks", inner_locks, ARRAY_SIZE(inner_locks), false);
	table("wait contexts: waits", inner_waits, ARRAY_SIZE(inner_waits), true);
}
