/* SPDX-License-Identifier: MIT */
/* Slab caches and their magazines: inside kernel/mm only. */
#ifndef KERNEL_MM_SLAB_INTERNAL_H
#define KERNEL_MM_SLAB_INTERNAL_H

#include "kernel/lock/irqlock.h"
#include "kernel/mm/slab.h"
#include "kernel/mm/slabpage.h"

#define SLAB_CACHES_MAX 48
#define SLAB_SIZE_MAX 2048

enum cache_state {
	CACHE_UNUSED,
	CACHE_MAKING,
	CACHE_LIVE,
};

/* lock protects the slabs of this cache; its whole story: slab.c. */
struct slab_cache {
	struct irqlock lock;
	uint32_t partial GUARDED_BY(&lock); /* frame of the first slab with a free object */
	size_t nr_slabs GUARDED_BY(&lock);
	size_t nr_empty GUARDED_BY(&lock);
	size_t objects GUARDED_BY(&lock);
	/* Constant while it is live. */
	const char *name;
	struct slab_shape shape;
	uint16_t number;
	atomic_u32 state;	    /* enum cache_state */
	atomic_ulong allocs, fails; /* relaxed: lone counters; allocs without magazines */
};

extern struct slab_cache slab_caches[SLAB_CACHES_MAX];

static inline bool slab_cache_live(const struct slab_cache *c)
{
	/* acquire: pairs with slab_create's release. */
	return atomic_load_u32(&c->state, acquire) == CACHE_LIVE;
}

/* slab_alloc (of `size` bytes, at most the cache's) and slab_free in the name of `pc`. */
void *slab_alloc_at(struct slab_cache *c, size_t size, unsigned flags, uintptr_t pc);
void slab_free_at(struct slab_cache *c, void *obj, uintptr_t pc);
/* Up to n objects out of the slabs, growing the cache if there is none; how many. */
unsigned slab_take(struct slab_cache *c, void **objs, unsigned n);
void slab_put(struct slab_cache *c, void **objs, unsigned n);
/* Panics unless obj is an object of c. */
void slab_check_owner(struct slab_cache *c, const void *obj);
struct slab_cache *slab_cache_of(const struct page *page);
/* Files a slab among those with a free object, and takes it out; gives up slabs without objects,
 * all but `keep`, and returns them as a chain. */
void slab_link_partial(struct slab_cache *c, struct page *slab) REQUIRES(&c->lock);
void slab_unlink_partial(struct slab_cache *c, struct page *slab) REQUIRES(&c->lock);
uint32_t slab_cut_empty(struct slab_cache *c, unsigned keep) REQUIRES(&c->lock);
/* Gives back slabs without objects. */
void slab_trim_cache(struct slab_cache *c);
/* Gives the objects in all harts' magazines of c back to its slabs. */
void slab_drain_cache(struct slab_cache *c);
/* Objects in magazines; adds the allocations that went through them to *allocs. */
size_t slab_cached_count(const struct slab_cache *c, uint64_t *allocs);

#endif
