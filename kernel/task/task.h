/* SPDX-License-Identifier: MIT */
/*
 * What the files of kernel/task share: the whole of a thread's slot.
 */
#ifndef KERNEL_TASK_TASK_H
#define KERNEL_TASK_TASK_H

#include "kernel/lock/irqlock.h"
#include "kernel/sched/qs.h"
#include "kernel/sched/table.h"
#include "kernel/task/thread.h"

/*
 * task_join_lock (irqlock, rank THREADS)
 *   Protects: who joins, who is detached, who has ended, in all tasks; the reaper's list.
 *   Taken by: joiners, the reaper; with SIE off after a switch away from a dead thread.
 *   Order:    before run queues; not together with threads.lock.
 * While it is free: a task has ended, is detached, or has a joiner, or none of that; one that has
 * ended and is detached is nobody's but the reaper's.
 */
extern struct irqlock task_join_lock;

struct task {
	struct thread_slot slot;			    /* FIRST */
	struct qs_entry qs;				    /* the slot's way back */
	struct task *next_left GUARDED_BY(&task_join_lock); /* in the reaper's list */
	struct thread *joiner GUARDED_BY(&task_join_lock);
	bool detached GUARDED_BY(&task_join_lock);
	bool ended GUARDED_BY(&task_join_lock);
};

static inline struct task *task_of(struct thread *t)
{
	return t->task;
}

/* A slot with its thread in state NEW, handle and defaults set, not live, without stack; NULL if
 * there is no memory. Thread, may sleep; also while booting. */
struct task *task_take(const char *name);
/* What task_take gave, never live. */
void task_put(struct task *task);
/* A live thread that has ended (or never ran), nobody's: stack and slot go back. Thread, may sleep.
 */
void task_free(struct task *task);

/* Called after a dead thread was left (sched_set_left_hook). */
void reap_left(struct thread *t);
/* Body of the reaper. */
noreturn void reap_thread(void *arg);
/* Has it dealt with all that ended before? Either. */
bool reap_settled(void);

/* Hooks for reports (kernel/lock/check.h). */
void task_hooks_init(void);

#endif
