/* SPDX-License-Identifier: MIT */
/*
 * The reader/writer mutex: any number of readers or one writer; for threads, holders may sleep.
 *
 * A writer owns the inner lock `pi` (pilock.h) from before it waits for the readers to leave until
 * it unlocks; a reader that finds a writer there passes through the same inner lock. So readers and
 * writers stand in one queue by priority, neither starves the other, and the writer inherits the
 * priority of everybody behind it. A reader inherits nothing: readers are counted, not known.
 *
 * Reading is not recursive: a second read lock behind a waiting writer would wait for itself, and
 * is reported.
 *
 * Lifetime: its memory may be freed by who had it last as the writer, like a mutex's; not by a
 * reader, who may have entered while the writer before it is still on its way out.
 *
 * `count`: bit 31 a writer holds it or waits for the readers, bits 0-30 readers.
 * rwmutex.drain (rank WAITQ): where the writer waits for the last reader.
 */
#ifndef KERNEL_WAIT_RWMUTEX_H
#define KERNEL_WAIT_RWMUTEX_H

#include "kernel/lock/annotate.h"
#include "kernel/wait/pilock.h"

#define RWMUTEX_WRITER (1u << 31)

struct CAPABILITY("rwmutex") rwmutex {
	struct pilock pi;
	atomic_u32 count;
	struct waitq drain;
};

#define RWMUTEX_INIT(class_) \
	{.pi = PILOCK_INIT(PILOCK_RWMUTEX, (class_)), \
		.count = {0}, \
		.drain = WAITQ_INIT(&pilock_waitq_class)}
/* Not in use. Either. */
void rwmutex_init(struct rwmutex *rw, struct lock_class *class);

/* Thread, may sleep. The limits are those of waitq.h: 0, -EINTR, -ETIMEDOUT. */
void rwmutex_read_lock(struct rwmutex *rw) ACQUIRES_SHARED(rw);
int rwmutex_read_lock_limit(struct rwmutex *rw, const struct wait_limit *limit)
	TRY_ACQUIRES_SHARED(0, rw);
bool rwmutex_read_try(struct rwmutex *rw) TRY_ACQUIRES_SHARED(true, rw);
void rwmutex_read_unlock(struct rwmutex *rw) RELEASES_SHARED(rw);

void rwmutex_write_lock(struct rwmutex *rw) ACQUIRES(rw);
int rwmutex_write_lock_limit(struct rwmutex *rw, const struct wait_limit *limit)
	TRY_ACQUIRES(0, rw);
bool rwmutex_write_try(struct rwmutex *rw) TRY_ACQUIRES(true, rw);
void rwmutex_write_unlock(struct rwmutex *rw) RELEASES(rw);

/* As mutex_lock_robust: held, 0 or -EOWNERDEAD if a writer died. */
int rwmutex_write_lock_robust(struct rwmutex *rw) ACQUIRES(rw);
void rwmutex_recover(struct rwmutex *rw) REQUIRES(rw);
/* The running thread is its writer. For asserts. */
bool rwmutex_write_held_by_me(const struct rwmutex *rw);

/* For abandon.c: a reader ended without unlocking. */
void rwmutex_reader_died(struct rwmutex *rw);

#endif
