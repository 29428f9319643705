/* SPDX-License-Identifier: MIT */
/* The ranges of physical memory and their buddies: inside kernel/mm only. */
#ifndef KERNEL_MM_PAGE_RANGE_H
#define KERNEL_MM_PAGE_RANGE_H

#include "kernel/lock/irqlock.h"
#include "kernel/mm/page.h"

/*
 * range.lock (irqlock, rank PAGE)
 *   Protects: the buddy of one memory range and the descriptors of its free pages.
 *   Taken by: the page allocator, in any context; never two ranges at once, never with the lock of
 *             a hart's page cache.
 *   Order:    innermost but for the log.
 */
struct page_range {
	struct irqlock lock;
	struct buddy buddy GUARDED_BY(&lock);
	/* Constant after page_init. */
	uint32_t base, nr_pages; /* frames of the descriptors */
	struct page *pages;
	uint32_t first, end; /* frames that are memory */
};

/* Constant after page_init. */
extern struct page_range page_ranges[MM_RANGES_MAX];
extern unsigned nr_page_ranges;

/* Frame number of a descriptor and back; the frame must be in a range. Either, no locks. */
uint32_t page_frame(const struct page *page);
struct page *page_of_frame(uint32_t frame);

/* Up to n pages of order 0, linked by page->next as frames (BUDDY_NONE ends); the number got. */
unsigned page_take_chain(unsigned n, uint32_t *head);
/* Gives such a chain back. */
void page_give_chain(uint32_t head);
/* A block straight from the buddies, NULL if there is none. */
struct page *page_take(unsigned order);
void page_give(struct page *page);

/* An allocation failed. */
void page_count_failure(void);
/* Pages in the caches of all harts. */
size_t page_cached_count(void);

#endif
