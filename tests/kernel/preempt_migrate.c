/* SPDX-License-Identifier: MIT */
/*
 * Preemption inside interrupt handling: a thread that is interrupted on one hart and goes on from
 * there on another must find itself on that other one: tp is the hart's, not the thread's.
 */
#include "kernel/hart/call.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/errno.h"
#include "tests/kernel/sched_util.h"

#define MIGRATIONS 10000
#define TIMER_EVERY 16
#define DELAY_NS (20 * NS_PER_US)

/*
 * A handler sends the thread that it interrupted to the next hart. Most of the interrupts are the
 * hart's own software interrupt, which is quick; every TIMER_EVERY-th one is a timer's, which comes
 * anywhere.
 */
struct chaser {
	struct timer timer;
	struct hart_call call;
	struct thread *victim;
	atomic_u32 sent; /* times it was sent away out of a handler */
};

static void send_away(struct chaser *c)
{
	struct hart_mask mask;
	unsigned next;

	if (current_thread() != c->victim)
		return;
	next = hart_mask_next(&harts_online, here());
	if (next >= CONFIG_MAX_HARTS)
		next = hart_mask_first(&harts_online);
	mask = only_hart(next);
	sched_set_affinity(c->victim, &mask);
	atomic_add_u32(&c->sent, 1, relaxed);
}

static void send_by_timer(struct timer *timer)
{
	send_away(container_of(timer, struct chaser, timer));
}

static void send_by_call(void *arg)
{
	send_away(arg);
}

/* The next interrupt. A handler that missed the victim, because it was moving, is followed by
 * another. */
static void ask_for_interrupt(struct chaser *c, uint32_t sent)
{
	preempt_disable();
	if (sent % TIMER_EVERY == 0)
		timer_start(&c->timer, clock_now_ns() + DELAY_NS);
	else if (hart_call_done(&c->call))
		hart_call_post(this_hart(), &c->call);
	preempt_enable();
}

/* tp names the hart that runs this: its record says who runs there. */
static bool tp_is_right(const struct thread *self)
{
	struct hart_meta *h;
	bool right;

	preempt_disable();
	h = this_hart_unstable();
	right = h == harts[h->index] && (struct thread *)h->lock.thread == self &&
		hart_mask_test(&harts_online, h->index) && sched_hart_of(self) == h->index;
	preempt_enable();
	return right;
}

static void victim_body(void *arg)
{
	struct chaser *c = arg;
	struct thread *self = current_thread();
	uint32_t sent;

	while ((sent = atomic_load_u32(&c->sent, relaxed)) < MIGRATIONS) {
		ask_for_interrupt(c, sent);
		/* Busy with looks at tp, so that the interrupt hits one of them. */
		for (unsigned n = 0; n < 5000 && atomic_load_u32(&c->sent, relaxed) == sent; n++) {
			if (!tp_is_right(self) || current_thread() != self) {
				ktest_fail(__FILE__, __LINE__, "after %u migrations tp is wrong",
					(unsigned)sent);
				return;
			}
		}
	}
}

KTEST(preempt, thread_resumes_with_the_tp_of_its_new_hart)
{
	static struct chaser c;

	if (ktest_harts() < 2) {
		ktest_skip("needs two harts");
		return;
	}
	atomic_store_u32(&c.sent, 0, relaxed);
	timer_init(&c.timer, send_by_timer);
	hart_call_init(&c.call, send_by_call, &c);
	c.victim = thread_create("victim", victim_body, &c);
	ktest_require(c.victim);
	thread_run(c.victim);
	thread_join(c.victim, NULL);
	timer_cancel_sync(&c.timer);
	ktest_check(ktest_eventually(hart_call_done(&c.call)));
	ktest_check(atomic_load_u32(&c.sent, relaxed) >= MIGRATIONS, "%u migrations",
		(unsigned)atomic_load_u32(&c.sent, relaxed));
}

/* ---- Preemption off ------------------------------------------------------------------------ */

static struct {
	struct timer timer;
	struct thread *better;
	atomic_bool woken, ran, ready;
} off;

static void wake_better(struct timer *timer)
{
	(void)timer;
	sched_wake(off.better);
	atomic_store_bool(&off.woken, true, relaxed);
}

static void better_body(void *arg)
{
	(void)arg;
	sched_prepare_sleep(THREAD_SLEEPING);
	while (!atomic_load_bool(&off.ready, relaxed)) {
		schedule();
		sched_prepare_sleep(THREAD_SLEEPING);
	}
	sched_cancel_sleep();
	atomic_store_bool(&off.ran, true, relaxed);
}

KTEST(preempt, off_means_off_and_on_means_at_once)
{
	unsigned hart = here();

	pin_to(hart);
	for (unsigned i = 0; i < 50; i++) {
		atomic_store_bool(&off.woken, false, relaxed);
		atomic_store_bool(&off.ran, false, relaxed);
		atomic_store_bool(&off.ready, false, relaxed);
		timer_init(&off.timer, wake_better);
		off.better = create_on(hart, "better", better_body, NULL);
		ktest_require(off.better);
		sched_set_priority(off.better, SCHED_FIFO, 20);
		thread_run(off.better); /* runs at once, and sleeps */
		preempt_disable();
		atomic_store_bool(&off.ready, true, relaxed);
		timer_start(&off.timer, clock_now_ns());
		while (!atomic_load_bool(&off.woken, relaxed))
			arch_pause();
		ktest_check(!atomic_load_bool(&off.ran, relaxed), "preempted with preemption off");
		preempt_enable();
		ktest_check(atomic_load_bool(&off.ran, relaxed), "not preempted when it came on");
		thread_join(off.better, NULL);
	}
	timer_cancel_sync(&off.timer);
}

KTEST(preempt, wake_up_with_interrupts_off_preempts_when_they_open)
{
	unsigned hart = here();

	pin_to(hart);
	for (unsigned i = 0; i < 50; i++) {
		atomic_store_bool(&off.ran, false, relaxed);
		atomic_store_bool(&off.ready, false, relaxed);
		off.better = create_on(hart, "better", better_body, NULL);
		ktest_require(off.better);
		sched_set_priority(off.better, SCHED_FIFO, 20);
		thread_run(off.better);
		irq_off();
		atomic_store_bool(&off.ready, true, relaxed);
		sched_wake(off.better);
		ktest_check(!atomic_load_bool(&off.ran, relaxed));
		irq_on();
		/* A hart may go on for a little before it takes a pending interrupt. */
		for (unsigned n = 0; n < 100000 && !atomic_load_bool(&off.ran, relaxed); n++)
			arch_pause();
		ktest_check(atomic_load_bool(&off.ran, relaxed), "not preempted when SIE opened");
		thread_join(off.better, NULL);
	}
}
