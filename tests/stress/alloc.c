/* SPDX-License-Identifier: MIT */
/*
 * Memory: objects, pages and mapped ranges of all sizes, freed by whoever finds them; contents are
 * checked when they are freed. Running out of memory is no failure.
 */
#include "kernel/lock/atomic.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/vmap.h"
#include "lib/string.h"
#include "tests/stress/stress.h"

#define SLOTS 128

struct block {
	enum {
		OBJECT,
		PAGES,
		RANGE
	} kind;
	struct page *page;
	size_t size; /* of the memory at `at` */
	unsigned char *at;
	unsigned char fill;
};

/* acq_rel exchanges hand a block over, contents included. */
static atomic_ptr slots[SLOTS];
static struct stress_run run;

static bool obtain(struct block *b, struct rng *rng)
{
	unsigned order = (unsigned)rng_below(rng, 4);

	switch (b->kind) {
	case OBJECT:
		b->size = 1 + rng_below(rng, rng_one_in(rng, 8) ? 20000 : 600);
		b->at = kmalloc(b->size, 0);
		return b->at;
	case PAGES:
		b->size = PAGE_SIZE << order;
		b->page = page_alloc(order, 0);
		b->at = b->page ? page_virt(b->page) : NULL;
		return b->at;
	default:
		b->size = PAGE_SIZE * (1 + order);
		b->at = vmap_alloc(b->size);
		return b->at;
	}
}

static struct block *make(struct rng *rng)
{
	struct block *b = kzalloc(sizeof(*b), 0);

	if (!b)
		return NULL;
	b->kind = rng_one_in(rng, 16) ? RANGE : rng_one_in(rng, 4) ? PAGES : OBJECT;
	b->fill = (unsigned char)rng_u32(rng);
	if (!obtain(b, rng)) {
		kfree(b);
		return NULL;
	}
	memset(b->at, b->fill, b->size);
	return b;
}

static void drop(struct block *b)
{
	for (size_t i = 0; i < b->size; i++) {
		if (b->at[i] == b->fill)
			continue;
		stress_fail(&run, "byte %zu of %zu was overwritten", i, b->size);
		break;
	}
	switch (b->kind) {
	case OBJECT:
		kfree(b->at);
		break;
	case PAGES:
		page_free(b->page);
		break;
	default:
		vunmap(b->at);
	}
	kfree(b);
}

static void worker(unsigned i)
{
	struct rng rng;

	rng_seed(&rng, i + 6000);
	while (stress_more(&run)) {
		struct block *b = rng_one_in(&rng, 3) ? NULL : make(&rng);

		b = atomic_xchg_ptr(&slots[rng_below(&rng, SLOTS)], b, acq_rel);
		if (b)
			drop(b);
		if (rng_one_in(&rng, 2000))
			mm_trim();
	}
}

static int stress_alloc(unsigned seconds)
{
	stress_begin(&run, "alloc", seconds);
	stress_threads(&run, stress_workers(), worker);
	for (unsigned i = 0; i < SLOTS; i++) {
		struct block *b = atomic_xchg_ptr(&slots[i], NULL, acq_rel);

		if (b)
			drop(b);
	}
	return stress_end(&run);
}
STRESS(alloc, "objects, pages and ranges, freed by others", stress_alloc);
