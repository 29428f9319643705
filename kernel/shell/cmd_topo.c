/* SPDX-License-Identifier: MIT */
/*
 * The command topo: nodes of memory, and the harts near each, as the tree has them.
 *
 * A hart stands under its node, there under its cluster (and socket, if there are several). A
 * cluster that has harts of two nodes is shown under both.
 */
#include "kernel/hart/hart.h"
#include "kernel/hart/topology.h"
#include "kernel/mm/page.h"
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"
#include "lib/errno.h"

#define KIB_PER_PAGE ((size_t)(PAGE_SIZE / 1024))

static void print_node(unsigned node)
{
	struct mm_node_info m;

	mm_node(node, &m);
	shell_printf("node %u     id %lu, memory %zu KiB, free %zu KiB, distances", node,
		(unsigned long)topology.node_id[node], m.pages * KIB_PER_PAGE,
		m.free * KIB_PER_PAGE);
	for (unsigned other = 0; other < topology.nr_nodes; other++)
		shell_printf(" %u", topology.distance[node][other]);
	shell_printf("\n           pages given: %lu local, %lu lent, %lu from other nodes\n",
		(unsigned long)m.local, (unsigned long)m.lent, (unsigned long)m.fallback);
}

static void print_hart(const struct hart_meta *h)
{
	shell_printf("    core %-3lu hart %u, hartid %lu, %s%s\n",
		(unsigned long)hart_place(h->index)->core, h->index, (unsigned long)h->hartid,
		hart_state_name(atomic_load_u32(&h->state, relaxed)),
		h == &boot_hart ? ", the boot hart" : "");
}

/* The harts of the cluster of `first` that are in its node; they leave *left. */
static void print_cluster(unsigned first, struct hart_mask *left)
{
	const struct fdt_place *p = hart_place(first);
	unsigned i;

	if (topology.nr_sockets > 1)
		shell_printf("  cluster %lu, socket %lu\n", (unsigned long)p->cluster,
			(unsigned long)p->socket);
	else
		shell_printf("  cluster %lu\n", (unsigned long)p->cluster);
	for_each_hart_in_mask(i, left) {
		if (hart_place(i)->cluster != p->cluster)
			continue;
		hart_mask_clear(left, i);
		print_hart(harts[i]);
	}
}

static void print_harts_of(unsigned node)
{
	struct hart_mask left;
	unsigned first;

	node_harts(node, &left);
	if (hart_mask_empty(&left))
		shell_printf("  no harts\n");
	while ((first = hart_mask_first(&left)) < CONFIG_MAX_HARTS)
		print_cluster(first, &left);
}

static int cmd_topo(int argc, char **argv)
{
	if (shell_max_args(argc, argv, 1))
		return -EINVAL;
	for (unsigned node = 0; node < topology.nr_nodes; node++) {
		print_node(node);
		print_harts_of(node);
	}
	shell_printf("near harts first:");
	for (unsigned level = 0; level < nr_nearness; level++)
		shell_printf(" %s,", nearness_name(level));
	shell_printf(nr_nearness ? " then all\n" : " all are as near\n");
	return 0;
}
SHELL_COMMAND(topo, "topo", "nodes of memory and the harts near them", cmd_topo);
