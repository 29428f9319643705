/* SPDX-License-Identifier: MIT */
/*
 * What the files of kernel/sched share among themselves.
 */
#ifndef KERNEL_SCHED_INTERNAL_H
#define KERNEL_SCHED_INTERNAL_H

#include "kernel/hart/call.h"
#include "kernel/hart/hart.h"
#include "kernel/sched/runq.h"
#include "kernel/sched/sched.h"

/* Why the running thread asks for a decision. */
enum switch_why {
	SWITCH_CALL,	/* schedule(): it sleeps if it said so, or looks for somebody better */
	SWITCH_YIELD,	/* its equals go first */
	SWITCH_PREEMPT, /* it was not asked; a prepared sleep ends */
	SWITCH_EXIT,	/* for ever */
	SWITCH_IDLE,	/* the idle thread: whoever is there */
};

/* The decision, and the switch if there is one (sched.c); nothing held, preemption on. */
void reschedule_call(void);
/* The same for the idle thread. */
void reschedule_idle(void);

/* ---- Locks --------------------------------------------------------------------------------- */

static inline struct runq *runq_of_hart(unsigned hart)
{
	return harts[hart]->runq;
}

/* This hart's queue. Preemption or interrupts off. */
static inline struct runq *this_runq(void)
{
	return this_hart_unstable()->runq;
}

static inline struct runq *thread_runq(const struct thread *t)
{
	/* Relaxed: a run queue lives for ever; whoever acts on the answer rechecks it under the
	 * lock (thread_runq_lock). */
	return atomic_load_ptr(&t->rq, relaxed);
}

static inline enum thread_state thread_state(const struct thread *t)
{
	/* Relaxed: stable only under the run queue's lock, which orders it. */
	return atomic_load_u32(&t->state, relaxed);
}

static inline bool state_is_sleep(enum thread_state s)
{
	return s == THREAD_SLEEPING || s == THREAD_SLEEPING_INTR;
}

/* Acquires and returns the queue of `t`; released by irqlock_release(&rq->lock). Either. */
struct runq *thread_runq_lock(struct thread *t);
/* Both queues, lower hart index first; the same one twice is legal. Either. */
void runq_lock_pair(struct runq *a, struct runq *b) ACQUIRES(&a->lock, &b->lock);
void runq_unlock_pair(struct runq *a, struct runq *b) RELEASES(&a->lock, &b->lock);

/* ---- Placement (place.c) ------------------------------------------------------------------- */

/* Sets of harts. Hints, each with its partner named in place.c; changed by atomic operations. */
extern struct hart_mask sched_accepting; /* threads may be put there */
extern struct hart_mask
	sched_idle; /* asleep or about to be; whoever clears a bit wakes that hart */
extern struct hart_mask sched_queued;	  /* threads wait there (never missing, sometimes stale) */
extern struct hart_mask sched_running_rt; /* a real-time thread runs there */

enum placing {
	PLACE_MOVED, /* was ready elsewhere */
	PLACE_WOKEN,
	PLACE_NEW,
};

/* No hart of its affinity takes threads: then it may run on any that does. */
bool sched_allowed_anywhere(const struct thread *t);

/* May `t` run on rq's hart? */
static inline bool sched_allowed(const struct thread *t, const struct runq *rq) REQUIRES(&rq->lock)
{
	return likely(rq->accepting) &&
		(likely(hart_mask_test(&t->affinity, rq->hart)) || sched_allowed_anywhere(t));
}

/* A hart for `t`, which ran on `last`: an index. It may be taken out of sched_idle: the caller puts
 * `t` there or tells that hart. */
unsigned sched_choose(const struct thread *t, unsigned last);
/*
 * Queues `t` on the hart `to` or, if it may not run there, on another one. `t` is READY (or NEW),
 * in no queue and on no stack, and only the caller can change that. SIE off, no run queue held.
 */
void sched_place(struct thread *t, unsigned to, enum placing how);
/* Queues `t`, whose rq is `rq`. Returns index + 1 of a hart that sched_tell must be told of once
 * the lock is free, 0: none. */
unsigned sched_enqueue(struct runq *rq, struct thread *t, enum placing how) REQUIRES(&rq->lock);
/* `t` waits in `rq`: idle harts may look, and for a real-time one its own hart looks for another
 * hart. Returns like sched_enqueue whom to tell of it. */
unsigned sched_offer(struct runq *rq, const struct thread *t) REQUIRES(&rq->lock);
/* Up to two harts, index + 1 each. */
#define TELL_SECOND 16
static inline void sched_tell(unsigned tell)
{
	for (; unlikely(tell); tell >>= TELL_SECOND)
		if (tell & ((1u << TELL_SECOND) - 1))
			hart_resched(harts[(tell & ((1u << TELL_SECOND) - 1)) - 1]);
}

/* May `t`, real-time, take another hart from a fair thread? A look. */
bool sched_rt_elsewhere(const struct runq *rq, const struct thread *t);
/* Does a real-time thread wait anywhere? A look. */
bool sched_rt_waits(void);
/* Real-time threads may wait on this hart behind another one: they go to harts that run fair ones,
 * as far as there are any. SIE off, nothing held. */
void sched_push_rt(struct runq *mine);
/* This hart no longer runs a real-time thread: those that wait elsewhere may come. SIE off, nothing
 * held. */
void sched_pull_rt(struct runq *mine);

/* Has rq's hart look for a better thread: like sched_enqueue. */
unsigned sched_ask(struct runq *rq) REQUIRES(&rq->lock);
/* Takes a thread of another hart that this one may run. Idle thread, SIE off. */
bool sched_steal(struct runq *mine);
/* The hart of sched_reserve that a thread which waits here could use: index + 1, 0: none. */
unsigned sched_demand(const struct runq *rq) REQUIRES(&rq->lock);
/* Gives one thread to a hart with clearly less to do. From the tick. */
void sched_balance(struct runq *rq);

/* ---- Switching (sched.c) ------------------------------------------------------------------- */

/* Sees to it that the slice of curr ends, if it shares its hart, which is this one. */
void sched_arm_tick_slow(struct runq *rq, uint64_t end) REQUIRES(&rq->lock);
static inline void sched_arm_tick(struct runq *rq, uint64_t now) REQUIRES(&rq->lock)
{
	uint64_t end = now + (uint64_t)runq_slice_left(rq->curr);

	/* Armed for an earlier time is good enough: sched.c. */
	if (rq->nr_queued && (!rq->tick || rq->tick > end))
		sched_arm_tick_slow(rq, end);
}

/* Keeps sched_running_rt up with curr. Sets AFTER_PULL if the hart is free for one that waits. */
void sched_show_rt_slow(struct runq *rq) REQUIRES(&rq->lock);
static inline void sched_show_rt(struct runq *rq) REQUIRES(&rq->lock)
{
	if (unlikely(runq_is_rt(rq->curr) != rq->rt_shown))
		sched_show_rt_slow(rq);
}
/* Preempts the caller if that was asked for meanwhile and it can be. Nothing held by the scheduler.
 */
void sched_preempt_poke(void);

static inline void sched_check_preempt(void)
{
	if (unlikely(racy_read(lock_hart()->need_resched, "as in preempt_enable")))
		sched_preempt_poke();
}

#endif
