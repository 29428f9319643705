/* SPDX-License-Identifier: MIT */
/*
 * Lock classes. Every lock belongs to one; a class is what its locks have in common: name, rank,
 * where they may be taken, how long they may be held, statistics. One class for one declaration or
 * one place of initialisation, static and for ever.
 *
 *	DEFINE_LOCK_CLASS(runq_class, .name = "runq", .rank = RANK_RUNQ,
 *			  .contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
 *			  .protects = "the ready queues of one hart");
 *	static struct irqlock lock = IRQLOCK_INIT(&runq_class);
 * or	irqlock_init(&rq->lock, &runq_class);
 */
#ifndef KERNEL_LOCK_CLASS_H
#define KERNEL_LOCK_CLASS_H

#include "kernel/lock/atomic.h"
#include "kernel/lock/context.h"
#include "kernel/lock/rank.h"
#include "lib/linkset.h"
#include "lib/types.h"

enum lock_contexts {
	LOCK_IN_THREAD = 1 << 0,
	LOCK_IN_IRQ = 1 << 1, /* handlers, and posted work of mixed locks */
};

/* How an irqlock lets its waiters in. */
enum irqlock_policy {
	IRQLOCK_QUEUE, /* a queue; a newcomer may pass a sleeping head a bounded number of times */
	IRQLOCK_FIFO,  /* a queue, strictly in order */
	IRQLOCK_TAS,   /* no queue: everybody tries until it succeeds */
};

enum lock_stat {
	LOCK_ACQUIRED,	 /* counted when it is given up, with the hold; if nobody holds it, here */
	LOCK_CONTENDED,	 /* of these, not at the first attempt */
	LOCK_STOLEN,	 /* of these, past a queue */
	LOCK_PARKED,	 /* sleeps of a waiter */
	LOCK_BOUNCED,	 /* taken by another hart than the time before (not counted for readers) */
	LOCK_TIMED_OUT,	 /* waits that reached their limit, without the lock */
	LOCK_HANDED_OFF, /* given to a waiter, past whoever came by */
	LOCK_STATS
};

/* Times are counted by their bit length in arch_time() ticks: 0, 1, 2-3, 4-7, ... */
#define LOCK_BUCKETS 24

/* Counters are sharded by hart, so that counting does not make harts wait for each other. */
#define LOCK_SHARDS 8
struct lock_shard {
	atomic_ulong n[LOCK_STATS];
	atomic_ulong hold_ticks;
	atomic_ulong holds[LOCK_BUCKETS];
} __attribute__((aligned(256)));

/* The longest of its kind, and where it was: an address and its callers. */
#define LOCK_TRACE 4
struct lock_longest {
	atomic_ulong ticks, nr_pcs;
	atomic_ulong pcs[LOCK_TRACE];
};

struct lock_class_stats {
	struct lock_longest hold, wait; /* by where it was acquired */
	atomic_ulong placed; /* not 0: locks of it have figures of their own (stat_lock.c) */
	atomic_ulong wait_ticks;
	atomic_ulong waits[LOCK_BUCKETS];
	struct lock_shard shards[LOCK_SHARDS];
};

/* Nodes of a class in the checker's graph. */
enum lock_class_node {
	CLASS_NODE_LOCK,
	CLASS_NODE_EVENT, /* what waiters wait for, where the class is a wait queue's */
	CLASS_NODES
};

struct lock_class {
	const char *name;
	const char *protects;
	const char *file; /* where it is defined */
	enum lock_rank rank;
	unsigned contexts; /* enum lock_contexts */
	/*
	 * The longest hold. Of a spinning lock: instructions of its holder, a thousand to the
	 * microsecond. Of a sleeping or mixed one: time, what it sleeps and what interrupts it
	 * included.
	 */
	unsigned max_hold_us;
	uint8_t post_prio; /* mixed locks: priority of the owner while posted work is pending */
	enum irqlock_policy policy; /* of its irqlocks, unless one says otherwise */
	/* CONFIG_LOCKCHECK: their numbers, 0 until they are first used. */
	atomic_u32 nodes[CONFIG_LOCKCHECK ? CLASS_NODES : 0];
	/* CONFIG_LOCKCHECK: those of its contexts in which it was asked for so far. */
	atomic_u32 seen[CONFIG_LOCKCHECK];
	struct lock_class_stats stats[CONFIG_LOCKSTAT];
};

#define DEFINE_LOCK_CLASS(var, ...) \
	static struct lock_class var = {.file = __FILE__, __VA_ARGS__}; \
	LINKSET_ADD(lock_class, struct lock_class, var)

LINKSET_DECLARE(lock_class, struct lock_class);
/* for every class of the kernel: `class` is a struct lock_class *. */
#define lock_class_for_each(class) linkset_for_each(lock_class, struct lock_class, class)

#endif
