/* SPDX-License-Identifier: MIT */
/*
 * The memory ranges: descriptors, lookup, and the way to their buddies. Allocation as its users
 * know it is in page_cache.c; figures are in page_count.c.
 */
#include "kernel/mm/page.h"

#include "kernel/log.h"
#include "kernel/mm/early.h"
#include "kernel/mm/inject.h"
#include "kernel/mm/page_range.h"
#include "kernel/panic.h"
#include "lib/assert.h"

#define CHUNK_PAGES (UINT32_C(1) << BUDDY_ORDER_MAX)

DEFINE_LOCK_CLASS(range_class, .name = "page_range", .rank = RANK_PAGE,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 100,
	.protects = "the buddy of one memory range");

struct page_range page_ranges[MM_RANGES_MAX];
unsigned nr_page_ranges;

/* By node: all ranges, the nearest first. Constant after page_init. */
static uint8_t nearest[NODES_MAX][MM_RANGES_MAX];

static bool add_ranges(const struct mem_range *ram);
static bool range_init(struct page_range *r, const struct mem_range *ram, unsigned node);
static void range_fill(struct page_range *r, const struct mem_range *ram);
static void order_ranges(unsigned node);

void page_init(void)
{
	const struct range_set *ram = &early_map.ram;

	/* Descriptors first, for all: they are boot memory themselves. */
	for (unsigned i = 0; i < ram->n && add_ranges(&ram->r[i]); i++)
		;
	for (unsigned i = 0; i < nr_page_ranges; i++) {
		struct page_range *r = &page_ranges[i];
		struct mem_range whole = {
			(uint64_t)r->first << PAGE_SHIFT, (uint64_t)r->end << PAGE_SHIFT};

		range_fill(r, &whole);
	}
	for (unsigned node = 0; node < topology.nr_nodes; node++)
		order_ranges(node);
	page_cache_init();
	if (!mm_free_pages())
		panic_as(EXIT_NO_MEMORY, "no free memory");
	log_info("memory: %zu MiB free", mm_free_pages() >> (20 - PAGE_SHIFT));
}

uint32_t page_frame(const struct page *page)
{
	return page_range_frame(page_range_of(page), page);
}

struct page *page_of_frame(uint32_t frame)
{
	for (unsigned i = 0; i < nr_page_ranges; i++) {
		struct page_range *r = &page_ranges[i];

		/* By what is memory: descriptors are for whole chunks, and the last chunk of a
		 * range may be the first one of the next. */
		if (frame - r->first < r->nr_memory)
			return &r->memory[frame - r->first];
	}
	return NULL;
}

phys_t page_phys(const struct page *page)
{
	return (phys_t)page_frame(page) << PAGE_SHIFT;
}

unsigned page_node(const struct page *page)
{
	return page_range_of(page)->node;
}

void *page_virt(const struct page *page)
{
	return phys_to_virt(page_phys(page));
}

struct page *page_of_phys(phys_t pa)
{
	uint64_t frame = pa >> PAGE_SHIFT;

	return frame < BUDDY_NONE ? page_of_frame((uint32_t)frame) : NULL;
}

struct page *page_of_virt(const void *va)
{
	return page_of_phys(virt_to_phys(va));
}

/* Whether tests let the range give anything just now. */
static bool may_give(const struct page_range *r) REQUIRES(&r->lock)
{
	return !CONFIG_FAULT_INJECT || r->buddy.nr_free > inject_node_kept(r->node);
}

struct page *page_take(unsigned node, unsigned order)
{
	for (unsigned i = 0; i < nr_page_ranges; i++) {
		struct page_range *r = &page_ranges[nearest[node][i]];
		uint32_t index = BUDDY_NONE;

		irqlock_acquire(&r->lock);
		if (may_give(r))
			index = buddy_alloc(&r->buddy, order);
		if (index != BUDDY_NONE)
			r->given[node] += UINT64_C(1) << order;
		irqlock_release(&r->lock);
		if (index != BUDDY_NONE)
			return &r->pages[index];
	}
	return NULL;
}

void page_give(struct page *page)
{
	struct page_range *r = page_range_of(page);

	irqlock_acquire(&r->lock);
	buddy_free(&r->buddy, (uint32_t)(page - r->pages), page->order);
	irqlock_release(&r->lock);
}

unsigned page_take_chain(unsigned node, unsigned n, uint32_t *head)
{
	unsigned got = 0;

	*head = BUDDY_NONE;
	for (unsigned i = 0; i < nr_page_ranges && !got; i++) {
		struct page_range *r = &page_ranges[nearest[node][i]];

		irqlock_acquire(&r->lock);
		while (got < n && may_give(r)) {
			uint32_t index = buddy_alloc(&r->buddy, 0);

			if (index == BUDDY_NONE)
				break;
			r->pages[index].next = *head;
			*head = r->base + index;
			got++;
		}
		r->given[node] += got;
		irqlock_release(&r->lock);
	}
	return got;
}

void page_give_chain(uint32_t head)
{
	while (head != BUDDY_NONE) {
		struct page_range *r = page_range_of(page_of_frame(head));

		irqlock_acquire(&r->lock);
		while (head - r->first < r->nr_memory) {
			uint32_t index = head - r->base;

			head = r->pages[index].next;
			buddy_free(&r->buddy, index, 0);
		}
		irqlock_release(&r->lock);
	}
}

/* The ranges that one piece of memory is: one for each node in it. False: the table is full. */
static bool add_ranges(const struct mem_range *ram)
{
	struct mem_range piece = {ram->base, ram->base};
	unsigned node;

	for (; piece.base < ram->end; piece.base = piece.end) {
		piece.end = early_node_end(piece.base, ram->end, &node);
		if (nr_page_ranges == MM_RANGES_MAX) {
			log_warn(
				"memory: more than %u ranges, the rest is not used", MM_RANGES_MAX);
			return false;
		}
		if (range_init(&page_ranges[nr_page_ranges], &piece, node))
			nr_page_ranges++;
		else
			log_warn("memory: no room for the descriptors of 0x%llx",
				(unsigned long long)piece.base);
	}
	return true;
}

static void order_ranges(unsigned node)
{
	unsigned n = 0;

	for (unsigned k = 0; k < topology.nr_nodes; k++)
		for (unsigned i = 0; i < nr_page_ranges; i++)
			if (page_ranges[i].node == node_nearest(node, k))
				nearest[node][n++] = (uint8_t)i;
	assert(n == nr_page_ranges);
}

/* Finds room for the descriptors: inside the range itself, else anywhere. */
static bool range_init(struct page_range *r, const struct mem_range *ram, unsigned node)
{
	uint32_t first = (uint32_t)(ram->base >> PAGE_SHIFT);
	uint32_t end = (uint32_t)(ram->end >> PAGE_SHIFT);
	uint32_t base = align_down(first, CHUNK_PAGES);
	uint32_t nr = align_up(end - base, CHUNK_PAGES);
	size_t size = (size_t)nr * sizeof(struct page);
	phys_t at = early_alloc(size, ram->base, ram->end);

	if (!at)
		at = early_alloc(size, 0, UINT64_MAX);
	if (!at)
		return false;
	irqlock_init(&r->lock, &range_class);
	r->base = base;
	r->nr_pages = nr;
	r->pages = phys_to_virt(at);
	r->first = first;
	r->end = end;
	r->nr_memory = end - first;
	r->memory = r->pages + (first - base);
	r->node = node;
	return true;
}

/* Gives the buddy what is free. Chunks that are wholly free are only named by their heads; in all
 * others every descriptor is written first. */
static void range_fill(struct page_range *r, const struct mem_range *ram)
{
	struct range_set only = {.n = 1, .r = {*ram}};
	struct mem_range piece;
	uint64_t pos = 0;
	uint32_t known = 0; /* chunks below are free or initialised */

	irqlock_acquire(&r->lock);
	buddy_init(&r->buddy, r->base, r->nr_pages, r->pages);
	while (range_set_next_free(&only, &early_map.reserved, &pos, &piece)) {
		uint32_t from = (uint32_t)(piece.base >> PAGE_SHIFT) - r->base;
		uint32_t to = (uint32_t)(piece.end >> PAGE_SHIFT) - r->base;
		uint32_t whole = align_up(from, CHUNK_PAGES) / CHUNK_PAGES;
		uint32_t whole_end = to / CHUNK_PAGES;

		for (; known < MIN(whole, r->nr_pages / CHUNK_PAGES); known++)
			buddy_init_chunk(&r->buddy, known);
		known = MAX(known, whole_end);
		if (known * CHUNK_PAGES < to)
			buddy_init_chunk(&r->buddy, known++);
		buddy_add(&r->buddy, from, to);
	}
	for (; known < r->nr_pages / CHUNK_PAGES; known++)
		buddy_init_chunk(&r->buddy, known);
	irqlock_release(&r->lock);
}
