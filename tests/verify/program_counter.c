/* SPDX-License-Identifier: MIT */
/*
 * Per-hart counters, also where harts share a slot: exact when nobody adds, and every sum that is
 * read meanwhile is one of those it could be.
 *
 * Sources: kernel/lock/context.c
 */
#include "kernel/lock/counter.h"

#include "tests/verify/machine.h"

static struct counter counter;

void program_setup(void)
{
	/* All in one slot in every second case. */
	for (unsigned i = 0; i < HARTS && vm_case % 2; i++)
		vm_harts[i].meta.lock.index = i * COUNTER_SLOTS;
}

void program_hart(unsigned index)
{
	for (unsigned i = 0; i < vm_rounds; i++) {
		long sum;

		counter_add(&counter, index == 0 ? 5 : 1);
		if (index == 1 && i % 2)
			counter_add(&counter, -1);
		sum = counter_read(&counter);
		verify(sum >= 0 && sum <= (long)((4 + HARTS) * vm_rounds));
	}
}

void program_check(void)
{
	verify(counter_read(&counter) == (long)((4 + HARTS) * vm_rounds - vm_rounds / 2));
}
