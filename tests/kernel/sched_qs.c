/* SPDX-License-Identifier: MIT */
/* Quiescent-state reclamation: nobody sees what was given back. */
#include "kernel/lock/relax.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/sched/qs.h"
#include "tests/kernel/sched_util.h"

#define ALIVE 0x600df00du
#define DEAD 0xdeadbeefu
#define ROUNDS 60

struct object {
	struct qs_entry entry;
	atomic_u32 mark;
};

static struct {
	atomic_ptr published;
	atomic_bool stop;
	atomic_u32 freed, reads, bad;
} q;

static void object_end(struct qs_entry *entry)
{
	struct object *o = container_of(entry, struct object, entry);

	atomic_store_u32(&o->mark, DEAD, relaxed);
	kfree(o);
	atomic_add_u32(&q.freed, 1, relaxed);
}

/* Holds what it found for a while; it must stay alive all the time. */
static void reader(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	while (!atomic_load_bool(&q.stop, relaxed)) {
		const struct object *o;

		qs_read_begin();
		o = atomic_load_ptr(&q.published, acquire);
		for (unsigned i = ktest_random(&seed) % 300; i > 0; i--) {
			if (atomic_load_u32(&o->mark, relaxed) != ALIVE)
				atomic_add_u32(&q.bad, 1, relaxed);
			arch_pause();
		}
		qs_read_end();
		atomic_add_u32(&q.reads, 1, relaxed);
		if (ktest_random(&seed) % 64 == 0)
			sched_sleep_ns(20000);
	}
}

static struct object *object_new(void)
{
	struct object *o = kmalloc(sizeof(*o), 0);

	if (o)
		atomic_store_u32(&o->mark, ALIVE, relaxed);
	return o;
}

static unsigned publish_and_retire(void)
{
	unsigned retired = 0, rounds = ktest_each(ROUNDS);

	for (unsigned i = 0; i < rounds; i++) {
		struct object *new = object_new();
		struct object *old;

		if (!new) {
			ktest_fail(__FILE__, __LINE__, "no memory");
			break;
		}
		/* Release: the object before the way to it; partner: reader. */
		old = atomic_xchg_ptr(&q.published, new, acq_rel);
		retired++;
		if (i % 3) {
			qs_call(&old->entry, object_end);
		} else {
			qs_synchronize();
			object_end(&old->entry);
		}
	}
	return retired;
}

KTEST(sched, qs_keeps_an_object_until_its_readers_left)
{
	unsigned n = ktest_harts(), retired;
	struct thread *t[CONFIG_MAX_HARTS];

	atomic_store_bool(&q.stop, false, relaxed);
	atomic_store_u32(&q.freed, 0, relaxed);
	atomic_store_u32(&q.reads, 0, relaxed);
	atomic_store_u32(&q.bad, 0, relaxed);
	atomic_store_ptr(&q.published, object_new(), release);
	ktest_require(atomic_load_ptr(&q.published, relaxed));
	for (unsigned i = 0; i < n; i++)
		t[i] = thread_spawn("reader", reader, (void *)(uintptr_t)(i + 1));
	ktest_check(ktest_eventually(atomic_load_u32(&q.reads, relaxed) > n));
	retired = publish_and_retire();
	qs_barrier();
	ktest_check(atomic_load_u32(&q.freed, relaxed) == retired, "%u of %u",
		(unsigned)atomic_load_u32(&q.freed, relaxed), retired);
	atomic_store_bool(&q.stop, true, relaxed);
	for (unsigned i = 0; i < n; i++)
		if (t[i])
			thread_join(t[i], NULL);
	kfree(atomic_load_ptr(&q.published, relaxed));
	ktest_check(atomic_load_u32(&q.bad, relaxed) == 0, "%u dead objects were seen",
		(unsigned)atomic_load_u32(&q.bad, relaxed));
}

/* One long section: a grace period that begins in it ends after it. */
static struct {
	atomic_bool inside, leave, left;
} section;

static void long_section(void *arg)
{
	(void)arg;
	qs_read_begin();
	atomic_store_bool(&section.inside, true, relaxed);
	while (!atomic_load_bool(&section.leave, relaxed))
		relax();
	atomic_store_bool(&section.left, true, relaxed);
	qs_read_end();
}

static void let_it_leave(void *arg)
{
	uint64_t periods = *(uint64_t *)arg;

	/* Time for a wrong grace period to end; the right one cannot. */
	sched_sleep_ns(10000000);
	ktest_check(qs_periods() - periods <= 1);
	atomic_store_bool(&section.leave, true, relaxed);
}

KTEST(sched, qs_waits_for_a_section_that_was_open)
{
	struct thread *in, *out;
	uint64_t periods;

	if (ktest_harts() < 2) {
		ktest_skip("needs two harts");
		return;
	}
	pin_to(online_hart(0));
	atomic_store_bool(&section.inside, false, relaxed);
	atomic_store_bool(&section.leave, false, relaxed);
	atomic_store_bool(&section.left, false, relaxed);
	in = create_on(online_hart(1), "section", long_section, NULL);
	ktest_require(in);
	thread_run(in);
	ktest_check(ktest_eventually(atomic_load_bool(&section.inside, relaxed)));
	periods = qs_periods();
	out = create_on(online_hart(0), "leave", let_it_leave, &periods);
	ktest_require(out);
	thread_run(out);
	qs_synchronize();
	ktest_check(atomic_load_bool(&section.left, relaxed));
	thread_join(in, NULL);
	thread_join(out, NULL);
}

struct numbered {
	struct qs_entry entry;
	unsigned number;
};
static unsigned next_number, out_of_order;

static void in_order(struct qs_entry *entry)
{
	struct numbered *n = container_of(entry, struct numbered, entry);

	/* Only the qs thread runs this. */
	if (n->number != next_number++)
		out_of_order++;
}

KTEST(sched, qs_barrier_waits_for_all_posted)
{
	static struct numbered entries[64];

	next_number = 0;
	out_of_order = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
		entries[i].number = i;
		qs_call(&entries[i].entry, in_order);
	}
	qs_barrier();
	ktest_check(next_number == ARRAY_SIZE(entries) && !out_of_order, "%u ran, %u out of order",
		next_number, out_of_order);
}
