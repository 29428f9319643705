/* SPDX-License-Identifier: MIT */
/*
 * What a hart or a thread waits for, readable by everybody without a lock: the edges of the graph
 * in which kernel/wait/chain.c looks for deadlocks, and half of every deadlock card.
 *
 * Each hart has one (the irqlock whose queue it stands in, SIE off) and so has each thread (a lock
 * with an owner, an event, the end of a thread, the answer of a hart). Only the owner begins and
 * ends its wait; `serial` is odd meanwhile. Whoever reads the same odd serial before and after what
 * lies between has seen one wait, and knows that it lasted from the one look to the other: its
 * owner slept or spun all the time, and released nothing.
 *
 * Who begins a wait and then looks for a cycle executes a full fence in between (chain.c): of the
 * members of a cycle the last to do so sees all the others.
 *
 * Orders. Fields are stored with release and loaded with acquire: a reader that saw a field of a
 * later wait also sees that serial has moved on from the earlier one. `woken` is set by the waker
 * before it wakes: a waker that then waits itself sees that its sleeper no longer does.
 */
#ifndef KERNEL_LOCK_WAITING_H
#define KERNEL_LOCK_WAITING_H

#include "kernel/lock/atomic.h"

struct lock_class;

enum wait_kind {
	WAIT_NONE,
	WAIT_IRQLOCK,	/* a hart, for an irqlock */
	WAIT_IRQRWLOCK, /* a hart, for an irqrwlock */
	WAIT_PILOCK,	/* a thread, for a lock whose word names its owner */
	WAIT_READERS,	/* a thread, for the readers of its rwmutex to leave */
	WAIT_EVENT,	/* a thread, for what thread `who` (0: not known) is to signal */
	WAIT_THREAD,	/* a thread, for the end of thread `who` */
	WAIT_CALL,	/* a thread, for hart number `who` to answer */
};

enum wait_flags {
	WAIT_KIND_MASK = 0xff,
	WAIT_TIMED = 1 << 8,	/* ends by itself */
	WAIT_KILLABLE = 1 << 9, /* a kill ends it */
	WAIT_IRQS_OFF = 1 << 10 /* WAIT_CALL: with SIE off, so that its hart answers nobody */
};

struct lock_wait {
	atomic_u32 serial; /* steps at the beginning and at the end of each wait */
	atomic_u32 woken;  /* somebody has ended this sleep; the sleeper does not know yet */
	atomic_u32 how;	   /* enum wait_kind | enum wait_flags */
	atomic_u32 who;
	atomic_ptr what, class;
};

/* One wait, as a reader has seen it. */
struct wait_seen {
	uint32_t serial;
	bool woken;
	unsigned how;
	uint32_t who;
	const void *what;
	const struct lock_class *class; /* NULL: it has none */
};

/* The owner. The order of the stores: head of the file. */
static inline void wait_begins(struct lock_wait *w, unsigned how, const void *what,
	const struct lock_class *class, uint32_t who)
{
	atomic_store_u32(&w->woken, 0, release);
	atomic_store_u32(&w->how, how, release);
	atomic_store_u32(&w->who, who, release);
	atomic_store_ptr(&w->what, (void *)what, release);
	atomic_store_ptr(&w->class, (void *)class, release);
	atomic_store_u32(&w->serial, atomic_load_u32(&w->serial, relaxed) + 1, release);
}

static inline void wait_ends(struct lock_wait *w)
{
	atomic_store_u32(&w->serial, atomic_load_u32(&w->serial, relaxed) + 1, release);
}

/* The sleeper goes to sleep once more in the same wait. */
static inline void wait_goes_on(struct lock_wait *w)
{
	atomic_store_u32(&w->woken, 0, release);
}

/* A waker, before it wakes. */
static inline void wait_is_over(struct lock_wait *w)
{
	atomic_store_u32(&w->woken, 1, release);
}

static inline bool wait_under_way(const struct lock_wait *w)
{
	return atomic_load_u32(&w->serial, relaxed) & 1;
}

/* Anybody: true if one wait is under way, described in *out. */
static inline bool wait_read(const struct lock_wait *w, struct wait_seen *out)
{
	out->serial = atomic_load_u32(&w->serial, acquire);
	out->woken = atomic_load_u32(&w->woken, acquire);
	out->how = atomic_load_u32(&w->how, acquire);
	out->who = atomic_load_u32(&w->who, acquire);
	out->what = atomic_load_ptr(&w->what, acquire);
	out->class = atomic_load_ptr(&w->class, acquire);
	return (out->serial & 1) && atomic_load_u32(&w->serial, relaxed) == out->serial;
}

static inline enum wait_kind wait_kind_of(const struct wait_seen *seen)
{
	return (enum wait_kind)(seen->how & WAIT_KIND_MASK);
}

/*
 * Filled at boot by kernel/wait: looks whether the wait that the hart (interrupts off) or the
 * running thread has just begun closes a cycle, and ends the system with the deadlock card if it
 * does. True: a test expected that. Takes no lock; SIE off, or a thread.
 */
extern bool (*wait_closes_cycle_hart)(void);
extern bool (*wait_closes_cycle_thread)(void);

#endif
