/* SPDX-License-Identifier: MIT */
/*
 * A thread of the kernel: the scheduler's view. Creation, exit, join and kill:
 * kernel/task/thread.h.
 *
 * struct thread is type-stable: it lives in a table that grows and never shrinks; `handle` names a
 * use of a slot (index and generation), so a stale owner word is recognised (thread_of_handle)
 * inside a quiescent-state read section.
 *
 * Handle: bits 0-1 are free for the flags of lock words, bits 2-15 index + 1, bits 16-31
 * generation.
 *
 * The hart that is on a thread's stack is the one whose run queue has it as `curr`, known under
 * that queue's lock only: the lock is held over a switch (kernel/sched/sched.c).
 *
 *   READY <-> RUNNING -> SLEEPING -> READY          RUNNING -> DEAD (after the hart left its stack)
 *   NEW -> READY
 */
#ifndef KERNEL_SCHED_THREAD_H
#define KERNEL_SCHED_THREAD_H

#include "kernel/arch.h"
#include "kernel/hart/mask.h"
#include "kernel/lock/context.h"
#include "lib/list.h"
#include "lib/rbtree.h"

#define THREAD_NAME_MAX 24
#define THREAD_FLAG_BITS 2
#define THREAD_MAX 16000

enum thread_state {
	THREAD_NEW,
	THREAD_READY,
	THREAD_RUNNING,
	THREAD_SLEEPING,      /* nothing but its wake-up ends it */
	THREAD_SLEEPING_INTR, /* a kill ends it too */
	THREAD_DEAD,
};

enum sched_policy {
	SCHED_FAIR, /* by weight */
	SCHED_FIFO, /* real-time: until it sleeps or yields */
	SCHED_RR,   /* real-time: time slices within one priority */
};

/* 1..99: real-time, higher runs first; 0: fair. */
#define PRIO_FAIR 0
#define PRIO_RT_MAX 99
#define WEIGHT_DEFAULT 1024

struct stack {
	uintptr_t base, top; /* [base, top) mapped; the page below base is not */
	uint64_t generation; /* of the vmap when it was mapped (mm) */
};

struct runq;
struct wait_entry;

struct thread {
	struct lock_thread lock; /* FIRST: what the locks know of it */

	/* Guarded by the lock of the run queue that `rq` names. Before `arch`, which is large: the
	 * switch path reaches them by short offsets. */
	atomic_u32 state;	/* enum thread_state; set to SLEEPING* by the thread itself */
	atomic_ptr rq;		/* struct runq: where it is or was last; never NULL once READY */
	bool on_rq;		/* queued in rq (a RUNNING thread is not) */
	bool is_idle;		/* constant */
	uint8_t prio;		/* its own: 0 fair, 1..99 */
	uint8_t prio_effective; /* with inheritance */
	enum sched_policy policy;
	unsigned weight;    /* fair class */
	uint64_t vruntime;  /* fair class: time by weight. All times: ticks of arch_time() */
	uint64_t slice_end; /* its slice is over when `ran` is there */
	uint64_t ran_since; /* while it runs: it is charged up to then */
	uint64_t ran;	    /* total on harts, as charged: see sched_thread_ran_ns */
	uint64_t nr_switches;
	struct rbnode fair_node;
	struct list_node rt_node;
	struct hart_mask affinity; /* harts it may run on */

	struct arch_thread arch;
	struct stack stack;
	char name[THREAD_NAME_MAX];

	/* kernel/wait: guarded as its files say. */
	struct wait_entry *waiting_entry; /* where it sleeps */
	struct rbtree pi_waiters;	  /* highest waiter of each lock it owns */
	struct list_node pi_owned;	  /* used by kernel/wait/pi.c */
	void *pi_blocked_on;		  /* lock it sleeps on, for the chain */

	/* kernel/task. */
	struct list_node all_node; /* in the list of all threads (threads.lock) */
	atomic_u32 killed;	   /* a kill was asked for */
	void (*fn)(void *arg);
	void *arg;
	int exit_code;
	void *task; /* kernel/task's private part (join, reaping) */

	/* kernel/panic/stall.c: what its wait looked like, for so many looks. */
	uint32_t stall_digest;
	unsigned stall_looks;
};

static inline struct thread *current_thread(void)
{
	return (struct thread *)arch_current();
}

/* The thread that `handle` (flags ignored) names, NULL if it is gone. Inside a quiescent-state read
 * section (preemption off); valid until its end. */
struct thread *thread_of_handle(uint32_t handle);

#endif
