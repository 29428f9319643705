/* SPDX-License-Identifier: MIT */
/*
 * The irqlock, all policies: exclusion, no lost wake-up, nothing left in the word, interrupts as
 * before; threads and a handler take it, with another one nested and released in either order.
 *
 * Sources: kernel/lock/irqlock.c kernel/lock/park.c kernel/lock/relax.c kernel/lock/context.c
 */
#include "kernel/lock/irqlock.h"

#include "kernel/lock/relax.h"

#include "tests/verify/machine.h"

DEFINE_LOCK_CLASS(outer_class, .name = "outer", .rank = RANK_TEST_SPIN_OUTER,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000, .protects = "the counts");
DEFINE_LOCK_CLASS(inner_class, .name = "inner", .rank = RANK_TEST_SPIN,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000, .protects = "the counts");

static struct irqlock outer = IRQLOCK_INIT(&outer_class);
static struct irqlock inner = IRQLOCK_INIT(&inner_class);

/* Plain on purpose: what the locks protect. */
static unsigned outer_count, inner_count;
static unsigned taken[HARTS];

/* Everybody parks at once; a little of each; a newcomer that never gives in to the queue. */
static const struct irqlock_tuning tunings[] = {
	{0, 0, 0, 1, 2, 0, false},
	{1, 1, 1, 1, 2, 1, false},
	{3, 0, 0, 2, 1, 0, false},
};

static void in_handler(void)
{
	arch_ipi_clear();
	irqlock_acquire(&outer);
	outer_count++;
	taken[vm_self()->index]++;
	irqlock_release(&outer);
}

void program_setup(void)
{
	static const enum irqlock_policy policies[] = {
		IRQLOCK_QUEUE, IRQLOCK_QUEUE, IRQLOCK_FIFO, IRQLOCK_TAS};

	outer.policy = inner.policy = policies[vm_case % ARRAY_SIZE(policies)];
	irqlock_tuning = tunings[vm_case / 4 % ARRAY_SIZE(tunings)];
	vm_ipi = vm_case / 12 % 2 ? in_handler : NULL;
	if (vm_case / 24 % 2)
		verify(relax_init("turn"));
}

static void nest(unsigned way)
{
	irqlock_acquire_in_irq(&inner);
	inner_count++;
	if (way & 2) {
		/* Out of order: interrupts stay off until the last one goes. */
		irqlock_release(&outer);
		verify(!arch_irq_enabled());
		irqlock_release_in_irq(&inner);
		return;
	}
	irqlock_release_in_irq(&inner);
	irqlock_release(&outer);
}

void program_hart(unsigned index)
{
	for (unsigned i = 0; i < vm_rounds; i++) {
		unsigned way = vm_random(8);

		vm_noise();
		if (way == 0) {
			if (!irqlock_try(&outer))
				continue;
		} else {
			irqlock_acquire(&outer);
		}
		verify(!arch_irq_enabled());
		outer_count++;
		taken[index]++;
		vm_dwell();
		if (way & 1)
			nest(way);
		else
			irqlock_release(&outer);
		verify(arch_irq_enabled());
	}
}

void program_check(void)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < HARTS; i++)
		sum += taken[i];
	verify(sum == outer_count);
	/* No queue, no kick, no steal is left. */
	verify(atomic_load_u32(&outer.word, relaxed) == 0);
	verify(atomic_load_u32(&inner.word, relaxed) == 0);
}
