/* SPDX-License-Identifier: MIT */
/*
 * A hart without work, and a hart's coming and going as far as threads are concerned.
 *
 * The idle thread runs on the hart's boot stack and frame row, is in no queue, and is never
 * preempted from a trap. Each round, with SIE off: is there something to do? Then switch. Otherwise
 * sleep (wfi), then open SIE: an interrupt that arrives between the look and the wfi is pending,
 * and ends the wfi at once; its handler runs when SIE opens, and the next round sees what it did.
 *
 * Who puts a thread on an idle hart: enqueues under the queue's lock, then sends an IPI. If the
 * look came before the enqueueing, the IPI is still to come.
 */
#include "kernel/lock/check.h"
#include "kernel/sched/internal.h"
#include "kernel/time/timer.h"
#include "lib/assert.h"
#include "lib/errno.h"

#define DRAIN_POLL_NS NS_PER_MS

static atomic_ptr idle_hook; /* sched_idle_fn: changed while harts idle */

sched_idle_fn *sched_set_idle_hook(sched_idle_fn *fn)
{
	/* Relaxed, and the load as well: it is code, which was there before any hart. */
	return atomic_xchg_ptr(&idle_hook, fn, relaxed);
}

void sched_init_hart(struct hart_meta *h)
{
	struct thread *idle = h->idle;

	runq_init(h->runq, h->index, idle, ns_to_ticks(SLICE_NS));
	atomic_store_ptr(&idle->rq, h->runq, relaxed);
	/* The boot hart takes threads from now on, the others when they idle for the first time. */
	if (h == this_hart_unstable())
		sched_hart_accept(h);
}

void sched_hart_accept(struct hart_meta *h)
{
	struct runq *rq = h->runq;
	bool drained;
	unsigned hart;

	irqlock_acquire(&rq->lock);
	rq->accepting = true;
	drained = rq->drained;
	rq->drained = false;
	hart_mask_atomic_set(&sched_accepting, h->index);
	irqlock_release(&rq->lock);
	if (!drained)
		return;
	/* Threads that are bound to it and run elsewhere for want of it come back: at this
	 * decision, or those that wait now when they get their turn (look_at_next). */
	for_each_hart_in_mask(hart, &sched_accepting)
		hart_resched(harts[hart]);
}

bool sched_hart_accepts(const struct hart_meta *h)
{
	return hart_mask_test(&sched_accepting, h->index);
}

/* A hart that stopped accepting was told of threads that it cannot take: others look now. */
static void pass_offers_on(void)
{
	unsigned hart;

	for_each_hart_in_mask(hart, &sched_idle)
		hart_resched(harts[hart]);
}

static bool refuse(struct runq *rq)
{
	bool only;

	irqlock_acquire(&rq->lock);
	only = rq->accepting && hart_mask_weight(&sched_accepting) == 1;
	if (!only) {
		rq->accepting = false;
		rq->drained = true;
		rq->check |= CHECK_ALL;
		hart_mask_atomic_clear(&sched_accepting, rq->hart);
		hart_mask_atomic_clear(&sched_idle, rq->hart);
	}
	irqlock_release(&rq->lock);
	return !only;
}

/* Moves one queued thread away; false if there is none. Interrupts stay off while it is in transit,
 * and the lock ends in the middle: unchecked. */
static bool evict(struct runq *rq) UNCHECKED_LOCKING
{
	struct thread *t;

	irqlock_acquire(&rq->lock);
	t = runq_first(rq);
	if (!t) {
		irqlock_release(&rq->lock);
		return false;
	}
	runq_remove(rq, t);
	irq_off();
	irqlock_release(&rq->lock);
	sched_place(t, sched_choose(t, rq->hart), PLACE_MOVED);
	irq_on();
	sched_check_preempt();
	return true;
}

/* Whether its idle thread has it. Under the lock, which is held over switches: what ran there last
 * has left its stack. */
static bool is_idle(struct runq *rq)
{
	bool idle;

	irqlock_acquire(&rq->lock);
	idle = rq->curr == rq->idle && !rq->nr_queued;
	irqlock_release(&rq->lock);
	return idle;
}

int sched_hart_drain(struct hart_meta *h)
{
	struct runq *rq = h->runq;

	might_sleep();
	if (!refuse(rq))
		return -EBUSY;
	for (;;) {
		while (evict(rq))
			;
		/* Threads may not come any more, only go. */
		if (is_idle(rq)) {
			pass_offers_on();
			return 0;
		}
		hart_resched(h);
		sched_sleep_ns(DRAIN_POLL_NS);
	}
}

/* Its time before it came up is nobody's, and a tick from a life before a stop is not armed. */
static void begin_to_count(struct runq *rq)
{
	irqlock_acquire(&rq->lock);
	rq->curr->ran_since = arch_time();
	rq->tick = 0;
	timer_set_tick(UINT64_MAX);
	irqlock_release(&rq->lock);
}

/* A hart that comes, or comes back. SIE off. */
static void begin_to_run(struct hart_meta *h)
{
	begin_to_count(h->runq);
	sched_hart_accept(h);
	if (!h->sched_at)
		h->sched_at = arch_time();
}

/* Nothing to do as far as this hart knows. SIE off. */
static void sleep_until_interrupt(struct hart_meta *h, struct runq *rq) UNCHECKED_LOCKING
{
	sched_idle_fn *hook = atomic_load_ptr(&idle_hook, relaxed);

	check_idle();
	/* Plain: only its own hart, with SIE off, changes it; hence unchecked. */
	if (rq->tick) {
		rq->tick = 0;
		timer_set_tick(UINT64_MAX);
	}
	if (hook && hook(h)) {
		begin_to_run(h);
		return;
	}
	/* Odd: no read section here until the second step. Orders and partner: qs.c. */
	atomic_add_ulong(&rq->quiescent, 1, acq_rel);
	LOCK_HOOK(idle, true);
	arch_idle_wait();
	LOCK_HOOK(idle, false);
	atomic_add_ulong(&rq->quiescent, 1, acq_rel);
}

/* SIE off. */
static void idle_round(struct hart_meta *h, struct runq *rq)
{
	/* Relaxed: a thread that is queued later is announced by an IPI, pending then. */
	if (h->lock.need_resched || atomic_load_u32(&rq->load, relaxed)) {
		reschedule_idle();
		return;
	}
	if (hart_mask_test(&sched_accepting, h->index)) {
		/* Before the look at sched_queued. Partner: sched_offer. */
		hart_mask_atomic_set(&sched_idle, h->index);
		/* A refusal that cleared the bit before it was set is seen here: both are AMOs.
		 * Whoever claimed it meanwhile has told the wrong hart. */
		if (!hart_mask_test(&sched_accepting, h->index)) {
			if (!hart_mask_atomic_clear(&sched_idle, h->index))
				pass_offers_on();
		} else if (sched_steal(rq)) {
			return;
		}
	}
	sleep_until_interrupt(h, rq);
}

noreturn void sched_idle_loop(void)
{
	struct hart_meta *h = this_hart_unstable(); /* an idle thread stays where it is */

	assert(current_thread() == h->idle);
	begin_to_run(h);
	for (;;) {
		arch_irq_disable();
		idle_round(h, h->runq);
		arch_irq_enable();
	}
}
