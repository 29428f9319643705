/* SPDX-License-Identifier: MIT */
/* What idle has seen when it falls asleep, and what comes between the look and the sleep. */
#include "kernel/hart/call.h"
#include "kernel/hart/leave.h"
#include "kernel/lock/race.h"
#include "kernel/lock/relax.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "tests/kernel/ktest.h"
#include "tests/kernel/on_hart.h"

#define SLEEPS 5
#define ROUNDS_MAX 100
#define HARTS_MAX 4
#define PROD_LOOKS 64

static struct {
	struct hart_meta *hart;
	struct thread *sleeper;
	struct hart_call call;
	atomic_ptr armed; /* hart, while the sleeper waits for its wake-up */
	atomic_bool woken, over;
	uint64_t irqs; /* that the hart had taken as the call was posted */
} late;

static uint64_t irqs_of(const struct hart_meta *h)
{
	uint64_t sum = 0;

	for (unsigned kind = 0; kind < ARRAY_SIZE(h->stats.irqs); kind++)
		sum += racy_read(h->stats.irqs[kind], "one more may come: the test tries again");
	return sum;
}

static void wake_sleeper(void *arg unused_arg)
{
	atomic_store_bool(&late.woken, true, relaxed);
	sched_wake(late.sleeper);
}

/* Idle has looked, and is about to sleep: what wakes the sleeper arrives right now. */
static bool wake_late(struct hart_meta *h)
{
	if (hart_leave_if_asked(h))
		return true;
	/* Acquire: the fields. Partner: sleep_once. */
	if (atomic_load_ptr(&late.armed, acquire) != h)
		return false;
	atomic_store_ptr(&late.armed, NULL, relaxed);
	late.irqs = irqs_of(h);
	ktest_check(!arch_irq_enabled() && hart_call_post(h, &late.call) == 0);
	/* It may be on its way through the firmware. */
	while (!arch_ipi_pending())
		relax();
	return false;
}

/* Sleeps until it is woken like that; how many interrupts that took. On late.hart. */
static uint64_t sleep_once(void)
{
	atomic_store_bool(&late.woken, false, relaxed);
	hart_call_init(&late.call, wake_sleeper, NULL);
	/* Release: all of it. Partner: wake_late. */
	atomic_store_ptr(&late.armed, late.hart, release);
	for (;;) {
		sched_prepare_sleep(THREAD_SLEEPING);
		if (atomic_load_bool(&late.woken, relaxed))
			break;
		schedule();
	}
	sched_cancel_sleep();
	while (!hart_call_done(&late.call))
		relax();
	return irqs_of(late.hart) - late.irqs;
}

/* The one interrupt is enough. More may have come beside it: then that shows nothing. A hart that
 * slept on would need another one each time. */
static void sleep_often(void *arg)
{
	unsigned at_once = 0, rounds = 0;

	late.hart = arg;
	late.sleeper = current_thread();
	for (; at_once < SLEEPS && rounds < ROUNDS_MAX; rounds++)
		at_once += sleep_once() == 1;
	ktest_check(at_once == SLEEPS, "hart %u: %u of %u sleeps ended by their interrupt",
		late.hart->index, at_once, rounds);
	atomic_store_bool(&late.over, true, release);
}

/* Now and then it is prodded, so that one that sleeps on comes to the end of the test as well. */
static bool is_over(const struct hart_meta *h, unsigned looks)
{
	if (looks % PROD_LOOKS == 0)
		arch_ipi_send_hart(h->hartid);
	return atomic_load_bool(&late.over, acquire);
}

static void sleep_on(struct hart_meta *h)
{
	struct thread *t;
	unsigned looks = 0;

	atomic_store_bool(&late.over, false, relaxed);
	t = spawn_on(h->index, "sleeper", sleep_often, h);
	ktest_require(t);
	ktest_check(ktest_eventually(is_over(h, ++looks)));
	thread_join(t, NULL);
}

KTEST(sched, an_interrupt_between_the_look_of_idle_and_its_sleep_ends_that)
{
	unsigned n = MIN(online_count(), (unsigned)HARTS_MAX);
	sched_idle_fn *before = sched_set_idle_hook(wake_late);

	ktest_check(before == hart_leave_if_asked);
	for (unsigned i = 0; i < n && !ktest_failed(); i++)
		sleep_on(online_hart(i));
	sched_set_idle_hook(before);
}
