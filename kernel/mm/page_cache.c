/* SPDX-License-Identifier: MIT */
/*
 * page_alloc and page_free. Single pages go through a small cache per hart, so that harts seldom
 * meet at a buddy's lock. A cache holds pages of its hart's node, others only for as long as that
 * has none: a page of another node that is given back goes straight to its buddy.
 *
 * cache.lock (irqlock, rank PAGE)
 *   Protects: the pages kept for one hart.
 *   Taken by: that hart mostly, in any context; by any other to give the pages back when memory is
 *             short, so a thread may also move to another hart in the middle.
 *   Order:    never with another lock of its rank: pages travel between a cache and a buddy as a
 *             chain that is in neither.
 *
 * While it is free: n == length of the chain, each page of it PAGE_CACHED.
 */
#include "kernel/hart/hart.h"
#include "kernel/lock/check.h"
#include "kernel/log.h"
#include "kernel/mm/early.h"
#include "kernel/mm/inject.h"
#include "kernel/mm/page_range.h"
#include "kernel/panic.h"
#include "lib/assert.h"
#include "lib/string.h"

#define CACHE_MAX 48
#define CACHE_BATCH 16

/* Debug: what a page is filled with when it is given back. */
#define POISON UINT64_C(0x5a5a5a5a5a5a5a5a)
/* page->in_use of a cached page: 1 if it is filled with it. */
#define PAGE_POISONED 1

DEFINE_LOCK_CLASS(cache_class, .name = "page_cache", .rank = RANK_PAGE,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
	.protects = "the pages kept for one hart");

struct page_cache {
	struct irqlock lock;
	uint32_t head GUARDED_BY(&lock); /* frame, BUDDY_NONE: none */
	unsigned n GUARDED_BY(&lock);
	unsigned node; /* the hart's; constant after page_init */
} __attribute__((aligned(64)));

static struct page_cache caches[CONFIG_MAX_HARTS] = {
	[0 ... CONFIG_MAX_HARTS - 1] = {.lock = IRQLOCK_INIT(&cache_class), .head = BUDDY_NONE},
};

static struct page_cache *cache_here(void);
static struct page *alloc_one(void);
static struct page *refill(void);
static void free_one(struct page *page, uint32_t frame);
static struct page *give_out(struct page *page, unsigned order, unsigned flags);
static struct page *last_resort(unsigned node, unsigned order, unsigned flags);
static uint32_t cut(struct page_cache *c, unsigned n) REQUIRES(&c->lock);
static void poison_check(struct page *page);

struct page *page_alloc(unsigned order, unsigned flags)
{
	struct page *page;

	assert(order <= BUDDY_ORDER_MAX);
	if (inject_failure()) {
		page_count_failure();
		return NULL;
	}
	page = order == 0 ? alloc_one() : page_take(page_node_here(), order);
	return likely(page) ? give_out(page, order, flags)
			    : last_resort(page_node_here(), order, flags);
}

struct page *page_alloc_near(unsigned node, unsigned order, unsigned flags)
{
	struct page *page;

	/* Being moved to a hart of another node right after is harmless. */
	if (node == NODE_HERE || node == page_node_here())
		return page_alloc(order, flags);
	assert(order <= BUDDY_ORDER_MAX && node < topology.nr_nodes);
	if (inject_failure()) {
		page_count_failure();
		return NULL;
	}
	page = page_take(node, order);
	return page ? give_out(page, order, flags) : last_resort(node, order, flags);
}

void page_free(struct page *page)
{
	const struct page_range *r = page_range_of(page);
	uint32_t frame = page_range_frame(r, page);
	void *memory = phys_to_virt((phys_t)frame << PAGE_SHIFT);
	size_t size = PAGE_SIZE << page->order;

	if (page->state != PAGE_USED)
		panic("page_free: page 0x%llx is not in use (state %u): freed twice?",
			(unsigned long long)page_phys(page), page->state);
	check_memory_free(memory, size);
	if (CONFIG_DEBUG_MM)
		memset(memory, (int)(POISON & 0xff), size);
	/* Being moved to a hart of another node right here leaves a stranger in its cache. */
	if (page->order == 0 && likely(r->node == cache_here()->node))
		free_one(page, frame);
	else
		page_give(page);
}

void page_cache_init(void)
{
	for (unsigned i = 0; i < nr_harts; i++)
		caches[i].node = hart_node(i);
}

phys_t page_alloc_table(void)
{
	struct page *page = page_alloc(0, MM_ZERO);

	if (!page)
		return 0;
	mm_account(MM_USER_TABLE, 1);
	return page_phys(page);
}

void page_cache_drain(unsigned index)
{
	struct page_cache *c = &caches[index];
	uint32_t chain;

	irqlock_acquire(&c->lock);
	chain = cut(c, c->n);
	irqlock_release(&c->lock);
	page_give_chain(chain);
}

struct irqlock *page_cache_lock(unsigned index)
{
	return &caches[index].lock;
}

void page_cache_drain_all(void)
{
	for (unsigned i = 0; i < CONFIG_MAX_HARTS; i++)
		page_cache_drain(i);
}

size_t page_cached_count(void)
{
	size_t sum = 0;

	for (unsigned i = 0; i < CONFIG_MAX_HARTS; i++) {
		irqlock_acquire(&caches[i].lock);
		sum += caches[i].n;
		irqlock_release(&caches[i].lock);
	}
	return sum;
}

static inline struct page *give_out(struct page *page, unsigned order, unsigned flags)
{
	page->in_use = 0;
	if (flags & MM_ZERO)
		memset(page_virt(page), 0, PAGE_SIZE << order);
	return page;
}

/* Pages of other harts' caches, or blocks that only they keep apart. */
static struct page *last_resort(unsigned node, unsigned order, unsigned flags)
{
	struct page *page;

	page_cache_drain_all();
	page = page_take(node, order);
	if (page)
		return give_out(page, order, flags);
	page_count_failure();
	return NULL;
}

/* The cache of the hart that runs this now. Being moved away right after is harmless. */
static struct page_cache *cache_here(void)
{
	return &caches[lock_hart()->index];
}

static struct page *alloc_one(void)
{
	struct page_cache *c = cache_here();
	struct page *page = NULL;

	irqlock_acquire(&c->lock);
	if (c->n > 0) {
		page = page_of_frame(c->head);
		c->head = page->next;
		c->n--;
	}
	irqlock_release(&c->lock);
	if (!page)
		return refill();
	if (CONFIG_DEBUG_MM && page->in_use == PAGE_POISONED)
		poison_check(page);
	page->state = PAGE_USED;
	return page;
}

/* A page for the caller, and some more for this hart's cache. */
static struct page *refill(void)
{
	struct page_cache *c;
	struct page *page, *last = NULL;
	uint32_t chain;
	unsigned got = page_take_chain(cache_here()->node, CACHE_BATCH, &chain);

	if (got == 0)
		return NULL;
	page = page_of_frame(chain);
	chain = page->next;
	for (uint32_t i = chain; i != BUDDY_NONE; i = last->next) {
		last = page_of_frame(i);
		last->state = PAGE_CACHED;
		last->in_use = 0;
	}
	if (!last)
		return page;
	c = cache_here();
	irqlock_acquire(&c->lock);
	last->next = c->head;
	c->head = chain;
	c->n += got - 1;
	irqlock_release(&c->lock);
	return page;
}

static void free_one(struct page *page, uint32_t frame)
{
	struct page_cache *c = cache_here();
	uint32_t spill = BUDDY_NONE;

	page->state = PAGE_CACHED;
	page->in_use = CONFIG_DEBUG_MM ? PAGE_POISONED : 0;
	irqlock_acquire(&c->lock);
	page->next = c->head;
	c->head = frame;
	c->n++;
	if (c->n > CACHE_MAX)
		spill = cut(c, CACHE_BATCH);
	irqlock_release(&c->lock);
	page_give_chain(spill);
}

/* Takes the first n pages out; returns them as a chain. */
static uint32_t cut(struct page_cache *c, unsigned n)
{
	struct page *last = NULL;
	uint32_t chain = c->head;

	if (n == 0)
		return BUDDY_NONE;
	for (unsigned i = 0; i < n; i++) {
		last = page_of_frame(i == 0 ? chain : last->next);
		last->state = PAGE_USED;
	}
	c->head = last->next;
	c->n -= n;
	last->next = BUDDY_NONE;
	return chain;
}

static void poison_check(struct page *page)
{
	const uint64_t *word = page_virt(page);

	for (size_t i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		if (word[i] != POISON)
			panic("page 0x%llx was written at offset 0x%zx after it was freed",
				(unsigned long long)page_phys(page), i * sizeof(*word));
}
