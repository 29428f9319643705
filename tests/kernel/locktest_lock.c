/* SPDX-License-Identifier: MIT */
/*
 * The locks of the self-test matrix: one set of classes and locks for all cases, and the functions
 * of each kind of lock behind one name each.
 *
 * Unchecked by clang throughout: which lock is taken, and whether it is given back, is what the
 * cases are about.
 */
#include "tests/kernel/locktest.h"

#include "kernel/lock/check_graph.h"
#include "kernel/lock/check_test.h"
#include "kernel/time/clock.h"

#define FAR_AWAY_NS (600 * NS_PER_SEC)

#define LOCKTEST_CLASS(letter) \
	DEFINE_LOCK_CLASS(class_##letter, .name = "locktest." #letter, .rank = RANK_UNORDERED, \
		.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000000, \
		.protects = "nothing: taken rightly and wrongly by the self-test matrix")

LOCKTEST_CLASS(A);
LOCKTEST_CLASS(B);
LOCKTEST_CLASS(C);
LOCKTEST_CLASS(D);
LOCKTEST_CLASS(X);
LOCKTEST_CLASS(Y);
LOCKTEST_CLASS(Z);

static struct lock_class *const classes[] = {
	&class_A, &class_B, &class_C, &class_D, &class_X, &class_Y, &class_Z};

struct locktest_lock locktest_locks[LT_NAMES] = {
	[LT_A] = {.class = &class_A},
	[LT_B] = {.class = &class_B},
	[LT_C] = {.class = &class_C},
	[LT_D] = {.class = &class_D},
	[LT_X1] = {.class = &class_X},
	[LT_X2] = {.class = &class_X},
	[LT_Y1] = {.class = &class_Y},
	[LT_Y2] = {.class = &class_Y},
	[LT_Z1] = {.class = &class_Z},
};

/* `from` becomes `to`: a number that the class was given is found again by the checker. */
static void change_node(struct lock_class *class, unsigned from, unsigned to)
{
	atomic_u32 *node = class->nodes;

	if (CONFIG_LOCKCHECK && (!from || atomic_load_u32(node, relaxed) == from))
		atomic_store_u32(node, to, relaxed);
}

void locktest_without_node(struct locktest_lock *l)
{
	change_node(l->class, 0, GRAPH_FULL);
}

void locktest_new(struct locktest_lock *l)
{
	irqlock_init(&l->irqlock, l->class);
	irqrwlock_init(&l->irqrwlock, l->class);
	mutex_init(&l->mutex, l->class);
	rwmutex_init(&l->rwmutex, l->class);
	mixlock_init(&l->mixlock, l->class);
}

void locktest_locks_reset(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(classes); i++)
		change_node(classes[i], GRAPH_FULL, GRAPH_NONE);
	locktest_forget(classes, ARRAY_SIZE(classes));
	for (unsigned i = 0; i < ARRAY_SIZE(classes); i++) {
		classes[i]->rank = RANK_UNORDERED;
		lock_stat_reset_class(classes[i]);
	}
	for (unsigned i = 0; i < LT_NAMES; i++)
		locktest_new(&locktest_locks[i]);
}

void locktest_set_ranks(enum locktest_kind kind)
{
	bool sleeps = locktest_sleeps(kind);

	class_A.rank = sleeps ? RANK_TEST_OUTER : RANK_TEST_SPIN_OUTER;
	class_B.rank = sleeps ? RANK_TEST_SLEEP : RANK_TEST_SPIN;
	class_X.rank = class_B.rank;
	class_D.rank = RANK_TEST_SPIN;
}

const void *locktest_address(const struct locktest_lock *l, enum locktest_kind kind)
{
	switch (kind) {
	case LT_IRQLOCK:
		return &l->irqlock;
	case LT_WRITE:
	case LT_READ:
	case LT_PLAIN_READ:
		return &l->irqrwlock;
	case LT_MUTEX:
		return &l->mutex;
	case LT_SLEEP_WRITE:
	case LT_SLEEP_READ:
		return &l->rwmutex;
	default:
		return &l->mixlock;
	}
}

unsigned locktest_flags(enum locktest_kind kind)
{
	static const unsigned flags[LT_KINDS] = {
		[LT_IRQLOCK] = 0,
		[LT_WRITE] = CHECK_WRITE,
		[LT_READ] = CHECK_READ | CHECK_RECURSIVE,
		[LT_PLAIN_READ] = CHECK_READ,
		[LT_MUTEX] = CHECK_THREAD | CHECK_WRITE,
		[LT_SLEEP_WRITE] = CHECK_THREAD | CHECK_WRITE,
		[LT_SLEEP_READ] = CHECK_THREAD | CHECK_READ,
		[LT_MIXLOCK] = CHECK_THREAD | CHECK_MIXED | CHECK_WRITE,
	};

	return flags[kind];
}

void locktest_acquire(struct locktest_lock *l, enum locktest_kind kind) UNCHECKED_LOCKING
{
	switch (kind) {
	case LT_IRQLOCK:
		irqlock_acquire(&l->irqlock);
		return;
	case LT_WRITE:
		irqrwlock_write_acquire(&l->irqrwlock);
		return;
	case LT_READ:
		irqrwlock_read_acquire_nested(&l->irqrwlock);
		return;
	case LT_PLAIN_READ:
		irqrwlock_read_acquire(&l->irqrwlock);
		return;
	case LT_MUTEX:
		mutex_lock(&l->mutex);
		return;
	case LT_SLEEP_WRITE:
		rwmutex_write_lock(&l->rwmutex);
		return;
	case LT_SLEEP_READ:
		rwmutex_read_lock(&l->rwmutex);
		return;
	default:
		mixlock_lock(&l->mixlock);
	}
}

bool locktest_try(struct locktest_lock *l, enum locktest_kind kind) UNCHECKED_LOCKING
{
	switch (kind) {
	case LT_IRQLOCK:
		return irqlock_try(&l->irqlock);
	case LT_WRITE:
		return irqrwlock_write_try(&l->irqrwlock);
	case LT_READ:
	case LT_PLAIN_READ:
		return irqrwlock_read_try(&l->irqrwlock);
	case LT_MUTEX:
		return mutex_try(&l->mutex);
	case LT_SLEEP_WRITE:
		return rwmutex_write_try(&l->rwmutex);
	case LT_SLEEP_READ:
		return rwmutex_read_try(&l->rwmutex);
	default:
		return mixlock_try(&l->mixlock);
	}
}

bool locktest_timed(struct locktest_lock *l, enum locktest_kind kind)
{
	return locktest_until(l, kind, clock_now_ns() + FAR_AWAY_NS);
}

bool locktest_until(
	struct locktest_lock *l, enum locktest_kind kind, uint64_t deadline_ns) UNCHECKED_LOCKING
{
	struct wait_limit limit = WAIT_UNTIL(deadline_ns);

	switch (kind) {
	case LT_MUTEX:
		return !mutex_lock_limit(&l->mutex, &limit);
	case LT_SLEEP_WRITE:
		return !rwmutex_write_lock_limit(&l->rwmutex, &limit);
	case LT_SLEEP_READ:
		return !rwmutex_read_lock_limit(&l->rwmutex, &limit);
	case LT_MIXLOCK:
		return !mixlock_lock_limit(&l->mixlock, &limit);
	default:
		locktest_broken("no such acquire");
		return false;
	}
}

void locktest_release(struct locktest_lock *l, enum locktest_kind kind) UNCHECKED_LOCKING
{
	switch (kind) {
	case LT_IRQLOCK:
		irqlock_release(&l->irqlock);
		return;
	case LT_WRITE:
		irqrwlock_write_release(&l->irqrwlock);
		return;
	case LT_READ:
	case LT_PLAIN_READ:
		irqrwlock_read_release(&l->irqrwlock);
		return;
	case LT_MUTEX:
		mutex_unlock(&l->mutex);
		return;
	case LT_SLEEP_WRITE:
		rwmutex_write_unlock(&l->rwmutex);
		return;
	case LT_SLEEP_READ:
		rwmutex_read_unlock(&l->rwmutex);
		return;
	default:
		mixlock_unlock(&l->mixlock);
	}
}

void locktest_init(struct locktest_lock *l, enum locktest_kind kind)
{
	struct locktest_lock before = *l;

	switch (kind) {
	case LT_IRQLOCK:
		irqlock_init(&l->irqlock, l->class);
		break;
	case LT_WRITE:
	case LT_READ:
	case LT_PLAIN_READ:
		irqrwlock_init(&l->irqrwlock, l->class);
		break;
	case LT_MUTEX:
		mutex_init(&l->mutex, l->class);
		break;
	case LT_SLEEP_WRITE:
	case LT_SLEEP_READ:
		rwmutex_init(&l->rwmutex, l->class);
		break;
	default:
		mixlock_init(&l->mixlock, l->class);
	}
	*l = before;
}
