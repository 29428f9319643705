/* SPDX-License-Identifier: MIT */
/* A thread looks, then sleeps; another one makes it true, then wakes: in between it gets lost. */
#include "kernel/sched/sched.h"
#include "kernel/wait/waitq.h"
#include "tests/hunt/hunt.h"

DEFINE_LOCK_CLASS(wakeup_class, .name = "wakeup", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
	.protects = "who waits for it");

static struct waitq wq = WAITQ_INIT(&wakeup_class);
static atomic_bool there;
static struct thread *sleeper;

static void begin(void)
{
	atomic_store_bool(&there, false, relaxed);
	sleeper = NULL;
}

static void look_then_sleep(void)
{
	sleeper = current_thread();
	/* Acquire; partner: the release in wake. */
	while (!atomic_load_bool(&there, acquire)) {
		hunt_step("looked: it is not there");
		/* Too late: what came true since the look has woken nobody. */
		sched_prepare_sleep(THREAD_SLEEPING);
		schedule();
		hunt_step("slept");
	}
}

static void wake(void)
{
	hunt_step("is about to make it true");
	atomic_store_bool(&there, true, release);
	hunt_step("made it true");
	if (sleeper)
		sched_wake(sleeper);
	hunt_step("woke the other one");
}

static void lossy(unsigned me)
{
	if (me)
		wake();
	else
		look_then_sleep();
}

static void whole(unsigned me)
{
	if (!me) {
		wait_event(&wq, atomic_load_bool(&there, acquire));
		return;
	}
	hunt_step("is about to make it true");
	atomic_store_bool(&there, true, release);
	hunt_step("made it true");
	waitq_wake_all(&wq);
}

HUNT_PROGRAM(wakeup, .help = "a wake-up between the look and the sleep", .threads = 2, .rounds = 40,
	.begin = begin, .thread = lossy, .fails = "deadlock", .within = 200);
HUNT_PROGRAM(wakeup_fixed, .help = "the same with a wait queue", .threads = 2, .rounds = 12,
	.begin = begin, .thread = whole);
