/* SPDX-License-Identifier: MIT */
/* Every irq-safe lock of the kernel at once, in order, from threads and handlers: must pass. */
#include "kernel/lock/irqlock.h"
#include "kernel/lock/irqrwlock.h"
#include "kernel/lock/seqlock.h"
#include "tests/hunt/hunt.h"

#define TURNS 3

DEFINE_LOCK_CLASS(nested_outer_class, .name = "nested.outer", .rank = RANK_TEST_SPIN_OUTER,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 100, .protects = "outer");
DEFINE_LOCK_CLASS(nested_rw_class, .name = "nested.rw", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 100, .protects = "two counts");
DEFINE_LOCK_CLASS(nested_seq_class, .name = "nested.seq", .rank = RANK_TEST_SPIN,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 100, .protects = "two numbers");

static struct irqlock outer = IRQLOCK_INIT(&nested_outer_class);
static struct irqrwlock rw = IRQRWLOCK_INIT(&nested_rw_class);
static struct seqlock seq = SEQLOCK_INIT(&nested_seq_class);
static unsigned outer_count, rw_count[2];
static atomic_u32 pair[2], rounds;

static void begin(void)
{
	outer_count = 0;
	rw_count[0] = 0;
	rw_count[1] = 0;
	atomic_store_u32(&rounds, 0, relaxed);
}

static void write_all(void)
{
	irqlock_acquire(&outer);
	outer_count++;
	irqrwlock_write_acquire(&rw);
	rw_count[0]++;
	hunt_step("wrote one half");
	rw_count[1]++;
	irqrwlock_write_release(&rw);
	seqlock_write_begin(&seq);
	seq_write_u32(&pair[0], outer_count);
	hunt_step("wrote one half");
	seq_write_u32(&pair[1], outer_count);
	seqlock_write_end(&seq);
	irqlock_release(&outer);
	atomic_add_u32(&rounds, 1, relaxed);
}

static void read_all(void)
{
	unsigned start, a, b;

	irqrwlock_read_acquire(&rw);
	a = rw_count[0];
	hunt_step("read one half");
	b = rw_count[1];
	irqrwlock_read_release(&rw);
	hunt_check(a == b, "a reader sees %u and %u", a, b);
	do {
		start = seqlock_read_begin(&seq);
		a = seq_read_u32(&pair[0]);
		hunt_step("read one half");
		b = seq_read_u32(&pair[1]);
	} while (seqlock_read_retry(&seq, start));
	hunt_check(a == b, "a seqlock's reader sees %u and %u", a, b);
}

static void thread(unsigned me)
{
	for (unsigned i = 0; i < TURNS; i++) {
		if ((i + me) % 2)
			write_all();
		else
			read_all();
	}
}

static void end(void)
{
	unsigned n = atomic_load_u32(&rounds, relaxed);

	hunt_check(outer_count == n && rw_count[1] == n, "%u and %u writes instead of %u",
		outer_count, rw_count[1], n);
}

HUNT_PROGRAM(nested, .help = "irqlock, irqrwlock and seqlock from threads and handlers",
	.threads = 4, .rounds = 12, .begin = begin, .thread = thread, .handler = write_all,
	.end = end);
