/* SPDX-License-Identifier: MIT */
/*
 * What the checker learns of events and mixed locks (kernel/lock/run.h): not from what
 * merely happens while posted work runs. What it must learn: mix_post.c.
 */
#include "kernel/lock/relax.h"
#include "kernel/time/timer.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/mixlock.h"
#include "tests/kernel/wait_util.h"

WAIT_TEST_CLASS(desk_class, "test.pair.desk");
WAIT_TEST_CLASS(bystander_class, "test.pair.bystander");
WAIT_TEST_CLASS(event_class, "test.pair.event");

static struct mixlock desk = MIXLOCK_INIT(&desk_class), bystander = MIXLOCK_INIT(&bystander_class);
static struct mixwork item;
static struct completion event;
static struct timer intruder;
static atomic_u32 intruded;

static void try_and_signal(void)
{
	if (!mixlock_try(&bystander))
		return;
	complete(&event);
	mixlock_unlock(&bystander);
	count_up(&intruded);
}

static void intrude(struct timer *t unused_arg)
{
	try_and_signal();
}

/* Posted work, in a thread: a handler comes, and signals an event under a lock that it tried. */
static void wait_for_intruder(struct mixwork *w unused_arg)
{
	timer_start(&intruder, clock_now_ns());
	while (!seen(&intruded))
		relax();
}

static void try_and_signal_posted(struct mixwork *w unused_arg)
{
	try_and_signal();
}

/* Waiting with the other lock held for what `fn`, posted to desk, caused is no deadlock. */
static void no_pair(void (*fn)(struct mixwork *w), const char *what)
{
	mixwork_init(&item, fn);
	completion_init(&event, &event_class);
	atomic_store_u32(&intruded, 0, relaxed);
	timer_init(&intruder, intrude);
	mixlock_lock(&desk);
	mixlock_post(&desk, &item);
	mixlock_unlock(&desk);
	ktest_require(seen(&intruded) == 1);
	ktest_expect_reports(KIND_ORDER);
	mixlock_lock(&bystander);
	wait_for_completion(&event);
	mixlock_unlock(&bystander);
	ktest_check(ktest_reports_seen() == 0, "a pair was made of %s", what);
}

KTEST(mix, only_posted_work_makes_pairs_and_only_with_its_own_lock)
{
	if (!CONFIG_LOCKCHECK) {
		ktest_skip("no lock checker");
		return;
	}
	no_pair(wait_for_intruder, "a handler that came in posted work");
	no_pair(try_and_signal_posted, "a lock that posted work took");
}
