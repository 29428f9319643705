/* SPDX-License-Identifier: MIT */
/*
 * Switching threads.
 *
 * The run queue's lock is held over the switch: reschedule() acquires it in the thread that is left
 * and sched_finish_switch() releases it in the one that goes on. Held locks are the hart's, the interrupt
 * state before the lock is the thread's, so each finds its own. That one lock makes the switch a single
 * step for everybody else: whoever wants to wake, steal or move the thread that is being left needs
 * the lock of its queue, which is this one, and gets it only after the hart has left its frame and stack.
 *
 * Two ways to leave need more, for they publish the thread outside of this queue: it may not run here
 * any longer (LEAVE_MOVE), it is dead (LEAVE_DEAD). They are noted in rq->leaving, and acted upon by
 * sched_finish_switch with SIE still off, so that the thread that goes on cannot be preempted in
 * between and leave the other one in the air.
 *
 * At the switch (asserted): the lock is held, the irq depth is 1, SIE is off, and the thread that is left
 * is READY or asleep, unless it is left for ever.
 *
 * need_resched is the hart's, set with SIE off by wake-ups, ticks and IPIs on it, cleared here. Who sets
 * it sees to it that somebody looks: a handler's exit (interrupt_exit), the end of the outermost
 * preemption-off section (preempt_enable), or the hart's own software interrupt, which comes as soon
 * as interrupts open.
 *
 * Tickless: a tick is armed only while the thread that runs shares its hart by slices (an equal of it
 * is queued). It ends the slice; it is not moved at each switch, so it may come early, finds time left
 * and comes again.
 */
#include "kernel/irq/irq.h"
#include "kernel/panic.h"
#include "kernel/sched/internal.h"
#include "kernel/time/timer.h"
#include "lib/assert.h"

/* One look at another hart's load per so many ticks. */
#define TICKS_PER_BALANCE 4
/* A thread with less of its slice left gets a new one when it is switched to. */
#define SLICE_REST_NS (SLICE_NS / 16)

static void (*left_hook)(struct thread *t);

void sched_set_left_hook(void (*left)(struct thread *t))
{
	left_hook = left;
}

/* Returns a lock that clang cannot name, hence unchecked; so below. */
struct runq *thread_runq_lock(struct thread *t) UNCHECKED_LOCKING
{
	for (;;) {
		struct runq *rq = thread_runq(t);

		irqlock_acquire(&rq->lock);
		if (likely(rq == thread_runq(t)))
			return rq;
		irqlock_release(&rq->lock);
	}
}

static struct runq *runq_lock_this(void) UNCHECKED_LOCKING
{
	for (;;) {
		struct runq *rq = this_runq();

		irqlock_acquire(&rq->lock);
		/* A preemption before the lock may have moved this thread. */
		if (likely(rq == this_runq()))
			return rq;
		irqlock_release(&rq->lock);
	}
}

void sched_arm_tick(struct runq *rq, uint64_t now_ns)
{
	uint64_t end = now_ns + rq->curr->slice_ns;

	if (!runq_wants_tick(rq) || (rq->tick_ns && rq->tick_ns <= end))
		return;
	rq->tick_ns = end;
	timer_set_tick(end);
}

void sched_show_rt(struct runq *rq)
{
	bool rt = runq_is_rt(rq->curr);

	if (likely(rt == rq->rt_shown))
		return;
	rq->rt_shown = rt;
	if (rt)
		hart_mask_atomic_set(&sched_running_rt, rq->hart);
	else
		hart_mask_atomic_clear(&sched_running_rt, rq->hart);
}

/* prev goes on being ready, behind `best`, which takes the hart. */
static void requeue(struct runq *rq, struct thread *prev, struct thread *best, enum switch_why why)
	REQUIRES(&rq->lock)
{
	bool used_up = why == SWITCH_YIELD || (prev->policy == SCHED_RR && !prev->slice_ns);

	runq_remove(rq, best);
	atomic_store_u32(&prev->state, THREAD_READY, relaxed);
	runq_add(rq, prev, used_up ? RUNQ_TAIL : RUNQ_HEAD);
	rq->kick = sched_offer(rq, prev);
}

/* Whether prev leaves its hart whatever else is ready; its state says as what. */
static bool must_leave(struct runq *rq, struct thread *prev, enum switch_why why)
	REQUIRES(&rq->lock)
{
	enum thread_state state = thread_state(prev);

	if (why == SWITCH_EXIT) {
		rq->leaving = LEAVE_DEAD;
		return true;
	}
	if (state_is_sleep(state)) {
		/* Relaxed: partner sched_wake_intr comes through this lock. */
		bool killed = state == THREAD_SLEEPING_INTR && atomic_load_u32(&prev->killed, relaxed);

		if (why != SWITCH_PREEMPT && !killed)
			return true;
		/* It has not decided to sleep yet, or must not: as if woken. */
		atomic_store_u32(&prev->state, THREAD_RUNNING, relaxed);
	}
	if (unlikely(!sched_allowed(prev, rq))) {
		rq->leaving = LEAVE_MOVE;
		atomic_store_u32(&prev->state, THREAD_READY, relaxed);
		return true;
	}
	return false;
}

/* Who has the hart from now on; it is out of the queue, and prev in it if it is to wait there. */
static struct thread *decide(struct runq *rq, struct thread *prev, enum switch_why why)
	REQUIRES(&rq->lock)
{
	struct thread *best = rq->nr_queued ? runq_first(rq) : NULL;

	if (prev == rq->idle || must_leave(rq, prev, why)) {
		if (!best)
			return rq->idle;
		runq_remove(rq, best);
		return best;
	}
	if (!best)
		return prev;
	if (why == SWITCH_YIELD ? best->prio_effective < prev->prio_effective
				: !runq_goes_first(best, prev))
		return prev;
	requeue(rq, prev, best, why);
	return best;
}

/* Accounts for the change of hands; prev's part of the switch up to the last moment. */
static void hand_over(struct runq *rq, struct thread *prev, struct thread *next, uint64_t now)
	REQUIRES(&rq->lock)
{
	struct hart_meta *h = this_hart_unstable();

	assert(!next->on_hart);
	atomic_store_u32(&next->state, THREAD_RUNNING, relaxed);
	next->on_hart = true;
	next->ran_since = now;
	next->nr_switches++;
	if (next->slice_ns < SLICE_REST_NS)
		next->slice_ns = SLICE_NS;
	rq->curr = next;
	runq_show_load(rq);
	sched_show_rt(rq);
	h->stats.switches++;
	if (prev == rq->idle) {
		h->stats.idle_ns = prev->ran_ns;
		if (hart_mask_test(&sched_idle, rq->hart))
			hart_mask_atomic_clear(&sched_idle, rq->hart);
	}
}

/* The lock changes hands with the thread, hence unchecked. */
void reschedule(enum switch_why why) UNCHECKED_LOCKING
{
	struct thread *prev = current_thread(), *next;
	struct runq *rq = runq_lock_this();
	uint64_t now = clock_now_ns();

	assert(!prev->lock.preempt_depth && rq->curr == prev);
	lock_hart()->need_resched = false;
	/* The thread is outside of all read sections: qs.c says why acquire and release. */
	atomic_add_ulong(&rq->quiescent, 2, acq_rel);
	runq_charge(rq, now);
	next = decide(rq, prev, why);
	if (next == prev) {
		if (!prev->slice_ns)
			prev->slice_ns = SLICE_NS;
		sched_arm_tick(rq, now);
		irqlock_release(&rq->lock);
		return;
	}
	hand_over(rq, prev, next, now);
	sched_arm_tick(rq, now);
	check_switch(&rq->lock);
	assert(irqlock_held_by_me(&rq->lock));
	assert(lock_hart()->irq_depth == 1);
	assert(!arch_irq_enabled());
	assert(thread_state(prev) != THREAD_RUNNING || rq->leaving == LEAVE_DEAD ||
	       prev == rq->idle);
	sched_finish_switch(arch_switch(prev, next));
}

/* What only an abandoned stack allows. SIE off by the caller, no lock. */
static void publish(struct thread *prev, enum runq_leaving leaving, unsigned kick)
{
	sched_tell(kick);
	if (leaving == LEAVE_MOVE)
		sched_place(prev, sched_choose(prev, thread_runq(prev)->hart), PLACE_MOVED);
	else if (leaving == LEAVE_DEAD && left_hook)
		left_hook(prev);
	sched_check_preempt();
}

void sched_finish_switch(struct thread *prev) UNCHECKED_LOCKING
{
	struct runq *rq = this_runq();
	enum runq_leaving leaving = rq->leaving;
	unsigned kick = rq->kick;

	prev->on_hart = false;
	if (likely(leaving == LEAVE_NONE && !kick)) {
		irqlock_release(&rq->lock);
		return;
	}
	rq->leaving = LEAVE_NONE;
	rq->kick = 0;
	if (leaving == LEAVE_DEAD)
		atomic_store_u32(&prev->state, THREAD_DEAD, relaxed);
	/* Interrupts stay off until prev is where it belongs. */
	irq_off();
	irqlock_release(&rq->lock);
	publish(prev, leaving, kick);
	irq_on();
}

void schedule(void)
{
	might_sleep();
	reschedule(SWITCH_CALL);
}

void sched_yield(void)
{
	might_sleep();
	reschedule(SWITCH_YIELD);
}

noreturn void sched_exit(void)
{
	might_sleep();
	reschedule(SWITCH_EXIT);
	panic("dead thread %s runs", current_thread()->name);
}

/* What a handler's exit calls when the interrupted thread is to be preempted: SIE off. */
static void preempt_interrupted(void)
{
	this_hart_unstable()->stats.preemptions++;
	reschedule(SWITCH_PREEMPT);
}

void preempt_enable_slow(void)
{
	/* A handler's exit looks for itself. (In a thread that just moved this may be another hart's
	 * flag; then the switch that moved it has served the request.) */
	if (lock_hart()->in_irq != IRQ_NONE)
		return;
	if (arch_irq_enabled())
		reschedule(SWITCH_PREEMPT);
	else
		arch_ipi_self();
}

void sched_preempt_poke(void)
{
	if (!lock_thread()->preempt_depth)
		preempt_enable_slow();
}

/* The slice of curr is over, or nearly so, or another one of its class came. */
static void tick_curr(struct runq *rq, uint64_t now) REQUIRES(&rq->lock)
{
	struct thread *curr = rq->curr;

	rq->tick_ns = 0;
	rq->ticks++;
	runq_charge(rq, now);
	if (!runq_wants_tick(rq))
		return;
	if (!curr->slice_ns) {
		if (runq_goes_first(runq_first(rq), curr)) {
			lock_hart()->need_resched = true;
			return;
		}
		curr->slice_ns = SLICE_NS;
	}
	sched_arm_tick(rq, now);
}

void sched_tick(uint64_t now_ns)
{
	struct runq *rq = this_runq();
	bool balance;

	irqlock_acquire(&rq->lock);
	tick_curr(rq, now_ns);
	balance = rq->nr_queued && rq->ticks % TICKS_PER_BALANCE == 0;
	irqlock_release(&rq->lock);
	if (balance)
		sched_balance(rq);
}

void sched_init(void)
{
	irq_set_preempt_hook(preempt_interrupted);
	timer_set_tick_hook(sched_tick);
}
