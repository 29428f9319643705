/* SPDX-License-Identifier: MIT */
/*
 * Waits that are no locks, in the lock checker's graph: a run of something, and whoever waits for
 * its end.
 *
 * A run is a thread from its first function to its exit, the call of a timer's function, of an
 * interrupt handler, of a function that another hart asked for, of a work item... While it lasts it
 * "holds" its node: what it asks for comes after the node. Who waits for the end of such a run asks
 * for the node, under all that it holds. So a thread that joins another one with a mutex held that
 * the other one takes, is a cycle; found in a run in which nothing of it met.
 *
 * The scope of a node is the function that runs: all threads (timers, handlers) of one function
 * are one node, as all locks of a class are one. The rest have a name each.
 *
 * A completion is signalled from the middle of a run. It comes after the locks that are held then,
 * and, in a run that has a history (run_begin_noted: it begins anew for every item, and does not
 * loop), after all sleeping locks and events that the run has asked for up to there. Locks that a
 * run takes after its signal are none of the waiter's business.
 *
 * A wait with a time limit ends by itself and adds nothing.
 *
 * Compiled out without CONFIG_LOCKCHECK. No locks. All of it: either, unless stated.
 */
#ifndef KERNEL_LOCK_RUN_H
#define KERNEL_LOCK_RUN_H

#include "kernel/lock/check_graph.h"
#include "kernel/lock/class.h"

uint16_t check_run_begin_slow(enum graph_node_kind kind, const void *thing);
void check_run_end_slow(uint16_t before);
void check_run_awaited_slow(enum graph_node_kind kind, const void *thing, uintptr_t pc);
void check_event_awaited_slow(const void *what, struct lock_class *event, uintptr_t pc);
void check_event_signalled_slow(struct lock_class *event, bool completed, uintptr_t pc);

/* A run of `thing` (a function; or a string, with NODE_NAMED) begins here; returns what run_end
 * gets. Runs nest: the innermost counts. */
static inline uint16_t run_begin(enum graph_node_kind kind, const void *thing)
{
	return CONFIG_LOCKCHECK ? check_run_begin_slow(kind, thing) : 0;
}

static inline void run_end(uint16_t before)
{
	if (CONFIG_LOCKCHECK)
		check_run_end_slow(before);
}

/* From here to the end the thread's run has a history. Thread. */
static inline void run_history_begin(void)
{
	if (CONFIG_LOCKCHECK && lock_thread()->run.depth++ == 0)
		lock_thread()->run.nr = 0;
}

static inline void run_history_end(void)
{
	if (CONFIG_LOCKCHECK)
		lock_thread()->run.depth--;
}

/* The caller is about to wait for the end of a run of `thing`, with no time limit. */
#define run_awaited(kind, thing) \
	do { \
		if (CONFIG_LOCKCHECK) \
			check_run_awaited_slow( \
				(kind), (thing), (uintptr_t)__builtin_return_address(0)); \
	} while (0)

/* The running thread is about to wait, with no time limit, at `what` for an event of this class
 * (that of the wait queue's inner lock). */
#define event_awaited(what, event) \
	event_awaited_at(what, event, (uintptr_t)__builtin_return_address(0))

static inline void event_awaited_at(const void *what, struct lock_class *event, uintptr_t pc)
{
	if (CONFIG_LOCKCHECK)
		check_event_awaited_slow(what, event, pc);
}

/* Posted work runs here, or may: the slow way knows. */
static inline bool event_may_be_posted(void)
{
	const struct lock_thread *t = lock_thread();

	return !t || t->posted_to || lock_hart()->posted_to;
}

/*
 * One is signalled here. `completed`: this very signal is what the waiter needs, so that what is
 * held here, and what the run needed to come here, counts. Without it (queues, semaphores: who
 * comes is as good as another) only the mixed lock does whose posted work this is.
 */
#define event_signalled(event, completed) \
	do { \
		if (CONFIG_LOCKCHECK && ((completed) || event_may_be_posted())) \
			check_event_signalled_slow( \
				(event), (completed), (uintptr_t)__builtin_return_address(0)); \
	} while (0)

/* Names of the runs that have no function of their own. */
extern const char run_of_hart_call[], run_of_grace_period[], run_of_reaper[];

#endif
