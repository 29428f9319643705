/* SPDX-License-Identifier: MIT */
/*
 * The interrupt-disabling reader/writer lock: many readers or one writer, threads and handlers.
 *
 * Readers that wait, and writers, come in order of arrival, so neither starves the other. Two kinds
 * of reader pass a waiting writer, because waiting behind it could be a deadlock: readers in an
 * interrupt handler, and irqrwlock_read_acquire_nested, which a caller uses that may already be a
 * reader. A plain read acquire by a hart that is already a reader is reported.
 *
 * Interrupts are off for readers and writers alike, counted as in irqlock.h. Costs more than an
 * irqlock when nobody reads together; use it where reads are many and long. The word: irqrwlock.c.
 */
#ifndef KERNEL_LOCK_IRQRWLOCK_H
#define KERNEL_LOCK_IRQRWLOCK_H

#include "kernel/lock/irqlock.h"

struct CAPABILITY("irqrwlock") irqrwlock {
	atomic_u32 word;
	struct irqlock gate; /* whoever waits, except for passing readers, waits holding it */
};

#define IRQRWLOCK_INIT(class_) {.word = {0}, .gate = IRQLOCK_INIT(class_)}

void irqrwlock_init(struct irqrwlock *lock, struct lock_class *class);

/* Either; all of them wait except for the tries. */
void irqrwlock_read_acquire(struct irqrwlock *lock) ACQUIRES_SHARED(lock);
void irqrwlock_read_acquire_nested(struct irqrwlock *lock) ACQUIRES_SHARED(lock);
bool irqrwlock_read_try(struct irqrwlock *lock) TRY_ACQUIRES_SHARED(true, lock);
/* Ends any of the three. */
void irqrwlock_read_release(struct irqrwlock *lock) RELEASES_SHARED(lock);

void irqrwlock_write_acquire(struct irqrwlock *lock) ACQUIRES(lock);
bool irqrwlock_write_try(struct irqrwlock *lock) TRY_ACQUIRES(true, lock);
void irqrwlock_write_release(struct irqrwlock *lock) RELEASES(lock);

/* Nobody holds it at this moment: for reports. */
bool irqrwlock_is_free(const struct irqrwlock *lock);
bool irqrwlock_held_by_me(const struct irqrwlock *lock);

#endif
