/* SPDX-License-Identifier: MIT */
/*
 * The records of held locks, looked at in the middle of a change: at each of its fences, as a
 * handler on the same hart would, and by another thread, as another hart does; and changed in the
 * middle of a look.
 *
 * Sources: tests/host/harness.c tests/host/machine.c
 */
#include "tests/host/harness.h"

#include <pthread.h>
#include <stdlib.h>

#include "kernel/lock/class.h"

/* What happens at the fences of held.h, besides the fence. */
static void at_release(void);
static void at_acquire(void);
static void fence_and_release(void)
{
	fence_release();
	at_release();
}
static void fence_and_acquire(void)
{
	fence_acquire();
	at_acquire();
}
#define fence_release fence_and_release
#define fence_acquire fence_and_acquire
#include "kernel/lock/held.h"

#define LOCKS 8
#define ROUNDS 300000
#define LOOKS 2000 /* at least, that saw a record */

DEFINE_LOCK_CLASS(one_class, .name = "one", .rank = RANK_UNORDERED, .contexts = LOCK_IN_THREAD,
	.max_hold_us = 1, .protects = "nothing");
DEFINE_LOCK_CLASS(other_class, .name = "other", .rank = RANK_UNORDERED, .contexts = LOCK_IN_THREAD,
	.max_hold_us = 1, .protects = "nothing");

static struct lock_thread owner;
static char locks[LOCKS];
static atomic_u32 done, nr_seen;
static bool look_at_release;		/* handlers come at each fence of a change */
static void (*change_at_acquire)(void); /* comes once, at the next fence of a look */
static unsigned skip_acquires;		/* ... after this many */
static unsigned nr_looks, nr_torn;	/* of these handlers */

/* The clock of the records. No moment comes twice: a looker that was away from its processor in
 * the middle of a look must be able to tell a lock's next record from the one that it began with.
 */
static uint64_t nr_pushed;

/* What a record of lock i says in its other fields. */
static struct lock_class *class_of(unsigned i)
{
	return i % 2 ? &one_class : &other_class;
}

static void push(unsigned i)
{
	held_push(owner.held, &owner.nr_held, &locks[i], class_of(i), 100 + i, i,
		nr_pushed++ * LOCKS + i);
}

/* The record of lock i goes, wherever it is. */
static void drop(unsigned i)
{
	for (unsigned n = 0; n < owner.nr_held; n++) {
		if (owner.held[n].lock != &locks[i])
			continue;
		held_remove(owner.held, &owner.nr_held, &owner.held[n]);
		return;
	}
	fail_msg("lock %u has no record", i);
}

static bool whole(const struct held_lock *look)
{
	unsigned i = (unsigned)((const char *)look->lock - locks);

	return i < LOCKS && look->class == class_of(i) && look->pc == 100 + i && look->flags == i &&
		look->since % LOCKS == i;
}

static void at_release(void)
{
	struct held_lock look;

	if (!look_at_release)
		return;
	look_at_release = false;
	for (unsigned i = 0; i < LOCKS; i++) {
		if (!held_look(&owner.held[i], &look))
			continue;
		nr_looks++;
		nr_torn += !whole(&look);
	}
	look_at_release = true;
}

static void at_acquire(void)
{
	void (*change)(void) = change_at_acquire;

	if (!change || skip_acquires--)
		return;
	change_at_acquire = NULL;
	change();
}

/* Looks until the owner is done; returns how many records were not whole. */
static void *look_on(void *arg)
{
	uintptr_t torn = 0;

	(void)arg;
	while (!atomic_load_u32(&done, acquire)) {
		for (unsigned i = 0; i < held_count(&owner.nr_held); i++) {
			struct held_lock look;

			if (!held_look(&owner.held[i], &look))
				continue;
			atomic_add_u32(&nr_seen, 1, relaxed);
			torn += !whole(&look);
		}
	}
	return (void *)torn;
}

/* Rounds of up to LOCKS locks at once until enough was seen. */
static void acquire_and_release(void)
{
	unsigned held[LOCKS], nr = 0, state = 1;

	for (unsigned n = 0; n < ROUNDS || atomic_load_u32(&nr_seen, relaxed) < LOOKS; n++) {
		unsigned pick;

		state = state * 1103515245 + 12345;
		pick = (state >> 16) % LOCKS;
		if (pick < nr) {
			drop(held[pick]);
			held[pick] = held[--nr];
			continue;
		}
		/* One that is not held. */
		for (unsigned i = 0; i < nr; i++)
			if (held[i] == pick)
				pick = LOCKS;
		if (pick == LOCKS)
			continue;
		push(pick);
		held[nr++] = pick;
	}
	while (nr)
		drop(held[--nr]);
}

static void no_look_sees_half_a_record(void **state)
{
	pthread_t looker;
	void *torn;

	(void)state;
	assert_int_equal(pthread_create(&looker, NULL, look_on, NULL), 0);
	acquire_and_release();
	atomic_store_u32(&done, 1, release);
	assert_int_equal(pthread_join(looker, &torn), 0);
	assert_int_equal((uintptr_t)torn, 0);
	assert_int_equal(owner.nr_held, 0);
}

static void no_handler_sees_half_a_record(void **state)
{
	(void)state;
	look_at_release = true;
	for (unsigned first = 0; first < 4; first++) {
		for (unsigned i = 0; i < 4; i++)
			push(first + i);
		for (unsigned i = 0; i < 4; i++)
			drop(first + (i * 3 + 1) % 4);
	}
	look_at_release = false;
	assert_true(nr_looks > 16);
	assert_int_equal(nr_torn, 0);
}

static void another_takes_the_slot(void)
{
	drop(0);
	push(1);
}

static void a_record_that_changes_under_a_look_is_not_believed(void **state)
{
	struct held_lock look;

	(void)state;
	for (skip_acquires = 0; skip_acquires < 2;) {
		unsigned skip = skip_acquires;

		push(0);
		change_at_acquire = another_takes_the_slot;
		assert_true(!held_look(&owner.held[0], &look) || whole(&look));
		assert_null(change_at_acquire);
		drop(1);
		skip_acquires = skip + 1;
	}
}

static void what_is_left_keeps_its_order(void **state)
{
	struct held_lock look;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		push(i);
	drop(1);
	assert_int_equal(owner.nr_held, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(held_look(&owner.held[i], &look));
		assert_true(whole(&look));
		assert_ptr_equal(look.lock, &locks[i ? i + 1 : 0]);
	}
	/* Beyond the count there is nothing to be seen either. */
	assert_false(held_look(&owner.held[3], &look));
	drop(3);
	drop(0);
	held_pop(owner.held, &owner.nr_held);
	assert_int_equal(owner.nr_held, 0);
	for (unsigned i = 0; i < 4; i++)
		assert_false(held_look(&owner.held[i], &look));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_handler_sees_half_a_record),
		cmocka_unit_test(a_record_that_changes_under_a_look_is_not_believed),
		cmocka_unit_test(no_look_sees_half_a_record),
		cmocka_unit_test(what_is_left_keeps_its_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
