/* SPDX-License-Identifier: MIT */
/*
 * Self-test matrix: readers of seqlocks. A reader waits for a writer and holds nothing, so it can
 * be the one that asks in a cycle, never the one that holds.
 *
 * The seqlock is of class D. A writer with interrupts on is simulated, as no real one has them on:
 * the checker's part of its acquire, under which the real reader finds an even number.
 */
#include "tests/kernel/locktest.h"

#include "kernel/hart/call.h"
#include "kernel/lock/check_test.h"
#include "kernel/lock/seqlock.h"
#include "lib/assert.h"

static struct locktest_lock *const lock_a = &locktest_locks[LT_A];
static struct locktest_lock *const lock_b = &locktest_locks[LT_B];
static struct seqlock seq; /* Protects nothing; new in each case. */

DEFINE_LOCK_CLASS(thread_seq_class, .name = "locktest.seq.thread", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000000,
	.protects = "nothing: it must not be read by handlers");

static void read_seq(unused_arg void *arg)
{
	unsigned start = seqlock_read_begin(&seq);

	if (seqlock_read_retry(&seq, start))
		locktest_broken("written meanwhile");
}

static void write_raw(void)
{
	locktest_acquire_raw(&seq.lock, seq.lock.class, 0);
}

static void written_raw(void)
{
	locktest_release_raw(&seq.lock, seq.lock.class, 0);
}

/* ---- Handlers ------------------------------------------------------------------------------- */

static void read_over_writer(enum irq_kind kind)
{
	locktest_sim_begin();
	write_raw();
	locktest_irq_enter(kind);
	read_seq(NULL);
	locktest_irq_exit();
	written_raw();
	locktest_sim_end();
}

static void hard_over_writer(void)
{
	read_over_writer(IRQ_TIMER);
}

static void ipi_over_writer(void)
{
	read_over_writer(IRQ_IPI);
}

static void read_then_written(void)
{
	locktest_sim_begin();
	locktest_irq_enter(IRQ_TIMER);
	read_seq(NULL);
	locktest_irq_exit();
	write_raw();
	written_raw();
	locktest_sim_end();
}

/* Writers are as they should be. */
static void over_real_writer(void)
{
	seqlock_write_begin(&seq);
	seqlock_write_end(&seq);
	hart_call(this_hart_unstable(), read_seq, NULL);
	seqlock_write_begin(&seq);
	seqlock_write_end(&seq);
}

static void thread_beside_writer(void)
{
	locktest_sim_begin();
	write_raw();
	written_raw();
	read_seq(NULL);
	locktest_sim_end();
}

/* What the handler takes is held where somebody waits for a writer, whom it may interrupt. */
static void through_a_lock(void)
{
	locktest_sim_begin();
	write_raw();
	written_raw();
	locktest_acquire(lock_a, LT_IRQLOCK);
	read_seq(NULL);
	locktest_release(lock_a, LT_IRQLOCK);
	locktest_irq_enter(IRQ_TIMER);
	locktest_acquire(lock_a, LT_IRQLOCK);
	locktest_release(lock_a, LT_IRQLOCK);
	locktest_irq_exit();
	locktest_sim_end();
}

static void not_for_handlers(void)
{
	seqlock_init(&seq, &thread_seq_class);
	read_seq(NULL);
	hart_call(this_hart_unstable(), read_seq, NULL);
}

static struct mixwork reading_work;

static void read_posted(unused_arg struct mixwork *w)
{
	read_seq(NULL);
}

/* Posted work counts as a handler, though a thread runs it. */
static void not_for_posted_work(void)
{
	seqlock_init(&seq, &thread_seq_class);
	read_seq(NULL);
	mixwork_init(&reading_work, read_posted);
	mixlock_post(&lock_a->mixlock, &reading_work);
}

/* ---- Order ---------------------------------------------------------------------------------- */

static void read_under(struct locktest_lock *l, enum locktest_kind kind)
{
	locktest_acquire(l, kind);
	read_seq(NULL);
	locktest_release(l, kind);
}

static void taken_under_writer(struct locktest_lock *l)
{
	seqlock_write_begin(&seq);
	locktest_acquire(l, LT_IRQLOCK);
	locktest_release(l, LT_IRQLOCK);
	seqlock_write_end(&seq);
}

static void under_writer_then_read(void)
{
	taken_under_writer(lock_a);
	read_under(lock_a, LT_IRQLOCK);
}

static void read_then_under_writer(void)
{
	read_under(lock_a, LT_IRQLOCK);
	taken_under_writer(lock_a);
}

static void another_under_writer(void)
{
	read_under(lock_a, LT_IRQLOCK);
	taken_under_writer(lock_b);
}

static void under_writer_through_another(void)
{
	taken_under_writer(lock_a);
	locktest_acquire(lock_a, LT_IRQLOCK);
	locktest_acquire(lock_b, LT_IRQLOCK);
	locktest_release(lock_b, LT_IRQLOCK);
	locktest_release(lock_a, LT_IRQLOCK);
	read_under(lock_b, LT_IRQLOCK);
}

static void read_under_mutex(void)
{
	read_under(lock_a, LT_MUTEX);
	read_under(lock_a, LT_SLEEP_READ);
	read_under(lock_a, LT_MIXLOCK);
}

static void rank_is_too_high(void)
{
	locktest_set_ranks(LT_IRQLOCK);
	read_under(lock_b, LT_IRQLOCK);
}

static void rank_is_low(void)
{
	locktest_set_ranks(LT_IRQLOCK);
	read_under(lock_a, LT_IRQLOCK);
}

/* ---- Itself --------------------------------------------------------------------------------- */

static void by_its_writer(void)
{
	seqlock_write_begin(&seq);
	seqlock_read_begin(&seq);
	seqlock_write_end(&seq);
}

static void read_in_a_read(void)
{
	unsigned start = seqlock_read_begin(&seq);

	read_seq(NULL);
	hart_call(this_hart_unstable(), read_seq, NULL);
	if (seqlock_read_retry(&seq, start))
		locktest_broken("written meanwhile");
}

/* Who reads holds nothing, so what it asks for comes after nothing. */
static void taken_in_a_read(void)
{
	unsigned start = seqlock_read_begin(&seq);

	locktest_acquire(lock_a, LT_IRQLOCK);
	locktest_release(lock_a, LT_IRQLOCK);
	if (seqlock_read_retry(&seq, start))
		locktest_broken("written meanwhile");
	read_under(lock_a, LT_IRQLOCK);
}

/* ---- The table ------------------------------------------------------------------------------ */

static const struct seq_row {
	const char *name;
	void (*fn)(void);
	char want;
} rows[] = {
	{"handler reads, writer had irqs on", hard_over_writer, IRQ},
	{"IPI handler reads, ...", ipi_over_writer, IRQ},
	{"writer has irqs on, handler has read", read_then_written, IRQ},
	{"handler reads, writers had irqs off", over_real_writer, SILENT},
	{"thread reads, writer had irqs on", thread_beside_writer, SILENT},
	{"handler, lock, read, irqs on", through_a_lock, IRQ},
	{"read by a handler, not for handlers", not_for_handlers, CONTEXT},
	{"... by posted work", not_for_posted_work, CONTEXT},
	{"lock under writer, read under lock", under_writer_then_read, ORDER},
	{"read under lock, lock under writer", read_then_under_writer, ORDER},
	{"... another lock under writer", another_under_writer, SILENT},
	{"lock under writer, lock, read", under_writer_through_another, ORDER},
	{"read under sleeping locks", read_under_mutex, SILENT},
	{"read under a lock of its rank", rank_is_too_high, RANK},
	{"read under a lock of an earlier one", rank_is_low, SILENT},
	{"read by its writer", by_its_writer, OWNER},
	{"read in a read", read_in_a_read, SILENT},
	{"lock in a read, read under lock", taken_in_a_read, SILENT},
};

static void seq_body(const void *arg)
{
	const struct seq_row *row = arg;

	seqlock_init(&seq, locktest_locks[LT_D].class);
	row->fn();
}

void locktest_seq_rows(void)
{
	static const char *const columns[] = {"seqlock"};

	locktest_table("readers of seqlocks", columns, 1);
	for (unsigned r = 0; r < ARRAY_SIZE(rows); r++) {
		locktest_row("%s", rows[r].name);
		locktest_cell(rows[r].want, seq_body, &rows[r]);
		locktest_row_end();
	}
}
