/* SPDX-License-Identifier: MIT */
/* Torture of mutexes and rwmutexes: tests/torture/set.h. */
#include "kernel/wait/mutex.h"
#include "kernel/wait/rwmutex.h"
#include "tests/torture/set.h"

SET_CLASSES(mutex, .contexts = LOCK_IN_THREAD);
SET_CLASSES(rwmutex, .contexts = LOCK_IN_THREAD);

/*
 * mutexes[], rwmutexes[]
 *   Protect:  a box each (set.c).
 *   Taken by: workers, mortals, the doomed.
 *   Order:    the lower index first.
 * While one is free: nobody is in its box, whose words are equal unless a holder died.
 */
static struct mutex mutexes[SET_LOCKS + 1];
static struct rwmutex rwmutexes[SET_LOCKS + 1];

static struct wait_limit limit_of(const struct set_entry *e)
{
	return e->how == HOW_INTR ? WAIT_INTR : WAIT_UNTIL(e->deadline_ns);
}

/* ---- mutex ----------------------------------------------------------------------------------- */

static void init_mutex(unsigned i)
{
	mutex_init(&mutexes[i], mutex_classes[i]);
}

/* Unchecked, here and below: which lock it is, and whether it was taken, is known at run time. */
static bool enter_mutex(const struct set_entry *e) UNCHECKED_LOCKING
{
	struct mutex *m = &mutexes[e->box];
	struct wait_limit limit = limit_of(e);

	switch (e->how) {
	case HOW_TRY:
		return mutex_try(m);
	case HOW_TIMED:
	case HOW_INTR:
		return mutex_lock_limit(m, &limit) == 0;
	default:
		mutex_lock(m);
		return true;
	}
}

static void leave_mutex(const struct set_entry *e) UNCHECKED_LOCKING
{
	mutex_unlock(&mutexes[e->box]);
}

static int enter_mutex_robust(void) UNCHECKED_LOCKING
{
	return mutex_lock_robust(&mutexes[SET_GRAVE]);
}

static void recover_mutex(void) UNCHECKED_LOCKING
{
	mutex_recover(&mutexes[SET_GRAVE]);
}

static const struct set_ops mutex_ops = {
	.sleeps = true,
	.init = init_mutex,
	.enter = enter_mutex,
	.leave = leave_mutex,
	.enter_robust = enter_mutex_robust,
	.recover = recover_mutex,
};
TORTURE(mutex, NOT_EXCLUSIVE | LOST_WAKEUP | UNFAIR | LEAKS_IRQ,
	.help = "mutex: owner, inheritance, hand-off", .points = "mutex_ pi_ abandon_",
	.arg = &mutex_ops, SET_KIND, SET_KIND_SLEEPS);

/* ---- rwmutex --------------------------------------------------------------------------------- */

static void init_rwmutex(unsigned i)
{
	rwmutex_init(&rwmutexes[i], rwmutex_classes[i]);
}

static bool enter_writing(struct rwmutex *rw, const struct set_entry *e) UNCHECKED_LOCKING
{
	struct wait_limit limit = limit_of(e);

	switch (e->how) {
	case HOW_TRY:
		return rwmutex_write_try(rw);
	case HOW_TIMED:
	case HOW_INTR:
		return rwmutex_write_lock_limit(rw, &limit) == 0;
	default:
		rwmutex_write_lock(rw);
		return true;
	}
}

static bool enter_reading(struct rwmutex *rw, const struct set_entry *e) UNCHECKED_LOCKING
{
	struct wait_limit limit = limit_of(e);

	switch (e->how) {
	case HOW_TRY:
		return rwmutex_read_try(rw);
	case HOW_TIMED:
	case HOW_INTR:
		return rwmutex_read_lock_limit(rw, &limit) == 0;
	default:
		rwmutex_read_lock(rw);
		return true;
	}
}

static bool enter_rwmutex(const struct set_entry *e)
{
	struct rwmutex *rw = &rwmutexes[e->box];

	return e->write ? enter_writing(rw, e) : enter_reading(rw, e);
}

static void leave_rwmutex(const struct set_entry *e) UNCHECKED_LOCKING
{
	if (e->write)
		rwmutex_write_unlock(&rwmutexes[e->box]);
	else
		rwmutex_read_unlock(&rwmutexes[e->box]);
}

static int enter_rwmutex_robust(void) UNCHECKED_LOCKING
{
	return rwmutex_write_lock_robust(&rwmutexes[SET_GRAVE]);
}

static void recover_rwmutex(void) UNCHECKED_LOCKING
{
	rwmutex_recover(&rwmutexes[SET_GRAVE]);
}

static const struct set_ops rwmutex_ops = {
	.readers = true,
	.sleeps = true,
	.init = init_rwmutex,
	.enter = enter_rwmutex,
	.leave = leave_rwmutex,
	.enter_robust = enter_rwmutex_robust,
	.recover = recover_rwmutex,
};
TORTURE(rwmutex, NOT_EXCLUSIVE | LOST_WAKEUP | UNFAIR | LEAKS_IRQ,
	.help = "rwmutex: readers and writers that may sleep", .points = "rwmutex_",
	.arg = &rwmutex_ops, SET_KIND, SET_KIND_SLEEPS);
