/* SPDX-License-Identifier: MIT */
/*
 * Who is near whom by the device tree: QEMU's own trees, odd ones that are right, and nonsense,
 * which is named by its reason and not used.
 *
 * Sources: tests/host/harness.c tests/host/dt.c lib/fdt.c lib/fdt_bus.c lib/fdt_memory.c
 * Sources: lib/fdt_harts.c lib/fdt_topology.c lib/string.c libfdt
 */
#include <stdio.h>
#include <string.h>

#include "lib/errno.h"
#include "lib/fdt.h"
#include "tests/host/dt.h"
#include "tests/host/harness.h"

#define HARTS_MAX 8

static struct fdt_topology t;
static struct fdt_place places[HARTS_MAX];
static unsigned nr_harts;

/* Asks about all enabled harts of the tree. */
static void ask(const void *fdt)
{
	int nodes[HARTS_MAX];
	struct fdt_hart_iter it;
	struct fdt_hart h;

	nr_harts = 0;
	fdt_harts_begin(&it, fdt);
	while (!fdt_harts_next(&it, &h))
		if (h.enabled)
			nodes[nr_harts++] = h.node;
	memset(&t, 0xee, sizeof(t));
	memset(places, 0xee, sizeof(places));
	fdt_read_topology(fdt, nodes, nr_harts, &t, places);
}

static void expect_no_fault(void)
{
	assert_null(t.numa_fault);
	assert_null(t.distance_fault);
	assert_null(t.map_fault);
}

static void expect_counts(unsigned nodes, unsigned sockets, unsigned clusters, unsigned cores)
{
	assert_int_equal(t.nr_nodes, nodes);
	assert_int_equal(t.nr_sockets, sockets);
	assert_int_equal(t.nr_clusters, clusters);
	assert_int_equal(t.nr_cores, cores);
}

static void expect_place(
	unsigned i, unsigned node, unsigned socket, unsigned cluster, unsigned core)
{
	assert_true(i < nr_harts);
	assert_int_equal(places[i].node, node);
	assert_int_equal(places[i].socket, socket);
	assert_int_equal(places[i].cluster, cluster);
	assert_int_equal(places[i].core, core);
}

/* Harts of one node, one cluster, and a core each. */
static void expect_flat(unsigned n)
{
	assert_int_equal(nr_harts, n);
	expect_counts(1, 1, 1, n);
	for (unsigned i = 0; i < n; i++)
		expect_place(i, 0, 0, 0, i);
	assert_int_equal(t.distance[0][0], 10);
}

/* ---- QEMU's trees ------------------------------------------------------------------------ */

static void qemu_machine_without_numa_is_one_cluster(void **state unused_arg)
{
	ask(dt_qemu("-smp 4"));
	expect_no_fault();
	assert_int_equal(nr_harts, 4);
	expect_counts(1, 1, 1, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(places[i].cluster, 0);
		/* QEMU names the harts in either order. */
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(places[i].core, places[j].core);
	}
}

static void qemu_numa_nodes_have_harts_memory_and_distances(void **state unused_arg)
{
	const void *fdt = dt_qemu("-smp 4 -m 384M -object memory-backend-ram,size=128M,id=a "
				  "-object memory-backend-ram,size=256M,id=b "
				  "-numa node,memdev=a,cpus=0-1 -numa node,memdev=b,cpus=2-3 "
				  "-numa dist,src=0,dst=1,val=25");
	struct fdt_memory_iter it;
	uint64_t start, size;
	unsigned seen = 0;

	ask(fdt);
	expect_no_fault();
	expect_counts(2, 1, 2, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(places[i].node, i / 2);
		assert_int_equal(places[i].cluster == places[0].cluster, i < 2);
	}
	assert_int_equal(t.distance[0][0], 10);
	assert_int_equal(t.distance[0][1], 25);
	assert_int_equal(t.distance[1][0], 25);
	fdt_memory_begin(&it, fdt);
	while (!fdt_memory_next(&it, &start, &size)) {
		unsigned node = fdt_numa_node(&t, fdt, it.found);

		assert_int_equal(size, node ? 256 << 20 : 128 << 20);
		seen |= 1u << node;
	}
	assert_int_equal(seen, 3);
}

/* ---- Trees written by hand --------------------------------------------------------------- */

#define HEAD "/ { #address-cells = <1>; #size-cells = <1>; "
#define HART(n, more) \
	"h" #n ": cpu@" #n " { device_type = \"cpu\"; reg = <" #n ">; phandle = <10" #n ">;" more \
	" };"
#define CPUS(inside) "cpus { #address-cells = <1>; #size-cells = <0>; " inside " };"
#define MEMORY(n, more) \
	"memory@" #n "0000000 { device_type = \"memory\"; reg = <0x" #n \
	"0000000 0x1000000>; " more " };"
#define ID(n) "numa-node-id = <" #n ">;"
#define FOUR HART(0, "") HART(1, "") HART(2, "") HART(3, "")
#define DISTANCES(matrix) \
	"distance-map { compatible = \"numa-distance-map-v1\"; distance-matrix = <" matrix ">; };"
#define TWO_NODES CPUS(HART(0, ID(0)) HART(1, ID(1))) MEMORY(8, ID(0)) MEMORY(9, ID(1))

static void ask_source(const char *dts)
{
	ask(dt_source(dts));
}

static void ask_map(const char *map)
{
	char dts[2000];

	snprintf(dts, sizeof(dts), HEAD MEMORY(8, "") CPUS(FOUR "cpu-map { %s };") "};", map);
	ask_source(dts);
}

static void tree_that_says_nothing_is_flat(void **state unused_arg)
{
	ask_source(HEAD MEMORY(8, "") CPUS(FOUR) "};");
	expect_no_fault();
	expect_flat(4);
	ask_source("/ { };");
	expect_no_fault();
	assert_int_equal(nr_harts, 0);
	assert_int_equal(t.nr_nodes, 1);
}

static void sockets_nested_clusters_and_threads_are_followed(void **state unused_arg)
{
	ask_map("socket0 { cluster0 { cluster0 { core0 { thread0 { cpu = <&h3>; };"
		"    thread1 { cpu = <&h0>; }; }; };"
		"  cluster1 { core0 { cpu = <&h2>; }; }; }; };"
		"socket1 { cluster0 { core0 { cpu = <&h1>; }; }; };");
	expect_no_fault();
	expect_counts(1, 2, 3, 3);
	expect_place(0, 0, 0, 0, 0);
	expect_place(3, 0, 0, 0, 0);
	expect_place(2, 0, 0, 1, 1);
	expect_place(1, 0, 1, 2, 2);
}

static void map_may_name_harts_that_are_not_asked_about(void **state unused_arg)
{
	ask_source(HEAD CPUS(HART(0, "") HART(1, "status = \"disabled\";") HART(
		2, "") "cpu-map { cluster0 { core0 { cpu = <&h1>; }; core1 { cpu = <&h0>; }; };"
		       "  cluster1 { core0 { cpu = <&h2>; }; }; };") "};");
	expect_no_fault();
	assert_int_equal(nr_harts, 2);
	expect_place(0, 0, 0, 0, 1);
	expect_place(1, 0, 0, 1, 2);
}

static void sparse_ids_become_dense_numbers_in_their_order(void **state unused_arg)
{
	const void *fdt = dt_source(HEAD CPUS(HART(0, ID(0x70000000)) HART(1, ID(3)))
			MEMORY(8, ID(0x70000000)) MEMORY(9, ID(9)) "};");

	ask(fdt);
	expect_no_fault();
	/* Node 9 has memory and no hart, node 3 a hart and no memory. */
	expect_counts(3, 3, 3, 2);
	assert_int_equal(t.node_id[0], 3);
	assert_int_equal(t.node_id[1], 9);
	assert_int_equal(t.node_id[2], 0x70000000);
	expect_place(0, 2, 2, 2, 0);
	expect_place(1, 0, 0, 0, 1);
	assert_int_equal(fdt_numa_node(&t, fdt, dt_find(fdt, "/memory@80000000")), 2);
	assert_int_equal(fdt_numa_node(&t, fdt, dt_find(fdt, "/memory@90000000")), 1);
	assert_int_equal(fdt_numa_node(&t, fdt, dt_find(fdt, "/cpus")), 0);
	assert_int_equal(t.distance[0][2], 20);
}

static void distances_have_two_directions(void **state unused_arg)
{
	/* Named in one direction they hold for both; node 7 is nobody's. */
	ask_source(HEAD TWO_NODES DISTANCES("0 0 10 1 0 40 7 1 90") "};");
	expect_no_fault();
	assert_int_equal(t.distance[0][1], 40);
	assert_int_equal(t.distance[1][0], 40);
	assert_int_equal(t.distance[1][1], 10);
	/* Each may have its own. */
	ask_source(HEAD TWO_NODES DISTANCES("0 1 30 1 0 40") "};");
	expect_no_fault();
	assert_int_equal(t.distance[0][1], 30);
	assert_int_equal(t.distance[1][0], 40);
	/* A pair that is not named has the default. */
	ask_source(HEAD TWO_NODES DISTANCES("0 0 10") "};");
	expect_no_fault();
	assert_int_equal(t.distance[0][1], 20);
}

/* ---- Nonsense ---------------------------------------------------------------------------- */

static void nonsense_map(const char *reason, const char *map)
{
	ask_map(map);
	if (!t.map_fault || strcmp(t.map_fault, reason) != 0)
		fail_msg("%s: `%s`, not `%s`", map, t.map_fault ? t.map_fault : "none", reason);
	assert_null(t.numa_fault);
	assert_null(t.distance_fault);
	expect_flat(4);
}

#define CORE(n, hart) "core" #n " { cpu = <&h" #hart ">; };"
#define ALL_FOUR CORE(0, 0) CORE(1, 1) CORE(2, 2) CORE(3, 3)

static void nonsense_in_the_map_is_named_and_not_used(void **state unused_arg)
{
	static const char misplaced[] = "a node stands where it does not belong";
	static const char no_hart[] = "a core or thread names no hart";
	static const char other[] = "it names something that is no hart";

	ask_map("cluster0 {" ALL_FOUR "};");
	expect_no_fault();

	nonsense_map("it leaves out a hart", "");
	nonsense_map("it leaves out a hart", "cluster0 {" CORE(0, 0) CORE(1, 1) CORE(2, 2) "};");
	nonsense_map("it names a hart twice", "cluster0 {" ALL_FOUR CORE(4, 0) "};");
	nonsense_map("it names a phandle that nobody has",
		"cluster0 {" ALL_FOUR "core4 { cpu = <0x77>; }; };");
	nonsense_map("it names a phandle that nobody has",
		"cluster0 {" ALL_FOUR "core4 { cpu = <0>; }; };");
	/* A circle: the map names itself, a core its own cluster. */
	nonsense_map(other, "phandle = <0x50>; cluster0 {" ALL_FOUR "core4 { cpu = <0x50>; }; };");
	nonsense_map(other, "cluster0 { phandle = <0x50>; core4 { cpu = <0x50>; };" ALL_FOUR "};");
	nonsense_map(no_hart, "cluster0 {" ALL_FOUR "core4 { }; };");
	nonsense_map(no_hart, "cluster0 {" ALL_FOUR "core4 { cpu = <&h0 &h1>; }; };");
	nonsense_map(no_hart, "cluster0 {" ALL_FOUR "core4 { cpu; }; };");
	nonsense_map(no_hart, "cluster0 {" ALL_FOUR "core4 { thread0 { }; }; };");
	nonsense_map(misplaced, ALL_FOUR);
	nonsense_map(misplaced, "socket0 {" ALL_FOUR "};");
	nonsense_map(misplaced, "cluster0 { socket0 {" ALL_FOUR "}; };");
	nonsense_map(misplaced, "cluster0 {" ALL_FOUR "}; other { };");
	nonsense_map(misplaced, "cluster {" ALL_FOUR "};");
	nonsense_map(misplaced, "cluster0 { core0 { cpu = <&h0>; thread0 { cpu = <&h1>; }; }; };");
	nonsense_map(misplaced, "cluster0 { core0 { cluster0 {" ALL_FOUR "}; }; };");
}

static void map_that_is_too_deep_or_too_long_is_not_used(void **state unused_arg)
{
	char map[2000] = "";

	for (int i = 0; i < FDT_MAX_DEPTH + 2; i++)
		strcat(map, "cluster0 {");
	for (int i = 0; i < FDT_MAX_DEPTH + 2; i++)
		strcat(map, "};");
	nonsense_map("it is too deep", map);

	/* The same disabled hart over and over: each look-up costs a walk over the tree. */
	strcpy(map,
		HEAD CPUS(HART(0, "") HART(1, "status = \"disabled\";") "cpu-map { cluster0 {"));
	map[strlen(map) - strlen(" };")] = '\0';
	for (int i = 0; i < 5; i++)
		sprintf(map + strlen(map), "core%d { cpu = <&h1>; };", i);
	strcat(map, "}; }; }; };");
	ask_source(map);
	assert_string_equal(t.map_fault, "it names more harts than there are");
	expect_flat(1);
}

static void nonsense_numa(const char *reason, const char *dts)
{
	ask_source(dts);
	assert_non_null(t.numa_fault);
	assert_string_equal(t.numa_fault, reason);
	assert_null(t.distance_fault);
	expect_flat(2);
}

static void nonsense_about_nodes_is_named_and_not_used(void **state unused_arg)
{
	static const char lacks[] = "a hart or memory lacks a numa-node-id that others have";
	static const char malformed[] = "a numa-node-id is malformed";
	char dts[4000] = HEAD CPUS(HART(0, ID(0)) HART(1, ID(1)));

	ask_source(HEAD TWO_NODES "};");
	expect_no_fault();
	expect_counts(2, 2, 2, 2);

	nonsense_numa(lacks, HEAD CPUS(HART(0, ID(0)) HART(1, "")) MEMORY(8, ID(0)) "};");
	nonsense_numa(lacks, HEAD CPUS(HART(0, ID(0)) HART(1, ID(1))) MEMORY(8, "") "};");
	nonsense_numa(malformed, HEAD CPUS(HART(0, ID(0)) HART(1, ID(0 1))) "};");
	nonsense_numa(
		malformed, HEAD CPUS(HART(0, "") HART(1, "")) MEMORY(8, "numa-node-id;") "};");
	for (int i = 2; i < FDT_NUMA_MAX + 1; i++)
		sprintf(dts + strlen(dts),
			"memory@%d { device_type = \"memory\"; reg = <0x%d000000 1>;"
			"numa-node-id = <%d>; };",
			i, i, i);
	strcat(dts, "};");
	nonsense_numa("it has too many NUMA nodes", dts);
}

static void nonsense_distances(const char *reason, const char *map)
{
	char dts[1000];

	snprintf(dts, sizeof(dts), HEAD TWO_NODES "%s };", map);
	ask_source(dts);
	assert_null(t.numa_fault);
	assert_non_null(t.distance_fault);
	assert_string_equal(t.distance_fault, reason);
	expect_counts(2, 2, 2, 2);
	for (unsigned a = 0; a < 2; a++)
		for (unsigned b = 0; b < 2; b++)
			assert_int_equal(t.distance[a][b], a == b ? 10 : 20);
}

static void nonsense_about_distances_is_named_and_not_used(void **state unused_arg)
{
	static const char wrong[] = "a distance is not that of nodes apart, or of a node to itself";
	static const char shape[] = "it has no matrix of three cells an entry";

	nonsense_distances(wrong, DISTANCES("0 1 30 1 0 10"));
	nonsense_distances(wrong, DISTANCES("0 1 30 1 0 0"));
	nonsense_distances(wrong, DISTANCES("0 1 30 1 1 11"));
	nonsense_distances("a distance is above 255", DISTANCES("0 1 30 1 0 256"));
	nonsense_distances("it names a pair of nodes twice", DISTANCES("0 1 30 1 0 30 0 1 31"));
	nonsense_distances(shape, DISTANCES("0 1 30 1 0"));
	nonsense_distances(shape, "distance-map { compatible = \"numa-distance-map-v1\"; };");
	nonsense_distances(
		"it is of an unknown kind", "distance-map { distance-matrix = <0 1 30>; };");
}

static void hart_that_the_tree_does_not_know_makes_all_of_it_flat(void **state unused_arg)
{
	const void *fdt = dt_source(HEAD TWO_NODES "};");
	int nodes[2] = {dt_find(fdt, "/cpus/cpu@0"), -1};

	fdt_read_topology(fdt, nodes, 2, &t, places);
	nr_harts = 2;
	assert_string_equal(t.numa_fault, "a hart or memory lacks a numa-node-id that others have");
	expect_flat(2);
}

#define TEST(fn) cmocka_unit_test_teardown(fn, dt_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(qemu_machine_without_numa_is_one_cluster),
		TEST(qemu_numa_nodes_have_harts_memory_and_distances),
		TEST(tree_that_says_nothing_is_flat),
		TEST(sockets_nested_clusters_and_threads_are_followed),
		TEST(map_may_name_harts_that_are_not_asked_about),
		TEST(sparse_ids_become_dense_numbers_in_their_order),
		TEST(distances_have_two_directions),
		TEST(nonsense_in_the_map_is_named_and_not_used),
		TEST(map_that_is_too_deep_or_too_long_is_not_used),
		TEST(nonsense_about_nodes_is_named_and_not_used),
		TEST(nonsense_about_distances_is_named_and_not_used),
		TEST(hart_that_the_tree_does_not_know_makes_all_of_it_flat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
