/* SPDX-License-Identifier: MIT */
/*
 * A lock whose readers write nothing: they read, and read again if a writer was there meanwhile.
 *
 *	writer (either; interrupts off)            reader (either; lock-free)
 *	seqlock_write_begin(&s);                   do {
 *	seq_write_u64(&clock.base, now);                   start = seqlock_read_begin(&s);
 *	seq_write_u32(&clock.mult, m);                     now = seq_read_u64(&clock.base);
 *	seqlock_write_end(&s);                     } while (seqlock_read_retry(&s, start));
 *
 * Writers exclude one another by an irqlock. `seq` is odd while one writes. For small data that is
 * read much more often than written and contains no pointer that a reader follows.
 *
 * Order, without fences of their own (the thread sanitizer understands accesses, not fences): data
 * goes through seq_read and seq_write. Each seq_write is a release, so whoever sees it also sees
 * the odd seq stored before it; each seq_read is an acquire, so the second read of seq cannot come
 * before it. A reader that saw any new datum therefore sees a changed seq. The even seq is stored
 * with release (after the data) and first read with acquire (before it): a reader that starts with
 * it sees all of that writer's data.
 */
#ifndef KERNEL_LOCK_SEQLOCK_H
#define KERNEL_LOCK_SEQLOCK_H

#include "kernel/lock/irqlock.h"

struct CAPABILITY("seqlock") seqlock {
	atomic_u32 seq;
	struct irqlock lock; /* Protects: the data of the user, against other writers */
};

#define SEQLOCK_INIT(class_) {.seq = {0}, .lock = IRQLOCK_INIT(class_)}

void seqlock_init(struct seqlock *s, struct lock_class *class);

void seqlock_write_begin(struct seqlock *s) ACQUIRES(s);
void seqlock_write_end(struct seqlock *s) RELEASES(s);

/* An even number, waiting for a writer to end if need be: for the checker an acquire, of a lock
 * that the reader then does not hold. Either; not inside a write section of this hart. Partner: the
 * release in seqlock_write_end. */
unsigned seqlock_read_begin(const struct seqlock *s);

/* Must what was read since `start` be thrown away? */
static inline bool seqlock_read_retry(const struct seqlock *s, unsigned start)
{
	/* Relaxed: the acquire of every seq_read keeps this load behind it. */
	return unlikely(atomic_load_u32(&s->seq, relaxed) != start);
}

static inline uint32_t seq_read_u32(const atomic_u32 *a)
{
	return atomic_load_u32(a, acquire);
}

static inline void seq_write_u32(atomic_u32 *a, uint32_t v)
{
	atomic_store_u32(a, v, release);
}

static inline void *seq_read_ptr(const atomic_ptr *a)
{
	return atomic_load_ptr(a, acquire);
}

static inline void seq_write_ptr(atomic_ptr *a, void *v)
{
	atomic_store_ptr(a, v, release);
}

/* Two halves: the section makes them one, so this is cheap on a 32-bit machine as well. */
typedef struct {
	atomic_ulong part[sizeof(uint64_t) / sizeof(unsigned long)];
} seq_u64;

static inline uint64_t seq_read_u64(const seq_u64 *a)
{
	uint64_t v = atomic_load_ulong(&a->part[0], acquire);

	if (sizeof(unsigned long) < sizeof(uint64_t))
		v |= (uint64_t)atomic_load_ulong(&a->part[ARRAY_SIZE(a->part) - 1], acquire) << 32;
	return v;
}

static inline void seq_write_u64(seq_u64 *a, uint64_t v)
{
	atomic_store_ulong(&a->part[0], (unsigned long)v, release);
	if (sizeof(unsigned long) < sizeof(uint64_t))
		atomic_store_ulong(
			&a->part[ARRAY_SIZE(a->part) - 1], (unsigned long)(v >> 32), release);
}

#endif
