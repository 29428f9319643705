/* SPDX-License-Identifier: MIT */
/*
 * The vmap area: kernel addresses for MMIO, stacks and scattered pages.
 *
 * Each range is followed by at least one page that is never mapped. An unmapped range, and the
 * pages that were in it, are used again only after every online hart has flushed its TLB: the
 * flushes are put off and made for many ranges at once (vmap_flush).
 */
#ifndef KERNEL_MM_VMAP_H
#define KERNEL_MM_VMAP_H

#include "kernel/mm/page.h"

/* Maps a device's registers, uncached, read and write. `phys` need not be page-aligned, nor the
 * result. NULL: no memory or addresses. Thread, may sleep; works before threads run, too. */
void *vmap_mmio(phys_t phys, size_t size);
/* Maps n pages after each other, read and write. They stay the caller's. Same context. */
void *vmap_pages(struct page *const *pages, unsigned n);
/* The same, of fresh zeroed pages that vunmap gives back. */
void *vmap_alloc(size_t size);
/* Ends a mapping made by one of these. Same context. */
void vunmap(void *va);
/* Waits until nothing that was unmapped before can be reached from any hart. Same context. */
void vmap_flush(void);

struct vmap_info {
	size_t ranges, pages;		/* mapped now */
	size_t lazy_ranges, lazy_pages; /* unmapped, not yet flushed */
	size_t holes;			/* stretches of free addresses, an object each */
	uint64_t flushes;		/* shoot-downs sent */
};
void vmap_info(struct vmap_info *out);

#endif
