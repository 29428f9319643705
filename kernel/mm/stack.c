/* SPDX-License-Identifier: MIT */
/*
 * Kernel stacks. Each is an area of the vmap with one unmapped page in front: the guard.
 *
 * Records of stacks live in chunks that are never freed, in a list that only grows, so that a fault
 * report may walk them at any time without a lock; what it reads of a record that is being changed
 * may be out of date, never wild. base is 0 while a record names no stack; it is stored last and
 * cleared first.
 *
 * Records and the cache of free stacks are guarded by vmap_mutex (vmap_internal.h). Taking and
 * giving back a stack looks at no other stacks: records without one are in a list, free stacks in a
 * table. Each is made for a node, the caller's or the one asked for, and is used again only there.
 *
 * The paint: every word of a fresh stack holds PAINT; the deepest use is where it begins to be
 * missing. A stack that comes out of the cache is painted again as far as it was used.
 */
#include "kernel/mm/stack.h"

#include "kernel/lock/check.h"
#include "kernel/mm/page_range.h"
#include "kernel/mm/vmap_internal.h"
#include "kernel/panic.h"
#include "lib/errno.h"

#define STACK_PAGES_MAX 64
#define CHUNK_RECORDS 72
#define CACHED_MAX 8
#define PAINT ((uintptr_t)0x517ac35a517ac35aull)

struct stack_record {
	atomic_ulong base, top; /* 0: no stack */
	atomic_ptr name;	/* const char * */
	atomic_bool in_use;
	/* Guarded by vmap_mutex. */
	unsigned node; /* that it was made for */
	uint64_t generation;
	struct vmap_area *area;
	struct stack_record *next_unused; /* while it names no stack */
};

struct stack_chunk {
	struct stack_record r[CHUNK_RECORDS];
	atomic_ptr next; /* struct stack_chunk */
};

static_assert(sizeof(struct stack_chunk) <= 4096, "a chunk is a page");

static struct stack_chunk first_chunk;
static struct stack_chunk *last_chunk GUARDED_BY(&vmap_mutex) = &first_chunk;
static unsigned nr_of_last GUARDED_BY(&vmap_mutex); /* records of it that were ever used */
static struct stack_record *first_unused GUARDED_BY(&vmap_mutex); /* of those that were */
/* Free stacks, by the node that they were made for. */
static struct stack_record *cached[NODES_MAX][CACHED_MAX] GUARDED_BY(&vmap_mutex);
static unsigned nr_cached[NODES_MAX] GUARDED_BY(&vmap_mutex);
/* Steps with every mapping; stored under vmap_mutex, read anywhere. Native word: 2^32 mappings of
 * stacks are out of reach of a 32-bit machine. */
static atomic_ulong generation;

static struct stack_record *record_cached(unsigned pages, unsigned node) REQUIRES(&vmap_mutex);
static struct stack_record *record_fresh(unsigned pages, unsigned node) REQUIRES(&vmap_mutex);
static struct stack_record *record_unused(void) REQUIRES(&vmap_mutex);
static void record_put(struct stack_record *r) REQUIRES(&vmap_mutex);
static void record_clear(struct stack_record *r) REQUIRES(&vmap_mutex);
static void paint(uintptr_t from, uintptr_t to);
static uintptr_t paint_end(uintptr_t base, uintptr_t top);
static struct stack_record *record_at(unsigned i);
static bool record_read(const struct stack_record *r, struct stack_info *out);

int stack_alloc(struct stack *s, unsigned pages)
{
	return stack_alloc_named(s, pages, "thread");
}

int stack_alloc_named(struct stack *s, unsigned pages, const char *name)
{
	return stack_alloc_near(s, pages, name, NODE_HERE);
}

int stack_alloc_near(struct stack *s, unsigned pages, const char *name, unsigned node)
{
	struct stack_record *r;

	if (pages == 0 || pages > STACK_PAGES_MAX)
		return -EINVAL;
	if (node == NODE_HERE)
		node = page_node_here();
	vmap_lock();
	r = record_cached(pages, node);
	if (!r)
		r = record_fresh(pages, node);
	if (r) {
		/* relaxed: for reports only. */
		atomic_store_ptr(&r->name, (void *)name, relaxed);
		atomic_store_bool(&r->in_use, true, relaxed);
		s->base = atomic_load_ulong(&r->base, relaxed);
		s->top = atomic_load_ulong(&r->top, relaxed);
		s->generation = r->generation;
	}
	vmap_unlock();
	return r ? 0 : -ENOMEM;
}

void stack_free(struct stack *s)
{
	struct vmap_area *a;
	struct stack_record *r;

	check_memory_free((void *)s->base, s->top - s->base);
	vmap_lock();
	a = vmap_area_find(s->base);
	if (!a || !a->owner)
		panic("stack_free: 0x%lx is no stack", (unsigned long)s->base);
	r = a->owner;
	if (!atomic_load_bool(&r->in_use, relaxed))
		panic("stack_free: the stack at 0x%lx is free already", (unsigned long)s->base);
	atomic_store_bool(&r->in_use, false, relaxed);
	atomic_store_ptr(&r->name, "free", relaxed);
	if (nr_cached[r->node] < CACHED_MAX)
		cached[r->node][nr_cached[r->node]++] = r;
	else
		record_clear(r);
	vmap_unlock();
	*s = (struct stack){0};
}

void stack_trim(void)
{
	vmap_lock();
	for (unsigned node = 0; node < topology.nr_nodes; node++)
		while (nr_cached[node] > 0)
			record_clear(cached[node][--nr_cached[node]]);
	vmap_unlock();
}

uint64_t stack_generation(void)
{
	/* acquire: the mappings up to it; partner: the release in record_fresh. */
	return atomic_load_ulong(&generation, acquire);
}

size_t stack_high_water(const struct stack *s)
{
	return s->top - paint_end(s->base, s->top);
}

enum stack_place stack_lookup(uintptr_t addr, struct stack_info *out)
{
	struct stack_record *r;

	for (unsigned i = 0; (r = record_at(i)) != NULL; i++) {
		if (!record_read(r, out) || addr < out->stack.base - PAGE_SIZE ||
			addr >= out->stack.top)
			continue;
		return addr < out->stack.base ? STACK_GUARD : STACK_INSIDE;
	}
	return STACK_NONE;
}

bool stack_iterate(unsigned i, struct stack_info *out)
{
	struct stack_record *r = record_at(i);

	if (r && !record_read(r, out))
		*out = (struct stack_info){0};
	return r != NULL;
}

bool stack_usage(unsigned i, struct stack_info *out, size_t *used)
{
	bool more;

	vmap_lock();
	more = stack_iterate(i, out);
	*used = more && out->stack.base ? stack_high_water(&out->stack) : 0;
	vmap_unlock();
	return more;
}

static bool record_read(const struct stack_record *r, struct stack_info *out)
{
	/* acquire: top belongs to this base; partner: the release in record_fresh. */
	out->stack.base = atomic_load_ulong(&r->base, acquire);
	out->stack.top = atomic_load_ulong(&r->top, relaxed);
	out->stack.generation = 0;
	out->name = atomic_load_ptr(&r->name, relaxed);
	out->in_use = atomic_load_bool(&r->in_use, relaxed);
	return out->stack.base != 0;
}

/* A free stack of that size and node, painted. */
static struct stack_record *record_cached(unsigned pages, unsigned node)
{
	for (unsigned i = nr_cached[node]; i-- > 0;) {
		struct stack_record *r = cached[node][i];
		uintptr_t base, top;

		if (r->area->mapped != pages)
			continue;
		base = atomic_load_ulong(&r->base, relaxed);
		top = atomic_load_ulong(&r->top, relaxed);
		paint(paint_end(base, top), top);
		cached[node][i] = cached[node][--nr_cached[node]];
		return r;
	}
	return NULL;
}

static struct stack_record *record_fresh(unsigned pages, unsigned node)
{
	struct stack_record *r = record_unused();
	struct vmap_area *a;
	uintptr_t base;

	if (!r)
		return NULL;
	a = vmap_area_get(1, pages);
	if (!a)
		goto put_record;
	if (vmap_area_fill(a, pages, node, 0))
		goto put_area;
	base = vmap_area_start(a);
	paint(base, base + pages * PAGE_SIZE);
	mm_account(MM_USER_STACK, pages);
	a->owner = r;
	r->area = a;
	r->node = node;
	r->generation = atomic_load_ulong(&generation, relaxed) + 1;
	/* release: the mapping is there; partner: stack_generation. */
	atomic_store_ulong(&generation, (unsigned long)r->generation, release);
	atomic_store_ulong(&r->top, base + pages * PAGE_SIZE, relaxed);
	/* release: top first; partner: record_read. */
	atomic_store_ulong(&r->base, base, release);
	return r;

put_area:
	vmap_area_put(a);
put_record:
	record_put(r);
	return NULL;
}

static struct stack_record *record_unused(void)
{
	struct stack_record *r = first_unused;
	struct stack_chunk *next;
	struct page *page;

	if (r) {
		first_unused = r->next_unused;
		return r;
	}
	if (nr_of_last < CHUNK_RECORDS)
		return &last_chunk->r[nr_of_last++];
	page = page_alloc(0, MM_ZERO);
	if (!page)
		return NULL;
	mm_account(MM_USER_TABLE, 1);
	next = page_virt(page);
	/* release: an empty chunk; partner: record_at. */
	atomic_store_ptr(&last_chunk->next, next, release);
	last_chunk = next;
	nr_of_last = 1;
	return &next->r[0];
}

static void record_put(struct stack_record *r)
{
	r->next_unused = first_unused;
	first_unused = r;
}

/* The stack goes back to the vmap. */
static void record_clear(struct stack_record *r)
{
	struct vmap_area *a = r->area;

	atomic_store_ulong(&r->base, 0, relaxed);
	mm_account(MM_USER_STACK, -(long)a->mapped);
	a->owner = NULL;
	r->area = NULL;
	vmap_area_put(a);
	record_put(r);
}

static void paint(uintptr_t from, uintptr_t to)
{
	for (uintptr_t *p = (uintptr_t *)from; p < (uintptr_t *)to; p++)
		*p = PAINT;
}

/* Lowest word that is not paint any more. */
static uintptr_t paint_end(uintptr_t base, uintptr_t top)
{
	const uintptr_t *p = (const uintptr_t *)base;

	while (p < (const uintptr_t *)top && *p == PAINT)
		p++;
	return (uintptr_t)p;
}

static struct stack_record *record_at(unsigned i)
{
	struct stack_chunk *c = &first_chunk;

	for (; c && i >= CHUNK_RECORDS; i -= CHUNK_RECORDS)
		/* acquire: pairs with the release in record_unused. */
		c = atomic_load_ptr(&c->next, acquire);
	return c ? &c->r[i] : NULL;
}
