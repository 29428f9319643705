/* SPDX-License-Identifier: MIT */
/*
 * Interrupts as they come from the trap entry: the upcalls of kernel/arch.h, and the accounting
 * that says who runs in a handler.
 *
 * SIE is off in handlers, so interrupts do not nest; at entry no irqlock is held (irq_depth is 0),
 * because it came with SIE on, and the handler leaves it so. A handler counts on the interrupted
 * thread's preempt_depth and leaves that, too, as it was.
 */
#include "kernel/hart/call.h"
#include "kernel/irq/irq.h"
#include "kernel/lock/check.h"
#include "kernel/lock/point.h"
#include "kernel/lock/relax.h"
#include "kernel/time/timer.h"
#include "lib/assert.h"

static void (*preempt_hook)(void);

void irq_set_preempt_hook(void (*fn)(void))
{
	preempt_hook = fn;
}

void interrupt_enter(struct trap_frame *frame unused_arg, unsigned kind)
{
	struct hart_meta *h = this_hart_unstable(); /* SIE is off */

	check_irq_entry();
	assert(h->lock.irq_depth == 0 && h->lock.irq_nesting == 0);
	h->lock.in_irq = (uint8_t)kind;
	h->lock.irq_nesting = 1;
	h->stats.irqs[kind]++;
	if (CONFIG_LOCKSTAT)
		h->lock.handler_since = arch_time();
}

/* True: the interrupted thread is to be switched away from, on its own stack. */
bool interrupt_exit(struct trap_frame *frame unused_arg)
{
	struct hart_meta *h = this_hart_unstable();

	assert(h->lock.irq_depth == 0 && h->lock.irq_nesting == 1);
	if (CONFIG_LOCKSTAT &&
		unlikely(arch_time() - h->lock.handler_since >
			lock_longest(&h->lock, SECTION_HANDLER)))
		lock_section_long(SECTION_HANDLER, h->lock.handler_since, 0);
	h->lock.irq_nesting = 0;
	h->lock.in_irq = IRQ_NONE;
	return h->lock.need_resched && h->lock.thread->preempt_depth == 0 &&
		(const void *)h->lock.thread != (const void *)h->idle && preempt_hook;
}

void interrupt_preempt(void)
{
	preempt_hook();
}

void interrupt_put_off(void)
{
	if (relax_arm_tick)
		relax_arm_tick();
}

void interrupt_timer(void)
{
	timers_interrupt();
	/* A message whose interrupt got lost is found here at the latest. */
	if (unlikely(atomic_load_u32(&this_hart_unstable()->mailbox.flags, relaxed)))
		hart_ipi();
	LOCK_HOOK(irq);
}

void interrupt_ipi(void)
{
	hart_ipi();
	LOCK_HOOK(irq);
}

void interrupt_external(void)
{
	irq_dispatch();
}
