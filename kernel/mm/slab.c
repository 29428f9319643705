/* SPDX-License-Identifier: MIT */
/*
 * Slab caches. Objects come from slabs, through a magazine per hart for the caches with low numbers
 * (kmalloc's above all), so that harts seldom meet at a cache's lock.
 *
 * cache.lock (irqlock, rank SLAB)
 *   Protects: the cache's slabs: descriptors of their pages, lists, counts.
 *   Taken by: any context, for a few objects at a time.
 *   Order:    before the page allocator's, but pages are asked for and given back outside of it.
 *
 * magazine.lock (irqlock, rank SLAB)
 *   Protects: the objects kept for one hart and cache.
 *   Taken by: that hart mostly; by others to give the objects back.
 *   Order:    never with a cache's lock: objects travel between the two in an array on the stack.
 *
 * While cache.lock is free: every slab with a free object is in `partial`, nr_empty of them have no
 * object given out; `objects` is the sum of in_use over all slabs.
 *
 * Caches live in a static table and are never freed, so a number always names one; `state` says
 * whether it is in use.
 */
#include "kernel/mm/slab.h"

#include "kernel/lock/check.h"
#include "kernel/lock/irqlock.h"
#include "kernel/mm/inject.h"
#include "kernel/mm/page_range.h"
#include "kernel/mm/slab_internal.h"
#include "kernel/panic.h"
#include "lib/assert.h"
#include "lib/string.h"

#define EMPTY_KEPT 1 /* slabs without objects that a cache keeps */

DEFINE_LOCK_CLASS(cache_class, .name = "slab", .rank = RANK_SLAB,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
	.protects = "the slabs of one cache");

struct slab_cache slab_caches[SLAB_CACHES_MAX];

static bool grow(struct slab_cache *c);
static void free_slabs(uint32_t chain);
static struct page *slab_of(const struct slab_cache *c, const void *obj);

struct slab_cache *slab_create(const char *name, size_t size, size_t align)
{
	assert(size > 0 && size <= SLAB_SIZE_MAX);
	assert(is_power_of_two(align) && align <= PAGE_SIZE);
	for (unsigned i = 0; i < SLAB_CACHES_MAX; i++) {
		struct slab_cache *c = &slab_caches[i];
		uint32_t expected = CACHE_UNUSED;

		/* acquire: what slab_destroy left behind; partner: its release. */
		if (!atomic_cas_u32(&c->state, &expected, CACHE_MAKING, acquire))
			continue;
		irqlock_init(&c->lock, &cache_class);
		irqlock_acquire(&c->lock);
		c->partial = BUDDY_NONE;
		irqlock_release(&c->lock);
		c->name = name;
		c->number = (uint16_t)i;
		slab_shape_init(&c->shape, size, align, CONFIG_DEBUG_MM);
		/* release: the fields above; partner: acquire in slab_cache_live. */
		atomic_store_u32(&c->state, CACHE_LIVE, release);
		return c;
	}
	return NULL;
}

void slab_destroy(struct slab_cache *c)
{
	uint32_t empty;

	slab_drain_cache(c);
	irqlock_acquire(&c->lock);
	if (c->objects)
		panic("slab cache %s is destroyed with %zu objects in use", c->name, c->objects);
	empty = slab_cut_empty(c, 0);
	irqlock_release(&c->lock);
	free_slabs(empty);
	/* release: the cache is left alone before the slot is given out again. */
	atomic_store_u32(&c->state, CACHE_UNUSED, release);
}

unsigned slab_take(struct slab_cache *c, void **objs, unsigned n)
{
	unsigned got = 0;

	do {
		irqlock_acquire(&c->lock);
		while (got < n && c->partial != BUDDY_NONE) {
			struct page *slab = page_of_frame(c->partial);

			if (slab->in_use == 0)
				c->nr_empty--;
			objs[got++] = slab_page_take(&c->shape, slab, page_virt(slab));
			c->objects++;
			if (slab->free_head == SLAB_NONE)
				slab_unlink_partial(c, slab);
		}
		irqlock_release(&c->lock);
	} while (got == 0 && grow(c));
	return got;
}

void slab_put(struct slab_cache *c, void **objs, unsigned n)
{
	uint32_t empty;

	irqlock_acquire(&c->lock);
	for (unsigned i = 0; i < n; i++) {
		struct page *slab = slab_of(c, objs[i]);
		bool was_full = slab->free_head == SLAB_NONE;

		slab_page_put(&c->shape, slab, page_virt(slab), objs[i]);
		c->objects--;
		if (was_full)
			slab_link_partial(c, slab);
		if (slab->in_use == 0)
			c->nr_empty++;
	}
	empty = c->nr_empty > EMPTY_KEPT ? slab_cut_empty(c, EMPTY_KEPT) : BUDDY_NONE;
	irqlock_release(&c->lock);
	free_slabs(empty);
}

void slab_check_owner(struct slab_cache *c, const void *obj)
{
	const struct page *slab = slab_of(c, obj);

	if (!slab_page_holds(&c->shape, page_virt(slab), obj))
		panic("%p is inside an object of slab cache %s, not its start", obj, c->name);
}

struct slab_cache *slab_cache_of(const struct page *page)
{
	return &slab_caches[page->cache];
}

void slab_trim_cache(struct slab_cache *c)
{
	uint32_t empty;

	irqlock_acquire(&c->lock);
	empty = slab_cut_empty(c, 0);
	irqlock_release(&c->lock);
	free_slabs(empty);
}

bool slab_info(unsigned i, struct slab_info *out)
{
	struct slab_cache *c;

	memset(out, 0, sizeof(*out));
	if (i >= SLAB_CACHES_MAX)
		return false;
	if (!slab_cache_live(&slab_caches[i]))
		return true;
	c = &slab_caches[i];
	irqlock_acquire(&c->lock);
	out->name = c->name;
	out->size = c->shape.size;
	out->stride = c->shape.stride;
	out->objects = c->objects;
	out->slabs = c->nr_slabs;
	out->pages = c->nr_slabs << c->shape.order;
	irqlock_release(&c->lock);
	out->cached = slab_cached_count(c, &out->allocs);
	out->allocs += atomic_load_ulong(&c->allocs, relaxed);
	out->fails = atomic_load_ulong(&c->fails, relaxed);
	return true;
}

/* One more slab; false if there are no pages. */
static bool grow(struct slab_cache *c)
{
	unsigned pages = 1u << c->shape.order;
	struct page *slab = page_alloc(c->shape.order, 0);

	if (!slab)
		return false;
	for (unsigned i = 0; i < pages; i++) {
		slab[i].state = PAGE_SLAB;
		slab[i].order = c->shape.order;
		slab[i].cache = c->number;
	}
	slab_page_init(&c->shape, slab, page_virt(slab));
	mm_account(MM_USER_SLAB, pages);
	irqlock_acquire(&c->lock);
	c->nr_slabs++;
	c->nr_empty++;
	slab_link_partial(c, slab);
	irqlock_release(&c->lock);
	return true;
}

uint32_t slab_cut_empty(struct slab_cache *c, unsigned keep)
{
	uint32_t chain = BUDDY_NONE, next;

	for (uint32_t i = guarded(&c->lock, c->partial); i != BUDDY_NONE && c->nr_empty > keep;
		i = next) {
		struct page *slab = page_of_frame(i);

		next = slab->next;
		if (slab->in_use)
			continue;
		slab_unlink_partial(c, slab);
		c->nr_empty--;
		c->nr_slabs--;
		slab->next = chain;
		chain = i;
	}
	return chain;
}

static void free_slabs(uint32_t chain)
{
	while (chain != BUDDY_NONE) {
		struct page *slab = page_of_frame(chain);
		unsigned pages = 1u << slab->order;

		chain = slab->next;
		for (unsigned i = 1; i < pages; i++)
			slab[i].state = PAGE_RESERVED;
		slab->state = PAGE_USED;
		mm_account(MM_USER_SLAB, -(long)pages);
		page_free(slab);
	}
}

/* The descriptor of the slab that holds `obj`; panics if that is no object of `c`. */
static struct page *slab_of(const struct slab_cache *c, const void *obj)
{
	struct page *page = page_of_virt(obj);
	uint32_t mask;

	if (!page || page->state != PAGE_SLAB || page->cache != c->number)
		panic("%p is no object of slab cache %s", obj, c->name);
	mask = (UINT32_C(1) << page->order) - 1;
	return page - (page_frame(page) & mask);
}

void slab_link_partial(struct slab_cache *c, struct page *slab)
{
	uint32_t frame = page_frame(slab);

	slab->prev = BUDDY_NONE;
	slab->next = guarded(&c->lock, c->partial);
	if (c->partial != BUDDY_NONE)
		page_of_frame(c->partial)->prev = frame;
	c->partial = frame;
}

void slab_unlink_partial(struct slab_cache *c, struct page *slab)
{
	check_guarded(&c->lock, __func__);
	if (slab->prev == BUDDY_NONE)
		c->partial = slab->next;
	else
		page_of_frame(slab->prev)->next = slab->next;
	if (slab->next != BUDDY_NONE)
		page_of_frame(slab->next)->prev = slab->prev;
}
