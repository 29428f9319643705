/* SPDX-License-Identifier: MIT */
/* The vmap: contents, guard pages, and that no hart reaches what was unmapped. */
#include "kernel/hart/call.h"
#include "kernel/hart/hart.h"
#include "kernel/lock/atomic.h"
#include "kernel/lock/relax.h"
#include "kernel/mm/vmap.h"
#include "lib/string.h"
#include "tests/kernel/ktest.h"

static bool reachable(const void *va)
{
	char byte;

	return arch_copy_nofault(&byte, va, 1) == 0;
}

KTEST(mm_vmap, mapped_pages_show_their_contents)
{
	struct page *pages[3];
	char *va;

	for (unsigned i = 0; i < 3; i++) {
		pages[i] = page_alloc(0, MM_ZERO);
		ktest_require(pages[i], "no page");
		memset(page_virt(pages[i]), 'a' + (int)i, PAGE_SIZE);
	}
	va = vmap_pages(pages, 3);
	ktest_require(va, "no range");
	for (unsigned i = 0; i < 3; i++) {
		ktest_check(va[i * PAGE_SIZE] == 'a' + (int)i, "page %u", i);
		va[i * PAGE_SIZE + 5] = 'X';
		ktest_check(((char *)page_virt(pages[i]))[5] == 'X', "page %u, written", i);
	}
	ktest_check(!reachable(va + 3 * PAGE_SIZE), "nothing is behind a range");
	vunmap(va);
	vmap_flush();
	for (unsigned i = 0; i < 3; i++)
		page_free(pages[i]);
}

/* ---- Coherence ------------------------------------------------------------------------------- */

static atomic_u32 saw;

static void touch(void *va)
{
	if (reachable(va))
		atomic_add_u32(&saw, 1, relaxed);
}

static unsigned harts_that_reach(void *va)
{
	atomic_store_u32(&saw, 0, relaxed);
	hart_call_mask(&harts_online, touch, va);
	return atomic_load_u32(&saw, relaxed);
}

KTEST(mm_vmap, no_hart_reaches_an_unmapped_page)
{
	for (unsigned i = 0; i < 20; i++) {
		char *va = vmap_alloc(PAGE_SIZE);

		ktest_require(va, "no range");
		/* Every hart has it in its TLB now. */
		ktest_check(harts_that_reach(va) == ktest_harts(), "round %u", i);
		vunmap(va);
		vmap_flush();
		ktest_check(harts_that_reach(va) == 0, "round %u: a stale translation", i);
	}
}

KTEST(mm_vmap, addresses_are_not_used_again_before_a_flush)
{
	struct vmap_info before, now;
	char *old = vmap_alloc(PAGE_SIZE), *va;

	ktest_require(old, "no range");
	vmap_flush();
	vunmap(old);
	vmap_info(&before);
	for (unsigned i = 0; i < 40; i++) {
		va = vmap_alloc(PAGE_SIZE);
		ktest_require(va, "no range");
		vmap_info(&now);
		ktest_check(va != old || now.flushes != before.flushes, "used again unflushed");
		vunmap(va);
	}
}

/* Flushes for 100 ranges that come and go. */
static uint64_t flushes_for_100(void)
{
	struct vmap_info before, after;

	vmap_flush();
	vmap_info(&before);
	for (unsigned i = 0; i < 100; i++) {
		void *va = vmap_alloc(PAGE_SIZE);

		ktest_check(va, "no range");
		if (va)
			vunmap(va);
	}
	vmap_flush();
	vmap_info(&after);
	return after.flushes - before.flushes;
}

KTEST(mm_vmap, shoot_downs_are_batched)
{
	struct vmap_info info;
	uint64_t n = UINT64_MAX;

	/* One by one there were 100 each time; whoever else unmaps meanwhile adds some. */
	for (unsigned try = 0; try < 100 && n >= 20 && !ktest_failed(); try++)
		n = flushes_for_100();
	ktest_check(n < 20, "%lu flushes for 100 ranges", (unsigned long)n);
	ktest_check(n > 0, "not even one");
	/* Others may leave one at any time; a flush takes them all. */
	ktest_check(ktest_eventually((vmap_flush(), vmap_info(&info), !info.lazy_ranges)),
		"%zu left", info.lazy_ranges);
}

/* ---- All harts ------------------------------------------------------------------------------ */

static void churn(unsigned worker, void *arg unused_arg)
{
	uint32_t *held[6] = {0};
	unsigned size[6] = {0}, rounds = ktest_each(120);
	uint64_t seed = worker + 11;

	for (unsigned i = 0; i < rounds && !ktest_failed(); i++) {
		unsigned k = ktest_random(&seed) % 6;

		if (held[k]) {
			for (unsigned p = 0; p < size[k]; p++)
				ktest_check(held[k][p * 1024] == (worker << 16 | p), "overwritten");
			vunmap(held[k]);
		}
		size[k] = 1 + ktest_random(&seed) % 5;
		held[k] = vmap_alloc(size[k] * PAGE_SIZE);
		ktest_check(held[k], "no range");
		for (unsigned p = 0; held[k] && p < size[k]; p++) {
			ktest_check(held[k][p * 1024] == 0, "fresh pages are zero");
			held[k][p * 1024] = worker << 16 | p;
		}
	}
	for (unsigned k = 0; k < 6; k++)
		if (held[k])
			vunmap(held[k]);
}

KTEST(mm_vmap, ranges_stay_apart_under_all_harts)
{
	ktest_parallel(2 * ktest_harts(), churn, NULL);
}

/* Somebody spins with interrupts off for as long as this takes: its leaf calls must be served. */
static atomic_u32 spin_go, spin_up;

static void spin_with_irqs_off(unsigned worker, void *arg)
{
	void *va;

	if (worker > 0) {
		arch_irq_disable();
		atomic_add_u32(&spin_up, 1, release);
		while (!atomic_load_u32(&spin_go, acquire))
			relax();
		arch_irq_enable();
		return;
	}
	while (atomic_load_u32(&spin_up, acquire) < *(unsigned *)arg - 1)
		relax();
	va = vmap_alloc(PAGE_SIZE);
	ktest_check(va, "no range");
	if (va)
		vunmap(va);
	vmap_flush();
	atomic_store_u32(&spin_go, 1, release);
}

KTEST(mm_vmap, harts_that_wait_with_interrupts_off_answer_shoot_downs)
{
	unsigned n = ktest_harts(), rounds = ktest_each(10);

	if (n < 2) {
		ktest_skip("one hart");
		return;
	}
	for (unsigned i = 0; i < rounds; i++) {
		atomic_store_u32(&spin_go, 0, relaxed);
		atomic_store_u32(&spin_up, 0, relaxed);
		ktest_parallel(n, spin_with_irqs_off, &n);
	}
}

KTEST(mm_vmap, absurd_requests_fail)
{
	ktest_check(!vmap_alloc(0), "no bytes");
	ktest_check(!vmap_pages(NULL, 0), "no pages");
	ktest_check(!vmap_mmio(0x1000, 0), "no registers");
	ktest_check(!vmap_mmio(~(phys_t)0 - 10, 100), "wraps around");
	ktest_check(!vmap_alloc((size_t)(arch_vmap_end - arch_vmap_base)), "all addresses");
}
