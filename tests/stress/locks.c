/* SPDX-License-Identifier: MIT */
/*
 * irqlocks: threads and timer handlers on all harts change the same words under the same locks, now
 * and then nested. Every word of a box is changed in each hold, so a hold that was not exclusive
 * leaves words that differ. (Load; their trial is tests/torture/irq_kinds.c.)
 */
#include "kernel/hart/hart.h"
#include "kernel/lock/irqlock.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "tests/stress/stress.h"

#define BOXES 3
#define WORDS 6

DEFINE_LOCK_CLASS(box_class, .name = "stress_box", .rank = RANK_TEST_SPIN_OUTER,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
	.protects = "the words of a box");
DEFINE_LOCK_CLASS(inner_class, .name = "stress_inner", .rank = RANK_TEST_SPIN,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
	.protects = "the words of the inner box");

/*
 * box.lock
 *   Protects: word[] of its box.
 *   Taken by: the workers and the handlers of this program.
 *   Order:    boxes[] before `inner`; one of each at a time.
 * While it is free all words are equal.
 */
struct box {
	struct irqlock lock;
	uint64_t word[WORDS] GUARDED_BY(&lock);
} __attribute__((aligned(64)));

static struct box boxes[BOXES];
static struct box inner;
static struct stress_run run;
static struct timer timers[CONFIG_MAX_HARTS];
/* Changes asked for, by everybody: relaxed, compared when all have ended. */
static atomic_ulong changes;

static void change(struct box *b) REQUIRES(&b->lock)
{
	for (unsigned i = 1; i < WORDS; i++)
		stress_check(&run, b->word[i] == b->word[0], "word %u of a box differs", i);
	for (unsigned i = 0; i < WORDS; i++)
		b->word[i]++;
	atomic_add_ulong(&changes, 1, relaxed);
}

static void use_box(struct box *b, bool nested)
{
	irqlock_acquire(&b->lock);
	change(b);
	if (nested) {
		irqlock_acquire(&inner.lock);
		change(&inner);
		irqlock_release(&inner.lock);
	}
	irqlock_release(&b->lock);
}

static void handler(struct timer *t)
{
	use_box(&boxes[(t - timers) % BOXES], true);
	if (irqlock_try(&inner.lock)) {
		change(&inner);
		irqlock_release(&inner.lock);
	}
	if (stress_more(&run))
		timer_start(t, clock_now_ns() + 200 * NS_PER_US);
}

static void worker(unsigned i)
{
	struct rng rng;

	rng_seed(&rng, i);
	/* Starts on whichever hart it is: the handlers spread as the threads do. */
	if (i < CONFIG_MAX_HARTS)
		timer_start(&timers[i], clock_now_ns());
	while (stress_more(&run)) {
		for (unsigned n = 0; n < 200; n++)
			use_box(&boxes[rng_below(&rng, BOXES)], rng_one_in(&rng, 4));
		if (rng_one_in(&rng, 8))
			sched_yield();
	}
}

static void empty(struct box *b, struct lock_class *class)
{
	irqlock_init(&b->lock, class);
	irqlock_acquire(&b->lock);
	for (unsigned i = 0; i < WORDS; i++)
		b->word[i] = 0;
	irqlock_release(&b->lock);
}

static unsigned long count(struct box *b)
{
	unsigned long n;

	irqlock_acquire(&b->lock);
	n = (unsigned long)b->word[0];
	irqlock_release(&b->lock);
	return n;
}

static int stress_locks(unsigned seconds)
{
	unsigned long sum = 0;

	stress_begin(&run, "locks", seconds);
	atomic_store_ulong(&changes, 0, relaxed);
	empty(&inner, &inner_class);
	for (unsigned b = 0; b < BOXES; b++)
		empty(&boxes[b], &box_class);
	for (unsigned i = 0; i < CONFIG_MAX_HARTS; i++)
		timer_init(&timers[i], handler);
	stress_threads(&run, stress_workers(), worker);
	for (unsigned i = 0; i < CONFIG_MAX_HARTS; i++)
		timer_cancel_sync(&timers[i]);
	for (unsigned b = 0; b < BOXES; b++)
		sum += count(&boxes[b]);
	sum += count(&inner);
	stress_check(&run, sum == atomic_load_ulong(&changes, relaxed),
		"%lu of %lu changes are there", sum, atomic_load_ulong(&changes, relaxed));
	return stress_end(&run);
}
STRESS(locks, "irqlocks, from threads and timer handlers", stress_locks);
