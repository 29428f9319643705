/* SPDX-License-Identifier: MIT */
/*
 * The interrupt-disabling locks with pthreads as harts: exclusion, no lost wake-up (a sleep ends by
 * a kick only), the queue's bounds, nesting, and what a release leaves behind.
 *
 * Sources: tests/host/harness.c tests/host/machine.c tests/host/harts.c
 * Sources: kernel/lock/irqlock.c kernel/lock/irqlock_checked.c kernel/lock/park.c
 * Sources: kernel/lock/relax.c kernel/lock/context.c
 * Sources: kernel/lock/irqrwlock.c kernel/lock/seqlock.c kernel/lock/stat.c
 * Sources: kernel/lock/stat_lock.c
 * Sources: kernel/lock/check.c kernel/lock/check_state.c kernel/lock/check_held.c
 * Sources: kernel/lock/check_report.c kernel/lock/check_graph.c kernel/lock/check_order.c
 * Sources: kernel/lock/check_path.c
 * Sources: kernel/lock/check_pin.c lib/string.c lib/printf.c
 */
#include "tests/host/harness.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/lock/irqlock.h"
#include "kernel/lock/irqrwlock.h"
#include "kernel/lock/relax.h"
#include "kernel/lock/seqlock.h"
#include "kernel/panic.h"
#include "tests/host/harts.h"

#define HARTS 8
#ifndef ROUNDS
#define ROUNDS 1000
#endif

DEFINE_LOCK_CLASS(outer_class, .name = "outer", .rank = RANK_TEST_SPIN_OUTER,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000, .protects = "the test's data");
DEFINE_LOCK_CLASS(inner_class, .name = "inner", .rank = RANK_TEST_SPIN, .contexts = LOCK_IN_THREAD,
	.max_hold_us = 1000, .protects = "the test's data");

static struct irqlock outer = IRQLOCK_INIT(&outer_class);
static struct irqlock inner = IRQLOCK_INIT(&inner_class);
static struct irqrwlock rw = IRQRWLOCK_INIT(&outer_class);
static struct seqlock seq = SEQLOCK_INIT(&outer_class);

/* Plain on purpose: what the locks protect. */
static uint64_t outer_count, inner_count, rw_count[2];
static seq_u64 seq_data[3];
static uint64_t taken_by[HARTS];
static atomic_u32 reads_done;

void report(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
}

void panic_as(enum exit_status status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	exit(status);
}

static void dwell(void)
{
	for (unsigned i = hart_random() % 64; i > 0; i--)
		arch_pause();
	/* Away with the lock held, as a hart without a host core is. */
	if (hart_random() % 16 == 0)
		sched_yield();
}

/* All ways to take `outer`, with `inner` nested and released in either order. */
static void mixed_ways(unsigned index)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned way = hart_random() % 8;

		hart_make_noise();
		if (way == 0) {
			if (!irqlock_try(&outer))
				continue;
		} else {
			irqlock_acquire(&outer);
		}
		assert_false(host_irq_on);
		outer_count++;
		taken_by[index]++;
		dwell();
		if (way & 1) {
			irqlock_acquire_in_irq(&inner);
			inner_count++;
			if (way & 2) {
				/* Out of order: interrupts stay off until the last one goes. */
				irqlock_release(&outer);
				assert_false(host_irq_on);
				inner_count++;
				irqlock_release_in_irq(&inner);
				assert_true(host_irq_on);
				continue;
			}
			inner_count++;
			irqlock_release_in_irq(&inner);
		}
		irqlock_release(&outer);
		assert_true(host_irq_on);
	}
}

static void run_mixed(void)
{
	uint64_t sum = 0;

	outer_count = inner_count = 0;
	for (unsigned i = 0; i < HARTS; i++)
		taken_by[i] = 0;
	harts_run(HARTS, mixed_ways);
	for (unsigned i = 0; i < HARTS; i++)
		sum += taken_by[i];
	assert_int_equal(sum, outer_count);
	assert_int_equal(inner_count % 2, 0);
	/* Nothing is left in the words: no queue, no kick, no steal. */
	assert_int_equal(atomic_load_u32(&outer.word, relaxed), 0);
	assert_int_equal(atomic_load_u32(&inner.word, relaxed), 0);
}

static void excludes_with_default_tuning(unused_arg void **state)
{
	run_mixed();
}

/* Spin bounds of zero: every wait joins and parks at once. */
static void excludes_when_everybody_parks(unused_arg void **state)
{
	struct irqlock_tuning saved = irqlock_tuning;
	uint32_t ipis = harts_ipis();

	irqlock_tuning = (struct irqlock_tuning){0, 0, 0, 1, 2, 0, false};
	run_mixed();
	irqlock_tuning = saved;
	assert_true(harts_ipis() > ipis);
}

static void excludes_with_a_little_of_each(unused_arg void **state)
{
	struct irqlock_tuning saved = irqlock_tuning;

	irqlock_tuning = (struct irqlock_tuning){3, 2, 3, 1, 62, 3, false};
	run_mixed();
	irqlock_tuning = saved;
}

static void excludes_in_strict_order(unused_arg void **state)
{
	unsigned long stolen = lock_stat_read(&outer_class, LOCK_STOLEN);

	outer.policy = inner.policy = IRQLOCK_FIFO;
	run_mixed();
	outer.policy = inner.policy = IRQLOCK_BY_CLASS;
	assert_int_equal(lock_stat_read(&outer_class, LOCK_STOLEN), stolen);
}

static void excludes_without_queue(unused_arg void **state)
{
	outer.policy = inner.policy = IRQLOCK_TAS;
	run_mixed();
	outer.policy = inner.policy = IRQLOCK_BY_CLASS;
}

/* In turn mode every wait step sends the hart's own interrupt and takes it: none may get lost. */
static void excludes_in_turn_mode(unused_arg void **state)
{
	assert_true(relax_init("turn"));
	run_mixed();
	assert_true(relax_init("pause"));
	assert_false(relax_init("sideways"));
}

static void readers_and_writers(unused_arg unsigned index)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned way = hart_random() % 16;

		hart_make_noise();
		if (way < 3) {
			if (way == 0 && !irqrwlock_write_try(&rw))
				continue;
			if (way != 0)
				irqrwlock_write_acquire(&rw);
			rw_count[0]++;
			dwell();
			rw_count[1]++;
			irqrwlock_write_release(&rw);
			continue;
		}
		if (way == 3 && !irqrwlock_read_try(&rw))
			continue;
		/* 4: one that may already be a reader, and is none this time. */
		if (way == 4)
			irqrwlock_read_acquire_nested(&rw);
		else if (way != 3)
			irqrwlock_read_acquire(&rw);
		assert_int_equal(rw_count[0], rw_count[1]);
		if (way > 10) {
			dwell();
			irqrwlock_read_acquire_nested(&rw);
			assert_int_equal(rw_count[0], rw_count[1]);
			irqrwlock_read_release(&rw);
			assert_false(host_irq_on);
		}
		irqrwlock_read_release(&rw);
		assert_true(host_irq_on);
	}
}

static void rwlock_excludes_writers_from_everybody(unused_arg void **state)
{
	struct irqlock_tuning saved = irqlock_tuning;

	harts_run(HARTS, readers_and_writers);
	irqlock_tuning = (struct irqlock_tuning){0, 0, 0, 1, 2, 0, false};
	harts_run(HARTS, readers_and_writers);
	irqlock_tuning = saved;
	assert_int_equal(rw_count[0], rw_count[1]);
	assert_int_equal(atomic_load_u32(&rw.word, relaxed), 0);
	assert_int_equal(atomic_load_u32(&rw.gate.word, relaxed), 0);
}

static void seq_user(unsigned index)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t a, b, c;
		unsigned start;

		if (index < 2) {
			seqlock_write_begin(&seq);
			a = seq_read_u64(&seq_data[0]) + 1;
			seq_write_u64(&seq_data[0], a);
			dwell();
			seq_write_u64(&seq_data[1], a * 3);
			seq_write_u64(&seq_data[2], a * 7);
			seqlock_write_end(&seq);
			dwell();
			continue;
		}
		do {
			start = seqlock_read_begin(&seq);
			c = seq_read_u64(&seq_data[2]);
			dwell();
			a = seq_read_u64(&seq_data[0]);
			b = seq_read_u64(&seq_data[1]);
		} while (seqlock_read_retry(&seq, start));
		assert_int_equal(b, a * 3);
		assert_int_equal(c, a * 7);
		atomic_add_u32(&reads_done, 1, relaxed);
	}
}

static void seqlock_readers_see_whole_writes(unused_arg void **state)
{
	harts_run(HARTS, seq_user);
	assert_int_equal(atomic_load_u32(&reads_done, relaxed), (HARTS - 2) * ROUNDS);
	assert_int_equal(seq_read_u64(&seq_data[0]), 2 * ROUNDS);
}

/* The last owner may free the lock: the release before it must not touch it afterwards. */
static struct irqlock *volatile_lock;
static atomic_u32 users;

static void use_and_free(unused_arg unsigned index)
{
	irqlock_acquire(volatile_lock);
	/* Relaxed: under the lock. */
	bool last = atomic_add_u32(&users, -1u, relaxed) == 1;
	struct irqlock *mine = volatile_lock;

	irqlock_release(mine);
	if (last)
		free(mine);
}

static void lock_may_be_freed_by_its_last_owner(unused_arg void **state)
{
	struct irqlock_tuning saved = irqlock_tuning;

	irqlock_tuning = (struct irqlock_tuning){1, 1, 1, 1, 2, 0, false};
	for (unsigned i = 0; i < 150; i++) {
		volatile_lock = malloc(sizeof(*volatile_lock));
		irqlock_init(volatile_lock, &outer_class);
		atomic_store_u32(&users, HARTS, relaxed);
		harts_run(HARTS, use_and_free);
	}
	irqlock_tuning = saved;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(excludes_with_default_tuning),
		cmocka_unit_test(excludes_when_everybody_parks),
		cmocka_unit_test(excludes_with_a_little_of_each),
		cmocka_unit_test(excludes_in_strict_order),
		cmocka_unit_test(excludes_without_queue),
		cmocka_unit_test(excludes_in_turn_mode),
		cmocka_unit_test(rwlock_excludes_writers_from_everybody),
		cmocka_unit_test(seqlock_readers_see_whole_writes),
		cmocka_unit_test(lock_may_be_freed_by_its_last_owner),
	};

	harts_init(HARTS);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
