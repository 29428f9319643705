/* SPDX-License-Identifier: MIT */
/*
 * The table of threads: see table.h.
 *
 * Index 0 is the boot thread, index i > 0 slot (i - 1) % THREADS_PER_CHUNK of chunk (i - 1) /
 * THREADS_PER_CHUNK. Free slots are used again in the order in which they became free: a stale
 * handle then stays recognisable for 65536 rounds through all free slots.
 *
 * threads.lock (irqlock, rank THREADS)
 *   Protects: the free list, the list of all threads, the number of slots.
 *   Taken by: making and reaping threads, `ps`; threads only.
 *   Order:    before run queues.
 * While it is free: a slot is in the free list, or in the list of all threads and live, or its
 * maker's.
 */
#include "kernel/sched/table.h"

#include "kernel/lock/irqlock.h"
#include "lib/assert.h"

#define MAX_CHUNKS ((THREAD_MAX - 1) / THREADS_PER_CHUNK)
#define INDEX_BITS 14
#define GENERATION_SHIFT (THREAD_FLAG_BITS + INDEX_BITS)

static_assert(GENERATION_SHIFT == 16, "handle layout of thread.h");
static_assert(THREAD_MAX < 1 << INDEX_BITS, "an index + 1 fits into a handle");

DEFINE_LOCK_CLASS(threads_lock_class, .name = "threads", .rank = RANK_THREADS,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 20,
	.protects = "the table and the list of all threads");

static struct {
	struct irqlock lock;
	struct thread_slot *free_first GUARDED_BY(&lock);
	struct thread_slot *free_last GUARDED_BY(&lock);
	atomic_u32 nr_chunks;	       /* written under the lock */
	atomic_u32 nr_live;	       /* written under the lock */
	size_t stride;		       /* constant after init */
	struct thread *boot;	       /* constant after init */
	atomic_ptr chunks[MAX_CHUNKS]; /* each written once, under the lock */
} threads = {.lock = IRQLOCK_INIT(&threads_lock_class)};

/* All live threads; the debugger's commands walk it by this name. */
static struct list thread_list GUARDED_BY(&threads.lock) = LIST_INIT(thread_list);

void thread_table_init(size_t stride, struct thread *boot)
{
	assert(boot->lock.handle == THREAD_BOOT_HANDLE);
	threads.stride = stride;
	threads.boot = boot;
	irqlock_acquire(&threads.lock);
	list_push_back(&thread_list, &boot->all_node);
	irqlock_release(&threads.lock);
	atomic_store_u32(&threads.nr_live, 1, relaxed);
}

static struct thread_slot *slot_at(unsigned index)
{
	unsigned n = index - 1;
	/* Acquire: the chunk's first contents. Partner: thread_table_grow. */
	char *chunk = atomic_load_ptr(&threads.chunks[n / THREADS_PER_CHUNK], acquire);

	if (!chunk)
		return NULL;
	return (struct thread_slot *)(chunk + n % THREADS_PER_CHUNK * threads.stride);
}

struct thread *thread_of_handle(uint32_t handle)
{
	unsigned index = (handle >> THREAD_FLAG_BITS & ((1u << INDEX_BITS) - 1)) - 1;
	struct thread_slot *slot;

	assert(lock_thread()->preempt_depth || !arch_irq_enabled());
	handle &= ~((1u << THREAD_FLAG_BITS) - 1);
	if (handle == THREAD_BOOT_HANDLE)
		return threads.boot;
	if (!index || index > MAX_CHUNKS * THREADS_PER_CHUNK)
		return NULL;
	slot = slot_at(index);
	/* Acquire: the thread's fields before it was live. Partner: thread_slot_publish. */
	if (!slot || atomic_load_u32(&slot->live, acquire) != handle)
		return NULL;
	return &slot->thread;
}

static void free_push(struct thread_slot *slot) REQUIRES(&threads.lock)
{
	slot->next_free = NULL;
	if (threads.free_first)
		threads.free_last->next_free = slot;
	else
		threads.free_first = slot;
	threads.free_last = slot;
}

bool thread_table_grow(void *chunk)
{
	unsigned n;

	irqlock_acquire(&threads.lock);
	n = atomic_load_u32(&threads.nr_chunks, relaxed);
	if (n == MAX_CHUNKS) {
		irqlock_release(&threads.lock);
		return false;
	}
	for (unsigned i = 0; i < THREADS_PER_CHUNK; i++) {
		struct thread_slot *slot = (struct thread_slot *)((char *)chunk +
			i * threads.stride);

		slot->index = n * THREADS_PER_CHUNK + i + 1;
		free_push(slot);
	}
	/* Release: the slots before the way to them. Partner: slot_at. */
	atomic_store_ptr(&threads.chunks[n], chunk, release);
	atomic_store_u32(&threads.nr_chunks, n + 1, relaxed);
	irqlock_release(&threads.lock);
	return true;
}

struct thread_slot *thread_slot_take(void)
{
	struct thread_slot *slot;

	irqlock_acquire(&threads.lock);
	slot = threads.free_first;
	if (slot) {
		threads.free_first = slot->next_free;
		slot->generation++;
	}
	irqlock_release(&threads.lock);
	return slot;
}

uint32_t thread_slot_handle(const struct thread_slot *slot)
{
	return (uint32_t)slot->generation << GENERATION_SHIFT |
		(slot->index + 1) << THREAD_FLAG_BITS;
}

void thread_slot_publish(struct thread_slot *slot)
{
	irqlock_acquire(&threads.lock);
	/* Release: the thread's fields. Partner: thread_of_handle. */
	atomic_store_u32(&slot->live, thread_slot_handle(slot), release);
	list_push_back(&thread_list, &slot->thread.all_node);
	atomic_add_u32(&threads.nr_live, 1, relaxed);
	irqlock_release(&threads.lock);
}

void thread_slot_retract(struct thread_slot *slot)
{
	irqlock_acquire(&threads.lock);
	/* Relaxed: the grace period that follows orders it. */
	atomic_store_u32(&slot->live, 0, relaxed);
	list_remove(&slot->thread.all_node);
	atomic_add_u32(&threads.nr_live, -1u, relaxed);
	irqlock_release(&threads.lock);
}

void thread_slot_put(struct thread_slot *slot)
{
	irqlock_acquire(&threads.lock);
	free_push(slot);
	irqlock_release(&threads.lock);
}

unsigned thread_table_chunks(void)
{
	return atomic_load_u32(&threads.nr_chunks, relaxed);
}

unsigned thread_table_live(void)
{
	return atomic_load_u32(&threads.nr_live, relaxed);
}

unsigned thread_table_end(void)
{
	return thread_table_chunks() * THREADS_PER_CHUNK + 1;
}

struct thread *thread_table_peek(unsigned index)
{
	struct thread_slot *slot;

	if (!index)
		return threads.boot;
	slot = index < thread_table_end() ? slot_at(index) : NULL;
	return slot ? &slot->thread : NULL;
}

/* The live thread of that index, or NULL. */
static struct thread *live_at(unsigned index) REQUIRES(&threads.lock)
{
	struct thread *t = thread_table_peek(index);

	if (index && t && !atomic_load_u32(&slot_at(index)->live, relaxed))
		return NULL;
	return t;
}

bool thread_table_visit(unsigned *index, void (*fn)(struct thread *t, void *arg), void *arg)
{
	for (unsigned end = thread_table_end(); *index < end;) {
		struct thread *t;

		irqlock_acquire(&threads.lock);
		t = live_at((*index)++);
		if (t)
			fn(t, arg);
		irqlock_release(&threads.lock);
		if (t)
			return true;
	}
	return false;
}
