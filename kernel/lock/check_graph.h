/* SPDX-License-Identifier: MIT */
/*
 * The graph of the lock checker: what has been asked for while what was held.
 *
 * Nodes are lock classes, events that threads wait for, and the two interrupt contexts; an edge
 * A -> B says that somebody held A and asked for B, "B comes after A". Edges have a kind, because
 * readers let readers in:
 *
 *	held	   E	exclusively
 *		   S	as a reader
 *	asked for  N	in a way that any holder stops (also by a reader that queues behind
 *			waiting writers)
 *		   R	as a reader that only an exclusive holder stops
 *
 * A walk A -> B -> C says "A's holder may wait for B's, and that one for C's" unless B is asked for
 * with R and held with S: that reader passes. A deadlock can happen if a walk without such a pair
 * comes back to its beginning, the pair at the beginning included; so what is looked for is not any
 * cycle, but one without an (R, S) pair. A walk is therefore a walk over states (node, "was asked
 * for with R only").
 *
 * Interrupt safety is the same question. The holder of a lock that is held with interrupts on may
 * have to wait for the end of a handler: an edge from the lock to the interrupt context. A handler
 * asks for what it takes: an edge from the interrupt context to the lock. A class that handlers use
 * and on which, over whatever other classes, one depends that is held with interrupts on, is then a
 * cycle through the interrupt context.
 *
 * The tables are static and without a lock; nobody waits for anybody. Edges are published and never
 * taken back (but by tests): `known` has a bit for each kind of each pair, set by one atomic "or".
 * Who sets a bit fences and then looks for the cycle that the new edge closes. Let several harts
 * close one cycle with their edges at the same moment: one of the "or"s is the last in memory order
 * (RVWMO is multi-copy atomic), and that hart's loads, behind its fence, come after all of them: it
 * sees the whole cycle. Backtraces of an edge are linked in before its bit is set, so who sees the
 * bit (and then acquires) finds them, unless their table was full.
 *
 * All of it: either, SIE as it is; bounded by the size of the tables.
 */
#ifndef KERNEL_LOCK_CHECK_GRAPH_H
#define KERNEL_LOCK_CHECK_GRAPH_H

#include "kernel/lock/atomic.h"
#include "kernel/lock/context.h"

#define GRAPH_NODES 384u
#define GRAPH_EDGES 2048u /* backtraces: one pair for each kind of each edge */
#define GRAPH_WORDS (GRAPH_NODES / 32)
#define GRAPH_PER_WORD 8u /* nodes that a word of `known` speaks of, 4 bits each */

enum graph_special {
	GRAPH_NONE,	/* none yet */
	GRAPH_FULL,	/* none: the table was full, or it is not to have one */
	GRAPH_IRQ_HARD, /* timer and device interrupts */
	GRAPH_IRQ_IPI,	/* software interrupts */
	GRAPH_FIRST	/* the first one of all others */
};

/* An edge's kind: held, then asked for. */
enum graph_kind {
	GRAPH_EN,
	GRAPH_ER,
	GRAPH_SN,
	GRAPH_SR
};
#define GRAPH_KIND(shared, passing) \
	((enum graph_kind)(((shared) ? GRAPH_SN : 0) + ((passing) ? GRAPH_ER : 0)))
static inline bool graph_is_shared(enum graph_kind kind)
{
	return kind >= GRAPH_SN;
}
static inline bool graph_is_passing(enum graph_kind kind)
{
	return kind % 2;
}

extern atomic_u32 graph_known[GRAPH_NODES][GRAPH_NODES / GRAPH_PER_WORD];

/* The kinds that say all that `kind` says, as bits: whoever passes less is stopped by more. */
static inline unsigned graph_covers(enum graph_kind kind)
{
	return 0xf531u >> (4 * kind) & 0xf;
}

/* Is there an edge of one of these kinds? */
static inline bool graph_known_kinds(unsigned from, unsigned to, unsigned kinds)
{
	/* Relaxed: an edge that is missed here is met again in graph_add. */
	return atomic_load_u32(&graph_known[from][to / GRAPH_PER_WORD], relaxed) >>
		(to % GRAPH_PER_WORD * 4) &
		kinds;
}

/* Is there nothing new in this edge? */
static inline bool graph_known_edge(unsigned from, unsigned to, enum graph_kind kind)
{
	return graph_known_kinds(from, to, graph_covers(kind));
}

/* A backtrace: where, its caller, its caller's... */
struct graph_trace {
	unsigned nr;
	uintptr_t pcs[HELD_TRACE];
};

struct graph_edge {
	uint16_t from, to;
	uint8_t kind; /* enum graph_kind */
	/* where `from` was acquired, and where `to` was then asked for */
	struct graph_trace held, asked;
};

enum graph_added {
	GRAPH_OLD,	    /* it was known */
	GRAPH_NEW,	    /* the caller is the first: it looks for cycles */
	GRAPH_NEW_UNTRACED, /* the same, but its backtraces found no room */
};
enum graph_added graph_add(const struct graph_edge *edge);

#define GRAPH_PATH_MAX 16
struct graph_step {
	uint16_t from, to;
	uint8_t kind;
};
struct graph_path {
	unsigned length; /* edges; of those past GRAPH_PATH_MAX only the number is known */
	struct graph_step step[GRAPH_PATH_MAX];
};
/*
 * The shortest cycle that the edge from -(kind)-> to closes, which is its first step; false: none.
 * With `irq` also through the interrupt contexts.
 */
bool graph_cycle(
	unsigned from, unsigned to, enum graph_kind kind, bool irq, struct graph_path *path);

/* What is kept of an edge; false: nothing, its backtraces found no room. */
bool graph_edge_get(const struct graph_step *step, struct graph_edge *out);
/* Every edge of which something is kept; a moment's view. */
void graph_for_each_edge(void (*fn)(const struct graph_edge *edge, void *arg), void *arg);

enum graph_node_kind {
	NODE_LOCK,   /* thing: struct lock_class */
	NODE_EVENT,  /* the same: what its waiters wait for */
	NODE_THREAD, /* thing: the function of threads; waited for by join */
	NODE_TIMER,  /* thing: the function of timers; by timer_cancel_sync */
	NODE_IRQ,    /* thing: an interrupt handler; by irq_unregister */
	NODE_NAMED,  /* thing: a string */
};
/*
 * The node of `key`, an address that is nobody else's: the one it had, or a new one, which stands
 * for `thing`. GRAPH_FULL if there is no room.
 */
unsigned graph_node(const void *key, enum graph_node_kind kind, const void *thing);
/* What a node stands for; false if there is none of that number (or not yet). */
bool graph_node_get(unsigned node, enum graph_node_kind *kind, const void **thing);
unsigned graph_nr_nodes(void);
#define GRAPH_NAME_MAX 80
/* What a node is called in reports, without spaces; returns name. */
const char *graph_node_name(unsigned node, char *name, size_t size);

/* ---- For tests ------------------------------------------------------------------------------- */

/* Forgets every edge that begins or ends at a node of the set. Nobody adds one meanwhile. */
void graph_forget(const uint32_t nodes[GRAPH_WORDS]);
/* As if only so many more backtraces had room; UINT_MAX: as many as there are. */
void graph_limit_edges(unsigned more);

#endif
