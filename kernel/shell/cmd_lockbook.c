/* SPDX-License-Identifier: MIT */
/*
 * The command lockbook: what every lock class declares beside what was seen of it since boot, for
 * programs. A record a line, of key=value pairs without spaces:
 *
 *	lockbook: class name=runq file=kernel/sched/runq.c rank=30 sleeps=0 contexts=3 ...
 *	lockbook: edge from=class:workq to=class:runq held=work_queue+0x30<... asked=...
 *	lockbook: irqsoff hart=0 ns=14300 begin=run_busy+0x30 at=irqlock_release+0x10<...
 *	lockbook: end classes=81 edges=412 harts=4
 *
 * The last one counts the others, so that a reader knows that it has them all. Backtraces are
 * innermost first, `-` where there is none; irqsoff is the longest section with interrupts off, by
 * where it began and where it ended. Contexts are the bits of enum lock_contexts.
 */
#include "kernel/hart/hart.h"
#include "kernel/lock/check.h"
#include "kernel/lock/check_graph.h"
#include "kernel/lock/stat.h"
#include "kernel/panic/symbols.h"
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"
#include "lib/printf.h"

static void print_trace(const char *key, const uintptr_t *pcs, unsigned n)
{
	char name[SYMBOL_TEXT_MAX];

	shell_printf(" %s=%s", key, n && pcs[0] ? "" : "-");
	for (unsigned i = 0; i < n && pcs[i]; i++)
		shell_printf("%s%s", i ? "<" : "", symbolise_return(pcs[i], name, sizeof(name)));
}

static void print_class(const struct lock_class *c)
{
	static const char *const counts[LOCK_STATS] = {
		[LOCK_ACQUIRED] = "acquired",
		[LOCK_CONTENDED] = "contended",
		[LOCK_STOLEN] = "stolen",
		[LOCK_PARKED] = "parked",
		[LOCK_BOUNCED] = "bounced",
		[LOCK_TIMED_OUT] = "timed_out",
		[LOCK_HANDED_OFF] = "handed_off",
	};
	struct lock_stat_times holds;

	shell_printf(
		"lockbook: class name=%s file=%s rank=%u sleeps=%u contexts=%u seen=%u max_us=%u",
		c->name, c->file, (unsigned)c->rank, c->rank < RANK_FIRST_SPINNING, c->contexts,
		(unsigned)atomic_load_u32(&c->seen[0], relaxed), c->max_hold_us);
	for (unsigned i = 0; i < LOCK_STATS; i++)
		shell_printf(" %s=%lu", counts[i], lock_stat_read(c, i));
	lock_stat_holds(c, &holds);
	shell_printf(" hold_ns=%llu", (unsigned long long)ticks_to_ns(holds.max));
	print_trace("at", holds.pcs, holds.nr_pcs);
	shell_printf("\n");
}

static void print_node(const char *key, unsigned node)
{
	static const char *const kinds[] = {
		[NODE_LOCK] = "class",
		[NODE_EVENT] = "event",
		[NODE_THREAD] = "thread",
		[NODE_TIMER] = "timer",
		[NODE_IRQ] = "handler",
		[NODE_NAMED] = "run",
	};
	char symbol[SYMBOL_TEXT_MAX];
	enum graph_node_kind kind;
	const void *thing;

	shell_printf(" %s=", key);
	if (node == GRAPH_IRQ_HARD || node == GRAPH_IRQ_IPI)
		shell_printf("irq:%s", node == GRAPH_IRQ_IPI ? "ipi" : "hard");
	else if (!graph_node_get(node, &kind, &thing))
		shell_printf("?");
	else if (kind == NODE_NAMED)
		shell_printf("run:%u", node);
	else if (kind == NODE_LOCK || kind == NODE_EVENT)
		shell_printf("%s:%s", kinds[kind], ((const struct lock_class *)thing)->name);
	else
		shell_printf(
			"%s:%s", kinds[kind], symbolise((uintptr_t)thing, symbol, sizeof(symbol)));
}

static void print_edge(const struct graph_edge *edge, void *arg)
{
	unsigned *edges = arg;

	++*edges;
	shell_printf("lockbook: edge");
	print_node("from", edge->from);
	print_node("to", edge->to);
	print_trace("held", edge->held.pcs, edge->held.nr);
	print_trace("asked", edge->asked.pcs, edge->asked.nr);
	shell_printf("\n");
}

static int cmd_lockbook(int argc, char **argv)
{
	unsigned classes = 0, edges = 0, harts = 0;

	if (shell_max_args(argc, argv, 1))
		return -EINVAL;
	if (!CONFIG_LOCKCHECK || !CONFIG_LOCKSTAT) {
		shell_printf("lockbook: this configuration notes nothing\n");
		return -ENOSYS;
	}
	lock_class_for_each(c) {
		print_class(c);
		classes++;
	}
	graph_for_each_edge(print_edge, &edges);
	for (unsigned i = 0; i < nr_lock_harts; i++) {
		struct lock_stat_section s;

		if (!lock_harts[i])
			continue;
		harts++;
		/* One without: all zero. */
		if (!lock_stat_section(i, SECTION_IRQS_OFF, &s))
			s = (struct lock_stat_section){0};
		shell_printf("lockbook: irqsoff hart=%u ns=%llu", i,
			(unsigned long long)ticks_to_ns(s.ticks));
		print_trace("begin", &s.begin, 1);
		print_trace("at", s.pcs, s.nr_pcs);
		shell_printf("\n");
	}
	shell_printf("lockbook: end classes=%u edges=%u harts=%u\n", classes, edges, harts);
	return 0;
}
SHELL_COMMAND(lockbook, "lockbook", "what lock classes declare, and what was seen", cmd_lockbook);
