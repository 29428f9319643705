/* SPDX-License-Identifier: MIT */
/*
 * Memory that holds a lock may go with whoever had the lock last: the reference count is under the
 * lock itself. Every member takes each object's lock once; the last one fills the object with a
 * pattern, which nobody who is still on the way out may touch.
 */
#include "kernel/mm/kmalloc.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/mutex.h"
#include "lib/string.h"
#include "tests/kernel/wait_util.h"

#define OBJECTS 200
#define PATTERN 0xa5

WAIT_TEST_CLASS(life_mutex_class, "test.life.mutex");
WAIT_TEST_CLASS(life_mix_class, "test.life.mix");

static struct object {
	union {
		struct mutex m;
		struct mixlock mix;
	};
	unsigned refs; /* under it */
} *objects;
static unsigned members, nr_objects; /* constant while they live */
static atomic_u32 gone;

static void last_is_gone(struct object *o)
{
	check_memory_free(o, sizeof(*o));
	memset(o, PATTERN, sizeof(*o));
	count_up(&gone);
}

/* A limit now and then, so that queues empty themselves behind an owner that unlocks. */
static void lock_mutex(struct mutex *m, unsigned i)
{
	if (i % 3 || mutex_lock_timeout(m, clock_now_ns() + 3000))
		mutex_lock(m);
}

static void use_mutexes(unsigned who, void *arg unused_arg)
{
	for (unsigned i = 0; i < nr_objects; i++) {
		struct object *o = &objects[i];
		bool last;

		lock_mutex(&o->m, i + who);
		last = --o->refs == 0;
		mutex_unlock(&o->m);
		if (last)
			last_is_gone(o);
	}
}

static void use_mixlocks(unsigned who unused_arg, void *arg unused_arg)
{
	for (unsigned i = 0; i < nr_objects; i++) {
		struct object *o = &objects[i];
		bool last;

		if (!mixlock_try(&o->mix))
			mixlock_lock(&o->mix);
		last = --o->refs == 0;
		mixlock_unlock(&o->mix);
		if (last)
			last_is_gone(o);
	}
}

static bool touched(const struct object *o)
{
	const unsigned char *p = (const unsigned char *)o;

	for (size_t i = 0; i < sizeof(*o); i++)
		if (p[i] != PATTERN)
			return true;
	return false;
}

static void live_and_go(bool mixed)
{
	unsigned bad = 0;

	members = 2 * ktest_harts();
	nr_objects = ktest_each(OBJECTS);
	objects = kmalloc(nr_objects * sizeof(*objects), 0);
	ktest_require(objects);
	for (unsigned i = 0; i < nr_objects; i++) {
		if (mixed)
			mixlock_init(&objects[i].mix, &life_mix_class);
		else
			mutex_init(&objects[i].m, &life_mutex_class);
		objects[i].refs = members;
	}
	atomic_store_u32(&gone, 0, relaxed);
	ktest_parallel(members, mixed ? use_mixlocks : use_mutexes, NULL);
	for (unsigned i = 0; i < nr_objects; i++)
		bad += touched(&objects[i]);
	ktest_check(seen(&gone) == nr_objects, "%u of %u are gone", seen(&gone), nr_objects);
	ktest_check(!bad, "%u were touched after their end", bad);
	kfree(objects);
}

KTEST(mutex, its_last_owner_may_free_it)
{
	live_and_go(false);
}

KTEST(mix, its_last_owner_may_free_it)
{
	live_and_go(true);
}
