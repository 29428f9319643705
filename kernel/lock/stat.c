/* SPDX-License-Identifier: MIT */
/* Statistics of locks: the parts of stat.h that are not on the way of an uncontended lock. Those of
 * single locks: stat_lock.c. */
#include "kernel/lock/stat_internal.h"

#include "kernel/lock/race.h"
#include "kernel/lock/trace.h"

/* ---- Classes --------------------------------------------------------------------------------- */

unsigned stat_bucket(uint64_t ticks)
{
	unsigned n = 0;

	for (; ticks && n < LOCK_BUCKETS - 1; ticks >>= 1)
		n++;
	return n;
}

void stat_note_longest(
	struct lock_longest *l, unsigned long ticks, const uintptr_t *pcs, unsigned nr)
{
	unsigned long max = atomic_load_ulong(&l->ticks, relaxed);

	do
		if (ticks <= max)
			return;
	/* Release: the sum and the bucket that it is in. Partner: stat_read_longest. */
	while (!atomic_cas_ulong(&l->ticks, &max, ticks, release));
	nr = MIN(nr, (unsigned)LOCK_TRACE);
	for (unsigned i = 0; i < nr; i++)
		atomic_store_ulong(&l->pcs[i], pcs[i], relaxed);
	atomic_store_ulong(&l->nr_pcs, nr, relaxed);
}

void lock_stat_held_slow(
	struct lock_class *class, const void *lock, uint64_t ticks, const struct held_lock *mine)
{
	struct lock_shard *shard = lock_stat_shard(class);
	unsigned nr = MAX(MIN(mine->nr_pcs, HELD_TRACE), 1u);

	atomic_add_ulong(&shard->hold_ticks, (unsigned long)ticks, relaxed);
	atomic_add_ulong(&shard->holds[stat_bucket(ticks)], 1, relaxed);
	stat_note_longest(&class->stats[0].hold, (unsigned long)ticks, mine->pcs, nr);
	if (atomic_load_ulong(&class->stats[0].placed, relaxed))
		stat_lock_held(lock, ticks, mine->pcs, nr);
}

void lock_stat_wait_slow(struct lock_class *class, const void *lock, uint64_t ticks)
{
	struct lock_class_stats *s = &class->stats[0];
	uintptr_t pcs[LOCK_TRACE];
	unsigned nr = lock_trace(pcs, LOCK_TRACE);

	atomic_add_ulong(&s->wait_ticks, (unsigned long)ticks, relaxed);
	atomic_add_ulong(&s->waits[stat_bucket(ticks)], 1, relaxed);
	stat_note_longest(&s->wait, (unsigned long)ticks, pcs, nr);
	stat_lock_waited(lock, ticks, pcs, nr);
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

void stat_read_longest(const struct lock_longest *l, struct lock_stat_times *out)
{
	/* Acquire, before the others are looked at: it is among them. Partner: stat_note_longest.
	 */
	out->max = atomic_load_ulong(&l->ticks, acquire);
	out->nr_pcs = (unsigned)MIN(atomic_load_ulong(&l->nr_pcs, relaxed), LOCK_TRACE + 0ul);
	for (unsigned i = 0; i < out->nr_pcs; i++)
		out->pcs[i] = atomic_load_ulong(&l->pcs[i], relaxed);
}

void lock_stat_holds(const struct lock_class *class, struct lock_stat_times *out)
{
	uint64_t least;

	/* The sum is read last, and written first: it is not less than the longest. */
	*out = (struct lock_stat_times){0};
	stat_read_longest(&class->stats[0].hold, out);
	for (unsigned i = 0; i < LOCK_SHARDS; i++) {
		const struct lock_shard *shard = &class->stats[0].shards[i];

		for (unsigned b = 0; b < LOCK_BUCKETS; b++)
			out->buckets[b] += atomic_load_ulong(&shard->holds[b], relaxed);
		out->ticks += atomic_load_ulong(&shard->hold_ticks, relaxed);
	}
	/* The short ones are not all looked at one by one: at least so long. */
	least = out->buckets[2] ? 2 : out->buckets[1] ? 1 : 0;
	if (out->max < least) {
		out->max = least;
		out->nr_pcs = 0;
	}
}

void lock_stat_waits(const struct lock_class *class, struct lock_stat_times *out)
{
	const struct lock_class_stats *s = &class->stats[0];

	*out = (struct lock_stat_times){0};
	stat_read_longest(&s->wait, out);
	for (unsigned b = 0; b < LOCK_BUCKETS; b++)
		out->buckets[b] = atomic_load_ulong(&s->waits[b], relaxed);
	out->ticks = atomic_load_ulong(&s->wait_ticks, relaxed);
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
