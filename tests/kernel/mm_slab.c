/* SPDX-License-Identifier: MIT */
/* kmalloc and slab caches: under all harts, across harts, from handlers; misuse is reported. */
#include "kernel/lock/atomic.h"
#include "kernel/lock/irqlock.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/string.h"
#include "tests/kernel/ktest.h"

static bool all_are(const unsigned char *p, unsigned char byte, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != byte)
			return false;
	return true;
}

KTEST(mm_slab, every_size_is_whole_and_aligned)
{
	for (size_t size = 1; size < 20000; size = size < 80 ? size + 1 : size + size / 7) {
		unsigned char *a = kmalloc(size, 0), *b = kzalloc(size, 0);

		ktest_require(a && b, "size %zu", size);
		ktest_check((uintptr_t)a % 16 == 0 && (uintptr_t)b % 16 == 0, "size %zu", size);
		ktest_check(all_are(b, 0, size), "kzalloc of %zu", size);
		ktest_check(kmalloc_size(a) >= size, "size %zu", size);
		memset(a, 0x11, size);
		memset(b, 0x22, size);
		ktest_check(all_are(a, 0x11, size), "size %zu", size);
		kfree(a);
		ktest_check(all_are(b, 0x22, size), "size %zu", size);
		kfree(b);
	}
}

KTEST(mm_slab, absurd_sizes_fail)
{
	ktest_check(!kmalloc(0, 0), "nothing for nothing");
	ktest_check(!kmalloc((size_t)-1, 0), "everything");
	ktest_check(!kmalloc((PAGE_SIZE << BUDDY_ORDER_MAX) + 1, 0), "more than the largest block");
	kfree(NULL);
}

/* ---- All harts ------------------------------------------------------------------------------ */

#define SLOTS 64
#define ROUNDS 1500

struct parcel {
	uint32_t size;
	uint32_t check;
	unsigned char body[];
};

/* Shared by all: what one allocates another one frees. acq_rel on each exchange hands the parcel's
 * contents over; partner: the exchange of whoever takes it out. */
static atomic_ptr slots[SLOTS];

static struct parcel *pack(uint64_t *seed)
{
	uint32_t size = ktest_random(seed) % 3000;
	struct parcel *p = kmalloc(sizeof(*p) + size, 0);

	if (!p)
		return NULL;
	p->size = size;
	p->check = size * 2654435761u;
	memset(p->body, (int)(size & 0xff), size);
	return p;
}

static void unpack(struct parcel *p)
{
	ktest_check(p->check == p->size * 2654435761u, "a parcel's head was overwritten");
	ktest_check(all_are(p->body, (unsigned char)p->size, p->size), "its body, %u bytes",
		(unsigned)p->size);
	kfree(p);
}

static void exchange(unsigned worker, void *arg unused_arg)
{
	unsigned rounds = ktest_each(ROUNDS);
	uint64_t seed = worker * 77 + 5;

	for (unsigned i = 0; i < rounds && !ktest_failed(); i++) {
		struct parcel *p = pack(&seed);

		ktest_check(p, "no memory");
		p = atomic_xchg_ptr(&slots[ktest_random(&seed) % SLOTS], p, acq_rel);
		if (p)
			unpack(p);
	}
}

static void clear_slots(void)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		struct parcel *p = atomic_xchg_ptr(&slots[i], NULL, acq_rel);

		if (p)
			unpack(p);
	}
}

KTEST(mm_slab, objects_freed_on_another_hart_stay_whole)
{
	ktest_parallel(2 * ktest_harts(), exchange, NULL);
	clear_slots();
}

#define FIRINGS 300
static struct timer irq_timer;
static atomic_u32 fired;

static void irq_exchange(struct timer *t)
{
	static uint64_t seed = 3;
	struct parcel *p = pack(&seed);

	if (p)
		p = atomic_xchg_ptr(&slots[ktest_random(&seed) % SLOTS], p, acq_rel);
	if (p)
		unpack(p);
	if (atomic_add_u32(&fired, 1, relaxed) + 1 < FIRINGS)
		timer_start(t, clock_now_ns() + 15 * NS_PER_US);
}

KTEST(mm_slab, handlers_allocate_in_the_middle_of_threads)
{
	atomic_store_u32(&fired, 0, relaxed);
	timer_init(&irq_timer, irq_exchange);
	timer_start(&irq_timer, clock_now_ns());
	while (atomic_load_u32(&fired, relaxed) < FIRINGS && !ktest_failed())
		exchange(1, NULL);
	timer_cancel_sync(&irq_timer);
	clear_slots();
}

/* ---- Caches --------------------------------------------------------------------------------- */

KTEST(mm_slab, a_cache_gives_its_pages_back)
{
	struct slab_cache *cache = slab_create("ktest", 200, 64);
	void *objs[100];
	size_t before;

	ktest_require(cache, "no cache");
	mm_trim();
	before = mm_free_pages();
	for (unsigned i = 0; i < 100; i++) {
		objs[i] = slab_alloc(cache, MM_ZERO);
		ktest_require(objs[i], "object %u", i);
		ktest_check((uintptr_t)objs[i] % 64 == 0, "alignment");
		ktest_check(all_are(objs[i], 0, 200), "zeroed");
		memset(objs[i], 0xff, 200);
	}
	for (unsigned i = 0; i < 100; i++)
		slab_free(cache, objs[i]);
	ktest_check(ktest_eventually((mm_trim(), mm_free_pages() + 8 >= before)),
		"%zu before, %zu after", before, mm_free_pages());
	slab_destroy(cache);
	for (unsigned i = 0; i < 200; i++) {
		cache = slab_create("ktest", 16 + i, 16);
		ktest_require(cache, "caches can be made again, the %u-th time", i);
		slab_destroy(cache);
	}
}

DEFINE_LOCK_CLASS(inside_class, .name = "ktest_inside", .rank = RANK_TEST_SPIN,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 100,
	.protects = "nothing: it lies in memory that is freed");

/* On purpose: frees memory with a held lock in it; the checker must say so. */
static void free_with_held_lock(void) UNCHECKED_LOCKING
{
	struct irqlock *lock = kmalloc(sizeof(*lock), 0);

	ktest_require(lock, "no memory");
	irqlock_init(lock, &inside_class);
	irqlock_acquire(lock);
	check_memory_free(lock, sizeof(*lock));
	irqlock_release(lock);
	kfree(lock);
}

KTEST(mm_slab, freeing_a_held_lock_is_reported)
{
	if (!CONFIG_LOCKCHECK) {
		ktest_skip("the lock checker is compiled out");
		return;
	}
	ktest_expect_reports(KIND_OWNERSHIP);
	free_with_held_lock();
	ktest_check(ktest_reports_seen() == 1, "exactly one report");
}
