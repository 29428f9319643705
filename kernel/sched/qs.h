/* SPDX-License-Identifier: MIT */
/*
 * Quiescent-state reclamation: memory that readers look at without a lock is given back only after
 * every hart has been seen outside of all read sections. Protocol and orders: kernel/sched/qs.c.
 *
 * A read section is a stretch with preemption off (so every handler and every irqlock is one too).
 * A hart is outside of all sections when it switches threads, idles, or is not online.
 */
#ifndef KERNEL_SCHED_QS_H
#define KERNEL_SCHED_QS_H

#include "kernel/sched/preempt.h"
#include "lib/types.h"

/* Sections nest; nothing in them may sleep. Either. */
static inline void qs_read_begin(void)
{
	preempt_disable();
}

static inline void qs_read_end(void)
{
	preempt_enable();
}

/* Returns after every section that was open at the call has ended. What the caller unpublished
 * before is unreachable then. Thread, may sleep. */
void qs_synchronize(void);

struct qs_entry {
	struct qs_entry *next;
	void (*fn)(struct qs_entry *entry);
};

/* Runs fn(entry) in the qs thread after every section that is open now has ended; entry is the
 * caller's until then and free for anything afterwards. fn may sleep. Either; takes qs.lock (rank
 * QS). */
void qs_call(struct qs_entry *entry, void (*fn)(struct qs_entry *entry));
/* Returns after every entry that was posted before has run. Thread, may sleep; not from an fn. */
void qs_barrier(void);

/* Body of the qs thread. Started once, by kernel/task. */
noreturn void qs_thread(void *arg);
/* Grace periods so far, for reports and tests. Either. */
uint64_t qs_periods(void);

#endif
