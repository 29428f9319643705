/* SPDX-License-Identifier: MIT */
/* The buddy system over one range; what it promises is in the header. */
#include "kernel/mm/buddy.h"

#include "lib/assert.h"
#include "lib/string.h"

#define CHUNK_PAGES (UINT32_C(1) << BUDDY_ORDER_MAX)

static void list_add(struct buddy *b, uint32_t index, unsigned order);
static void list_del(struct buddy *b, uint32_t index, unsigned order);
static const char *check_list(const struct buddy *b, unsigned order, uint32_t *pages);

void buddy_init(struct buddy *b, uint32_t base, uint32_t nr_pages, struct page *pages)
{
	assert(is_aligned(base, CHUNK_PAGES) && is_aligned(nr_pages, CHUNK_PAGES));
	*b = (struct buddy){.base = base, .nr_pages = nr_pages, .pages = pages};
	for (unsigned k = 0; k <= BUDDY_ORDER_MAX; k++)
		b->head[k] = BUDDY_NONE;
}

void buddy_init_chunk(struct buddy *b, uint32_t chunk)
{
	assert(chunk < b->nr_pages / CHUNK_PAGES);
	memset(&b->pages[chunk * CHUNK_PAGES], 0, CHUNK_PAGES * sizeof(struct page));
}

void buddy_add(struct buddy *b, uint32_t from, uint32_t to)
{
	assert(from <= to && to <= b->nr_pages);
	while (from < to) {
		unsigned order = BUDDY_ORDER_MAX;

		while (!is_aligned(from, UINT32_C(1) << order) || to - from < UINT32_C(1) << order)
			order--;
		buddy_free(b, from, order);
		from += UINT32_C(1) << order;
	}
}

uint32_t buddy_alloc(struct buddy *b, unsigned order)
{
	uint32_t fitting, index;
	unsigned k;

	assert(order <= BUDDY_ORDER_MAX);
	fitting = b->orders >> order << order;
	if (!fitting)
		return BUDDY_NONE;
	k = (unsigned)__builtin_ctz(fitting);
	index = b->head[k];
	list_del(b, index, k);
	/* The lower half is kept in hand and split again; each upper half becomes a free block. */
	while (k > order) {
		k--;
		list_add(b, index + (UINT32_C(1) << k), k);
	}
	b->pages[index].state = PAGE_USED;
	b->pages[index].order = (uint8_t)order;
	return index;
}

void buddy_free(struct buddy *b, uint32_t index, unsigned order)
{
	assert(order <= BUDDY_ORDER_MAX && is_aligned(index, UINT32_C(1) << order));
	assert(index < b->nr_pages);
	while (order < BUDDY_ORDER_MAX) {
		uint32_t other = index ^ (UINT32_C(1) << order);
		const struct page *page = &b->pages[other];

		if (page->state != PAGE_FREE || page->order != order)
			break;
		list_del(b, other, order);
		/* The head of the upper half is inside a block from now on: not a free head. */
		b->pages[MAX(index, other)].state = PAGE_RESERVED;
		index = MIN(index, other);
		order++;
	}
	list_add(b, index, order);
}

const char *buddy_check(const struct buddy *b)
{
	uint32_t pages = 0;

	for (unsigned k = 0; k <= BUDDY_ORDER_MAX; k++) {
		const char *wrong = check_list(b, k, &pages);

		if (wrong)
			return wrong;
	}
	return pages == b->nr_free ? NULL : "nr_free is not the sum over the lists";
}

static const char *check_list(const struct buddy *b, unsigned order, uint32_t *pages)
{
	uint32_t size = UINT32_C(1) << order, prev = BUDDY_NONE, length = 0;

	if ((b->orders >> order & 1) != (b->head[order] != BUDDY_NONE))
		return "the bit of an order disagrees with its list";
	for (uint32_t i = b->head[order]; i != BUDDY_NONE; i = b->pages[i].next) {
		const struct page *page, *other;

		if (i >= b->nr_pages || !is_aligned(i, size))
			return "a free block is out of range or not aligned";
		page = &b->pages[i];
		if (page->state != PAGE_FREE || page->order != order || page->prev != prev)
			return "a descriptor in a free list does not say so";
		other = &b->pages[i ^ size];
		if (order < BUDDY_ORDER_MAX && other->state == PAGE_FREE && other->order == order)
			return "two free buddies were not merged";
		if (++length > b->blocks[order])
			return "a list is longer than its count";
		prev = i;
		*pages += size;
	}
	return length == b->blocks[order] ? NULL : "a list is shorter than its count";
}

static void list_add(struct buddy *b, uint32_t index, unsigned order)
{
	struct page *page = &b->pages[index];
	uint32_t first = b->head[order];

	page->state = PAGE_FREE;
	page->order = (uint8_t)order;
	page->prev = BUDDY_NONE;
	page->next = first;
	if (first != BUDDY_NONE)
		b->pages[first].prev = index;
	b->head[order] = index;
	b->blocks[order]++;
	b->orders |= UINT32_C(1) << order;
	b->nr_free += UINT32_C(1) << order;
}

static void list_del(struct buddy *b, uint32_t index, unsigned order)
{
	const struct page *page = &b->pages[index];

	if (page->prev == BUDDY_NONE)
		b->head[order] = page->next;
	else
		b->pages[page->prev].next = page->next;
	if (page->next != BUDDY_NONE)
		b->pages[page->next].prev = page->prev;
	b->blocks[order]--;
	if (b->head[order] == BUDDY_NONE)
		b->orders &= ~(UINT32_C(1) << order);
	b->nr_free -= UINT32_C(1) << order;
}
