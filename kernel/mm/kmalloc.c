/* SPDX-License-Identifier: MIT */
/* Memory by the byte, over slab caches of a few sizes and over pages. */
#include "kernel/mm/kmalloc.h"

#include "kernel/mm/early.h"
#include "kernel/mm/slab_internal.h"
#include "kernel/panic.h"
#include "lib/assert.h"

static_assert(KMALLOC_SLAB_MAX == SLAB_SIZE_MAX, "the largest class is the largest slab object");

#define STEP 16
#define LARGE_MAX (PAGE_SIZE << BUDDY_ORDER_MAX)

/* Constant after kmalloc_init. */
static const struct {
	uint16_t size;
	const char *name;
} classes[] = {
	{16, "kmalloc-16"},
	{32, "kmalloc-32"},
	{64, "kmalloc-64"},
	{96, "kmalloc-96"},
	{128, "kmalloc-128"},
	{192, "kmalloc-192"},
	{256, "kmalloc-256"},
	{384, "kmalloc-384"},
	{512, "kmalloc-512"},
	{768, "kmalloc-768"},
	{1024, "kmalloc-1024"},
	{2048, "kmalloc-2048"},
};
static struct slab_cache *caches[ARRAY_SIZE(classes)];
/* Class of each multiple of STEP. */
static uint8_t class_of[KMALLOC_SLAB_MAX / STEP + 1];

static void *alloc_at(size_t size, unsigned flags, uintptr_t pc);
static void *alloc_large(size_t size, unsigned flags);

void kmalloc_init(void)
{
	unsigned class = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(classes); i++) {
		size_t align = is_power_of_two(classes[i].size) ? MIN(classes[i].size, 64) : STEP;

		caches[i] = slab_create(
			classes[i].name, classes[i].size, CONFIG_DEBUG_MM ? STEP : align);
		assert(caches[i]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(class_of); i++) {
		if (i * STEP > classes[class].size)
			class ++;
		class_of[i] = (uint8_t)class;
	}
}

void *kmalloc(size_t size, unsigned flags)
{
	return alloc_at(size, flags, (uintptr_t)__builtin_return_address(0));
}

void *kzalloc(size_t size, unsigned flags)
{
	return alloc_at(size, flags | MM_ZERO, (uintptr_t)__builtin_return_address(0));
}

void kfree(void *ptr)
{
	struct page *page;

	if (!ptr)
		return;
	page = page_of_virt(ptr);
	if (page && page->state == PAGE_SLAB) {
		slab_free_at(slab_cache_of(page), ptr, (uintptr_t)__builtin_return_address(0));
		return;
	}
	if (!page || page->state != PAGE_LARGE || page_virt(page) != ptr)
		panic("kfree: %p is nothing that kmalloc gave", ptr);
	mm_account(MM_USER_LARGE, -(1l << page->order));
	page->state = PAGE_USED;
	page_free(page);
}

size_t kmalloc_size(const void *ptr)
{
	const struct page *page = page_of_virt(ptr);

	if (page && page->state == PAGE_SLAB)
		return slab_obj_size(&slab_cache_of(page)->shape, ptr);
	assert(page && page->state == PAGE_LARGE);
	return PAGE_SIZE << page->order;
}

static void *alloc_at(size_t size, unsigned flags, uintptr_t pc)
{
	if (size == 0)
		return NULL;
	if (size <= KMALLOC_SLAB_MAX)
		return slab_alloc_at(caches[class_of[div_round_up(size, STEP)]], size, flags, pc);
	return alloc_large(size, flags);
}

static void *alloc_large(size_t size, unsigned flags)
{
	unsigned order = 0;
	struct page *page;

	if (size > LARGE_MAX)
		return NULL;
	while (PAGE_SIZE << order < size)
		order++;
	page = page_alloc(order, flags);
	if (!page)
		return NULL;
	page->state = PAGE_LARGE;
	mm_account(MM_USER_LARGE, 1l << order);
	return page_virt(page);
}
