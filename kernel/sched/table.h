/* SPDX-License-Identifier: MIT */
/*
 * The table of threads: names them by handles, never gives their memory back.
 *
 * The table grows by chunks of THREADS_PER_CHUNK slots, which kernel/task allocates (this folder
 * knows no memory). A slot is free, taken (its thread is being made or taken apart) or live
 * (handles find it, and it is in the list of all threads). From live to free it passes through a
 * grace period (kernel/sched/qs.h), so that whoever found a thread by its handle inside a read
 * section keeps it until the section's end.
 */
#ifndef KERNEL_SCHED_TABLE_H
#define KERNEL_SCHED_TABLE_H

#include "kernel/sched/thread.h"

#define THREADS_PER_CHUNK 8

/* A slot; the user's struct begins with it. */
struct thread_slot {
	struct thread thread;	       /* FIRST */
	atomic_u32 live;	       /* its handle while it is live, else 0 */
	unsigned index;		       /* in the table; constant */
	uint16_t generation;	       /* of the use; changed when it is taken */
	struct thread_slot *next_free; /* guarded by threads.lock */
};

/* The handle of the boot hart's idle thread, which is in no chunk. */
#define THREAD_BOOT_HANDLE ((1u << 16) | (1u << THREAD_FLAG_BITS))

/* Where slots lie in a chunk, and the boot thread. Before any other use. Boot hart. */
void thread_table_init(size_t stride, struct thread *boot);
/* One more chunk: zeroed memory of THREADS_PER_CHUNK * stride bytes. False: the table is full, the
 * memory is the caller's. Either; takes threads.lock (rank THREADS), as all below. */
bool thread_table_grow(void *chunk);
/* A free slot with a new generation, NULL if there is none. Its thread is the caller's to fill;
 * its handle is thread_slot_handle. */
struct thread_slot *thread_slot_take(void);
/* The handle of the slot's present use. */
uint32_t thread_slot_handle(const struct thread_slot *slot);
/* Taken -> live, live -> taken, taken -> free. */
void thread_slot_publish(struct thread_slot *slot);
void thread_slot_retract(struct thread_slot *slot);
void thread_slot_put(struct thread_slot *slot);

/* Chunks so far, and live slots. Either. */
unsigned thread_table_chunks(void);
unsigned thread_table_live(void);
/* Calls fn for the first live slot at or after *index under threads.lock, and moves *index behind
 * it; false if there is none. *index 0 is the boot thread. */
bool thread_table_visit(unsigned *index, void (*fn)(struct thread *t, void *arg), void *arg);
/* The slot of an index or NULL, live or not: type-stable memory, for reports. No locks. */
struct thread *thread_table_peek(unsigned index);
/* Indices are below it. */
unsigned thread_table_end(void);

#endif
