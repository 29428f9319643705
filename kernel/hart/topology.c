/* SPDX-License-Identifier: MIT */
/* Who is near whom: topology.h. */
#include "kernel/hart/topology.h"

#include "kernel/hart/bringup.h"
#include "kernel/hart/hart.h"
#include "kernel/log.h"
#include "lib/assert.h"

struct fdt_topology topology;
unsigned nr_nearness;

static struct fdt_place places[CONFIG_MAX_HARTS];
/* By node: all of them, the nearest first. */
static uint8_t nearest[NODES_MAX][NODES_MAX];

/* One level: the groups of harts, each kept under the lowest index in it. */
struct nearness {
	const char *name;
	uint16_t leader[CONFIG_MAX_HARTS]; /* of the group that a hart is in */
	/* By leader. */
	uint16_t size[CONFIG_MAX_HARTS];
	struct hart_mask group[CONFIG_MAX_HARTS];
};
static struct nearness levels[NEARNESS_MAX];

static void order_nodes(void);
static void make_levels(void);
static void say_topology(void);

void topology_init(void)
{
	static int nodes[CONFIG_MAX_HARTS];

	for (unsigned i = 0; i < nr_harts; i++) {
		/* The root is no hart: it stands for one that the tree does not know. */
		nodes[i] = hart_found(i)->node;
		if (nodes[i] == FDT_ROOT)
			nodes[i] = -1;
	}
	fdt_read_topology(arch_info.fdt, nodes, nr_harts, &topology, places);
	order_nodes();
	make_levels();
	say_topology();
}

const struct fdt_place *hart_place(unsigned hart)
{
	return &places[hart];
}

unsigned hart_node(unsigned hart)
{
	return places[hart].node;
}

void node_harts(unsigned node, struct hart_mask *out)
{
	hart_mask_zero(out);
	for (unsigned i = 0; i < nr_harts; i++)
		if (places[i].node == node)
			hart_mask_set(out, i);
}

unsigned node_nearest(unsigned node, unsigned k)
{
	assert(node < topology.nr_nodes && k < topology.nr_nodes);
	return nearest[node][k];
}

const struct hart_mask *hart_near(unsigned hart, unsigned level)
{
	const struct nearness *l = &levels[level];

	return &l->group[l->leader[hart]];
}

unsigned hart_near_turn(unsigned hart, unsigned level, unsigned long turn)
{
	const struct nearness *l = &levels[level];
	unsigned first = l->leader[hart];

	/* Harts that are near have neighbouring indices as a rule. */
	return first + turn % l->size[first];
}

const char *nearness_name(unsigned level)
{
	assert(level < nr_nearness);
	return levels[level].name;
}

/* By distance; the lower number first among those that are as far. */
static void order_nodes(void)
{
	for (unsigned node = 0; node < topology.nr_nodes; node++) {
		const uint8_t *far = topology.distance[node];
		uint8_t *order = nearest[node];

		for (unsigned n = 0; n < topology.nr_nodes; n++) {
			unsigned at = n;

			for (; at > 0 && far[order[at - 1]] > far[n]; at--)
				order[at] = order[at - 1];
			order[at] = (uint8_t)n;
		}
		assert(order[0] == node);
	}
}

static unsigned group_number(const struct fdt_place *p, unsigned kind)
{
	const uint32_t numbers[NEARNESS_MAX] = {p->core, p->cluster, p->socket, p->node};

	return numbers[kind];
}

/* The groups of one kind into *l; how many there are. */
static unsigned make_groups(struct nearness *l, unsigned kind)
{
	unsigned groups = 0;

	for (unsigned i = 0; i < nr_harts; i++) {
		unsigned number = group_number(&places[i], kind), first = 0;

		while (group_number(&places[first], kind) != number)
			first++;
		groups += first == i;
		l->leader[i] = (uint16_t)first;
		l->size[first]++;
		hart_mask_set(&l->group[first], i);
	}
	return groups;
}

static bool same_groups(const struct nearness *a, const struct nearness *b)
{
	for (unsigned i = 0; i < nr_harts; i++)
		if (a->leader[i] != b->leader[i])
			return false;
	return true;
}

static void make_levels(void)
{
	static const char *const names[NEARNESS_MAX] = {"core", "cluster", "socket", "node"};

	for (unsigned kind = 0; kind < NEARNESS_MAX; kind++) {
		struct nearness *l = &levels[nr_nearness];
		unsigned groups;

		*l = (struct nearness){.name = names[kind]};
		groups = make_groups(l, kind);
		if (groups > 1 && groups < nr_harts && (!nr_nearness || !same_groups(l - 1, l)))
			nr_nearness++;
	}
}

static void say_unused(const char *what, const char *fault)
{
	if (fault)
		log_warn("topology: the tree's %s is not used: %s", what, fault);
}

/* Nothing where all harts and all memory are as near. */
static void say_topology(void)
{
	say_unused("NUMA", topology.numa_fault);
	say_unused("distance-map", topology.distance_fault);
	say_unused("cpu-map", topology.map_fault);
	if (topology.nr_nodes > 1 || nr_nearness)
		log_info("topology: nodes %u, sockets %u, clusters %u, cores %u", topology.nr_nodes,
			topology.nr_sockets, topology.nr_clusters, topology.nr_cores);
}
