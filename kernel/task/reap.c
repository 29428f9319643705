/* SPDX-License-Identifier: MIT */
/*
 * The reaper: what is left to do for a thread that has ended, in a thread of its own.
 *
 * For every one: its sleeping locks are given up (kernel/wait/abandon.h) before anybody learns that
 * it has ended. Then its joiner is woken, or, if it is detached, stack and slot go back; otherwise
 * it waits for somebody who joins or detaches it.
 */
#include "kernel/lock/run.h"
#include "kernel/sched/sched.h"
#include "kernel/task/task.h"
#include "kernel/task/thread.h"
#include "kernel/wait/abandon.h"
#include "lib/errno.h"

static struct task *left_first GUARDED_BY(&task_join_lock);
static struct task **left_last GUARDED_BY(&task_join_lock);
static struct thread *reaper GUARDED_BY(&task_join_lock);
/* Threads that came to the reaper, and that it is done with. */
static atomic_ulong nr_left, nr_reaped;

/* Appends to the reaper's list; returns the thread to wake. */
static struct thread *push(struct task *task) REQUIRES(&task_join_lock)
{
	task->next_left = NULL;
	if (left_first)
		*left_last = task;
	else
		left_first = task;
	left_last = &task->next_left;
	atomic_add_ulong(&nr_left, 1, relaxed);
	return reaper;
}

void reap_left(struct thread *t)
{
	struct thread *wake;

	irqlock_acquire(&task_join_lock);
	wake = push(task_of(t));
	irqlock_release(&task_join_lock);
	if (wake)
		sched_wake(wake);
}

static struct task *pop(void)
{
	struct task *task;

	irqlock_acquire(&task_join_lock);
	task = left_first;
	if (task)
		left_first = task->next_left;
	irqlock_release(&task_join_lock);
	return task;
}

/* From now on it has ended for everybody. Returns whether it is the reaper's to free. */
static bool announce(struct task *task)
{
	struct thread *joiner;
	bool detached;

	/* The section keeps the joiner from becoming another thread: as soon as it sees `ended`, it
	 * may go its way. */
	qs_read_begin();
	irqlock_acquire(&task_join_lock);
	task->ended = true;
	detached = task->detached;
	joiner = task->joiner;
	irqlock_release(&task_join_lock);
	if (joiner)
		sched_wake(joiner);
	qs_read_end();
	return detached;
}

noreturn void reap_thread(void *arg)
{
	(void)arg;
	irqlock_acquire(&task_join_lock);
	reaper = current_thread();
	irqlock_release(&task_join_lock);
	for (;;) {
		struct task *task;
		uint16_t before;

		sched_prepare_sleep(THREAD_SLEEPING);
		task = pop();
		if (!task) {
			schedule();
			continue;
		}
		sched_cancel_sleep();
		before = run_begin(NODE_NAMED, run_of_reaper);
		wait_abandon_all(&task->slot.thread);
		if (announce(task))
			task_free(task);
		run_end(before);
		/* Release: all of it before the number. Partner: reap_settled. */
		atomic_add_ulong(&nr_reaped, 1, release);
	}
}

int thread_detach(struct thread *t)
{
	struct task *task = task_of(t);
	struct thread *wake = NULL;
	int err = 0;

	irqlock_acquire(&task_join_lock);
	if (task->detached || task->joiner) {
		err = -EINVAL;
	} else {
		task->detached = true;
		/* Ended already: it passes the reaper once more, and goes now. */
		if (task->ended)
			wake = push(task);
	}
	irqlock_release(&task_join_lock);
	if (wake)
		sched_wake(wake);
	return err;
}

bool reap_settled(void)
{
	unsigned long left = atomic_load_ulong(&nr_left, relaxed);

	/* Acquire: what the reaper did. Partner: reap_thread. */
	return atomic_load_ulong(&nr_reaped, acquire) == left;
}
