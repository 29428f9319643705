/* SPDX-License-Identifier: MIT */
/*
 * The irqrwlock: writers exclude everybody, readers see whole writes, nobody sleeps for ever;
 * readers nest, and a handler reads.
 *
 * Sources: kernel/lock/irqrwlock.c kernel/lock/irqlock.c kernel/lock/park.c kernel/lock/relax.c
 * Sources: kernel/lock/context.c
 */
#include "kernel/lock/irqrwlock.h"

#include "tests/verify/machine.h"

DEFINE_LOCK_CLASS(rw_class, .name = "rw", .rank = RANK_TEST_SPIN,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000, .protects = "the pair");

static struct irqrwlock rw = IRQRWLOCK_INIT(&rw_class);
/* Plain on purpose: what the lock protects. Equal while no writer is in. */
static unsigned pair[2];

static void in_handler(void)
{
	arch_ipi_clear();
	irqrwlock_read_acquire(&rw);
	verify(pair[0] == pair[1]);
	irqrwlock_read_release(&rw);
}

void program_setup(void)
{
	static const struct irqlock_tuning tunings[] = {
		{0, 0, 0, 1, 2, 0, false},
		{1, 1, 1, 1, 2, 1, false},
	};

	irqlock_tuning = tunings[vm_case % 2];
	vm_ipi = vm_case / 2 % 2 ? in_handler : NULL;
}

static bool write_begin(unsigned way)
{
	if (way == 0)
		return irqrwlock_write_try(&rw);
	irqrwlock_write_acquire(&rw);
	return true;
}

static bool read_begin(unsigned way)
{
	if (way == 3)
		return irqrwlock_read_try(&rw);
	if (way == 4)
		irqrwlock_read_acquire_nested(&rw);
	else
		irqrwlock_read_acquire(&rw);
	return true;
}

static void read_part(unsigned way)
{
	if (!read_begin(way))
		return;
	verify(pair[0] == pair[1]);
	if (way == 5) {
		vm_dwell();
		irqrwlock_read_acquire_nested(&rw);
		verify(pair[0] == pair[1]);
		irqrwlock_read_release(&rw);
		verify(!arch_irq_enabled());
	}
	irqrwlock_read_release(&rw);
}

void program_hart(unused_arg unsigned index)
{
	for (unsigned i = 0; i < vm_rounds; i++) {
		unsigned way = vm_random(8);

		vm_noise();
		if (way >= 3) {
			read_part(way);
		} else if (write_begin(way)) {
			pair[0]++;
			vm_dwell();
			pair[1]++;
			irqrwlock_write_release(&rw);
		}
		verify(arch_irq_enabled());
	}
}

void program_check(void)
{
	verify(pair[0] == pair[1]);
	verify(atomic_load_u32(&rw.word, relaxed) == 0);
	verify(atomic_load_u32(&rw.gate.word, relaxed) == 0);
}
