/* SPDX-License-Identifier: MIT */
/*
 * The graph of the lock checker (check_graph.h).
 *
 * Nodes: an open hash table of keys; a slot is claimed by compare-and-swap and stays.
 *
 * What is kept of edges lies in `entries`, handed out in order; each is linked into the list of its
 * `from` and stays there. Tests that forget an edge mark its entry as unused; it is used again for
 * the next edge of the same `from`, so no entry ever changes lists and walkers need no lock.
 */
#include "kernel/lock/check_graph.h"

#include "kernel/lock/point.h"
#include "lib/string.h"

#define HASH_SHIFT 1 /* addresses of functions are even */
#define KINDS_EXCLUSIVE (1u << GRAPH_EN | 1u << GRAPH_ER)
#define KINDS_STOPPED (1u << GRAPH_EN | 1u << GRAPH_SN)

static_assert(GRAPH_NODES % 32 == 0 && GRAPH_NODES < UINT16_MAX / 2, "sets of words, states");

enum entry_state {
	ENTRY_UNUSED,
	ENTRY_CLAIMED, /* being filled in */
	ENTRY_VALID,
};

struct entry {
	atomic_u32 state;
	uint32_t next; /* of the same `from`: index + 1; constant once linked */
	struct graph_edge edge;
};

struct node {
	atomic_ptr key;
	atomic_ptr thing; /* stored after the key and the kind: NULL until then */
	uint32_t kind;
};

atomic_u32 graph_known[GRAPH_NODES][GRAPH_NODES / GRAPH_PER_WORD];
static struct entry entries[GRAPH_EDGES];
static atomic_u32 nr_entries;
static atomic_u32 first_entry[GRAPH_NODES]; /* index + 1 */
static atomic_u32 edges_left = {UINT32_MAX};
static struct node nodes[GRAPH_NODES];
static atomic_u32 nr_nodes;

/* ---- Nodes ----------------------------------------------------------------------------------- */

static unsigned slot_of(const void *key)
{
	uint32_t hash = (uint32_t)((uintptr_t)key >> HASH_SHIFT) * 0x9e3779b1u;

	return GRAPH_FIRST + (hash >> 8) % (GRAPH_NODES - GRAPH_FIRST);
}

unsigned graph_node(const void *key, enum graph_node_kind kind, const void *thing)
{
	unsigned at = slot_of(key);

	for (unsigned n = GRAPH_FIRST; n < GRAPH_NODES; n++) {
		void *there = atomic_load_ptr(&nodes[at].key, relaxed);

		/* Relaxed: the number is all that the key gives. */
		if (!there && atomic_cas_ptr(&nodes[at].key, &there, (void *)key, relaxed)) {
			nodes[at].kind = kind;
			/* Release: the kind. Partner: graph_node_get. */
			atomic_store_ptr(&nodes[at].thing, (void *)thing, release);
			atomic_add_u32(&nr_nodes, 1, relaxed);
			return at;
		}
		if (there == key)
			return at;
		if (++at == GRAPH_NODES)
			at = GRAPH_FIRST;
	}
	return GRAPH_FULL;
}

bool graph_node_get(unsigned node, enum graph_node_kind *kind, const void **thing)
{
	if (node < GRAPH_FIRST || node >= GRAPH_NODES)
		return false;
	/* Acquire; partner: graph_node. */
	*thing = atomic_load_ptr(&nodes[node].thing, acquire);
	*kind = nodes[node].kind;
	return *thing;
}

unsigned graph_nr_nodes(void)
{
	return atomic_load_u32(&nr_nodes, relaxed);
}

/* ---- Edges ----------------------------------------------------------------------------------- */

/* One that a test gave back, or a new one; NULL: none. It is the caller's. */
static struct entry *take_entry(unsigned from)
{
	uint32_t n = atomic_load_u32(&first_entry[from], acquire);
	struct entry *e;

	for (; n; n = e->next) {
		uint32_t unused = ENTRY_UNUSED;

		e = &entries[n - 1];
		/* Acquire; partner: graph_forget. */
		if (atomic_cas_u32(&e->state, &unused, ENTRY_CLAIMED, acquire))
			return e;
	}
	n = atomic_load_u32(&nr_entries, relaxed);
	do {
		if (n == GRAPH_EDGES)
			return NULL;
	} while (!atomic_cas_u32(&nr_entries, &n, n + 1, relaxed));
	e = &entries[n];
	atomic_store_u32(&e->state, ENTRY_CLAIMED, relaxed);
	e->next = atomic_load_u32(&first_entry[from], relaxed);
	/* Release: `next`. Partners: the walks. */
	while (!atomic_cas_u32(&first_entry[from], &e->next, n + 1, release))
		;
	return e;
}

static bool may_keep(void)
{
	uint32_t left = atomic_load_u32(&edges_left, relaxed);

	while (left && left != UINT32_MAX)
		if (atomic_cas_u32(&edges_left, &left, left - 1, relaxed))
			break;
	return left;
}

enum graph_added graph_add(const struct graph_edge *edge)
{
	uint32_t bit = 1u << (edge->to % GRAPH_PER_WORD * 4 + edge->kind);
	struct entry *e;

	/* Chaos: as if the bit were set right after this look. */
	if (!LOCK_CHAOS(graph_looked_before) && graph_known_edge(edge->from, edge->to, edge->kind))
		return GRAPH_OLD;
	e = may_keep() ? take_entry(edge->from) : NULL;
	if (e) {
		e->edge = *edge;
		/* Release: the edge. Partners: the walks. */
		atomic_store_u32(&e->state, ENTRY_VALID, release);
	}
	/* Release: the entry before the bit; partner: the acquire in search. */
	if (atomic_or_u32(&graph_known[edge->from][edge->to / GRAPH_PER_WORD], bit, acq_rel) &
		bit) {
		/* Another hart had the same edge: one of the two entries says nothing new. */
		if (e)
			atomic_store_u32(&e->state, ENTRY_UNUSED, release);
		LOCK_COUNTED(graph_same_at_once);
		return GRAPH_OLD;
	}
	LOCK_COUNTED(graph_new);
	/* The bit before the search for what it closes: the argument is in the header. */
	fence_full();
	if (e)
		return GRAPH_NEW;
	LOCK_COUNTED(graph_untraced);
	return GRAPH_NEW_UNTRACED;
}

static struct entry *valid_entry(uint32_t *n)
{
	while (*n) {
		struct entry *e = &entries[*n - 1];

		*n = e->next;
		/* Acquire; partner: graph_add. */
		if (atomic_load_u32(&e->state, acquire) == ENTRY_VALID)
			return e;
	}
	return NULL;
}

bool graph_edge_get(const struct graph_step *step, struct graph_edge *out)
{
	uint32_t n = atomic_load_u32(&first_entry[step->from], acquire);
	struct entry *e;

	while ((e = valid_entry(&n))) {
		if (e->edge.to != step->to || e->edge.kind != step->kind)
			continue;
		*out = e->edge;
		return true;
	}
	return false;
}

void graph_for_each_edge(void (*fn)(const struct graph_edge *edge, void *arg), void *arg)
{
	for (unsigned from = 0; from < GRAPH_NODES; from++) {
		uint32_t n = atomic_load_u32(&first_entry[from], acquire);
		struct entry *e;

		while ((e = valid_entry(&n)))
			fn(&e->edge, arg);
	}
}

/* ---- Search ---------------------------------------------------------------------------------- */

/* States are node * 2 + (asked for with R only). Wide: first by distance, so the cycle that is
 * found is a shortest one. */
#define STATES (2 * GRAPH_NODES)
#define STATE(node, passing) ((node) * 2 + ((passing) ? 1 : 0))

struct search {
	uint32_t seen[STATES / 32], now[STATES / 32], next[STATES / 32];
	uint16_t via[STATES]; /* the state it was reached from */
	unsigned target;
	bool target_shared, irq;
};

static bool is_in(const uint32_t *set, unsigned i)
{
	return set[i / 32] >> i % 32 & 1;
}

static void put_in(uint32_t *set, unsigned i)
{
	set[i / 32] |= 1u << i % 32;
}

/* Reached from `state` by an edge of some of `kinds`: true if that is where the cycle closes. */
static bool reach(struct search *s, unsigned state, unsigned node, unsigned kinds)
{
	bool passing = !(kinds & KINDS_STOPPED);
	unsigned reached = STATE(node, passing);

	/* Asked for in the way that is stopped by more, it was looked at with all that follows. */
	if (is_in(s->seen, STATE(node, false)) || is_in(s->seen, reached))
		return false;
	put_in(s->seen, reached);
	put_in(s->next, reached);
	s->via[reached] = (uint16_t)state;
	return node == s->target && !(passing && s->target_shared);
}

/* All edges of a state; returns the state that closes the cycle, or STATES. */
static unsigned follow(struct search *s, unsigned state)
{
	unsigned node = state / 2;
	uint32_t allowed = state % 2 ? KINDS_EXCLUSIVE * 0x11111111u : UINT32_MAX;

	for (unsigned word = 0; word < GRAPH_NODES / GRAPH_PER_WORD; word++) {
		/* Acquire; partner: graph_add. */
		uint32_t bits = atomic_load_u32(&graph_known[node][word], acquire) & allowed;

		for (unsigned to = word * GRAPH_PER_WORD; bits; to++, bits >>= 4) {
			unsigned kinds = bits & 0xf;

			if (!kinds || (to < GRAPH_FIRST && !s->irq))
				continue;
			if (reach(s, state, to, kinds))
				return STATE(to, !(kinds & KINDS_STOPPED));
		}
	}
	return STATES;
}

static unsigned search(struct search *s)
{
	bool more = true;

	while (more) {
		more = false;
		memcpy(s->now, s->next, sizeof(s->now));
		memset(s->next, 0, sizeof(s->next));
		for (unsigned state = 0; state < STATES; state++) {
			unsigned end;

			if (!is_in(s->now, state))
				continue;
			more = true;
			end = follow(s, state);
			if (end != STATES)
				return end;
		}
	}
	return STATES;
}

/* The strongest kind of the edge that the step from one state to the other has taken. */
static uint8_t kind_of_step(unsigned from, unsigned to)
{
	uint32_t bits = atomic_load_u32(&graph_known[from / 2][to / 2 / GRAPH_PER_WORD], acquire) >>
		(to / 2 % GRAPH_PER_WORD * 4);

	for (unsigned kind = GRAPH_EN; kind < GRAPH_SR; kind++) {
		bool passes = from % 2 && graph_is_shared(kind);

		if ((bits >> kind & 1) && !passes && graph_is_passing(kind) == to % 2)
			return (uint8_t)kind;
	}
	return GRAPH_SR;
}

/* Path: the closing edge, then from its end to `end`, which is its beginning. */
static void write_path(const struct search *s, unsigned begin, unsigned end,
	const struct graph_step *closing, struct graph_path *path)
{
	unsigned at;

	path->length = 1;
	path->step[0] = *closing;
	for (at = end; at != begin; at = s->via[at])
		path->length++;
	at = path->length - 1;
	for (unsigned state = end; state != begin; state = s->via[state], at--) {
		unsigned from = s->via[state];

		if (at < GRAPH_PATH_MAX)
			path->step[at] = (struct graph_step){(uint16_t)(from / 2),
				(uint16_t)(state / 2), kind_of_step(from, state)};
	}
}

bool graph_cycle(
	unsigned from, unsigned to, enum graph_kind kind, bool irq, struct graph_path *path)
{
	struct graph_step closing = {(uint16_t)from, (uint16_t)to, (uint8_t)kind};
	unsigned begin = STATE(to, graph_is_passing(kind)), end;
	struct search s;

	if (!irq && (from < GRAPH_FIRST || to < GRAPH_FIRST))
		return false;
	if (from == to) {
		if (graph_is_passing(kind) && graph_is_shared(kind))
			return false;
		path->length = 1;
		path->step[0] = closing;
		return true;
	}
	memset(s.seen, 0, sizeof(s.seen));
	memset(s.next, 0, sizeof(s.next));
	s.target = from;
	s.target_shared = graph_is_shared(kind);
	s.irq = irq;
	put_in(s.seen, begin);
	put_in(s.next, begin);
	end = search(&s);
	if (end == STATES)
		return false;
	LOCK_COUNTED(graph_cycle);
	write_path(&s, begin, end, &closing, path);
	return true;
}

/* ---- For tests ------------------------------------------------------------------------------- */

/* The bits of a word of `known` that speak of nodes of the set. */
static uint32_t bits_of(const uint32_t set[GRAPH_WORDS], unsigned word)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < GRAPH_PER_WORD; i++)
		if (is_in(set, word * GRAPH_PER_WORD + i))
			bits |= 0xfu << (i * 4);
	return bits;
}

void graph_forget(const uint32_t set[GRAPH_WORDS])
{
	for (unsigned from = 0; from < GRAPH_NODES; from++) {
		uint32_t n = atomic_load_u32(&first_entry[from], acquire);
		struct entry *e;

		for (unsigned word = 0; word < GRAPH_NODES / GRAPH_PER_WORD; word++) {
			uint32_t gone = is_in(set, from) ? UINT32_MAX : bits_of(set, word);

			if (gone)
				atomic_and_u32(&graph_known[from][word], ~gone, relaxed);
		}
		while ((e = valid_entry(&n)))
			if (is_in(set, from) || is_in(set, e->edge.to))
				/* Release; partner: take_entry. */
				atomic_store_u32(&e->state, ENTRY_UNUSED, release);
	}
}

void graph_limit_edges(unsigned more)
{
	atomic_store_u32(&edges_left, more, relaxed);
}
