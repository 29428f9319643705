/* SPDX-License-Identifier: MIT */
/*
 * Preemption off and on. The depth is the thread's: one load of the current pointer finds it on
 * whatever hart that executes (kernel/lock/context.h). A handler counts on the interrupted thread's
 * depth and leaves it as it was.
 */
#ifndef KERNEL_SCHED_PREEMPT_H
#define KERNEL_SCHED_PREEMPT_H

#include "kernel/lock/context.h"
#include "lib/types.h"

/* Either. */
static inline void preempt_disable(void)
{
	struct lock_thread *t = lock_thread();
	unsigned depth = racy_read(t->preempt_depth, "handlers leave it as it was");

	racy_write(t->preempt_depth, depth + 1, "as above");
	if (depth == 0 && CONFIG_LOCKSTAT)
		racy_write(t->preempt_off_since, arch_time(), "a handler's is as good");
	/* Keeps what follows behind it; this hart's own handlers are the only partners. */
	__asm__ volatile("" : : : "memory");
}

/* need_resched was set while preemption was off: switches now, or has the software interrupt do it
 * as soon as interrupts open. Out of line; either. */
void preempt_enable_slow(void);

/* Reschedules when it was the outermost one and a better thread waits. Either. */
static inline void preempt_enable(void)
{
	struct lock_thread *t = lock_thread();
	unsigned depth = racy_read(t->preempt_depth, "handlers leave it as it was") - 1;

	__asm__ volatile("" : : : "memory");
	/* It has been this hart all the time. */
	if (CONFIG_LOCKSTAT && depth == 0 &&
		unlikely(arch_time() - racy_read(t->preempt_off_since, "as above") >
			lock_longest(lock_hart(), SECTION_PREEMPT_OFF)))
		lock_section_long(SECTION_PREEMPT_OFF, t->preempt_off_since, 0);
	racy_write(t->preempt_depth, depth, "as above");
	__asm__ volatile("" : : : "memory");
	/* A preemption between the two loads moves this thread and serves the request: reading
	 * another hart's flag then costs a look, never a missed request. */
	if (unlikely(!depth &&
		    racy_read(lock_hart()->need_resched, "a look at another hart's is harmless")))
		preempt_enable_slow();
}

#endif
