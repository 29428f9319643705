/* SPDX-License-Identifier: MIT */
/*
 * Slab caches: objects of one size. kernel/mm/slab.c has the locks, slabpage.c the pure part.
 */
#ifndef KERNEL_MM_SLAB_H
#define KERNEL_MM_SLAB_H

#include "kernel/mm/page.h"

struct slab_cache;

/*
 * A cache of objects of `size` bytes (1..KMALLOC_SLAB_MAX), aligned to `align` (a power of two, at
 * least 16 is used, at most a page). `name` must live as long as the cache. NULL: no memory or no
 * number left. Thread.
 */
struct slab_cache *slab_create(const char *name, size_t size, size_t align);
/* Ends a cache; every object must have been given back (asserted). Thread. */
void slab_destroy(struct slab_cache *cache);
/* One object, uninitialised unless MM_ZERO; NULL if there is none. Either; ranks SLAB, PAGE. */
void *slab_alloc(struct slab_cache *cache, unsigned flags);
void slab_free(struct slab_cache *cache, void *obj);

struct slab_info {
	const char *name;
	size_t size, stride;
	size_t objects; /* given out, those in the harts' magazines too */
	size_t cached;	/* of these: in magazines */
	size_t slabs, pages;
	uint64_t allocs, fails;
};

/* Information about number i, false behind the last one; name NULL: not in use. Either. */
bool slab_info(unsigned i, struct slab_info *out);
/* Gives back magazines and empty slabs of all caches. Either; rank SLAB, then PAGE. */
void slab_trim(void);
/* Hart `index` is stopping. Either. */
void slab_drain_hart(unsigned index);

#endif
