/* SPDX-License-Identifier: MIT */
/*
 * Short backtraces that are cheap enough for every acquire of a lock: a walk over frame pointers
 * that never leaves the stack it began on, so that nothing it reads can fault. About seven
 * instructions a frame. (arch_backtrace goes on from a handler into what it interrupted, and costs
 * thousands.)
 *
 * A frame pointer is believed while it rises and stays below the stack's top. In a handler that is
 * the hart's interrupt stack, otherwise the thread's; where the top is not known (boot, idle) the
 * walk ends at once. A stack of another size than a thread's is not walked from further below.
 */
#ifndef KERNEL_LOCK_TRACE_H
#define KERNEL_LOCK_TRACE_H

#include "kernel/lock/context.h"

#define TRACE_SKIP_MAX 10
#define TRACE_STACK_BYTES ((uintptr_t)CONFIG_STACK_PAGES * PAGE_SIZE)

/* Of the running stack. With SIE on this is a thread, and only its own fields are looked at. */
static inline uintptr_t trace_stack_top(bool in_handler)
{
	return in_handler ? lock_hart()->irq_stack_top : lock_thread()->stack_top;
}

/*
 * From the frame `fp`, of a function that returns to `ra`: looks for the frame that returns to `pc`
 * and writes it and what called it, at most n. Returns how many, at least 1: pcs[0] is pc.
 */
static inline __attribute__((always_inline)) unsigned trace_walk(
	uintptr_t fp, uintptr_t ra, uintptr_t top, uintptr_t pc, uintptr_t *pcs, unsigned n)
{
	uintptr_t left = top - fp;
	unsigned found = 1;

	arch_frame_keep();
	pcs[0] = pc;
	if (unlikely(left >= TRACE_STACK_BYTES))
		return 1;
	/* Compilers may have made one frame of several functions, or not. */
	for (unsigned skipped = 0; unlikely(ra != pc); skipped++) {
		uintptr_t outer = arch_frame_outer(fp);

		if (top - outer >= left || skipped == TRACE_SKIP_MAX)
			return 1;
		fp = outer;
		left = top - outer;
		ra = arch_frame_return(fp);
	}
#pragma GCC unroll 4
	while (found < n) {
		uintptr_t outer = arch_frame_outer(fp);

		if (top - outer >= left)
			break;
		fp = outer;
		left = top - outer;
		pcs[found++] = arch_frame_return(fp);
	}
	return found;
}

/* The same from the calling function on, as one frame with those that are inline in it. */
#define trace_from(in_handler, pc, pcs, n) \
	trace_walk((uintptr_t)__builtin_frame_address(0), (uintptr_t)__builtin_return_address(0), \
		trace_stack_top(in_handler), (pc), (pcs), (n))

/* Where the calling function returns to, its caller, and so on. Either. Returns how many. */
#define lock_trace(pcs, n) \
	trace_from(!arch_irq_enabled() && lock_hart()->in_irq != IRQ_NONE, \
		(uintptr_t)__builtin_return_address(0), (pcs), (n))

#endif
