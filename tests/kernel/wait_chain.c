/* SPDX-License-Identifier: MIT */
/* Circles of waits that are not for locks alone: reported if they are one, and only then. */
#include "kernel/lock/relax.h"
#include "kernel/sched/preempt.h"
#include "kernel/sched/sched.h"
#include "kernel/wait/chain.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/mutex.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/kernel/wait_util.h"

#define ROUNDS 300

/* Rounds in which the signaller has had the mutex, and the waiter has it again. */
static atomic_u32 had, again;

WAIT_TEST_CLASS(chain_mutex_class, "test.chain.mutex");
DEFINE_LOCK_CLASS(chain_done_class, .name = "test.chain.done", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
	.protects = "an event of these tests");

static struct mutex m = MUTEX_INIT(&chain_mutex_class);
static struct completion done = COMPLETION_INIT(&chain_done_class);

/* What lies below mutex_lock: the order checker would know such a pair from the first time on. */
static void take(struct mutex *mutex)
{
	if (!pilock_try_fast(&mutex->pi))
		pilock_lock_slow(&mutex->pi, &WAIT_PLAIN);
}

static void give(struct mutex *mutex)
{
	if (!pilock_unlock_fast(&mutex->pi))
		pilock_unlock_slow(&mutex->pi);
}

/* Completes only after it has had the mutex. */
static void mutex_then_done(void *arg unused_arg)
{
	take(&m);
	give(&m);
	complete(&done);
}

/* The caller has the mutex; the signaller, whom `done` is expected from, waits for it. */
static struct thread *queue_signaller(void)
{
	struct thread *t;

	completion_reset(&done);
	take(&m);
	t = wait_spawn("signaller", mutex_then_done, NULL, 0);
	if (!t) {
		give(&m);
		return NULL;
	}
	ktest_check(wait_until_queued(&m.pi.wq, 1), "the signaller does not queue");
	completion_expect(&done, t);
	return t;
}

/* How often the search came by that branch so far. */
static uint32_t passed(const char *name)
{
	lock_point_for_each(p) if (strcmp(p->name, name) == 0) return atomic_load_u32(
		&p->count, relaxed);
	ktest_check(!CONFIG_LOCKPOINTS, "there is no point %s", name);
	return 0;
}

KTEST(chain, waiting_for_one_that_waits_for_the_waiter_is_reported)
{
	static const char *const branches[] = {
		"chain_dead_end", "chain_goes_on", "chain_closed", "chain_confirmed"};
	uint32_t before[ARRAY_SIZE(branches)];
	struct thread *t;
	int rc;

	for (unsigned i = 0; i < ARRAY_SIZE(branches); i++)
		before[i] = passed(branches[i]);
	t = queue_signaller();
	ktest_require(t);
	ktest_expect_reports(KIND_DEADLOCK);
	rc = wait_for_completion_intr(&done);
	ktest_check(ktest_reports_seen() == 1 && rc == -EDEADLK, "%d", rc);
	for (unsigned i = 0; i < ARRAY_SIZE(branches); i++)
		ktest_check(!CONFIG_LOCKPOINTS || passed(branches[i]) != before[i], "%s not passed",
			branches[i]);
	give(&m);
	wait_for_completion(&done);
	thread_join(t, NULL);
}

/* Owns the mutex, and waits for what its waiter is to signal, once all is prepared. */
static void owner_waits(void *arg unused_arg)
{
	take(&m);
	count_up(&had);
	while (!seen(&again))
		sched_sleep_ns(NS_PER_MS);
	wait_for_completion(&done);
	give(&m);
}

static bool find(struct chain *c)
{
	bool found;

	preempt_disable();
	found = chain_find(c);
	preempt_enable();
	return found;
}

static bool holds(const struct chain *c)
{
	bool still;

	preempt_disable();
	still = chain_holds(c);
	preempt_enable();
	return still;
}

/* All that a search passes, and how often it did. */
static const char *const branches[] = {
	"chain_goes_on", "chain_dead_end", "chain_closed", "chain_confirmed", "chain_moved_on"};
#define BRANCHES ARRAY_SIZE(branches)
struct branches {
	uint32_t n[BRANCHES];
};

static void look_at_branches(struct branches *b)
{
	for (unsigned i = 0; i < BRANCHES; i++)
		b->n[i] = CONFIG_LOCKPOINTS ? ktest_point(branches[i]) : 0;
}

KTEST(chain, a_circle_is_found_by_who_is_not_in_it)
{
	struct thread *owner, *signaller;
	static struct chain c, circle; /* large */
	struct branches before, after;

	look_at_branches(&before);
	ktest_check(!find(&c), "a circle of %u that is none", c.nr);
	atomic_store_u32(&had, 0, relaxed);
	atomic_store_u32(&again, 0, relaxed);
	completion_reset(&done);
	owner = wait_spawn("owner", owner_waits, NULL, 0);
	ktest_require(owner);
	ktest_check(ktest_eventually(seen(&had)), "the owner does not come to its lock");
	signaller = wait_spawn("signaller", mutex_then_done, NULL, 0);
	ktest_check(signaller && wait_until_queued(&m.pi.wq, 1), "the signaller does not queue");
	completion_expect(&done, signaller);
	ktest_check(!find(&c), "a circle of %u while the owner runs", c.nr);
	ktest_expect_reports(KIND_DEADLOCK);
	count_up(&again);
	if (signaller) {
		ktest_check(ktest_eventually(find(&c)), "no circle is found");
		ktest_check(c.closed && c.nr == 2 && c.m[0].thread != c.m[1].thread);
		for (unsigned i = 0; i < 2; i++)
			ktest_check(
				c.m[i].thread == &owner->lock || c.m[i].thread == &signaller->lock);
		ktest_check(ktest_eventually(holds(&c)), "it is none on another look");
		circle = c;
	}
	/* Whoever it was expected from: anybody may complete it. */
	complete(&done);
	thread_join(owner, NULL);
	if (signaller)
		thread_join(signaller, NULL);
	/* The owner's own, unless it was woken before it looked. */
	ktest_check(ktest_reports_seen() <= 1);
	ktest_check(!find(&c), "a circle of %u that is over", c.nr);
	if (!signaller || ktest_failed())
		return;
	c = circle;
	ktest_check(!holds(&c), "it is one when all are gone");
	look_at_branches(&after);
	for (unsigned i = 0; i < BRANCHES; i++)
		ktest_check(!CONFIG_LOCKPOINTS || before.n[i] != after.n[i], "%s was not passed",
			branches[i]);
}

KTEST(chain, a_wait_with_a_deadline_closes_no_circle)
{
	struct thread *t = queue_signaller();
	int rc;

	ktest_require(t);
	ktest_expect_reports(KIND_DEADLOCK);
	rc = wait_for_completion_timeout(&done, clock_now_ns() + 5 * NS_PER_MS);
	ktest_check(rc == -ETIMEDOUT, "%d", rc);
	rc = thread_join_timeout(t, NULL, clock_now_ns() + 5 * NS_PER_MS);
	ktest_check(rc == -ETIMEDOUT, "%d", rc);
	ktest_check(ktest_reports_seen() == 0);
	give(&m);
	thread_join(t, NULL);
}

/* Completes first: who waited for that is awake, or will be, and gives the mutex up. */
static void done_then_mutex(void *arg unused_arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		complete(&done);
		take(&m);
		give(&m);
		count_up(&had);
		while (seen(&again) <= i)
			relax();
	}
}

KTEST(chain, who_was_woken_is_in_no_circle)
{
	struct thread *t;

	completion_reset(&done);
	atomic_store_u32(&had, 0, relaxed);
	atomic_store_u32(&again, 0, relaxed);
	ktest_expect_reports(KIND_DEADLOCK);
	take(&m);
	t = wait_spawn("signaller", done_then_mutex, NULL, 0);
	if (!t) {
		give(&m);
		(void)ktest_reports_seen();
		return;
	}
	completion_expect(&done, t);
	for (unsigned i = 0; i < ROUNDS; i++) {
		wait_for_completion(&done);
		give(&m);
		ktest_check(ktest_eventually(seen(&had) > i));
		take(&m);
		count_up(&again);
	}
	give(&m);
	thread_join(t, NULL);
	ktest_check(ktest_reports_seen() == 0);
}
