/* SPDX-License-Identifier: MIT */
/*
 * Which harts and which memory are near each other, by the device tree: lib/fdt.h.
 *
 * Three sources, each by its binding: numa-node-id in harts and memory, and /distance-map
 * (numa.txt); /cpus/cpu-map (cpu-topology.txt). Each is used whole or not at all: a tree that
 * contradicts itself in one place is not believed in the next, and what is not used has a default
 * that is always right, if less near. So one reason for each is all there is to say.
 *
 * Bounded: each source is walked once; a phandle that none of the harts in question has is looked
 * up in the whole tree, but never for more leaves than /cpus has harts.
 */
#include "lib/fdt_internal.h"

#define DISTANCE_LOCAL 10
#define DISTANCE_REMOTE 20
#define UNPLACED UINT32_MAX

/* ---- Nodes of memory ----------------------------------------------------------------------- */

/* Dense number of the NUMA node with this id; -ENOENT. */
static int numa_find(const struct fdt_topology *t, uint32_t id)
{
	for (unsigned i = 0; i < t->nr_nodes; i++)
		if (t->node_id[i] == id)
			return (int)i;
	return -ENOENT;
}

/* Takes an id in, in ascending order; false: there are too many. */
static bool numa_add(struct fdt_topology *t, uint32_t id)
{
	unsigned at = t->nr_nodes;

	if (numa_find(t, id) >= 0)
		return true;
	if (at == FDT_NUMA_MAX)
		return false;
	for (; at > 0 && t->node_id[at - 1] > id; at--)
		t->node_id[at] = t->node_id[at - 1];
	t->node_id[at] = id;
	t->nr_nodes++;
	return true;
}

/* Who has a numa-node-id so far, and who has not. */
struct numa_census {
	unsigned with, without;
};

/* Takes in what one hart or memory node of the tree says; a reason, or NULL. */
static const char *numa_take(
	const void *fdt, int node, struct fdt_topology *t, struct numa_census *census)
{
	uint32_t id;
	int err = node < 0 ? -ENOENT : fdt_read_u32(fdt, node, "numa-node-id", &id);

	if (err == -ENOENT) {
		census->without++;
		return NULL;
	}
	if (err)
		return "a numa-node-id is malformed";
	census->with++;
	return numa_add(t, id) ? NULL : "it has too many NUMA nodes";
}

static const char *numa_read(const void *fdt, const int *harts, unsigned n, struct fdt_topology *t)
{
	struct numa_census census = {0};
	struct fdt_memory_iter it;
	const char *fault = NULL;
	uint64_t start, size;
	int err;

	for (unsigned i = 0; i < n && !fault; i++)
		fault = numa_take(fdt, harts[i], t, &census);
	fdt_memory_begin(&it, fdt);
	while (!fault && (err = fdt_memory_next(&it, &start, &size)) != -ENOENT)
		if (!err)
			fault = numa_take(fdt, it.found, t, &census);
	if (!fault && census.with && census.without)
		fault = "a hart or memory lacks a numa-node-id that others have";
	return fault;
}

unsigned fdt_numa_node(const struct fdt_topology *t, const void *fdt, int node)
{
	uint32_t id;
	int found = -ENOENT;

	if (node >= 0 && !fdt_read_u32(fdt, node, "numa-node-id", &id))
		found = numa_find(t, id);
	return found < 0 ? 0 : (unsigned)found;
}

/* ---- Distances ----------------------------------------------------------------------------- */

static void distances_default(struct fdt_topology *t)
{
	for (unsigned a = 0; a < FDT_NUMA_MAX; a++)
		for (unsigned b = 0; b < FDT_NUMA_MAX; b++)
			t->distance[a][b] = a == b ? DISTANCE_LOCAL : DISTANCE_REMOTE;
}

/* One entry of the matrix, into a table in which 0 is a pair that nobody named yet. Nodes that have
 * neither harts nor memory are nobody's concern. */
static const char *distance_take(
	struct fdt_topology *t, uint8_t named[FDT_NUMA_MAX][FDT_NUMA_MAX], const uint32_t entry[3])
{
	int a = numa_find(t, entry[0]), b = numa_find(t, entry[1]);
	uint32_t far = entry[2];

	if (entry[0] == entry[1] ? far != DISTANCE_LOCAL : far <= DISTANCE_LOCAL)
		return "a distance is not that of nodes apart, or of a node to itself";
	if (far > UINT8_MAX)
		return "a distance is above 255";
	if (a < 0 || b < 0)
		return NULL;
	if (named[a][b] && named[a][b] != far)
		return "it names a pair of nodes twice";
	named[a][b] = (uint8_t)far;
	return NULL;
}

static const char *distances_read(const void *fdt, struct fdt_topology *t)
{
	uint8_t named[FDT_NUMA_MAX][FDT_NUMA_MAX] = {0};
	int map = fdt_find(fdt, "/distance-map");
	const char *fault = NULL;
	uint32_t entry[3];
	size_t len;

	if (map < 0)
		return NULL;
	if (!fdt_is_compatible(fdt, map, "numa-distance-map-v1"))
		return "it is of an unknown kind";
	if (!fdt_prop(fdt, map, "distance-matrix", &len) || len % sizeof(entry))
		return "it has no matrix of three cells an entry";
	for (unsigned i = 0; i < len / 4 && !fault; i += 3) {
		for (unsigned k = 0; k < 3; k++)
			fdt_read_u32_at(fdt, map, "distance-matrix", i + k, &entry[k]);
		fault = distance_take(t, named, entry);
	}
	/* Who is named in one direction is as far in the other. */
	for (unsigned a = 0; a < t->nr_nodes && !fault; a++)
		for (unsigned b = 0; b < t->nr_nodes; b++)
			if (named[a][b] || named[b][a])
				t->distance[a][b] = named[a][b] ? named[a][b] : named[b][a];
	return fault;
}

/* ---- cpu-map ------------------------------------------------------------------------------- */

enum map_kind {
	MAP_TOP,
	MAP_SOCKET,
	MAP_CLUSTER,
	MAP_CORE,
	MAP_THREAD,
	MAP_LEAF, /* a core or thread that named its hart: nothing may be inside */
	MAP_KINDS,
};

/* What may be inside what: bit k of the entry of a kind. */
static const uint8_t map_inside[MAP_KINDS] = {
	[MAP_TOP] = 1 << MAP_SOCKET | 1 << MAP_CLUSTER,
	[MAP_SOCKET] = 1 << MAP_CLUSTER,
	[MAP_CLUSTER] = 1 << MAP_CLUSTER | 1 << MAP_CORE,
	[MAP_CORE] = 1 << MAP_THREAD,
};

struct map_walk {
	const void *fdt;
	unsigned n, leaves, leaves_max;
	struct fdt_place *places;
	struct fdt_topology *t;
	struct fdt_place at; /* where the walk is */
	/* By depth below the map. */
	uint8_t kind[FDT_MAX_DEPTH];
	uint32_t number[FDT_MAX_DEPTH]; /* a cluster's, UNPLACED before its first core */
};

static enum map_kind map_kind_of(const char *name)
{
	static const char *const names[] = {
		[MAP_SOCKET] = "socket",
		[MAP_CLUSTER] = "cluster",
		[MAP_CORE] = "core",
		[MAP_THREAD] = "thread",
	};

	for (unsigned k = MAP_SOCKET; k <= MAP_THREAD; k++)
		if (str_starts_with(name, names[k]) && char_is_digit(name[strlen(names[k])]))
			return k;
	return MAP_KINDS;
}

/* Whether `node` is one of the harts below /cpus. */
static bool map_names_hart(const struct map_walk *w, int node)
{
	struct fdt_hart_iter it;
	struct fdt_hart hart;

	fdt_harts_begin(&it, w->fdt);
	for (int err; (err = fdt_harts_next(&it, &hart)) != -ENOENT;)
		if (hart.node == node)
			return true;
	return false;
}

/* The hart of a core or thread stands where the walk is; harts that are not in question may be
 * named, too. */
static const char *map_place(struct map_walk *w, uint32_t phandle)
{
	int node;

	if (++w->leaves > w->leaves_max)
		return "it names more harts than there are";
	for (unsigned i = 0; i < w->n; i++) {
		struct fdt_place *p = &w->places[i];

		if (p->phandle != phandle || !phandle)
			continue;
		if (p->core != UNPLACED)
			return "it names a hart twice";
		p->socket = w->at.socket;
		p->cluster = w->at.cluster;
		p->core = w->at.core;
		return NULL;
	}
	node = fdt_by_phandle(w->fdt, phandle);
	if (node < 0)
		return "it names a phandle that nobody has";
	return map_names_hart(w, node) ? NULL : "it names something that is no hart";
}

/* The cluster around a core at `depth` gets its number with its first core. */
static void map_enter_core(struct map_walk *w, int depth)
{
	uint32_t *cluster = &w->number[depth - 1];

	if (*cluster == UNPLACED)
		*cluster = w->t->nr_clusters++;
	w->at.cluster = *cluster;
	w->at.core = w->t->nr_cores++;
}

static const char *map_enter(struct map_walk *w, int node, int depth)
{
	enum map_kind kind = map_kind_of(fdt_name(w->fdt, node));
	uint32_t phandle;
	int err;

	if (kind == MAP_KINDS || !(map_inside[w->kind[depth - 1]] >> kind & 1))
		return "a node stands where it does not belong";
	w->kind[depth] = (uint8_t)kind;
	w->number[depth] = UNPLACED;
	if (kind == MAP_SOCKET)
		w->at.socket = w->t->nr_sockets++;
	if (kind == MAP_CORE)
		map_enter_core(w, depth);
	if (kind != MAP_CORE && kind != MAP_THREAD)
		return NULL;
	err = fdt_read_u32(w->fdt, node, "cpu", &phandle);
	if (err == -ENOENT && kind == MAP_CORE && fdt_child(w->fdt, node) >= 0)
		return NULL; /* its threads name theirs */
	if (err)
		return "a core or thread names no hart";
	w->kind[depth] = MAP_LEAF;
	return map_place(w, phandle);
}

/* The first depth of the walk that is not inside the map ends it. */
static const char *map_walk(struct map_walk *w, int map)
{
	const char *fault = NULL;
	int depth = 0;

	w->kind[0] = MAP_TOP;
	for (int node = fdt_walk(w->fdt, map, &depth); node >= 0 && depth > 0 && !fault;
		node = fdt_walk(w->fdt, node, &depth)) {
		if (depth >= FDT_MAX_DEPTH)
			return "it is too deep";
		fault = map_enter(w, node, depth);
	}
	for (unsigned i = 0; i < w->n && !fault; i++)
		if (w->places[i].core == UNPLACED)
			fault = "it leaves out a hart";
	return fault;
}

static const char *map_read(const void *fdt, const int *harts, unsigned n, struct fdt_topology *t,
	struct fdt_place *places)
{
	struct map_walk w = {.fdt = fdt, .n = n, .places = places, .t = t};
	int map = fdt_find(fdt, "/cpus/cpu-map"), node;

	for (unsigned i = 0; i < n; i++) {
		places[i].phandle = harts[i] < 0 ? 0 : fdt_phandle(fdt, harts[i]);
		places[i].core = UNPLACED;
	}
	if (map < 0)
		return NULL;
	for (node = fdt_child(fdt, fdt_find(fdt, "/cpus")); node >= 0;
		node = fdt_sibling(fdt, node))
		w.leaves_max++;
	return map_walk(&w, map);
}

/* Without a cpu-map each hart is a core, and those of a NUMA node are a cluster and a socket. */
static void map_default(struct fdt_topology *t, struct fdt_place *places, unsigned n)
{
	t->nr_sockets = t->nr_clusters = t->nr_nodes;
	t->nr_cores = n;
	for (unsigned i = 0; i < n; i++) {
		places[i].socket = places[i].cluster = places[i].node;
		places[i].core = i;
	}
}

/* ---- All of it ----------------------------------------------------------------------------- */

void fdt_read_topology(const void *fdt, const int *harts, unsigned n, struct fdt_topology *out,
	struct fdt_place *places)
{
	*out = (struct fdt_topology){0};
	out->numa_fault = numa_read(fdt, harts, n, out);
	if (out->numa_fault || !out->nr_nodes) {
		out->nr_nodes = 1;
		out->node_id[0] = 0;
	}
	for (unsigned i = 0; i < n; i++) {
		places[i] = (struct fdt_place){0};
		places[i].node = out->numa_fault ? 0 : fdt_numa_node(out, fdt, harts[i]);
	}
	distances_default(out);
	if (!out->numa_fault)
		out->distance_fault = distances_read(fdt, out);

	out->map_fault = map_read(fdt, harts, n, out, places);
	if (out->map_fault || !out->nr_cores)
		map_default(out, places, n);
	out->nr_sockets = MAX(out->nr_sockets, 1u);
}
