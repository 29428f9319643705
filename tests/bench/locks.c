/* SPDX-License-Identifier: MIT */
/* Uncontended cost of every lock's acquire and release. */
#include "kernel/lock/irqlock.h"
#include "kernel/lock/irqrwlock.h"
#include "kernel/lock/rank.h"
#include "kernel/lock/seqlock.h"
#include "kernel/shell/command.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/mutex.h"
#include "kernel/wait/rwmutex.h"
#include "kernel/wait/semaphore.h"
#include "tests/bench/bench.h"

DEFINE_LOCK_CLASS(bench_spin_class, .name = "bench.spin", .rank = RANK_TEST_SPIN,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000, .protects = "nothing: measured only");
DEFINE_LOCK_CLASS(bench_mix_class, .name = "bench.mix", .rank = RANK_TEST_MIX,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000, .protects = "nothing: measured only");
DEFINE_LOCK_CLASS(bench_sem_class, .name = "bench.sem", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000,
	.protects = "nothing: measured only");
DEFINE_LOCK_CLASS(bench_sleep_class, .name = "bench.sleep", .rank = RANK_TEST_SLEEP,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000, .protects = "nothing: measured only");

/* Taken by the bench thread alone, protecting nothing: what is measured is the taking. */
static struct irqlock irqlock = IRQLOCK_INIT(&bench_spin_class);
static struct irqrwlock irqrwlock = IRQRWLOCK_INIT(&bench_spin_class);
static struct seqlock seqlock = SEQLOCK_INIT(&bench_spin_class);
static struct mixlock mixlock = MIXLOCK_INIT(&bench_mix_class);
static struct mutex mutex = MUTEX_INIT(&bench_sleep_class);
static struct rwmutex rwmutex = RWMUTEX_INIT(&bench_sleep_class);
static struct semaphore semaphore = SEMAPHORE_INIT(&bench_sem_class, 1);

static int measure_locks(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	bench_print10("irqlock_pair",
		BENCH_COST10(BENCH_N, (irqlock_acquire(&irqlock), irqlock_release(&irqlock))),
		"ns");
	bench_print10("mutex_pair",
		BENCH_COST10(BENCH_N, (mutex_lock(&mutex), mutex_unlock(&mutex))), "ns");
	bench_print10("mixlock_pair",
		BENCH_COST10(BENCH_N, (mixlock_lock(&mixlock), mixlock_unlock(&mixlock))), "ns");
	bench_print10("irqrwlock_read_pair",
		BENCH_COST10(BENCH_N,
			(irqrwlock_read_acquire(&irqrwlock), irqrwlock_read_release(&irqrwlock))),
		"ns");
	bench_print10("irqrwlock_write_pair",
		BENCH_COST10(BENCH_N,
			(irqrwlock_write_acquire(&irqrwlock), irqrwlock_write_release(&irqrwlock))),
		"ns");
	bench_print10("seqlock_write_pair",
		BENCH_COST10(BENCH_N, (seqlock_write_begin(&seqlock), seqlock_write_end(&seqlock))),
		"ns");
	bench_print10("rwmutex_read_pair",
		BENCH_COST10(BENCH_N, (rwmutex_read_lock(&rwmutex), rwmutex_read_unlock(&rwmutex))),
		"ns");
	bench_print10("rwmutex_write_pair",
		BENCH_COST10(
			BENCH_N, (rwmutex_write_lock(&rwmutex), rwmutex_write_unlock(&rwmutex))),
		"ns");
	bench_print10("semaphore_pair",
		BENCH_COST10(BENCH_N, (semaphore_down(&semaphore), semaphore_up(&semaphore))),
		"ns");
	return 0;
}
BENCH(locks, "uncontended acquire and release of every kind of lock", measure_locks);
