/* SPDX-License-Identifier: MIT */
/*
 * The lock checker's rules of order and of interrupt safety: what every acquire, wait and signal
 * adds to the graph (check_graph.h, run.h), and the report if it closes a cycle.
 *
 * Who asks for a lock adds an edge from the newest lock held here, and only from that: it has an
 * edge from the one before, and so on. But one that was got by a try, or with another of its class,
 * has none, and what was asked for as a passing reader is no link of a walk; past those
 * (CHECK_TRANSPARENT) the next older one gets an edge as well. Outermost in a handler is the
 * interrupt context, and in both a handler and a thread what they run (run_node). From a thread's
 * run only sleeping locks and waits get an edge: who waits for a thread holds nothing that spins.
 *
 * A lock that is held with interrupts on has edges to both interrupt contexts: all sleeping and
 * mixed locks that threads hold. (An irqlock only in tests, which acquire it raw.)
 *
 * A handler tries a mixed lock or posts to it: that is a try, and adds nothing. What posted work
 * asks for is asked for in an interrupt, wherever it runs.
 */
#include "kernel/lock/check_order.h"

#include "kernel/lock/check_internal.h"
#include "kernel/lock/run.h"
#include "kernel/lock/trace.h"

const char run_of_hart_call[] = "hart-call";
const char run_of_grace_period[] = "grace-period";
const char run_of_reaper[] = "reaper";

/* One that asks, and what for. */
struct asking {
	struct violation v;
	unsigned to;
	bool passing;
	bool of_its_kind; /* what asks may run the same function as what it waits for */
	bool reported;	  /* one violation, one report */
	struct graph_trace here;
};

static unsigned irq_node(const struct lock_hart *h)
{
	return h->in_irq == IRQ_IPI ? GRAPH_IRQ_IPI : GRAPH_IRQ_HARD;
}

unsigned check_node_slow(struct lock_class *class, enum lock_class_node which)
{
	static const enum graph_node_kind kinds[CLASS_NODES] = {
		[CLASS_NODE_LOCK] = NODE_LOCK,
		[CLASS_NODE_EVENT] = NODE_EVENT,
	};
	unsigned node = GRAPH_FULL;

	if (class->rank != RANK_UNCHECKED) {
		node = graph_node(&class->nodes[which], kinds[which], class);
		if (node == GRAPH_FULL)
			say_full(FULL_NODES);
	}
	/* Relaxed: a lone number, whoever stores it. */
	atomic_store_u32(&class->nodes[which], node, relaxed);
	return node;
}

static unsigned node_of_thing(enum graph_node_kind kind, const void *thing)
{
	unsigned node = graph_node(thing, kind, thing);

	if (node == GRAPH_FULL)
		say_full(FULL_NODES);
	return node;
}

/* ---- Edges ----------------------------------------------------------------------------------- */

static void report_cycle(struct asking *a, enum report_kind kind, const struct graph_path *path)
{
	char from[GRAPH_NAME_MAX], to[GRAPH_NAME_MAX];

	a->reported = true;
	a->v.kind = kind;
	a->v.what = kind == KIND_IRQ ? "irq" : "cycle";
	graph_node_name(path->step[0].from, from, sizeof(from));
	graph_node_name(path->step[0].to, to, sizeof(to));
	if (path->length == 1)
		violated_cycle(&a->v, path, "%s is waited for by who holds it already", from);
	else if (kind == KIND_IRQ)
		violated_cycle(&a->v, path,
			"%s is waited for after %s: a handler may so wait for what it interrupted "
			"(%u steps)",
			to, from, path->length);
	else
		violated_cycle(&a->v, path,
			"%s is waited for after %s, which is waited for after it elsewhere (%u "
			"steps)",
			to, from, path->length);
}

static bool is_through_irq(const struct graph_path *path)
{
	for (unsigned i = 0; i < MIN(path->length, (unsigned)GRAPH_PATH_MAX); i++)
		if (path->step[i].from < GRAPH_FIRST)
			return true;
	return false;
}

static void add_edge(struct asking *a, unsigned from, unsigned to, enum graph_kind kind,
	const struct graph_trace *held, const struct graph_trace *asked)
{
	struct graph_edge edge;
	struct graph_path path;
	enum graph_added added;

	if (from == GRAPH_FULL || to == GRAPH_FULL || graph_known_edge(from, to, kind))
		return;
	edge = (struct graph_edge){.from = (uint16_t)from,
		.to = (uint16_t)to,
		.kind = (uint8_t)kind,
		.held = *held,
		.asked = *asked};
	added = graph_add(&edge);
	if (added == GRAPH_NEW_UNTRACED)
		say_full(FULL_EDGES);
	if (added == GRAPH_OLD || a->reported)
		return;
	/* Without the interrupts first: order comes before irq. Another hart may have closed that
	 * one between the two looks: the path tells. */
	if (graph_cycle(from, to, kind, false, &path) || graph_cycle(from, to, kind, true, &path))
		report_cycle(a, is_through_irq(&path) ? KIND_IRQ : KIND_ORDER, &path);
}

static void trace_of(const struct held_lock *held, struct graph_trace *out)
{
	out->nr = MIN(held->nr_pcs, HELD_TRACE);
	for (unsigned i = 0; i < out->nr; i++)
		out->pcs[i] = held->pcs[i];
}

/* Where it is asked. Walked once, and only if something is new. */
static const struct graph_trace *trace_here(struct asking *a)
{
	if (!a->here.nr)
		a->here.nr = trace_from(in_handler(lock_hart()), a->v.pc, a->here.pcs, HELD_TRACE);
	return &a->here;
}

/* An edge from a context: it has no place where it was acquired. */
static void ask_in(struct asking *a, unsigned node)
{
	static const struct graph_trace nowhere;
	enum graph_kind kind = GRAPH_KIND(false, a->passing);

	if (node == a->to && a->of_its_kind)
		return;
	if (node && !graph_known_edge(node, a->to, kind))
		add_edge(a, node, a->to, kind, &nowhere, trace_here(a));
}

/* Edges from what is held, newest first; true if the rest is known by what that was asked after. */
static bool ask_under(struct asking *a, const struct held_lock *held, unsigned nr)
{
	while (nr-- > 0) {
		enum graph_kind kind = GRAPH_KIND(held[nr].flags & CHECK_READ, a->passing);

		if (!graph_known_edge(held[nr].node, a->to, kind)) {
			struct graph_trace trace;

			trace_of(&held[nr], &trace);
			add_edge(a, held[nr].node, a->to, kind, &trace, trace_here(a));
		}
		if (!(held[nr].flags & CHECK_TRANSPARENT) && held[nr].node != GRAPH_FULL)
			return true;
	}
	return false;
}

static void note_in_history(struct lock_thread *t, unsigned node)
{
	for (unsigned i = 0; i < t->run.nr; i++)
		if (t->run.nodes[i] == node)
			return;
	if (t->run.nr == RUN_HISTORY)
		say_full(FULL_HISTORY);
	else
		t->run.nodes[t->run.nr++] = (uint16_t)node;
}

/* `sleeping`: a thread's lock, or a wait. */
static void ask(struct asking *a, bool sleeping)
{
	struct lock_hart *h = lock_hart();
	struct lock_thread *t = lock_thread();
	bool handler = in_handler(h), rest_known = false;

	/* With interrupts on no irqlock is held, and the hart's record is not ours to read. */
	if (!arch_irq_enabled())
		rest_known = ask_under(a, h->held, h->nr_held);
	if (handler && !rest_known) {
		ask_in(a, h->run_node);
		ask_in(a, irq_node(h));
	}
	if (handler)
		return;
	if (t->posted_to)
		ask_in(a, GRAPH_IRQ_HARD);
	if (sleeping && t->run.depth)
		note_in_history(t, a->to);
	if (!rest_known)
		rest_known = ask_under(a, t->held, t->nr_held);
	if (sleeping && !rest_known)
		ask_in(a, t->run_node);
}

/* `node` is held with interrupts on, as a->v says. */
static void mark_irqs_on(struct asking *a, unsigned node, bool shared)
{
	enum graph_kind kind = GRAPH_KIND(shared, false);

	for (unsigned irq = GRAPH_IRQ_HARD; irq <= GRAPH_IRQ_IPI; irq++)
		if (!graph_known_edge(node, irq, kind))
			add_edge(a, node, irq, kind, trace_here(a), trace_here(a));
}

static bool holds_of_class(
	const struct held_lock *held, unsigned nr, const struct lock_class *class)
{
	for (unsigned i = 0; i < nr; i++)
		if (held[i].class == class)
			return true;
	return false;
}

/* By a helper that states their order, or under a lock that makes it one at a time: the first one
 * of the class stands for all. */
static bool is_another_of_its_class(
	const struct lock_hart *h, const struct lock_class *class, unsigned flags)
{
	const struct lock_thread *t = lock_thread();

	if (!(flags & (CHECK_SECOND | CHECK_NESTED)))
		return false;
	if (!arch_irq_enabled() && holds_of_class(h->held, h->nr_held, class))
		return true;
	return !in_handler(h) && holds_of_class(t->held, t->nr_held, class);
}

void order_acquire(struct lock_hart *h, const struct violation *v, unsigned flags)
{
	struct asking a = {.v = *v};

	a.to = check_node((struct lock_class *)v->class, CLASS_NODE_LOCK);
	a.passing = flags & CHECK_RECURSIVE;
	if (!(flags & CHECK_TRY) && !is_another_of_its_class(h, v->class, flags))
		ask(&a, flags & CHECK_THREAD);
	if ((flags & CHECK_THREAD) ? !in_handler(h)
				   : (flags & CHECK_RAW) && h->simulated == SIMULATED_ON)
		mark_irqs_on(&a, a.to, flags & CHECK_READ);
}

void order_irqs_on(const struct held_lock *held, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		struct asking a = {.v = {.lock = held[i].lock,
					   .class = held[i].class,
					   .pc = (uintptr_t)__builtin_return_address(0)}};

		if (held[i].flags & CHECK_RAW)
			mark_irqs_on(&a, held[i].node, held[i].flags & CHECK_READ);
		if (a.reported)
			return;
	}
}

/* ---- Runs and events ------------------------------------------------------------------------- */

static uint16_t *run_node_here(void)
{
	struct lock_hart *h = lock_hart();

	return in_handler(h) ? &h->run_node : &lock_thread()->run_node;
}

uint16_t check_run_begin_slow(enum graph_node_kind kind, const void *thing)
{
	uint16_t *here = run_node_here(), before = *here;

	*here = (uint16_t)node_of_thing(kind, thing);
	return before;
}

void check_run_end_slow(uint16_t before)
{
	*run_node_here() = before;
}

static void await(struct asking *a)
{
	if (checking(lock_hart()))
		ask(a, true);
}

void check_run_awaited_slow(enum graph_node_kind kind, const void *thing, uintptr_t pc)
{
	struct asking a = {.v = {.lock = thing, .pc = pc}, .to = node_of_thing(kind, thing)};

	/* Threads make others of their own function, and join them: trees. */
	a.of_its_kind = kind == NODE_THREAD;
	await(&a);
}

void check_event_awaited_slow(const void *what, struct lock_class *event, uintptr_t pc)
{
	struct asking a = {.v = {.lock = what, .class = event, .pc = pc},
		.to = check_node(event, CLASS_NODE_EVENT)};

	await(&a);
}

/* The event comes after the lock. */
static void signalled_under(struct asking *a, unsigned event, const struct held_lock *held)
{
	enum graph_kind kind = GRAPH_KIND(false, held->flags & CHECK_RECURSIVE);
	struct graph_trace trace;

	if (graph_known_edge(event, held->node, kind))
		return;
	trace_of(held, &trace);
	add_edge(a, event, held->node, kind, trace_here(a), &trace);
}

static void completed(struct asking *a, unsigned event)
{
	static const struct graph_trace somewhere;
	const struct lock_thread *t = lock_thread();

	for (unsigned i = 0; i < t->nr_held; i++)
		if (!(t->held[i].flags & CHECK_TRY))
			signalled_under(a, event, &t->held[i]);
	/* A run that waited for another event of the class is no cycle: they come in chains. */
	for (unsigned i = 0; t->run.depth && i < t->run.nr; i++)
		if (t->run.nodes[i] != event && !graph_known_edge(event, t->run.nodes[i], GRAPH_EN))
			add_edge(a, event, t->run.nodes[i], GRAPH_EN, trace_here(a), &somewhere);
}

/* Work posted to locks of `mix`. A handler that interrupted such work is not a part of it. */
static void signalled_by_posted(struct asking *a, unsigned event, struct lock_class *mix)
{
	static const struct graph_trace somewhere;
	unsigned node = check_node(mix, CLASS_NODE_LOCK);

	if (!graph_known_edge(event, node, GRAPH_EN))
		add_edge(a, event, node, GRAPH_EN, trace_here(a), &somewhere);
}

void check_event_signalled_slow(struct lock_class *event, bool is_completed, uintptr_t pc)
{
	struct asking a = {.v = {.class = event, .pc = pc}};
	const struct lock_thread *t = lock_thread();
	struct lock_hart *h = lock_hart();
	struct lock_class *mix;

	if (!checking(h))
		return;
	mix = in_handler(h) ? h->posted_to : t->posted_to;
	if (mix)
		signalled_by_posted(&a, check_node(event, CLASS_NODE_EVENT), mix);
	else if (is_completed && !in_handler(h) && (t->nr_held || t->run.depth))
		completed(&a, check_node(event, CLASS_NODE_EVENT));
}
