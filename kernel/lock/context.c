/* SPDX-License-Identifier: MIT */
/* Who runs, and what may be done here (context.h). */
#include "kernel/lock/context.h"

#include "kernel/lock/check.h"
#include "kernel/lock/trace.h"
#include "lib/assert.h"
#include "lib/string.h"

struct lock_hart *lock_harts[CONFIG_MAX_HARTS];
unsigned nr_lock_harts;

void lock_hart_register(struct lock_hart *h, unsigned index, uintptr_t hartid)
{
	assert(index < CONFIG_MAX_HARTS && !lock_harts[index]);
	assert(h->nr_held == 0);
	h->index = index;
	h->hartid = hartid;
	lock_harts[index] = h;
	if (index >= nr_lock_harts)
		nr_lock_harts = index + 1;
}

struct lock_hart *lock_hart_stable(void)
{
	assert(!arch_irq_enabled() || lock_thread()->preempt_depth > 0);
	return lock_hart();
}

void irq_off(void)
{
	bool before = arch_irq_save();
	struct lock_hart *h = lock_hart();

	irq_section_begin(h, before);
	if (CONFIG_LOCKSTAT && h->irq_depth == 1) {
		h->irqs_off_since = arch_time();
		memset(h->irqs_off_pcs, 0, sizeof(h->irqs_off_pcs));
		lock_trace(h->irqs_off_pcs, LOCK_OFF_TRACE);
		h->irqs_off_pc = h->irqs_off_pcs[0];
	}
}

void irq_on(void)
{
	struct lock_hart *h;

	if (!check_irq_on((uintptr_t)__builtin_return_address(0)))
		return;
	h = lock_hart();
	assert(h->irq_depth > 0);
	if (CONFIG_LOCKSTAT)
		h->irqs_off_end = arch_time();
	irq_section_end(h);
}

bool in_interrupt(void)
{
	const struct lock_thread *t = lock_thread();

	if (t && t->posted_work)
		return true;
	/* Handlers run with interrupts off; with them on, the hart could change under our feet. */
	return !arch_irq_enabled() && lock_hart()->in_irq != IRQ_NONE;
}

bool may_sleep(void)
{
	const struct lock_thread *t = lock_thread();

	if (!arch_irq_enabled() || !t)
		return false;
	/* Interrupts are on, so this is no handler, and what is read is the thread's own. */
	return !t->posted_work && t->preempt_depth == 0 && t->seq_writers == 0;
}
