/* SPDX-License-Identifier: MIT */
/* Areas of the vmap: inside kernel/mm only. */
#ifndef KERNEL_MM_VMAP_INTERNAL_H
#define KERNEL_MM_VMAP_INTERNAL_H

#include "kernel/mm/vmap.h"
#include "kernel/wait/mutex.h"
#include "lib/list.h"
#include "lib/rbtree.h"

/*
 * vmap.mutex (mutex, rank VMAP)
 *   Protects: the areas of the vmap, the kernel's page tables there, stacks and their cache.
 *   Taken by: threads.
 *   Order:    before the allocators' locks; held over shoot-downs, which take none.
 *
 * Before mm_threads_start there is one thread and one hart, SIE is off and nothing is taken.
 */
extern struct mutex vmap_mutex;
void vmap_lock(void) ACQUIRES(&vmap_mutex);
void vmap_unlock(void) RELEASES(&vmap_mutex);

/*
 * A piece of address space, in one of two trees (used, free) or in the list of what was unmapped
 * and is not flushed yet. [base, base + size) with `lead` unmapped pages at its start, then
 * `mapped` ones, and at least one unmapped page at its end.
 */
struct vmap_area {
	struct rbnode node;
	struct list_node lazy;
	uintptr_t base;
	size_t size;
	unsigned lead, mapped;
	uint32_t pages; /* chain of frames to free with it, BUDDY_NONE: none */
	void *owner;	/* stack record, NULL: none */
};

static inline uintptr_t vmap_area_start(const struct vmap_area *a)
{
	return a->base + a->lead * PAGE_SIZE;
}

/* Reserves `lead` + n + 1 pages of addresses; NULL: no memory or no addresses. */
struct vmap_area *vmap_area_get(unsigned lead, unsigned n) REQUIRES(&vmap_mutex);
/* The used area whose mapped part starts at va, NULL if there is none. */
struct vmap_area *vmap_area_find(uintptr_t va) REQUIRES(&vmap_mutex);
/* Maps n fresh pages, near a node, into the area, which then owns them. 0, or -ENOMEM with nothing
 * mapped. */
int vmap_area_fill(struct vmap_area *a, unsigned n, unsigned node, unsigned flags)
	REQUIRES(&vmap_mutex);
/* Unmaps what is mapped and gives the area, and its pages, to the next flush. */
void vmap_area_put(struct vmap_area *a) REQUIRES(&vmap_mutex);

#endif
