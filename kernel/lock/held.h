/* SPDX-License-Identifier: MIT */
/*
 * The records of held locks: lock_hart.held and lock_thread.held (context.h).
 *
 * A record has one writer at a time: its hart with SIE off, or its thread (its reaper, once that
 * has ended). The writer reads it as it likes. Everybody else looks at any moment, without a lock,
 * and for reports and commands only: other harts, and on the same hart a handler or a fault that
 * came in the middle of a change. They go through held_look, which never shows a record that is
 * half written.
 *
 *	push	class, pc...  -> fence ->  lock  ->  nr
 *	remove	lock = NULL   -> fence ->  nr, and the next writes to that slot
 *
 * `lock` is what makes a slot a record: NULL, it is none, whatever nr says; so the order of `lock`
 * and nr among themselves does not matter. Who sees a lock there sees, behind an acquire fence, the
 * fields that were stored before it. A look reads the fields before and after its second load of
 * `lock`. If the first ones were of another record, then that one's were stored behind an emptying,
 * so the second load gives a lock that came after it, and the fields behind that load are at least
 * as new as that lock: the two differ in `since`, unless a slot is acquired twice within one tick.
 * A class is static, so even a torn pair could be printed.
 *
 * A look counts at most HELD_MAX slots. It may miss a lock that is just being acquired or released,
 * and, while another is released out of order, see one twice or not at all.
 */
#ifndef KERNEL_LOCK_HELD_H
#define KERNEL_LOCK_HELD_H

#include "kernel/lock/context.h"
#include "kernel/lock/race.h"

/* A load of a look: what the fences and the second load sort out. */
#define held_load(x) racy_read(x, "held_look tells a record from a half-written one")

/* The slot, the next one, is filled in but for what makes it a record. The record's writer. */
static inline void held_publish(struct held_lock *slot, uint8_t *nr, const void *lock)
{
	fence_release(); /* partner: the first fence of held_look */
	slot->lock = lock;
	++*nr;
}

/* The caller is the record's writer, *nr < HELD_MAX. Not the checker's fields: node, pcs[1..]. */
static inline void held_push(struct held_lock *held, uint8_t *nr, const void *lock,
	struct lock_class *class, uintptr_t pc, unsigned flags, uint64_t since)
{
	struct held_lock *slot = &held[*nr];

	slot->class = class;
	slot->pc = pc;
	slot->since = since;
	slot->flags = flags;
	held_publish(slot, nr, lock);
}

/* All but what makes it a record. The checker's fields are its own: who looks may see them torn. */
static inline void held_copy(struct held_lock *to, const struct held_lock *from)
{
	to->class = held_load(from->class);
	to->since = held_load(from->since);
	to->flags = held_load(from->flags);
	to->node = held_load(from->node);
	to->nr_pcs = held_load(from->nr_pcs);
	for (unsigned i = 0; i < HELD_TRACE; i++)
		to->pcs[i] = held_load(from->pcs[i]);
}

/* The newest one, at `newest`, goes. The record's writer. */
static inline void held_drop(struct held_lock *newest, uint8_t *nr)
{
	newest->lock = NULL;
	--*nr;
	fence_release(); /* partner: the second fence of held_look */
}

/* The newest one goes. The record's writer, *nr > 0. */
static inline void held_pop(struct held_lock *held, uint8_t *nr)
{
	held_drop(&held[*nr - 1], nr);
}

/* `mine`, one of them, goes. The record's writer. */
static inline void held_remove(struct held_lock *held, uint8_t *nr, struct held_lock *mine)
{
	struct held_lock *last = &held[*nr - 1];

	for (; mine < last; mine++) {
		const void *lock = mine[1].lock;

		mine->lock = NULL;
		fence_release(); /* as in held_pop */
		held_copy(mine, &mine[1]);
		fence_release(); /* as in held_push */
		mine->lock = lock;
	}
	held_pop(held, nr);
}

/* A look from anywhere. False: there is no record in this slot now. */
static inline bool held_look(const struct held_lock *slot, struct held_lock *out)
{
	const void *lock = held_load(slot->lock);

	fence_acquire(); /* partner: held_push */
	if (!lock)
		return false;
	out->lock = lock;
	held_copy(out, slot);
	fence_acquire(); /* partner: held_pop */
	if (held_load(slot->lock) != lock)
		return false;
	/* Another lock may have had the slot in between and given it back to this one. */
	fence_acquire(); /* partner: held_push */
	return held_load(slot->class) == out->class && held_load(slot->pc) == out->pc &&
		held_load(slot->since) == out->since && held_load(slot->flags) == out->flags;
}

/* How many slots to look at. */
static inline unsigned held_count(const uint8_t *nr)
{
	unsigned n = held_load(*nr);

	return MIN(n, HELD_MAX);
}

#endif
