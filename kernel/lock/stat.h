/* SPDX-License-Identifier: MIT */
/*
 * Statistics of locks (CONFIG_LOCKSTAT): how often, how contended, how long held and waited for;
 * and, per hart, the longest stretches with interrupts or preemption off.
 *
 * All counters are relaxed: each is a lone value, and a reader's sum is a look, no moment. What is
 * on the way of an uncontended lock is inline and counts into the shard of the hart; the rest is in
 * stat.c, that of single locks in stat_lock.c. All of it: either, SIE as it is, no locks; compiled
 * out without CONFIG_LOCKSTAT.
 */
#ifndef KERNEL_LOCK_STAT_H
#define KERNEL_LOCK_STAT_H

#include "kernel/lock/class.h"
#include "kernel/lock/context.h"

/* Which shard only matters for speed, so a migration after the choice is harmless. */
static inline struct lock_shard *lock_stat_shard(struct lock_class *class)
{
	return &class->stats[0].shards[lock_hart()->index % LOCK_SHARDS];
}

/* One more for the class. */
static inline void lock_stat(struct lock_class *class, enum lock_stat what)
{
	if (CONFIG_LOCKSTAT)
		atomic_add_ulong(&lock_stat_shard(class)->n[what], 1, relaxed);
}

void lock_stat_of_slow(struct lock_class *class, const void *lock, enum lock_stat what);
void lock_stat_wait_slow(struct lock_class *class, const void *lock, uint64_t ticks);
void lock_stat_held_slow(
	struct lock_class *class, const void *lock, uint64_t ticks, const struct held_lock *mine);

/* The same, and for the lock itself: what happens to contended ones. */
static inline void lock_stat_of(struct lock_class *class, const void *lock, enum lock_stat what)
{
	if (CONFIG_LOCKSTAT)
		lock_stat_of_slow(class, lock, what);
}

/* When a wait began, and that it is over, whether with the lock or without. */
static inline uint64_t lock_stat_wait_begins(void)
{
	return CONFIG_LOCKSTAT ? arch_time() : 0;
}

static inline void lock_stat_waited(struct lock_class *class, const void *lock, uint64_t since)
{
	if (CONFIG_LOCKSTAT)
		lock_stat_wait_slow(class, lock, arch_time() - since);
}

/* A hold of `ticks` is over. False: it was not short, or the lock may have figures of its own, and
 * it is not counted yet. */
static inline bool lock_stat_held_short(struct lock_class *class, uint64_t ticks)
{
	struct lock_shard *shard;

	if (!CONFIG_LOCKSTAT)
		return true;
	if (unlikely(ticks > 3 || atomic_load_ulong(&class->stats[0].placed, relaxed)))
		return false;
	shard = lock_stat_shard(class);
	atomic_add_ulong(&shard->hold_ticks, (unsigned long)ticks, relaxed);
	/* The bit lengths of 0, 1, 2, 3. */
	atomic_add_ulong(&shard->holds[ticks - (ticks & ticks >> 1)], 1, relaxed);
	return true;
}

/* The lock was held for `ticks`; `mine` is, or has just been, its record. */
static inline void lock_stat_held(
	struct lock_class *class, const void *lock, uint64_t ticks, const struct held_lock *mine)
{
	if (!lock_stat_held_short(class, ticks))
		lock_stat_held_slow(class, lock, ticks, mine);
}

/* The caller has just taken the lock, alone; *last says which hart had it before. */
static inline void lock_stat_owner(
	struct lock_class *class, const void *lock, uint8_t *last, unsigned hart)
{
	if (!CONFIG_LOCKSTAT || likely(*last == hart + 1))
		return;
	if (*last)
		lock_stat_of_slow(class, lock, LOCK_BOUNCED);
	*last = (uint8_t)(hart + 1);
}

/* ---- What was counted ------------------------------------------------------------------------ */

unsigned long lock_stat_read_slow(const struct lock_class *class, enum lock_stat what);

/* Sum over the shards; 0 without CONFIG_LOCKSTAT. */
static inline unsigned long lock_stat_read(const struct lock_class *class, enum lock_stat what)
{
	return CONFIG_LOCKSTAT ? lock_stat_read_slow(class, what) : 0;
}

/* Of the acquisitions, those of what nobody holds (semaphores): they have no time of a hold. */
unsigned long lock_stat_unheld_slow(const struct lock_class *class);
static inline unsigned long lock_stat_unheld(const struct lock_class *class)
{
	return CONFIG_LOCKSTAT ? lock_stat_unheld_slow(class) : 0;
}

struct lock_stat_times {
	uint64_t ticks, max; /* in all, and the longest */
	unsigned nr_pcs;     /* of the longest */
	uintptr_t pcs[LOCK_TRACE];
	unsigned long buckets[LOCK_BUCKETS];
};
/* All zero without CONFIG_LOCKSTAT. */
void lock_stat_holds(const struct lock_class *class, struct lock_stat_times *out);
void lock_stat_waits(const struct lock_class *class, struct lock_stat_times *out);

/*
 * Single locks: those that were contended most of all. There is room for LOCK_STAT_LOCKS; when a
 * place is wanted, one that is contended less than newcomers gives way. No figure for what a lock
 * did before it had a place: its first wait is counted in full, and all holds that end after that.
 */
#define LOCK_STAT_LOCKS 256
struct lock_stat_lock {
	const void *lock;
	const struct lock_class *class;
	unsigned long n[LOCK_STATS];
	struct lock_stat_times holds, waits;
};
/* The i-th place. False: nobody has it. */
bool lock_stat_lock(unsigned i, struct lock_stat_lock *out);
/* Contentions of a lock without a place that got none, or took another lock's with its figures. */
unsigned long lock_stat_crowded(void);

/* The longest stretches of a hart. */
struct lock_stat_section {
	uint64_t ticks;
	uintptr_t begin; /* where it began, 0: not known */
	unsigned kind;	 /* SECTION_HANDLER: enum irq_kind */
	unsigned nr_pcs; /* where it ended, and who called that */
	uintptr_t pcs[LOCK_TRACE + 2];
};
bool lock_stat_section(unsigned hart, enum lock_section what, struct lock_stat_section *out);

/* Forgets everything that was counted, or what was for one class, for single locks, for harts; what
 * happens meanwhile may be counted or not. */
void lock_stat_reset(void);
void lock_stat_reset_locks(void);
void lock_stat_reset_sections(void);
void lock_stat_reset_class_slow(struct lock_class *class);
static inline void lock_stat_reset_class(struct lock_class *class)
{
	if (CONFIG_LOCKSTAT)
		lock_stat_reset_class_slow(class);
}

#endif
