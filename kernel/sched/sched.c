/* SPDX-License-Identifier: MIT */
/*
 * Switching threads.
 *
 * The run queue's lock is held over the switch: reschedule() acquires it in the thread that is left
 * and sched_finish_switch() releases it in the one that goes on. Held locks are the hart's, the
 * interrupt state before the lock is the thread's, so each finds its own. That one lock makes the
 * switch a single step for everybody else: whoever wants to wake, steal or move the thread that is
 * being left needs the lock of its queue, which is this one, and gets it only after the hart has
 * left its frame and stack.
 *
 * Two ways to leave need more, for they publish the thread outside of this queue: it may not run
 * here any longer (AFTER_MOVE), it is dead (AFTER_DEAD). They are noted in rq->after, and acted
 * upon by sched_finish_switch with SIE still off, so that the thread that goes on cannot be
 * preempted in between and leave the other one in the air.
 *
 * At the switch (asserted): the lock is held, the irq depth is 1, SIE is off, and the thread that
 * is left is READY or asleep, unless it is left for ever or idle.
 *
 * need_resched is the hart's, set with SIE off by wake-ups, ticks and IPIs on it, cleared here. Who
 * sets it sees to it that somebody looks: a handler's exit (interrupt_exit), the end of the
 * outermost preemption-off section (preempt_enable), or the hart's own software interrupt, which
 * comes as soon as interrupts open.
 *
 * Tickless: a tick is armed only while the thread that runs shares its hart by slices (an equal of
 * it is queued). It ends the slice; it is not moved at each switch, so it may come early, finds
 * time left and comes again.
 */
#include "kernel/irq/irq.h"
#include "kernel/panic.h"
#include "kernel/sched/internal.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/assert.h"

/* One look at another hart's load per so many ticks. */
#define TICKS_PER_BALANCE 4

static void (*left_hook)(struct thread *t);
static sched_demand_fn *demand_hook;

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

static inline struct runq *runq_lock_this(void) UNCHECKED_LOCKING
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

void sched_arm_tick_slow(struct runq *rq, uint64_t end)
{
	if (!runq_wants_tick(rq))
		return;
	rq->tick = end;
	timer_set_tick(clock_time_to_ns(end));
}

void sched_show_rt_slow(struct runq *rq)
{
	rq->rt_shown = runq_is_rt(rq->curr);
	if (rq->rt_shown) {
		hart_mask_atomic_set(&sched_running_rt, rq->hart);
		return;
	}
	hart_mask_atomic_clear(&sched_running_rt, rq->hart);
	/* After that AMO. Partner: sched_offer; place.c says how. Also where no real-time thread
	 * ran: the hart was promised to one that went elsewhere before it came to it. */
	if (sched_rt_waits())
		rq->after |= AFTER_PULL;
}

/* ---- The decision ---------------------------------------------------------------------------- */

/* prev said that it sleeps: it does, or it is RUNNING again. */
static bool falls_asleep(struct thread *prev, enum thread_state state, enum switch_why why)
{
	/* Relaxed: partner sched_wake_intr comes through the run queue's lock. */
	bool killed = state == THREAD_SLEEPING_INTR && atomic_load_u32(&prev->killed, relaxed);

	if (why == SWITCH_CALL && !killed)
		return true;
	/* It has not decided to sleep yet, or must not: as if woken. */
	atomic_store_u32(&prev->state, THREAD_RUNNING, relaxed);
	return false;
}

/* The thread that runs may be in the wrong place; if so it leaves, READY. */
static bool is_misplaced(struct runq *rq, struct thread *prev) REQUIRES(&rq->lock)
{
	bool bad = !sched_allowed(prev, rq);

	rq->check &= ~(unsigned)CHECK_CURR;
	/* Nobody is here but prev, and it belongs here. */
	if (rq->accepting && !rq->nr_queued && hart_mask_test(&prev->affinity, rq->hart))
		rq->check = 0;
	if (bad) {
		rq->after |= AFTER_MOVE;
		atomic_store_u32(&prev->state, THREAD_READY, relaxed);
	}
	return bad;
}

/* Whether prev leaves its hart whatever else is ready; its state says as what. */
static inline bool must_leave(struct runq *rq, struct thread *prev, enum switch_why why)
	REQUIRES(&rq->lock)
{
	enum thread_state state;

	if (why == SWITCH_IDLE)
		return true;
	if (why == SWITCH_EXIT) {
		rq->after |= AFTER_DEAD;
		return true;
	}
	/* A yield neither begins a sleep nor, if it does not switch, ends one. */
	state = why == SWITCH_YIELD ? THREAD_RUNNING : thread_state(prev);
	if (unlikely(state != THREAD_RUNNING) && falls_asleep(prev, state, why))
		return true;
	return unlikely(rq->check) && is_misplaced(rq, prev);
}

static inline void renew_slice(const struct runq *rq, struct thread *t)
{
	if (unlikely(runq_slice_left(t) <= 0))
		t->slice_end = t->ran + rq->slice;
}

/* The hart begins or ends being idle, or running a real-time thread. */
static void change_kind(struct runq *rq, const struct thread *prev, struct thread *next)
	REQUIRES(&rq->lock)
{
	rq->curr = next;
	sched_show_rt(rq);
	if (runq_is_rt(next) && rq->nr_queued != rq->nr_fair)
		rq->after |= AFTER_PUSH;
	if (prev != rq->idle && next != rq->idle)
		return;
	runq_show_load(rq);
	if (prev != rq->idle)
		return;
	if (unlikely(!this_hart_unstable()->thread_at))
		this_hart_unstable()->thread_at = arch_time();
	if (hart_mask_test(&sched_idle, rq->hart))
		hart_mask_atomic_clear(&sched_idle, rq->hart);
	/* Whoever took that bit away has shown before what waits: a real-time thread, perhaps, and
	 * this hart has found a fair one first. Partner: claim_idle, in sched_offer. */
	fence_acquire();
	if (next != rq->idle && !runq_is_rt(next) && sched_rt_waits())
		rq->after |= AFTER_PULL;
}

/* `t` waits here from now on: an idle hart may take it. */
static void offer_left(struct runq *rq, const struct thread *t) REQUIRES(&rq->lock)
{
	unsigned tell = sched_offer(rq, t);

	if (!tell)
		return;
	rq->after |= AFTER_KICK;
	rq->kick = tell - 1;
}

/* A real-time thread is among them, or there is somebody to be told. */
static void requeue(struct runq *rq, struct thread *prev, struct thread *best, enum switch_why why)
	REQUIRES(&rq->lock)
{
	bool used_up = prev->policy == SCHED_RR && runq_slice_left(prev) <= 0;

	atomic_store_u32(&prev->state, THREAD_READY, relaxed);
	renew_slice(rq, prev);
	if (runq_is_rt(prev) && sched_rt_elsewhere(rq, prev)) {
		runq_remove(rq, best);
		rq->after |= AFTER_MOVE;
		change_kind(rq, prev, best);
		return;
	}
	if (runq_is_rt(best) || runq_is_rt(prev)) {
		runq_remove(rq, best);
		runq_add(rq, prev, why == SWITCH_YIELD || used_up ? RUNQ_TAIL : RUNQ_HEAD);
	} else {
		runq_swap(rq, best, prev);
	}
	change_kind(rq, prev, best);
	offer_left(rq, prev);
}

/* prev has no more to do with this queue: the best one, or idle. */
static struct thread *replace(struct runq *rq, const struct thread *prev) REQUIRES(&rq->lock)
{
	struct thread *best = runq_first(rq);

	runq_move_origin(rq);
	if (best)
		runq_remove(rq, best);
	else
		best = rq->idle;
	change_kind(rq, prev, best);
	return best;
}

/* Who has the hart from now on; it is out of the queue, and prev in it if it is to wait there. */
static inline __attribute__((always_inline)) struct thread *decide(
	struct runq *rq, struct thread *prev, enum switch_why why) REQUIRES(&rq->lock)
{
	struct thread *best;

	if (must_leave(rq, prev, why))
		return replace(rq, prev);
	best = runq_first(rq);
	if (!best)
		return prev;
	if (why == SWITCH_YIELD && likely(!(best->prio_effective | prev->prio_effective))) {
		/* Both fair. Who takes turns is offered to other harts once, then by the tick. */
		atomic_store_u32(&prev->state, THREAD_READY, relaxed);
		runq_swap(rq, best, prev);
		if (unlikely(!rq->queued_shown))
			offer_left(rq, prev);
		return best;
	}
	if (why == SWITCH_YIELD ? best->prio_effective < prev->prio_effective
				: !runq_goes_first(best, prev)) {
		/* It was queued to take over, and does not: nobody has heard of it yet. */
		if (unlikely(!rq->queued_shown) || runq_is_rt(best))
			offer_left(rq, best);
		return prev;
	}
	requeue(rq, prev, best, why);
	return best;
}

/* ---- The switch ------------------------------------------------------------------------------ */

/*
 * A thread that was queued against its affinity, for want of a hart of its own, may have one by
 * now, and this hart may have begun to drain. Nobody else looks at it while it waits, and once it
 * runs alone nothing might ever ask for a decision again: it is asked for now.
 */
static void look_at_next(struct runq *rq, struct thread *next) REQUIRES(&rq->lock)
{
	if (next->is_idle || sched_allowed(next, rq))
		return;
	rq->after |= AFTER_LOOK;
	lock_hart()->need_resched = true;
}

/* Accounts for the change of hands; prev's part of the switch up to the last moment. */
static inline void hand_over(struct runq *rq, struct thread *next, uint64_t now) REQUIRES(&rq->lock)
{
	if (unlikely(rq->check))
		look_at_next(rq, next);
	atomic_store_u32(&next->state, THREAD_RUNNING, relaxed);
	next->ran_since = now;
	next->nr_switches++;
	rq->curr = next;
	this_hart_unstable()->stats.switches++;
}

/* What only an abandoned stack allows. SIE off by the caller, no lock. */
static void publish(struct thread *prev, unsigned after, unsigned kick)
{
	if (after & AFTER_KICK)
		hart_resched(harts[kick]);
	if (after & AFTER_MOVE)
		sched_place(prev, sched_choose(prev, thread_runq(prev)->hart), PLACE_MOVED);
	if (after & AFTER_DEAD)
		left_hook(prev);
	if (after & AFTER_PULL)
		sched_pull_rt(this_runq());
	if (after & AFTER_PUSH)
		sched_push_rt(this_runq());
	sched_check_preempt();
}

/* The lock ends in the middle, hence unchecked. */
static void finish_and_publish(struct runq *rq, struct thread *prev) UNCHECKED_LOCKING
{
	unsigned after = rq->after, kick = rq->kick;

	rq->after = 0;
	if (after & AFTER_DEAD)
		atomic_store_u32(&prev->state, THREAD_DEAD, relaxed);
	/* Interrupts stay off until prev is where it belongs. */
	irq_off();
	irqlock_release(&rq->lock);
	publish(prev, after, kick);
	irq_on();
}

/* In the thread that goes on, on its own stack. */
static inline void finish(struct thread *prev) UNCHECKED_LOCKING
{
	struct runq *rq = this_runq();

	if (likely(!rq->after))
		irqlock_release(&rq->lock);
	else
		finish_and_publish(rq, prev);
}

void sched_finish_switch(struct thread *prev)
{
	finish(prev);
}

static inline void assert_switch(struct runq *rq, const struct thread *prev) REQUIRES(&rq->lock)
{
	check_switch(&rq->lock);
	assert(irqlock_is_locked(&rq->lock));
	assert(lock_hart()->irq_depth == 1);
	assert(!arch_irq_enabled());
	assert(thread_state(prev) != THREAD_RUNNING || (rq->after & AFTER_DEAD) ||
		prev == rq->idle);
}

/* One copy for each reason: what does not concern it falls away. The lock changes hands with the
 * thread, hence unchecked. */
static inline __attribute__((always_inline)) void reschedule(enum switch_why why) UNCHECKED_LOCKING
{
	struct thread *prev = current_thread(), *next;
	struct runq *rq = runq_lock_this();
	uint64_t now = arch_time();

	assert(!prev->lock.preempt_depth && rq->curr == prev);
	lock_hart()->need_resched = false;
	/* The thread is outside of all read sections: qs.c says why acquire and release. */
	atomic_add_ulong(&rq->quiescent, 2, acq_rel);
	runq_charge(rq, now);
	next = decide(rq, prev, why);
	if (next == prev) {
		renew_slice(rq, prev);
		sched_show_rt(rq);
		sched_arm_tick(rq, now);
		/* Who stays may have somebody to tell. */
		finish(prev);
		return;
	}
	hand_over(rq, next, now);
	/* Who takes turns by yielding has a tick armed, for one of the two. */
	if (why != SWITCH_YIELD || unlikely(!rq->tick))
		sched_arm_tick(rq, now);
	assert_switch(rq, prev);
	LOCK_EVENT(sched_switch, next, NULL);
	finish(arch_switch(prev, next));
}

void reschedule_call(void)
{
	reschedule(SWITCH_CALL);
}

void reschedule_idle(void)
{
	reschedule(SWITCH_IDLE);
}

/* The idle thread, too, may come here, when it turns preemption on: it has nothing to lose. */
static void reschedule_preempt(void)
{
	if (current_thread()->is_idle)
		reschedule_idle();
	else
		reschedule(SWITCH_PREEMPT);
}

void schedule(void)
{
	might_sleep();
	reschedule_call();
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
	reschedule_preempt();
}

void preempt_enable_slow(void)
{
	/* A handler's exit looks for itself. (In a thread that just moved this may be another
	 * hart's flag; then the switch that moved it has served the request.) */
	if (racy_read(lock_hart()->in_irq, "handlers leave it as it was") != IRQ_NONE)
		return;
	if (arch_irq_enabled())
		reschedule_preempt();
	else
		arch_ipi_self();
}

void sched_preempt_poke(void)
{
	if (!lock_thread()->preempt_depth)
		preempt_enable_slow();
}

/* ---- The tick -------------------------------------------------------------------------------- */

/* The slice of curr is over, or nearly so, or another one of its class came. */
static void tick_curr(struct runq *rq, uint64_t now) REQUIRES(&rq->lock)
{
	struct thread *curr = rq->curr;

	rq->tick = 0;
	rq->ticks++;
	runq_charge(rq, now);
	if (!runq_wants_tick(rq))
		return;
	if (runq_slice_left(curr) <= 0 && runq_goes_first(runq_first(rq), curr)) {
		lock_hart()->need_resched = true;
		return;
	}
	renew_slice(rq, curr);
	sched_arm_tick(rq, now);
}

void sched_tick(uint64_t now_ns unused_arg)
{
	struct runq *rq = this_runq();
	unsigned wanted;
	bool balance;

	irqlock_acquire(&rq->lock);
	tick_curr(rq, arch_time());
	wanted = sched_demand(rq);
	balance = rq->nr_queued && rq->ticks % TICKS_PER_BALANCE == 0;
	irqlock_release(&rq->lock);
	if (balance)
		sched_balance(rq);
	if (unlikely(wanted) && demand_hook)
		demand_hook(wanted - 1);
}

sched_demand_fn *sched_set_demand_hook(sched_demand_fn *fn)
{
	sched_demand_fn *before = demand_hook;

	demand_hook = fn;
	return before;
}

void sched_init(void)
{
	irq_set_preempt_hook(preempt_interrupted);
	timer_set_tick_hook(sched_tick);
}
