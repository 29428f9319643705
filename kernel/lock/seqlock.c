/* SPDX-License-Identifier: MIT */
/* Sequence locks; the orders are argued in seqlock.h. */
#include "kernel/lock/seqlock.h"

#include "kernel/lock/irqlock_fast.h"
#include "kernel/lock/relax.h"

void seqlock_init(struct seqlock *s, struct lock_class *class)
{
	irqlock_init(&s->lock, class);
	atomic_store_u32(&s->seq, 0, relaxed);
}

/* The writer has the irqlock. */
static inline void begin(struct seqlock *s)
{
	uint32_t seq;

	racy_add(lock_thread()->seq_writers, 1, "a handler leaves it to the thread as it was");
	LOCK_POINT(seqlock_write_begin);
	/* Relaxed: only writers store it, under the lock; every seq_write after it is a release. */
	seq = atomic_load_u32(&s->seq, relaxed);
	assert(!(seq & 1));
	atomic_store_u32(&s->seq, seq + 1, relaxed);
}

/* The irqlock of a seqlock is part of the annotated capability: clang sees one lock, not two. */
static __attribute__((noinline)) void begin_slow(struct seqlock *s, uintptr_t pc) UNCHECKED_LOCKING
{
	irqlock_acquire_at(&s->lock, pc);
	begin(s);
}

void seqlock_write_begin(struct seqlock *s) UNCHECKED_LOCKING
{
	uintptr_t pc = (uintptr_t)__builtin_return_address(0);
	bool before = arch_irq_save();

	if (irqlock_acquire_plain(&s->lock, 0, pc, before)) {
		begin(s);
		return;
	}
	arch_irq_restore(before);
	begin_slow(s, pc);
}

void seqlock_write_end(struct seqlock *s) UNCHECKED_LOCKING
{
	uint32_t seq = atomic_load_u32(&s->seq, relaxed);

	assert(seq & 1);
	LOCK_POINT(seqlock_write_end);
	/* Release; partner: seqlock_read_begin. */
	atomic_store_u32(&s->seq, seq + 1, release);
	racy_add(lock_thread()->seq_writers, -1, "as above");
	irqlock_release(&s->lock);
}

unsigned seqlock_read_begin(const struct seqlock *s)
{
	struct relax wait = RELAX_INIT;
	uint32_t seq;

	/* A test expected that report; it would wait for itself. */
	if (!check_look(&s->lock, s->lock.class, (uintptr_t)__builtin_return_address(0)))
		return atomic_load_u32(&s->seq, acquire);
	/* Acquire; partner: seqlock_write_end. */
	while ((seq = atomic_load_u32(&s->seq, acquire)) & 1) {
		LOCK_WAITING(seqlock_read_waits);
		relax_step(&wait);
	}
	LOCK_POINT(seqlock_read_begin);
	return seq;
}
