/* SPDX-License-Identifier: MIT */
/*
 * Harts and memory that are near each other. What a machine with one node cannot show is skipped;
 * the runner gives two nodes to some of its boots.
 */
#include "kernel/hart/topology.h"
#include "kernel/lock/race.h"
#include "kernel/mm/inject.h"
#include "kernel/mm/page.h"
#include "tests/kernel/sched_util.h"

/* Other threads of a hart may put pages into its cache, or take some, at any moment: then it is
 * tried again. */
#define TRIES 200u

KTEST(topo, nearness_is_mutual)
{
	for (unsigned level = 0; level < nr_nearness; level++) {
		for (unsigned i = 0; i < nr_harts; i++) {
			const struct hart_mask *near = hart_near(i, level);
			unsigned other;

			ktest_check(hart_mask_test(near, i), "hart %u is not near itself", i);
			for_each_hart_in_mask(other, near)
				ktest_check(other < nr_harts && hart_near(other, level) == near,
					"hart %u is near %u, but not the other way round", other,
					i);
		}
	}
}

KTEST(topo, nearer_nodes_come_first)
{
	for (unsigned node = 0; node < topology.nr_nodes; node++) {
		const uint8_t *far = topology.distance[node];
		uint32_t seen = 0;

		ktest_check(
			node_nearest(node, 0) == node, "node %u is not the nearest itself", node);
		for (unsigned k = 0; k < topology.nr_nodes; k++) {
			unsigned at = node_nearest(node, k);

			seen |= UINT32_C(1) << at;
			ktest_check(!k || far[node_nearest(node, k - 1)] <= far[at],
				"node %u: its %u-th is nearer than the one before", node, k);
		}
		ktest_check(seen == (UINT32_C(1) << topology.nr_nodes) - 1,
			"node %u does not have all", node);
	}
}

/* ---- Pages --------------------------------------------------------------------------------- */

/* The node of a fresh page of that order. */
static unsigned node_of_next(unsigned near, unsigned order)
{
	struct page *page;
	unsigned node;

	page_cache_drain_all();
	page = near == NODE_HERE ? page_alloc(order, 0) : page_alloc_near(near, order, 0);
	if (!page)
		return NODE_HERE;
	node = page_node(page);
	page_free(page);
	return node;
}

static bool has_memory(unsigned node)
{
	struct mm_node_info m;

	mm_node(node, &m);
	return m.free > 4096;
}

KTEST(topo, pages_come_from_the_node_of_the_hart_that_asks)
{
	for (unsigned i = 0; i < ktest_harts(); i++) {
		unsigned hart = online_hart(i), node = hart_node(hart);

		if (!has_memory(node))
			continue;
		pin_to(hart);
		for (unsigned order = 0; order < 4; order += 3) {
			unsigned got = NODE_HERE;

			for (unsigned try = 0; got != node && try < TRIES; try++)
				got = node_of_next(NODE_HERE, order);
			ktest_check(got == node, "order %u on hart %u of node %u: of node %u",
				order, hart, node, got);
		}
	}
}

KTEST(topo, pages_come_from_the_node_that_is_asked_for)
{
	for (unsigned node = 0; node < topology.nr_nodes; node++) {
		unsigned got = NODE_HERE;

		if (!has_memory(node))
			continue;
		for (unsigned try = 0; got != node && try < TRIES; try++)
			got = node_of_next(node, 0);
		ktest_check(got == node, "%u, not %u", got, node);
	}
}

/* A node other than that of `hart`, with memory; NODE_HERE: none. */
static unsigned other_node(unsigned hart)
{
	for (unsigned k = 1; k < topology.nr_nodes; k++)
		if (has_memory(node_nearest(hart_node(hart), k)))
			return node_nearest(hart_node(hart), k);
	return NODE_HERE;
}

/* The node of the page that an address of the kernel shows; NODE_HERE: none. */
static unsigned node_of_address(uintptr_t va)
{
	struct page *page;
	phys_t pa;

	if (arch_kquery(va, &pa) < 0)
		return NODE_HERE;
	page = page_of_phys(pa);
	return page ? page_node(page) : NODE_HERE;
}

static void check_address(const struct hart_meta *h, uintptr_t va, const char *what)
{
	unsigned node = node_of_address(va);

	ktest_check(node == hart_node(h->index), "hart %u of node %u: its %s is of node %d",
		h->index, hart_node(h->index), what, (int)node);
}

/* All but the boot hart's, which the kernel's image holds. */
KTEST(topo, what_a_hart_has_for_itself_is_of_its_node)
{
	for_each_hart(h) {
		if (h == &boot_hart || !has_memory(hart_node(h->index)))
			continue;
		check_address(h, (uintptr_t)h, "hart_meta");
		check_address(h, (uintptr_t)h->arch.boot.top - 1, "boot stack");
		check_address(h, (uintptr_t)h->arch.irq.base, "interrupt stack");
		check_address(h, (uintptr_t)h->arch.irq.top - 1, "interrupt stack");
		check_address(h, (uintptr_t)h->arch.emergency.base, "emergency stack");
		check_address(h, (uintptr_t)h->runq, "run queue");
	}
}

static void do_nothing(void *arg unused_arg)
{
}

static bool stack_is_of(const struct thread *t, unsigned node)
{
	return node_of_address(t->stack.base) == node && node_of_address(t->stack.top - 1) == node;
}

/* Makes some threads and looks at their stacks. Several, so that free stacks of another node would
 * be among them. */
static bool stacks_are_of(unsigned node, unsigned asked)
{
	struct thread *t[4];
	bool right = true;
	unsigned n;

	for (n = 0; n < ARRAY_SIZE(t); n++) {
		t[n] = thread_create_sized("near", do_nothing, NULL, CONFIG_STACK_PAGES, asked);
		if (!t[n])
			break;
		right = right && stack_is_of(t[n], node);
	}
	right = right && n == ARRAY_SIZE(t);
	while (n-- > 0)
		thread_discard(t[n]);
	return right;
}

/* Stacks that were made while memory was short may be of any node: they go back first. */
static bool stacks_come_to_be_of(unsigned node, unsigned asked)
{
	bool right = stacks_are_of(node, asked);

	for (unsigned try = 0; !right && try < TRIES; try++) {
		mm_trim();
		right = stacks_are_of(node, asked);
	}
	return right;
}

KTEST(topo, threads_have_their_stacks_where_they_are_made_or_asked_for)
{
	unsigned hart = online_hart(0), node = hart_node(hart), other = other_node(hart);

	pin_to(hart);
	if (has_memory(node))
		ktest_check(stacks_come_to_be_of(node, NODE_HERE), "made on node %u", node);
	if (other != NODE_HERE)
		ktest_check(stacks_come_to_be_of(other, other), "asked for on node %u", other);
}

KTEST(topo, page_of_another_node_does_not_stay_in_the_cache)
{
	unsigned hart = online_hart(0), other = other_node(hart);
	bool stays = true;

	if (other == NODE_HERE) {
		ktest_skip("needs two nodes");
		return;
	}
	pin_to(hart);
	for (unsigned try = 0; stays && try < TRIES; try++) {
		struct page *page = page_alloc_near(other, 0, 0);

		ktest_require(page, "no page");
		stays = page_node(page) != other;
		page_free(page);
		/* Whoever has it by now, it was not this hart that kept it. */
		stays = stays || racy_read(page->state, "it is free") == PAGE_CACHED;
	}
	ktest_check(!stays);
}

/* While its node gives nothing, a hart gets pages of the nearest one that does, and counts it. */
static bool falls_back(unsigned node, unsigned other, unsigned order)
{
	struct mm_node_info before, after, lent_before, lent_after;
	unsigned got;

	mm_node(node, &before);
	mm_node(other, &lent_before);
	got = node_of_next(NODE_HERE, order);
	mm_node(node, &after);
	mm_node(other, &lent_after);
	return got == other && after.fallback > before.fallback &&
		lent_after.lent > lent_before.lent;
}

KTEST(topo, exhausted_node_falls_back_to_the_nearest_one)
{
	unsigned hart = online_hart(0), node = hart_node(hart), other = other_node(hart);

	if (!CONFIG_FAULT_INJECT || other == NODE_HERE || !has_memory(node)) {
		ktest_skip("needs two nodes and fault injection");
		return;
	}
	pin_to(hart);
	for (unsigned order = 0; order < 4; order += 3) {
		bool right = false;

		for (unsigned try = 0; !right && try < TRIES; try++) {
			inject_node_keep(node, UINT32_MAX);
			right = falls_back(node, other, order);
			inject_node_keep(node, 0);
		}
		ktest_check(right, "order %u", order);
	}
	for (unsigned try = 0; node_of_next(NODE_HERE, 0) != node; try++)
		ktest_require(try < TRIES, "the node's memory is not used again");
}

/* Nobody gives anything: no page, as without memory, and a failure is counted. */
KTEST(topo, all_nodes_exhausted_is_no_memory)
{
	struct mm_counts before, after;
	struct page *page = NULL;

	if (!CONFIG_FAULT_INJECT) {
		ktest_skip("needs fault injection");
		return;
	}
	mm_count(&before);
	for (unsigned node = 0; node < topology.nr_nodes; node++)
		inject_node_keep(node, UINT32_MAX);
	page = page_alloc(3, 0);
	for (unsigned node = 0; node < topology.nr_nodes; node++)
		inject_node_keep(node, 0);
	mm_count(&after);
	ktest_check(!page);
	if (page)
		page_free(page);
	ktest_check(after.failures > before.failures);
	page = page_alloc(3, 0);
	ktest_require(page, "memory did not come back");
	page_free(page);
}
