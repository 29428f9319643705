/* SPDX-License-Identifier: MIT */
/*
 * One run queue a hart: the threads that are ready to run there.
 *
 * Two classes: real-time threads (priority 1..99) in an array of lists, highest priority first,
 * first come first within one; below them the fair ones in a tree by vruntime, which is the time they
 * ran on harts divided by their weight: whoever got the least goes first. The thread that runs is in
 * neither (on_rq is false), and the idle thread never is.
 *
 * min_vruntime follows the least vruntime of the queue and never goes back. It is the origin of the
 * queue's vruntimes: a thread that changes queues keeps its distance to it, one that slept is lifted to
 * a little below it, so that sleeping earns a prompt start and no credit beyond that.
 *
 * runq.lock (irqlock, rank RUNQ)
 *   Protects: the fields marked GUARDED_BY, and the scheduling fields of each thread whose `rq` is this one.
 *   Taken by: whoever schedules, wakes, ticks: threads and handlers. Held over a context switch: the
 *             thread that is switched to releases it.
 *   Order:    after wait queues, timers and the thread table. Two of them: lower hart index first
 *             (runq_lock_pair).
 *
 * While it is free: every thread in a queue is READY, has on_rq set and rq pointing here, and is on no
 * hart's stack; nr_queued is how many there are; bit p of rt_map is set iff rt[p] is not empty.
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
#define WAKE_LEAD_NS (SLICE_NS / 8)
/* ...and starts at most that far below the origin. */
#define SLEEPER_CREDIT_NS (SLICE_NS / 2)

#define RT_LEVELS (PRIO_RT_MAX + 1)	/* rt[0] stays empty */

/* What is to be done with the thread that a switch left, once its stack has been left. */
enum runq_leaving {
	LEAVE_NONE,		/* nothing: it sleeps, or is queued here */
	LEAVE_MOVE,		/* it is READY and may not run here */
	LEAVE_DEAD,
};

struct runq {
	struct irqlock lock;
	unsigned hart;			/* index; constant */
	struct thread *idle;		/* constant */
	struct thread *curr GUARDED_BY(&lock);	/* runs on the hart; switch in progress: runs next */
	enum runq_leaving leaving GUARDED_BY(&lock);
	unsigned nr_queued GUARDED_BY(&lock);
	unsigned nr_fair GUARDED_BY(&lock);	/* of these in the tree */
	uint64_t min_vruntime GUARDED_BY(&lock);
	struct rbtree fair GUARDED_BY(&lock);
	bool accepting GUARDED_BY(&lock);	/* threads may be put here */
	bool drained GUARDED_BY(&lock);		/* it was accepting before (idle.c) */
	bool queued_shown GUARDED_BY(&lock);	/* the bit in sched_queued (place.c) */
	bool rt_shown GUARDED_BY(&lock);	/* the bit in sched_running_rt */
	unsigned ticks GUARDED_BY(&lock);
	uint64_t tick_ns GUARDED_BY(&lock);	/* when the hart's tick comes; 0: not armed */
	unsigned kick GUARDED_BY(&lock);	/* index + 1 of an idle hart to be told of a queued thread */
	atomic_u32 load;		/* nr_queued, and curr unless idle; written under the lock */
	/* qs.c: even in threads, odd while idle; +2 at each scheduling decision. Written by its hart. */
	atomic_ulong quiescent;
	unsigned long rt_map[BITMAP_WORDS(RT_LEVELS)] GUARDED_BY(&lock);
	struct list rt[RT_LEVELS] GUARDED_BY(&lock);
};

enum runq_end {
	RUNQ_TAIL,		/* behind its equals: woken, yielded, slice used up */
	RUNQ_HEAD,		/* before its equals: it was preempted */
};

/* `rq` is zeroed. No lock. */
void runq_init(struct runq *rq, unsigned hart, struct thread *idle);
/* Queues t / takes it out. The caller sets the state. */
void runq_add(struct runq *rq, struct thread *t, enum runq_end end) REQUIRES(&rq->lock);
void runq_remove(struct runq *rq, struct thread *t) REQUIRES(&rq->lock);
/* The best queued thread, NULL if there is none. */
struct thread *runq_first(const struct runq *rq) REQUIRES(&rq->lock);
/* The best queued thread that has `hart` in its affinity, NULL if there is none among those that
 * a bounded search looks at. */
struct thread *runq_first_for(const struct runq *rq, unsigned hart) REQUIRES(&rq->lock);

/* Charges curr for the time since it was charged last: ran_ns, slice, vruntime. */
void runq_charge(struct runq *rq, uint64_t now_ns) REQUIRES(&rq->lock);
/* Where a thread begins that was asleep, or is new: not below the origin by more than its credit. */
void runq_settle(struct runq *rq, struct thread *t, uint64_t credit_ns) REQUIRES(&rq->lock);
/* Takes t, in no queue, from the origin of `from` to that of `to`. */
void runq_rebase(struct thread *t, const struct runq *from, const struct runq *to)
	REQUIRES(&from->lock, &to->lock);

/* Should `t`, queued, run instead of `curr`, which would go on? */
bool runq_goes_first(const struct thread *t, const struct thread *curr);
/* Should `t`, just queued, interrupt `curr`? Not for a lead that is not worth a switch. */
bool runq_preempts(const struct thread *t, const struct thread *curr);
/* Whether curr shares its hart by slices: an equal of it is queued. */
bool runq_wants_tick(const struct runq *rq) REQUIRES(&rq->lock);

static inline bool runq_is_rt(const struct thread *t)
{
	return t->prio_effective != PRIO_FAIR;
}

/* After every change of nr_queued or curr. */
static inline void runq_show_load(struct runq *rq) REQUIRES(&rq->lock)
{
	/* Relaxed: a figure for placement, which may be wrong by the time it is read. */
	atomic_store_u32(&rq->load, rq->nr_queued + (rq->curr != rq->idle), relaxed);
}

#endif
