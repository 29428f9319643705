/* SPDX-License-Identifier: MIT */
/* Between the firmware and the page allocator: inside kernel/mm only. */
#ifndef KERNEL_MM_EARLY_H
#define KERNEL_MM_EARLY_H

#include "kernel/arch.h"
#include "kernel/mm/memmap.h"

struct early_map {
	struct range_set ram;	   /* usable, whole pages, inside the direct map */
	struct range_set reserved; /* taken: everything below, whole pages */
	struct range_set no_map;   /* of these: must not be mapped */
	uint64_t kernel_bytes;	   /* the image */
	uint64_t boot_bytes;	   /* early_alloc so far */
};

/* Constant after mm_init. */
extern struct early_map early_map;

/* The node that the memory at `base` belongs to, and how far towards `limit` it goes on without
 * another one's. */
uint64_t early_node_end(uint64_t base, uint64_t limit, unsigned *node);

/* `size` bytes (rounded up to pages) of free memory within [low, high), not zeroed; 0: none. */
phys_t early_alloc(size_t size, phys_t low, phys_t high);

/* Page descriptors and buddies from early_map (page.c), kmalloc's caches (kmalloc.c), vmap. */
void page_init(void);
void kmalloc_init(void);
void vmap_init(void);

#endif
