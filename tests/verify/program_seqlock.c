/* SPDX-License-Identifier: MIT */
/*
 * The seqlock: what a reader keeps is one whole write, never older than one that it saw before;
 * writers exclude one another.
 *
 * Sources: kernel/lock/seqlock.c kernel/lock/irqlock.c kernel/lock/park.c kernel/lock/relax.c
 * Sources: kernel/lock/context.c
 */
#include "kernel/lock/seqlock.h"

#include "tests/verify/machine.h"

DEFINE_LOCK_CLASS(seq_class, .name = "seq", .rank = RANK_TEST_SPIN,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000, .protects = "the data");

static struct seqlock seq = SEQLOCK_INIT(&seq_class);
static atomic_u32 low, high;
static unsigned writes; /* plain: the writers' own */

void program_setup(void)
{
	irqlock_tuning = (struct irqlock_tuning){0, 0, 0, 1, 2, 0, false};
}

static void write_part(void)
{
	uint32_t n;

	seqlock_write_begin(&seq);
	n = ++writes;
	if (vm_random(2)) {
		seq_write_u32(&low, n);
		vm_dwell();
		seq_write_u32(&high, n);
	} else {
		seq_write_u32(&high, n);
		seq_write_u32(&low, n);
	}
	seqlock_write_end(&seq);
}

static uint32_t read_part(void)
{
	uint32_t a, b;
	unsigned start;

	do {
		start = seqlock_read_begin(&seq);
		a = seq_read_u32(&low);
		vm_dwell();
		b = seq_read_u32(&high);
	} while (seqlock_read_retry(&seq, start));
	verify(a == b);
	return a;
}

void program_hart(unsigned index)
{
	uint32_t last = 0;

	for (unsigned i = 0; i < vm_rounds; i++) {
		uint32_t now;

		if (index == 0 || (index == 1 && vm_random(2))) {
			write_part();
			continue;
		}
		now = read_part();
		verify(now >= last);
		last = now;
	}
}

void program_check(void)
{
	verify(atomic_load_u32(&seq.seq, relaxed) == 2 * writes);
	verify(read_part() == writes);
}
