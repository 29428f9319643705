/* SPDX-License-Identifier: MIT */
/* The mutex: checks and statistics around pilock.c. */
#include "kernel/wait/mutex.h"

#include "kernel/wait/pilock_fast.h"
#include "lib/errno.h"

#define HOLD (CHECK_THREAD | CHECK_WRITE)
#define CALLER ((uintptr_t)__builtin_return_address(0))

static_assert(offsetof(struct mutex, pi) == 0, "records name the pilock by the mutex's address");

/* Everything that acquires, with the checks. -EDEADLK also when a report was expected by a test. */
static int acquire(struct mutex *m, const struct wait_limit *limit, unsigned flags, uintptr_t pc)
{
	struct lock_class *class = m->pi.class;
	int rc = 0;

	if (!check_acquire(m, class, HOLD | flags, pc))
		return -EDEADLK;
	LOCK_POINT(mutex_lock);
	if (LOCK_CHAOS(mutex_slow_way) || !pilock_try_fast(&m->pi))
		rc = pilock_lock_slow(&m->pi, limit);
	if (rc && rc != -EOWNERDEAD) {
		LOCK_POINT(mutex_not_locked);
		return rc;
	}
	pilock_count(&m->pi);
	check_acquired(m, class, HOLD | flags, pc);
	LOCK_EVENT_AT(mutex_locked, m, class, pc);
	return rc;
}

/* For the forms that do not know of dead holders. */
static __attribute__((noinline)) int acquire_plain(
	struct mutex *m, const struct wait_limit *limit, unsigned flags, uintptr_t pc)
{
	int rc = acquire(m, limit, flags, pc);

	if (rc != -EOWNERDEAD)
		return rc;
	pilock_not_robust(&m->pi);
	return 0;
}

void mutex_init(struct mutex *m, struct lock_class *class)
{
	pilock_init(&m->pi, PILOCK_MUTEX, class);
}

/* Unchecked, here and below: the pilock inside is the mutex, which clang cannot know. */
void mutex_lock_slow(struct mutex *m) UNCHECKED_LOCKING
{
	if (!pilock_acquire_plain(&m->pi, HOLD, CALLER))
		acquire_plain(m, &WAIT_PLAIN, 0, CALLER);
}

bool mutex_try(struct mutex *m) UNCHECKED_LOCKING
{
	struct lock_class *class = m->pi.class;

	if (!check_acquire(m, class, HOLD | CHECK_TRY, CALLER) || LOCK_CHAOS(mutex_try_fails) ||
		!pilock_try_fast(&m->pi)) {
		LOCK_POINT(mutex_try_failed);
		return false;
	}
	pilock_count(&m->pi);
	check_acquired(m, class, HOLD | CHECK_TRY, CALLER);
	LOCK_EVENT(mutex_tried, m, class);
	return true;
}

int mutex_lock_intr(struct mutex *m) UNCHECKED_LOCKING
{
	return acquire_plain(m, &WAIT_INTR, 0, CALLER);
}

int mutex_lock_timeout(struct mutex *m, uint64_t deadline_ns) UNCHECKED_LOCKING
{
	return acquire_plain(m, &WAIT_UNTIL(deadline_ns), 0, CALLER);
}

int mutex_lock_limit(struct mutex *m, const struct wait_limit *limit) UNCHECKED_LOCKING
{
	return acquire_plain(m, limit, 0, CALLER);
}

int mutex_lock_robust(struct mutex *m) UNCHECKED_LOCKING
{
	return acquire(m, &WAIT_PLAIN, 0, CALLER);
}

void mutex_lock_second(struct mutex *m, struct mutex *first) UNCHECKED_LOCKING
{
	assert(pilock_is_mine(&first->pi) && first < m);
	acquire_plain(m, &WAIT_PLAIN, CHECK_SECOND, CALLER);
}

static __attribute__((noinline)) void unlock_checked(struct mutex *m, uintptr_t pc)
{
	if (!check_thread_release(m, m->pi.class, HOLD, pc))
		return;
	LOCK_EVENT_AT(mutex_unlock, m, m->pi.class, pc);
	if (!pilock_unlock_fast(&m->pi))
		pilock_unlock_slow(&m->pi);
	LOCK_POINT(mutex_unlocked);
}

void mutex_unlock_slow(struct mutex *m) UNCHECKED_LOCKING
{
	if (!PILOCK_HAS_PLAIN_WAY ||
		!check_thread_release_plain(lock_thread(), m, m->pi.class, HOLD))
		unlock_checked(m, CALLER);
	else if (!pilock_unlock_fast(&m->pi))
		pilock_unlock_slow(&m->pi);
}

void mutex_recover(struct mutex *m)
{
	pilock_recover(&m->pi);
}

bool mutex_held_by_me(const struct mutex *m)
{
	return pilock_is_mine(&m->pi);
}
