/* SPDX-License-Identifier: MIT */
/* The points of the lock protocols: they count, and chaos takes the rare ways (CONFIG_LOCKPOINTS).
 */
#include "kernel/lock/check_graph.h"
#include "kernel/lock/check_test.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/point.h"
#include "lib/string.h"
#include "tests/kernel/ktest.h"

#define TRIES 2000
#define SEED 77

DEFINE_LOCK_CLASS(points_class, .name = "test.points", .rank = RANK_TEST_SPIN,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000, .protects = "nothing: it is tried");

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
	before = ktest_point("irqlock_acquired");
	irqlock_acquire(&lock);
	irqlock_release(&lock);
	ktest_check(ktest_point("irqlock_acquired") - before >= 1, "it was not counted");
}

#define ORDER_CLASS(letter) \
	DEFINE_LOCK_CLASS(order_##letter, .name = "test.points." #letter, .rank = RANK_UNORDERED, \
		.contexts = LOCK_IN_THREAD, .max_hold_us = 1000, \
		.protects = "nothing: it is tried")
ORDER_CLASS(a);
ORDER_CLASS(b);
ORDER_CLASS(c);

static void nest(struct lock_class *outer, struct lock_class *inner)
{
	struct irqlock first = IRQLOCK_INIT(outer), second = IRQLOCK_INIT(inner);

	irqlock_acquire(&first);
	irqlock_acquire(&second);
	irqlock_release(&second);
	irqlock_release(&first);
}

KTEST(lock_points, count_the_branches_of_the_graph)
{
	uint32_t new, cycle, untraced;

	if (!CONFIG_LOCKPOINTS || !CONFIG_LOCKCHECK)
		return ktest_skip("points or checker are compiled out");
	new = ktest_point("graph_new");
	cycle = ktest_point("graph_cycle");
	untraced = ktest_point("graph_untraced");
	locktest_forget_all();
	nest(&order_a, &order_b);
	ktest_check(ktest_point("graph_new") != new, "a new edge was not counted");
	ktest_expect_reports(KIND_ORDER);
	nest(&order_b, &order_a);
	ktest_check(ktest_reports_seen() == 1 && ktest_point("graph_cycle") != cycle);
	ktest_expect_reports(KIND_ORDER); /* a table that is full is not told */
	locktest_limit(0);
	nest(&order_a, &order_c);
	locktest_limit(UINT_MAX);
	ktest_check(ktest_reports_seen() == 0 && ktest_point("graph_untraced") != untraced);
	locktest_forget_all();
}

/* An edge that another hart adds between the look for it and the claim of its bit: chaos makes the
 * look come too early, as often as its seed has it. Then one of the two has to notice. */
static unsigned add_again(const struct graph_edge *edge)
{
	uint32_t before = ktest_point("graph_same_at_once");
	unsigned n = 0;

	lock_chaos_set(SEED);
	while (ktest_point("graph_same_at_once") == before && n++ < 100 * TRIES)
		ktest_check(graph_add(edge) == GRAPH_OLD, "it is new for the %u-th time", n);
	lock_chaos_set(0);
	return n;
}

KTEST(lock_points, count_an_edge_that_two_add_at_once)
{
	struct graph_edge edge = {.kind = GRAPH_EN}, got;
	uint64_t before;
	unsigned n;

	if (!CONFIG_LOCKPOINTS || !CONFIG_LOCKCHECK)
		return ktest_skip("points or checker are compiled out");
	before = lock_chaos_seed();
	lock_chaos_set(0);
	nest(&order_a, &order_b); /* they have their nodes */
	locktest_forget_all();
	edge.from = (uint16_t)atomic_load_u32(&order_b.nodes[CLASS_NODE_LOCK], relaxed);
	edge.to = (uint16_t)atomic_load_u32(&order_a.nodes[CLASS_NODE_LOCK], relaxed);
	ktest_check(graph_add(&edge) == GRAPH_NEW, "it was known");
	n = add_again(&edge);
	ktest_check(n < 100 * TRIES, "never in %u times", n);
	ktest_check(graph_edge_get(&(struct graph_step){edge.from, edge.to, edge.kind}, &got));
	locktest_forget_all();
	lock_chaos_set(before);
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
