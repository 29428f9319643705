/* SPDX-License-Identifier: MIT */
/* Figures of memory, for `mem` and for tests. */
#include "kernel/mm/early.h"
#include "kernel/mm/page_range.h"
#include "kernel/mm/slab.h"
#include "kernel/mm/stack.h"
#include "kernel/mm/vmap.h"
#include "lib/string.h"

/* relaxed throughout: lone counters. */
static atomic_ulong users[MM_USERS];
static atomic_ulong failures;

void mm_account(enum mm_user user, long pages)
{
	atomic_add_ulong(&users[user], (unsigned long)pages, relaxed);
}

void page_count_failure(void)
{
	atomic_add_ulong(&failures, 1, relaxed);
}

size_t mm_free_pages(void)
{
	size_t sum = page_cached_count();

	for (unsigned i = 0; i < nr_page_ranges; i++) {
		struct page_range *r = &page_ranges[i];

		irqlock_acquire(&r->lock);
		sum += r->buddy.nr_free;
		irqlock_release(&r->lock);
	}
	return sum;
}

unsigned mm_ranges(struct mm_range_info *out, unsigned max)
{
	unsigned n;

	for (n = 0; n < nr_page_ranges && n < max; n++) {
		struct page_range *r = &page_ranges[n];

		out[n].base = (phys_t)r->first << PAGE_SHIFT;
		out[n].end = (phys_t)r->end << PAGE_SHIFT;
		out[n].pages = r->end - r->first;
		out[n].node = r->node;
		irqlock_acquire(&r->lock);
		out[n].free = r->buddy.nr_free;
		irqlock_release(&r->lock);
	}
	return n;
}

void mm_node(unsigned node, struct mm_node_info *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < nr_page_ranges; i++) {
		struct page_range *r = &page_ranges[i];

		irqlock_acquire(&r->lock);
		if (r->node != node) {
			out->fallback += r->given[node];
		} else {
			out->pages += r->end - r->first;
			out->free += r->buddy.nr_free;
			out->local += r->given[node];
			for (unsigned k = 0; k < topology.nr_nodes; k++)
				out->lent += k == node ? 0 : r->given[k];
		}
		irqlock_release(&r->lock);
	}
}

void mm_count(struct mm_counts *out)
{
	uint64_t taken = 0;

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < nr_page_ranges; i++) {
		struct page_range *r = &page_ranges[i];

		out->total += r->end - r->first;
		out->descriptors += (size_t)r->nr_pages * sizeof(struct page) >> PAGE_SHIFT;
		taken += range_set_overlap(&early_map.reserved, (uint64_t)r->first << PAGE_SHIFT,
			(uint64_t)r->end << PAGE_SHIFT);
		irqlock_acquire(&r->lock);
		out->free += r->buddy.nr_free;
		for (unsigned k = 0; k <= BUDDY_ORDER_MAX; k++)
			out->free_blocks[k] += r->buddy.blocks[k];
		irqlock_release(&r->lock);
	}
	out->cached = page_cached_count();
	out->free += out->cached;
	out->kernel = early_map.kernel_bytes >> PAGE_SHIFT;
	out->boot = early_map.boot_bytes >> PAGE_SHIFT;
	out->reserved = (taken >> PAGE_SHIFT) - out->kernel - out->boot;
	out->used = out->total - out->reserved - out->free;
	out->slab = atomic_load_ulong(&users[MM_USER_SLAB], relaxed);
	out->large = atomic_load_ulong(&users[MM_USER_LARGE], relaxed);
	out->stack = atomic_load_ulong(&users[MM_USER_STACK], relaxed);
	out->table = atomic_load_ulong(&users[MM_USER_TABLE], relaxed);
	out->failures = atomic_load_ulong(&failures, relaxed);
}

void mm_trim(void)
{
	stack_trim();
	vmap_flush();
	slab_trim();
	page_cache_drain_all();
}
