/* SPDX-License-Identifier: MIT */
/*
 * Named points in the lock protocols: one mark in the source, three masters (CONFIG_LOCKPOINTS).
 *
 *	LOCK_POINT(irqlock_join);		a step between two actions, or a branch
 *	LOCK_WINDOW(irqlock_link);		a step that others have to come in front of
 *	LOCK_WAITING(pilock_spin);		a wait goes round, and relaxes next
 *	LOCK_EVENT(irqlock_acquired, l, c);	something happened to lock l of class c
 *	if (LOCK_CHAOS(irqlock_no_spin))	shall the rare way be taken without need?
 *	LOCK_COUNTED(chain_closed);		a branch of what only looks on: counted, no more
 *
 *   count  Each point counts how often it was passed (an occasion for chaos: how often it was
 *          taken), so a torture can tell which branches it never saw. Command `points`.
 *   chaos  By seed (boot argument lockchaos=SEED, or lock_chaos_set) LOCK_CHAOS is true now and
 *          then, and points take a moment longer, windows long and often: what happens only if
 *          somebody comes between two instructions does. For each seed some occasions are
 *          frequent and others rare. What is forced must be something the protocol allows at any
 *          time: a try that fails, a sleep that ends for no reason, a slow way.
 *   hunt   Each point is an event of a schedule (lock_point_hook, tests/hunt): the hart may be held
 *          up there while others run.
 *
 * Where points may stand: anywhere in kernel/lock and kernel/wait, SIE as it is, any lock held,
 * except between a look and the wfi that relies on it (use LOCK_SLEEP around the wfi) and in what a
 * point itself calls. Only in .c files: an inline function would have one in each file. A name is
 * used once; what stands before its first '_' is the kind of lock, by which tortures choose.
 *
 * Without CONFIG_LOCKPOINTS all of it compiles to nothing. A program for the host that runs these
 * sources has none either, unless it defines the macros before.
 */
#ifndef KERNEL_LOCK_POINT_H
#define KERNEL_LOCK_POINT_H

#include "kernel/lock/atomic.h"
#include "lib/linkset.h"
#include "lib/types.h"

struct lock_class;
struct lock_hart;

enum lock_point_kind {
	POINT_STEP,
	POINT_WINDOW,
	POINT_EVENT,   /* says that somebody got further; a wait that goes on has none */
	POINT_WAITING, /* no place for a schedule: the step of the wait is one */
	POINT_CHAOS,
	POINT_COUNTED, /* no place for a schedule either, nor for chaos */
};

struct lock_point {
	const char *name;
	enum lock_point_kind kind;
	atomic_u32 count; /* relaxed: a lone value */
};

LINKSET_DECLARE(lock_point, struct lock_point);
/* for every point: `p` is a struct lock_point *. */
#define lock_point_for_each(p) linkset_for_each(lock_point, struct lock_point, p)

/* Either; `lock` and `class` may be NULL. */
void lock_point_hit(
	struct lock_point *p, const void *lock, const struct lock_class *class, uintptr_t pc);
bool lock_chaos(struct lock_point *p);
static inline void lock_point_count(struct lock_point *p)
{
	atomic_add_u32(&p->count, 1, relaxed);
}

/* All counts to zero. Either. */
void lock_points_reset(void);
/* Chaos by this seed from now on; 0: none. Either. */
void lock_chaos_set(uint64_t seed);
uint64_t lock_chaos_seed(void);
/* With any seed, occasions whose names begin so are frequent; NULL: none is for that. `prefix`
 * stays where it is. Either. */
void lock_chaos_favour(const char *prefix);

/*
 * Hooks of the hunt (CONFIG_HUNT), filled by tests/hunt before the other harts run. All: either,
 * any lock held, SIE as it is and stays.
 *
 * lock_point_hook    a point is passed.
 * lock_relax_hook    one step of a wait is about to be made (relax.h).
 * lock_sleep_hook    in place of the wfi of a waiter that parks: returns for any reason. False: not
 *                    hunting, the wfi is the caller's.
 * lock_idle_hook     the hart is about to wait for interrupts with nothing to run (true), or does
 *                    so no longer (false).
 * lock_irq_hook      at the end of a timer or software interrupt, in the handler.
 */
struct lock_hooks {
	void (*point)(struct lock_point *p, const void *lock, const struct lock_class *class,
		uintptr_t pc);
	void (*relax)(void);
	bool (*sleep)(void);
	void (*idle)(bool begin);
	void (*irq)(void);
};
extern struct lock_hooks lock_hooks;

/* #if: a point that is not there must not be in the table either. */
#if !defined(LOCK_POINT)
#if CONFIG_LOCKPOINTS && defined(__riscv)

#define LOCK_POINT_HERE(id, kind_) \
	({ \
		static struct lock_point point_##id = {.name = #id, .kind = (kind_)}; \
		static struct lock_point *const entry_##id \
			__attribute__((used, section("linkset_lock_point"))) = &point_##id; \
		&point_##id; \
	})
#define LOCK_CALLER ((uintptr_t)__builtin_return_address(0))
#define LOCK_POINT(id) lock_point_hit(LOCK_POINT_HERE(id, POINT_STEP), NULL, NULL, LOCK_CALLER)
#define LOCK_WINDOW(id) lock_point_hit(LOCK_POINT_HERE(id, POINT_WINDOW), NULL, NULL, LOCK_CALLER)
#define LOCK_WAITING(id) lock_point_hit(LOCK_POINT_HERE(id, POINT_WAITING), NULL, NULL, LOCK_CALLER)
#define LOCK_EVENT(id, lock, class) LOCK_EVENT_AT(id, lock, class, LOCK_CALLER)
/* `pc`: who did it. */
#define LOCK_EVENT_AT(id, lock, class, pc) \
	lock_point_hit(LOCK_POINT_HERE(id, POINT_EVENT), (lock), (class), (pc))
#define LOCK_CHAOS(id) lock_chaos(LOCK_POINT_HERE(id, POINT_CHAOS))
#define LOCK_COUNTED(id) lock_point_count(LOCK_POINT_HERE(id, POINT_COUNTED))

#else

#define LOCK_POINT(id) ((void)0)
#define LOCK_WINDOW(id) ((void)0)
#define LOCK_WAITING(id) ((void)0)
#define LOCK_EVENT(id, lock, class) ((void)0)
#define LOCK_EVENT_AT(id, lock, class, pc) ((void)0)
#define LOCK_CHAOS(id) false
#define LOCK_COUNTED(id) ((void)0)

#endif
#endif

/* Calls a hook, if there is one: LOCK_HOOK(relax). */
#define LOCK_HOOK(name, ...) \
	do { \
		if (CONFIG_HUNT && lock_hooks.name) \
			lock_hooks.name(__VA_ARGS__); \
	} while (0)
/* The wfi of a parked waiter was made by the hunt. */
#define LOCK_SLEPT() (CONFIG_HUNT && lock_hooks.sleep && lock_hooks.sleep())

/* Uncontended ways inline in the headers: only where nothing has to be counted or checked. */
#define LOCK_INLINE (!CONFIG_LOCKCHECK && !CONFIG_LOCKSTAT && !CONFIG_LOCKPOINTS)

#endif
