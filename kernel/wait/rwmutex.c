/* SPDX-License-Identifier: MIT */
/*
 * The reader/writer mutex (rwmutex.h).
 *
 * The writer's bit is set and cleared by the owner of the inner lock only, so a reader that owns it
 * finds the bit clear, except while the lock is abandoned: then it stays set, over unlocks too, so
 * that readers come to the inner lock and are told. A reader that comes by the fast way may slip in
 * until the bit is set; from then on the count only falls.
 *
 * The last reader's decrement and the wake of the writer are one hold of drain.lock, and the writer
 * looks at the count under it: it neither misses the wake nor returns, and lets the memory go,
 * before the reader is through.
 *
 * What a thread reads is on its record of held locks (lock_thread.held) in every configuration: by
 * the checker, or, without it, by note_read: should the thread die, its hold is given back.
 */
#include "kernel/wait/rwmutex.h"

#include "kernel/lock/held.h"
#include "kernel/wait/pilock_fast.h"
#include "lib/errno.h"

#define READ_HOLD (CHECK_THREAD | CHECK_READ)
#define WRITE_HOLD (CHECK_THREAD | CHECK_WRITE)
#define CALLER ((uintptr_t)__builtin_return_address(0))

static_assert(
	offsetof(struct rwmutex, pi) == 0, "records name the pilock by the rwmutex's address");

void rwmutex_init(struct rwmutex *rw, struct lock_class *class)
{
	pilock_init(&rw->pi, PILOCK_RWMUTEX, class);
	atomic_store_u32(&rw->count, 0, relaxed);
	waitq_init(&rw->drain, &pilock_waitq_class);
}

/* One more reader, unless a writer is there. */
static bool read_enter(struct rwmutex *rw)
{
	uint32_t n = atomic_load_u32(&rw->count, relaxed);

	while (!(n & RWMUTEX_WRITER)) {
		LOCK_POINT(rwmutex_read_enter);
		/* Acquire; partner: the writer's release in write_leave. */
		if (atomic_cas_u32(&rw->count, &n, n + 1, acquire))
			return true;
	}
	return false;
}

static void read_leave(struct rwmutex *rw)
{
	uint32_t n = atomic_load_u32(&rw->count, relaxed);

	LOCK_POINT(rwmutex_read_leave);
	while (!(n & RWMUTEX_WRITER))
		/* Release: our reads are over before a writer sees it; partner: write_enter. */
		if (atomic_cas_u32(&rw->count, &n, n - 1, release))
			return;
	waitq_lock(&rw->drain);
	/* Release: as above. */
	LOCK_POINT(rwmutex_leave_to_writer);
	if (atomic_add_u32(&rw->count, -1u, release) == (RWMUTEX_WRITER | 1))
		waitq_wake_locked(&rw->drain, 1);
	waitq_unlock(&rw->drain);
}

static void note_read(struct rwmutex *rw, unsigned flags, uintptr_t pc)
{
	struct lock_thread *t = lock_thread();

	check_acquired(rw, rw->pi.class, READ_HOLD | flags, pc);
	if (CONFIG_LOCKCHECK)
		return;
	assert(t->nr_held < HELD_MAX);
	held_push(t->held, &t->nr_held, rw, rw->pi.class, pc, READ_HOLD, 0);
}

static bool forget_read(struct rwmutex *rw, uintptr_t pc)
{
	struct lock_thread *t = lock_thread();

	if (CONFIG_LOCKCHECK)
		return check_thread_release(rw, rw->pi.class, READ_HOLD, pc);
	for (unsigned i = t->nr_held; i-- > 0;) {
		if (t->held[i].lock != rw)
			continue;
		held_remove(t->held, &t->nr_held, &t->held[i]);
		return true;
	}
	assert(!"a reader's unlock by a thread that does not read");
	return false;
}

static __attribute__((noinline)) int read_acquire(
	struct rwmutex *rw, const struct wait_limit *limit, uintptr_t pc)
{
	struct lock_class *class = rw->pi.class;
	int rc;

	if (!check_acquire(rw, class, READ_HOLD, pc))
		return -EDEADLK;
	LOCK_POINT(rwmutex_read_lock);
	while (LOCK_CHAOS(rwmutex_read_slow_way) || !read_enter(rw)) {
		LOCK_POINT(rwmutex_writers_door);
		/* Through the writers' door, and at once out of it again. */
		rc = pilock_try_fast(&rw->pi) ? 0 : pilock_lock_slow(&rw->pi, limit);
		if (rc && rc != -EOWNERDEAD)
			return rc;
		if (rc) {
			pilock_not_robust(&rw->pi);
			pilock_unlock_slow(&rw->pi);
			return -EOWNERDEAD;
		}
		if (!read_enter(rw))
			assert(!"a writer's bit without a writer");
		if (!pilock_unlock_fast(&rw->pi))
			pilock_unlock_slow(&rw->pi);
		break;
	}
	note_read(rw, 0, pc);
	LOCK_EVENT_AT(rwmutex_read_locked, rw, class, pc);
	return 0;
}

/* The inner lock is the caller's: shuts the readers out and waits until they have left. `counted`:
 * it had to wait before, so as contended this acquire counts already. */
static int write_enter(struct rwmutex *rw, const struct wait_limit *limit, bool counted)
{
	uint64_t since = lock_stat_wait_begins();
	struct wait_entry e;
	int rc = 0;

	/* Acquire, here and below; partner: read_leave. */
	if (!(atomic_or_u32(&rw->count, RWMUTEX_WRITER, acquire) & ~RWMUTEX_WRITER))
		return 0;
	LOCK_EVENT(rwmutex_readers_leave, rw, rw->pi.class);
	if (!counted)
		lock_stat_of(rw->pi.class, rw, LOCK_CONTENDED);
	lock_stat_of(rw->pi.class, rw, LOCK_PARKED);
	wait_entry_init(&e, &rw->drain, NULL, true);
	e.kind = WAIT_READERS;
	e.what = rw;
	e.class = rw->pi.class;
	waitq_lock(&rw->drain);
	while (!rc && atomic_load_u32(&rw->count, acquire) != RWMUTEX_WRITER)
		rc = waitq_sleep(&rw->drain, &e, limit);
	if (atomic_load_u32(&rw->count, acquire) == RWMUTEX_WRITER)
		rc = 0;
	waitq_dequeue(&rw->drain, &e);
	waitq_unlock(&rw->drain);
	lock_stat_waited(rw->pi.class, rw, since);
	return rc;
}

static void write_leave(struct rwmutex *rw)
{
	/* Abandoned and not recovered: readers have to find that out, at the writers' door.
	 * Relaxed: the owner alone clears it. */
	bool shut = atomic_load_u32(&rw->pi.word, relaxed) & PILOCK_ABANDONED;

	LOCK_EVENT(rwmutex_write_leave, rw, rw->pi.class);
	/* Release: our writes are there for readers that enter; partner: read_enter. */
	if (!shut)
		atomic_and_u32(&rw->count, ~RWMUTEX_WRITER, release);
	if (!pilock_unlock_fast(&rw->pi))
		pilock_unlock_slow(&rw->pi);
}

static int write_acquire(struct rwmutex *rw, const struct wait_limit *limit, uintptr_t pc)
{
	struct lock_class *class = rw->pi.class;
	int dead = 0, rc;
	bool slow;

	if (!check_acquire(rw, class, WRITE_HOLD, pc))
		return -EDEADLK;
	LOCK_POINT(rwmutex_write_lock);
	slow = LOCK_CHAOS(rwmutex_write_slow_way) || !pilock_try_fast(&rw->pi);
	if (slow)
		dead = pilock_lock_slow(&rw->pi, limit);
	if (dead && dead != -EOWNERDEAD)
		return dead;
	rc = write_enter(rw, limit, slow);
	if (rc) {
		LOCK_POINT(rwmutex_write_gave_up);
		write_leave(rw);
		return rc;
	}
	pilock_count(&rw->pi);
	check_acquired(rw, class, WRITE_HOLD, pc);
	LOCK_EVENT_AT(rwmutex_write_locked, rw, class, pc);
	return dead;
}

static __attribute__((noinline)) int write_acquire_plain(
	struct rwmutex *rw, const struct wait_limit *limit, uintptr_t pc)
{
	int rc = write_acquire(rw, limit, pc);

	if (rc != -EOWNERDEAD)
		return rc;
	pilock_not_robust(&rw->pi);
	return 0;
}

/* The common cases: nothing to check, and nobody in the way (pilock_fast.h). */
static inline __attribute__((always_inline)) bool read_plain(struct rwmutex *rw, uintptr_t pc)
{
	struct lock_thread *t = lock_thread();

	if (!CONFIG_LOCKCHECK || !PILOCK_HAS_PLAIN_WAY ||
		!check_thread_plain(t, rw, rw->pi.class, READ_HOLD) || !read_enter(rw))
		return false;
	check_thread_record(t, rw, rw->pi.class, READ_HOLD, pc);
	return true;
}

static inline __attribute__((always_inline)) bool write_plain(struct rwmutex *rw, uintptr_t pc)
{
	struct lock_thread *t = lock_thread();
	uint32_t none = 0;

	if (!PILOCK_HAS_PLAIN_WAY || !check_thread_plain(t, rw, rw->pi.class, WRITE_HOLD) ||
		!pilock_try_fast(&rw->pi))
		return false;
	/* Acquire; partner: read_leave. */
	if (unlikely(!atomic_cas_u32(&rw->count, &none, RWMUTEX_WRITER, acquire))) {
		if (!pilock_unlock_fast(&rw->pi))
			pilock_unlock_slow(&rw->pi);
		return false;
	}
	check_thread_record(t, rw, rw->pi.class, WRITE_HOLD, pc);
	pilock_count(&rw->pi);
	return true;
}

/* Unchecked, here and below: the words inside are the lock, which clang cannot know. */
void rwmutex_read_lock(struct rwmutex *rw) UNCHECKED_LOCKING
{
	if (!read_plain(rw, CALLER))
		read_acquire(rw, &WAIT_PLAIN, CALLER);
}

int rwmutex_read_lock_limit(struct rwmutex *rw, const struct wait_limit *limit) UNCHECKED_LOCKING
{
	return read_acquire(rw, limit, CALLER);
}

bool rwmutex_read_try(struct rwmutex *rw) UNCHECKED_LOCKING
{
	if (!check_acquire(rw, rw->pi.class, READ_HOLD | CHECK_TRY, CALLER) ||
		LOCK_CHAOS(rwmutex_read_try_fails) || !read_enter(rw)) {
		LOCK_POINT(rwmutex_read_try_failed);
		return false;
	}
	note_read(rw, CHECK_TRY, CALLER);
	LOCK_EVENT(rwmutex_read_tried, rw, rw->pi.class);
	return true;
}

void rwmutex_read_unlock(struct rwmutex *rw) UNCHECKED_LOCKING
{
	if (!forget_read(rw, CALLER))
		return;
	LOCK_EVENT(rwmutex_read_unlock, rw, rw->pi.class);
	read_leave(rw);
}

void rwmutex_write_lock(struct rwmutex *rw) UNCHECKED_LOCKING
{
	if (!write_plain(rw, CALLER))
		write_acquire_plain(rw, &WAIT_PLAIN, CALLER);
}

int rwmutex_write_lock_limit(struct rwmutex *rw, const struct wait_limit *limit) UNCHECKED_LOCKING
{
	return write_acquire_plain(rw, limit, CALLER);
}

int rwmutex_write_lock_robust(struct rwmutex *rw) UNCHECKED_LOCKING
{
	return write_acquire(rw, &WAIT_PLAIN, CALLER);
}

bool rwmutex_write_try(struct rwmutex *rw) UNCHECKED_LOCKING
{
	struct lock_class *class = rw->pi.class;
	uint32_t none = 0;

	if (!check_acquire(rw, class, WRITE_HOLD | CHECK_TRY, CALLER) ||
		LOCK_CHAOS(rwmutex_write_try_fails) || !pilock_try_fast(&rw->pi)) {
		LOCK_POINT(rwmutex_write_try_failed);
		return false;
	}
	/* Acquire; partner: read_leave. */
	if (!atomic_cas_u32(&rw->count, &none, RWMUTEX_WRITER, acquire)) {
		LOCK_POINT(rwmutex_try_finds_readers);
		if (!pilock_unlock_fast(&rw->pi))
			pilock_unlock_slow(&rw->pi);
		return false;
	}
	pilock_count(&rw->pi);
	check_acquired(rw, class, WRITE_HOLD | CHECK_TRY, CALLER);
	LOCK_EVENT(rwmutex_write_tried, rw, class);
	return true;
}

void rwmutex_write_unlock(struct rwmutex *rw) UNCHECKED_LOCKING
{
	if (check_thread_release(rw, rw->pi.class, WRITE_HOLD, CALLER))
		write_leave(rw);
}

void rwmutex_recover(struct rwmutex *rw)
{
	pilock_recover(&rw->pi);
}

bool rwmutex_write_held_by_me(const struct rwmutex *rw)
{
	return pilock_is_mine(&rw->pi) && (atomic_load_u32(&rw->count, relaxed) & RWMUTEX_WRITER);
}

void rwmutex_reader_died(struct rwmutex *rw)
{
	read_leave(rw);
}
