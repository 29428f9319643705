/* SPDX-License-Identifier: MIT */
/*
 * Allocation from slab caches as its users know it, and the magazines: a few objects of a cache
 * kept for one hart. Locks: slab.c.
 *
 * A hart's magazines fill one page, made when the hart first needs it; without memory for it, or
 * for caches with high numbers, objects come straight from the slabs.
 *
 * The checks of debug builds mark an object when it passes this border, so objects in a magazine
 * are free ones: poisoned, and a second free of one is found.
 */
#include "kernel/lock/check.h"
#include "kernel/mm/inject.h"
#include "kernel/mm/page_range.h"
#include "kernel/mm/slab_internal.h"
#include "kernel/panic.h"
#include "lib/string.h"

#define MAGAZINE_SIZE 14
#define MAGAZINE_BATCH 7
#define MAGAZINES 24

DEFINE_LOCK_CLASS(magazine_class, .name = "slab_magazine", .rank = RANK_SLAB,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 10,
	.protects = "the objects of a slab cache kept for one hart");

/* lock protects the objects kept here; its whole story: slab.c. */
struct magazine {
	struct irqlock lock;
	unsigned n GUARDED_BY(&lock);
	void *objs[MAGAZINE_SIZE] GUARDED_BY(&lock);
	uint64_t allocs GUARDED_BY(&lock);
};

struct hart_magazines {
	struct magazine m[MAGAZINES];
};
static_assert(sizeof(struct hart_magazines) <= 4096, "a hart's magazines fill at most a page");

/* struct hart_magazines, published once by compare-and-swap; NULL before. */
static atomic_ptr magazines[CONFIG_MAX_HARTS];

static struct magazine *magazine_here(const struct slab_cache *c);
static struct magazine *magazine_of(const struct slab_cache *c, unsigned hart);
static void *take(struct slab_cache *c);
static void put(struct slab_cache *c, void *obj);
static void drain(struct slab_cache *c, struct magazine *m);
static noreturn void bad_object(
	const struct slab_cache *c, const void *obj, const char *wrong, uintptr_t last_pc);

void *slab_alloc(struct slab_cache *c, unsigned flags)
{
	return slab_alloc_at(c, c->shape.size, flags, (uintptr_t)__builtin_return_address(0));
}

void slab_free(struct slab_cache *c, void *obj)
{
	slab_free_at(c, obj, (uintptr_t)__builtin_return_address(0));
}

void *slab_alloc_at(struct slab_cache *c, size_t size, unsigned flags, uintptr_t pc)
{
	uintptr_t last_pc = 0;
	const char *wrong;
	void *obj = inject_failure() ? NULL : take(c);

	if (!obj) {
		atomic_add_ulong(&c->fails, 1, relaxed);
		return NULL;
	}
	wrong = slab_obj_mark_used(&c->shape, obj, size, pc, &last_pc);
	if (unlikely(wrong))
		bad_object(c, obj, wrong, last_pc);
	if (flags & MM_ZERO)
		memset(obj, 0, size);
	return obj;
}

void slab_free_at(struct slab_cache *c, void *obj, uintptr_t pc)
{
	uintptr_t last_pc = 0;
	const char *wrong;

	check_memory_free(obj, c->shape.size);
	slab_check_owner(c, obj);
	wrong = slab_obj_mark_free(&c->shape, obj, pc, &last_pc);
	if (unlikely(wrong))
		bad_object(c, obj, wrong, last_pc);
	put(c, obj);
}

void slab_drain_cache(struct slab_cache *c)
{
	for (unsigned i = 0; i < CONFIG_MAX_HARTS; i++)
		drain(c, magazine_of(c, i));
}

void slab_drain_hart(unsigned index)
{
	for (unsigned i = 0; i < SLAB_CACHES_MAX; i++)
		if (slab_cache_live(&slab_caches[i]))
			drain(&slab_caches[i], magazine_of(&slab_caches[i], index));
}

void slab_trim(void)
{
	for (unsigned i = 0; i < SLAB_CACHES_MAX; i++) {
		if (!slab_cache_live(&slab_caches[i]))
			continue;
		slab_drain_cache(&slab_caches[i]);
		slab_trim_cache(&slab_caches[i]);
	}
}

size_t slab_cached_count(const struct slab_cache *c, uint64_t *allocs)
{
	size_t sum = 0;

	for (unsigned i = 0; i < CONFIG_MAX_HARTS; i++) {
		struct magazine *m = magazine_of(c, i);

		if (!m)
			continue;
		irqlock_acquire(&m->lock);
		sum += m->n;
		*allocs += m->allocs;
		irqlock_release(&m->lock);
	}
	return sum;
}

static void *take(struct slab_cache *c)
{
	struct magazine *m = magazine_here(c);
	void *objs[MAGAZINE_BATCH], *obj = NULL;
	unsigned got;

	if (!m) {
		atomic_add_ulong(&c->allocs, 1, relaxed);
		return slab_take(c, &obj, 1) ? obj : NULL;
	}
	irqlock_acquire(&m->lock);
	m->allocs++;
	if (m->n > 0)
		obj = m->objs[--m->n];
	irqlock_release(&m->lock);
	if (obj)
		return obj;
	got = slab_take(c, objs, MAGAZINE_BATCH);
	if (got == 0)
		return NULL;
	obj = objs[--got];
	/* A hart that was interrupted here may find its magazine filled meanwhile. */
	irqlock_acquire(&m->lock);
	while (got > 0 && m->n < MAGAZINE_SIZE)
		m->objs[m->n++] = objs[--got];
	irqlock_release(&m->lock);
	if (got > 0)
		slab_put(c, objs, got);
	return obj;
}

static void put(struct slab_cache *c, void *obj)
{
	struct magazine *m = magazine_here(c);
	void *objs[MAGAZINE_BATCH];
	unsigned n = 0;

	if (!m) {
		slab_put(c, &obj, 1);
		return;
	}
	irqlock_acquire(&m->lock);
	if (m->n == MAGAZINE_SIZE)
		while (n < MAGAZINE_BATCH)
			objs[n++] = m->objs[--m->n];
	m->objs[m->n++] = obj;
	irqlock_release(&m->lock);
	if (n > 0)
		slab_put(c, objs, n);
}

static void drain(struct slab_cache *c, struct magazine *m)
{
	void *objs[MAGAZINE_SIZE];
	unsigned n = 0;

	if (!m)
		return;
	irqlock_acquire(&m->lock);
	while (m->n > 0)
		objs[n++] = m->objs[--m->n];
	irqlock_release(&m->lock);
	if (n > 0)
		slab_put(c, objs, n);
}

static struct magazine *magazine_of(const struct slab_cache *c, unsigned hart)
{
	/* acquire: the page's contents; partner: the release in magazine_here. */
	struct hart_magazines *h = atomic_load_ptr(&magazines[hart], acquire);

	return h && c->number < MAGAZINES ? &h->m[c->number] : NULL;
}

/* This hart's magazine for c. Being moved to another hart right after is harmless. */
static struct magazine *magazine_here(const struct slab_cache *c)
{
	unsigned hart = lock_hart()->index;
	struct magazine *m = magazine_of(c, hart);
	struct hart_magazines *fresh;
	struct page *page;
	void *expected = NULL;

	if (likely(m) || c->number >= MAGAZINES)
		return m;
	/* Straight from the buddies: no injected failures, no recursion. */
	page = page_take(hart_node(hart), 0);
	if (!page)
		return NULL;
	fresh = page_virt(page);
	memset(fresh, 0, sizeof(*fresh));
	for (unsigned i = 0; i < MAGAZINES; i++)
		irqlock_init(&fresh->m[i].lock, &magazine_class);
	/* release: the magazines are set up; partner: magazine_of. */
	if (atomic_cas_ptr(&magazines[hart], &expected, fresh, release))
		mm_account(MM_USER_TABLE, 1);
	else
		page_give(page);
	return magazine_of(c, hart);
}

static noreturn void bad_object(
	const struct slab_cache *c, const void *obj, const char *wrong, uintptr_t last_pc)
{
	if (last_pc && lockcheck_print_pc) {
		report("object %p was last given out or back at\n", obj);
		lockcheck_print_pc(last_pc);
	}
	panic("slab cache %s: object %p (%lu bytes): %s", c->name, obj,
		(unsigned long)c->shape.size, wrong);
}
