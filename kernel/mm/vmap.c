/* SPDX-License-Identifier: MIT */
/*
 * The vmap area. Lock: vmap_internal.h.
 *
 * An unmapped area's entries are gone from the page tables at once, but harts may still have them
 * in their TLBs. So the area goes to `lazy`, and with it the pages that it owns; one shoot-down of
 * all online harts (a leaf call, which flushes whole TLBs) serves all of them, and only then do
 * addresses and pages become free. A hart that is not online flushes its TLB when it comes, before
 * it looks at the vmap (kernel/hart), so it may be left out.
 *
 * Mapping needs no flush: a hart that has cached "nothing there" takes a fault, which the arch
 * resolves by a fence; stacks, where a fault would be fatal, have generations (stack.h).
 */
#include "kernel/mm/vmap.h"

#include "kernel/hart/call.h"
#include "kernel/lock/check.h"
#include "kernel/mm/early.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/page_range.h"
#include "kernel/mm/vmap_internal.h"
#include "kernel/panic.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/string.h"

/* A flush is due when this much waits for it. */
#define LAZY_PAGES_MAX 256
#define LAZY_AREAS_MAX 64

DEFINE_LOCK_CLASS(vmap_class, .name = "vmap", .rank = RANK_VMAP, .contexts = LOCK_IN_THREAD,
	.max_hold_us = 2000, .protects = "kernel address ranges, their tables, stacks");
/* Protects areas, tables and stacks; its whole story: vmap_internal.h. */
struct mutex vmap_mutex = MUTEX_INIT(&vmap_class);

static struct rbtree used GUARDED_BY(&vmap_mutex) = RBTREE_INIT;
static struct rbtree unused GUARDED_BY(&vmap_mutex) = RBTREE_INIT;
static struct list lazy GUARDED_BY(&vmap_mutex) = LIST_INIT(lazy);
static struct vmap_info info GUARDED_BY(&vmap_mutex);
/* Where the last area ended: the search for the next begins there, so that a stale pointer into an
 * area that is gone hits nothing for long. */
static uintptr_t cursor GUARDED_BY(&vmap_mutex);

/* Set once, before there is a second thread. */
static bool threads_run;

static void *map_foreign(phys_t pa, unsigned n, unsigned prot);
static struct vmap_area *carve(size_t size) REQUIRES(&vmap_mutex);
static struct vmap_area *carve_after(uintptr_t from, size_t size) REQUIRES(&vmap_mutex);
static void area_free(struct vmap_area *a) REQUIRES(&vmap_mutex);
static void flush(void) REQUIRES(&vmap_mutex);
static bool area_less(const struct rbnode *a, const struct rbnode *b);
static bool ends_before(const struct rbnode *node, const void *va);

void vmap_init(void)
{
	struct vmap_area *whole = kzalloc(sizeof(*whole), 0);

	if (!whole)
		panic_as(EXIT_NO_MEMORY, "no memory for the vmap");
	whole->base = arch_vmap_base;
	whole->size = arch_vmap_end - arch_vmap_base;
	vmap_lock();
	rbtree_insert(&unused, &whole->node, area_less);
	cursor = whole->base;
	vmap_unlock();
}

void mm_threads_start(void)
{
	threads_run = true;
}

/* Without the mutex only while there is nobody else: clang cannot follow the condition. */
void vmap_lock(void) UNCHECKED_LOCKING
{
	if (threads_run) {
		mutex_lock(&vmap_mutex);
		return;
	}
	assert(hart_mask_weight(&harts_online) <= 1);
}

void vmap_unlock(void) UNCHECKED_LOCKING
{
	if (threads_run)
		mutex_unlock(&vmap_mutex);
}

void *vmap_mmio(phys_t phys, size_t size)
{
	phys_t first = align_down(phys, PAGE_SIZE);
	size_t offset = (size_t)(phys - first);
	char *va;

	if (size == 0 || size > arch_vmap_end - arch_vmap_base || phys + size < phys)
		return NULL;
	va = map_foreign(first, (unsigned)(align_up(offset + size, PAGE_SIZE) >> PAGE_SHIFT),
		ARCH_PROT_READ | ARCH_PROT_WRITE | ARCH_PROT_DEVICE);
	return va ? va + offset : NULL;
}

void *vmap_pages(struct page *const *pages, unsigned n)
{
	struct vmap_area *a;
	void *va = NULL;

	if (n == 0)
		return NULL;
	vmap_lock();
	a = vmap_area_get(0, n);
	if (a) {
		while (a->mapped < n &&
			!arch_kmap(a->base + a->mapped * PAGE_SIZE, page_phys(pages[a->mapped]),
				ARCH_PROT_READ | ARCH_PROT_WRITE, page_alloc_table))
			a->mapped++;
		if (a->mapped == n)
			va = (void *)a->base;
		else
			vmap_area_put(a);
	}
	vmap_unlock();
	return va;
}

void *vmap_alloc(size_t size)
{
	unsigned n = (unsigned)(align_up(size, PAGE_SIZE) >> PAGE_SHIFT);
	struct vmap_area *a;
	void *va = NULL;

	if (n == 0)
		return NULL;
	vmap_lock();
	a = vmap_area_get(0, n);
	if (a) {
		if (!vmap_area_fill(a, n, NODE_HERE, MM_ZERO))
			va = (void *)a->base;
		else
			vmap_area_put(a);
	}
	vmap_unlock();
	return va;
}

void vunmap(void *va)
{
	uintptr_t start = align_down((uintptr_t)va, PAGE_SIZE);
	struct vmap_area *a;

	vmap_lock();
	a = vmap_area_find(start);
	if (!a || a->owner)
		panic("vunmap: %p is not the start of a mapping", va);
	check_memory_free((void *)start, a->mapped * PAGE_SIZE);
	vmap_area_put(a);
	vmap_unlock();
}

void vmap_flush(void)
{
	vmap_lock();
	flush();
	vmap_unlock();
}

void vmap_info(struct vmap_info *out)
{
	vmap_lock();
	*out = info;
	rbtree_for_each(node, &unused)
		out->holes++;
	vmap_unlock();
}

struct vmap_area *vmap_area_get(unsigned lead, unsigned n)
{
	size_t size = ((size_t)lead + n + 1) * PAGE_SIZE;
	struct vmap_area *a;

	if (n > (arch_vmap_end - arch_vmap_base) >> PAGE_SHIFT)
		return NULL;
	a = carve(size);
	if (!a)
		return NULL;
	cursor = a->base + a->size;
	a->lead = lead;
	a->mapped = 0;
	a->pages = BUDDY_NONE;
	a->owner = NULL;
	list_node_init(&a->lazy);
	rbtree_insert(&used, &a->node, area_less);
	info.ranges++;
	info.pages += n;
	return a;
}

struct vmap_area *vmap_area_find(uintptr_t va)
{
	struct rbnode *node = rbtree_lower_bound(&used, ends_before, &va);
	struct vmap_area *a = node ? rbtree_entry(node, struct vmap_area, node) : NULL;

	return a && vmap_area_start(a) == va ? a : NULL;
}

int vmap_area_fill(struct vmap_area *a, unsigned n, unsigned node, unsigned flags)
{
	while (a->mapped < n) {
		struct page *page = page_alloc_near(node, 0, flags);

		if (!page)
			return -ENOMEM;
		page->next = a->pages;
		a->pages = page_frame(page);
		if (arch_kmap(vmap_area_start(a) + a->mapped * PAGE_SIZE, page_phys(page),
			    ARCH_PROT_READ | ARCH_PROT_WRITE, page_alloc_table))
			return -ENOMEM;
		a->mapped++;
	}
	return 0;
}

void vmap_area_put(struct vmap_area *a)
{
	for (unsigned i = 0; i < a->mapped; i++)
		arch_kunmap(vmap_area_start(a) + i * PAGE_SIZE);
	rbtree_remove(&used, &a->node);
	list_push_back(&lazy, &a->lazy);
	info.ranges--;
	info.pages -= (a->size >> PAGE_SHIFT) - a->lead - 1;
	info.lazy_ranges++;
	info.lazy_pages += a->mapped;
	if (info.lazy_pages > LAZY_PAGES_MAX || info.lazy_ranges > LAZY_AREAS_MAX)
		flush();
}

/* Pages after each other that belong to somebody else. */
static void *map_foreign(phys_t pa, unsigned n, unsigned prot)
{
	struct vmap_area *a;
	void *va = NULL;

	vmap_lock();
	a = vmap_area_get(0, n);
	if (a) {
		while (a->mapped < n &&
			!arch_kmap(a->base + a->mapped * PAGE_SIZE,
				pa + (phys_t)a->mapped * PAGE_SIZE, prot, page_alloc_table))
			a->mapped++;
		if (a->mapped == n)
			va = (void *)a->base;
		else
			vmap_area_put(a);
	}
	vmap_unlock();
	return va;
}

/* Every hart forgets what it knew of the lazy areas; they and their pages are free then. */
static void flush(void)
{
	struct list_node *node;
	struct hart_mask online;

	if (list_empty(&lazy))
		return;
	/* The cleared entries before the look at who is online. Partner: a hart that joins sets its
	 * bit, then flushes its whole TLB (hart_join): it is asked, or walks what is cleared
	 * already. */
	fence_full();
	hart_mask_copy(&online, &harts_online);
	if (hart_mask_empty(&online))
		arch_tlb_flush_all();
	else
		leaf_call_mask(&online, LEAF_TLB_FLUSH);
	info.flushes++;
	while ((node = list_pop_front(&lazy)) != NULL) {
		struct vmap_area *a = list_entry(node, struct vmap_area, lazy);
		uint32_t chain = a->pages;

		while (chain != BUDDY_NONE) {
			struct page *page = page_of_frame(chain);

			chain = page->next;
			page_free(page);
		}
		info.lazy_ranges--;
		info.lazy_pages -= a->mapped;
		area_free(a);
	}
}

/* Takes `size` bytes out of the free areas; flushes if that may help. */
static struct vmap_area *carve(size_t size)
{
	struct vmap_area *a = carve_after(cursor, size);

	if (!a)
		a = carve_after(0, size);
	if (a || list_empty(&lazy))
		return a;
	flush();
	return carve_after(0, size);
}

static struct vmap_area *carve_after(uintptr_t from, size_t size)
{
	struct rbnode *node = rbtree_lower_bound(&unused, ends_before, &from);

	for (; node; node = rbtree_next(node)) {
		struct vmap_area *a = rbtree_entry(node, struct vmap_area, node), *rest;

		if (a->size < size)
			continue;
		if (a->size == size) {
			rbtree_remove(&unused, &a->node);
			return a;
		}
		rest = kzalloc(sizeof(*rest), 0);
		if (!rest)
			return NULL;
		/* The new struct takes the front; what is left keeps its place in the tree. */
		rest->base = a->base;
		rest->size = size;
		a->base += size;
		a->size -= size;
		return rest;
	}
	return NULL;
}

/* The area becomes free address space, joined with its neighbours. */
static void area_free(struct vmap_area *a)
{
	uintptr_t end = a->base + a->size;
	struct rbnode *node = rbtree_lower_bound(&unused, ends_before, &a->base);
	struct rbnode *before = node ? rbtree_prev(node) : rbtree_last(&unused);
	struct vmap_area *other;

	if (node) {
		other = rbtree_entry(node, struct vmap_area, node);
		if (other->base == end) {
			other->base = a->base;
			other->size += a->size;
			kfree(a);
			a = other;
		}
	}
	if (before) {
		other = rbtree_entry(before, struct vmap_area, node);
		if (other->base + other->size == a->base) {
			other->size += a->size;
			if (rbnode_linked(&a->node))
				rbtree_remove(&unused, &a->node);
			kfree(a);
			return;
		}
	}
	if (!rbnode_linked(&a->node))
		rbtree_insert(&unused, &a->node, area_less);
}

static bool area_less(const struct rbnode *a, const struct rbnode *b)
{
	return rbtree_entry(a, struct vmap_area, node)->base <
		rbtree_entry(b, struct vmap_area, node)->base;
}

static bool ends_before(const struct rbnode *node, const void *va)
{
	const struct vmap_area *a = rbtree_entry(node, struct vmap_area, node);

	return a->base + a->size <= *(const uintptr_t *)va;
}
