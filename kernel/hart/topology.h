/* SPDX-License-Identifier: MIT */
/*
 * Who is near whom: harts among each other, and harts and memory. What the tree says is read once
 * (lib/fdt_topology.c), before memory is set up and before any hart is started.
 *
 * Node: memory and the harts that are near it; dense numbers from 0, the tree's own are ids. There
 * is always one. A node may have no hart, or no memory.
 *
 * Levels of nearness: harts of one core, of one cluster, of one socket, of one node. Only those are
 * kept that tell harts apart on this machine: a level is left out if its groups are those of the
 * level before, or single harts, or all of them. So nr_nearness is 0 where no hart is nearer than
 * another, and who looks for a near hart has nothing to do there; elsewhere it looks at nr_nearness
 * masks, however many harts there are.
 *
 * Everything here is constant after topology_init; any context, no locks.
 */
#ifndef KERNEL_HART_TOPOLOGY_H
#define KERNEL_HART_TOPOLOGY_H

#include "kernel/hart/mask.h"
#include "lib/fdt.h"

#define NODES_MAX FDT_NUMA_MAX
/* Where a node is asked for: that of the hart that asks. */
#define NODE_HERE UINT32_MAX
#define NEARNESS_MAX 4

/* nr_nodes and what else the tree says. */
extern struct fdt_topology topology;
extern unsigned nr_nearness;

/* Boot hart, once, after hart_discover and before memory is set up. What the tree says and is not
 * used is said in one line. */
void topology_init(void);

const struct fdt_place *hart_place(unsigned hart);
unsigned hart_node(unsigned hart);
/* The harts of a node. */
void node_harts(unsigned node, struct hart_mask *out);
/* The k-th nearest node to `node`, of topology.nr_nodes; the 0-th is `node` itself. */
unsigned node_nearest(unsigned node, unsigned k);
/* The harts that are as near to `hart` as the level says, itself among them; level < nr_nearness,
 * 0 is the nearest. */
const struct hart_mask *hart_near(unsigned hart, unsigned level);
/* An index in that set, or between two of it, another one at each turn. */
unsigned hart_near_turn(unsigned hart, unsigned level, unsigned long turn);
/* "core", "cluster", "socket" or "node". */
const char *nearness_name(unsigned level);

#endif
