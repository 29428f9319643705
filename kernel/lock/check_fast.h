/* SPDX-License-Identifier: MIT */
/*
 * The checker's common cases, inline in the locks: the context is plainly right, at most one lock
 * of a smaller rank is held, what is asked for after it has been asked for after it before, the one
 * released is the newest. Everything else goes to check.c, which has the rules; these shortcuts
 * only see that none of them can apply. Who looks at a record meanwhile: held.h.
 *
 *	*_plain		true: there is nothing to check in this acquire, nor in writing its record
 *	*_record	writes it, after a plain one
 *	*_release_plain	true: the record is gone, the hold was short and is counted; false: nothing
 *			has changed
 *	*_release	the whole of it
 *
 * A lock function that has only the plain way inline, and leaves the rest to another one by a tail
 * call, keeps nothing over calls, so saves no registers: half of its cost.
 *
 * check_irqlock_*: SIE is off in all of them. check_thread_*, for sleeping and mixed locks: SIE as
 * it is, on in the common case; then only the thread's own fields are looked at.
 */
#ifndef KERNEL_LOCK_CHECK_FAST_H
#define KERNEL_LOCK_CHECK_FAST_H

#include "kernel/lock/check.h"
#include "kernel/lock/check_graph.h"
#include "kernel/lock/context.h"
#include "kernel/lock/held.h"
#include "kernel/lock/stat.h"
#include "kernel/lock/trace.h"

#define INLINE static inline __attribute__((always_inline))

/* Is the edge from what is held known? */
INLINE bool known_after(const struct held_lock *held, unsigned node, unsigned flags)
{
	/* The same as graph_covers(GRAPH_KIND(...)) for who does not pass. */
	unsigned kinds = flags & CHECK_RECURSIVE
		? graph_covers(GRAPH_KIND(held->flags & CHECK_READ, true))
		: 1u << GRAPH_EN | (held->flags & CHECK_READ);

	static_assert(CHECK_READ == 1 << GRAPH_SN, "the flag is the bit");
	return likely(!(held->flags & CHECK_TRANSPARENT)) &&
		graph_known_kinds(held->node, node, kinds);
}

/* The newest of its record; one lock more than this one, or one that is wrong, is not plain. */
INLINE bool plain_after(const struct held_lock *held, unsigned nr, const void *lock,
	const struct lock_class *class, unsigned node, unsigned flags)
{
	return nr == 1 && held->lock != lock && held->class->rank < class->rank &&
		((flags & CHECK_TRY) || known_after(held, node, flags));
}

INLINE void write_record(struct held_lock *held, uint8_t *nr, const void *lock,
	struct lock_class *class, unsigned flags, uintptr_t pc, uintptr_t stack_top, uint64_t now)
{
	struct held_lock *mine = &held[*nr];

	/* Relaxed: a lone number. */
	mine->node = (uint16_t)atomic_load_u32(&class->nodes[CLASS_NODE_LOCK], relaxed);
	mine->nr_pcs = (uint8_t)trace_walk((uintptr_t)__builtin_frame_address(0),
		(uintptr_t)__builtin_return_address(0), stack_top, pc, mine->pcs, HELD_TRACE);
	mine->class = class;
	mine->since = now;
	mine->flags = flags;
	held_publish(mine, nr, lock);
}

/* The newest of `nr` records, if it is the lock's. */
INLINE struct held_lock *newest(
	struct held_lock *held, unsigned nr, const void *lock, unsigned flags)
{
	struct held_lock *mine;

	if (unlikely(!nr))
		return NULL;
	mine = &held[nr - 1];
	return likely(mine->lock == lock && !((mine->flags ^ flags) & CHECK_VARIANT)) ? mine : NULL;
}

/* Returns the time. */
INLINE uint64_t count_hold(struct lock_class *class, const void *lock, const struct held_lock *mine)
{
	uint64_t now = CONFIG_LOCKSTAT ? arch_time() : 0;

	lock_stat_held(class, lock, now - mine->since, mine);
	return now;
}

/* ---- Irqlocks -------------------------------------------------------------------------------- */

/* In a thread; a handler comes after its interrupt, posted work as well: the slow way knows. */
INLINE bool check_irqlock_plain(
	const struct lock_hart *h, const void *lock, const struct lock_class *class, unsigned flags)
{
	const struct lock_thread *t = h ? h->thread : NULL;
	unsigned node;

	if (!CONFIG_LOCKCHECK)
		return true;
	/* Relaxed: `seen` is set by the slow way once that has found the context declared. */
	if (unlikely(!t || h->panicking || h->in_irq || t->posted_work ||
		    (flags & (CHECK_IN_IRQ | CHECK_SECOND)) ||
		    (h->irq_depth && (flags & CHECK_SIE_WAS_ON)) ||
		    !(atomic_load_u32(&class->seen[0], relaxed) & LOCK_IN_THREAD)))
		return false;
	node = atomic_load_u32(&class->nodes[CLASS_NODE_LOCK], relaxed);
	if (unlikely(!node))
		return false;
	if (h->nr_held)
		return plain_after(&h->held[0], h->nr_held, lock, class, node, flags);
	return !t->nr_held || (flags & CHECK_TRY) ||
		known_after(&t->held[t->nr_held - 1], node, flags);
}

/* A seqlock's reader; SIE as it is. */
INLINE bool check_look(const void *lock, struct lock_class *class, uintptr_t pc)
{
	const unsigned flags = CHECK_READ | CHECK_RECURSIVE;
	const struct lock_thread *t = lock_thread();
	unsigned node;

	if (!CONFIG_LOCKCHECK)
		return true;
	node = atomic_load_u32(&class->nodes[CLASS_NODE_LOCK], relaxed);
	if (likely(arch_irq_enabled() && t && !t->posted_work && node &&
		    (class->contexts & LOCK_IN_THREAD)) &&
		(!t->nr_held || known_after(&t->held[t->nr_held - 1], node, flags)))
		return true;
	return check_look_slow(lock, class, pc);
}

/* `outermost` of the interrupts-off sections. */
INLINE void check_irqlock_record(struct lock_hart *h, const void *lock, struct lock_class *class,
	unsigned flags, uintptr_t pc, bool outermost)
{
	uint64_t now = CONFIG_LOCKSTAT ? arch_time() : 0;

	if (!CONFIG_LOCKCHECK)
		return;
	write_record(h->held, &h->nr_held, lock, class, flags, pc, h->thread->stack_top, now);
	if (CONFIG_LOCKSTAT && outermost) {
		h->irqs_off_since = now;
		h->irqs_off_pc = pc;
	}
}

/* With interrupts on the hart may not even be ours: the slow way says so. */
INLINE struct held_lock *irqlock_newest(struct lock_hart *h, const void *lock, unsigned flags)
{
	if (unlikely(arch_irq_enabled() || !h->thread || h->panicking))
		return NULL;
	return newest(h->held, h->nr_held, lock, flags);
}

INLINE bool check_irqlock_release_plain(
	struct lock_hart *h, const void *lock, struct lock_class *class, unsigned flags)
{
	struct held_lock *mine;
	uint64_t now;

	if (!CONFIG_LOCKCHECK)
		return true;
	mine = irqlock_newest(h, lock, flags);
	if (unlikely(!mine))
		return false;
	now = CONFIG_LOCKSTAT ? arch_time() : 0;
	if (unlikely(!lock_stat_held_short(class, now - mine->since)))
		return false;
	held_drop(mine, &h->nr_held);
	h->irqs_off_end = now;
	return true;
}

INLINE bool check_irqlock_release(
	const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc)
{
	struct lock_hart *h = lock_hart();
	struct held_lock *mine;

	if (!CONFIG_LOCKCHECK)
		return true;
	mine = irqlock_newest(h, lock, flags);
	if (unlikely(!mine))
		return check_release_slow(lock, class, flags, pc);
	held_drop(mine, &h->nr_held);
	h->irqs_off_end = count_hold(class, lock, mine);
	return true;
}

/* ---- Sleeping and mixed locks ---------------------------------------------------------------- */

/* A thread that may sleep, and whose run keeps no history. */
INLINE bool plain_thread(const struct lock_thread *t)
{
	/* With SIE on no report is being printed here. */
	return arch_irq_enabled() && t && !t->preempt_depth && !t->posted_work && !t->seq_writers &&
		!t->run.depth;
}

/* A wait for an event of the class, for which nothing has to be checked or noted. */
INLINE bool check_wait_plain(const struct lock_thread *t, const struct lock_class *event)
{
	unsigned node;

	if (!CONFIG_LOCKCHECK)
		return true;
	if (unlikely(!plain_thread(t)))
		return false;
	node = atomic_load_u32(&event->nodes[CLASS_NODE_EVENT], relaxed);
	if (unlikely(!node))
		return false;
	if (t->nr_held)
		return known_after(&t->held[t->nr_held - 1], node, 0);
	return !t->run_node || graph_known_edge(t->run_node, node, GRAPH_EN);
}

/* Are the edges to both interrupt contexts known, of a lock that is held with interrupts on? */
INLINE bool known_irqs_on(unsigned node, unsigned flags)
{
	unsigned kinds = graph_covers(GRAPH_KIND(flags & CHECK_READ, false));
	uint32_t word = atomic_load_u32(&graph_known[node][0], relaxed);

	static_assert(GRAPH_IRQ_IPI < GRAPH_PER_WORD, "both in the first word");
	return (word & kinds << GRAPH_IRQ_HARD * 4) && (word & kinds << GRAPH_IRQ_IPI * 4);
}

INLINE bool check_thread_plain(const struct lock_thread *t, const void *lock,
	const struct lock_class *class, unsigned flags)
{
	unsigned node;

	if (!CONFIG_LOCKCHECK)
		return true;
	if (unlikely(!plain_thread(t) || (flags & CHECK_SECOND)))
		return false;
	node = atomic_load_u32(&class->nodes[CLASS_NODE_LOCK], relaxed);
	if (unlikely(!node || !known_irqs_on(node, flags)))
		return false;
	if (t->nr_held)
		return plain_after(&t->held[0], t->nr_held, lock, class, node, flags);
	return !t->run_node || (flags & CHECK_TRY) ||
		graph_known_edge(t->run_node, node, GRAPH_KIND(false, flags & CHECK_RECURSIVE));
}

INLINE void check_thread_record(struct lock_thread *t, const void *lock, struct lock_class *class,
	unsigned flags, uintptr_t pc)
{
	if (!CONFIG_LOCKCHECK)
		return;
	write_record(t->held, &t->nr_held, lock, class, flags, pc, t->stack_top,
		CONFIG_LOCKSTAT ? arch_time() : 0);
	check_filter_add(lock, 1);
}

INLINE struct held_lock *thread_newest(struct lock_thread *t, const void *lock, unsigned flags)
{
	return plain_thread(t) ? newest(t->held, t->nr_held, lock, flags) : NULL;
}

INLINE bool check_thread_release_plain(
	struct lock_thread *t, const void *lock, struct lock_class *class, unsigned flags)
{
	struct held_lock *mine;

	if (!CONFIG_LOCKCHECK)
		return true;
	mine = thread_newest(t, lock, flags);
	if (unlikely(!mine) ||
		unlikely(!lock_stat_held_short(
			class, (CONFIG_LOCKSTAT ? arch_time() : 0) - mine->since)))
		return false;
	check_filter_add(lock, -1u);
	held_drop(mine, &t->nr_held);
	return true;
}

INLINE bool check_thread_release(
	const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc)
{
	struct lock_thread *t = lock_thread();
	struct held_lock *mine;

	if (!CONFIG_LOCKCHECK)
		return true;
	mine = thread_newest(t, lock, flags);
	if (unlikely(!mine))
		return check_release_slow(lock, class, flags, pc);
	check_filter_add(lock, -1u);
	held_drop(mine, &t->nr_held);
	count_hold(class, lock, mine);
	return true;
}

#undef INLINE

#endif
