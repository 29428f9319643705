/* SPDX-License-Identifier: MIT */
/*
 * Truncated and mutated device trees: fdt_check refuses them, or every question to them is answered
 * in bounded time and without a look outside of the tree (a heap block of its size, so the
 * sanitizer sees it).
 *
 * Sources: tests/host/harness.c tests/host/dt.c lib/fdt.c lib/fdt_bus.c lib/fdt_memory.c
 * Sources: lib/fdt_harts.c lib/fdt_topology.c lib/string.c lib/random.c libfdt
 */
#include <stdlib.h>
#include <string.h>

#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/random.h"
#include "tests/host/dt.h"
#include "tests/host/harness.h"

#define OFFSET_TOTALSIZE 4
#define OFFSET_STRUCT 8
#define FUZZ_HARTS 8

static struct rng rng;
static unsigned accepted, refused;

static uint32_t load(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 24);
	p[1] = (unsigned char)(v >> 16);
	p[2] = (unsigned char)(v >> 8);
	p[3] = (unsigned char)v;
}

/* Touches all of a string. */
static void read_string(const char *s)
{
	assert_non_null(s);
	assert_true(strlen(s) < 1 << 20);
}

static void ask_node(const void *fdt, int node)
{
	static const char *const names[] = {"reg", "compatible", "interrupts", "status", "nothing"};
	char path[300];
	const char *s, *name;
	const void *data;
	struct fdt_irq irq;
	uint64_t a, b;
	uint32_t v;
	size_t len;
	int cursor = 0;

	read_string(fdt_name(fdt, node));
	fdt_path(fdt, node, path, sizeof(path));
	read_string(path);
	fdt_enabled(fdt, node);
	fdt_is_compatible(fdt, node, "ns16550a");
	fdt_parent(fdt, node);
	fdt_phandle(fdt, node);
	for (unsigned i = 0; i < 4; i++) {
		fdt_read_reg(fdt, node, i, &a, &b);
		if (!fdt_read_irq(fdt, node, i, &irq))
			assert_true(irq.nr_cells <= FDT_MAX_IRQ_CELLS && irq.controller >= 0);
	}
	fdt_plic_context(fdt, node, 3, 9);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		fdt_read_u32(fdt, node, names[i], &v);
		fdt_read_u32_at(fdt, node, names[i], 1, &v);
		fdt_read_u64(fdt, node, names[i], &a);
		if (!fdt_read_string_at(fdt, node, names[i], i, &s))
			read_string(s);
	}
	while (fdt_next_prop(fdt, node, &cursor, &name, &data, &len)) {
		read_string(name);
		for (size_t i = 0; i < len; i++)
			v += ((const unsigned char *)data)[i];
	}
}

/* Places of harts: all numbers below their counts, distances as promised. */
static void ask_topology(const void *fdt, const int *harts, unsigned n)
{
	struct fdt_topology t;
	struct fdt_place places[FUZZ_HARTS];

	fdt_read_topology(fdt, harts, n, &t, places);
	assert_in_range(t.nr_nodes, 1, FDT_NUMA_MAX);
	for (unsigned i = 0; i < n; i++)
		assert_true(places[i].node < t.nr_nodes && places[i].socket < t.nr_sockets &&
			places[i].cluster < t.nr_clusters && places[i].core < t.nr_cores);
	for (unsigned a = 0; a < t.nr_nodes; a++)
		for (unsigned b = 0; b < t.nr_nodes; b++)
			assert_true(a == b ? t.distance[a][b] == 10 : t.distance[a][b] > 10);
}

static void ask_machine(const void *fdt)
{
	int nodes[FUZZ_HARTS];
	unsigned nr_nodes = 0;
	struct fdt_memory_iter memory;
	struct fdt_reserved_iter reserved;
	struct fdt_hart_iter harts;
	struct fdt_reserved r;
	struct fdt_hart h;
	const char *options = "";
	uint64_t a, b;
	uint32_t hz;
	unsigned turns = 0;

	fdt_memory_begin(&memory, fdt);
	while (fdt_memory_next(&memory, &a, &b) != -ENOENT)
		assert_true(++turns < 100000);
	fdt_reserved_begin(&reserved, fdt);
	for (int err; (err = fdt_reserved_next(&reserved, &r)) != -ENOENT;) {
		assert_true(++turns < 100000);
		if (!err)
			read_string(r.name);
	}
	fdt_harts_begin(&harts, fdt);
	while (fdt_harts_next(&harts, &h) != -ENOENT) {
		assert_true(++turns < 100000);
		read_string(h.isa);
		read_string(h.mmu);
		fdt_hart_has(&h, "sstc");
		if (nr_nodes < FUZZ_HARTS)
			nodes[nr_nodes++] = h.node;
	}
	ask_topology(fdt, nodes, nr_nodes);
	fdt_timebase(fdt, &hz);
	read_string(fdt_bootargs(fdt));
	fdt_initrd(fdt, &a, &b);
	if (fdt_stdout(fdt, &options) >= 0)
		read_string(options);
	fdt_next_compatible(fdt, -1, "sifive,plic-1.0.0");
	fdt_by_phandle(fdt, 3);
	fdt_find(fdt, "/soc/serial@10000000");
}

/* Asks a heap copy of `size` bytes everything, if it passes the check. */
static void ask_everything(const unsigned char *data, size_t size)
{
	unsigned char *fdt = malloc(size + !size);
	int depth = -1;
	unsigned nodes = 0;

	memcpy(fdt, data, size);
	if (fdt_check(fdt, size)) {
		refused++;
		free(fdt);
		return;
	}
	accepted++;
	ask_machine(fdt);
	for (int n = fdt_walk(fdt, -1, &depth); n >= 0; n = fdt_walk(fdt, n, &depth)) {
		assert_true(++nodes < 10000);
		/* Each question is O(size): look at a part of the nodes in each tree. */
		if (rng_one_in(&rng, 10))
			ask_node(fdt, n);
	}
	free(fdt);
}

static unsigned char *original;
static size_t original_size;

static int make_original(void **state unused_arg)
{
	const void *fdt = dt_qemu("-smp 4 -append 'run=\"harts\"' -bios none -kernel /bin/true "
				  "-m 256M -object memory-backend-ram,size=128M,id=a "
				  "-object memory-backend-ram,size=128M,id=b "
				  "-numa node,memdev=a -numa node,memdev=b");

	original_size = fdt_size(fdt);
	original = malloc(original_size);
	memcpy(original, fdt, original_size);
	dt_drop(NULL);
	accepted = refused = 0;
	return 0;
}

static int drop_original(void **state unused_arg)
{
	free(original);
	return 0;
}

static void truncated_trees_are_refused(void **state unused_arg)
{
	for (size_t n = 0; n < original_size; n++)
		ask_everything(original, n);
	assert_int_equal(accepted, 0);
	ask_everything(original, original_size);
	assert_int_equal(accepted, 1);
}

/* The header believes in the shorter size, so the cut is met further inside. */
static void truncated_trees_that_hide_it_do_no_harm(void **state unused_arg)
{
	for (uint32_t n = 0; n < original_size; n++) {
		unsigned char *cut = malloc(original_size);

		memcpy(cut, original, original_size);
		store(cut + OFFSET_TOTALSIZE, n);
		ask_everything(cut, n);
		ask_everything(cut, original_size);
		free(cut);
	}
	assert_int_equal(accepted, 0);
}

static void mutate(unsigned char *data)
{
	static const uint32_t values[] = {
		0, 1, 2, 3, 4, 9, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffc};
	unsigned n = (unsigned)rng_between(&rng, 1, 4);

	while (n--) {
		size_t at = rng_below(&rng, original_size);

		switch (rng_below(&rng, 4)) {
		case 0:
			data[at] = (unsigned char)rng_u64(&rng);
			break;
		case 1:
			data[at] ^= (unsigned char)(1u << rng_below(&rng, 8));
			break;
		case 2: /* a cell: tags, lengths, string offsets, numbers */
			at = at & ~(size_t)3;
			if (at + 4 <= original_size)
				store(data + at, values[rng_below(&rng, ARRAY_SIZE(values))]);
			break;
		default: /* a piece of it elsewhere */
			memmove(data + at, data + rng_below(&rng, original_size - 64),
				MIN(original_size - at, (size_t)64));
			break;
		}
	}
}

static void mutated_trees_do_no_harm(void **state unused_arg)
{
	unsigned char *data = malloc(original_size);

	for (int i = 0; i < 6000; i++) {
		memcpy(data, original, original_size);
		mutate(data);
		ask_everything(data, original_size);
	}
	free(data);
	/* Both ways must have been gone, or else this test looked at nothing. */
	assert_true(accepted > 300 && refused > 300);
}

/*
 * Puts an absurd cell into the property whose value lies at `at`; perhaps shortens it, by no more
 * than leaves what follows where it stands.
 */
static void spoil(unsigned char *data, ptrdiff_t at, size_t len)
{
	static const uint32_t values[] = {0, 1, 2, 3, 5, 0x100, 0x7fffffff, 0xffffffff};
	unsigned char *value = data + at, *length = value - 8;
	size_t cell = rng_below(&rng, len / 4);

	store(value + cell * 4, values[rng_below(&rng, ARRAY_SIZE(values))]);
	if (rng_one_in(&rng, 4))
		store(length, load(length) - (uint32_t)rng_below(&rng, (len - 1) % 4 + 1));
}

/* Only what stands in properties, so that each tree passes the check and the questions are met. */
static void trees_with_absurd_values_do_no_harm(void **state unused_arg)
{
	unsigned char *data = malloc(original_size);

	for (int i = 0; i < 1000; i++) {
		int cursor, n, depth = -1;

		memcpy(data, original, original_size);
		for (n = fdt_walk(original, -1, &depth); n >= 0;
			n = fdt_walk(original, n, &depth)) {
			const char *name;
			const void *value;
			size_t len;

			cursor = 0;
			while (fdt_next_prop(original, n, &cursor, &name, &value, &len)) {
				if (len >= 4 && rng_one_in(&rng, 20))
					spoil(data, (const unsigned char *)value - original, len);
			}
		}
		ask_everything(data, original_size);
	}
	free(data);
	assert_int_equal(accepted, 1000);
	assert_int_equal(refused, 0);
}

static void misplaced_or_foreign_data_is_refused(void **state unused_arg)
{
	unsigned char *data = aligned_alloc(8, 64 + 8);
	static const uint32_t words[] = {0xd00dfeed, 40, 40, 40, 40, 17, 16, 0, 0, 0};

	memset(data, 0, 64 + 8);
	assert_int_equal(fdt_check(data, 64), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		store(data + 4 * i, words[i]);
	for (size_t n = 0; n <= 64; n++)
		assert_true(fdt_check(data, n) < 0);
	assert_int_equal(fdt_check(data + 4, 60), -EINVAL);
	free(data);

	/* A good tree in too small a window. */
	data = aligned_alloc(8, align_up(original_size, 8));
	memcpy(data, original, original_size);
	assert_int_equal(fdt_check(data, original_size - 1), -E2BIG);
	assert_int_equal(fdt_check(data, original_size), 0);
	assert_true(load(data + OFFSET_STRUCT) >= 40);
	free(data);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make_original, drop_original)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(truncated_trees_are_refused),
		TEST(truncated_trees_that_hide_it_do_no_harm),
		TEST(mutated_trees_do_no_harm),
		TEST(trees_with_absurd_values_do_no_harm),
		TEST(misplaced_or_foreign_data_is_refused),
	};

	rng_seed(&rng, host_seed());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
