/* SPDX-License-Identifier: MIT */
/*
 * The lock checker's graph: random graphs against a reference that knows all edges and closes its
 * walks by Warshall's algorithm; the cycle that is found is one, and a shortest one; harts
 * (pthreads) that close one cycle together, each with an edge of its own, at the same moment.
 *
 * Sources: tests/host/harness.c tests/host/machine.c kernel/lock/check_graph.c lib/string.c
 */
#include "tests/host/harness.h"

#include <pthread.h>
#include <stdlib.h>

#include "kernel/lock/check_graph.h"

#define N 14	       /* nodes of a random graph; the first two are the interrupt contexts */
#define STATES (2 * N) /* reference: node * 2 + asked for with R only */
#define FAR 1000
#define GRAPHS 400
#define EDGES 60
#define RING_MAX 4
#define RINGS 20000

static char keys[GRAPH_NODES * 2];
static unsigned node[N]; /* of the graph under test */

/* The reference: every edge ever added, and the distances between states. */
static bool edge[N][N][4];
static unsigned distance[STATES][STATES];

static uint64_t seed;
static unsigned below(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static bool shared(unsigned kind)
{
	return kind == GRAPH_SN || kind == GRAPH_SR;
}

static unsigned passing(unsigned kind)
{
	return kind == GRAPH_ER || kind == GRAPH_SR;
}

static void forget_all(void)
{
	uint32_t all[GRAPH_WORDS];

	for (unsigned i = 0; i < GRAPH_WORDS; i++)
		all[i] = UINT32_MAX;
	graph_forget(all);
	for (unsigned a = 0; a < N; a++)
		for (unsigned b = 0; b < N; b++)
			for (unsigned kind = 0; kind < 4; kind++)
				edge[a][b][kind] = false;
}

static void close_walks(bool irq)
{
	for (unsigned s = 0; s < STATES; s++)
		for (unsigned t = 0; t < STATES; t++)
			distance[s][t] = s == t ? 0 : FAR;
	for (unsigned a = irq ? 0 : 2; a < N; a++)
		for (unsigned b = irq ? 0 : 2; b < N; b++)
			for (unsigned kind = 0; kind < 4; kind++)
				for (unsigned r = 0; r < 2 && edge[a][b][kind]; r++)
					if (!(r && shared(kind)) &&
						distance[a * 2 + r][b * 2 + passing(kind)])
						distance[a * 2 + r][b * 2 + passing(kind)] = 1;
	for (unsigned k = 0; k < STATES; k++)
		for (unsigned s = 0; s < STATES; s++)
			for (unsigned t = 0; t < STATES; t++)
				if (distance[s][k] + distance[k][t] < distance[s][t])
					distance[s][t] = distance[s][k] + distance[k][t];
}

/* Length of the shortest cycle that the edge closes; FAR: none. */
static unsigned reference(unsigned from, unsigned to, unsigned kind, bool irq)
{
	unsigned best = FAR;

	if (!irq && (from < 2 || to < 2))
		return FAR;
	/* A longer walk over a class's edge to itself holds a cycle without that edge, which was
	 * found before. */
	if (from == to)
		return passing(kind) && shared(kind) ? FAR : 1;
	close_walks(irq);
	for (unsigned r = 0; r < 2; r++) {
		unsigned d = distance[to * 2 + passing(kind)][from * 2 + r];

		if (!(r && shared(kind)) && d + 1 < best)
			best = d + 1;
	}
	return best;
}

static unsigned index_of(unsigned of)
{
	for (unsigned i = 0; i < N; i++)
		if (node[i] == of)
			return i;
	fail_msg("node %u is none of ours", of);
	return 0;
}

/* Each step is an edge that was added, follows the one before, and no reader may pass. */
static void check_path(const struct graph_path *path, unsigned length)
{
	assert_int_equal(path->length, length);
	for (unsigned i = 0; i < length; i++) {
		const struct graph_step *step = &path->step[i];
		const struct graph_step *next = &path->step[(i + 1) % length];

		assert_true(edge[index_of(step->from)][index_of(step->to)][step->kind]);
		assert_int_equal(step->to, next->from);
		assert_false(passing(step->kind) && shared(next->kind));
	}
}

static void add(unsigned from, unsigned to, unsigned kind)
{
	struct graph_edge e = {.from = (uint16_t)node[from],
		.to = (uint16_t)node[to],
		.kind = (uint8_t)kind,
		.held = {1, {from + 1}},
		.asked = {1, {to + 1}}};
	struct graph_step step = {e.from, e.to, e.kind};
	bool covered = false;

	for (unsigned other = 0; other < 4; other++)
		covered |= edge[from][to][other] && (graph_covers(kind) >> other & 1);
	assert_int_equal(graph_known_edge(e.from, e.to, kind), covered);
	assert_int_equal(graph_add(&e), covered ? GRAPH_OLD : GRAPH_NEW);
	edge[from][to][kind] = true;
	if (covered)
		return;
	assert_true(graph_edge_get(&step, &e));
	assert_int_equal(e.held.pcs[0], from + 1);
	assert_int_equal(e.asked.pcs[0], to + 1);
}

static void random_graph(unsigned round)
{
	forget_all();
	for (unsigned n = 0; n < EDGES; n++) {
		/* Some are sparse, some have few classes. */
		unsigned from = below(2 + round % (N - 1)), to = below(2 + round % (N - 1));
		unsigned kind = round % 3 ? below(4) : GRAPH_EN;

		from = from < N ? from : N - 1;
		to = to < N ? to : N - 1;
		add(from, to, kind);
		for (unsigned irq = 0; irq < 2; irq++) {
			unsigned length = reference(from, to, kind, irq);
			struct graph_path path;
			bool found = graph_cycle(node[from], node[to], kind, irq, &path);

			if (found != (length != FAR))
				fail_msg("graph %u, edge %u: %u -%u-> %u: found %d, length %u, "
					 "irq %u",
					round, n, from, kind, to, found, length, irq);
			if (found)
				check_path(&path, length);
		}
	}
}

static void cycles_are_found_as_the_reference_finds_them(void **state)
{
	(void)state;
	seed = host_seed();
	for (unsigned round = 0; round < GRAPHS; round++)
		random_graph(round);
}

/* Edges of which only the bits are left are found as well. */
static void a_full_table_only_costs_backtraces(void **state)
{
	struct graph_edge e = {.from = (uint16_t)node[2], .to = (uint16_t)node[3]};
	struct graph_step step = {e.from, e.to, GRAPH_EN};
	struct graph_path path;

	(void)state;
	forget_all();
	graph_limit_edges(0);
	assert_int_equal(graph_add(&e), GRAPH_NEW_UNTRACED);
	assert_false(graph_edge_get(&step, &e));
	graph_limit_edges(UINT32_MAX);
	e = (struct graph_edge){.from = (uint16_t)node[3], .to = (uint16_t)node[2]};
	assert_int_equal(graph_add(&e), GRAPH_NEW);
	assert_true(graph_cycle(node[3], node[2], GRAPH_EN, false, &path));
	assert_int_equal(path.length, 2);
}

static void count_edge(const struct graph_edge *e, void *arg)
{
	(void)e;
	++*(unsigned *)arg;
}

static void forgetting_takes_what_touches_the_set_and_gives_its_room_back(void **state)
{
	unsigned edges = 0;

	(void)state;
	for (unsigned round = 0; round < 3 * GRAPH_EDGES; round++) {
		uint32_t set[GRAPH_WORDS] = {0};

		if (round == 0)
			forget_all();
		edge[2][3][GRAPH_EN] = edge[3][4][GRAPH_EN] = edge[4][5][GRAPH_EN] = false;
		add(2, 3, GRAPH_EN);
		add(3, 4, GRAPH_EN);
		if (round == 0)
			add(4, 5, GRAPH_EN);
		set[node[3] / 32] |= 1u << node[3] % 32;
		graph_forget(set);
		assert_false(graph_known_edge(node[2], node[3], GRAPH_EN));
		assert_false(graph_known_edge(node[3], node[4], GRAPH_EN));
		assert_true(graph_known_edge(node[4], node[5], GRAPH_EN));
	}
	graph_for_each_edge(count_edge, &edges);
	assert_int_equal(edges, 1);
}

/* ---- Together -------------------------------------------------------------------------------- */

static pthread_barrier_t together;
static unsigned ring_size;
static bool found_by[RING_MAX];

static void *close_ring(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg, next = 2 + (i + 1) % ring_size;
	struct graph_edge e = {.from = (uint16_t)node[2 + i], .to = (uint16_t)node[next]};
	struct graph_path path;

	for (unsigned round = 0; round < RINGS; round++) {
		pthread_barrier_wait(&together);
		found_by[i] = graph_add(&e) == GRAPH_NEW &&
			graph_cycle(e.from, e.to, GRAPH_EN, false, &path);
		pthread_barrier_wait(&together);
	}
	return NULL;
}

static void harts_that_close_a_cycle_together_find_it(void **state)
{
	(void)state;
	for (ring_size = 2; ring_size <= RING_MAX; ring_size++) {
		pthread_t t[RING_MAX];

		pthread_barrier_init(&together, NULL, ring_size + 1);
		for (unsigned i = 0; i < ring_size; i++)
			assert_int_equal(
				pthread_create(&t[i], NULL, close_ring, (void *)(uintptr_t)i), 0);
		for (unsigned round = 0; round < RINGS; round++) {
			unsigned found = 0;

			forget_all();
			pthread_barrier_wait(&together);
			pthread_barrier_wait(&together);
			for (unsigned i = 0; i < ring_size; i++)
				found += found_by[i];
			assert_true(found >= 1);
		}
		for (unsigned i = 0; i < ring_size; i++)
			pthread_join(t[i], NULL);
		pthread_barrier_destroy(&together);
	}
}

/* Last: what it claims stays claimed. */
static void nodes_are_found_again_and_run_out(void **state)
{
	enum graph_node_kind kind;
	const void *thing;
	unsigned full = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(keys) / 2; i++) {
		unsigned n = graph_node(&keys[2 * i], NODE_TIMER, &keys[2 * i]);

		full += n == GRAPH_FULL;
		assert_int_equal(graph_node(&keys[2 * i], NODE_TIMER, NULL), n);
		if (n == GRAPH_FULL)
			continue;
		assert_true(graph_node_get(n, &kind, &thing));
		assert_ptr_equal(thing, &keys[2 * i]);
	}
	assert_int_equal(full, GRAPH_FIRST);
	assert_int_equal(graph_nr_nodes(), GRAPH_NODES - GRAPH_FIRST);
	assert_false(graph_node_get(GRAPH_FULL, &kind, &thing));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cycles_are_found_as_the_reference_finds_them),
		cmocka_unit_test(a_full_table_only_costs_backtraces),
		cmocka_unit_test(forgetting_takes_what_touches_the_set_and_gives_its_room_back),
		cmocka_unit_test(harts_that_close_a_cycle_together_find_it),
		cmocka_unit_test(nodes_are_found_again_and_run_out),
	};

	node[0] = GRAPH_IRQ_HARD;
	node[1] = GRAPH_IRQ_IPI;
	for (unsigned i = 2; i < N; i++)
		node[i] = graph_node(&keys[2 * i], NODE_TIMER, &keys[2 * i]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
