/* SPDX-License-Identifier: MIT */
/*
 * The ranges of physical memory and their buddies: inside kernel/mm only.
 *
 * A range belongs to one node (kernel/hart/topology.h); memory that goes on across a border of
 * nodes is two ranges. Pages are taken from the ranges in the order of their nodes' distance from
 * the node that is asked for, and within a node in the order of addresses.
 */
#ifndef KERNEL_MM_PAGE_RANGE_H
#define KERNEL_MM_PAGE_RANGE_H

#include "kernel/hart/topology.h"
#include "kernel/lock/irqlock.h"
#include "kernel/mm/page.h"
#include "lib/assert.h"

/*
 * range.lock (irqlock, rank PAGE)
 *   Protects: the buddy of one memory range, the descriptors of its free pages, and its counts.
 *   Taken by: the page allocator, in any context; never two ranges at once, never with the lock of
 *             a hart's page cache.
 *   Order:    innermost but for the log.
 */
struct page_range {
	struct irqlock lock;
	struct buddy buddy GUARDED_BY(&lock);
	/* Pages that it gave so far, by the node that was asked for. */
	uint64_t given[NODES_MAX] GUARDED_BY(&lock);
	/* Constant after page_init. */
	uint32_t base, nr_pages; /* frames of the descriptors */
	struct page *pages;
	uint32_t first, end; /* frames that are memory */
	uint32_t nr_memory;  /* how many these are */
	struct page *memory; /* descriptor of the first of them */
	unsigned node;
};

/* Constant after page_init. */
extern struct page_range page_ranges[MM_RANGES_MAX];
extern unsigned nr_page_ranges;

/* The range of a descriptor. Either, no locks. */
static inline struct page_range *page_range_of(const struct page *page)
{
	for (unsigned i = 0; i < nr_page_ranges; i++) {
		struct page_range *r = &page_ranges[i];

		if (page >= r->pages && page < r->pages + r->nr_pages)
			return r;
	}
	assert(!"a page descriptor of some range");
	__builtin_unreachable();
}
static inline uint32_t page_range_frame(const struct page_range *r, const struct page *page)
{
	return r->base + (uint32_t)(page - r->pages);
}
/* Frame number of a descriptor and back; the frame must be in a range. Either, no locks. */
uint32_t page_frame(const struct page *page);
struct page *page_of_frame(uint32_t frame);

/* Up to n pages of order 0 near a node, all of one range, linked by page->next as frames
 * (BUDDY_NONE ends); the number got. */
unsigned page_take_chain(unsigned node, unsigned n, uint32_t *head);
/* Gives such a chain back. */
void page_give_chain(uint32_t head);
/* A block straight from the buddies, near a node; NULL if there is none. */
struct page *page_take(unsigned node, unsigned order);
void page_give(struct page *page);
/* The node of the hart that runs this now. */
static inline unsigned page_node_here(void)
{
	return hart_node(lock_hart()->index);
}

/* Each hart's cache learns its node. Boot hart, before a second one runs. */
void page_cache_init(void);
/* An allocation failed. */
void page_count_failure(void);
/* Pages in the caches of all harts. */
size_t page_cached_count(void);

#endif
