/* SPDX-License-Identifier: MIT */
/*
 * Statistics of single locks (stat.h): a table of places for those that are contended most.
 *
 * A place is claimed by compare-and-swap of `lock`. Which locks have one: the rule of Misra and
 * Gries. A newcomer that finds none near its hash takes one from the credit of the least contended
 * there, and its place when that is used up: so a lock that makes up more than a share of all
 * contention near it has a place in the end.
 *
 * Locks that were never contended have none, and cost nothing: a class of which no lock has had a
 * place says so in one word (lock_class_stats.placed). Of the others each release looks for its
 * lock.
 *
 * All relaxed: lone values. What comes as a place changes hands may be counted for the wrong one.
 */
#include "kernel/lock/stat_internal.h"
#include "lib/hash.h"

#define PROBES 4u

struct times {
	struct lock_longest longest;
	atomic_ulong ticks;
	atomic_ulong buckets[LOCK_BUCKETS];
};

/* All but `lock`, `class` and `credit` is of one type, to be cleared. */
struct figures {
	atomic_ulong n[LOCK_STATS];
	struct times holds, waits;
};

static struct place {
	atomic_ptr lock, class;
	atomic_u32 credit;
	struct figures figures;
} places[LOCK_STAT_LOCKS];

static atomic_ulong crowded;

static struct place *place_near(const void *lock, unsigned i)
{
	return &places[(hash_ptr(lock) + i) % LOCK_STAT_LOCKS];
}

static struct place *find_place(const void *lock)
{
	for (unsigned i = 0; i < PROBES; i++)
		if (atomic_load_ptr(&place_near(lock, i)->lock, relaxed) == lock)
			return place_near(lock, i);
	return NULL;
}

static void clear_place(struct place *p)
{
	atomic_ulong *n = (atomic_ulong *)&p->figures, *end = (atomic_ulong *)(&p->figures + 1);

	static_assert(sizeof(struct figures) % sizeof(*n) == 0, "figures are atomic_ulongs");
	for (; n < end; n++)
		atomic_store_ulong(n, 0, relaxed);
	atomic_store_u32(&p->credit, 0, relaxed);
}

static struct place *take_place(const void *lock, struct lock_class *class)
{
	struct place *least = place_near(lock, 0);
	uint32_t credit;
	void *before;

	for (unsigned i = 1; i < PROBES; i++) {
		struct place *p = place_near(lock, i);

		if (atomic_load_u32(&p->credit, relaxed) < atomic_load_u32(&least->credit, relaxed))
			least = p;
	}
	before = atomic_load_ptr(&least->lock, relaxed);
	credit = atomic_load_u32(&least->credit, relaxed);
	if (before)
		atomic_add_ulong(&crowded, 1, relaxed);
	/* By compare-and-swap: two newcomers that take the last one at once must not make it -1. */
	while (before && credit)
		if (atomic_cas_u32(&least->credit, &credit, credit - 1, relaxed))
			return NULL;
	if (!atomic_cas_ptr(&least->lock, &before, (void *)lock, relaxed))
		return NULL;
	clear_place(least);
	atomic_store_ptr(&least->class, class, relaxed);
	return least;
}

void lock_stat_of_slow(struct lock_class *class, const void *lock, enum lock_stat what)
{
	atomic_ulong *placed = &class->stats[0].placed;
	struct place *p;

	lock_stat(class, what);
	if (what != LOCK_CONTENDED && !atomic_load_ulong(placed, relaxed))
		return;
	p = find_place(lock);
	if (!p && what == LOCK_CONTENDED)
		p = take_place(lock, class);
	if (!p)
		return;
	atomic_add_ulong(&p->figures.n[what], 1, relaxed);
	if (what != LOCK_CONTENDED)
		return;
	atomic_add_u32(&p->credit, 1, relaxed);
	/* A reset of the class took the word away. */
	if (!atomic_load_ulong(placed, relaxed))
		atomic_store_ulong(placed, 1, relaxed);
}

static void count_time(struct times *t, uint64_t ticks, const uintptr_t *pcs, unsigned nr)
{
	atomic_add_ulong(&t->ticks, (unsigned long)ticks, relaxed);
	atomic_add_ulong(&t->buckets[stat_bucket(ticks)], 1, relaxed);
	stat_note_longest(&t->longest, (unsigned long)ticks, pcs, nr);
}

void stat_lock_waited(const void *lock, uint64_t ticks, const uintptr_t *pcs, unsigned nr)
{
	struct place *p = find_place(lock);

	if (p)
		count_time(&p->figures.waits, ticks, pcs, nr);
}

void stat_lock_held(const void *lock, uint64_t ticks, const uintptr_t *pcs, unsigned nr)
{
	struct place *p = find_place(lock);

	if (p)
		count_time(&p->figures.holds, ticks, pcs, nr);
}

static void read_times(const struct times *t, struct lock_stat_times *out)
{
	stat_read_longest(&t->longest, out);
	for (unsigned b = 0; b < LOCK_BUCKETS; b++)
		out->buckets[b] = atomic_load_ulong(&t->buckets[b], relaxed);
	/* Last: as lock_stat_holds. */
	out->ticks = atomic_load_ulong(&t->ticks, relaxed);
}

bool lock_stat_lock(unsigned i, struct lock_stat_lock *out)
{
	const struct place *p = &places[i];

	*out = (struct lock_stat_lock){
		.lock = atomic_load_ptr(&p->lock, relaxed),
		.class = atomic_load_ptr(&p->class, relaxed),
	};
	if (!out->lock || !out->class)
		return false;
	for (unsigned what = 0; what < LOCK_STATS; what++)
		out->n[what] = atomic_load_ulong(&p->figures.n[what], relaxed);
	read_times(&p->figures.holds, &out->holds);
	read_times(&p->figures.waits, &out->waits);
	/* As of classes: counted with the hold. */
	for (unsigned b = 0; b < LOCK_BUCKETS; b++)
		out->n[LOCK_ACQUIRED] += out->holds.buckets[b];
	return true;
}

unsigned long lock_stat_crowded(void)
{
	return atomic_load_ulong(&crowded, relaxed);
}

void lock_stat_reset_locks(void)
{
	for (unsigned i = 0; i < LOCK_STAT_LOCKS; i++) {
		clear_place(&places[i]);
		atomic_store_ptr(&places[i].lock, NULL, relaxed);
	}
	atomic_store_ulong(&crowded, 0, relaxed);
}
