/* SPDX-License-Identifier: MIT */
/*
 * Physical memory: one buddy allocator per memory range of the device tree, and a small cache of
 * single pages per hart in front of them. Pages come from the node of the hart that asks, or else
 * from the nearest node that has some (kernel/hart/topology.h).
 *
 * Boot order: mm_early_init() (ranges, boot allocator, final page tables), then mm_init() (page
 * descriptors, buddies, slab caches). From then on page_alloc and kmalloc work, on every hart and
 * in every context. vmap and stacks work from mm_init() on as well; mm_threads_start() must be
 * called before a second thread or hart may use them.
 *
 * A descriptor is only meaningful for a page that was once part of a split, allocated or edge
 * block: memory that nobody asked for is never touched, neither itself nor its descriptor.
 */
#ifndef KERNEL_MM_PAGE_H
#define KERNEL_MM_PAGE_H

#include "kernel/arch.h"
#include "kernel/mm/buddy.h"
#include "lib/types.h"

/* Flags of every allocation. None ever sleeps; MM_ATOMIC only states that the caller could not. */
#define MM_ATOMIC (1u << 0)
#define MM_ZERO (1u << 1)

#define MM_RANGES_MAX 16

/*
 * Reads memory ranges and reservations of the tree (arch_info.fdt), sets the boot allocator up and
 * lets the arch build the final page tables. Panics with EXIT_BAD_TREE or EXIT_NO_MEMORY. Boot
 * hart, SIE off, once.
 */
void mm_early_init(void);
/* Page descriptors, buddies, kmalloc; reads mmfail=. After mm_early_init. Boot hart, SIE off. */
void mm_init(void);
/* From here on vmap and stacks take their mutex. Boot hart, before the second thread runs. */
void mm_threads_start(void);

/*
 * 2^order pages, aligned to their size, order <= BUDDY_ORDER_MAX; NULL if there are none (or by
 * injection). Either; takes page locks (rank PAGE).
 */
struct page *page_alloc(unsigned order, unsigned flags);
/* The same near a given node (NODE_HERE: as page_alloc), for what another hart will use. */
struct page *page_alloc_near(unsigned node, unsigned order, unsigned flags);
/* Gives back what page_alloc gave; the order is known. Either; rank PAGE. */
void page_free(struct page *page);

/* The node that a page is of. Either, no locks. */
unsigned page_node(const struct page *page);
phys_t page_phys(const struct page *page);
void *page_virt(const struct page *page);
/* The descriptor of the page at a physical address, of an address in the direct map; NULL if it
 * is no allocatable memory. Either, no locks. */
struct page *page_of_phys(phys_t pa);
struct page *page_of_virt(const void *va);

/* Zeroed page for page tables (arch_kmap's `alloc`): 0 if there is none. Either. */
phys_t page_alloc_table(void);

/* Zeroed memory near a node that is never given back, on cache lines of its own; at most two pages.
 * NULL: none. Boot hart, before a second thread runs. */
void *mm_permanent(size_t size, unsigned node);

/* Hart `index` is stopping: what its cache holds goes back. Either; rank PAGE. */
void page_cache_drain(unsigned index);
void page_cache_drain_all(void);
/* The irqlock (rank PAGE) of a hart's cache, for who shows what happens when it is stuck. */
struct irqlock;
struct irqlock *page_cache_lock(unsigned index);
/* Gives back everything that is only cached: pages per hart, empty slabs, free stacks, lazily
 * unmapped ranges. Thread, may sleep. Tests compare counts after it. */
void mm_trim(void);

struct mm_range_info {
	phys_t base, end; /* as managed */
	size_t pages, free;
	unsigned node;
};

/* Pages of a node. What harts' caches hold counts as given out here. */
struct mm_node_info {
	size_t pages, free;
	/* Given out since boot: to who asked for this node, mostly harts of it; to who asked for
	 * another one that had none; and what who asked for this node got elsewhere. */
	uint64_t local, lent, fallback;
};

struct mm_counts {
	size_t total;	    /* pages of the ranges in the tree (whole ones) */
	size_t reserved;    /* firmware, tree, initrd, other reservations */
	size_t kernel;	    /* the kernel's image */
	size_t boot;	    /* boot allocations, page descriptors included */
	size_t descriptors; /* of these: page descriptors */
	size_t free;	    /* buddies and caches of harts */
	size_t cached;	    /* of these: caches of harts */
	size_t used;	    /* given out: total - reserved - free, kernel and boot included */
	size_t slab;	    /* of these: slabs */
	size_t large;	    /* of these: kmalloc of whole pages */
	size_t stack;	    /* of these: stacks, cached ones too */
	size_t table;	    /* of these: what is never given back: page tables made after boot,
			       harts' own structs and magazines, records of stacks */
	size_t free_blocks[BUDDY_ORDER_MAX + 1];
	uint64_t failures; /* page_alloc that returned NULL */
};

/* A snapshot, each figure right for itself. Either; rank PAGE. */
void mm_count(struct mm_counts *out);
unsigned mm_ranges(struct mm_range_info *out, unsigned max);
size_t mm_free_pages(void);
void mm_node(unsigned node, struct mm_node_info *out);

/* Accounting of the users that mm_count tells apart. Either. */
enum mm_user {
	MM_USER_SLAB,
	MM_USER_LARGE,
	MM_USER_STACK,
	MM_USER_TABLE,
	MM_USERS
};
void mm_account(enum mm_user user, long pages);

#endif
