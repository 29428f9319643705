/* SPDX-License-Identifier: MIT */
/*
 * The command lockgraph: what the lock checker has seen asked for while what was held, an edge a
 * line, for people and for scripts:
 *
 *	edge: from=vmap to=page kind=EN held=stack_alloc+0x1c<... asked=page_alloc+0x40<...
 *
 * kind: held E(xclusively) or S(hared); asked for N(ormally) or as a R(eader that passes). held and
 * asked: backtraces of the first time, innermost first; `-` where there is no such place.
 */
#include "kernel/lock/check.h"
#include "kernel/lock/check_graph.h"
#include "kernel/panic/symbols.h"
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"

#define TRACE_TEXT_MAX (HELD_TRACE * (SYMBOL_TEXT_MAX + 1))

struct listing {
	const char *filter; /* NULL: all */
	unsigned edges;
};

static void write_trace(const struct graph_trace *trace, char *out, size_t size)
{
	size_t at = 0;

	snprintf(out, size, "-");
	for (unsigned i = 0; i < trace->nr && trace->pcs[i] && at < size; i++) {
		char name[SYMBOL_TEXT_MAX];

		symbolise_return(trace->pcs[i], name, sizeof(name));
		at += (size_t)snprintf(out + at, size - at, "%s%s", i ? "<" : "", name);
	}
}

static void print_edge(const struct graph_edge *edge, void *arg)
{
	static const char *const kinds[] = {
		[GRAPH_EN] = "EN", [GRAPH_ER] = "ER", [GRAPH_SN] = "SN", [GRAPH_SR] = "SR"};
	char from[GRAPH_NAME_MAX], to[GRAPH_NAME_MAX];
	char held[TRACE_TEXT_MAX], asked[TRACE_TEXT_MAX];
	struct listing *listing = arg;

	graph_node_name(edge->from, from, sizeof(from));
	graph_node_name(edge->to, to, sizeof(to));
	if (listing->filter && !strstr(from, listing->filter) && !strstr(to, listing->filter))
		return;
	listing->edges++;
	write_trace(&edge->held, held, sizeof(held));
	write_trace(&edge->asked, asked, sizeof(asked));
	shell_printf("edge: from=%s to=%s kind=%s held=%s asked=%s\n", from, to, kinds[edge->kind],
		held, asked);
}

static int cmd_lockgraph(int argc, char **argv)
{
	struct listing listing = {.filter = argc > 1 ? argv[1] : NULL};

	if (shell_max_args(argc, argv, 2))
		return -EINVAL;
	if (!CONFIG_LOCKCHECK) {
		shell_printf("(this configuration has no lock checker)\n");
		return 0;
	}
	graph_for_each_edge(print_edge, &listing);
	shell_printf(
		"%u edges, %u of %u nodes in use\n", listing.edges, graph_nr_nodes(), GRAPH_NODES);
	return 0;
}
SHELL_COMMAND(lockgraph, "lockgraph [CLASS]", "the order in which locks were taken", cmd_lockgraph);
