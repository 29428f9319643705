/* SPDX-License-Identifier: MIT */
/* Reader/writer irqlocks, sequence locks and counters on real harts. */
#include "kernel/hart/hart.h"
#include "kernel/lock/counter.h"
#include "kernel/lock/irqrwlock.h"
#include "kernel/lock/relax.h"
#include "kernel/lock/seqlock.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "tests/kernel/ktest.h"
#include "tests/kernel/lock_torture.h"

#define ROUNDS 2000

DEFINE_LOCK_CLASS(rw_class, .name = "test.rw", .rank = RANK_TEST_SPIN_OUTER,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 10000,
	.protects = "the pair that is always equal");
DEFINE_LOCK_CLASS(seq_class, .name = "test.seq", .rank = RANK_TEST_SPIN_OUTER,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 10000,
	.protects = "numbers with a fixed ratio");

/* Protects: `pair`. Taken by threads and timer handlers. While it is free: both are equal. */
static struct irqrwlock rw = IRQRWLOCK_INIT(&rw_class);
static struct {
	unsigned long a, b;
} pair;

static void write_acquire(void) UNCHECKED_LOCKING
{
	irqrwlock_write_acquire(&rw);
}

static void write_release(void) UNCHECKED_LOCKING
{
	irqrwlock_write_release(&rw);
}

static bool write_try(void) UNCHECKED_LOCKING
{
	return irqrwlock_write_try(&rw);
}

KTEST(irqrwlock, writers_exclude_threads_and_handlers)
{
	static const struct torture_lock writers = {write_acquire, write_release, write_try};
	struct torture_result result;

	irqrwlock_init(&rw, &rw_class);
	torture_run(&writers, ktest_each(ROUNDS), false, &result);
	ktest_check(!result.violations && !result.lost, "%lu violations, %lu lost",
		result.violations, result.lost);
	ktest_check(atomic_load_u32(&rw.word, relaxed) == 0, "word %#x",
		(unsigned)atomic_load_u32(&rw.word, relaxed));
}

static atomic_u32 nr_inside, most_inside, handler_reads, nr_done;
static struct timer reader_timers[CONFIG_MAX_HARTS];

static void look_at_pair(void)
{
	unsigned long a = pair.a;

	arch_pause();
	ktest_check(a == pair.b, "a reader saw a half-done write");
}

static void timer_reads(struct timer *t) UNCHECKED_LOCKING
{
	irqrwlock_read_acquire(&rw);
	look_at_pair();
	irqrwlock_read_release(&rw);
	atomic_add_u32(&handler_reads, 1, relaxed);
	if (atomic_load_u32(&nr_done, relaxed) < ktest_harts())
		timer_start(t, clock_now_ns() + 100 * KTEST_SLOW * NS_PER_US);
}

static void read_once(bool nested) UNCHECKED_LOCKING
{
	uint32_t now, most;

	irqrwlock_read_acquire(&rw);
	now = atomic_add_u32(&nr_inside, 1, relaxed) + 1;
	most = atomic_load_u32(&most_inside, relaxed);
	while (now > most && !atomic_cas_u32(&most_inside, &most, now, relaxed))
		;
	look_at_pair();
	if (nested) {
		/* A writer may be waiting: it must not come between. */
		irqrwlock_read_acquire_nested(&rw);
		look_at_pair();
		irqrwlock_read_release(&rw);
		ktest_check(!arch_irq_enabled(), "interrupts on under the outer read hold");
	}
	atomic_add_u32(&nr_inside, -1u, relaxed);
	irqrwlock_read_release(&rw);
}

static void write_once(void) UNCHECKED_LOCKING
{
	irqrwlock_write_acquire(&rw);
	ktest_check(atomic_load_u32(&nr_inside, relaxed) == 0, "a writer among readers");
	pair.a++;
	arch_pause();
	pair.b++;
	irqrwlock_write_release(&rw);
}

static void read_and_write(unused_arg unsigned i, unused_arg void *arg)
{
	unsigned self = lock_hart()->index;
	unsigned rounds = ktest_each(ROUNDS);
	uint64_t random = self + 7;

	timer_start(&reader_timers[self], clock_now_ns());
	for (unsigned n = 0; n < rounds; n++) {
		unsigned dice = ktest_random(&random) % 16;

		if (dice < 2)
			write_once();
		else
			read_once(dice < 6);
		if (dice == 15)
			sched_yield();
	}
	/* The timers have been due since before the first round, but interrupts may come late. */
	while (!atomic_load_u32(&handler_reads, relaxed))
		relax();
	atomic_add_u32(&nr_done, 1, relaxed);
}

static void run_readers_and_writers(void)
{
	irqrwlock_init(&rw, &rw_class);
	atomic_store_u32(&nr_done, 0, relaxed);
	atomic_store_u32(&handler_reads, 0, relaxed);
	for (unsigned i = 0; i < nr_harts; i++)
		timer_init(&reader_timers[i], timer_reads);
	ktest_parallel(ktest_harts(), read_and_write, NULL);
	for (unsigned i = 0; i < nr_harts; i++)
		timer_cancel_sync(&reader_timers[i]);
	ktest_check(pair.a == pair.b, "%lu and %lu", pair.a, pair.b);
	ktest_check(atomic_load_u32(&handler_reads, relaxed), "no handler ever read");
	ktest_check(atomic_load_u32(&rw.word, relaxed) == 0 &&
			atomic_load_u32(&rw.gate.word, relaxed) == 0,
		"something is left in the words");
}

KTEST(irqrwlock, readers_never_see_a_writer)
{
	run_readers_and_writers();
}

KTEST(irqrwlock, readers_never_see_a_writer_when_all_park)
{
	static const struct irqlock_tuning all_park = {0, 0, 0, 1, 4, 0, false};
	struct irqlock_tuning saved = irqlock_tuning;

	irqlock_tuning = all_park;
	run_readers_and_writers();
	irqlock_tuning = saved;
}

/* Every reader waits, inside, for all others: only readers that are in together get out. */
static void read_together(unused_arg unsigned i, void *arg) UNCHECKED_LOCKING
{
	unsigned *n = arg;

	irqrwlock_read_acquire(&rw);
	atomic_add_u32(&nr_inside, 1, acq_rel);
	while (atomic_load_u32(&nr_inside, acquire) < *n)
		relax();
	irqrwlock_read_release(&rw);
}

KTEST(irqrwlock, readers_are_in_together)
{
	unsigned n = ktest_harts();

	irqrwlock_init(&rw, &rw_class);
	atomic_store_u32(&nr_inside, 0, relaxed);
	ktest_parallel(n, read_together, &n);
	atomic_store_u32(&nr_inside, 0, relaxed);
}

/* Readers never stop coming; the writer gets in all the same. */
static atomic_bool writer_done;

static void flood_with_readers(unsigned i, unused_arg void *arg) UNCHECKED_LOCKING
{
	if (i == 0) {
		unsigned writes = ktest_each(100);

		for (unsigned n = 0; n < writes; n++)
			write_once();
		atomic_store_bool(&writer_done, true, release);
		return;
	}
	while (!atomic_load_bool(&writer_done, acquire)) {
		irqrwlock_read_acquire(&rw);
		look_at_pair();
		irqrwlock_read_release(&rw);
	}
}

KTEST(irqrwlock, readers_do_not_starve_a_writer)
{
	irqrwlock_init(&rw, &rw_class);
	atomic_store_bool(&writer_done, false, relaxed);
	ktest_parallel(ktest_harts(), flood_with_readers, NULL);
	ktest_check(atomic_load_bool(&writer_done, relaxed), "the writer did not end");
}

/* ---- Sequence lock -------------------------------------------------------------------------- */

/* Protects: `numbers`, against other writers. While it is free: they are n, 3n, 7n. */
static struct seqlock seq = SEQLOCK_INIT(&seq_class);
static seq_u64 numbers[3];
static atomic_u32 nr_reads, nr_writers;

static void write_numbers(void) UNCHECKED_LOCKING
{
	uint64_t n;

	seqlock_write_begin(&seq);
	n = seq_read_u64(&numbers[0]) + 1;
	seq_write_u64(&numbers[0], n);
	arch_pause();
	seq_write_u64(&numbers[1], 3 * n);
	arch_pause();
	seq_write_u64(&numbers[2], 7 * n);
	seqlock_write_end(&seq);
}

static void read_numbers(void)
{
	uint64_t a, b, c;
	unsigned start;

	do {
		start = seqlock_read_begin(&seq);
		c = seq_read_u64(&numbers[2]);
		arch_pause();
		b = seq_read_u64(&numbers[1]);
		a = seq_read_u64(&numbers[0]);
	} while (seqlock_read_retry(&seq, start));
	ktest_check(b == 3 * a && c == 7 * a, "a reader saw half of a write");
	atomic_add_u32(&nr_reads, 1, relaxed);
}

static void timer_writes(struct timer *t)
{
	write_numbers();
	read_numbers();
	if (atomic_load_u32(&nr_writers, relaxed))
		timer_start(t, clock_now_ns() + 100 * KTEST_SLOW * NS_PER_US);
}

static void read_and_write_numbers(unused_arg unsigned i, unused_arg void *arg)
{
	unsigned self = lock_hart()->index, rounds = ktest_each(ROUNDS);

	timer_start(&reader_timers[self], clock_now_ns());
	for (unsigned n = 0; n < rounds; n++) {
		if (i % 2 == 0)
			write_numbers();
		read_numbers();
	}
	atomic_add_u32(&nr_writers, -1u, relaxed);
}

KTEST(seqlock, readers_see_whole_writes_of_threads_and_handlers)
{
	unsigned n = ktest_harts();

	atomic_store_u32(&nr_reads, 0, relaxed);
	atomic_store_u32(&nr_writers, n, relaxed);
	for (unsigned i = 0; i < nr_harts; i++)
		timer_init(&reader_timers[i], timer_writes);
	ktest_parallel(n, read_and_write_numbers, NULL);
	for (unsigned i = 0; i < nr_harts; i++)
		timer_cancel_sync(&reader_timers[i]);
	ktest_check(
		atomic_load_u32(&nr_reads, relaxed) >= n * ktest_each(ROUNDS), "reads are missing");
	read_numbers();
}

KTEST(seqlock, a_reader_retries_after_a_write)
{
	unsigned start = seqlock_read_begin(&seq);

	ktest_check(!seqlock_read_retry(&seq, start), "retry without a write");
	write_numbers();
	ktest_check(seqlock_read_retry(&seq, start), "no retry after a write");
}

/* ---- Counters ------------------------------------------------------------------------------- */

static struct counter counter;

static void count_a_lot(unused_arg unsigned i, unused_arg void *arg)
{
	for (unsigned n = 0; n < 3 * ROUNDS; n++)
		counter_add(&counter, n % 3 == 2 ? -1 : 1);
}

KTEST(counter, loses_nothing)
{
	long before = counter_read(&counter);

	ktest_parallel(ktest_harts(), count_a_lot, NULL);
	ktest_check(counter_read(&counter) - before == (long)ktest_harts() * ROUNDS, "%ld",
		counter_read(&counter) - before);
}
