/* SPDX-License-Identifier: MIT */
/*
 * The buddy system over one contiguous range of page frames. Pure: no locks, no hardware; the
 * caller serialises. Also compiled for the host.
 *
 * Free blocks of order k start at multiples of 2^k. Page descriptors are read only for heads of
 * blocks: a chunk of the largest order that was free from the start has one initialised descriptor,
 * its head, until it is split; a split initialises the head of each half. The buddy of any block
 * below the largest order came from the same split, so what buddy_free reads is always initialised.
 * Chunks that are not wholly free at the start are initialised throughout (buddy_init_chunk).
 *
 * Invariants between calls: free lists hold exactly the free blocks; no two free buddies of one
 * order below BUDDY_ORDER_MAX; nr_free is the sum over the lists; bit k of `orders` is set exactly
 * if list k is not empty.
 */
#ifndef KERNEL_MM_BUDDY_H
#define KERNEL_MM_BUDDY_H

#include "lib/types.h"

#define BUDDY_ORDER_MAX 10    /* 4 MiB */
#define BUDDY_NONE UINT32_MAX /* no page in a link */

enum page_state {
	PAGE_RESERVED = 0, /* never given out */
	PAGE_FREE,	   /* head of a free block */
	PAGE_CACHED,	   /* in the cache of a hart */
	PAGE_USED,	   /* given out: head */
	PAGE_SLAB,	   /* every page of a slab */
	PAGE_LARGE,	   /* head of a large kmalloc */
};

/*
 * One per page. Which fields mean something depends on the state, and so does who guards them: the
 * buddy's lock (FREE), the hart cache's (CACHED), the slab cache's (SLAB), the owner (others).
 */
struct page {
	uint32_t next, prev; /* neighbours in a list: indices (FREE), frame numbers (CACHED,
				SLAB), whatever its owner likes (USED) */
	uint8_t state;	     /* enum page_state */
	uint8_t order;	     /* of the block; in a slab, of the whole slab */
	uint16_t cache;	     /* SLAB: number of the cache */
	uint16_t free_head;  /* SLAB head: first free object, SLAB_NONE: none */
	uint16_t in_use;     /* SLAB head: objects given out; CACHED: PAGE_POISONED */
};
static_assert(sizeof(struct page) == 16, "1 GiB costs 4 MiB of descriptors, not more");

struct buddy {
	uint32_t base;	   /* frame number of pages[0], multiple of 2^BUDDY_ORDER_MAX */
	uint32_t nr_pages; /* descriptors */
	struct page *pages;
	uint32_t nr_free;		      /* pages */
	uint32_t orders;		      /* bit k: list k is not empty */
	uint32_t head[BUDDY_ORDER_MAX + 1];   /* index of the first block, BUDDY_NONE */
	uint32_t blocks[BUDDY_ORDER_MAX + 1]; /* length of each list */
};

/* Nothing is free yet. `base` is aligned down, `nr_pages` rounded up to whole chunks. */
void buddy_init(struct buddy *b, uint32_t base, uint32_t nr_pages, struct page *pages);
/* Marks every page of the chunk with index `chunk` reserved: before parts of it are freed. */
void buddy_init_chunk(struct buddy *b, uint32_t chunk);
/* Adds the free pages [from, to) (indices), which no one has, at the start. Chunks that they cover
 * in part must have been initialised. */
void buddy_add(struct buddy *b, uint32_t from, uint32_t to);
/* Index of the head of a block of 2^order pages, in state PAGE_USED; BUDDY_NONE if there is none.
 */
uint32_t buddy_alloc(struct buddy *b, unsigned order);
/* Gives back a block whose head is in no list; merges with free buddies. */
void buddy_free(struct buddy *b, uint32_t index, unsigned order);
/* Walks every list: NULL if all invariants hold, else what does not. For tests. */
const char *buddy_check(const struct buddy *b);

#endif
