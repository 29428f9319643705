/* SPDX-License-Identifier: MIT */
/* What the graph of the lock checker says, as text: names of nodes, cycles, tables that are full.
 */
#include "kernel/lock/check_order.h"
#include "lib/printf.h"

static atomic_u32 said[FULL_TABLES];

static const char *symbol(const void *fn, char *name, size_t size)
{
	if (!lockcheck_symbol) {
		snprintf(name, size, "%p", (void *)fn);
		return name;
	}
	lockcheck_symbol((uintptr_t)fn, name, size);
	/* A function's own address: no offset. */
	for (size_t i = 0; name[i]; i++)
		if (name[i] == '+')
			name[i] = '\0';
	return name;
}

static const char *class_name(const void *thing)
{
	return ((const struct lock_class *)thing)->name;
}

const char *graph_node_name(unsigned node, char *name, size_t size)
{
	char fn[GRAPH_NAME_MAX];
	enum graph_node_kind kind;
	const void *thing;

	if (node == GRAPH_IRQ_HARD || node == GRAPH_IRQ_IPI)
		snprintf(name, size, node == GRAPH_IRQ_IPI ? "irq:ipi" : "irq:hard");
	else if (!graph_node_get(node, &kind, &thing))
		snprintf(name, size, "?");
	else if (kind == NODE_LOCK)
		snprintf(name, size, "%s", class_name(thing));
	else if (kind == NODE_EVENT)
		snprintf(name, size, "event:%s", class_name(thing));
	else if (kind == NODE_NAMED)
		snprintf(name, size, "run:%s", (const char *)thing);
	else
		snprintf(name, size, "%s:%s",
			kind == NODE_THREAD	     ? "thread"
				: kind == NODE_TIMER ? "timer"
						     : "handler",
			symbol(thing, fn, sizeof(fn)));
	return name;
}

static void print_trace(const char *what, const char *name, const struct graph_trace *trace)
{
	report("     %s %s%s\n", name, what, trace->nr ? "" : " (no place)");
	for (unsigned i = 0; i < trace->nr; i++)
		print_pc(trace->pcs[i]);
}

static void print_step(unsigned n, const struct graph_step *step)
{
	static const char *const kinds[] = {
		[GRAPH_EN] = "",
		[GRAPH_ER] = ", asked for by a reader that passes",
		[GRAPH_SN] = ", held by a reader",
		[GRAPH_SR] = ", held by a reader, asked for by one that passes",
	};
	char from[GRAPH_NAME_MAX], to[GRAPH_NAME_MAX];
	struct graph_edge edge;

	graph_node_name(step->from, from, sizeof(from));
	graph_node_name(step->to, to, sizeof(to));
	report("  %u. %s -> %s%s\n", n, from, to, kinds[step->kind]);
	if (!graph_edge_get(step, &edge)) {
		report("     (there was no room for its backtraces)\n");
		return;
	}
	print_trace("is held from", from, &edge.held);
	print_trace("is then waited for at", to, &edge.asked);
}

void print_path(const struct graph_path *path)
{
	unsigned shown = MIN(path->length, (unsigned)GRAPH_PATH_MAX);

	for (unsigned i = 0; i < shown; i++)
		print_step(i + 1, &path->step[i]);
	if (shown < path->length)
		report("  and %u more\n", path->length - shown);
}

void say_full(enum full_table table)
{
	static const char *const texts[FULL_TABLES] = {
		[FULL_NODES] = "nodes; some classes go unchecked",
		[FULL_EDGES] = "backtraces of edges; some are reported without",
		[FULL_HISTORY] = "what one run asks for; some of it is not noted",
	};
	struct lock_hart *h;
	bool before;

	if (atomic_xchg_u32(&said[table], 1, relaxed) || lockcheck_is_tested())
		return;
	before = arch_irq_save();
	h = lock_hart();
	h->panicking = true;
	report("lock checker: no room for more %s\n", texts[table]);
	h->panicking = false;
	arch_irq_restore(before);
}

unsigned full_said(bool again)
{
	unsigned n = 0;

	for (unsigned table = 0; table < FULL_TABLES; table++)
		n += again ? atomic_xchg_u32(&said[table], 0, relaxed)
			   : atomic_load_u32(&said[table], relaxed);
	return n;
}
