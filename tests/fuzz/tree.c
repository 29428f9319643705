/* SPDX-License-Identifier: MIT */
/*
 * One tree: fdt_check refuses it, or every question of lib/fdt.h about it has an answer, and the
 * kernel's own readers come to a boot, or to an end with a reason, that the judge accepts. The tree
 * is a heap block of its size, so the sanitizer sees a look outside.
 *
 * Sources: tests/fuzz/machine.c tests/fuzz/judge.c tests/fuzz/mutate.c tests/fuzz/args.c
 * Sources: lib/fdt.c lib/fdt_bus.c lib/fdt_memory.c lib/fdt_harts.c lib/string.c lib/printf.c
 * Sources: lib/fdt_topology.c lib/bootargs.c lib/parse.c
 * Sources: kernel/hart/hart.c kernel/hart/topology.c kernel/hart/mask.c kernel/time/clock.c
 * Sources: kernel/mm/early.c kernel/mm/memmap.c
 * Sources: kernel/lock/context.c kernel/lock/irqlock.c kernel/lock/park.c kernel/lock/relax.c
 * Sources: drivers/device.c drivers/irqchip/plic.c drivers/uart/ns16550.c kernel/irq/controller.c
 * Sources: drivers/power/syscon_test.c libfdt
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/device.h"
#include "kernel/hart/bringup.h"
#include "kernel/hart/topology.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"
#include "tests/fuzz/fuzz.h"

/* Each question walks the tree from its beginning: of a large one so many nodes are asked. */
#define NODES_ASKED 12

static unsigned readable(const char *s)
{
	must(s && strlen(s) < TREE_BYTES_MAX, "a string that does not end");
	return (unsigned)strlen(s);
}

static void ask_props(const void *fdt, int node)
{
	const char *name, *s;
	const void *data;
	unsigned sum = 0, turns = 0;
	int cursor = 0;
	uint64_t a;
	uint32_t v;
	size_t len;

	while (fdt_next_prop(fdt, node, &cursor, &name, &data, &len)) {
		must(++turns < TURNS_MAX, "properties that never end");
		sum += readable(name);
		for (size_t i = 0; i < len; i++)
			sum += ((const unsigned char *)data)[i];
		fdt_read_u32(fdt, node, name, &v);
		fdt_read_u32_at(fdt, node, name, sum % 8, &v);
		fdt_read_u64(fdt, node, name, &a);
		if (!fdt_read_string_at(fdt, node, name, sum % 3, &s))
			readable(s);
	}
}

static void ask_node(const void *fdt, int node)
{
	struct fdt_irq irq;
	char path[80];
	uint64_t a, b;
	int err;

	readable(fdt_name(fdt, node));
	err = fdt_path(fdt, node, path, sizeof(path));
	must(err == -EINVAL || readable(path) < sizeof(path), "a path that is too long");
	must(err || fdt_find(fdt, path) >= 0, "no node at its own path %s", path);
	must(fdt_parent(fdt, node) < node, "a parent behind its child");
	for (unsigned i = 0; i < 3; i++) {
		if (!fdt_read_reg(fdt, node, i, &a, &b))
			must(!b || (wide)a + b <= (wide)1 << 64, "a reg that wraps around");
		if (!fdt_read_irq(fdt, node, i, &irq))
			must(irq.controller >= 0 && irq.nr_cells && irq.nr_cells <= 4,
				"an interrupt without a controller");
	}
	fdt_plic_context(fdt, node, 3, 9);
	ask_props(fdt, node);
}

static void ask_questions(const void *fdt)
{
	int depth = -1, before = -1, step;
	unsigned nodes = 0;
	const char *options = "";

	for (int n = fdt_walk(fdt, -1, &depth); n >= 0; n = fdt_walk(fdt, n, &depth)) {
		must(n > before && depth >= 0, "a walk that goes back");
		before = n;
		nodes++;
	}
	step = 1 + (int)nodes / NODES_ASKED;
	nodes = 0;
	for (int n = fdt_walk(fdt, -1, NULL); n >= 0; n = fdt_walk(fdt, n, NULL)) {
		if (nodes++ % (unsigned)step == 0)
			ask_node(fdt, n);
	}
	if (fdt_stdout(fdt, &options) >= 0)
		readable(options);
	ask_words(fdt_bootargs(fdt));
}

/* The parts of kernel_main that a tree has a say in, in their order. */
static void boot(const void *fdt)
{
	if (fdt_timebase(fdt, &arch_info.timebase_hz))
		arch_info.timebase_hz = 0;
	drivers_early(fdt);
	if (clock_init(arch_info.timebase_hz))
		return;
	hart_discover();
	judge_harts(fdt);
	topology_init();
	judge_topology();
	mm_early_init();
	judge_memory();
	machine_attach_harts();
	for (unsigned stage = 0; stage < DRIVER_STAGES; stage++)
		drivers_probe(stage);
	judge_contexts();
	machine_use_devices();
}

static void boot_or_end(const void *fdt)
{
	if (setjmp(machine_end))
		judge_refusal();
	else
		boot(fdt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *fdt = size && size <= TREE_BYTES_MAX ? malloc(size) : NULL;

	if (!fdt)
		return 0;
	memcpy(fdt, data, size);
	if (!fdt_check(fdt, size)) {
		ask_questions(fdt);
		machine_reset(fdt, fdt_size(fdt));
		if (judge_read(fdt))
			boot_or_end(fdt);
	}
	machine_reset(NULL, 0);
	free(fdt);
	return 0;
}
