/* SPDX-License-Identifier: MIT */
/*
 * The scheduler's services. Theory and orders: kernel/sched/sched.c; queues: kernel/sched/runq.h.
 *
 * Sleeping, always in a loop:
 *
 *	for (;;) {
 *		sched_prepare_sleep(THREAD_SLEEPING);
 *		if (condition)
 *			break;
 *		schedule();
 *	}
 *	sched_cancel_sleep();
 *
 * against a waker that makes the condition true and then calls sched_wake. schedule() may return
 * without any wake-up (a preemption between prepare and schedule ends the prepared sleep, so that a
 * condition that came true before it cannot be slept through).
 */
#ifndef KERNEL_SCHED_SCHED_H
#define KERNEL_SCHED_SCHED_H

#include "kernel/hart/hart.h"
#include "kernel/hart/mask.h"
#include "kernel/sched/preempt.h"
#include "kernel/sched/thread.h"
#include "lib/types.h"

/* ---- The running thread -------------------------------------------------------------------- */

/* Gives the hart to the best thread; sleeps if sched_prepare_sleep said so. Thread, may sleep. */
void schedule(void);
/* The same, after sched_prepare_sleep: what it prepared ends at `deadline_ns` (clock_now_ns;
 * UINT64_MAX: never) at the latest, as if by sched_wake. */
void schedule_until(uint64_t deadline_ns);
/* Lets a thread of the same or a better class and priority go first. Thread, may sleep. */
void sched_yield(void);
/*
 * From now on a sched_wake of this thread is not lost: `state` (SLEEPING or SLEEPING_INTR) is
 * stored before anything that the caller loads afterwards (full fence; partner: sched_wake).
 * Thread.
 */
void sched_prepare_sleep(enum thread_state state);
/* Back to RUNNING; also after a schedule() that slept. Thread. */
void sched_cancel_sleep(void);
/* Sleeps for at least `ns`, or until at least `deadline_ns` (clock_now_ns). 0, or -EINTR if it is
 * `interruptible` and the thread was killed. Thread, may sleep. */
void sched_sleep_ns(uint64_t ns);
int sched_sleep_until(uint64_t deadline_ns, bool interruptible);

/* ---- Any thread ---------------------------------------------------------------------------- */

/*
 * Ends the sleep of `t`, if it sleeps or is about to. All earlier stores of the caller are visible
 * to `t` then. Returns whether it did. Either; takes runq.lock (rank RUNQ). `t` may be switched to
 * before this returns. The caller keeps `t` from being reused (owner, or quiescent-state section).
 */
bool sched_wake(struct thread *t);
/* The same, only out of THREAD_SLEEPING_INTR. For a kill. */
bool sched_wake_intr(struct thread *t);
/* A hart runs it at this moment. For adaptive spinning: may be wrong by the time it is used. */
bool sched_thread_running(const struct thread *t);

/* prio: 1..99 with SCHED_FIFO and SCHED_RR, PRIO_FAIR with SCHED_FAIR; 0 or -EINVAL. Either. */
int sched_set_priority(struct thread *t, enum sched_policy policy, unsigned prio);
/* For priority inheritance only: what `t` is queued by. 0..99. Either. */
void sched_set_effective_priority(struct thread *t, unsigned prio);
/* kernel/wait recomputes what `t` inherits after its own priority changed. No locks held. */
void sched_set_pi_hook(void (*fn)(struct thread *t));
/* Share within the fair class, WEIGHT_MIN..WEIGHT_MAX around WEIGHT_DEFAULT; 0 or -EINVAL. Either.
 */
#define WEIGHT_MIN 16
#define WEIGHT_MAX 65536
int sched_set_weight(struct thread *t, unsigned weight);
/*
 * From now on `t` is put on harts of `mask` only. A queued thread moves at once; a running one is
 * asked to leave as soon as it can be preempted (the caller itself: before this returns, if it can
 * be preempted). While no hart of the mask takes threads it may run anywhere. 0, or -EINVAL if no
 * hart of the mask is online to stay (nothing changed). Either.
 * What was asked for before a grace period that begins after a hart's state says that it leaves, is
 * set by the end of it (kernel/task/hart_life.c).
 */
int sched_set_affinity(struct thread *t, const struct hart_mask *mask);
/* Waits until `t` runs on no hart outside of its mask. Thread, may sleep. */
void sched_wait_affinity(struct thread *t);
/* Index of the hart whose queue `t` is in, or was in last. Either; may be wrong by then. */
unsigned sched_hart_of(const struct thread *t);

/* ---- Harts --------------------------------------------------------------------------------- */

/* Once, before the first sched_init_hart: registers what interrupts call. Boot hart. */
void sched_init(void);
/* Makes h's run queue usable in the memory at h->runq (zeroed, sizeof(struct runq)), with h->idle
 * as what runs there. Before the hart starts. */
void sched_init_hart(struct hart_meta *h);
/* The rest of the life of a hart's idle thread: accepts threads, runs them, sleeps. SIE either,
 * nothing held. */
noreturn void sched_idle_loop(void);
/*
 * No thread goes to `h` any more, and what is queued or runs there moves away; returns when its
 * idle thread is all that it runs. Undone by sched_hart_accept. Thread on another hart or on this
 * one, may sleep. -EBUSY: it is the only hart that accepts threads. One call at a time.
 */
int sched_hart_drain(struct hart_meta *h);
void sched_hart_accept(struct hart_meta *h);
bool sched_hart_accepts(const struct hart_meta *h);
/* Called by the idle thread each time before it sleeps, SIE off, owner the boot row. True: the hart
 * was away meanwhile, or all but, and takes threads again. NULL: none. Returns the one before. */
typedef bool sched_idle_fn(struct hart_meta *h);
sched_idle_fn *sched_set_idle_hook(sched_idle_fn *fn);

/*
 * Harts in reserve: taken in when there is more to do than there are harts. While it is not empty,
 * the hook is called by the tick of a hart where a thread waits that finds no idle hart: with the
 * first hart of the reserve where it may run. SIE off, handler, nothing held. Set while the reserve
 * is empty; returns the one before.
 */
extern struct hart_mask sched_reserve;
typedef void sched_demand_fn(unsigned hart);
sched_demand_fn *sched_set_demand_hook(sched_demand_fn *fn);

/* What a hart has to do: threads that run or are ready there, idle not counted. Either. */
unsigned sched_hart_load(const struct hart_meta *h);
/* The thread that runs there. For reports. */
struct thread *sched_hart_thread(const struct hart_meta *h);
/* Nanoseconds that `h` was idle, up to now. */
uint64_t sched_hart_idle_ns(const struct hart_meta *h);
/* The same for a thread's time on harts, up to now. Either. */
uint64_t sched_thread_ran_ns(struct thread *t);

/* The scheduler's tick: hook of kernel/time. Handler. */
void sched_tick(uint64_t now_ns);

/* ---- For kernel/task ----------------------------------------------------------------------- */

/* Makes a new thread ready, for the first time. NEW -> READY. Either. */
void sched_start(struct thread *t);
/* First thing on a new thread's stack: ends the switch that began it. SIE off, at depth 1. */
void sched_finish_switch(struct thread *prev);
/* The running thread is switched away from for ever; `left` (sched_set_left_hook) is called with it
 * after its hart has left its stack, and its state is THREAD_DEAD then. Thread, nothing held. */
noreturn void sched_exit(void);
void sched_set_left_hook(void (*left)(struct thread *t));

const char *thread_state_name(enum thread_state state);
const char *sched_policy_name(enum sched_policy policy);

#endif
