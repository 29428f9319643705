/* SPDX-License-Identifier: MIT */
/*
 * One run queue a hart: the threads that are ready to run there.
 *
 * Two classes: real-time threads (priority 1..99) in an array of lists, highest priority first,
 * first come first within one; below them the fair ones in a tree by vruntime, which is the time
 * they ran on harts divided by their weight: whoever got the least goes first. That first one is
 * kept out of the tree, in fair_first, so that two threads that take turns never touch the tree.
 * The thread that runs is in neither class's queue (on_rq is false), and the idle thread never is.
 *
 * The origin follows the least vruntime of the queue and of the thread that runs, and never goes
 * back. A thread that changes queues keeps its distance to it, one that slept is lifted to a little
 * below it, so that sleeping earns a prompt start and no credit beyond that. It is moved when it is
 * used and when a thread leaves (runq_move_origin), not at each charge.
 *
 * Times are ticks of arch_time(): the switch path converts none of them.
 *
 * runq.lock (irqlock, rank RUNQ)
 *   Protects: the fields marked GUARDED_BY, and the scheduling fields of each thread whose `rq`
 *             is this one.
 *   Taken by: whoever schedules, wakes, ticks: threads and handlers. Held over a context switch:
 *             the thread that is switched to releases it.
 *   Order:    after wait queues, timers and the thread table. Two of them: lower hart index first
 *             (runq_lock_pair).
 *
 * While it is free: every thread in a queue is READY, has on_rq set and rq pointing here, and is on
 * no hart's stack; nr_queued is how many there are; bit p of rt_map is set iff rt[p] is not empty;
 * fair_first is NULL iff nr_fair is 0, and nobody in the tree goes before it.
 */
#ifndef KERNEL_SCHED_RUNQ_H
#define KERNEL_SCHED_RUNQ_H

#include "kernel/lock/irqlock.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "lib/bitmap.h"
#include "lib/list.h"
#include "lib/rbtree.h"

/* How long a thread of the fair class or of SCHED_RR runs before its equals get their turn. */
#define SLICE_NS (NS_PER_SEC / CONFIG_HZ)
/* A fair thread that wakes up preempts one that is ahead of it by more than that (vruntime)... */
#define WAKE_LEAD(slice) ((slice) / 8)
/* ...and starts at most that far below the origin. */
#define SLEEPER_CREDIT(slice) ((slice) / 2)

#define RT_LEVELS (PRIO_RT_MAX + 1) /* rt[0] stays empty */

/* What is to be done once a switch has left a thread's stack; 0: nothing, it sleeps or is queued.
 */
enum runq_after {
	AFTER_MOVE = 1 << 0, /* it is READY and may not run here */
	AFTER_DEAD = 1 << 1,
	AFTER_KICK = 1 << 2, /* tell runq.kick, an idle hart, that it waits here */
	AFTER_PULL = 1 << 3, /* look for real-time threads that wait elsewhere */
	AFTER_LOOK = 1 << 4, /* need_resched is set: who goes on may be in the wrong place */
	AFTER_PUSH = 1 << 5, /* real-time threads wait behind the one that goes on */
};

/* Why the thread that runs may be one that must not run here. */
enum runq_check {
	CHECK_CURR = 1 << 0, /* its affinity changed; over when it was looked at */
	CHECK_ALL = 1 << 1,  /* a thread was put here against its affinity, or none may be here */
};

struct runq {
	struct irqlock lock;
	unsigned hart;			       /* index; constant */
	struct thread *idle;		       /* constant */
	uint64_t slice;			       /* ticks; constant */
	struct thread *curr GUARDED_BY(&lock); /* runs on the hart; switch in progress: runs next */
	unsigned after GUARDED_BY(&lock);      /* enum runq_after */
	unsigned kick GUARDED_BY(&lock);       /* index: see AFTER_KICK */
	unsigned check GUARDED_BY(&lock);      /* enum runq_check */
	unsigned nr_queued GUARDED_BY(&lock);
	unsigned nr_fair GUARDED_BY(&lock); /* of these in the fair class */
	struct thread *fair_first GUARDED_BY(&lock);
	struct rbtree fair_rest GUARDED_BY(&lock);
	uint64_t origin GUARDED_BY(&lock);   /* see above */
	bool accepting GUARDED_BY(&lock);    /* threads may be put here */
	bool drained GUARDED_BY(&lock);	     /* it was accepting before (idle.c) */
	bool queued_shown GUARDED_BY(&lock); /* the bit in sched_queued (place.c) */
	bool rt_shown GUARDED_BY(&lock);     /* the bit in sched_running_rt */
	unsigned ticks GUARDED_BY(&lock);
	uint64_t tick GUARDED_BY(&lock); /* when the hart's tick comes; 0: not armed */
	atomic_u32 load; /* nr_queued, and curr unless idle; written under the lock */
	/* qs.c: even in threads, odd while idle; +2 at each scheduling decision. Written by its
	 * hart. */
	atomic_ulong quiescent;
	unsigned long rt_map[BITMAP_WORDS(RT_LEVELS)] GUARDED_BY(&lock);
	struct list rt[RT_LEVELS] GUARDED_BY(&lock);
};

enum runq_end {
	RUNQ_TAIL, /* behind its equals: woken, yielded, slice used up */
	RUNQ_HEAD, /* before its equals: it was preempted */
};

/* `rq` is zeroed. No lock. */
void runq_init(struct runq *rq, unsigned hart, struct thread *idle, uint64_t slice);
/* Queues t / takes it out. The caller sets the state. */
void runq_add(struct runq *rq, struct thread *t, enum runq_end end) REQUIRES(&rq->lock);
void runq_remove(struct runq *rq, struct thread *t) REQUIRES(&rq->lock);
/* Both at once, for the usual change of hands: `out` is the first one and fair, `in` is fair. */
void runq_swap_slow(struct runq *rq, struct thread *in) REQUIRES(&rq->lock);
static inline void runq_swap(struct runq *rq, struct thread *out, struct thread *in)
	REQUIRES(&rq->lock)
{
	out->on_rq = false;
	in->on_rq = true;
	if (likely(rbtree_empty(&rq->fair_rest)))
		rq->fair_first = in;
	else
		runq_swap_slow(rq, in);
}
/* The best queued thread, where a real-time one is queued. */
struct thread *runq_first_rt(const struct runq *rq) REQUIRES(&rq->lock);
/* The best queued real-time thread that has a hart of *harts in its affinity, NULL if there is none
 * among those that a bounded search looks at. */
struct thread *runq_first_rt_for(const struct runq *rq, const struct hart_mask *harts)
	REQUIRES(&rq->lock);
/* The best queued thread that has `hart` in its affinity, NULL if there is none among those that
 * a bounded search looks at. */
struct thread *runq_first_for(const struct runq *rq, unsigned hart) REQUIRES(&rq->lock);

/* The best queued thread, NULL if there is none. */
static inline struct thread *runq_first(const struct runq *rq) REQUIRES(&rq->lock)
{
	if (likely(rq->nr_queued == rq->nr_fair))
		return rq->fair_first;
	return runq_first_rt(rq);
}

/* ---- Time ---------------------------------------------------------------------------------- */

/* Brings the origin up to date. */
void runq_move_origin(struct runq *rq) REQUIRES(&rq->lock);
/* Where a thread begins that was asleep, or is new: not below the origin by more than its credit.
 */
void runq_settle(struct runq *rq, struct thread *t, uint64_t credit) REQUIRES(&rq->lock);
/* Takes t, in no queue, from the origin of `from` to that of `to`. */
void runq_rebase(struct thread *t, struct runq *from, struct runq *to)
	REQUIRES(&from->lock, &to->lock);
/* `ran` by weight, bounded. */
uint64_t runq_weigh(uint64_t ran, unsigned weight);

static inline bool runq_is_rt(const struct thread *t)
{
	return t->prio_effective != PRIO_FAIR;
}

/* Charges curr for the time since it was charged last. */
static inline void runq_charge(struct runq *rq, uint64_t now) REQUIRES(&rq->lock)
{
	struct thread *curr = rq->curr;
	uint64_t ran = now - curr->ran_since;

	/* Harts' clocks agree to a tick: a stretch that begins on one and is charged by another can
	 * look negative. */
	if (unlikely((int64_t)ran <= 0))
		return;
	curr->ran_since = now;
	curr->ran += ran;
	if (unlikely(runq_is_rt(curr)))
		return;
	if (unlikely(curr->weight != WEIGHT_DEFAULT))
		ran = runq_weigh(ran, curr->weight);
	curr->vruntime += ran;
}

/* What is left of its slice, as charged: 0 or less when it is over. */
static inline int64_t runq_slice_left(const struct thread *t)
{
	return (int64_t)(t->slice_end - t->ran);
}

/* ---- Comparisons --------------------------------------------------------------------------- */

static inline bool runq_before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

/* Should `t`, queued, run instead of `curr`, which would go on? */
static inline bool runq_goes_first(const struct thread *t, const struct thread *curr)
{
	if (t->prio_effective != curr->prio_effective)
		return t->prio_effective > curr->prio_effective;
	if (runq_is_rt(curr))
		return curr->policy == SCHED_RR && runq_slice_left(curr) <= 0;
	return runq_before(t->vruntime, curr->vruntime);
}

/* Should `t`, just queued, interrupt curr? Not for a lead that is not worth a switch. */
bool runq_preempts(const struct runq *rq, const struct thread *t) REQUIRES(&rq->lock);
/* Whether curr shares its hart by slices: an equal of it is queued. */
bool runq_wants_tick(const struct runq *rq) REQUIRES(&rq->lock);

/* After every change of nr_queued or curr. */
static inline void runq_show_load(struct runq *rq) REQUIRES(&rq->lock)
{
	/* Relaxed: a figure for placement, which may be wrong by the time it is read. */
	atomic_store_u32(&rq->load, rq->nr_queued + (rq->curr != rq->idle), relaxed);
}

#endif
