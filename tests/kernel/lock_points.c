/* SPDX-License-Identifier: MIT */
/* The points of the lock protocols: they count, and chaos takes the rare ways (CONFIG_LOCKPOINTS).
 */
#include "kernel/lock/irqlock.h"
#include "kernel/lock/point.h"
#include "lib/string.h"
#include "tests/kernel/ktest.h"

#define TRIES 2000
#define SEED 77

DEFINE_LOCK_CLASS(points_class, .name = "test.points", .rank = RANK_TEST_SPIN,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000, .protects = "nothing: it is tried");

static uint32_t count_of(const char *name)
{
	lock_point_for_each(p) if (strcmp(p->name, name) == 0) return atomic_load_u32(
		&p->count, relaxed);
	ktest_fail(__FILE__, __LINE__, "there is no point %s", name);
	return 0;
}

KTEST(lock_points, have_one_name_each)
{
	lock_point_for_each(p) lock_point_for_each(q)
		ktest_check(p == q || strcmp(p->name, q->name) != 0, "two points %s", p->name);
	ktest_check((linkset_size(lock_point) > 0) == CONFIG_LOCKPOINTS, "%u points",
		(unsigned)linkset_size(lock_point));
}

KTEST(lock_points, count_what_is_passed)
{
	struct irqlock lock = IRQLOCK_INIT(&points_class);
	uint32_t before;

	if (!CONFIG_LOCKPOINTS)
		return ktest_skip("points are compiled out");
	before = count_of("irqlock_acquired");
	irqlock_acquire(&lock);
	irqlock_release(&lock);
	ktest_check(count_of("irqlock_acquired") - before >= 1, "it was not counted");
}

/* How many of TRIES tries of a free lock fail. */
static unsigned failing_tries(void)
{
	struct irqlock lock = IRQLOCK_INIT(&points_class);
	unsigned failed = 0;

	for (unsigned i = 0; i < TRIES; i++) {
		if (irqlock_try(&lock))
			irqlock_release(&lock);
		else
			failed++;
	}
	return failed;
}

KTEST(lock_points, let_chaos_fail_tries_of_a_free_lock)
{
	unsigned calm, wild;
	uint64_t before;

	if (!CONFIG_LOCKPOINTS)
		return ktest_skip("points are compiled out");
	before = lock_chaos_seed();
	lock_chaos_set(0);
	calm = failing_tries();
	lock_chaos_set(SEED);
	wild = failing_tries();
	lock_chaos_set(before);
	ktest_check(calm == 0, "%u tries failed without a reason", calm);
	ktest_check(wild > 0 && wild < TRIES, "%u tries failed under chaos", wild);
}
