/* SPDX-License-Identifier: MIT */
/* Statistics of locks: the parts of stat.h that are not on the way of an uncontended lock. */
#include "kernel/lock/stat.h"

#include "kernel/lock/race.h"
#include "kernel/lock/trace.h"
#include "lib/hash.h"
#include "lib/string.h"

/* ---- Classes --------------------------------------------------------------------------------- */

static unsigned bucket_of(uint64_t ticks)
{
	unsigned n = 0;

	for (; ticks && n < LOCK_BUCKETS - 1; ticks >>= 1)
		n++;
	return n;
}

/* Notes a new longest. Two harts that do it at once may mix their addresses. */
static void note_longest(
	struct lock_longest *l, unsigned long ticks, const uintptr_t *pcs, unsigned nr)
{
	unsigned long max = atomic_load_ulong(&l->ticks, relaxed);

	do
		if (ticks <= max)
			return;
	while (!atomic_cas_ulong(&l->ticks, &max, ticks, relaxed));
	nr = MIN(nr, (unsigned)LOCK_TRACE);
	for (unsigned i = 0; i < nr; i++)
		atomic_store_ulong(&l->pcs[i], pcs[i], relaxed);
	atomic_store_ulong(&l->nr_pcs, nr, relaxed);
}

void lock_stat_held_slow(struct lock_class *class, uint64_t ticks, const struct held_lock *mine)
{
	struct lock_shard *shard = lock_stat_shard(class);
	unsigned nr = MAX(MIN(mine->nr_pcs, HELD_TRACE), 1u);

	atomic_add_ulong(&shard->holds[bucket_of(ticks)], 1, relaxed);
	atomic_add_ulong(&shard->hold_ticks, (unsigned long)ticks, relaxed);
	note_longest(&class->stats[0].hold, (unsigned long)ticks, mine->pcs, nr);
}

unsigned long lock_stat_read_slow(const struct lock_class *class, enum lock_stat what)
{
	const struct lock_shard *shard = class->stats[0].shards;
	unsigned long sum = 0;

	for (unsigned i = 0; i < LOCK_SHARDS; i++) {
		sum += atomic_load_ulong(&shard[i].n[what], relaxed);
		for (unsigned b = 0; what == LOCK_ACQUIRED && b < LOCK_BUCKETS; b++)
			sum += atomic_load_ulong(&shard[i].holds[b], relaxed);
	}
	return sum;
}

unsigned long lock_stat_unheld_slow(const struct lock_class *class)
{
	const struct lock_shard *shard = class->stats[0].shards;
	unsigned long sum = 0;

	for (unsigned i = 0; i < LOCK_SHARDS; i++)
		sum += atomic_load_ulong(&shard[i].n[LOCK_ACQUIRED], relaxed);
	return sum;
}

static void read_longest(const struct lock_longest *l, struct lock_stat_times *out)
{
	out->max = atomic_load_ulong(&l->ticks, relaxed);
	out->nr_pcs = (unsigned)MIN(atomic_load_ulong(&l->nr_pcs, relaxed), LOCK_TRACE + 0ul);
	for (unsigned i = 0; i < out->nr_pcs; i++)
		out->pcs[i] = atomic_load_ulong(&l->pcs[i], relaxed);
}

void lock_stat_holds(const struct lock_class *class, struct lock_stat_times *out)
{
	*out = (struct lock_stat_times){0};
	for (unsigned i = 0; i < LOCK_SHARDS; i++) {
		const struct lock_shard *shard = &class->stats[0].shards[i];

		out->ticks += atomic_load_ulong(&shard->hold_ticks, relaxed);
		for (unsigned b = 0; b < LOCK_BUCKETS; b++)
			out->buckets[b] += atomic_load_ulong(&shard->holds[b], relaxed);
	}
	read_longest(&class->stats[0].hold, out);
	/* The short ones are not looked at one by one: at least so long. */
	if (!out->max)
		out->max = out->buckets[2] ? 2 : out->buckets[1] ? 1 : 0;
}

void lock_stat_waits(const struct lock_class *class, struct lock_stat_times *out)
{
	const struct lock_class_stats *s = &class->stats[0];

	*out = (struct lock_stat_times){.ticks = atomic_load_ulong(&s->wait_ticks, relaxed)};
	for (unsigned b = 0; b < LOCK_BUCKETS; b++)
		out->buckets[b] = atomic_load_ulong(&s->waits[b], relaxed);
	read_longest(&s->wait, out);
}

/* ---- Single locks ---------------------------------------------------------------------------- */

/*
 * A place is claimed by compare-and-swap of `lock`. Which locks have one: the rule of Misra and
 * Gries. A newcomer that finds none near its hash takes one from the credit of the least contended
 * there, and its place when that is used up: so a lock that makes up more than a share of all
 * contention near it has a place in the end.
 */
#define PROBES 4u

static struct place {
	atomic_ptr lock, class;
	atomic_ulong n[LOCK_STATS];
	atomic_ulong wait_ticks, wait_max;
	atomic_u32 credit;
} places[LOCK_STAT_LOCKS];

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
	for (unsigned i = 0; i < LOCK_STATS; i++)
		atomic_store_ulong(&p->n[i], 0, relaxed);
	atomic_store_ulong(&p->wait_ticks, 0, relaxed);
	atomic_store_ulong(&p->wait_max, 0, relaxed);
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
	struct place *p = find_place(lock);

	lock_stat(class, what);
	if (!p && what == LOCK_CONTENDED)
		p = take_place(lock, class);
	if (!p)
		return;
	atomic_add_ulong(&p->n[what], 1, relaxed);
	if (what == LOCK_CONTENDED)
		atomic_add_u32(&p->credit, 1, relaxed);
}

void lock_stat_wait_slow(struct lock_class *class, const void *lock, uint64_t ticks)
{
	struct lock_class_stats *s = &class->stats[0];
	struct place *p = find_place(lock);
	uintptr_t pcs[LOCK_TRACE];
	unsigned long max;

	atomic_add_ulong(&s->wait_ticks, (unsigned long)ticks, relaxed);
	atomic_add_ulong(&s->waits[bucket_of(ticks)], 1, relaxed);
	if (ticks > atomic_load_ulong(&s->wait.ticks, relaxed))
		note_longest(&s->wait, (unsigned long)ticks, pcs, lock_trace(pcs, LOCK_TRACE));
	if (!p)
		return;
	atomic_add_ulong(&p->wait_ticks, (unsigned long)ticks, relaxed);
	max = atomic_load_ulong(&p->wait_max, relaxed);
	while (ticks > max)
		if (atomic_cas_ulong(&p->wait_max, &max, (unsigned long)ticks, relaxed))
			break;
}

bool lock_stat_lock(unsigned i, struct lock_stat_lock *out)
{
	const struct place *p = &places[i];

	*out = (struct lock_stat_lock){
		.lock = atomic_load_ptr(&p->lock, relaxed),
		.class = atomic_load_ptr(&p->class, relaxed),
		.contended = atomic_load_ulong(&p->n[LOCK_CONTENDED], relaxed),
		.stolen = atomic_load_ulong(&p->n[LOCK_STOLEN], relaxed),
		.parked = atomic_load_ulong(&p->n[LOCK_PARKED], relaxed),
		.wait_ticks = atomic_load_ulong(&p->wait_ticks, relaxed),
		.wait_max = atomic_load_ulong(&p->wait_max, relaxed),
	};
	return out->lock && out->class;
}

/* ---- Sections -------------------------------------------------------------------------------- */

/* Each row is its hart's own; others read it as it is, and forget what it says. */
#define look(x) racy_read(x, "a statistic, whose parts may be of two moments")
#define forget(x) racy_write(x, 0, "a statistic, which may be counting on")
static struct lock_stat_section sections[CONFIG_MAX_HARTS][SECTIONS];

/* Part of what is called where the section ends: the backtrace begins at the caller of that. */
static inline __attribute__((always_inline)) void note_section(
	enum lock_section what, uint64_t since, uintptr_t begin)
{
	bool on = arch_irq_save();
	struct lock_hart *h = lock_hart();
	struct lock_stat_section *s = &sections[h->index][what];
	uint64_t ticks = arch_time() - since;

	/* No beginning: it was not counted, being older than the counting. */
	if (since && ticks > lock_longest(h, what)) {
		racy_write(h->longest[what], ticks, "lock_stat_reset comes at any moment");
		racy_write(s->ticks, ticks, "as above");
		s->begin = begin;
		s->kind = h->in_irq;
		s->nr_pcs = lock_trace(s->pcs, ARRAY_SIZE(s->pcs));
	}
	arch_irq_restore(on);
}

void lock_section_long(enum lock_section what, uint64_t since, uintptr_t begin)
{
	note_section(what, since, begin);
}

void irq_section_end_long(struct lock_hart *h)
{
	note_section(SECTION_IRQS_OFF, h->irqs_off_since, h->irqs_off_pc);
	irq_section_leave(h);
}

bool lock_stat_section(unsigned hart, enum lock_section what, struct lock_stat_section *out)
{
	const struct lock_stat_section *s = &sections[hart][what];

	*out = (struct lock_stat_section){
		.ticks = look(s->ticks),
		.begin = look(s->begin),
		.kind = look(s->kind),
		.nr_pcs = look(s->nr_pcs),
	};
	for (unsigned i = 0; i < ARRAY_SIZE(out->pcs); i++)
		out->pcs[i] = look(s->pcs[i]);
	return out->ticks;
}

/* ---- Forgetting ------------------------------------------------------------------------------ */

void lock_stat_reset_class_slow(struct lock_class *class)
{
	/* All of it is of one type. */
	atomic_ulong *n = (atomic_ulong *)class->stats, *end = (atomic_ulong *)(class->stats + 1);

	static_assert(sizeof(*class->stats) % sizeof(*n) == 0, "statistics are atomic_ulongs");
	for (; n < end; n++)
		atomic_store_ulong(n, 0, relaxed);
}

void lock_stat_reset_locks(void)
{
	for (unsigned i = 0; i < LOCK_STAT_LOCKS; i++) {
		clear_place(&places[i]);
		atomic_store_ptr(&places[i].lock, NULL, relaxed);
	}
}

void lock_stat_reset_sections(void)
{
	for (unsigned i = 0; i < nr_lock_harts; i++) {
		for (unsigned what = 0; lock_harts[i] && what < SECTIONS; what++) {
			forget(sections[i][what].ticks);
			forget(lock_harts[i]->longest[what]);
		}
	}
}

void lock_stat_reset(void)
{
	lock_class_for_each(c)
		lock_stat_reset_class_slow(c);
	lock_stat_reset_locks();
	lock_stat_reset_sections();
}
